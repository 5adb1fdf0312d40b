"""The documentation is complete and current, and its examples really run.

Everything that a user can type or set is looked up in the code and compared with the pages, in both directions.
Examples are executed: a ``python``, ``yaml`` or ``ini`` block whose first line is ``# NAME`` becomes a file with that
name. The commands of ``console`` blocks must print what the page shows. Ids, dates and line numbers differ from run to
run and are not compared; ``…`` stands for any text.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest
from forked_servers import fork_rolecall
from reserved_ports import reserved_port
from test_rooms import LEAVES, ROOMS

import rolecall
from rolecall import DecisionRecord, Rolecall, pytest_plugin
from rolecall.app import application_over, open_database
from rolecall.cli import COMMANDS, main
from rolecall.clock import Clock
from rolecall.commands.serve import SLOW_SETTING_UP
from rolecall.data import QUOTA_FIELDS, QUOTAS, changed_quotas
from rolecall.errors import COMMON_ERRORS
from rolecall.faults.active import Faults
from rolecall.faults.rules import KEYS, KINDS, FaultRule
from rolecall.inspection import Examination, examine
from rolecall.kit.blocks import MANAGED_VARIABLES
from rolecall.kit.clock import SandboxClock
from rolecall.kit.decisions import LAYER_NAMES
from rolecall.kit.expectations import ExpectedDenial
from rolecall.kit.privileges import LeastPrivilege
from rolecall.services.catalogue import all_operations
from rolecall.sessions.tokens import MAXIMUM_TOKEN_CHARACTERS
from rolecall.settings import DEFAULT_MAXIMUM_BODY_BYTES, SandboxSettings
from rolecall.web.front_doors import FRONT_DOORS
from rolecall.wire import SERVICES, load_service
from rolecall.worlds import declare
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.glob("*.md")])
PAGE_NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
SERVICE_PAGES = {
    "chime-sdk-media-pipelines": "chime.md",
    "sts": "sts.md",
    "iam": "iam.md",
    "chime": "chime.md",
    "chime-sdk-identity": "chime.md",
    "chime-sdk-meetings": "chime.md",
    "chime-sdk-messaging": "chime.md",
    "chime-sdk-voice": "chime.md",
    "iam-toolbox": "decision-log.md",
    "organizations": "organizations.md",
    "eks-auth": "credential-providers.md",
    "sso-oidc": "identity-center.md",
    "sso": "identity-center.md",
    "rolesanywhere": "credential-providers.md",
    "signin": "credential-providers.md",
}
DOCUMENTED_PORT = 4580


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def sections(text: str) -> dict[str, str]:
    """The text below each heading of the second level."""
    parts = re.split(r"^## (.+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def table_rows(text: str) -> list[list[str]]:
    """The cells of every table row, without headers and rulers."""
    rows = []
    for match in re.finditer(r"^\|(.+)\|$", text, re.M):
        cells = [cell.strip() for cell in match[1].split("|")]
        if not all(re.fullmatch(r"-*", cell) for cell in cells):
            rows.append(cells)
    headers = [match[1] for match in re.finditer(r"^\|(.+)\|\n\|[ |-]+\|$", text, re.M)]
    titles = [[cell.strip() for cell in header.split("|")] for header in headers]
    return [row for row in rows if row not in titles]


def code_names(text: str) -> list[str]:
    """The texts between single backquotes."""
    return re.findall(r"`([^`\n]+)`", text)


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and content of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)


# The command line.


def leaf_commands() -> list[tuple[str, click.Command]]:
    """Every command with an action, by the words that call it."""
    found = []
    for name in COMMANDS:
        command = importlib.import_module(f"rolecall.commands.{name.replace('-', '_')}").command
        if isinstance(command, click.Group):
            for below, subcommand in command.commands.items():
                found.append((f"rolecall {name} {below}", subcommand))
        else:
            found.append((f"rolecall {name}", command))
    return found


def options_of(command: click.Command) -> dict[str, tuple[str, str]]:
    """Option -> its environment variable and default, as the page's table writes them."""
    found = {}
    for option in command.params:
        if isinstance(option, click.Option) and option.name != "help":
            default = option.default if isinstance(option.default, str | int) else None
            shown = f"`{default}`" if default is not None and not isinstance(default, bool) else ""
            found[option.opts[0]] = (f"`{option.envvar}`" if option.envvar else "", shown)
    return found


def test_every_command_is_documented_and_no_other() -> None:
    documented = [title for title in sections(page("command-line.md")) if title.startswith("rolecall ")]
    assert documented == [name for name, _ in leaf_commands()]


@pytest.mark.parametrize(("name", "command"), leaf_commands(), ids=[name for name, _ in leaf_commands()])
def test_every_option_is_documented_and_no_other(name: str, command: click.Command) -> None:
    rows = table_rows(sections(page("command-line.md"))[name])
    documented = {row[0].strip("`"): (row[1], row[2]) for row in rows}
    options = options_of(command)
    assert documented.keys() == options.keys()
    for option, (variable, default) in options.items():
        assert documented[option][0] == variable, option
        assert not default or documented[option][1] == default, option


def environment_variables() -> set[str]:
    """Every environment variable of Rolecall that any file in the repository reads."""
    sources = [ROOT / "run.py", ROOT / ".ci" / "run", *(ROOT / "emulator").rglob("*.py")]
    return {name for file in sources for name in re.findall(r"\bROLECALL_[A-Z_]+\b", file.read_text(encoding="utf-8"))}


def test_every_environment_variable_is_documented_and_no_other() -> None:
    documented = {name for page in PAGES for name in re.findall(r"\bROLECALL_[A-Z_]+\b", page.read_text("utf-8"))}
    assert documented == environment_variables()
    assert {option.envvar for _, command in leaf_commands() for option in command.params} - {None} <= documented


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_their_own_help_says(name: str) -> None:
    command = importlib.import_module(f"rolecall.commands.{name.replace('-', '_')}").command
    sentence = " ".join(command.help.split("\n\n")[0].split())
    assert COMMANDS[name] == sentence


def test_examples_of_help_are_commands_that_exist() -> None:
    found = 0
    for name, command in [("rolecall", main), *leaf_commands()]:
        _, *examples = re.split(r"\x08\s+Examples?:\n", command.help or "")
        assert len(examples) == 1, f"{name} --help has no example"
        for words in re.findall(r"\brolecall((?: [a-z]+(?:-[a-z]+)*)+)", examples[0]):
            found += 1
            assert any(f"rolecall{words} ".startswith(f"{known} ") for known, _ in leaf_commands()), words
    assert found > 10


def test_the_limits_of_the_server_are_those_of_the_code() -> None:
    rows = dict(row[:2] for row in table_rows(sections(page("command-line.md"))["Limits of the server"]))
    assert rows == {
        "request body": f"{DEFAULT_MAXIMUM_BODY_BYTES} bytes",
        "session token": f"{MAXIMUM_TOKEN_CHARACTERS} characters",
    }


# The sandbox file.


def declared_keys(check: Callable[..., Any], path: str) -> Iterator[tuple[str, set[str], set[str]]]:
    """Place in the file, known keys and required keys of every mapping that a check of declare.py reads."""
    held = dict(zip(check.__code__.co_freevars, check.__closure__ or (), strict=True))
    if "fields" in held:
        fields, required = held["fields"].cell_contents, held["required"].cell_contents
        yield path, set(fields), set(required)
        for key, (_, inner) in fields.items():
            yield from declared_keys(inner, f"{path}.{key}" if path else key)
    elif "check" in held and callable(held["check"].cell_contents):
        is_list = check.__qualname__.startswith("list_of")
        yield from declared_keys(held["check"].cell_contents, f"{path}[]" if is_list else path)


def test_every_key_of_the_sandbox_file_is_documented_and_no_other() -> None:
    titles = {"The file": ""}
    documented = {}
    for title, text in sections(page("sandbox-file.md")).items():
        cells = [row[0] for row in table_rows(text)]
        if cells:
            keys = {cell.strip("*`") for cell in cells}
            documented[titles.get(title, title)] = (keys, {cell.strip("*`") for cell in cells if cell[0] == "*"})
    # The version has its own check, which declare.py calls directly.
    known = {
        path: (keys, required | ({"version"} & keys)) for path, keys, required in declared_keys(declare._WORLD, "")
    }
    assert len(known) > 8
    assert documented == known


def test_defaults_of_the_settings_are_documented() -> None:
    rows = {row[0].strip("`"): row[1].strip("`") for row in table_rows(sections(page("sandbox-file.md"))["settings"])}
    defaults = {name: getattr(SandboxSettings(), name) for name in SandboxSettings.__struct_fields__}
    shown = {name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()}
    shown["quotas"] = changed_quotas(defaults["quotas"])
    assert rows == {name: str(value).lower() if value is True else str(value) for name, value in shown.items()}


def test_seeds_in_the_documentation_are_long_enough_for_every_authenticator() -> None:
    """Libraries of one-time codes refuse less than 112 bits; 32 characters are 160."""
    folders = [ROOT / name for name in ("docs", "config", "examples")]
    found = (file for folder in folders for file in folder.rglob("*") if file.is_file() and file.suffix != ".png")
    files = [ROOT / "README.md", *found]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if "seed" in line.lower()]
    seeds = {seed for line in lines for seed in re.findall(r"\b[A-Z2-7]{16,}\b", line)}
    assert seeds == {"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}


def test_every_quota_is_documented_with_its_default() -> None:
    rows = table_rows(sections(page("iam.md"))["Quotas"])
    shown = {name.strip("`"): int(default) for name, _, default, _ in rows}
    codes = {code.strip("`"): int(default) for _, code, default, _ in rows if code}
    known = {name: getattr(QUOTAS, field) for name, field in QUOTA_FIELDS.items() if " " not in name}
    assert known == {**shown, **codes}


def test_every_example_is_valid_and_documented() -> None:
    files = sorted((ROOT / "config").iterdir())
    assert len(files) >= 3
    text = page("sandbox-file.md")
    for file in files:
        assert examine(file.read_text(encoding="utf-8")) == Examination("sandbox file"), file.name
        assert f"(../config/{file.name})" in text


# Endpoints, operations, errors, rooms.


def test_every_control_endpoint_is_documented_and_no_other() -> None:
    world = read_world_file(str(builtin_world_path()))
    database = open_database("sqlite://", world, Clock())
    routes = application_over(database, world, Clock()).url_map.iter_rules()
    known = {f"{method} {rule.rule}" for rule in routes for method in (rule.methods or ()) - {"HEAD", "OPTIONS"}}
    database.close()
    assert set(sections(page("control-endpoints.md"))) == known


def test_every_front_door_is_documented_with_its_guard() -> None:
    [table, *_] = page("control-endpoints.md").split("\n## ")
    assert table_rows(table) == [[f"`{door.prefix}`", door.guard.admits] for door in FRONT_DOORS]


def test_every_kind_and_key_of_a_fault_rule_is_documented_and_no_other() -> None:
    kinds, keys, retried = re.split(
        r"^### (?:The keys|In Python).*$", sections(page("clock-and-faults.md"))["Faults"], flags=re.M
    )
    assert {row[0].strip("`"): row[1].partition(";")[0] for row in table_rows(kinds)} == KINDS
    defaults = {row[0].strip("`"): row[1] for row in table_rows(keys)}
    assert list(defaults) == list(KEYS)
    for key in ("delay_seconds", "nth", "probability"):
        assert defaults[key] == f"`{getattr(FaultRule(rule_id='', kind='delay'), key)}`"
    assert len(table_rows(retried)) == 5


@pytest.mark.parametrize("service", SERVICES)
def test_every_emulated_operation_is_documented_and_no_other(service: str) -> None:
    emulated = {operation.name for operation in all_operations() if operation.service == service}
    if service not in SERVICE_PAGES:
        assert emulated == set()
        return
    [table, *_] = page(SERVICE_PAGES[service]).split("\n## ")
    known = load_service(service).operation_names
    # Two services may have operations of one name. A row that names services is about these alone.
    rows = [(set(code_names(row[0])) & set(SERVICES), row) for row in table_rows(table)]
    cells = [cell for named, row in rows if not named or service in named for cell in row]
    assert {name for cell in cells for name in code_names(cell) if name in known} == emulated


@pytest.mark.follows_the_model
def test_pages_are_right_about_operations_that_are_not_emulated() -> None:
    counts = {name: len(load_service(name).operation_names) for name in SERVICES}
    emulated = {name: sum(found.service == name for found in all_operations()) for name in SERVICES}
    assert counts["chime"] == emulated["chime"]
    assert f"All {counts['chime']} operations of the API are emulated." in page("chime.md")
    text = sections((ROOT / "README.md").read_text(encoding="utf-8"))["What is not emulated yet"]
    names = {operation.name for operation in all_operations()}
    assert [name for name in re.findall(r"\b[A-Z]\w+[a-z][A-Z]\w+", text) if name in names] == []


def test_every_common_error_is_documented_as_it_is() -> None:
    rows = {
        row[0].strip("`"): (row[1], row[2])
        for row in table_rows(sections(page("errors.md"))["Codes that every service has"])
    }
    assert rows == {
        name: (f"{error.query_status} `{error.query_code}`", f"{error.json_status} `{error.json_code}`")
        for name, error in COMMON_ERRORS.items()
    }


def test_the_table_of_rooms_is_the_one_that_is_held() -> None:
    documented = {}
    for room, _, may in table_rows(sections(page("architecture.md"))["The rooms"]):
        words = set(may.split())
        documented[room.strip("`")] = words - {"leaves"} | (LEAVES if "leaves" in words else set())
    # The text above the table names the leaves. The package itself only re-exports what a user imports.
    assert documented == {room: may for room, may in ROOMS.items() if room and room not in LEAVES}
    named = re.search(r'"Leaves" are .*?: (.*?)\.', page("architecture.md"))
    assert named is not None
    assert set(code_names(named[1])) == LEAVES


def defined_names(file: Path) -> set[str]:
    """Functions and classes of a module, methods as ``Class.method``."""
    names: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return names


def test_the_walk_through_the_code_names_what_is_there() -> None:
    references = re.findall(r"`([\w.]+)`,? \((?:in )?`(emulator/[\w/]+\.py)`\)", page("one-call.md"))
    references += re.findall(r"\(`([\w.]+)`, in `(emulator/[\w/]+\.py)`\)", page("one-call.md"))
    assert len(references) > 20
    assert [f"{name} in {file}" for name, file in references if name not in defined_names(ROOT / file)] == []


def test_the_command_of_the_tests_is_the_one_of_ci() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [shown] = [text.strip() for language, text in blocks(readme) if language == "sh" and "test" in text]
    assert shown == "python3 run.py test"
    tests = re.search(r"^tests\(\) \{\n(.*?)\n\}", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.M | re.S)
    assert tests is not None
    assert tests[1].strip().replace('"$python"', "python3") == shown


def test_every_benchmark_is_documented_and_no_other() -> None:
    scripts = {f"benchmarks/{file.name}" for file in (ROOT / "benchmarks").glob("*.py")}
    assert set(re.findall(r"`(benchmarks/\w+\.py)`", page("benchmarks.md"))) == scripts


def offered_fixtures(source: str) -> list[str]:
    """Functions that a module of the package makes pytest fixtures."""
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    return [
        function.name
        for function in functions
        if any("pytest.fixture" in ast.unparse(decorator) for decorator in function.decorator_list)
    ]


def test_every_fixture_offered_to_users_is_documented() -> None:
    assert offered_fixtures("@pytest.fixture(scope='session')\ndef rolecall():\n    pass\ndef other():\n    pass") == [
        "rolecall"
    ]
    modules = [file.read_text(encoding="utf-8") for file in (ROOT / "emulator").rglob("*.py")]
    documented = {name for file in DOCS.glob("*.md") for name in code_names(file.read_text(encoding="utf-8"))}
    assert {name for module in modules for name in offered_fixtures(module)} <= documented


def public_names(kind: type) -> set[str]:
    """Methods, properties and fields for users; attributes set in ``__init__`` count too."""
    source = ast.parse(inspect.getsource(kind))
    given = {
        node.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self"
    }
    own = {name for each in kind.__mro__ if each.__module__.startswith("rolecall.") for name in vars(each)}
    return {name for name in {*own, *getattr(kind, "__slots__", ()), *given} if not name.startswith("_")}


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("The class", Rolecall),
        ("Decisions", DecisionRecord),
        ("Time", SandboxClock),
        ("Faults", Faults),
        ("Least privilege", LeastPrivilege),
    ],
)
def test_everything_a_test_can_ask_of_a_sandbox_is_documented_and_no_more(title: str, kind: type) -> None:
    rows = table_rows(sections(page("testing.md"))[title])
    assert {name for row in rows for name in code_names(row[0])} == public_names(kind)


def test_the_rest_of_the_test_kit_is_documented() -> None:
    parts = sections(page("testing.md"))
    assert {name for row in table_rows(parts["Fixtures"]) for name in code_names(row[0])} == {
        *offered_fixtures((ROOT / "emulator" / "rolecall" / "pytest_plugin.py").read_text(encoding="utf-8")),
        *pytest_plugin.KNOWN_ARGUMENTS,
    }
    assert pytest_plugin.SECTION_TITLE in parts["Fixtures"]
    assert pytest_plugin.REPORT_OPTION in parts["Fixtures"]
    assert {name for row in table_rows(parts["Errors"]) for name in code_names(row[0])} | {
        "Rolecall",
        "DecisionRecord",
        "sandboxed",
        "__version__",
    } == set(rolecall.__all__)
    assert set(LAYER_NAMES.values()) <= set(code_names(parts["Assertions"]))
    assert public_names(ExpectedDenial) - {"action", "by"} == {"decision", "error", "handled"}
    assert {"refusal.decision", "refusal.error", "refusal.handled"} <= set(code_names(parts["Assertions"]))
    shown = set(code_names(parts["Blocks"]))
    assert {name for name in MANAGED_VARIABLES if not name.startswith("AWS_ENDPOINT_URL_")} <= shown
    assert {name for name in shown if name.startswith("AWS_")} <= set(MANAGED_VARIABLES)


# Links and words.


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)


def anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", without_blocks(text), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_links_lead_somewhere(name: str) -> None:
    file = ROOT / name
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(file.read_text(encoding="utf-8"))):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (file.parent / path) if path else file
        if not found.exists() or (anchor and anchor not in anchors(found.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_table_of_the_readme() -> None:
    linked = re.findall(r"\]\(docs/([\w-]+\.md)\)", sections((ROOT / "README.md").read_text("utf-8"))["Documentation"])
    assert sorted(linked) == sorted(page.name for page in DOCS.glob("*.md"))


@pytest.mark.parametrize("name", PAGE_NAMES)
def test_files_that_pages_name_are_there(name: str) -> None:
    named = re.findall(
        r"`((?:emulator|tests|benchmarks|config|migrations|docs)/[\w./-]+)`", (ROOT / name).read_text("utf-8")
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


def repository_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and listed.stdout:
        return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    skipped = {".git", ".venv", "__pycache__", "build", "dist"}
    return [file for file in ROOT.rglob("*") if file.is_file() and not skipped & set(file.parts)]


# Folders of a user's machine, and addresses that packages come from. A page about a package may be linked. Written so
# that this file does not contain them.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"(?<![\w.$/}-])/(?:" + "|".join(["work", "tmp", "root", "Users"]) + r")/\w",
            r"/home/(?!ana\b)\w+",
            "pypi" + r"\.org(?!/project/)",
            "python" + "hosted",
            "index" + "-url",
        ]
    )
)


def test_the_repository_speaks_of_no_machine_and_no_registry() -> None:
    found = []
    for file in repository_files():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{file.relative_to(ROOT)}: {match[0]}" for match in FORBIDDEN.finditer(text)]
    assert found == []


# Examples.

WRITTEN_LANGUAGES = ("python", "yaml", "ini")
_VARYING = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\bA(?:SIA|KIA|IDA|ROA)[A-Z2-7]{16,17}\b"), "ID"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"botocore-session-\d+"), "SESSION"),
    (re.compile(r"\.py:\d+"), ".py:LINE"),
    (re.compile(r" +$", re.M), ""),
]


def plain(text: str) -> str:
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text.strip("\n")


def shown(expected: str, actual: str) -> bool:
    parts = [re.escape(part) for part in plain(expected).split("…")]
    return re.fullmatch(".*?".join(parts), plain(actual), re.S) is not None


def transcript(text: str) -> list[tuple[str, str]]:
    """Command and expected output, in the order of the page."""
    steps = []
    for language, content in blocks(text):
        if language == "console":
            parts = re.split(r"^\$ (.+)$", content, flags=re.M)
            assert parts[0] == "", "a console block begins with a command"
            steps += list(zip(parts[1::2], [output.removeprefix("\n") for output in parts[2::2]], strict=True))
    return steps


# A page's server must start and end, but there is no limit on the time.
PATIENCE_SECONDS = 300


def environment(home: Path, port: int) -> dict[str, str]:
    """A newcomer's shell: the command on the path, and no settings for AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ROLECALL_", "XDG_"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    own = {"HOME": str(home), "PATH": path, "ROLECALL_PORT": str(port), "AWS_EC2_METADATA_DISABLED": "true"}
    return {**kept, **own, "PYTHONUNBUFFERED": "1"}


@contextmanager
def served(folder: Path, variables: dict[str, str]) -> Iterator[None]:
    """``rolecall serve`` with the built-in sandbox, as long as the page's commands run."""
    log = folder / "serve.log"
    with log.open("wb") as output, open(os.devnull, "rb") as nothing:
        streams = (nothing.fileno(), output.fileno(), output.fileno())
        process = fork_rolecall(["serve", "--database", "sqlite://"], cwd=folder, env=variables, streams=streams)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "Rolecall is ready" not in log.read_text(encoding="utf-8"):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.02)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


def write_files(text: str, folder: Path, home: Path, port: int) -> None:
    """The blocks that name a file in their first line."""
    for language, content in blocks(text):
        name = re.match(r"# ([~\w./-]+\.\w+|~/\.aws/config)\n", content)
        if language in WRITTEN_LANGUAGES and name is not None:
            target = home / name[1][2:] if name[1].startswith("~/") else folder / name[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content.replace(f":{DOCUMENTED_PORT}", f":{port}"), encoding="utf-8")


def page_with_examples(name: str, text: str) -> Any:
    """A page with numbers of operations shows the numbers of the pinned botocore."""
    counts = re.search(r"\d+ of \d+ emulated", text)
    return pytest.param(name, marks=[pytest.mark.follows_the_model] if counts else [])


PAGE_TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in PAGE_NAMES}
PAGES_WITH_EXAMPLES = [page_with_examples(name, text) for name, text in PAGE_TEXTS.items() if transcript(text)]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the examples are for a POSIX shell")
@pytest.mark.parametrize("name", PAGES_WITH_EXAMPLES)
def test_examples_print_what_the_page_shows(name: str, tmp_path: Path, command_folder: Path) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    port = reserved_port()
    home, folder = tmp_path / "home", tmp_path / "folder"
    home.mkdir()
    shutil.copytree(ROOT / "config", folder / "config")
    write_files(text, folder, home, port)
    variables = environment(home, port)
    steps = [step for step in transcript(text) if not step[0].startswith("curl") or shutil.which("curl")]
    # One shell for the whole page, because a command may set variables for later ones.
    mark = "==== next command ===="
    script = "".join(f"{command}\necho '{mark}'\n" for command, _ in steps).replace(f":{DOCUMENTED_PORT}", f":{port}")
    with served(folder, variables):
        done = subprocess.run(
            ["bash"],
            input=script,
            env=variables | {"PATH": os.pathsep.join([str(command_folder), variables["PATH"]])},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Far more than needed: a page may have dozens of commands, and the machine may be busy.
            timeout=900,
            check=False,
        )
    outputs = done.stdout.replace(f":{port}", f":{DOCUMENTED_PORT}").split(mark + "\n")
    assert len(outputs) == len(steps) + 1, done.stdout
    for (command, expected), actual in zip(steps, outputs, strict=False):
        assert shown(expected, actual), f"$ {command}\n{actual}\n--- but the page shows ---\n{expected}"


def test_the_examples_of_the_readme_are_all_run() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    written = [content.split("\n", 1)[0][2:] for language, content in blocks(text) if language in WRITTEN_LANGUAGES]
    assert written == ["example.py", "meeting.py", "federation.py", "~/.aws/config", "sandbox.yaml", "test_invite.py"]
    commands = [command for command, _ in transcript(text)]
    assert [
        name for name in written if not any(name in command or "--profile" in command for command in commands)
    ] == []
    for language, content in blocks(text):
        if language == "python":
            compile(content, "README.md", "exec")


@pytest.mark.slow
def test_the_ready_message_of_the_readme_is_the_real_one(tmp_path: Path) -> None:
    port = reserved_port()
    variables = environment(tmp_path, port)
    with served(tmp_path, variables):
        printed = (tmp_path / "serve.log").read_text(encoding="utf-8")
        urllib.request.urlopen(f"http://127.0.0.1:{port}/_rolecall/health", timeout=PATIENCE_SECONDS).close()
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    # A slow machine gets another line. The page shows the first start with a database in a file.
    printed = printed.removeprefix(f"rolecall: {SLOW_SETTING_UP}\n").replace(
        "in memory, nothing is kept", "sqlite:////home/ana/.local/share/rolecall/rolecall.db, newly made"
    )
    assert printed.replace(f":{port}", f":{DOCUMENTED_PORT}") in [content for _, content in blocks(readme)]
