"""Expectations: what holds, the reasons of what does not, and the problems of files that cannot be used."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from yaml_tables import read_table

from rolecall import Rolecall
from rolecall.cli import main
from rolecall.data import actions
from rolecall.expectations import witness
from rolecall.expectations.deciding import TOO_MANY_MESSAGE
from rolecall.expectations.files import InvalidExpectationsError
from rolecall.expectations.verifying import Result, verify
from rolecall.worlds.located import read_located

CASES = Path(__file__).parent / "cases"
WORLD = CASES / "world.yaml"
# Not with PyYAML alone, for which the key "on" is true.
ROWS = read_located((CASES / "expectations.yaml").read_text(encoding="utf-8")).value
BAD_FILES = read_table((CASES / "bad_files.yaml").read_text(encoding="utf-8"))
HOLDS = "expectations:\n  - {principal: user/idle, may_not: 'iam:*'}\n"
FAILS = "expectations:\n  - {principal: user/idle, may_not: 'iam:*'}\n  - {principal: user/idle, may: 'iam:GetUser'}\n"


@pytest.fixture(scope="module")
def sandbox() -> Any:
    with Rolecall(config=WORLD) as made:
        yield made


def results(sandbox: Rolecall, *entries: Any) -> list[Result]:
    return verify(sandbox._parts.sandbox, json.dumps({"expectations": entries}))


@pytest.mark.parametrize("row", ROWS, ids=[str(row["entry"]) for row in ROWS])
def test_an_expectation_holds_or_says_why_not(row: Any, sandbox: Rolecall) -> None:
    found = results(sandbox, row["entry"])
    assert [each.holds for each in found] == [wanted is True for wanted in row["results"]]
    for each, wanted in zip(found, row["results"], strict=True):
        assert wanted is True or wanted in "\n".join(each.reasons), each


@pytest.mark.parametrize("row", BAD_FILES, ids=[row["file"][:40] for row in BAD_FILES])
def test_a_bad_file_shows_every_problem_with_its_line(row: Any, sandbox: Rolecall) -> None:
    with pytest.raises(InvalidExpectationsError) as caught:
        verify(sandbox._parts.sandbox, row["file"])
    assert [[problem.line, problem.message] for problem in caught.value.problems] == sorted(row["problems"])


def test_a_name_of_several_accounts_must_say_which(sandbox: Rolecall) -> None:
    with Rolecall(
        config={
            "version": 1,
            "accounts": [
                {"id": "111122223333", "users": [{"name": "admin", "access_keys": [{"id": "test", "secret": "test"}]}]},
                {"id": "444455556666", "users": [{"name": "ana"}]},
                {"id": "777788889999", "users": [{"name": "ana"}]},
            ],
        }
    ) as other:
        with pytest.raises(
            InvalidExpectationsError, match="several accounts have user/ana: write 444455556666:user/ana"
        ):
            results(other, {"principal": "user/ana", "may": "iam:GetUser"})
        [result] = results(other, {"principal": "777788889999:user/ana", "may_not": "iam:GetUser"})
        assert result.text == "777788889999:user/ana may not iam:GetUser"


def test_a_change_of_a_policy_counts_at_once() -> None:
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}]}
    entry = {"principal": "user/idle", "may": "iam:GetUser"}
    with Rolecall(config=WORLD) as sandbox:
        assert [each.holds for each in results(sandbox, entry)] == [False]
        iam = sandbox.client("iam", user="admin")
        iam.put_user_policy(UserName="idle", PolicyName="own", PolicyDocument=json.dumps(document))
        assert [each.holds for each in results(sandbox, entry)] == [True]


def test_asking_makes_no_call_and_no_session(sandbox: Rolecall) -> None:
    before = len(sandbox.decisions)
    results(sandbox, {"principal": "user/ci", "may_assume": "role/writer", "may_not": "*"})
    assert len(sandbox.decisions) == before


def test_no_expectation_holds_when_the_answer_is_not_known(sandbox: Rolecall, monkeypatch: pytest.MonkeyPatch) -> None:
    # To show that no role is left, the search has to follow the patterns of the allow and of the deny.
    entries = [{"principal": "role/writer", verb: "iam:GetRole"} for verb in ("may", "may_not")]
    assert [each.holds for each in results(sandbox, *entries)] == [False, True]
    monkeypatch.setattr(witness, "MAXIMUM_STATES", 5)
    found = results(sandbox, *entries)
    assert [(each.holds, each.reasons) for each in found] == [(False, (TOO_MANY_MESSAGE,))] * 2


def test_a_name_may_have_its_path(sandbox: Rolecall) -> None:
    entries = [
        {"principal": name, "may_not": "iam:GetUser"} for name in ("role/tagged", "role/team/tagged", "ROLE/Tagged")
    ]
    assert {each.text for each in results(sandbox, *entries)} == {"role/tagged may not iam:GetUser"}


# Every type of resource that IAM lets users tag, and the action that reads its tags.
TAGGED = {
    "instance-profile": "iam:ListInstanceProfileTags",
    "mfa": "iam:ListMFADeviceTags",
    "oidc-provider": "iam:ListOpenIDConnectProviderTags",
    "policy": "iam:ListPolicyTags",
    "role": "iam:ListRoleTags",
    "saml-provider": "iam:ListSAMLProviderTags",
    "server-certificate": "iam:ListServerCertificateTags",
    "user": "iam:ListUserTags",
}


def test_a_grant_by_tag_is_found_on_every_type_of_tagged_resource() -> None:
    types = {name for row in actions("iam").values() if row.name.startswith("Tag") for name in row.resource_types}
    assert set(TAGGED) == types
    condition = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    statement = {"Effect": "Allow", "Action": "iam:List*", "Resource": "*", "Condition": condition}
    entries = [{"principal": "user/idle", "may_not": action} for action in TAGGED.values()]
    tags = [{"Key": "team", "Value": "blue"}]
    with Rolecall(config=WORLD) as sandbox:
        iam = sandbox.client("iam", user="admin")
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_user_policy(UserName="idle", PolicyName="own", PolicyDocument=policy)
        # The world has a tagged role already.
        assert [each.holds for each in results(sandbox, *entries)] == [name != "role" for name in TAGGED]
        iam.create_user(UserName="new", Tags=tags)
        iam.create_policy(PolicyName="new", PolicyDocument=policy, Tags=tags)
        iam.create_instance_profile(InstanceProfileName="new", Tags=tags)
        iam.create_virtual_mfa_device(VirtualMFADeviceName="new", Tags=tags)
        iam.create_open_id_connect_provider(Url="https://idp.example.com", ThumbprintList=["0" * 40], Tags=tags)
        found = dict(zip(TAGGED, results(sandbox, *entries), strict=True))
        made = {"instance-profile", "mfa", "oidc-provider", "policy", "role", "user"}
        assert {name for name, each in found.items() if not each.holds} == made


# In pytest.


def test_verify_in_a_test_raises_with_the_reasons(sandbox: Rolecall, tmp_path: Path) -> None:
    file = tmp_path / "expectations.yaml"
    file.write_text(HOLDS, encoding="utf-8")
    [result] = sandbox.verify(file)
    assert (result.line, result.text, result.holds) == (2, "user/idle may not iam:*", True)
    with pytest.raises(AssertionError) as caught:
        sandbox.verify(FAILS)
    lines = str(caught.value).splitlines()
    assert lines[0] == "expectations does not hold:"
    assert lines[1].startswith("ok 2: user/idle may not iam:* (")
    assert lines[2] == "FAILED 3: user/idle may iam:GetUser"
    assert "because no identity-based policy allows the iam:GetUser action" in str(caught.value)
    assert lines[-1] == "1 passed, 1 failed"
    with pytest.raises(
        ValueError, match=r"^these expectations cannot be used:\nexpectations:2: the sandbox has no user/x"
    ):
        sandbox.verify("expectations:\n  - {principal: user/x, may: 'iam:*'}\n")
    with pytest.raises(FileNotFoundError):
        sandbox.verify(tmp_path / "absent.yaml")


# The commands and the endpoints.


@pytest.fixture(scope="module")
def served() -> Any:
    with Rolecall.start(config=WORLD) as made:
        yield made


@pytest.fixture(params=["file", "server"])
def where(request: pytest.FixtureRequest, served: Rolecall) -> list[str]:
    return ["--config", str(WORLD)] if request.param == "file" else ["--endpoint", served.endpoint_url]


def run(*arguments: str, text: str | None = None) -> Any:
    return CliRunner().invoke(main, arguments, input=text)


def test_the_command_tells_each_result_and_its_status(where: list[str], tmp_path: Path) -> None:
    file, report = tmp_path / "expectations.yaml", tmp_path / "results.xml"
    file.write_text(HOLDS, encoding="utf-8")
    held = run("verify", str(file), *where)
    assert held.exit_code == 0, held.output
    assert held.stdout.startswith("ok 2: user/idle may not iam:* (")
    assert held.stdout.endswith("actions)\n1 passed, 0 failed\n")
    failed = run("verify", "-", *where, "--junit", str(report), text=FAILS)
    assert failed.exit_code == 1
    lines = failed.stdout.splitlines()
    assert [line.split(":")[0] for line in lines if not line.startswith("    ")] == ["ok 2", "FAILED 3", lines[-1]]
    assert "    ImplicitDeny (identity): arn:aws:iam::111122223333:user/idle iam:GetUser on *" in lines
    suite = ElementTree.parse(report).getroot()  # noqa: S314  the command has just written it
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    names = [(case.get("name"), case.get("line"), case.find("failure") is None) for case in suite.iter("testcase")]
    assert names == [("user/idle may not iam:*", "2", True), ("user/idle may iam:GetUser", "3", False)]
    shown = json.loads(run("verify", "-", *where, "--json", text=FAILS).stdout)
    assert (shown["passed"], shown["failed"]) == (1, 1)
    assert [each["passed"] for each in shown["results"]] == [True, False]


def test_the_command_refuses_what_it_cannot_use(where: list[str], tmp_path: Path) -> None:
    bad = run("verify", "-", *where, text="expectations:\n  - {principal: user/idel, may: 'iam:*'}\n  - {}\n")
    assert (bad.exit_code, bad.stdout) == (2, "")
    assert bad.stderr.splitlines()[0] == "rolecall: - cannot be used:"
    assert bad.stderr.splitlines()[1].startswith("-:3: ")
    absent = run("verify", str(tmp_path / "absent.yaml"), *where)
    assert (absent.exit_code, absent.stderr) == (
        2,
        f"rolecall: cannot read {tmp_path / 'absent.yaml'}: No such file or directory\n",
    )
    assert run("verify", "-", *where, "--junit", str(tmp_path / "no" / "x.xml"), text=HOLDS).exit_code == 2


def test_who_can_lists_principals_with_their_conditions(where: list[str]) -> None:
    shown = run("who-can", "iam:createuser", *where)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines() == [
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::444455556666:root",
        "arn:aws:iam::777788889999:root",
        "arn:aws:iam::111122223333:user/admin",
    ]
    assert run("who-can", "chime:ListAccounts", *where).stdout.splitlines()[-2:] == [
        "arn:aws:iam::111122223333:user/office under conditions:",
        "    identity own / statement 0: needs IpAddress aws:SourceIp [10.0.0.0/8]",
    ]
    answer = json.loads(run("who-can", "sts:AssumeRole", "role/deploy", *where, "--json").stdout)
    assert (answer["action"], answer["resource"]) == ("sts:AssumeRole", "arn:aws:iam::444455556666:role/deploy")
    assert [(each["principal"].rpartition(":")[2], len(each["conditions"])) for each in answer["principals"]] == [
        ("user/admin", 1),
        ("user/ci", 1),
    ]
    reports = run("who-can", "s3:PutObject", "arn:aws:s3:::reports/secret/x", *where).stdout
    assert "role/writer" not in reports
    on_some = run("who-can", "s3:PutObject", *where).stdout
    assert "arn:aws:iam::111122223333:role/writer on arn:aws:s3:::reports/" in on_some
    nobody = run("who-can", "organizations:LeaveOrganization", "arn:aws:organizations::111122223333:x/y", *where)
    assert "111122223333:user" not in nobody.stdout


def test_paths_lists_chains_of_roles(where: list[str]) -> None:
    shown = run("paths", "user/ci", "role/second", *where)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.splitlines() == [
        "arn:aws:iam::111122223333:user/ci -> arn:aws:iam::111122223333:role/hop"
        " -> arn:aws:iam::111122223333:role/second",
        "    arn:aws:iam::111122223333:role/hop under conditions:",
        "        trust trust policy / statement 0: needs Bool aws:MultiFactorAuthPresent [true]",
    ]
    answer = json.loads(run("paths", "user/ci", "role/second", *where, "--json").stdout)
    assert [[step["to"].rpartition("/")[2] for step in chain] for chain in answer["paths"]] == [["hop", "second"]]
    assert answer["more"] is False
    none = run("paths", "user/idle", "role/second", *where)
    assert none.stdout == (
        "no chain of roles leads from arn:aws:iam::111122223333:user/idle to arn:aws:iam::111122223333:role/second\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["who-can", "iam:CreateUsr"], "iam has no action 'CreateUsr', did you mean iam:CreateUser?"),
        (["who-can", "iam:*"], "name one action, without * and ?"),
        (["who-can", "iam:GetRole", "role/hopp"], "the sandbox has no role/hopp, did you mean role/hop?"),
        (["paths", "user/ci", "user/admin"], "user/admin is no role"),
        (["paths", "user/*", "role/hop"], "user/* means user/admin, user/ci, user/idle, user/office: name one of them"),
    ],
)
def test_a_question_that_cannot_be_asked(arguments: list[str], message: str, where: list[str]) -> None:
    refused = run(*arguments, *where)
    assert (refused.exit_code, refused.stderr) == (2, f"rolecall: {message}\n")


def test_chains_are_bounded_where_everyone_may_assume_everything() -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}],
    }
    admin = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    roles = [{"name": f"r{number}", "trust_policy": trust, "attached_policies": admin} for number in range(12)]
    world = {
        "version": 1,
        "accounts": [
            {
                "id": "111122223333",
                "users": [{"name": "a", "access_keys": [{"id": "test", "secret": "test"}], "attached_policies": admin}],
                "roles": roles,
            }
        ],
    }
    with Rolecall.start(config=world) as sandbox:
        arguments = ["--limit", "100", "--json", "--endpoint", sandbox.endpoint_url]
        answer = json.loads(run("paths", "user/a", "role/r5", *arguments).stdout)
    lengths = [len(chain) for chain in answer["paths"]]
    assert (len(lengths), answer["more"]) == (100, True)
    # One direct step, a chain through each other role, and then through two of them.
    assert lengths == [1, *[2] * 11, *[3] * 88]
    for chain in answer["paths"]:
        assert len({step["to"] for step in chain}) == len(chain)


def test_control_endpoints_refuse_unknown_parameters_and_large_files(served: Rolecall) -> None:
    client = http.client.HTTPConnection(served.endpoint_url.removeprefix("http://"), timeout=30)
    for path, message in (
        ("who-can?action=iam:GetUser&x=1", "There is no parameter x: known are action, resource."),
        ("paths?from=user/ci&to=role/hop&limit=0", "limit must be a whole number from 1 to 100."),
        ("paths?from=user/ci&to=role/hop&limit=101", "limit must be a whole number from 1 to 100."),
    ):
        client.request("GET", f"/_rolecall/{path}")
        answer = client.getresponse()
        assert (answer.status, json.loads(answer.read())) == (400, {"message": message})
    client.request("POST", "/_rolecall/verify", b"\xff")
    answer = client.getresponse()
    assert (answer.status, json.loads(answer.read())["message"]) == (400, "The expectations are not UTF-8 text.")
    client.close()
