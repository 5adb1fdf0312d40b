"""Two calls at once: a row has changed between an operation's check and its write. A constraint of the schema finds it.

SQLite allows one writer at a time; other databases allow several. So these tests hide another transaction's row from
the operation's check, and the operation's write then meets the row.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import saml_calls
import test_sts_delegation
from iam_calls import FILLER_ARNS, READ_ONLY, WORLD, fails, refusal
from msgspec.structs import replace

CONCURRENT = (
    "The request was rejected because multiple requests to change this object were submitted simultaneously. "
    "Wait a few minutes and submit your request again."
)


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes functions of an IAM module (``looks``) return ``sees``, as if the row were missing.

    With ``of``, only for calls that have this value among their arguments.
    """

    def make(module: str, *looks: str, sees: Any = None, of: str | None = None) -> None:
        found = import_module(f"rolecall.services.{module}")
        for look in looks:
            real = getattr(found, look)

            def partly(*given: Any, _real: Any = real, **more: Any) -> Any:
                return sees if of is None or of in given else _real(*given, **more)

            monkeypatch.setattr(found, look, partly)

    return make


def blind_kind(monkeypatch: pytest.MonkeyPatch, module: str, kind: str, name: str) -> None:
    """Makes a kind of IAM entity find no entity of that name, as if the row were missing."""
    found = import_module(f"rolecall.services.{module}")
    known = getattr(found, kind)

    def partly(connection: Any, account_id: str, wanted: str) -> Any:
        return None if wanted == name else known.by_name(connection, account_id, wanted)

    monkeypatch.setattr(found, kind, replace(known, by_name=partly))


def test_names_that_another_call_took(iam: Any, blind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    blind("iam.users.users", "user_by_name", of="ana")
    blind_kind(monkeypatch, "iam.users.users", "USERS", "ana")
    fails(iam.create_user, "EntityAlreadyExists", "User with name ana already exists.", 409, UserName="ana")
    update = {"UserName": "bob", "NewUserName": "ana"}
    fails(iam.update_user, "EntityAlreadyExists", "User with name ana already exists.", 409, **update)
    blind("iam.groups.groups", "group_by_name", of="spare")
    blind_kind(monkeypatch, "iam.groups.groups", "GROUPS", "spare")
    fails(iam.create_group, "EntityAlreadyExists", "Group with name spare already exists.", 409, GroupName="spare")
    update = {"GroupName": "developers", "NewGroupName": "spare"}
    fails(iam.update_group, "EntityAlreadyExists", "Group with name spare already exists.", 409, **update)


def test_a_device_that_another_call_made(iam: Any, blind: Any) -> None:
    iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")
    blind("iam.users.mfa_devices", "device_by_serial")
    found = refusal(iam.create_virtual_mfa_device, VirtualMFADeviceName="phone")
    assert found[0] == "EntityAlreadyExists"
    assert found[2] == 409
    assert len(iam.list_virtual_mfa_devices()["VirtualMFADevices"]) == 1


def test_an_entity_that_got_something_while_it_was_deleted(iam: Any, blind: Any) -> None:
    blind("iam.policies.entity_policies", "attached_arns", "inline_names", sees=[])
    blind("iam.users.users", "access_keys_of", "devices_of", "certificates_of", "groups_of", sees=[])
    assert refusal(iam.delete_user, UserName="ana")[0] == "DeleteConflict"
    blind("iam.groups.groups", "members_of", sees=[])
    assert refusal(iam.delete_group, GroupName="developers")[0] == "DeleteConflict"
    assert refusal(iam.delete_role, RoleName="packed")[0] == "DeleteConflict"
    blind("iam.policies.policies", "usage_of", sees=(0, 0))
    assert refusal(iam.delete_policy, PolicyArn=FILLER_ARNS[0])[0] == "DeleteConflict"


def test_a_refused_deletion_removes_nothing(world: Any, iam: Any, blind: Any) -> None:
    blind("iam.policies.entity_policies", "attached_arns", "inline_names", sees=[])
    blind("iam.users.users", "access_keys_of", "groups_of", sees=[])
    assert refusal(iam.delete_user, UserName="ana")[0] == "DeleteConflict"
    assert len(iam.list_access_keys(UserName="ana")["AccessKeyMetadata"]) == 2
    assert iam.list_groups_for_user(UserName="ana")["Groups"][0]["GroupName"] == "developers"


def test_a_member_that_another_call_added(iam: Any, blind: Any) -> None:
    blind("iam.groups.groups", "groups_of", sees=[])
    add = {"GroupName": "developers", "UserName": "ana"}
    fails(iam.add_user_to_group, "ConcurrentModification", CONCURRENT, 409, **add)
    assert len(iam.get_group(GroupName="developers")["Users"]) == 1


@pytest.mark.parametrize(
    ("operation", "owner"),
    [
        ("attach_user_policy", {"UserName": "ana"}),
        ("attach_group_policy", {"GroupName": "spare"}),
        ("attach_role_policy", {"RoleName": "manager"}),
    ],
)
def test_a_policy_that_another_call_attached(iam: Any, blind: Any, operation: str, owner: dict[str, str]) -> None:
    attach = getattr(iam, operation)
    attach(PolicyArn=READ_ONLY, **owner)
    blind("iam.policies.entity_policies", "attached_arns", sees=[])
    fails(attach, "ConcurrentModification", CONCURRENT, 409, PolicyArn=READ_ONLY, **owner)


def test_a_password_that_another_call_set(iam: Any, blind: Any) -> None:
    iam.create_login_profile(UserName="bob", Password="long-enough-1A!")
    blind("iam.users.login_profiles", "login_profile_of")
    create = {"UserName": "bob", "Password": "another-enough-1A!"}
    fails(iam.create_login_profile, "ConcurrentModification", CONCURRENT, 409, **create)


def test_a_user_of_chime_that_another_call_made(world: Any, blind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    chime = world.client("chime")
    account_id = chime.create_account(Name="Company")["Account"]["AccountId"]
    user = {"AccountId": account_id, "Email": "ana@example.com"}
    chime.create_user(**user)
    users = import_module("rolecall.services.chime.users").chime_users
    monkeypatch.setattr(users, "user_by_email", lambda *_given: None)
    assert refusal(chime.create_user, **user)[0] == "ConflictException"
    assert len(chime.list_users(AccountId=account_id)["Users"]) == 1


def test_a_delegation_request_that_another_call_moved(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another call rejects the request after the operation has checked its state."""
    delegation = test_sts_delegation.Delegation(make_world(test_sts_delegation.world_text()))
    request_id = delegation.create()
    module = import_module("rolecall.services.iam.delegation.delegation_requests")
    move = module.move_request

    def raced(db: Any, one: str, before: str, **values: Any) -> bool:
        assert move(db, one, before, state="REJECTED")
        return bool(move(db, one, before, **values))

    monkeypatch.setattr(module, "move_request", raced)
    associate = delegation.iam().associate_delegation_request
    fails(associate, "ConcurrentModification", CONCURRENT, 409, DelegationRequestId=request_id)
    # A refused call changes nothing, so the raced rejection is gone as well.
    assert delegation.shown(request_id)["State"] == "UNASSIGNED"


def test_a_device_that_another_call_deleted(iam: Any, blind: Any) -> None:
    serial_number = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]["SerialNumber"]
    blind("iam.users.mfa_devices", "lock_device")
    codes = {"AuthenticationCode1": "123456", "AuthenticationCode2": "234567"}
    found = refusal(iam.enable_mfa_device, UserName="bob", SerialNumber=serial_number, **codes)
    assert (found[0], found[2]) == ("NoSuchEntity", 404)
    assert iam.list_mfa_devices(UserName="bob")["MFADevices"] == []


def test_encryption_that_is_required_needs_a_key_from_the_beginning(iam: Any) -> None:
    message = "Unable to set assertion encryption mode to Required because no private key was provided."
    document = saml_calls.idp().metadata
    create = {"Name": "idp", "SAMLMetadataDocument": document, "AssertionEncryptionMode": "Required"}
    fails(iam.create_saml_provider, "InvalidInput", message, 400, **create)
    assert iam.list_saml_providers()["SAMLProviderList"] == []
