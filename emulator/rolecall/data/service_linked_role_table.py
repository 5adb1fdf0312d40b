"""Service-linked roles: service, role name and policy (IAM User Guide, Using service-linked roles)."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

_FILE = Path(__file__).parent / "service_linked_roles" / "service_linked_roles.tsv"
_POLICY_ARN_PREFIX = "arn:aws:iam::aws:policy/aws-service-role/"

CustomSuffix = Literal["refused", "allowed"]

# AWS answers "Custom suffix is not allowed" for most services. Assumed for the services without a recorded answer.
CUSTOM_SUFFIX_WHEN_UNKNOWN: CustomSuffix = "refused"


class ServiceLinkedRole(Struct, frozen=True):
    """The role that ``CreateServiceLinkedRole`` makes for one service.

    ``service`` is the service principal. ``policy_arn`` names the one policy attached to the role, even when that
    policy is not among :func:`managed_policies`; None where AWS names no policy. ``custom_suffix`` says whether the
    call may add a suffix to the role name.
    """

    service: str
    role_name: str
    policy_arn: str | None
    custom_suffix: CustomSuffix


@cache
def service_linked_roles() -> Mapping[str, ServiceLinkedRole]:
    """Every known service-linked role, by service principal."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return MappingProxyType({row["service"]: _role(row) for row in csv.DictReader(file, delimiter="\t")})


def _role(row: Mapping[str, str]) -> ServiceLinkedRole:
    policy_name = row["policy_name"]
    return ServiceLinkedRole(
        service=row["service"],
        role_name=row["role_name"],
        policy_arn=None if policy_name == "?" else _POLICY_ARN_PREFIX + policy_name,
        custom_suffix=_custom_suffix(row["custom_suffix"]),
    )


def _custom_suffix(text: str) -> CustomSuffix:
    if text == "?":
        return CUSTOM_SUFFIX_WHEN_UNKNOWN
    return "allowed" if text == "allowed" else "refused"
