"""A program that signs in as ``aws login`` does, with a key of its own."""

from __future__ import annotations

import json
import re
import time
import uuid
from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from rolecall.inprocess import ENDPOINT_URL
from rolecall.wire import SERVICES, load_service

needs_the_model = pytest.mark.skipif(
    "signin" not in SERVICES or "ListSessions" not in load_service("signin").operation_names,
    reason="the installed botocore has no model of it, or an older one",
)
ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
SAME_DEVICE = "arn:aws:signin:::devtools/same-device"
CROSS_DEVICE = "arn:aws:signin:::devtools/cross-device"
CALLBACK = "http://127.0.0.1:8400/oauth/callback"
CONFIRMATION = f"{ENDPOINT_URL}/v1/sessions/confirmation"
TOKEN_URL = f"{ENDPOINT_URL}/v1/token"
VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
WORLD = f"""
version: 1
accounts:
  - id: "{ACCOUNT}"
    users:
      - name: admin
        access_keys: [{{id: test, secret: test}}]
        attached_policies: ["arn:aws:iam::aws:policy/AdministratorAccess"]
      - name: ana
        path: /team/
        attached_policies:
          - arn:aws:iam::aws:policy/SignInLocalDevelopmentAccess
          - arn:aws:iam::aws:policy/AmazonChimeReadOnly
          - arn:aws:iam::aws:policy/IAMReadOnlyAccess
      - {{name: plain, access_keys: [{{id: plain, secret: plain}}]}}
    roles:
      - name: app
        trust_policy:
          Version: "2012-10-17"
          Statement: [{{Effect: Allow, Principal: {{Service: ec2.amazonaws.com}}, Action: "sts:AssumeRole"}}]
        attached_policies: ["arn:aws:iam::aws:policy/SignInLocalDevelopmentAccess"]
        max_session_duration: 7200
  - {{id: "{OTHER_ACCOUNT}", name: two}}
"""


class Program:
    """A program with a key for its proofs of possession."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())

    def proof(self, **changed: Any) -> str:
        """A proof for the token endpoint, or one that is ``changed``: claims, ``typ``, ``alg``, ``jwk``, ``key``."""
        jwk = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        header = {"typ": changed.pop("typ", "dpop+jwt"), "jwk": changed.pop("jwk", jwk)}
        key, algorithm = changed.pop("key", self.key), changed.pop("alg", "ES256")
        claims = {"htm": "POST", "htu": TOKEN_URL, "iat": int(time.time()), "jti": str(uuid.uuid4()), **changed}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, key, algorithm=algorithm, headers=header)

    def asks(self, world: Any, proof: str | None = None, **given: str) -> dict[str, Any]:
        """CreateOAuth2Token with a proof; an empty text sends none."""
        client = world.client("signin")
        header = self.proof() if proof is None else proof

        def add(params: Any, **_more: Any) -> None:
            if header:
                params["headers"]["DPoP"] = header

        client.meta.events.register("before-call.signin.CreateOAuth2Token", add)
        answer: dict[str, Any] = client.create_oauth2_token(tokenInput={"clientId": SAME_DEVICE, **given})[
            "tokenOutput"
        ]
        return answer

    def signs_in(self, world: Any, principal: str = "user/ana", **more: str) -> dict[str, Any]:
        """The first tokens, after the principal has approved the program."""
        return self.redeems(world, code_for(world, principal, **more))

    def redeems(self, world: Any, code: str, proof: str | None = None, **given: str) -> dict[str, Any]:
        return self.asks(world, proof, **token_input(code, **given))

    def refreshes(self, world: Any, refresh_token: str, proof: str | None = None, **given: str) -> dict[str, Any]:
        return self.asks(world, proof, grantType="refresh_token", refreshToken=refresh_token, **given)


def token_input(code: str, **changed: str) -> dict[str, str]:
    """What AWS CLI sends for a code."""
    return {
        "clientId": SAME_DEVICE,
        "grantType": "authorization_code",
        "redirectUri": CALLBACK,
        "codeVerifier": VERIFIER,
        "code": code,
        **changed,
    }


def asked(**changed: str | None) -> dict[str, str]:
    """The parameters that AWS CLI sends to the authorization page."""
    parameters = {
        "response_type": "code",
        "client_id": SAME_DEVICE,
        "state": "x&y=1",
        "code_challenge_method": "SHA-256",
        "scope": "openid",
        "redirect_uri": CALLBACK,
        "code_challenge": CHALLENGE,
        **changed,
    }
    return {name: value for name, value in parameters.items() if value is not None}


def authorize_url(**changed: str | None) -> str:
    return f"{ENDPOINT_URL}/v1/authorize?{urlencode(asked(**changed))}"


def approved(world: Any, principal: str = "user/ana", *, url: str = "", **more: str) -> dict[str, str]:
    """What the program's redirect URI gets after a decision without a browser."""
    body = {"url": url or authorize_url(), "principal": principal, **more}
    answer = world.application.test_client().post("/_rolecall/signin/approve", json=body)
    assert answer.status_code == 200, answer.text
    return dict(parse_qsl(urlsplit(answer.json["location"]).query))


def code_for(world: Any, principal: str = "user/ana", **more: str) -> str:
    return approved(world, principal, **more)["code"]


def credentials_of(tokens: dict[str, Any]) -> dict[str, str]:
    """The credentials in the form of STS."""
    return {name[0].upper() + name[1:]: value for name, value in tokens["accessToken"].items()}


def claims_of(id_token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(id_token, options={"verify_signature": False})
    return claims


def hidden_of(page: str) -> dict[str, str]:
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {name: value.replace("&amp;", "&") for name, value in fields}


def code_shown(page: str) -> dict[str, str]:
    """What AWS CLI reads of the code that the confirmation page shows."""
    [text] = re.findall(r"<p>([A-Za-z0-9+/=]+)</p>", page)
    return dict(parse_qsl(b64decode(text).decode()))


def refused(call: Any, code: str, status: int, word: str, /, *arguments: Any, **parameters: Any) -> str:
    """The message of a refusal."""
    with pytest.raises(ClientError) as caught:
        call(*arguments, **parameters)
    answer = caught.value.response
    found = answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("error", "")
    assert found == (code, status, word), answer
    message: str = answer["message"]
    assert message == answer["Error"]["Message"]
    return message
