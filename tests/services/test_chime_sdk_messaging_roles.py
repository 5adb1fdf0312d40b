"""Who may do what in a channel: IAM on the bearer and on the channel, then the roles. Cases: messaging_roles.yaml."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from messaging_calls import ACCOUNT, ARN, Chat, allow, user, world_of
from yaml_tables import read_table

CASES = read_table((Path(__file__).parent / "cases" / "messaging_roles.yaml").read_text(encoding="utf-8"))
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


# IAM: both the bearer and the channel must be allowed, each by its own tags.

IAM = world_of(
    user("bearer_only", allow("chime:*", resource=f"{ARN}app-instance/*/user/*")),
    user("channel_only", allow("chime:*", resource=f"{ARN}app-instance/*/channel/*")),
    user("as_ana", allow("chime:*", resource=[f"{ARN}app-instance/*/user/ana", f"{ARN}app-instance/*/channel/c1"])),
    user(
        "tagged",
        allow("chime:*", resource=f"{ARN}app-instance/*/user/*"),
        {**allow("chime:*", resource="*"), "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}},
    ),
    user("denied", allow("*"), {**allow("chime:*", resource=f"{ARN}app-instance/*/channel/c1"), "Effect": "Deny"}),
)
BEARER_ALONE = {
    "ListChannels": {"AppInstanceArn": "instance"},
    "ListChannelMembershipsForAppInstanceUser": {},
    "ListChannelsModeratedByAppInstanceUser": {},
    "SearchChannels": {
        "Fields": [{"Key": "MEMBERS", "Operator": "INCLUDES", "Values": [f"{ARN}app-instance/i/user/x"]}]
    },
}
ON_BOTH = {
    "DescribeChannel": {},
    "ListChannelMessages": {},
    "SendChannelMessage": {"Content": "x", "Type": "STANDARD", "Persistence": "PERSISTENT"},
    "ListChannelMemberships": {},
    "CreateChannelMembership": {"MemberArn": "eva", "Type": "DEFAULT"},
}


@pytest.fixture(scope="module")
def policies(make_shared_world: Any) -> tuple[Chat, dict[str, Any], str]:
    chat = Chat(make_shared_world(IAM))
    names = ("bearer_only", "channel_only", "as_ana", "tagged", "denied")
    clients = {name: chat.world.client("chime-sdk-messaging", name) for name in names}
    return chat, clients, chat.channel(ChannelId="c1")


@pytest.mark.parametrize("operation", ON_BOTH)
@pytest.mark.parametrize("name", ["bearer_only", "channel_only", "denied", "tagged"])
def test_the_bearer_and_the_channel_must_be_allowed(policies: Any, operation: str, name: str) -> None:
    chat, clients, channel = policies
    code, message = chat.refused(operation, "ana", clients[name], ChannelArn=channel, **ON_BOTH[operation])
    assert code == "AccessDeniedException"
    missing = channel if name != "channel_only" else chat.arn("ana")
    assert f"chime:{operation} on resource: {missing}" in message


def test_a_policy_that_names_both_allows_them_alone(policies: Any) -> None:
    chat, clients, channel = policies
    assert chat.call("DescribeChannel", "ana", clients["as_ana"], ChannelArn=channel)
    # Another bearer, and another channel of the same user.
    assert chat.refused("DescribeChannel", "ben", clients["as_ana"], ChannelArn=channel)[0] == "AccessDeniedException"
    other = chat.channel()
    assert chat.refused("DescribeChannel", "ana", clients["as_ana"], ChannelArn=other)[0] == "AccessDeniedException"


def test_each_resource_counts_with_its_own_tags(policies: Any) -> None:
    chat, clients, _ = policies
    blue, red = (chat.channel(Tags=[{"Key": "team", "Value": value}]) for value in ("blue", "red"))
    assert chat.call("DescribeChannel", "ana", clients["tagged"], ChannelArn=blue)
    assert chat.refused("DescribeChannel", "ana", clients["tagged"], ChannelArn=red)[0] == "AccessDeniedException"


@pytest.mark.parametrize("operation", BEARER_ALONE)
def test_these_are_about_the_bearer_alone(policies: Any, operation: str) -> None:
    chat, clients, _ = policies
    given = {name: chat.instance if value == "instance" else value for name, value in BEARER_ALONE[operation].items()}
    assert chat.call(operation, "ana", clients["bearer_only"], **given)
    assert chat.refused(operation, "ana", clients["channel_only"], **given)[0] == "AccessDeniedException"


def test_a_refusal_of_a_role_comes_after_iam(policies: Any) -> None:
    """A caller without the permission learns nothing about members."""
    chat, clients, channel = policies
    assert chat.refused("DescribeChannel", "dee", ChannelArn=channel)[0] == "ForbiddenException"
    code, _ = chat.refused("DescribeChannel", "dee", clients["bearer_only"], ChannelArn=channel)
    assert code == "AccessDeniedException"
