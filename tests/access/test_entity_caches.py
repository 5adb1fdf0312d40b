"""Rights remembered over many generations: each holds for as long as nothing that it depends on changes, and no longer.

The histories are made up: writes of this process and of others, and readers that are still at work in an older
generation when newer ones come. Each step is one that a thread can be interrupted after.
"""

from __future__ import annotations

import random
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from rolecall.access import entity_caches
from rolecall.access.entity_caches import EntityCache, EntityChanges
from rolecall.access.policies import Authority, PolicyStore
from rolecall.identities import NOBODY, IdentityStore
from rolecall.sessions.keys import KeyRing, SealingKey

ENTITIES = ["ana", "bob", "role", "key"]
# What is remembered: by its key, what it depends on.
VALUES = {"ana": ("ana",), "bob's key": ("bob", "key"), "role": ("role",), "account": ()}


class Generations:
    """A database with a generation for each write, the caches of one process, and the threads that read with them."""

    def __init__(self, seed: int) -> None:
        self.chosen = random.Random(seed)
        self.generation = 0
        # By entity, and "" for what bears on everyone: the last write to it. One such state for each generation.
        self.states: list[dict[str, int]] = [dict.fromkeys([*ENTITIES, ""], 0)]
        # By generation: what the process knows of its own writes.
        self.known: dict[int, set[str]] = {}
        self.newest = self.new_line()
        self.readers = [self.newest]
        self.found = 0

    def new_line(self) -> tuple[int, EntityChanges, EntityCache[str, tuple[int, ...]]]:
        changes = EntityChanges()
        return self.generation, changes, EntityCache(changes, 3)

    def write(self) -> None:
        changed = {""} if self.chosen.random() < 0.05 else set(self.chosen.sample(ENTITIES, self.chosen.randint(1, 2)))
        self.generation += 1
        self.states.append({**self.states[-1], **dict.fromkeys(changed, self.generation)})
        if "" not in changed and self.chosen.random() < 0.9:
            self.known[self.generation] = changed

    def read_newest_state(self) -> None:
        """As ``Generations.current`` does it: follow the line, or begin another one."""
        before, changes, cache = self.newest
        steps = [self.known.get(number) for number in range(before + 1, self.generation + 1)]
        if None in steps:
            self.newest = self.new_line()
        else:
            changes.note(self.generation, set().union(*(step or () for step in steps)))
            self.newest = (self.generation, changes, cache)
        self.readers.append(self.newest)

    def remember(self) -> None:
        generation, _, cache = self.chosen.choice(self.readers[-4:])
        key = self.chosen.choice(sorted(VALUES))
        cache.put(key, self.value_of(key, generation), generation, VALUES[key])

    def value_of(self, key: str, generation: int) -> tuple[int, ...]:
        return tuple(self.states[generation][entity] for entity in (*VALUES[key], ""))

    def check(self) -> None:
        """What each reader finds is as its own generation has it."""
        for generation, _, cache in self.readers:
            for key in VALUES:
                seen = cache.get(key, generation)
                assert seen in (None, self.value_of(key, generation)), (key, generation)
                self.found += seen is not None


@pytest.mark.parametrize("seed", range(25))
def test_each_thread_finds_what_its_own_generation_has(seed: int) -> None:
    generations = Generations(seed)
    steps = [generations.write, generations.read_newest_state, generations.remember, generations.remember]
    for _ in range(60):
        generations.chosen.choice(steps)()
        generations.check()
    assert generations.found > 20


def test_a_value_outlives_the_changes_of_others_and_not_its_own() -> None:
    changes = EntityChanges()
    cache: EntityCache[str, str] = EntityCache(changes, 10)
    cache.put("k", "as of 1", 1, ("ana", "key"))
    changes.note(2, {"bob"})
    assert cache.get("k", 2) == "as of 1"
    changes.note(3, {"key"})
    assert cache.get("k", 3) is None
    # A snapshot that is older than the value, or than the change.
    assert (cache.get("k", 1), cache.get("k", 0)) == ("as of 1", None)


def store_with(count: int) -> IdentityStore:
    """Identities of a generation with so many remembered."""
    policies = PolicyStore(1)
    store = IdentityStore(policies, KeyRing([SealingKey("0a1b2c3d", b"k" * 32)]))
    for number in range(count):
        store._known.put((f"key{number}", ""), NOBODY, 1, (f"key{number}", f"user{number}"))
        authority = Authority(None, None, None, (), "")
        policies._line.authorities.put(("user", f"user{number}"), authority, 1, (f"user{number}",))
    return store


@contextmanager
def counted_lines() -> Iterator[list[int]]:
    """The number of lines of Python that the block runs."""
    count = [0]

    def trace(_frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        count[0] += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield count
    finally:
        sys.settrace(before)


def cost_of_a_write(remembered: int) -> tuple[int, int]:
    """Lines that run, and bytes that are taken at most, when one user changes."""
    store = store_with(remembered)
    with counted_lines() as lines:
        later = store.next(2, {"user1"})
    tracemalloc.start()
    try:
        later.next(3, {"user2"})
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert later._known.get(("key0", ""), 2) is NOBODY
    assert later._known.get(("key1", ""), 2) is None
    return lines[0], peak_bytes


def test_a_write_costs_the_same_however_much_is_remembered() -> None:
    few_lines, few_bytes = cost_of_a_write(3)
    many_lines, many_bytes = cost_of_a_write(1500)
    assert 0 < few_lines == many_lines
    # A copy of the dictionaries would take a hundred kilobytes.
    assert abs(many_bytes - few_bytes) < 4_000


def test_a_line_ends_when_it_knows_of_many_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entity_caches, "_CHANGED_LIMIT", 2)
    store = store_with(3).next(2, {"user1", "user2"})
    assert store._known.get(("key0", ""), 2) is NOBODY
    another = store.next(3, {"user1"})
    assert (len(another._known), len(another.policies.changes._last)) == (0, 0)
    assert another.policies._last is store.policies._last
