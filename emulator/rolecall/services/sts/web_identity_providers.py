"""The provider of a token: found by the token's issuer in the role's account, with the provider's keys."""

from __future__ import annotations

import json

from msgspec import Struct

from rolecall.arns import oidc_provider_arn
from rolecall.caches import BoundedCache
from rolecall.errors import AwsError
from rolecall.issuers import is_own, key_purpose, without_scheme
from rolecall.services.registry import Call
from rolecall.services.sts.propagated_identity import Propagation, propagation_of
from rolecall.sessions.issuer_errors import UnreachableIssuerError
from rolecall.sessions.outbound_tokens import ISSUER_HOST_ENDING
from rolecall.sessions.outbound_tokens import issuer_url as outbound_url
from rolecall.sessions.outbound_tokens import key_purpose as outbound_purpose
from rolecall.sessions.signing_keys import load_signing_key, public_jwk
from rolecall.sessions.web_identity import KEY_MESSAGE, BadKeySetError, KeySet, WebToken, read_key_set
from rolecall.storage.oidc_providers import OidcProvider, provider_by_arn
from rolecall.storage.outbound_federation import federation_of_issuer
from rolecall.storage.signing_keys import signing_keys_of

NO_PROVIDER_MESSAGE = "No OpenIDConnect provider found in your account for {issuer}"
# The model's own description of the error. AWS's wording was not recorded.
COMMUNICATION_MESSAGE = (
    "The request could not be fulfilled because the identity provider (IDP) that was asked to verify the incoming "
    "identity token could not be reached."
)
# Issuers that need no provider in the account (IAM User Guide, OIDC federation), as their tokens name them.
BUILT_IN_ISSUERS = {
    "https://accounts.google.com": "accounts.google.com",
    "accounts.google.com": "accounts.google.com",
    "https://cognito-identity.amazonaws.com": "cognito-identity.amazonaws.com",
}
# OAuth 2.0 providers. Their tokens prove nothing by themselves: AWS asks the provider about each token.
OAUTH_PROVIDERS = ("www.amazon.com", "graph.facebook.com")
_KEY_SETS_LIMIT, _KEY_SET_CHARACTERS = 512, 50_000
_NO_KEYS = KeySet({})


class Provider(Struct, frozen=True):
    """A provider as seen by one token.

    ``principal`` is the provider's name as Federated in a trust policy and as Provider in STS's answer. ``prefix``
    begins its condition keys. Without ``client_ids`` any audience is accepted. ``key_set`` is None when the issuer
    publishes the keys at ``url``. ``propagation`` is None for a provider without a context provider.
    """

    principal: str
    prefix: str
    url: str
    client_ids: tuple[str, ...] | None
    key_set: KeySet | None
    propagation: Propagation | None = None


# Key sets of sandbox files and of the database are parsed once; the cache's key is their text.
_read: BoundedCache[str, KeySet] = BoundedCache(_KEY_SETS_LIMIT, _KEY_SET_CHARACTERS)


def provider_of(call: Call, account_id: str, issuer: str) -> Provider:
    """The provider of an issuer in the role's account. Keys that the issuer publishes are not fetched here.

    Raises AwsError InvalidIdentityToken.
    """
    host = BUILT_IN_ISSUERS.get(issuer)
    url = issuer if host is None else f"https://{host}"
    arn = oidc_provider_arn(account_id, url)
    remembered = call.sandbox.issuer_keys.of_generation(call.policies.generation)
    provider: Provider | None = remembered.get(arn)
    if provider is None:
        provider = _stored(call, arn) if host is None else _built_in(call, host, arn)
        if provider is not None:
            remembered.put(arn, provider)
    if provider is None or provider.url != url:
        raise AwsError("InvalidIdentityToken", NO_PROVIDER_MESSAGE.format(issuer=issuer))
    return provider


def oauth_provider_of(call: Call, account_id: str, host: str) -> Provider:
    """One of the OAuth 2.0 providers, when the sandbox file declares keys for it, so that its tokens can be verified.

    Raises AwsError IDPCommunicationError otherwise: Rolecall never asks the real provider about a token.
    """
    stored = provider_by_arn(call.db, oidc_provider_arn(account_id, f"https://{host}"))
    if stored is None or stored.key_source == "discovery":
        raise AwsError(
            "IDPCommunicationError", COMMUNICATION_MESSAGE, reason=f"Rolecall does not ask {host} about tokens"
        )
    keys, propagation = _local_keys(call, stored), propagation_of(call, stored)
    return Provider(host, host, stored.url, stored.client_ids or None, keys, propagation)


def _stored(call: Call, arn: str) -> Provider | None:
    stored = provider_by_arn(call.db, arn)
    if stored is None:
        return None
    keys, propagation = _local_keys(call, stored), propagation_of(call, stored)
    return Provider(arn, without_scheme(stored.url), stored.url, stored.client_ids, keys, propagation)


def _built_in(call: Call, host: str, arn: str) -> Provider:
    """A built-in provider; a declared provider of the same URL in the account gives its keys and client ids."""
    stored = provider_by_arn(call.db, arn)
    if stored is None:
        return Provider(host, host, f"https://{host}", None, None)
    keys, propagation = _local_keys(call, stored), propagation_of(call, stored)
    return Provider(host, host, f"https://{host}", stored.client_ids or None, keys, propagation)


def _local_keys(call: Call, stored: OidcProvider) -> KeySet | None:
    """The keys of a provider whose keys are stored here; None when the issuer must be asked for them."""
    if stored.key_source == "declared":
        return _read_once(stored.jwks or "")
    outbound = _outbound_purpose(call, stored.url)
    if outbound or stored.key_source == "own" or is_own(stored.url):
        rows = signing_keys_of(call.db, outbound or key_purpose(stored.url))
        keys = [public_jwk(load_signing_key(row.algorithm, row.private_key)) for row in rows]
        return _read_once(json.dumps({"keys": keys})) if keys else _NO_KEYS
    return None


def _outbound_purpose(call: Call, url: str) -> str:
    """The purpose of the stored keys, when the issuer is an account's outbound issuer; else empty."""
    issuer_id = without_scheme(url).removesuffix(ISSUER_HOST_ENDING)
    federation = federation_of_issuer(call.db, issuer_id) if url == outbound_url(issuer_id) else None
    return "" if federation is None else outbound_purpose(federation.account_id)


def _read_once(text: str) -> KeySet:
    known = _read.get(text)
    if known is None:
        try:
            known = read_key_set(text)
        except BadKeySetError:
            # A sandbox file's set was checked on reading. A key that cannot be used verifies nothing.
            known = _NO_KEYS
        _read.put(text, known)
    return known


def verify(call: Call, provider: Provider, token: WebToken) -> None:
    """Raises AwsError unless one of the provider's keys signed the token: InvalidIdentityToken, IDPCommunicationError.

    Raises KeysWantedError when the provider's keys must be fetched first.
    """
    if call.identity_provider_down:
        raise AwsError("IDPCommunicationError", COMMUNICATION_MESSAGE, reason="a fault rule of the sandbox")
    if provider.key_set is not None:
        provider.key_set.verify(token)
        return
    try:
        key_set = call.sandbox.issuer_keys.key_set(provider.url, token.key_id)
    except UnreachableIssuerError as error:
        raise AwsError("IDPCommunicationError", COMMUNICATION_MESSAGE, reason=str(error)) from error
    except BadKeySetError as error:
        raise AwsError("InvalidIdentityToken", KEY_MESSAGE, reason=str(error)) from error
    try:
        key_set.verify(token)
    except AwsError:
        call.sandbox.issuer_keys.doubt(provider.url)
        raise
