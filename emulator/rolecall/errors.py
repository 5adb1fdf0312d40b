"""Errors of AWS, as values with their code and message.

Any module below the gateway may raise :class:`AwsError`. Only the gateway catches it, and only ``wire`` turns it into
bytes. A code in a service's model has the HTTP status from the model. :data:`COMMON_ERRORS` holds the codes that all
services share, each in the form of both protocol families (the "Common errors" pages of the IAM and Amazon Chime API
references).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

# The two messages differ by a full stop, as AWS's do.
DAMAGED_TOKEN_MESSAGE = "The security token included in the request is invalid"  # noqa: S105
UNKNOWN_KEY_MESSAGE = "The security token included in the request is invalid."
EXPIRED_TOKEN_MESSAGE = "The security token included in the request is expired"  # noqa: S105


class AwsError(Exception):
    """A refusal or failure that the client sees.

    ``code`` is a name of :data:`COMMON_ERRORS` or an error code (or exception name) of the service's model. ``status``
    overrides the status of the table or the model; leave it out if they have one. ``reason`` is free text for the log
    and the explanation. It is never sent to the client. ``members`` are further members of the exception in the model,
    such as ``Reason``.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status: int | None = None,
        reason: str = "",
        members: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.reason = reason
        self.members = members


class CommonError(Struct, frozen=True):
    """One error that every service can answer: its code and HTTP status in the query and in the JSON protocols."""

    query_code: str
    query_status: int
    json_code: str
    json_status: int


def _both(code: str, status: int) -> CommonError:
    return CommonError(code, status, code, status)


COMMON_ERRORS: Mapping[str, CommonError] = MappingProxyType(
    {
        # About the caller.
        "ExpiredToken": CommonError("ExpiredToken", 403, "ExpiredTokenException", 403),
        "InvalidClientTokenId": CommonError("InvalidClientTokenId", 403, "UnrecognizedClientException", 403),
        "SignatureDoesNotMatch": CommonError("SignatureDoesNotMatch", 403, "InvalidSignatureException", 403),
        "MissingAuthenticationToken": CommonError(
            "MissingAuthenticationToken", 403, "MissingAuthenticationTokenException", 403
        ),
        "IncompleteSignature": CommonError("IncompleteSignature", 400, "IncompleteSignatureException", 403),
        "AccessDenied": CommonError("AccessDenied", 403, "AccessDeniedException", 403),
        # About the request.
        "MalformedQueryString": _both("MalformedQueryString", 400),
        "MalformedInput": CommonError("MalformedInput", 400, "SerializationException", 400),
        "MissingAction": _both("MissingAction", 400),
        "InvalidAction": CommonError("InvalidAction", 400, "UnknownOperationException", 404),
        "MissingParameter": _both("MissingParameter", 400),
        "InvalidParameterValue": _both("InvalidParameterValue", 400),
        "InvalidParameterCombination": _both("InvalidParameterCombination", 400),
        "ValidationError": CommonError("ValidationError", 400, "ValidationException", 400),
        "RequestEntityTooLarge": CommonError("RequestEntityTooLarge", 413, "RequestEntityTooLargeException", 413),
        # About the server.
        "NotImplemented": _both("NotImplemented", 501),
        "InternalFailure": _both("InternalFailure", 500),
        "ServiceUnavailable": CommonError("ServiceUnavailable", 503, "ServiceUnavailableException", 503),
        "Throttling": CommonError("Throttling", 400, "ThrottlingException", 429),
    }
)


REGION_DISABLED_CODE = "RegionDisabledException"
REGION_DISABLED_MESSAGE = (
    "STS is not activated in this region for account:{account_id}. Your account administrator can activate STS in "
    "this region using the IAM Console."
)


def bad_request(message: str) -> AwsError:
    """The error of Chime's services for a request that breaks a rule."""
    return AwsError("BadRequestException", message)


def limit_exceeded(message: str) -> AwsError:
    """The error of Chime's services for more than a quota allows. AWS's messages are not recorded."""
    return AwsError("ResourceLimitExceededException", message)


def region_disabled(account_id: str, reason: str = "") -> AwsError:
    """AWS's answer in a Region where STS is switched off."""
    return AwsError(REGION_DISABLED_CODE, REGION_DISABLED_MESSAGE.format(account_id=account_id), reason=reason)
