"""The pytest plugin, run by pytester in tests of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from lxml import etree
from plugin_runs import run_in_process

pytest_plugins = ["pytester"]

ROLE = "arn:aws:iam::111122223333:role/chime-reader"
WORLD = """
WORLD = {
    "version": 1,
    "accounts": [
        {"id": "999988887777", "users": [{"name": "eve", "access_keys": [{"id": "eveskey", "secret": "eves-secret"}]}]}
    ],
}
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n")
    return pytester


def run(project: pytest.Pytester, source: str, *arguments: str) -> pytest.RunResult:
    project.makepyfile(source)
    return run_in_process(project, "-p", "no:cacheprovider", *arguments)


def test_plain_boto3_reaches_the_sandbox_of_the_test(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        import boto3

        def test_who(rolecall):
            assert boto3.client("sts").get_caller_identity()["Arn"].endswith(":user/admin")
            boto3.client("iam").create_user(UserName="new")

        def test_fresh(rolecall):
            names = {user["UserName"] for user in boto3.client("iam").list_users()["Users"]}
            assert names == {"admin", "developer"}
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_server_is_fresh_for_each_test_and_the_socket_stays(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        import os, subprocess, sys

        CODE = "import boto3; boto3.client('iam').create_user(UserName='new')"
        seen = set()

        def test_once(rolecall_server):
            subprocess.run([sys.executable, "-c", CODE], check=True)
            assert [call.operation for call in rolecall_server.decisions] == ["CreateUser"]
            seen.add(os.environ["AWS_ENDPOINT_URL"])

        def test_twice(rolecall_server):
            assert rolecall_server.decisions == []
            subprocess.run([sys.executable, "-c", CODE], check=True)
            seen.add(rolecall_server.endpoint_url)
            assert len(seen) == 1
        """,
        "-p",
        "no:randomly",
    )
    result.assert_outcomes(passed=2)


def test_the_marker_gives_a_world_a_file_or_a_seed(project: pytest.Pytester) -> None:
    project.path.joinpath("beside.yaml").write_text(
        "version: 1\naccounts: [{id: '999988887777', root_access_keys: [{id: roots, secret: roots-secret}]}]\n"
    )
    result = run(
        project,
        WORLD
        + """
import boto3, pytest

def me():
    return boto3.client("sts").get_caller_identity()["Arn"]

@pytest.mark.rolecall(world=WORLD)
def test_world(rolecall):
    assert me() == "arn:aws:iam::999988887777:user/eve"

@pytest.mark.rolecall(config="beside.yaml")
def test_config(rolecall):
    assert me() == "arn:aws:iam::999988887777:root"

@pytest.mark.rolecall(config="beside.yaml", region="eu-west-1")
def test_server(rolecall_server):
    assert me() == "arn:aws:iam::999988887777:root"
    assert boto3.client("sts").meta.region_name == "eu-west-1"

@pytest.mark.rolecall(seed=7)
class TestSeed:
    ids = []

    def make(self):
        self.ids.append(boto3.client("iam").create_user(UserName="new")["User"]["UserId"])

    def test_one(self, rolecall):
        self.make()

    @pytest.mark.rolecall(region="eu-west-1")
    def test_two(self, rolecall):
        self.make()
        assert rolecall.region == "eu-west-1"
        assert len(set(self.ids)) == 1
""",
        "-p",
        "no:randomly",
    )
    result.assert_outcomes(passed=5)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("'sandbox.yaml'", "give its arguments by name"),
        ("wrld={}", "it has no wrld"),
        ("config='a.yaml', world={}", "config or world, not both"),
        ("config='missing.yaml'", "No such file for the marker rolecall: there is neither */missing.yaml"),
        ("world={'version': 1}", "lacks accounts"),
    ],
)
def test_a_marker_that_cannot_be_followed_says_why(project: pytest.Pytester, marker: str, message: str) -> None:
    result = run(
        project,
        f"""
        import pytest

        @pytest.mark.rolecall({marker})
        def test_it(rolecall):
            pass
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*{message}*"])


FAILING = f"""
import boto3, pytest
from rolecall import Rolecall

def refused():
    credentials = boto3.client("sts").assume_role(RoleArn="{ROLE}", RoleSessionName="s1")["Credentials"]
    chime = boto3.client(
        "chime",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    account = chime.list_accounts()["Accounts"][0]["AccountId"]
    with pytest.raises(chime.exceptions.ForbiddenException):
        chime.create_user(AccountId=account, Email="new@example.com")

def test_fails(rolecall):
    refused()
    assert not "this fails"

def test_passes(rolecall):
    refused()

@pytest.fixture
def prepared(rolecall):
    refused()
    raise RuntimeError("not prepared")

def test_has_no_set_up(prepared):
    pass

@pytest.fixture
def finished(rolecall):
    yield
    refused()
    raise RuntimeError("not finished")

def test_has_no_tear_down(finished):
    pass

@pytest.fixture(scope="module")
def shared():
    with Rolecall() as sandbox:
        yield sandbox

def test_shares_a_sandbox(shared):
    refused()

def test_shares_a_sandbox_and_fails(shared):
    refused()
    assert not "this fails"

def test_makes_a_sandbox_of_its_own_and_fails():
    with Rolecall():
        refused()
    assert not "this fails"

def test_fails_and_was_not_refused(rolecall):
    boto3.client("sts").get_caller_identity()
    assert not "this fails"
"""


@pytest.mark.parametrize("workers", ["", "-n2"])
def test_a_failed_test_shows_its_refused_calls_and_why(project: pytest.Pytester, workers: str) -> None:
    """On the terminal, and in a report in JUnit's form."""
    # Workers of pytest-xdist are processes of their own, and so is their pytest. They take seconds to start.
    project.makepyfile(FAILING)
    arguments = ["-p", "no:cacheprovider", "--junitxml=report.xml", *([workers] if workers else [])]
    result = project.runpytest_subprocess(*arguments) if workers else run_in_process(project, *arguments)
    result.assert_outcomes(passed=3, failed=4, errors=2)
    result.stdout.fnmatch_lines(
        [
            "*Rolecall: refused calls*",
            "*by *:assumed-role/chime-reader/s1 *",
            "*answered 403 ForbiddenException*",
            "*ImplicitDeny: chime:CreateUser on *, decided by the identity-based policies",
        ]
    )
    text = result.stdout.str()
    assert text.count("Rolecall: refused calls") == 5
    # One refusal for each of these tests, and none of another test.
    assert text.count("answered 403 ForbiddenException") == 5
    assert "encoded message" not in text
    cases = etree.parse(project.path / "report.xml").getroot().iter("testcase")
    told = {case.get("name"): [*case.itertext()] for case in cases if len(case)}
    assert {name: "ImplicitDeny: chime:CreateUser on *" in "".join(texts) for name, texts in told.items()} == {
        "test_fails": True,
        "test_has_no_set_up": True,
        "test_has_no_tear_down": True,
        "test_shares_a_sandbox_and_fails": True,
        "test_makes_a_sandbox_of_its_own_and_fails": True,
        "test_fails_and_was_not_refused": False,
    }


def test_many_sandboxes_of_a_test_do_not_stay_for_its_report(project: pytest.Pytester) -> None:
    result = run(
        project,
        """
        import pytest
        from rolecall import Rolecall
        from rolecall.storage.decision_log import DecisionStore

        def test_many(monkeypatch):
            closed = []
            close = DecisionStore.close
            monkeypatch.setattr(DecisionStore, "close", lambda store: (closed.append(store), close(store)))
            for _ in range(25):
                with Rolecall() as sandbox:
                    with pytest.raises(sandbox.client("iam").exceptions.NoSuchEntityException):
                        sandbox.client("iam").get_user(UserName="nobody")
                    with sandbox.as_role("chime-reader"), sandbox.expect_denied("chime:CreateAccount"):
                        sandbox.client("chime").create_account(Name="Another")
            assert len(closed) == 5
            raise AssertionError("many")
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * many", "*Rolecall: refused calls*"])
    assert result.stdout.str().count("answered 403 ForbiddenException") == 20


def test_the_environment_is_as_it_was_whatever_a_test_patches(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    result = run(
        project,
        """
        import os

        import boto3, pytest

        @pytest.fixture(autouse=True)
        def same():
            before = {k: v for k, v in os.environ.items() if k.startswith("AWS_")}, boto3.DEFAULT_SESSION
            yield
            after = {k: v for k, v in os.environ.items() if k.startswith("AWS_")}, boto3.DEFAULT_SESSION
            assert after == before

        def patch(monkeypatch):
            assert "AWS_PROFILE" not in os.environ
            monkeypatch.setenv("AWS_ACCESS_KEY_ID", "developer")
            monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "developer-secret")
            monkeypatch.setenv("AWS_PROFILE", "other")
            monkeypatch.delenv("AWS_REGION")

        def test_before(monkeypatch, rolecall):
            patch(monkeypatch)

        def test_after(rolecall, monkeypatch):
            patch(monkeypatch)

        def test_server(monkeypatch, rolecall_server):
            patch(monkeypatch)

        def test_nothing(rolecall):
            assert os.environ["AWS_ACCESS_KEY_ID"] == "test"
        """,
    )
    result.assert_outcomes(passed=4)


def test_the_marker_is_registered_and_shown(project: pytest.Pytester) -> None:
    result = run_in_process(project, "--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.rolecall(config=None, world=None, seed=None, region=None):*"])
    result = run_in_process(project, "--fixtures")
    result.stdout.fnmatch_lines(["rolecall -- *", "*A fresh sandbox in this process*"])


def test_a_suite_that_does_not_use_it_loads_nothing_of_it(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import sys

        def test_nothing():
            assert "rolecall.pytest_plugin" in sys.modules
            heavy = {"botocore", "boto3", "flask", "sqlalchemy", "werkzeug", "rolecall.kit", "rolecall.app"}
            assert heavy.isdisjoint(sys.modules)
        """
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
