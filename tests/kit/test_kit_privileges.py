"""Least privilege in a test: what a program's role did, and which grants it did not use."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from rolecall import Rolecall, SandboxEndedError


def test_the_policy_of_what_was_done_is_enough_for_it(rolecall: Rolecall) -> None:
    reader = rolecall.role("chime-reader")
    with rolecall.as_role("chime-reader") as session:
        session.client("chime").list_accounts()
    found = rolecall.least_privilege(reader)
    assert (found.principal, found.calls) == (reader, 1)
    assert found.unused is not None
    assert len(found.unused.actions["chime"]) == 115
    iam = rolecall.client("iam")
    iam.detach_role_policy(RoleName="chime-reader", PolicyArn="arn:aws:iam::aws:policy/AmazonChimeReadOnly")
    iam.put_role_policy(RoleName="chime-reader", PolicyName="smallest", PolicyDocument=json.dumps(found.policy))
    with rolecall.as_role("chime-reader") as session:
        session.client("chime").list_accounts()
        with rolecall.expect_denied("chime:CreateAccount"):
            session.client("chime").create_account(Name="x")
    now = rolecall.least_privilege(reader)
    assert now.policy == found.policy
    assert now.unused is not None
    assert now.unused.as_json() == {"actions": {}, "resources": {}, "policies": [], "reaches_further": False}
    with_refused = rolecall.least_privilege(reader, include_refused=True)
    assert with_refused.calls == 3
    assert with_refused.policy != now.policy


@pytest.mark.parametrize(
    ("since", "calls"),
    [
        (None, 1),
        ("", 1),
        (timedelta(hours=3), 1),
        (timedelta(hours=1), 0),
        ("3h", 1),
        ("1h", 0),
        ("2030-01-01", 1),
        (datetime.fromisoformat("2030-01-01T01:00:00Z"), 0),
        (1_893_456_000, 1),
        (1_893_456_001.5, 0),
    ],
)
def test_since_is_a_time_or_how_long_ago(rolecall: Rolecall, since: Any, calls: int) -> None:
    rolecall.clock.freeze("2030-01-01T00:00:00Z")
    rolecall.client("iam").list_users()
    rolecall.clock.advance(hours=2)
    assert rolecall.least_privilege(rolecall.user("admin"), since=since).calls == calls


def test_a_principal_without_policies_has_no_unused_ones(rolecall: Rolecall) -> None:
    nobody = rolecall.least_privilege("arn:aws:iam::111122223333:user/nobody")
    assert (nobody.policy, nobody.unused) == (None, None)
    assert nobody.notes[0].startswith("unused is None: there is no user or role")


@pytest.mark.parametrize(
    "arguments",
    [{"principal": "chime-reader"}, {"principal": "arn:aws:iam::111122223333:user/a", "since": "yesterday"}],
)
def test_invalid_principals_and_times(rolecall: Rolecall, arguments: Any) -> None:
    with pytest.raises(ValueError, match=r"principal must be the ARN|since must be a time"):
        rolecall.least_privilege(**arguments)


def test_after_its_end_a_sandbox_tells_nothing() -> None:
    sandbox = Rolecall()
    sandbox.close()
    with pytest.raises(SandboxEndedError):
        sandbox.least_privilege("arn:aws:iam::111122223333:user/admin")
