"""Sealed tokens: each way of tampering has a test with its name."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from secrets import token_hex

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.sessions.pages import open_page, seal_page
from rolecall.sessions.tokens import (
    MAXIMUM_TOKEN_CHARACTERS,
    SESSION_PURPOSE,
    BadTokenError,
    open_token,
    seal,
)

OLD = SealingKey("old", b"o" * 32)
NEW = SealingKey("new", b"n" * 32)
RING = KeyRing([OLD, NEW])
CLAIMS = {"k": "ASIA", "n": 1, "exp": 5}


def _parts(token: str) -> list[dict[str, object]]:
    return [json.loads(urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


def _joined(header: dict[str, object], payload: dict[str, object], signature: str) -> str:
    encoded = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload)]
    return ".".join([*encoded, signature])


def test_what_was_sealed_opens() -> None:
    key, claims = open_token(RING, SESSION_PURPOSE, seal(NEW, SESSION_PURPOSE, CLAIMS))
    assert (key, claims) == (NEW, CLAIMS)


def test_every_key_of_the_ring_opens() -> None:
    assert open_token(RING, SESSION_PURPOSE, seal(OLD, SESSION_PURPOSE, CLAIMS))[1] == CLAIMS


def test_large_claims_are_packed_and_open_again() -> None:
    claims = {"pol": ["x" * 20_000]}
    token = seal(NEW, SESSION_PURPOSE, claims)
    assert len(token) < 1000
    assert open_token(RING, SESSION_PURPOSE, token)[1] == claims


def test_claims_that_are_not_to_be_packed_are_not() -> None:
    claims = {"pol": ["x" * 2_000]}
    token = seal(NEW, SESSION_PURPOSE, claims, compressed=False)
    assert len(token) == len(seal(NEW, SESSION_PURPOSE, {"pol": [token_hex(1_000)]}, compressed=False)) > 2_667
    assert open_token(RING, SESSION_PURPOSE, token)[1] == claims


def test_the_token_is_an_ordinary_jwt() -> None:
    token = seal(NEW, SESSION_PURPOSE, CLAIMS)
    options = {"verify_exp": False}
    assert jwt.decode(token, NEW.token_key, algorithms=["HS256"], audience=SESSION_PURPOSE, options=options)["k"]


def test_a_key_that_is_not_in_the_ring_does_not_open() -> None:
    with pytest.raises(BadTokenError, match="key ring"):
        open_token(KeyRing([OLD]), SESSION_PURPOSE, seal(NEW, SESSION_PURPOSE, CLAIMS))


def test_a_key_of_the_same_id_but_other_secret_does_not_open() -> None:
    with pytest.raises(BadTokenError):
        open_token(KeyRing([SealingKey("new", b"z" * 32)]), SESSION_PURPOSE, seal(NEW, SESSION_PURPOSE, CLAIMS))


def test_a_token_of_another_purpose_does_not_open() -> None:
    with pytest.raises(BadTokenError):
        open_token(RING, SESSION_PURPOSE, seal(NEW, "console", CLAIMS))


def test_changed_claims_do_not_open() -> None:
    token = seal(NEW, SESSION_PURPOSE, CLAIMS)
    header, payload = _parts(token)
    with pytest.raises(BadTokenError):
        open_token(RING, SESSION_PURPOSE, _joined(header, {**payload, "exp": 99}, token.split(".")[2]))


@pytest.mark.parametrize("written", ["{}!", "{}=", "{}\n", " {}", "{}AA", "!{}"])
def test_the_same_signature_with_characters_that_mean_nothing_does_not_open(written: str) -> None:
    token, _, signature = seal(NEW, SESSION_PURPOSE, CLAIMS).rpartition(".")
    assert open_token(RING, SESSION_PURPOSE, f"{token}.{signature}")
    with pytest.raises(BadTokenError):
        open_token(RING, SESSION_PURPOSE, f"{token}.{written.format(signature)}")


def test_the_same_signature_with_other_unused_bits_does_not_open() -> None:
    token = seal(NEW, SESSION_PURPOSE, CLAIMS)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for bits in (1, 2, 3):
        other = token[:-1] + alphabet[alphabet.index(token[-1]) | bits]
        assert jwt.utils.base64url_decode(other.split(".")[2]) == jwt.utils.base64url_decode(token.split(".")[2])
        with pytest.raises(BadTokenError):
            open_token(RING, SESSION_PURPOSE, other)


@pytest.mark.parametrize("algorithm", ["none", "HS384", "RS256", "hs256", ""])
def test_another_algorithm_in_the_header_does_not_open(algorithm: str) -> None:
    token = seal(NEW, SESSION_PURPOSE, CLAIMS)
    header, payload = _parts(token)
    for signature in (token.split(".")[2], ""):
        with pytest.raises(BadTokenError):
            open_token(RING, SESSION_PURPOSE, _joined({**header, "alg": algorithm}, payload, signature))


def test_a_key_id_of_another_type_does_not_open() -> None:
    token = seal(NEW, SESSION_PURPOSE, CLAIMS)
    header, payload = _parts(token)
    for key_id in (["new"], {"a": 1}, 7, None):
        with pytest.raises(BadTokenError):
            open_token(RING, SESSION_PURPOSE, _joined({**header, "kid": key_id}, payload, token.split(".")[2]))


def test_a_token_without_audience_does_not_open() -> None:
    bare = jwt.encode({"k": "ASIA"}, NEW.token_key, algorithm="HS256", headers={"kid": "new"})
    with pytest.raises(BadTokenError):
        open_token(RING, SESSION_PURPOSE, bare)


def test_claims_that_unpack_to_too_much_do_not_open() -> None:
    with pytest.raises(BadTokenError, match="too large"):
        open_token(RING, SESSION_PURPOSE, seal(NEW, SESSION_PURPOSE, {"a": "x" * 1_000_000}))


@pytest.mark.parametrize("packed", ["!", "aGVsbG8=", ""])
def test_damaged_packing_does_not_open(packed: str) -> None:
    with pytest.raises(BadTokenError):
        open_token(RING, SESSION_PURPOSE, seal(NEW, SESSION_PURPOSE, {"z": packed}))


def test_a_token_longer_than_any_does_not_open() -> None:
    with pytest.raises(BadTokenError, match="longer"):
        open_token(RING, SESSION_PURPOSE, "a" * (MAXIMUM_TOKEN_CHARACTERS + 1))


@given(st.text(max_size=200))
def test_text_that_was_never_sealed_does_not_open(text: str) -> None:
    with pytest.raises(BadTokenError):
        open_token(RING, SESSION_PURPOSE, text)


@given(st.data())
def test_a_token_with_any_character_changed_does_not_open(data: st.DataObject) -> None:
    token = seal(NEW, SESSION_PURPOSE, CLAIMS)
    # The last character of a part may hold bits that belong to no byte. All others count.
    places = [i for i in range(len(token) - 1) if token[i] != "." and token[i + 1] != "."]
    place = data.draw(st.sampled_from(places))
    other = data.draw(st.characters(codec="ascii").filter(lambda character: character != token[place]))
    with pytest.raises(BadTokenError):
        open_token(RING, SESSION_PURPOSE, token[:place] + other + token[place + 1 :])


def test_a_page_opens_for_its_own_list_only() -> None:
    token = seal_page(RING, ("111122223333", "ListUsers", "filter"), "position")
    assert open_page(RING, ("111122223333", "ListUsers", "filter"), token) == "position"
    for scope in (("444455556666", "ListUsers", "filter"), ("111122223333", "ListRoles", "filter"), ("111122223333",)):
        with pytest.raises(BadTokenError):
            open_page(RING, scope, token)


def test_a_session_is_no_page_and_a_page_is_no_session() -> None:
    with pytest.raises(BadTokenError):
        open_page(RING, ("a",), seal(NEW, SESSION_PURPOSE, {"s": '["a"]', "n": "1"}))
    with pytest.raises(BadTokenError):
        open_token(RING, SESSION_PURPOSE, seal_page(RING, ("a",), "1"))


def test_the_parts_of_a_scope_cannot_be_moved_against_the_position() -> None:
    with pytest.raises(BadTokenError):
        open_page(RING, ("a",), seal_page(RING, ("a", "b"), "c").replace("Yw", "Yg"))


@pytest.mark.parametrize("part", range(3))
def test_a_page_token_written_in_another_way_does_not_open(part: int) -> None:
    ring = KeyRing([SealingKey("seal", b"s" * 32)])
    parts = seal_page(ring, ("a",), "c").split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    unused_bits = alphabet[alphabet.index(parts[part][-1]) | 1]
    for other in (parts[part][:-1] + unused_bits, f"{parts[part]}!", f"{parts[part]}=", f"\n{parts[part]}"):
        with pytest.raises(BadTokenError):
            open_page(ring, ("a",), ".".join([*parts[:part], other, *parts[part + 1 :]]))


def test_a_page_token_fits_a_marker_of_iam() -> None:
    assert len(seal_page(RING, ("111122223333", "ListPolicies", "/" + "p" * 510 + "/"), "n" * 128)) <= 320


@given(st.text(max_size=100))
def test_text_that_was_never_a_page_does_not_open(text: str) -> None:
    with pytest.raises(BadTokenError):
        open_page(RING, ("a",), text)
