"""Runs of pytest inside this process, by pytester."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from _pytest.pytester import SysModulesSnapshot


def run_in_process(project: pytest.Pytester, *arguments: Any) -> pytest.RunResult:
    """Run pytest in this process. The modules that it loads stay loaded, except the modules of the project.

    pytester itself forgets them. A later test would load them again, and Rolecall's operations would be registered
    twice.
    """
    loaded: dict[str, ModuleType] = {}
    forget = SysModulesSnapshot.restore

    def forget_after_note(snapshot: SysModulesSnapshot) -> None:
        # The last moment: the plugin may load modules until the very end of the run.
        loaded.update(sys.modules)
        forget(snapshot)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SysModulesSnapshot, "restore", forget_after_note)
        result = project.runpytest_inprocess(*arguments)
    for name, module in loaded.items():
        is_of_project = str(getattr(module, "__file__", None) or "").startswith(str(project.path))
        if not is_of_project and name not in sys.modules:
            sys.modules[name] = module
    # The fixture returns to its own snapshot when the test ends.
    project._sys_modules_snapshot = SysModulesSnapshot()
    return result
