"""SAML providers: create, show, list, change, delete, tag. STS decides about the subjects of their assertions."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import Permission
from rolecall.arns import parse_arn, saml_provider_arn
from rolecall.errors import AwsError
from rolecall.services.iam.common import add_tags, tag_answer, tag_pairs
from rolecall.services.iam.providers.propagation import (
    ContextProviderMembers,
    changed_propagation,
    new_propagation,
    owned,
    propagation_answer,
    propagation_flag,
    propagation_permissions,
    wanted_propagation,
)
from rolecall.services.iam.tagging import taggable
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.sessions.saml.key_hashes import key_hash
from rolecall.sessions.saml.on_demand import check_private_key, read_metadata
from rolecall.sessions.saml.records import (
    BadMetadataError,
    EncryptionError,
    ProviderMetadata,
    SamlNotInstalledError,
    valid_until_seconds,
)
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
    set_propagation,
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
BOTH_CHANGES_MESSAGE = "Unable to change the context provider and the provider metadata in the same request."
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


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    arn, document = parameters.get("SAMLProviderArn"), parameters.get("SAMLMetadataDocument")
    stored = None if arn is None else owned(call, provider_by_arn(call.db, arn))
    return propagation_permissions(
        call,
        parameters,
        stored,
        request_issuers=() if document is None else _requested_issuers(document),
        resource_issuers=() if stored is None else _issuers(stored.metadata),
    )


def _issuers(document: str) -> tuple[str, ...]:
    """The values of the condition keys about issuers.

    It is not documented whether these are entity ids or hashes of keys, as aws:OriginIdentity/Issuer has them.
    """
    return (read_metadata(document).entity_id,)


def _requested_issuers(document: str) -> tuple[str, ...]:
    """The same; none for a document that the operation itself refuses, after the permission."""
    try:
        return _issuers(document)
    except (BadMetadataError, SamlNotInstalledError):
        return ()


@operation("iam", "CreateSAMLProvider", permissions=_permissions, slow=True)
def create_saml_provider(
    call: Call,
    *,
    SAMLMetadataDocument: str,
    Name: str,
    Tags: Sequence[Tag] = (),
    AssertionEncryptionMode: str | None = None,
    AddPrivateKey: str | None = None,
    ContextProvider: ContextProviderMembers | None = None,
    IdentityCenterInstanceArn: str | None = None,
) -> Answer:
    """A new provider, described by its metadata. API reference: CreateSAMLProvider.

    Raises AwsError: InvalidInput (metadata, tags, key, mode without a key, propagation), LimitExceeded,
    EntityAlreadyExists.
    """
    tags = tag_pairs(Tags, case_sensitive=False)
    metadata = _checked_metadata(SAMLMetadataDocument)
    propagation = new_propagation(ContextProvider, IdentityCenterInstanceArn)
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
        *propagation,
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
        **propagation_answer(call, provider),
    }
    if "SAMLKeyHashes" in call.model.output_members:
        metadata = read_metadata(provider.metadata)
        hashes = list(dict.fromkeys(map(key_hash, metadata.certificates)))
        answer["SAMLKeyHashes"] = [{"IssuerURL": metadata.entity_id, "KeyHashes": hashes}]
    return answer


@operation("iam", "ListSAMLProviders")
def list_saml_providers(call: Call) -> Answer:
    """All providers, without pages, as on AWS."""
    name = "SAMLProviderList"
    listed = [
        {
            "Arn": provider.arn,
            "ValidUntil": provider.valid_until_seconds,
            "CreateDate": provider.created_at_seconds,
            **propagation_flag(call, name, has_instance=provider.identity_center_instance_arn is not None),
        }
        for provider in providers_of(call.db, call.account_id)
    ]
    return {name: listed}


@operation("iam", "UpdateSAMLProvider", precheck=_check_arn, permissions=_permissions, slow=True)
def update_saml_provider(
    call: Call,
    *,
    SAMLProviderArn: str,
    SAMLMetadataDocument: str | None = None,
    AssertionEncryptionMode: str | None = None,
    AddPrivateKey: str | None = None,
    RemovePrivateKey: str | None = None,
    ContextProvider: ContextProviderMembers | None = None,
    IdentityCenterInstanceArn: str | None = None,
    RemoveContextProvider: bool = False,
    RemoveIdentityCenterInstance: bool = False,
) -> Answer:
    """Replace the metadata, change how assertions are encrypted, add or remove a key, associate an Identity Center
    instance; or change what the provider propagates. API reference: UpdateSAMLProvider.

    Raises AwsError: InvalidInput, NoSuchEntity (provider, key), LimitExceeded (keys).
    """
    provider = _existing(call, SAMLProviderArn)
    if AddPrivateKey is not None and RemovePrivateKey is not None:
        raise AwsError("InvalidInput", ADD_AND_REMOVE_MESSAGE)
    wanted = wanted_propagation(
        ContextProvider,
        IdentityCenterInstanceArn,
        removes_context_provider=RemoveContextProvider,
        removes_instance=RemoveIdentityCenterInstance,
    )
    changes_metadata = any((SAMLMetadataDocument, AssertionEncryptionMode, AddPrivateKey, RemovePrivateKey))
    if wanted.changes_context_provider and (changes_metadata or wanted.changes_instance):
        raise AwsError("InvalidInput", BOTH_CHANGES_MESSAGE)
    if not (changes_metadata or wanted.changes_context_provider or wanted.changes_instance):
        raise AwsError("InvalidInput", NO_CHANGE_MESSAGE)
    set_propagation(call.db, provider.arn, *changed_propagation(provider, wanted))
    if changes_metadata:
        _change_metadata(call, provider, SAMLMetadataDocument, AssertionEncryptionMode, AddPrivateKey, RemovePrivateKey)
    return {"SAMLProviderArn": provider.arn}


def _change_metadata(
    call: Call,
    provider: SamlProvider,
    new_document: str | None,
    new_mode: str | None,
    added_key: str | None,
    removed_key: str | None,
) -> None:
    """Raises AwsError: InvalidInput, NoSuchEntity (key), LimitExceeded (keys)."""
    valid_until, document = provider.valid_until_seconds, provider.metadata
    if new_document is not None:
        document = new_document
        valid_until = valid_until_seconds(_checked_metadata(document), provider.created_at_seconds)
    mode = new_mode or provider.assertion_encryption_mode
    present = private_keys_of(call.db, provider.arn)
    if removed_key is not None:
        if removed_key not in {key.key_id for key in present}:
            raise AwsError("NoSuchEntity", KEY_NOT_FOUND_MESSAGE.format(key_id=removed_key))
        if mode == "Required" and len(present) == 1:
            raise AwsError("InvalidInput", LAST_KEY_MESSAGE)
        remove_private_key(call.db, provider.arn, removed_key)
    if added_key is not None:
        _add_key(call, provider.arn, added_key, present)
    elif new_mode == "Required" and not present:
        raise AwsError("InvalidInput", REQUIRED_MODE_MESSAGE)
    change_provider(call.db, provider.arn, document, mode, valid_until)


@operation("iam", "DeleteSAMLProvider", precheck=_check_arn)
def delete_saml_provider(call: Call, *, SAMLProviderArn: str) -> None:
    """Delete a provider. Trust policies that name it stay unchanged. Raises AwsError NoSuchEntity."""
    remove_provider(call.db, _existing(call, SAMLProviderArn).arn)
