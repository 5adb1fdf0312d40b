"""The benchmarks still run: what they import and call is there. Nothing here measures."""

from __future__ import annotations

import ast
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from loaded_scripts import ROOT, loaded_script

SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModuleType]:
    """A script of benchmarks/ as a module; its ``main`` sees the given arguments."""

    def load(name: str, *arguments: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
        monkeypatch.setattr("sys.argv", [name, *arguments])
        return loaded_script(f"benchmarks/{name}.py", f"benchmark_{name}")

    return load


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_benchmark_imports_what_is_there(script: Path) -> None:
    """Without running it, because its peers are no dependencies of the tests."""
    missing = []
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rolecall":
            module = importlib.import_module(node.module or "")
            missing += [f"{node.module}.{each.name}" for each in node.names if not _has(module, each.name)]
    assert missing == []


def _has(module: ModuleType, name: str) -> bool:
    return hasattr(module, name) or importlib.util.find_spec(f"{module.__name__}.{name}") is not None


def test_the_steps_of_a_call_run(benchmark: Callable[..., ModuleType], capsys: pytest.CaptureFixture[str]) -> None:
    module = benchmark("call_steps", "--rounds", "1", "--repeats", "1")
    module.main()
    shown = capsys.readouterr().out
    assert [title for title in (*module.BUDGET, "the whole call", "a bare Flask answer") if title not in shown] == []


def test_the_steps_of_the_wire_run(
    benchmark: Callable[..., ModuleType], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = benchmark("wire_steps")
    monkeypatch.setattr(module, "microseconds", once)
    # Reading every model takes a second.
    monkeypatch.setattr(module, "SERVICES", ("sts",))
    module.main()
    assert "AssumeRole" in capsys.readouterr().out


def test_the_steps_of_a_signature_run(
    benchmark: Callable[..., ModuleType], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = benchmark("signing_steps")
    monkeypatch.setattr(module, "microseconds", once)
    module.main()
    assert "GetCallerIdentity, presigned" in capsys.readouterr().out


def once(step: Callable[[], Any]) -> float:
    step()
    return 0.0


def test_the_decisions_of_the_policy_engine_run(
    benchmark: Callable[..., ModuleType], capsys: pytest.CaptureFixture[str]
) -> None:
    module = benchmark("policy_engine", "--rounds", "1", "--decisions", "1")
    module.main()
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(module.cases())


def test_a_large_sandbox_runs(benchmark: Callable[..., ModuleType], tmp_path: Path) -> None:
    module = benchmark("large_world")
    file = tmp_path / "large.json"
    file.write_text("\n".join(module.lines_of(1, 2, 2)), encoding="utf-8")
    assert {name: bool(part(str(file), str(tmp_path))) for name, part in module.PARTS.items()} == dict.fromkeys(
        module.PARTS, True
    )
