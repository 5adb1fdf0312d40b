"""Which hosts belong to AWS. Requests to them must not leave a test."""

from __future__ import annotations

from rolecall import wire
from rolecall.inprocess import ENDPOINT_URL

_OWN_HOST = ENDPOINT_URL.partition("://")[2]


def is_aws_host(host: str) -> bool:
    """Whether a host belongs to AWS, or is the name of a sandbox in this process."""
    return host.lower().rstrip(".") == _OWN_HOST or wire.is_aws_host(host)
