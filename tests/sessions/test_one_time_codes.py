"""One-time codes: the vectors of RFC 6238, the steps that are accepted, and hostile codes."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.sessions.one_time_codes import current_code, new_seed, step_of_code, step_of_pair

SEED_BYTES = 40

SEED = base64.b32encode(b"12345678901234567890").decode()
# Appendix B of the RFC, SHA-1, the last six of the eight digits.
VECTORS = [
    (59, "287082"),
    (1_111_111_109, "081804"),
    (1_111_111_111, "050471"),
    (1_234_567_890, "005924"),
    (2_000_000_000, "279037"),
    (20_000_000_000, "353130"),
]
NOW = 1_234_567_890.7
STEP = 1_234_567_890 // 30


@pytest.mark.parametrize(("at_seconds", "code"), VECTORS)
def test_the_vectors_of_the_rfc(at_seconds: int, code: str) -> None:
    assert current_code(SEED, at_seconds) == code
    assert step_of_code(SEED, code, at_seconds) == at_seconds // 30


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_one_step_back_and_one_forth(steps: int, accepted: bool) -> None:
    code = current_code(SEED, NOW + 30 * steps)
    assert step_of_code(SEED, code, NOW) == (STEP + steps if accepted else None)


@pytest.mark.parametrize(
    ("first", "second", "step"),
    [
        (-3, -2, None),
        (-2, -1, STEP - 1),
        (-1, 0, STEP),
        (0, 1, STEP + 1),
        (1, 2, None),
        (0, 0, None),
        (1, 0, None),
        (-1, 1, None),
    ],
)
def test_a_pair_is_of_two_steps_that_follow_each_other(first: int, second: int, step: int | None) -> None:
    codes = [current_code(SEED, NOW + 30 * steps) for steps in (first, second)]
    assert step_of_pair(SEED, *codes, NOW) == step


@pytest.mark.parametrize(
    "seed", ["JBSWY3DPEHPK3PXP", "JBSWY3DPEHPK3PXPAA", "JBSWY3DPEHPK3PXPJBSW", "MFRGGZDFMZTWQ2LKNNWG23TP"]
)
def test_seeds_of_any_whole_length(seed: str) -> None:
    assert step_of_code(seed, current_code(seed, NOW), NOW) == STEP


def test_at_the_beginning_of_time_there_is_no_step_before() -> None:
    assert step_of_code(SEED, current_code(SEED, 0), 0) == 0
    assert step_of_pair(SEED, "000000", current_code(SEED, 0), 0) is None


def test_new_seeds_are_64_characters() -> None:
    assert len(new_seed(bytes(SEED_BYTES))) == 64


@given(st.text(max_size=12))
def test_hostile_codes_are_wrong_and_nothing_else(code: str) -> None:
    right = {current_code(SEED, NOW + 30 * steps) for steps in (-1, 0, 1)}
    assert (step_of_code(SEED, code, NOW) is not None) == (code in right)
