"""A session of a role that was made without STS is the same as one that STS makes."""

from __future__ import annotations

from typing import Any

from rolecall.delivery import role_session
from rolecall.ids import Identifiers
from rolecall.sessions.keys import KeyRing
from rolecall.storage import gather, keyring

ROLE = "arn:aws:iam::111122223333:role/chime-reader"


def keys_of(world: Any, role: str = ROLE, **contents: Any) -> tuple[str, str, str]:
    """Credentials of the role, as a metadata endpoint would make them."""
    with world.database.snapshot() as connection:
        keys = KeyRing.of_rows(keyring.load(connection))
        found = gather.trusted_role(connection, role)
    assert found is not None
    made = role_session(keys, Identifiers(), world.clock.now_seconds(), found.entity, "i-0abc", 3600, **contents)
    assert made.principal.arn == "arn:aws:sts::111122223333:assumed-role/chime-reader/i-0abc"
    credentials = made.credentials
    assert credentials.expires_at_seconds == int(world.clock.now_seconds()) + 3600
    return credentials.access_key_id, credentials.secret_access_key, credentials.session_token


def refusal(call: Any, **arguments: Any) -> str:
    try:
        call(**arguments)
    except Exception as error:
        return str(error.response["Error"]["Code"])  # type: ignore[attr-defined]
    return ""


def test_it_calls_as_the_role_and_has_the_rights_of_the_role(world: Any) -> None:
    world.clock.freeze()
    keys = keys_of(world)
    of_sts = world.assume("chime-reader", RoleSessionName="i-0abc")
    found, expected = (
        world.client("sts", keys=keys).get_caller_identity(),
        world.client("sts", credentials=of_sts).get_caller_identity(),
    )
    assert [found[name] for name in ("UserId", "Account", "Arn")] == [
        expected[name] for name in ("UserId", "Account", "Arn")
    ]
    assert found["Arn"] == "arn:aws:sts::111122223333:assumed-role/chime-reader/i-0abc"
    chime = world.client("chime", keys=keys)
    assert refusal(chime.list_accounts) == ""
    assert refusal(chime.create_account, Name="new") == "ForbiddenException"
    assert refusal(world.client("iam", keys=keys).list_users) == "AccessDenied"


def test_it_ends_on_time(world: Any) -> None:
    world.clock.freeze()
    sts = world.client("sts", keys=keys_of(world))
    world.clock.advance(3599)
    assert refusal(sts.get_caller_identity) == ""
    world.clock.advance(1)
    assert refusal(sts.get_caller_identity) == "ExpiredToken"


def test_its_session_policy_limits_it(world: Any) -> None:
    nothing = '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}'
    chime = world.client("chime", keys=keys_of(world, policies=(nothing,)))
    assert refusal(chime.list_accounts) == "ForbiddenException"
