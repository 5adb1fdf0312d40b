"""One test for each published security advisory of PyJWT, against Rolecall's way of verifying tokens.

Each shows that Rolecall does not depend on the fixed version. Session tokens and web identity tokens meet the
advisory's requirement with any version installed. Advisories read 2026-11-24.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import HMACAlgorithm, RSAAlgorithm

import rolecall
from rolecall.errors import AwsError
from rolecall.sessions.issuer_keys import IssuerKeys, KeysWantedError
from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.sessions.signing_keys import new_signing_key, public_jwk, sign
from rolecall.sessions.tokens import BadTokenError, open_token, seal
from rolecall.sessions.web_identity import BadKeySetError, read_key_set, read_token

UNKNOWN_KEY_SECONDS = 30
KEY_MESSAGE = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)
MALFORMED_MESSAGE = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"

KEY = new_signing_key("RS256")
CLAIMS = {"iss": "https://idp.example.com", "sub": "ana", "aud": "app", "iat": 1, "exp": 2}
KEYS = read_key_set(json.dumps({"keys": [public_jwk(KEY)]}))


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hmac_token(secret: bytes) -> str:
    signed = f"{part({'alg': 'HS256', 'kid': KEY.key_id})}.{part(CLAIMS)}"
    return f"{signed}.{part(HMACAlgorithm(HMACAlgorithm.SHA256).sign(signed.encode(), secret))}"


def refused(text: str) -> str:
    with pytest.raises(AwsError) as caught:
        KEYS.verify(read_token(text))
    assert caught.value.code == "InvalidIdentityToken"
    return caught.value.message


@pytest.mark.parametrize("form", [PublicFormat.PKCS1, PublicFormat.SubjectPublicKeyInfo])
def test_cve_2017_11424_a_pem_key_as_the_secret_of_an_hmac(form: PublicFormat) -> None:
    """CVE-2017-11424: PKCS #1 keys passed as HMAC secrets."""
    assert refused(hmac_token(KEY.private_key.public_key().public_bytes(Encoding.PEM, form))) == KEY_MESSAGE


def test_cve_2022_29217_an_ssh_key_as_the_secret_of_an_hmac() -> None:
    """CVE-2022-29217 (GHSA-ffqj-6fqr-9h24): key confusion through other public key formats."""
    public = KEY.private_key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    assert refused(hmac_token(public)) == KEY_MESSAGE


def test_cve_2024_53861_the_issuer_is_compared_whole() -> None:
    """CVE-2024-53861 (GHSA-75c5-xw7c-p5pm): a part of the issuer was enough. Rolecall compares the whole issuer."""
    token = read_token(sign(KEY, {**CLAIMS, "iss": "https://idp"}))
    assert token.issuer == "https://idp"
    assert token.issuer != CLAIMS["iss"]


def test_cve_2025_45768_weak_keys() -> None:
    """CVE-2025-45768 (disputed): too short keys are accepted."""
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505
    member = {**RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True), "kid": "weak"}
    with pytest.raises(BadKeySetError):
        read_key_set(json.dumps({"keys": [member]}))
    # Sealing keys of any length become 256 bits by derivation.
    assert len(SealingKey("k", b"x").token_key) == 32


def test_cve_2026_32597_critical_extensions() -> None:
    """CVE-2026-32597 (GHSA-752w-5fwx-jx9f): unknown ``crit`` extensions were accepted (RFC 7515, section 4.1.11)."""
    header = {"alg": "RS256", "kid": KEY.key_id, "crit": ["http://example.com/UNDEFINED"]}
    claims, signature = sign(KEY, CLAIMS).split(".")[1:]
    assert refused(f"{part(header)}.{claims}.{signature}") == MALFORMED_MESSAGE


def test_cve_2026_48522_no_url_of_a_token_is_ever_fetched(tmp_path: Path) -> None:
    """CVE-2026-48522 (GHSA-993g-76c3-p5m4): PyJWKClient took file: and other URLs. It is not used, nor is jku."""
    sources = [file.read_text(encoding="utf-8") for file in Path(rolecall.__file__).parent.rglob("*.py")]
    assert not any("PyJWKClient" in source or "urlopen" in source for source in sources)
    secret = tmp_path / "jwks.json"
    stranger = new_signing_key("RS256")
    secret.write_text(json.dumps({"keys": [public_jwk(stranger)]}), encoding="utf-8")
    assert refused(sign(stranger, CLAIMS, {"jku": secret.as_uri()})) == KEY_MESSAGE


def test_cve_2026_48523_the_algorithm_of_the_header_is_the_one_that_verifies() -> None:
    """CVE-2026-48523 (GHSA-jq35-7prp-9v3f): the header's algorithm was allowed, but the key's other one verified."""
    bound = read_key_set(json.dumps({"keys": [{**public_jwk(KEY), "alg": "RS512"}]}))
    text = jwt.encode(dict(CLAIMS), KEY.private_key, algorithm="RS512", headers={"kid": KEY.key_id})
    bound.verify(read_token(text))
    claims, signature = text.split(".")[1:]
    pretending = f"{part({'alg': 'RS256', 'kid': KEY.key_id})}.{claims}.{signature}"
    for keys in (bound, KEYS):
        with pytest.raises(AwsError, match="InvalidIdentityToken"):
            keys.verify(read_token(pretending))


def test_cve_2026_48524_unknown_key_ids_fetch_nothing_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """CVE-2026-48524 (GHSA-fhv5-28vv-h8m8): each unknown key id fetched the set anew."""
    fetched, now = [], [1_000.0]
    monkeypatch.setattr("rolecall.sessions.issuer_keys.monotonic_seconds", lambda: now[0])
    keys = IssuerKeys(lambda url: fetched.append(url) or json.dumps({"keys": [public_jwk(KEY)]}))  # type: ignore[func-returns-value]
    for number in range(50):
        try:
            keys.key_set("https://idp.example.com", f"unknown-{number}")
        except KeysWantedError as wanted:
            wanted.fetch()
        now[0] += UNKNOWN_KEY_SECONDS / 50
    assert len(fetched) == 1


def test_cve_2026_48525_detached_payloads() -> None:
    """CVE-2026-48525 (GHSA-w7vc-732c-9m39): with ``b64: false`` an unused payload was decoded."""
    header = {"alg": "RS256", "kid": KEY.key_id, "b64": False, "crit": ["b64"]}
    claims, signature = sign(KEY, CLAIMS).split(".")[1:]
    assert refused(f"{part(header)}.{claims}.{signature}") == MALFORMED_MESSAGE


def test_cve_2026_48526_a_jwk_as_the_secret_of_an_hmac() -> None:
    """CVE-2026-48526 (GHSA-xgmm-8j9v-c9wx): the text of a JWK was taken as an HMAC secret."""
    assert refused(hmac_token(json.dumps(public_jwk(KEY)).encode())) == KEY_MESSAGE


def test_session_tokens_take_one_algorithm_alone() -> None:
    """The common part of the confusions above, for the tokens that Rolecall seals itself."""
    ring = KeyRing([SealingKey("k", b"a" * 32)])
    good = seal(ring.newest, "session", {"k": "v"})
    assert open_token(ring, "session", good)[1] == {"k": "v"}
    for algorithm in ("none", "HS512", "RS256"):
        header = part({"alg": algorithm, "kid": "k"})
        with pytest.raises(BadTokenError):
            open_token(ring, "session", ".".join([header, *good.split(".")[1:]]))
