"""Amazon Resource Names: parsing them and writing the ones Rolecall needs (IAM User Guide, "IAM identifiers")."""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

PARTITION = "aws"
_LAST_COLONS = 5
_CONTROL_POLICY_ID_CHARACTERS = 8
_VARIABLE = re.compile(r"\$\{(\w+)\}")
# Some services' templates have Account, others AccountId.
_AROUND = frozenset({"Partition", "Region", "Account", "AccountId"})


class Arn(Struct, frozen=True):
    """``arn:partition:service:region:account:resource``. The resource keeps its own colons and slashes."""

    partition: str
    service: str
    region: str
    account_id: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account_id}:{self.resource}"

    @property
    def resource_type(self) -> str:
        """``role`` of ``role/path/name``; empty when the resource has no slash."""
        return self.resource.partition("/")[0] if "/" in self.resource else ""

    @property
    def resource_name(self) -> str:
        """The last part of the resource, without type and path."""
        return self.resource.rpartition("/")[2]


def missing_arn_parts(pattern: str) -> int:
    """How many of the six parts are missing at the end of an ARN or pattern of ARNs; 0 for a text that is no ARN."""
    return max(0, _LAST_COLONS - pattern.count(":")) if pattern.startswith("arn:") else 0


def parse_arn(text: str) -> Arn | None:
    """The parts of an ARN, or None when ``text`` is not one."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn" or not parts[1] or not parts[2] or not parts[5]:
        return None
    return Arn(*parts[1:])


def arn_format(template: str) -> str:
    """A form of ARNs in the Service Authorization Reference (``${Region}``) for :func:`formatted_arn`."""
    return _VARIABLE.sub(lambda match: f"{{{match[1]}}}" if match[1] in _AROUND else "{}", template)


def formatted_arn(form: str, region: str, account_id: str, resource_id: str) -> str:
    """The ARN of a resource. The id has all variables of the form that are its own, such as ``INSTANCE/USER``."""
    around = {"Partition": PARTITION, "Region": region, "Account": account_id, "AccountId": account_id}
    return form.format(*resource_id.split("/"), **around)


def iam_arn(account_id: str, kind: str, path: str, name: str) -> str:
    """ARN of an IAM entity. ``kind`` is user, role, group or policy. ``path`` begins and ends with ``/``."""
    return f"arn:aws:iam::{account_id}:{kind}{path}{name}"


def saml_provider_arn(account_id: str, name: str) -> str:
    return iam_arn(account_id, "saml-provider", "/", name)


def root_arn(account_id: str) -> str:
    return f"arn:aws:iam::{account_id}:root"


# The policies that AWS makes for every organization, by their type.
FULL_ACCESS = {"SERVICE_CONTROL_POLICY": "FullAWSAccess", "RESOURCE_CONTROL_POLICY": "RCPFullAWSAccess"}


def declared_policy_id(policy_type: str, name: str) -> str:
    """The id of an organization's policy that was declared without one. It depends on type and name, so that it stays.

    AWS chooses a random id, except for its own policies.
    """
    if name == FULL_ACCESS.get(policy_type):
        return f"p-{name}"
    text = name if policy_type == "SERVICE_CONTROL_POLICY" else f"{policy_type}/{name}"
    return f"p-{hashlib.sha256(text.encode()).hexdigest()[:_CONTROL_POLICY_ID_CHARACTERS]}"


def organization_policy_arn(account_id: str, organization_id: str, policy_type: str, policy_id: str) -> str:
    """ARN of an organization's policy. ``account_id`` is the management account. AWS owns FullAWSAccess."""
    if policy_id == f"p-{FULL_ACCESS.get(policy_type)}":
        return f"arn:aws:organizations::aws:policy/{policy_type.lower()}/{policy_id}"
    return f"arn:aws:organizations::{account_id}:policy/{organization_id}/{policy_type.lower()}/{policy_id}"


def assumed_role_arn(account_id: str, role_name: str, session_name: str) -> str:
    """The ARN does not contain the role's path, as on AWS."""
    return f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{session_name}"


def federated_user_arn(account_id: str, name: str) -> str:
    return f"arn:aws:sts::{account_id}:federated-user/{name}"


def oidc_provider_arn(account_id: str, url: str) -> str:
    """The provider's URL without its scheme, path included."""
    return f"arn:aws:iam::{account_id}:oidc-provider/{url.partition('://')[2]}"
