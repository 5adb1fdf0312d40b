"""Advice on policies: names policies that AWS accepts but that cannot do what their author wants.

The room is pure: it takes a policy and gives sentences, from the tables of the Service Authorization Reference. It runs
when a policy is stored or checked, never while a call is decided. Not here: what AWS refuses (policy), where a
statement stands in a file and how advice is printed (inspection), when advice is logged (services).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Literal

from msgspec import Struct

from rolecall.caches import remembered
from rolecall.data import (
    Action,
    actions,
    condition_keys,
    given_on_arns,
    global_condition_keys,
    optional_dependencies,
    resource_types,
    service_prefixes,
)
from rolecall.policy import Condition, Policy, PolicyKind, Statement
from rolecall.policy.operators import needs_key, split_operator
from rolecall.policy.patterns import MANY, Test, glob, wildcards
from rolecall.policy.values import boolean

MAXIMUM_ADVICE = 100
MAXIMUM_ENTRIES = 500
"""Bounds for one policy against hostile documents: pieces of advice, and Action entries that are examined."""

_ALL = "*"
_PATTERNS_KEPT = 2048
_TEMPLATES_KEPT = 2048
_NAMES_SHOWN = 3
# How alike two names must be for advice to suggest the other one (0 to 1).
_LIKENESS = 0.75
# The reference writes "${TagKey}", "<key>", "tag-key" or nothing for the name of a tag.
_PLACEHOLDER = re.compile(r"\$\{[^}]*\}|<[^>]*>|(?<=/)(?:tag-key)?$")
_TAG_KEYS = ("aws:requesttag/", "aws:resourcetag/")
_TAG_KEYS_KEY = "aws:tagkeys"
_OWN_TAG_KEY = ":resourcetag/"
# IAM's refusals of its list operations name ARNs, although these have no resource types in the reference.
_CHECKED_ON_ARNS = frozenset({"iam"})
_ALWAYS_ADVISED = frozenset({"chime"})
# Services that the reference no longer has, and that AWS's own managed policies of 2026 still name.
_RETIRED = frozenset({"codestar", "deepracer"})
# Needed only for a customer's own keys, and only until a service has its role.
_KMS_PREFIX = "kms"
_FIRST_USE_ACTION = "iam:createservicelinkedrole"
# Kinds that are meant to give everything a caller needs.
_GRANTING_KINDS = frozenset({PolicyKind.IDENTITY, PolicyKind.SESSION, PolicyKind.BOUNDARY})

_WITHOUT_WILDCARDS = {"StringEquals": "StringLike", "StringNotEquals": "StringNotLike"}
# Keys whose request values never contain an asterisk.
_KEYS_WITHOUT_STARS = frozenset(
    {"aws:principalarn", "aws:sourcearn", "aws:userid", "aws:username", "aws:principalorgpaths", "aws:principalaccount"}
)

_GLOBAL_SPELLED = {key.lower(): key for key in global_condition_keys()}
# AWS adds keys that this list lacks. So advice names only a key that is nearly the same as a listed one.
_GLOBAL_LIKENESS = 0.9


Problem = Literal["service", "action", "wildcard"]


class Advice(Struct, frozen=True):
    """One piece of advice on the statement with this index, counted from 0."""

    statement_index: int
    message: str


class _Meaning(Struct, frozen=True):
    """What one Action entry means: the actions it covers, or what is wrong with it.

    A ``limitless`` entry covers actions of every service. An ``exact`` entry has no wildcards.
    """

    actions: tuple[Action, ...] = ()
    problem: Problem | None = None
    limitless: bool = False
    exact: bool = False


def advise(policy: Policy, limit: int = MAXIMUM_ADVICE) -> list[Advice]:
    """Advice on a policy, in the order of its statements, at most ``limit`` pieces."""
    return list(islice(_all_advice(policy), limit))


def _all_advice(policy: Policy) -> Iterator[Advice]:
    entries = MAXIMUM_ENTRIES
    for statement in policy.statements:
        looked_at = list(islice(dict.fromkeys(statement.actions), entries))
        entries -= len(looked_at)
        for message in _on_statement(statement, looked_at, policy):
            yield Advice(statement.index, message)


def _on_statement(statement: Statement, entries: Sequence[str], policy: Policy) -> Iterator[str]:
    meanings = [_meaning(entry.lower()) for entry in entries]
    for entry, meaning in zip(entries, meanings, strict=True):
        if meaning.problem is not None:
            yield f"{entry}: {_worded(meaning.problem, entry.lower())}"
    yield from _on_own_keys(statement)
    yield from _on_values(statement)
    if statement.actions_negated:
        return
    yield from _on_resources(statement, meanings)
    yield from _on_tags(statement, meanings)
    if statement.effect == "Allow" and policy.kind in _GRANTING_KINDS:
        yield from _on_dependent_actions(meanings, policy)


# Actions


@remembered(_PATTERNS_KEPT)
def _meaning(entry: str) -> _Meaning:
    """What an Action entry means, which is given in lower case."""
    prefix, _, name = entry.partition(":")
    if not name or _has_wildcard(prefix):
        return _Meaning(limitless=True)
    if prefix in _RETIRED:
        return _Meaning()
    if prefix not in service_prefixes():
        return _Meaning(problem="service")
    known = actions(prefix)
    if _has_wildcard(name):
        test = glob(wildcards(name))
        covered = tuple(action for key, action in known.items() if test(key))
        return _Meaning(covered, None if covered else "wildcard")
    return _Meaning((known[name],), exact=True) if name in known else _Meaning(problem="action")


def _worded(problem: Problem, entry: str) -> str:
    prefix, _, name = entry.partition(":")
    if problem == "wildcard":
        return f"matches no action of {prefix}"
    if problem == "service":
        near = _nearest(prefix, service_prefixes())
        return f'no AWS service has the prefix "{prefix}"' + (f', did you mean "{near}"?' if near else "")
    known = actions(prefix)
    near = _nearest(name, known)
    return f"{prefix} has no such action" + (f", did you mean {prefix}:{known[near].name}?" if near else "")


def _has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known name that is most like ``name``; empty when no name is alike."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=_LIKENESS)
    return near[0] if near else ""


def _named(found: Sequence[Action]) -> str:
    names = [f"{action.service_prefix}:{action.name}" for action in found]
    more = len(names) - _NAMES_SHOWN
    if more <= 0:
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return f"{', '.join(names[:_NAMES_SHOWN])} and {more} more"


# Resources


def _on_resources(statement: Statement, meanings: Sequence[_Meaning]) -> Iterator[str]:
    """Actions without resource types are checked on ``*`` only, so a narrower Resource never matches them."""
    if statement.resources is None or _reaches_all(statement):
        return
    asked = dict.fromkeys(action for meaning in meanings for action in _checked_on_star(meaning))
    found = [action for action in asked if not _reaches_service(statement, action.service_prefix)]
    if not found:
        return
    verb = "allows" if statement.effect == "Allow" else "denies"
    element = "NotResource" if statement.resources_negated else "Resource"
    plural = "have no resource types and are" if len(found) > 1 else "has no resource types and is"
    yield f'this {element} never {verb} {_named(found)}, which {plural} checked on "*" only'


def _checked_on_star(meaning: _Meaning) -> list[Action]:
    """The actions of an entry that are without effect unless the Resource is ``*``.

    An author who writes ``s3:*`` on a bucket means the actions on buckets, so the others that it covers do not count.
    For Chime they count, because it has too few resource types for such a meaning.
    """
    found = [action for action in meaning.actions if not action.resource_types]
    found = [action for action in found if f"{action.service_prefix}:{action.name}" not in given_on_arns()]
    if not found or found[0].service_prefix in _CHECKED_ON_ARNS:
        return []
    partly = len(found) < len(meaning.actions)
    return [] if partly and found[0].service_prefix not in _ALWAYS_ADVISED else found


def _reaches_all(statement: Statement) -> bool:
    reached = any(glob(wildcards(resource))(_ALL) for resource in statement.resources or ())
    return reached != statement.resources_negated


def _reaches_service(statement: Statement, service_prefix: str) -> bool:
    """Whether a Resource means all of a service. AWS's examples allow s3:ListAllMyBuckets on ``arn:aws:s3:::*``."""
    if service_prefix in _ALWAYS_ADVISED or statement.resources_negated:
        return False
    parts = (resource.split(":", 5) for resource in statement.resources or ())
    return any(len(part) == 6 and part[2] == service_prefix and not part[5].strip("*:/") for part in parts)


# Condition keys


def _on_own_keys(statement: Statement) -> Iterator[str]:
    """Advice on keys with a service's prefix that the service does not have."""
    for condition in statement.conditions:
        prefix = condition.key.partition(":")[0].lower()
        if prefix == "aws":
            yield from _on_global_key(condition.key)
        if prefix not in service_prefixes():
            continue
        own = [key for key in condition_keys(prefix) if key.lower().startswith(f"{prefix}:")]
        if not own:
            yield f"{condition.key}: {prefix} has no condition keys of its own, so no request ever has this one"
        elif not any(_template(key.lower())(condition.key.lower()) for key in own):
            spelled = {key.lower(): key for key in own}
            near = _nearest(condition.key.lower(), spelled)
            hint = f", did you mean {spelled[near]}?" if near else ""
            yield f"{condition.key}: {prefix} has no such condition key{hint}"


def _on_global_key(key: str) -> Iterator[str]:
    """Advice on a key that is nearly a listed one. What follows a listed key after a slash is the author's own."""
    parts = key.split("/")
    beginnings = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    if any(beginning.lower() in _GLOBAL_SPELLED for beginning in beginnings):
        return
    for beginning in beginnings:
        alike = [listed for listed in _GLOBAL_SPELLED if listed.count("/") == beginning.count("/")]
        near = difflib.get_close_matches(beginning.lower(), alike, n=1, cutoff=_GLOBAL_LIKENESS)
        if near:
            meant = _GLOBAL_SPELLED[near[0]] + key[len(beginning) :]
            yield f"{key}: there is no such global condition key, did you mean {meant}?"
            return


def _on_values(statement: Statement) -> Iterator[str]:
    """Advice on values that no request value can equal: wrong booleans, and wildcards that count as plain text.

    AWS itself refuses other values of a wrong type when a policy is saved.
    """
    for condition in statement.conditions:
        _, base, _ = split_operator(condition.operator)
        for value in condition.values:
            if "${" in value:
                continue
            if base == "Bool" and boolean(value) is None:
                yield f'{condition.key}: {base} compares with true or false, so "{value}" never matches'
            elif base in _WITHOUT_WILDCARDS and "*" in value and condition.key.lower() in _KEYS_WITHOUT_STARS:
                like = _WITHOUT_WILDCARDS[base]
                yield f'{condition.key}: {base} has no wildcards, so use {like} if "{value}" should match a pattern'


def _on_tags(statement: Statement, meanings: Sequence[_Meaning]) -> Iterator[str]:
    """Advice on tag conditions for actions without tags. No request for such an action has the key."""
    if any(meaning.limitless for meaning in meanings):
        return
    covered = list(dict.fromkeys(action for meaning in meanings for action in meaning.actions))
    named = {action for meaning in meanings if meaning.exact for action in meaning.actions}
    for condition in statement.conditions:
        if not _is_tag_key(condition) or not needs_key(condition):
            continue
        lacking = [action for action in covered if not _supports(action, condition.key.lower())]
        if len(lacking) < len(covered):
            # A wildcard may cover actions without tags. An author who spells an action out means that action.
            lacking = [action for action in lacking if action in named]
        if lacking:
            verb = "support" if len(lacking) > 1 else "supports"
            yield f"{condition.key}: never holds, because {_named(lacking)} {verb} no such condition key"


def _is_tag_key(condition: Condition) -> bool:
    key = condition.key.lower()
    return key == _TAG_KEYS_KEY or key.startswith(_TAG_KEYS) or _OWN_TAG_KEY in key


def _supports(action: Action, key: str) -> bool:
    types = resource_types(action.service_prefix)
    of_resources = (each for name in action.resource_types if name in types for each in types[name].condition_keys)
    return any(_template(each.lower())(key) for each in (*action.condition_keys, *of_resources))


@lru_cache(maxsize=_TEMPLATES_KEPT)
def _template(key: str) -> Test:
    """The test whether a key matches a key of the reference, such as ``aws:resourcetag/${tagkey}``."""
    return glob(_PLACEHOLDER.sub(MANY, key))


# Dependent actions


def _on_dependent_actions(meanings: Sequence[_Meaning], policy: Policy) -> Iterator[str]:
    for meaning in meanings:
        if not meaning.exact:
            continue
        [action] = meaning.actions
        name = f"{action.service_prefix}:{action.name}"
        sometimes = optional_dependencies().get(name, ())
        missing = [
            other
            for other in action.dependent_actions
            if other not in sometimes
            and not _is_sometimes_needed(other.lower())
            and not _is_allowed(other.lower(), policy)
        ]
        if missing:
            yield f"{name} depends on {', '.join(missing)}, which this policy does not allow"


def _is_sometimes_needed(action: str) -> bool:
    """Whether only few calls need an action: for tags, for a customer's own keys, or for a role of the service."""
    prefix, _, name = action.partition(":")
    if prefix == _KMS_PREFIX or action == _FIRST_USE_ACTION:
        return True
    known = actions(prefix).get(name) if prefix in service_prefixes() else None
    return known is not None and known.access_level == "Tagging"


def _is_allowed(action: str, policy: Policy) -> bool:
    return any(
        any(_entry_test(entry.lower())(action) for entry in statement.actions) != statement.actions_negated
        for statement in policy.statements
        if statement.effect == "Allow"
    )


@remembered(_PATTERNS_KEPT)
def _entry_test(entry: str) -> Test:
    return glob(wildcards(entry))
