"""The tree of an organization, its accounts and its administrators, through boto3."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from organization_calls import (
    DELEGATED,
    EMPTY_UNIT,
    GUARD,
    MANAGEMENT,
    MEMBER,
    ORGANIZATION,
    OUTSIDE,
    RCP,
    ROOT,
    SCP,
    UNIT,
    client_of,
    organization,
    pages,
    refused,
)
from sts_calls import allow, declared, role, trust, user

from rolecall.storage.gather import ACCOUNT_STATES

DAY_SECONDS = 86_400
VIOLATION = "ConstraintViolationException"


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(organization())


@pytest.fixture
def client(world: Any) -> Any:
    return client_of(world)


def children(client: Any, parent: str, kind: str = "ORGANIZATIONAL_UNIT") -> list[str]:
    return [each["Id"] for each in pages(client.list_children, "Children", ParentId=parent, ChildType=kind)]


def test_the_organization(world: Any, client: Any) -> None:
    shown = client.describe_organization()["Organization"]
    assert shown["Id"] == "o-example1234"
    assert shown["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:organization/o-example1234"
    assert shown["MasterAccountArn"] == f"arn:aws:organizations::{MANAGEMENT}:account/o-example1234/{MANAGEMENT}"
    assert (shown["MasterAccountId"], shown["FeatureSet"]) == (MANAGEMENT, "ALL")
    assert client_of(world, MEMBER).describe_organization()["Organization"] == shown
    [root] = client.list_roots()["Roots"]
    assert (root["Id"], root["Name"]) == (ROOT, "Root")
    assert root["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:root/o-example1234/{ROOT}"
    assert [each["Type"] for each in root["PolicyTypes"]] == [RCP, SCP]
    assert refused(client.enable_all_features) == (
        "HandshakeConstraintViolationException",
        "ORGANIZATION_ALREADY_HAS_ALL_FEATURES",
    )


def test_the_tree(client: Any) -> None:
    assert children(client, ROOT) == [UNIT, EMPTY_UNIT]
    assert children(client, ROOT, "ACCOUNT") == [MANAGEMENT, DELEGATED]
    assert children(client, UNIT, "ACCOUNT") == [MEMBER]
    assert client.list_parents(ChildId=MEMBER)["Parents"] == [{"Id": UNIT, "Type": "ORGANIZATIONAL_UNIT"}]
    assert client.list_parents(ChildId=UNIT)["Parents"] == [{"Id": ROOT, "Type": "ROOT"}]
    assert [each["Id"] for each in client.list_accounts_for_parent(ParentId=UNIT)["Accounts"]] == [MEMBER]
    [prod, _] = client.list_organizational_units_for_parent(ParentId=ROOT)["OrganizationalUnits"]
    assert (prod["Name"], prod["Arn"]) == ("prod", f"arn:aws:organizations::{MANAGEMENT}:ou/o-example1234/{UNIT}")
    assert [each["Id"] for each in pages(client.list_accounts, "Accounts", MaxResults=1)] == [
        MANAGEMENT,
        DELEGATED,
        MEMBER,
    ]
    account = client.describe_account(AccountId=MEMBER)["Account"]
    assert account["Arn"] == f"arn:aws:organizations::{MANAGEMENT}:account/o-example1234/{MEMBER}"
    assert (account["Status"], account["JoinedMethod"]) == ("ACTIVE", "INVITED")


def test_an_email_address_can_be_declared(make_world: Any) -> None:
    text = declared(
        {"id": MANAGEMENT, "email": "owner@example.com", "users": [user("admin", allow("*"))]},
        organization={"id": "o-example1234"},
    )
    client = make_world(text).client("organizations", "admin")
    assert client.describe_organization()["Organization"]["MasterAccountEmail"] == "owner@example.com"


def test_units_are_made_renamed_and_deleted(client: Any) -> None:
    new = client.create_organizational_unit(ParentId=UNIT, Name="team", Tags=[{"Key": "a", "Value": "b"}])
    unit = new["OrganizationalUnit"]
    assert unit["Id"].startswith("ou-exam-")
    assert client.list_tags_for_resource(ResourceId=unit["Id"])["Tags"] == [{"Key": "a", "Value": "b"}]
    assert client.describe_organizational_unit(OrganizationalUnitId=unit["Id"])["OrganizationalUnit"] == unit
    full = client.list_policies_for_target(TargetId=unit["Id"], Filter=SCP)["Policies"]
    assert [each["Id"] for each in full] == ["p-FullAWSAccess"]
    create = client.create_organizational_unit
    assert refused(create, ParentId=UNIT, Name="team")[0] == "DuplicateOrganizationalUnitException"
    assert refused(client.delete_organizational_unit, OrganizationalUnitId=UNIT)[0] == (
        "OrganizationalUnitNotEmptyException"
    )
    client.update_organizational_unit(OrganizationalUnitId=unit["Id"], Name="crew")
    create(ParentId=UNIT, Name="team")
    rename = {"OrganizationalUnitId": unit["Id"], "Name": "team"}
    assert refused(client.update_organizational_unit, **rename)[0] == "DuplicateOrganizationalUnitException"
    client.delete_organizational_unit(OrganizationalUnitId=unit["Id"])
    describe = {"OrganizationalUnitId": unit["Id"]}
    assert refused(client.describe_organizational_unit, **describe)[0] == "OrganizationalUnitNotFoundException"


def test_a_new_unit_gets_full_access_also_after_it_was_detached_elsewhere(client: Any) -> None:
    client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=UNIT)
    new = client.create_organizational_unit(ParentId=ROOT, Name="new")["OrganizationalUnit"]["Id"]
    found = client.list_policies_for_target(TargetId=new, Filter=SCP)["Policies"]
    assert [each["Id"] for each in found] == ["p-FullAWSAccess"]


def test_units_nest_five_levels_deep(client: Any) -> None:
    parent = ROOT
    for level in range(5):
        parent = client.create_organizational_unit(ParentId=parent, Name=f"{level}")["OrganizationalUnit"]["Id"]
    assert refused(client.create_organizational_unit, ParentId=parent, Name="deep") == (
        VIOLATION,
        "OU_DEPTH_LIMIT_EXCEEDED",
    )


def test_an_account_moves_with_all_that_holds_there(world: Any, client: Any) -> None:
    chime = client_of(world, MEMBER, "chime")
    assert refused(chime.list_accounts)[0] == "ForbiddenException"
    move = client.move_account
    wrong = {"AccountId": MEMBER, "SourceParentId": ROOT, "DestinationParentId": EMPTY_UNIT}
    assert refused(move, **wrong)[0] == "SourceParentNotFoundException"
    wrong = {"AccountId": MEMBER, "SourceParentId": UNIT, "DestinationParentId": "ou-exam-99999999"}
    assert refused(move, **wrong)[0] == "DestinationParentNotFoundException"
    wrong = {"AccountId": MEMBER, "SourceParentId": UNIT, "DestinationParentId": UNIT}
    assert refused(move, **wrong)[0] == "DuplicateAccountException"
    wrong = {"AccountId": OUTSIDE, "SourceParentId": ROOT, "DestinationParentId": UNIT}
    assert refused(move, **wrong)[0] == "AccountNotFoundException"
    move(AccountId=MEMBER, SourceParentId=UNIT, DestinationParentId=EMPTY_UNIT)
    assert chime.list_accounts()["Accounts"] == []
    assert children(client, EMPTY_UNIT, "ACCOUNT") == [MEMBER]
    move(AccountId=MEMBER, SourceParentId=EMPTY_UNIT, DestinationParentId=ROOT)
    assert client.list_parents(ChildId=MEMBER)["Parents"] == [{"Id": ROOT, "Type": "ROOT"}]


# New accounts.


def made(client: Any, **more: Any) -> dict[str, Any]:
    started = client.create_account(Email="new@example.com", AccountName="new", **more)["CreateAccountStatus"]
    assert (started["State"], "AccountId" in started) == ("IN_PROGRESS", False)
    request_id = started["Id"]
    found: dict[str, Any] = client.describe_create_account_status(CreateAccountRequestId=request_id)
    return found["CreateAccountStatus"]


def test_a_new_account_has_the_role_of_the_management_account(world: Any, client: Any) -> None:
    status = made(client, Tags=[{"Key": "team", "Value": "blue"}])
    assert status["State"] == "SUCCEEDED"
    account_id = status["AccountId"]
    account = client.describe_account(AccountId=account_id)["Account"]
    assert (account["Name"], account["Email"], account["JoinedMethod"]) == ("new", "new@example.com", "CREATED")
    assert client.list_tags_for_resource(ResourceId=account_id)["Tags"] == [{"Key": "team", "Value": "blue"}]
    arn = f"arn:aws:iam::{account_id}:role/OrganizationAccountAccessRole"
    session = client_of(world, service="sts").assume_role(RoleArn=arn, RoleSessionName="session")["Credentials"]
    iam = world.client("iam", credentials=session)
    # User Guide, Accessing member accounts: it trusts the management account and has AdministratorAccess.
    assert iam.get_role(RoleName="OrganizationAccountAccessRole")["Role"]["AssumeRolePolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{MANAGEMENT}:root"}, "Action": "sts:AssumeRole"}
    ]
    attached = iam.list_attached_role_policies(RoleName="OrganizationAccountAccessRole")["AttachedPolicies"]
    assert [each["PolicyName"] for each in attached] == ["AdministratorAccess"]
    assert (
        refused(client_of(world, MEMBER, "sts").assume_role, RoleArn=arn, RoleSessionName="session")[0]
        == "AccessDenied"
    )
    # Control policies hold in the new account.
    client.attach_policy(PolicyId=GUARD, TargetId=account_id)
    assert refused(world.client("chime", credentials=session).list_accounts)[0] == "ForbiddenException"


def test_an_email_address_in_use_fails_later(client: Any) -> None:
    assert made(client, RoleName="entry")["State"] == "SUCCEEDED"
    failed = made(client)
    assert (failed["State"], failed["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    states = [each["State"] for each in pages(client.list_create_account_status, "CreateAccountStatuses")]
    assert sorted(states) == ["FAILED", "SUCCEEDED"]
    [only] = client.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]
    assert only == failed
    missing = {"CreateAccountRequestId": "car-11111111"}
    assert refused(client.describe_create_account_status, **missing)[0] == "CreateAccountStatusNotFoundException"


def test_new_accounts_have_limits(make_world: Any, client: Any) -> None:
    new = {"Email": "new@example.com", "AccountName": "new"}
    reserved = refused(client.create_account, RoleName="AWSServiceRoleForMe", **new)
    assert reserved == ("InvalidInputException", "INVALID_ROLE_NAME")
    assert refused(client.create_account, IamUserAccessToBilling="DENY", **new)[0] == "NotImplemented"
    full = json.loads(organization()) | {"settings": {"quotas": {"AccountsPerOrganization": 3}}}
    other = client_of(make_world(json.dumps(full)))
    assert refused(other.create_account, **new) == (VIOLATION, "ACCOUNT_NUMBER_LIMIT_EXCEEDED")


def test_a_closed_account_can_call_nothing(world: Any, client: Any) -> None:
    member = client_of(world, MEMBER, "sts")
    iam = client_of(world, MEMBER, "iam")
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": MANAGEMENT}, "Action": "sts:AssumeRole"}],
        }
    )
    arn = iam.create_role(RoleName="entry", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    enter = {"RoleArn": arn, "RoleSessionName": "session"}
    session = client_of(world, service="sts").assume_role(**enter)["Credentials"]
    client.close_account(AccountId=MEMBER)
    shown = client.describe_account(AccountId=MEMBER)["Account"]
    # Organizations User Guide, Monitor the state of your AWS accounts.
    assert (shown["State"], shown["Status"]) == ("CLOSED", "SUSPENDED")
    assert refused(member.get_caller_identity)[0] == "InvalidClientTokenId"
    assert refused(world.client("sts", credentials=session).get_caller_identity)[0] == "InvalidClientTokenId"
    assert refused(client_of(world, service="sts").assume_role, **enter)[0] == "AccessDenied"
    assert refused(client.close_account, AccountId=MEMBER)[0] == "AccountAlreadyClosedException"
    assert refused(client.close_account, AccountId=MANAGEMENT) == (VIOLATION, "CANNOT_CLOSE_MANAGEMENT_ACCOUNT")
    assert refused(client.close_account, AccountId=OUTSIDE)[0] == "AccountNotFoundException"


@pytest.mark.parametrize("state", ["PENDING_ACTIVATION", "SUSPENDED", "CLOSED"])
def test_a_declared_account_that_is_not_active_can_call_nothing(make_world: Any, state: str) -> None:
    content = json.loads(organization())
    content["accounts"][2] |= {"state": state, "roles": [role("entry", trust(MANAGEMENT))]}
    world = make_world(json.dumps(content))
    enter = {"RoleArn": f"arn:aws:iam::{MEMBER}:role/entry", "RoleSessionName": "session"}
    assert client_of(world).describe_account(AccountId=MEMBER)["Account"]["State"] == state
    assert refused(client_of(world, MEMBER, "sts").get_caller_identity)[0] == "InvalidClientTokenId"
    assert refused(client_of(world, service="sts").assume_role, **enter)[0] == "AccessDenied"


def test_the_states_are_those_of_the_model(client: Any) -> None:
    shape = client.meta.service_model.shape_for("AccountState")
    assert sorted(shape.enum) == sorted([*ACCOUNT_STATES, "PENDING_CLOSURE"])


def test_accounts_leave(world: Any, client: Any) -> None:
    chime = client_of(world, MEMBER, "chime")
    remove = client.remove_account_from_organization
    assert refused(remove, AccountId=MANAGEMENT)[0] == "MasterCannotLeaveOrganizationException"
    assert refused(client.leave_organization)[0] == "MasterCannotLeaveOrganizationException"
    assert refused(remove, AccountId=DELEGATED) == (VIOLATION, "CANNOT_REMOVE_DELEGATED_ADMINISTRATOR_FROM_ORG")
    assert refused(remove, AccountId=OUTSIDE)[0] == "AccountNotFoundException"
    assert refused(chime.list_accounts)[0] == "ForbiddenException"
    client_of(world, MEMBER).leave_organization()
    assert chime.list_accounts()["Accounts"] == []
    assert refused(client_of(world, MEMBER).describe_organization)[0] == "AWSOrganizationsNotInUseException"
    assert children(client, UNIT, "ACCOUNT") == []
    new = made(client)["AccountId"]
    assert refused(remove, AccountId=new) == (VIOLATION, "WAIT_PERIOD_ACTIVE")
    world.clock.advance(4 * DAY_SECONDS)
    remove(AccountId=new)
    assert refused(client.describe_account, AccountId=new)[0] == "AccountNotFoundException"


def test_an_organization_begins_and_ends(make_world: Any) -> None:
    text = declared({"id": MANAGEMENT, "users": [user("admin", allow("*"))]})
    world = make_world(text)
    client = world.client("organizations", "admin")
    assert refused(client.list_accounts)[0] == "AWSOrganizationsNotInUseException"
    assert refused(client.create_organization, FeatureSet="CONSOLIDATED_BILLING")[0] == "NotImplemented"
    new = client.create_organization()["Organization"]
    assert new["Id"].startswith("o-")
    assert refused(client.create_organization)[0] == "AlreadyInOrganizationException"
    role = world.client("iam", "admin").get_role(RoleName="AWSServiceRoleForOrganizations")["Role"]
    assert role["Path"] == "/aws-service-role/organizations.amazonaws.com/"
    account_id = made(client)["AccountId"]
    assert refused(client.delete_organization)[0] == "OrganizationNotEmptyException"
    world.clock.advance(5 * DAY_SECONDS)
    client.remove_account_from_organization(AccountId=account_id)
    client.delete_organization()
    assert refused(client.describe_organization)[0] == "AWSOrganizationsNotInUseException"


# Administrators, services, tags.


def test_delegated_administrators(client: Any) -> None:
    [declared_one] = client.list_delegated_administrators()["DelegatedAdministrators"]
    assert declared_one["Id"] == DELEGATED
    register = client.register_delegated_administrator
    config = {"ServicePrincipal": "config.amazonaws.com"}
    assert refused(register, AccountId=MEMBER, **config) == (VIOLATION, "SERVICE_ACCESS_NOT_ENABLED")
    client.enable_aws_service_access(**config)
    assert refused(register, AccountId=MANAGEMENT, **config) == (
        VIOLATION,
        "CANNOT_REGISTER_MASTER_AS_DELEGATED_ADMINISTRATOR",
    )
    assert refused(register, AccountId=OUTSIDE, **config)[0] == "AccountNotFoundException"
    assert refused(register, AccountId=MEMBER, ServicePrincipal="config") == (
        "InvalidInputException",
        "UNRECOGNIZED_SERVICE_PRINCIPAL",
    )
    listed = client.list_delegated_services_for_account
    assert refused(listed, AccountId=MEMBER)[0] == "AccountNotRegisteredException"
    register(AccountId=MEMBER, **config)
    assert refused(register, AccountId=MEMBER, **config)[0] == "AccountAlreadyRegisteredException"
    services = listed(AccountId=MEMBER)["DelegatedServices"]
    assert [each["ServicePrincipal"] for each in services] == ["config.amazonaws.com"]
    found = client.list_delegated_administrators(**config)["DelegatedAdministrators"]
    assert [each["Id"] for each in found] == [MEMBER]
    client.deregister_delegated_administrator(AccountId=MEMBER, **config)
    deregister = {"AccountId": MEMBER, **config}
    assert refused(client.deregister_delegated_administrator, **deregister)[0] == "AccountNotRegisteredException"


def test_administrators_of_iam_use_centralized_root_access(world: Any, client: Any) -> None:
    iam = client_of(world, MEMBER, "iam")
    features = iam.list_organizations_features
    assert refused(features)[0] == "AccountNotManagementOrDelegatedAdministratorException"
    client.register_delegated_administrator(AccountId=MEMBER, ServicePrincipal="iam.amazonaws.com")
    assert features()["EnabledFeatures"] == []
    client.disable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    assert refused(features)[0] == "ServiceAccessNotEnabledException"
    assert client.list_aws_service_access_for_organization()["EnabledServicePrincipals"] == []
    client.enable_aws_service_access(ServicePrincipal="iam.amazonaws.com")
    assert features()["EnabledFeatures"] == []


def test_tags(client: Any) -> None:
    tag, listed = client.tag_resource, client.list_tags_for_resource
    for resource in (ROOT, UNIT, MEMBER, GUARD):
        tag(ResourceId=resource, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
        tag(ResourceId=resource, Tags=[{"Key": "a", "Value": "2"}])
        client.untag_resource(ResourceId=resource, TagKeys=["b", "c"])
        assert listed(ResourceId=resource)["Tags"] == [{"Key": "a", "Value": "2"}]
    twice = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    assert refused(tag, ResourceId=UNIT, Tags=twice) == ("InvalidInputException", "DUPLICATE_TAG_KEY")
    reserved = [{"Key": "aws:a", "Value": "1"}]
    assert refused(tag, ResourceId=UNIT, Tags=reserved)[1] == "INVALID_SYSTEM_TAGS_PARAMETER"
    many = [{"Key": f"{number}", "Value": ""} for number in range(50)]
    assert refused(tag, ResourceId=UNIT, Tags=many) == (VIOLATION, "MAX_TAG_LIMIT_EXCEEDED")
    for missing in (OUTSIDE, "p-99999999", "p-FullAWSAccess", "rp-1111", "r-zzzz", "ou-exam-99999999"):
        assert refused(listed, ResourceId=missing)[0] == "TargetNotFoundException"


def test_there_are_no_handshakes_and_no_transfers(world: Any, client: Any) -> None:
    outside = client_of(world, OUTSIDE)
    assert outside.list_handshakes_for_account()["Handshakes"] == []
    assert client.list_handshakes_for_organization()["Handshakes"] == []
    answers = (
        outside.describe_handshake,
        outside.accept_handshake,
        outside.decline_handshake,
        outside.cancel_handshake,
    )
    for answer in answers:
        assert refused(answer, HandshakeId="h-11111111")[0] == "HandshakeNotFoundException"
    invite = client.invite_account_to_organization
    assert refused(invite, Target={"Id": MEMBER, "Type": "ACCOUNT"})[1] == "ALREADY_IN_AN_ORGANIZATION"
    assert refused(invite, Target={"Id": OUTSIDE, "Type": "ACCOUNT"})[0] == VIOLATION
    assert client.list_outbound_responsibility_transfers(Type="BILLING")["ResponsibilityTransfers"] == []
    assert client.list_inbound_responsibility_transfers(Type="BILLING")["ResponsibilityTransfers"] == []
    no_transfer = ("ResponsibilityTransferNotFoundException", "")
    assert refused(client.list_inbound_responsibility_transfers, Type="BILLING", Id="rt-11111111") == no_transfer
    assert refused(client.describe_responsibility_transfer, Id="rt-11111111") == no_transfer
    assert refused(client.update_responsibility_transfer, Id="rt-11111111", Name="n") == no_transfer
    assert refused(client.terminate_responsibility_transfer, Id="rt-11111111") == no_transfer


def test_an_organization_invites_no_other_one(client: Any) -> None:
    """API reference, InviteOrganizationToTransferResponsibility, and the reasons of its exceptions."""
    invite = client.invite_organization_to_transfer_responsibility
    given = {"Type": "BILLING", "StartTimestamp": datetime(2100, 1, 1, tzinfo=UTC), "SourceName": "n"}
    account = {"Target": {"Id": OUTSIDE, "Type": "ACCOUNT"}}
    assert refused(invite, **given, Target={"Id": ORGANIZATION, "Type": "ORGANIZATION"})[1] == (
        "INVALID_PARTY_TYPE_TARGET"
    )
    assert refused(invite, **given, Target={"Id": MANAGEMENT, "Type": "ACCOUNT"})[1] == "SOURCE_AND_TARGET_CANNOT_MATCH"
    assert refused(invite, **given, Target={"Id": MEMBER, "Type": "ACCOUNT"})[1] == "TARGET_ACCOUNT_VALIDATION_FAILURE"
    assert refused(invite, **given, **account) == (VIOLATION, "HANDSHAKE_RATE_LIMIT_EXCEEDED")
    for start, reason in (
        (datetime(2100, 1, 1, 1, tzinfo=UTC), "START_DATE_NOT_BEGINNING_OF_DAY"),
        (datetime(2100, 1, 2, tzinfo=UTC), "START_DATE_NOT_BEGINNING_OF_MONTH"),
        (datetime(2020, 1, 1, tzinfo=UTC), "START_DATE_TOO_EARLY"),
    ):
        assert refused(invite, **{**given, "StartTimestamp": start}, **account) == ("InvalidInputException", reason)


def test_no_account_comes_into_being_in_govcloud(client: Any) -> None:
    """API reference, CreateGovCloudAccount: the management account must be paired with an account in GovCloud."""
    new = {"Email": "new@example.com", "AccountName": "new"}
    assert refused(client.create_gov_cloud_account, **new) == (VIOLATION, "MASTER_ACCOUNT_NOT_GOVCLOUD_ENABLED")
    role = {"RoleName": "AWSServiceRoleForNothing"}
    assert refused(client.create_gov_cloud_account, **new, **role)[1] == "INVALID_ROLE_NAME"
    assert client.list_create_account_status()["CreateAccountStatuses"] == []
