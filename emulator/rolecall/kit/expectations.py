"""Assertions that give reasons: what a block of a test was refused, and what a principal may do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TypedDict

from botocore.exceptions import ClientError

from rolecall.access.check import Rights, ask
from rolecall.access.context import Moment
from rolecall.access.permission import ContextValue, Permission
from rolecall.arns import parse_arn
from rolecall.clock import iso8601
from rolecall.data import actions
from rolecall.expectations.actions import one_action_problem
from rolecall.http import HttpRequest
from rolecall.kit.decisions import DecisionRecord, is_layer, layer_called, layer_of
from rolecall.kit.identity import Credentials
from rolecall.policy import CompiledPolicies, Decision, explain
from rolecall.printable import printable_lines
from rolecall.service_records import requested_region

_ASSUMING = frozenset({"sts:assumerole", "sts:tagsession", "sts:setsourceidentity"})
_INDENT = "    "
NOT_YET_MESSAGE = "the refusal is known after the block of expect_denied"
HANDLED_MESSAGE = "the code in the block handled the error itself: ask decision, which has its code and message"
NO_ARN_MESSAGE = (
    "resource={resource!r} is not an ARN, so an assertion about it would prove nothing. Give * or an ARN. "
    "The ARN of a role is sandbox.role({resource!r})"
)


class Question(TypedDict, total=False):
    """The rest of an assertion: the principal (one of three, else the caller), the resource, and the context."""

    user: str | None
    role: str | None
    credentials: Credentials | None
    account: str | None
    resource: str
    context: Mapping[str, object] | None


class ExpectedDenial:
    """A block in which a policy must refuse an action. After the block, ``decision`` and ``error`` are the refusal.

    ``seen`` returns the calls since the block began, oldest first.
    """

    def __init__(self, action: str, by: str | None, watch: Callable[[], Callable[[], list[DecisionRecord]]]) -> None:
        self.action = known_action(action)
        self.by = None if by is None else layer_called(by)
        self._decision: DecisionRecord | None = None
        self._error: ClientError | None = None
        self._watch = watch

    @property
    def decision(self) -> DecisionRecord:
        """The refused call. Raises RuntimeError before the end of the block."""
        if self._decision is None:
            raise RuntimeError(NOT_YET_MESSAGE)
        return self._decision

    @property
    def error(self) -> ClientError:
        """The error of the refused call. Raises RuntimeError before the end of the block.

        It also raises RuntimeError when the code in the block handled the error itself: see :attr:`handled`.
        """
        if self._error is None:
            raise RuntimeError(HANDLED_MESSAGE if self._decision is not None else NOT_YET_MESSAGE)
        return self._error

    @property
    def handled(self) -> bool:
        """Whether the code in the block handled the refusal itself. Raises RuntimeError before the end of the block."""
        return bool(self.decision.request_id) and self._error is None

    def __enter__(self) -> ExpectedDenial:
        self._seen = self._watch()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        __tracebackhide__ = True
        seen = self._seen()
        if error is not None and not isinstance(error, ClientError):
            return False
        wanted = [call for call in seen if self._is_wanted(call)]
        request_id = "" if error is None else error.response.get("ResponseMetadata", {}).get("RequestId", "")
        if wanted and (error is None or request_id in {call.request_id for call in wanted}):
            self._decision, self._error = wanted[-1], error
            return True
        if wanted:
            # The call was refused as expected. Another error after it concerns the test itself.
            return False
        raise AssertionError(self._complaint(seen, error)) from error

    def _is_wanted(self, call: DecisionRecord) -> bool:
        same_action = call.action.lower() == self.action.lower()
        return call.denied and same_action and (self.by is None or is_layer(self.by, call.layer))

    def _complaint(self, seen: Sequence[DecisionRecord], error: ClientError | None) -> str:
        by = "" if self.by is None else f" by {self.by}"
        lines = [f"expected {self.action} to be refused{by}, but it was not."]
        near = [call for call in seen if call.action.lower() == self.action.lower()]
        if not seen:
            lines.append("No call reached the sandbox in this block.")
        for call in near:
            lines += ["", "This call asked for it:", *_indented(call.reasons)]
        if seen and not near:
            lines += ["", "The calls of this block:", *_indented("\n".join(str(call) for call in seen))]
        if error is not None:
            lines += ["", "The block ended with:", *_indented(printable_lines(str(error)))]
        return "\n".join(lines)


def decide_for(
    rights: Rights,
    action: str,
    resource: str,
    context: Mapping[str, object],
    trust: CompiledPolicies | None,
    now_seconds: float,
    region: str,
) -> Decision:
    """The result of the policies, without a call."""
    session = rights.caller.session
    mfa_at_seconds = None if session is None else session.mfa_authenticated_at_seconds
    request = HttpRequest("POST", "/", "", {}, b"", scheme="https")
    arn = parse_arn(resource)
    lowered = {key.lower(): _as_policies_read(key, value) for key, value in _pairs(context)}
    region = requested_region(action.partition(":")[0].lower(), region)
    permission = Permission(known_action(action), resource, "" if arn is None else arn.account_id, lowered, trust)
    return ask(rights, permission, Moment(request, now_seconds, region, mfa_at_seconds))


def require_arn(resource: str) -> None:
    """Raises ValueError for a text that is neither an ARN nor ``*``."""
    if resource != "*" and (not isinstance(resource, str) or parse_arn(resource) is None):
        raise ValueError(NO_ARN_MESSAGE.format(resource=resource))


def is_about_assuming(action: str) -> bool:
    """Whether the resource of an action is a role, so that its trust policy is evaluated."""
    return action.lower() in _ASSUMING


def require_allowed(decision: Decision) -> None:
    """Raises AssertionError with the reasons when the decision is a refusal."""
    __tracebackhide__ = True
    if not decision.allowed:
        action = decision.question.action
        raise AssertionError(
            "\n".join([f"expected {action} to be allowed, but it is refused.", "", *_reasons(decision)])
        )


def require_denied(decision: Decision, by: str | None) -> None:
    """Raises AssertionError with the reasons when the decision allows, or another kind of policy refuses."""
    __tracebackhide__ = True
    action = decision.question.action
    wanted = None if by is None else layer_called(by)
    if decision.allowed:
        complaint = f"expected {action} to be refused, but it is allowed."
    else:
        layer = layer_of(decision.layer, decision.layer_name)
        if wanted is None or is_layer(wanted, layer):
            return
        complaint = f"expected {action} to be refused by {wanted}, but it is refused by {layer}."
    raise AssertionError("\n".join([complaint, "", *_reasons(decision)]))


def known_action(action: str) -> str:
    """The action as AWS spells it. Raises ValueError: an assertion about an unknown action proves nothing."""
    if not isinstance(action, str):
        raise ValueError(f"{action!r} is not an action: write it as chime:ListUsers")
    problem = one_action_problem(action)
    if problem:
        raise ValueError(problem)
    prefix, _, name = action.lower().partition(":")
    found = actions(prefix)[name]
    return f"{found.service_prefix}:{found.name}"


def _pairs(context: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    if not isinstance(context, Mapping):
        raise TypeError(f"context must map condition keys to values; {type(context).__name__} does not")
    return context.items()


def _as_policies_read(key: str, value: object) -> ContextValue:
    """The value of a condition key as requests carry it: one text, or several."""
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(_as_text(key, each) for each in value)
    return _as_text(key, value)


def _as_text(key: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return iso8601((value if value.tzinfo is not None else value.replace(tzinfo=UTC)).timestamp())
    if isinstance(value, str | int | float):
        return str(value)
    raise TypeError(
        f"{key} in context takes texts, numbers, bools, datetimes or a list of them, not {type(value).__name__}"
    )


def _reasons(decision: Decision) -> list[str]:
    return _indented(explain(decision).as_text())


def _indented(text: str) -> list[str]:
    return [_INDENT + line if line else "" for line in text.splitlines()]
