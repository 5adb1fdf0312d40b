"""Answers of IAM and STS have exactly the members of AWS's recorded answers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from certificate_calls import certificate, certified
from mfa_calls import enabled_device
from saml_calls import idp
from ssh_calls import rsa_key, ssh
from sts_calls import ACCOUNT, READ_ONLY, account, allow, declared, role, root_arn, trust
from yaml_tables import read_table

from rolecall.services.catalogue import all_operations
from rolecall.wire import load_service

TABLE = read_table((Path(__file__).parent / "cases" / "recorded_members.yaml").read_text(encoding="utf-8"))
# Members that boto3 decodes, so they are no structure of the answer.
DOCUMENTS = {"AssumeRolePolicyDocument", "AssumeRolePolicyDocumentTemplate", "Document", "PolicyDocument"}
STS = {operation.name for operation in all_operations() if operation.service == "sts"}


def written_out(text: str) -> set[str]:
    """``Role(Arn Tags[](Key)) Marker`` as the paths Role.Arn, Role.Tags[].Key and Marker."""
    found: set[str] = set()
    above: list[str] = []
    name = ""
    for part in re.findall(r"\w+(?:\[\])?|[()]", text):
        if part == "(":
            found.discard(".".join([*above, name]))
            above.append(name)
        elif part == ")":
            above.pop()
        else:
            name = part
            found.add(".".join([*above, name]))
    return found


def members(value: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The same for an answer; a list of texts has only its name."""
    for name, member in value.items():
        path = above + name
        if isinstance(member, list):
            structures = [item for item in member if isinstance(item, dict)]
            if not structures:
                yield f"{path}[]"
            for item in structures:
                yield from members(item, f"{path}[].")
        elif isinstance(member, dict) and member and name not in DOCUMENTS:
            yield from members(member, f"{path}.")
        else:
            yield path


def filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(member, values) for name, member in value.items()}
    if isinstance(value, list):
        return [filled(item, values) for item in value]
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], value) if isinstance(value, str) else value


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(declared(account(roles=[role("ours", trust(root_arn()), allow("*"))])))


def of_unused(iam: Any) -> dict[str, str]:
    """The ids of credentials of the user ``unused``, and of a report about it."""
    iam.put_user_policy(UserName="unused", PolicyName="own", PolicyDocument=json.dumps(allow("chime:Get*")))
    key = iam.upload_ssh_public_key(UserName="unused", SSHPublicKeyBody=ssh(rsa_key()))["SSHPublicKey"]
    made = iam.create_service_specific_credential(UserName="unused", ServiceName="codecommit.amazonaws.com")
    job = iam.generate_service_last_accessed_details(Arn=f"arn:aws:iam::{ACCOUNT}:user/unused")
    return {
        "ssh_key_id": key["SSHPublicKeyId"],
        "credential_id": made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"],
        "job_id": job["JobId"],
    }


def test_every_answer_has_the_recorded_members(world: Any) -> None:
    iam, sts = world.client("iam"), world.client("sts")
    enabled_device(world, iam, "admin")
    ana = {"policy": json.dumps(allow("chime:Get*")), "trust": json.dumps(trust({"Service": "ec2.amazonaws.com"}))}
    iam.create_user(UserName="unused")
    site = certified("site")
    values = {
        **ana,
        "arn": f"arn:aws:iam::{ACCOUNT}",
        "read_only": READ_ONLY,
        "certificate": certificate(),
        "certified": site.body,
        "certified_key": site.private_key,
        "ssh_key": ssh(rsa_key()),
        **of_unused(iam),
        "template": "arn:aws:iam::aws:role-template/iam.amazonaws.com/PowerUserRoleTemplate:1",
        "metadata": idp().metadata,
        "thumbprint": "b" * 40,
        "unused_key": iam.create_access_key(UserName="unused")["AccessKey"]["AccessKeyId"],
        "used_key": iam.list_access_keys(UserName="admin")["AccessKeyMetadata"][0]["AccessKeyId"],
    }
    wrong = []
    for operation, parameters, expected in TABLE["steps"]:
        client = sts if operation in STS else iam
        answer = getattr(client, xform_name(operation))(**filled(parameters, values))
        del answer["ResponseMetadata"]
        found, recorded = set(members(answer)), written_out(expected)
        if found != recorded:
            wrong.append((operation, parameters, {"too many": found - recorded, "missing": recorded - found}))
    assert wrong == []


def test_a_policy_of_aws_has_its_description(world: Any) -> None:
    policy = world.client("iam").get_policy(PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")["Policy"]
    assert policy["Description"] == "Provides full access to AWS services and resources."
    expected = (
        "Arn AttachmentCount CreateDate DefaultVersionId Description IsAttachable Path "
        "PermissionsBoundaryUsageCount PolicyId PolicyName Tags[] UpdateDate"
    )
    assert set(members(policy)) == written_out(expected)


def test_no_operation_is_forgotten() -> None:
    answering = {
        operation.name
        for operation in all_operations()
        if operation.service in ("iam", "sts")
        and load_service(operation.service).operation(operation.name).output_members
    }
    recorded = {operation for operation, *_ in TABLE["steps"]}
    assert recorded & set(TABLE["not recorded"]) == set()
    assert answering - recorded == set(TABLE["not recorded"])


def test_a_member_too_many_and_one_too_few_would_be_noticed() -> None:
    recorded = written_out("Role(Arn Tags[](Key Value)) Roles[] Marker")
    assert recorded == {"Role.Arn", "Role.Tags[].Key", "Role.Tags[].Value", "Roles[]", "Marker"}
    answer = {"Role": {"Arn": "a", "Tags": [{"Key": "k", "Value": "v"}]}, "Roles": [], "Marker": "m"}
    assert set(members(answer)) == recorded
    assert set(members({**answer, "More": 1})) - recorded == {"More"}
    assert recorded - set(members({"Role": {"Arn": "a", "Tags": []}, "Roles": [], "Marker": "m"})) != set()
