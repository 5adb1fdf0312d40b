"""Reads CloudFormation, SAM and CDK templates: the resources of IAM, and the roles that SAM makes for functions.

CloudFormation Template Reference, AWS::IAM. A resource without a name is named after the stack and its logical id.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from rolecall.arns import iam_arn, oidc_provider_arn, saml_provider_arn
from rolecall.importing.found import Part, Place, Section, as_text
from rolecall.importing.grants import Grants, document_in
from rolecall.importing.intrinsics import Template, UnresolvedError
from rolecall.importing.sam import FUNCTION, left_out, made_by_sam, needed, role_of, with_globals
from rolecall.importing.saml import add_saml_provider
from rolecall.importing.terraform import NO_ACCOUNT_MESSAGE
from rolecall.service_records import DEFAULT_REGION

_IAM = "AWS::IAM::"
_NAMES = {
    "User": ("users", "user", "UserName"),
    "Group": ("groups", "group", "GroupName"),
    "Role": ("roles", "role", "RoleName"),
    "ManagedPolicy": ("policies", "policy", "ManagedPolicyName"),
    "InstanceProfile": ("instance_profiles", "instance-profile", "InstanceProfileName"),
}
_OWNERS = {"Users": "users", "Groups": "groups", "Roles": "roles"}
_NOT_IN_A_NAME = re.compile(r"[^\w+=,.@-]+", re.ASCII)
# Every user gets a key that is made up.
_SECRETS = frozenset(("AWS::IAM::AccessKey",))
_LONGEST_NAME = 64
# CloudFormation Template Reference, Resource attributes; SAM Developer Guide, Globals.
_ATTRIBUTES = frozenset(
    (
        *("Type", "Properties", "Condition", "DependsOn", "Metadata", "CreationPolicy", "UpdatePolicy"),
        *("DeletionPolicy", "UpdateReplacePolicy", "IgnoreGlobals"),
    )
)
# SAM Developer Guide, Managing resource permissions with AWS SAM connectors.
_CONNECTORS = "Connectors"
_KNOWN_TRANSFORMS = ("AWS::Serverless", "AWS::LanguageExtensions")


def is_template(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("Resources"), dict)


def read_template(
    grants: Grants, place: Place, value: Mapping[str, Any], account_id: str, given: Mapping[str, str]
) -> None:
    """Add the resources of a template. ``given`` has values that it does not tell. Raises EnoughFoundError."""
    if not account_id and any(_kind(each).startswith((_IAM, FUNCTION)) for each in value["Resources"].values()):
        grants.found.problem(place, NO_ACCOUNT_MESSAGE)
        return
    _File(grants, place, value, account_id, given).add()


def _kind(resource: Any) -> str:
    kind = resource.get("Type") if isinstance(resource, dict) else None
    return kind if isinstance(kind, str) else ""


class _File:
    def __init__(
        self, grants: Grants, place: Place, value: Mapping[str, Any], account_id: str, given: Mapping[str, str]
    ) -> None:
        self._grants, self._found, self._place = grants, grants.found, place
        self._account_id = account_id
        stem = PurePath(place.source.name).name.partition(".")[0]
        self._stack = _NOT_IN_A_NAME.sub("-", stem) or "stack"
        pseudo = {
            "AWS::AccountId": account_id,
            "AWS::Partition": "aws",
            "AWS::Region": DEFAULT_REGION,
            "AWS::StackName": self._stack,
            "AWS::URLSuffix": "amazonaws.com",
        }
        self._written: Mapping[str, Any] = value["Resources"]
        made: dict[str, Any] = {}
        for logical_id, resource in self._written.items():
            if _kind(resource) == FUNCTION:
                made |= made_by_sam(logical_id, self._of_function(value, resource))
        self._resources: Mapping[str, Any] = {**made, **self._written}
        self._template = Template(
            {**value, "Resources": self._resources},
            given,
            pseudo | {k: v for k, v in given.items() if k in pseudo},
            self._attribute,
        )

    def add(self) -> None:
        others: Counter[str] = Counter()
        self._note_macros()
        for logical_id, resource in self._written.items():
            if logical_id.startswith("Fn::"):
                message = "these resources are known to AWS only; they are left out"
                self._found.note(self._place / "Resources" / logical_id, message)
                continue
            self._note_attributes(logical_id, resource)
            kind = _kind(resource)
            add = self._adding(kind)
            if add is None:
                others[kind or "no type"] += kind not in _SECRETS
                continue
            place = self._place / "Resources" / logical_id
            try:
                condition = resource.get("Condition")
                if condition is None or self._template.holds(str(condition), ("Resources", logical_id, "Condition")):
                    add(logical_id, self._properties(logical_id), place)
            except UnresolvedError as error:
                self._template.failed.append(error)
        for failure in self._template.failed:
            self._found.problem(Place(self._place.source, (*self._place.path, *failure.path)), failure.message)
        for kind, count in sorted(others.items()):
            if count:
                number = "1 resource" if count == 1 else f"{count} resources"
                self._found.note(self._place, f"{number} of the type {kind}: Rolecall does not have this; left out")

    def _note_macros(self) -> None:
        """Note each macro that may change the template. SAM's is read, and extensions of the language stand out."""
        transforms = self._template.value.get("Transform")
        for each in transforms if isinstance(transforms, list) else [transforms]:
            if each is not None and not str(each).startswith(_KNOWN_TRANSFORMS):
                name = str(each.get("Name")) if isinstance(each, dict) else str(each)
                message = f"the macro {name} runs on AWS only; the template is read as it is written"
                self._found.note(self._place / "Transform", message)

    def _note_attributes(self, logical_id: str, resource: Any) -> None:
        place = self._place / "Resources" / logical_id
        part = Part(self._found, place, resource if isinstance(resource, dict) else {})
        part.note_unknown((*_ATTRIBUTES, _CONNECTORS))
        if part.value.get(_CONNECTORS):
            self._found.note(place / _CONNECTORS, "what SAM allows for connectors is left out")
        properties = part.value.get("Properties")
        if (
            _kind(resource) in _SECRETS
            and isinstance(properties, dict)
            and properties.get("Status", "Active") != "Active"
        ):
            self._found.note(place / "Properties" / "Status", "a user of the sandbox gets an active access key")
        if _kind(resource) == FUNCTION:
            for name, message in sorted(left_out(self._of_function(self._template.value, resource)).items()):
                self._found.note(place / "Properties" / name, message)

    def _adding(self, kind: str) -> Any:
        if kind == FUNCTION:
            return self._function
        name = kind.removeprefix(_IAM)
        if not kind.startswith(_IAM):
            return None
        if name in _NAMES:
            return self._named
        return {
            "Policy": self._inline,
            "UserPolicy": self._inline,
            "GroupPolicy": self._inline,
            "RolePolicy": self._inline,
            "UserToGroupAddition": self._members,
            "OIDCProvider": self._oidc_provider,
            "SAMLProvider": self._saml_provider,
            "ServiceLinkedRole": self._service_linked_role,
        }.get(name)

    # What resources are called.

    def _properties(self, logical_id: str) -> Part:
        """The properties of a resource without functions. Every one that cannot be resolved is a problem."""
        path = ("Resources", logical_id, "Properties")
        written = self._resources[logical_id].get("Properties", {})
        place = self._place / "Resources" / logical_id / "Properties"
        if not isinstance(written, dict):
            self._found.problem(place, "must be a mapping")
            return Part(self._found, place, {})
        resolved = {}
        if _kind(self._resources[logical_id]) == FUNCTION:
            written = needed(
                logical_id,
                self._of_function(self._template.value, self._resources[logical_id]),
                lambda value: self._is_given(value, path),
            )
        for key, value in written.items():
            try:
                resolved[key] = self._template.resolve(value, (*path, key))
            except UnresolvedError as error:
                self._template.failed.append(error)
        return Part(
            self._found, place, {key: each for key, each in resolved.items() if each is not None}, is_lenient=True
        )

    @staticmethod
    def _of_function(template: Mapping[str, Any], resource: Mapping[str, Any]) -> dict[str, Any]:
        """The properties of a function with those that hold for all functions of the template."""
        of_all = template.get("Globals")
        written = resource.get("Properties")
        of_functions = of_all.get("Function") if isinstance(of_all, dict) else None
        own = written if isinstance(written, dict) else {}
        return with_globals(of_functions, own, resource.get("IgnoreGlobals"))

    def _is_given(self, value: Any, path: tuple[str | int, ...]) -> bool:
        """Whether a property has a value, known or not; AWS::NoValue is none."""
        before = len(self._template.failed)
        try:
            return self._template.resolve(value, path) is not None
        except UnresolvedError:
            del self._template.failed[before:]
            return True

    def _name(self, logical_id: str) -> str:
        """The name of a resource. AWS adds random characters to one that the template does not name."""
        kind = _kind(self._resources[logical_id]).removeprefix(_IAM)
        properties = self._resources[logical_id].get("Properties") or {}
        key = _NAMES[kind][2] if kind in _NAMES else "Name" if kind == "SAMLProvider" else ""
        path = ("Resources", logical_id, "Properties", key)
        named = as_text(self._template.resolve(properties.get(key), path)) if isinstance(properties, dict) else None
        return named if isinstance(named, str) else f"{self._stack}-{logical_id}"[-_LONGEST_NAME:]

    def _path(self, logical_id: str) -> str:
        properties = self._resources[logical_id].get("Properties") or {}
        path = ("Resources", logical_id, "Properties", "Path")
        found = as_text(self._template.resolve(properties.get("Path"), path)) if isinstance(properties, dict) else None
        return found if isinstance(found, str) else "/"

    def _attribute(self, logical_id: str, attribute: str, _path: tuple[str | int, ...]) -> str | None:
        """The value of a resource of IAM for Ref and Fn::GetAtt."""
        kind = _kind(self._resources[logical_id]).removeprefix(_IAM)
        if kind == "OIDCProvider" and attribute in ("", "Arn"):
            url = self._template.resolve(
                self._resources[logical_id]["Properties"]["Url"], ("Resources", logical_id, "Properties", "Url")
            )
            return oidc_provider_arn(self._account_id, str(url))
        if kind == "SAMLProvider" and attribute in ("", "Arn"):
            return saml_provider_arn(self._account_id, self._name(logical_id))
        if kind not in _NAMES:
            return None
        is_arn = attribute == ("PolicyArn" if kind == "ManagedPolicy" else "Arn")
        if is_arn or (kind == "ManagedPolicy" and not attribute):
            return iam_arn(self._account_id, _NAMES[kind][1], self._path(logical_id), self._name(logical_id))
        return None if attribute else self._name(logical_id)

    # The kinds of resources.

    def _named(self, logical_id: str, part: Part, place: Place) -> None:
        kind = _kind(self._resources[logical_id]).removeprefix(_IAM)
        noun, _, name_key = _NAMES[kind]
        section: Section = {"name": self._name(logical_id), "path": part.text("Path") or "/"}
        known = {name_key, "Path"}
        if kind in ("User", "Group", "Role"):
            known |= {"ManagedPolicyArns", "Policies"}
            section["attached_policies"] = list(dict.fromkeys(arn for _, arn in part.texts("ManagedPolicyArns")))
            section["inline_policies"] = {
                each.text("PolicyName", required=True): document_in(each.value.get("PolicyDocument"))
                for each in part.parts("Policies")
            }
        if kind in ("User", "Role"):
            known |= {"PermissionsBoundary", "Tags"}
            section["permissions_boundary"] = part.text("PermissionsBoundary") or None
            section["tags"] = {each.text("Key", required=True): each.text("Value") for each in part.parts("Tags")}
        if kind == "Role":
            known |= {"AssumeRolePolicyDocument", "Description", "MaxSessionDuration"}
            section["trust_policy"] = document_in(part.value.get("AssumeRolePolicyDocument"))
            section["description"] = part.text("Description")
            section["max_session_duration"] = _number(part.value.get("MaxSessionDuration"))
        if kind == "ManagedPolicy":
            known |= {"PolicyDocument", "Description", *_OWNERS}
            section["document"] = document_in(part.value.get("PolicyDocument"))
            section["description"] = part.text("Description")
            arn = iam_arn(self._account_id, "policy", section["path"], section["name"])
            self._give_owners(logical_id, part, place, "attached_policies", arn)
        if kind == "User":
            known |= {"Groups"}
            section["groups"] = [name for _, name in part.texts("Groups")]
        if kind == "InstanceProfile":
            known |= {"Roles"}
            section["role"] = next((name for _, name in part.texts("Roles")), None)
        part.note_unknown(known)
        self._found.add(self._account_id, noun, section, place)

    def _give(self, logical_id: str, noun: str, name: str, member: str, value: Any, place: Place) -> None:
        self._grants.give(noun, name, member, value, place, logical_id, self._account_id)

    def _give_owners(self, logical_id: str, part: Part, place: Place, member: str, value: Any) -> None:
        for key, noun in _OWNERS.items():
            for _, name in part.texts(key):
                self._give(logical_id, noun, name, member, value, place)

    def _inline(self, logical_id: str, part: Part, place: Place) -> None:
        part.note_unknown(("PolicyName", "PolicyDocument", *_OWNERS, "UserName", "GroupName", "RoleName"))
        value = {part.text("PolicyName", required=True): document_in(part.value.get("PolicyDocument"))}
        self._give_owners(logical_id, part, place, "inline_policies", value)
        for key, noun in (("UserName", "users"), ("GroupName", "groups"), ("RoleName", "roles")):
            if part.text(key):
                self._give(logical_id, noun, part.text(key), "inline_policies", value, place)

    def _members(self, logical_id: str, part: Part, place: Place) -> None:
        part.note_unknown(("GroupName", "Users"))
        for _, name in part.texts("Users"):
            self._give(logical_id, "users", name, "groups", part.text("GroupName", required=True), place)

    def _oidc_provider(self, _logical_id: str, part: Part, place: Place) -> None:
        part.note_unknown(("Url", "ClientIdList", "ThumbprintList", "Tags"))
        section = {
            "url": part.text("Url", required=True),
            "client_ids": [each for _, each in part.texts("ClientIdList")],
            "thumbprints": [each for _, each in part.texts("ThumbprintList")],
            "tags": {each.text("Key", required=True): each.text("Value") for each in part.parts("Tags")},
        }
        self._found.add(self._account_id, "oidc_providers", section, place)

    def _saml_provider(self, logical_id: str, part: Part, place: Place) -> None:
        part.note_unknown(("Name", "SamlMetadataDocument", "Tags"))
        add_saml_provider(
            self._found,
            self._account_id,
            place,
            name=self._name(logical_id),
            metadata=part.text("SamlMetadataDocument", required=True),
            tags={each.text("Key", required=True): each.text("Value") for each in part.parts("Tags")},
        )

    def _service_linked_role(self, _logical_id: str, part: Part, place: Place) -> None:
        part.note_unknown(("AWSServiceName",))
        services = self._found.account(self._account_id, place).setdefault("service_linked_roles", [])
        services.append(part.text("AWSServiceName", required=True))

    def _function(self, logical_id: str, part: Part, place: Place) -> None:
        if "Role" not in part.value:
            self._found.add(
                self._account_id, "roles", role_of(part, logical_id, self._name(f"{logical_id}Role")), place
            )


def _number(value: Any) -> Any:
    """CloudFormation takes a number written as text."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value) else value
