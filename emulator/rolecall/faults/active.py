"""The fault rules in force, and what they do to a call.

The rules are stored in the database, so every worker has them: a change raises the generation, and each worker sees it
on its next call. Without rules, calls pay nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from rolecall.errors import EXPIRED_TOKEN_MESSAGE, UNKNOWN_KEY_MESSAGE, AwsError, region_disabled
from rolecall.faults.rules import (
    CREDENTIAL_KINDS,
    DELIVERY_KINDS,
    MAXIMUM_DELAY_SECONDS,
    MAXIMUM_RULES,
    CallFacts,
    FaultCatalogue,
    FaultRule,
    InvalidFaultError,
    kept_text,
    read_kept,
    read_rules,
    rule_as_json,
    too_many,
)
from rolecall.ids import Identifiers
from rolecall.storage import fault_hits, worlds
from rolecall.storage.engine import Database

STATE_NAME = "faults"
DROPPED_CODE = "ConnectionDropped"
RATE_EXCEEDED_MESSAGE = "Rate exceeded"
INJECTED_MESSAGE = "A fault rule of the sandbox asks for this error."
NO_SUCH_RULE_MESSAGE = "There is no fault rule with this id."
_SEED_BYTES = 4


class NoSuchRuleError(LookupError):
    """A rule that is not there. The user sees the message."""


class Struck(Struct, frozen=True):
    """What the rules do to one call."""

    error: AwsError | None = None
    delay_seconds: float = 0
    # The connection is closed without an answer.
    drops: bool = False
    identity_provider_down: bool = False
    # The credentials that the call hands out have expired, or have a wrong secret.
    stale: bool = False
    wrong: bool = False

    def raise_error(self) -> None:
        """Raises the AwsError that ends the call, if there is one."""
        if self.error is not None:
            raise self.error


NOT_STRUCK = Struck()


class ActiveFaults:
    """The rules of one generation, in the form that the gateway uses."""

    def __init__(self, database: Database, rules: Sequence[FaultRule]) -> None:
        self._database = database
        self._credential_rules = [rule for rule in rules if rule.kind in CREDENTIAL_KINDS]
        self._call_rules = [rule for rule in rules if rule.kind not in CREDENTIAL_KINDS]

    def on_credentials(self, snapshot: Connection, facts: CallFacts) -> Struck:
        """The effect on a call whose caller is proven."""
        return self._strike(snapshot, self._credential_rules, facts)

    def on_call(self, snapshot: Connection, facts: CallFacts) -> Struck:
        """The effect on a well-formed call, before its permissions are checked."""
        return self._strike(snapshot, self._call_rules, facts)

    def _strike(self, snapshot: Connection, rules: Sequence[FaultRule], facts: CallFacts) -> Struck:
        """Apply the rules in order, up to the first that ends the call."""
        matching = [rule for rule in rules if rule.matches(facts)]
        if not matching:
            return NOT_STRUCK
        return _effect(self._database.write_beside(snapshot, partial(_count, matching)), facts)


def active_faults(database: Database, states: Mapping[str, str]) -> ActiveFaults | None:
    """The rules in the stored states of a sandbox; None when there are no rules."""
    rules = read_kept(states.get(STATE_NAME))
    return ActiveFaults(database, rules) if rules else None


def _count(matching: Sequence[FaultRule], connection: Connection) -> list[FaultRule]:
    """Count the call for the rules in their order, up to the first that ends it. Returns those that hit it."""
    hit: list[FaultRule] = []
    for rule in matching:
        counted = fault_hits.count_call(connection, rule.rule_id)
        if counted is None or not rule.hits(counted[0], counted[1]):
            continue
        fault_hits.count_hit(connection, rule.rule_id)
        hit.append(rule)
        if _ends_the_call(rule):
            break
    return hit


def _ends_the_call(rule: FaultRule) -> bool:
    return rule.kind not in ("delay", "drop_answer", "identity_provider_down", *DELIVERY_KINDS)


def _effect(hit: Sequence[FaultRule], facts: CallFacts) -> Struck:
    if not hit:
        return NOT_STRUCK
    return Struck(
        error=_error(hit[-1], facts) if _ends_the_call(hit[-1]) else None,
        delay_seconds=min(MAXIMUM_DELAY_SECONDS, sum(rule.delay_seconds for rule in hit)),
        drops=any(rule.kind in ("drop", "drop_answer") for rule in hit),
        identity_provider_down=any(rule.kind == "identity_provider_down" for rule in hit),
        stale=any(rule.kind == "stale_credentials" for rule in hit),
        wrong=any(rule.kind == "wrong_credentials" for rule in hit),
    )


def _error(rule: FaultRule, facts: CallFacts) -> AwsError:
    reason = f"fault rule {rule.rule_id}"
    if rule.kind == "expired_credentials":
        return AwsError("ExpiredToken", EXPIRED_TOKEN_MESSAGE, reason=reason)
    if rule.kind == "revoked_credentials":
        return AwsError("InvalidClientTokenId", UNKNOWN_KEY_MESSAGE, reason=reason)
    if rule.kind == "region_disabled":
        account_id = "" if facts.caller is None else facts.caller.principal.account_id
        return region_disabled(account_id, reason)
    if rule.kind == "drop":
        # Status 0 means that there is no answer. Only the log sees it.
        return AwsError(DROPPED_CODE, status=0, reason=reason)
    usual = RATE_EXCEEDED_MESSAGE if rule.error.startswith("Thrott") else INJECTED_MESSAGE
    return AwsError(rule.error, rule.message or usual, status=rule.status, reason=reason)


class Faults:
    """The fault rules of a sandbox, to read and to change while it runs.

    >>> sandbox.faults.add(service="sts", operation="AssumeRole", error="Throttling", times=2)  # doctest: +SKIP
    """

    def __init__(self, database: Database, ids: Identifiers, catalogue: FaultCatalogue) -> None:
        self._database = database
        self._ids = ids
        self._catalogue = catalogue

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules in their order, each with the number of calls that it matched and hit."""
        with self._database.snapshot() as connection:
            rules = read_kept(worlds.state(connection, STATE_NAME))
            counts = fault_hits.counts(connection)
        return [rule_as_json(rule, *counts.get(rule.rule_id, (0, 0))) for rule in rules]

    def add(self, **rule: Any) -> str:
        """Add a rule after the others. Returns its id. Raises InvalidFaultError, as :meth:`replace` does."""
        return self.add_rule(rule)

    def add_rule(self, rule: Any) -> str:
        """The same with the rule as one value. The counts of the others go on."""
        [added] = self._read([rule])
        self._database.write(partial(self._append, added))
        return added.rule_id

    def replace(self, rules: Any) -> None:
        """Replace all rules, and start their counts again."""
        read = self._read(rules)
        self._database.write(partial(self._keep, read))

    def remove(self, rule_id: str) -> None:
        """Remove one rule. The counts of the others go on. Raises NoSuchRuleError."""
        self._database.write(partial(self._leave_out, rule_id))

    def clear(self) -> None:
        """Remove every rule."""
        self.replace([])

    def _read(self, rules: Any) -> tuple[FaultRule, ...]:
        return read_rules(rules, self._catalogue, self._ids.uuid, self._new_seed)

    def _new_seed(self) -> int:
        return int.from_bytes(self._ids.noise(_SEED_BYTES), "big")

    def _append(self, added: FaultRule, connection: Connection) -> None:
        self._keep((*read_kept(worlds.state(connection, STATE_NAME)), added), connection)

    def _leave_out(self, rule_id: str, connection: Connection) -> None:
        rules = read_kept(worlds.state(connection, STATE_NAME))
        others = [rule for rule in rules if rule.rule_id != rule_id]
        if len(others) == len(rules):
            raise NoSuchRuleError(NO_SUCH_RULE_MESSAGE)
        self._keep(others, connection)

    def _keep(self, rules: Sequence[FaultRule], connection: Connection) -> None:
        if len(rules) > MAXIMUM_RULES:
            raise InvalidFaultError(too_many(len(rules)))
        worlds.set_state(connection, STATE_NAME, kept_text(rules))
        fault_hits.keep_only(connection, [rule.rule_id for rule in rules])


__all__ = ["NOT_STRUCK", "ActiveFaults", "Faults", "InvalidFaultError", "NoSuchRuleError", "Struck", "active_faults"]
