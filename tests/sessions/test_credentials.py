"""Temporary credentials: they open with their own parts only, and hold what was put in."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from rolecall.ids import Identifiers, account_of_access_key
from rolecall.principals import Principal
from rolecall.sessions.credentials import SessionRequest, issue, open_session
from rolecall.sessions.keys import KeyRing, SealingKey
from rolecall.sessions.tokens import SESSION_PURPOSE, BadTokenError, seal

RING = KeyRing([SealingKey("one", b"1" * 32)])
ROLE = Principal(
    "AssumedRole",
    "111122223333",
    "arn:aws:sts::111122223333:assumed-role/reader/me",
    "arn:aws:iam::111122223333:role/path/reader",
    "AROAEXAMPLE:me",
    "AROAEXAMPLE",
    "reader",
)
REQUEST = SessionRequest(
    type="AssumeRole",
    principal=ROLE,
    duration_seconds=900,
    session_name="me",
    policies=('{"Version": "2012-10-17"}',),
    policy_arns=("arn:aws:iam::aws:policy/ReadOnlyAccess",),
    tags=(("Team", "core"),),
    transitive_tag_keys=("Team",),
    source_identity="ana",
    mfa_authenticated_at_seconds=12,
    federated_provider="provider",
    everywhere=False,
)


def test_a_session_holds_everything_that_was_asked_for() -> None:
    issued = issue(RING, Identifiers(), 1000.9, REQUEST)
    opened = open_session(RING, issued.access_key_id, issued.session_token)
    assert opened.principal == ROLE
    assert opened.secret_access_key == issued.secret_access_key
    session = opened.session
    assert (session.issued_at_seconds, session.expires_at_seconds) == (1000, 1900)
    assert issued.expires_at_seconds == 1900
    for name in SessionRequest.__struct_fields__:
        if name not in ("principal", "duration_seconds", "minimum_token_bytes", "began_at_seconds"):
            assert getattr(session, name) == getattr(REQUEST, name), name


def test_further_credentials_of_a_session_keep_its_time_of_issue() -> None:
    issued = issue(RING, Identifiers(), 1300, replace(REQUEST, began_at_seconds=1000))
    session = open_session(RING, issued.access_key_id, issued.session_token).session
    assert (session.issued_at_seconds, session.expires_at_seconds) == (1000, 2200)


def test_forms_of_the_credentials() -> None:
    issued = issue(RING, Identifiers(), 1000, REQUEST)
    assert issued.access_key_id.startswith("ASIA")
    assert len(issued.access_key_id) == 20
    assert account_of_access_key(issued.access_key_id) == "111122223333"
    assert len(issued.secret_access_key) == 40


def test_a_token_does_not_open_with_another_key_id() -> None:
    first, second = (issue(RING, Identifiers(), 1000, REQUEST) for _ in range(2))
    with pytest.raises(BadTokenError, match="another access key"):
        open_session(RING, first.access_key_id, second.session_token)


def test_no_two_sessions_share_anything_secret() -> None:
    issued = [issue(RING, Identifiers(), 1000, REQUEST) for _ in range(200)]
    assert len({one.access_key_id for one in issued}) == 200
    assert len({one.secret_access_key for one in issued}) == 200


def test_the_token_does_not_hold_the_secret() -> None:
    issued = issue(RING, Identifiers(), 1000, REQUEST)
    assert issued.secret_access_key not in issued.session_token


def test_another_key_ring_gives_other_secrets_for_the_same_key_id() -> None:
    one, other = SealingKey("one", b"1" * 32), SealingKey("one", b"2" * 32)
    assert one.secret_access_key("ASIAX") != other.secret_access_key("ASIAX")


@pytest.mark.parametrize("missing", ["t", "iat", "exp", "p"])
def test_a_sealed_token_without_a_claim_it_needs_is_bad(missing: str) -> None:
    claims = {"k": "ASIAX", "t": "AssumeRole", "iat": 1, "exp": 2, "p": ["AssumedRole", "1", "2", "3", "4", "5", "6"]}
    open_session(RING, "ASIAX", seal(RING.newest, SESSION_PURPOSE, claims))
    del claims[missing]
    with pytest.raises(BadTokenError, match="incompatible"):
        open_session(RING, "ASIAX", seal(RING.newest, SESSION_PURPOSE, claims))


def test_neither_keys_nor_secrets_show_in_a_repr() -> None:
    assert "1" * 32 not in repr(RING.newest)
    assert "b'1" not in repr(RING.newest)
