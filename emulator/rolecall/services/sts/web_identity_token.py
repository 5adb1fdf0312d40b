"""GetWebIdentityToken: a signed token about the caller for an outside service (IAM User Guide, Understanding token
claims).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.access.context import identity_keys
from rolecall.access.permission import ContextValue, Permission
from rolecall.access.policies import Authority
from rolecall.access.regions import refuse_global_endpoint
from rolecall.clock import iso8601
from rolecall.errors import AwsError
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.sts.propagated_identity import ORIGIN
from rolecall.services.sts.session_parameters import session_tags
from rolecall.sessions.outbound_tokens import ALGORITHMS, CLAIM_NAMESPACE, issuer_url, key_purpose
from rolecall.sessions.signing_keys import SigningKey, load_signing_key, sign
from rolecall.storage.outbound_federation import outbound_federation
from rolecall.storage.signing_keys import newest_signing_key

DEFAULT_DURATION_SECONDS = 300
# Unicode's categories of control, format and separator characters.
_NOT_IN_SUBJECTS = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
# AWS documents that there is a limit, but not its value.
MAXIMUM_PAYLOAD_BYTES = 8192
# The API reference's sentences; AWS's own words were not recorded.
DISABLED_MESSAGE = (
    "The outbound web identity federation feature is not enabled for this account. To use this feature, you must "
    "first enable it through the Amazon Web Services Management Console or API."
)
ESCALATION_MESSAGE = (
    "The requested token duration would extend the session beyond its original expiration time. You cannot use this "
    "operation to extend the lifetime of a session beyond what was granted when the session was originally created."
)
PAYLOAD_MESSAGE = (
    "The requested token payload size exceeds the maximum allowed size. Reduce the number of request tags included in "
    "the GetWebIdentityToken API call to reduce the token payload size."
)
ALGORITHM_MESSAGE = (
    "1 validation error detected: Value '{algorithm}' at 'signingAlgorithm' failed to satisfy constraint: Member must "
    "satisfy enum value set: [RS256, ES384]"
)

MODE_MESSAGE = (
    "1 validation error detected: Value '{mode}' at 'subjectMode' failed to satisfy constraint: Member must satisfy "
    "enum value set: [AWSIdentity, OriginIdentity]"
)
# None of these was recorded from AWS. The first three codes are assumed: the API reference says "validation error".
SCOPE_MODE_MESSAGE = "Scope can be specified only when SubjectMode is OriginIdentity and with exactly one audience."
REPEATED_SCOPE_MESSAGE = "Scope must not repeat a value."
NO_ORIGIN_MESSAGE = (
    "The calling session has no trusted identity propagation context with a subject and its issuer or provider."
)
# "Denies the request": the code is assumed.
SUBJECT_MESSAGE = "The subject of the calling session's trusted identity propagation context cannot be used in a token."
AWS_IDENTITY, ORIGIN_IDENTITY = "AWSIdentity", "OriginIdentity"
# That the claim is on the top level, and that its value is the mode's name, is assumed.
SUBJECT_MODE_CLAIM = "subject_mode"
_ARN_PREFIX = "arn:"

Tags = tuple[tuple[str, str], ...]


def _check_values(call: Call, parameters: Parameters) -> None:
    refuse_global_endpoint(call.host)
    algorithm = parameters["SigningAlgorithm"]
    if algorithm not in ALGORITHMS:
        raise AwsError("ValidationError", ALGORITHM_MESSAGE.format(algorithm=algorithm))
    mode = parameters.get("SubjectMode", AWS_IDENTITY)
    if mode not in (AWS_IDENTITY, ORIGIN_IDENTITY):
        raise AwsError("ValidationError", MODE_MESSAGE.format(mode=mode))
    scopes = _scopes(parameters)
    if scopes and (mode != ORIGIN_IDENTITY or len(parameters["Audience"]) != 1):
        raise AwsError("ValidationError", SCOPE_MODE_MESSAGE)
    if len(set(scopes)) < len(scopes):
        raise AwsError("ValidationError", REPEATED_SCOPE_MESSAGE)
    if mode == ORIGIN_IDENTITY and not _has_origin(call):
        raise AwsError("ValidationError", NO_ORIGIN_MESSAGE)


def _scopes(parameters: Parameters) -> tuple[str, ...]:
    """The values of Scope; none without it. The model has checked their characters and the spaces between them."""
    return tuple(parameters["Scope"].split(" ")) if "Scope" in parameters else ()


def _origin(call: Call) -> Mapping[str, str]:
    """The caller's origin identity: subject, subjecttype, issuer and federatedproviderarn, as far as it has them."""
    session = call.caller.session
    keys = () if session is None else session.context
    return {key.removeprefix(ORIGIN): str(value) for key, value in keys if key.startswith(ORIGIN)}


def _has_origin(call: Call) -> bool:
    origin = _origin(call)
    return bool(origin.get("subject", "").strip() and (origin.get("issuer") or origin.get("federatedproviderarn")))


def _origin_subject(call: Call) -> str:
    """The subject of a token about the origin identity. Raises AwsError AccessDenied.

    API reference, SubjectMode: not one that begins with ``arn:`` in any case, begins or ends with a space, or holds "a
    control, format, or separator character other than a space".
    """
    subject = _origin(call)["subject"]
    odd = any(unicodedata.category(sign) in _NOT_IN_SUBJECTS for sign in subject.replace(" ", ""))
    if odd or subject.lower().startswith(_ARN_PREFIX) or subject.startswith(" ") or subject.endswith(" "):
        raise AwsError("AccessDenied", SUBJECT_MESSAGE)
    return subject


def _permissions(_call: Call, parameters: Parameters) -> Sequence[Permission]:
    context: dict[str, ContextValue] = {
        "sts:identitytokenaudience": tuple(parameters["Audience"]),
        "sts:signingalgorithm": parameters["SigningAlgorithm"],
        "sts:durationseconds": str(parameters.get("DurationSeconds", DEFAULT_DURATION_SECONDS)),
        # That the key has the default's name when the request names no mode is assumed.
        "sts:subjectmode": parameters.get("SubjectMode", AWS_IDENTITY),
    }
    tags = session_tags(parameters.get("Tags", ()))
    actions = ["sts:GetWebIdentityToken"]
    if tags:
        context.update({f"aws:requesttag/{key.lower()}": value for key, value in tags})
        context["aws:tagkeys"] = tuple(key for key, _ in tags)
        actions.append("sts:TagGetWebIdentityToken")
    scopes = _scopes(parameters)
    if scopes:
        context["sts:identitytokenscope"] = scopes
        actions.append("sts:SetWebIdentityTokenScope")
    return [Permission(action, context=context) for action in actions]


def _authority(call: Call) -> Authority | None:
    """The stored facts about the caller's own user, role or account."""
    principal = call.caller.principal
    if principal.type == "AssumedRole":
        return call.policies.role(call.db, principal.entity_id)
    if principal.type == "User":
        return call.policies.user(call.db, principal.entity_id)
    return call.policies.root(call.db, principal.account_id)


def _principal_tags(call: Call, authority: Authority) -> dict[str, str]:
    """Tags of the user or role. A tag of the session replaces the one with the same key."""
    own = () if authority.entity is None else authority.entity.tags
    session = call.caller.session
    passed = () if session is None else session.tags
    by_key = {key.lower(): (key, value) for key, value in (*own, *passed)}
    return dict(by_key.values())


def _aws_claims(call: Call, request_tags: Tags) -> dict[str, Any]:
    """The claims under AWS's own name. Empty members are left out."""
    principal, session = call.caller.principal, call.caller.session
    authority = _authority(call)
    claims: dict[str, Any] = {
        "aws_account": principal.account_id,
        "source_region": call.region,
        "principal_id": principal.principal_arn,
    }
    if authority is not None:
        keys = identity_keys(call.caller, authority)
        if "aws:principalorgid" in keys:
            claims["org_id"] = keys["aws:principalorgid"]
            # The documentation's example has a text here; AWS's tokens have a list.
            claims["ou_path"] = list(keys["aws:principalorgpaths"])
        tags = _principal_tags(call, authority)
        if tags:
            claims["principal_tags"] = tags
    if request_tags:
        claims["request_tags"] = dict(request_tags)
    if session is not None:
        claims["original_session_exp"] = iso8601(session.expires_at_seconds)
        if session.federated_provider:
            claims["federated_provider"] = session.federated_provider
        if session.source_identity:
            claims["source_identity"] = session.source_identity
    return claims


def _signing_key(call: Call, algorithm: str) -> SigningKey | None:
    stored = newest_signing_key(call.db, key_purpose(call.account_id), algorithm)
    return None if stored is None else load_signing_key(algorithm, stored.private_key)


@operation("sts", "GetWebIdentityToken", permissions=_permissions, precheck=_check_values, writes=False)
def get_web_identity_token(
    call: Call,
    *,
    Audience: Sequence[str],
    SigningAlgorithm: str,
    DurationSeconds: int = DEFAULT_DURATION_SECONDS,
    Tags: Sequence[Tag] = (),
    Scope: str | None = None,
    SubjectMode: str = AWS_IDENTITY,
) -> Answer:
    """A token about the caller, or about the identity behind its session. API reference: GetWebIdentityToken.

    Raises AwsError: OutboundWebIdentityFederationDisabledException, SessionDurationEscalationException,
    JWTPayloadSizeExceededException, AccessDenied (the identity's subject).
    """
    federation = outbound_federation(call.db, call.account_id)
    key = _signing_key(call, SigningAlgorithm)
    if federation is None or not federation.enabled or key is None:
        raise AwsError("OutboundWebIdentityFederationDisabledException", DISABLED_MESSAGE)
    issued_at_seconds = int(call.now_seconds)
    expires_at_seconds = issued_at_seconds + DurationSeconds
    session = call.caller.session
    if session is not None and expires_at_seconds > session.expires_at_seconds:
        raise AwsError("SessionDurationEscalationException", ESCALATION_MESSAGE)
    of_origin = SubjectMode == ORIGIN_IDENTITY
    claims = {
        "aud": Audience[0] if len(Audience) == 1 else list(Audience),
        "sub": _origin_subject(call) if of_origin else call.caller.principal.principal_arn,
        **({SUBJECT_MODE_CLAIM: SubjectMode} if of_origin else {}),
        **({} if Scope is None else {"scope": Scope}),
        CLAIM_NAMESPACE: _aws_claims(call, session_tags(Tags)),
        "iss": issuer_url(federation.issuer_id),
        "exp": expires_at_seconds,
        "iat": issued_at_seconds,
        "jti": call.ids.uuid(),
    }
    if len(json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode()) > MAXIMUM_PAYLOAD_BYTES:
        raise AwsError("JWTPayloadSizeExceededException", PAYLOAD_MESSAGE)
    return {"WebIdentityToken": sign(key, claims), "Expiration": expires_at_seconds}
