"""What ``aws login`` leaves in its cache. AWS CLI's own command opens a browser, so this signs in with plain requests.

RFC 9449 (DPoP), and the form in which AWS CLI and botocore keep a login (``~/.aws/login/cache``).
"""

from __future__ import annotations

import hashlib
import json
import time
import urllib.request
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm

CLIENT = "arn:aws:signin:::devtools/same-device"
CALLBACK = "http://127.0.0.1:8400/oauth/callback"
VERIFIER = "v" * 64


def sent(url: str, body: Any, **headers: str) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def code_for(url: str, principal: str, session_name: str) -> str:
    """An authorization code, after the principal has approved."""
    challenge = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": CLIENT,
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "code_challenge_method": "SHA-256",
        "code_challenge": challenge,
    }
    body = {"url": f"{url}/v1/authorize?{urlencode(asked)}", "principal": principal, "session_name": session_name}
    location = sent(f"{url}/_rolecall/signin/approve", body)["location"]
    return dict(parse_qsl(urlsplit(location).query))["code"]


def proof_of(key: ec.EllipticCurvePrivateKey, url: str) -> str:
    header = {"typ": "dpop+jwt", "jwk": json.loads(ECAlgorithm.to_jwk(key.public_key()))}
    claims = {"htm": "POST", "htu": url, "iat": int(time.time()), "jti": str(uuid.uuid4())}
    return jwt.encode(claims, key, algorithm="ES256", headers=header)


def log_in(url: str, principal: str, session_name: str, home: Path, expires_at: str) -> str:
    """Sign in, and write the cache below ``home``. The profile's ``login_session``.

    ``expires_at`` is the time at which the client takes the first credentials for expired.
    """
    key, token_url = ec.generate_private_key(ec.SECP256R1()), f"{url}/v1/token"
    given = {
        "clientId": CLIENT,
        "grantType": "authorization_code",
        "redirectUri": CALLBACK,
        "codeVerifier": VERIFIER,
        "code": code_for(url, principal, session_name),
    }
    answer = sent(token_url, given, DPoP=proof_of(key, token_url))
    arn: str = jwt.decode(answer["idToken"], options={"verify_signature": False})["sub"]
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    cached = {
        "accessToken": {**answer["accessToken"], "accountId": arn.split(":")[4], "expiresAt": expires_at},
        **{name: answer[name] for name in ("tokenType", "refreshToken", "idToken")},
        "clientId": CLIENT,
        "dpopKey": pem,
    }
    folder = home / ".aws" / "login" / "cache"
    folder.mkdir(parents=True)
    name = hashlib.sha256(arn.encode()).hexdigest()
    (folder / f"{name}.json").write_text(json.dumps(cached), encoding="utf-8")
    return arn
