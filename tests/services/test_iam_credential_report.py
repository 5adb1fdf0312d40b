"""The credential report: its states by the sandbox's clock, and its columns for every kind of credential."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from certificate_calls import certificate
from iam_calls import ACCOUNT, WORLD, declared_user, identity, key_id
from mfa_calls import enabled_device

from rolecall.clock import iso8601

HOUR = 3600
# Users' recordings of 2026. The User Guide's further column was not among them.
HEADER = (
    "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,password_next_rotation,"
    "mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,"
    "access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,"
    "access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,"
    "cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated"
)
NO_KEY = {"active": "false", "last_rotated": "N/A", "last_used_date": "N/A"} | {
    "last_used_region": "N/A",
    "last_used_service": "N/A",
}


@pytest.fixture
def world(make_world: Any) -> Any:
    handle = make_world(WORLD)
    handle.clock.freeze()
    # The second in which the users were made: setting up takes a moment on PostgreSQL. Reports count whole seconds.
    handle.clock.set(handle.client("iam").get_user(UserName="bob")["User"]["CreateDate"].timestamp())
    return handle


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def refused(call: Any) -> tuple[str, int, bool]:
    """Code, status, and whether there is a message. AWS's refusals of reports have none."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"], "Message" in error


def generate(iam: Any) -> dict[str, Any]:
    answer = iam.generate_credential_report()
    del answer["ResponseMetadata"]
    return answer  # type: ignore[no-any-return]


def text_of(iam: Any) -> str:
    """A fresh report, fetched as programs do."""
    for _ in range(3):
        if generate(iam)["State"] == "COMPLETE":
            break
    answer = iam.get_credential_report()
    assert answer["ReportFormat"] == "text/csv"
    return answer["Content"].decode()  # type: ignore[no-any-return]


def report(iam: Any) -> dict[str, dict[str, str]]:
    return {row["user"]: row for row in csv.DictReader(io.StringIO(text_of(iam)))}


def columns(row: dict[str, str], prefix: str) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}


def now(world: Any) -> str:
    return iso8601(world.clock.now_seconds())


# The states.


def test_without_a_report(iam: Any) -> None:
    """Recorded: status 410, without a message."""
    assert refused(iam.get_credential_report) == ("ReportNotPresent", 410, False)


def test_a_program_that_asks_until_the_report_is_complete(iam: Any) -> None:
    first = {"State": "STARTED", "Description": "No report exists. Starting a new report generation task"}
    assert generate(iam) == first
    assert refused(iam.get_credential_report) == ("ReportInProgress", 404, False)
    assert generate(iam) == {"State": "INPROGRESS"}
    assert generate(iam) == {"State": "COMPLETE"}
    assert generate(iam) == {"State": "COMPLETE"}
    assert iam.get_credential_report()["Content"]


def test_a_program_that_asks_for_the_report_until_it_is_there(world: Any, iam: Any) -> None:
    started = now(world)
    generate(iam)
    world.clock.advance(0.9)
    assert refused(iam.get_credential_report)[0] == "ReportInProgress"
    world.clock.advance(0.2)
    answer = iam.get_credential_report()
    assert iso8601(answer["GeneratedTime"].timestamp()) == started


def test_a_report_is_kept_for_four_hours(world: Any, iam: Any) -> None:
    """IAM User Guide: "You can generate a credential report as often as once every four hours." """
    made_at, before = now(world), text_of(iam)
    iam.create_user(UserName="later")
    iam.delete_access_key(UserName="bob", AccessKeyId=key_id("bob1"))
    world.clock.advance(4 * HOUR)
    assert generate(iam) == {"State": "COMPLETE"}
    answer = iam.get_credential_report()
    assert answer["Content"].decode() == before
    assert iso8601(answer["GeneratedTime"].timestamp()) == made_at
    world.clock.advance(1)
    assert refused(iam.get_credential_report) == ("ReportExpired", 410, False)
    assert generate(iam) == {"State": "STARTED"}
    assert refused(iam.get_credential_report)[0] == "ReportInProgress"
    assert "later" in report(iam)


def test_each_account_has_its_own_report(world: Any, iam: Any) -> None:
    generate(iam)
    theirs = world.client("iam", user="kim")
    assert refused(theirs.get_credential_report)[0] == "ReportNotPresent"
    assert set(report(theirs)) == {"<root_account>", "kim"}


def test_asking_needs_one_permission_and_reading_another(make_world: Any) -> None:
    rights = {"maker": "iam:GenerateCredentialReport", "reader": "iam:GetCredentialReport"}
    users = [declared_user(name, inline_policies={"own": identity(action)}) for name, action in rights.items()]
    world = make_world(json.dumps({"version": 1, "accounts": [{"id": ACCOUNT, "users": users}]}))
    maker, reader = world.client("iam", "maker"), world.client("iam", "reader")
    assert refused(reader.generate_credential_report)[:2] == ("AccessDenied", 403)
    generate(maker)
    generate(maker)
    assert refused(maker.get_credential_report)[:2] == ("AccessDenied", 403)
    assert reader.get_credential_report()["Content"]


def test_waiting_for_a_report_writes_no_rights(world: Any, iam: Any) -> None:
    """Every worker keeps what it knows about policies."""
    with world.database.snapshot() as connection:
        before = world.database.generation(connection)
    text_of(iam)
    with world.database.snapshot() as connection:
        assert world.database.generation(connection) == before


# The text.


def test_the_lines(iam: Any) -> None:
    """Recorded: the root user first, the others by name without case; line feeds, and none at the end."""
    for name in ("Zoe", "abe", "Abel"):
        iam.create_user(UserName=name)
    text = text_of(iam)
    lines = text.split("\n")
    assert lines[0] == HEADER
    assert [line.split(",")[0] for line in lines[1:]] == [
        "<root_account>",
        "abe",
        "Abel",
        "admin",
        "ana",
        "bob",
        "full",
        "Zoe",
    ]
    assert "\r" not in text


def test_a_user_with_nothing(world: Any, iam: Any) -> None:
    iam.create_user(UserName="new", Path="/a/b/")
    assert [*report(iam)["new"].values()] == [
        "new",
        f"arn:aws:iam::{ACCOUNT}:user/a/b/new",
        now(world),
        *["false", "N/A", "N/A", "N/A"],
        "false",
        *["false", "N/A", "N/A", "N/A", "N/A"] * 2,
        *["false", "N/A"] * 2,
    ]


def test_a_name_with_a_comma_stays_one_column(iam: Any) -> None:
    iam.create_user(UserName="a,b=c")
    assert report(iam)["a,b=c"]["arn"] == f"arn:aws:iam::{ACCOUNT}:user/a,b=c"


def test_a_password(world: Any, iam: Any) -> None:
    iam.create_login_profile(UserName="bob", Password="Correct-horse-7")
    first = now(world)
    row = report(iam)["bob"]
    assert columns(row, "password_") == {
        "enabled": "true",
        "last_used": "no_information",
        "last_changed": first,
        "next_rotation": "N/A",
    }
    world.clock.advance(5 * HOUR)
    iam.update_login_profile(UserName="bob", PasswordResetRequired=True)
    assert report(iam)["bob"]["password_last_changed"] == first
    world.clock.advance(5 * HOUR)
    iam.update_login_profile(UserName="bob", Password="Correct-horse-8")
    iam.update_account_password_policy(MaxPasswordAge=90)
    changed = world.clock.now_seconds()
    row = report(iam)["bob"]
    assert row["password_last_changed"] == iso8601(changed)
    assert row["password_next_rotation"] == iso8601(changed + 90 * 24 * HOUR)
    world.clock.advance(5 * HOUR)
    iam.delete_login_profile(UserName="bob")
    assert [*columns(report(iam)["bob"], "password_").values()] == ["false", "N/A", "N/A", "N/A"]


def test_keys_and_their_last_use(world: Any, iam: Any) -> None:
    made_at = now(world)
    world.clock.advance(60)
    second = iam.create_access_key(UserName="bob")["AccessKey"]
    iam.update_access_key(UserName="bob", AccessKeyId=second["AccessKeyId"], Status="Inactive")
    used = world.client("sts", "bob", region="eu-west-1", endpoint_url="http://sts.eu-west-1.amazonaws.com")
    used.get_caller_identity()
    row = report(iam)["bob"]
    by_id = dict(zip(sorted([key_id("bob1"), second["AccessKeyId"]]), ("access_key_1_", "access_key_2_"), strict=True))
    assert columns(row, by_id[key_id("bob1")]) == {
        "active": "true",
        "last_rotated": made_at,
        "last_used_date": now(world),
        "last_used_region": "eu-west-1",
        "last_used_service": "sts",
    }
    # Recorded: an inactive key keeps its date.
    assert columns(row, by_id[second["AccessKeyId"]]) == {**NO_KEY, "last_rotated": now(world)}


def test_a_device(world: Any, iam: Any) -> None:
    iam.create_virtual_mfa_device(VirtualMFADeviceName="unused")
    device = enabled_device(world, iam, "bob")
    found = report(iam)
    assert (found["bob"]["mfa_active"], found["ana"]["mfa_active"]) == ("true", "false")
    world.clock.advance(5 * HOUR)
    iam.deactivate_mfa_device(UserName="bob", SerialNumber=device.serial_number)
    assert report(iam)["bob"]["mfa_active"] == "false"


def test_certificates(world: Any, iam: Any) -> None:
    first = iam.upload_signing_certificate(UserName="bob", CertificateBody=certificate("one"))["Certificate"]
    first_at = now(world)
    assert columns(report(iam)["bob"], "cert_") == {
        "1_active": "true",
        "1_last_rotated": first_at,
        "2_active": "false",
        "2_last_rotated": "N/A",
    }
    world.clock.advance(5 * HOUR)
    second = iam.upload_signing_certificate(UserName="bob", CertificateBody=certificate("two"))["Certificate"]
    iam.update_signing_certificate(UserName="bob", CertificateId=second["CertificateId"], Status="Inactive")
    # Recorded: the inactive one comes first.
    assert [*columns(report(iam)["bob"], "cert_").values()] == ["false", now(world), "true", first_at]
    assert first["CertificateId"] != second["CertificateId"]


def test_the_root_user(world: Any, iam: Any) -> None:
    row = report(iam)["<root_account>"]
    assert (row["arn"], row["mfa_active"]) == (f"arn:aws:iam::{ACCOUNT}:root", "false")
    assert [*columns(row, "password_").values()] == ["false", "N/A", "N/A", "not_supported"]
    assert columns(row, "access_key_1_") == {**NO_KEY, "active": "true", "last_rotated": row["user_creation_time"]}
    assert columns(row, "access_key_2_") == NO_KEY


def test_the_root_users_rotation_is_never_supported(make_world: Any) -> None:
    device = {"name": "root-account-mfa-device", "seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
    admin = declared_user("admin", inline_policies={"own": identity("iam:*")}, created_at="2020-05-06T07:08:09Z")
    account = {"id": ACCOUNT, "users": [admin], "root_mfa_devices": [device]}
    iam = make_world(json.dumps({"version": 1, "accounts": [account]})).client("iam")
    iam.update_account_password_policy(MaxPasswordAge=10)
    row = report(iam)["<root_account>"]
    assert row["password_next_rotation"] == "not_supported"
    assert row["mfa_active"] == "true"
    # Without a key of the root user, the oldest user shows how old the account is at least.
    assert row["user_creation_time"] == "2020-05-06T07:08:09Z"


def test_more_credentials_than_columns(make_world: Any) -> None:
    """User Guide, additional_credentials_info: their number, and the actions that list them."""
    keys = [{"id": f"AKIAEXAMPLEEXAMPLE{number}", "secret": "secret"} for number in range(4)]
    admin = declared_user("admin", inline_policies={"own": identity("iam:*")})
    account = {"id": ACCOUNT, "users": [admin, {"name": "many", "access_keys": keys}]}
    iam = make_world(json.dumps({"version": 1, "accounts": [account]})).client("iam")
    text = text_of(iam)
    assert text.split("\n")[0] == f"{HEADER},additional_credentials_info"
    rows = {row["user"]: row["additional_credentials_info"] for row in csv.DictReader(io.StringIO(text))}
    assert rows == {"<root_account>": "", "admin": "", "many": "2 additional access keys: ListAccessKeys"}
