"""GetScopedCredentials: the same session with fewer rights, a shorter life, or both."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
from amounts import usual
from hypothesis import given, settings
from hypothesis import strategies as st
from mfa_calls import enabled_device
from sts_calls import (
    ACCOUNT,
    UNCHECKED,
    account,
    allow,
    answered,
    declared,
    deny,
    no_allow,
    not_authorized,
    policy,
    refusal,
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

pytestmark = pytest.mark.follows_the_model
ADMINISTRATOR = {"arn": "arn:aws:iam::aws:policy/AdministratorAccess"}
EVERYTHING = json.dumps(allow("*"))
NO_SESSION_POLICY = "because no session policy allows the {} action"
INVALID = (403, "InvalidClientTokenId", "The security token included in the request is invalid")
TAGS = [{"Key": "team", "Value": "blue"}, {"Key": "level", "Value": "3"}]
FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/fed"


def world_text() -> str:
    tagging = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]
    roles = [
        role("everything", trust(root_arn(), tagging), allow("*"), max_session_duration=43_200),
        # Nothing of its own: what its session may do comes from policies that name the session.
        role("empty", trust(root_arn())),
        role("by-name", trust([session_arn("empty"), user_arn("ana")])),
        role("by-role", trust(role_arn("empty"))),
        role("target", trust(root_arn(), tagging), allow("chime:*")),
    ]
    return declared(account(users=[user("ana", allow("*"))], roles=roles))


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    return make_shared_world(world_text())


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(world_text())


def narrowed(world: Any, credentials: dict[str, Any], document: Any = None, **more: Any) -> dict[str, Any]:
    """The credentials of a further GetScopedCredentials call."""
    if document is not None:
        more["Policy"] = json.dumps(document)
    answer = world.client("sts", credentials=credentials).get_scoped_credentials(**more)
    return answer["Credentials"]  # type: ignore[no-any-return]


def identity(world: Any, credentials: dict[str, Any]) -> dict[str, Any]:
    answer = world.client("sts", credentials=credentials).get_caller_identity()
    return {name: answer[name] for name in ("UserId", "Account", "Arn")}


def sessions(world: Any) -> Iterator[tuple[str, dict[str, Any], str, str]]:
    """Every kind of session that can be made here: kind, credentials, ARN, and the id of the scoped session."""
    ana = world.client("sts", "ana")
    user_id = world.client("iam").get_user(UserName="ana")["User"]["UserId"]
    role_id = world.client("iam").get_role(RoleName="everything")["Role"]["RoleId"]
    yield "role", world.assume("everything"), session_arn("everything"), f"{role_id}:session"
    yield "user", ana.get_session_token()["Credentials"], user_arn("ana"), user_id
    federated = ana.get_federation_token(Name="fed", PolicyArns=[ADMINISTRATOR])["Credentials"]
    yield "federated", federated, FEDERATED, f"{ACCOUNT}:fed"
    root = world.client("sts", root_user()).get_session_token()["Credentials"]
    yield "root", root, root_arn(), ACCOUNT


# The answer.


def test_the_answer_is_about_the_same_session(worlds: Any) -> None:
    for kind, credentials, arn, session_id in sessions(worlds):
        answer = worlds.client("sts", credentials=credentials).get_scoped_credentials(Policy=EVERYTHING)
        made = answer.pop("Credentials")
        del answer["ResponseMetadata"]
        size = len(made["SessionToken"])
        assert answer == {
            "SessionInfo": {"ScopedSessionId": session_id, "Arn": arn},
            "ScopedPoliciesCount": 1,
            "SessionTokenSize": size,
            "SessionTokenUtilization": math.ceil(100 * size / 4096),
        }, kind
        assert made["AccessKeyId"].startswith("ASIA")
        assert made["AccessKeyId"] != credentials["AccessKeyId"]
        assert made["SecretAccessKey"] != credentials["SecretAccessKey"]
        assert made["Expiration"] == credentials["Expiration"]
        assert identity(worlds, made) == identity(worlds, credentials)
        assert identity(worlds, made)["Arn"] == arn


def test_each_policy_counts_and_a_duration_counts_nothing(worlds: Any) -> None:
    credentials, counts = worlds.assume("everything"), []
    for more in ({"DurationSeconds": 900}, {"Policy": EVERYTHING}, {"DurationSeconds": 800}, {"Policy": EVERYTHING}):
        answer = worlds.client("sts", credentials=credentials).get_scoped_credentials(**more)
        counts.append(answer["ScopedPoliciesCount"])
        credentials = answer["Credentials"]
    assert counts == [0, 1, 1, 2]


def test_a_session_policy_is_no_layer(worlds: Any) -> None:
    credentials = worlds.assume("everything", Policy=EVERYTHING)
    answer = worlds.client("sts", credentials=credentials).get_scoped_credentials(DurationSeconds=60)
    assert answer["ScopedPoliciesCount"] == 0


def test_what_belongs_to_the_session_stays(world: Any) -> None:
    """Session tags, transitive keys, source identity, time of issue: as policies see them, and in the answer."""
    credentials = world.assume("everything", Tags=TAGS, TransitiveTagKeys=["team"], SourceIdentity="Alice")
    later = iso8601(world.clock.now_seconds() + 60)
    world.clock.advance(600)
    answer = world.client("sts", credentials=credentials).get_scoped_credentials(Policy=EVERYTHING)
    assert answer["SourceIdentity"] == "Alice"
    same = {
        "aws:PrincipalTag/team": "blue",
        "aws:PrincipalTag/level": "3",
        "aws:SourceIdentity": "Alice",
        "aws:userid": identity(world, credentials)["UserId"],
        "aws:MultiFactorAuthPresent": "false",
    }
    before = {"DateLessThan": {"aws:TokenIssueTime": later}}
    condition = {"StringEquals": same, "ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["team"]}, **before}
    world.client("iam").put_role_policy(
        RoleName="everything",
        PolicyName="policy-0",
        PolicyDocument=json.dumps(allow(["chime:ListAccounts", "sts:AssumeRole"], Condition=condition)),
    )
    scoped = answer["Credentials"]
    world.client("chime", credentials=scoped).list_accounts()
    # The transitive tag and the source identity go on to the next role.
    world.client("iam").put_role_policy(RoleName="everything", PolicyName="policy-0", PolicyDocument=EVERYTHING)
    wanted = {"RoleArn": role_arn("target"), "RoleSessionName": "session"}
    sts = world.client("sts", credentials=scoped)
    assert sts.assume_role(**wanted)["SourceIdentity"] == "Alice"
    other = refusal(sts, "AssumeRole", **wanted, SourceIdentity="Bob")
    assert other[1] == "ValidationError"
    conflict = refusal(sts, "AssumeRole", **wanted, Tags=[{"Key": "team", "Value": "red"}])
    assert conflict[1] == "InvalidParameterValue"


def test_mfa_and_its_age_stay(world: Any) -> None:
    device = enabled_device(world, world.client("iam"), "ana")
    sts = world.client("sts", "ana")
    credentials = sts.get_session_token(**device.proof())["Credentials"]
    world.clock.advance(300)
    scoped = narrowed(world, narrowed(world, credentials, DurationSeconds=1200), allow("iam:*"))
    client = world.client("iam", credentials=scoped)
    client.list_users()
    for limit, result in (("300", 403), ("301", "allowed")):
        aged = {"NumericLessThan": {"aws:MultiFactorAuthAge": limit}}
        young = allow("iam:ListUsers", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}, **aged})
        world.client("iam").put_user_policy(UserName="ana", PolicyName="policy-0", PolicyDocument=json.dumps(young))
        found = answered(client, "ListUsers")
        assert (found if result == "allowed" else found[0]) == result
    world.client("iam").put_user_policy(UserName="ana", PolicyName="policy-0", PolicyDocument=EVERYTHING)
    # Without MFA the session of a user may not call IAM, scoped or not.
    plain = narrowed(world, sts.get_session_token()["Credentials"], allow("*"))
    assert answered(world.client("iam", credentials=plain), "ListUsers") == INVALID


# Limits and errors.


def test_one_of_policy_and_duration_must_be_given(worlds: Any) -> None:
    sts = worlds.client("sts", credentials=worlds.assume("everything"))
    for more in ({}, {"ScopedSessionDescription": "a description"}, {"MinimumSessionTokenSize": 0}):
        assert refusal(sts, "GetScopedCredentials", **more) == (
            400,
            "ValidationError",
            "At least one of Policy or DurationSeconds must be specified.",
        )


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"DurationSeconds": 0}, "durationSeconds"),
        ({"DurationSeconds": 129_601}, "durationSeconds"),
        ({"Policy": ""}, "policy"),
        ({"Policy": EVERYTHING.ljust(2049)}, "policy"),
        ({"Policy": EVERYTHING + "\u0100"}, "policy"),
        ({"DurationSeconds": 60, "ScopedSessionDescription": "x"}, "scopedSessionDescription"),
        ({"DurationSeconds": 60, "ScopedSessionDescription": "x" * 257}, "scopedSessionDescription"),
        ({"DurationSeconds": 60, "ScopedSessionDescription": "x\u007f"}, "scopedSessionDescription"),
        ({"DurationSeconds": 60, "MinimumSessionTokenSize": 4097}, "minimumSessionTokenSize"),
    ],
)
def test_parameters_beyond_their_limits(worlds: Any, more: dict[str, Any], where: str) -> None:
    sts = worlds.client("sts", credentials=worlds.assume("everything"), config=UNCHECKED)
    status, code, message = refusal(sts, "GetScopedCredentials", **more)
    assert (status, code) == (400, "ValidationError")
    assert f"at '{where}' failed to satisfy constraint" in message


@pytest.mark.parametrize(
    "document",
    [
        "no policy",
        "{}",
        json.dumps(trust("*")),
        json.dumps(policy({"Effect": "Allow", "Action": "*"})),
        json.dumps(allow("chime:*", "arn:aws:chime")),
    ],
)
def test_policies_that_are_none(worlds: Any, document: str) -> None:
    sts = worlds.client("sts", credentials=worlds.assume("everything"))
    assert refusal(sts, "GetScopedCredentials", Policy=document)[:2] == (400, "MalformedPolicyDocument")


def test_what_is_just_inside_the_limits(worlds: Any) -> None:
    sts = worlds.client("sts", credentials=worlds.assume("everything"))
    for more in (
        {"Policy": EVERYTHING.ljust(2048)},
        {"Policy": EVERYTHING + "\t\n\r "},
        {"DurationSeconds": 1, "ScopedSessionDescription": "ok"},
        {"DurationSeconds": 1, "ScopedSessionDescription": "é" * 256},
    ):
        sts.get_scoped_credentials(**more)


def test_the_life_is_never_longer_than_the_callers(world: Any) -> None:
    world.clock.freeze()
    too_long = (
        400,
        "InsufficientSessionLifetime",
        "The requested DurationSeconds exceeds the remaining lifetime of the calling session. "
        "GetScopedCredentials cannot extend a session beyond its original expiration.",
    )
    for kind, credentials, _arn, _id in sessions(world):
        sts = world.client("sts", credentials=credentials)
        ends = credentials["Expiration"]
        life = int(ends.timestamp()) - int(world.clock.now_seconds())
        equal = sts.get_scoped_credentials(DurationSeconds=life)["Credentials"]
        assert equal["Expiration"] == ends, kind
        assert refusal(sts, "GetScopedCredentials", DurationSeconds=life + 1) == too_long
        shorter = narrowed(world, credentials, DurationSeconds=600)
        again = world.client("sts", credentials=shorter)
        assert refusal(again, "GetScopedCredentials", DurationSeconds=601, Policy=EVERYTHING) == too_long
        assert again.get_scoped_credentials(Policy=EVERYTHING)["Credentials"]["Expiration"] == shorter["Expiration"]
    world.clock.advance(599)
    assert answered(again, "GetScopedCredentials", DurationSeconds=1) == "allowed"
    assert refusal(again, "GetScopedCredentials", DurationSeconds=2) == too_long
    last = narrowed(world, shorter, DurationSeconds=1)
    world.clock.advance(1)
    for ended in (shorter, last):
        expired = refusal(world.client("sts", credentials=ended), "GetCallerIdentity")
        assert expired == (403, "ExpiredToken", "The security token included in the request is expired")
    # The session itself goes on.
    assert answered(sts, "GetCallerIdentity") == "allowed"


def test_three_policies_and_no_fourth(worlds: Any) -> None:
    credentials = worlds.assume("everything")
    for _ in range(3):
        credentials = narrowed(worlds, credentials, allow("*"))
    sts = worlds.client("sts", credentials=credentials)
    for more in ({}, {"DurationSeconds": 60}):
        assert refusal(sts, "GetScopedCredentials", Policy=EVERYTHING, **more) == (
            403,
            "AccessDenied",
            "The session already has 3 scope down policies. "
            "A maximum of 3 scope down policies are allowed per session.",
        )
    answer = sts.get_scoped_credentials(DurationSeconds=60)
    assert answer["ScopedPoliciesCount"] == 3
    # What is wrong with the policy comes first.
    assert refusal(sts, "GetScopedCredentials", Policy="x")[1] == "MalformedPolicyDocument"
    assert refusal(sts, "GetScopedCredentials", Policy=EVERYTHING, DurationSeconds=129_600)[1] == "AccessDenied"


def test_only_regional_endpoints_have_it(worlds: Any) -> None:
    credentials = worlds.assume("everything")
    sts = worlds.client("sts", credentials=credentials, endpoint_url="http://sts.amazonaws.com")
    refused = (400, "InvalidAction", "Unknown Operation")
    assert refusal(sts, "GetScopedCredentials", Policy=EVERYTHING) == refused
    assert refusal(sts, "GetScopedCredentials") == refused
    regional = worlds.client("sts", credentials=credentials, endpoint_url="http://sts.us-east-1.amazonaws.com")
    regional.get_scoped_credentials(Policy=EVERYTHING)


def test_a_session_that_is_not_good_everywhere_stays_so(world: Any) -> None:
    """The global endpoint's session is refused in Regions that an account has to enable. Narrowing must not mend it."""
    sts = world.client("sts", endpoint_url="http://sts.amazonaws.com")
    first = sts.assume_role(RoleArn=role_arn("everything"), RoleSessionName="session")["Credentials"]
    scoped = narrowed(world, first, allow("*"))
    assert answered(world.client("sts", credentials=scoped, region="eu-west-3"), "GetCallerIdentity") == "allowed"
    for credentials in (first, scoped):
        far = world.client("sts", credentials=credentials, region="ap-east-1")
        assert answered(far, "GetCallerIdentity") == INVALID


def test_the_token_has_the_size_of_all_layers(worlds: Any) -> None:
    credentials, sizes = worlds.assume("everything"), []
    long = EVERYTHING.ljust(1200)
    for _ in range(2):
        answer = worlds.client("sts", credentials=credentials).get_scoped_credentials(Policy=long)
        credentials = answer["Credentials"]
        sizes.append(answer["SessionTokenSize"])
        assert answer["SessionTokenSize"] == len(credentials["SessionToken"]) <= 4096
    assert sizes[1] - sizes[0] >= 1200
    sts = worlds.client("sts", credentials=credentials)
    status, code, message = refusal(sts, "GetScopedCredentials", Policy=long)
    assert (status, code) == (400, "PackedPolicyTooLarge")
    assert message.endswith("bytes, which exceeds the maximum allowed size of 4096 bytes.")
    # A shorter policy still fits, and a narrowing without one adds nothing.
    narrowed(worlds, credentials, allow("*"))
    sts.get_scoped_credentials(DurationSeconds=60)


@pytest.mark.parametrize("size", [1, 1500, 1501, 1502, 1503, 4096])
def test_a_token_is_padded_to_the_size_that_is_asked_for(worlds: Any, size: int) -> None:
    sts = worlds.client("sts", credentials=worlds.assume("everything"))
    plain = sts.get_scoped_credentials(Policy=EVERYTHING)["SessionTokenSize"]
    answer = sts.get_scoped_credentials(Policy=EVERYTHING, MinimumSessionTokenSize=size)
    assert answer["SessionTokenSize"] == len(answer["Credentials"]["SessionToken"]) == max(size, plain)
    assert answer["SessionTokenUtilization"] == math.ceil(100 * max(size, plain) / 4096)
    identity(worlds, answer["Credentials"])


# Permissions.


def test_the_permission_to_narrow(world: Any) -> None:
    action = "sts:GetScopedCredentials"
    iam = world.client("iam")
    sts = world.client("sts", credentials=world.assume("everything"))
    for document, because in (
        (allow("chime:*"), no_allow("identity-based policy", action)),
        (policy(statement("*"), statement(action, effect="Deny")), "with an explicit deny in an identity-based policy"),
        (allow(action, "arn:aws:iam::*:*"), no_allow("identity-based policy", action)),
    ):
        iam.put_role_policy(RoleName="everything", PolicyName="policy-0", PolicyDocument=json.dumps(document))
        message = not_authorized(session_arn("everything"), action, "", because)
        assert refusal(sts, "GetScopedCredentials", Policy=EVERYTHING) == (403, "AccessDenied", message)
    iam.put_role_policy(RoleName="everything", PolicyName="policy-0", PolicyDocument=json.dumps(allow(action)))
    sts.get_scoped_credentials(Policy=EVERYTHING)


def test_a_scope_down_policy_without_the_permission_ends_the_narrowing(worlds: Any) -> None:
    action = "sts:GetScopedCredentials"
    reading = narrowed(worlds, worlds.assume("everything"), allow("chime:List*"))
    sts = worlds.client("sts", credentials=reading)
    for more in ({"Policy": EVERYTHING}, {"DurationSeconds": 60}):
        message = not_authorized(session_arn("everything"), action, "", NO_SESSION_POLICY.format(action))
        assert refusal(sts, "GetScopedCredentials", **more) == (403, "AccessDenied", message)


def test_each_policy_is_a_ceiling_of_its_own(worlds: Any) -> None:
    credentials = worlds.assume("everything", Policy=json.dumps(allow(["chime:List*", "sts:*", "iam:List*"])))
    client = worlds.client("chime", credentials=credentials)
    client.list_accounts()
    wide = narrowed(worlds, credentials, allow(["chime:*", "sts:*"]))
    worlds.client("chime", credentials=wide).list_accounts()
    # A wider layer gives nothing back.
    again = narrowed(worlds, wide, allow("*"))
    for holder in (wide, again):
        message = refusal(worlds.client("iam", credentials=holder), "ListUsers")[2]
        assert NO_SESSION_POLICY.format("iam:ListUsers") in message
    barred = narrowed(worlds, again, policy(statement("*"), statement("chime:ListAccounts", effect="Deny")))
    _status, code, message = refusal(worlds.client("chime", credentials=barred), "ListAccounts")
    assert code == "ForbiddenException"
    assert "with an explicit deny in a session policy" in message


def test_a_change_of_the_role_holds_for_its_scoped_credentials(world: Any) -> None:
    scoped = narrowed(world, world.assume("everything"), allow("chime:*"))
    chime = world.client("chime", credentials=scoped)
    chime.list_accounts()
    iam = world.client("iam")
    iam.put_role_policy(RoleName="everything", PolicyName="policy-0", PolicyDocument=json.dumps(allow("iam:*")))
    assert refusal(chime, "ListAccounts")[0] == 403
    iam.put_role_policy(RoleName="everything", PolicyName="policy-0", PolicyDocument=EVERYTHING)
    chime.list_accounts()
    iam.delete_role_policy(RoleName="everything", PolicyName="policy-0")
    iam.delete_role(RoleName="everything")
    assert answered(world.client("sts", credentials=scoped), "GetCallerIdentity")[1] == "InvalidClientTokenId"


def test_a_revoked_session_takes_its_scoped_credentials_along(world: Any) -> None:
    """Credentials that were narrowed after the revocation of their session must not outlive it."""
    session = world.assume("everything")
    world.clock.advance(60)
    revoked = iso8601(world.clock.now_seconds())
    world.clock.advance(60)
    scoped = narrowed(world, session, allow("*"))
    older = deny("*", Condition={"DateLessThan": {"aws:TokenIssueTime": revoked}})
    world.client("iam").put_role_policy(
        RoleName="everything", PolicyName="AWSRevokeOlderSessions", PolicyDocument=json.dumps(older)
    )
    for credentials in (session, scoped):
        assert refusal(world.client("chime", credentials=credentials), "ListAccounts")[0] == 403


# Grants by name. A session policy does not limit them, a scope-down policy does.


@pytest.mark.parametrize("name", ["by-name", "by-role"])
def test_a_trust_policy_that_names_the_session_or_its_role(worlds: Any, name: str) -> None:
    nothing = json.dumps(allow("chime:ListAccounts"))
    wanted = {"RoleArn": role_arn(name), "RoleSessionName": "session"}
    plain = worlds.assume("empty")
    worlds.client("sts", credentials=plain).assume_role(**wanted)
    if name == "by-name":
        # What AWS documents for session policies.
        limited = worlds.assume("empty", Policy=nothing)
        worlds.client("sts", credentials=limited).assume_role(**wanted)
    scoped = scoped_of_empty(worlds, plain, allow("chime:ListAccounts"))
    _status, code, message = refusal(worlds.client("sts", credentials=scoped), "AssumeRole", **wanted)
    assert (code, message) == (
        "AccessDenied",
        not_authorized(
            session_arn("empty"), "sts:AssumeRole", role_arn(name), NO_SESSION_POLICY.format("sts:AssumeRole")
        ),
    )
    for allowing in (allow("sts:AssumeRole"), allow("sts:AssumeRole", role_arn(name)), allow("*")):
        able = scoped_of_empty(worlds, plain, allowing)
        worlds.client("sts", credentials=able).assume_role(**wanted)
    other = scoped_of_empty(worlds, plain, allow("sts:AssumeRole", role_arn("other")))
    assert refusal(worlds.client("sts", credentials=other), "AssumeRole", **wanted)[1] == "AccessDenied"
    barred = scoped_of_empty(worlds, plain, policy(statement("*"), statement("sts:AssumeRole", effect="Deny")))
    message = refusal(worlds.client("sts", credentials=barred), "AssumeRole", **wanted)[2]
    assert message.endswith("with an explicit deny in a session policy")
    # Any of three layers.
    for silent in range(3):
        credentials = plain
        for layer in range(3):
            document = allow(["chime:*", "sts:GetScopedCredentials"] if layer == silent else "*")
            credentials = scoped_of_empty(worlds, credentials, document)
        assert refusal(worlds.client("sts", credentials=credentials), "AssumeRole", **wanted)[1] == "AccessDenied"


def scoped_of_empty(world: Any, credentials: dict[str, Any], document: Any) -> dict[str, Any]:
    """Narrowed credentials of the role that may do nothing, which borrows the permission for the moment of the call."""
    iam = world.client("iam")
    own = {"RoleName": "empty", "PolicyName": "own"}
    iam.put_role_policy(**own, PolicyDocument=json.dumps(allow("sts:GetScopedCredentials")))
    try:
        return narrowed(world, credentials, document)
    finally:
        iam.delete_role_policy(**own)


def test_a_trust_policy_that_names_a_user(worlds: Any) -> None:
    wanted = {"RoleArn": role_arn("by-name"), "RoleSessionName": "session"}
    session = worlds.client("sts", "ana").get_session_token()["Credentials"]
    worlds.client("sts", credentials=session).assume_role(**wanted)
    scoped = narrowed(worlds, session, allow("chime:*"))
    message = refusal(worlds.client("sts", credentials=scoped), "AssumeRole", **wanted)[2]
    assert message.endswith(NO_SESSION_POLICY.format("sts:AssumeRole"))
    worlds.client("sts", credentials=narrowed(worlds, session, allow("sts:*"))).assume_role(**wanted)


def test_what_the_account_lets_every_user_do(world: Any) -> None:
    """The account's setting is a grant without a policy of the user's. A layer limits it as well."""
    world.client("iam").update_account_password_policy(AllowUsersToChangePassword=True)
    world.client("iam").create_login_profile(UserName="ana", Password="an-old-Password-1")
    device = enabled_device(world, world.client("iam"), "ana")
    session = world.client("sts", "ana").get_session_token(**device.proof())["Credentials"]
    passwords = {"OldPassword": "an-old-Password-1", "NewPassword": "a-new-Password-2"}
    scoped = world.client("iam", credentials=narrowed(world, session, allow("chime:*")))
    status, code, message = refusal(scoped, "ChangePassword", **passwords)
    assert (status, code) == (403, "AccessDenied")
    assert NO_SESSION_POLICY.format("iam:ChangePassword") in message
    wide = world.client("iam", credentials=narrowed(world, session, allow("iam:ChangePassword")))
    wide.change_password(**passwords)


# From scoped credentials on.


def test_a_role_assumed_with_scoped_credentials_is_chained_and_starts_anew(worlds: Any) -> None:
    scoped = narrowed(worlds, worlds.assume("everything"), allow("sts:*", "*"))
    sts = worlds.client("sts", credentials=scoped)
    wanted = {"RoleArn": role_arn("target"), "RoleSessionName": "next"}
    refused = refusal(sts, "AssumeRole", **wanted, DurationSeconds=3601)
    assert refused[1] == "ValidationError"
    # The role's own limit is an hour too, so the other role shows that chaining is the reason.
    own = {"RoleArn": role_arn("everything"), "RoleSessionName": "next"}
    assert refusal(sts, "AssumeRole", **own, DurationSeconds=3601) == (
        400,
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )
    answer = sts.assume_role(**wanted)
    assert answer["AssumedRoleUser"]["Arn"] == session_arn("target", "next")
    worlds.client("chime", credentials=answer["Credentials"]).list_accounts()
    following = sts.assume_role(**own)["Credentials"]
    again = worlds.client("sts", credentials=following).get_scoped_credentials(DurationSeconds=60)
    assert again["ScopedPoliciesCount"] == 0


def test_sessions_of_a_user_stay_closed_to_what_they_may_not_call(worlds: Any) -> None:
    for kind, credentials, _arn, _id in sessions(worlds):
        sts = worlds.client("sts", credentials=narrowed(worlds, credentials, allow("*")))
        for operation, more in (("GetSessionToken", {}), ("GetFederationToken", {"Name": "other"})):
            message = f"Cannot call {operation} with session credentials"
            assert refusal(sts, operation, **more) == (403, "AccessDenied", message), kind


def test_a_web_identity_token_ends_with_the_scoped_credentials(world: Any) -> None:
    # The token gets all of the credentials' time, so that time must not pass.
    world.clock.freeze()
    world.client("iam").enable_outbound_web_identity_federation()
    asked = {"Audience": ["app"], "SigningAlgorithm": "ES384"}
    session = world.assume("everything")
    scoped = narrowed(
        world, session, allow(["sts:GetWebIdentityToken", "sts:GetScopedCredentials"]), DurationSeconds=600
    )
    sts = world.client("sts", credentials=scoped)
    sts.get_web_identity_token(**asked, DurationSeconds=600)
    refused = refusal(sts, "GetWebIdentityToken", **asked, DurationSeconds=601)
    assert refused[1] == "SessionDurationEscalationException"
    world.client("sts", credentials=session).get_web_identity_token(**asked, DurationSeconds=601)
    silent = world.client("sts", credentials=narrowed(world, scoped, allow("chime:*")))
    message = refusal(silent, "GetWebIdentityToken", **asked)[2]
    assert message.endswith(NO_SESSION_POLICY.format("sts:GetWebIdentityToken"))


def test_a_token_of_another_session_gives_no_rights(worlds: Any) -> None:
    wide = worlds.assume("everything")
    scoped = narrowed(worlds, wide, allow("chime:List*"))
    for mixed in ({**scoped, "SessionToken": wide["SessionToken"]}, {**wide, "SessionToken": scoped["SessionToken"]}):
        assert answered(worlds.client("iam", credentials=mixed), "ListUsers") == INVALID
    header, payload, seal = scoped["SessionToken"].split(".")
    for changed in (f"{header}.{payload[:-8]}.{seal}", f"{header}.{wide['SessionToken'].split('.')[1]}.{seal}"):
        tampered = worlds.client("iam", credentials={**scoped, "SessionToken": changed})
        assert answered(tampered, "ListUsers") == INVALID


# The property, through the whole product.

OPERATIONS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chime:ListAccounts": ("chime", "ListAccounts", {}),
    "iam:ListUsers": ("iam", "ListUsers", {}),
    "sts:GetAccessKeyInfo": ("sts", "GetAccessKeyInfo", {"AccessKeyId": "ASIAY34FZKBOKMUTVV7A"}),
    "sts:AssumeRole": ("sts", "AssumeRole", {"RoleArn": role_arn("target"), "RoleSessionName": "session"}),
}
SETS = st.sets(st.sampled_from(sorted(OPERATIONS)), min_size=1)


@settings(max_examples=usual(5, most=300), deadline=None)
@given(layers=st.lists(SETS, min_size=1, max_size=3), limited=st.one_of(st.none(), SETS))
def test_what_is_left_is_what_every_layer_allows(worlds: Any, layers: list[set[str]], limited: set[str] | None) -> None:
    more = {} if limited is None else {"Policy": json.dumps(allow([*sorted(limited), "sts:GetScopedCredentials"]))}
    credentials = worlds.assume("everything", **more)
    left = set(OPERATIONS) if limited is None else set(limited)
    for layer in layers:
        credentials = narrowed(worlds, credentials, allow([*sorted(layer), "sts:GetScopedCredentials"]))
        left &= layer
        found = {
            action
            for action, (service, operation, parameters) in OPERATIONS.items()
            if answered(worlds.client(service, credentials=credentials), operation, **parameters) == "allowed"
        }
        assert found == left
