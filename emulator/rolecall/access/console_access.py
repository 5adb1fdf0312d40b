"""Console authorization of Sign-In: the resource-based policy of an account, and the sign-ins that it stops.

Sources: Sign-In User Guide, "Controlling console access with resource-based policies and resource control policies"
and "AWS Sign-In condition keys reference". The policies apply once console authorization is enabled for the account or
its organization. They do not apply to requests that are signed with access keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from rolecall.access.check import Rights, ask
from rolecall.access.context import UNSIGNED_KEYS, Moment, RequestContext, owner_keys
from rolecall.access.permission import ContextValue, Permission
from rolecall.access.policies import EVERYTHING_OF_EVERYONE, PolicyStore, kept_document
from rolecall.policy import (
    CompiledPolicies,
    Decision,
    Layers,
    NamedPolicy,
    PolicyKind,
    Question,
    compile_policies,
    decide,
)
from rolecall.principals import Principal
from rolecall.storage.console_access import is_enforced, statements_of

AUTHENTICATE = "signin:Authenticate"
AFTER_AUTHENTICATION = ("signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token")
# The client id of the console's home page, as the address of its sign-in page has it.
CONSOLE_ARN = "arn:aws:signin:::console/canvas"
_POLICY_NAME = "resource-based policy of Sign-In"
_VERSION = "2012-10-17"
# "The global key aws:PrincipalArn is not available at this phase because the principal's identity is unconfirmed."
_UNCONFIRMED: Mapping[str, ContextValue] = {
    name: value for name, value in UNSIGNED_KEYS.items() if name != "aws:principalaccount"
}

Block = dict[str, dict[str, list[str]]]


class ConsoleAccess(Struct, frozen=True):
    """The policies that a sign-in to an account must pass.

    ``denies`` is the resource-based policy as it is. ``open`` also allows what no statement denies: "AWS Sign-In allows
    unrestricted console access initially". ``owner`` holds the keys about the account.
    """

    account_id: str
    denies: CompiledPolicies
    open: CompiledPolicies
    rcps: tuple[CompiledPolicies, ...]
    owner: Mapping[str, ContextValue]


def console_access(connection: Connection, policies: PolicyStore, account_id: str) -> ConsoleAccess | None:
    """What a sign-in to the account must pass; None while console authorization is enabled neither there nor above."""
    key = ("console access", account_id)
    known: tuple[ConsoleAccess | None] | None = policies.resources.get(key)
    if known is None:
        known = (_read(connection, policies, account_id),)
        policies.resources.put(key, known)
    return known[0]


def _read(connection: Connection, policies: PolicyStore, account_id: str) -> ConsoleAccess | None:
    if not is_enforced(connection, account_id):
        return None
    statements = policy_statements(account_id, (each.parameters for each in statements_of(connection, account_id)))
    text = json.dumps({"Version": _VERSION, "Statement": statements})
    own = [NamedPolicy(kept_document(text, PolicyKind.RESOURCE), _POLICY_NAME)] if statements else []
    everything = NamedPolicy(kept_document(EVERYTHING_OF_EVERYONE, PolicyKind.RESOURCE), "console access by default")
    membership = policies.membership(connection, account_id)
    return ConsoleAccess(
        account_id,
        compile_policies(own, PolicyKind.RESOURCE),
        compile_policies([*own, everything], PolicyKind.RESOURCE),
        membership.rcps,
        owner_keys(account_id, membership.organization_id, membership.path),
    )


def guarded(permission: Permission, access: ConsoleAccess | None) -> Permission:
    """The permission of a sign-in, with the policies that it must pass besides the principal's own."""
    if access is None:
        return permission
    return Permission(
        permission.action,
        permission.resource,
        access.account_id,
        permission.context,
        access.denies,
        access.rcps,
        permission.shown_as,
    )


def authenticates(access: ConsoleAccess, principal: Principal, resource: str, moment: Moment) -> Decision:
    """The decision before authentication, which knows the principal by ``signin:PrincipalArn`` alone."""
    context = dict(access.owner)
    # "signin:PrincipalArn supports root user, IAM user, and role principal types."
    if principal.type != "FederatedUser":
        context["signin:principalarn"] = principal.principal_arn
    asked = RequestContext(context, _UNCONFIRMED, moment)
    question = Question(AUTHENTICATE, resource, asked, None, None, access.account_id)
    return decide(Layers(identity=None, rcps=access.rcps, resource=access.open), question)


def enters_console(access: ConsoleAccess, rights: Rights, moment: Moment) -> list[Decision]:
    """The decisions after authentication, up to the first refusal.

    A console needs no policy that allows the sign-in. "An IAM policy that denies the relevant sign-in action can
    prevent the console session from being granted."
    """
    decisions = []
    for action in AFTER_AUTHENTICATION:
        permission = Permission(action, CONSOLE_ARN, access.account_id, {}, access.open, access.rcps)
        decisions.append(ask(rights, permission, moment))
        if refuses(decisions[-1]):
            break
    return decisions


def refuses(decision: Decision) -> bool:
    """Whether a decision about the console stops a sign-in: a deny, or a control policy that lacks an allow."""
    is_control = decision.layer in (PolicyKind.SCP, PolicyKind.RCP)
    return not decision.allowed and (decision.outcome == "ExplicitDeny" or is_control)


def policy_statements(account_id: str, given: Iterable[Mapping[str, str]]) -> list[dict[str, Any]]:
    """The statements of the consolidated policy: two for each network condition, one before authentication, one after.

    The form is the one of the User Guide's examples. ``given`` has parameters of PutResourcePermissionStatement.
    """
    return [
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": list(actions),
            "Resource": "*",
            "Condition": _conditions(account_id, parameters, principal_key, outside),
        }
        for parameters in given
        for outside in _outside(parameters)
        for actions, principal_key in (
            ((AUTHENTICATE,), "signin:PrincipalArn"),
            (tuple(reversed(AFTER_AUTHENTICATION)), "aws:PrincipalArn"),
        )
    ]


def _conditions(account_id: str, parameters: Mapping[str, str], principal_key: str, outside: Block) -> Block:
    conditions: Block = {}
    if "excludedPrincipal" in parameters:
        conditions["ArnNotEquals"] = {principal_key: [parameters["excludedPrincipal"]]}
    for operator, keys in (*outside.items(), ("StringEquals", {"aws:ResourceAccount": [account_id]})):
        conditions[operator] = {**conditions.get(operator, {}), **keys}
    return conditions


def _outside(parameters: Mapping[str, str]) -> list[Block]:
    """The conditions under which a request does not come from the allowed network. Each of them alone denies it."""
    endpoints = [parameters[name] for name in ("signinSourceVpce", "consoleSourceVpce") if name in parameters]
    private: dict[str, list[str]] = {}
    if "sourceVpc" in parameters:
        private["aws:SourceVpc"] = [parameters["sourceVpc"]]
    if endpoints:
        private["aws:SourceVpce"] = endpoints
    blocks: list[Block] = []
    for key, values in private.items():
        # "When writing deny-unless policies covering both paths, use IfExists operators."
        public = (
            {"NotIpAddressIfExists": {"aws:SourceIp": [parameters["sourceIp"]]}} if "sourceIp" in parameters else {}
        )
        blocks.append({**public, "StringNotEquals": {key: values}})
    if "sourceIp" in parameters and not private:
        blocks.append({"NotIpAddress": {"aws:SourceIp": [parameters["sourceIp"]]}})
    within: Block = {"StringEquals": dict([next(iter(private.items()))])} if private else {}
    if "requestedRegion" in parameters:
        # "VPC IDs are unique only within a Region."
        operator = "StringNotEqualsIfExists" if private else "StringNotEquals"
        blocks.append({**within, operator: {"aws:RequestedRegion": [parameters["requestedRegion"]]}})
    if "vpcSourceIp" in parameters:
        blocks.append({**within, "NotIpAddressIfExists": {"aws:VpcSourceIp": [parameters["vpcSourceIp"]]}})
    return blocks
