"""AssumeRoleWithWebIdentity with fetched keys: a real issuer on this machine, and unreachable ones."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from sts_calls import UNCHECKED, account, allow, declared, refusal, role
from web_identity_calls import AUDIENCE, federated, key_set, provider_arn, request, signing_key, token

from rolecall.sessions import discovery, issuer_keys
from rolecall.sessions.issuer_errors import UnreachableIssuerError

OPERATION = "AssumeRoleWithWebIdentity"


class Issuer:
    """An identity provider over HTTP; ``asked`` counts its requests, ``visit`` is called for each."""

    def __init__(self) -> None:
        self.keys = key_set(signing_key())
        self.asked: list[str] = []
        self.visit: Any = lambda: None
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                issuer.visit()
                document = {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"}
                body = (issuer.keys if self.path == "/keys" else json.dumps(document)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the tests' issuers as much time as a busy machine needs."""
    monkeypatch.setattr(issuer_keys, "TOTAL_SECONDS", 300)
    monkeypatch.setitem(discovery._pool.connection_pool_kw, "timeout", 300)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    yield made
    made.close()


def world_for(make_world: Any, *urls: str) -> Any:
    arns = [provider_arn(url.partition("://")[2]) for url in urls]
    trusting = role("open", federated(arns), allow("*"))
    providers = [{"url": url, "client_ids": [AUDIENCE]} for url in urls]
    return make_world(declared(account(roles=[trusting], oidc_providers=providers)))


def test_keys_are_fetched_once_for_many_calls(make_world: Any, issuer: Issuer) -> None:
    world = world_for(make_world, issuer.url)
    sts = world.client("sts")
    for subject in ("ana", "li", "ana"):
        answer = sts.assume_role_with_web_identity(**request(text=token(iss=issuer.url, sub=subject)))
        assert answer["SubjectFromWebIdentityToken"] == subject
    assert issuer.asked == ["/.well-known/openid-configuration", "/keys"]


def test_other_calls_continue_while_keys_are_fetched(make_world: Any, issuer: Issuer) -> None:
    """The database in memory has one connection. Holding a snapshot during a fetch would block all other calls."""
    world = world_for(make_world, issuer.url)
    iam = world.client("iam")
    issuer.visit = lambda: iam.create_user(UserName=f"made-{len(issuer.asked)}")
    world.client("sts").assume_role_with_web_identity(**request(text=token(iss=issuer.url)))
    names = {user["UserName"] for user in iam.list_users()["Users"]}
    assert {"made-1", "made-2"} <= names


def test_nothing_is_fetched_for_tokens_that_cannot_be_good(make_world: Any, issuer: Issuer) -> None:
    sts = world_for(make_world, issuer.url).client("sts")
    for changed in ({"aud": "other"}, {"exp": 1}, {"sub": None}, {"iss": f"{issuer.url}/other"}):
        assert refusal(sts, OPERATION, **request(text=token(**{"iss": issuer.url, **changed})))[0] == 400
    assert issuer.asked == []


def test_a_key_that_the_issuer_does_not_have(make_world: Any, issuer: Issuer) -> None:
    sts = world_for(make_world, issuer.url).client("sts")
    text = token(signing_key(number=1), iss=issuer.url)
    status, code, message = refusal(sts, OPERATION, **request(text=text))
    assert (status, code) == (400, "InvalidIdentityToken")
    assert message.startswith("Couldn't retrieve verification key from your identity provider,  please")
    assert issuer.asked.count("/keys") == 1


def test_an_issuer_that_has_made_new_keys_under_old_ids(
    make_world: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As identity providers for tests do after a restart."""
    now = [1_000.0]
    monkeypatch.setattr(issuer_keys, "monotonic_seconds", lambda: now[0])
    sts = world_for(make_world, issuer.url).client("sts")
    old, new = signing_key(), signing_key(number=1)
    sts.assume_role_with_web_identity(**request(text=token(iss=issuer.url)))
    issuer.keys = key_set(new).replace(new.key_id, old.key_id)
    text = token(new, {"kid": old.key_id}, iss=issuer.url)
    assert refusal(sts, OPERATION, **request(text=text))[1] == "InvalidIdentityToken"
    now[0] += issuer_keys.UNKNOWN_KEY_SECONDS + 1
    sts.assume_role_with_web_identity(**request(text=text))
    assert refusal(sts, OPERATION, **request(text=token(iss=issuer.url)))[1] == "InvalidIdentityToken"
    assert issuer.asked.count("/keys") == 2


def test_an_issuer_that_answers_nonsense(make_world: Any, issuer: Issuer) -> None:
    world = world_for(make_world, issuer.url)
    issuer.keys = "nonsense"
    assert refusal(world.client("sts"), OPERATION, **request(text=token(iss=issuer.url)))[1] == "InvalidIdentityToken"
    assert world.outcomes[-1].error.reason == "not JSON"


def test_an_issuer_that_is_not_there(make_world: Any, issuer: Issuer) -> None:
    world = world_for(make_world, issuer.url)
    issuer.close()
    sts = world.client("sts", config=UNCHECKED)
    for _ in range(2):
        status, code, message = refusal(sts, OPERATION, **request(text=token(iss=issuer.url)))
        assert (status, code) == (400, "IDPCommunicationError")
        assert "could not be reached" in message
    assert issuer.url in world.outcomes[-1].error.reason


def test_built_in_issuers_are_fetched_where_the_sandbox_has_no_keys(
    make_world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(url: str) -> str:
        asked.append(url)
        if "cognito" in url:
            raise UnreachableIssuerError("down")
        return key_set(signing_key())

    trusting = role(
        "open",
        federated(
            ["accounts.google.com", "cognito-identity.amazonaws.com"],
            Condition={"StringNotLike": {"aws:RequestedRegion": "nowhere"}},
        ),
    )
    monkeypatch.setattr(issuer_keys, "fetch_over_network", fetch)
    sts = make_world(declared(account(roles=[trusting]))).client("sts")
    for google in ("accounts.google.com", "https://accounts.google.com"):
        answer = sts.assume_role_with_web_identity(**request(text=token(iss=google, aud="any")))
        assert answer["Provider"] == "accounts.google.com"
    text = token(iss="https://cognito-identity.amazonaws.com")
    assert refusal(sts, OPERATION, **request(text=text))[1] == "IDPCommunicationError"
    assert asked == ["https://accounts.google.com", "https://cognito-identity.amazonaws.com"]
