"""The claims of a web identity token become condition keys, session tags and a source identity."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from rolecall.access.permission import ContextValue
from rolecall.data import QUOTAS, issuer_claims
from rolecall.errors import AwsError
from rolecall.services.sts.session_parameters import TRANSITIVE_KEY_MESSAGE, checked_source_identity, session_tags
from rolecall.sessions.web_identity import INVALID_MESSAGE

# IAM User Guide, Passing session tags using AssumeRoleWithWebIdentity: nested, or one claim per tag.
TAGS_CLAIM = "https://aws.amazon.com/tags"
FLAT_TAG_PREFIX = f"{TAGS_CLAIM}/principal_tags/"
FLAT_TRANSITIVE_CLAIM = f"{TAGS_CLAIM}/transitive_tag_keys"
SOURCE_IDENTITY_CLAIM = "https://aws.amazon.com/source_identity"
# The Service Authorization Reference says only "the roles claim" of sts:RoleAuthorizedByIdp.
ROLES_CLAIM = "roles"
# IAM User Guide, Available keys for AWS OIDC federation: for every issuer, besides the audience and the subject.
_COMMON_CLAIMS = ("amr", "email")
# Claims of a single issuer that the reference's list leaves out.
_GOOGLE = "accounts.google.com"
# The condition keys that stay available in the session.
KEPT_IN_SESSION = frozenset({"amr", "aud", "id", "sub", "app_id", "user_id"})
# For the OAuth 2.0 providers, whose subject and audience have other names.
_OTHER_NAMES = {
    "www.amazon.com": {"aud": "app_id", "sub": "user_id"},
    "graph.facebook.com": {"aud": "app_id", "sub": "id"},
}
_HALVES = re.compile("[\ud800-\udfff]")
_TAG_SIGNS = frozenset("_.:/=+-@")

Context = dict[str, ContextValue]


def condition_keys_of(prefix: str, claims: Mapping[str, Any], subject: str, audience: str) -> Context:
    """The condition keys of a token, in lower case, each beginning with the provider's ``host/path``."""
    names = _OTHER_NAMES.get(prefix, {})
    values: dict[str, Any] = {names.get("aud", "aud"): audience, names.get("sub", "sub"): subject}
    if claims.get("azp"):
        # With azp, AWS takes azp as the audience, and the key oaud holds aud.
        values["oaud"] = claims.get("aud")
        if prefix == _GOOGLE:
            values["azp"] = claims["azp"]
    for name in _COMMON_CLAIMS:
        values[name] = claims.get(name)
    for name in issuer_claims(prefix):
        values.setdefault(name, _claim(claims, name))
    keys: Context = {}
    for name, value in values.items():
        text = _context_value(value)
        if text is not None:
            keys[f"{prefix}:{name}".lower()] = text
    return keys


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name; ``google/organization_number`` is a member of the claim ``google``."""
    if name in claims or "/" not in name:
        return claims.get(name)
    outer, _, inner = name.partition("/")
    nested = claims.get(outer)
    return nested.get(inner) if isinstance(nested, dict) else None


def values_of_claim(claims: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """A claim for trusted identity propagation: its values as texts; None for a token without the claim.

    An object is no text. A claim that is or holds one has no usable value, so nothing in it can be taken for the only
    one. AWS does not document whether a source key can reach into an object, so it cannot.
    """
    value = claims.get(name)
    if value is None:
        return None
    texts = [_text(member) for member in (value if isinstance(value, list) else [value])]
    read = tuple(text for text in texts if text is not None)
    return read if len(read) == len(texts) else ()


def _context_value(value: Any) -> ContextValue | None:
    if isinstance(value, list):
        texts = [_text(member) for member in value]
        return tuple(text for text in texts if text is not None) or None
    return _text(value)


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON can write half a surrogate pair, which is not text.
        return value if value.isascii() or not _HALVES.search(value) else None
    return str(value) if isinstance(value, int | float) else None


def kept_in_session(context: Mapping[str, ContextValue], prefix: str) -> tuple[tuple[str, ContextValue], ...]:
    """The condition keys of the token that the session keeps."""
    return tuple((f"{prefix}:{name}".lower(), value) for name, value in _kept(context, prefix))


def _kept(context: Mapping[str, ContextValue], prefix: str) -> list[tuple[str, ContextValue]]:
    found = [(name, context.get(f"{prefix}:{name}".lower())) for name in sorted(KEPT_IN_SESSION)]
    return [(name, value) for name, value in found if value is not None]


def tags_of_token(claims: Mapping[str, Any]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """Session tags and transitive keys that the issuer passes.

    Raises AwsError: InvalidIdentityToken for claims in another form, InvalidParameterValue for reserved keys, repeated
    keys and transitive keys without a tag.
    """
    nested = claims.get(TAGS_CLAIM, {})
    if not isinstance(nested, dict):
        raise _bad_tags("the claim is not an object")
    passed = nested.get("principal_tags", {})
    if not isinstance(passed, dict):
        raise _bad_tags("principal_tags is not an object")
    flat = {name[len(FLAT_TAG_PREFIX) :]: claims[name] for name in claims if name.startswith(FLAT_TAG_PREFIX)}
    pairs = [{"Key": key, "Value": _tag_value(value)} for key, value in (*passed.items(), *flat.items())]
    transitive = nested.get("transitive_tag_keys", claims.get(FLAT_TRANSITIVE_CLAIM, []))
    if not isinstance(transitive, list) or not all(isinstance(key, str) for key in transitive):
        raise _bad_tags("transitive_tag_keys is not a list of texts")
    if len(pairs) > QUOTAS.session_tags_count or not all(_is_tag(pair["Key"], pair["Value"]) for pair in pairs):
        raise _bad_tags("too many tags, or one that is too long or has characters that tags do not have")
    tags = session_tags(pairs)
    known = {key.lower() for key, _ in tags}
    if any(key.lower() not in known for key in transitive):
        raise AwsError("InvalidParameterValue", TRANSITIVE_KEY_MESSAGE)
    return tags, tuple(transitive)


def _tag_value(value: Any) -> str:
    """A tag's value: a text, or as in the User Guide a list with one text."""
    single = value[0] if isinstance(value, list) and len(value) == 1 else value
    if not isinstance(single, str):
        raise _bad_tags("a tag has one text as its value")
    return single


def _is_tag(key: str, value: str) -> bool:
    if not 1 <= len(key) <= QUOTAS.tag_key_characters or len(value) > QUOTAS.tag_value_characters:
        return False
    return all(unicodedata.category(sign)[0] in "LZN" or sign in _TAG_SIGNS for sign in key + value)


def source_identity_of_token(claims: Mapping[str, Any]) -> str:
    """The source identity that the issuer sets; empty without one. Raises AwsError InvalidIdentityToken."""
    value = claims.get(SOURCE_IDENTITY_CLAIM)
    return "" if value is None else checked_source_identity(value)


def role_authorized(claims: Mapping[str, Any], role_arn: str) -> Context:
    """sts:RoleAuthorizedByIdp, for a token that lists its roles."""
    roles = claims.get(ROLES_CLAIM)
    if roles is None:
        return {}
    listed = roles if isinstance(roles, list) else [roles]
    return {"sts:roleauthorizedbyidp": "true" if role_arn in listed else "false"}


def _bad_tags(reason: str) -> AwsError:
    return AwsError("InvalidIdentityToken", INVALID_MESSAGE, reason=f"{TAGS_CLAIM}: {reason}")
