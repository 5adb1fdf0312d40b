"""MaxSigninSessionDuration of roles and passwords: set, shown, changed, reset.

Model of IAM, 18 November 2026: "This setting can have a value from 1 hour (3600 seconds) to 90 days (7776000 seconds),
inclusive. If you do not specify a value, the setting remains unset".
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from iam_calls import ACCOUNT, WORLD, fails, refusal

from rolecall.services.iam.common import signin_duration

PASSWORD = "Correct-Horse-7"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
    }
)
TOGETHER = "MaxSigninSessionDuration and ResetMaxSigninSessionDuration cannot be specified in the same request"
PROTECTED = (
    "Cannot perform the operation on the protected role 'AWSServiceRoleForAmazonChimeVoiceConnector' - this role is "
    "only modifiable by AWS"
)


@pytest.fixture
def iam(make_world: Any) -> Any:
    return make_world(WORLD).client("iam")


def new_role(iam: Any, **more: Any) -> Any:
    return iam.create_role(RoleName="visitor", AssumeRolePolicyDocument=TRUST, **more)["Role"]


def of_role(iam: Any) -> int | None:
    return iam.get_role(RoleName="visitor")["Role"].get("MaxSigninSessionDuration")  # type: ignore[no-any-return]


def of_password(iam: Any) -> int | None:
    shown = iam.get_login_profile(UserName="bob")["LoginProfile"]
    return shown.get("MaxSigninSessionDuration")  # type: ignore[no-any-return]


def test_every_answer_about_a_role_has_it_once_it_is_set(iam: Any) -> None:
    assert new_role(iam, MaxSigninSessionDuration=7_776_000)["MaxSigninSessionDuration"] == 7_776_000
    [listed] = [role for role in iam.list_roles()["Roles"] if role["RoleName"] == "visitor"]
    described = iam.update_role_description(RoleName="visitor", Description="x")["Role"]
    shown = iam.get_role(RoleName="visitor")["Role"]
    assert [role["MaxSigninSessionDuration"] for role in (listed, described, shown)] == [7_776_000] * 3
    # "This setting is independent of MaxSessionDuration."
    assert shown["MaxSessionDuration"] == 3600


def test_a_role_in_an_instance_profile_has_it_and_the_details_of_a_role_have_not(iam: Any) -> None:
    """The model's shapes: Role has the member, RoleDetail of GetAccountAuthorizationDetails has not."""
    new_role(iam, MaxSigninSessionDuration=3600)
    iam.create_instance_profile(InstanceProfileName="visitors")
    iam.add_role_to_instance_profile(InstanceProfileName="visitors", RoleName="visitor")
    answer = iam.get_account_authorization_details(Filter=["Role"], MaxItems=1000)
    [detail] = [each for each in answer["RoleDetailList"] if each["RoleName"] == "visitor"]
    assert "MaxSigninSessionDuration" not in detail
    profiles = [
        iam.get_instance_profile(InstanceProfileName="visitors")["InstanceProfile"],
        *(each for each in iam.list_instance_profiles()["InstanceProfiles"] if "visitors" in each["Arn"]),
        *iam.list_instance_profiles_for_role(RoleName="visitor")["InstanceProfiles"],
        *detail["InstanceProfileList"],
    ]
    assert [each["Roles"][0]["MaxSigninSessionDuration"] for each in profiles] == [3600] * 4


def test_a_model_that_does_not_know_it_does_not_show_it() -> None:
    """A database may hold a value although the botocore that runs now is older than the setting."""
    known = SimpleNamespace(model=SimpleNamespace(output_paths={("Role",), ("Role", "MaxSigninSessionDuration")}))
    older = SimpleNamespace(model=SimpleNamespace(output_paths={("Role",), ("Role", "Arn")}))
    assert [signin_duration(call, 3600) for call in (known, older)] == [{"MaxSigninSessionDuration": 3600}, {}]  # type: ignore[arg-type]
    assert signin_duration(known, None) == {}  # type: ignore[arg-type]


def test_a_role_without_it_does_not_show_it(iam: Any) -> None:
    assert "MaxSigninSessionDuration" not in new_role(iam)
    assert of_role(iam) is None


def test_update_role_sets_keeps_and_resets_it(iam: Any) -> None:
    new_role(iam)
    iam.update_role(RoleName="visitor", MaxSigninSessionDuration=3600)
    assert of_role(iam) == 3600
    iam.update_role(RoleName="visitor", Description="other")
    iam.update_role(RoleName="visitor", ResetMaxSigninSessionDuration=False)
    assert of_role(iam) == 3600
    iam.update_role(RoleName="visitor", MaxSigninSessionDuration=7200, ResetMaxSigninSessionDuration=False)
    assert of_role(iam) == 7200
    # "Clearing a setting that is already unset has no effect."
    for _ in range(2):
        iam.update_role(RoleName="visitor", ResetMaxSigninSessionDuration=True)
        assert of_role(iam) is None


def test_an_update_sets_or_resets(iam: Any) -> None:
    new_role(iam, MaxSigninSessionDuration=3600)
    both = {"MaxSigninSessionDuration": 7200, "ResetMaxSigninSessionDuration": True}
    fails(iam.update_role, "InvalidInput", TOGETHER, 400, RoleName="visitor", Description="not kept", **both)
    shown = iam.get_role(RoleName="visitor")["Role"]
    assert (shown["MaxSigninSessionDuration"], "Description" in shown) == (3600, False)
    iam.create_login_profile(UserName="bob", Password=PASSWORD, MaxSigninSessionDuration=3600)
    fails(iam.update_login_profile, "InvalidInput", TOGETHER, 400, UserName="bob", **both)
    assert of_password(iam) == 3600


@pytest.mark.parametrize(
    "change",
    [{"MaxSigninSessionDuration": 3600}, {"ResetMaxSigninSessionDuration": True}],
)
def test_a_service_linked_role_has_none(iam: Any, change: dict[str, Any]) -> None:
    # "You cannot set this value on a service-linked role." "You cannot reset this value on a service-linked role."
    name = "AWSServiceRoleForAmazonChimeVoiceConnector"
    fails(iam.update_role, "UnmodifiableEntity", PROTECTED, 400, RoleName=name, Description="x", **change)
    iam.update_role(RoleName=name, Description="x", ResetMaxSigninSessionDuration=False)
    shown = iam.get_role(RoleName=name)["Role"]
    assert (shown["Description"], "MaxSigninSessionDuration" in shown) == ("x", False)


@pytest.mark.parametrize(
    ("seconds", "constraint"),
    [(3599, "greater than or equal to 3600"), (7_776_001, "less than or equal to 7776000")],
)
def test_it_is_one_hour_to_ninety_days(make_world: Any, seconds: int, constraint: str) -> None:
    iam = make_world(WORLD).client("iam", config=Config(parameter_validation=False))
    iam.create_login_profile(UserName="bob", Password=PASSWORD)
    new_role(iam)
    for call, more in (
        (iam.create_role, {"RoleName": "other", "AssumeRolePolicyDocument": TRUST}),
        (iam.update_role, {"RoleName": "visitor"}),
        (iam.create_login_profile, {"UserName": "ana", "Password": PASSWORD}),
        (iam.update_login_profile, {"UserName": "bob"}),
    ):
        with pytest.raises(ClientError, match=constraint) as caught:
            call(MaxSigninSessionDuration=seconds, **more)
        assert caught.value.response["Error"]["Code"] == "ValidationError"
    assert (of_role(iam), of_password(iam)) == (None, None)


def test_a_password_s_setting_is_set_kept_and_reset(iam: Any) -> None:
    made = iam.create_login_profile(UserName="bob", Password=PASSWORD, PasswordResetRequired=True)["LoginProfile"]
    assert "MaxSigninSessionDuration" not in made
    iam.update_login_profile(UserName="bob", MaxSigninSessionDuration=86_400)
    # "If you update only the sign-in session duration, the user's password and PasswordResetRequired setting do not
    # change."
    assert iam.get_login_profile(UserName="bob")["LoginProfile"] == {**made, "MaxSigninSessionDuration": 86_400}
    iam.update_login_profile(UserName="bob", PasswordResetRequired=False)
    iam.update_login_profile(UserName="bob", Password="Other-Horse-8", ResetMaxSigninSessionDuration=False)
    assert of_password(iam) == 86_400
    for _ in range(2):
        iam.update_login_profile(UserName="bob", ResetMaxSigninSessionDuration=True)
        assert of_password(iam) is None


def test_a_new_password_does_not_take_over_the_setting(iam: Any) -> None:
    iam.create_login_profile(UserName="bob", Password=PASSWORD, MaxSigninSessionDuration=3600)
    iam.delete_login_profile(UserName="bob")
    assert "MaxSigninSessionDuration" not in iam.create_login_profile(UserName="bob", Password=PASSWORD)["LoginProfile"]


def test_an_unknown_owner(iam: Any) -> None:
    for change in ({"MaxSigninSessionDuration": 3600}, {"ResetMaxSigninSessionDuration": True}):
        assert refusal(iam.update_role, RoleName="nobody", **change)[0] == "NoSuchEntity"
        assert refusal(iam.update_login_profile, UserName="bob", **change)[0] == "NoSuchEntity"
