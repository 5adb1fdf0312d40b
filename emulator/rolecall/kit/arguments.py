"""What a test gives to a sandbox, checked when it is given."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from botocore.exceptions import InvalidRegionError
from botocore.utils import validate_region_name

from rolecall.web.origins import Admission, admission_of


def known_region(region: Any) -> str:
    """Raises ValueError."""
    try:
        if isinstance(region, str) and region:
            validate_region_name(region)
            return region
    except InvalidRegionError:
        pass
    raise ValueError(f"region is the name of an AWS Region, such as us-east-1, not {region!r}")


def known_seed(seed: Any) -> int | None:
    """Raises TypeError."""
    if seed is not None and type(seed) is not int:
        raise TypeError(f"seed is a whole number, not {seed!r}")
    return seed


def known_admission(allow_hosts: Collection[str], allow_origins: Collection[str], host: str) -> Admission:
    """Raises TypeError, also for a text, whose characters would be taken for names; ValueError."""
    for name, given in (("allow_hosts", allow_hosts), ("allow_origins", allow_origins)):
        if isinstance(given, str) or not all(isinstance(each, str) for each in given):
            raise TypeError(f"{name} is a list of texts, not {given!r}")
    return admission_of(allow_hosts, allow_origins, listening_at=host)
