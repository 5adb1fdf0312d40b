"""Server processes for the tests of this folder. They are ended and checked when the test or its module is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from served import Server, start


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The built-in sandbox, for tests of one module that do not disturb each other."""
    served = start(tmp_path_factory.mktemp("served"))
    yield served
    try:
        assert served.process.poll() is None, f"the server ended on its own: {served.errors()}"
        served.stop()
    finally:
        served.kill()


@pytest.fixture
def make_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Servers for one test: ``make_server("--workers", "2")``, each in its own folder unless one is given."""
    made: list[Server] = []

    def make(*options: str, **arguments: str) -> Server:
        made.append(start(tmp_path_factory.mktemp("served"), *options, **arguments))
        return made[-1]

    yield make
    problems = []
    for served in made:
        if served.process.poll() is None:
            try:
                served.stop()
            except AssertionError as error:
                problems.append(str(error))
        served.kill()
    assert not problems, problems
