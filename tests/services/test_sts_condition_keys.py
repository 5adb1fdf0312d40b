"""Global and STS condition keys: which of them each kind of caller has, and with which value.

Each test makes a policy depend on one key and calls for real. ``None`` means that the key is absent. That differs from
false: ``Null`` is true, and a comparison never matches.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any

import pytest
from botocore.config import Config
from sts_calls import (
    ACCOUNT,
    OTHER,
    account,
    allow,
    answered,
    declared,
    policy,
    role,
    role_arn,
    root_arn,
    root_user,
    session_arn,
    statement,
    trust,
    user,
    user_arn,
)

from rolecall.clock import iso8601

ORGANIZATION = "o-example1234"
ORGANIZATION_PATH = f"{ORGANIZATION}/r-exam/"
FULL_TRUST = trust(root_arn(), ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"])
FED_ARN = f"arn:aws:sts::{ACCOUNT}:federated-user/fed"
FED_ALLOW = json.dumps(allow("*"))
AGENT = "tests-of-condition-keys"
KINDS = ("user", "user session", "role session", "federated user")
# Values that the test knows only when it runs.
USER_ID, ROLE_USER_ID, ISSUED = "the user's id", "the role's id and the session", "time of issue"

# Key -> value for each of KINDS.
KEYS: dict[str, tuple[str | None, str | None, str | None, str | None]] = {
    "aws:PrincipalArn": (user_arn("team/ana"), user_arn("team/ana"), role_arn("team/tagged"), FED_ARN),
    "aws:PrincipalAccount": (ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT),
    "aws:PrincipalType": ("User", "User", "AssumedRole", "FederatedUser"),
    "aws:PrincipalIsAWSService": ("false", "false", "false", "false"),
    "aws:ViaAWSService": ("false", "false", "false", "false"),
    "aws:userid": (USER_ID, USER_ID, ROLE_USER_ID, f"{ACCOUNT}:fed"),
    "aws:username": ("ana", "ana", None, None),
    "aws:PrincipalTag/Team": ("blue", "blue", "red", "blue"),
    "aws:principaltag/TEAM": ("blue", "blue", "red", "blue"),
    "aws:PrincipalTag/Project": (None, None, "voice", "chat"),
    "aws:PrincipalTag/Office": ("Rome", "Rome", None, "Rome"),
    "aws:PrincipalTag/Absent": (None, None, None, None),
    "aws:PrincipalOrgID": (ORGANIZATION, ORGANIZATION, ORGANIZATION, ORGANIZATION),
    "aws:ResourceAccount": (ACCOUNT,) * 4,
    "aws:ResourceOrgID": (ORGANIZATION,) * 4,
    "aws:ResourceOrgPaths": (ORGANIZATION_PATH,) * 4,
    "sts:TransitiveTagKeys": (None, None, "project", None),
    "aws:MultiFactorAuthPresent": (None, "false", "false", "false"),
    "aws:MultiFactorAuthAge": (None, None, None, None),
    "aws:TokenIssueTime": (None, ISSUED, ISSUED, ISSUED),
    "aws:SourceIdentity": (None, None, "ana-of-the-desk", None),
    "aws:FederatedProvider": (None, None, None, None),
    "aws:SourceIp": ("127.0.0.1",) * 4,
    "aws:SecureTransport": ("false",) * 4,
    "aws:RequestedRegion": ("us-east-1",) * 4,
    "aws:UserAgent": (f"{AGENT}*",) * 4,
    "aws:Referer": (None,) * 4,
    "aws:SourceVpc": (None,) * 4,
    "aws:RequestTag/Team": (None,) * 4,
    "aws:TagKeys": (None,) * 4,
    "aws:ResourceTag/Team": (None,) * 4,
    "sts:RoleSessionName": (None,) * 4,
    "sts:ExternalId": (None,) * 4,
    "sts:SourceIdentity": (None,) * 4,
}


def sandbox(**more: Any) -> str:
    team = {"path": "/team/"}
    ana = user("ana", **team, tags={"team": "blue", "office": "Rome"})
    tagged = role("tagged", FULL_TRUST, **team, tags={"team": "green"})
    accounts = [account(users=[ana], roles=[tagged]), account(OTHER)]
    return declared(*accounts, **{"organization": {"id": ORGANIZATION}, **more})


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    return make_shared_world(sandbox())


@pytest.fixture(scope="module")
def callers(worlds: Any) -> Callable[[str], Caller]:
    """The caller of each kind, shared by tests of one sandbox. Each test sets its one policy anew."""
    return cache(partial(Caller, worlds))


def tag(key: str, value: str) -> dict[str, str]:
    return {"Key": key, "Value": value}


class Caller:
    """Credentials of one kind, and a function that changes the one policy behind them."""

    def __init__(self, world: Any, kind: str) -> None:
        self.world = world
        self.kind = kind
        self.iam = world.client("iam")
        self.give(allow("sts:*"))
        sts = world.client("sts", "ana")
        self.credentials: dict[str, Any] | None = None
        if kind == "user session":
            self.credentials = sts.get_session_token()["Credentials"]
        elif kind == "role session":
            self.iam.update_assume_role_policy(RoleName="tagged", PolicyDocument=json.dumps(FULL_TRUST))
            self.credentials = world.assume(
                role_arn("team/tagged"),
                Tags=[tag("TEAM", "red"), tag("project", "voice")],
                TransitiveTagKeys=["project"],
                SourceIdentity="ana-of-the-desk",
            )
        elif kind == "federated user":
            answer = sts.get_federation_token(Name="fed", Policy=FED_ALLOW, Tags=[tag("project", "chat")])
            self.credentials = answer["Credentials"]
        self.made_at_seconds = world.clock.now_seconds()
        config = Config(user_agent=AGENT)
        keys = {"credentials": self.credentials} if self.credentials else {"user": "ana"}
        self.chime = world.client("chime", config=config, **keys)

    def give(self, document: dict[str, Any]) -> None:
        text = json.dumps(document)
        if self.kind == "role session":
            self.iam.put_role_policy(RoleName="tagged", PolicyName="probe", PolicyDocument=text)
        else:
            self.iam.put_user_policy(UserName="ana", PolicyName="probe", PolicyDocument=text)

    def allowed_when(self, condition: dict[str, Any]) -> bool:
        """Whether an Allow under this condition permits the call."""
        self.give(allow("chime:ListAccounts", Condition=condition))
        return answered(self.chime, "ListAccounts") == "allowed"

    def value(self, named: str | None) -> str | None:
        if named == USER_ID:
            return str(self.iam.get_user(UserName="ana")["User"]["UserId"])
        if named == ROLE_USER_ID:
            return f"{self.iam.get_role(RoleName='tagged')['Role']['RoleId']}:session"
        return named


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("kind", KINDS)
def test_keys_of_each_kind_of_caller(callers: Callable[[str], Caller], kind: str, key: str) -> None:
    caller = callers(kind)
    value = caller.value(KEYS[key][KINDS.index(kind)])
    present = value is not None
    assert caller.allowed_when({"Null": {key: "false"}}) is present
    assert caller.allowed_when({"Null": {key: "true"}}) is not present
    if value == ISSUED:
        now = caller.made_at_seconds
        assert caller.allowed_when({"DateGreaterThan": {key: iso8601(now - 60)}})
        assert caller.allowed_when({"DateLessThanEquals": {key: iso8601(now)}})
        assert not caller.allowed_when({"DateLessThan": {key: iso8601(now - 60)}})
        return
    assert caller.allowed_when({"StringLike": {key: value or "*"}}) is present
    assert not caller.allowed_when({"StringEquals": {key: "something else"}})


@pytest.mark.parametrize("kind", KINDS)
def test_absent_is_not_false(worlds: Any, kind: str) -> None:
    caller = Caller(worlds, kind)
    key = "aws:MultiFactorAuthPresent"
    assert caller.allowed_when({"Bool": {key: "false"}}) is (kind != "user")
    assert caller.allowed_when({"BoolIfExists": {key: "false"}})
    assert not caller.allowed_when({"Bool": {key: "true"}})
    assert caller.allowed_when({"BoolIfExists": {key: "true"}}) is (kind == "user")


@pytest.fixture
def still(worlds: Any) -> Iterator[Any]:
    """The shared sandbox while its clock stands still."""
    worlds.clock.freeze()
    yield worlds
    worlds.clock.reset()


@pytest.mark.parametrize("kind", KINDS)
def test_times_of_the_request(still: Any, kind: str) -> None:
    caller = Caller(still, kind)
    now = still.clock.now_seconds()
    before, after = iso8601(now - 60), iso8601(now + 60)
    assert caller.allowed_when({"DateGreaterThan": {"aws:CurrentTime": before}})
    assert caller.allowed_when({"DateLessThan": {"aws:CurrentTime": after}})
    assert not caller.allowed_when({"DateLessThan": {"aws:CurrentTime": before}})
    assert caller.allowed_when({"NumericGreaterThan": {"aws:EpochTime": str(int(now) - 60)}})
    assert caller.allowed_when({"DateLessThan": {"aws:EpochTime": after}})
    assert not caller.allowed_when({"NumericGreaterThan": {"aws:EpochTime": str(int(now) + 60)}})


def test_the_time_of_the_request_is_the_sandbox_clock(make_world: Any) -> None:
    world = make_world(sandbox())
    caller = Caller(world, "user")
    later = iso8601(time.time() + 86_400)
    assert not caller.allowed_when({"DateGreaterThan": {"aws:CurrentTime": later}})
    world.clock.advance(2 * 86_400)
    assert caller.allowed_when({"DateGreaterThan": {"aws:CurrentTime": later}})


@pytest.mark.parametrize("kind", KINDS)
def test_paths_of_the_organization(worlds: Any, kind: str) -> None:
    caller = Caller(worlds, kind)
    assert caller.allowed_when({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": f"{ORGANIZATION}/*"}})
    assert caller.allowed_when({"ForAllValues:StringEquals": {"aws:PrincipalOrgPaths": ORGANIZATION_PATH}})
    assert not caller.allowed_when({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-another1234/*"}})


def test_outside_an_organization_its_keys_are_absent(make_world: Any) -> None:
    text = json.loads(sandbox())
    del text["organization"]
    caller = Caller(make_world(json.dumps(text)), "user")
    for key in ("aws:PrincipalOrgID", "aws:PrincipalOrgPaths"):
        assert caller.allowed_when({"Null": {key: "true"}})
        assert not caller.allowed_when({"Null": {key: "false"}})


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}, True),
        ({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}, False),
        ({"NotIpAddress": {"aws:SourceIp": "127.0.0.1"}}, False),
        ({"Bool": {"aws:SecureTransport": "true"}}, False),
        ({"Bool": {"aws:SecureTransport": "false"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/team/*"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/other/*"}}, False),
        ({"StringEquals": {"AWS:USERNAME": "${aws:username}"}}, True),
        ({"StringEquals": {"aws:username": "${aws:PrincipalTag/office}"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}, False),
    ],
)
def test_conditions_of_a_user(callers: Callable[[str], Caller], condition: dict[str, Any], expected: bool) -> None:
    assert callers("user").allowed_when(condition) is expected


def test_the_requested_region_is_the_one_the_call_was_signed_for(worlds: Any) -> None:
    caller = Caller(worlds, "user")
    far = worlds.client("sts", "ana", region="eu-west-1")
    key = {"AccessKeyId": "ASIAY34FZKBOKMUTVV7A"}
    for region, expected in (("eu-west-1", True), ("us-east-1", False)):
        caller.give(allow("sts:GetAccessKeyInfo", Condition={"StringEquals": {"aws:RequestedRegion": region}}))
        assert (answered(far, "GetAccessKeyInfo", **key) == "allowed") is expected


# The root user has no identity policies, so only a service control policy can read its keys.


@pytest.mark.parametrize("session", [False, True])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:PrincipalArn", root_arn()),
        ("aws:PrincipalAccount", ACCOUNT),
        ("aws:PrincipalType", "Account"),
        ("aws:userid", ACCOUNT),
        ("aws:username", None),
        ("aws:PrincipalOrgID", ORGANIZATION),
        ("aws:PrincipalIsAWSService", "false"),
        ("aws:MultiFactorAuthPresent", ("false", None)),
        ("aws:TokenIssueTime", ("*", None)),
    ],
)
def test_keys_of_the_root_user(make_world: Any, key: str, value: Any, session: bool) -> None:
    if isinstance(value, tuple):
        value = value[0] if session else value[1]
    statements = [
        statement("chime:ListAccounts", effect="Deny", Condition={"Null": {key: "false"}}),
        statement("chime:GetAccount", effect="Deny", Condition={"StringLike": {key: value or "*"}}),
    ]
    control = {"name": "probe", "document": policy(*statements)}
    world = make_world(sandbox(organization={"id": ORGANIZATION, "service_control_policies": [control]}))
    keys: dict[str, Any] = {"user": root_user()}
    if session:
        keys = {"credentials": world.client("sts", root_user()).get_session_token()["Credentials"]}
    chime = world.client("chime", **keys)
    present = value is not None
    assert (answered(chime, "ListAccounts") != "allowed") is present
    refused_by_value = answered(chime, "GetAccount", AccountId="00000000-0000-4000-8000-000000000000")[1]
    assert refused_by_value == ("ForbiddenException" if present else "NotFoundException")


# Keys of the request to assume a role, seen by the trust policy and by the caller's own policy.

ASSUME_KEYS: list[tuple[str, dict[str, Any], str | None]] = [
    ("sts:RoleSessionName", {}, "session"),
    ("sts:ExternalId", {"ExternalId": "Partner-1"}, "Partner-1"),
    ("sts:ExternalId", {}, None),
    ("sts:SourceIdentity", {"SourceIdentity": "ana-of-the-desk"}, "ana-of-the-desk"),
    ("sts:SourceIdentity", {}, None),
    ("aws:SourceIdentity", {"SourceIdentity": "ana-of-the-desk"}, None),
    ("aws:RequestTag/Team", {"Tags": [tag("team", "red")]}, "red"),
    ("aws:RequestTag/team", {}, None),
    ("aws:TagKeys", {}, None),
    ("aws:ResourceTag/Team", {}, "green"),
    ("iam:ResourceTag/team", {}, "green"),
    ("aws:ResourceTag/team", {"Tags": [tag("team", "red")]}, "green"),
    ("aws:ResourceTag/absent", {}, None),
    ("sts:TransitiveTagKeys", {}, None),
    ("sts:DurationSeconds", {"DurationSeconds": 900}, None),
    ("aws:PrincipalArn", {}, user_arn("team/ana")),
    ("aws:PrincipalTag/Team", {"Tags": [tag("team", "red")]}, "blue"),
    ("aws:MultiFactorAuthPresent", {}, None),
    ("aws:username", {}, "ana"),
]


def assume_allowed_when(world: Any, side: str, condition: dict[str, Any], client: Any, **parameters: Any) -> bool:
    """Whether a role can be assumed when one side allows it under this condition only."""
    iam = world.client("iam")
    action = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    conditioned, plain = {"Condition": condition}, {}
    document = trust(root_arn(), action, **(conditioned if side == "trust policy" else plain))
    iam.update_assume_role_policy(RoleName="tagged", PolicyDocument=json.dumps(document))
    own = allow(action, **(conditioned if side == "identity policy" else plain))
    iam.put_user_policy(UserName="ana", PolicyName="probe", PolicyDocument=json.dumps(own))
    call = {"RoleArn": role_arn("team/tagged"), "RoleSessionName": "session", **parameters}
    outcome = answered(client, "AssumeRole", **call)
    assert outcome == "allowed" or outcome[1] == "AccessDenied"
    return outcome == "allowed"


@pytest.mark.parametrize("side", ["trust policy", "identity policy"])
@pytest.mark.parametrize(("key", "parameters", "value"), ASSUME_KEYS)
def test_keys_of_assume_role(worlds: Any, side: str, key: str, parameters: dict[str, Any], value: str | None) -> None:
    client = worlds.client("sts", "ana")

    def allowed_when(condition: dict[str, Any]) -> bool:
        return assume_allowed_when(worlds, side, condition, client, **parameters)

    present = value is not None
    assert allowed_when({"Null": {key: "false"}}) is present
    assert allowed_when({"Null": {key: "true"}}) is not present
    assert allowed_when({"StringEquals": {key: value or "anything"}}) is present
    assert not allowed_when({"StringEquals": {key: "something else"}})


@pytest.mark.parametrize("side", ["trust policy", "identity policy"])
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "project"]}}, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["other"]}}, False),
        ({"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["team"]}}, True),
        ({"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": ["team"]}}, True),
        ({"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": ["project"]}}, False),
        ({"StringEquals": {"aws:RequestTag/team": "red", "aws:RequestTag/PROJECT": "voice"}}, True),
    ],
)
def test_tag_keys_of_assume_role(worlds: Any, side: str, condition: dict[str, Any], expected: bool) -> None:
    client = worlds.client("sts", "ana")
    parameters = {"Tags": [tag("team", "red"), tag("project", "voice")], "TransitiveTagKeys": ["team"]}
    assert assume_allowed_when(worlds, side, condition, client, **parameters) is expected


def test_an_external_id_is_compared_exactly(worlds: Any) -> None:
    client = worlds.client("sts", "ana")
    condition = {"StringEquals": {"sts:ExternalId": "Partner-1"}}
    for external_id, expected in (
        ("Partner-1", True),
        ("partner-1", False),
        ("Partner-12", False),
        ("Partner-", False),
    ):
        assert assume_allowed_when(worlds, "trust policy", condition, client, ExternalId=external_id) is expected
    assert not assume_allowed_when(worlds, "trust policy", condition, client)


# Keys further down a chain.


CHAIN_CONDITIONS: list[tuple[dict[str, Any], bool]] = [
    ({"StringEquals": {"aws:SourceIdentity": "ana-of-the-desk"}}, True),
    ({"StringEquals": {"sts:SourceIdentity": "ana-of-the-desk"}}, True),
    ({"StringEquals": {"aws:RequestTag/team": "red"}}, True),
    ({"Null": {"aws:RequestTag/project": "false"}}, False),
    ({"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": "team"}}, True),
    ({"StringEquals": {"aws:ResourceTag/team": "red"}}, True),
    ({"StringEquals": {"aws:ResourceTag/team": "green"}}, False),
    ({"StringEquals": {"aws:ResourceTag/color": "dark"}}, True),
    ({"StringEquals": {"aws:PrincipalTag/team": "red"}}, True),
    ({"StringEquals": {"aws:PrincipalArn": role_arn("first")}}, True),
    ({"StringEquals": {"aws:PrincipalArn": session_arn("first")}}, False),
    ({"Null": {"aws:TokenIssueTime": "false"}}, True),
    ({"Bool": {"aws:MultiFactorAuthPresent": "false"}}, True),
]


@pytest.fixture(scope="module")
def chains(make_shared_world: Any) -> Any:
    roles = [
        role("first", FULL_TRUST, allow("sts:*")),
        role("second", FULL_TRUST, tags={"team": "green", "color": "dark"}),
    ]
    return make_shared_world(declared(account(roles=roles)))


@pytest.mark.parametrize(("condition", "expected"), CHAIN_CONDITIONS)
def test_keys_of_assume_role_in_a_chain(chains: Any, condition: dict[str, Any], expected: bool) -> None:
    action = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    document = json.dumps(trust(root_arn(), action, Condition=condition))
    chains.client("iam").update_assume_role_policy(RoleName="second", PolicyDocument=document)
    tags = [tag("team", "red"), tag("project", "voice")]
    first = chains.assume("first", Tags=tags, TransitiveTagKeys=["team"], SourceIdentity="ana-of-the-desk")
    client = chains.client("sts", credentials=first)
    outcome = answered(client, "AssumeRole", RoleArn=role_arn("second"), RoleSessionName="next")
    assert (outcome == "allowed") is expected


def second_session(world: Any, document: dict[str, Any]) -> Any:
    """A Chime client at the end of a chain of two roles, the second of which has this policy."""
    iam = world.client("iam")
    iam.update_assume_role_policy(RoleName="second", PolicyDocument=json.dumps(FULL_TRUST))
    iam.put_role_policy(RoleName="second", PolicyName="probe", PolicyDocument=json.dumps(document))
    tags = [tag("team", "red"), tag("project", "voice")]
    first = world.assume("first", Tags=tags, TransitiveTagKeys=["team"], SourceIdentity="ana-of-the-desk")
    sts = world.client("sts", credentials=first)
    second = sts.assume_role(RoleArn=role_arn("second"), RoleSessionName="next")
    return world.client("chime", credentials=second["Credentials"])


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:PrincipalTag/team": "red"}}, True),
        ({"StringEquals": {"aws:PrincipalTag/color": "dark"}}, True),
        ({"Null": {"aws:PrincipalTag/project": "true"}}, True),
        ({"StringEquals": {"aws:SourceIdentity": "ana-of-the-desk"}}, True),
        ({"StringEquals": {"aws:PrincipalArn": role_arn("second")}}, True),
        ({"StringLike": {"aws:userid": "AROA*:next"}}, True),
        ({"StringLike": {"aws:userid": "AROA*:session"}}, False),
    ],
)
def test_keys_of_a_session_at_the_end_of_a_chain(chains: Any, condition: dict[str, Any], expected: bool) -> None:
    chime = second_session(chains, allow("chime:ListAccounts", Condition=condition))
    assert (answered(chime, "ListAccounts") == "allowed") is expected


# GetFederationToken.


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ({"StringEquals": {"aws:RequestTag/Team": "red"}}, True),
        ({"StringEquals": {"aws:RequestTag/team": "blue"}}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["project"]}}, False),
        ({"Null": {"sts:RoleSessionName": "true"}}, True),
    ],
)
def test_keys_of_get_federation_token(worlds: Any, condition: dict[str, Any], expected: bool) -> None:
    caller = Caller(worlds, "user")
    caller.give(allow(["sts:GetFederationToken", "sts:TagSession"], Condition=condition))
    sts = worlds.client("sts", "ana")
    outcome = answered(sts, "GetFederationToken", Name="fed", Tags=[tag("team", "red")])
    assert (outcome == "allowed") is expected
