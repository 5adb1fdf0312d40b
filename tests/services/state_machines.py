"""Random calls through boto3 against a small model of what ought to be: what every such machine has."""

from __future__ import annotations

from typing import Any

import pytest
from amounts import quick, usual
from botocore import xform_name
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, run_state_machine_as_test
from world_handle import WorldHandle, known_world

DAY_SECONDS = 86_400
# 50 in the ordinary run, 500 in the run of everything.
RUNS = 10 if quick else usual(50, most=500)
STEPS = 20
SETTINGS = settings(
    max_examples=RUNS, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)
PLACE = st.integers(0, 3)


class Machine(RuleBasedStateMachine):
    """One sandbox, one client, and what calls must answer."""

    service = ""
    declaration = ""
    caller = "admin"

    def __init__(self) -> None:
        super().__init__()
        self.world = WorldHandle(known_world(self.declaration))
        self.world.clock.freeze()
        self.client = self.world.client(self.service, self.caller)
        self.now = self.steps = 0

    @invariant()
    def looked_at_now_and_then(self) -> None:
        """Looking costs more calls than a step, so every fourth step is looked at."""
        self.steps += 1
        if self.steps % 4 == 0:
            self.everything_is_as_in_the_model()

    def everything_is_as_in_the_model(self) -> None:
        raise NotImplementedError

    def teardown(self) -> None:
        self.world.close()

    def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        answer = getattr(self.client, xform_name(operation))(**parameters)
        del answer["ResponseMetadata"]
        return dict(answer)

    def refused(self, code: str, operation: str, **parameters: Any) -> None:
        with pytest.raises(ClientError) as caught:
            self.call(operation, **parameters)
        assert caught.value.response["Error"]["Code"] == code, caught.value

    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds)
        self.now += seconds


def at(items: Any, place: int) -> Any:
    """The item at a place, however many there are."""
    listed = list(items)
    return listed[place % len(listed)]


def run_machine(machine: type[Machine]) -> None:
    run_state_machine_as_test(machine, settings=SETTINGS)
