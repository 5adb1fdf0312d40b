"""The versions of the instance metadata service: a date in place of ``latest`` has what was released by that day.

Sources: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata" (the available versions) and
"Instance metadata categories", column "Version when category was released". Paths below it are released with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

LATEST = "latest"
# Recorded answers of http://169.254.169.254/. As texts they are in the order of time, and before ``latest``.
VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    LATEST,
)
# Everything else that Rolecall serves is there from the first version on.
_RELEASED = MappingProxyType(
    {
        "dynamic": "2009-04-04",
        "meta-data/iam": "2012-01-12",
        "meta-data/identity-credentials": "2018-05-23",
        "meta-data/instance-life-cycle": "2019-10-01",
        "meta-data/instance-type": "2007-08-29",
        "meta-data/local-hostname": "2007-01-19",
        "meta-data/mac": "2011-01-01",
        "meta-data/network": "2011-01-01",
        "meta-data/placement": "2008-02-01",
        "meta-data/placement/region": "2020-08-24",
        "meta-data/services": "2014-02-25",
        "meta-data/services/partition": "2015-10-20",
    }
)


def of_version(tree: Mapping[str, Any], version: str, path: str = "") -> dict[str, Any]:
    """The files and folders that a version has."""
    found: dict[str, Any] = {}
    for name, below in tree.items():
        place = f"{path}{name}"
        if _RELEASED.get(place, "") <= version:
            found[name] = of_version(below, version, f"{place}/") if isinstance(below, Mapping) else below
    return found


def is_role_path(parts: list[str]) -> bool:
    """Whether the parts of a path name a role's credentials, in a version that has them."""
    folder = ["meta-data", "iam", "security-credentials"]
    is_served = bool(parts) and parts[0] in VERSIONS and parts[0] >= _RELEASED["meta-data/iam"]
    return is_served and parts[1:4] == folder and len(parts) == 5
