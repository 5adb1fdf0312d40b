"""Credentials narrowed by a real call, as a program gives them to a sub-process or an agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

PolicyText = str | Mapping[str, Any]


def narrowed(sts: Any, policy: PolicyText | None, duration_seconds: int | None) -> dict[str, Any]:
    """The ``Credentials`` that GetScopedCredentials answers to a client with the credentials to be narrowed.

    Raises ClientError.
    """
    arguments: dict[str, Any] = {}
    if policy is not None:
        arguments["Policy"] = policy if isinstance(policy, str) else json.dumps(policy)
    if duration_seconds is not None:
        arguments["DurationSeconds"] = duration_seconds
    credentials: dict[str, Any] = sts.get_scoped_credentials(**arguments)["Credentials"]
    return credentials
