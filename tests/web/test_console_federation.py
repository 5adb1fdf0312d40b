"""The console's page of federation: signing in as a principal, minting tokens and assertions."""

from __future__ import annotations

import base64
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from console_visits import CONSOLE, Scan, post
from console_worlds import DEPLOY, HUB, WORK
from sso_calls import DEVICE_GRANT, oidc, portal, refused, registered, started

from rolecall.identity_providers import saml_assertions
from rolecall.storage.decision_log import CallFilter

PAGE = "/federation"
GITHUB = "https://token.actions.githubusercontent.com"


@pytest.fixture
def browser(two: Any) -> Any:
    return two.application.test_client()


def sent(browser: Any, path: str, **fields: str) -> Any:
    return post(browser, f"{PAGE}/{path}", PAGE, **fields)


def element(page: Any, name: str) -> str:
    """The text of the element with this id."""
    return unescape(page.text.split(f'id="{name}"', 1)[1].split(">", 1)[1].split("</pre>", 1)[0])


# Signing in.


@pytest.mark.parametrize(
    ("principal", "arn"),
    [
        ("role/gateway", f"arn:aws:sts::{HUB}:assumed-role/gateway/rolecall-console"),
        (DEPLOY, f"arn:aws:sts::{HUB}:assumed-role/deploy/rolecall-console"),
        ("444455556666:role/break-glass", f"arn:aws:sts::{WORK}:assumed-role/break-glass/rolecall-console"),
        ("user/ana", f"arn:aws:sts::{HUB}:federated-user/ana"),
        ("root", f"arn:aws:sts::{HUB}:federated-user/root"),
    ],
)
def test_signing_in_as_a_principal(browser: Any, principal: str, arn: str) -> None:
    answer = sent(browser, "sign-in", principal=principal)
    assert answer.status_code == 303
    address = urlsplit(answer.headers["Location"])
    assert (address.netloc, address.path) == ("", "/federation")
    page = browser.get(answer.headers["Location"], follow_redirects=True)
    assert page.request.path == "/_rolecall/session"
    assert arn in page.text


def test_a_user_has_its_own_rights_there_and_no_more(browser: Any) -> None:
    """The session's policy allows everything, so that only the user's own policies decide."""

    def allowed(principal: str) -> str:
        answer = sent(browser, "sign-in", principal=principal)
        page = browser.get(answer.headers["Location"], follow_redirects=True).text
        return page.split(" actions, on all resources", 1)[0].rpartition("<p>")[2]

    total = allowed("user/admin").split(" of ")[1]
    assert allowed("user/admin") == f"{total} of {total}"
    assert allowed("user/ana") == f"1 of {total}"
    assert allowed("role/gateway") == f"0 of {total}"


def test_the_sign_in_is_in_the_log(two: Any, browser: Any) -> None:
    answer = sent(browser, "sign-in", principal="role/gateway")
    browser.get(answer.headers["Location"])
    names = [
        (call.operation, call.principal)
        for call in two.application.sandbox.decisions.calls(CallFilter("", "", "", None, 10))
        if call.service == "signin"
    ]
    session = f"arn:aws:sts::{HUB}:assumed-role/gateway/rolecall-console"
    assert names == [("ConsoleLogin", session), ("GetSigninToken", session)]


@pytest.mark.parametrize(
    "principal", ["", "nobody", "role/nobody", "group/operators", "role/*", "999999999999:role/x", "<script>"]
)
def test_nobody_signs_in_as_what_is_not_there(browser: Any, principal: str) -> None:
    answer = sent(browser, "sign-in", principal=principal)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "<script>alert" not in answer.text
    assert browser.get_cookie("rolecall-console", path="/_rolecall/session") is None


def test_a_service_linked_role_is_for_its_service_alone(two: Any, browser: Any) -> None:
    two.client("iam").create_service_linked_role(AWSServiceName="voiceconnector.chime.amazonaws.com")
    answer = sent(browser, "sign-in", principal="role/AWSServiceRoleForAmazonChimeVoiceConnector")
    assert (answer.status_code, "Only its service can use" in answer.text) == (400, True)


def test_a_session_ends_with_its_role(two: Any, browser: Any) -> None:
    answer = sent(browser, "sign-in", principal="role/run")
    browser.get(answer.headers["Location"])
    two.client("iam").delete_role(RoleName="run")
    assert browser.get("/_rolecall/session").status_code == 401


def test_the_page_holds_no_credentials(browser: Any) -> None:
    page = browser.get(CONSOLE + PAGE).text
    assert "ana-secret" not in page
    assert "SigninToken" not in page


# Web identity tokens.


def test_a_token_lets_its_holder_in(two: Any, browser: Any) -> None:
    page = sent(
        browser,
        "token",
        issuer=GITHUB,
        shape="github-actions",
        subject="repo:octo-org/octo-repo:ref:refs/heads/main",
        algorithm="ES256",
        lifetime="600",
        claims="team=blue\n\nlevel:=3\ngone:=null",
    )
    assert page.status_code == 200
    token = element(page, "minted")
    assert jwt.get_unverified_header(token)["alg"] == "ES256"
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["team"], claims["level"], claims["exp"] - claims["iat"]) == ("blue", 3, 600)
    assert "gone" not in claims
    answer = two.client("sts").assume_role_with_web_identity(
        RoleArn=DEPLOY, RoleSessionName="session", WebIdentityToken=token
    )
    assert answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/deploy/session")
    assert element(page, "command") == (
        f"rolecall token --issuer {GITHUB} --subject repo:octo-org/octo-repo:ref:refs/heads/main "
        "--shape github-actions --algorithm ES256 --lifetime 600 --claim team=blue --claim level:=3 "
        "--claim gone:=null --endpoint http://localhost"
    )


def test_an_issuer_of_a_name_is_one_of_this_server(browser: Any) -> None:
    claims = jwt.decode(
        element(sent(browser, "token", issuer="ci", audience="a b"), "minted"), options={"verify_signature": False}
    )
    assert (claims["iss"], claims["aud"]) == ("http://localhost/_rolecall/oidc/ci", ["a", "b"])


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "issuer must be a name"),
        ({"issuer": "https://unknown.example.com"}, "Rolecall does not sign for"),
        ({"issuer": "ci", "shape": "x"}, "shape must be one of"),
        ({"issuer": "ci", "algorithm": "none"}, "algorithm must be one of"),
        ({"issuer": "ci", "algorithm": "HS256"}, "algorithm must be one of"),
        ({"issuer": "ci", "lifetime": "0"}, "lifetime_seconds must be"),
        ({"issuer": "ci", "lifetime": "-1"}, "must be a whole number of seconds"),
        ({"issuer": "ci", "lifetime": "1.5"}, "must be a whole number of seconds"),
        ({"issuer": "ci", "claims": "team"}, "write it as NAME=TEXT"),
        ({"issuer": "ci", "claims": "a:=NaN"}, "is not JSON"),
        ({"issuer": "ci", "claims": "a:=" + "[" * 20_000}, "is not JSON"),
        ({"issuer": "ci", "claims": "iss=https://evil.example.com"}, "the claim iss always names the issuer"),
    ],
)
def test_a_token_that_cannot_be_made(browser: Any, given: dict[str, str], problem: str) -> None:
    page = sent(browser, "token", **given)
    assert page.status_code == 400
    assert problem in unescape(page.text)
    assert 'id="minted"' not in page.text


def test_too_many_lines_are_refused(browser: Any) -> None:
    assert sent(browser, "token", issuer="ci", claims="a=b\n" * 101).status_code == 400


# SAML assertions.


@pytest.fixture
def saml(two: Any) -> str:
    """The ARN of a provider for Rolecall's own identity provider, which the role ``saml`` trusts."""
    iam = two.client("iam")
    metadata = saml_assertions.metadata_document(two.database, two.clock, "corp")
    arn = str(iam.create_saml_provider(Name="corp", SAMLMetadataDocument=metadata)["SAMLProviderArn"])
    trust = (
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Federated": "%s"}, "Action": '
        '["sts:AssumeRoleWithSAML", "sts:TagSession"], "Condition": {"StringEquals": {"SAML:aud": '
        '"https://signin.aws.amazon.com/saml"}}}}'
    )
    iam.create_role(RoleName="saml", AssumeRolePolicyDocument=trust % arn)
    return arn


def test_an_assertion_lets_its_holder_in(two: Any, browser: Any, saml: str) -> None:
    role = f"arn:aws:iam::{HUB}:role/saml"
    page = sent(
        browser,
        "assertion",
        idp="corp",
        role=role,
        provider=saml,
        session_name="ana",
        assertion_subject="ana@example.com",
        tags="team=core\nlevel=3",
        transitive="team",
        session_duration="3600",
    )
    assert page.status_code == 200
    assertion = element(page, "minted")
    assert b"PrincipalTag:team" in base64.b64decode(assertion)
    answer = two.client("sts").assume_role_with_saml(RoleArn=role, PrincipalArn=saml, SAMLAssertion=assertion)
    assert answer["AssumedRoleUser"]["Arn"].endswith(":assumed-role/saml/ana")
    assert answer["Subject"] == "ana@example.com"
    assert element(page, "command") == (
        f"rolecall saml-assertion --idp corp --role {role} --provider {saml} --session-name ana "
        "--subject ana@example.com --session-duration 3600 --tag team=core --tag level=3 --transitive-tag team "
        "--endpoint http://localhost"
    )
    assert saml in browser.get(CONSOLE + PAGE).text


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"role": ""}, "Role is needed."),
        ({"session_name": ""}, "Session name is needed."),
        ({"idp": "a/b"}, "the name of an identity provider"),
        ({"session_duration": "long"}, "The session duration must be a whole number"),
        ({"tags": "team"}, "write it as NAME=TEXT"),
        ({"attributes": "=x"}, "write it as NAME=TEXT"),
        ({"session_name": "a\x00b"}, "."),
    ],
)
def test_an_assertion_that_cannot_be_made(browser: Any, changed: dict[str, str], problem: str) -> None:
    given = {"idp": "corp", "role": DEPLOY, "provider": f"arn:aws:iam::{HUB}:saml-provider/corp", "session_name": "ana"}
    page = sent(browser, "assertion", **{**given, **changed})
    assert page.status_code == 400
    assert problem in unescape(page.text)
    assert 'id="minted"' not in page.text


def test_a_refused_form_keeps_what_was_written(browser: Any) -> None:
    page = sent(browser, "token", issuer="ci", subject="build-7", lifetime="x")
    assert 'value="build-7"' in page.text
    assert len(Scan(page.text).tokens) == 4


# Device codes.


def test_a_waiting_program_is_approved(two: Any, browser: Any) -> None:
    client = registered(two, clientName="<b>cli</b>")
    device = started(two, client)
    page = browser.get(CONSOLE + PAGE)
    assert f"<td>{device['userCode']}</td><td>&lt;b&gt;cli&lt;/b&gt;</td>" in page.text
    assert sent(browser, "device", user_code=device["userCode"].lower(), user="ana").status_code == 303
    page = browser.get(CONSOLE + PAGE)
    assert "The program is approved." in page.text
    assert device["userCode"] not in page.text
    token = oidc(two).create_token(**client, grantType=DEVICE_GRANT, deviceCode=device["deviceCode"])["accessToken"]
    assert portal(two).list_accounts(accessToken=token)["accountList"] == []


def test_a_waiting_program_is_denied(two: Any, browser: Any) -> None:
    client = registered(two)
    device = started(two, client)
    assert sent(browser, "device", user_code=device["userCode"], decision="deny").status_code == 303
    asked = {**client, "grantType": DEVICE_GRANT, "deviceCode": device["deviceCode"]}
    refused(oidc(two).create_token, "AccessDeniedException", 400, **asked)


@pytest.mark.parametrize("given", [{"user_code": "BCDF-GHJK", "user": "ana"}, {"user": "ana"}, {"user": "nobody"}, {}])
def test_a_device_code_that_cannot_be_approved(two: Any, browser: Any, given: dict[str, str]) -> None:
    device = started(two, registered(two))
    code = {"user_code": device["userCode"]} if given.get("user") == "nobody" else {}
    page = sent(browser, "device", **given, **code)
    assert page.status_code == 400
    assert 'role="alert"' in page.text
    assert f"<td>{device['userCode']}</td>" in page.text


def test_an_expired_code_is_not_offered(two: Any, browser: Any) -> None:
    device = started(two, registered(two))
    two.clock.advance(601)
    assert device["userCode"] not in browser.get(CONSOLE + PAGE).text
    assert sent(browser, "device", user_code=device["userCode"], user="ana").status_code == 400
