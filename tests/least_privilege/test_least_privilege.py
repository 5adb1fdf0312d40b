"""The smallest policy for a principal's calls: it allows all of them, every part is needed, and it grants no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from logged_worlds import keep_log, refused

from rolecall.call_log.writer import DecisionLog
from rolecall.least_privilege import BadPrincipalError, least_privilege, observed
from rolecall.least_privilege.traffic import (
    Gaps,
    Used,
    gap_notes,
    policy_notes,
    smallest_policy,
    used_permissions,
    wanted_calls,
)
from rolecall.policy import Layers, NamedPolicy, PolicyKind, Question, compile_policies, decide, parse_policy
from rolecall.principals import Principal
from rolecall.storage.decision_log import LoggedCall, kinds_of

CHIME_NOTE = (
    "chime: its actions support no resource ARNs, so the statement ChimeSupportsNoResourceArns is for every resource."
)

ACCOUNT = "111122223333"
ANA = f"arn:aws:iam::{ACCOUNT}:user/ana"
READER = f"arn:aws:iam::{ACCOUNT}:role/chime-reader"
ANYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
URL = "/_rolecall/policy"


@pytest.fixture
def log(world: Any) -> Iterator[DecisionLog]:
    kept = keep_log(world)
    yield kept
    kept.close()


def policy_of(log: DecisionLog, principal: str, **options: bool) -> dict[str, Any]:
    return smallest_policy(used_permissions(log.kinds(wanted_calls(principal, None)), **options))


def world_of(policy: dict[str, Any] | None) -> str:
    """A world in which ana has this policy and no other, or none at all."""
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": ["sts:AssumeRole", "sts:TagSession"]}
    role = {"name": "worker", "path": "/a/", "trust_policy": {"Version": "2012-10-17", "Statement": [trust]}}
    user = {
        "name": "ana",
        "access_keys": [{"id": "ana_key", "secret": "ana-secret"}],
        "inline_policies": {} if policy is None else {"own": policy},
    }
    admin = {
        "name": "admin",
        "access_keys": [{"id": "admin_key", "secret": "admin-secret"}],
        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
    }
    chime_accounts = [{"name": "Sandbox", "users": [{"email": "li@example.com"}]}]
    account = {"id": ACCOUNT, "users": [user, admin], "roles": [role], "chime_accounts": chime_accounts}
    return json.dumps({"version": 1, "accounts": [account]})


# What ana may do in the tests. Each call is an operation's name and a drawn name of something.
CALLS: dict[str, Callable[[Any, str], object]] = {
    "create_user": lambda w, name: w["iam"].create_user(UserName=name, Path="/team/"),
    # IAM accepts wildcards and text like variables in paths.
    "create_user_oddly": lambda w, name: w["iam"].create_user(UserName=name, Path="/a*b?/${aws:username}$/"),
    "create_group_oddly": lambda w, name: w["iam"].create_group(GroupName=name, Path="/${*}/"),
    "get_user": lambda w, name: w["iam"].get_user(UserName=name),
    "list_users": lambda w, _name: w["iam"].list_users(),
    "delete_user": lambda w, name: w["iam"].delete_user(UserName=name),
    "tag_user": lambda w, name: w["iam"].tag_user(UserName=name, Tags=[{"Key": "a", "Value": "b"}]),
    "create_group": lambda w, name: w["iam"].create_group(GroupName=name),
    "add_user_to_group": lambda w, name: w["iam"].add_user_to_group(GroupName=name, UserName=name),
    "create_role": lambda w, name: w["iam"].create_role(RoleName=name, AssumeRolePolicyDocument=TRUST),
    "attach": lambda w, name: w["iam"].attach_user_policy(
        UserName=name, PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"
    ),
    "summary": lambda w, _name: w["iam"].get_account_summary(),
    "link": lambda w, _name: w["iam"].create_service_linked_role(AWSServiceName="chime.amazonaws.com"),
    "who": lambda w, _name: w["sts"].get_caller_identity(),
    "assume": lambda w, _name: w["sts"].assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/a/worker", RoleSessionName="abc"
    ),
    "assume_tagged": lambda w, name: w["sts"].assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/a/worker", RoleSessionName="abc", Tags=[{"Key": "a", "Value": name}]
    ),
    "federate": lambda w, name: w["sts"].get_federation_token(Name=name),
    "list_accounts": lambda w, _name: w["chime"].list_accounts(),
    "create_account": lambda w, name: w["chime"].create_account(Name=name),
    "search_numbers": lambda w, _name: w["chime"].search_available_phone_numbers(AreaCode="206"),
    "sdk": lambda w, _name: w["chime-sdk-voice"].list_voice_connectors(),
}
TRUST = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:*"}]}'
TRAFFIC = st.lists(st.tuples(st.sampled_from(sorted(CALLS)), st.sampled_from(["ana", "li", "x+y"])), max_size=20)


def run(world: Any, traffic: list[tuple[str, str]], **caller: Any) -> list[str]:
    """The error code of each call, empty when it succeeded; called by ana, or with the credentials."""
    services = ("iam", "sts", "chime", "chime-sdk-voice")
    clients = {service: world.client(service, "ana", **caller) for service in services}
    codes = []
    for name, argument in traffic:
        try:
            CALLS[name](clients, argument)
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
        else:
            codes.append("")
    return codes


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(traffic=TRAFFIC)
def test_the_same_traffic_is_allowed_by_the_policy_and_by_nothing_smaller(
    make_world: Any, traffic: list[tuple[str, str]]
) -> None:
    free = make_world(world_of(ANYTHING))
    log = keep_log(free)
    codes = run(free, traffic)
    calls = log.calls(wanted_calls(ANA, None))
    assert len(calls) == len(traffic)
    policy = smallest_policy(used_permissions(kinds_of(calls)))
    assert replayed(policy, calls)
    assert not any(replayed(smaller, calls) for smaller in with_less(policy))
    if policy["Statement"]:
        bound = make_world(world_of(None))
        iam = bound.client("iam", "admin")
        text = json.dumps(policy)
        arn = iam.create_policy(PolicyName="smallest", PolicyDocument=text)["Policy"]["Arn"]
        iam.attach_user_policy(UserName="ana", PolicyArn=arn)
        assert run(bound, traffic) == codes
        bound.close()
    log.close()
    free.close()


def test_a_role_with_the_policy_can_do_what_it_did_and_nothing_else(make_world: Any) -> None:
    """Every kind of call, once by a role that may do everything and once by a role with the resulting policy."""
    traffic = [(name, "li") for name in CALLS]
    worker = f"arn:aws:iam::{ACCOUNT}:role/a/worker"
    assumed = {"RoleArn": worker, "RoleSessionName": "abc"}
    made = []
    policy = ANYTHING
    for _ in range(2):
        world = make_world(world_of(None))
        log = keep_log(world)
        iam = world.client("iam", "admin")
        iam.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=json.dumps(policy))
        credentials = world.client("sts", "admin").assume_role(**assumed)["Credentials"]
        codes = run(world, traffic, credentials=credentials)
        found = least_privilege(observed(log, worker))
        made.append((codes, found))
        policy = found.policy or {}
        log.close()
    assert made[0][0] == made[1][0]
    assert made[0][1].policy == made[1][1].policy
    assert made[0][1].calls > len(CALLS) / 2
    # The second role had only that policy.
    assert not any("refused" in note for note in made[1][1].notes)


def replayed(policy: dict[str, Any], calls: list[LoggedCall]) -> bool:
    """Whether the policy alone allows every permission that the calls needed."""
    if not policy["Statement"]:
        return not any(json.loads(call.decisions) for call in calls)
    parsed = parse_policy(json.dumps(policy), PolicyKind.IDENTITY)
    layers = Layers(compile_policies([NamedPolicy(parsed, "smallest")], PolicyKind.IDENTITY))
    caller = Principal("User", ACCOUNT, ANA, ANA, "AIDAANA", "AIDAANA", "ana")
    return all(
        decide(layers, Question(asked["action"], asked["resource"], {}, caller, None, ACCOUNT)).allowed
        for call in calls
        for asked in json.loads(call.decisions)
    )


def with_less(policy: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The policy without one of its actions, or one of its resources."""
    for index, statement in enumerate(policy["Statement"]):
        for member in ("Action", "Resource"):
            values = statement[member] if isinstance(statement[member], list) else [statement[member]]
            for value in values:
                smaller = deepcopy(policy)
                smaller["Statement"][index][member] = [each for each in values if each != value]
                if len(values) == 1:
                    del smaller["Statement"][index]
                yield smaller


def test_a_policy_is_grouped_sorted_and_scoped(world: Any, log: DecisionLog) -> None:
    iam, sts, chime = (world.client(service) for service in ("iam", "sts", "chime"))
    for name in ("li", "ana"):
        iam.create_user(UserName=name)
        iam.get_user(UserName=name)
    iam.list_users()
    iam.get_account_summary()
    chime.list_accounts()
    chime.create_account(Name="x")
    sts.get_caller_identity()
    world.assume("chime-reader")
    world.assume("chime-manager")
    assert policy_of(log, f"arn:aws:iam::{ACCOUNT}:user/admin") == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "ChimeSupportsNoResourceArns",
                "Effect": "Allow",
                "Action": ["chime:CreateAccount", "chime:ListAccounts"],
                "Resource": "*",
            },
            {
                "Sid": "IamActionsWithoutResourceArns",
                "Effect": "Allow",
                "Action": ["iam:GetAccountSummary", "iam:ListUsers"],
                "Resource": "*",
            },
            {
                "Effect": "Allow",
                "Action": ["iam:CreateUser", "iam:GetUser"],
                "Resource": [ANA, f"arn:aws:iam::{ACCOUNT}:user/li"],
            },
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRole",
                "Resource": [f"arn:aws:iam::{ACCOUNT}:role/chime-manager", READER],
            },
        ],
    }


def test_sessions_belong_to_their_role(world: Any, log: DecisionLog) -> None:
    world.client("chime", credentials=world.assume("chime-reader", RoleSessionName="one")).list_accounts()
    two = world.client("chime", credentials=world.assume("chime-reader", RoleSessionName="two"))
    account_id = two.list_accounts()["Accounts"][0]["AccountId"]
    two.get_account(AccountId=account_id)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/chime-reader"

    def actions(principal: str) -> Any:
        return policy_of(log, principal)["Statement"][0]["Action"]

    assert actions(READER) == actions(f"{session}/two") == ["chime:GetAccount", "chime:ListAccounts"]
    assert actions(f"{session}/one") == "chime:ListAccounts"
    assert policy_of(log, f"{session}/three")["Statement"] == []
    assert actions(f"arn:aws:iam::{ACCOUNT}:user/admin") == "sts:AssumeRole"


def test_refused_calls_count_when_wanted(world: Any, log: DecisionLog) -> None:
    developer = f"arn:aws:iam::{ACCOUNT}:user/developer"
    refused(world.client("iam", "developer").create_user, UserName="eve")
    refused(world.client("sts", "developer").assume_role, RoleArn=f"{READER}*?$", RoleSessionName="abc")
    refused(world.client("iam", "developer").get_user, UserName="no/name")
    assert policy_of(log, developer)["Statement"] == []
    policy = policy_of(log, developer, include_refused=True)
    assert [(each["Action"], each["Resource"]) for each in policy["Statement"]] == [
        ("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/eve"),
        # Text like a wildcard or a variable is taken literally.
        ("sts:AssumeRole", f"{READER}${{*}}${{?}}${{$}}"),
    ]
    assert replayed(policy, [call for call in log.calls(wanted_calls(developer, None)) if call.decisions != "[]"])


def test_an_allowed_call_that_failed_needed_its_permission(world: Any, log: DecisionLog) -> None:
    refused(world.client("iam").get_user, UserName="nobody")
    [statement] = policy_of(log, f"arn:aws:iam::{ACCOUNT}:user/admin")["Statement"]
    assert statement["Action"] == "iam:GetUser"


@pytest.mark.parametrize(
    "principal",
    [
        "",
        "ana",
        "arn:aws:iam::111122223333:group/x",
        "arn:aws:s3:::bucket",
        "arn:aws:s3:::root",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
    ],
)
def test_invalid_principals(principal: str) -> None:
    with pytest.raises(BadPrincipalError):
        wanted_calls(principal, None)


def test_what_a_reader_should_know_is_noted() -> None:
    assert list(gap_notes(Gaps(dropped_allowed=3, dropped_refused=2, forgotten=7))) == [
        "the decision log keeps 50000 calls; 7 older calls, of all principals, are missing.",
        "3 allowed calls, of all principals, came too fast to be logged.",
    ]
    assert list(gap_notes(Gaps(dropped_refused=2), with_refused=True)) == [
        "2 refused calls, of all principals, came too fast to be logged."
    ]
    assert list(gap_notes(Gaps())) == []
    chime = Used({"chime:ListAccounts": frozenset({"*"})}, calls=1)
    assert list(policy_notes(smallest_policy(chime), chime)) == [CHIME_NOTE]


@pytest.mark.parametrize(
    ("users", "words"), [(100, []), (200, ["inline policy of a role"]), (300, ["split its statements"])]
)
def test_a_policy_that_is_too_long_says_where_it_can_go(world: Any, users: int, words: list[str]) -> None:
    used = Used({"iam:GetUser": frozenset(f"{ANA}{number:03}" for number in range(users))}, calls=users)
    policy = smallest_policy(used)
    notes = list(policy_notes(policy, used))
    assert len(notes) == len(words)
    assert all(word in note for word, note in zip(words, notes, strict=True))
    create = partial(world.client("iam").create_policy, PolicyName="p", PolicyDocument=json.dumps(policy, indent=2))
    assert ("LimitExceeded" in code_of(create)) == bool(words)


def code_of(call: Callable[[], object]) -> str:
    """The code of a call's error; empty when it is answered."""
    try:
        call()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


def test_what_no_policy_can_name_is_left_out_and_noted(world: Any, log: DecisionLog) -> None:
    sts = world.client("sts", "developer")
    developer = f"arn:aws:iam::{ACCOUNT}:user/developer"
    good = [f"{READER}*?${{aws:x}}", "arn:aws:iam::444455556666:role/x", f"arn:aws:iam::{ACCOUNT}:role/é"]
    bad = [
        f"arn:aws:iam:us-east-1:{ACCOUNT}:role/x",
        "arn:aws:iam::${aws:x}:role/x",
        "arn:nowhere:iam::111122223333:role/x",
        "arn:aws:iam::111122223333:other/x",
    ]
    for arn in (*good, *bad):
        refused(sts.assume_role, RoleArn=arn, RoleSessionName="abc")
    found = least_privilege(observed(log, developer), include_refused=True)
    assert found.policy is not None
    [statement] = found.policy["Statement"]
    assert len(statement["Resource"]) == len(good)
    assert [note for note in found.notes if "no policy can name" in note and note.endswith(" and 1 more: left out.")]
    world.client("iam").put_user_policy(UserName="developer", PolicyName="p", PolicyDocument=json.dumps(found.policy))


def test_a_refused_call_is_included_with_all_it_needed(world: Any, log: DecisionLog) -> None:
    """Tags and a source identity need their own permissions. The first missing one ends the call."""
    iam, sts = world.client("iam"), world.client("sts", "developer")
    asked = {
        "RoleArn": READER,
        "RoleSessionName": "abc",
        "Tags": [{"Key": "team", "Value": "blue"}],
        "SourceIdentity": "dev",
    }
    actions = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
    trust = {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": actions}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.update_assume_role_policy(RoleName="chime-reader", PolicyDocument=document)
    iam.delete_user_policy(UserName="developer", PolicyName="assume-chime-roles")
    refused(sts.assume_role, **asked)
    found = least_privilege(observed(log, f"arn:aws:iam::{ACCOUNT}:user/developer"), include_refused=True)
    assert found.policy is not None
    [statement] = found.policy["Statement"]
    assert (statement["Action"], statement["Resource"]) == (actions, READER)
    iam.put_user_policy(UserName="developer", PolicyName="p", PolicyDocument=json.dumps(found.policy))
    assert sts.assume_role(**asked)["SourceIdentity"] == "dev"


def test_refused_calls_are_spoken_of(world: Any, log: DecisionLog) -> None:
    chime = world.client("chime", credentials=world.assume("chime-reader"))
    chime.list_accounts()
    refused(chime.create_account, Name="x")
    [_, note] = least_privilege(observed(log, READER)).notes
    assert note == "calls that policies refused are left out unless you include them: 1."
    assert least_privilege(observed(log, READER), include_refused=True).notes == (CHIME_NOTE,)
    denied = f"arn:aws:iam::{ACCOUNT}:role/chime-denied"
    refused(world.client("chime", credentials=world.assume("chime-denied")).list_accounts)
    [_, note] = least_privilege(observed(log, denied), include_refused=True).notes
    assert note.startswith("calls that would still be refused with this policy")
    assert note.endswith(": 1.")


# Over HTTP.


def get(world: Any, **parameters: str) -> tuple[int, Any]:
    answer = world.application.test_client().get(URL, query_string=parameters)
    return answer.status_code, answer.json


def test_the_endpoint_answers_policy_and_grants(world: Any, log: DecisionLog) -> None:
    world.client("chime", credentials=world.assume("chime-reader")).list_accounts()
    status, answer = get(world, principal=READER, unused="true")
    assert status == 200
    assert sorted(answer["unused"]) == ["actions", "policies", "reaches_further", "resources"]
    assert answer.pop("unused_notes") == []
    del answer["unused"]
    statement = {
        "Sid": "ChimeSupportsNoResourceArns",
        "Effect": "Allow",
        "Action": "chime:ListAccounts",
        "Resource": "*",
    }
    assert answer == {
        "principal": READER,
        "calls": 1,
        "policy": {"Version": "2012-10-17", "Statement": [statement]},
        "notes": [CHIME_NOTE],
    }
    world.clock.advance(3600)
    since = str(int(world.clock.now_seconds()) - 60)
    assert get(world, principal=READER, since=since) == (
        200,
        {
            "principal": READER,
            "calls": 0,
            "policy": None,
            "notes": [f"the decision log has no call of {READER} since then."],
        },
    )
    refused(world.client("chime", credentials=world.assume("chime-reader")).create_account, Name="x")
    assert get(world, principal=READER, since=since, include_refused="true")[1]["calls"] == 1
    answer = get(world, principal="arn:aws:iam::111122223333:user/nobody", unused="true")[1]
    assert answer["unused"] is None
    assert answer["unused_notes"][0].startswith(
        "unused is null: there is no user or role arn:aws:iam::111122223333:user/nobody"
    )


@pytest.mark.parametrize(
    "parameters",
    [{}, {"principal": "x"}, {"principal": READER, "since": "x"}, {"principal": READER, "unused": "1"}, {"user": "x"}],
)
def test_parameters_that_cannot_be_understood(world: Any, log: DecisionLog, parameters: dict[str, str]) -> None:
    status, answer = get(world, **parameters)
    assert (status, list(answer)) == (400, ["message"])


def test_without_a_log_there_is_nothing(world: Any) -> None:
    assert get(world, principal=READER) == (404, {"message": "This sandbox keeps no decision log."})
