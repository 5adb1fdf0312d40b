"""Managed policies, their versions and their tags."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from iam_calls import without_authorization_id

READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
OF_A_SERVICE = "arn:aws:iam::aws:policy/aws-service-role/AmazonChimeServiceRolePolicy"


def document(action: str = "chime:ListUsers") -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def fails(call: Any, code: str, message: str, status: int, **arguments: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    response = caught.value.response
    assert (response["Error"]["Code"], without_authorization_id(response["Error"]["Message"])) == (code, message)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


@pytest.fixture
def arn(iam: Any) -> str:
    return str(iam.create_policy(PolicyName="readers", PolicyDocument=document())["Policy"]["Arn"])


def test_create_policy_answers_what_aws_answers(iam: Any) -> None:
    policy = iam.create_policy(PolicyName="readers", Path="/team/", PolicyDocument=document(), Description="reads")
    policy = policy["Policy"]
    assert policy.pop("PolicyId").startswith("ANPA")
    assert policy.pop("CreateDate") == policy.pop("UpdateDate")
    assert policy == {
        "PolicyName": "readers",
        "Arn": "arn:aws:iam::111122223333:policy/team/readers",
        "Path": "/team/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
    }


def test_get_policy_shows_description_tags_and_use(iam: Any) -> None:
    arn = iam.create_policy(
        PolicyName="readers", PolicyDocument=document(), Description="reads", Tags=[{"Key": "a", "Value": "1"}]
    )["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="chime-reader", PolicyArn=arn)
    iam.put_role_permissions_boundary(RoleName="chime-reader", PermissionsBoundary=arn)
    iam.put_role_permissions_boundary(RoleName="chime-manager", PermissionsBoundary=arn)
    policy = iam.get_policy(PolicyArn=arn)["Policy"]
    assert policy["Description"] == "reads"
    assert policy["Tags"] == [{"Key": "a", "Value": "1"}]
    assert (policy["AttachmentCount"], policy["PermissionsBoundaryUsageCount"]) == (1, 2)


def test_get_policy_of_aws(iam: Any) -> None:
    policy = iam.get_policy(PolicyArn=READ_ONLY)["Policy"]
    assert policy["AttachmentCount"] == 1
    assert policy["IsAttachable"]
    assert policy["DefaultVersionId"] == "v10"
    assert policy["Tags"] == []
    assert not iam.get_policy(PolicyArn=OF_A_SERVICE)["Policy"]["IsAttachable"]


def test_policy_names_are_unique_without_case_and_path(iam: Any, arn: str) -> None:
    message = "A policy called READERS already exists. Duplicate names are not allowed."
    arguments = {"PolicyName": "READERS", "Path": "/elsewhere/", "PolicyDocument": document()}
    fails(iam.create_policy, "EntityAlreadyExists", message, 409, **arguments)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Syntax errors in policy."),
        ('{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Resource":"*"}]}', None),
        ('{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*"}]}', None),
    ],
)
def test_a_malformed_document_is_refused(iam: Any, arn: str, text: str, message: str | None) -> None:
    expected = {
        1: "Policy statement must contain actions.",
        2: "Policy document must be version 2012-10-17 or greater.",
    }
    message = message or expected[1 if "Version" in text else 2]
    fails(iam.create_policy, "MalformedPolicyDocument", message, 400, PolicyName="new", PolicyDocument=text)
    fails(iam.create_policy_version, "MalformedPolicyDocument", message, 400, PolicyArn=arn, PolicyDocument=text)


def test_a_managed_policy_has_6144_characters_without_white_space(iam: Any) -> None:
    bare = len(document("").replace(" ", ""))
    largest = document("chime:" + "L" * (6144 - bare - 6))
    iam.create_policy(PolicyName="largest", PolicyDocument=largest + " " * 1000)
    message = "Cannot exceed quota for PolicySize: 6144"
    larger = largest.replace("chime:L", "chime:LL")
    fails(iam.create_policy, "LimitExceeded", message, 409, PolicyName="larger", PolicyDocument=larger)


@pytest.mark.parametrize("operation", ["get_policy", "delete_policy", "list_policy_versions", "list_policy_tags"])
def test_an_unknown_policy_and_an_invalid_arn(iam: Any, operation: str) -> None:
    absent = "arn:aws:iam::111122223333:policy/absent"
    fails(getattr(iam, operation), "NoSuchEntity", f"Policy {absent} was not found.", 404, PolicyArn=absent)
    wrong = "arn:aws:iam::111122223333:role/chime-reader"
    fails(getattr(iam, operation), "ValidationError", f"ARN {wrong} is not valid.", 400, PolicyArn=wrong)


@pytest.mark.parametrize("operation", ["get_policy_version", "set_default_policy_version", "delete_policy_version"])
def test_a_version_of_an_unknown_policy(iam: Any, operation: str) -> None:
    absent = "arn:aws:iam::111122223333:policy/absent"
    message = f"Policy {absent} version v1 does not exist or is not attachable."
    fails(getattr(iam, operation), "NoSuchEntity", message, 404, PolicyArn=absent, VersionId="v1")


def test_a_new_version_of_an_unknown_policy(iam: Any) -> None:
    absent = "arn:aws:iam::111122223333:policy/absent"
    message = f"Policy {absent} was not found."
    fails(iam.create_policy_version, "NoSuchEntity", message, 404, PolicyArn=absent, PolicyDocument=document())


def test_the_path_is_part_of_the_arn(iam: Any, arn: str) -> None:
    wrong = arn.replace("policy/", "policy/team/")
    fails(iam.get_policy, "NoSuchEntity", f"Policy {wrong} was not found.", 404, PolicyArn=wrong)


def test_policies_of_aws_cannot_be_changed(iam: Any) -> None:
    update = "Cannot update policies outside your own account."
    fails(
        iam.delete_policy, "AccessDenied", "Cannot delete policies outside your own account.", 403, PolicyArn=READ_ONLY
    )
    fails(iam.create_policy_version, "AccessDenied", update, 403, PolicyArn=READ_ONLY, PolicyDocument=document())
    fails(iam.set_default_policy_version, "AccessDenied", update, 403, PolicyArn=READ_ONLY, VersionId="v10")
    message = "Cannot delete policy versions for policies outside your own account."
    fails(iam.delete_policy_version, "AccessDenied", message, 403, PolicyArn=READ_ONLY, VersionId="v10")


def test_another_accounts_policy_is_out_of_reach(iam: Any) -> None:
    other = "arn:aws:iam::444455556666:policy/theirs"
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.get_policy(PolicyArn=other)


def test_a_policy_in_use_is_not_deleted(iam: Any, arn: str) -> None:
    message = "Cannot delete a policy attached to entities."
    iam.attach_role_policy(RoleName="chime-reader", PolicyArn=arn)
    fails(iam.delete_policy, "DeleteConflict", message, 409, PolicyArn=arn)
    iam.detach_role_policy(RoleName="chime-reader", PolicyArn=arn)
    iam.put_role_permissions_boundary(RoleName="chime-reader", PermissionsBoundary=arn)
    fails(iam.delete_policy, "DeleteConflict", message, 409, PolicyArn=arn)
    iam.delete_role_permissions_boundary(RoleName="chime-reader")
    iam.delete_policy(PolicyArn=arn)
    fails(iam.get_policy, "NoSuchEntity", f"Policy {arn} was not found.", 404, PolicyArn=arn)


def test_a_policy_with_versions_is_not_deleted(iam: Any, arn: str) -> None:
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document())
    message = (
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
        "The default version is deleted with the policy."
    )
    fails(iam.delete_policy, "DeleteConflict", message, 409, PolicyArn=arn)


def test_list_policies_filters(iam: Any, arn: str) -> None:
    unused = iam.create_policy(PolicyName="Unused", Path="/x/", PolicyDocument=document())["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="chime-reader", PermissionsBoundary=arn)

    def arns(**filters: Any) -> list[str]:
        pages = iam.get_paginator("list_policies").paginate(**filters)
        return [policy["Arn"] for page in pages for policy in page["Policies"]]

    assert arns(Scope="Local") == [arn, unused]
    assert arns(Scope="Local", PathPrefix="/x/") == [unused]
    assert arns(Scope="Local", OnlyAttached=True) == []
    assert arns(Scope="Local", PolicyUsageFilter="PermissionsBoundary") == [arn]
    attached = arns(OnlyAttached=True)
    assert READ_ONLY in attached
    assert arn not in attached
    assert attached == sorted(attached, key=lambda one: one.rpartition("/")[2].lower())
    assert arns(OnlyAttached=True, PolicyUsageFilter="PermissionsPolicy") == attached
    assert OF_A_SERVICE in arns(Scope="AWS", PathPrefix="/aws-service-role/")
    everything = arns(PaginationConfig={"PageSize": 1000})
    assert {arn, unused, READ_ONLY} <= set(everything)
    assert len(everything) == len(set(everything)) == 1582 + 2
    assert arn not in arns(Scope="AWS", PaginationConfig={"PageSize": 1000})


def test_list_policies_shows_neither_description_nor_tags(iam: Any) -> None:
    iam.create_policy(PolicyName="p", PolicyDocument=document(), Description="reads", Tags=[{"Key": "a", "Value": "1"}])
    [policy] = iam.list_policies(Scope="Local")["Policies"]
    assert not {"Description", "Tags"} & set(policy)


def test_list_policies_continues_where_it_stopped(iam: Any) -> None:
    names = [f"a-policy-with-a-name-of-some-length-{number}" for number in range(5)]
    for name in names:
        iam.create_policy(PolicyName=name, PolicyDocument=document())
    pages = iam.get_paginator("list_policies").paginate(Scope="Local", PaginationConfig={"PageSize": 2})
    assert [[policy["PolicyName"] for policy in page["Policies"]] for page in pages] == [
        names[:2],
        names[2:4],
        names[4:],
    ]
    first = iam.list_policies(Scope="Local", MaxItems=2)
    assert first["IsTruncated"]
    assert len(first["Marker"]) <= 320
    fails(iam.list_policies, "ValidationError", "Invalid Marker.", 400, Scope="AWS", Marker=first["Marker"])


def test_versions_are_counted_up_and_never_reused(iam: Any, arn: str) -> None:
    second = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("chime:GetUser"))["PolicyVersion"]
    assert (second["VersionId"], second["IsDefaultVersion"]) == ("v2", False)
    assert "Document" not in second
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    third = iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("chime:GetRoom"), SetAsDefault=True)
    assert (third["PolicyVersion"]["VersionId"], third["PolicyVersion"]["IsDefaultVersion"]) == ("v3", True)
    versions = iam.list_policy_versions(PolicyArn=arn)["Versions"]
    assert [(one["VersionId"], one["IsDefaultVersion"]) for one in versions] == [("v3", True), ("v1", False)]
    shown = iam.get_policy_version(PolicyArn=arn, VersionId="v3")["PolicyVersion"]
    assert shown["Document"]["Statement"][0]["Action"] == "chime:GetRoom"
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v1"


def test_a_policy_has_five_versions(iam: Any, arn: str) -> None:
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document())
    message = (
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing "
        "version."
    )
    fails(iam.create_policy_version, "LimitExceeded", message, 409, PolicyArn=arn, PolicyDocument=document())
    pages = iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 2})
    seen = [version["VersionId"] for page in pages for version in page["Versions"]]
    assert seen == ["v5", "v4", "v3", "v2", "v1"]


def test_the_default_version_stays(iam: Any, arn: str) -> None:
    message = "Cannot delete the default version of a policy."
    fails(iam.delete_policy_version, "DeleteConflict", message, 409, PolicyArn=arn, VersionId="v1")


@pytest.mark.parametrize("version", ["v2", "v1.beta", "v99999999999999999999999"])
def test_an_unknown_version(iam: Any, arn: str, version: str) -> None:
    message = f"Policy {arn} version {version} does not exist or is not attachable."
    for operation in (iam.get_policy_version, iam.set_default_policy_version, iam.delete_policy_version):
        fails(operation, "NoSuchEntity", message, 404, PolicyArn=arn, VersionId=version)


def test_versions_of_a_policy_of_aws(iam: Any) -> None:
    [version] = iam.list_policy_versions(PolicyArn=READ_ONLY)["Versions"]
    shown = iam.get_policy_version(PolicyArn=READ_ONLY, VersionId=version["VersionId"])["PolicyVersion"]
    assert "chime:List*" in shown["Document"]["Statement"][0]["Action"]
    message = f"Policy {READ_ONLY} version v1 does not exist or is not attachable."
    fails(iam.get_policy_version, "NoSuchEntity", message, 404, PolicyArn=READ_ONLY, VersionId="v1")


def test_a_new_default_version_is_in_force_at_once(world: Any, iam: Any, arn: str) -> None:
    iam.attach_user_policy(UserName="developer", PolicyArn=arn)
    developer = world.client("iam", user="developer")
    with pytest.raises(ClientError, match="iam:GetRole on resource: role chime-reader"):
        developer.get_role(RoleName="chime-reader")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=document("iam:GetRole"), SetAsDefault=True)
    assert developer.get_role(RoleName="chime-reader")["Role"]["RoleName"] == "chime-reader"


def test_tag_keys_of_policies_are_case_sensitive(iam: Any, arn: str) -> None:
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}])
    tags = {tag["Key"]: tag["Value"] for tag in iam.list_policy_tags(PolicyArn=arn)["Tags"]}
    assert tags == {"a": "1", "A": "2"}
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "3"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["A", "never-there"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "a", "Value": "3"}]


def test_duplicate_tag_keys(iam: Any, arn: str) -> None:
    tags = [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]
    message = "Duplicate tag keys found."
    fails(iam.tag_policy, "InvalidInput", message, 400, PolicyArn=arn, Tags=tags)
    fails(iam.create_policy, "InvalidInput", message, 400, PolicyName="new", PolicyDocument=document(), Tags=tags)


def test_fifty_tags(iam: Any, arn: str) -> None:
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": f"k{number}", "Value": ""} for number in range(50)])
    message = "The number of tags has reached the maximum limit."
    fails(iam.tag_policy, "LimitExceeded", message, 409, PolicyArn=arn, Tags=[{"Key": "one-more", "Value": ""}])
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "k7", "Value": "changed"}])
    pages = iam.get_paginator("list_policy_tags").paginate(PolicyArn=arn, PaginationConfig={"PageSize": 20})
    sizes = [len(page["Tags"]) for page in pages]
    assert sizes == [20, 20, 10]


@pytest.mark.parametrize(
    ("operation", "arguments", "tail"),
    [
        ("create_policy", {"PolicyName": "p", "PolicyDocument": document()}, "iam:CreatePolicy on resource: policy p"),
        ("get_policy", {"PolicyArn": READ_ONLY}, f"iam:GetPolicy on resource: policy {READ_ONLY}"),
    ],
)
def test_refusals_are_worded_as_aws_words_them(
    world: Any, operation: str, arguments: dict[str, str], tail: str
) -> None:
    developer = world.client("iam", user="developer")
    action = tail.split(" ", 1)[0]
    message = (
        f"User: arn:aws:iam::111122223333:user/developer is not authorized to perform: {tail} "
        f"because no identity-based policy allows the {action} action"
    )
    fails(getattr(developer, operation), "AccessDenied", message, 403, **arguments)


def test_listing_needs_a_permission_on_everything(world: Any, iam: Any) -> None:
    developer = world.client("iam", user="developer")
    statement = {"Effect": "Allow", "Action": "iam:ListPolicies", "Resource": "arn:aws:iam::111122223333:policy/*"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="developer", PolicyName="narrow", PolicyDocument=text)
    with pytest.raises(ClientError, match="not authorized to perform: iam:ListPolicies"):
        developer.list_policies()
    iam.put_user_policy(UserName="developer", PolicyName="wide", PolicyDocument=document("iam:ListPolicies"))
    assert developer.list_policies()["Policies"]


def test_tags_on_creation_need_their_own_permission(world: Any, iam: Any) -> None:
    iam.put_user_policy(UserName="developer", PolicyName="create", PolicyDocument=document("iam:CreatePolicy"))
    developer = world.client("iam", user="developer")
    developer.create_policy(PolicyName="untagged", PolicyDocument=document())
    with pytest.raises(ClientError, match="iam:TagPolicy on resource: policy tagged"):
        developer.create_policy(PolicyName="tagged", PolicyDocument=document(), Tags=[{"Key": "a", "Value": "1"}])


def test_permissions_may_depend_on_tags_and_path(world: Any, iam: Any) -> None:
    def statement(action: str, resource: str, key: str, value: str) -> dict[str, Any]:
        condition = {"StringEquals": {key: value}}
        return {"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}

    everywhere = "arn:aws:iam::111122223333:policy/team/*"
    statements = [
        statement("iam:GetPolicy", everywhere, "aws:ResourceTag/team", "blue"),
        statement("iam:TagPolicy", everywhere, "aws:RequestTag/team", "blue"),
    ]
    text = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="developer", PolicyName="own", PolicyDocument=text)
    arns = {}
    for name, path, team in (("a", "/team/", "blue"), ("b", "/team/", "red"), ("c", "/", "blue")):
        arns[name] = iam.create_policy(
            PolicyName=name, Path=path, PolicyDocument=document(), Tags=[{"Key": "team", "Value": team}]
        )["Policy"]["Arn"]
    developer = world.client("iam", user="developer")
    assert developer.get_policy(PolicyArn=arns["a"])["Policy"]["PolicyName"] == "a"
    for name in ("b", "c"):
        with pytest.raises(ClientError, match="not authorized to perform: iam:GetPolicy"):
            developer.get_policy(PolicyArn=arns[name])
    developer.tag_policy(PolicyArn=arns["b"], Tags=[{"Key": "team", "Value": "blue"}])
    with pytest.raises(ClientError, match="not authorized to perform: iam:TagPolicy"):
        developer.tag_policy(PolicyArn=arns["a"], Tags=[{"Key": "team", "Value": "red"}])


# AWS's policies that tools in use ask for, with their descriptions.
ASKED_FOR = {
    "AmazonEKSWorkerNodePolicy": "This policy allows Amazon EKS worker nodes to connect to Amazon EKS Clusters.",
    "AmazonEC2ContainerRegistryReadOnly": "Provides read-only access to Amazon EC2 Container Registry repositories.",
    "CloudWatchAgentServerPolicy": "Permissions required to use AmazonCloudWatchAgent on servers",
    "AmazonRDSFullAccess": "Provides full access to Amazon RDS via the AWS Management Console.",
}


@pytest.mark.parametrize(("name", "description"), ASKED_FOR.items())
def test_any_policy_of_aws_is_shown_attached_and_made_a_boundary(iam: Any, name: str, description: str) -> None:
    arn = f"arn:aws:iam::aws:policy/{name}"
    shown = iam.get_policy(PolicyArn=arn)["Policy"]
    assert shown["Description"] == description
    assert (shown["Path"] + shown["PolicyName"], shown["AttachmentCount"]) == (f"/{name}", 0)
    version = iam.get_policy_version(PolicyArn=arn, VersionId=shown["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Statement"]
    iam.attach_role_policy(RoleName="chime-reader", PolicyArn=arn)
    iam.put_role_permissions_boundary(RoleName="chime-reader", PermissionsBoundary=arn)
    shown = iam.get_policy(PolicyArn=arn)["Policy"]
    assert (shown["AttachmentCount"], shown["PermissionsBoundaryUsageCount"]) == (1, 1)


def test_any_policy_of_aws_may_be_a_session_policy(world: Any) -> None:
    sts = world.client("sts")
    role = {"RoleArn": "arn:aws:iam::111122223333:role/chime-manager", "RoleSessionName": "session"}

    def accounts(name: str) -> Any:
        arn = f"arn:aws:iam::aws:policy/{name}"
        credentials = sts.assume_role(**role, PolicyArns=[{"arn": arn}])["Credentials"]
        return world.client("chime", credentials=credentials).list_accounts()

    assert accounts("AmazonChimeReadOnly")["Accounts"]
    with pytest.raises(ClientError, match="session policy"):
        accounts("AmazonEKSClusterPolicy")
    unknown = "AmazonNoSuchPolicy"
    with pytest.raises(ClientError, match="ValidationError"):
        accounts(unknown)
