"""AssumeRoot: which callers may reach which root user, and what the session may do."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from certificate_calls import certificate
from sts_calls import (
    ACCOUNT,
    OTHER,
    UNCHECKED,
    account,
    allow,
    answered,
    declared,
    deny,
    no_allow,
    not_authorized,
    refusal,
    role,
    root_arn,
    root_user,
    session_arn,
    statement,
    trust,
    user,
    user_arn,
)

THIRD = "777788889999"
TASKS = "arn:aws:iam::aws:policy/root-task/"
AUDIT = TASKS + "IAMAuditRootUserCredentials"
ALL_TASKS = [
    "IAMAuditRootUserCredentials",
    "IAMCreateRootUserPassword",
    "IAMDeleteRootUserCredentials",
    "S3UnlockBucketPolicy",
    "SQSUnlockQueuePolicy",
]
ORGANIZATION = {"id": "o-example1234", "features": ["RootSessions"]}


def asked(target: str = OTHER, task: str = AUDIT, **more: Any) -> dict[str, Any]:
    return {"TargetPrincipal": target, "TaskPolicyArn": {"arn": task}, **more}


def world_of(make_world: Any, *users: dict[str, Any], accounts: Any = (), **organization: Any) -> Any:
    roles = [role("operator", trust(root_arn(), ["sts:AssumeRole", "sts:SetSourceIdentity"]), allow("*"))]
    first = account(users=list(users), roles=roles)
    others = accounts or [account(OTHER), {"id": THIRD}]
    return make_world(declared(first, *others, organization={**ORGANIZATION, **organization}))


def root_session(world: Any, service: str, task: str = AUDIT, target: str = OTHER, **more: Any) -> Any:
    answer = world.client("sts").assume_root(**asked(target, task, **more))
    return world.client(service, credentials=answer["Credentials"])


def test_the_session_is_the_root_user_of_the_target(make_world: Any) -> None:
    world = world_of(make_world)
    world.clock.freeze()
    for target in (OTHER, root_arn(OTHER)):
        answer = world.client("sts").assume_root(**asked(target))
        assert "SourceIdentity" not in answer
        identity = world.client("sts", credentials=answer["Credentials"]).get_caller_identity()
        assert (identity["Arn"], identity["UserId"], identity["Account"]) == (root_arn(OTHER), OTHER, OTHER)
        assert answer["Credentials"]["Expiration"].timestamp() == int(world.clock.now_seconds()) + 900


@pytest.mark.parametrize("task", ALL_TASKS)
def test_the_session_may_do_what_its_task_leaves_and_nothing_else(make_world: Any, task: str) -> None:
    world = world_of(make_world)
    iam = root_session(world, "iam", TASKS + task)
    permitted = {
        "ListAccessKeys": "Audit" in task or "Delete" in task,
        "GetAccountSummary": "Audit" in task,
        "GetUser": "Audit" in task or "Delete" in task,
    }
    for operation, may in permitted.items():
        told = answered(iam, operation)
        if may:
            assert told == "allowed", operation
        else:
            assert told[:2] == (403, "AccessDenied"), (operation, told)
            assert f"with an explicit deny in a session policy: {TASKS}{task}" in told[2]
    for operation in ("ListUsers", "ListRoles"):
        assert answered(iam, operation)[:2] == (403, "AccessDenied")
    chime = root_session(world, "chime", TASKS + task)
    assert answered(chime, "ListAccounts")[1] == "ForbiddenException"


def test_what_an_audit_sees(make_world: Any) -> None:
    iam = root_session(world_of(make_world), "iam")
    [key] = iam.list_access_keys()["AccessKeyMetadata"]
    assert key["AccessKeyId"] == f"root{OTHER}_key_for_tests"
    assert iam.get_account_summary()["SummaryMap"]["AccountAccessKeysPresent"] == 1
    assert iam.get_user()["User"]["Arn"] == root_arn(OTHER)
    # The task is about the root user, not about the account's users.
    assert answered(iam, "ListAccessKeys", UserName="other_admin")[:2] == (403, "AccessDenied")
    assert answered(iam, "GetUser", UserName="other_admin")[:2] == (403, "AccessDenied")


def test_a_root_users_password_is_made_shown_and_deleted_by_tasks(make_world: Any) -> None:
    world = world_of(make_world)
    audit, delete = root_session(world, "iam"), root_session(world, "iam", TASKS + "IAMDeleteRootUserCredentials")
    create = root_session(world, "iam", TASKS + "IAMCreateRootUserPassword")
    none = (404, "NoSuchEntity", "Login Profile for User root cannot be found.")
    for session in (audit, create, delete):
        assert refusal(session, "GetLoginProfile") == none
    # The user who recovers the account sets it, so the call must not pass one.
    assert refusal(create, "CreateLoginProfile", Password="Correct-Horse-7")[:2] == (400, "ValidationError")
    # API reference, CreateLoginProfile, MaxSigninSessionDuration: "This setting is not supported for the root user."
    unsupported = (400, "ValidationError", "MaxSigninSessionDuration is not supported for the root user")
    assert refusal(create, "CreateLoginProfile", MaxSigninSessionDuration=3600) == unsupported
    made = create.create_login_profile()["LoginProfile"]
    assert "UserName" not in made
    assert refusal(create, "CreateLoginProfile")[:2] == (409, "EntityAlreadyExists")
    for session in (audit, create, delete):
        assert session.get_login_profile()["LoginProfile"] == made
    assert audit.get_account_summary()["SummaryMap"]["AccountPasswordPresent"] == 1
    for session, operation in (
        (audit, "CreateLoginProfile"),
        (audit, "DeleteLoginProfile"),
        (create, "DeleteLoginProfile"),
    ):
        assert refusal(session, operation)[:2] == (403, "AccessDenied")
    for session in (create, delete):
        assert refusal(session, "GetLoginProfile", UserName="other_admin")[:2] == (403, "AccessDenied")
    delete.delete_login_profile()
    assert refusal(delete, "DeleteLoginProfile") == none
    assert audit.get_account_summary()["SummaryMap"]["AccountPasswordPresent"] == 0


def test_the_lists_that_an_audit_reads_are_empty_where_there_is_nothing(make_world: Any) -> None:
    iam = root_session(world_of(make_world), "iam")
    assert iam.list_signing_certificates()["Certificates"] == []
    assert iam.list_mfa_devices()["MFADevices"] == []
    assert refusal(iam, "UploadSigningCertificate", CertificateBody="x")[:2] == (403, "AccessDenied")


def test_a_root_users_key_can_be_deleted(make_world: Any) -> None:
    world = world_of(make_world)
    iam = root_session(world, "iam", TASKS + "IAMDeleteRootUserCredentials")
    iam.delete_access_key(AccessKeyId=f"root{OTHER}_key_for_tests")
    assert answered(world.client("sts", root_user(OTHER)), "GetCallerIdentity")[1] == "InvalidClientTokenId"


def test_control_policies_bear_on_the_session(make_world: Any) -> None:
    condition = {"Bool": {"aws:AssumedRoot": "true"}}
    document = deny("iam:GetAccountSummary", Condition=condition)
    policies = [{"name": "no-summary", "document": document, "targets": [OTHER]}]
    world = world_of(make_world, service_control_policies=policies)
    iam = root_session(world, "iam")
    assert "with an explicit deny in a service control policy" in refusal(iam, "GetAccountSummary")[2]
    iam.list_access_keys()
    # A call with the root user's own keys is no session of AssumeRoot.
    world.client("iam", root_user(OTHER)).get_account_summary()


def test_control_policies_spare_a_management_account_that_is_declared(make_world: Any) -> None:
    policies = [{"name": "no-listing", "document": deny("chime:ListAccounts")}]
    refused = "ForbiddenException"
    undeclared = world_of(make_world, service_control_policies=policies)
    assert answered(undeclared.client("chime"), "ListAccounts")[1] == refused
    world = world_of(make_world, service_control_policies=policies, management_account=ACCOUNT)
    assert answered(world.client("chime"), "ListAccounts") == "allowed"
    assert answered(world.client("chime", "other_admin"), "ListAccounts")[1] == refused


def test_what_a_root_session_cannot_call(make_world: Any) -> None:
    world = world_of(make_world)
    sts = root_session(world, "sts")
    for operation, parameters in (
        ("GetSessionToken", {}),
        ("GetFederationToken", {"Name": "fed"}),
        ("AssumeRole", {"RoleArn": f"arn:aws:iam::{OTHER}:role/x", "RoleSessionName": "session"}),
        ("AssumeRoot", asked()),
        ("GetAccessKeyInfo", {"AccessKeyId": "ASIAY34FZKBOKMUTVV7A"}),
    ):
        assert answered(sts, operation, **parameters)[:2] == (403, "AccessDenied")


# All operations of each task.

MFA_SERIAL = f"arn:aws:iam::{OTHER}:mfa/root-account-mfa-device"
DELETE = TASKS + "IAMDeleteRootUserCredentials"


def with_credentials(make_world: Any) -> Any:
    """A member account whose root user has an access key, an MFA device and a certificate."""
    device = {"name": "root-account-mfa-device", "seed": "GEZDGNBVGY3TQOJQ"}
    world = world_of(make_world, accounts=[account(OTHER, root_mfa_devices=[device])])
    world.client("iam", root_user(OTHER)).upload_signing_certificate(CertificateBody=certificate("root"))
    return world


def test_every_credential_of_a_root_user_can_be_seen_and_deleted(make_world: Any) -> None:
    world = with_credentials(make_world)
    audit, delete = root_session(world, "iam"), root_session(world, "iam", DELETE)
    for iam in (audit, delete):
        [key] = iam.list_access_keys()["AccessKeyMetadata"]
        [listed] = iam.list_signing_certificates()["Certificates"]
        [device] = iam.list_mfa_devices()["MFADevices"]
        assert device["SerialNumber"] == MFA_SERIAL
        assert iam.get_access_key_last_used(AccessKeyId=key["AccessKeyId"])["AccessKeyLastUsed"]
        assert iam.get_user()["User"]["Arn"] == root_arn(OTHER)
    delete.delete_access_key(AccessKeyId=key["AccessKeyId"])
    delete.delete_signing_certificate(CertificateId=listed["CertificateId"])
    delete.deactivate_mfa_device(SerialNumber=MFA_SERIAL)
    names = ("AccountAccessKeysPresent", "AccountMFAEnabled", "AccountPasswordPresent")
    summary = audit.get_account_summary()["SummaryMap"]
    assert [summary[name] for name in (*names, "AccountSigningCertificatesPresent")] == [0, 0, 0, 0]
    assert audit.get_user()["User"]["Arn"] == root_arn(OTHER)


# What each task's policy document leaves, by operation and parameters.
OF_ROOT: dict[str, dict[str, Any]] = {
    "GetUser": {},
    "ListAccessKeys": {},
    "ListMFADevices": {},
    "ListSigningCertificates": {},
    "GetLoginProfile": {},
    "GetAccountSummary": {},
    "GetAccessKeyLastUsed": {"AccessKeyId": f"root{OTHER}_key_for_tests"},
    "CreateLoginProfile": {},
    "DeleteLoginProfile": {},
    "DeleteAccessKey": {"AccessKeyId": f"root{OTHER}_key_for_tests"},
    "DeleteSigningCertificate": {"CertificateId": "A" * 32},
    "DeactivateMFADevice": {"SerialNumber": MFA_SERIAL},
    "CreateAccessKey": {},
    "UpdateAccessKey": {"AccessKeyId": f"root{OTHER}_key_for_tests", "Status": "Inactive"},
    "UploadSigningCertificate": {"CertificateBody": "certificate"},
    "UpdateSigningCertificate": {"CertificateId": "A" * 32, "Status": "Inactive"},
    "GetAccountPasswordPolicy": {},
    "UpdateAccountPasswordPolicy": {},
    "DeleteAccountPasswordPolicy": {},
}
LOOKING = {"GetUser", "ListAccessKeys", "ListMFADevices", "ListSigningCertificates", "GetLoginProfile"}
LOOKING |= {"GetAccessKeyLastUsed"}
LEFT = {
    "IAMAuditRootUserCredentials": LOOKING | {"GetAccountSummary"},
    "IAMCreateRootUserPassword": {"CreateLoginProfile", "GetLoginProfile"},
    "IAMDeleteRootUserCredentials": LOOKING
    | {"DeleteLoginProfile", "DeleteAccessKey", "DeleteSigningCertificate", "DeactivateMFADevice"},
    "S3UnlockBucketPolicy": set(),
    "SQSUnlockQueuePolicy": set(),
}


@pytest.mark.parametrize("task", ALL_TASKS)
def test_a_task_is_what_its_policy_leaves(make_world: Any, task: str) -> None:
    iam = root_session(with_credentials(make_world), "iam", TASKS + task)
    for operation, parameters in OF_ROOT.items():
        told = answered(iam, operation, **parameters)
        if operation in LEFT[task]:
            assert told == "allowed" or told[1] == "NoSuchEntity", (operation, told)
            continue
        sentence = not_authorized(root_arn(OTHER), f"iam:{operation}", because="")
        assert told[:2] == (403, "AccessDenied"), (operation, told)
        assert told[2].startswith(sentence)
        assert f"with an explicit deny in a session policy: {TASKS}{task}" in told[2]


@pytest.mark.parametrize("task", ALL_TASKS)
def test_a_task_is_about_the_root_user_alone(make_world: Any, task: str) -> None:
    """The session cannot reach other users of the member account, whatever the operation."""
    world = with_credentials(make_world)
    iam = root_session(world, "iam", TASKS + task)
    key = "other_admin_key_for_tests"
    on_user: dict[str, dict[str, Any]] = {
        "GetUser": {},
        "ListAccessKeys": {},
        "ListMFADevices": {},
        "ListSigningCertificates": {},
        "GetLoginProfile": {},
        "CreateLoginProfile": {},
        "DeleteLoginProfile": {},
        "DeleteAccessKey": {"AccessKeyId": key},
        "DeleteSigningCertificate": {"CertificateId": "A" * 32},
        "DeactivateMFADevice": {"SerialNumber": MFA_SERIAL},
    }
    for operation, parameters in on_user.items():
        told = refusal(iam, operation, UserName="other_admin", **parameters)
        assert told[:2] == (403, "AccessDenied"), (operation, told)
        assert "with an explicit deny in a session policy" in told[2]
    assert refusal(iam, "GetAccessKeyLastUsed", AccessKeyId=key)[:2] == (403, "AccessDenied")


# Permissions.


def not_reached(target: str = OTHER, arn: str = user_arn("admin")) -> tuple[int, str, str]:
    return 403, "AccessDenied", not_authorized(arn, "sts:AssumeRoot", root_arn(target))


def test_a_root_user_cannot(make_world: Any) -> None:
    world = world_of(make_world)
    message = "AssumeRoot may not be called with root user credentials."
    assert refusal(world.client("sts", root_user()), "AssumeRoot", **asked()) == (403, "AccessDenied", message)


def test_a_permission_is_needed_and_may_name_the_task(make_world: Any) -> None:
    on_task = {"StringEquals": {"sts:TaskPolicyArn": AUDIT}}
    users = [
        user("auditor", allow("sts:AssumeRoot", root_arn(OTHER), Condition=on_task)),
        user("nobody"),
        user("elsewhere", allow("sts:AssumeRoot", root_arn(THIRD))),
    ]
    world = world_of(make_world, *users)
    assert answered(world.client("sts", "auditor"), "AssumeRoot", **asked()) == "allowed"
    because = no_allow("identity-based policy", "sts:AssumeRoot")
    for name, parameters in (
        ("auditor", asked(task=TASKS + "S3UnlockBucketPolicy")),
        ("auditor", asked(THIRD)),
        ("nobody", asked()),
        ("elsewhere", asked()),
    ):
        target = root_arn(parameters["TargetPrincipal"])
        message = not_authorized(user_arn(name), "sts:AssumeRoot", target, because)
        assert refusal(world.client("sts", name), "AssumeRoot", **parameters) == (403, "AccessDenied", message)


def test_member_accounts_cannot_unless_they_are_delegated(make_world: Any) -> None:
    other = user_arn("other_admin", OTHER)
    world = world_of(make_world)
    assert refusal(world.client("sts", "other_admin"), "AssumeRoot", **asked(THIRD)) == not_reached(THIRD, other)
    delegated = world_of(make_world, delegated_administrators=[OTHER])
    assert answered(delegated.client("sts", "other_admin"), "AssumeRoot", **asked(THIRD)) == "allowed"
    assert refusal(delegated.client("sts", "other_admin"), "AssumeRoot", **asked(ACCOUNT)) == (
        not_reached(ACCOUNT, other)
    )


def test_the_management_account_is_the_one_declared(make_world: Any) -> None:
    world = world_of(make_world, management_account=OTHER)
    assert answered(world.client("sts", "other_admin"), "AssumeRoot", **asked(ACCOUNT)) == "allowed"
    assert refusal(world.client("sts"), "AssumeRoot", **asked(THIRD)) == not_reached(THIRD)


def test_targets_that_are_out_of_reach(make_world: Any) -> None:
    sts = world_of(make_world).client("sts")
    for target in (ACCOUNT, "999999999999"):
        assert refusal(sts, "AssumeRoot", **asked(target)) == not_reached(target)
    without = make_world(declared(account(), account(OTHER))).client("sts")
    assert refusal(without, "AssumeRoot", **asked()) == not_reached()


def test_the_feature_must_be_on(make_world: Any) -> None:
    world = world_of(make_world, features=["RootCredentialsManagement"])
    sts, iam = world.client("sts"), world.client("iam")
    assert refusal(sts, "AssumeRoot", **asked()) == not_reached()
    iam.enable_organizations_root_sessions()
    credentials = sts.assume_root(**asked())["Credentials"]
    iam.disable_organizations_root_sessions()
    assert refusal(sts, "AssumeRoot", **asked()) == not_reached()
    world.client("iam", credentials=credentials).get_account_summary()


# Values.


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (asked("nothing-valid-in-here"), "nothing-valid-in-here is invalid"),
        (asked(f"arn:aws:iam::{OTHER}:role/reader"), "Request ARN is invalid"),
        (asked("arn:aws:iam::x:root-of-all"), "Request ARN is invalid"),
        (asked(task="arn:aws:iam::aws:policy/AdministratorAccess"), "arn:aws:iam::aws:policy/AdministratorAccess is …"),
        (asked(task="arn:aws:iam::aws:policy/IAMAuditRootUserCredentials"), "arn:aws:iam::aws:policy/IAMAudit…"),
        (
            {"TargetPrincipal": OTHER, "TaskPolicyArn": {}},
            "1 validation error detected: Value null at 'taskPolicyArn' …",
        ),
        (
            asked(DurationSeconds=901),
            "1 validation error detected: Value '901' at 'durationSeconds' failed to satisfy constraint: "
            "Member must have value less than or equal to 900",
        ),
        (
            asked("12345"),
            "1 validation error detected: Value '12345' at 'targetPrincipal' failed to satisfy constraint: "
            "Member must have length greater than or equal to 12",
        ),
    ],
)
def test_values_that_are_refused(make_world: Any, parameters: dict[str, Any], message: str) -> None:
    sts = world_of(make_world).client("sts", config=UNCHECKED)
    status, code, told = refusal(sts, "AssumeRoot", **parameters)
    assert (status, code) == (400, "ValidationError")
    assert told.startswith(message[:-1]) if message.endswith("…") else told == message


def test_durations(make_world: Any) -> None:
    world = world_of(make_world)
    world.clock.freeze()
    for seconds in (0, 1, 60, 899):
        answer = world.client("sts").assume_root(**asked(DurationSeconds=seconds))
        assert answer["Credentials"]["Expiration"].timestamp() == int(world.clock.now_seconds()) + seconds
    gone = root_session(world, "sts", DurationSeconds=0)
    with pytest.raises(ClientError, match="ExpiredToken"):
        gone.get_caller_identity()


def test_the_source_identity_goes_along(make_world: Any) -> None:
    watched = {"StringEquals": {"aws:SourceIdentity": "ana"}}
    policies = [{"name": "no-summary", "document": deny("iam:GetAccountSummary", Condition=watched)}]
    world = world_of(make_world, service_control_policies=policies)
    sts = world.client("sts", credentials=world.assume("operator", SourceIdentity="ana"))
    answer = sts.assume_root(**asked())
    assert answer["SourceIdentity"] == "ana"
    iam = world.client("iam", credentials=answer["Credentials"])
    assert "service control policy" in refusal(iam, "GetAccountSummary")[2]
    plain = world.client("sts", credentials=world.assume("operator"))
    assert "SourceIdentity" not in plain.assume_root(**asked())
    assert plain.get_caller_identity()["Arn"] == session_arn("operator")


def test_the_global_endpoint_does_not_have_it(make_world: Any) -> None:
    world = world_of(make_world)
    everywhere = world.client("sts", endpoint_url="http://sts.amazonaws.com")
    assert refusal(everywhere, "AssumeRoot", **asked()) == (400, "InvalidAction", "Unknown Operation")
    regional = world.client("sts", region="eu-west-1", endpoint_url="http://sts.eu-west-1.amazonaws.com")
    assert answered(regional, "AssumeRoot", **asked()) == "allowed"


# The features.

NO_ORGANIZATION = "The request was rejected because no organization is associated with your account."
FEATURES = [
    "EnableOrganizationsRootSessions",
    "EnableOrganizationsRootCredentialsManagement",
    "DisableOrganizationsRootSessions",
    "DisableOrganizationsRootCredentialsManagement",
    "ListOrganizationsFeatures",
]


def test_features_are_switched_on_and_off(make_world: Any) -> None:
    iam = world_of(make_world, features=[]).client("iam")

    def features() -> list[str]:
        answer = iam.list_organizations_features()
        assert answer["OrganizationId"] == ORGANIZATION["id"]
        return answer["EnabledFeatures"]  # type: ignore[no-any-return]

    assert features() == []
    assert iam.enable_organizations_root_sessions()["EnabledFeatures"] == ["RootSessions"] == features()
    both = ["RootCredentialsManagement", "RootSessions"]
    for _ in range(2):
        assert iam.enable_organizations_root_credentials_management()["EnabledFeatures"] == both == features()
    answer = iam.disable_organizations_root_sessions()
    assert answer["EnabledFeatures"] == ["RootCredentialsManagement"] == features()
    for _ in range(2):
        assert iam.disable_organizations_root_credentials_management()["EnabledFeatures"] == [] == features()


@pytest.mark.parametrize("operation", FEATURES)
def test_who_may_switch_them(make_world: Any, operation: str) -> None:
    world = world_of(make_world, delegated_administrators=[THIRD], accounts=[account(OTHER), _third()])
    assert answered(world.client("iam"), operation) == "allowed"
    code = "AccountNotManagementOrDelegatedAdministratorException"
    assert refusal(world.client("iam", "other_admin"), operation)[:2] == (400, code)
    told = answered(world.client("iam", "third_admin"), operation)
    if operation.startswith("Enable"):
        assert told[:2] == (400, "CallerIsNotManagementAccountException")
    else:
        assert told == "allowed"
    alone = make_world(declared(account()))
    assert refusal(alone.client("iam"), operation) == (400, "OrganizationNotFoundException", NO_ORGANIZATION)


def _third() -> dict[str, Any]:
    third = user("third_admin", allow("*"))
    return {"id": THIRD, "users": [third]}


@pytest.mark.parametrize("operation", FEATURES)
def test_they_need_a_permission(make_world: Any, operation: str) -> None:
    rights = {"Version": "2012-10-17", "Statement": [statement("sts:*")]}
    iam = world_of(make_world, user("ana", rights)).client("iam", "ana")
    assert refusal(iam, operation)[:2] == (403, "AccessDenied")
