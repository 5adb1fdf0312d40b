"""Checks expectations against a sandbox, each with the reason when it fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from msgspec import Struct

from rolecall.expectations.actions import ActionTable, is_wild, table_for
from rolecall.expectations.asking import Answered, Asker, asking
from rolecall.expectations.context import Context, without_each
from rolecall.expectations.deciding import ANYWHERE, Deciding, Part, Scope, arn_of
from rolecall.expectations.files import Expected, InvalidExpectationsError, Written, read_expectations
from rolecall.expectations.principals import NoSuchNameError, Principals, Who
from rolecall.policy import explain
from rolecall.sandbox import Sandbox
from rolecall.worlds.located import Problem

_SHOWN = 6


class Result(Struct, frozen=True):
    """One expectation: its line in the file, its words, and why it does not hold. ``count`` counts its actions."""

    line: int
    text: str
    holds: bool
    reasons: tuple[str, ...] = ()
    count: int = 0


def verify(sandbox: Sandbox, text: str) -> list[Result]:
    """The results of a file's expectations, in its order.

    Raises InvalidExpectationsError with every problem, also for names that the sandbox does not have: an expectation
    about something that does not exist would hold by chance.
    """
    entries = read_expectations(text)
    with asking(sandbox) as asker:
        problems = [problem for entry in entries for problem in _unknown_names(asker.principals, entry)]
        if problems:
            raise InvalidExpectationsError(problems)
        deciding = Deciding(asker, table_for(action for entry in entries for action in entry.actions))
        return [result for entry in entries for result in _results(deciding, entry)]


def _unknown_names(principals: Principals, entry: Expected) -> Iterator[Problem]:
    for written in entry.principals:
        yield from _unknown(principals, written, ("user", "role", "root"))
    for written in (*entry.may_assume, *entry.may_not_assume):
        yield from _unknown(principals, written, ("role",))
    for written in entry.on:
        kind = written.text.rpartition(":")[2].partition("/")[0]
        if not written.text.startswith("arn:") and kind in ("user", "role"):
            yield from _unknown(principals, written, (kind,))


def _unknown(principals: Principals, written: Written, kinds: Sequence[str]) -> Iterator[Problem]:
    try:
        principals.named(written.text, kinds)
    except NoSuchNameError as error:
        yield Problem(written.line, str(error))


def _results(deciding: Deciding, entry: Expected) -> Iterator[Result]:
    principals = deciding.asker.principals
    if entry.nobody:
        yield from _nobody(deciding, entry)
        return
    for named in entry.principals:
        for who in principals.named(named.text):
            for written in entry.may:
                yield from _may(deciding, who, entry, written, expected=True)
            for written in entry.may_not:
                yield from _may(deciding, who, entry, written, expected=False)
            for written in entry.may_assume:
                yield from _may_assume(deciding.asker, who, entry, written, expected=True)
            for written in entry.may_not_assume:
                yield from _may_assume(deciding.asker, who, entry, written, expected=False)


# What one principal may do.


def _may(deciding: Deciding, who: Who, entry: Expected, written: Written, *, expected: bool) -> Iterator[Result]:
    verb = "may" if expected else "may not"
    for scope, where in _scopes(deciding.asker.principals, entry, who.account_id):
        text = f"{who.label} {verb} {written.text}{where}{_terms(entry)}"
        parts = _parts(deciding, who, written.text, scope, {**entry.given, **entry.only_if}, expected)
        count = sum(part.bit_count() for part, _ in parts)
        reasons = list(_failures(deciding.table, parts, expected))
        if not count:
            reasons.append("no policy decides about any of these actions for this kind of credentials")
        if not reasons and entry.only_if:
            reasons += _unneeded(deciding, who, entry, written.text, scope)
        yield Result(written.line, text, not reasons, tuple(reasons), count)


def _parts(deciding: Deciding, who: Who, pattern: str, scope: Scope, given: Context, expected: bool) -> list[Part]:
    """The answers for the actions of a pattern. Where one resource of many counts, the answers name it.

    ``may`` on a pattern of resources means all of them; ``may_not`` means none of them. Without resources, ``may`` is
    about any one of them.
    """
    wanted = not (expected and scope.pattern)
    chosen = deciding.table.matching(pattern)
    return list(deciding.search(who, chosen, scope, given, wanted, is_pattern=is_wild(pattern)))


def _failures(table: ActionTable, parts: Sequence[Part], expected: bool) -> Iterator[str]:
    """What is wrong, and the reasons of the first wrong answer."""
    wrong = [(part, answered) for part, answered in parts if answered.allowed != expected or not answered.is_known]
    if not wrong:
        return
    every = sum(part.bit_count() for part, _ in parts)
    together = 0
    for part, _ in wrong:
        together |= part
    count = together.bit_count()
    names = ", ".join(table.names[place] for place in islice(table.members(together), _SHOWN))
    more = f" and {count - _SHOWN} more" if count > _SHOWN else ""
    if every > 1:
        outcome = "refused" if expected else "allowed"
        yield f"{count} of {every} actions {'is' if count == 1 else 'are'} {outcome}: {names}{more}"
    # The reasons belong to the action that is named first.
    first = together & -together
    yield from next(reasons_of(answered) for part, answered in wrong if part & first)


def _unneeded(deciding: Deciding, who: Who, entry: Expected, pattern: str, scope: Scope) -> Iterator[str]:
    """The contexts in which the actions are allowed as well, although a condition of ``only_if`` is not met."""
    for words, changed in without_each(entry.only_if, entry.spelled):
        # The expectation says that each of the actions needs each of the conditions.
        parts = _parts(deciding, who, pattern, scope, {**entry.given, **changed}, False)
        found = list(_failures(deciding.table, parts, False))
        if found:
            yield f"allowed {words} as well"
            yield from found
            return


def _scopes(principals: Principals, entry: Expected, account_id: str) -> list[tuple[Scope, str]]:
    if not entry.on:
        return [(ANYWHERE, "")]
    found = []
    for written in entry.on:
        kind = written.text.rpartition(":")[2].partition("/")[0]
        if not written.text.startswith("arn:") and kind in ("user", "role"):
            found += [(Scope(who.arn), f" on {who.label}") for who in principals.named(written.text, (kind,))]
        else:
            found.append((Scope(arn_of(written.text, account_id)), f" on {written.text}"))
    return found


def _terms(entry: Expected) -> str:
    only_if = f" only if {_shown(entry, entry.only_if)}" if entry.only_if else ""
    return only_if + (f" given {_shown(entry, entry.given)}" if entry.given else "")


def _shown(entry: Expected, context: Context) -> str:
    """``sts:ExternalId=partner-id, aws:TagKeys=[team, stage]``"""
    return ", ".join(
        f"{entry.spelled.get(key, key)}={value if isinstance(value, str) else '[' + ', '.join(value) + ']'}"
        for key, value in context.items()
    )


# Assuming roles.


def _may_assume(asker: Asker, who: Who, entry: Expected, written: Written, *, expected: bool) -> Iterator[Result]:
    verb = "may assume" if expected else "may not assume"
    for role in asker.principals.named(written.text, ("role",)):
        text = f"{who.label} {verb} {role.label}{_terms(entry)}"
        answered = asker.assume(who, role.arn, {**entry.given, **entry.only_if})
        reasons: tuple[str, ...] = ()
        if answered.allowed != expected:
            reasons = tuple(reasons_of(answered))
        elif entry.only_if:
            reasons = tuple(_assumed_without(asker, who, role, entry))
        yield Result(written.line, text, not reasons, reasons, 1)


def _assumed_without(asker: Asker, who: Who, role: Who, entry: Expected) -> Iterator[str]:
    for words, changed in without_each(entry.only_if, entry.spelled):
        answered = asker.assume(who, role.arn, {**entry.given, **changed})
        if answered.allowed:
            yield f"allowed {words} as well"
            yield from reasons_of(answered)
            return


# What no principal may do.


def _nobody(deciding: Deciding, entry: Expected) -> Iterator[Result]:
    principals = deciding.asker.principals
    excepted = {who.arn for named in entry.principals for who in principals.named(named.text)}
    but = f" but {', '.join(named.text for named in entry.principals)}" if excepted else ""
    # A root user may do everything that no control policy forbids, so a question about it is asked by its name.
    others = [who for who in principals.entities if who.arn not in excepted]
    for written in entry.may:
        reasons, count = _others_who_may(deciding, others, entry, written.text)
        where = "".join(f" on {each.text}" for each in entry.on)
        text = f"nobody{but} may {written.text}{where}{_terms(entry)}"
        yield Result(written.line, text, not reasons, tuple(reasons), count)
    for written in entry.may_assume:
        for role in principals.named(written.text, ("role",)):
            reasons = _others_who_may_assume(deciding, others, entry, role)
            text = f"nobody{but} may assume {role.label}{_terms(entry)}"
            yield Result(written.line, text, not reasons, tuple(reasons), 1)


def _others_who_may(deciding: Deciding, others: Sequence[Who], entry: Expected, pattern: str) -> tuple[list[str], int]:
    holders: list[Who] = []
    reasons: list[str] = []
    for who in others:
        for scope, _ in _scopes(deciding.asker.principals, entry, who.account_id):
            parts = _parts(deciding, who, pattern, scope, entry.given, False)
            found = list(_failures(deciding.table, parts, False)) if who not in holders else []
            if found:
                holders.append(who)
                reasons = reasons or found
    return _held_by(holders, reasons), deciding.table.matching(pattern).bit_count()


def _others_who_may_assume(deciding: Deciding, others: Sequence[Who], entry: Expected, role: Who) -> list[str]:
    holders: list[Who] = []
    reasons: list[str] = []
    for who in others:
        answered = deciding.asker.assume(who, role.arn, entry.given)
        if answered.allowed:
            holders.append(who)
            reasons = reasons or list(reasons_of(answered))
    return _held_by(holders, reasons)


def _held_by(holders: Sequence[Who], reasons: Sequence[str]) -> list[str]:
    if not holders:
        return []
    names = ", ".join(who.label for who in holders[:_SHOWN])
    more = f" and {len(holders) - _SHOWN} more" if len(holders) > _SHOWN else ""
    return [f"allowed to {names}{more}", *reasons]


def reasons_of(answered: Answered) -> list[str]:
    """Why a question was answered so, for lines of text: the decision, its statements, and the nearest one."""
    if answered.decision is None:
        return [answered.reason]
    return explain(answered.decision).as_text().splitlines()
