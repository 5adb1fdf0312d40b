"""Web identity tokens alone: hostile texts, hostile key sets, and the cache of a set."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.api_jws import PyJWS

from rolecall.errors import AwsError
from rolecall.sessions import web_identity
from rolecall.sessions.algorithms import ALGORITHMS
from rolecall.sessions.signing_keys import SigningKey, new_signing_key, public_jwk, sign
from rolecall.sessions.web_identity import (
    BadKeySetError,
    KeySet,
    audience_of,
    check_times,
    read_key_set,
    read_token,
    subject_of,
)

KEY_MESSAGE = (
    "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity "
    "documentation for requirements"
)
MALFORMED_MESSAGE = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"

CLAIMS = {"iss": "https://idp.example.com", "sub": "ana", "aud": "app", "iat": 1_000, "exp": 2_000}
RSA_KEY, EC_KEY = new_signing_key("RS256"), new_signing_key("ES256")
# Signatures take long on a busy machine, whatever the examples are.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
RSA_TOKEN, EC_TOKEN = sign(RSA_KEY, CLAIMS), sign(EC_KEY, CLAIMS)


def set_of(*keys: SigningKey | dict[str, Any]) -> KeySet:
    members = [public_jwk(key) if isinstance(key, SigningKey) else key for key in keys]
    return read_key_set(json.dumps({"keys": members}))


KEYS = set_of(RSA_KEY, EC_KEY)


def accepted(text: str, keys: KeySet = KEYS) -> bool:
    """Whether a token passes every check. An error other than AWS's refusals fails the test."""
    try:
        token = read_token(text)
        audience_of(token, ("app",))
        subject_of(token)
        check_times(token, 1_500)
        keys.verify(token)
    except AwsError as error:
        if error.code not in ("InvalidIdentityToken", "ExpiredTokenException"):
            raise
        return False
    return True


def part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def with_header(text: str, **header: Any) -> str:
    """The token with another header and the same signature."""
    _, claims, signature = text.split(".")
    return ".".join([part({"alg": "RS256", "kid": RSA_KEY.key_id, **header}), claims, signature])


def resigned(key: SigningKey = RSA_KEY, algorithm: str | None = None, **header: Any) -> str:
    headers = {"kid": key.key_id, **header}
    payload = json.dumps(CLAIMS).encode()
    return PyJWS().encode(payload, key.private_key, algorithm or key.algorithm, headers)


def refused(text: str, keys: KeySet = KEYS) -> str:
    with pytest.raises(AwsError) as caught:
        keys.verify(read_token(text))
    assert caught.value.code == "InvalidIdentityToken"
    return caught.value.message


def test_good_tokens_are_accepted() -> None:
    assert accepted(RSA_TOKEN)
    assert accepted(EC_TOKEN)


# Algorithms.


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "", "HS256", "HS384", "HS512", "PS256", "EdDSA", "ES256K"]
)
def test_other_algorithms_are_refused_whatever_signed_it(algorithm: str) -> None:
    for text in (with_header(RSA_TOKEN, alg=algorithm), with_header(RSA_TOKEN, alg=[algorithm])):
        assert refused(text) == KEY_MESSAGE
    unsigned = with_header(RSA_TOKEN, alg=algorithm).rpartition(".")[0] + "."
    assert refused(unsigned) == MALFORMED_MESSAGE


def test_a_public_key_is_no_secret_of_a_symmetric_algorithm() -> None:
    """Algorithm confusion: the attacker knows the public key in all its forms and signs HS256 with it."""
    public = RSA_KEY.private_key.public_key()
    from_jwk = json.dumps(public_jwk(RSA_KEY)).encode()
    for secret in (from_jwk, str(public.public_numbers().n).encode(), b""):  # type: ignore[union-attr]
        header, claims = part({"alg": "HS256", "kid": RSA_KEY.key_id}), part(CLAIMS)
        signature = PyJWS().get_algorithm_by_name("HS256").sign(f"{header}.{claims}".encode(), secret)
        assert refused(f"{header}.{claims}.{part(signature)}") == KEY_MESSAGE


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA_KEY, "RS384"), (RSA_KEY, "RS512"), (EC_KEY, "ES384"), (EC_KEY, "RS256"), (RSA_KEY, "ES256")],
)
def test_an_algorithm_that_is_not_the_keys_is_refused(key: SigningKey, algorithm: str) -> None:
    text = with_header(sign(key, CLAIMS), alg=algorithm, kid=key.key_id)
    assert refused(text) == KEY_MESSAGE
    if key is RSA_KEY and algorithm.startswith("RS"):
        assert refused(resigned(algorithm=algorithm)) == KEY_MESSAGE


def test_a_key_without_an_algorithm_serves_all_of_its_kind() -> None:
    bare = {name: value for name, value in public_jwk(RSA_KEY).items() if name not in ("alg", "use")}
    for algorithm in ("RS256", "RS384", "RS512"):
        assert accepted(resigned(algorithm=algorithm), set_of(bare))


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": public_jwk(EC_KEY)},
        {"jku": "https://attacker.example.com/jwks.json"},
        {"x5u": "https://attacker.example.com/cert.pem"},
        {"x5c": ["AAAA"]},
        {"typ": "at+jwt"},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ],
)
def test_nothing_else_in_the_header_changes_anything(header: dict[str, Any]) -> None:
    assert accepted(resigned(**header))
    stranger = new_signing_key("ES256")
    embedded = resigned(stranger, jwk=public_jwk(stranger), kid=RSA_KEY.key_id)
    assert refused(embedded) == KEY_MESSAGE


@pytest.mark.parametrize(
    "header", [{"crit": ["exp"], "exp": 1}, {"crit": []}, {"b64": False, "crit": ["b64"]}, {"b64": True}]
)
def test_extensions_that_must_be_understood_are_not(header: dict[str, Any]) -> None:
    assert refused(with_header(RSA_TOKEN, **header)) == MALFORMED_MESSAGE


@pytest.mark.parametrize("key_id", [None, 1, ["a"], {}, "", "other", EC_KEY.key_id], ids=range(7))
def test_key_ids_that_are_missing_or_of_another_key(key_id: Any) -> None:
    refused(with_header(RSA_TOKEN, kid=key_id))


def test_a_key_with_an_empty_id_is_that_of_tokens_without_one() -> None:
    keys = set_of({**public_jwk(RSA_KEY), "kid": ""}, EC_KEY)
    for header in ({}, {"kid": ""}):
        text = PyJWS().encode(json.dumps(CLAIMS).encode(), RSA_KEY.private_key, "RS256", header)
        assert accepted(text, keys)
        assert refused(text) == KEY_MESSAGE
        # By the standard a single key needs no id, but AWS looks for it.
        without = {name: value for name, value in public_jwk(RSA_KEY).items() if name != "kid"}
        assert refused(text, set_of(without, EC_KEY)) == KEY_MESSAGE
    assert refused(RSA_TOKEN, keys) == KEY_MESSAGE


@pytest.mark.parametrize("key_id", [None, 1, ["a"], {}, True], ids=range(5))
def test_a_key_id_that_is_not_text_is_not_an_empty_one(key_id: Any) -> None:
    keys = set_of({**public_jwk(RSA_KEY), "kid": ""})
    assert not accepted(signed_parts(part({"alg": "RS256", "kid": key_id}), part(CLAIMS)), keys)


def signed_parts(header: str, payload: str) -> str:
    """A token of any parts, with RSA_KEY's signature."""
    signature = RSA_KEY.private_key.sign(f"{header}.{payload}".encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{header}.{payload}.{part(signature)}"


# Repeated names.

HEADER_TEXT = json.dumps({"alg": "RS256", "kid": RSA_KEY.key_id})
CLAIMS_TEXT = json.dumps(CLAIMS)


def test_parts_without_doubled_names_pass() -> None:
    assert accepted(signed_parts(part(HEADER_TEXT.encode()), part(CLAIMS_TEXT.encode())))


@pytest.mark.parametrize(
    "payload",
    [
        CLAIMS_TEXT.replace("{", '{"sub": "evil", ', 1),
        CLAIMS_TEXT[:-1] + ', "aud": "app"}',
        CLAIMS_TEXT[:-1] + ', "s\\u0075b": "evil"}',
        CLAIMS_TEXT[:-1] + ', "nested": [{"a": 1, "a": 1}]}',
    ],
    ids=range(4),
)
def test_claims_that_stand_twice_are_refused(payload: str) -> None:
    assert refused(signed_parts(part(HEADER_TEXT.encode()), part(payload.encode()))) == MALFORMED_MESSAGE


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "[1e400]"])
def test_numbers_that_are_none_are_refused(number: str) -> None:
    """JSON has no such constants (RFC 8259, 6). Python reads them, and a claim must not become the text ``inf``."""
    payload = CLAIMS_TEXT[:-1] + f', "level": {number}}}'
    assert refused(signed_parts(part(HEADER_TEXT.encode()), part(payload.encode()))) == MALFORMED_MESSAGE


def test_header_parameters_that_stand_twice_are_refused() -> None:
    for header in (HEADER_TEXT.replace("{", '{"alg": "none", ', 1), HEADER_TEXT[:-1] + ', "kid": "other"}'):
        assert refused(signed_parts(part(header.encode()), part(CLAIMS))) == MALFORMED_MESSAGE


# Texts.


@PATIENT
@given(st.data())
def test_a_token_that_was_touched_anywhere_is_never_accepted(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([RSA_TOKEN, EC_TOKEN]))
    place = data.draw(st.integers(0, len(text) - 1))
    sign_ = data.draw(st.sampled_from("ABCabc019-_.=+/ \n\u00e4"))
    kind = data.draw(st.sampled_from(["replace", "insert", "remove", "cut", "double"]))
    touched = {
        "replace": text[:place] + sign_ + text[place + 1 :],
        "insert": text[:place] + sign_ + text[place:],
        "remove": text[:place] + text[place + 1 :],
        "cut": text[:place],
        "double": text[:place] + text,
    }[kind]
    assert touched == text or not accepted(touched)


@PATIENT
@given(st.text(max_size=200))
def test_any_text_is_refused_in_aws_words(text: str) -> None:
    assert not accepted(text)


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@PATIENT
@given(
    st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk"]), _json | st.sampled_from(ALGORITHMS)),
    st.dictionaries(st.sampled_from(["iss", "sub", "aud", "azp", "exp", "iat", "nbf"]), _json),
    st.binary(max_size=80),
)
def test_any_header_and_claims_are_refused_in_aws_words(
    header: dict[str, Any], claims: dict[str, Any], signature: bytes
) -> None:
    assert not accepted(".".join([part(header), part(claims), part(signature)]))


@PATIENT
@given(_json)
def test_signed_nonsense_is_judged_without_failing(value: Any) -> None:
    for name in CLAIMS:
        payload = json.dumps({**CLAIMS, name: value}).encode()
        accepted(PyJWS().encode(payload, RSA_KEY.private_key, "RS256", {"kid": RSA_KEY.key_id}))


@pytest.mark.parametrize("payload", [b"", b"[]", b"1", b"null", b"{", b"\xff", b'{"iss":"a"', b"[" * 15_000, b'"x"'])
def test_signed_payloads_that_are_not_claims(payload: bytes) -> None:
    text = PyJWS().encode(payload, RSA_KEY.private_key, "RS256", {"kid": RSA_KEY.key_id})
    assert refused(text) == MALFORMED_MESSAGE


def test_a_signature_written_in_another_way_is_refused() -> None:
    """The last character of base64 has unused bits, so there are three other spellings of a signature."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = alphabet.index(EC_TOKEN[-1])
    ways = {EC_TOKEN[:-1] + alphabet[place & ~15 | bits] for bits in range(16)} - {EC_TOKEN}
    assert ways
    assert not any(accepted(way) for way in ways)


# Key sets.


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"keys": {}}',
        '{"keys": []}',
        '{"keys": [1, null, []]}',
        "[" * 20_000,
        json.dumps({"keys": [{**public_jwk(RSA_KEY), "kid": 7}]}),
        json.dumps({"keys": [{**public_jwk(RSA_KEY), "use": "enc"}]}),
        json.dumps({"keys": [{**public_jwk(RSA_KEY), "alg": "HS256"}]}),
        json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "a", "alg": "HS256"}]}),
        json.dumps({"keys": [{**public_jwk(RSA_KEY), "kty": "EC"}]}),
        json.dumps({"keys": [{**public_jwk(EC_KEY), "crv": "secp256k1"}]}),
        json.dumps({"keys": [{**public_jwk(EC_KEY), "x": public_jwk(EC_KEY)["y"]}]}),
        json.dumps({"keys": [{**public_jwk(RSA_KEY), "e": "AA"}]}),
        json.dumps({"keys": [{**public_jwk(RSA_KEY), "n": 5}]}),
        json.dumps({"keys": [public_jwk(RSA_KEY)] * 201}),
    ],
    ids=range(18),
)
def test_unusable_key_sets(text: str) -> None:
    with pytest.raises(BadKeySetError):
        read_key_set(text)


def test_weak_and_huge_keys_are_passed_over() -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505
    member = {**RSAAlgorithm.to_jwk(weak.public_key(), as_dict=True), "kid": "weak"}
    huge = {"kty": "RSA", "kid": "huge", "e": "AQAB", "n": part(b"\xff" * 4096)}
    keys = set_of(RSA_KEY, member, huge)
    assert "weak" not in keys
    assert "huge" not in keys
    assert RSA_KEY.key_id in keys


def test_two_keys_of_one_id_are_both_tried() -> None:
    other = new_signing_key("RS256")
    keys = set_of({**public_jwk(other), "kid": RSA_KEY.key_id}, RSA_KEY)
    assert accepted(RSA_TOKEN, keys)
    assert accepted(resigned(other, kid=RSA_KEY.key_id), keys)


def test_a_set_that_shows_private_keys_verifies_with_the_public_half() -> None:
    private: Any = RSA_KEY.private_key
    member = {**RSAAlgorithm.to_jwk(private, as_dict=True), "kid": RSA_KEY.key_id}
    assert "d" in member
    assert accepted(RSA_TOKEN, set_of(member))


def test_the_curve_decides_the_algorithm() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    member = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "k"}
    text = PyJWS().encode(json.dumps(CLAIMS).encode(), key, "ES384", {"kid": "k"})
    assert accepted(text, set_of(member))
    assert not accepted(text, set_of({**member, "alg": "ES256"}, RSA_KEY))


# The cache of a set.


def test_a_signature_is_verified_once_and_claims_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    keys, verified = set_of(RSA_KEY), []
    real = web_identity._signed_with
    monkeypatch.setattr(web_identity, "_signed_with", lambda *arguments: verified.append(1) or real(*arguments))
    for _ in range(3):
        assert accepted(RSA_TOKEN, keys)
    assert len(verified) == 1
    token = read_token(RSA_TOKEN)
    with pytest.raises(AwsError, match="ExpiredTokenException"):
        check_times(token, 2_300)
    set_of(RSA_KEY).verify(token)
    assert len(verified) == 2


def test_what_was_refused_is_not_remembered_as_good() -> None:
    keys = set_of(RSA_KEY)
    for _ in range(2):
        assert not accepted(resigned(new_signing_key("RS256"), kid=RSA_KEY.key_id), keys)
