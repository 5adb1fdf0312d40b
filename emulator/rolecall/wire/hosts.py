"""Which host names belong to AWS: the domains of its partitions, from botocore's data."""

from __future__ import annotations

from functools import cache

from rolecall.wire.models import load_partitions

# Chime's and some other global endpoints, and the OAuth endpoints of Sign-In, are not below their partition's own
# suffix.
_BESIDE_PARTITIONS = ("amazon.com", "amazonaws.com", "api.aws", "signin.aws")


@cache
def aws_suffixes() -> tuple[str, ...]:
    """The domains of all partitions."""
    found = {
        partition["outputs"][name]
        for partition in load_partitions()
        for name in ("dnsSuffix", "dualStackDnsSuffix")
        if name in partition["outputs"]
    }
    return tuple(sorted({*found, *_BESIDE_PARTITIONS}))


def is_aws_host(host: str) -> bool:
    """Whether a host, without a port, is below one of AWS's domains."""
    name = host.lower().rstrip(".")
    return any(name == suffix or name.endswith(f".{suffix}") for suffix in aws_suffixes())
