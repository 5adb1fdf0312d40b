"""Rolecall as an authenticator: the codes of the sandbox's virtual MFA devices, by the sandbox's clock."""

from __future__ import annotations

from rolecall.clock import Clock
from rolecall.sessions.one_time_codes import ACCEPTED_STEPS_ASIDE, STEP_SECONDS, codes_from
from rolecall.storage.engine import Database
from rolecall.storage.mfa_devices import MfaDeviceSecret, device_secrets

USED_MESSAGE = (
    "every code of {device} that is accepted now was used: advance the clock by {seconds} s, or wait that long"
)


class NoCodeError(ValueError):
    """There is no code to show. The user sees the message."""


def unused_code(database: Database, clock: Clock, device: str) -> str:
    """A code that AssumeRole and GetSessionToken accept now: the present one, or the next if that was used.

    ``device`` is a serial number, or a name that only one device has. Raises NoCodeError.
    """
    secret = _secret(database, device)
    return codes_from(secret.seed, _free_step(secret, clock), 1)[0]


def unused_pair(database: Database, clock: Clock, device: str) -> tuple[str, str]:
    """Two consecutive codes that EnableMFADevice and ResyncMFADevice accept now. Raises NoCodeError."""
    secret = _secret(database, device)
    first, second = codes_from(secret.seed, _free_step(secret, clock) - 1, 2)
    return first, second


def _secret(database: Database, device: str) -> MfaDeviceSecret:
    with database.snapshot() as connection:
        found = device_secrets(connection, device)
    if not found:
        raise NoCodeError(f"there is no virtual MFA device {device}: give its name or its serial number")
    if len(found) > 1:
        serial_numbers = ", ".join(each.serial_number for each in found)
        raise NoCodeError(f"several MFA devices are named {device}: give the serial number of one, {serial_numbers}")
    return found[0]


def _free_step(secret: MfaDeviceSecret, clock: Clock) -> int:
    now_seconds = int(clock.now_seconds())
    step = now_seconds // STEP_SECONDS
    if secret.used_step is not None and secret.used_step >= step:
        step = secret.used_step + 1
    wait_seconds = (step - ACCEPTED_STEPS_ASIDE) * STEP_SECONDS - now_seconds
    if wait_seconds > 0:
        raise NoCodeError(USED_MESSAGE.format(device=secret.serial_number, seconds=wait_seconds))
    return step
