"""Principal and NotPrincipal: how directly they name a caller (IAM User Guide, Principal; Policy evaluation logic)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum

from msgspec import Struct

from rolecall.arns import parse_arn, root_arn
from rolecall.policy.document import Principals, Statement
from rolecall.principals import Principal

_ACCOUNT_ID_CHARACTERS = 12


class Reach(IntEnum):
    """How directly a statement names a caller, which decides what else must allow within one account.

    ``DELEGATED``: the statement names the account, so the caller's identity policies must allow as well. ``LIMITED``:
    it names the role of a session, or the user behind a federated session; boundary and session policies still limit
    the caller. ``DIRECT``: it names the caller itself, or everyone, and that is enough. A higher value is stronger.
    """

    NONE = 0
    DELEGATED = 1
    LIMITED = 2
    DIRECT = 3


# Takes the caller, the federated provider, and whether the caller has a permissions boundary.
ReachTest = Callable[[Principal | None, str, bool], Reach]


class _Listed(Struct, frozen=True):
    """A Principal element, sorted for look-up."""

    everyone: bool
    arns: frozenset[str]
    ids: frozenset[str]
    accounts: frozenset[str]
    services: frozenset[str]
    federated: frozenset[str]


def compile_principals(statement: Statement, principal_ids: Mapping[str, str]) -> ReachTest | None:
    """The test of how directly the statement names a caller; None for a statement without a principal element.

    ``principal_ids`` maps ARNs as written to the unique ids they meant when the policy was saved.
    """
    if statement.principals is None:
        return None
    listed = _sort(statement.principals, principal_ids)
    if statement.principals_negated:
        return _negated(listed, statement.effect == "Deny")
    return lambda principal, provider, _has_boundary: _reach(listed, principal, provider)


def named_by(statement: Statement, principal_ids: Mapping[str, str]) -> frozenset[str] | None:
    """The ARNs, unique ids, account ids and services that a statement names; None if it may reach any other, too."""
    if statement.principals is None or statement.principals_negated:
        return None
    listed = _sort(statement.principals, principal_ids)
    return None if listed.everyone else listed.arns | listed.ids | listed.accounts | listed.services


def names_of(principal: Principal) -> frozenset[str]:
    """Everything by which a statement may name a caller itself. Its account's id is not among it."""
    return frozenset((principal.arn, principal.user_id, principal.entity_id, principal.principal_arn, principal.name))


def _sort(principals: Principals, principal_ids: Mapping[str, str]) -> _Listed:
    arns: set[str] = set()
    ids: set[str] = set()
    accounts: set[str] = set()
    for name in principals.aws:
        arn = parse_arn(name)
        if arn is None:
            (accounts if len(name) == _ACCOUNT_ID_CHARACTERS else ids).add(name)
        elif arn.service == "iam" and arn.resource == "root":
            accounts.add(arn.account_id)
        elif name in principal_ids:
            ids.add(principal_ids[name])
        else:
            arns.add(name)
    return _Listed(
        everyone="*" in principals.aws,
        arns=frozenset(arns),
        ids=frozenset(ids),
        accounts=frozenset(accounts),
        services=frozenset(principals.services),
        federated=frozenset(principals.federated),
    )


def _reach(listed: _Listed, principal: Principal | None, provider: str) -> Reach:
    if listed.everyone or (provider and provider in listed.federated):
        return Reach.DIRECT
    if principal is None:
        return Reach.NONE
    if principal.type == "Service":
        return Reach.DIRECT if principal.name in listed.services else Reach.NONE
    if principal.arn in listed.arns or principal.user_id in listed.ids:
        return Reach.DIRECT
    if principal.entity_id in listed.ids or principal.principal_arn in listed.arns:
        # Credentials of a user have the user's own ARN. A session has a role or a user behind it.
        return Reach.DIRECT if principal.type == "User" else Reach.LIMITED
    return Reach.DELEGATED if principal.account_id in listed.accounts else Reach.NONE


def _negated(listed: _Listed, denies: bool) -> ReachTest:
    """NotPrincipal. A Deny exempts a caller only when its account, its user or role, and its session are all listed.

    An Allow excludes a caller when any one of these is listed, so in doubt it gives no access. A Deny exempts no caller
    with a permissions boundary: it "will always deny any IAM principal that has a permissions boundary policy attached,
    regardless of the values specified in the NotPrincipal element" (IAM User Guide, NotPrincipal).
    """
    enough = all if denies else any

    def test(principal: Principal | None, provider: str, has_boundary: bool) -> Reach:
        if denies and has_boundary:
            return Reach.DIRECT
        listed_forms = (_is_listed(listed, form, principal) for form in _forms(principal, provider))
        return Reach.NONE if listed.everyone or enough(listed_forms) else Reach.DIRECT

    return test


def _forms(principal: Principal | None, provider: str) -> list[str]:
    """The names by which a caller may be listed. The empty name of an unsigned caller is in no list."""
    if principal is None or principal.type == "Anonymous":
        return [provider]
    if principal.type == "Service":
        return [principal.name]
    account = root_arn(principal.account_id)
    return list(dict.fromkeys((account, principal.principal_arn, principal.arn)))


def _is_listed(listed: _Listed, form: str, principal: Principal | None) -> bool:
    if principal is None or principal.type == "Anonymous":
        return bool(form) and form in listed.federated
    if principal.type == "Service":
        return form in listed.services
    if form == root_arn(principal.account_id):
        return principal.account_id in listed.accounts
    if form in listed.arns:
        return True
    if form == principal.principal_arn and principal.type != "FederatedUser":
        return principal.entity_id in listed.ids
    return principal.user_id in listed.ids
