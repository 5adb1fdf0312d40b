"""Virtual MFA devices: their life from creation to deletion, the permissions, and every refusal of AWS."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
import segno
from iam_calls import ACCOUNT, OTHER_ACCOUNT, WORLD, fails, identity, put_rights, refusal
from mfa_calls import STEP_SECONDS, enabled_device, new_device

PHONE = f"arn:aws:iam::{ACCOUNT}:mfa/phone"
NO_PHONE = f"MFA Device with serial number {PHONE} does not exist."
NO_SUCH = ("NoSuchEntity", NO_PHONE, 404)
INVALID_CODE = ("InvalidAuthenticationCode", "Authentication code for device is not valid.", 403)
NOT_THE_USERS = ("NoSuchEntity", "MFA Device invalid for user.", 404)
CODES = {"AuthenticationCode1": "123456", "AuthenticationCode2": "234567"}


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def serial_numbers(iam: Any, **arguments: Any) -> list[str]:
    return [device["SerialNumber"] for device in iam.list_virtual_mfa_devices(**arguments)["VirtualMFADevices"]]


def test_the_life_of_a_device(world: Any, iam: Any) -> None:
    device = new_device(world, iam)
    assert device.serial_number == PHONE
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == [{"SerialNumber": PHONE}]
    assert iam.list_mfa_devices(UserName="bob")["MFADevices"] == []
    assert iam.enable_mfa_device(UserName="bob", SerialNumber=PHONE, **device.pair()).keys() == {"ResponseMetadata"}

    [shown] = iam.list_mfa_devices(UserName="bob")["MFADevices"]
    assert (shown["UserName"], shown["SerialNumber"]) == ("bob", PHONE)
    assert shown["EnableDate"].timestamp() == int(world.clock.now_seconds())
    got = iam.get_mfa_device(UserName="bob", SerialNumber=PHONE)
    assert {key: got[key] for key in shown} == shown
    assert "Certifications" not in got
    [virtual] = iam.list_virtual_mfa_devices()["VirtualMFADevices"]
    assert virtual["EnableDate"] == shown["EnableDate"]
    user = iam.get_user(UserName="bob")["User"]
    assert virtual["User"] == user
    assert virtual.keys() == {"SerialNumber", "EnableDate", "User"}

    world.clock.advance(STEP_SECONDS)
    iam.resync_mfa_device(UserName="bob", SerialNumber=PHONE, **device.pair())
    fails(iam.delete_virtual_mfa_device, "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.", 409,
          SerialNumber=PHONE)  # fmt: skip
    iam.deactivate_mfa_device(UserName="bob", SerialNumber=PHONE)
    assert iam.list_mfa_devices(UserName="bob")["MFADevices"] == []
    assert refusal(iam.get_mfa_device, UserName="bob", SerialNumber=PHONE) == NOT_THE_USERS
    world.clock.advance(STEP_SECONDS)
    iam.enable_mfa_device(UserName="ana", SerialNumber=PHONE, **device.pair())
    iam.deactivate_mfa_device(UserName="ana", SerialNumber=PHONE)
    iam.delete_virtual_mfa_device(SerialNumber=PHONE)
    assert serial_numbers(iam) == []
    assert new_device(world, iam).seed != device.seed


def test_seed_and_qr_code_say_the_same(iam: Any) -> None:
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="my+phone", Path="/team/")["VirtualMFADevice"]
    assert made["SerialNumber"] == f"arn:aws:iam::{ACCOUNT}:mfa/team/my+phone"
    seed = made["Base32StringSeed"].decode()
    assert (len(seed), len(base64.b32decode(seed))) == (64, 40)
    expected = io.BytesIO()
    uri = f"otpauth://totp/my%2Bphone@{ACCOUNT}?secret={seed}"
    segno.make(uri, micro=False).save(expected, kind="png", scale=4)
    assert made["QRCodePNG"].startswith(b"\x89PNG\r\n\x1a\n")
    assert made["QRCodePNG"] == expected.getvalue()
    assert made.keys() == {"SerialNumber", "Base32StringSeed", "QRCodePNG"}


def test_a_name_is_given_once_on_each_path(iam: Any) -> None:
    iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")
    fails(iam.create_virtual_mfa_device, "EntityAlreadyExists", "MFA device already exists.", 409,
          VirtualMFADeviceName="phone")  # fmt: skip
    iam.create_virtual_mfa_device(VirtualMFADeviceName="phone", Path="/team/")


def test_a_serial_number_has_256_characters_at_most(iam: Any) -> None:
    iam.create_virtual_mfa_device(VirtualMFADeviceName="n" * 226)
    code, _, status = refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="n" * 227)
    assert (code, status) == ("ValidationError", 400)
    assert refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="n" * 226, Path="/a/")[0] == "ValidationError"


@pytest.mark.parametrize(
    ("first", "second"), [(-3, -2), (1, 2), (0, 0), (0, -1), (-1, 1), (None, 0), (0, None)], ids=str
)
def test_only_two_codes_that_follow_each_other_enable(
    world: Any, iam: Any, first: int | None, second: int | None
) -> None:
    device = new_device(world, iam)
    codes = [device.wrong() if steps is None else device.code(steps) for steps in (first, second)]
    pair = {"AuthenticationCode1": codes[0], "AuthenticationCode2": codes[1]}
    assert refusal(iam.enable_mfa_device, UserName="bob", SerialNumber=PHONE, **pair) == INVALID_CODE
    assert iam.list_mfa_devices(UserName="bob")["MFADevices"] == []
    iam.enable_mfa_device(UserName="bob", SerialNumber=PHONE, **device.pair())
    assert refusal(iam.resync_mfa_device, UserName="bob", SerialNumber=PHONE, **pair) == INVALID_CODE


@pytest.mark.parametrize("code", ["12345", "1234567", "12345a", "١٢٣٤٥٦"])
def test_a_code_is_six_digits(iam: Any, code: str) -> None:
    arguments = {"UserName": "bob", "SerialNumber": PHONE, "AuthenticationCode1": code, "AuthenticationCode2": "123456"}
    if len(code) != 5:  # botocore itself refuses this one
        assert refusal(iam.enable_mfa_device, **arguments)[0] == "ValidationError"
        assert refusal(iam.resync_mfa_device, **arguments)[0] == "ValidationError"


def test_codes_are_used_up_by_enabling(world: Any, iam: Any) -> None:
    device = new_device(world, iam)
    pair = device.pair()
    iam.enable_mfa_device(UserName="bob", SerialNumber=PHONE, **pair)
    assert refusal(iam.resync_mfa_device, UserName="bob", SerialNumber=PHONE, **pair) == INVALID_CODE
    iam.deactivate_mfa_device(UserName="bob", SerialNumber=PHONE)
    assert refusal(iam.enable_mfa_device, UserName="bob", SerialNumber=PHONE, **pair) == INVALID_CODE


def test_a_device_has_a_user_or_none(world: Any, iam: Any) -> None:
    device = enabled_device(world, iam, "bob")
    in_use = ("EntityAlreadyExists", "MFA Device is already in use.", 409)
    for user in ("bob", "ana"):
        assert refusal(iam.enable_mfa_device, UserName=user, SerialNumber=PHONE, **device.pair()) == in_use
    for call in (iam.deactivate_mfa_device, iam.get_mfa_device):
        assert refusal(call, UserName="ana", SerialNumber=PHONE) == NOT_THE_USERS
        assert refusal(call, SerialNumber=PHONE) == NOT_THE_USERS
    assert refusal(iam.resync_mfa_device, UserName="ana", SerialNumber=PHONE, **device.pair()) == NOT_THE_USERS


def test_devices_that_are_not_there(iam: Any) -> None:
    named = {"UserName": "bob", "SerialNumber": PHONE}
    assert refusal(iam.enable_mfa_device, **named, **CODES) == NO_SUCH
    assert refusal(iam.resync_mfa_device, **named, **CODES) == NO_SUCH
    assert refusal(iam.deactivate_mfa_device, **named) == NO_SUCH
    assert refusal(iam.get_mfa_device, **named) == NO_SUCH
    assert refusal(iam.delete_virtual_mfa_device, SerialNumber=PHONE) == NO_SUCH
    assert refusal(iam.list_mfa_device_tags, SerialNumber=PHONE) == NO_SUCH
    assert refusal(iam.untag_mfa_device, SerialNumber=PHONE, TagKeys=["a"]) == NO_SUCH
    assert refusal(iam.tag_mfa_device, SerialNumber=PHONE, Tags=[{"Key": "a", "Value": "b"}]) == NO_SUCH
    hardware = ("NoSuchEntity", "MFA Device with serial number GAHT12345678 does not exist.", 404)
    assert refusal(iam.delete_virtual_mfa_device, SerialNumber="GAHT12345678") == hardware


def test_users_that_are_not_there(iam: Any) -> None:
    missing = ("NoSuchEntity", "The user with name nobody cannot be found.", 404)
    assert refusal(iam.list_mfa_devices, UserName="nobody") == missing
    assert refusal(iam.enable_mfa_device, UserName="nobody", SerialNumber=PHONE, **CODES) == missing
    assert refusal(iam.deactivate_mfa_device, UserName="nobody", SerialNumber=PHONE) == missing


def test_eight_devices_at_most(world: Any, iam: Any) -> None:
    for number in range(8):
        enabled_device(world, iam, "bob", f"phone{number}")
    device = new_device(world, iam)
    fails(iam.enable_mfa_device, "LimitExceeded", "Cannot exceed quota for MFADevicesPerUser: 8", 409,
          UserName="bob", SerialNumber=PHONE, **device.pair())  # fmt: skip
    first = iam.list_mfa_devices(UserName="bob", MaxItems=5)
    rest = iam.list_mfa_devices(UserName="bob", Marker=first["Marker"])
    found = [shown["SerialNumber"][-1] for shown in (*first["MFADevices"], *rest["MFADevices"])]
    assert (found, rest["IsTruncated"]) == (list("01234567"), False)
    iam.enable_mfa_device(UserName="ana", SerialNumber=PHONE, **device.pair())


def test_a_user_with_a_device_cannot_be_deleted(world: Any, iam: Any) -> None:
    iam.create_user(UserName="new")
    device = enabled_device(world, iam, "new")
    fails(iam.delete_user, "DeleteConflict", "Cannot delete entity, must delete MFA device first.", 409, UserName="new")
    iam.deactivate_mfa_device(UserName="new", SerialNumber=device.serial_number)
    iam.delete_user(UserName="new")


def test_devices_are_listed_by_assignment_and_in_pages(world: Any, iam: Any) -> None:
    for name in ("c", "a", "d"):
        new_device(world, iam, name)
    enabled_device(world, iam, "bob", "b")
    arns = [f"arn:aws:iam::{ACCOUNT}:mfa/{name}" for name in "abcd"]
    assert serial_numbers(iam) == serial_numbers(iam, AssignmentStatus="Any") == arns
    assert serial_numbers(iam, AssignmentStatus="Assigned") == arns[1:2]
    assert serial_numbers(iam, AssignmentStatus="Unassigned") == [arns[0], *arns[2:]]
    first = iam.list_virtual_mfa_devices(MaxItems=3)
    assert first["IsTruncated"]
    assert serial_numbers(iam, Marker=first["Marker"]) == arns[3:]
    other_list = ("ValidationError", "Invalid Marker.", 400)
    assert refusal(iam.list_virtual_mfa_devices, Marker=first["Marker"], AssignmentStatus="Assigned") == other_list
    assert refusal(iam.list_virtual_mfa_devices, AssignmentStatus="Lost")[0] == "ValidationError"
    assert serial_numbers(world.client("iam", "kim")) == []


def test_tags_tell_case_apart(world: Any, iam: Any) -> None:
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone", Tags=[{"Key": "team", "Value": "red"}])
    assert made["VirtualMFADevice"]["Tags"] == [{"Key": "team", "Value": "red"}]
    iam.tag_mfa_device(SerialNumber=PHONE, Tags=[{"Key": "Team", "Value": "blue"}, {"Key": "team", "Value": "green"}])
    both = [{"Key": "Team", "Value": "blue"}, {"Key": "team", "Value": "green"}]
    assert iam.list_mfa_device_tags(SerialNumber=PHONE)["Tags"] == both
    first = iam.list_mfa_device_tags(SerialNumber=PHONE, MaxItems=1)
    assert iam.list_mfa_device_tags(SerialNumber=PHONE, Marker=first["Marker"])["Tags"] == both[1:]
    iam.untag_mfa_device(SerialNumber=PHONE, TagKeys=["team", "absent"])
    assert iam.list_mfa_device_tags(SerialNumber=PHONE)["Tags"] == both[:1]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    fails(iam.tag_mfa_device, "InvalidInput", "Duplicate tag keys found.", 400, SerialNumber=PHONE, Tags=twice)
    many = [{"Key": f"key{number}", "Value": "x"} for number in range(50)]
    fails(iam.tag_mfa_device, "LimitExceeded", "The number of tags has reached the maximum limit.", 409,
          SerialNumber=PHONE, Tags=many)  # fmt: skip


def test_the_account_summary_counts_devices(world: Any, iam: Any) -> None:
    def counted() -> list[int]:
        summary = iam.get_account_summary()["SummaryMap"]
        return [summary[name] for name in ("MFADevices", "MFADevicesInUse", "AccountMFAEnabled")]

    assert counted() == [0, 0, 0]
    new_device(world, iam, "spare")
    enabled_device(world, iam, "bob")
    assert counted() == [2, 1, 0]


# Permissions.


@pytest.mark.parametrize(
    ("operation", "arguments", "resource"),
    [
        ("create_virtual_mfa_device", {"VirtualMFADeviceName": "phone", "Path": "/a/"}, PHONE.replace("/", "/a/")),
        ("delete_virtual_mfa_device", {"SerialNumber": PHONE}, PHONE),
        ("tag_mfa_device", {"SerialNumber": PHONE, "Tags": [{"Key": "a", "Value": "b"}]}, PHONE),
        ("untag_mfa_device", {"SerialNumber": PHONE, "TagKeys": ["a"]}, PHONE),
        ("list_mfa_device_tags", {"SerialNumber": PHONE}, PHONE),
        ("delete_virtual_mfa_device", {"SerialNumber": "GAHT12345678"}, PHONE.replace("phone", "GAHT12345678")),
        ("list_virtual_mfa_devices", {}, PHONE.replace("phone", "")),
        ("enable_mfa_device", {"UserName": "ana", "SerialNumber": PHONE, **CODES}, "user ana"),
        ("resync_mfa_device", {"UserName": "ana", "SerialNumber": PHONE, **CODES}, "user ana"),
        ("deactivate_mfa_device", {"UserName": "ana", "SerialNumber": PHONE}, "user ana"),
        ("deactivate_mfa_device", {"SerialNumber": PHONE}, "user bob"),
        ("list_mfa_devices", {"UserName": "ana"}, "user ana"),
        ("list_mfa_devices", {}, "user bob"),
        ("get_mfa_device", {"UserName": "ana", "SerialNumber": PHONE}, "user ana"),
    ],
)
def test_each_is_refused_on_its_own_resource(
    world: Any, operation: str, arguments: dict[str, Any], resource: str
) -> None:
    bob = world.client("iam", "bob")
    code, message, status = refusal(getattr(bob, operation), **arguments)
    action = bob.meta.method_to_api_mapping[operation]
    assert (code, status) == ("AccessDenied", 403)
    assert message == (
        f"User: arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: iam:{action} on resource: {resource} "
        f"because no identity-based policy allows the iam:{action} action"
    )


def test_creating_with_tags_needs_a_second_permission(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "create", identity("iam:CreateVirtualMFADevice", f"arn:aws:iam::{ACCOUNT}:mfa/*"))
    bob = world.client("iam", "bob")
    tags = [{"Key": "team", "Value": "red"}]
    assert "iam:TagMFADevice" in refusal(bob.create_virtual_mfa_device, VirtualMFADeviceName="phone", Tags=tags)[1]
    keys = {"Condition": {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}}
    put_rights(iam, "bob", "tag", identity("iam:TagMFADevice", **keys))
    bob.create_virtual_mfa_device(VirtualMFADeviceName="phone", Tags=tags)


def test_a_permission_may_ask_for_the_tags_of_the_device(world: Any, iam: Any) -> None:
    for name, team in (("phone", "red"), ("other", "blue")):
        iam.create_virtual_mfa_device(VirtualMFADeviceName=name, Tags=[{"Key": "team", "Value": team}])
    keys = {"Condition": {"StringEquals": {"aws:ResourceTag/team": "red"}}}
    put_rights(iam, "bob", "red", identity("iam:DeleteVirtualMFADevice", **keys))
    bob = world.client("iam", "bob")
    bob.delete_virtual_mfa_device(SerialNumber=PHONE)
    assert refusal(bob.delete_virtual_mfa_device, SerialNumber=PHONE.replace("phone", "other"))[0] == "AccessDenied"


def test_devices_of_another_account_are_out_of_reach(world: Any, iam: Any) -> None:
    kim = world.client("iam", "kim")
    theirs = kim.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]["SerialNumber"]
    assert theirs == f"arn:aws:iam::{OTHER_ACCOUNT}:mfa/phone"
    for call in (iam.delete_virtual_mfa_device, iam.list_mfa_device_tags):
        assert refusal(call, SerialNumber=theirs)[0] == "AccessDenied"
    assert refusal(iam.enable_mfa_device, UserName="bob", SerialNumber=theirs, **CODES)[0] == "NoSuchEntity"
    assert serial_numbers(kim) == [theirs]


def test_a_caller_other_than_a_user_must_name_one(world: Any) -> None:
    manager = world.client("iam", credentials=world.assume("manager"))
    message = "Must specify userName when calling with non-User credentials"
    fails(manager.list_mfa_devices, "ValidationError", message, 400)
    fails(manager.deactivate_mfa_device, "ValidationError", message, 400, SerialNumber=PHONE)
    assert manager.list_mfa_devices(UserName="bob")["MFADevices"] == []
    root = world.client("iam", f"root of {ACCOUNT}")
    assert root.list_mfa_devices()["MFADevices"] == []


def test_the_seed_is_in_no_later_answer(world: Any, iam: Any) -> None:
    device = enabled_device(world, iam, "bob")
    answers = [
        iam.list_virtual_mfa_devices(),
        iam.list_mfa_devices(UserName="bob"),
        iam.get_mfa_device(UserName="bob", SerialNumber=PHONE),
    ]
    assert device.seed not in json.dumps(answers, default=str)
