"""Has aws-nuke list and delete an account that has one of everything that IAM keeps, and compares with boto3.

    python nuke_account.py PROGRAM

Prints what aws-nuke lists, what it cannot delete and why, and what is left. Its configuration also names a service
"": aws-nuke makes its first two calls, GetCallerIdentity and ListAccountAliases, as a service without a name.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config

sys.path.append(str(Path(__file__).parent.parent))
from certificate_calls import certificate, certified
from ssh_calls import rsa_key, ssh

from rolecall.sessions.one_time_codes import STEP_SECONDS, codes_from

REGION = "us-east-1"
# The user that runs aws-nuke keeps its key and its rights, so that the run reaches its end.
KEPT = {
    "IAMUser": ["auditor"],
    "IAMUserAccessKey": ["auditor -> AKIAAUDITR0000000001"],
    "IAMUserPolicyAttachment": ["auditor -> AdministratorAccess"],
}
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "chime:*", "Resource": "*"}]})
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)
LISTED = re.compile(rf"{REGION} - (IAM\w+) - (.+?)(?: - \[.*\])? - would remove", re.MULTILINE)


def fill(iam: Any, url: str) -> None:
    """Make one or more of each resource that aws-nuke lists, in each state that matters for its deletion."""
    policy = iam.create_policy(PolicyName="versions", Path="/team/", PolicyDocument=ALLOW)["Policy"]["Arn"]
    for _ in range(4):
        iam.create_policy_version(PolicyArn=policy, PolicyDocument=ALLOW, SetAsDefault=True)
    iam.create_group(GroupName="team", Path="/team/")
    iam.attach_group_policy(GroupName="team", PolicyArn=policy)
    iam.put_group_policy(GroupName="team", PolicyName="own", PolicyDocument=ALLOW)
    _roles(iam, policy)
    _user(iam, policy)
    site = certified("site")
    iam.upload_server_certificate(
        ServerCertificateName="site", CertificateBody=site.body, PrivateKey=site.private_key, Path="/site/"
    )
    iam.create_open_id_connect_provider(Url="https://idp.example.com/tenant", ClientIDList=["a"])
    with urllib.request.urlopen(f"{url}/_rolecall/saml/corporate/metadata.xml", timeout=10) as answer:
        iam.create_saml_provider(Name="corporate", SAMLMetadataDocument=answer.read().decode())


def _roles(iam: Any, policy: str) -> None:
    iam.create_role(RoleName="team", Path="/team/", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=policy)
    iam.attach_role_policy(RoleName="team", PolicyArn=policy)
    iam.put_role_policy(RoleName="team", PolicyName="own", PolicyDocument=ALLOW)
    iam.create_instance_profile(InstanceProfileName="team", Path="/team/")
    iam.add_role_to_instance_profile(InstanceProfileName="team", RoleName="team")
    iam.create_instance_profile(InstanceProfileName="without-a-role")
    iam.create_service_linked_role(AWSServiceName="voiceconnector.chime.amazonaws.com")
    # More than a page of 100.
    for number in range(110):
        iam.create_role(RoleName=f"of-many-{number:03}", AssumeRolePolicyDocument=TRUST)


def _user(iam: Any, policy: str) -> None:
    iam.create_user(UserName="ana", Path="/team/", PermissionsBoundary=policy, Tags=[{"Key": "team", "Value": "a"}])
    iam.attach_user_policy(UserName="ana", PolicyArn=policy)
    iam.put_user_policy(UserName="ana", PolicyName="own", PolicyDocument=ALLOW)
    iam.add_user_to_group(UserName="ana", GroupName="team")
    iam.create_login_profile(UserName="ana", Password="Correct-horse-7")
    for status in ("Active", "Inactive"):
        key = iam.create_access_key(UserName="ana")["AccessKey"]["AccessKeyId"]
        iam.update_access_key(UserName="ana", AccessKeyId=key, Status=status)
    iam.upload_ssh_public_key(UserName="ana", SSHPublicKeyBody=ssh(rsa_key()))
    # Without Bedrock: its credentials have no ServiceUserName, and aws-nuke stops listing credentials at one.
    for service in ("codecommit.amazonaws.com", "cassandra.amazonaws.com"):
        iam.create_service_specific_credential(UserName="ana", ServiceName=service)
    enabled = iam.create_virtual_mfa_device(VirtualMFADeviceName="ana-phone")["VirtualMFADevice"]
    first, second = codes_from(enabled["Base32StringSeed"].decode(), _step() - 1, 2)
    iam.enable_mfa_device(
        UserName="ana", SerialNumber=enabled["SerialNumber"], AuthenticationCode1=first, AuthenticationCode2=second
    )
    iam.create_virtual_mfa_device(VirtualMFADeviceName="unassigned")
    # aws-nuke does not know signing certificates, so it cannot delete this user.
    iam.create_user(UserName="signer")
    iam.upload_signing_certificate(UserName="signer", CertificateBody=certificate("signer"))


def _step() -> int:
    return int(time.time()) // STEP_SECONDS


def content(iam: Any) -> dict[str, list[str]]:
    """The account's content as boto3 reads it, by aws-nuke's types and in its notation."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    found["IAMPolicy"] = _arns(pages(iam, "list_policies", "Policies", Scope="Local"))
    found["IAMOpenIDConnectProvider"] = _arns(iam.list_open_id_connect_providers()["OpenIDConnectProviderList"])
    found["IAMSAMLProvider"] = _arns(iam.list_saml_providers()["SAMLProviderList"])
    listed = iam.list_server_certificates()["ServerCertificateMetadataList"]
    found["IAMServerCertificate"] = [each["ServerCertificateName"] for each in listed]
    found["IAMVirtualMFADevice"] = [
        each["SerialNumber"] for each in iam.list_virtual_mfa_devices()["VirtualMFADevices"]
    ]
    for group in pages(iam, "list_groups", "Groups"):
        _of_entity(iam, "Group", group["GroupName"], found)
    for role in pages(iam, "list_roles", "Roles"):
        # aws-nuke leaves these out, as their services delete them.
        if not role["Path"].startswith("/aws-service-role/"):
            _of_entity(iam, "Role", role["RoleName"], found)
    for profile in pages(iam, "list_instance_profiles", "InstanceProfiles"):
        name = profile["InstanceProfileName"]
        found["IAMInstanceProfile"].append(name)
        found["IAMInstanceProfileRole"] += [f"{name} -> {role['RoleName']}" for role in profile["Roles"]]
    for user in pages(iam, "list_users", "Users"):
        _of_entity(iam, "User", user["UserName"], found)
        _of_user(iam, user["UserName"], found)
    remaining = {kind: [each for each in names if each not in KEPT.get(kind, ())] for kind, names in found.items()}
    return {kind: sorted(names) for kind, names in remaining.items() if names}


def pages(iam: Any, operation: str, member: str, **given: Any) -> Iterator[Any]:
    for page in iam.get_paginator(operation).paginate(**given):
        yield from page[member]


def _arns(listed: Iterable[dict[str, Any]]) -> list[str]:
    return [each["Arn"] for each in listed]


def _of_entity(iam: Any, kind: str, name: str, found: defaultdict[str, list[str]]) -> None:
    given = {f"{kind}Name": name}
    found[f"IAM{kind}"].append(name)
    for own in pages(iam, f"list_{kind.lower()}_policies", "PolicyNames", **given):
        found[f"IAM{kind}Policy"].append(f"{name} -> {own}")
    for attached in pages(iam, f"list_attached_{kind.lower()}_policies", "AttachedPolicies", **given):
        found[f"IAM{kind}PolicyAttachment"].append(f"{name} -> {attached['PolicyName']}")


def _of_user(iam: Any, user: str, found: defaultdict[str, list[str]]) -> None:
    for kind, operation, member, name in (
        ("IAMUserGroupAttachment", "list_groups_for_user", "Groups", "GroupName"),
        ("IAMUserAccessKey", "list_access_keys", "AccessKeyMetadata", "AccessKeyId"),
        ("IAMUserSSHPublicKey", "list_ssh_public_keys", "SSHPublicKeys", "SSHPublicKeyId"),
    ):
        found[kind] += [f"{user} -> {each[name]}" for each in pages(iam, operation, member, UserName=user)]
    made = iam.list_service_specific_credentials(UserName=user)["ServiceSpecificCredentials"]
    found["IAMServiceSpecificCredential"] += [f"{user} -> {each['ServiceUserName']}" for each in made]
    with suppress(iam.exceptions.NoSuchEntityException):
        iam.get_login_profile(UserName=user)
        found["IAMLoginProfile"].append(user)


def nuked(program: str, url: str, *options: str) -> str:
    """What aws-nuke prints."""
    services = [{"service": service, "url": url} for service in ("sts", "iam", "")]
    configuration = {
        "regions": [REGION],
        "account-blocklist": ["999999999999"],
        "accounts": {"111122223333": {"filters": KEPT}},
        "resource-types": {"targets": types(program)},
        "endpoints": [{"region": REGION, "services": services}],
    }
    Path("aws-nuke.yml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    command = [program, "--config", "aws-nuke.yml", "--access-key-id", key, "--secret-access-key", secret]
    done = subprocess.run(
        [*command, "--force", "--force-sleep", "3", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    print(done.stdout)
    print(f"exit status {done.returncode}")
    return done.stdout


def types(program: str) -> list[str]:
    listed = subprocess.run([program, "resource-types"], stdout=subprocess.PIPE, text=True, check=True, timeout=60)
    return [each for each in listed.stdout.split() if each.startswith("IAM")]


def compared(program: str, iam: Any, url: str) -> None:
    """Print what only boto3 or only aws-nuke finds."""
    there = Counter((kind, name) for kind, names in content(iam).items() for name in names)
    listed = Counter(LISTED.findall(nuked(program, url)))
    for finder, others in (("boto3", there - listed), ("aws-nuke", listed - there)):
        for kind, name in others:
            print(f"different: {kind} {name}, which {finder} finds")
    print(f"types in the account: {len({kind for kind, _ in listed})} of {len(types(program))}")


def deleted(program: str, iam: Any, url: str) -> None:
    """Have aws-nuke delete what it can, and print what is left."""
    nuked(program, url, "--no-dry-run")
    print("left:", json.dumps(content(iam)))


def main() -> int:
    program, url = sys.argv[1], os.environ["AWS_ENDPOINT_URL"]
    iam = boto3.client("iam", config=Config(user_agent_extra=os.environ["PREPARING"]))
    fill(iam, url)
    compared(program, iam, url)
    deleted(program, iam, url)
    for signing in iam.list_signing_certificates(UserName="signer")["Certificates"]:
        iam.delete_signing_certificate(UserName="signer", CertificateId=signing["CertificateId"])
    deleted(program, iam, url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
