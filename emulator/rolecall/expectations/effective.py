"""What a principal may do: the actions of some patterns that it may call, plainly or under conditions."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from rolecall.data import service_prefixes
from rolecall.expectations.actions import ActionTable, is_wild
from rolecall.expectations.asking import Answered, Asker, is_assuming
from rolecall.expectations.deciding import ANYWHERE, Deciding
from rolecall.expectations.holders import chosen_by
from rolecall.expectations.principals import Who
from rolecall.expectations.unmet import Relaxing, Unmet, real_layers, unmet_conditions

# Whose calls Rolecall answers.
_EMULATED = frozenset({"chime", "iam", "organizations", "sts"})


class Effective(Struct, frozen=True):
    """One action that a principal may call.

    ``resource`` is an example of a resource on which it may, or ``*``. ``conditions`` are those that a plain call does
    not meet. ``reason`` says why no policy was asked.
    """

    action: str
    access_level: str
    resource: str
    conditions: Sequence[Unmet] = ()
    reason: str = ""


def named_services(asker: Asker, who: Who) -> list[str]:
    """Patterns of the services that a principal's own policies allow something of; those of Rolecall for a wildcard."""
    identity = asker.rights(who).layers.identity
    if identity is None:
        return [f"{prefix}:*" for prefix in sorted(_EMULATED)]
    prefixes: set[str] = set()
    for compiled in identity.statements:
        if compiled.statement.effect == "Allow":
            written = {action.partition(":")[0].lower() for action in compiled.statement.actions}
            prefixes |= _EMULATED if compiled.statement.actions_negated or any(map(is_wild, written)) else written
    return [f"{prefix}:*" for prefix in sorted(prefixes & service_prefixes())]


def effective_actions(asker: Asker, who: Who, patterns: Sequence[str]) -> tuple[list[Effective], int]:
    """The actions that a principal may call, by name, and the number of actions that the patterns match.

    Raises BadQuestionError for a pattern that matches nothing.
    """
    table, chosen = chosen_by(patterns)
    found: list[Effective] = []
    plain = Deciding(asker, table)
    left = chosen
    for part, answered in plain.search(who, chosen, ANYWHERE, {}, True):
        if answered.allowed:
            found += _shown(table, part, answered, ())
            left &= ~part
    relaxing = Relaxing()
    relaxed = Deciding(asker.with_rights(lambda each: relaxing.rights(asker.rights(each))), table)
    real = real_layers(asker.rights(who))
    # Assuming a role under conditions is a question about each role. The trust graph answers it.
    left &= ~sum(1 << place for place in table.members(left) if is_assuming(table.rows[place]))
    for part, answered in relaxed.search(who, left, ANYWHERE, {}, True):
        if answered.allowed and answered.decision is not None:
            found += _shown(table, part, answered, tuple(unmet_conditions(real, answered.decision)))
    return sorted(found, key=lambda each: each.action), chosen.bit_count()


def _shown(table: ActionTable, part: int, answered: Answered, conditions: Sequence[Unmet]) -> list[Effective]:
    reason = "" if answered.decision is not None else answered.reason
    rows = ((table.names[place], table.rows[place].access_level) for place in table.members(part))
    return [Effective(name, level, answered.resource, conditions, reason) for name, level in rows]
