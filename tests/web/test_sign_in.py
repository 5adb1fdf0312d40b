"""Sign-in federation: credentials become a sign-in token, the token a browser's session, and the page shows it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from logged_worlds import keep_log

from rolecall.storage.decision_log import CallFilter
from rolecall.web.signin import COOKIE, SESSION_PATH

DESTINATION = "https://console.aws.amazon.com/chime"
POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "chime:ListUsers", "Resource": "*"}],
}


def session_text(credentials: dict[str, Any], **changes: Any) -> str:
    session = {
        "sessionId": credentials["AccessKeyId"],
        "sessionKey": credentials["SecretAccessKey"],
        "sessionToken": credentials["SessionToken"],
    }
    return json.dumps({name: value for name, value in {**session, **changes}.items() if value is not None})


def ask_token(world: Any, session: str, method: str = "get", **parameters: Any) -> Any:
    given = {"Action": "getSigninToken", "Session": session, **parameters}
    browser = world.application.test_client()
    if method == "post":
        return browser.post("/federation", data=given)
    return browser.get("/federation", query_string=given)


def token_of(world: Any, credentials: dict[str, Any], **parameters: Any) -> str:
    answer = ask_token(world, session_text(credentials), **parameters)
    assert answer.status_code == 200, answer.json
    return str(answer.json["SigninToken"])


def log_in(browser: Any, token: str, **parameters: Any) -> Any:
    given = {"Action": "login", "Destination": DESTINATION, "SigninToken": token, **parameters}
    return browser.get("/federation", query_string=given)


def federated(world: Any, **parameters: Any) -> dict[str, Any]:
    answer = world.client("sts").get_federation_token(Name="ana", Policy=json.dumps(POLICY), **parameters)
    return answer["Credentials"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("method", ["get", "post"])
def test_from_a_role_s_credentials_to_the_page(world: Any, method: str) -> None:
    answer = ask_token(world, session_text(world.assume("chime-reader")), method)
    assert answer.status_code == 200
    browser = world.application.test_client()
    sent_on = log_in(browser, answer.json["SigninToken"], Issuer="https://broker.example.com/sign-in")
    assert sent_on.status_code == 302
    target = urlsplit(sent_on.headers["Location"])
    assert target.path == SESSION_PATH
    assert parse_qs(target.query)["destination"] == [DESTINATION]
    cookie = sent_on.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    page = browser.get(sent_on.headers["Location"])
    assert page.status_code == 200
    text = page.get_data(as_text=True)
    assert "arn:aws:sts::111122223333:assumed-role/chime-reader/session" in text
    assert "116 of 316 actions" in text
    assert "no identity-based policy allows the chime:CreateUser action" in text
    assert DESTINATION in text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_federated_user_sees_what_the_session_policy_leaves(world: Any) -> None:
    browser = world.application.test_client()
    log_in(browser, token_of(world, federated(world)))
    text = browser.get(SESSION_PATH).get_data(as_text=True)
    assert "federated-user/ana" in text
    assert "1 of 316 actions" in text
    assert "no session policy allows the chime:CreateUser action" in text


def test_signing_out(world: Any) -> None:
    browser = world.application.test_client()
    log_in(browser, token_of(world, world.assume("chime-reader")))
    foreign = browser.post(f"{SESSION_PATH}/sign-out", headers={"Origin": "https://evil.example.com"})
    assert foreign.status_code == 403
    assert browser.get(SESSION_PATH).status_code == 200
    assert browser.post(f"{SESSION_PATH}/sign-out").status_code == 303
    assert browser.get(SESSION_PATH).status_code == 401


def test_a_sign_in_token_is_good_for_15_minutes(world: Any) -> None:
    world.clock.freeze()
    token = token_of(world, world.assume("chime-reader"))
    world.clock.advance(899)
    assert log_in(world.application.test_client(), token).status_code == 302
    world.clock.advance(1)
    refused = log_in(world.application.test_client(), token)
    assert refused.status_code == 400
    assert "older than 15 minutes" in refused.json["message"]


def test_the_page_ends_with_the_credentials(world: Any) -> None:
    world.clock.freeze()
    browser = world.application.test_client()
    log_in(browser, token_of(world, world.assume("chime-reader", DurationSeconds=900)))
    world.clock.advance(899)
    assert browser.get(SESSION_PATH).status_code == 200
    world.clock.advance(1)
    assert browser.get(SESSION_PATH).status_code == 401


def test_a_role_may_ask_for_longer_than_its_credentials_last(world: Any) -> None:
    world.clock.freeze()
    browser = world.application.test_client()
    log_in(browser, token_of(world, world.assume("chime-reader", DurationSeconds=900), SessionDuration="3600"))
    world.clock.advance(3599)
    assert browser.get(SESSION_PATH).status_code == 200
    world.clock.advance(1)
    assert browser.get(SESSION_PATH).status_code == 401


# MaxSigninSessionDuration of the role. Model of IAM: "The maximum duration (in seconds) of an Amazon Web Services
# Sign-In session for users who sign in with this role." "Changes to this setting apply to new sign-in sessions."


def lasting(world: Any, **settings: int) -> dict[str, Any]:
    """Credentials of chime-reader for twelve hours, and then these settings of the role."""
    iam = world.client("iam")
    iam.update_role(RoleName="chime-reader", MaxSessionDuration=43_200)
    credentials = world.assume("chime-reader", DurationSeconds=43_200)
    iam.update_role(RoleName="chime-reader", **settings)
    return credentials  # type: ignore[no-any-return]


def lasts(world: Any, browser: Any, seconds: int) -> None:
    """The page answers until this many seconds from now, and no longer."""
    world.clock.advance(seconds - 1)
    assert browser.get(SESSION_PATH).status_code == 200
    world.clock.advance(1)
    assert browser.get(SESSION_PATH).status_code == 401


def test_the_role_s_sign_in_duration_ends_the_page(world: Any) -> None:
    world.clock.freeze()
    token = token_of(world, lasting(world, MaxSigninSessionDuration=7200))
    world.clock.advance(600)
    browser = world.application.test_client()
    answer = log_in(browser, token)
    assert "Max-Age=7200" in answer.headers["Set-Cookie"]
    lasts(world, browser, 7200)


def test_the_sign_in_duration_of_the_moment_of_sign_in_counts(world: Any) -> None:
    world.clock.freeze()
    iam = world.client("iam")
    credentials = lasting(world)
    early, token = world.application.test_client(), token_of(world, credentials)
    log_in(early, token)
    iam.update_role(RoleName="chime-reader", MaxSigninSessionDuration=3600)
    late = world.application.test_client()
    log_in(late, token)
    iam.update_role(RoleName="chime-reader", ResetMaxSigninSessionDuration=True)
    last = world.application.test_client()
    log_in(last, token)
    lasts(world, late, 3600)
    lasts(world, early, 43_200 - 3600)
    assert last.get(SESSION_PATH).status_code == 401


def test_a_long_sign_in_duration_does_not_outlast_the_credentials(world: Any) -> None:
    world.clock.freeze()
    browser = world.application.test_client()
    log_in(browser, token_of(world, lasting(world, MaxSigninSessionDuration=7_776_000)))
    lasts(world, browser, 43_200)


def test_session_duration_is_bound_by_the_role_s_sign_in_duration(world: Any) -> None:
    world.clock.freeze()
    credentials = lasting(world, MaxSigninSessionDuration=3600)
    answer = ask_token(world, session_text(credentials), SessionDuration="3601")
    message = "SessionDuration exceeds the MaxSigninSessionDuration set for this role."
    assert (answer.status_code, answer.json["message"]) == (400, message)
    token = token_of(world, credentials, SessionDuration="3600")
    browser = world.application.test_client()
    log_in(browser, token)
    lasts(world, browser, 3600)


def test_scoped_credentials_have_the_role_s_sign_in_duration(make_world: Any) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}
    administrator = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    role = {
        "name": "app",
        "trust_policy": {"Version": "2012-10-17", "Statement": trust},
        "attached_policies": administrator,
        "max_session_duration": 7200,
        "max_signin_session_duration": 3600,
    }
    user = {"name": "admin", "access_keys": [{"id": "test", "secret": "test"}], "attached_policies": administrator}
    file = {"version": 1, "accounts": [{"id": "111122223333", "users": [user], "roles": [role]}]}
    world = make_world(json.dumps(file))
    world.clock.freeze()
    sts = world.client("sts", credentials=world.assume("app", DurationSeconds=7200))
    browser = world.application.test_client()
    log_in(browser, token_of(world, sts.get_scoped_credentials(Policy=json.dumps(POLICY))["Credentials"]))
    assert "1 of 316 actions" in browser.get(SESSION_PATH).get_data(as_text=True)
    lasts(world, browser, 3600)


def test_a_federated_user_has_no_sign_in_duration_of_a_role_or_user(world: Any) -> None:
    """The settings are those of roles and of users with a password. GetFederationToken makes another principal."""
    world.clock.freeze()
    world.client("iam").create_login_profile(
        UserName="admin", Password="Correct-Horse-7", MaxSigninSessionDuration=3600
    )
    browser = world.application.test_client()
    log_in(browser, token_of(world, federated(world, DurationSeconds=7200)))
    lasts(world, browser, 7200)


def test_the_page_ends_with_the_role(world: Any) -> None:
    browser = world.application.test_client()
    iam = world.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}],
    }
    iam.create_role(RoleName="short", AssumeRolePolicyDocument=json.dumps(trust))
    log_in(browser, token_of(world, world.assume("short")))
    assert browser.get(SESSION_PATH).status_code == 200
    iam.delete_role(RoleName="short")
    assert browser.get(SESSION_PATH).status_code == 401


def test_long_term_keys_are_refused(world: Any) -> None:
    answer = ask_token(world, json.dumps({"sessionId": "test", "sessionKey": "test"}))
    assert (answer.status_code, "Long-term credentials" in answer.json["message"]) == (400, True)


def test_session_token_credentials_are_refused(world: Any) -> None:
    credentials = world.client("sts").get_session_token()["Credentials"]
    answer = ask_token(world, session_text(credentials))
    assert (answer.status_code, "GetSessionToken cannot sign in" in answer.json["message"]) == (400, True)


def test_expired_credentials_are_refused(world: Any) -> None:
    credentials = world.assume("chime-reader", DurationSeconds=900)
    world.clock.advance(900)
    answer = ask_token(world, session_text(credentials))
    assert (answer.status_code, "expired" in answer.json["message"]) == (400, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"sessionKey": "wrong"},
        {"sessionKey": ""},
        {"sessionKey": None},
        {"sessionKey": "é"},
        {"sessionId": "ASIAQWERTYUIOPASDFGH"},
        {"sessionId": ""},
        {"sessionId": 5},
        {"sessionToken": "nonsense"},
        {"sessionToken": ""},
        {"more": "x"},
    ],
)
def test_credentials_that_are_not_right_are_refused(world: Any, changes: dict[str, Any]) -> None:
    answer = ask_token(world, session_text(world.assume("chime-reader"), **changes))
    assert answer.status_code == 400
    assert "SigninToken" not in answer.json


@pytest.mark.parametrize("session", ["", "[]", "null", "{", '"text"', "[" * 20_000, '{"sessionId": null}'])
def test_an_invalid_session(world: Any, session: str) -> None:
    assert ask_token(world, session).status_code == 400


@pytest.mark.parametrize("duration", ["899", "43201", "", "-900", "1e3", "900.0", "999999999999", "x"])
def test_session_duration_out_of_range(world: Any, duration: str) -> None:
    answer = ask_token(world, session_text(world.assume("chime-reader")), SessionDuration=duration)
    assert (answer.status_code, "from 900 to 43200" in answer.json["message"]) == (400, True)


def test_session_duration_is_bound_by_the_role_and_the_kind_of_credentials(world: Any) -> None:
    reader = world.assume("chime-reader")
    answer = ask_token(world, session_text(reader), SessionDuration="3601")
    assert (answer.status_code, "MaxSessionDuration" in answer.json["message"]) == (400, True)
    answer = ask_token(world, session_text(federated(world)), SessionDuration="900")
    assert (answer.status_code, "credentials of a role" in answer.json["message"]) == (400, True)


def test_session_duration_is_not_for_chained_roles(make_world: Any) -> None:
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}],
    }
    administrator = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    roles = [{"name": name, "trust_policy": trust, "attached_policies": administrator} for name in ("one", "two")]
    user = {"name": "admin", "access_keys": [{"id": "test", "secret": "test"}], "attached_policies": administrator}
    world = make_world(
        json.dumps({"version": 1, "accounts": [{"id": "111122223333", "users": [user], "roles": roles}]})
    )
    first = world.assume("one")
    second = world.client("sts", credentials=first).assume_role(
        RoleArn="arn:aws:iam::111122223333:role/two", RoleSessionName="chained"
    )["Credentials"]
    assert ask_token(world, session_text(second)).status_code == 200
    answer = ask_token(world, session_text(second), SessionDuration="900")
    assert (answer.status_code, "role chaining" in answer.json["message"]) == (400, True)


@pytest.mark.parametrize(
    ("destination", "allowed"),
    [
        ("https://console.aws.amazon.com/", True),
        ("https://us-east-1.console.aws.amazon.com/iam/home?region=us-east-1#/users", True),
        ("https://aws.amazon.com", True),
        ("http://localhost/_rolecall/session", True),
        ("", False),
        ("/relative", False),
        ("http://console.aws.amazon.com/", False),
        ("https://console.aws.amazon.com.evil.example.com/", False),
        ("https://evilaws.amazon.com.example/", False),
        ("https://user@console.aws.amazon.com/", False),
        ("https://console.aws.amazon.com:8443/", False),
        ("https://evil.example.com/?x=console.aws.amazon.com", False),
        ("https://evil.example.com\\.aws.amazon.com/", False),
        ("https://evil.example.com/\n.aws.amazon.com/", False),
        ("javascript:alert(1)", False),
        ("https://[::1/", False),
    ],
)
def test_destination_is_checked(world: Any, destination: str, allowed: bool) -> None:
    answer = log_in(world.application.test_client(), token_of(world, federated(world)), Destination=destination)
    assert answer.status_code == (302 if allowed else 400)
    assert ("Set-Cookie" in answer.headers) is allowed


def test_a_path_of_two_slashes_stays_here(world: Any) -> None:
    token = token_of(world, federated(world))
    answer = log_in(world.application.test_client(), token, Destination="http://localhost//evil.example.com/")
    assert urlsplit(answer.headers["Location"]).netloc == "localhost"


def test_invalid_sign_in_tokens(world: Any) -> None:
    credentials = world.assume("chime-reader")
    token = token_of(world, credentials)
    browser = world.application.test_client()
    log_in(browser, token)
    console_session = browser.get_cookie(COOKIE, path=SESSION_PATH).value
    changed = token[:-2] + ("B" if token[-2] == "A" else "A") + token[-1]
    for other in ("", "nonsense", credentials["SessionToken"], console_session, changed):
        assert log_in(world.application.test_client(), other).status_code == 400


def test_neither_token_is_a_session_token(world: Any) -> None:
    credentials = world.assume("chime-reader")
    token = token_of(world, credentials)
    browser = world.application.test_client()
    log_in(browser, token)
    console_session = browser.get_cookie(COOKIE, path=SESSION_PATH).value
    for other in (token, console_session):
        client = world.client("sts", keys=(credentials["AccessKeyId"], credentials["SecretAccessKey"], other))
        with pytest.raises(client.exceptions.ClientError, match="InvalidClientTokenId"):
            client.get_caller_identity()
    browser.set_cookie(COOKIE, credentials["SessionToken"], path=SESSION_PATH)
    assert browser.get(SESSION_PATH).status_code == 401


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"Action": "getConsole"},
        {"Action": "getSigninToken", "Sesion": "{}"},
        {"Action": "getSigninToken", "Session": "{}", "SessionType": "xml"},
        {"Action": "login", "Destination": DESTINATION, "Session": "{}"},
        {"Action": "login", "Destination": DESTINATION, "SigninToken": "x" * 70_000},
        {"Action": "login", "Destination": DESTINATION, "Issuer": "javascript:alert(1)"},
    ],
)
def test_parameters_are_known_and_bounded(world: Any, given: dict[str, str]) -> None:
    assert world.application.test_client().post("/federation", data=given).status_code == 400


def test_the_issuer_of_the_page_is_a_web_address(world: Any) -> None:
    browser = world.application.test_client()
    safe = browser.get(SESSION_PATH, query_string={"issuer": "https://broker.example.com/"})
    assert 'href="https://broker.example.com/"' in safe.get_data(as_text=True)
    unsafe = browser.get(SESSION_PATH, query_string={"issuer": "javascript:alert(1)"})
    assert "javascript" not in unsafe.get_data(as_text=True)


def test_what_a_visitor_brings_is_escaped(world: Any) -> None:
    browser = world.application.test_client()
    log_in(browser, token_of(world, world.assume("chime-reader")))
    page = browser.get(SESSION_PATH, query_string={"destination": "<script>alert(1)</script>"})
    assert "<script>" not in page.get_data(as_text=True)


# In the decision log.


def trail(world: Any) -> list[dict[str, Any]]:
    """The recorded sign-ins, newest first, in CloudTrail's records."""
    answer = world.application.test_client().get("/_rolecall/decisions?format=cloudtrail")
    records = [json.loads(line) for line in answer.text.splitlines()]
    return [record for record in records if record["eventSource"] == "signin.amazonaws.com"]


def test_a_sign_in_is_recorded(world: Any) -> None:
    log = keep_log(world)
    credentials = world.assume("chime-reader")
    browser = world.application.test_client()
    token = token_of(world, credentials)
    log_in(browser, token)
    login, asked = trail(world)
    assert [record["eventName"] for record in (login, asked)] == ["ConsoleLogin", "GetSigninToken"]
    for record in (login, asked):
        assert record["eventType"] == "AwsConsoleSignIn"
        assert record["userIdentity"]["type"] == "AssumedRole"
        assert record["userIdentity"]["arn"].endswith(":assumed-role/chime-reader/session")
        assert record["userIdentity"]["accessKeyId"] == credentials["AccessKeyId"]
        assert record["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "chime-reader"
        assert record["responseElements"] == {record["eventName"]: "Success"}
        assert (record["recipientAccountId"], record["requestParameters"]) == (world.first_account, None)
        assert (record["readOnly"], record["awsRegion"]) == (False, "us-east-1")
        assert not {"errorCode", "errorMessage"} & set(record)
    assert login["additionalEventData"] == {"LoginTo": DESTINATION, "MobileVersion": "No", "MFAUsed": "No"}
    assert asked["additionalEventData"] == {"MobileVersion": "No", "MFAUsed": "No"}
    written = [str(call) for call in log.calls(CallFilter())]
    secrets = (token, credentials["SecretAccessKey"], credentials["SessionToken"])
    assert [secret for secret in secrets if secret in str(written)] == []
    log.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "192.0.2.7", "2001:db8::7"])
def test_the_address_of_a_sign_in_is_recorded(world: Any, address: str) -> None:
    log = keep_log(world)
    given = {"Action": "getSigninToken", "Session": session_text(world.assume("chime-reader"))}
    browser = world.application.test_client()
    from_there = {"REMOTE_ADDR": address}
    answer = browser.get("/federation", query_string=given, environ_base=from_there)
    login = {"Action": "login", "Destination": DESTINATION, "SigninToken": answer.json["SigninToken"]}
    browser.get("/federation", query_string=login, environ_base=from_there)
    assert [record["sourceIPAddress"] for record in trail(world)] == [address, address]
    log.close()


def test_a_sign_in_that_fails_is_recorded(world: Any) -> None:
    log = keep_log(world)
    credentials = world.assume("chime-reader")
    assert ask_token(world, session_text(credentials, sessionKey="wrong-secret")).status_code == 400
    assert log_in(world.application.test_client(), "nonsense").status_code == 400
    login, asked = trail(world)
    assert login["responseElements"] == {"ConsoleLogin": "Failure"}
    assert asked["responseElements"] == {"GetSigninToken": "Failure"}
    for record in (login, asked):
        assert record["userIdentity"] == {"type": "Unknown"}
        assert record["errorMessage"]
        assert "errorCode" not in record
    assert "wrong-secret" not in str(log.calls(CallFilter()))
    # A request without a purpose is no sign-in.
    world.application.test_client().get("/federation?Action=dance")
    assert len(trail(world)) == 2
    log.close()


def test_a_sign_in_needs_no_log(world: Any) -> None:
    assert token_of(world, world.assume("chime-reader"))
