"""The quotas of IAM: each tested on both sides, with AWS's value and with a sandbox file's value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from certificate_calls import certificate, certified
from iam_calls import ACCOUNT, fails
from mfa_calls import new_device
from saml_calls import idp
from ssh_calls import rsa_key, ssh
from yaml_tables import read_table

from rolecall.data import QUOTA_FIELDS, QUOTAS

ROWS = read_table((Path(__file__).parent / "cases" / "iam_quotas.yaml").read_text(encoding="utf-8"))
BY_NAME = {row["name"]: row for row in ROWS}
MET = [row["name"] for row in ROWS if row.get("met")]
Reach = Callable[[Any, Any, int], None]


def declared(quotas: dict[str, int]) -> str:
    """One account with an administrator, a user, a group, a role and a policy, and these quotas."""
    key = {"id": "admin_key_for_tests", "secret": "admin-secret"}
    account = {
        "id": ACCOUNT,
        "root_access_keys": [{"id": "root_key_for_tests", "secret": "root-secret"}],
        "users": [
            {
                "name": "admin",
                "access_keys": [key],
                "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
            },
            {"name": "ana"},
        ],
        "groups": [{"name": "team"}],
        "roles": [{"name": "worker", "trust_policy": json.loads(trust(150))}],
        "policies": [{"name": "limits", "document": json.loads(document(150))}],
    }
    return json.dumps({"version": 1, "accounts": [account], "settings": {"quotas": quotas}})


def document(characters: int) -> str:
    """An identity policy with so many characters that count; its spaces do not."""
    head = '{"Version":"2012-10-17",  "Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::'
    return padded(head, '"}]}', characters)


def trust(characters: int) -> str:
    statement = '"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"*"},"Sid":"'
    head = '{"Version":"2012-10-17",\n "Statement":[{' + statement
    return padded(head, '"}]}', characters)


def padded(head: str, tail: str, characters: int) -> str:
    blanks = sum(character.isspace() for character in head)
    return head + "a" * (characters - len(head) + blanks - len(tail)) + tail


POLICY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/limits"
# AWS policies that may be attached.
OF_AWS = [
    f"arn:aws:iam::aws:policy/{name}"
    for name in [
        "AdministratorAccess",
        "AmazonChimeFullAccess",
        "AmazonChimeReadOnly",
        "AmazonChimeSDK",
        "AmazonChimeUserManagement",
        "AmazonDynamoDBFullAccess",
        "AmazonEC2FullAccess",
        "AmazonEC2ReadOnlyAccess",
        "AmazonEKSClusterPolicy",
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "AmazonRDSFullAccess",
        "AmazonS3FullAccess",
        "AmazonS3ReadOnlyAccess",
        "AmazonSNSFullAccess",
        "AmazonSQSFullAccess",
        "AmazonVPCFullAccess",
        "AWSXRayDaemonWriteAccess",
        "CloudWatchAgentServerPolicy",
        "IAMFullAccess",
        "IAMReadOnlyAccess",
        "PowerUserAccess",
    ]
]


def refused(call: Any, message: str, code: str = "LimitExceeded", status: int = 409, **arguments: Any) -> None:
    fails(call, code, message, status, **arguments)


def fill_account(operation: str, name: str, present: int, more: dict[str, Any], quota: str) -> Reach:
    """Makes entities until the account is at its limit, and then one more."""

    def reach(_world: Any, iam: Any, limit: int) -> None:
        create = getattr(iam, operation)
        for number in range(limit - present):
            create(**{name: f"new-{number}"}, **more)
        refused(create, f"Cannot exceed quota for {quota}: {limit}", **{name: "too-many"}, **more)

    return reach


def roles(_world: Any, iam: Any, limit: int) -> None:
    for number in range(limit - 1):
        iam.create_role(RoleName=f"new-{number}", AssumeRolePolicyDocument=trust(150))
    message = f"Cannot exceed quota for RolesPerAccount: {limit}"
    refused(iam.create_role, message, RoleName="too-many", AssumeRolePolicyDocument=trust(150))
    # A service's role counts too.
    refused(iam.create_service_linked_role, message, AWSServiceName="autoscaling.amazonaws.com")


def attached(kind: str, name: str) -> Reach:
    def reach(_world: Any, iam: Any, limit: int) -> None:
        attach = getattr(iam, f"attach_{kind}_policy")
        owner = {f"{kind.capitalize()}Name": name}
        for arn in OF_AWS[:limit]:
            attach(**owner, PolicyArn=arn)
        # An attached policy may be attached again.
        attach(**owner, PolicyArn=OF_AWS[0])
        message = f"Cannot exceed quota for PoliciesPer{kind.capitalize()}: {limit}"
        refused(attach, message, **owner, PolicyArn=OF_AWS[limit])

    return reach


def groups_of_a_user(_world: Any, iam: Any, limit: int) -> None:
    for number in range(limit + 1):
        iam.create_group(GroupName=f"g{number}")
    for number in range(limit):
        iam.add_user_to_group(GroupName=f"g{number}", UserName="ana")
    message = f"Cannot exceed quota for GroupsPerUser: {limit}"
    refused(iam.add_user_to_group, message, GroupName=f"g{limit}", UserName="ana")


def versions(_world: Any, iam: Any, limit: int) -> None:
    for _ in range(limit - 1):
        iam.create_policy_version(PolicyArn=POLICY_ARN, PolicyDocument=document(150))
    message = (
        f"A managed policy can have up to {limit} versions. Before you create a new version, you must delete an "
        "existing version."
    )
    refused(iam.create_policy_version, message, PolicyArn=POLICY_ARN, PolicyDocument=document(150))


def access_keys(_world: Any, iam: Any, limit: int) -> None:
    for _ in range(limit):
        iam.create_access_key(UserName="ana")
    refused(iam.create_access_key, f"Cannot exceed quota for AccessKeysPerUser: {limit}", UserName="ana")


def access_keys_of_root(world: Any, _iam: Any, limit: int) -> None:
    root = world.client("iam", user=f"root of {ACCOUNT}")
    for _ in range(limit - 1):
        root.create_access_key()
    refused(root.create_access_key, f"Cannot exceed quota for AccessKeysPerUser: {limit}")


def certificates(_world: Any, iam: Any, limit: int) -> None:
    for _ in range(limit):
        iam.upload_signing_certificate(UserName="ana", CertificateBody=certificate())
    message = f"Cannot exceed quota for CertificatesPerUser: {limit}"
    refused(iam.upload_signing_certificate, message, UserName="ana", CertificateBody=certificate())


def ssh_public_keys(_world: Any, iam: Any, limit: int) -> None:
    for number in range(limit):
        iam.upload_ssh_public_key(UserName="ana", SSHPublicKeyBody=ssh(rsa_key(number)))
    message = f"Cannot exceed quota for SSHPublicKeysPerUser: {limit}"
    refused(iam.upload_ssh_public_key, message, UserName="ana", SSHPublicKeyBody=ssh(rsa_key(limit)))


def service_credentials(_world: Any, iam: Any, limit: int) -> None:
    create = iam.create_service_specific_credential
    for _ in range(limit):
        create(UserName="ana", ServiceName="bedrock.amazonaws.com")
    message = f"Cannot exceed quota for ContextSpecificCredentialsPerUserPerContext: {limit}"
    refused(create, message, UserName="ana", ServiceName="bedrock.amazonaws.com")
    create(UserName="ana", ServiceName="logs.amazonaws.com")


def server_certificates(_world: Any, iam: Any, limit: int) -> None:
    site = certified("site")
    given = {"CertificateBody": site.body, "PrivateKey": site.private_key}
    for number in range(limit):
        iam.upload_server_certificate(ServerCertificateName=f"site{number}", **given)
    message = f"Cannot exceed quota for ServerCertificatesPerAccount: {limit}"
    refused(iam.upload_server_certificate, message, ServerCertificateName="one-more", **given)


def mfa_devices(world: Any, iam: Any, limit: int) -> None:
    for number in range(limit + 1):
        device = new_device(world, iam, f"phone{number}")
        codes = {"UserName": "ana", "SerialNumber": device.serial_number, **device.pair()}
        if number < limit:
            iam.enable_mfa_device(**codes)
        else:
            refused(iam.enable_mfa_device, f"Cannot exceed quota for MFADevicesPerUser: {limit}", **codes)


def oidc_providers(_world: Any, iam: Any, limit: int) -> None:
    for number in range(limit):
        iam.create_open_id_connect_provider(Url=f"https://issuer{number}.example.com")
    message = f"Cannot exceed quota for OpenIdConnectProvidersPerAccount: {limit}"
    refused(iam.create_open_id_connect_provider, message, Url="https://one-more.example.com")


def saml_providers(_world: Any, iam: Any, limit: int) -> None:
    for number in range(limit):
        iam.create_saml_provider(Name=f"idp{number}", SAMLMetadataDocument=idp().metadata)
    message = f"Cannot exceed quota for SAMLProvidersPerAccount: {limit}"
    refused(iam.create_saml_provider, message, Name="too-many", SAMLMetadataDocument=idp().metadata)


def client_ids(_world: Any, iam: Any, limit: int) -> None:
    ids = [f"client-{number}" for number in range(limit)]
    made = iam.create_open_id_connect_provider(Url="https://issuer.example.com", ClientIDList=ids)
    arn = made["OpenIDConnectProviderArn"]
    message = f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {limit}"
    refused(iam.add_client_id_to_open_id_connect_provider, message, OpenIDConnectProviderArn=arn, ClientID="one-more")
    more = {"Url": "https://other.example.com", "ClientIDList": [*ids, "one-more"]}
    refused(iam.create_open_id_connect_provider, message, **more)


def thumbprints(_world: Any, iam: Any, limit: int) -> None:
    prints = [f"{number:040}" for number in range(limit + 1)]
    made = iam.create_open_id_connect_provider(Url="https://issuer.example.com", ThumbprintList=prints[:limit])
    arn = made["OpenIDConnectProviderArn"]
    message = f"Thumbprint list must contain fewer than {limit} entries."
    update = iam.update_open_id_connect_provider_thumbprint
    refused(update, message, "InvalidInput", 400, OpenIDConnectProviderArn=arn, ThumbprintList=prints)


def tags(_world: Any, iam: Any, limit: int) -> None:
    for number in range(limit):
        iam.tag_user(UserName="ana", Tags=[{"Key": f"k{number}", "Value": ""}])
    # An existing tag may get another value.
    iam.tag_user(UserName="ana", Tags=[{"Key": "K0", "Value": "new"}])
    message = "The number of tags has reached the maximum limit."
    refused(iam.tag_user, message, UserName="ana", Tags=[{"Key": "one-more", "Value": ""}])


def managed_size(_world: Any, iam: Any, limit: int) -> None:
    iam.create_policy(PolicyName="full", PolicyDocument=document(limit))
    iam.create_policy_version(PolicyArn=POLICY_ARN, PolicyDocument=document(limit))
    message = f"Cannot exceed quota for PolicySize: {limit}"
    refused(iam.create_policy, message, PolicyName="over", PolicyDocument=document(limit + 1))
    refused(iam.create_policy_version, message, PolicyArn=POLICY_ARN, PolicyDocument=document(limit + 1))


def trust_size(_world: Any, iam: Any, limit: int) -> None:
    iam.update_assume_role_policy(RoleName="worker", PolicyDocument=trust(limit))
    message = f"Cannot exceed quota for ACLSizePerRole: {limit}"
    refused(iam.update_assume_role_policy, message, RoleName="worker", PolicyDocument=trust(limit + 1))
    refused(iam.create_role, message, RoleName="over", AssumeRolePolicyDocument=trust(limit + 1))


def inline_size(kind: str, name: str) -> Reach:
    """All inline policies of an entity together."""

    def reach(_world: Any, iam: Any, limit: int) -> None:
        put = getattr(iam, f"put_{kind}_policy")
        owner = {f"{kind.capitalize()}Name": name}
        put(**owner, PolicyName="one", PolicyDocument=document(limit // 2))
        put(**owner, PolicyName="two", PolicyDocument=document(limit - limit // 2))
        message = f"Maximum policy size of {limit} bytes exceeded for {kind} {name}"
        refused(put, message, **owner, PolicyName="two", PolicyDocument=document(limit - limit // 2 + 1))

    return reach


REACH: dict[str, Reach] = {
    "UsersPerAccount": fill_account("create_user", "UserName", 2, {}, "UsersPerAccount"),
    "GroupsPerAccount": fill_account("create_group", "GroupName", 1, {}, "GroupsPerAccount"),
    "RolesPerAccount": roles,
    "PoliciesPerAccount": fill_account(
        "create_policy", "PolicyName", 1, {"PolicyDocument": document(150)}, "PoliciesPerAccount"
    ),
    "InstanceProfilesPerAccount": fill_account(
        "create_instance_profile", "InstanceProfileName", 0, {}, "InstanceProfilesPerAccount"
    ),
    "PoliciesPerUser": attached("user", "ana"),
    "PoliciesPerGroup": attached("group", "team"),
    "PoliciesPerRole": attached("role", "worker"),
    "GroupsPerUser": groups_of_a_user,
    "VersionsPerPolicy": versions,
    "AccessKeysPerUser": access_keys,
    "AccessKeysPerRoot": access_keys_of_root,
    "CertificatesPerUser": certificates,
    "SSHPublicKeysPerUser": ssh_public_keys,
    "ContextSpecificCredentialsPerUserPerContext": service_credentials,
    "ServerCertificatesPerAccount": server_certificates,
    "MFADevicesPerUser": mfa_devices,
    "OpenIdConnectProvidersPerAccount": oidc_providers,
    "SAMLProvidersPerAccount": saml_providers,
    "ClientIdsPerOpenIdConnectProvider": client_ids,
    "ThumbprintsPerOpenIdConnectProvider": thumbprints,
    "TagsPerResource": tags,
    "PolicySize": managed_size,
    "ACLSizePerRole": trust_size,
    "UserPolicySize": inline_size("user", "ana"),
    "GroupPolicySize": inline_size("group", "team"),
    "RolePolicySize": inline_size("role", "worker"),
}
REACHED_BY_NOTHING = {"PolicyVersionsInUse"}


# tests/services/test_organizations_quotas.py reaches these.
OF_ORGANIZATIONS = {
    "AccountsPerOrganization",
    "OrganizationalUnitsPerOrganization",
    "OrganizationPoliciesPerType",
    "OrganizationPoliciesPerTarget",
    "ResourceControlPoliciesPerTarget",
    "ServiceControlPoliciesPerOrganization",
}


def test_every_quota_of_the_table_is_met() -> None:
    assert set(REACH) | REACHED_BY_NOTHING == set(BY_NAME)
    codes_and_titles = {name for name in QUOTA_FIELDS if name.startswith("L-") or " " in name}
    assert set(BY_NAME) | OF_ORGANIZATIONS == set(QUOTA_FIELDS) - codes_and_titles


@pytest.mark.parametrize("name", MET)
def test_a_quota_as_aws_ships_it(make_world: Any, name: str) -> None:
    world = make_world(declared({}))
    REACH[name](world, world.client("iam"), BY_NAME[name]["default"])


@pytest.mark.parametrize("name", list(REACH))
def test_a_quota_as_the_sandbox_file_has_it(make_world: Any, name: str) -> None:
    world = make_world(declared({name: BY_NAME[name]["changed"]}))
    REACH[name](world, world.client("iam"), BY_NAME[name]["changed"])


def test_the_shipped_defaults_are_awss() -> None:
    shipped = {name: getattr(QUOTAS, QUOTA_FIELDS[name]) for name in BY_NAME}
    assert shipped == {name: row["default"] for name, row in BY_NAME.items()}


def test_a_code_is_a_name_too() -> None:
    codes = {row["code"]: row["name"] for row in ROWS if "code" in row}
    assert {code: QUOTA_FIELDS[code] for code in codes} == {code: QUOTA_FIELDS[name] for code, name in codes.items()}


def test_the_account_summary_shows_awss_quotas_and_the_files(make_world: Any) -> None:
    shown = make_world(declared({})).client("iam").get_account_summary()["SummaryMap"]
    in_summary = {row["summary"]: row for row in ROWS if "summary" in row}
    assert {name: shown[name] for name in in_summary} == {name: row["default"] for name, row in in_summary.items()}
    assert {name for name in shown if name.endswith("Quota")} == set(in_summary)
    changed = make_world(declared({row["name"]: row["changed"] for row in ROWS}))
    shown = changed.client("iam").get_account_summary()["SummaryMap"]
    assert {name: shown[name] for name in in_summary} == {name: row["changed"] for name, row in in_summary.items()}


def test_a_code_and_a_title_of_service_quotas_name_a_quota(make_world: Any) -> None:
    for name in ("L-F4A5425F", "Groups per account", "GroupsPerAccount"):
        iam = make_world(declared({name: 1})).client("iam")
        refused(iam.create_group, "Cannot exceed quota for GroupsPerAccount: 1", GroupName="second")


def test_entities_of_the_file_may_be_more_than_the_quota(make_world: Any) -> None:
    iam = make_world(declared({"UsersPerAccount": 0, "TagsPerResource": 1})).client("iam")
    refused(iam.create_user, "Cannot exceed quota for UsersPerAccount: 0", UserName="new")
    assert len(iam.list_users()["Users"]) == 2


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("create_user", {"UserName": "new"}),
        ("create_role", {"RoleName": "new", "AssumeRolePolicyDocument": trust(150)}),
        ("create_policy", {"PolicyName": "new", "PolicyDocument": document(150)}),
        ("create_virtual_mfa_device", {"VirtualMFADeviceName": "new"}),
        ("create_open_id_connect_provider", {"Url": "https://issuer.example.com"}),
        ("create_saml_provider", {"Name": "new", "SAMLMetadataDocument": idp().metadata}),
        ("tag_role", {"RoleName": "worker"}),
        ("tag_policy", {"PolicyArn": POLICY_ARN}),
        ("create_instance_profile", {"InstanceProfileName": "new"}),
    ],
)
def test_the_quota_of_tags_holds_for_whatever_is_made_with_them(
    make_world: Any, operation: str, arguments: dict[str, Any]
) -> None:
    iam = make_world(declared({"TagsPerResource": 2})).client("iam")
    given = [{"Key": f"k{number}", "Value": ""} for number in range(3)]
    message = "The number of tags has reached the maximum limit."
    refused(getattr(iam, operation), message, **arguments, Tags=given)
    getattr(iam, operation)(**arguments, Tags=given[:2])


def test_virtual_devices_of_an_account_are_as_many_as_its_users(make_world: Any) -> None:
    """IAM User Guide, IAM and AWS STS quotas: virtual MFA devices, "equal to the user quota for the account"."""
    iam = make_world(declared({"UsersPerAccount": 2})).client("iam")
    for number in range(2):
        iam.create_virtual_mfa_device(VirtualMFADeviceName=f"phone{number}")
    message = "Cannot exceed quota for VirtualMFADevicesPerAccount: 2"
    refused(iam.create_virtual_mfa_device, message, VirtualMFADeviceName="third")
