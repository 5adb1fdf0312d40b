"""Answers of ``aws organizations``: the tree, the control policies, and what they then refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from import_worlds import FIRST, SECOND
from test_account_details import details, user

from rolecall.ids import Identifiers
from rolecall.importing.reading import imported
from rolecall.importing.written import Imported, UnimportableError
from rolecall.worlds.declare import read_world

ORGANIZATION = {"Organization": {"Id": "o-example1234", "MasterAccountId": FIRST, "FeatureSet": "ALL"}}
ROOT, LAB, TEAM = "r-ab12", "ou-ab12-lablablab", "ou-ab12-teamteam"
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
NO_IAM = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]}


def account(account_id: str, name: str, **members: Any) -> dict[str, Any]:
    arn = f"arn:aws:organizations::{FIRST}:account/o-example1234/{account_id}"
    return {"Id": account_id, "Arn": arn, "Name": name, "Status": "ACTIVE", **members}


def unit(unit_id: str, name: str, **members: Any) -> dict[str, Any]:
    return {"Id": unit_id, "Arn": f"arn:aws:organizations::{FIRST}:ou/o-example1234/{unit_id}", "Name": name, **members}


def policy(name: str, document: Any, kind: str = "SERVICE_CONTROL_POLICY") -> dict[str, Any]:
    summary = {"Id": f"p-{name:x<8}", "Arn": "arn", "Name": name, "Type": kind, "AwsManaged": False}
    return {"Policy": {"PolicySummary": summary, "Content": json.dumps(document)}}


FILES: dict[str, Any] = {
    "organization.json": ORGANIZATION,
    "accounts.json": {"Accounts": [account(FIRST, "main"), account(SECOND, "lab")]},
    f"units-{ROOT}.json": {"OrganizationalUnits": [unit(LAB, "lab")]},
    f"units-{LAB}.json": {"OrganizationalUnits": [unit(TEAM, "team")]},
    f"accounts-{TEAM}.json": {"Accounts": [account(SECOND, "lab")]},
    "policy.json": policy("noiam", NO_IAM),
    "targets-p-noiamxxx.json": {
        "Targets": [{"TargetId": LAB, "Arn": "a", "Name": "lab", "Type": "ORGANIZATIONAL_UNIT"}]
    },
    "first.json": details(UserDetailList=[user("ana", UserPolicyList=[{"PolicyName": "a", "PolicyDocument": ALL}])]),
    "second.json": details(
        UserDetailList=[user("kim", SECOND, UserPolicyList=[{"PolicyName": "a", "PolicyDocument": ALL}])]
    ),
}


def import_files(folder: Path, files: dict[str, Any]) -> Imported:
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value, indent=1), encoding="utf-8")
    return imported([str(folder / name) for name in files], Identifiers(seed=3))


def problems(folder: Path, files: dict[str, Any]) -> list[str]:
    with pytest.raises(UnimportableError) as caught:
        import_files(folder, files)
    return caught.value.problems


def test_a_control_policy_of_a_unit_above_refuses(make_world: Any, tmp_path: Path) -> None:
    made = import_files(tmp_path, FILES)
    keys = {key.user: (key.access_key_id, key.secret_access_key) for key in made.keys}
    world = make_world(made.text)
    assert world.client("iam", keys=keys["ana"]).list_users()["Users"]
    with pytest.raises(ClientError, match="explicit deny in a service control policy"):
        world.client("iam", keys=keys["kim"]).list_users()
    assert world.client("sts", keys=keys["kim"]).get_caller_identity()["Account"] == SECOND
    assert made.notes == ()


def test_the_tree_by_the_paths_of_newer_answers(tmp_path: Path) -> None:
    """Newer answers tell the path of a unit, from the organization to the unit itself, and the paths of an account."""
    path = f"o-example1234/{ROOT}/{LAB}/"
    files = {
        "organization.json": ORGANIZATION,
        "accounts.json": {"Accounts": [account(FIRST, "main", Paths=[f"o-example1234/{ROOT}/{FIRST}/"])]},
        "more.json": {"Accounts": [account(SECOND, "lab", Paths=[f"{path}{TEAM}/{SECOND}/"])]},
        "units.json": {"OrganizationalUnits": [unit(LAB, "lab", Path=path), unit(TEAM, "team", Path=f"{path}{TEAM}/")]},
    }
    organization = read_world(import_files(tmp_path, files).text).organization
    assert organization is not None
    assert [(each.name, each.parent, each.accounts) for each in organization.organizational_units] == [
        ("lab", "", ()),
        ("team", "lab", (SECOND,)),
    ]
    assert (organization.organization_id, organization.management_account_id) == ("o-example1234", FIRST)


def test_full_access_that_was_detached_stays_detached(make_world: Any, tmp_path: Path) -> None:
    """With FullAWSAccess at the root alone, the account below it has no allow at its own level."""
    full = {**policy("FullAWSAccess", ALL)["Policy"]}
    full["PolicySummary"] = {**full["PolicySummary"], "Id": "p-FullAWSAccess", "AwsManaged": True}
    files = {
        **FILES,
        "full.json": {"Policy": full},
        "targets-p-FullAWSAccess.json": {"Targets": [{"TargetId": ROOT}, {"TargetId": FIRST}]},
    }
    made = import_files(tmp_path, files)
    keys = {key.user: (key.access_key_id, key.secret_access_key) for key in made.keys}
    world = make_world(made.text)
    with pytest.raises(ClientError, match="AccessDenied"):
        world.client("sts", keys=keys["kim"]).get_federation_token(Name="some")


def test_policies_of_a_target(tmp_path: Path) -> None:
    files = {**FILES, f"policies-{SECOND}.json": {"Policies": [{"Id": "p-noiamxxx", "Name": "noiam"}]}}
    organization = read_world(import_files(tmp_path, files).text).organization
    assert organization is not None
    assert organization.service_control_policies[0].targets == ("lab", SECOND)


def test_policies_of_other_types_and_policies_without_targets(tmp_path: Path) -> None:
    files = {
        **FILES,
        "tags.json": policy("tagging", {"tags": {}}, "TAG_POLICY"),
        "targets-p-taggingx.json": {"Targets": [{"TargetId": SECOND}]},
        "unattached.json": policy("nowhere", NO_IAM),
        "targets-p-nowherex.json": {"Targets": []},
    }
    made = import_files(tmp_path, files)
    organization = read_world(made.text).organization
    assert organization is not None
    [tagging] = organization.management_policies
    assert (tagging.policy_type, tagging.targets, tagging.policy_id) == ("TAG_POLICY", (SECOND,), "p-taggingx")
    assert json.loads(tagging.document) == {"tags": {}}
    nowhere = {each.name: each for each in organization.service_control_policies}["nowhere"]
    assert (nowhere.attached, nowhere.targets) == (False, ())
    assert len(made.notes) == 1
    assert "unattached.json" in made.notes[0]
    assert "the policy is attached to nothing" in made.notes[0]


def listed(*names: str, kind: str = "SERVICE_CONTROL_POLICY") -> dict[str, Any]:
    return {"Policies": [policy(name, {}, kind)["Policy"]["PolicySummary"] for name in names]}


def test_the_answers_about_every_target_tell_the_targets_of_a_policy(tmp_path: Path) -> None:
    files = {name: each for name, each in FILES.items() if not name.startswith("targets-")}
    about = {f"policies-{target}.json": listed("other") for target in (ROOT, LAB, TEAM, FIRST, SECOND)}
    about[f"policies-{TEAM}.json"] = listed("noiam", "other")
    files |= about | {"other.json": policy("other", ALL)}
    organization = read_world(import_files(tmp_path, files).text).organization
    assert organization is not None
    assert {each.name: each.targets for each in organization.service_control_policies} == {
        "noiam": ("team",),
        "other": ("ROOT", "lab", "team", FIRST, SECOND),
    }
    # Without one of them, a policy may have one more target. An answer about tag policies tells nothing about it.
    for target in about:
        said = "\n".join(problems(tmp_path, files | {target: listed("tagging", kind="TAG_POLICY")}))
        assert "policy.json:2: Policy: the files do not tell what the policy is attached to" in said
        assert "list-targets-for-policy --policy-id p-noiamxxx" in said
        assert "describe-policy --policy-id p-taggingx" in said


def test_what_is_left_out_is_listed(tmp_path: Path) -> None:
    files = {
        **FILES,
        "accounts.json": {
            "Accounts": [account(FIRST, "main"), account("777788889999", "old", Status="PENDING_CLOSURE")],
        },
        "twice-r-ab12.json": {"OrganizationalUnits": [unit("ou-ab12-otherlab", "lab")]},
        "other.json": details(UserDetailList=[user("out", "222233334444")]),
    }
    made = import_files(tmp_path, files)
    said = "\n".join(made.notes)
    assert "the account is PENDING_CLOSURE; in the sandbox it is ACTIVE" in said
    assert "there are two units lab: this one is named lab ou-ab12-otherlab" in said
    outside = {each.account_id: each.in_organization for each in read_world(made.text).accounts}
    assert outside == {FIRST: True, "777788889999": True, SECOND: True, "222233334444": False}


def test_the_state_of_an_account_is_imported(tmp_path: Path) -> None:
    states = {
        "777788889999": {"Status": "SUSPENDED"},
        "888899990000": {"Status": "SUSPENDED", "State": "CLOSED"},
        "999900001111": {"State": "PENDING_ACTIVATION"},
    }
    listed = [account(FIRST, "main"), account(SECOND, "other")]
    listed += [account(each, f"old {each}", **shown) for each, shown in states.items()]
    made = import_files(tmp_path, {**FILES, "accounts.json": {"Accounts": listed}})
    found = {each.account_id: each.state for each in read_world(made.text).accounts}
    assert found == {
        FIRST: None,
        SECOND: None,
        "777788889999": "SUSPENDED",
        "888899990000": "CLOSED",
        "999900001111": "PENDING_ACTIVATION",
    }


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"organization.json": {"Roots": []}}, "needs the answer of aws organizations describe-organization"),
        (
            {"units.json": {"OrganizationalUnits": [unit("ou-ab12-newnewnew", "new")]}},
            "does not say what the unit is in",
        ),
        ({"targets.json": {"Targets": [{"TargetId": LAB}]}}, "the answer does not say of which policy"),
        ({"accounts.json": {"Accounts": [account(FIRST, "main")], "NextToken": "x"}}, "one page of several"),
        ({"policy.json": policy("noiam", {"Version": "2012-10-17", "Statement": []})}, "not a policy that AWS accepts"),
        ({"policy.json": policy("noiam", NO_IAM | {"Id": "x" * 10_300})}, "AWS accepts at most 10240"),
        (
            {"targets-p-noiamxxx.json": {"Targets": [{"TargetId": "999900001111"}]}},
            "no account 999900001111 is declared",
        ),
        (
            {f"units-{ROOT}.json": {"OrganizationalUnits": [unit(LAB, "lab", Path=f"o/{ROOT}/{TEAM}/{LAB}/")]}},
            "ancestor",
        ),
        ({"organization.json": {"Organization": {"Id": 5}}}, "must be text"),
        # Without its targets or its text, a control policy would refuse less than on AWS.
        ({"more.json": policy("more", NO_IAM)}, "do not tell what the policy is attached to"),
        ({"more.json": policy("FullAWSAccess", ALL)}, "do not tell what the policy is attached to"),
        (
            {"targets-p-elsewhere.json": {"Targets": [{"TargetId": LAB}]}},
            "describe-policy --policy-id p-elsewhere, too",
        ),
        ({f"policies-{LAB}.json": listed("elsewhere")}, "describe-policy --policy-id p-elsewhere, too"),
        ({"policies.json": listed("elsewhere")}, "describe-policy --policy-id p-elsewhere, too"),
        ({"targets.json": {"Targets": []}}, "the answer does not say of which policy"),
    ],
)
def test_answers_that_cannot_be_imported(changed: dict[str, Any], said: str, tmp_path: Path) -> None:
    found = problems(tmp_path, FILES | changed)
    assert any(said in each for each in found), found
    assert all(each.startswith(str(tmp_path)) for each in found)
