"""Time-based one-time codes (RFC 6238) as virtual MFA devices show them: SHA-1, six digits, a new one every 30 seconds.

Each code belongs to a step: the number of the 30-second interval in which the device shows it. Callers remember a used
code by its step, so this module needs no storage.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS = 30
CODE_DIGITS = 6
# How many steps a code may be too old or too new. RFC 6238, section 5.2, recommends one; AWS does not document it.
ACCEPTED_STEPS_ASIDE = 1
# Makes 64 characters of base32, the length of AWS's seeds.
SEED_BYTES = 40


def new_seed(random_bytes: bytes) -> str:
    """The base32 text of a seed, for an authenticator. Bytes in multiples of five need no padding."""
    return base64.b32encode(random_bytes).decode("ascii")


def current_code(seed: str, now_seconds: float) -> str:
    """The code that a device with this seed shows now."""
    return _generator(seed).generate(int(now_seconds)).decode("ascii")


def codes_from(seed: str, step: int, count: int) -> tuple[str, ...]:
    """The codes of ``count`` steps, one after the other."""
    generator = _generator(seed)
    return tuple(generator.generate(each * STEP_SECONDS).decode("ascii") for each in range(step, step + count))


def step_of_code(seed: str, code: str, now_seconds: float) -> int | None:
    """The step of a code that is accepted now; None for a wrong, old or future code.

    The function compares every accepted step in constant time, so its duration does not show how near a guess came.
    """
    now_step = int(now_seconds) // STEP_SECONDS
    found = None
    for step in range(now_step - ACCEPTED_STEPS_ASIDE, now_step + ACCEPTED_STEPS_ASIDE + 1):
        if _is_code_of(seed, code, step):
            found = step
    return found


def step_of_pair(seed: str, first: str, second: str, now_seconds: float) -> int | None:
    """The step of the second of two consecutive codes; None unless it is accepted now and ``first`` precedes it.

    The first code may be one step older than a single code, because the user waited for the second one.
    """
    step = step_of_code(seed, second, now_seconds)
    return step if step is not None and _is_code_of(seed, first, step - 1) else None


def _generator(seed: str) -> TOTP:
    padded = seed + "=" * (-len(seed) % 8)
    # A sandbox file may declare a seed below the 128 bits of RFC 4226, as the usual example seed is.
    return TOTP(base64.b32decode(padded), CODE_DIGITS, SHA1(), STEP_SECONDS, enforce_key_length=False)  # noqa: S303 - RFC 6238


def _is_code_of(seed: str, code: str, step: int) -> bool:
    if step < 0:
        return False
    try:
        _generator(seed).verify(code.encode(), step * STEP_SECONDS)
    except InvalidToken:
        return False
    return True
