"""Account details: out of a sandbox and in again, real files, and files that cannot be imported."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from import_worlds import (
    FIRST,
    IAM,
    READ_ONLY,
    SECOND,
    database,
    details_of,
    documents,
    import_values,
    snapshot_of,
    worlds,
)

from rolecall.ids import Identifiers
from rolecall.importing.account_details import LISTS
from rolecall.importing.reading import UNKNOWN_MESSAGE, imported
from rolecall.importing.written import UnimportableError
from rolecall.worlds.declare import read_world
from rolecall.worlds.located import MAXIMUM_PROBLEMS, NESTED_MESSAGE

SHARED = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow)
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:GetUser", "Resource": "*"}]}
TIME = "2025-01-02T03:04:05+00:00"


def trust(**principal: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def details(**lists: Any) -> dict[str, Any]:
    """The answer for the first account, with these lists."""
    return {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": []} | lists


def user(name: str, account: str = FIRST, **members: Any) -> dict[str, Any]:
    return {
        "Path": "/",
        "UserName": name,
        "UserId": f"AIDA{name.upper():X<17}",
        "Arn": f"arn:aws:iam::{account}:user/{name}",
        "CreateDate": TIME,
        "GroupList": [],
        "AttachedManagedPolicies": [],
        "Tags": [],
    } | members


def role(name: str, document: Any = None, **members: Any) -> dict[str, Any]:
    return {
        "Path": "/",
        "RoleName": name,
        "RoleId": f"AROA{name.upper().replace('-', ''):X<17}",
        "Arn": f"{IAM}:role/{name}",
        "CreateDate": TIME,
        "AssumeRolePolicyDocument": document or trust(Service="ec2.amazonaws.com"),
        "InstanceProfileList": [],
        "RolePolicyList": [],
        "AttachedManagedPolicies": [],
        "Tags": [],
        "RoleLastUsed": {},
    } | members


def attached(*arns: str) -> list[dict[str, str]]:
    return [{"PolicyName": arn.rpartition("/")[2], "PolicyArn": arn} for arn in arns]


def policy(arn: str, *texts: Any) -> dict[str, Any]:
    """A managed policy whose first document is the default version."""
    numbers = range(len(texts), 0, -1)
    versions = [
        {"Document": each, "VersionId": f"v{number}", "IsDefaultVersion": number == len(texts), "CreateDate": TIME}
        for number, each in zip(numbers, texts, strict=True)
    ]
    return {
        "PolicyName": arn.rpartition("/")[2],
        "PolicyId": "ANPAEXAMPLEEXAMPLE123",
        "Arn": arn,
        "Path": "/",
        "DefaultVersionId": f"v{len(texts)}",
        "AttachmentCount": 1,
        "PermissionsBoundaryUsageCount": 0,
        "IsAttachable": True,
        "CreateDate": TIME,
        "UpdateDate": TIME,
        "PolicyVersionList": versions,
    }


def problems(folder: Path, *values: Any) -> list[str]:
    """What is wrong with these files, without the name of the folder."""
    with pytest.raises(UnimportableError) as caught:
        import_values(folder, *values)
    return [each.replace(f"{folder}{os.sep}", "") for each in caught.value.problems]


def notes(folder: Path, *values: Any) -> list[str]:
    return [each.replace(f"{folder}{os.sep}", "") for each in import_values(folder, *values).notes]


@pytest.fixture(scope="module")
def db() -> Iterator[Any]:
    with database() as made:
        yield made


# Out and in again.


def comparable(snapshot: str) -> dict[str, Any]:
    """What the details of accounts tell about a snapshot. Access keys are made up by every import."""
    accounts = copy.deepcopy(read_world(snapshot)).accounts
    found: dict[str, Any] = {}
    for account in accounts:
        for noun, made in (
            ("users", account.users),
            ("groups", account.groups),
            ("policies", account.policies),
            ("roles", account.roles),
            ("instance_profiles", account.instance_profiles),
        ):
            for each in made:
                members = {name: getattr(each, name) for name in each.__slots__ if name != "access_keys"}
                found[f"{account.account_id} {noun} {each.name}"] = {
                    name: _meaning(value) for name, value in members.items()
                }
    return found


def _meaning(value: Any) -> Any:
    """A value without the order of a list that has none, and without the blanks in a policy, which AWS's JSON lacks."""
    if isinstance(value, tuple):
        return sorted(value, key=str)
    return json.loads(value) if isinstance(value, str) and value.startswith("{") else value


@settings(phases=[Phase.generate], max_examples=examples(60), deadline=None, suppress_health_check=SHARED)
@given(world=worlds())
def test_an_exported_account_comes_back_as_the_same_world(world: dict[str, Any], db: Any, tmp_path: Path) -> None:
    before = snapshot_of(db, json.dumps(world))
    answers = details_of(before)
    made = import_values(tmp_path, *answers.values())
    after = snapshot_of(db, made.text)
    assert comparable(after) == comparable(before)
    assert details_of(after) == answers
    assert not made.notes


def test_an_export_is_what_the_operation_answers(world: Any) -> None:
    """The built-in sandbox by GetAccountAuthorizationDetails, as the AWS CLI writes it: times in ISO 8601."""
    iam = world.client("iam")
    iam.create_instance_profile(InstanceProfileName="web", Path="/p/")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="chime-reader")
    iam.create_policy(PolicyName="own", PolicyDocument=json.dumps(ALLOW), Description="not shown")
    iam.create_policy_version(PolicyArn=f"{IAM}:policy/own", PolicyDocument=json.dumps(ALLOW), SetAsDefault=True)
    iam.put_user_permissions_boundary(UserName="developer", PermissionsBoundary=f"{IAM}:policy/own")
    iam.create_user(UserName="gone")
    iam.create_role(RoleName="kept", AssumeRolePolicyDocument=json.dumps(trust(AWS=f"{IAM}:user/gone")))
    iam.delete_user(UserName="gone")
    answer = iam.get_account_authorization_details(MaxItems=1000)
    snapshot = world.application.test_client().get("/_rolecall/snapshot").text
    expected = {name: answer[name] for name in LISTS}
    assert details_of(snapshot)[FIRST] == json.loads(json.dumps(expected, default=lambda when: when.isoformat()))


def test_what_the_import_made_is_used_as_it_stands(make_world: Any, tmp_path: Path) -> None:
    """A user signs with the key that was made up, may do what the policy of the real account says, and nothing else."""
    ana = user("ana", UserPolicyList=[{"PolicyName": "own", "PolicyDocument": ALLOW}])
    made = import_values(tmp_path, details(UserDetailList=[ana]))
    [key] = made.keys
    assert (key.account_id, key.user) == (FIRST, "ana")
    world = make_world(made.text)
    iam = world.client("iam", keys=(key.access_key_id, key.secret_access_key))
    shown = iam.get_user(UserName="ana")["User"]
    assert (shown["UserId"], shown["CreateDate"].isoformat()) == (ana["UserId"], TIME)
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.list_users()


def test_the_trust_of_a_deleted_user_stays_with_the_deleted_one(make_world: Any, tmp_path: Path) -> None:
    """AWS shows the id of a deleted principal. A new user with the old name is not trusted."""
    may_assume = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    users = [user(name, UserPolicyList=[{"PolicyName": "all", "PolicyDocument": may_assume}]) for name in ("ana", "bo")]
    roles = [
        role("of-the-gone", trust(AWS=["AIDAGONEGONEGONEGONE1", f"{IAM}:user/bo"])),
        role("of-ana", trust(AWS=f"{IAM}:user/ana")),
    ]
    made = import_values(tmp_path, details(UserDetailList=users, RoleDetailList=roles))
    world = make_world(made.text)
    keys = {key.user: (key.access_key_id, key.secret_access_key) for key in made.keys}

    def assumes(name: str, role_name: str) -> bool:
        sts = world.client("sts", keys=keys[name])
        try:
            return bool(sts.assume_role(RoleArn=f"{IAM}:role/{role_name}", RoleSessionName="session"))
        except ClientError as error:
            return error.response["Error"]["Code"] != "AccessDenied"

    assert [assumes("ana", "of-the-gone"), assumes("bo", "of-the-gone")] == [False, True]
    assert [assumes("ana", "of-ana"), assumes("bo", "of-ana")] == [True, False]
    shown = world.client("iam", keys=keys["bo"]).get_role(RoleName="of-the-gone")["Role"]["AssumeRolePolicyDocument"]
    assert "AIDAGONEGONEGONEGONE1" in json.dumps(shown)


def test_documents_may_be_encoded_as_the_api_answers(tmp_path: Path) -> None:
    """API Reference: "Policies returned by this operation are URL-encoded compliant with RFC 3986"."""
    text = json.dumps(ALLOW, separators=(",", ":"))
    encoded = "".join(each if each.isalnum() else f"%{ord(each):02X}" for each in text)
    ana = user("ana", UserPolicyList=[{"PolicyName": "own", "PolicyDocument": encoded}])
    world = read_world(import_values(tmp_path, details(UserDetailList=[ana])).text)
    assert world.accounts[0].users[0].inline_policies == {"own": text}


@settings(phases=[Phase.generate], max_examples=examples(60), deadline=None, suppress_health_check=SHARED)
@given(document=documents())
def test_a_document_keeps_its_meaning(document: dict[str, Any], tmp_path: Path) -> None:
    arn = f"{IAM}:policy/p"
    made = import_values(tmp_path, details(Policies=[policy(arn, document, ALLOW)]))
    [found] = read_world(made.text).accounts[0].policies
    assert (json.loads(found.document), found.default_version) == (document, 2)
    assert [(each.version, json.loads(each.document)) for each in found.versions] == [(1, ALLOW)]


def test_an_inline_policy_of_the_old_language_has_no_variables(make_world: Any, tmp_path: Path) -> None:
    """IAM User Guide, Version: without the element, ${aws:username} is plain text. Old accounts have such policies."""
    own = {"Effect": "Allow", "Action": "iam:GetUser", "Resource": f"{IAM}:user/${{aws:username}}"}
    new = {"Version": "2012-10-17", "Statement": [own]}
    for number, document in enumerate(({"Statement": [own]}, {**new, "Version": "2008-10-17"}, new)):
        folder = tmp_path / str(number)
        folder.mkdir()
        ana = user("ana", UserPolicyList=[{"PolicyName": "own", "PolicyDocument": document}])
        made = import_values(folder, details(UserDetailList=[ana]))
        [key] = made.keys
        iam = make_world(made.text).client("iam", keys=(key.access_key_id, key.secret_access_key))
        if document is new:
            assert iam.get_user()["User"]["UserName"] == "ana"
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                iam.get_user()


def test_several_accounts_in_one_sandbox(make_world: Any, tmp_path: Path) -> None:
    other = details(UserDetailList=[user("kim", SECOND)])
    deploy = role("deploy", trust(AWS=f"arn:aws:iam::{SECOND}:user/kim"))
    made = import_values(tmp_path, [details(RoleDetailList=[deploy])], other)
    assert [(key.account_id, key.user) for key in made.keys] == [(FIRST, ""), (SECOND, "kim")]
    root, _ = made.keys
    sts = make_world(made.text).client("sts", keys=(root.access_key_id, root.secret_access_key))
    assert sts.get_caller_identity()["Arn"] == f"{IAM}:root"


def test_a_large_account_fits_into_a_sandbox_file(tmp_path: Path) -> None:
    """A sandbox file has at most 250,000 values, and a document as text is one of them."""
    long = {"Version": "2012-10-17", "Statement": [{**ALLOW["Statement"][0], "Action": ["iam:GetUser"] * 150}]}
    roles = [role(f"r{n}", RolePolicyList=[{"PolicyName": "own", "PolicyDocument": long}]) for n in range(1000)]
    made = import_values(tmp_path, details(RoleDetailList=roles))
    assert len(read_world(made.text).accounts[0].roles) == 1000


# What Rolecall does not have.


def test_a_policy_of_aws_that_rolecall_lacks_is_replaced_by_its_document(make_world: Any, tmp_path: Path) -> None:
    new = "arn:aws:iam::aws:policy/BrandNewAccess"
    ana = user("ana", AttachedManagedPolicies=attached(new, READ_ONLY))
    answer = details(UserDetailList=[ana], Policies=[policy(new, ALLOW)])
    made = import_values(tmp_path, answer)
    [key] = made.keys
    iam = make_world(made.text).client("iam", keys=(key.access_key_id, key.secret_access_key))
    assert iam.get_user(UserName="ana")["User"]["UserName"] == "ana"
    [note] = notes(tmp_path, answer)
    assert note.endswith(f"Policies[0]: Rolecall has no policy {new}: {IAM}:policy/BrandNewAccess takes its place")
    assert note.startswith(("0.json:1", "0.json:2"))


def test_a_policy_of_aws_may_be_longer_than_others(tmp_path: Path) -> None:
    """IAM's limit of 6,144 characters is for the policies of customers: AWS's ReadOnlyAccess has ten times as many."""
    long = {
        **ALLOW,
        "Statement": [{**ALLOW["Statement"][0], "Resource": [f"arn:aws:s3:::b{n:09}" for n in range(400)]}],
    }
    new = "arn:aws:iam::aws:policy/BrandNewAccess"
    ana = user("ana", AttachedManagedPolicies=attached(new))
    made = import_values(tmp_path, details(UserDetailList=[ana], Policies=[policy(new, long)]))
    assert read_world(made.text).accounts[0].policies[0].name == "BrandNewAccess"
    own = f"{IAM}:policy/own"
    [problem] = problems(tmp_path, details(UserDetailList=[ana], Policies=[policy(new, long), policy(own, long)]))
    assert "the policy own: " in problem


def test_a_trust_policy_may_have_what_aws_allows_on_request(tmp_path: Path) -> None:
    def trusting(count: int) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": {"AWS": FIRST}, "Action": "sts:AssumeRole"}
        condition = {"StringEquals": {"sts:ExternalId": [f"{number:020}" for number in range(count)]}}
        return {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}

    assert import_values(tmp_path, details(RoleDetailList=[role("r", trusting(150))])).notes == ()
    [problem] = problems(tmp_path, details(RoleDetailList=[role("r", trusting(200))]))
    assert problem.partition("RoleDetailList[0]: ")[2].startswith("the trust policy of r: ")
    assert problem.endswith(" characters, and AWS takes 4096")


def test_a_policy_that_nobody_has_is_left_out_and_listed(tmp_path: Path) -> None:
    new = "arn:aws:iam::aws:policy/BrandNewAccess"
    answer = details(UserDetailList=[user("ana", AttachedManagedPolicies=attached(new))])
    [note] = notes(tmp_path, answer)
    assert f"Rolecall has no policy {new}: it is left out" in note
    [found] = read_world(import_values(tmp_path, answer).text).accounts[0].users
    assert found.attached_policies == ()


def test_a_boundary_is_never_left_out(tmp_path: Path) -> None:
    """Without its boundary a user would be allowed more than on AWS."""
    new = "arn:aws:iam::aws:policy/BrandNewAccess"
    boundary = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": new}
    [problem] = problems(tmp_path, details(UserDetailList=[user("ana", PermissionsBoundary=boundary)]))
    assert f"Rolecall has no policy {new}, and this file has no document of it" in problem
    assert "UserDetailList[0].PermissionsBoundary" in problem


def test_what_rolecall_does_not_have_is_listed(tmp_path: Path) -> None:
    linked = role("AWSServiceRoleForNothing", Path="/aws-service-role/nothing.amazonaws.com/")
    github = trust(Federated=f"{IAM}:oidc-provider/token.actions.githubusercontent.com")
    github["Statement"][0]["Action"] = "sts:AssumeRoleWithWebIdentity"
    answer = details(
        UserDetailList=[user("ana", PasswordHint="x", Nothing=[])], RoleDetailList=[linked, role("ci", github)]
    )
    said = "\n".join(notes(tmp_path, answer))
    assert "UserDetailList[0].PasswordHint: Rolecall does not have this; it is left out" in said
    assert "Nothing: Rolecall" not in said
    assert "no service-linked role of nothing.amazonaws.com: the role is left out" in said
    assert "oidc-provider/token.actions.githubusercontent.com, which this file does not describe" in said


# What cannot be imported.


def test_all_problems_at_once_each_with_file_and_line(tmp_path: Path) -> None:
    bad = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:*"}]}
    text = json.dumps(
        details(
            UserDetailList=[
                user("ana", UserPolicyList=[{"PolicyName": "own", "PolicyDocument": bad}]),
                user("bo", AttachedManagedPolicies=attached(f"{IAM}:policy/gone")),
            ],
            RoleDetailList=[role("r", trust(AWS=f"{IAM}:user/gone"))],
        ),
        indent=1,
    )
    lines = text.splitlines()
    found = problems(tmp_path, text)
    assert len(found) == 3
    for problem, mark, said in zip(
        found,
        ('"UserName": "ana"', '"UserName": "bo"', '"RoleName": "r"'),
        ("must contain resources", f"there is no policy {IAM}:policy/gone", f"trusts {IAM}:user/gone"),
        strict=True,
    ):
        assert said in problem
        # An entity begins a line or two above its name.
        begins = int(problem.split(":")[1])
        assert mark in "\n".join(lines[begins - 1 : begins + 3]), problem


def test_a_file_that_is_not_json(tmp_path: Path) -> None:
    text = json.dumps(details(UserDetailList=[user("ana")]), indent=1)
    [broken] = problems(tmp_path, text[: len(text) // 2])
    assert broken.startswith("0.json:")
    assert "not JSON" in broken
    [twice] = problems(tmp_path, text.replace('"UserId"', '"UserName"'))
    assert twice.startswith("0.json:6: 'UserName' appears twice")
    assert problems(tmp_path, "") == ["0.json:1: " + UNKNOWN_MESSAGE]
    assert NESTED_MESSAGE in problems(tmp_path, "[" * 100_000 + "]" * 100_000)[0]
    assert NESTED_MESSAGE in problems(tmp_path, '{"UserDetailList": ' + "[" * 60 + "]" * 60 + "}")[0]
    assert "not JSON" in problems(tmp_path, '{"UserDetailList": NaN}')[0]


def test_a_broken_file_beside_good_ones_imports_nothing(tmp_path: Path) -> None:
    found = problems(tmp_path, details(UserDetailList=[user("ana")]), '{"UserDetailList": [}', {"what": 1})
    assert [each.split(":")[0] for each in found] == ["1.json", "2.json"]


def test_a_file_of_200_megabytes_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "0.json"
    with file.open("wb") as made:
        made.truncate(200 * 1024 * 1024)
    with pytest.raises(UnimportableError) as caught:
        imported([str(file)], Identifiers())
    assert caught.value.problems == [f"{file}:1: longer than 67108864 bytes"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (details(), "names no entity of an account"),
        (details(IsTruncated=True, UserDetailList=[user("ana")]), "this is one page of several"),
        (details(UserDetailList=[user("ana"), user("bo", SECOND)]), f"belongs to another account than {FIRST}"),
        (details(UserDetailList=[user("ana", Arn="arn:aws-cn:iam::1:user/ana")]), "in the partition aws-cn"),
        (details(UserDetailList=[user("ana", Arn="ana")]), "must be the ARN of an entity of IAM"),
        (details(UserDetailList=[user("ana"), user("Ana")]), "is declared twice"),
        (details(UserDetailList={"a": 1}), "must be a list"),
        (details(UserDetailList=[1]), "must be a mapping"),
        (details(UserDetailList=[user("ana", UserName=None)]), "lacks UserName"),
        (details(UserDetailList=[user("ana", UserName=5)]), "must be text: UserName"),
        (details(UserDetailList=[user("ana", CreateDate="yesterday")]), "must be a time"),
        (details(UserDetailList=[user("ana", GroupList=["gone"])]), "no group 'gone' is declared"),
        (details(Policies=[policy(f"{IAM}:policy/p")]), "lacks its default version"),
        (details(RoleDetailList=[role("r", AssumeRolePolicyDocument=[])]), "must be a policy document"),
    ],
)
def test_details_that_cannot_be_imported(value: Any, said: str, tmp_path: Path) -> None:
    found = problems(tmp_path, value)
    assert any(said in each for each in found), found
    assert all(each.startswith("0.json:") for each in found)


def test_the_problems_of_a_hopeless_file_end(tmp_path: Path) -> None:
    assert len(problems(tmp_path, details(UserDetailList=[1] * 5000))) <= MAXIMUM_PROBLEMS


_JUNK = st.sampled_from([None, 0, True, "", "x", [], {}, [[]], {"a": {}}, "arn:aws:iam::aws:policy/x", "%7B"])


@settings(phases=[Phase.generate], max_examples=examples(300), deadline=None, suppress_health_check=SHARED)
@given(data=st.data())
def test_a_damaged_file_gives_problems_and_no_exception(data: Any, tmp_path: Path) -> None:
    """Any value of a good file becomes junk. The file is then imported whole, or refused with its place."""
    value = details(
        UserDetailList=[user("ana", UserPolicyList=[{"PolicyName": "own", "PolicyDocument": ALLOW}])],
        RoleDetailList=[role("r", trust(AWS=f"{IAM}:user/ana"), RoleLastUsed={"LastUsedDate": TIME, "Region": "x"})],
        Policies=[policy(f"{IAM}:policy/p", ALLOW)],
    )
    owner, key = value, data.draw(st.sampled_from(sorted(value)))
    while isinstance(owner[key], list | dict) and owner[key] and data.draw(st.integers(0, 4)):
        owner = owner[key]
        keys = sorted(owner) if isinstance(owner, dict) else list(range(len(owner)))
        key = data.draw(st.sampled_from(keys))
    owner[key] = data.draw(_JUNK)
    try:
        read_world(import_values(tmp_path, value).text)
    except UnimportableError as error:
        refused = [each for each in error.problems if not each.startswith(str(tmp_path / "0.json:"))]
    else:
        refused = []
    assert refused == []


def test_the_problems_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    """A file that cannot be read, policies that AWS does not take, policies over the size limits."""
    resources = [f"arn:aws:chime:::{number:04}" for number in range(400)]
    long = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "chime:Get*", "Resource": resources}],
    }
    names = []
    files = {
        "broken.json": '{"Resources": ',
        "long.json": json.dumps(
            {
                "UserDetailList": [user("ana", UserPolicyList=[{"PolicyName": "a", "PolicyDocument": long}])],
                "GroupDetailList": [],
                "RoleDetailList": [],
            }
        ),
        "wrong.json": json.dumps(
            {
                "UserDetailList": [
                    user("kim", SECOND, UserPolicyList=[{"PolicyName": "a", "PolicyDocument": {"Statement": "x"}}])
                ],
                "GroupDetailList": [],
                "RoleDetailList": [],
            }
        ),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        names.append(str(tmp_path / name))
    with pytest.raises(UnimportableError) as caught:
        imported(names, Identifiers(seed=1))
    first, second, third = caught.value.problems
    assert first == f"{names[0]}:1: not JSON: Expecting value"
    assert second.startswith(f"{names[1]}:1: UserDetailList[0]: the inline policies of ana together: ")
    assert second.endswith(" characters, and AWS takes 2048")
    assert third.startswith(f"{names[2]}:1: UserDetailList[0].inline_policies.a: not a policy that AWS accepts")
