"""Passwords: of users and of the root user in its task, and the effect of the account's policy."""

from __future__ import annotations

from typing import Any

import pytest
from iam_calls import ACCOUNT, WORLD, fails, identity, put_rights, refusal
from sqlalchemy import select

from rolecall.storage.tables import login_profiles, old_passwords

GOOD = "Correct-Horse-7"
TOO_SHORT = "Password should have a minimum length of {length}"


@pytest.fixture
def world(make_world: Any) -> Any:
    made = make_world(WORLD)
    made.clock.freeze()
    return made


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def password(iam: Any, user: str = "bob", text: str = GOOD, **more: Any) -> Any:
    return iam.create_login_profile(UserName=user, Password=text, **more)["LoginProfile"]


def stored(world: Any) -> str:
    with world.database.snapshot() as connection:
        return repr([*connection.execute(select(login_profiles)), *connection.execute(select(old_passwords))])


def test_a_password_is_made_and_deleted_and_never_shown(world: Any, iam: Any) -> None:
    now = int(world.clock.now_seconds())
    made = password(iam, "BOB", PasswordResetRequired=True)
    assert (made["UserName"], made["PasswordResetRequired"]) == ("bob", True)
    assert made["CreateDate"].timestamp() == now
    world.clock.advance(60)
    assert iam.get_login_profile(UserName="bob")["LoginProfile"] == made
    assert GOOD not in stored(world)
    iam.delete_login_profile(UserName="bob")
    gone = ("NoSuchEntity", "Login Profile for User bob cannot be found.", 404)
    assert refusal(iam.get_login_profile, UserName="bob") == gone
    assert refusal(iam.delete_login_profile, UserName="bob") == gone
    assert refusal(iam.update_login_profile, UserName="bob", PasswordResetRequired=True) == gone


@pytest.mark.usefixtures("real_password_hashing")
def test_a_kept_password_takes_a_while_to_try(world: Any, iam: Any) -> None:
    password(iam)
    assert "scrypt:8192:8:1$" in stored(world)


def test_there_is_one_password_for_users_that_exist(iam: Any) -> None:
    password(iam)
    again = refusal(iam.create_login_profile, UserName="bob", Password=GOOD)
    assert again == ("EntityAlreadyExists", "Login Profile for user bob already exists.", 409)
    for call in (iam.create_login_profile, iam.update_login_profile):
        nobody = refusal(call, UserName="nobody", Password=GOOD)
        assert nobody == ("NoSuchEntity", "The user with name nobody cannot be found.", 404)
    assert refusal(iam.get_login_profile, UserName="nobody")[0] == "NoSuchEntity"


def test_a_user_with_a_password_is_not_deleted(iam: Any) -> None:
    iam.create_user(UserName="kim")
    password(iam, "kim")
    message = "Cannot delete entity, must delete login profile first."
    assert refusal(iam.delete_user, UserName="kim") == ("DeleteConflict", message, 409)
    iam.delete_login_profile(UserName="kim")
    iam.delete_user(UserName="kim")


def test_the_sensitive_member_is_not_in_the_log(world: Any, iam: Any) -> None:
    password(iam)
    refusal(world.client("iam", user="bob").create_login_profile, UserName="ana", Password="Another-Horse-8")
    assert world.outcomes
    assert not any(text in repr(world.outcomes) for text in (GOOD, "Another-Horse-8"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Aa1!567", TOO_SHORT.format(length=8)),
        (
            "abcdefg1",
            "Password should meet 1 more of the following requirements: Password should have at least one uppercase "
            "letter, Password should have at least one symbol",
        ),
        (
            "ABCDE",
            f"{TOO_SHORT.format(length=8)}, Password should meet 2 more of the following requirements: Password should "
            "have at least one lowercase letter, Password should have at least one number, Password should have at "
            "least one symbol",
        ),
    ],
)
def test_the_default_policy(iam: Any, text: str, message: str) -> None:
    told = refusal(iam.create_login_profile, UserName="bob", Password=text)
    assert told == ("PasswordPolicyViolation", message, 400)
    for good in ("lower-UPPER-1", "lower1234UPPER", "lower-1234", "UPPER-1234"):
        password(iam, text=good)
        iam.delete_login_profile(UserName="bob")


@pytest.mark.parametrize(
    ("policy", "bad", "message", "good"),
    [
        ({}, "12345", TOO_SHORT.format(length=6), "123456"),
        ({"MinimumPasswordLength": 20}, "a" * 19, TOO_SHORT.format(length=20), "a" * 20),
        ({"RequireSymbols": True}, "abc123 \xa7~", "Password should have at least one symbol", "abc123]"),
        ({"RequireNumbers": True}, "abcdef\xb2", "Password should have at least one number", "abcde0"),
        (
            {"RequireUppercaseCharacters": True},
            "abcd\xc4f",
            "Password should have at least one uppercase letter",
            "abcdeF",
        ),
        (
            {"RequireLowercaseCharacters": True},
            "ABCD\xe4F",
            "Password should have at least one lowercase letter",
            "ABCDEf",
        ),
    ],
)
def test_the_accounts_own_policy(iam: Any, policy: dict[str, Any], bad: str, message: str, good: str) -> None:
    iam.update_account_password_policy(**policy)
    refused = ("PasswordPolicyViolation", message, 400)
    assert refusal(iam.create_login_profile, UserName="bob", Password=bad) == refused
    password(iam, text=good)
    assert refusal(iam.update_login_profile, UserName="bob", Password=bad) == refused
    iam.delete_account_password_policy()
    assert refusal(iam.update_login_profile, UserName="bob", Password=bad)[0] == "PasswordPolicyViolation"


def test_the_policy_is_replaced_as_a_whole(world: Any, iam: Any) -> None:
    missing = ("NoSuchEntity", f"The Password Policy with domain name {ACCOUNT} cannot be found.", 404)
    nothing = ("NoSuchEntity", "The account policy with name PasswordPolicy cannot be found.", 404)
    assert refusal(iam.get_account_password_policy) == missing
    assert refusal(iam.delete_account_password_policy) == nothing
    iam.update_account_password_policy(
        MinimumPasswordLength=14,
        RequireSymbols=True,
        RequireNumbers=True,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
        AllowUsersToChangePassword=True,
        MaxPasswordAge=90,
        PasswordReusePrevention=24,
        HardExpiry=False,
    )
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 14,
        "RequireSymbols": True,
        "RequireNumbers": True,
        "RequireUppercaseCharacters": True,
        "RequireLowercaseCharacters": True,
        "AllowUsersToChangePassword": True,
        "ExpirePasswords": True,
        "MaxPasswordAge": 90,
        "PasswordReusePrevention": 24,
        "HardExpiry": False,
    }
    iam.update_account_password_policy()
    assert iam.get_account_password_policy()["PasswordPolicy"] == {
        "MinimumPasswordLength": 6,
        "RequireSymbols": False,
        "RequireNumbers": False,
        "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False,
        "AllowUsersToChangePassword": False,
        "ExpirePasswords": False,
    }
    other = world.client("iam", user="kim")
    assert refusal(other.get_account_password_policy)[0] == "NoSuchEntity"
    iam.delete_account_password_policy()
    assert refusal(iam.get_account_password_policy) == missing


def test_limits_of_the_policy(iam: Any) -> None:
    told = refusal(
        iam.update_account_password_policy, MinimumPasswordLength=129, PasswordReusePrevention=25, MaxPasswordAge=1096
    )
    assert told[0] == "ValidationError"
    assert told[1].startswith("3 validation errors detected: ")


def test_old_passwords_are_not_taken_again(iam: Any) -> None:
    iam.update_account_password_policy(PasswordReusePrevention=2)
    password(iam, text="first-one")
    reused = ("PasswordPolicyViolation", "Password should not be the same as one of the last 2 passwords", 400)
    assert refusal(iam.update_login_profile, UserName="bob", Password="first-one") == reused
    iam.update_login_profile(UserName="bob", Password="second-one")
    assert refusal(iam.update_login_profile, UserName="bob", Password="first-one") == reused
    iam.update_login_profile(UserName="bob", Password="third-one")
    iam.update_login_profile(UserName="bob", Password="first-one")
    iam.update_account_password_policy()
    iam.update_login_profile(UserName="bob", Password="first-one")


def test_all_24_are_remembered_and_no_more(world: Any, iam: Any) -> None:
    iam.update_account_password_policy(PasswordReusePrevention=24)
    password(iam, text="number-0")
    for number in range(1, 24):
        iam.update_login_profile(UserName="bob", Password=f"number-{number}")
    assert refusal(iam.update_login_profile, UserName="bob", Password="number-0")[0] == "PasswordPolicyViolation"
    iam.update_login_profile(UserName="bob", Password="number-24")
    iam.update_login_profile(UserName="bob", Password="number-0")
    with world.database.snapshot() as connection:
        assert len(connection.execute(select(old_passwords)).all()) == 23


# The caller's own password.


def test_a_user_with_the_old_password_may_change_it(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity("iam:ChangePassword", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    bob = world.client("iam", user="bob")
    call = {"OldPassword": GOOD, "NewPassword": "Another-Horse-8"}
    assert refusal(bob.change_password, **call)[:2] == ("NoSuchEntity", "Login Profile for User bob cannot be found.")
    password(iam, PasswordResetRequired=True)
    wrong = refusal(bob.change_password, OldPassword="another", NewPassword="Another-Horse-8")
    assert wrong == ("AccessDenied", "The old password was incorrect.", 403)
    assert refusal(bob.change_password, OldPassword=GOOD, NewPassword="short")[0] == "PasswordPolicyViolation"
    bob.change_password(**call)
    assert iam.get_login_profile(UserName="bob")["LoginProfile"]["PasswordResetRequired"] is False
    assert refusal(bob.change_password, **call)[1] == "The old password was incorrect."


def test_the_account_may_let_every_user_change_their_password(world: Any, iam: Any) -> None:
    password(iam)
    bob = world.client("iam", user="bob")
    call = {"OldPassword": GOOD, "NewPassword": "Another-Horse-8"}
    no_right = f"arn:aws:iam::{ACCOUNT}:user/bob is not authorized to perform: iam:ChangePassword on resource: user bob"
    assert no_right in refusal(bob.change_password, **call)[1]
    assert refusal(bob.get_account_password_policy)[0] == "AccessDenied"
    iam.update_account_password_policy(AllowUsersToChangePassword=True)
    assert bob.get_account_password_policy()["PasswordPolicy"]["AllowUsersToChangePassword"] is True
    put_rights(iam, "bob", "not", identity("iam:ChangePassword", effect="Deny"))
    assert "explicit deny in an identity-based policy" in refusal(bob.change_password, **call)[1]
    iam.delete_user_policy(UserName="bob", PolicyName="not")
    bob.change_password(**call)
    assert refusal(bob.update_login_profile, UserName="bob", Password=GOOD)[0] == "AccessDenied"


def test_only_users_have_a_password_to_change(world: Any) -> None:
    only = ("InvalidUserType", "Only IAM Users can change their own password.", 400)
    call = {"OldPassword": GOOD, "NewPassword": "Another-Horse-8"}
    root = world.client("iam", user=f"root of {ACCOUNT}")
    role = world.client("iam", credentials=world.assume("manager"))
    for caller in (root, role):
        assert refusal(caller.change_password, **call) == only


# Without a name.


def test_users_need_not_name_themselves(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity("iam:*LoginProfile", f"arn:aws:iam::{ACCOUNT}:user/bob"))
    bob = world.client("iam", user="bob")
    assert bob.create_login_profile(Password=GOOD)["LoginProfile"]["UserName"] == "bob"
    assert bob.get_login_profile()["LoginProfile"]["UserName"] == "bob"
    bob.delete_login_profile()
    assert refusal(bob.create_login_profile)[:2] == (
        "ValidationError",
        "Must specify password when not calling with an AssumeRoot session",
    )


def test_roles_and_root_users_must_name_a_user(world: Any) -> None:
    message = "Must specify userName when calling with non-User credentials"
    role = world.client("iam", credentials=world.assume("manager"))
    root = world.client("iam", user=f"root of {ACCOUNT}")
    for caller in (role, root):
        assert refusal(caller.create_login_profile, Password=GOOD) == ("ValidationError", message, 400)
        assert refusal(caller.get_login_profile) == ("ValidationError", message, 400)
        assert refusal(caller.delete_login_profile) == ("ValidationError", message, 400)
    root.create_login_profile(UserName="bob", Password=GOOD)
    fails(root.get_login_profile, "NoSuchEntity", "Login Profile for User ana cannot be found.", 404, UserName="ana")
