"""A run of pytest that collects all tests once, and then runs a few tests for each change in a child process.

The child changes the loaded functions and constants. So no change costs a start of Python or a collection of tests.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NoReturn

import pytest
from mutations import Mutation

UNCHANGED, NOTICED, QUIET, LATE = "unchanged", "noticed", "not noticed", "took too long"


class LiveTests:
    """A plugin: instead of running all tests, answers questions that arrive through the connection.

    A question is a mutation, the text of its file and the tests to run. The answer is one of the words above and the
    test that noticed the change. ``UNCHANGED``: the change cannot be made to the loaded modules.
    """

    def __init__(self, questions: Connection, timeout_seconds: float) -> None:
        self._questions = questions
        self._timeout_seconds = timeout_seconds
        self._failed: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        one = {item.nodeid: [item] for item in session.items}
        files: dict[str, list[pytest.Item]] = {}
        for item in session.items:
            files.setdefault(item.nodeid.partition("::")[0], []).append(item)
        self._questions.send(len(one))
        while (asked := self._questions.recv()) is not None:
            mutation, text, tests = asked
            chosen = [item for test in tests for item in (files.get(test) or one.get(test, []))]
            self._questions.send(self._tried(session, mutation, text, chosen))
        return True

    def _tried(
        self, session: pytest.Session, mutation: Mutation, text: str, chosen: Sequence[pytest.Item]
    ) -> tuple[str, str]:
        read, write = os.pipe()
        child = os.fork()
        if not child:
            self._run(session, mutation, text, chosen, write)
        os.close(write)
        end = time.monotonic() + self._timeout_seconds
        while not os.waitpid(child, os.WNOHANG)[0]:
            if time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                os.close(read)
                return LATE, ""
            time.sleep(0.01)
        with os.fdopen(read, encoding="utf-8") as said:
            outcome, _, test = said.read().partition("\n")
        # A child that wrote nothing was ended by the change.
        return outcome or NOTICED, test

    def _run(
        self, session: pytest.Session, mutation: Mutation, text: str, chosen: Sequence[pytest.Item], write: int
    ) -> NoReturn:
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
            manager = session.config.pluginmanager
            manager.unregister(manager.get_plugin("terminalreporter"))
            outcome = QUIET if change_loaded(mutation, text) else UNCHANGED
            for item, following in zip(chosen, [*chosen[1:], None], strict=True) if outcome == QUIET else ():
                session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if self._failed:
                    outcome = NOTICED
                    break
            os.write(write, f"{outcome}\n{self._failed[0] if self._failed else ''}".encode())
        finally:
            os._exit(0)


def change_loaded(mutation: Mutation, text: str) -> bool:
    """Make the change to the loaded modules. Returns False when that is not possible everywhere."""
    name = "rolecall." + mutation.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    module = sys.modules.get(name) or importlib.import_module(name)
    changed = mutation.applied(text)
    if mutation.kind == "random":
        return _change_functions(module, text, changed)
    return mutation.kind == "tables" and _change_constant(module, mutation.names, changed)


def _codes(code: CodeType) -> list[CodeType]:
    """A code object and the code objects inside it, in the order of the text."""
    return [code, *(each for part in code.co_consts if isinstance(part, CodeType) for each in _codes(part))]


def _change_functions(module: ModuleType, text: str, changed: str) -> bool:
    file = str(module.__file__)
    old, new = (_codes(compile(source, file, "exec", dont_inherit=True)) for source in (text, changed))
    places = [(code.co_qualname, code.co_firstlineno) for code in old]
    if places != [(code.co_qualname, code.co_firstlineno) for code in new] or len(set(places)) != len(places):
        return False
    other = {place: code for place, before, code in zip(places, old, new, strict=True) if before != code}
    # An outer function's code holds the code of its inner functions.
    functions = [one for one in gc.get_objects() if isinstance(one, FunctionType) and one.__code__.co_filename == file]
    met = set()
    for function in functions:
        place = function.__code__.co_qualname, function.__code__.co_firstlineno
        if place in other and function.__code__.co_freevars == other[place].co_freevars:
            function.__code__ = other[place]
            met.add(place)
    return bool(met)


def _change_constant(module: ModuleType, names: Sequence[str], changed: str) -> bool:
    """Compute the new value outside the old module, and bind it wherever the old value is bound under its name."""
    beside: dict[str, Any] = {key: getattr(module, key) for key in ("__name__", "__file__", "__package__")}
    try:
        exec(compile(changed, str(module.__file__), "exec", dont_inherit=True), beside)  # noqa: S102
    except Exception:
        return False  # the change fails, or the module cannot run twice: a new run of pytest decides
    for name in names:
        old = vars(module)[name]
        for other in [one for key, one in sys.modules.items() if key.startswith("rolecall.")]:
            for bound, value in list(vars(other).items()):
                if bound == name and value is old:
                    setattr(other, bound, beside[name])
    return True


def serve(questions: Connection, folder: Path, arguments: list[str], timeout_seconds: float) -> NoReturn:
    """Turn this process into the run of pytest, with the product in this folder."""
    os.chdir(folder)
    sys.path.insert(0, str(folder / "emulator"))
    os.environ["PYTHONPATH"] = str(folder / "emulator")
    sys.argv = ["pytest"]
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 1)
    try:
        status = pytest.main([*arguments, "-s"], plugins=[LiveTests(questions, timeout_seconds)])
    finally:
        os._exit(int(status))
