"""Scoped credentials in the explanations, the log, CloudTrail's records, and what passes a session on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from logged_worlds import keep_log, refused
from msgspec.structs import replace
from sts_calls import ACCOUNT, account, allow, declared, policy, role, role_arn, root_arn, session_arn, statement, trust
from test_sts_delegation import Delegation
from test_sts_delegation import world_text as delegation_world

from rolecall import Rolecall
from rolecall.call_log.cloudtrail import cloudtrail_record, cloudtrail_records
from rolecall.call_log.shown import call_as_json, explained_as_json, explained_lines
from rolecall.call_log.writer import DecisionLog
from rolecall.http import HttpRequest
from rolecall.ids import Identifiers, authorization_id
from rolecall.principals import Caller, Principal, Session, SessionContents
from rolecall.sessions.credentials import SessionRequest, issue, open_session
from rolecall.sessions.delegation import approval_text, delegated_session
from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.signin import SignIn, SignInError
from rolecall.storage import keyring
from rolecall.storage.decision_log import CallFilter

pytestmark = pytest.mark.follows_the_model
NARROWING = "sts:GetScopedCredentials"
# The second of three refuses without a statement, or with one.
SILENT = [allow("*"), allow(["chime:List*", NARROWING]), allow("*")]
DENYING = [
    allow("*"),
    allow("*"),
    policy(statement("*"), statement("chime:Delete*", effect="Deny", Sid="NoDeleting")),
]


@pytest.fixture
def logged(make_world: Any) -> Iterator[tuple[Any, DecisionLog]]:
    world = make_world(declared(account(roles=[role("everything", trust(root_arn()), allow("*"))])))
    log = keep_log(world)
    yield world, log
    log.close()


def chain(world: Any, credentials: dict[str, Any], documents: list[Any], **more: Any) -> dict[str, Any]:
    for document in documents:
        sts = world.client("sts", credentials=credentials)
        credentials = sts.get_scoped_credentials(Policy=json.dumps(document), **more)["Credentials"]
    return credentials


def newest(log: DecisionLog) -> Any:
    return log.calls(CallFilter(limit=1))[0]


@pytest.mark.parametrize(
    ("documents", "outcome", "name"),
    [(SILENT, "ImplicitDeny", "scope-down policy 2 of 3"), (DENYING, "ExplicitDeny", "scope-down policy 3 of 3")],
)
def test_a_refusal_names_the_policy_everywhere(logged: Any, documents: list[Any], outcome: str, name: str) -> None:
    world, log = logged
    credentials = chain(world, world.assume("everything"), documents)
    made, _message = refused(
        world.client("chime", credentials=credentials).delete_account, AccountId="00000000-0000-4000-8000-000000000000"
    )
    log.flush()
    call = newest(log)
    shown = call_as_json(call)
    assert (shown["outcome"], shown["layer"], shown["layer_name"]) == (outcome, "scope-down", name)
    assert shown["session"]["scope_down_policies"] == 3
    explained = explained_as_json(call, log.details(made))
    [evaluation] = explained["evaluations"]
    assert (evaluation["layer"], evaluation["layer_name"]) == ("scope-down", name)
    scope_down = [layer for layer in evaluation["layers"] if layer["layer"] == "scope-down"]
    assert [layer["policies"] for layer in scope_down] == [[f"scope-down policy {n} of 3"] for n in (1, 2, 3)]
    assert all(layer["needed"] for layer in scope_down)
    documents_shown = [each["document"] for each in explained["policies"] if each["kind"] == "scope-down"]
    assert [json.loads(json.dumps(each)) for each in documents] == documents_shown
    text = "\n".join(explained_lines(explained))
    assert f"decided by the {name}" in text
    assert "scope-down policies: 3" in text
    extra = cloudtrail_record(call)["additionalEventData"]
    assert (extra["layer"], extra["layerName"], extra["scopedPoliciesCount"]) == ("scope-down", name, 3)
    toolbox = world.client("iam-toolbox")
    details = toolbox.get_request_authorization_details(authorizationId=authorization_id(made))
    effects = [
        each["evaluatedEffect"] for each in details["evaluations"][0]["checks"] if each["checkType"] == "SESSION"
    ]
    refusing = "EXPLICIT_DENY" if outcome == "ExplicitDeny" else "IMPLICIT_DENY"
    assert effects == ["ALLOW"] * (int(name[18]) - 1) + [refusing] + ["ALLOW"] * (3 - int(name[18]))
    types = {each["type"] for each in details["policies"] if not each["uri"].startswith("arn:")}
    assert "SESSION_POLICY" in types
    decoded = world.client("sts").decode_authorization_message(EncodedMessage=explained["encoded_message"])
    message = json.loads(decoded["DecodedMessage"])
    matched = [each["statementId"] for each in message["matchedStatements"]["items"]]
    assert (message["explicitDeny"], matched) == (
        outcome == "ExplicitDeny",
        ["NoDeleting"] if outcome == "ExplicitDeny" else [],
    )


def test_the_name_outlives_the_details_of_a_refusal(logged: Any) -> None:
    """Details are kept for a day. The log itself still names the policy that refused."""
    world, log = logged
    chime = world.client("chime", credentials=chain(world, world.assume("everything"), SILENT))
    refused(chime.delete_account, AccountId="00000000-0000-4000-8000-000000000000")
    log.flush()
    text = "\n".join(explained_lines(explained_as_json(newest(log), None)))
    assert "by the scope-down policy 2 of 3: no statement allows it" in text


def test_other_layers_have_their_kind_as_name(logged: Any) -> None:
    world, log = logged
    world.client("sts").get_access_key_info(AccessKeyId="ASIAY34FZKBOKMUTVV7A")
    log.flush()
    shown = call_as_json(newest(log))
    assert (shown["layer"], shown["layer_name"]) == ("identity", "identity-based policies")
    extra = cloudtrail_record(newest(log))["additionalEventData"]
    assert "layerName" not in extra
    assert "scopedPoliciesCount" not in extra


def test_cloudtrail_has_policy_and_description(logged: Any) -> None:
    world, log = logged
    session = world.assume("everything")
    answer = world.client("sts", credentials=session).get_scoped_credentials(
        Policy=json.dumps(allow("chime:*")), DurationSeconds=900, ScopedSessionDescription="for the summarizing agent"
    )
    log.flush()
    [record] = cloudtrail_records(newest(log))
    assert (record["eventSource"], record["eventName"]) == ("sts.amazonaws.com", "GetScopedCredentials")
    assert record["managementEvent"] is True
    assert record["requestParameters"] == {
        "policy": json.dumps(allow("chime:*")),
        "durationSeconds": 900,
        "scopedSessionDescription": "for the summarizing agent",
    }
    said = record["responseElements"]
    assert said["credentials"]["accessKeyId"] == answer["Credentials"]["AccessKeyId"]
    assert "secretAccessKey" not in said["credentials"]
    assert answer["Credentials"]["SessionToken"] not in json.dumps(record)
    assert said["scopedPoliciesCount"] == 1
    assert said["sessionInfo"]["arn"] == session_arn("everything")


def test_the_session_of_scoped_credentials_is_shown_as_the_session_it_is(logged: Any) -> None:
    """Also its issuer: a federated user's is the user who called GetFederationToken, not the federated user."""
    world, log = logged
    limits = [{"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}]
    federated = world.client("sts").get_federation_token(Name="fed", PolicyArns=limits)["Credentials"]
    shown = []
    for credentials in (federated, chain(world, federated, [allow("*")])):
        world.client("sts", credentials=credentials).get_caller_identity()
        log.flush()
        identity = cloudtrail_record(newest(log))["userIdentity"]
        del identity["accessKeyId"]
        shown.append((identity, call_as_json(newest(log))["session"]["chain"]))
    assert shown[0] == shown[1]
    issuer = shown[1][0]["sessionContext"]["sessionIssuer"]
    assert (issuer["type"], issuer["arn"]) == ("IAMUser", f"arn:aws:iam::{ACCOUNT}:user/admin")


def test_a_role_chain_names_a_scoped_caller_once(logged: Any) -> None:
    world, log = logged
    scoped = chain(world, world.assume("everything"), [allow("*"), allow("*")])
    sts = world.client("sts", credentials=scoped)
    following = sts.assume_role(RoleArn=role_arn("everything"), RoleSessionName="next")["Credentials"]
    world.client("sts", credentials=following).get_caller_identity()
    log.flush()
    admin = f"arn:aws:iam::{ACCOUNT}:user/admin"
    session = call_as_json(newest(log))["session"]
    assert session["chain"] == [admin, session_arn("everything")]
    assert "scope_down_policies" not in session


# What hands a session on must hand its limits on.

FULL = SessionContents(
    type="AssumeRole",
    session_name="session",
    policies=("p",),
    policy_arns=("a",),
    tags=(("k", "v"),),
    transitive_tag_keys=("k",),
    source_identity="Alice",
    mfa_authenticated_at_seconds=5,
    federated_provider="idp",
    context=(("saml:sub", "x"), ("saml:cn", ("a", "b"))),
    chained=True,
    everywhere=False,
    approver_policies=("q",),
    approver_policy_arns=("b",),
    approver_scope_down_policies=("r",),
    scoped=True,
    scope_down_policies=("s", "t"),
)
PRINCIPAL = Principal("AssumedRole", ACCOUNT, "arn", "role", "id:session", "id", "name")


def contents(of: Any) -> dict[str, Any]:
    return {name: getattr(of, name) for name in SessionContents.__struct_fields__}


def test_the_token_carries_every_part_of_a_session() -> None:
    empty = SessionContents(type="GetSessionToken")
    for name in SessionContents.__struct_fields__:
        assert getattr(FULL, name) != getattr(empty, name), f"{name}: give it another value here"
    keys = KeyRing([SealingKey("0a1b2c3d", b"k" * 32)])
    for wanted in (FULL, empty):
        request = SessionRequest(**contents(wanted), principal=PRINCIPAL, duration_seconds=900)
        made = issue(keys, Identifiers(), 1000, request)
        assert contents(open_session(keys, made.access_key_id, made.session_token).session) == contents(wanted)


def test_narrowing_changes_no_other_part_of_a_session(make_world: Any) -> None:
    world = make_world(declared(account(roles=[role("everything", trust(root_arn()), allow("*"))])))
    found = world.client("iam").get_role(RoleName="everything")["Role"]
    arn, role_id = session_arn("everything"), found["RoleId"]
    principal = Principal("AssumedRole", ACCOUNT, arn, found["Arn"], f"{role_id}:session", role_id, "everything")
    everything = json.dumps(allow("*"))
    administrator = "arn:aws:iam::aws:policy/AdministratorAccess"
    session = replace(
        FULL, policies=(everything,), policy_arns=(administrator,), scope_down_policies=(everything,), scoped=False
    )
    request = SessionRequest(**contents(session), principal=principal, duration_seconds=900)
    with world.database.snapshot() as connection:
        keys = KeyRing.of_rows(keyring.load(connection))
    now_seconds = world.clock.now_seconds()
    before = issue(keys, Identifiers(), now_seconds - 100, request, ("first", "second"))
    sts = world.client("sts", keys=(before.access_key_id, before.secret_access_key, before.session_token))
    made = sts.get_scoped_credentials(Policy=everything)["Credentials"]
    opened = open_session(keys, made["AccessKeyId"], made["SessionToken"])
    whole = open_session(keys, before.access_key_id, before.session_token)
    assert opened.principal == whole.principal
    narrowed = {"scoped": True, "scope_down_policies": (everything, everything)}
    assert opened.session == replace(whole.session, access_key_id=made["AccessKeyId"], **narrowed)


# Parts that a delegated session has for itself. Every other part is the approver's.
OF_THE_DELEGATED = {"type", "chained", "everywhere", "scoped"}
# The approver's limits stand beside the delegated session's own.
BESIDE = {
    "policies": "approver_policies",
    "policy_arns": "approver_policy_arns",
    "scope_down_policies": "approver_scope_down_policies",
}


def test_a_delegation_carries_every_part_of_the_approvers_session() -> None:
    plain = replace(FULL, approver_policies=(), approver_policy_arns=(), approver_scope_down_policies=())
    times = {"issued_at_seconds": 1, "expires_at_seconds": 2}
    session = Session(**contents(plain), access_key_id="ASIA", **times)
    given = delegated_session(approval_text(Caller(PRINCIPAL, "ASIA", session)), "permission policy", 900)
    assert given.policies == ("permission policy",)
    for name, value in contents(plain).items():
        if name in OF_THE_DELEGATED or name.startswith("approver_"):
            continue
        # Stored as JSON, which has no tuples.
        found = json.loads(json.dumps(getattr(given, BESIDE.get(name, name))))
        assert found == json.loads(json.dumps(value)), name


@pytest.mark.parametrize("narrow", [False, True])
def test_a_scoped_approver_delegates_no_more_than_it_may_do(make_world: Any, narrow: bool) -> None:
    """The partner's session keeps every layer of the approver's, also when a policy names the approver."""
    delegation = Delegation(make_world(delegation_world()))
    world = delegation.world
    needed = ["iam:*DelegationRequest", "iam:SendDelegationToken", "iam:PassRole", NARROWING]
    layers = [allow([*needed, "chime:Get*", "chime:List*"]), allow([*needed, "chime:Get*"])][: 2 if narrow else 1]
    approver = world.client("iam", credentials=chain(world, world.assume("approver"), layers))
    token = delegation.sent(approver, Permissions={"PolicyTemplateArn": "arn:aws:iam::444455556666:policy/template"})
    credentials = delegation.exchange(token)["Credentials"]
    chime = world.client("chime", credentials=credentials)
    if not narrow:
        chime.list_accounts()
    for call in [chime.list_accounts] if narrow else [chime.create_account]:
        with pytest.raises(ClientError) as caught:
            call(**({} if narrow else {"Name": "New"}))
        assert "because no session policy allows the chime:" in str(caught.value)
    log = keep_log(world)
    made, _message = refused(world.client("chime", credentials=credentials).create_account, Name="New")
    log.flush()
    shown = explained_as_json(newest(log), log.details(made))
    log.close()
    assert shown["layer_name"] == f"scope-down policy 1 of {len(layers)} of the approver"


def test_the_sign_in_page_keeps_layers_and_life(make_world: Any) -> None:
    world = make_world(declared(account(roles=[role("everything", trust(root_arn()), allow("*"))])))
    scoped = chain(world, world.assume("everything"), [allow("chime:List*")], DurationSeconds=1800)
    sign_in = SignIn(world.database, world.clock)
    keys = (scoped["AccessKeyId"], scoped["SecretAccessKey"], scoped["SessionToken"])
    # A role's session may otherwise ask for a longer life in the browser.
    with pytest.raises(SignInError, match="credentials from GetScopedCredentials"):
        sign_in.sign_in_token(*keys, 3600)
    token, _caller = sign_in.sign_in_token(*keys, None)
    session, seconds = sign_in.console_session(token, HttpRequest("GET", "/federation", "", {}, b""))
    assert seconds <= 1800
    visitor = sign_in.visitor(session)
    assert visitor is not None
    assert [layer.policies[0].name for layer in visitor.identity.rights.layers.scope_down] == [
        "scope-down policy 1 of 1"
    ]


def test_the_test_kit_names_the_policy() -> None:
    roles = [role("everything", trust(root_arn()), allow("*"))]
    with Rolecall(json.loads(declared(account(roles=roles)))) as sandbox:
        wanted = {"RoleArn": role_arn("everything"), "RoleSessionName": "session"}
        made = sandbox.client("sts", user="admin").assume_role(**wanted)["Credentials"]
        for document in (allow("*"), allow("chime:List*")):
            sts = sandbox.client("sts", credentials=made)
            made = sts.get_scoped_credentials(Policy=json.dumps(document))["Credentials"]
        chime = sandbox.client("chime", credentials=made)
        for by in ("scope-down policy", "scope-down", "scope-down policy 2 of 2"):
            with sandbox.expect_denied("chime:CreateAccount", by=by) as refusal:
                chime.create_account(Name="New")
            assert refusal.decision is not None
            assert refusal.decision.layer == "scope-down policy 2 of 2"
        for by in ("scope-down policy 1 of 2", "session policy"):
            with pytest.raises(AssertionError, match="refused by"), sandbox.expect_denied("chime:CreateAccount", by=by):
                chime.create_account(Name="New")
        sandbox.assert_denied("chime:CreateAccount", by="scope-down policy", credentials=made)
        with pytest.raises(AssertionError, match="scope-down policy 2 of 2"):
            sandbox.assert_allowed("chime:CreateAccount", credentials=made)
        with pytest.raises(ValueError, match="there is no kind of policy"):
            sandbox.assert_denied("chime:CreateAccount", by="scope-down policy 4 of 4", credentials=made)
