"""The kinds of attachments: for each, the AWS service that it stands for, its operations, and how its module is found.

A kind is declared here and by its record in ``worlds.attached``. Its module has the functions that
:class:`Provider` names. It is loaded with the first request, because most servers have no attachment.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from msgspec import Struct

from rolecall.delivery.asked import Asked, Delivered, Minting
from rolecall.errors import AwsError
from rolecall.http import HttpAnswer
from rolecall.storage.attachments import Attachment


class Provider(Protocol):
    """What the module of a kind has.

    - ``operation_of``: the operation that a request asks for. Raises AwsError for one that is refused before any fault
      rule is asked.
    - ``answer``: the answer to it, and the credentials that it hands out. Raises AwsError.
    - ``refusal``: the answer for an error.
    - ``environment``: the variables that make SDKs find the attachment at a URL.
    """

    def operation_of(self, asked: Asked) -> str: ...

    def answer(self, asked: Asked, operation: str) -> Delivered: ...

    def refusal(self, error: AwsError) -> HttpAnswer: ...

    def environment(self, attachment: Attachment, url: str, minting: Minting) -> dict[str, str]: ...


class Kind(Struct, frozen=True):
    """One kind of attachment.

    ``principal`` is the service that assumes the role. ``operations`` have the error codes that fault rules may ask
    for, each with its HTTP status. ``credential_operations`` hand out credentials.
    """

    name: str
    title: str
    principal: str
    module: str
    operations: Mapping[str, Mapping[str, int]]
    credential_operations: frozenset[str]

    def provider(self) -> Provider:
        found: Any = importlib.import_module(f"rolecall.delivery.{self.module}")
        return found  # type: ignore[no-any-return]


# EC2 User Guide, Instance metadata: response codes.
_METADATA_ERRORS = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "InternalServerError": 500,
    "ServiceUnavailable": 503,
}
# aws/amazon-ecs-agent, handlers for credentials.
_TASK_ERRORS = {"InvalidIdInRequest": 400, "InternalServerError": 500, "ThrottlingException": 429}
# The model of eks-auth. The agent passes the status on.
_POD_ERRORS = {
    "AccessDeniedException": 400,
    "ExpiredTokenException": 400,
    "InvalidTokenException": 400,
    "ResourceNotFoundException": 404,
    "ThrottlingException": 429,
    "InternalServerException": 500,
    "ServiceUnavailableException": 503,
}

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            Kind(
                "imds",
                "instance metadata",
                "ec2.amazonaws.com",
                "imds",
                dict.fromkeys(("GetToken", "GetMetadata", "GetSecurityCredentials"), _METADATA_ERRORS),
                frozenset({"GetSecurityCredentials"}),
            ),
            Kind(
                "ecs",
                "container credentials",
                "ecs-tasks.amazonaws.com",
                "containers",
                {"GetTaskCredentials": _TASK_ERRORS},
                frozenset({"GetTaskCredentials"}),
            ),
            Kind(
                "eks",
                "EKS Pod Identity",
                "pods.eks.amazonaws.com",
                "pods",
                {"GetPodCredentials": _POD_ERRORS},
                frozenset({"GetPodCredentials"}),
            ),
        )
    }
)


def operation_names(kind: str) -> frozenset[str]:
    return frozenset(KINDS[kind].operations)


def error_codes(kind: str, operation: str) -> frozenset[str]:
    """The codes of an operation, or of all operations of the kind if that is empty."""
    operations = KINDS[kind].operations
    found = [operations[operation]] if operation else operations.values()
    return frozenset(code for codes in found for code in codes)


# Operations that hand out credentials, of every kind.
# Operations of AWS's services with which SDKs get credentials, by service. Attachments have the others.
SERVICE_CREDENTIAL_OPERATIONS = {
    "eks-auth": "AssumeRoleForPodIdentity",
    "rolesanywhere": "CreateSession",
    "signin": "CreateOAuth2Token",
    "sso": "GetRoleCredentials",
}
CREDENTIAL_OPERATIONS = frozenset(
    {
        *(name for kind in KINDS.values() for name in kind.credential_operations),
        *SERVICE_CREDENTIAL_OPERATIONS.values(),
    }
)
