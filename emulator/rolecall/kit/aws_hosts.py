"""Which hosts are AWS's: requests to them must not leave a test."""

from __future__ import annotations

from functools import cache

from rolecall.inprocess import ENDPOINT_URL
from rolecall.kit.loading import shared_loader

# Chime's and some other global endpoints are not below a partition's own suffix.
_BESIDE_PARTITIONS = ("amazon.com", "amazonaws.com", "api.aws")
_OWN_HOST = ENDPOINT_URL.partition("://")[2]


@cache
def aws_suffixes() -> tuple[str, ...]:
    """The domains of all partitions, from botocore's data."""
    partitions = shared_loader().load_data("partitions")["partitions"]
    found = {partition["outputs"][name] for partition in partitions for name in ("dnsSuffix", "dualStackDnsSuffix")}
    return tuple(sorted({*found, *_BESIDE_PARTITIONS}))


def is_aws_host(host: str) -> bool:
    """Whether a host is AWS's, or the name that stands for a sandbox in this process."""
    name = host.lower().rstrip(".")
    return name == _OWN_HOST or any(name == suffix or name.endswith(f".{suffix}") for suffix in aws_suffixes())
