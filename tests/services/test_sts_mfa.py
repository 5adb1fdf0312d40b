"""SerialNumber and TokenCode of AssumeRole and GetSessionToken, and the rights of a session that they give."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.credentials import AssumeRoleCredentialFetcher, Credentials
from botocore.exceptions import ClientError
from mfa_calls import STEP_SECONDS, Authenticator, at_distinct_codes, enabled_device, new_device
from sts_calls import (
    ACCOUNT,
    account,
    allow,
    answered,
    declared,
    declared_key,
    deny,
    policy,
    refusal,
    role,
    role_arn,
    root_arn,
    root_user,
    statement,
    trust,
    user,
)

from rolecall.app import open_database
from rolecall.clock import Clock
from rolecall.storage.engine import Database
from rolecall.storage.mfa_devices import lock_device, use_step
from rolecall.worlds.declare import read_world

INVALID_CODE = (403, "AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
NOT_YOURS = (
    403,
    "AccessDenied",
    "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and "
    "associated with this user.",
)
NOT_BOTH = (
    403,
    "AccessDenied",
    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
)
WITH_MFA = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
RECENT = {"Condition": {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}}
WORLD = declared(
    account(
        users=[user("ana", allow("*")), user("bob", allow("*"))],
        roles=[
            role("guarded", trust(root_arn(), **WITH_MFA), allow("*")),
            role("recent", trust(root_arn(), **RECENT), allow("*")),
            role("open", trust(root_arn()), allow("*")),
        ],
    )
)
SESSION = {"RoleSessionName": "session"}
GUARDED = {"RoleArn": role_arn("guarded"), **SESSION}


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def ana(world: Any) -> Any:
    return world.client("sts", "ana")


@pytest.fixture
def phone(world: Any) -> Authenticator:
    """Ana's device."""
    return enabled_device(world, world.client("iam"), "ana")


def carried(operation: str) -> dict[str, Any]:
    return GUARDED if operation == "AssumeRole" else {}


each = pytest.mark.parametrize("operation", ["AssumeRole", "GetSessionToken"])


@each
def test_a_code_is_good_once(ana: Any, phone: Authenticator, operation: str) -> None:
    proof = phone.proof()
    assert answered(ana, operation, **carried(operation), **proof) == "allowed"
    assert refusal(ana, operation, **carried(operation), **proof) == INVALID_CODE
    phone.clock.advance(STEP_SECONDS)
    assert refusal(ana, operation, **carried(operation), **proof) == INVALID_CODE
    assert answered(ana, operation, **carried(operation), **phone.proof()) == "allowed"


def test_a_code_is_good_once_for_both_operations(ana: Any, phone: Authenticator) -> None:
    proof = phone.proof()
    ana.get_session_token(**proof)
    assert refusal(ana, "AssumeRole", **GUARDED, **proof) == INVALID_CODE


@each
@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_codes_of_the_steps_around_are_accepted(
    ana: Any, phone: Authenticator, operation: str, steps: int, accepted: bool
) -> None:
    phone.clock.advance(10 * STEP_SECONDS)
    expected = "allowed" if accepted else INVALID_CODE
    assert answered(ana, operation, **carried(operation), **phone.proof(steps)) == expected


def test_after_a_code_no_older_one_is_good(ana: Any, phone: Authenticator) -> None:
    phone.clock.advance(10 * STEP_SECONDS)
    ana.get_session_token(**phone.proof(1))
    for steps in (-1, 0, 1):
        assert refusal(ana, "GetSessionToken", **phone.proof(steps)) == INVALID_CODE
    phone.clock.advance(STEP_SECONDS)
    ana.get_session_token(**phone.proof(1))


def test_the_codes_that_enabled_the_device_are_used(world: Any, ana: Any) -> None:
    iam = world.client("iam")
    device = new_device(world, iam)
    iam.enable_mfa_device(UserName="ana", SerialNumber=device.serial_number, **device.pair())
    assert refusal(ana, "GetSessionToken", **device.proof()) == INVALID_CODE
    ana.get_session_token(**device.proof(1))


@each
def test_wrong_codes_lock_nothing(ana: Any, phone: Authenticator, operation: str) -> None:
    for _ in range(3):
        wrong = {"SerialNumber": phone.serial_number, "TokenCode": phone.wrong()}
        assert refusal(ana, operation, **carried(operation), **wrong) == INVALID_CODE
    assert answered(ana, operation, **carried(operation), **phone.proof()) == "allowed"


@each
@pytest.mark.parametrize("given", ["SerialNumber", "TokenCode"])
def test_both_go_together(ana: Any, phone: Authenticator, operation: str, given: str) -> None:
    proof = phone.proof()
    assert refusal(ana, operation, **carried(operation), **{given: proof[given]}) == NOT_BOTH
    assert answered(ana, operation, **carried(operation), **proof) == "allowed"


@each
def test_the_device_must_be_the_callers_own(world: Any, ana: Any, phone: Authenticator, operation: str) -> None:
    iam = world.client("iam")
    nobodys = new_device(world, iam, "spare")
    for client in (world.client("sts", "bob"), world.client("sts")):
        assert refusal(client, operation, **carried(operation), **phone.proof()) == NOT_YOURS
    assert refusal(ana, operation, **carried(operation), **nobodys.proof()) == NOT_YOURS
    for serial_number in ("GAHT12345678", f"arn:aws:iam::{ACCOUNT}:mfa/absent", phone.serial_number.upper()):
        proof = {**phone.proof(), "SerialNumber": serial_number}
        assert refusal(ana, operation, **carried(operation), **proof) == NOT_YOURS
    # None of these calls used the code up.
    assert answered(ana, operation, **carried(operation), **phone.proof()) == "allowed"
    phone.clock.advance(STEP_SECONDS)
    iam.deactivate_mfa_device(UserName="ana", SerialNumber=phone.serial_number)
    assert refusal(ana, operation, **carried(operation), **phone.proof()) == NOT_YOURS


def test_sessions_have_no_device(world: Any, ana: Any, phone: Authenticator) -> None:
    of_user = world.client("sts", credentials=ana.get_session_token()["Credentials"])
    of_role = world.client("sts", credentials=world.assume("open", "ana"))
    for session in (of_user, of_role):
        assert refusal(session, "AssumeRole", **GUARDED, **phone.proof()) == NOT_YOURS
        refused = (403, "AccessDenied", "Cannot call GetSessionToken with session credentials")
        assert refusal(session, "GetSessionToken", **phone.proof()) == refused
    ana.assume_role(**GUARDED, **phone.proof())


# The order of the checks.


def test_a_failing_code_comes_before_every_policy(world: Any, phone: Authenticator) -> None:
    world.client("iam").put_user_policy(
        UserName="ana", PolicyName="none", PolicyDocument=json.dumps(deny("sts:AssumeRole"))
    )
    ana = world.client("sts", "ana")
    absent = {**GUARDED, "RoleArn": role_arn("absent")}
    wrong = {"SerialNumber": phone.serial_number, "TokenCode": phone.wrong()}
    assert refusal(ana, "AssumeRole", **absent, **wrong) == INVALID_CODE
    # A refusal by a policy uses the code up, too.
    proof = phone.proof()
    assert "explicit deny" in refusal(ana, "AssumeRole", **GUARDED, **proof)[2]
    assert refusal(ana, "AssumeRole", **GUARDED, **proof) == INVALID_CODE


def test_parameters_that_are_wrong_come_before_the_code_and_leave_it(ana: Any, phone: Authenticator) -> None:
    wrong = [{"RoleSessionName": "a b"}, {"RoleArn": "arn:of:nothing:at:all"}, {"TransitiveTagKeys": ["absent"]}]
    for parameters in wrong:
        status, code, _ = refusal(ana, "AssumeRole", **{**GUARDED, **phone.proof(), **parameters})
        assert (status, code != "AccessDenied") == (400, True)
    ana.assume_role(**GUARDED, **phone.proof())


# The rights of a session.


def test_only_with_mfa_does_the_trust_policy_agree(world: Any, ana: Any, phone: Authenticator) -> None:
    for name in ("guarded", "recent"):
        arguments = {"RoleArn": role_arn(name), **SESSION}
        assert "no role trust policy allows" in refusal(ana, "AssumeRole", **arguments)[2]
        # A session of the user without MFA has the key with the value false.
        plain = world.client("sts", credentials=ana.get_session_token()["Credentials"])
        assert refusal(plain, "AssumeRole", **arguments)[1] == "AccessDenied"
        assert answered(ana, "AssumeRole", **arguments, **phone.proof()) == "allowed"
        phone.clock.advance(STEP_SECONDS)


def test_the_callers_own_policies_see_it_too(world: Any, phone: Authenticator) -> None:
    unless = statement("*", effect="Deny", Condition={"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})
    none = statement("*", effect="Deny", Condition={"Null": {"aws:MultiFactorAuthAge": "true"}})
    iam = world.client("iam")
    ana = world.client("sts", "ana")
    arguments = {"RoleArn": role_arn("open"), **SESSION}
    iam.put_user_policy(UserName="ana", PolicyName="mfa", PolicyDocument=json.dumps(policy(unless)))
    # BoolIfExists is true for an absent key, as with long-term keys.
    assert "explicit deny" in refusal(ana, "AssumeRole", **arguments)[2]
    iam.put_user_policy(UserName="ana", PolicyName="mfa", PolicyDocument=json.dumps(policy(unless, none)))
    assert "explicit deny" in refusal(ana, "AssumeRole", **arguments)[2]
    ana.assume_role(**arguments, **phone.proof())


def test_with_long_term_keys_the_key_is_absent_and_not_false(world: Any, ana: Any, phone: Authenticator) -> None:
    bool_false = statement("iam:*", effect="Deny", Condition={"Bool": {"aws:MultiFactorAuthPresent": "false"}})
    world.client("iam").put_user_policy(UserName="ana", PolicyName="b", PolicyDocument=json.dumps(policy(bool_false)))
    world.client("iam", "ana").list_users()
    with_mfa = ana.get_session_token(**phone.proof())["Credentials"]
    world.client("iam", credentials=with_mfa).list_users()
    role_session = world.assume("open", "ana")
    world.client("iam", credentials=role_session).list_users()


def mfa_keys(world: Any, credentials: dict[str, Any]) -> dict[str, str | None]:
    """Both keys in the calls of a session, read from the decision log."""
    world.client("chime", credentials=credentials).list_accounts()
    context = world.outcomes[-1].decisions[0].question.context
    return {key: context.get(key) for key in ("aws:multifactorauthpresent", "aws:multifactorauthage")}


def test_a_session_of_the_user_keeps_it_and_it_ages(world: Any, ana: Any, phone: Authenticator) -> None:
    given = ana.get_session_token(**phone.proof())["Credentials"]
    for age in (0, 600, 1300):
        keys = {"aws:multifactorauthpresent": "true", "aws:multifactorauthage": str(age)}
        assert mfa_keys(world, given) == keys
        phone.clock.advance(600 if age == 0 else 700)


NO_MFA = {"aws:multifactorauthpresent": "false", "aws:multifactorauthage": None}


def test_the_code_of_assume_role_counts_for_that_call_alone(world: Any, ana: Any, phone: Authenticator) -> None:
    given = ana.assume_role(**GUARDED, **phone.proof())["Credentials"]
    assert mfa_keys(world, given) == NO_MFA
    sts = world.client("sts", credentials=given)
    for name in ("guarded", "recent"):
        assert refusal(sts, "AssumeRole", RoleArn=role_arn(name), **SESSION)[1] == "AccessDenied"
    assert world.outcomes[-1].caller.session.mfa_authenticated_at_seconds is None


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, False),
        # Present and false, so a condition that lets long-term keys pass refuses these.
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, True),
        ({"Null": {"aws:MultiFactorAuthPresent": "false"}}, True),
        ({"Null": {"aws:MultiFactorAuthAge": "true"}}, True),
        ({"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}, False),
    ],
)
def test_policies_of_a_role_that_was_assumed_with_a_code(
    world: Any, ana: Any, phone: Authenticator, condition: dict[str, Any], allowed: bool
) -> None:
    document = json.dumps(allow("iam:ListUsers", Condition=condition))
    given = ana.assume_role(**GUARDED, **phone.proof(), Policy=document)["Credentials"]
    iam = world.client("iam", credentials=given)
    assert (answered(iam, "ListUsers") == "allowed") is allowed


def test_a_session_with_mfa_assumes_a_role_that_asks_for_it(world: Any, ana: Any, phone: Authenticator) -> None:
    """A session with MFA makes the call, as the trust policy requires. The role's session has no MFA."""
    session = world.client("sts", credentials=ana.get_session_token(**phone.proof())["Credentials"])
    given = session.assume_role(**GUARDED)["Credentials"]
    assert mfa_keys(world, given) == NO_MFA
    assert refusal(world.client("sts", credentials=given), "AssumeRole", **GUARDED)[1] == "AccessDenied"


def test_a_session_with_mfa_may_call_iam(world: Any, ana: Any, phone: Authenticator) -> None:
    without = world.client("iam", credentials=ana.get_session_token()["Credentials"])
    refused = (403, "InvalidClientTokenId", "The security token included in the request is invalid")
    assert refusal(without, "ListUsers") == refused
    given = ana.get_session_token(**phone.proof(), DurationSeconds=7200)["Credentials"]
    iam = world.client("iam", credentials=given)
    assert iam.get_user()["User"]["UserName"] == "ana"
    assert iam.list_mfa_devices()["MFADevices"][0]["SerialNumber"] == phone.serial_number
    aged = deny("iam:*", Condition={"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}})
    world.client("iam").put_user_policy(UserName="ana", PolicyName="aged", PolicyDocument=json.dumps(aged))
    phone.clock.advance(3600)
    iam.list_users()
    phone.clock.advance(1)
    assert "explicit deny" in refusal(iam, "ListUsers")[2]


# The policy that the IAM User Guide proposes: "Allows MFA-authenticated IAM users to manage their own credentials".

FORCE_MFA = policy(
    statement(["iam:GetAccountPasswordPolicy", "iam:ListVirtualMFADevices"]),
    statement(["iam:ChangePassword", "iam:GetUser"], "arn:aws:iam::*:user/${aws:username}"),
    statement(
        ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:ListAccessKeys", "iam:UpdateAccessKey"],
        "arn:aws:iam::*:user/${aws:username}",
    ),
    statement(["iam:CreateVirtualMFADevice", "iam:DeleteVirtualMFADevice"], "arn:aws:iam::*:mfa/${aws:username}"),
    statement(
        ["iam:DeactivateMFADevice", "iam:EnableMFADevice", "iam:ListMFADevices", "iam:ResyncMFADevice"],
        "arn:aws:iam::*:user/${aws:username}",
    ),
    {
        "Effect": "Deny",
        "NotAction": [
            "iam:CreateVirtualMFADevice",
            "iam:EnableMFADevice",
            "iam:GetUser",
            "iam:GetMFADevice",
            "iam:ListMFADevices",
            "iam:ListVirtualMFADevices",
            "iam:ResyncMFADevice",
            "sts:GetSessionToken",
        ],
        "Resource": "*",
        "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
    },
)


def test_the_policy_that_forces_mfa(make_world: Any) -> None:
    world = make_world(declared(account(users=[user("eve", FORCE_MFA), user("bob")])))
    iam = world.client("iam", "eve")
    for name, arguments in (
        ("ListAccessKeys", {}),
        ("DeleteVirtualMFADevice", {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/eve"}),
    ):
        assert "explicit deny" in refusal(iam, name, **arguments)[2]
    assert refusal(iam, "CreateVirtualMFADevice", VirtualMFADeviceName="bob")[1] == "AccessDenied"
    device = new_device(world, iam, "eve")
    enable = {"SerialNumber": device.serial_number, **device.pair()}
    assert refusal(iam, "EnableMFADevice", UserName="bob", **enable)[1] == "AccessDenied"
    iam.enable_mfa_device(UserName="eve", **enable)
    assert "explicit deny" in refusal(iam, "ListAccessKeys")[2]
    given = world.client("sts", "eve").get_session_token(**device.proof(1))["Credentials"]
    with_mfa = world.client("iam", credentials=given)
    [key] = with_mfa.list_access_keys(UserName="eve")["AccessKeyMetadata"]
    assert key["AccessKeyId"] == declared_key("eve")["id"]
    assert refusal(with_mfa, "ListAccessKeys", UserName="bob")[1] == "AccessDenied"
    with_mfa.deactivate_mfa_device(UserName="eve", SerialNumber=device.serial_number)
    with_mfa.delete_virtual_mfa_device(SerialNumber=device.serial_number)


# Many calls at once, and what is written.


def test_of_many_with_one_code_one_is_answered(world: Any, phone: Authenticator) -> None:
    proof, barrier = phone.proof(), threading.Barrier(6)
    clients = [world.client("sts", "ana") for _ in range(6)]

    def call(client: Any) -> str:
        barrier.wait()
        try:
            client.get_session_token(**proof)
        except ClientError as error:
            return str(error.response["Error"]["Message"])
        return "allowed"

    with ThreadPoolExecutor(6) as pool:
        outcomes = sorted(pool.map(call, clients))
    assert outcomes == sorted(["allowed", *[INVALID_CODE[2]] * 5])


def test_using_a_code_leaves_caches_valid(world: Any, ana: Any, phone: Authenticator) -> None:
    def generation() -> int:
        with world.database.snapshot() as connection:
            return world.database.generation(connection)  # type: ignore[no-any-return]

    for call, parameters in ((ana.get_session_token, {}), (ana.assume_role, GUARDED)):
        before = generation()
        call(**parameters, **phone.proof())
        assert generation() == before
        phone.clock.advance(STEP_SECONDS)


def test_root_cannot_use_a_users_device(world: Any) -> None:
    root = world.client("sts", root_user())
    users = enabled_device(world, world.client("iam"), "ana")
    assert refusal(root, "GetSessionToken", **users.proof()) == NOT_YOURS
    refused = (403, "AccessDenied", "Roles may not be assumed by root accounts.")
    assert refusal(root, "AssumeRole", **GUARDED, **users.proof()) == refused


# Devices of the sandbox file.

SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
DECLARED = declared(
    {
        **account(
            users=[user("ana", allow("*"), mfa_devices=[{"name": "anas-phone", "seed": SEED}])],
            roles=[role("guarded", trust(root_arn(), **WITH_MFA), allow("*"))],
        ),
        "root_mfa_devices": [{"name": "root-account-mfa-device", "seed": SEED}],
    }
)


def device_of_file(world: Any, name: str) -> Authenticator:
    world.clock.freeze()
    return at_distinct_codes(Authenticator(world.clock, f"arn:aws:iam::{ACCOUNT}:mfa/{name}", SEED))


def test_a_declared_device_is_enabled(make_world: Any) -> None:
    world = make_world(DECLARED)
    phone = device_of_file(world, "anas-phone")
    ana = world.client("sts", "ana")
    ana.assume_role(**GUARDED, **phone.proof())
    assert refusal(ana, "AssumeRole", **GUARDED, **phone.proof()) == INVALID_CODE
    devices = world.client("iam").list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert [device["User"]["Arn"] for device in devices] == [f"arn:aws:iam::{ACCOUNT}:user/ana", root_arn()]
    assert devices[1]["User"]["UserId"] == ACCOUNT
    assert world.client("iam").get_account_summary()["SummaryMap"]["AccountMFAEnabled"] == 1


def test_roots_device_is_roots_alone(make_world: Any) -> None:
    world = make_world(DECLARED)
    device = device_of_file(world, "root-account-mfa-device")
    users = device_of_file(world, "anas-phone")
    root = world.client("sts", root_user())
    assert refusal(world.client("sts", "ana"), "GetSessionToken", **device.proof()) == NOT_YOURS
    assert refusal(root, "GetSessionToken", **users.proof()) == NOT_YOURS
    given = root.get_session_token(**device.proof())["Credentials"]
    session = world.client("iam", credentials=given)
    [shown] = session.list_mfa_devices()["MFADevices"]
    assert shown["SerialNumber"] == device.serial_number
    assert refusal(session, "DeleteVirtualMFADevice", SerialNumber=device.serial_number)[1] == "DeleteConflict"
    session.deactivate_mfa_device(SerialNumber=device.serial_number)
    session.delete_virtual_mfa_device(SerialNumber=device.serial_number)
    assert session.list_mfa_devices()["MFADevices"] == []


def test_a_reset_brings_declared_devices_back_and_forgets_used_codes(make_world: Any) -> None:
    world = make_world(DECLARED)
    phone = device_of_file(world, "anas-phone")
    world.client("sts", "ana").get_session_token(**phone.proof())
    iam = world.client("iam")
    iam.deactivate_mfa_device(UserName="ana", SerialNumber=phone.serial_number)
    iam.delete_virtual_mfa_device(SerialNumber=phone.serial_number)
    local = {"REMOTE_ADDR": "127.0.0.1"}
    assert world.application.test_client().post("/_rolecall/reset", environ_base=local).status_code == 200
    world.client("sts", "ana").get_session_token(**phone.proof())


# As SDKs call it.


def test_botocores_profiles_with_mfa_serial(world: Any, phone: Authenticator) -> None:
    asked: list[str] = []

    def prompter(prompt: str) -> str:
        asked.append(prompt)
        return phone.code()

    key = declared_key("ana")
    fetcher = AssumeRoleCredentialFetcher(
        client_creator=lambda service, **_: world.client(service, "ana"),
        source_credentials=Credentials(key["id"], key["secret"]),
        role_arn=role_arn("guarded"),
        extra_args={"SerialNumber": phone.serial_number, "RoleSessionName": "session"},
        mfa_prompter=prompter,
    )
    given = fetcher.fetch_credentials()
    assert asked == [f"Enter MFA code for {phone.serial_number}: "]
    keys = (given["access_key"], given["secret_key"], given["token"])
    assert world.client("sts", keys=keys).get_caller_identity()["Arn"].endswith("assumed-role/guarded/session")


def test_workers_on_one_database_agree_on_the_first_caller(tmp_path: Path) -> None:
    """Every thread opens the file for itself, as worker processes do. Steps come in any order."""
    url = f"sqlite:///{tmp_path / 'sandbox.db'}"
    open_database(url, read_world(DECLARED), Clock()).close()
    serial_number = f"arn:aws:iam::{ACCOUNT}:mfa/anas-phone"
    barrier = threading.Barrier(4)

    def worker(number: int) -> list[int]:
        database = Database(url)
        won = []
        for step in (3, 1, 2, 4, 4, 3):
            barrier.wait()
            with database.transaction() as connection:
                assert lock_device(connection, serial_number) == SEED
                if use_step(connection, serial_number, step + 10 * (number % 2)):
                    won.append(step + 10 * (number % 2))
        database.close()
        return won

    with ThreadPoolExecutor(4) as pool:
        won = [step for steps in pool.map(worker, range(4)) for step in steps]
    # Each step at most once, and none older than a used one; 14 is the newest step of all calls.
    assert len(won) == len(set(won))
    assert {13, 14} <= set(won) <= {3, 13, 14}
