"""SerialNumber and TokenCode of AssumeRole and GetSessionToken: proof that the caller holds its MFA device.

A code is checked before any policy. A correct code is used up, whatever the result of the call. AWS does not document
whether the code can be used again when a policy then refuses.
"""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.services.registry import Call, Parameters, SecondFactor
from rolecall.sessions.one_time_codes import step_of_code
from rolecall.storage.mfa_devices import MfaDeviceRecord, device_by_serial, lock_device, use_step

BOTH_MESSAGE = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
# AWS's own double space, and the space at the end of the next message.
NOT_YOURS_MESSAGE = (
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and "
    "associated with this user."
)
INVALID_CODE_MESSAGE = "MultiFactorAuthentication failed with invalid MFA one time pass code. "


def use_code(call: Call, parameters: Parameters) -> None:
    """Check the code and use it up, in one transaction: when several calls carry the same code, one succeeds.

    Raises AwsError AccessDenied.
    """
    serial_number, code = parameters.get("SerialNumber"), parameters.get("TokenCode")
    if serial_number is None or code is None:
        raise AwsError("AccessDenied", BOTH_MESSAGE)
    device = device_by_serial(call.db, call.account_id, serial_number)
    if device is None or not _is_callers(call, device):
        raise AwsError("AccessDenied", NOT_YOURS_MESSAGE)
    # The device was read in the same transaction, but until it is locked another transaction may delete it.
    seed = lock_device(call.db, serial_number)
    step = None if seed is None else step_of_code(seed, code, call.now_seconds)
    if step is None or not use_step(call.db, serial_number, step):
        raise AwsError("AccessDenied", INVALID_CODE_MESSAGE)


def _is_callers(call: Call, device: MfaDeviceRecord) -> bool:
    """Whether the device belongs to the caller: a user or root user with long-term keys. A session has no device."""
    principal = call.caller.principal
    if call.caller.session is not None:
        return False
    return device.of_root if principal.type == "Account" else device.user_id == principal.entity_id


MFA = SecondFactor(frozenset({"SerialNumber", "TokenCode"}), use_code)
