"""The smallest policy for the permissions that calls needed, made from the decision log only.

It has every permission that was checked, on the resource on which it was checked, and nothing else.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from rolecall.data import QUOTAS, actions
from rolecall.policy import (
    MalformedPolicy,
    NamedPolicy,
    PolicyKind,
    compile_policies,
    document_size,
    parse_policy,
)
from rolecall.storage.decision_log import KEPT_CALLS, CallFilter, CallKind

Json = dict[str, Any]

EVERY_RESOURCE = "*"
CHIME_NOTE = (
    "chime: its actions support no resource ARNs, so the statement ChimeSupportsNoResourceArns is for every resource."
)
_RESOURCES_SHOWN = 3
_SIDS = {"chime": "ChimeSupportsNoResourceArns"}
_REFUSED_BY_POLICY = ("ExplicitDeny", "ImplicitDeny")
PRINCIPAL_MESSAGE = "principal must be the ARN of a user, a role or a session."
ROLE_OR_SESSION_MESSAGE = (
    "The ARN of a session ends with its name, arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION. For all sessions of a "
    "role give the role's own ARN, arn:aws:iam::ACCOUNT:role/ROLE."
)
# A user or role with its path, a root user, a session of a role, a federated user. No ARN has a wildcard.
_PRINCIPAL = re.compile(
    r"arn:aws:(iam::[0-9]{12}:(root|(user|role)/([!-~]+/)?[\w+=,.@-]+)"
    r"|sts::[0-9]{12}:(assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+))",
    re.ASCII,
)
_ALL_SESSIONS = re.compile(r"arn:aws:sts::[0-9]{12}:assumed-role/[\w+=,.@-]+(/\*?)?", re.ASCII)


class BadPrincipalError(ValueError):
    """The text is not the ARN of a principal. The message is for the user who gave it."""


class Used(Struct, frozen=True):
    """The permissions that calls needed: action -> resources. ``calls`` counts the calls that needed one.

    ``refused_left_out`` counts calls that policies refused and that are left out. ``still_refused`` counts refused
    calls that are included, but that no identity-based policy of the principal could allow.
    """

    permissions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    calls: int = 0
    refused_left_out: int = 0
    still_refused: int = 0


class Gaps(Struct, frozen=True):
    """Counts of calls that the log lacks: calls that came too fast to be logged, and calls forgotten since."""

    dropped_allowed: int = 0
    dropped_refused: int = 0
    forgotten: int = 0


def check_principal(principal: str) -> None:
    """Raises BadPrincipalError for a text that cannot be the ARN of a caller."""
    if _ALL_SESSIONS.fullmatch(principal):
        raise BadPrincipalError(ROLE_OR_SESSION_MESSAGE)
    if not _PRINCIPAL.fullmatch(principal):
        raise BadPrincipalError(PRINCIPAL_MESSAGE)


def wanted_calls(principal: str, since_seconds: float | None) -> CallFilter:
    """The filter for all calls of a principal; a role's calls include its sessions'. Raises BadPrincipalError.

    A federated user has no more rights than the user who obtained its session. So its calls count for that user.
    """
    check_principal(principal)
    return CallFilter(
        principal=principal,
        since_seconds=since_seconds,
        limit=KEPT_CALLS,
        with_federated_users=principal.split(":", 5)[5].startswith("user/"),
    )


def used_permissions(kinds: Iterable[CallKind], *, include_refused: bool = False) -> Used:
    """The permissions of calls that policies allowed, also when the call failed later; on request of refused calls too.

    A refused call counts with all its permissions, also those that were not checked any more.
    """
    permissions: dict[str, set[str]] = defaultdict(set)
    count = left_out = still_refused = 0
    for kind in kinds:
        refused = kind.outcome in _REFUSED_BY_POLICY
        if kind.outcome != "Allowed" and not (refused and include_refused):
            left_out += refused * kind.calls
            continue
        decisions = json.loads(kind.decisions)
        count += bool(decisions) * kind.calls
        still_refused += (refused and not _mended_by_allowing(decisions[-1])) * kind.calls
        further = decisions[-1].get("further", ()) if decisions else ()
        for asked in (*decisions, *further):
            permissions[asked["action"]].add(asked["resource"])
    found = {action: frozenset(resources) for action, resources in permissions.items()}
    return Used(found, count, left_out, still_refused)


def _mended_by_allowing(decision: Mapping[str, Any]) -> bool:
    """Whether an allow in a policy of the principal's own would be enough for a refused permission."""
    return bool(decision["outcome"] == "ImplicitDeny" and decision["layer"] == PolicyKind.IDENTITY)


def smallest_policy(used: Used) -> Json:
    """A policy that allows what was used and nothing else, grouped by service and resources, and sorted.

    Refused calls may name resources that no policy can name. These are left out.
    """
    groups: dict[tuple[str, bool, tuple[str, ...]], list[str]] = defaultdict(list)
    for action, resources in used.permissions.items():
        prefix = action.partition(":")[0]
        # An action on every resource needs no other resource.
        chosen: tuple[str, ...] = (EVERY_RESOURCE,)
        if EVERY_RESOURCE not in resources:
            chosen = tuple(sorted(_literal(each) for each in resources if _can_be_written(each)))
        if not chosen:
            continue
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
    """A resource, escaped so that nothing in it is a wildcard or a variable (IAM User Guide, Policy variables)."""
    return "".join(f"${{{each}}}" if each in "*?$" else each for each in resource)


def unwritable_resources(used: Used) -> list[str]:
    """Resources that calls named and that no policy can name."""
    return sorted({each for resources in used.permissions.values() for each in resources if not _can_be_written(each)})


def _can_be_written(resource: str) -> bool:
    """Whether a policy can name the resource: IAM accepts the policy, and it matches. False for an incomplete ARN."""
    if resource == EVERY_RESOURCE:
        return True
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": _literal(resource)}
    try:
        text = json.dumps({"Version": "2012-10-17", "Statement": statement})
        policy = parse_policy(text, PolicyKind.IDENTITY)
    except MalformedPolicy:
        return False
    compiled = compile_policies([NamedPolicy(policy, "one resource")], PolicyKind.IDENTITY)
    matches = compiled.statements[0].resource
    return matches is None or matches(resource, {})


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


def policy_notes(policy: Json, used: Used) -> Iterator[str]:
    """Notes for the user of the policy, because JSON has no comments."""
    if any(statement.get("Sid") == _SIDS["chime"] for statement in policy["Statement"]):
        yield CHIME_NOTE
    size = document_size(json.dumps(policy))
    if size > QUOTAS.managed_policy_characters:
        yield _size_note(size)
    if used.refused_left_out:
        yield f"calls that policies refused are left out unless you include them: {used.refused_left_out}."
    if used.still_refused:
        yield (
            "calls that would still be refused with this policy, because a statement denies them or because a policy "
            f"of another kind than the principal's own refused them: {used.still_refused}."
        )
    if unwritable := unwritable_resources(used):
        shown = ", ".join(unwritable[:_RESOURCES_SHOWN])
        more = len(unwritable) - _RESOURCES_SHOWN
        yield f"no policy can name {shown}{f' and {more} more' if more > 0 else ''}: left out."


def _size_note(size: int) -> str:
    managed, inline = QUOTAS.managed_policy_characters, QUOTAS.role_inline_policies_total_characters
    advice = (
        f"as an inline policy of a role, which takes {inline}, it fits."
        if size <= inline
        else "split its statements and their resources into several policies, of which "
        f"{QUOTAS.managed_policies_per_role_count} can be attached."
    )
    return f"the policy has {size} characters without white space; AWS takes {managed} in a managed policy: {advice}"


def gap_notes(gaps: Gaps, *, with_refused: bool = False) -> Iterator[str]:
    """Notes on calls that the log lacks. The counts are for all principals together."""
    if gaps.forgotten:
        older = f"{gaps.forgotten} older calls, of all principals, are missing."
        yield f"the decision log keeps {KEPT_CALLS} calls; {older}"
    if gaps.dropped_allowed:
        yield f"{gaps.dropped_allowed} allowed calls, of all principals, came too fast to be logged."
    if with_refused and gaps.dropped_refused:
        yield f"{gaps.dropped_refused} refused calls, of all principals, came too fast to be logged."
