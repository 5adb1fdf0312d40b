"""What the application may do with each role, and its message when it may not."""

from __future__ import annotations

import json

import pytest
from roster import NotAllowedError, Roster, role_session

pytestmark = pytest.mark.rolecall(config="sandbox.yaml")


def roster(rolecall, role: str, **session: str) -> Roster:
    return Roster(role_session(rolecall.role(role), "tests", **session), "Production")


def test_a_reader_sees_everybody(rolecall):
    assert roster(rolecall, "roster-reader").emails() == ["ana@example.com", "li@example.com", "sam@example.com"]


def test_a_manager_invites(rolecall):
    manager = roster(rolecall, "roster-manager")
    assert manager.invite("kim@example.com")
    assert "kim@example.com" in manager.emails()


def test_a_reader_is_told_that_inviting_is_not_allowed(rolecall):
    with (
        rolecall.expect_denied("chime:InviteUsers", by="identity-based policy"),
        pytest.raises(NotAllowedError, match="you may not invite users"),
    ):
        roster(rolecall, "roster-reader").invite("kim@example.com")
    assert "kim@example.com" not in roster(rolecall, "roster-reader").emails()


def test_a_session_policy_cuts_what_the_role_may_do(rolecall):
    statement = {"Effect": "Allow", "Action": ["chime:ListAccounts", "chime:ListUsers"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    limited = roster(rolecall, "roster-manager", policy=policy)
    assert len(limited.emails()) == 3
    with rolecall.expect_denied("chime:InviteUsers", by="session policy"), pytest.raises(NotAllowedError):
        limited.invite("kim@example.com")


def test_the_boundary_keeps_managers_from_deleting(rolecall):
    rolecall.assert_allowed("chime:InviteUsers", role="roster-manager")
    rolecall.assert_denied("chime:DeleteAccount", role="roster-manager", by="permissions boundary")
    rolecall.assert_denied("chime:BatchSuspendUser", role="roster-manager", by="permissions boundary")


def test_the_application_s_own_user_may_do_nothing_but_assume_its_roles(rolecall):
    rolecall.assert_allowed("sts:AssumeRole", user="roster-app", resource=rolecall.role("roster-reader"))
    rolecall.assert_denied("chime:ListUsers", user="roster-app")


def test_an_account_that_is_not_there(rolecall):
    with pytest.raises(LookupError, match="Nowhere"):
        Roster(role_session(rolecall.role("roster-reader"), "tests"), "Nowhere").emails()
