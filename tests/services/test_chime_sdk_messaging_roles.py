"""Who may do what in a channel: IAM on the bearer and on the channel, then the roles. Cases: messaging_roles.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from messaging_calls import ACCOUNT, ARN, Chat, allow, user, world_of

CASES = yaml.safe_load((Path(__file__).parent / "cases" / "messaging_roles.yaml").read_text(encoding="utf-8"))
ROLES = {"admin": "root", "moderator": "cem", "member": "ben", "other": "dee"}
CHANNELS = {
    "may": {},
    "public": {"Privacy": "PUBLIC"},
    "unrestricted": {"Mode": "UNRESTRICTED"},
    "open": {"Privacy": "PUBLIC", "Mode": "UNRESTRICTED"},
}
LAMBDA = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:moderate"
PROCESSORS = [
    {
        "Name": "p",
        "Configuration": {"Lambda": {"ResourceArn": LAMBDA, "InvocationType": "ASYNC"}},
        "ExecutionOrder": 1,
        "FallbackAction": "ABORT",
    }
]


@pytest.fixture(scope="module")
def shared(make_shared_world: Any) -> Chat:
    return Chat(make_shared_world(world_of()))


def _expected(case: dict[str, Any], channel: str, role: str) -> str:
    allowed = [*case["may"], *(case.get(channel, []) if channel != "may" else [])]
    if role in case.get("absent", []):
        return "NotFoundException"
    if role in case.get("conflict", {}).get(channel, []):
        return "ConflictException"
    return "" if role in allowed else "ForbiddenException"


@pytest.mark.parametrize("name", CASES)
def test_roles(shared: Chat, name: str) -> None:
    case, operation = CASES[name], name.partition(":")[0]
    found, expected = {}, {}
    for channel, settings in CHANNELS.items():
        is_changed = True
        # A refused call changes nothing, so the calls of all roles that are refused share a channel.
        for role in sorted(ROLES, key=lambda each: _expected(case, channel, each) == ""):
            if is_changed:
                arn, given = _channel(shared, case, settings)
            text = json.dumps(case["parameters"])
            for placeholder, value in {**given, "{caller}": ROLES[role]}.items():
                text = text.replace(placeholder, value)
            expected[channel, role] = _expected(case, channel, role)
            is_changed = expected[channel, role] == ""
            found[channel, role] = shared.code(operation, ROLES[role], ChannelArn=arn, **json.loads(text))
    assert found == expected


def _channel(chat: Chat, case: dict[str, Any], settings: dict[str, Any]) -> tuple[str, dict[str, str]]:
    given = {}
    arn = chat.channel(MemberArns=["ben"], ModeratorArns=["cem"], **settings)
    wanted = json.dumps(case["parameters"])
    if "{by_member}" in wanted:
        given["{by_member}"] = chat.send(arn, "ben")
    if "{by_creator}" in wanted:
        given["{by_creator}"] = chat.send(arn, "ana")
    if "{flow}" in wanted:
        made = chat.call("CreateChannelFlow", AppInstanceArn=chat.instance, Name="f", Processors=PROCESSORS)
        given["{flow}"] = made["ChannelFlowArn"]
    if "banned" in case:
        chat.call("CreateChannelBan", "ana", ChannelArn=arn, MemberArn=case["banned"])
    return arn, given
