"""A sandbox in this process for each test, reached through ordinary boto3 clients: signed, sent and parsed for real."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from typing import Any

import pytest
from world_handle import WorldHandle, builtin_world, known_world

# A run must not fail for what it happened to draw, nor for the machine's speed: every run tries the same examples.
# "--hypothesis-profile=search" draws new ones, to look for what these do not find.
if importlib.util.find_spec("hypothesis"):  # which the environment with aiobotocore does without
    hypothesis = importlib.import_module("hypothesis")
    patient = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
    hypothesis.settings.register_profile("search", **patient)
    hypothesis.settings.register_profile("same", derandomize=True, **patient)
    hypothesis.settings.load_profile("same")

# aiobotocore wants its own botocore, and so an environment of its own: see .ci/run.
collect_ignore = [] if importlib.util.find_spec("aiobotocore") else ["with_aiobotocore"]


@pytest.fixture(autouse=True)
def _no_outside_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the developer's own AWS configuration may reach a test."""
    empty = str(tmp_path_factory.getbasetemp() / "no-such-file")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", empty)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", empty)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


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


@pytest.fixture(scope="module")
def make_shared_world() -> Iterator[Any]:
    """The same for worlds that the tests of one module share, because they leave them as they found them."""
    yield from _worlds()
