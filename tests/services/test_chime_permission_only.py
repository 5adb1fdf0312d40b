"""The actions of Chime that no operation has: simulator, checker, least privilege and expectations know them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from chime_requests import operations
from yaml_tables import read_table

from rolecall import Rolecall
from rolecall.advice import advise
from rolecall.data import actions
from rolecall.policy import PolicyKind, parse_policy

NAMES: list[str] = read_table(
    (Path(__file__).parent / "cases" / "chime_permission_only.yaml").read_text(encoding="utf-8")
)
ACTIONS = [f"chime:{name}" for name in NAMES]
ACCOUNT = "111122223333"
INSTANCE = f"arn:aws:chime:us-east-1:{ACCOUNT}:app-instance/i"
ANA, BO = f"{INSTANCE}/user/ana", f"{INSTANCE}/user/bo"
MEETING = f"arn:aws:chime:us-east-1:{ACCOUNT}:meeting/m"
# Connect, the streaming configurations and the tags of meetings have resources: the reference's table.
WITH_RESOURCES = {
    "chime:Connect": ANA,
    "chime:DeleteAppInstanceStreamingConfigurations": INSTANCE,
    "chime:GetAppInstanceStreamingConfigurations": INSTANCE,
    "chime:PutAppInstanceStreamingConfigurations": INSTANCE,
    "chime:ListAttendeeTags": MEETING,
    "chime:ListMeetingTags": MEETING,
    "chime:TagAttendee": MEETING,
    "chime:TagMeeting": MEETING,
    "chime:UntagAttendee": MEETING,
    "chime:UntagMeeting": MEETING,
}
# The reference's dependent actions: the checker names them.
DEPENDENT = {
    "chime:ConnectDirectory",
    "chime:CreateCDRBucket",
    "chime:CreateConnectAnalyticsConnector",
    "chime:CreateConnectCallTransferConnector",
    "chime:DeleteCDRBucket",
    "chime:GetCDRBucket",
    "chime:ListCDRBucket",
    "chime:UpdateCDRSettings",
}


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture(scope="module")
def sandbox() -> Any:
    admin = {"name": "admin", "access_keys": [{"id": "test", "secret": "test"}], "inline_policies": {}}
    admin["inline_policies"] = {"own": json.loads(document(allow("*")))}
    connecting = {"own": json.loads(document(allow("chime:Connect", ANA), allow(["chime:ListApiKeys", "chime:Get*"])))}
    users = [
        admin,
        {"name": "ana", "access_keys": [{"id": "ana_key", "secret": "ana-secret"}], "inline_policies": connecting},
    ]
    with Rolecall(config={"version": 1, "accounts": [{"id": ACCOUNT, "users": users}]}) as made:
        yield made


def simulated(sandbox: Any, policy: str, names: list[str], resources: list[str]) -> dict[tuple[str, str], str]:
    answer = sandbox.client("iam").simulate_custom_policy(
        PolicyInputList=[policy], ActionNames=names, ResourceArns=resources
    )
    found = {}
    for each in answer["EvaluationResults"]:
        action = each["EvalActionName"]
        found[action, each["EvalResourceName"]] = each["EvalDecision"]
        for one in each.get("ResourceSpecificResults", ()):
            found[action, one["EvalResourceName"]] = one["EvalResourceDecision"]
    return found


def test_they_are_the_actions_without_an_operation() -> None:
    assert len(NAMES) == len(set(NAMES)) == 64
    every = {each.name for each in actions("chime").values()}
    with_operation = {name for _, name in operations()}
    assert set(NAMES) == every - with_operation
    assert set(WITH_RESOURCES) == {f"chime:{name}" for name in NAMES if actions("chime")[name.lower()].resource_types}


def test_the_simulator_decides_them(sandbox: Any) -> None:
    deny = {"Effect": "Deny", "Action": "chime:Connect", "Resource": BO}
    found = simulated(sandbox, document(allow("chime:*"), deny), ACTIONS, ["*"])
    assert {action: found[action, "*"] for action in ACTIONS} == dict.fromkeys(ACTIONS, "allowed")
    nothing = simulated(sandbox, document(allow("iam:*")), ACTIONS, ["*"])
    assert set(nothing.values()) == {"implicitDeny"}
    assert len(nothing) == 64


@pytest.mark.parametrize(("action", "arn"), sorted(WITH_RESOURCES.items()))
def test_the_simulator_knows_their_resources(sandbox: Any, action: str, arn: str) -> None:
    other = arn + "x"
    found = simulated(sandbox, document(allow(action, arn)), [action], [arn, other])
    assert (found[action, arn], found[action, other]) == ("allowed", "implicitDeny")
    deny = {"Effect": "Deny", "Action": action, "Resource": other}
    found = simulated(sandbox, document(allow("chime:*"), deny), [action], [arn, other])
    assert (found[action, arn], found[action, other]) == ("allowed", "explicitDeny")


@pytest.mark.parametrize("action", ACTIONS)
def test_the_checker_has_no_objection(action: str) -> None:
    def messages(text: str, resource: str) -> list[str]:
        policy = parse_policy(document(allow(text, resource)), PolicyKind.IDENTITY)
        return [each.message for each in advise(policy)]

    others = [each for each in messages(action, WITH_RESOURCES.get(action, "*")) if "depends on" not in each]
    depends = len(messages(action, WITH_RESOURCES.get(action, "*"))) - len(others)
    assert (others, depends) == ([], int(action in DEPENDENT))
    [misspelt] = messages(action + "zz", "*")
    assert f"{action}zz: chime has no such action" in misspelt
    if action not in WITH_RESOURCES:
        useless = messages(action, ANA)[0]
        assert f"never allows {action}" in useless


def test_least_privilege_counts_them_as_unused(sandbox: Any) -> None:
    """No call can use them, except for Connect."""
    sandbox.client("sts", user="ana").get_caller_identity()
    found = sandbox.least_privilege(sandbox.user("ana")).unused
    getting = {each for each in ACTIONS if each.startswith("chime:Get")}
    assert {"chime:Connect", "chime:ListApiKeys", *getting} <= set(found.actions["chime"])
    assert not {"chime:SuspendUsers", "chime:ListDomains"} & set(found.actions["chime"])


def test_expectations_decide_them(sandbox: Any, tmp_path: Path) -> None:
    entries = [
        {"principal": "user/admin", "may": ACTIONS},
        {"principal": "user/ana", "may": "chime:Connect", "on": ANA},
        {"principal": "user/ana", "may_not": "chime:Connect", "on": BO},
        {"principal": "user/ana", "may_not": [each for each in ACTIONS if not _granted_to_ana(each)]},
    ]
    file = tmp_path / "expectations.json"
    file.write_text(json.dumps({"expectations": entries}), encoding="utf-8")
    results = sandbox.verify(file)
    assert len(results) >= 3 + 64
    assert [each for each in results if not each.holds] == []


def _granted_to_ana(action: str) -> bool:
    return action in ("chime:Connect", "chime:ListApiKeys") or action.startswith("chime:Get")
