"""Where advice is shown: by ``rolecall check`` with file and line, and in the log when a policy is stored."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rolecall.commands.check import command
from rolecall.inspection import examine
from rolecall.worlds.located import Problem

MISSPELT = {"Effect": "Allow", "Action": "chime:GetUsr", "Resource": "*"}
GOOD = {"Effect": "Allow", "Action": "chime:GetUser", "Resource": "*"}
SAID = "chime:GetUsr: chime has no such action, did you mean chime:GetUser?"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def test_advice_on_a_policy_stands_at_the_line_of_its_statement() -> None:
    text = json.dumps(json.loads(document(GOOD, MISSPELT)), indent=2)
    line = text[: text.index("chime:GetUsr")].count("\n") - 1
    assert text.splitlines()[line - 1].strip() == "{"
    examined = examine(text)
    assert (examined.kind, examined.problems) == ("policy document", [])
    assert examined.advice == [Problem(line, f"Statement[1]: {SAID}")]


def test_advice_on_a_policy_of_one_statement_without_a_list() -> None:
    text = '{\n"Version": "2012-10-17",\n"Statement": ' + json.dumps(MISSPELT) + "}"
    assert examine(text).advice == [Problem(3, f"Statement[0]: {SAID}")]


WORLD = """\
version: 1
organization:
  id: o-example1234
  service_control_policies:
    - name: all
      document:
        Version: "2012-10-17"
        Statement:
          - {Effect: Deny, Action: "chime:Foo*", Resource: "*"}
accounts:
  - id: "111122223333"
    policies:
      - name: mine
        document: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"chime:GetUsr","Resource":"*"}]}'
    users:
      - name: ana
        inline_policies:
          own:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: "chime:GetUser", Resource: "*"}
              - Effect: Allow
                Action: chime:GetUsr
                Resource: "*"
    groups:
      - name: developers
        inline_policies: {own: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "x:*", Resource: "*"}}}
    roles:
      - name: worker
        trust_policy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Principal: {AWS: "111122223333"}
              Action: sts:AssumeRole
              Condition: {StringEquals: {"sts:ExternalIdd": x}}
"""


def test_advice_on_every_policy_of_a_sandbox_file() -> None:
    examined = examine(WORLD)
    assert (examined.kind, examined.problems) == ("sandbox file", [])
    assert [(advice.line, advice.message.partition(": ")[0]) for advice in examined.advice] == [
        (9, "organization.service_control_policies[0].document.Statement[0]"),
        (14, "accounts[0].policies[0].document.Statement[0]"),
        (22, "accounts[0].users[0].inline_policies.own.Statement[1]"),
        (27, "accounts[0].groups[0].inline_policies.own.Statement[0]"),
        (33, "accounts[0].roles[0].trust_policy.Statement[0]"),
    ]
    assert examined.advice[2].message.endswith(f": {SAID}")


def test_a_file_with_a_problem_gets_no_advice() -> None:
    examined = examine(WORLD.replace("Effect: Deny", "Effect: Perhaps"))
    assert examined.problems
    assert examined.advice == []
    assert examine("{").advice == []


def test_advice_leaves_the_exit_status_alone(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(document(MISSPELT))
    bad.write_text(document({"Effect": "Allow"}))
    done = CliRunner().invoke(command, [str(good)])
    assert done.output.splitlines() == [
        f"{good}:1: advice: Statement[0]: {SAID}",
        f"{good}: a valid policy document",
    ]
    assert done.exit_code == 0
    assert CliRunner().invoke(command, [str(good), str(bad)]).exit_code == 1


def stored(iam: Any, how: str, text: str) -> None:
    if how == "policy":
        iam.create_policy(PolicyName="p", PolicyDocument=text)
    elif how == "version":
        arn = iam.create_policy(PolicyName="p", PolicyDocument=document(GOOD))["Policy"]["Arn"]
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=text)
    elif how == "user":
        iam.put_user_policy(UserName="admin", PolicyName="p", PolicyDocument=text)
    elif how == "group":
        iam.create_group(GroupName="g")
        iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=text)
    else:
        iam.put_role_policy(RoleName="chime-reader", PolicyName="p", PolicyDocument=text)


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ("policy", "policy p"),
        ("version", "policy p"),
        ("user", "policy p of user admin"),
        ("group", "policy p of group g"),
        ("role", "policy p of role chime-reader"),
    ],
)
def test_a_stored_policy_is_advised_on_in_the_log(
    world: Any, caplog: pytest.LogCaptureFixture, how: str, name: str
) -> None:
    caplog.set_level(logging.WARNING, logger="rolecall.policy")
    stored(world.client("iam"), how, document(GOOD, MISSPELT))
    [record] = [record for record in caplog.records if record.name == "rolecall.policy"]
    assert record.levelno == logging.WARNING
    request_id, _, rest = record.getMessage().partition(" ")
    assert request_id == world.outcomes[-1].request_id
    assert rest == f"{name}, Statement[1]: {SAID}"


def test_a_trust_policy_is_advised_on_too(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="rolecall.policy")
    condition = {"StringEquals": {"sts:ExternalIdd": "x"}}
    statement = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    world.client("iam").create_role(
        RoleName="r", AssumeRolePolicyDocument=document({**statement, "Condition": condition})
    )
    assert "trust policy, Statement[0]: sts:ExternalIdd: sts has no such condition key" in caplog.text


def test_a_policy_in_order_leaves_the_log_alone(world: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="rolecall.policy")
    stored(world.client("iam"), "policy", document(GOOD))
    assert [record for record in caplog.records if record.name == "rolecall.policy"] == []


# Files that are no policy


def indented(*statements: dict[str, Any]) -> str:
    return json.dumps(json.loads(document(*statements)), indent=1)


@pytest.mark.parametrize(
    ("statement", "at", "message"),
    [
        (
            {"Effect": "Allow", "Action": "chime", "Resource": "*"},
            '"Action": "chime"',
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc. (Statement[1].Action)",
        ),
        (
            {"Effect": "Allow", "Action": "chime:GetUser", "Ressource": "*"},
            '"Ressource"',
            "Syntax errors in policy. (Statement[1].Ressource), did you mean Resource?",
        ),
        (
            {**GOOD, "Condition": {"stringequals": {"aws:username": "x"}}},
            '"stringequals"',
            "Syntax errors in policy. (Statement[1].Condition.stringequals), did you mean StringEquals?",
        ),
        (
            {**GOOD, "Condition": {"ForAllValue:StringEqual": {"aws:TagKeys": "x"}}},
            '"ForAllValue:StringEqual"',
            "Syntax errors in policy. (Statement[1].Condition.ForAllValue:StringEqual), "
            "did you mean ForAllValues:StringEquals?",
        ),
    ],
)
def test_a_malformed_policy_says_the_line_and_what_was_meant(statement: dict[str, Any], at: str, message: str) -> None:
    text = indented(GOOD, statement)
    line = next(number for number, row in enumerate(text.splitlines(), 1) if at in row)
    assert examine(text).problems == [Problem(line, message)]


def test_a_malformed_policy_of_a_sandbox_file_says_its_line() -> None:
    text = WORLD.replace("Effect: Deny", "Effect: Forbid").replace(
        '- {Effect: Forbid, Action: "chime:Foo*", Resource: "*"}',
        '- Action: "chime:Foo*"\n            Resource: "*"\n            Effect: Forbid',
    )
    [problem] = examine(text).problems
    assert text.splitlines()[problem.line - 1].strip() == "Effect: Forbid"
    assert problem.message.startswith("organization.service_control_policies[0].document: not a policy")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "there is nothing in this file"),
        (json.dumps(GOOD), 1, "a statement on its own is no policy"),
        (json.dumps([GOOD]), 1, "a statement on its own is no policy"),
        (
            '{"Version": "2012-10-17",\n "Statment": []}',
            2,
            "Syntax errors in policy. (Statment), did you mean Statement?",
        ),
        (
            '{"Version": "2012-10-17",\n "Statement": [],\n}',
            2,
            "not JSON: there is a comma before the end of the object: line 2 column 17",
        ),
        ('\ufeff{"Version": "2012-10-17", "Statement": []}', 1, "not JSON: Unexpected UTF-8 BOM"),
    ],
)
def test_a_probable_policy_is_reported(text: str, line: int, message: str) -> None:
    [problem] = examine(text).problems
    assert problem.line == line
    assert problem.message.startswith(message)


def test_a_policy_in_yaml_is_checked_and_must_become_json() -> None:
    text = "Version: 2012-10-17\nStatement:\n  - Effect: Allow\n    Action: chime:GetUsr\n    Resource: '*'\n"
    examined = examine(text)
    assert examined.problems == []
    assert [advice.line for advice in examined.advice] == [1, 3]
    assert examined.advice[0].message.startswith("IAM takes policy documents in JSON only")
