"""AssumeRoleWithWebIdentity: a role's temporary credentials for the holder of an identity provider's token.

The call carries no signature. The token is the proof, and the role's trust policy decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from rolecall.access.permission import ContextValue, Permission
from rolecall.arns import parse_arn
from rolecall.errors import AwsError
from rolecall.issuers import without_scheme
from rolecall.principals import Caller, Principal
from rolecall.services.registry import Answer, Call, Parameters, Proven, operation
from rolecall.services.sts.members import PolicyDescriptor
from rolecall.services.sts.other_partitions import source_of
from rolecall.services.sts.propagated_identity import PropagatedIdentity, answer_of, keys_of, propagated_identity
from rolecall.services.sts.role_sessions import (
    FederatedParts,
    RequestedSession,
    Tags,
    assumed_role,
    federated_permissions,
    target_role,
)
from rolecall.services.sts.web_identity_claims import (
    condition_keys_of,
    kept_in_session,
    role_authorized,
    source_identity_of_token,
    tags_of_token,
    values_of_claim,
)
from rolecall.services.sts.web_identity_providers import (
    OAUTH_PROVIDERS,
    Provider,
    oauth_provider_of,
    provider_of,
    verify,
)
from rolecall.sessions.web_identity import MALFORMED_MESSAGE, WebToken, audience_of, check_times, read_token, subject_of

ROLE_ARN_MESSAGE = "Request ARN is invalid"
# Not recorded from AWS.
PROVIDER_ID_MESSAGE = "{provider_id} is not a supported identity provider"
_ACCOUNT_ID = re.compile(r"[0-9]{12}")


class TokenFacts(Struct, frozen=True):
    """A token with a valid signature and valid times: its identity and its claims."""

    provider: Provider
    subject: str
    audience: str
    claims: Mapping[str, Any]
    tags: Tags
    transitive_tag_keys: tuple[str, ...]
    source_identity: str
    context: Mapping[str, ContextValue]
    identity: PropagatedIdentity | None


def _prove(call: Call, parameters: Parameters) -> Proven:
    """What the token proves. Checks that need no key come first, so that no invalid call makes Rolecall fetch keys.

    Raises AwsError: ValidationError, InvalidIdentityToken, ExpiredTokenException, IDPCommunicationError.
    """
    account_id = _account_of(parameters["RoleArn"])
    provider, token = _identified(call, account_id, parameters)
    source = source_of(call, account_id, token)
    audience = audience_of(token, provider.client_ids)
    subject = subject_of(token)
    check_times(token, call.now_seconds)
    verify(call, provider, token)
    tags, transitive = tags_of_token(token.claims)
    # The form of aws:OriginIdentity/Issuer: "the iss claim of the token without the https:// prefix" (STS API
    # reference, OriginIdentity).
    issuer = without_scheme(token.issuer)
    identity = propagated_identity(provider.propagation, issuer, partial(values_of_claim, token.claims))
    facts = TokenFacts(
        provider=provider,
        subject=subject,
        audience=audience,
        claims=token.claims,
        tags=tags,
        transitive_tag_keys=transitive,
        source_identity=source_identity_of_token(token.claims),
        context=condition_keys_of(provider.prefix, token.claims, subject, audience),
        identity=identity,
    )
    # CloudTrail names such a caller so: provider, audience and subject; the subject is its name.
    user_id = f"{provider.principal}:{audience}:{subject}"
    principal = Principal("WebIdentityUser", account_id, user_id, "", user_id, provider.principal, subject)
    return Proven(Caller(principal, "", token_source=source), facts)


def _account_of(role_arn: str) -> str:
    parsed = parse_arn(role_arn)
    if parsed is None:
        raise AwsError("ValidationError", f"{role_arn} is invalid")
    is_role = parsed.service == "iam" and not parsed.region and parsed.resource_type == "role"
    if not is_role or not _ACCOUNT_ID.fullmatch(parsed.account_id):
        raise AwsError("ValidationError", ROLE_ARN_MESSAGE)
    return parsed.account_id


def _identified(call: Call, account_id: str, parameters: Parameters) -> tuple[Provider, WebToken]:
    """The provider and its token. Nothing of the token is proven yet."""
    host = parameters.get("ProviderId")
    # Files with tokens often end with a line break, which SDKs send along. AWS accepts it.
    text = parameters["WebIdentityToken"].strip()
    if host is None:
        token = read_token(text)
        return provider_of(call, account_id, token.issuer), token
    if host not in OAUTH_PROVIDERS:
        raise AwsError("ValidationError", PROVIDER_ID_MESSAGE.format(provider_id=host))
    provider = oauth_provider_of(call, account_id, host)
    token = read_token(text)
    if token.issuer != provider.url:
        raise AwsError("InvalidIdentityToken", MALFORMED_MESSAGE, reason="the token is of another issuer")
    return provider, token


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """What the trust policy alone must allow: the caller has no policies of its own."""
    facts: TokenFacts = call.proof
    role_arn = parameters["RoleArn"]
    context: dict[str, ContextValue] = {
        **facts.context,
        **role_authorized(facts.claims, role_arn),
        **dict(keys_of(facts.identity)),
        "sts:rolesessionname": parameters["RoleSessionName"],
    }
    brought = FederatedParts(facts.provider.principal, facts.tags, facts.transitive_tag_keys, facts.source_identity)
    return federated_permissions("sts:AssumeRoleWithWebIdentity", target_role(call, role_arn), context, brought)


@operation("sts", "AssumeRoleWithWebIdentity", proof=_prove, permissions=_permissions, writes=False)
def assume_role_with_web_identity(
    call: Call,
    *,
    RoleArn: str,
    RoleSessionName: str,
    WebIdentityToken: str,  # the proof
    ProviderId: str | None = None,  # selects how the token is read
    PolicyArns: Sequence[PolicyDescriptor] = (),
    Policy: str | None = None,
    DurationSeconds: int | None = None,
    MinimumSessionTokenSize: int = 0,
) -> Answer:
    """Credentials of the role. API reference: AssumeRoleWithWebIdentity.

    Token and permissions are checked already, so the role exists. Raises AwsError: ValidationError (duration, policy
    ARNs), MalformedPolicyDocument, PackedPolicyTooLarge.
    """
    facts: TokenFacts = call.proof
    provider = facts.provider
    role = call.policies.trust(call.db, RoleArn).role  # type: ignore[union-attr]  # an absent role was refused
    wanted = RequestedSession(
        type="AssumeRoleWithWebIdentity",
        name=RoleSessionName,
        duration_seconds=DurationSeconds,
        policy=Policy,
        policy_arns=PolicyArns,
        tags=facts.tags,
        transitive_tag_keys=facts.transitive_tag_keys,
        source_identity=facts.source_identity,
        federated_provider=provider.principal,
        context=(*kept_in_session(facts.context, provider.prefix), *keys_of(facts.identity)),
        minimum_token_bytes=MinimumSessionTokenSize,
    )
    return {
        **assumed_role(call, role, wanted),
        "SubjectFromWebIdentityToken": facts.subject,
        "Provider": provider.principal,
        "Audience": facts.audience,
        **answer_of(call, facts.identity),
    }
