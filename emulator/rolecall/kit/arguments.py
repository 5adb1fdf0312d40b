"""Checks the arguments that a test gives to a sandbox, at the time they are given."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from botocore.exceptions import InvalidRegionError
from botocore.utils import validate_region_name

from rolecall.web.origins import Admission, admission_of


def known_region(region: Any) -> str:
    """The name of a Region. Raises ValueError."""
    try:
        if isinstance(region, str) and region:
            validate_region_name(region)
            return region
    except InvalidRegionError:
        pass
    raise ValueError(f"region must be the name of an AWS Region, such as us-east-1, not {region!r}")


def known_seed(seed: Any) -> int | None:
    """The seed. Raises TypeError."""
    if seed is not None and type(seed) is not int:
        raise TypeError(f"seed must be a whole number, not {seed!r}")
    return seed


def known_admission(allow_hosts: Collection[str], allow_origins: Collection[str], host: str) -> Admission:
    """The admitted names and origins. Raises ValueError, and TypeError, also for a text in place of a list."""
    for name, given in (("allow_hosts", allow_hosts), ("allow_origins", allow_origins)):
        if isinstance(given, str) or not all(isinstance(each, str) for each in given):
            raise TypeError(f"{name} must be a list of texts, not {given!r}")
    return admission_of(allow_hosts, allow_origins, listening_at=host)
