"""A call as it came, and the facts that need no proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from rolecall.access.regions import region_of_host, sign_in_region
from rolecall.arns import parse_arn
from rolecall.http import HttpRequest
from rolecall.service_records import DEFAULT_REGION
from rolecall.services.registry import Call
from rolecall.signing import Signature


class Received(NamedTuple):
    """A request as it came. ``at_seconds`` is by the wall clock, ``started_seconds`` by the clock for durations."""

    request_id: str
    request: HttpRequest
    at_seconds: float
    started_seconds: float


def region_of(signature: Signature | None, request: HttpRequest) -> str:
    """The Region of a call: from its signature, else from the endpoint."""
    if signature is None:
        host = request.headers.get("host", "")
        return region_of_host(host) or sign_in_region(host) or DEFAULT_REGION
    return signature.region or DEFAULT_REGION


def account_of(call: Call, parameters: Mapping[str, Any]) -> str:
    """The account that credentials are for: the caller's, or the account of the role that an unsigned call names."""
    parsed = None if call.account_id else parse_arn(parameters.get("RoleArn", ""))
    return call.account_id if parsed is None else parsed.account_id
