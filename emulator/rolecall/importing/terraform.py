"""Reads ``terraform show -json`` of a plan or a state: resources of IAM and of Organizations.

Terraform documentation, "JSON output format". A plan does not know what AWS will answer, such as ARNs. They are made
from path and name where the configuration says which resource they come from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rolecall.arns import iam_arn, oidc_provider_arn, saml_provider_arn
from rolecall.importing.found import Part, Place, Section
from rolecall.importing.grants import Grants, document_in
from rolecall.importing.organizations import MADE_BY_AWS, Organizations
from rolecall.importing.saml import add_saml_provider

_ACCOUNT = re.compile(r"arn:aws:iam::(\d{12}):")
_REFERENCE = re.compile(r"(aws_\w+\.[\w-]+)(?:\[.*\])?\.(arn|id|name)")
# Members that hold the name or ARN of another resource and nothing else. Others may have it within a longer text.
_REFERRING = frozenset(
    (
        *("policy_arn", "permissions_boundary", "managed_policy_arns"),
        *("user", "group", "role", "users", "groups", "roles"),
    )
)
_INDEX = re.compile(r"\[[^\]]*\]")
NO_ACCOUNT_MESSAGE = "the files do not name the account: give its id with --account"
_UNKNOWN = "is known after apply only: apply, and import the state"
_ARN_KINDS = {
    "aws_iam_user": "user",
    "aws_iam_group": "group",
    "aws_iam_role": "role",
    "aws_iam_policy": "policy",
    "aws_iam_instance_profile": "instance-profile",
}
# The id of these resources is their ARN.
_ARNS_AS_IDS = frozenset(("aws_iam_policy", "aws_iam_openid_connect_provider", "aws_iam_saml_provider"))
_NOUNS = {"user": "users", "group": "groups", "role": "roles"}
# Needed for nothing here: every user gets a key that is made up.
_SECRETS = frozenset(("aws_iam_access_key", "aws_iam_user_login_profile"))


def is_terraform(value: Any) -> bool:
    return isinstance(value, dict) and "format_version" in value and ("values" in value or "planned_values" in value)


@dataclass(frozen=True, slots=True)
class _Resource:
    """One instance of a resource. ``module`` is the address of its module, ``expressions`` its configuration."""

    part: Part
    values: Mapping[str, Any]
    kind: str
    address: str
    module: str
    base: str
    expressions: Mapping[str, Any]

    @property
    def place(self) -> Place:
        return self.part.place


def read_terraform(
    grants: Grants, organizations: Organizations, place: Place, value: Mapping[str, Any], account_id: str
) -> None:
    """Add the resources of one plan or state. ``account_id`` is for files that do not name it; it may be empty.

    Raises EnoughFoundError.
    """
    _File(grants, organizations, place, value, account_id).add()


class _File:
    def __init__(
        self, grants: Grants, organizations: Organizations, place: Place, value: Mapping[str, Any], account_id: str
    ) -> None:
        self._found = found = grants.found
        self._grants = grants
        self._organizations = organizations
        self._place = place
        key = "planned_values" if "planned_values" in value else "values"
        whole = Part(found, place, value)
        configuration = whole.part("configuration")
        root = configuration.part("root_module") if configuration is not None else None
        values = whole.part(key)
        module = values.part("root_module") if values is not None else None
        self._resources = list(self._of_module(module, root)) if module is not None else []
        self._by_base: dict[tuple[str, str], list[_Resource]] = {}
        for each in self._resources:
            self._by_base.setdefault((each.module, each.base), []).append(each)
        self._account_id = self._known_account(whole) or account_id
        # By address, what a plan says about the members that only AWS knows.
        self._unknown: dict[str, Mapping[str, Any]] = {}
        for changed in whole.parts("resource_changes"):
            change = changed.part("change")
            unknown = change.part("after_unknown") if change is not None else None
            if unknown is not None:
                self._unknown[changed.text("address")] = unknown.value

    def add(self) -> None:
        managed = [each for each in self._resources if each.part.value.get("mode") != "data"]
        if any(each.kind.startswith("aws_iam_") for each in managed) and not self._account_id:
            self._found.problem(self._place, NO_ACCOUNT_MESSAGE)
            return
        others: Counter[str] = Counter()
        for resource in managed:
            if resource.kind in _ADDED:
                getattr(self, f"_{resource.kind.removeprefix('aws_').removeprefix('iam_')}")(resource)
            elif resource.kind not in _SECRETS:
                others[resource.kind] += 1
        for kind, count in sorted(others.items()):
            number = "1 resource" if count == 1 else f"{count} resources"
            self._found.note(self._place, f"{number} of the type {kind}: Rolecall does not have this; left out")

    # Finding resources, and what a plan does not know.

    def _of_module(self, module: Part, configuration: Part | None) -> Iterator[_Resource]:
        configured = (
            {} if configuration is None else {each.text("address"): each for each in configuration.parts("resources")}
        )
        address = module.text("address")
        for part in module.parts("resources"):
            values = part.part("values")
            base = f"{part.text('type', required=True)}.{part.text('name', required=True)}"
            of_it = configured.get(base)
            expressions = of_it.part("expressions") if of_it is not None else None
            yield _Resource(
                part,
                {} if values is None else values.value,
                part.text("type"),
                part.text("address", required=True),
                address,
                base,
                {} if expressions is None else expressions.value,
            )
        calls = configuration.part("module_calls") if configuration is not None else None
        for child in module.parts("child_modules"):
            name = _INDEX.sub("", child.text("address")).rpartition(".")[2]
            call = calls.part(name) if calls is not None else None
            yield from self._of_module(child, call.part("module") if call is not None else None)

    def _known_account(self, whole: Part) -> str:
        found: Counter[str] = Counter()
        for each in self._resources:
            named = _ACCOUNT.match(str(each.values.get("arn", "")))
            if named:
                found[named[1]] += 1
            if each.kind == "aws_caller_identity":
                found[str(each.values.get("account_id"))] += 1
        prior = whole.value.get("prior_state")
        if not found and isinstance(prior, dict):
            found.update(_ACCOUNT.findall(str(prior.get("values"))))
        return found.most_common(1)[0][0] if found else ""

    def _account_of(self, resource: _Resource) -> str:
        named = _ACCOUNT.match(str(resource.values.get("arn", "")))
        return named[1] if named else self._account_id

    def _arn(self, resource: _Resource) -> str:
        if isinstance(resource.values.get("arn"), str):
            return str(resource.values["arn"])
        if resource.kind == "aws_iam_openid_connect_provider":
            return oidc_provider_arn(self._account_id, str(resource.values.get("url")))
        if resource.kind == "aws_iam_saml_provider":
            return saml_provider_arn(self._account_id, str(resource.values.get("name")))
        path, name = str(resource.values.get("path") or "/"), str(resource.values.get("name"))
        return iam_arn(self._account_id, _ARN_KINDS.get(resource.kind, ""), path, name)

    def _referred(self, resource: _Resource, key: str) -> list[str]:
        """The values that an unknown member will have, by the resources that its expression names."""
        if key not in _REFERRING:
            return []
        expression = resource.expressions.get(key)
        references = expression.get("references") if isinstance(expression, dict) else None
        found = []
        for reference in references if isinstance(references, list) else ():
            named = _REFERENCE.fullmatch(str(reference))
            if named is None:
                continue
            others = self._by_base.get((resource.module, named[1]), [])
            index = resource.part.value.get("index")
            same = [each for each in others if index is not None and each.part.value.get("index") == index]
            others = same or others
            if len(others) != 1:
                return []
            of_policy = others[0].kind in _ARNS_AS_IDS
            is_arn = named[2] == "arn" or (named[2] == "id" and of_policy)
            value = self._arn(others[0]) if is_arn else others[0].values.get("name")
            if isinstance(value, str):
                found.append(value)
        return found

    def _is_unknown(self, resource: _Resource, key: str) -> bool:
        """Whether a member without a value will get one. A plan tells; otherwise its expression does."""
        told = self._unknown.get(resource.address)
        return key in resource.expressions if told is None else bool(told.get(key))

    def _text(self, resource: _Resource, key: str, *, required: bool = True) -> str:
        value = resource.values.get(key)
        if value is None:
            is_unknown = self._is_unknown(resource, key)
            referred = self._referred(resource, key) if is_unknown else []
            if len(referred) == 1:
                return referred[0]
            if required or is_unknown:
                self._found.problem(resource.place, f"{resource.address}: {key} {_UNKNOWN}")
        elif not isinstance(value, str):
            self._found.problem(resource.place, f"{resource.address}: {key} must be text")
        return value if isinstance(value, str) else ""

    def _texts(self, resource: _Resource, key: str) -> list[str]:
        value = resource.values.get(key)
        if value is None and not self._is_unknown(resource, key):
            return []
        found = self._referred(resource, key) if value is None else value
        if not isinstance(found, list):
            self._found.problem(resource.place, f"{resource.address}: {key} must be a list")
        elif (value is None and len(found) < self._sources(resource, key)) or None in found:
            self._found.problem(resource.place, f"{resource.address}: {key} {_UNKNOWN}")
        elif all(isinstance(each, str) for each in found):
            return found
        else:
            self._found.problem(resource.place, f"{resource.address}: {key} must be a list of texts")
        return []

    def _sources(self, resource: _Resource, key: str) -> int:
        """How many values an expression is made of, at least one. ``x.y.arn`` comes with ``x.y``, which is no other."""
        expression = resource.expressions.get(key)
        references = expression.get("references") if isinstance(expression, dict) else None
        named = [each for each in references if isinstance(each, str)] if isinstance(references, list) else []
        return max(1, sum(not any(other.startswith((f"{each}.", f"{each}[")) for other in named) for each in named))

    # The kinds of resources.

    def _named(self, resource: _Resource, noun: str, **members: Any) -> Section:
        tags = resource.values.get("tags_all") or resource.values.get("tags")
        section = {"name": self._text(resource, "name"), "path": resource.values.get("path") or "/", **members}
        if noun != "groups":
            section["tags"] = tags if isinstance(tags, dict) else {}
        if noun in ("users", "roles"):
            section["permissions_boundary"] = self._text(resource, "permissions_boundary", required=False) or None
        return self._found.add(self._account_of(resource), noun, section, resource.place)

    def _user(self, resource: _Resource) -> None:
        self._named(resource, "users")

    def _group(self, resource: _Resource) -> None:
        self._named(resource, "groups")

    def _policy(self, resource: _Resource) -> None:
        document = document_in(self._text(resource, "policy"))
        self._named(resource, "policies", document=document, description=resource.values.get("description"))

    def _role(self, resource: _Resource) -> None:
        inline = Part(self._found, resource.place, resource.values).parts("inline_policy")
        self._named(
            resource,
            "roles",
            trust_policy=document_in(self._text(resource, "assume_role_policy")),
            description=resource.values.get("description"),
            max_session_duration=resource.values.get("max_session_duration"),
            attached_policies=self._texts(resource, "managed_policy_arns"),
            inline_policies={each.text("name"): document_in(each.value.get("policy")) for each in inline if each.value},
        )

    def _instance_profile(self, resource: _Resource) -> None:
        self._named(resource, "instance_profiles", role=self._text(resource, "role", required=False) or None)

    def _openid_connect_provider(self, resource: _Resource) -> None:
        url = self._text(resource, "url")
        section = {
            "url": url if "://" in url else f"https://{url}",
            "client_ids": self._texts(resource, "client_id_list"),
            "thumbprints": self._texts(resource, "thumbprint_list"),
            "tags": resource.values.get("tags_all") or resource.values.get("tags") or {},
        }
        self._found.add(self._account_of(resource), "oidc_providers", section, resource.place)

    def _saml_provider(self, resource: _Resource) -> None:
        tags = resource.values.get("tags_all") or resource.values.get("tags")
        add_saml_provider(
            self._found,
            self._account_of(resource),
            resource.place,
            name=self._text(resource, "name"),
            metadata=self._text(resource, "saml_metadata_document"),
            tags=tags if isinstance(tags, dict) else {},
        )

    def _service_linked_role(self, resource: _Resource) -> None:
        account = self._found.account(self._account_of(resource), resource.place)
        account.setdefault("service_linked_roles", []).append(self._text(resource, "aws_service_name"))

    def _give(self, resource: _Resource, noun: str, name: str, member: str, value: Any) -> None:
        account_id = self._account_of(resource)
        self._grants.give(noun, name, member, value, resource.place, resource.address, account_id)

    def _inline(self, resource: _Resource) -> None:
        kind = resource.kind.removeprefix("aws_iam_").removesuffix("_policy")
        document = document_in(self._text(resource, "policy"))
        value = {self._text(resource, "name"): document}
        self._give(resource, _NOUNS[kind], self._text(resource, kind), "inline_policies", value)

    _user_policy = _group_policy = _role_policy = _inline

    def _attachment(self, resource: _Resource) -> None:
        kind = resource.kind.removeprefix("aws_iam_").removesuffix("_policy_attachment")
        arn = self._text(resource, "policy_arn")
        self._give(resource, _NOUNS[kind], self._text(resource, kind), "attached_policies", arn)

    _user_policy_attachment = _group_policy_attachment = _role_policy_attachment = _attachment

    def _policy_attachment(self, resource: _Resource) -> None:
        arn = self._text(resource, "policy_arn")
        for noun in _NOUNS.values():
            for name in self._texts(resource, noun):
                self._give(resource, noun, name, "attached_policies", arn)

    def _group_membership(self, resource: _Resource) -> None:
        for name in self._texts(resource, "users"):
            self._give(resource, "users", name, "groups", self._text(resource, "group"))

    def _user_group_membership(self, resource: _Resource) -> None:
        for name in self._texts(resource, "groups"):
            self._give(resource, "users", self._text(resource, "user"), "groups", name)

    # Organizations.

    def _organizations_organization(self, resource: _Resource) -> None:
        section = {"Id": self._text(resource, "id"), "MasterAccountId": self._text(resource, "master_account_id")}
        self._organizations.organization = Part(self._found, resource.place, section)

    def _of_organization(self, resource: _Resource, parts: dict[str, Part]) -> None:
        own = self._text(resource, "id")
        section = {"Id": own, "Name": self._text(resource, "name")}
        parts[own] = Part(self._found, resource.place, section)
        self._organizations.parents[own] = self._text(resource, "parent_id", required=False)

    def _organizations_account(self, resource: _Resource) -> None:
        self._of_organization(resource, self._organizations.accounts)

    def _organizations_organizational_unit(self, resource: _Resource) -> None:
        self._of_organization(resource, self._organizations.units)

    def _organizations_policy(self, resource: _Resource) -> None:
        kind = resource.values.get("type") or "SERVICE_CONTROL_POLICY"
        summary = {"Id": self._text(resource, "id"), "Name": self._text(resource, "name"), "Type": kind}
        summary["Description"] = resource.values.get("description") or ""
        section = {"PolicySummary": summary, "Content": self._text(resource, "content")}
        self._organizations.policies[summary["Id"]] = Part(self._found, resource.place, section)
        # Its attachments are resources of their own.
        self._organizations.told.add(summary["Id"])

    def _organizations_policy_attachment(self, resource: _Resource) -> None:
        policy_id = self._text(resource, "policy_id")
        self._organizations.attach(policy_id, self._text(resource, "target_id"))
        if policy_id not in MADE_BY_AWS:
            self._organizations.name(policy_id, resource.place)


_ADDED = frozenset(
    f"aws_{kind}"
    for kind in (
        *("iam_user", "iam_group", "iam_role", "iam_policy", "iam_instance_profile", "iam_openid_connect_provider"),
        *("iam_user_policy", "iam_group_policy", "iam_role_policy", "iam_policy_attachment", "iam_saml_provider"),
        *("iam_user_policy_attachment", "iam_group_policy_attachment", "iam_role_policy_attachment"),
        *("iam_group_membership", "iam_user_group_membership", "iam_service_linked_role"),
        *("organizations_organization", "organizations_account", "organizations_organizational_unit"),
        *("organizations_policy", "organizations_policy_attachment"),
    )
)
