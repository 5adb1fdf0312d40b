"""The entrance to :mod:`rolecall.sessions.jose`. It is loaded with the first token, because loading it takes time."""

from __future__ import annotations

import importlib
from functools import cache
from types import ModuleType


@cache
def jose() -> ModuleType:
    return importlib.import_module("rolecall.sessions.jose")
