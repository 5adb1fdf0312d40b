"""The work of a decision does not grow with parts that cannot matter. Tests count steps, not time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import policy_worlds

from rolecall.policy import Layers, PolicyKind, Question, decide


class CountingContext(Mapping[str, str]):
    """A request context that counts its look-ups."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known
        self.asked = 0

    def __getitem__(self, key: str) -> str:
        self.asked += 1
        return self.known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)


def asked_of_context(statements: list[dict[str, object]], expected: bool) -> int:
    document = {"Version": "2012-10-17", "Statement": statements}
    layers = Layers(policy_worlds.compiled([document], PolicyKind.IDENTITY))
    context = CountingContext({"aws:username": "ana"})
    question = Question("chime:GetUser", "*", context, policy_worlds.PRINCIPALS["user"], None, "")
    assert decide(layers, question).allowed is expected
    return context.asked


def conditional(action: str, name: str) -> dict[str, object]:
    condition = {"StringEquals": {"aws:username": name}, "Bool": {"aws:SecureTransport": "true"}}
    return {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition}


def test_statements_about_other_actions_ask_nothing() -> None:
    assert asked_of_context([conditional("s3:*", "ana")] * 100, False) == 0


def test_a_statement_without_conditions_answers_first() -> None:
    plain = {"Effect": "Allow", "Action": "chime:*", "Resource": "*"}
    assert asked_of_context([*[conditional("chime:*", "bob")] * 100, plain], True) == 0


def test_a_failed_condition_ends_its_statement() -> None:
    condition = {"StringLike": {"aws:username": "b*"}, "Bool": {"aws:SecureTransport": "true"}}
    statement = {"Effect": "Allow", "Action": "chime:*", "Resource": "*", "Condition": condition}
    assert asked_of_context([statement] * 100, False) == 100


def test_statements_that_want_other_texts_of_a_key_are_not_asked() -> None:
    assert asked_of_context([conditional("chime:*", f"bob-{index}") for index in range(100)], False) == 1


def test_of_many_statements_only_those_for_the_request_are_asked() -> None:
    statements = [conditional("chime:*", "ana" if index == 70 else f"bob-{index}") for index in range(100)]
    # Once for the table; then the one statement's two conditions.
    assert asked_of_context(statements, False) == 3
