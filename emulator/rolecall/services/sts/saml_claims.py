"""AWS's rules for a verified SAML assertion: audience, time and attributes, and the condition keys.

IAM User Guide, "Configure SAML assertions for the authentication response" and "Troubleshoot SAML federation with IAM".
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from hashlib import sha1

from msgspec import Struct
from msgspec.structs import replace

from rolecall.access.permission import ContextValue
from rolecall.data import QUOTAS, saml_attributes
from rolecall.errors import AwsError
from rolecall.services.sts.propagated_identity import PropagatedIdentity, Propagation, propagated_identity
from rolecall.services.sts.role_sessions import Tags
from rolecall.services.sts.session_parameters import TRANSITIVE_KEY_MESSAGE, checked_source_identity, session_tags
from rolecall.sessions.saml.key_hashes import key_hash
from rolecall.sessions.saml.records import NAMEID_FORMAT_PREFIX, Assertion, Confirmation

ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
PRINCIPAL_TAG = f"{ATTRIBUTES}PrincipalTag:"
# IAM User Guide, Configure TIP for an IAM identity provider.
NAME_ID_SOURCE = "Subject/NameID"
REDEEM_WITHIN_SECONDS = 300
# AWS does not document how far an identity provider's clock may be ahead.
CLOCK_SKEW_SECONDS = 60
_AUDIENCE = re.compile(r"urn:amazon:webservices|https://([a-z]{2}(-[a-z]+)+-\d\.)?signin\.aws\.amazon\.com/saml")
_RECIPIENT = re.compile(r"https://([a-z]{2}(-[a-z]+)+-\d\.)?signin\.aws\.amazon\.com/saml")
# Identity providers that encrypt send to an address with the provider's own id.
_ACS = re.compile(r"https://([a-z]{2}(-[a-z]+)+-\d\.)?signin\.aws\.amazon\.com/saml/acs/([A-Z0-9]{22,64})")
_SESSION_NAME = re.compile(r"[a-zA-Z_0-9+=,.@-]{2,64}")
_SESSION_SECONDS = re.compile(r"[0-9]{1,6}")
_TAG_TEXT = re.compile(r"[\w\s.:/=+\-@]*")
MINIMUM_SESSION_SECONDS, MAXIMUM_SESSION_SECONDS = 900, 43_200

TOO_OLD_MESSAGE = "Token must be redeemed within 5 minutes of issuance"
AUDIENCE_MESSAGE = "Response does not contain the required audience."
NAME_REQUIRED_MESSAGE = "RoleSessionName is required in AuthnResponse"
NAME_MESSAGE = "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"
# Not recorded from AWS.
RECIPIENT_MESSAGE = "Response does not contain the required recipient."
EXPIRED_MESSAGE = "The assertion or its session has expired."
NOT_YET_MESSAGE = "The assertion is not valid yet."
SESSION_DURATION_MESSAGE = "SessionDuration in AuthnResponse must be a number of seconds from 900 to 43200"
PRINCIPAL_TAG_MESSAGE = "PrincipalTag:{key} in AuthnResponse must have one value of up to 256 characters"
TAG_COUNT_MESSAGE = "AuthnResponse must have no more than 50 session tags"
SUBJECT_MESSAGE = "NameID is required in AuthnResponse"


class SamlClaims(Struct, frozen=True):
    """A session as the assertion allows it, with its condition keys.

    ``roles`` are the pairs of role and provider that the assertion offers. ``kept`` are the keys in the session.
    """

    subject: str
    subject_type: str
    issuer: str
    recipient: str
    name_qualifier: str
    roles: frozenset[tuple[str, str]]
    session_name: str
    source_identity: str
    tags: Tags
    transitive_tag_keys: tuple[str, ...]
    latest_end_seconds: int | None
    context: Mapping[str, ContextValue]
    kept: tuple[tuple[str, ContextValue], ...]
    identity: PropagatedIdentity | None = None
    # AWS answers no TrustedIdentityPropagationContext for an encrypted assertion.
    shows_identity: bool = True


def with_identity(claims: SamlClaims, assertion: Assertion, propagation: Propagation | None) -> SamlClaims:
    """The claims with the identity that the provider propagates. Raises AwsError InvalidIdentityToken.

    STS API reference, OriginIdentity: the issuer is "a hash of the key that signed the SAML assertion, not the Issuer
    element".
    """
    if propagation is None:
        return claims
    issuer = key_hash(assertion.signing_certificate)
    identity = propagated_identity(propagation, issuer, partial(_values_of_source, assertion))
    return replace(claims, identity=identity, shows_identity=not assertion.was_encrypted)


def _values_of_source(assertion: Assertion, name: str) -> tuple[str, ...] | None:
    """The subject's NameID, or the attribute of that name. Other parts of an assertion have no documented source key.

    An attribute without values counts as missing.
    """
    if name == NAME_ID_SOURCE:
        return (assertion.subject,)
    return assertion.attributes.get(name) or None


def claims_of(
    assertion: Assertion, account_id: str, provider_name: str, provider_uuid: str, now_seconds: float
) -> SamlClaims:
    """The claims of an assertion that is fresh and addressed to AWS.

    Raises AwsError: InvalidIdentityToken, ExpiredTokenException, InvalidParameterValue (tags).
    """
    recipient = _recipient(assertion, provider_uuid, now_seconds)
    _check_audience(assertion, provider_uuid)
    _check_time(assertion, now_seconds)
    if not assertion.subject:
        raise AwsError("InvalidIdentityToken", SUBJECT_MESSAGE)
    source_identity = _source_identity(assertion)
    tags, transitive = _tags(assertion)
    subject_type = assertion.subject_format.removeprefix(NAMEID_FORMAT_PREFIX)
    qualifier = name_qualifier(assertion.issuer, account_id, provider_name)
    kept = (
        ("saml:namequalifier", qualifier),
        ("saml:sub", assertion.subject),
        ("saml:sub_type", subject_type),
    )
    context: dict[str, ContextValue] = {
        **_mapped(assertion),
        "saml:aud": recipient,
        "saml:iss": assertion.issuer,
        "saml:doc": f"{account_id}/{provider_name}",
        **dict(kept),
    }
    return SamlClaims(
        subject=assertion.subject,
        subject_type=subject_type,
        issuer=assertion.issuer,
        recipient=recipient,
        name_qualifier=qualifier,
        roles=_roles(assertion),
        session_name=_session_name(assertion),
        source_identity=source_identity,
        tags=tags,
        transitive_tag_keys=transitive,
        latest_end_seconds=_latest_end(assertion, now_seconds),
        context=context,
        kept=kept,
    )


def name_qualifier(issuer: str, account_id: str, provider_name: str) -> str:
    """STS API reference, AssumeRoleWithSAML, NameQualifier."""
    # SHA-1 is safe here: the hash only names a directory of users, and no check depends on it.
    digest = sha1(f"{issuer}{account_id}/{provider_name}".encode(), usedforsecurity=False).digest()
    return b64encode(digest).decode("ascii")


# Receiver and time.


def _recipient(assertion: Assertion, provider_uuid: str, now_seconds: float) -> str:
    """The address of the first valid bearer confirmation."""
    meant = [found for found in assertion.confirmations if _is_ours(_RECIPIENT, found.recipient, provider_uuid)]
    if not meant:
        raise AwsError("InvalidIdentityToken", RECIPIENT_MESSAGE)
    for confirmation in meant:
        if _holds(confirmation, now_seconds):
            return confirmation.recipient
    raise AwsError("ExpiredTokenException", EXPIRED_MESSAGE)


def _holds(confirmation: Confirmation, now_seconds: float) -> bool:
    # SAML profiles, 4.1.4.2: a bearer confirmation has an end, and no NotBefore.
    end_seconds = confirmation.not_on_or_after_seconds
    return end_seconds is not None and now_seconds < end_seconds and confirmation.not_before_seconds is None


def _is_ours(pattern: re.Pattern[str], address: str, provider_uuid: str) -> bool:
    own = _ACS.fullmatch(address)
    return bool(pattern.fullmatch(address)) or (own is not None and own[3] == provider_uuid)


def _check_audience(assertion: Assertion, provider_uuid: str) -> None:
    met = [
        any(_is_ours(_AUDIENCE, audience, provider_uuid) for audience in restriction)
        for restriction in assertion.audiences
    ]
    if not met or not all(met):
        raise AwsError("InvalidIdentityToken", AUDIENCE_MESSAGE)


def _check_time(assertion: Assertion, now_seconds: float) -> None:
    begin_seconds = max(assertion.issued_at_seconds, assertion.not_before_seconds or 0)
    if begin_seconds > now_seconds + CLOCK_SKEW_SECONDS:
        raise AwsError("InvalidIdentityToken", NOT_YET_MESSAGE)
    if now_seconds >= assertion.issued_at_seconds + REDEEM_WITHIN_SECONDS:
        raise AwsError("ExpiredTokenException", TOO_OLD_MESSAGE)
    end_seconds = assertion.not_on_or_after_seconds
    if end_seconds is not None and now_seconds >= end_seconds:
        raise AwsError("ExpiredTokenException", EXPIRED_MESSAGE)


def _latest_end(assertion: Assertion, now_seconds: float) -> int | None:
    """When the session must end: the earlier of SessionNotOnOrAfter and the SessionDuration attribute."""
    ends = []
    if assertion.session_not_on_or_after_seconds is not None:
        ends.append(int(assertion.session_not_on_or_after_seconds))
    values = assertion.attributes.get(f"{ATTRIBUTES}SessionDuration", ())
    if values:
        if len(values) != 1 or not _SESSION_SECONDS.fullmatch(values[0]):
            raise AwsError("InvalidIdentityToken", SESSION_DURATION_MESSAGE)
        if not MINIMUM_SESSION_SECONDS <= int(values[0]) <= MAXIMUM_SESSION_SECONDS:
            raise AwsError("InvalidIdentityToken", SESSION_DURATION_MESSAGE)
        ends.append(int(now_seconds) + int(values[0]))
    end_seconds = min(ends, default=None)
    if end_seconds is not None and end_seconds <= int(now_seconds):
        raise AwsError("ExpiredTokenException", EXPIRED_MESSAGE)
    return end_seconds


# Attributes.


def _session_name(assertion: Assertion) -> str:
    values = assertion.attributes.get(f"{ATTRIBUTES}RoleSessionName", ())
    if not values:
        raise AwsError("InvalidIdentityToken", NAME_REQUIRED_MESSAGE)
    if len(values) != 1 or not _SESSION_NAME.fullmatch(values[0]):
        raise AwsError("InvalidIdentityToken", NAME_MESSAGE)
    return values[0]


def _source_identity(assertion: Assertion) -> str:
    values = assertion.attributes.get(f"{ATTRIBUTES}SourceIdentity", ())
    if not values:
        return ""
    return checked_source_identity(values[0] if len(values) == 1 else None)


def _roles(assertion: Assertion) -> frozenset[tuple[str, str]]:
    """Role and provider of every pair. A pair may have either order."""
    pairs: set[tuple[str, str]] = set()
    for value in assertion.attributes.get(f"{ATTRIBUTES}Role", ()):
        first, comma, second = (part.strip() for part in value.partition(","))
        if comma:
            pairs.update(((first, second), (second, first)))
    return frozenset(pairs)


def _tags(assertion: Assertion) -> tuple[Tags, tuple[str, ...]]:
    pairs = []
    for name, values in assertion.attributes.items():
        if not name.startswith(PRINCIPAL_TAG):
            continue
        key = name.removeprefix(PRINCIPAL_TAG)
        if not 1 <= len(key) <= QUOTAS.tag_key_characters or not _TAG_TEXT.fullmatch(key) or len(values) != 1:
            raise AwsError("InvalidIdentityToken", PRINCIPAL_TAG_MESSAGE.format(key=key[:128]))
        if len(values[0]) > QUOTAS.tag_value_characters or not _TAG_TEXT.fullmatch(values[0]):
            raise AwsError("InvalidIdentityToken", PRINCIPAL_TAG_MESSAGE.format(key=key))
        pairs.append({"Key": key, "Value": values[0]})
    if len(pairs) > QUOTAS.session_tags_count:
        raise AwsError("InvalidIdentityToken", TAG_COUNT_MESSAGE)
    tags = session_tags(pairs)
    transitive = tuple(dict.fromkeys(assertion.attributes.get(f"{ATTRIBUTES}TransitiveTagKeys", ())))
    if not {key.lower() for key in transitive} <= {key.lower() for key, _ in tags}:
        raise AwsError("InvalidParameterValue", TRANSITIVE_KEY_MESSAGE)
    return tags, transitive


def _mapped(assertion: Assertion) -> dict[str, ContextValue]:
    """The condition keys of the attributes that AWS knows. When several attributes have one key, the first counts."""
    context: dict[str, ContextValue] = {}
    for name, values in assertion.attributes.items():
        known = saml_attributes().get(name)
        if known is not None and values and known.key not in context:
            context[known.key] = values if known.is_list else values[0]
    return context
