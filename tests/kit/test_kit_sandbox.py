"""The class Rolecall: its sources, the callers of its clients, its answers, and its socket."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import boto3
import jwt
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ParamValidationError
from reserved_ports import reserved_port

import rolecall
from rolecall import BadConfigError, Rolecall, UnknownIdentityError
from rolecall.app import open_database
from rolecall.call_log.writer import DecisionLog
from rolecall.clock import Clock
from rolecall.ids import Identifiers
from rolecall.kit.configs import prepared_world
from rolecall.kit.identity import keys_of
from rolecall.storage.engine import Database

ROOT = Path(__file__).parent.parent.parent
YAML = """
version: 1
accounts:
  - id: "111111111111"
    name: first
    root_access_keys: [{id: rootkey, secret: root-secret}]
    users:
      - {name: keyless, path: /staff/}
      - {name: ana, access_keys: [{id: anas_key, secret: anas-secret}]}
  - id: "222222222222"
    name: second
    users: [{name: ana, access_keys: [{id: other_key, secret: other-secret}]}]
"""


def arn_of(client: Any) -> str:
    arn: str = client.get_caller_identity()["Arn"]
    return arn


# Sources of a world.


@pytest.mark.parametrize("kind", ["path", "text", "one line", "mapping", "pathlib"])
def test_a_sandbox_is_made_from_a_file_a_text_or_a_mapping(kind: str, tmp_path: Path) -> None:
    mapping = {
        "version": 1,
        "accounts": [{"id": "111111111111", "root_access_keys": [{"id": "root", "secret": "root"}]}],
    }
    file = tmp_path / "sandbox.yaml"
    file.write_text(json.dumps(mapping))
    config = {
        "path": str(file),
        "pathlib": file,
        "text": "\n" + json.dumps(mapping, indent=1),
        "one line": json.dumps(mapping),
        "mapping": mapping,
    }[kind]
    with Rolecall(config):
        assert arn_of(boto3.client("sts")) == "arn:aws:iam::111111111111:root"


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.yaml"
    for account_id in ("111111111111", "222222222222"):
        file.write_text(
            YAML.replace("111111111111", account_id) if account_id[0] == "1" else YAML[: YAML.index('  - id: "2')]
        )
        with Rolecall(config=str(file)) as sandbox:
            assert sandbox.account("first") == "111111111111"
            found = [account for account in ("first", "second") if _has(sandbox, account)]
        assert found == (["first", "second"] if account_id[0] == "1" else ["first"])


def _has(sandbox: Rolecall, account: str) -> bool:
    try:
        return bool(sandbox.account(account))
    except UnknownIdentityError:
        return False


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            "version: 1\naccounts: [{id: x, user: []}]\n",
            r"config:2: accounts\[0\].id: must be an account id(.|\n)*user",
        ),
        ({"version": 1}, "lacks accounts"),
        ({"version": 1, "accounts": [object()]}, "that a sandbox file cannot hold"),
        ("{", "config:2: not YAML"),
    ],
)
def test_what_is_wrong_with_a_world_is_said_all_at_once(config: Any, message: str) -> None:
    with pytest.raises(BadConfigError, match=message):
        Rolecall(config)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
        Rolecall("nowhere.yaml")


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with database.snapshot() as connection:
        driver: sqlite3.Connection = connection.connection.driver_connection  # type: ignore[assignment]
        tables = [name for (name,) in driver.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")]
        # The clock joins a gateway's database as soon as there is a gateway.
        driver.execute("DELETE FROM sandbox_states WHERE name = 'clock'")
        kept = [table for table in tables if table not in ("sealing_keys", "generations")]
        return {table: sorted(driver.execute(f"SELECT * FROM {table}").fetchall(), key=repr) for table in kept}  # noqa: S608


def test_a_copied_world_is_the_one_that_is_set_up_at_once() -> None:
    clock = Clock()
    clock.set(2_000_000_000)
    clock.freeze()
    copied, _ = prepared_world(None, 5).database(clock)
    made = open_database("sqlite://", prepared_world(None, 5).world, clock, ids=Identifiers(5))
    assert rows(copied) == rows(made)
    assert any(rows(copied).values())
    copied.close()
    made.close()


def test_fresh_sandboxes_share_nothing() -> None:
    one, two = Rolecall(), Rolecall()
    one.client("iam").create_user(UserName="new")
    credentials = one.client("sts").get_session_token()["Credentials"]
    assert {user["UserName"] for user in two.client("iam").list_users()["Users"]} == {"admin", "developer"}
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        two.client("sts", credentials=credentials).get_caller_identity()
    assert len(two.decisions) == 2
    one.close()
    assert arn_of(two.client("sts")).endswith("user/admin")
    two.close()


# Seeds.


def made_ids(sandbox: Rolecall) -> list[str]:
    iam, sts = sandbox.client("iam"), sandbox.client("sts")
    user = iam.create_user(UserName="new")
    key = iam.create_access_key(UserName="new")["AccessKey"]
    role = sandbox.role("chime-reader")
    assumed = sts.assume_role(RoleArn=role, RoleSessionName="s1")
    with sandbox.as_role("chime-reader"):
        account = sandbox.client("chime").list_accounts()["Accounts"][0]["AccountId"]
    return [
        user["User"]["UserId"],
        user["ResponseMetadata"]["RequestId"],
        key["AccessKeyId"],
        key["SecretAccessKey"],
        assumed["Credentials"]["AccessKeyId"],
        assumed["AssumedRoleUser"]["AssumedRoleId"],
        account,
    ]


def test_the_same_seed_and_calls_give_the_same_identifiers() -> None:
    found = []
    for seed in (1, 1, 2, None, None):
        with Rolecall(seed=seed) as sandbox:
            found.append(made_ids(sandbox))
    assert found[0] == found[1]
    for one, other in ((0, 2), (0, 3)):
        assert not set(found[one]) & set(found[other])
    # Without a seed new identifiers differ; declared ones are copied.
    assert not set(found[3][:5]) & set(found[4][:5])


@pytest.mark.parametrize("seed", [0, -1, 1, 10**40])
def test_a_reset_begins_the_identifiers_of_a_seed_anew(seed: int) -> None:
    with Rolecall(seed=seed) as sandbox:
        first = told_ids(sandbox)
        sandbox.reset()
        assert told_ids(sandbox) == first
    with Rolecall(seed=-seed or 1) as sandbox:
        assert not set(told_ids(sandbox)) & set(first)


def test_sandboxes_of_one_seed_do_not_share_its_identifiers() -> None:
    one, other = Rolecall(seed=3), Rolecall(seed=3)
    found = [one.client("iam").create_user(UserName=name)["User"]["UserId"] for name in ("a", "b")]
    assert found == [other.client("iam").create_user(UserName=name)["User"]["UserId"] for name in ("a", "b")]
    one.close()
    other.close()


def told_ids(sandbox: Rolecall) -> list[str]:
    """The identifiers in operations' answers, and the ids of the sandbox file's entities."""
    iam, chime = sandbox.client("iam"), sandbox.client("chime")
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="new")["VirtualMFADevice"]
    account = chime.create_account(Name="new")["Account"]["AccountId"]
    user = chime.create_user(AccountId=account, Email="a@example.com")["User"]
    iam.enable_outbound_web_identity_federation()
    answer = sandbox.client("sts").get_web_identity_token(Audience=["a"], SigningAlgorithm="ES384")
    rule = {"service": "chime", "error": "ThrottlingException", "probability": 0.5}
    return [
        iam.get_user(UserName="admin")["User"]["UserId"],
        device["Base32StringSeed"].decode(),
        account,
        user["UserId"],
        user["PersonalPIN"],
        iam.get_outbound_web_identity_federation_info()["IssuerIdentifier"],
        jwt.decode(answer["WebIdentityToken"], options={"verify_signature": False})["jti"],
        sandbox.faults.add(**rule),
        *(str(known["seed"]) for known in sandbox.faults.rules),
    ]


def test_a_seed_does_not_tell_secrets_of_the_key_ring() -> None:
    secrets = []
    for _ in range(2):
        with Rolecall(seed=1) as sandbox:
            secrets.append(sandbox.client("sts").get_session_token()["Credentials"])
    assert secrets[0]["AccessKeyId"] == secrets[1]["AccessKeyId"]
    assert secrets[0]["SecretAccessKey"] != secrets[1]["SecretAccessKey"]
    assert secrets[0]["SessionToken"] != secrets[1]["SessionToken"]


# Callers.


def test_users_roles_and_accounts_by_name() -> None:
    with Rolecall(YAML) as sandbox:
        assert sandbox.account() == sandbox.account("first") == sandbox.account("111111111111") == "111111111111"
        assert sandbox.user("ana") == "arn:aws:iam::111111111111:user/ana"
        assert sandbox.user("ana", account="second") == "arn:aws:iam::222222222222:user/ana"
        assert sandbox.user("keyless") == "arn:aws:iam::111111111111:user/staff/keyless"
        assert sandbox.user(sandbox.user("ana", account="second")) == "arn:aws:iam::222222222222:user/ana"
        assert arn_of(sandbox.client("sts")).endswith("111111111111:user/ana")
        assert arn_of(sandbox.client("sts", user="ana", account="second")).endswith("222222222222:user/ana")
        assert arn_of(sandbox.client("sts", user="root")) == "arn:aws:iam::111111111111:root"
        for ask, message in (
            (lambda: sandbox.user("li"), "no user 'li'"),
            (lambda: sandbox.role("li", account="second"), "no role 'li' in account second"),
            (lambda: sandbox.account("third"), r"no account 'third'; it has 111111111111 \(first\), 222222222222"),
            (lambda: sandbox.client("sts", user="keyless"), "'keyless' has no active access key"),
            (lambda: sandbox.client("sts", user="root", account="second"), "'root' has no active access key"),
            (lambda: sandbox.role(sandbox.user("ana")), "no role"),
        ):
            with pytest.raises(UnknownIdentityError, match=message):
                ask()


def test_a_user_that_the_test_made_is_found_too() -> None:
    with Rolecall() as sandbox:
        iam = sandbox.client("iam")
        iam.create_user(UserName="new", Path="/x/")
        key = iam.create_access_key(UserName="new")["AccessKey"]
        assert (
            arn_of(sandbox.client("sts", user="new")) == sandbox.user("new") == "arn:aws:iam::111122223333:user/x/new"
        )
        iam.update_access_key(UserName="new", AccessKeyId=key["AccessKeyId"], Status="Inactive")
        with pytest.raises(UnknownIdentityError, match="no active access key"):
            sandbox.client("sts", user="new")


def test_credentials_in_every_form() -> None:
    with Rolecall() as sandbox:
        found = sandbox.client("sts").get_session_token()["Credentials"]
        triple = (found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
        session = sandbox.session(credentials=found)
        for form in (found, triple, list(triple), session.get_credentials(), ("test", "test")):
            assert arn_of(sandbox.client("sts", credentials=form)).endswith("user/admin")
        assert keys_of(("a", "b", None)) == keys_of(["a", "b"]) == ("a", "b", "")
        for wrong in ("test", {"Key": 1}, ("one",), 7):
            with pytest.raises(TypeError, match="credentials must be"):
                sandbox.client("sts", credentials=wrong)
        with pytest.raises(TypeError, match="either a user or credentials"):
            sandbox.client("sts", user="admin", credentials=found)
        with pytest.raises(TypeError, match="give user="):
            sandbox.client("sts", account="partner")


def test_clients_sessions_and_resources_are_ordinary_ones() -> None:
    with Rolecall(region="eu-west-1") as sandbox:
        client = sandbox.client("sts", region="us-west-2", config=Config(user_agent_extra="mine"))
        assert client.meta.region_name == "us-west-2"
        client.get_caller_identity()
        assert sandbox.decisions[0].region == "us-west-2"
        with pytest.raises(ParamValidationError):
            client.assume_role(RoleArn="x")
        assert isinstance(sandbox.session(), boto3.Session)
        assert sandbox.session(user="developer").region_name == "eu-west-1"
        assert sandbox.resource("iam").CurrentUser().user_name == "admin"
        assert client.meta.endpoint_url == "https://sts.us-west-2.amazonaws.com"


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE"])
def test_nothing_of_the_environment_leads_an_explicit_client_astray(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    config.write_text("[default]\nendpoint_url = http://127.0.0.1:9\nregion = eu-west-3\n")
    value = {"AWS_PROFILE": "nobody", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_CONFIG_FILE": str(config)}[
        variable
    ]
    sandbox = Rolecall()
    monkeypatch.setenv(variable, value)
    for made_with in (sandbox, sandbox.session()):
        assert arn_of(made_with.client("sts")).endswith("user/admin")
    sandbox.close()


# Answers.


def test_decisions_are_newest_first_and_say_why() -> None:
    with Rolecall() as sandbox:
        assert sandbox.decisions == sandbox.refusals == []
        with sandbox.as_role("chime-denied", session_name="s1"), pytest.raises(ClientError) as refused:
            boto3.client("chime").list_accounts()
        with pytest.raises(ClientError):
            sandbox.client("sts", credentials=("nobody", "secret")).get_caller_identity()
        with pytest.raises(ClientError):
            sandbox.client("iam").get_user(UserName="missing")
        missing, unknown, denied, assumed = sandbox.decisions
        assert sandbox.refusals == [unknown, denied]
        assert denied.request_id == refused.value.response["ResponseMetadata"]["RequestId"]
        assert (denied.outcome, denied.layer, denied.action, denied.resource, denied.status, denied.error_code) == (
            "ExplicitDeny",
            "identity-based policy",
            "chime:ListAccounts",
            "*",
            403,
            "ForbiddenException",
        )
        assert denied.principal == "arn:aws:sts::111122223333:assumed-role/chime-denied/s1"
        assert denied.denied
        assert not denied.allowed
        assert "NoChime" in denied.reasons
        assert "encoded message" not in denied.reasons
        assert str(denied).startswith("ExplicitDeny by identity-based policy: chime:ListAccounts as arn:aws:sts::")
        assert (unknown.outcome, unknown.layer, unknown.denied, unknown.principal) == (
            "InvalidClientTokenId",
            "",
            False,
            "",
        )
        assert str(unknown).startswith("InvalidClientTokenId: sts:GetCallerIdentity as nobody known, answered 403")
        assert missing.allowed
        assert missing.error_code == "NoSuchEntity"
        assert ", answered 404 NoSuchEntity [" in str(missing)
        assert assumed.resource == sandbox.role("chime-denied")
        assert abs(assumed.time - datetime.now(UTC)) < timedelta(minutes=10)


def test_more_calls_than_the_queue_holds_are_all_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes: list[Any] = []
    record = DecisionLog.record

    def keep(log: DecisionLog, outcome: Any) -> None:
        outcomes.append(outcome)
        record(log, outcome)

    monkeypatch.setattr(DecisionLog, "record", keep)
    with Rolecall() as sandbox:
        sandbox.client("sts").get_caller_identity()
        answer = sandbox._parts.sandbox.observe
        for _ in range(4999):
            answer(outcomes[0])
        assert len(sandbox.decisions) == 5000


def test_reset_brings_the_declared_state_back() -> None:
    with Rolecall() as sandbox:
        iam = sandbox.client("iam")
        iam.create_user(UserName="new")
        sandbox.clock.advance(days=400)
        sandbox.reset()
        assert sandbox.decisions == []
        assert abs(sandbox.clock.now - datetime.now(UTC)) < timedelta(minutes=10)
        assert {user["UserName"] for user in iam.list_users()["Users"]} == {"admin", "developer"}


# Time.


def test_the_clock_moves_by_durations_and_to_moments() -> None:
    with Rolecall() as sandbox:
        clock = sandbox.clock
        start = clock.freeze()
        assert clock.frozen
        assert clock.now == start
        assert clock.advance(90) == start + timedelta(seconds=90)
        assert clock.advance(timedelta(minutes=1)) == start + timedelta(seconds=150)
        assert clock.advance(days=1, hours=2, minutes=3, seconds=4) - start == timedelta(
            days=1, hours=2, minutes=3, seconds=154
        )
        assert clock.advance(days=-1, hours=-2) == start + timedelta(minutes=5, seconds=34)
        moment = datetime(2030, 1, 1, tzinfo=UTC)
        for form in (
            moment,
            datetime(2030, 1, 1),  # noqa: DTZ001
            "2030-01-01T00:00:00Z",
            "2030-01-01",
            moment.timestamp(),
            datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        ):
            assert clock.set(form) == moment
        assert clock.freeze("2031-01-01T00:00:00Z") == datetime(2031, 1, 1, tzinfo=UTC)
        assert clock.unfreeze() >= datetime(2031, 1, 1, tzinfo=UTC)
        assert not clock.frozen
        assert clock.now.year == 2031
        clock.unfreeze()
        assert clock.now.year == 2031
        clock.reset()
        assert abs(clock.now - datetime.now(UTC)) < timedelta(minutes=10)


def test_sessions_expire_by_the_clock_and_signatures_do_not() -> None:
    with Rolecall() as sandbox, sandbox.as_role("chime-reader"):
        chime = boto3.client("chime")
        chime.list_accounts()
        sandbox.clock.advance(minutes=59)
        chime.list_accounts()
        sandbox.clock.advance(minutes=1)
        with pytest.raises(ClientError, match="ExpiredTokenException"):
            chime.list_accounts()


# The socket.

CALL = "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])"


def test_a_subprocess_reaches_a_sandbox_with_a_socket() -> None:
    with Rolecall.start() as sandbox:
        done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == sandbox.user("admin")
        with sandbox.as_role("chime-reader", session_name="s1"):
            done = subprocess.run([sys.executable, "-c", CALL], capture_output=True, text=True, check=True)
        assert done.stdout.strip().endswith(":assumed-role/chime-reader/s1")
        assert [call.operation for call in sandbox.decisions] == [
            "GetCallerIdentity",
            "AssumeRole",
            "GetCallerIdentity",
        ]
        url = f"{sandbox.endpoint_url}/_rolecall/health"
        with urllib.request.urlopen(url, timeout=300) as answer:  # noqa: S310
            assert json.load(answer)["status"] == "ok"


def test_a_socket_without_a_block() -> None:
    port = reserved_port()
    sandbox = Rolecall.start(YAML, port=port)
    assert sandbox.endpoint_url == f"http://127.0.0.1:{port}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-c", CALL], env=clean | sandbox.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "arn:aws:iam::111111111111:user/ana"
    for made_with in (sandbox, sandbox.session()):
        client = made_with.client("sts", endpoint_url=sandbox.endpoint_url)
        assert arn_of(client).endswith("user/ana")
    chime = sandbox.client("chime", user="root")
    assert chime.meta.endpoint_url == sandbox.endpoint_url
    assert chime.list_accounts()["Accounts"] == []
    assert sandbox.resource("iam", user="root").User("ana").arn == sandbox.user("ana")
    sandbox.close()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_sandbox_without_a_socket_says_how_to_get_one() -> None:
    with Rolecall() as sandbox:
        for ask in (lambda: sandbox.endpoint_url, lambda: sandbox.environment):
            with pytest.raises(RuntimeError, match=r"Rolecall\.start\(\)"):
                ask()


# The package.


def test_the_package_offers_what_it_names_and_loads_it_late() -> None:
    assert all(getattr(rolecall, name) is not None for name in rolecall.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Rolcall'"):
        rolecall.Rolcall  # noqa: B018
    code = (
        "import sys, rolecall, rolecall.cli; "
        "assert {'botocore', 'boto3', 'rolecall.kit', 'sqlalchemy', 'werkzeug'}.isdisjoint(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
