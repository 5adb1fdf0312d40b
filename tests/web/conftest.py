"""Sandboxes with permitted origins and names, and the sandbox of the console's tests."""

from __future__ import annotations

from typing import Any

import pytest
from console_worlds import TWO_ACCOUNTS
from logged_worlds import keep_log
from world_handle import WorldHandle

from rolecall.app import application_over
from rolecall.web.origins import admission_of


@pytest.fixture
def make_admitting(world: WorldHandle) -> Any:
    """``make_admitting(hosts=[…], origins=[…])``: the built-in sandbox with these options."""

    def make(**told: Any) -> WorldHandle:
        world.application = application_over(
            world.database, world.declared, world.clock, observer=world.outcomes.append, admission=admission_of(**told)
        )
        return world

    return make


@pytest.fixture
def two(make_world: Any) -> Any:
    world = make_world(TWO_ACCOUNTS)
    keep_log(world)
    return world
