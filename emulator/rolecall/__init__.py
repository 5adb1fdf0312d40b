"""Rolecall: a local stand-in for AWS STS, IAM and Amazon Chime."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rolecall.version import __version__

if TYPE_CHECKING:
    from rolecall.kit import (
        BadConfigError,
        DecisionRecord,
        NotServedError,
        Rolecall,
        SandboxEndedError,
        UnknownIdentityError,
    )

__all__ = [
    "BadConfigError",
    "DecisionRecord",
    "NotServedError",
    "Rolecall",
    "SandboxEndedError",
    "UnknownIdentityError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """The test kit, loaded when it is asked for: it brings an AWS client, which the command line has no use for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("rolecall.kit"), name)
