"""AssumeRole: a role's temporary credentials, when the caller's policies and the role's trust policy agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rolecall.access.permission import ContextValue, Permission
from rolecall.arns import parse_arn
from rolecall.errors import AwsError
from rolecall.principals import Session
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.sts.members import PolicyDescriptor, ProvidedContext
from rolecall.services.sts.propagated_identity import ACTIONS_TO_PASS_ON, passed_on
from rolecall.services.sts.provided_contexts import context_providers, refuse_assertions
from rolecall.services.sts.role_sessions import (
    RequestedSession,
    RoleToAssume,
    assumed_role,
    role_keys,
    role_permissions,
    target_role,
)
from rolecall.services.sts.second_factor import MFA
from rolecall.services.sts.session_parameters import TRANSITIVE_KEY_MESSAGE, session_tags

TRANSITIVE_CONFLICT_MESSAGE = (
    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the "
    "calling session."
)
SOURCE_IDENTITY_MESSAGE = "The source identity is already set for this assume role session"


def _check_values(call: Call, parameters: Parameters) -> None:
    """What AWS refuses before it evaluates any policy."""
    if parse_arn(parameters["RoleArn"]) is None:
        raise AwsError("ValidationError", f"{parameters['RoleArn']} is invalid")
    context_providers(parameters.get("ProvidedContexts", ()))
    tags = session_tags(parameters.get("Tags", ()))
    transitive = parameters.get("TransitiveTagKeys", ())
    keys = {key.lower() for key, _ in tags}
    if any(key.lower() not in keys for key in transitive):
        raise AwsError("InvalidParameterValue", TRANSITIVE_KEY_MESSAGE)
    session = call.caller.session
    if session is None:
        return
    inherited = {key.lower() for key in session.transitive_tag_keys}
    if keys & inherited:
        raise AwsError("InvalidParameterValue", TRANSITIVE_CONFLICT_MESSAGE)
    asked = parameters.get("SourceIdentity", "")
    if session.source_identity and asked and asked != session.source_identity:
        raise AwsError("ValidationError", SOURCE_IDENTITY_MESSAGE)


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    target = target_role(call, parameters["RoleArn"])
    context = _context(call, parameters, target)
    actions = ["sts:AssumeRole"]
    if parameters.get("Tags") or _inherited_tags(call.caller.session):
        actions.append("sts:TagSession")
    if "sts:sourceidentity" in context:
        actions.append("sts:SetSourceIdentity")
    if "sts:requestcontextproviders" in context:
        actions.append("sts:SetContext")
    if passed_on(call.caller.session, call.account_id, target.account_id):
        actions += ACTIONS_TO_PASS_ON
    return role_permissions(actions, target, context)


def _context(call: Call, parameters: Parameters, target: RoleToAssume) -> Mapping[str, ContextValue]:
    context: dict[str, ContextValue] = {"sts:rolesessionname": parameters["RoleSessionName"]}
    if call.mfa_at_seconds is not None:
        context["aws:multifactorauthpresent"] = "true"
        context["aws:multifactorauthage"] = str(int(call.now_seconds) - call.mfa_at_seconds)
    if "ExternalId" in parameters:
        context["sts:externalid"] = parameters["ExternalId"]
    providers = context_providers(parameters.get("ProvidedContexts", ()))
    if providers:
        context["sts:requestcontextproviders"] = providers
    session = call.caller.session
    source_identity = parameters.get("SourceIdentity") or (session.source_identity if session else "")
    if source_identity:
        context["sts:sourceidentity"] = source_identity
    context |= role_keys(target)
    tags = session_tags(parameters.get("Tags", ()))
    inherited = _inherited_tags(session)
    for key, value in (*inherited, *tags):
        context[f"aws:requesttag/{key.lower()}"] = value
    for key, value in inherited:
        # While a trust policy is evaluated, an inherited tag replaces the role's own tag of the same key.
        if f"aws:resourcetag/{key.lower()}" in context:
            context[f"aws:resourcetag/{key.lower()}"] = value
    if tags or inherited:
        context["aws:tagkeys"] = tuple(key for key, _ in (*inherited, *tags))
    transitive = (*parameters.get("TransitiveTagKeys", ()), *(session.transitive_tag_keys if session else ()))
    if transitive:
        context["sts:transitivetagkeys"] = transitive
    return context


def _inherited_tags(session: Session | None) -> tuple[tuple[str, str], ...]:
    """Tags that the calling session passes on: the transitive ones."""
    if session is None or not session.transitive_tag_keys:
        return ()
    transitive = {key.lower() for key in session.transitive_tag_keys}
    return tuple((key, value) for key, value in session.tags if key.lower() in transitive)


@operation("sts", "AssumeRole", permissions=_permissions, precheck=_check_values, second_factor=MFA, writes=False)
def assume_role(
    call: Call,
    *,
    RoleArn: str,
    RoleSessionName: str,
    DurationSeconds: int | None = None,
    Policy: str | None = None,
    PolicyArns: Sequence[PolicyDescriptor] = (),
    ExternalId: str | None = None,  # a condition key, checked with the permissions
    Tags: Sequence[Tag] = (),
    TransitiveTagKeys: Sequence[str] = (),
    SourceIdentity: str = "",
    MinimumSessionTokenSize: int = 0,
    ProvidedContexts: Sequence[ProvidedContext] = (),
    SerialNumber: str | None = None,  # with TokenCode the second factor, checked before the permissions
    TokenCode: str | None = None,
) -> Answer:
    """Credentials of the role. API reference: AssumeRole.

    The permissions are checked already, so the role exists. Raises AwsError: ValidationError (duration, policy ARNs),
    MalformedPolicyDocument, PackedPolicyTooLarge, InvalidContextAssertion (provided contexts).
    """
    refuse_assertions(ProvidedContexts)
    role = call.policies.trust(call.db, RoleArn).role  # type: ignore[union-attr]  # an absent role was refused
    session = call.caller.session
    wanted = RequestedSession(
        type="AssumeRole",
        name=RoleSessionName,
        duration_seconds=DurationSeconds,
        policy=Policy,
        policy_arns=PolicyArns,
        tags=(*_inherited_tags(session), *session_tags(Tags)),
        transitive_tag_keys=(*(session.transitive_tag_keys if session else ()), *TransitiveTagKeys),
        source_identity=SourceIdentity or (session.source_identity if session else ""),
        context=passed_on(session, call.account_id, role.entity.account_id),
        chained=session is not None,
        minimum_token_bytes=MinimumSessionTokenSize,
    )
    return assumed_role(call, role, wanted)
