"""Reads answers of ``aws organizations``: the organization, accounts, units, control policies and their targets.

AWS Organizations API Reference. Some answers do not tell what they are about: the targets of a policy, the policies
of a target, the units below a parent. The name of the file then has the id that the call was about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from rolecall.importing.found import Found, Part, Place, Section
from rolecall.importing.grants import document_in
from rolecall.storage.gather import ACCOUNT_STATES, ACTIVE

_ANSWERS = frozenset(("Organization", "Accounts", "Roots", "OrganizationalUnits", "Policy", "Policies", "Targets"))
_NOUNS = {
    "SERVICE_CONTROL_POLICY": "service_control_policies",
    "RESOURCE_CONTROL_POLICY": "resource_control_policies",
}
_ID = re.compile(
    r"(?<![0-9A-Za-z])(r-[0-9a-z]{4,32}|ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}|p-[0-9A-Za-z_]{8,128}|\d{12})(?![0-9A-Za-z])"
)
_UNIT = re.compile(r"ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}")
MADE_BY_AWS = frozenset(("p-FullAWSAccess", "p-RCPFullAWSAccess"))
# AWS lets nobody detach it.
_ALWAYS_ATTACHED = "p-RCPFullAWSAccess"
_ROOT = "ROOT"
_UNTOLD_MESSAGE = (
    "the files do not tell what the policy is attached to: import the answer of aws organizations "
    "list-targets-for-policy --policy-id {policy_id}, too, in a file with this id in its name"
)


def is_organizations_answer(value: Any) -> bool:
    return isinstance(value, dict) and not _ANSWERS.isdisjoint(value)


@dataclass
class Organizations:
    """What the answers tell together. Units, accounts and policies by id; targets by id of the policy.

    - ``told``: the policies all of whose targets the answers tell.
    - ``asked``: the types of the policies that the answer about a target lists, by id of the target.
    - ``named``: the place of each policy that an answer names without its text.
    """

    found: Found
    organization: Part | None = None
    units: dict[str, Part] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, Part] = field(default_factory=dict)
    policies: dict[str, Part] = field(default_factory=dict)
    targets: dict[str, list[str]] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    asked: dict[str, set[str]] = field(default_factory=dict)
    named: dict[str, Place] = field(default_factory=dict)

    def read(self, place: Place, value: Mapping[str, Any]) -> None:
        """Take one answer in. Raises EnoughFoundError."""
        answer = Part(self.found, place, value)
        answer.note_unknown((*_ANSWERS, "NextToken"))
        if value.get("NextToken"):
            self.found.problem(place / "NextToken", "this is one page of several: import the pages as a whole")
        organization = answer.part("Organization")
        if organization is not None:
            self.organization = organization
        for unit in answer.parts("OrganizationalUnits"):
            self.units[unit.text("Id", required=True)] = unit
            self._parent(unit, unit.text("Path"))
        for account in answer.parts("Accounts"):
            self.accounts[account.text("Id", required=True)] = account
            paths = [path for _, path in account.texts("Paths")]
            self._parent(account, paths[0] if paths else "")
        policy = answer.part("Policy")
        if policy is not None:
            summary = policy.part("PolicySummary")
            self.policies[summary.text("Id", required=True) if summary is not None else ""] = policy
        if "Policies" in value:
            self._read_policies(answer)
        if "Targets" in value:
            self._read_targets(answer)

    def _read_policies(self, answer: Part) -> None:
        """The policies of a target, or the policies of the organization if the file's name has no id of a target."""
        target = _id_in_name(answer.place)
        is_about_target = bool(target) and not target.startswith("p-")
        types = self.asked.setdefault(target, set()) if is_about_target else set()
        for summary in answer.parts("Policies"):
            policy_id = summary.text("Id", required=True)
            types.add(summary.text("Type"))
            if is_about_target:
                self.attach(policy_id, target)
            if is_about_target or policy_id not in MADE_BY_AWS:
                self.name(policy_id, summary.place)

    def _read_targets(self, answer: Part) -> None:
        policy_id = _id_in_name(answer.place)
        if not policy_id.startswith("p-"):
            message = "the answer does not say of which policy: put its id in the file's name"
            self.found.problem(answer.place / "Targets", message)
            return
        self.told.add(policy_id)
        self.name(policy_id, answer.place)
        for attached in answer.parts("Targets"):
            self.attach(policy_id, attached.text("TargetId", required=True))

    def add(self) -> None:
        """Add everything to what was found, once all answers were read. Raises EnoughFoundError."""
        if self.organization is None:
            for part in [*self.units.values(), *self.accounts.values(), *self.policies.values()][:1]:
                self.found.problem(part.place, "needs the answer of aws organizations describe-organization, too")
            return
        in_it = set(self.accounts)
        section = self.found.organization
        section["id"] = self.organization.text("Id", required=True)
        section["management_account"] = self.organization.text("MasterAccountId", required=True)
        self.found.origins["organization",] = self.organization.place
        if section["management_account"]:
            self.found.account(section["management_account"], self.organization.place)
            in_it |= {section["management_account"]} if in_it else set()
        for account_id, part in self.accounts.items():
            account = self.found.account(account_id, part.place)
            account["name"], account["email"] = part.text("Name"), part.text("Email") or None
            self._state(account, part)
        for account_id, account in self.found.accounts.items():
            if in_it and account_id not in in_it:
                account["in_organization"] = False
        names = self._names()
        for unit_id, unit in self.units.items():
            members = [each for each in self.accounts if self.parents.get(each) == unit_id]
            parent = names.get(self.parents.get(unit_id, ""))
            unit_section = {"name": names[unit_id], "id": unit_id, "parent": parent, "accounts": members}
            self.found.add_to_organization("organizational_units", unit_section, unit.place)
        for policy_id, policy in self.policies.items():
            self._policy(policy_id, policy, names)
        for policy_id, place in self.named.items():
            if policy_id not in self.policies:
                message = f"needs the answer of aws organizations describe-policy --policy-id {policy_id}, too"
                self.found.problem(place, message)

    def _state(self, account: Section, part: Part) -> None:
        """The state of an account. Accounts that are about to close still work on AWS, and so they do here."""
        state = part.text("State") or part.text("Status")
        if state in ACCOUNT_STATES:
            account["state"] = None if state == ACTIVE else state
        elif state:
            self.found.note(part.place, f"the account is {state}; in the sandbox it is {ACTIVE}")

    def _is_told(self, policy_id: str, kind: str) -> bool:
        """Whether the answers tell every target of a policy: an answer about the policy, or one about each target."""
        if policy_id in self.told:
            return True
        # Every target has a control policy. An answer that lists none is about policies of another type.
        asked = {target for target, types in self.asked.items() if kind in types or (kind not in _NOUNS and not types)}
        everywhere = {*self.units, *self.accounts, self.found.organization["management_account"]}
        return everywhere <= asked and any(target.startswith("r-") for target in asked)

    def _parent(self, part: Part, path: str) -> None:
        """Note what an account or unit is in: the last unit of its path, or the id in the file's name."""
        own = part.text("Id")
        above = [unit for unit in _UNIT.findall(path) if unit != own]
        named = _id_in_name(part.place)
        if above:
            self.parents[own] = above[-1]
        elif not path and (_UNIT.fullmatch(named) or named.startswith("r-")):
            self.parents[own] = named
        elif path:
            self.parents[own] = _ROOT
        elif own not in self.parents and part.place.path[-2:-1] == ("OrganizationalUnits",):
            message = "the answer does not say what the unit is in: put the id of its parent in the file's name"
            self.found.problem(part.place, message)

    def attach(self, policy_id: str, target: str) -> None:
        """Note a target of a policy: the id of an account, a unit or the root."""
        targets = self.targets.setdefault(policy_id, [])
        if target not in targets:
            targets.append(target)

    def name(self, policy_id: str, place: Place) -> None:
        """Note that something names a policy, whose text the files must have then."""
        if policy_id != _ALWAYS_ATTACHED:
            self.named.setdefault(policy_id, place)

    def _names(self) -> dict[str, str]:
        """A name for each unit. AWS allows the same name below two parents, the sandbox file does not."""
        names: dict[str, str] = {}
        for unit_id, unit in self.units.items():
            name = unit.text("Name", required=True)
            if name in names.values():
                self.found.note(unit.place, f"there are two units {name}: this one is named {name} {unit_id}")
                name = f"{name} {unit_id}"
            names[unit_id] = name
        return names

    def _policy(self, policy_id: str, policy: Part, names: Mapping[str, str]) -> None:
        summary = policy.part("PolicySummary")
        if summary is None:
            self.found.problem(policy.place, "lacks PolicySummary")
            return
        kind = summary.text("Type", required=True)
        targets = [
            _ROOT if target.startswith("r-") else names.get(target, target)
            for target in self.targets.get(policy_id, [])
        ]
        if policy_id == _ALWAYS_ATTACHED:
            return
        if not self._is_told(policy_id, kind):
            self.found.problem(policy.place, _UNTOLD_MESSAGE.format(policy_id=policy_id))
            return
        section: Section = {"name": summary.text("Name", required=True), "id": policy_id}
        section["description"] = summary.text("Description")
        content = policy.text("Content", required=True)
        if kind in _NOUNS:
            section["document"] = content
        else:
            # The sandbox file takes a mapping here.
            section |= {"type": kind, "document": document_in(content)}
        if targets:
            section["targets"] = targets
        else:
            section["attached"] = False
            self.found.note(policy.place, "the policy is attached to nothing")
        self.found.add_to_organization(_NOUNS.get(kind, "management_policies"), section, policy.place)


def _id_in_name(place: Place) -> str:
    """The id in the name of a file such as ``targets-p-examplepolicy.json``; empty if there is none."""
    named = _ID.search(PurePath(place.source.name).stem)
    return named[1] if named else ""
