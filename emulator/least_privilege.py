"""Least privilege from traffic: the smallest policy for what a principal was seen to do, and what it never used.

The first comes from the decision log alone: every permission that was asked about, on the resource it was asked about.
The second compares that with the policies which the principal has today, their wildcards expanded by the action tables.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from emulator.access.policies import Authority, PolicyStore
from emulator.arns import parse_arn
from emulator.data import QUOTAS, actions
from emulator.policy import CompiledPolicies, CompiledStatement, document_size
from emulator.storage.decision_log import KEPT_CALLS, CallFilter, LoggedCall
from emulator.storage.roles import role_by_name
from emulator.storage.trust import UnknownPrincipal, resolve_trust

Json = dict[str, Any]

EVERY_RESOURCE = "*"
# A pattern such as "*" reaches every service there is; it is expanded for those whose calls are emulated.
EXPANDED_SERVICES = ("chime", "iam", "sts")
CHIME_NOTE = (
    "chime: its actions support no resource ARNs, so the statement ChimeSupportsNoResourceArns is for every resource."
)
_SIDS = {"chime": "ChimeSupportsNoResourceArns"}
_PRINCIPALS = {("iam", "user"), ("iam", "role"), ("sts", "assumed-role"), ("sts", "federated-user")}
_REFUSED_BY_POLICY = ("ExplicitDeny", "ImplicitDeny")


class BadPrincipalError(ValueError):
    """What is given as a principal is none; the message is for whoever asked."""


@dataclass(frozen=True, slots=True)
class Used:
    """What calls asked for: action -> resources. ``calls`` counts those that needed a permission."""

    permissions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    calls: int = 0


def wanted_calls(principal: str, since_seconds: float | None) -> CallFilter:
    """All calls of a principal: those of a user or role with all its sessions. Raises BadPrincipalError."""
    arn = parse_arn(principal)
    kind = "" if arn is None else arn.resource.partition("/")[0]
    of_root = arn is not None and (arn.service, arn.resource) == ("iam", "root")
    if arn is None or ((arn.service, kind) not in _PRINCIPALS and not of_root):
        raise BadPrincipalError("principal is the ARN of a user, a role or a session.")
    return CallFilter(principal=principal, since_seconds=since_seconds, limit=KEPT_CALLS)


def used_permissions(calls: Iterable[LoggedCall], *, include_refused: bool = False) -> Used:
    """The permissions of calls that policies allowed, whatever became of them then; and of refused ones if wanted.

    Of a refused call those are known that were asked about until the first was refused.
    """
    outcomes = ("Allowed", *_REFUSED_BY_POLICY) if include_refused else ("Allowed",)
    permissions: dict[str, set[str]] = defaultdict(set)
    count = 0
    for call in calls:
        decisions = json.loads(call.decisions) if call.outcome in outcomes else []
        count += bool(decisions)
        for decision in decisions:
            permissions[decision["action"]].add(decision["resource"])
    return Used({action: frozenset(found) for action, found in permissions.items()}, count)


def smallest_policy(used: Used) -> Json:
    """A policy that allows what was used and nothing else: grouped by service and resources, sorted."""
    groups: dict[tuple[str, bool, tuple[str, ...]], list[str]] = defaultdict(list)
    for action, resources in used.permissions.items():
        prefix = action.partition(":")[0]
        # Who was asked about every resource needs no other.
        chosen = (EVERY_RESOURCE,) if EVERY_RESOURCE in resources else tuple(sorted(map(_literal, resources)))
        groups[prefix, chosen == (EVERY_RESOURCE,) and not _has_resources(action), chosen].append(action)
    statements = []
    for (prefix, without_resources, chosen), grouped in sorted(groups.items(), key=_place):
        sid = {"Sid": _sid(prefix)} if without_resources else {}
        statements.append(
            {
                **sid,
                "Effect": "Allow",
                "Action": _one_or_many(sorted(grouped)),
                "Resource": _one_or_many(chosen),
            }
        )
    return {"Version": "2012-10-17", "Statement": statements}


def _place(group: tuple[tuple[str, bool, tuple[str, ...]], list[str]]) -> tuple[Any, ...]:
    (prefix, without_resources, resources), grouped = group
    return prefix, not without_resources, sorted(grouped), resources


def _one_or_many(texts: Sequence[str]) -> str | list[str]:
    return texts[0] if len(texts) == 1 else list(texts)


def _literal(resource: str) -> str:
    """A resource so that nothing in it is a wildcard or a variable (IAM User Guide, Policy variables)."""
    return "".join(f"${{{each}}}" if each in "*?$" else each for each in resource)


def _has_resources(action: str) -> bool:
    prefix, _, name = action.partition(":")
    row = _actions(prefix).get(name.lower())
    return row is not None and bool(row.resource_types)


def _actions(prefix: str) -> Mapping[str, Any]:
    try:
        return actions(prefix)
    except KeyError:
        return {}


def _sid(prefix: str) -> str:
    return _SIDS.get(prefix) or f"{prefix.title().replace('-', '')}ActionsWithoutResourceArns"


def notes(policy: Json, dropped: Mapping[str, int], forgotten: int) -> Iterator[str]:
    """What whoever takes the policy should know, JSON having no comments.

    ``dropped`` are calls that never came into the decision log, ``forgotten`` those that it keeps no more.
    """
    statements = policy["Statement"]
    if any(statement.get("Sid") == _SIDS["chime"] for statement in statements):
        yield CHIME_NOTE
    size = document_size(json.dumps(policy))
    if size > QUOTAS.managed_policy_characters:
        yield f"the policy has {size} characters; AWS takes {QUOTAS.managed_policy_characters} in a managed policy."
    if forgotten:
        yield f"the decision log keeps {KEPT_CALLS} calls; {forgotten} older ones, of whomever, are not accounted for."
    if dropped.get("allowed"):
        yield f"{dropped['allowed']} allowed calls, of whomever, came too fast to be logged."


# What is granted today, and was never used.


@dataclass(frozen=True, slots=True)
class Unused:
    """Granted and never used: actions by service, and policies none of whose actions was used.

    ``reaches_further`` says that a pattern grants actions of services that are not listed.
    """

    actions: Mapping[str, Sequence[str]]
    policies: Sequence[Mapping[str, str]]
    reaches_further: bool

    def as_json(self) -> Json:
        return {
            "actions": {prefix: list(names) for prefix, names in self.actions.items()},
            "policies": [dict(policy) for policy in self.policies],
            "reaches_further": self.reaches_further,
        }


def authority_of(connection: Connection, principal: str) -> Authority | None:
    """What a user or a role, also the role behind a session, may do today; None when there is no such principal."""
    arn = parse_arn(principal)
    if arn is None:
        return None
    store = PolicyStore(0)
    kind, _, rest = arn.resource.partition("/")
    if (arn.service, kind) == ("sts", "assumed-role"):
        role = role_by_name(connection, arn.account_id, rest.partition("/")[0])
        return None if role is None else store.role(connection, role.role_id)
    try:
        unique_id = resolve_trust(connection, [principal]).get(principal)
    except UnknownPrincipal:
        return None
    if unique_id is None:
        return None
    return store.role(connection, unique_id) if kind == "role" else store.user(connection, unique_id)


def unused(authority: Authority, used: Used) -> Unused:
    """What of an authority's grants was never used."""
    identity = authority.identity
    if identity is None:
        return Unused({}, (), reaches_further=False)
    allows = [compiled for compiled in identity.statements if compiled.statement.effect == "Allow"]
    limits = [layer for layer in (authority.boundary, *authority.scps) if layer is not None]
    known = {action.lower() for action in used.permissions}
    found: dict[str, list[str]] = {}
    for prefix in _services(allows):
        granted = [f"{prefix}:{row.name}" for row in _actions(prefix).values()]
        never = [each for each in granted if each.lower() not in known and _granted(each, identity, limits)]
        if never:
            found[prefix] = sorted(never)
    policies: dict[tuple[str, str], bool] = {}
    for compiled in allows:
        policy = compiled.policy
        was_used = any(compiled.matches_action(action) for action in known)
        key = policy.name, policy.arn
        policies[key] = policies.get(key, False) or was_used
    idle = tuple({"policy": name, "policy_arn": arn} for (name, arn), was_used in policies.items() if not was_used)
    return Unused(found, idle, any(_is_open(compiled) for compiled in allows))


def _services(allows: Iterable[CompiledStatement]) -> list[str]:
    """The services whose actions the statements are about."""
    found: set[str] = set()
    for compiled in allows:
        if _is_open(compiled):
            found.update(EXPANDED_SERVICES)
        for action in () if compiled.statement.actions_negated else compiled.statement.actions:
            prefix = action.partition(":")[0].lower()
            if not _wild(prefix):
                found.add(prefix)
    return sorted(found)


def _is_open(compiled: CompiledStatement) -> bool:
    """Whether a statement is about actions of services that it does not name."""
    statement = compiled.statement
    return statement.actions_negated or any(_wild(action.partition(":")[0]) for action in statement.actions)


def _wild(text: str) -> bool:
    return "*" in text or "?" in text


def _granted(action: str, identity: CompiledPolicies, limits: Sequence[CompiledPolicies]) -> bool:
    """Whether some call with the action could be allowed: allowed in every layer, and nowhere denied outright."""
    name = action.lower()
    for layer in (identity, *limits):
        about = [compiled for compiled in layer.statements if compiled.matches_action(name)]
        effects = {compiled.statement.effect for compiled in about}
        if "Allow" not in effects or any(_denies_always(compiled) for compiled in about):
            return False
    return True


def _denies_always(compiled: CompiledStatement) -> bool:
    denies = compiled.statement.effect == "Deny"
    return denies and compiled.resource is None and not compiled.conditions and compiled.reach is None
