"""Nothing of a sandbox stays in the process after its block, however the block ended."""

from __future__ import annotations

import gc
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import boto3
import botocore.client
import pytest
from reserved_ports import reserved_port

from rolecall import Rolecall, SandboxEndedError
from rolecall.kit.blocks import innermost

Make = Callable[[], Rolecall]


def work(sandbox: Rolecall) -> None:
    """A little of everything that could leave something behind."""
    with sandbox.as_role("chime-reader"):
        chime = boto3.client("chime")
        with sandbox.expect_denied("chime:CreateAccount"):
            chime.create_account(Name="Another")
    sandbox.client("sts", user="admin").get_caller_identity()
    assert len(sandbox.decisions) == 3


def process() -> tuple[Any, ...]:
    """The parts of a process that a sandbox may change."""
    variables = dict(os.environ)
    hooks = botocore.client.BaseClient.__init__, boto3.DEFAULT_SESSION, innermost()
    return variables, hooks, sorted(os.listdir(tempfile.gettempdir()))


def comes_down(count: Callable[[], int], most: int) -> bool:
    """Whether it does in the end. The thread of a connection that its client closed ends a moment later."""
    deadline = time.monotonic() + 300
    while count() > most and time.monotonic() < deadline:
        time.sleep(0.01)
    return count() <= most


def descriptors() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


pytestmark = pytest.mark.usefixtures("quick_collections")


@pytest.fixture(params=[Rolecall, Rolecall.start], ids=["in process", "socket"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


@pytest.fixture(autouse=True)
def _own_temporary_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _threads_end() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert comes_down(threading.active_count, before)


@pytest.mark.parametrize("count", [30, pytest.param(1000, marks=pytest.mark.optional)])
def test_many_sandboxes_leave_nothing(make: Make, count: int) -> None:
    with make() as sandbox:
        # A module stays loaded after its first use.
        work(sandbox)
    gc.collect()
    before, open_before = process(), descriptors()
    alive: list[weakref.ref[Rolecall]] = []
    for _ in range(count):
        with make() as sandbox:
            work(sandbox)
        alive.append(weakref.ref(sandbox))
    del sandbox
    gc.collect()
    assert [reference for reference in alive if reference() is not None] == []
    assert process() == before
    assert comes_down(descriptors, open_before)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_whatever_ends_a_block(make: Make, error: type[BaseException]) -> None:
    before = process()

    def act() -> None:
        with make() as sandbox, sandbox.as_role("chime-reader"):
            boto3.setup_default_session(region_name="eu-west-1")
            os.environ["AWS_PROFILE"] = os.environ["AWS_ENDPOINT_URL_STS"] = "elsewhere"
            raise error

    with pytest.raises(error):
        act()
    assert process() == before


def test_a_block_of_a_thread_that_dies(make: Make) -> None:
    before = process()
    ended: list[str] = []

    def die() -> None:
        with suppress(RuntimeError), make() as sandbox, sandbox.as_user("developer"):
            ended.append("died")
            raise RuntimeError

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    assert ended == ["died"]
    assert process() == before


def test_a_sandbox_that_ends_before_the_blocks_within_it(make: Make) -> None:
    before = process()
    sandbox, other = make(), make()
    inside = ExitStack()
    sandbox.__enter__()
    inside.enter_context(sandbox.as_role("chime-reader"))
    other.__enter__()
    sandbox.close()
    # No new client gets keys of an ended sandbox.
    assert boto3.client("sts").get_caller_identity()["Arn"].endswith("user/admin")
    other.close()
    assert process() == before
    inside.close()
    assert process() == before


def test_a_client_that_stays_keeps_no_connection_and_reaches_no_other_sandbox() -> None:
    before = process()
    port = reserved_port()
    with Rolecall.start(port=port) as sandbox:
        kept = [sandbox.client("sts"), boto3.client("sts"), sandbox.session().client("sts")]
        for sts in kept:
            sts.get_caller_identity()
    assert process() == before
    with Rolecall.start(port=port) as sandbox:
        for sts in kept:
            with pytest.raises(SandboxEndedError):
                sts.get_caller_identity()
        assert sandbox.decisions == []


def test_a_sandbox_that_could_not_be_made_leaves_nothing() -> None:
    before = process()
    for config in ({}, {"version": 1, "accounts": [{"id": "1"}]}, "missing.yaml"):
        with pytest.raises((ValueError, OSError)):
            Rolecall(config)
    with pytest.raises(LookupError), Rolecall({"version": 1, "accounts": [{"id": "111122223333"}]}):
        """Nobody has a key."""
    assert process() == before
