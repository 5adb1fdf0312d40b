"""Random calls of IAM and of Organizations through boto3, against small models: what they list, and what they allow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from organization_calls import MEMBER, ROOT, admin_of, organization
from state_machines import PLACE, Machine, at, run_machine
from sts_calls import ACCOUNT, account, allow, declared, deny

ASKED = "chime:ListAccounts"
OTHER = "chime:CreateAccount"
# IAM quotas: versions of a managed policy, access keys of a user.
MAXIMUM_VERSIONS, MAXIMUM_KEYS = 5, 2
FULL = "p-FullAWSAccess"


def effects(*documents: str) -> bool:
    """Whether documents that allow or deny ASKED allow it together."""
    return "allow" in documents and "deny" not in documents


DOCUMENTS = {"allow": json.dumps(allow(ASKED)), "deny": json.dumps(deny(ASKED)), "nothing": json.dumps(allow(OTHER))}
DOCUMENT = st.sampled_from(sorted(DOCUMENTS))


class Iam(Machine):
    """Users with keys, groups, managed policies with versions, and inline policies."""

    service = "iam"
    declaration = declared(account())
    USER = st.sampled_from(["ana", "ben"])
    GROUP = st.sampled_from(["team", "crew"])
    POLICY = st.sampled_from(["p1", "p2"])

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, dict[str, Any]] = {}
        # By name: documents by the id of their version, and the default one.
        self.policies: dict[str, tuple[dict[str, str], str]] = {}
        self.newest: dict[str, int] = {}

    @staticmethod
    def arn(policy: str) -> str:
        return f"arn:aws:iam::{ACCOUNT}:policy/{policy}"

    def expect(self, code: str, operation: str, **asked: Any) -> dict[str, Any]:
        """The answer of a call; nothing for a call that is refused with this code."""
        if not code:
            return self.call(operation, **asked)
        self.refused(code, operation, **asked)
        return {}

    @rule(name=USER)
    def create_user(self, name: str) -> None:
        self.expect("EntityAlreadyExists" if name in self.users else "", "CreateUser", UserName=name)
        self.users.setdefault(name, {"inline": {}, "attached": set(), "keys": {}})

    @rule(name=GROUP)
    def create_group(self, name: str) -> None:
        self.expect("EntityAlreadyExists" if name in self.groups else "", "CreateGroup", GroupName=name)
        self.groups.setdefault(name, {"inline": {}, "attached": set(), "members": set()})

    @rule(name=USER)
    def delete_user(self, name: str) -> None:
        user = self.users.get(name)
        code = "NoSuchEntity" if user is None else ""
        if user is not None and (any(user.values()) or any(name in each["members"] for each in self.groups.values())):
            code = "DeleteConflict"
        self.expect(code, "DeleteUser", UserName=name)
        if not code:
            del self.users[name]

    @rule(name=GROUP)
    def delete_group(self, name: str) -> None:
        group = self.groups.get(name)
        code = "NoSuchEntity" if group is None else "DeleteConflict" if any(group.values()) else ""
        self.expect(code, "DeleteGroup", GroupName=name)
        if not code:
            del self.groups[name]

    @rule(group=GROUP, user=USER, is_added=st.booleans())
    def change_members(self, group: str, user: str, is_added: bool) -> None:
        code = "" if group in self.groups and user in self.users else "NoSuchEntity"
        members = self.groups[group]["members"] if group in self.groups else set()
        # Removing a user who is no member is no error (tried on AWS: cloud-custodian, pull request 4730).
        operation = "AddUserToGroup" if is_added else "RemoveUserFromGroup"
        self.expect(code, operation, GroupName=group, UserName=user)
        if not code:
            members.add(user) if is_added else members.discard(user)

    @rule(name=POLICY, document=DOCUMENT)
    def create_policy(self, name: str, document: str) -> None:
        code = "EntityAlreadyExists" if name in self.policies else ""
        self.expect(code, "CreatePolicy", PolicyName=name, PolicyDocument=DOCUMENTS[document])
        if not code:
            self.policies[name], self.newest[name] = ({"v1": document}, "v1"), 1

    @precondition(lambda self: self.policies)
    @rule(place=PLACE, document=DOCUMENT, is_default=st.booleans())
    def create_version(self, place: int, document: str, is_default: bool) -> None:
        name = at(self.policies, place)
        versions, default = self.policies[name]
        code = "LimitExceeded" if len(versions) == MAXIMUM_VERSIONS else ""
        asked = {"PolicyArn": self.arn(name), "PolicyDocument": DOCUMENTS[document], "SetAsDefault": is_default}
        made = self.expect(code, "CreatePolicyVersion", **asked)
        if not code:
            self.newest[name] += 1
            new = f"v{self.newest[name]}"
            assert made["PolicyVersion"]["VersionId"] == new
            self.policies[name] = ({**versions, new: document}, new if is_default else default)

    @precondition(lambda self: self.policies)
    @rule(place=PLACE, version=PLACE)
    def delete_version(self, place: int, version: int) -> None:
        name = at(self.policies, place)
        versions, default = self.policies[name]
        old = at(versions, version)
        code = "DeleteConflict" if old == default else ""
        self.expect(code, "DeletePolicyVersion", PolicyArn=self.arn(name), VersionId=old)
        if not code:
            del versions[old]

    @precondition(lambda self: self.policies)
    @rule(place=PLACE, version=PLACE)
    def set_default(self, place: int, version: int) -> None:
        name = at(self.policies, place)
        versions, _ = self.policies[name]
        default = at(versions, version)
        self.call("SetDefaultPolicyVersion", PolicyArn=self.arn(name), VersionId=default)
        self.policies[name] = (versions, default)

    @rule(name=POLICY)
    def delete_policy(self, name: str) -> None:
        is_attached = any(name in each["attached"] for each in (*self.users.values(), *self.groups.values()))
        code = "NoSuchEntity" if name not in self.policies else ""
        if not code and (is_attached or len(self.policies[name][0]) > 1):
            code = "DeleteConflict"
        self.expect(code, "DeletePolicy", PolicyArn=self.arn(name))
        if not code:
            del self.policies[name]

    @precondition(lambda self: self.users or self.groups)
    @rule(place=PLACE, name=POLICY, is_attached=st.booleans())
    def attach(self, place: int, name: str, is_attached: bool) -> None:
        kind, owner, known = self.some_owner(place)
        code = "" if name in (self.policies if is_attached else known["attached"]) else "NoSuchEntity"
        operation = f"{'Attach' if is_attached else 'Detach'}{kind}Policy"
        self.expect(code, operation, **{f"{kind}Name": owner}, PolicyArn=self.arn(name))
        if not code:
            known["attached"].add(name) if is_attached else known["attached"].discard(name)

    @precondition(lambda self: self.users or self.groups)
    @rule(place=PLACE, name=POLICY, document=DOCUMENT)
    def put_inline(self, place: int, name: str, document: str) -> None:
        kind, owner, known = self.some_owner(place)
        asked = {f"{kind}Name": owner, "PolicyName": name, "PolicyDocument": DOCUMENTS[document]}
        self.call(f"Put{kind}Policy", **asked)
        known["inline"][name] = document

    @precondition(lambda self: self.users or self.groups)
    @rule(place=PLACE, name=POLICY)
    def delete_inline(self, place: int, name: str) -> None:
        kind, owner, known = self.some_owner(place)
        code = "" if name in known["inline"] else "NoSuchEntity"
        self.expect(code, f"Delete{kind}Policy", **{f"{kind}Name": owner}, PolicyName=name)
        known["inline"].pop(name, None)

    def some_owner(self, place: int) -> tuple[str, str, dict[str, Any]]:
        users = [("User", name, known) for name, known in self.users.items()]
        groups = [("Group", name, known) for name, known in self.groups.items()]
        return tuple(at([*users, *groups], place))  # type: ignore[return-value]

    @precondition(lambda self: self.users)
    @rule(place=PLACE)
    def create_key(self, place: int) -> None:
        name = at(self.users, place)
        keys = self.users[name]["keys"]
        code = "LimitExceeded" if len(keys) == MAXIMUM_KEYS else ""
        made = self.expect(code, "CreateAccessKey", UserName=name)
        if not code:
            key = made["AccessKey"]
            keys[key["AccessKeyId"]] = [key["SecretAccessKey"], "Active"]

    @precondition(lambda self: any(each["keys"] for each in self.users.values()))
    @rule(place=PLACE, status=st.sampled_from(["Active", "Inactive", "deleted"]))
    def change_key(self, place: int, status: str) -> None:
        name, key = at([(name, key) for name, each in self.users.items() for key in each["keys"]], place)
        if status == "deleted":
            self.call("DeleteAccessKey", UserName=name, AccessKeyId=key)
            del self.users[name]["keys"][key]
        else:
            self.call("UpdateAccessKey", UserName=name, AccessKeyId=key, Status=status)
            self.users[name]["keys"][key][1] = status

    def may(self, name: str) -> bool:
        owners = [self.users[name], *(each for each in self.groups.values() if name in each["members"])]
        inline = [document for each in owners for document in each["inline"].values()]
        managed = [self.policies[policy] for each in owners for policy in each["attached"]]
        return effects(*inline, *(versions[default] for versions, default in managed))

    def everything_is_as_in_the_model(self) -> None:
        assert {each["UserName"] for each in self.call("ListUsers")["Users"]} == {"admin", *self.users}
        assert {each["GroupName"] for each in self.call("ListGroups")["Groups"]} == set(self.groups)
        local = {each["PolicyName"]: each for each in self.call("ListPolicies", Scope="Local")["Policies"]}
        assert {name: each["DefaultVersionId"] for name, each in local.items()} == {
            name: default for name, (_, default) in self.policies.items()
        }
        for name, (versions, _) in self.policies.items():
            listed = self.call("ListPolicyVersions", PolicyArn=self.arn(name))["Versions"]
            assert {each["VersionId"] for each in listed} == set(versions)
            owners = (*self.users.values(), *self.groups.values())
            assert local[name]["AttachmentCount"] == sum(name in each["attached"] for each in owners)
        for name, user in self.users.items():
            groups = self.call("ListGroupsForUser", UserName=name)["Groups"]
            assert {each["GroupName"] for each in groups} == {
                group for group, each in self.groups.items() if name in each["members"]
            }
            assert set(self.call("ListUserPolicies", UserName=name)["PolicyNames"]) == set(user["inline"])
            for key, (secret, status) in user["keys"].items():
                chime = self.world.client("chime", keys=(key, secret))
                allowed = "" if self.may(name) else "ForbiddenException"
                assert answered(chime) == (allowed if status == "Active" else "UnrecognizedClientException")


def answered(chime: Any) -> str:
    """The code of a refused ListAccounts; empty when it is answered."""
    try:
        chime.list_accounts()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


class Organizations(Machine):
    """Units, a member account that moves, and service control policies: what they list, and what the member may do."""

    service = "organizations"
    caller = admin_of(ACCOUNT)
    declaration = organization(organizational_units=[], service_control_policies=[])
    NAME = st.sampled_from(["red", "blue"])

    def __init__(self) -> None:
        super().__init__()
        # By id: name and parent.
        self.units: dict[str, tuple[str, str]] = {}
        self.placed = ROOT
        # By id: name and document. FullAWSAccess allows everything.
        self.policies: dict[str, tuple[str, str]] = {FULL: ("FullAWSAccess", "allow")}
        self.attached: dict[str, set[str]] = {ROOT: {FULL}, MEMBER: {FULL}}
        self.member = self.world.client("chime", admin_of(MEMBER))

    def targets(self) -> list[str]:
        return [ROOT, MEMBER, *self.units]

    def parents(self) -> list[str]:
        return [ROOT, *self.units]

    @rule(place=PLACE, name=NAME)
    def create_unit(self, place: int, name: str) -> None:
        parent = at(self.parents(), place)
        asked = {"ParentId": parent, "Name": name}
        if (name, parent) in self.units.values():
            self.refused("DuplicateOrganizationalUnitException", "CreateOrganizationalUnit", **asked)
        elif len(self.levels(parent)) == 6:
            # Quotas: five levels of units below the root.
            self.refused("ConstraintViolationException", "CreateOrganizationalUnit", **asked)
        else:
            made = self.call("CreateOrganizationalUnit", **asked)["OrganizationalUnit"]["Id"]
            self.units[made], self.attached[made] = (name, parent), {FULL}

    @precondition(lambda self: self.units)
    @rule(place=PLACE, name=NAME)
    def rename_unit(self, place: int, name: str) -> None:
        unit = at(self.units, place)
        old, parent = self.units[unit]
        asked = {"OrganizationalUnitId": unit, "Name": name}
        if name != old and (name, parent) in self.units.values():
            self.refused("DuplicateOrganizationalUnitException", "UpdateOrganizationalUnit", **asked)
        else:
            self.call("UpdateOrganizationalUnit", **asked)
            self.units[unit] = (name, parent)

    @precondition(lambda self: self.units)
    @rule(place=PLACE)
    def delete_unit(self, place: int) -> None:
        unit = at(self.units, place)
        if unit == self.placed or unit in [parent for _, parent in self.units.values()]:
            self.refused("OrganizationalUnitNotEmptyException", "DeleteOrganizationalUnit", OrganizationalUnitId=unit)
            return
        self.call("DeleteOrganizationalUnit", OrganizationalUnitId=unit)
        del self.units[unit], self.attached[unit]
        named = {"OrganizationalUnitId": unit}
        self.refused("OrganizationalUnitNotFoundException", "DescribeOrganizationalUnit", **named)

    @rule(source=PLACE, place=PLACE)
    def move(self, source: int, place: int) -> None:
        old, new = at(self.parents(), source), at(self.parents(), place)
        asked = {"AccountId": MEMBER, "SourceParentId": old, "DestinationParentId": new}
        if new == self.placed:
            self.refused("DuplicateAccountException", "MoveAccount", **asked)
        elif old != self.placed:
            self.refused("SourceParentNotFoundException", "MoveAccount", **asked)
        else:
            self.call("MoveAccount", **asked)
            self.placed = new

    @rule(name=NAME, document=DOCUMENT)
    def create_policy(self, name: str, document: str) -> None:
        asked = {"Content": DOCUMENTS[document], "Description": "", "Name": name, "Type": "SERVICE_CONTROL_POLICY"}
        if name in [each for each, _ in self.policies.values()]:
            self.refused("DuplicatePolicyException", "CreatePolicy", **asked)
        else:
            made = self.call("CreatePolicy", **asked)["Policy"]["PolicySummary"]["Id"]
            self.policies[made] = (name, document)

    @precondition(lambda self: len(self.policies) > 1)
    @rule(place=PLACE, document=DOCUMENT)
    def update_policy(self, place: int, document: str) -> None:
        policy = at([each for each in self.policies if each != FULL], place)
        self.call("UpdatePolicy", PolicyId=policy, Content=DOCUMENTS[document])
        self.policies[policy] = (self.policies[policy][0], document)

    @rule(place=PLACE)
    def delete_policy(self, place: int) -> None:
        policy = at(self.policies, place)
        is_used = any(policy in each for each in self.attached.values())
        if policy == FULL:
            # API reference, InvalidInputException: IMMUTABLE_POLICY.
            self.refused("InvalidInputException", "DeletePolicy", PolicyId=policy)
        elif is_used:
            self.refused("PolicyInUseException", "DeletePolicy", PolicyId=policy)
        else:
            self.call("DeletePolicy", PolicyId=policy)
            del self.policies[policy]

    @rule(place=PLACE, on=PLACE)
    def attach(self, place: int, on: int) -> None:
        policy, target = at(self.policies, place), at(self.targets(), on)
        asked = {"PolicyId": policy, "TargetId": target}
        if policy in self.attached[target]:
            self.refused("DuplicatePolicyAttachmentException", "AttachPolicy", **asked)
        else:
            self.call("AttachPolicy", **asked)
            self.attached[target].add(policy)

    @rule(place=PLACE, on=PLACE)
    def detach(self, place: int, on: int) -> None:
        policy, target = at(self.policies, place), at(self.targets(), on)
        asked = {"PolicyId": policy, "TargetId": target}
        if policy not in self.attached[target]:
            self.refused("PolicyNotAttachedException", "DetachPolicy", **asked)
        elif len(self.attached[target]) == 1:
            self.refused("ConstraintViolationException", "DetachPolicy", **asked)
        else:
            self.call("DetachPolicy", **asked)
            self.attached[target].discard(policy)

    def levels(self, parent: str) -> list[str]:
        """The root, and the units down to this one."""
        return [ROOT] if parent == ROOT else [*self.levels(self.units[parent][1]), parent]

    def everything_is_as_in_the_model(self) -> None:
        for parent in self.parents():
            listed = self.call("ListOrganizationalUnitsForParent", ParentId=parent)["OrganizationalUnits"]
            assert {each["Id"]: each["Name"] for each in listed} == {
                unit: name for unit, (name, above) in self.units.items() if above == parent
            }
            accounts = {each["Id"] for each in self.call("ListAccountsForParent", ParentId=parent)["Accounts"]}
            assert (MEMBER in accounts) is (parent == self.placed)
        assert self.call("ListParents", ChildId=MEMBER)["Parents"][0]["Id"] == self.placed
        for target in self.targets():
            asked = {"TargetId": target, "Filter": "SERVICE_CONTROL_POLICY"}
            listed = self.call("ListPoliciesForTarget", **asked)["Policies"]
            assert {each["Id"] for each in listed} == self.attached[target]
        levels = [*self.levels(self.placed), MEMBER]
        documents = [[self.policies[policy][1] for policy in self.attached[level]] for level in levels]
        allowed = all(effects(*each) for each in documents)
        assert answered(self.member) == ("" if allowed else "ForbiddenException")


@pytest.mark.parametrize("machine", [Iam, Organizations], ids=lambda each: each.service)
def test_random_calls_agree_with_a_model(machine: type[Machine]) -> None:
    run_machine(machine)
