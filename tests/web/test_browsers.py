"""AWS calls from web pages: everyone knows the documented credentials, so pages of other sites must be refused."""

from __future__ import annotations

import http.client
import io
import json
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rolecall.inprocess import call_wsgi
from rolecall.kit import Rolecall

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
POWERSHELL = "Mozilla/5.0 (Windows NT 10.0; en-US) WindowsPowerShell/5.1.22621.4391"
APP = "http://localhost:3000"
OF_ANOTHER_SITE = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Origin": "http://localhost:3001"},
    {"Origin": "http://[::1"},
    {"Origin": f"{APP}.evil.example"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"},
    # A form or a link that sends a user here with a presigned URL.
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    {"Sec-Fetch-Site": "new-kind"},
    {"User-Agent": FIREFOX},
]
OF_PROGRAMS_AND_THIS_SITE = [
    {},
    {"User-Agent": "Boto3/1.40", "Referer": "https://evil.example/"},
    {"User-Agent": POWERSHELL},
    {"Origin": "http://rolecall.localhost"},
    {"Sec-Fetch-Site": "same-origin", "User-Agent": FIREFOX},
    {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "User-Agent": FIREFOX},
]


def call(
    world: Any,
    method: str,
    action: str = "CreateUser",
    presigned: bool = True,
    host: str = "rolecall.localhost",
    path: str = "/",
    service: str = "iam",
    **headers: str,
) -> tuple[int, dict[str, str], bytes]:
    """A call as a page with the documented secret makes it: signed for the name that it is sent to."""
    query = f"Action={action}&Version=2010-05-08&UserName=mallory" if service == "iam" else ""
    url = f"http://{host or 'x'}{path}{f'?{query}' if query else ''}"
    request = AWSRequest(method, url)
    sign = SigV4QueryAuth if presigned else SigV4Auth
    sign(Credentials("test", "test"), service, "us-east-1").add_auth(request)
    made = urlsplit(request.url)
    sent = {**dict(request.headers.items()), **headers}
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": made.path,
        "RAW_URI": f"{made.path}?{made.query}",
        "QUERY_STRING": made.query,
        "HTTP_HOST": host,
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b""),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.items()},
    }
    return call_wsgi(world.application, environ)


def users(world: Any) -> set[str]:
    return {user["UserName"] for user in world.client("iam").list_users()["Users"]}


@pytest.mark.parametrize("headers", OF_ANOTHER_SITE, ids=str)
@pytest.mark.parametrize(("method", "presigned"), [("GET", True), ("POST", True), ("POST", False)])
def test_a_page_of_another_site_makes_no_call(
    world: Any, method: str, presigned: bool, headers: dict[str, str]
) -> None:
    status, answered, body = call(world, method, presigned=presigned, **headers)
    assert status == 403
    assert b"<Code>AccessDenied</Code>" in body
    assert b"--allow-origin" in body
    assert not [name for name in answered if name.lower().startswith("access-control")]
    assert "mallory" not in users(world)


@pytest.mark.parametrize("headers", OF_PROGRAMS_AND_THIS_SITE, ids=str)
def test_programs_and_this_site_make_calls(world: Any, headers: dict[str, str]) -> None:
    status, answered, _ = call(world, "GET", **headers)
    assert status == 200
    assert "Access-Control-Allow-Origin" not in answered
    assert "mallory" in users(world)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4580", "a_b.evil.example", "", "rolecall.lan"])
def test_under_another_name_nothing_is_answered(world: Any, host: str) -> None:
    # When a page's name leads to this machine (DNS rebinding), the browser sees one origin.
    status, _, body = call(world, "GET", host=host)
    assert (status, b"<Code>AccessDenied</Code>" in body) == (403, True)
    assert (b"--allow-host" in body) is bool(host)
    assert "mallory" not in users(world)


@pytest.mark.parametrize(
    "host", ["iam.amazonaws.com", "iam.us-gov.amazonaws.com", "rolecall:4580", "10.0.0.7:4580", "[::1]"]
)
def test_names_of_aws_and_of_private_networks_are_answered(world: Any, host: str) -> None:
    assert call(world, "GET", host=host)[0] == 200


def test_the_refusal_is_in_the_form_that_the_caller_reads(world: Any) -> None:
    status, answered, body = call(world, "GET", service="chime", path="/accounts", Origin="https://evil.example")
    assert (status, answered["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
    assert "https://evil.example" in json.loads(body)["Message"]
    (outcome,) = world.outcomes
    assert (outcome.error.code, outcome.caller) == ("AccessDenied", None)


def test_an_origin_that_is_allowed_calls_and_reads(make_admitting: Any) -> None:
    world = make_admitting(origins=[APP])
    status, answered, _ = call(world, "GET", Origin=APP, **{"Sec-Fetch-Site": "same-site"})
    assert status == 200
    assert answered["Access-Control-Allow-Origin"] == APP
    assert answered["Vary"] == "Origin"
    assert "x-amzn-RequestId" in answered["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answered
    assert "mallory" in users(world)
    # The page can read a refusal too.
    status, answered, _ = call(world, "GET", action="NoSuchAction", Origin=APP)
    assert (status, answered["Access-Control-Allow-Origin"]) == (400, APP)
    # Other origins are refused, and so is an image on the allowed page.
    for others in ({"Origin": "http://localhost:3001"}, {"Origin": "null"}, {"Sec-Fetch-Site": "same-site"}):
        assert call(world, "GET", **others)[0] == 403


def test_a_preflight_request_is_answered(make_admitting: Any) -> None:
    world = make_admitting(origins=[APP])
    asked = {
        "Origin": APP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-amz-date,x-amz-security-token",
        "Access-Control-Request-Private-Network": "true",
    }
    status, answered, body = call(world, "OPTIONS", path="/accounts", service="chime", **asked)
    assert (status, body) == (200, b"")
    assert answered["Access-Control-Allow-Origin"] == APP
    assert answered["Access-Control-Allow-Headers"] == "authorization,x-amz-date,x-amz-security-token"
    assert {"GET", "POST", "PUT", "DELETE"} <= set(answered["Access-Control-Allow-Methods"].split(", "))
    assert answered["Access-Control-Allow-Private-Network"] == "true"
    assert not world.outcomes
    status, answered, _ = call(
        world, "OPTIONS", path="/accounts", service="chime", **{**asked, "Origin": "https://evil.example"}
    )
    assert (status, "Access-Control-Allow-Origin" in answered) == (403, False)
    # The answer repeats only valid header names.
    asked["Access-Control-Request-Headers"] = "a\r\nSet-Cookie: x=y"
    assert "Access-Control-Allow-Headers" not in call(world, "OPTIONS", service="chime", **asked)[1]


def test_control_endpoints_stay_closed_to_origins_that_may_call(make_admitting: Any) -> None:
    world = make_admitting(origins=[APP])
    answer = world.application.test_client().get("/_rolecall/snapshot", headers={"Origin": APP})
    assert answer.status_code == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_sandbox_of_the_test_kit_has_the_same_guard() -> None:
    with Rolecall(region="us-east-1") as sandbox:
        iam = sandbox.client("iam")

        def add_origin(request: Any, **_ignored: Any) -> None:
            request.headers["Origin"] = "https://evil.example"

        iam.meta.events.register("before-sign", add_origin)
        with pytest.raises(iam.exceptions.ClientError, match="--allow-origin"):
            iam.create_user(UserName="mallory")


def test_a_sandbox_behind_a_socket_takes_the_same_options() -> None:
    with Rolecall.start(allow_origins=[APP], allow_hosts=["rolecall.lan"]) as sandbox:
        address = urlsplit(sandbox.endpoint_url)

        def status(path: str, **headers: str) -> tuple[int, str | None]:
            connection = http.client.HTTPConnection(address.hostname or "", address.port or 0, timeout=30)
            with closing(connection):
                connection.request("GET", path, headers=headers)
                answer = connection.getresponse()
                answer.read()
                return answer.status, answer.getheader("Access-Control-Allow-Origin")

        assert status("/_rolecall/health", Host="rolecall.lan") == (200, None)
        assert status("/_rolecall/health", Host="other.lan") == (403, None)
        assert status("/accounts", Origin=APP) == (403, APP)
        assert status("/accounts", Origin="https://evil.example") == (403, None)


@pytest.mark.parametrize("given", [{"allow_hosts": "rolecall.lan"}, {"allow_origins": [1]}])
def test_names_that_are_not_a_list_are_reported(given: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="must be a list of texts"):
        Rolecall.start(**given)
