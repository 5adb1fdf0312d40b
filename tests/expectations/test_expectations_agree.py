"""An expectation and the real call never disagree: both are drawn at random, both go to one sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rolecall import Rolecall
from rolecall.expectations.verifying import verify

ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
TARGET = f"arn:aws:iam::{ACCOUNT}:user/team/target"
WORKER = f"arn:aws:iam::{ACCOUNT}:role/team/worker"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/caller"
VAULT = f"arn:aws:iam::{ACCOUNT}:role/vault"
FOREIGN = f"arn:aws:iam::{OTHER_ACCOUNT}:role/foreign"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
OPEN_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
}
NO_TAGGING = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": ["iam:Tag*", "sts:TagSession"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:PrincipalTag/team": "red", "aws:RequestTag/team": "red"}},
        },
    ],
}
WORLD: dict[str, Any] = {
    "version": 1,
    "organization": {
        "id": "o-example1234",
        "management_account": "777788889999",
        "service_control_policies": [{"name": "no-tagging", "targets": ["ROOT"], "document": NO_TAGGING}],
    },
    "accounts": [
        {
            "id": ACCOUNT,
            "users": [
                {
                    "name": "admin",
                    "access_keys": [{"id": "test", "secret": "test"}],
                    "attached_policies": [ADMINISTRATOR],
                },
                {
                    "name": "caller",
                    "tags": {"team": "red"},
                    "access_keys": [{"id": "caller", "secret": "caller"}],
                    "mfa_devices": [{"name": "phone", "seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}],
                },
                {"name": "target", "path": "/team/", "tags": {"team": "blue"}},
            ],
            "roles": [
                {"name": "worker", "path": "/team/", "trust_policy": OPEN_TRUST, "tags": {"team": "red"}},
                {"name": "vault", "trust_policy": OPEN_TRUST, "tags": {"team": "blue"}},
            ],
        },
        {
            "id": OTHER_ACCOUNT,
            "users": [
                {
                    "name": "admin",
                    "access_keys": [{"id": "other", "secret": "other"}],
                    "attached_policies": [ADMINISTRATOR],
                }
            ],
            "roles": [{"name": "foreign", "trust_policy": OPEN_TRUST}],
        },
        {"id": "777788889999"},
    ],
}

TAG = [{"Key": "team", "Value": "red"}]
# Each call with the expectation about the same question. None of these changes anything that another question is about.
CALLS: dict[str, tuple[Callable[[Any], Any], str, str | None, dict[str, Any]]] = {
    "list users": (lambda client: client("iam").list_users(), "iam:ListUsers", "*", {}),
    "get user": (lambda client: client("iam").get_user(UserName="target"), "iam:GetUser", TARGET, {}),
    "get role": (lambda client: client("iam").get_role(RoleName="vault"), "iam:GetRole", "role/vault", {}),
    "tag user": (
        lambda client: client("iam").tag_user(UserName="target", Tags=[{"Key": "team", "Value": "blue"}]),
        "iam:TagUser",
        "user/target",
        {"aws:RequestTag/team": "blue", "aws:TagKeys": ["team"]},
    ),
    "detach": (
        lambda client: client("iam").detach_user_policy(UserName="target", PolicyArn=ADMINISTRATOR),
        "iam:DetachUserPolicy",
        TARGET,
        {"iam:PolicyARN": ADMINISTRATOR},
    ),
    "list accounts": (lambda client: client("chime").list_accounts(), "chime:ListAccounts", None, {}),
}
OWN = "arn:aws:iam::*:user/${aws:username}"
ACTIONS = st.sampled_from(["*", "chime:*", "CHIME:listaccounts", "iam:*User*", "iam:GetUser", "iam:?et*", "s3:*"])
RESOURCES = st.sampled_from(
    [
        "*",
        TARGET,
        VAULT,
        f"arn:aws:iam::{ACCOUNT}:user/*",
        "arn:aws:iam::*:user/*t",
        "arn:aws:iam::*:user/${aws:username}",
    ]
)
CONDITIONS = st.sampled_from(
    [
        {"StringEquals": {"aws:ResourceTag/team": "blue"}},
        {"StringNotEquals": {"aws:ResourceTag/team": "${aws:PrincipalTag/team}"}},
        {"StringEquals": {"aws:PrincipalTag/team": "red"}},
        {"StringEqualsIfExists": {"aws:RequestTag/team": "blue"}},
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "kind"]}},
        {"ArnLike": {"iam:PolicyARN": "arn:aws:iam::aws:policy/*"}},
        {"StringLike": {"aws:userid": "*:rolecall"}},
        {"StringEquals": {"aws:PrincipalType": "User"}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-example1234"}},
        {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
        {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
        {"Bool": {"aws:SecureTransport": "false"}},
        {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        {"Null": {"aws:TokenIssueTime": "true"}},
        {"ArnEquals": {"aws:PrincipalArn": WORKER}},
    ]
)


@st.composite
def statements(draw: st.DrawFn) -> dict[str, Any]:
    negated = draw(st.booleans()) and draw(st.booleans())
    statement: dict[str, Any] = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        "NotAction" if negated else "Action": draw(st.lists(ACTIONS, min_size=1, max_size=2)),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(RESOURCES),
    }
    if draw(st.booleans()):
        statement["Condition"] = draw(CONDITIONS)
    return statement


DOCUMENTS = st.builds(
    lambda found: json.dumps({"Version": "2012-10-17", "Statement": found}),
    st.lists(statements(), min_size=1, max_size=3),
)


def is_allowed(call: Callable[[], Any]) -> bool:
    """Whether a real call passes the policies, whatever its result."""
    try:
        call()
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"] != 403
    return True


def holds(sandbox: Rolecall, entry: dict[str, Any]) -> bool:
    [result] = verify(sandbox._parts.sandbox, json.dumps({"expectations": [entry]}))
    return result.holds


def test_an_expectation_about_an_action_is_what_a_real_call_shows() -> None:
    with Rolecall(config=WORLD) as sandbox:
        admin = sandbox.client("iam", user="admin")
        session = sandbox.client("sts", user="admin").assume_role(RoleArn=WORKER, RoleSessionName="rolecall")
        clients = {
            "user/caller": {name: sandbox.client(name, user="caller") for name in ("iam", "chime")},
            "role/worker": {
                name: sandbox.client(name, credentials=session["Credentials"]) for name in ("iam", "chime")
            },
        }
        seen: set[tuple[str, bool]] = set()

        @settings(max_examples=examples(160), deadline=None, phases=set(Phase) - {Phase.explain})
        @given(
            document=DOCUMENTS,
            who=st.sampled_from(sorted(clients)),
            asked=st.lists(st.sampled_from(sorted(CALLS)), min_size=1, max_size=3, unique=True),
        )
        def agree(document: str, who: str, asked: list[str]) -> None:
            admin.put_user_policy(UserName="caller", PolicyName="own", PolicyDocument=document)
            admin.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=document)
            for name in asked:
                call, action, resource, context = CALLS[name]
                allowed = is_allowed(lambda call=call: call(clients[who].__getitem__))
                entry: dict[str, Any] = {"principal": who}
                entry |= {"on": resource} if resource else {}
                entry |= {"given": context} if context else {}
                assert holds(sandbox, {**entry, "may": action}) is allowed, (name, document)
                assert holds(sandbox, {**entry, "may_not": action}) is not allowed
                if allowed:
                    # What is allowed on one resource is allowed on some resource.
                    anywhere = {key: value for key, value in entry.items() if key != "on"}
                    assert holds(sandbox, {**anywhere, "may": action}), (name, document)
                    assert not holds(sandbox, {**anywhere, "may_not": action})
                seen.add((who, allowed))

        agree()
        # A test with a single outcome would prove little.
        assert seen == {(who, allowed) for who in clients for allowed in (True, False)}


TRUSTED = st.sampled_from(
    [ACCOUNT, CALLER, WORKER, f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/rolecall", OTHER_ACCOUNT]
)
TRUST_CONDITIONS = st.sampled_from(
    [
        {"StringEquals": {"sts:ExternalId": "partner-id"}},
        {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        {"NumericLessThan": {"aws:MultiFactorAuthAge": "600"}},
        {"StringEquals": {"aws:RequestTag/Team": "red"}},
        {"ForAllValues:StringEquals": {"aws:TagKeys": ["Team"]}},
        {"StringEquals": {"aws:PrincipalTag/team": "${aws:RequestTag/Team}"}},
        {"StringLike": {"sts:SourceIdentity": "*"}},
        {"StringEquals": {"sts:RoleSessionName": "rolecall"}},
        {"ForAnyValue:StringEquals": {"sts:TransitiveTagKeys": "Team"}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-example1234"}},
        {"StringEquals": {"aws:ResourceTag/team": "blue"}},
    ]
)
TRUST_STATEMENTS = st.builds(
    lambda effect, principal, actions, condition: {
        "Effect": effect,
        "Principal": {"AWS": principal},
        "Action": actions,
        **({} if condition is None else {"Condition": condition}),
    },
    st.sampled_from(["Allow", "Allow", "Allow", "Deny"]),
    TRUSTED,
    st.lists(st.sampled_from(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]), min_size=1, max_size=3),
    st.one_of(st.none(), TRUST_CONDITIONS),
)
IDENTITY_STATEMENTS = st.builds(
    lambda effect, action, resource, condition: {
        "Effect": effect,
        "Action": action,
        "Resource": resource,
        **({} if condition is None else {"Condition": condition}),
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["*", "sts:*", "sts:AssumeRole", "sts:T*"]),
    st.sampled_from(["*", "arn:aws:iam::*:role/vault", FOREIGN]),
    st.one_of(st.none(), TRUST_CONDITIONS),
)
# Condition keys and the parameters of AssumeRole that they stand for.
TERMS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "external id": ({"sts:ExternalId": "partner-id"}, {"ExternalId": "partner-id"}),
    "another external id": ({"sts:ExternalId": "other"}, {"ExternalId": "other"}),
    "tag": ({"aws:RequestTag/Team": "red"}, {"Tags": [{"Key": "Team", "Value": "red"}]}),
    "transitive tag": (
        {"aws:RequestTag/Team": "red", "sts:TransitiveTagKeys": ["Team"]},
        {"Tags": [{"Key": "Team", "Value": "red"}], "TransitiveTagKeys": ["Team"]},
    ),
    "source identity": ({"sts:SourceIdentity": "ana"}, {"SourceIdentity": "ana"}),
    "session name": ({"sts:RoleSessionName": "ana"}, {"RoleSessionName": "ana"}),
    "mfa": ({"aws:MultiFactorAuthPresent": True}, {"mfa": True}),
    "not valid": ({"sts:ExternalId": "not valid!"}, {"ExternalId": "not valid!"}),
}


def policy(statements: list[Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_an_expectation_about_assuming_a_role_is_what_a_real_call_shows() -> None:
    with Rolecall(config=WORLD) as sandbox:
        admins = {
            VAULT: sandbox.client("iam", user="admin"),
            FOREIGN: sandbox.client("iam", credentials=("other",) * 2),
        }
        own = admins[VAULT]
        session = sandbox.client("sts", user="admin").assume_role(RoleArn=WORKER, RoleSessionName="rolecall")
        clients = {
            "user/caller": sandbox.client("sts", user="caller"),
            "role/worker": sandbox.client("sts", credentials=session["Credentials"]),
        }
        seen: set[tuple[str, str, bool]] = set()

        def assumed(who: str, role: str, parameters: dict[str, Any]) -> bool:
            if parameters.get("mfa"):
                if who != "user/caller":
                    # A role's session has no device to prove.
                    parameters = {}
                else:
                    sandbox.clock.advance(seconds=30)
                    code = sandbox.mfa_code("phone")
                    parameters = {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/phone", "TokenCode": code}
            arguments = {"RoleSessionName": "rolecall", **parameters}
            try:
                clients[who].assume_role(RoleArn=role, **arguments)
            except ClientError:
                return False
            return True

        @settings(max_examples=examples(240), deadline=None, phases=set(Phase) - {Phase.explain})
        @given(
            trust=st.lists(TRUST_STATEMENTS, min_size=1, max_size=2),
            identity=st.lists(IDENTITY_STATEMENTS, min_size=1, max_size=2),
            who=st.sampled_from(sorted(clients)),
            role=st.sampled_from([VAULT, FOREIGN]),
            terms=st.lists(st.sampled_from(sorted(TERMS)), min_size=1, max_size=3, unique=True),
        )
        def agree(trust: list[Any], identity: list[Any], who: str, role: str, terms: list[str]) -> None:
            name = role.rpartition("/")[2]
            admins[role].update_assume_role_policy(RoleName=name, PolicyDocument=policy(trust))
            own.put_user_policy(UserName="caller", PolicyName="own", PolicyDocument=policy(identity))
            own.put_role_policy(RoleName="worker", PolicyName="own", PolicyDocument=policy(identity))
            for term in terms:
                context, parameters = TERMS[term]
                allowed = assumed(who, role, parameters)
                entry = {"principal": who, **({"given": context} if context else {})}
                assert holds(sandbox, {**entry, "may_assume": role}) is allowed, (term, trust, identity)
                assert holds(sandbox, {**entry, "may_not_assume": role}) is not allowed
                if term == "plain":
                    on_it = {"principal": who, "on": role}
                    assert holds(sandbox, {**on_it, "may": "sts:AssumeRole"}) is allowed
                seen.add((who, role, allowed))

        agree()
        both = (True, False)
        assert {(who, allowed) for who, _, allowed in seen} == {(who, allowed) for who in clients for allowed in both}
        assert {(role, allowed) for _, role, allowed in seen} == {
            (role, allowed) for role in admins for allowed in both
        }
