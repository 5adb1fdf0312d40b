"""The pytest plugin: a sandbox for a test, in this process or behind a socket, and why its calls were refused.

Loaded by every run of pytest wherever Rolecall is installed, so it loads nothing itself: the kit comes with the first
test that uses a fixture.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from emulator.kit import Rolecall

MARKER = (
    "rolecall(config=None, world=None, seed=None, region=None): the sandbox of the fixtures rolecall and "
    "rolecall_server: a sandbox file (beside the test or below pytest's root) or a mapping, a seed for identifiers, "
    "a Region"
)
SECTION_TITLE = "Rolecall: refused calls"
KNOWN_ARGUMENTS = ("config", "world", "seed", "region")
_MAXIMUM_REFUSALS = 20

_sandboxes = pytest.StashKey[list[Any]]()
_server = pytest.StashKey[Any]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def rolecall(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rolecall]:
    """A fresh sandbox in this process, which plain boto3 reaches during the test."""
    kit = _kit()
    _remember_environment(monkeypatch)
    with kit.Rolecall(**_arguments(request)) as sandbox:
        _keep(request, sandbox)
        yield sandbox


@pytest.fixture
def rolecall_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rolecall]:
    """A fresh sandbox behind a socket, to which the environment points during the test."""
    kit = _kit()
    _remember_environment(monkeypatch)
    with kit.fresh_behind(_socket(request.config), **_arguments(request)) as sandbox:
        _keep(request, sandbox)
        yield sandbox


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and report.when != "teardown":
        texts = [text for sandbox in item.stash.get(_sandboxes, []) if (text := _refusals(sandbox))]
        if texts:
            report.sections.append((SECTION_TITLE, "\n\n".join(texts)))
    return report


def _kit() -> Any:
    return importlib.import_module("emulator.kit")


def _socket(config: pytest.Config) -> Any:
    """One socket for all tests of a worker. Each test has a sandbox of its own behind it."""
    if _server not in config.stash:
        server = config.stash[_server] = _kit().ThreadedServer()
        config.add_cleanup(server.close)
    return config.stash[_server]


def _remember_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test changes with monkeypatch is undone after the sandbox has ended, so the first state is kept there."""
    for name in _kit().MANAGED_VARIABLES:
        value = os.environ.get(name)
        # Also for one that is not set: only a change is remembered.
        monkeypatch.setenv(name, value or "")
        if value is None:
            monkeypatch.delenv(name)


def _keep(request: pytest.FixtureRequest, sandbox: Rolecall) -> None:
    request.node.stash.setdefault(_sandboxes, []).append(sandbox)


def _arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What the markers of the test say, the nearest first."""
    given: dict[str, Any] = {}
    for marker in request.node.iter_markers("rolecall"):
        unknown = sorted(set(marker.kwargs) - set(KNOWN_ARGUMENTS))
        if marker.args or unknown:
            wrong = f"it has no {', '.join(unknown)}" if unknown else "give its arguments by name"
            raise pytest.UsageError(f"the marker is {MARKER.partition(':')[0]}: {wrong}")
        if {"config", "world"} <= set(marker.kwargs):
            raise pytest.UsageError("the marker rolecall takes config or world, not both")
        for name, value in marker.kwargs.items():
            if value is not None:
                given.setdefault(
                    "config" if name == "world" else name, _found(request, value) if name == "config" else value
                )
    return given


def _found(request: pytest.FixtureRequest, config: Any) -> Any:
    """A path in a marker is meant from the test's folder, else from pytest's root."""
    if not isinstance(config, str | Path) or "\n" in str(config):
        return config
    beside = request.path.parent / config
    return beside if beside.is_file() else request.config.rootpath / config


def _refusals(sandbox: Rolecall) -> str:
    refused = sandbox.refusals
    shown = [decision.reasons for decision in refused[:_MAXIMUM_REFUSALS]]
    if len(refused) > len(shown):
        shown.append(f"… and {len(refused) - len(shown)} before them")
    return "\n\n".join(shown)
