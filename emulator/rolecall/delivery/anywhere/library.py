"""The door to the modules that need cryptography's X.509. They are loaded with the first certificate."""

from __future__ import annotations

import importlib
from typing import Any


def certificates() -> Any:
    """The module with what needs an X.509 library: paths, revocation, signatures and names."""
    return importlib.import_module("rolecall.delivery.anywhere.certificates")
