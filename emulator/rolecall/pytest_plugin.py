"""The pytest plugin: a sandbox for a test, in this process or behind a socket, and a report of its refused calls.

Every run of pytest loads the plugin where Rolecall is installed. So it imports nothing itself: the first test that uses
a fixture loads the kit.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from rolecall.kit import DecisionRecord, Rolecall

MARKER = (
    "rolecall(config=None, world=None, seed=None, region=None): the sandbox of the fixtures rolecall and "
    "rolecall_server: a sandbox file (beside the test or below pytest's root) or a mapping, a seed for identifiers, "
    "a Region"
)
SECTION_TITLE = "Rolecall: refused calls"
KNOWN_ARGUMENTS = ("config", "world", "seed", "region")
_MAXIMUM_REFUSALS = 20
_KIT = "rolecall.kit"

REPORT_OPTION = "--rolecall-report"
_REPORT = "rolecall.kit.run_report"
_WORKER_OUTPUT = "rolecall_report"

_refused_calls = pytest.StashKey[Any]()
_run_calls = pytest.StashKey[Any]()
_server = pytest.StashKey[Any]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rolecall")
    group.addoption(
        REPORT_OPTION,
        metavar="FILE",
        default=None,
        help="Write an HTML page of all calls of the run with their decisions, and the smallest policies for them.",
    )
    parser.addini("rolecall_config", "The sandbox file of the fixtures, from pytest's root. The marker goes before it.")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    if config.getoption(REPORT_OPTION):
        config.stash[_run_calls] = _kit().RunCalls()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the report. A worker of pytest-xdist hands its calls to the main process instead."""
    run = session.config.stash.get(_run_calls, None)
    if run is None:
        return
    run.gather()
    run.end()
    worker_output = getattr(session.config, "workeroutput", None)
    if worker_output is not None:
        worker_output[_WORKER_OUTPUT] = run.as_text()
        return
    page = importlib.import_module(_REPORT).report_page(run.calls, run.left_out)
    try:
        _report_file(session.config).write_text(page, encoding="utf-8")
    except OSError as error:
        raise pytest.UsageError(f"cannot write {REPORT_OPTION} {error.filename}: {error.strerror}") from error


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of pytest-xdist has ended."""
    output = getattr(node, "workeroutput", {})
    if _WORKER_OUTPUT in output:
        node.config.stash[_run_calls].add(output[_WORKER_OUTPUT])


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if _run_calls in config.stash and _report_file(config).is_file():
        terminalreporter.write_line(f"Rolecall's report of all calls: {_report_file(config).as_uri()}")


def _report_file(config: pytest.Config) -> Path:
    return Path(config.invocation_params.dir, config.getoption(REPORT_OPTION)).resolve()


@pytest.fixture
def rolecall(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rolecall]:
    """A fresh sandbox in this process. Plain boto3 reaches it during the test."""
    kit = _kit_for(request.node)
    _remember_environment(monkeypatch)
    with kit.Rolecall(**_arguments(request)) as sandbox:
        yield sandbox


@pytest.fixture
def rolecall_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rolecall]:
    """A fresh sandbox behind a socket. The environment points to it during the test."""
    kit = _kit_for(request.node)
    _remember_environment(monkeypatch)
    with kit.fresh_behind(_socket(request.config), **_arguments(request)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def rolecall_module(request: pytest.FixtureRequest) -> Iterator[Rolecall]:
    """A sandbox in this process for all tests of a module. Plain boto3 reaches it from its first use on."""
    with _kit().Rolecall(**_arguments(request)) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def rolecall_session(request: pytest.FixtureRequest) -> Iterator[Rolecall]:
    """A sandbox in this process for all tests of a run. Plain boto3 reaches it from its first use on."""
    with _kit().Rolecall(**_arguments(request)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def rolecall_server_module(request: pytest.FixtureRequest) -> Iterator[Rolecall]:
    """A sandbox behind a socket of its own for all tests of a module. The environment points to it."""
    with _kit().Rolecall.start(**_arguments(request)) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def rolecall_server_session(request: pytest.FixtureRequest) -> Iterator[Rolecall]:
    """A sandbox behind a socket of its own for all tests of a run. The environment points to it."""
    with _kit().Rolecall.start(**_arguments(request)) as sandbox:
        yield sandbox


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    run = item.config.stash.get(_run_calls, None)
    if run is not None:
        run.test = item.nodeid
    # Tests may make sandboxes without the fixtures. If the kit is not loaded, no test has made one.
    if _KIT in sys.modules:
        _kit_for(item)
    try:
        return (yield)
    finally:
        if run is not None:
            run.gather()
            run.test = ""
        if _refused_calls in item.stash:
            item.stash[_refused_calls].end()
            del item.stash[_refused_calls]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and _refused_calls in item.stash:
        text = _report_text(item, item.stash[_refused_calls].take())
        # A report in JUnit's form has the failure's text but none of pytest's sections.
        add = getattr(report.longrepr, "addsection", None) if item.config.getoption("xmlpath", None) else None
        if text and add is not None:
            add(SECTION_TITLE, text)
        elif text:
            report.sections.append((SECTION_TITLE, text))
    return report


def _kit() -> Any:
    return importlib.import_module(_KIT)


def _kit_for(item: pytest.Item) -> Any:
    """The kit, which from now on records the test's refused calls."""
    kit = _kit()
    if _refused_calls not in item.stash:
        item.stash[_refused_calls] = kit.RefusedCalls()
    return kit


def _socket(config: pytest.Config) -> Any:
    """One socket for all tests of a worker. Each test gets its own sandbox behind it."""
    if _server not in config.stash:
        server = config.stash[_server] = _kit().ThreadedServer()
        config.add_cleanup(server.close)
    return config.stash[_server]


def _remember_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the state first, so that monkeypatch undoes the test's changes after the sandbox has ended."""
    for name in _kit().MANAGED_VARIABLES:
        value = os.environ.get(name)
        # Also for a variable that is not set: monkeypatch only remembers changes.
        monkeypatch.setenv(name, value or "")
        if value is None:
            monkeypatch.delenv(name)


def _arguments(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The arguments of the test's markers, the nearest marker first."""
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
    of_run = request.config.getini("rolecall_config")
    if of_run and "config" not in given:
        given["config"] = _found(request, of_run)
    return given


def _found(request: pytest.FixtureRequest, config: Any) -> Any:
    """A marker's path is relative to the test's folder, or else to pytest's root."""
    if not isinstance(config, str | Path) or "\n" in str(config):
        return config
    root = request.config.rootpath
    # A fixture of the whole run has no file of its own.
    places = [root / config] if request.scope == "session" else [request.path.parent / config, root / config]
    for place in places:
        if place.is_file():
            return place
    looked = " nor ".join(map(str, dict.fromkeys(places)))
    raise pytest.UsageError(f"No such file for the marker rolecall: there is neither {looked}")


def _report_text(item: pytest.Item, refused: Sequence[DecisionRecord]) -> str:
    shown = [decision.reasons + _link(item, decision) for decision in refused[:_MAXIMUM_REFUSALS]]
    if len(refused) > len(shown):
        shown.append(f"… and {len(refused) - len(shown)} before them")
    return "\n\n".join(shown)


def _link(item: pytest.Item, decision: DecisionRecord) -> str:
    """Where the report explains a refused call; empty without a report."""
    if _run_calls not in item.config.stash:
        return ""
    anchor = importlib.import_module(_REPORT).anchor_of(item.nodeid, decision.request_id)
    return f"\n\nreport            {_report_file(item.config).as_uri()}#{anchor}"
