"""SAML providers: create, show, list, change, delete, tag. STS decides about the subjects of their assertions."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.arns import parse_arn, saml_provider_arn
from rolecall.errors import AwsError
from rolecall.services.iam.common import add_tags, tag_answer, tag_pairs
from rolecall.services.iam.tagging import taggable
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.sessions.saml.on_demand import check_private_key, read_metadata
from rolecall.sessions.saml.records import BadMetadataError, EncryptionError, ProviderMetadata, valid_until_seconds
from rolecall.storage.entity_tags import tags_of
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.saml_providers import (
    SamlPrivateKey,
    SamlProvider,
    add_private_key,
    add_provider,
    change_provider,
    count_providers,
    private_keys_of,
    provider_by_arn,
    providers_of,
    remove_private_key,
    remove_provider,
)

NOT_FOUND_MESSAGE = "Manifest not found for arn {arn}"
# IAM User Guide, Troubleshoot SAML federation with IAM.
METADATA_MESSAGE = "Could not parse metadata."
REQUIRED_MODE_MESSAGE = "Unable to set assertion encryption mode to Required because no private key was provided."
ADD_AND_REMOVE_MESSAGE = (
    "Unable to add and remove private keys in the same request. Set a value for only one of the two parameters."
)
NO_CHANGE_MESSAGE = "Unable to update identity provider. No updates made to the metadata or assertion encryption."
KEY_COUNT_MESSAGE = "Private key limit of {limit} reached"
# Not recorded from AWS.
ALREADY_EXISTS_MESSAGE = "SAML provider {name} already exists."
COUNT_MESSAGE = "Cannot exceed quota for SAMLProvidersPerAccount: {limit}"
KEY_MESSAGE = "The private key must be an RSA key in PEM, without a password."
LAST_KEY_MESSAGE = "Unable to remove the last private key while assertion encryption mode is Required."
KEY_NOT_FOUND_MESSAGE = "The private key with id {key_id} cannot be found."
INVALID_ARN_MESSAGE = "ARN {arn} is not valid."
# Recorded for a provider whose mode was never set.
DEFAULT_ENCRYPTION_MODE = "Allowed"
# The model's limit for the list in GetSAMLProvider's answer.
MAXIMUM_PRIVATE_KEYS = 2


def _check_arn(_call: Call, parameters: Parameters) -> None:
    """What is refused before any policy is evaluated: an ARN that is not a provider's."""
    parsed = parse_arn(parameters["SAMLProviderArn"])
    if parsed is None or parsed.service != "iam" or parsed.region or parsed.resource_type != "saml-provider":
        raise AwsError("InvalidInput", INVALID_ARN_MESSAGE.format(arn=parameters["SAMLProviderArn"]))


def _existing(call: Call, arn: str, *, for_update: bool = True) -> SamlProvider:
    """The account's provider with that ARN. Raises AwsError NoSuchEntity."""
    provider = provider_by_arn(call.db, arn, for_update=for_update)
    if provider is None or provider.account_id != call.account_id:
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(arn=arn))
    return provider


def _checked_metadata(document: str) -> ProviderMetadata:
    try:
        return read_metadata(document)
    except BadMetadataError as error:
        raise AwsError("InvalidInput", METADATA_MESSAGE, reason=str(error)) from error


def _add_key(call: Call, arn: str, private_key: str, present: Sequence[SamlPrivateKey]) -> None:
    if len(present) >= MAXIMUM_PRIVATE_KEYS:
        raise AwsError("LimitExceeded", KEY_COUNT_MESSAGE.format(limit=MAXIMUM_PRIVATE_KEYS))
    try:
        check_private_key(private_key)
    except EncryptionError as error:
        raise AwsError("InvalidInput", KEY_MESSAGE, reason=str(error)) from error
    add_private_key(call.db, arn, SamlPrivateKey(call.ids.upper_id(), private_key, int(call.now_seconds)))


def _existing_arn(call: Call, arn: str) -> str:
    return _existing(call, arn, for_update=False).arn


def _locked_arn(call: Call, arn: str) -> str:
    return _existing(call, arn).arn


taggable("saml_provider", "SAMLProvider", "SAMLProviderArn", _existing_arn, changeable=_locked_arn, precheck=_check_arn)


@operation("iam", "CreateSAMLProvider")
def create_saml_provider(
    call: Call,
    *,
    SAMLMetadataDocument: str,
    Name: str,
    Tags: Sequence[Tag] = (),
    AssertionEncryptionMode: str | None = None,
    AddPrivateKey: str | None = None,
) -> Answer:
    """A new provider, described by its metadata. API reference: CreateSAMLProvider.

    Raises AwsError: InvalidInput (metadata, tags, key, mode without a key), LimitExceeded, EntityAlreadyExists.
    """
    tags = tag_pairs(Tags, case_sensitive=False)
    metadata = _checked_metadata(SAMLMetadataDocument)
    if AssertionEncryptionMode == "Required" and AddPrivateKey is None:
        raise AwsError("InvalidInput", REQUIRED_MODE_MESSAGE)
    limit = call.settings.quotas.saml_providers_per_account_count
    if count_providers(call.db, call.account_id) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    arn, now_seconds = saml_provider_arn(call.account_id, Name), int(call.now_seconds)
    provider = SamlProvider(
        arn,
        call.account_id,
        Name,
        call.ids.upper_id(),
        SAMLMetadataDocument,
        AssertionEncryptionMode,
        valid_until_seconds(metadata, now_seconds),
        now_seconds,
    )
    try:
        add_provider(call.db, provider)
    except AlreadyThere as error:
        raise AwsError("EntityAlreadyExists", ALREADY_EXISTS_MESSAGE.format(name=Name)) from error
    if AddPrivateKey is not None:
        _add_key(call, arn, AddPrivateKey, ())
    add_tags(call, "saml_provider", arn, tags)
    answer: Answer = {"SAMLProviderArn": arn}
    if tags:
        answer["Tags"] = tag_answer(tags)
    return answer


@operation("iam", "GetSAMLProvider", precheck=_check_arn)
def get_saml_provider(call: Call, *, SAMLProviderArn: str) -> Answer:
    """A provider with its metadata, and the ids and dates of its private keys. Raises AwsError NoSuchEntity."""
    provider = _existing(call, SAMLProviderArn, for_update=False)
    answer: Answer = {
        "SAMLProviderUUID": provider.provider_uuid,
        "SAMLMetadataDocument": provider.metadata,
        "CreateDate": provider.created_at_seconds,
        "ValidUntil": provider.valid_until_seconds,
        "Tags": tag_answer(tags_of(call.db, "saml_provider", provider.arn)),
        "PrivateKeyList": [
            {"KeyId": key.key_id, "Timestamp": key.created_at_seconds} for key in private_keys_of(call.db, provider.arn)
        ],
        "AssertionEncryptionMode": provider.assertion_encryption_mode or DEFAULT_ENCRYPTION_MODE,
    }
    return answer


@operation("iam", "ListSAMLProviders")
def list_saml_providers(call: Call) -> Answer:
    """All providers, without pages, as on AWS."""
    listed = [
        {"Arn": provider.arn, "ValidUntil": provider.valid_until_seconds, "CreateDate": provider.created_at_seconds}
        for provider in providers_of(call.db, call.account_id)
    ]
    return {"SAMLProviderList": listed}


@operation("iam", "UpdateSAMLProvider", precheck=_check_arn)
def update_saml_provider(
    call: Call,
    *,
    SAMLProviderArn: str,
    SAMLMetadataDocument: str | None = None,
    AssertionEncryptionMode: str | None = None,
    AddPrivateKey: str | None = None,
    RemovePrivateKey: str | None = None,
) -> Answer:
    """Replace the metadata, change how assertions are encrypted, add or remove a key. API reference:
    UpdateSAMLProvider.

    Raises AwsError: InvalidInput, NoSuchEntity (provider, key), LimitExceeded (keys).
    """
    provider = _existing(call, SAMLProviderArn)
    if AddPrivateKey is not None and RemovePrivateKey is not None:
        raise AwsError("InvalidInput", ADD_AND_REMOVE_MESSAGE)
    if not any((SAMLMetadataDocument, AssertionEncryptionMode, AddPrivateKey, RemovePrivateKey)):
        raise AwsError("InvalidInput", NO_CHANGE_MESSAGE)
    valid_until, document = provider.valid_until_seconds, provider.metadata
    if SAMLMetadataDocument is not None:
        document = SAMLMetadataDocument
        valid_until = valid_until_seconds(_checked_metadata(document), provider.created_at_seconds)
    mode = AssertionEncryptionMode or provider.assertion_encryption_mode
    present = private_keys_of(call.db, provider.arn)
    if RemovePrivateKey is not None:
        if RemovePrivateKey not in {key.key_id for key in present}:
            raise AwsError("NoSuchEntity", KEY_NOT_FOUND_MESSAGE.format(key_id=RemovePrivateKey))
        if mode == "Required" and len(present) == 1:
            raise AwsError("InvalidInput", LAST_KEY_MESSAGE)
        remove_private_key(call.db, provider.arn, RemovePrivateKey)
    if AddPrivateKey is not None:
        _add_key(call, provider.arn, AddPrivateKey, present)
    elif AssertionEncryptionMode == "Required" and not present:
        raise AwsError("InvalidInput", REQUIRED_MODE_MESSAGE)
    change_provider(call.db, provider.arn, document, mode, valid_until)
    return {"SAMLProviderArn": provider.arn}


@operation("iam", "DeleteSAMLProvider", precheck=_check_arn)
def delete_saml_provider(call: Call, *, SAMLProviderArn: str) -> None:
    """Delete a provider. Trust policies that name it stay unchanged. Raises AwsError NoSuchEntity."""
    remove_provider(call.db, _existing(call, SAMLProviderArn).arn)
