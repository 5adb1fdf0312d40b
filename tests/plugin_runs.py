"""Runs of pytest inside this process, by pytester."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest


def run_in_process(project: pytest.Pytester, *arguments: Any) -> pytest.RunResult:
    """Run pytest in this process. The modules that it loads stay loaded, except the modules of the project.

    pytester itself forgets them. A later test would load them again, and Rolecall's operations would be registered
    twice.
    """
    loaded: dict[str, ModuleType] = {}

    class Keeping:
        def pytest_unconfigure(self) -> None:
            loaded.update(sys.modules)

    result = project.runpytest_inprocess(*arguments, plugins=[Keeping()])
    for name, module in loaded.items():
        is_of_project = str(getattr(module, "__file__", None) or "").startswith(str(project.path))
        if not is_of_project and name not in sys.modules:
            sys.modules[name] = module
    return result
