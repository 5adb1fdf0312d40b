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
        sandboxed,
    )

__all__ = [
    "BadConfigError",
    "DecisionRecord",
    "NotServedError",
    "Rolecall",
    "SandboxEndedError",
    "UnknownIdentityError",
    "__version__",
    "sandboxed",
]


def __getattr__(name: str) -> Any:
    """Loads the test kit on first use: it imports an AWS client, which the command line does not need."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("rolecall.kit"), name)
