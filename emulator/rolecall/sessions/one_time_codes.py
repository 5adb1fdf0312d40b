"""Time-based one-time codes (RFC 6238) as virtual MFA devices show them: SHA-1, six digits, a new one every 30 seconds.

A code stands for a step: the number of the 30 seconds it is shown in. What was used is remembered by its step, so that
nothing here needs to know of storage.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

STEP_SECONDS = 30
CODE_DIGITS = 6
# How many steps a code may be too old or too new. RFC 6238, section 5.2, recommends one; AWS does not tell.
ACCEPTED_STEPS_ASIDE = 1
# 64 characters of base32, as long as AWS's seeds are.
SEED_BYTES = 40


def new_seed(random_bytes: bytes) -> str:
    """The base32 text of a seed, as an authenticator takes it; without padding for bytes in multiples of five."""
    return base64.b32encode(random_bytes).decode("ascii")


def current_code(seed: str, now_seconds: float) -> str:
    """What a device with this seed shows now."""
    return _generator(seed).generate(int(now_seconds)).decode("ascii")


def codes_from(seed: str, step: int, count: int) -> tuple[str, ...]:
    """The codes of so many steps, one after the other."""
    generator = _generator(seed)
    return tuple(generator.generate(each * STEP_SECONDS).decode("ascii") for each in range(step, step + count))


def step_of_code(seed: str, code: str, now_seconds: float) -> int | None:
    """The step whose code this is, if it is one of those accepted now; None for a wrong, old or future code.

    Every accepted step is tried, in constant time each: what a code resembles does not show in how long it takes.
    """
    now_step = int(now_seconds) // STEP_SECONDS
    found = None
    for step in range(now_step - ACCEPTED_STEPS_ASIDE, now_step + ACCEPTED_STEPS_ASIDE + 1):
        if _is_code_of(seed, code, step):
            found = step
    return found


def step_of_pair(seed: str, first: str, second: str, now_seconds: float) -> int | None:
    """The step of the second of two consecutive codes; None unless it is accepted now and the first is the one before.

    The first may be a step older than a single code: it was shown while the second was waited for.
    """
    step = step_of_code(seed, second, now_seconds)
    return step if step is not None and _is_code_of(seed, first, step - 1) else None


def _generator(seed: str) -> TOTP:
    padded = seed + "=" * (-len(seed) % 8)
    # Declared seeds may be shorter than the 128 bits that RFC 4226 wants, as the usual example seed is.
    return TOTP(base64.b32decode(padded), CODE_DIGITS, SHA1(), STEP_SECONDS, enforce_key_length=False)  # noqa: S303 - RFC 6238


def _is_code_of(seed: str, code: str, step: int) -> bool:
    if step < 0:
        return False
    try:
        _generator(seed).verify(code.encode(), step * STEP_SECONDS)
    except InvalidToken:
        return False
    return True
