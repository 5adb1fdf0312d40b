"""OpenID Connect providers: create, show, list, change, delete, tag. STS decides about the holders of their tokens."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import Permission
from rolecall.arns import oidc_provider_arn, parse_arn
from rolecall.errors import AwsError
from rolecall.issuers import issuer_problem, without_scheme
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
from rolecall.storage.entity_tags import tags_of
from rolecall.storage.oidc_providers import (
    OidcProvider,
    add_provider,
    count_providers,
    listed_providers,
    provider_by_arn,
    remove_provider,
    set_client_ids,
    set_propagation,
    set_thumbprints,
)
from rolecall.storage.problems import AlreadyThere

URL_MESSAGE = "Invalid Open ID Connect Provider URL"
ALREADY_EXISTS_MESSAGE = "Provider with url {url} already exists."
NOT_FOUND_MESSAGE = "OpenIDConnect Provider not found for arn {arn}"
# The API reference calls deletion idempotent. This answer was recorded from AWS.
DELETE_NOT_FOUND_MESSAGE = "OpenId connect Provider {arn} cannot be found."
CLIENT_IDS_MESSAGE = "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {limit}"
# AWS accepts five, unlike its message.
THUMBPRINTS_MESSAGE = "Thumbprint list must contain fewer than {limit} entries."
# Not recorded from AWS.
COUNT_MESSAGE = "Cannot exceed quota for OpenIdConnectProvidersPerAccount: {limit}"
INVALID_ARN_MESSAGE = "ARN {arn} is not valid."
BOTH_CHANGES_MESSAGE = (
    "Unable to change the context provider and the IAM Identity Center association in the same request."
)
NO_CHANGE_MESSAGE = "Unable to update identity provider. No updates made to the provider."


def _check_arn(_call: Call, parameters: Parameters) -> None:
    """What is refused before any policy is evaluated: an ARN that is not a provider's."""
    parsed = parse_arn(parameters["OpenIDConnectProviderArn"])
    if parsed is None or parsed.service != "iam" or parsed.region or parsed.resource_type != "oidc-provider":
        message = INVALID_ARN_MESSAGE.format(arn=parameters["OpenIDConnectProviderArn"])
        raise AwsError("ValidationError", message)


def _existing(call: Call, arn: str, message: str = NOT_FOUND_MESSAGE, *, for_update: bool = True) -> OidcProvider:
    """The account's provider with that ARN. Raises AwsError NoSuchEntity."""
    provider = provider_by_arn(call.db, arn, for_update=for_update)
    if provider is None or provider.account_id != call.account_id:
        raise AwsError("NoSuchEntity", message.format(arn=arn))
    return provider


def _check_client_ids(call: Call, client_ids: Sequence[str]) -> None:
    limit = call.settings.quotas.client_ids_per_oidc_provider_count
    if len(client_ids) > limit:
        raise AwsError("LimitExceeded", CLIENT_IDS_MESSAGE.format(limit=limit))


def _check_thumbprints(call: Call, thumbprints: Sequence[str]) -> None:
    limit = call.settings.quotas.thumbprints_per_oidc_provider_count
    if len(thumbprints) > limit:
        raise AwsError("InvalidInput", THUMBPRINTS_MESSAGE.format(limit=limit))


def _check_url(_call: Call, parameters: Parameters) -> None:
    problem = issuer_problem(parameters["Url"])
    if problem:
        raise AwsError("ValidationError", URL_MESSAGE, reason=problem)


def _existing_arn(call: Call, arn: str) -> str:
    return _existing(call, arn, for_update=False).arn


def _locked_arn(call: Call, arn: str) -> str:
    return _existing(call, arn).arn


taggable(
    "oidc_provider",
    "OpenIDConnectProvider",
    "OpenIDConnectProviderArn",
    _existing_arn,
    changeable=_locked_arn,
    precheck=_check_arn,
)


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """The keys about issuers hold the form of aws:OriginIdentity/Issuer, which is not documented for them."""
    arn, url = parameters.get("OpenIDConnectProviderArn"), parameters.get("Url")
    stored = None if arn is None else owned(call, provider_by_arn(call.db, arn))
    return propagation_permissions(
        call,
        parameters,
        stored,
        request_issuers=() if url is None else (without_scheme(url),),
        resource_issuers=() if stored is None else (without_scheme(stored.url),),
    )


@operation("iam", "CreateOpenIDConnectProvider", precheck=_check_url, permissions=_permissions)
def create_open_id_connect_provider(
    call: Call,
    *,
    Url: str,
    ClientIDList: Sequence[str] = (),
    ThumbprintList: Sequence[str] = (),
    Tags: Sequence[Tag] = (),
    ContextProvider: ContextProviderMembers | None = None,
    IdentityCenterInstanceArn: str | None = None,
) -> Answer:
    """A new provider. Its keys are fetched from the issuer when a token arrives. API reference:
    CreateOpenIDConnectProvider. Without thumbprints AWS looks them up; here the list stays empty.

    Raises AwsError: ValidationError (URL), InvalidInput (tags, thumbprints, propagation), LimitExceeded,
    EntityAlreadyExists.
    """
    tags = tag_pairs(Tags, case_sensitive=False)
    _check_client_ids(call, ClientIDList)
    _check_thumbprints(call, ThumbprintList)
    propagation = new_propagation(ContextProvider, IdentityCenterInstanceArn)
    limit = call.settings.quotas.oidc_providers_per_account_count
    if count_providers(call.db, call.account_id) >= limit:
        raise AwsError("LimitExceeded", COUNT_MESSAGE.format(limit=limit))
    arn = oidc_provider_arn(call.account_id, Url)
    provider = OidcProvider(
        arn,
        call.account_id,
        Url,
        "discovery",
        None,
        tuple(ClientIDList),
        tuple(ThumbprintList),
        int(call.now_seconds),
        *propagation,
    )
    try:
        add_provider(call.db, provider)
    except AlreadyThere as error:
        raise AwsError("EntityAlreadyExists", ALREADY_EXISTS_MESSAGE.format(url=Url)) from error
    add_tags(call, "oidc_provider", arn, tags)
    answer: Answer = {"OpenIDConnectProviderArn": arn}
    if tags:
        answer["Tags"] = tag_answer(tags)
    return answer


@operation("iam", "GetOpenIDConnectProvider", precheck=_check_arn)
def get_open_id_connect_provider(call: Call, *, OpenIDConnectProviderArn: str) -> Answer:
    """A provider. AWS shows its URL without the scheme. Raises AwsError NoSuchEntity."""
    provider = _existing(call, OpenIDConnectProviderArn, for_update=False)
    return {
        "Url": without_scheme(provider.url),
        "ClientIDList": list(provider.client_ids),
        "ThumbprintList": list(provider.thumbprints),
        "CreateDate": provider.created_at_seconds,
        "Tags": tag_answer(tags_of(call.db, "oidc_provider", provider.arn)),
        **propagation_answer(call, provider),
    }


@operation("iam", "ListOpenIDConnectProviders")
def list_open_id_connect_providers(call: Call) -> Answer:
    """The ARNs of all providers, without pages, as on AWS."""
    name = "OpenIDConnectProviderList"
    listed = [
        {"Arn": arn, **propagation_flag(call, name, has_instance=has_instance)}
        for arn, has_instance in listed_providers(call.db, call.account_id)
    ]
    return {name: listed}


@operation("iam", "DeleteOpenIDConnectProvider", precheck=_check_arn)
def delete_open_id_connect_provider(call: Call, *, OpenIDConnectProviderArn: str) -> None:
    """Delete a provider. Trust policies that name it stay unchanged. Raises AwsError NoSuchEntity."""
    remove_provider(call.db, _existing(call, OpenIDConnectProviderArn, DELETE_NOT_FOUND_MESSAGE).arn)


@operation("iam", "AddClientIDToOpenIDConnectProvider", precheck=_check_arn)
def add_client_id_to_open_id_connect_provider(call: Call, *, OpenIDConnectProviderArn: str, ClientID: str) -> None:
    """Add an audience. Adding it again is no error. Raises AwsError: NoSuchEntity, LimitExceeded."""
    provider = _existing(call, OpenIDConnectProviderArn)
    if ClientID not in provider.client_ids:
        _check_client_ids(call, (*provider.client_ids, ClientID))
        set_client_ids(call.db, provider.arn, (*provider.client_ids, ClientID))


@operation("iam", "RemoveClientIDFromOpenIDConnectProvider", precheck=_check_arn)
def remove_client_id_from_open_id_connect_provider(call: Call, *, OpenIDConnectProviderArn: str, ClientID: str) -> None:
    """Remove an audience. A missing one is no error. Raises AwsError NoSuchEntity."""
    provider = _existing(call, OpenIDConnectProviderArn)
    kept = [client_id for client_id in provider.client_ids if client_id != ClientID]
    set_client_ids(call.db, provider.arn, kept)


@operation("iam", "UpdateOpenIDConnectProviderThumbprint", precheck=_check_arn)
def update_open_id_connect_provider_thumbprint(
    call: Call, *, OpenIDConnectProviderArn: str, ThumbprintList: Sequence[str]
) -> None:
    """Replace the thumbprints. Raises AwsError: InvalidInput, NoSuchEntity."""
    _check_thumbprints(call, ThumbprintList)
    set_thumbprints(call.db, _existing(call, OpenIDConnectProviderArn).arn, ThumbprintList)


@operation("iam", "UpdateOpenIDConnectProvider", precheck=_check_arn, permissions=_permissions)
def update_open_id_connect_provider(
    call: Call,
    *,
    OpenIDConnectProviderArn: str,
    ContextProvider: ContextProviderMembers | None = None,
    IdentityCenterInstanceArn: str | None = None,
    RemoveContextProvider: bool = False,
    RemoveIdentityCenterInstance: bool = False,
) -> None:
    """Change what the provider propagates, or its Identity Center instance. API reference:
    UpdateOpenIDConnectProvider. Removing what is not there is no error.

    Raises AwsError: InvalidInput, NoSuchEntity.
    """
    provider = _existing(call, OpenIDConnectProviderArn)
    wanted = wanted_propagation(
        ContextProvider,
        IdentityCenterInstanceArn,
        removes_context_provider=RemoveContextProvider,
        removes_instance=RemoveIdentityCenterInstance,
    )
    if wanted.changes_context_provider and wanted.changes_instance:
        raise AwsError("InvalidInput", BOTH_CHANGES_MESSAGE)
    if not (wanted.changes_context_provider or wanted.changes_instance):
        raise AwsError("InvalidInput", NO_CHANGE_MESSAGE)
    set_propagation(call.db, provider.arn, *changed_propagation(provider, wanted))
