"""SerialNumber and TokenCode of AssumeRole and GetSessionToken: proof that the caller holds its MFA device.

A code is checked before any policy. One that is right is used up by being right, whatever becomes of the call; whether
AWS gives it back when a policy then refuses is not documented.
"""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.services.registry import Call, Parameters, SecondFactor
from rolecall.sessions.one_time_codes import step_of_code
from rolecall.storage.mfa_devices import MfaDeviceRecord, device_by_serial, lock_device, use_step

BOTH_MESSAGE = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
# AWS's own two blanks, and the blank at the end of the other.
NOT_YOURS_MESSAGE = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and "
    "associated with this user."
)
INVALID_CODE_MESSAGE = "MultiFactorAuthentication failed with invalid MFA one time pass code. "


def use_code(call: Call, parameters: Parameters) -> None:
    """Check the code and use it up, in one transaction: of several calls with the same code one succeeds.

    Raises AwsError AccessDenied.
    """
    serial_number, code = parameters.get("SerialNumber"), parameters.get("TokenCode")
    if serial_number is None or code is None:
        raise AwsError("AccessDenied", BOTH_MESSAGE)
    device = device_by_serial(call.db, call.account_id, serial_number)
    if device is None or not _is_callers(call, device):
        raise AwsError("AccessDenied", NOT_YOURS_MESSAGE)
    # The device was read in the same transaction, but another one may delete it until it is locked.
    seed = lock_device(call.db, serial_number)
    step = None if seed is None else step_of_code(seed, code, call.now_seconds)
    if step is None or not use_step(call.db, serial_number, step):
        raise AwsError("AccessDenied", INVALID_CODE_MESSAGE)


def _is_callers(call: Call, device: MfaDeviceRecord) -> bool:
    """Whether the device is that of the user or root user who calls with long-term keys; a session has none."""
    principal = call.caller.principal
    if call.caller.session is not None:
        return False
    return device.of_root if principal.type == "Account" else device.user_id == principal.entity_id


MFA = SecondFactor(frozenset({"SerialNumber", "TokenCode"}), use_code)
