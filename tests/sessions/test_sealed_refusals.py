"""Refusals of this room that no client meets by an honest mistake: sealed by us, and yet not what is wanted."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import urllib3
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rolecall.errors import AwsError
from rolecall.ids import Identifiers
from rolecall.principals import Principal
from rolecall.sessions import discovery, jose
from rolecall.sessions.authorization_messages import AUTHORIZATION_MESSAGE_PURPOSE, open_message, seal_message
from rolecall.sessions.credentials import SessionRequest, issue
from rolecall.sessions.delegation import DELEGATION_PURPOSE, exchange_token, request_of_token
from rolecall.sessions.issuer_errors import UnreachableIssuerError
from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.sessions.signin import (
    CONSOLE_PURPOSE,
    SIGN_IN_PURPOSE,
    open_console,
    open_sign_in,
    seal_console,
    seal_sign_in,
)
from rolecall.sessions.signing_keys import load_signing_key, new_signing_key, sign
from rolecall.sessions.tokens import SESSION_PURPOSE, BadTokenError, open_token, seal
from rolecall.sessions.web_identity import BadKeySetError, check_times, read_token, subject_of

KEY = SealingKey("only", b"k" * 32)
RING = KeyRing([KEY])
CLAIMS = {"iss": "https://idp.example.com", "sub": "ana", "aud": "app", "iat": 1_000, "exp": 2_000}


@pytest.mark.parametrize("packed", [[], "text", 1, None])
def test_packed_claims_that_are_no_claims(packed: Any) -> None:
    text = base64.b64encode(zlib.compress(json.dumps(packed).encode())).decode()
    with pytest.raises(BadTokenError, match=r"^the packed claims are not a JSON object$"):
        open_token(RING, SESSION_PURPOSE, seal(KEY, SESSION_PURPOSE, {"z": text}))


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"acct": "1", "exp": 20}, "not an authorization message"),
        ({"acct": "1", "exp": 20, "msg": "text"}, "not an authorization message"),
        ({"acct": "1", "exp": "20", "msg": {}}, "not an authorization message"),
        ({"acct": "1", "msg": {}}, "not an authorization message"),
        ({"acct": "2", "exp": 20, "msg": {}}, "the message is about a call of another account"),
        ({"exp": 20, "msg": {}}, "the message is about a call of another account"),
        ({"acct": "1", "exp": 10, "msg": {}}, "the message has expired"),
    ],
)
def test_authorization_messages(claims: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadTokenError, match=f"^{problem}$"):
        open_message(RING, "1", seal(KEY, AUTHORIZATION_MESSAGE_PURPOSE, claims), 10)
    assert open_message(RING, "1", seal_message(RING, "1", {"a": "b"}, 11), 10) == {"a": "b"}


@pytest.mark.parametrize("claims", [{}, {"r": "id"}, {"iat": 5}, {"r": 1, "iat": 5}, {"r": "id", "iat": "5"}])
def test_exchange_tokens(claims: dict[str, Any]) -> None:
    with pytest.raises(BadTokenError, match=r"^sealed by an incompatible version$"):
        request_of_token(RING, seal(KEY, DELEGATION_PURPOSE, claims))
    assert request_of_token(RING, exchange_token(RING, "id", 5)) == ("id", 5)


@pytest.mark.parametrize("value", [None, "20", 20.0])
def test_sign_in_tokens_and_console_sessions(value: Any) -> None:
    for claims in ({"until": value, "end": 20}, {"until": 20, "end": value}):
        with pytest.raises(BadTokenError, match=r"^sealed by an incompatible version$"):
            open_sign_in(RING, seal(KEY, SIGN_IN_PURPOSE, claims), 10)
    with pytest.raises(BadTokenError, match=r"^sealed by an incompatible version$"):
        open_console(RING, seal(KEY, CONSOLE_PURPOSE, {"end": value}), 10)


def test_sign_in_tokens_and_console_sessions_end() -> None:
    role = "arn:aws:iam::111122223333:role/reader"
    principal = Principal("AssumedRole", "111122223333", f"{role}/me", role, "AROAEXAMPLE:me", "AROAEXAMPLE", "reader")
    credentials = issue(
        RING, Identifiers(), 5, SessionRequest(type="AssumeRole", principal=principal, duration_seconds=900)
    )
    sign_in = seal_sign_in(RING, credentials.session_token, 30, 11)
    opened = open_sign_in(RING, sign_in, 10)
    assert opened.ends_at_seconds == 30
    console = seal_console(RING, opened, 20)
    assert open_console(RING, console, 19)[1] == 20
    with pytest.raises(BadTokenError, match=r"^the sign-in token has expired$"):
        open_sign_in(RING, sign_in, 11)
    with pytest.raises(BadTokenError, match=r"^the console session has expired$"):
        open_console(RING, console, 20)


def test_a_signing_key_of_another_kind() -> None:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(ValueError, match=r"^neither an RSA key nor one of an elliptic curve$"):
        load_signing_key("EdDSA", pem.decode())


# --- web identity tokens


SIGNING_KEY = new_signing_key("ES256")


def refusal(act: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(AwsError) as caught:
        act()
    return caught.value.code, caught.value.reason


def test_a_signature_that_is_written_in_another_way() -> None:
    """The same bytes: the last character of 64 bytes has four bits that mean nothing."""
    token = sign(SIGNING_KEY, CLAIMS)
    assert read_token(token).claims == CLAIMS
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    other = token[:-1] + letters[letters.index(token[-1]) + 1]
    assert base64.urlsafe_b64decode(other.rpartition(".")[2] + "==") == base64.urlsafe_b64decode(
        token.rpartition(".")[2] + "=="
    )
    code, reason = refusal(lambda: read_token(other))
    # Newer versions of PyJWT refuse it themselves.
    assert reason in ("the signature is not written in the canonical form", "Invalid crypto padding")
    assert code == "InvalidIdentityToken"


def test_pyjwt_may_be_more_lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As its versions before 2.15 are, which the project takes too."""
    token = sign(SIGNING_KEY, CLAIMS)
    decoded = jose.unproven(token)
    monkeypatch.setattr(jose, "unproven", lambda _token: decoded)
    other = token[:-1] + ("A" if token[-1] != "A" else "B")
    found = refusal(lambda: read_token(other))
    assert found == ("InvalidIdentityToken", "the signature is not written in the canonical form")
    decoded["header"]["kid"] = 1
    assert refusal(lambda: read_token(token)) == ("InvalidIdentityToken", "the id of the key is not a text")


@pytest.mark.parametrize("key_id", [1, None, ["a"], {"a": 1}, True])
def test_a_key_id_that_is_no_text(key_id: Any) -> None:
    _, payload, signature = sign(SIGNING_KEY, CLAIMS).split(".")
    header = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": key_id}).encode()).decode().rstrip("=")
    assert refusal(lambda: read_token(f"{header}.{payload}.{signature}"))[0] == "InvalidIdentityToken"


def test_how_long_a_subject_may_be() -> None:
    assert subject_of(read_token(sign(SIGNING_KEY, {**CLAIMS, "sub": "a" * 255}))) == "a" * 255
    token = read_token(sign(SIGNING_KEY, {**CLAIMS, "sub": "a" * 256}))
    assert refusal(lambda: subject_of(token)) == ("InvalidIdentityToken", "the claim sub is too long")


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_times_that_are_still_to_come(name: str) -> None:
    def token(seconds: Any) -> Any:
        return read_token(sign(SIGNING_KEY, {**CLAIMS, name: seconds}))

    check_times(token(1_500), 1_500)
    found = refusal(lambda: check_times(token(100_000), 1_500))
    assert found == ("InvalidIdentityToken", f"{name} is in the future: 100000, now it is 1500")
    found = refusal(lambda: check_times(token(True), 1_500))
    assert found == ("InvalidIdentityToken", f"the claim {name} is not a whole number")


# --- an issuer's documents


class _Breaking:
    """An answer that begins well."""

    status = 200

    def read(self, *_given: Any, **_more: Any) -> bytes:
        raise urllib3.exceptions.ProtocolError("broken off")

    def close(self) -> None:
        pass


def test_an_answer_that_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery._pool, "request", lambda *_given, **_more: _Breaking())
    with pytest.raises(UnreachableIssuerError, match=r"^https://idp\.example\.com/\.well-known/.*: broken off$"):
        discovery.key_set_text("https://idp.example.com")


def test_what_urllib3_cannot_read_is_no_address() -> None:
    with pytest.raises(BadKeySetError, match=r"^https://a\.\.b/\.well-known/openid-configuration is no URL$"):
        discovery.key_set_text("https://a..b")
