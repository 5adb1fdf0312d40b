"""Fault rules as values: read from a user's text, checked, shown, and matched with calls. Pure."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import asdict

from rolecall.errors import REGION_DISABLED_CODE
from rolecall.policy.patterns import cached_glob, wildcards
from rolecall.principals import Caller

# The service of two special kinds of faults: region_disabled and identity_provider_down.
_STS = "sts"
MAXIMUM_RULES = 100
MAXIMUM_DELAY_SECONDS = 60
MAXIMUM_COUNT = 1_000_000_000
NO_LIST_MESSAGE = 'Send a list of rules, such as [{"service": "sts", "error": "Throttling", "times": 2}].'
WEB_IDENTITY_OPERATION = "AssumeRoleWithWebIdentity"

KINDS = {
    "error": "the call is refused with an error code",
    "delay": "the answer comes late",
    "drop": "the connection is closed without an answer, and nothing is done",
    "drop_answer": "the call is carried out, and the connection is closed without an answer",
    "expired_credentials": "the session token counts as expired",
    "revoked_credentials": "the credentials count as unknown",
    "region_disabled": "STS is not activated in the Region",
    "identity_provider_down": "AWS does not reach the OIDC provider",
    "stale_credentials": "the credentials that a program gets have expired",
    "wrong_credentials": "the credentials that a program gets have a wrong secret",
}
# These depend only on the caller and apply before the parameters are read. All others apply to well-formed calls.
CREDENTIAL_KINDS = frozenset({"expired_credentials", "revoked_credentials"})
# These change what an attachment, or a service that SDKs ask for credentials, hands out.
DELIVERY_KINDS = frozenset({"stale_credentials", "wrong_credentials"})
_ERROR_KEYS = ("error", "message", "status")


class InvalidFaultError(ValueError):
    """Rules that cannot be used. The message names every problem, one on each line."""


class FaultCatalogue(Struct, frozen=True):
    """What can fail: the operations and error codes of the services' models."""

    operations: Mapping[str, Callable[[], frozenset[str]]]
    # Error codes of a service, or of one of its operations if that is not empty.
    error_codes: Callable[[str, str], frozenset[str]]
    # The kinds of attachments, as ``operations`` has services. A rule strikes one only if it names it.
    attached: Mapping[str, Callable[[], frozenset[str]]] = field(default_factory=dict)
    # Operations that hand out credentials: of attachments, and of the ``credential_services``.
    credential_operations: frozenset[str] = frozenset()
    credential_services: tuple[str, ...] = ()

    def names_of(self, service: str) -> frozenset[str]:
        """The operations of a service or of a kind of attachments."""
        found = self.attached.get(service) or self.operations[service]
        return found()

    @property
    def known(self) -> tuple[str, ...]:
        return (*self.operations, *self.attached)


class FaultRule(Struct, frozen=True):
    """One rule. Empty selectors match every call. ``operations`` are the names that match ``operation``.

    Of the calls that it matches, it hits calls from the ``nth`` on, at most ``times`` of them (None: no limit), each
    with ``probability``. The ``seed`` alone decides which ones.
    """

    rule_id: str
    kind: str
    service: str = ""
    operation: str = ""
    principal: str = ""
    region: str = ""
    error: str = ""
    message: str = ""
    status: int | None = None
    delay_seconds: float = 0
    nth: int = 1
    times: int | None = None
    probability: float = 1
    seed: int | None = None
    operations: tuple[str, ...] = ()

    def matches(self, facts: CallFacts) -> bool:
        if self.service and self.service != facts.service:
            return False
        if facts.of_attachment and not self.service and self.kind not in DELIVERY_KINDS:
            return False
        if self.operations and facts.operation not in self.operations:
            return False
        if self.region and self.region != facts.region:
            return False
        if self.kind == "expired_credentials" and not facts.has_session_token:
            # Long-term keys do not expire.
            return False
        return not self.principal or (facts.caller is not None and self._is_principal(facts.caller))

    def _is_principal(self, caller: Caller) -> bool:
        test = cached_glob(wildcards(self.principal))
        return test(caller.principal.arn) or test(caller.principal.principal_arn)

    def hits(self, call_number: int, hits_before: int) -> bool:
        """Whether the rule hits its ``call_number``-th call, counted from 1."""
        if call_number < self.nth or (self.times is not None and hits_before >= self.times):
            return False
        if self.probability >= 1:
            return True
        return random.Random(f"{self.seed}:{call_number}").random() < self.probability  # noqa: S311


class CallFacts(Struct, frozen=True):
    """The facts of a call that rules compare. There is no caller for an operation without a signature."""

    service: str
    operation: str
    region: str
    caller: Caller | None
    has_session_token: bool
    of_attachment: bool = False


def read_rules(
    given: Any, catalogue: FaultCatalogue, new_id: Callable[[], str], new_seed: Callable[[], int]
) -> tuple[FaultRule, ...]:
    """The rules in a list, in one object, or in an object's ``rules``. Raises InvalidFaultError."""
    if isinstance(given, Mapping):
        given = given["rules"] if set(given) == {"rules"} else [given]
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise InvalidFaultError(NO_LIST_MESSAGE)
    if len(given) > MAXIMUM_RULES:
        raise InvalidFaultError(too_many(len(given)))
    problems: list[str] = []
    rules = []
    for number, one in enumerate(given, 1):
        found = _problems_of(one, catalogue)
        problems += [f"Rule {number}: {problem}" for problem in found]
        if not problems:
            rules.append(_rule(one, catalogue, new_id(), new_seed))
    if problems:
        raise InvalidFaultError("\n".join(problems))
    return tuple(rules)


def too_many(count: int) -> str:
    return f"There are at most {MAXIMUM_RULES} rules, not {count}."


def _rule(given: Mapping[str, Any], catalogue: FaultCatalogue, rule_id: str, new_seed: Callable[[], int]) -> FaultRule:
    values = dict(given)
    kind = values.setdefault("kind", _kind(given))
    if kind in ("region_disabled", "identity_provider_down"):
        values["service"] = _STS
    if "nth" in values and "times" not in values:
        # "The third call fails" means one call.
        values["times"] = 1
    if values.get("probability", 1) < 1 and values.get("seed") is None:
        # Shown with the rule, so that a user can repeat a run.
        values["seed"] = new_seed()
    return FaultRule(rule_id, **values, operations=tuple(sorted(_operations(given, catalogue))))


def _kind(given: Mapping[str, Any]) -> str:
    if "kind" in given:
        return str(given["kind"])
    return "delay" if "error" not in given and given.get("delay_seconds") else "error"


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 2048 and value.isprintable()


def _is_arn_pattern(value: Any) -> bool:
    """Not a name alone, for example: it would match no caller, and the rule would never apply."""
    return _is_text(value) and value.startswith(("arn:", "*", "?"))


def _is_number(value: Any) -> bool:
    # A whole number may exceed every float, and is finite in any case.
    return (isinstance(value, float) and math.isfinite(value)) or (
        isinstance(value, int) and not isinstance(value, bool)
    )


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAXIMUM_COUNT


# Key -> a test of its value, and the same in words.
KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "kind": (lambda value: isinstance(value, str) and value in KINDS, f"one of {', '.join(KINDS)}"),
    "service": (_is_text, "a service, such as sts"),
    "operation": (_is_text, "an operation, such as AssumeRole or List*"),
    "principal": (_is_arn_pattern, "an ARN, with wildcards if need be"),
    "region": (_is_text, "a Region, such as eu-west-1"),
    "error": (
        lambda value: isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9.]{1,128}", value) is not None,
        "an error code, such as Throttling",
    ),
    "message": (_is_text, "a text of at most 2048 characters"),
    "status": (lambda value: _is_count(value) and 400 <= value <= 599, "an HTTP status from 400 to 599"),
    "delay_seconds": (
        lambda value: _is_number(value) and 0 <= value <= MAXIMUM_DELAY_SECONDS,
        f"a number from 0 to {MAXIMUM_DELAY_SECONDS}",
    ),
    "nth": (_is_count, "a number from 1"),
    "times": (lambda value: value is None or _is_count(value), "a number from 1, or null for no end"),
    "probability": (lambda value: _is_number(value) and 0 < value <= 1, "a number above 0, up to 1"),
    "seed": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
}


def _problems_of(given: Any, catalogue: FaultCatalogue) -> list[str]:
    if not isinstance(given, Mapping):
        return ["it is not an object."]
    problems = [f"there is no key {key!r}: the known keys are {', '.join(KEYS)}." for key in given if key not in KEYS]
    problems += [
        f"{key} must be {words}." for key, (test, words) in KEYS.items() if key in given and not test(given[key])
    ]
    return problems or [*_contradictions(given), *_unknown_names(given, catalogue)]


def _contradictions(given: Mapping[str, Any]) -> Iterable[str]:
    kind = _kind(given)
    if kind == "error" and "error" not in given:
        yield "say what must happen: give an error, delay_seconds, or another kind."
    if kind != "error":
        yield from (f"{key} belongs to the kind error, not to {kind}." for key in _ERROR_KEYS if key in given)
    if kind == "delay" and not given.get("delay_seconds"):
        yield "the kind delay needs delay_seconds above 0."
    if "seed" in given and given.get("probability", 1) == 1:
        yield "a seed needs a probability below 1."


def _unknown_names(given: Mapping[str, Any], catalogue: FaultCatalogue) -> Iterable[str]:
    kind, service, operation = _kind(given), given.get("service", ""), given.get("operation", "")
    if service and service not in catalogue.known:
        yield f"there is no service {service!r}: the known services are {', '.join(catalogue.known)}."
        return
    if kind in ("region_disabled", "identity_provider_down") and service not in ("", _STS):
        yield f"the kind {kind} works only for the service {_STS}."
        return
    if (operation or kind == "identity_provider_down" or kind in DELIVERY_KINDS) and not _operations(given, catalogue):
        yield f"the kind {kind} applies to no operation {operation!r} of {service or 'any service'}."
        return
    if "error" in given and "status" not in given:
        yield from _unknown_code(given["error"], service, operation, catalogue)


def _unknown_code(code: str, service: str, operation: str, catalogue: FaultCatalogue) -> Iterable[str]:
    """The code must be one that every selected operation can answer. With a ``status`` any code is accepted."""
    for name in [service] if service else catalogue.operations:
        exact = operation if operation in catalogue.names_of(name) else ""
        if operation and not exact and not _matching(operation, name, catalogue):
            continue
        known = catalogue.error_codes(name, exact)
        if code not in known:
            where = f"{name} {exact}".strip()
            yield (
                f"{code} is not an error of {where}: the known errors are {', '.join(sorted(known))}. "
                "With a status, any code is accepted."
            )
            return


def _operations(given: Mapping[str, Any], catalogue: FaultCatalogue) -> set[str]:
    """The names of the operations that a rule can affect; empty when it affects every operation."""
    kind, operation = _kind(given), given.get("operation", "")
    if kind == "identity_provider_down":
        return _matching(operation or "*", _STS, catalogue) & {WEB_IDENTITY_OPERATION}
    if kind == "region_disabled":
        names = _matching(operation or "*", _STS, catalogue)
        return {name for name in names if REGION_DISABLED_CODE in catalogue.error_codes(_STS, name)}
    if not operation and kind not in DELIVERY_KINDS:
        return set()
    every = (*catalogue.attached, *catalogue.credential_services) if kind in DELIVERY_KINDS else catalogue.operations
    services = [given["service"]] if "service" in given else list(every)
    found = {name for service in services for name in _matching(operation or "*", service, catalogue)}
    return found & catalogue.credential_operations if kind in DELIVERY_KINDS else found


def _matching(pattern: str, service: str, catalogue: FaultCatalogue) -> set[str]:
    test = cached_glob(wildcards(pattern))
    return {name for name in catalogue.names_of(service) if test(name)}


# A rule that says nothing. What a rule has in common with it is not shown.
_BLANK = asdict(FaultRule(rule_id="", kind=""))


def rule_as_json(rule: FaultRule, calls: int, hits: int) -> dict[str, Any]:
    """A rule as it was written, its id, and its counts."""
    shown = {name: value for name, value in asdict(rule).items() if value != _BLANK[name]}
    shown.pop("operations", None)
    return {"id": shown.pop("rule_id"), **shown, "calls": calls, "hits": hits}


def kept_text(rules: Iterable[FaultRule]) -> str:
    return json.dumps([asdict(rule) for rule in rules])


def read_kept(text: str | None) -> tuple[FaultRule, ...]:
    """The rules in a text of :func:`kept_text`; no rules for None."""
    kept = [] if text is None else json.loads(text)
    return tuple(FaultRule(**{**rule, "operations": tuple(rule["operations"])}) for rule in kept)
