"""A sandbox with IAM Identity Center, and what its clients do."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.exceptions import ClientError

FIRST, SECOND = "111122223333", "444455556666"
START_URL = "https://d-1234567890.awsapps.com/start"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
REDIRECT = "http://127.0.0.1/oauth/callback"
VERIFIER = "v" * 64
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
WORLD = f"""
version: 1
identity_center:
  groups: [developers, auditors]
  users:
    - {{name: ana, email: ana@example.com, display_name: Ana, groups: [developers], attributes: {{team: blue}}}}
    - {{name: bob, groups: [auditors]}}
    - {{name: eve}}
permission_sets:
  - name: Developer
    description: For developers
    session_duration: 7200
    managed_policies: ["arn:aws:iam::aws:policy/AmazonChimeReadOnly"]
    customer_managed_policies: [/team/own]
    inline_policy: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: "iam:GetUser", Resource: "*"}}]}}
    permissions_boundary: limits
    assignments:
      - {{accounts: ["{FIRST}"], groups: [developers]}}
  - name: Audit
    managed_policies: ["arn:aws:iam::aws:policy/IAMReadOnlyAccess"]
    assignments:
      - {{accounts: ["{FIRST}", "{SECOND}"], users: [ana], groups: [auditors]}}
accounts:
  - id: "{FIRST}"
    name: one
    users:
      - name: admin
        access_keys: [{{id: test, secret: test}}]
        attached_policies: ["arn:aws:iam::aws:policy/AdministratorAccess"]
    policies:
      - name: own
        path: /team/
        document: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Action: "iam:ListUsers", Resource: "*"}}]}}
      - name: limits
        document:
          Version: "2012-10-17"
          Statement: [{{Effect: Allow, Action: ["chime:*", "iam:GetUser"], Resource: "*"}}]
  - {{id: "{SECOND}", name: two}}
"""


def oidc(world: Any) -> Any:
    return world.client("sso-oidc")


def portal(world: Any) -> Any:
    return world.client("sso")


def registered(world: Any, **options: Any) -> dict[str, str]:
    """The id and secret of a new client."""
    given = {"clientName": "test", "clientType": "public", "scopes": ["sso:account:access"], **options}
    answer = oidc(world).register_client(**given)
    return {"clientId": answer["clientId"], "clientSecret": answer["clientSecret"]}


def started(world: Any, client: dict[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = oidc(world).start_device_authorization(**client, startUrl=START_URL)
    return answer


def approved(world: Any, user_code: str, user: str | None = "ana") -> None:
    decision = {"deny": True} if user is None else {"user": user}
    answer = world.application.test_client().post("/_rolecall/sso/approve", json={"user_code": user_code, **decision})
    assert answer.status_code == 200, answer.text


def by_device(world: Any, user: str = "ana", **options: Any) -> dict[str, Any]:
    """The tokens of a user who approved a device, with the client."""
    client = registered(world, **options)
    device = started(world, client)
    approved(world, device["userCode"], user)
    answer = oidc(world).create_token(**client, grantType=DEVICE_GRANT, deviceCode=device["deviceCode"])
    return {**answer, "client": client, "deviceCode": device["deviceCode"]}


def by_code_client(world: Any, **options: Any) -> dict[str, str]:
    given = {"grantTypes": ["authorization_code", "refresh_token"], "redirectUris": [REDIRECT], **options}
    return registered(world, **given)


def code_for(world: Any, client: dict[str, str], user: str = "ana", **parameters: str) -> dict[str, str]:
    """What the client's redirect URI gets after the user has allowed it on the page."""
    browser = world.application.test_client()
    asked = {
        "response_type": "code",
        "client_id": client["clientId"],
        "redirect_uri": "http://127.0.0.1:8400/oauth/callback",
        "state": "xyz",
        "code_challenge_method": "S256",
        "code_challenge": CHALLENGE,
        "scopes": "sso:account:access",
        **parameters,
    }
    page = browser.get("/authorize", query_string=asked)
    assert page.status_code == 200, page.text
    answer = browser.post("/_rolecall/sso/authorize", data={**hidden_of(page.text), "user": user, "decision": "allow"})
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def hidden_of(page: str) -> dict[str, str]:
    """The hidden fields of a form."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', page))


def refused(call: Any, error: str, status: int, text: str | None = None, /, **arguments: Any) -> dict[str, Any]:
    """The answer to a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer: dict[str, Any] = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (error, status)
    if text is not None:
        assert answer.get("error_description", answer["Error"]["Message"]) == text
    return answer


def keys_of(credentials: dict[str, str]) -> tuple[str, str, str]:
    return credentials["accessKeyId"], credentials["secretAccessKey"], credentials["sessionToken"]
