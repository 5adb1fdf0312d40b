"""Hostile requests at every front door: no failure of the server, no long work, and no growing memory.

HOSTILE_REQUESTS sets their number: 2,000 by default, 20,000 in CI, 1,000,000 with --all. Each example of hypothesis is
the seed of a hundred requests, because drawing each part of a request costs more than the request.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import hostile_requests
import pytest
from amounts import usual
from hostile_doors import Door, doors
from hostile_requests import DECLARED, KEYS, bare, operations, serialized
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_calls import send, signed

from rolecall.delivery import imds
from rolecall.errors import AwsError
from rolecall.gateway import connect, road
from rolecall.sandbox import Sandbox
from rolecall.service_records import SERVICE_RECORDS
from rolecall.services.catalogue import all_operations

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS") or usual(2000, most=1_000_000))
NAMES = ("query", "json", "rest", "pages", "attachments", "wire", "websockets")
BATCH = 100
MOST_SECONDS = 1.0
# How many more objects may be there after a quarter of the requests than before it: some for caches that
# are not full yet, and a few that the cyclic garbage collector leaves. A request has some hundred.
CACHE_BLOCKS, BLOCKS_OF_A_REQUEST = 20_000, 0.2
# Fewer requests load the models of services until the end, and each has thousands of objects.
REQUESTS_FOR_MEMORY = 1000
pytestmark = pytest.mark.usefixtures("quick_collections")


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> tuple[Any, Any]:
    return make_shared_world(DECLARED), make_shared_world(DECLARED)


@pytest.fixture(scope="module")
def every_door(worlds: Any) -> Iterator[Mapping[str, Door]]:
    with asyncio.Runner() as runner:
        yield doors(*worlds, runner)


class Trial:
    """Requests at one door in ``expected`` batches, and how they were answered."""

    def __init__(self, door: Door, expected: int, worlds: tuple[Any, ...] = ()) -> None:
        self.statuses: Counter[int] = Counter()
        self._door, self._expected, self._worlds = door, expected, worlds
        # After half of the requests, three quarters and all.
        self._blocks: list[int] = []

    def batch(self, seed: int) -> None:
        rng = random.Random(seed)
        for number in range(BATCH):
            begun = time.thread_time()
            status = self._door(rng)
            spent_seconds = time.thread_time() - begun
            # 501 says that a parameter is not emulated.
            assert status < 500 or status == 501, (status, seed, number)
            assert spent_seconds < MOST_SECONDS, (spent_seconds, seed, number)
            self.statuses[status] += 1
        for world in self._worlds:
            # The test's own record of every call.
            world.outcomes.clear()
        if self.statuses.total() // BATCH in (self._expected // 2, self._expected * 3 // 4, self._expected):
            self._blocks.append(blocks())

    def check_memory(self) -> None:
        """Objects do not go on staying after half of the requests. A short run cannot say this.

        What stays once, such as a module that a rare request needs, is in one of the quarters only.
        """
        if self.statuses.total() < REQUESTS_FOR_MEMORY:
            return
        half, three_quarters, whole = self._blocks
        more = min(three_quarters - half, whole - three_quarters)
        assert more < CACHE_BLOCKS + BLOCKS_OF_A_REQUEST * self.statuses.total() / 4


def blocks() -> int:
    """The number of objects in memory, by and large."""
    gc.collect()
    return sys.getallocatedblocks()


def batches(trial: Trial, count: int) -> None:
    for seed in range(count):
        trial.batch(seed)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_request_makes_the_server_fail_or_work_for_long(every_door: Any, worlds: Any, name: str) -> None:
    count = max(2, REQUESTS // BATCH // len(NAMES))
    trial = Trial(every_door[name], count, worlds)

    @settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.integers(0, 2**64 - 1))
    def batch(seed: int) -> None:
        trial.batch(seed)

    batch()
    trial.check_memory()
    # Otherwise the requests would all end at the first check.
    assert len(trial.statuses) > 2, trial.statuses
    assert trial.statuses[101 if name == "websockets" else 200] > 0, trial.statuses


@pytest.mark.parametrize("given", [False, True], ids=["required", "all"])
@pytest.mark.parametrize("protocol", ["query", "json", "rest-json"])
def test_no_operation_fails_with_empty_lists(make_world: Any, protocol: str, given: bool) -> None:
    """Hostile requests come upon this once in a hundred thousand."""
    world = make_world(DECLARED)
    for service, known in operations(protocol).items():
        for operation in known:
            parameters = {} if operation.input_shape is None else bare(operation.input_shape, given=given)
            sent = signed(serialized(operation, parameters), KEYS, SERVICE_RECORDS[service].signing_name)
            status = send(world.application, sent).status
            assert status < 500 or status == 501, (service, operation.name)


def test_every_door_is_tried(every_door: Any, worlds: Any) -> None:
    assert set(every_door) == set(NAMES)
    tried = {service for protocol in ("query", "json", "rest-json") for service in operations(protocol)}
    assert tried == {each.service for each in all_operations()}
    rules = {rule.rule for rule in worlds[1].application.url_map.iter_rules()}
    for part in ("/_rolecall/reset", "/_rolecall/console", "/_rolecall/snapshot", "/federation", "/_rolecall/sso"):
        assert any(rule.startswith(part) for rule in rules), part


# Deep inside each door: requests that all end at the first check would never come here.
DEPTHS = {
    "query": (road, "authorise"),
    "json": (road, "authorise"),
    "rest": (road, "authorise"),
    "pages": (Sandbox, "reset"),
    "attachments": (imds, "current"),
    "wire": (road, "authorise"),
    "websockets": (connect, "check"),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_deep_inside_is_found(
    every_door: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    monkeypatch.setattr(*DEPTHS[name], None)
    with pytest.raises((AssertionError, AwsError)):
        batches(Trial(every_door[name], 20), 20)


def test_long_work_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "MOST_SECONDS", 0.0)
    with pytest.raises(AssertionError):
        Trial(lambda _rng: 200, 1).batch(0)


@pytest.mark.parametrize("leaks", [False, True])
def test_growing_memory_is_found(leaks: bool) -> None:
    kept: list[object] = []

    def door(_rng: random.Random) -> int:
        made = [[number] for number in range(400)]
        if leaks:
            kept.append(made)
        return 200

    trial = Trial(door, 12)
    batches(trial, 12)
    with pytest.raises(AssertionError) if leaks else contextlib.nullcontext():
        trial.check_memory()


def test_a_seed_makes_the_same_request_again(every_door: Any) -> None:
    """A failure names the seed of its batch."""
    assert hostile_requests.call("query", random.Random(5)) == hostile_requests.call("query", random.Random(5))
