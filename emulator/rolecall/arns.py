"""Amazon Resource Names: parsing them and writing the ones Rolecall needs (IAM User Guide, "IAM identifiers")."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

PARTITION = "aws"
_LAST_COLONS = 5
_CONTROL_POLICY_ID_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class Arn:
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


def iam_arn(account_id: str, kind: str, path: str, name: str) -> str:
    """ARN of an IAM entity. ``kind`` is user, role, group or policy. ``path`` begins and ends with ``/``."""
    return f"arn:aws:iam::{account_id}:{kind}{path}{name}"


def saml_provider_arn(account_id: str, name: str) -> str:
    return iam_arn(account_id, "saml-provider", "/", name)


def root_arn(account_id: str) -> str:
    return f"arn:aws:iam::{account_id}:root"


def control_policy_arn(account_id: str, organization_id: str, kind: str, name: str) -> str:
    """ARN of an organization's policy. ``kind`` is service or resource. ``account_id`` is the management account.

    AWS chooses a random id for the policy. Here the id depends on the name, so that it stays the same.
    """
    policy_id = hashlib.sha256(name.encode()).hexdigest()[:_CONTROL_POLICY_ID_CHARACTERS]
    return f"arn:aws:organizations::{account_id}:policy/{organization_id}/{kind}_control_policy/p-{policy_id}"


def aws_control_policy_arn(kind: str, name: str) -> str:
    """ARN of a policy that AWS makes for every organization, such as FullAWSAccess."""
    return f"arn:aws:organizations::aws:policy/{kind}_control_policy/p-{name}"


def assumed_role_arn(account_id: str, role_name: str, session_name: str) -> str:
    """The ARN does not contain the role's path, as on AWS."""
    return f"arn:aws:sts::{account_id}:assumed-role/{role_name}/{session_name}"


def federated_user_arn(account_id: str, name: str) -> str:
    return f"arn:aws:sts::{account_id}:federated-user/{name}"


def oidc_provider_arn(account_id: str, url: str) -> str:
    """The provider's URL without its scheme, path included."""
    return f"arn:aws:iam::{account_id}:oidc-provider/{url.partition('://')[2]}"
