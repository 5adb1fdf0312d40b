"""The AWS command line interface from the package index, pointed to Rolecall by its environment."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from served import FIRST_ACCOUNT, SECOND_ACCOUNT, Server, role_arn

from rolecall.sessions.one_time_codes import codes_from

STEP_SECONDS = 30

# The exit status of version 1 when the service refused; version 2 uses 254.
REFUSED_STATUS = 255
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{FIRST_ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}
READ_ACCOUNTS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "chime:ListAccounts", "Resource": "*"}],
}


@pytest.fixture(autouse=True)
def _aws_starts_in_a_moment(server: Server, command_folder: Path) -> None:
    server.aws_command = [str(command_folder / "aws")]


def answered(server: Server, *arguments: str, **environment: str) -> Any:
    """The JSON that a command prints. It must print nothing on stderr."""
    done = server.aws(*arguments, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout) if done.stdout else None


def refused(server: Server, *arguments: str, **environment: str) -> str:
    """The message of a refused command."""
    done = server.aws(*arguments, **environment)
    assert (done.returncode, done.stdout) == (REFUSED_STATUS, "")
    return done.stderr.strip()


def held(credentials: dict[str, str]) -> dict[str, str]:
    return {
        "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
        "AWS_SESSION_TOKEN": credentials["SessionToken"],
    }


def test_who_am_i(server: Server) -> None:
    identity = answered(server, "sts", "get-caller-identity")
    assert identity["Arn"] == f"arn:aws:iam::{FIRST_ACCOUNT}:user/admin"
    assert re.fullmatch(r"AIDA[A-Z2-7]{17}", identity["UserId"])


def test_assume_role_and_use_what_it_gives(server: Server) -> None:
    given = answered(
        server, "sts", "assume-role", "--role-arn", role_arn("chime-reader"), "--role-session-name", "from-cli"
    )
    assert given["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{FIRST_ACCOUNT}:assumed-role/chime-reader/from-cli"
    environment = held(given["Credentials"])
    (account,) = answered(server, "chime", "list-accounts", **environment)["Accounts"]
    said = refused(
        server, "chime", "create-user", "--account-id", account["AccountId"], "--email", "a@b.example", **environment
    )
    assert said.endswith(
        "An error occurred (ForbiddenException) when calling the CreateUser operation: "
        f"User: arn:aws:sts::{FIRST_ACCOUNT}:assumed-role/chime-reader/from-cli is not authorized to perform: "
        "chime:CreateUser because no identity-based policy allows the chime:CreateUser action"
    )


def test_a_federated_user(server: Server) -> None:
    given = answered(
        server,
        *("sts", "get-federation-token", "--name", "ana", "--policy", json.dumps(READ_ACCOUNTS)),
        *("--duration-seconds", "900", "--tags", "Key=team,Value=core"),
    )
    left = datetime.fromisoformat(given["Credentials"]["Expiration"]) - datetime.now(UTC)
    assert 800 < left.total_seconds() <= 900
    environment = held(given["Credentials"])
    (account,) = answered(server, "chime", "list-accounts", **environment)["Accounts"]
    said = refused(server, "chime", "list-users", "--account-id", account["AccountId"], **environment)
    assert "(ForbiddenException)" in said
    assert said.endswith("because no session policy allows the chime:ListUsers action")


def test_a_role_from_its_making_to_its_end(server: Server) -> None:
    made = answered(
        server,
        *("iam", "create-role", "--role-name", "from-cli", "--path", "/tools/", "--description", "Made by a test"),
        *("--assume-role-policy-document", json.dumps(TRUST), "--tags", "Key=team,Value=core"),
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{FIRST_ACCOUNT}:role/tools/from-cli"
    assert made["AssumeRolePolicyDocument"] == TRUST
    shown = answered(server, "iam", "get-role", "--role-name", "from-cli")["Role"]
    assert (shown["RoleId"], shown["Description"]) == (made["RoleId"], "Made by a test")
    assert shown["Tags"] == [{"Key": "team", "Value": "core"}]
    listed = answered(server, "iam", "list-roles", "--path-prefix", "/tools/", "--page-size", "1")["Roles"]
    assert [role["RoleName"] for role in listed] == ["from-cli"]
    said = refused(
        server, "iam", "create-role", "--role-name", "FROM-CLI", "--assume-role-policy-document", json.dumps(TRUST)
    )
    assert "(EntityAlreadyExists) when calling the CreateRole operation" in said
    assert answered(server, "iam", "delete-role", "--role-name", "from-cli") is None
    said = refused(server, "iam", "get-role", "--role-name", "from-cli")
    assert said.endswith(
        "An error occurred (NoSuchEntity) when calling the GetRole operation: "
        "The role with name from-cli cannot be found."
    )


def test_wrong_keys(server: Server) -> None:
    said = refused(server, "sts", "get-caller-identity", AWS_SECRET_ACCESS_KEY="wrong")
    assert "(SignatureDoesNotMatch)" in said
    said = refused(server, "chime", "list-accounts", AWS_ACCESS_KEY_ID="nobody")
    assert "(UnrecognizedClientException)" in said


@pytest.fixture
def stopped_clock(server: Server) -> Iterator[Callable[[float], None]]:
    """Stops the sandbox's clock at a time: commands take seconds, and codes hold for a minute."""

    def move(**change: object) -> None:
        assert server.request("POST", "/_rolecall/clock", json.dumps(change).encode()).status == 200

    def stop(at_seconds: float) -> None:
        move(freeze=True)
        move(set=datetime.fromtimestamp(at_seconds, UTC).isoformat())

    yield stop
    move(reset=True)


def test_mfa_from_the_device_to_its_end(server: Server, stopped_clock: Callable[[float], None]) -> None:
    seed_file = Path(server.folder) / "seed"
    made = answered(
        server,
        *("iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "from-cli"),
        *("--outfile", str(seed_file), "--bootstrap-method", "Base32StringSeed"),
    )["VirtualMFADevice"]
    named = ("--user-name", "admin", "--serial-number", made["SerialNumber"])
    seed = seed_file.read_text(encoding="ascii")
    now_seconds = datetime.now(UTC).timestamp()
    # With a million codes, two consecutive ones may be the same.
    while len(set(codes_from(seed, int(now_seconds) // STEP_SECONDS - 1, 3))) < 3:
        now_seconds += STEP_SECONDS
    stopped_clock(now_seconds)
    first, second, third = codes_from(seed, int(now_seconds) // STEP_SECONDS - 1, 3)
    codes = ("--authentication-code1", first, "--authentication-code2", second)
    assert answered(server, "iam", "enable-mfa-device", *named, *codes) is None
    proof = ("--serial-number", made["SerialNumber"], "--token-code", third)
    given = answered(server, "sts", "get-session-token", *proof)["Credentials"]
    assert answered(server, "iam", "get-user", **held(given))["User"]["UserName"] == "admin"
    assert refused(server, "sts", "get-session-token", *proof).endswith(
        "An error occurred (AccessDenied) when calling the GetSessionToken operation: "
        "MultiFactorAuthentication failed with invalid MFA one time pass code."
    )
    assert answered(server, "iam", "deactivate-mfa-device", *named) is None
    assert answered(server, "iam", "delete-virtual-mfa-device", "--serial-number", made["SerialNumber"]) is None


@pytest.fixture(scope="module")
def chained(server: Server) -> Iterator[dict[str, str]]:
    """An environment whose profiles lead from a user to a role and on to a role of another account."""
    file = Path(server.folder) / "cli-config"
    text = f"""
        [profile base]
        aws_access_key_id = test
        aws_secret_access_key = test
        region = us-east-1
        [profile first]
        source_profile = base
        role_arn = {role_arn("chime-denied")}
        role_session_name = first
        [profile partner]
        source_profile = first
        role_arn = {role_arn("chime-partner", SECOND_ACCOUNT)}
        role_session_name = second
        external_id = partner-id
        duration_seconds = 900
        region = us-east-1
        """
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    yield {"AWS_CONFIG_FILE": str(file), "AWS_PROFILE": "partner"}
    file.unlink()


def test_a_chained_profile(server: Server, chained: dict[str, str]) -> None:
    arn = f"arn:aws:sts::{SECOND_ACCOUNT}:assumed-role/chime-partner/second"
    assert answered(server, "sts", "get-caller-identity", **chained)["Arn"] == arn
    accounts = answered(server, "chime", "list-accounts", **chained)["Accounts"]
    assert [account["Name"] for account in accounts] == ["Partner"]
    said = refused(server, "chime", "create-account", "--name", "mine", **chained)
    assert f"User: {arn} is not authorized to perform: chime:CreateAccount" in said
    # The second role may do what the first may not: the rights are the last role's alone.
    said = refused(server, "chime", "list-accounts", **(chained | {"AWS_PROFILE": "first"}))
    assert said.endswith("with an explicit deny in an identity-based policy")
    # The command keeps credentials of roles in its own home, which is the test's.
    assert [*Path(server.folder, ".aws", "cli", "cache").glob("*.json")] != []
