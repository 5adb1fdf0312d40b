"""Virtual MFA devices: create, enable with two codes, show, deactivate and delete.

Hardware keys (FIDO, hardware TOTP tokens) cannot be registered, because a sandbox has no hardware. The sandbox file
declares the root user's devices, because AWS enables them in its console alone.
"""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from rolecall.arns import iam_arn, root_arn
from rolecall.errors import AwsError
from rolecall.services.iam.common import (
    DEFAULT_PAGE_ITEMS,
    add_tags,
    opened_marker,
    page,
    page_of,
    tag_answer,
    tag_pairs,
)
from rolecall.services.iam.resource_kinds import listing
from rolecall.services.iam.tagging import taggable
from rolecall.services.iam.users.users import (
    check_user_is_named,
    existing_user,
    named_or_calling_user,
    shown_user,
)
from rolecall.services.members import Tag
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.sessions.one_time_codes import SEED_BYTES, new_seed, step_of_pair
from rolecall.storage.access_keys import lock_account
from rolecall.storage.entity_policies import lock_entity
from rolecall.storage.mfa_devices import (
    MfaDeviceRecord,
    add_device,
    assign_device,
    count_devices,
    device_by_serial,
    devices_of,
    list_devices,
    lock_device,
    release_device,
    remove_device,
    use_step,
)
from rolecall.storage.problems import AlreadyThere
from rolecall.storage.users import user_by_id

ALREADY_EXISTS_MESSAGE = "MFA device already exists."
NOT_FOUND_MESSAGE = "MFA Device with serial number {serial_number} does not exist."
IN_USE_MESSAGE = "MFA Device is already in use."
NOT_THE_USERS_MESSAGE = "MFA Device invalid for user."
MUST_DEACTIVATE_MESSAGE = "MFA VirtualDevice in use. Must deactivate first."
INVALID_CODE_MESSAGE = "Authentication code for device is not valid."
# AWS's wording of these three was not recorded. The model limits a serial number, but not the name inside it.
USER_COUNT_MESSAGE = "Cannot exceed quota for MFADevicesPerUser: {limit}"
ACCOUNT_COUNT_MESSAGE = "Cannot exceed quota for VirtualMFADevicesPerAccount: {limit}"
TOO_LONG_MESSAGE = (
    "1 validation error detected: Value at 'serialNumber' failed to satisfy constraint: "
    "Member must have length less than or equal to {limit}"
)
MAXIMUM_SERIAL_NUMBER_CHARACTERS = 256
_ASSIGNED: Mapping[str, bool | None] = {"Assigned": True, "Unassigned": False, "Any": None}


def _device_arn(call: Call, parameters: Parameters) -> str:
    return iam_arn(call.account_id, "mfa", parameters.get("Path", "/"), parameters["VirtualMFADeviceName"])


def _check_name(call: Call, parameters: Parameters) -> None:
    if len(_device_arn(call, parameters)) > MAXIMUM_SERIAL_NUMBER_CHARACTERS:
        raise AwsError("ValidationError", TOO_LONG_MESSAGE.format(limit=MAXIMUM_SERIAL_NUMBER_CHARACTERS))


def _existing_device(call: Call, serial_number: str) -> MfaDeviceRecord:
    device = device_by_serial(call.db, call.account_id, serial_number)
    if device is None:
        raise _not_found(serial_number)
    return device


def _not_found(serial_number: str) -> AwsError:
    return AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(serial_number=serial_number))


def _existing_serial_number(call: Call, serial_number: str) -> str:
    return _existing_device(call, serial_number).serial_number


def _locked_serial_number(call: Call, serial_number: str) -> str:
    _locked_seed(call, serial_number)
    return serial_number


def _device_of(call: Call, user_name: str | None, serial_number: str) -> tuple[str | None, MfaDeviceRecord]:
    """The name of the user, by default the caller, and its device with that serial number. Root has no name.

    Raises AwsError: ValidationError, NoSuchEntity.
    """
    user = named_or_calling_user(call, user_name)
    device = _existing_device(call, serial_number)
    owner = (None, True) if user is None else (user.user_id, False)
    if (device.user_id, device.of_root) != owner:
        raise AwsError("NoSuchEntity", NOT_THE_USERS_MESSAGE)
    return (None if user is None else user.name), device


taggable("mfa_device", "MFADevice", "SerialNumber", _existing_serial_number, changeable=_locked_serial_number)


@operation("iam", "CreateVirtualMFADevice", precheck=_check_name, slow=True)
def create_virtual_mfa_device(
    call: Call, *, VirtualMFADeviceName: str, Path: str = "/", Tags: Sequence[Tag] = ()
) -> Answer:
    """A new device without a user. Its seed is shown only in this answer, as text and as a QR code.

    API reference: CreateVirtualMFADevice. Raises AwsError: InvalidInput (tags), EntityAlreadyExists, LimitExceeded.
    """
    tags = tag_pairs(Tags, case_sensitive=True)
    serial_number = _device_arn(call, {"Path": Path, "VirtualMFADeviceName": VirtualMFADeviceName})
    if device_by_serial(call.db, call.account_id, serial_number) is not None:
        raise AwsError("EntityAlreadyExists", ALREADY_EXISTS_MESSAGE)
    lock_account(call.db, call.account_id)
    # IAM User Guide, IAM and AWS STS quotas: virtual MFA devices of an account, "equal to the user quota".
    limit = call.settings.quotas.users_per_account_count
    if count_devices(call.db, call.account_id) >= limit:
        raise AwsError("LimitExceeded", ACCOUNT_COUNT_MESSAGE.format(limit=limit))
    seed = new_seed(call.ids.noise(SEED_BYTES))
    try:
        add_device(call.db, call.account_id, serial_number, seed, int(call.now_seconds))
    except AlreadyThere as error:
        raise AwsError("EntityAlreadyExists", ALREADY_EXISTS_MESSAGE) from error
    add_tags(call, "mfa_device", serial_number, tags)
    shown: Answer = {
        "SerialNumber": serial_number,
        "Base32StringSeed": seed.encode(),
        "QRCodePNG": qr_code(VirtualMFADeviceName, call.account_id, seed),
    }
    if tags:
        shown["Tags"] = tag_answer(tags)
    return {"VirtualMFADevice": shown}


def qr_code(device_name: str, account_name: str, seed: str) -> bytes:
    """A PNG of the URI that the API reference documents for VirtualMFADevice, which every authenticator reads."""
    image = io.BytesIO()
    uri = f"otpauth://totp/{quote(device_name, safe='')}@{account_name}?secret={seed}"
    # Loaded now: few calls make a device.
    segno: Any = importlib.import_module("segno")
    segno.make(uri, micro=False).save(image, kind="png", scale=4)
    return image.getvalue()


@operation("iam", "EnableMFADevice")
def enable_mfa_device(
    call: Call, *, UserName: str, SerialNumber: str, AuthenticationCode1: str, AuthenticationCode2: str
) -> None:
    """Give a device to a user, proven by two consecutive codes. Both codes are used up.

    API reference: EnableMFADevice. Raises AwsError: NoSuchEntity, EntityAlreadyExists, LimitExceeded,
    InvalidAuthenticationCode.
    """
    user = existing_user(call, UserName)
    lock_entity(call.db, "user", user.user_id)
    seed = _locked_seed(call, SerialNumber)
    if _existing_device(call, SerialNumber).enabled_at_seconds is not None:
        raise AwsError("EntityAlreadyExists", IN_USE_MESSAGE)
    limit = call.settings.quotas.mfa_devices_per_user_count
    if len(devices_of(call.db, call.account_id, user.user_id)) >= limit:
        raise AwsError("LimitExceeded", USER_COUNT_MESSAGE.format(limit=limit))
    _use_pair(call, SerialNumber, seed, AuthenticationCode1, AuthenticationCode2)
    assign_device(call.db, SerialNumber, user.user_id, int(call.now_seconds))


@operation("iam", "ResyncMFADevice")
def resync_mfa_device(
    call: Call, *, UserName: str, SerialNumber: str, AuthenticationCode1: str, AuthenticationCode2: str
) -> None:
    """Check two consecutive codes of a user's device. It runs on the sandbox's clock, so no time needs adjusting.

    API reference: ResyncMFADevice. Raises AwsError: NoSuchEntity, InvalidAuthenticationCode.
    """
    _device_of(call, UserName, SerialNumber)
    _use_pair(call, SerialNumber, _locked_seed(call, SerialNumber), AuthenticationCode1, AuthenticationCode2)


def _locked_seed(call: Call, serial_number: str) -> str:
    _existing_device(call, serial_number)
    seed = lock_device(call.db, serial_number)
    if seed is None:  # another transaction deleted it in the meantime
        raise _not_found(serial_number)
    return seed


def _use_pair(call: Call, serial_number: str, seed: str, first: str, second: str) -> None:
    step = step_of_pair(seed, first, second, call.now_seconds)
    if step is None or not use_step(call.db, serial_number, step):
        raise AwsError("InvalidAuthenticationCode", INVALID_CODE_MESSAGE)


@operation("iam", "DeactivateMFADevice", precheck=check_user_is_named)
def deactivate_mfa_device(call: Call, *, SerialNumber: str, UserName: str | None = None) -> None:
    """Take a device from its user, by default from the caller. The device stays. Raises AwsError: NoSuchEntity."""
    _device_of(call, UserName, SerialNumber)
    release_device(call.db, SerialNumber)


@operation("iam", "DeleteVirtualMFADevice")
def delete_virtual_mfa_device(call: Call, *, SerialNumber: str) -> None:
    """Delete a device that no user has. Raises AwsError: NoSuchEntity, DeleteConflict."""
    _locked_seed(call, SerialNumber)
    if _existing_device(call, SerialNumber).enabled_at_seconds is not None:
        raise AwsError("DeleteConflict", MUST_DEACTIVATE_MESSAGE)
    remove_device(call.db, SerialNumber)


@operation("iam", "ListMFADevices", precheck=check_user_is_named)
def list_mfa_devices(
    call: Call, *, UserName: str | None = None, Marker: str | None = None, MaxItems: int = DEFAULT_PAGE_ITEMS
) -> Answer:
    """The devices of a user, by default of the caller. Raises AwsError: ValidationError, NoSuchEntity."""
    user = named_or_calling_user(call, UserName)
    user_id, name = (None, None) if user is None else (user.user_id, user.name)
    found = devices_of(call.db, call.account_id, user_id)
    devices, rest = page(call, (user_id or "root",), found, _serial_number, Marker, MaxItems)
    return {"MFADevices": [_shown_device(name, device) for device in devices], **rest}


def _serial_number(device: MfaDeviceRecord) -> str:
    return device.serial_number


def _shown_device(user_name: str | None, device: MfaDeviceRecord) -> Answer:
    return {"UserName": user_name, "SerialNumber": device.serial_number, "EnableDate": device.enabled_at_seconds}


@operation("iam", "GetMFADevice", precheck=check_user_is_named)
def get_mfa_device(call: Call, *, SerialNumber: str, UserName: str | None = None) -> Answer:
    """One device of a user, by default of the caller. Virtual devices have no certifications.

    Raises AwsError: ValidationError, NoSuchEntity.
    """
    name, device = _device_of(call, UserName, SerialNumber)
    return _shown_device(name, device)


@operation("iam", "ListVirtualMFADevices", permissions=listing("mfa"))
def list_virtual_mfa_devices(
    call: Call,
    *,
    AssignmentStatus: str = "Any",
    Marker: str | None = None,
    MaxItems: int = DEFAULT_PAGE_ITEMS,
) -> Answer:
    """The account's devices and their users, without seeds and tags. Raises AwsError ValidationError (marker)."""
    after = opened_marker(call, (AssignmentStatus,), Marker)
    found = list_devices(
        call.db,
        call.account_id,
        assigned=_ASSIGNED[AssignmentStatus],
        after_serial_number=after,
        limit=MaxItems + 1,
    )
    devices, rest = page_of(call, (AssignmentStatus,), found, _serial_number, MaxItems)
    return {"VirtualMFADevices": [_shown_virtual_device(call, device) for device in devices], **rest}


def _shown_virtual_device(call: Call, device: MfaDeviceRecord) -> Answer:
    shown: Answer = {"SerialNumber": device.serial_number}
    if device.enabled_at_seconds is not None:
        shown["EnableDate"] = device.enabled_at_seconds
    if device.of_root:
        shown["User"] = {"UserId": call.account_id, "Arn": root_arn(call.account_id)}
    elif device.user_id is not None:
        user = user_by_id(call.db, device.user_id)
        shown["User"] = None if user is None else shown_user(user)
    return shown
