"""docs/aws-changes.md: the comparison of two versions of botocore's models, and what it says about Rolecall."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from botocore.session import Session
from loaded_scripts import loaded_script
from yaml_tables import read_table

from rolecall.wire import SERVICES

ROOT = Path(__file__).parent.parent
STEPS = json.loads((ROOT / "tools" / "aws_changes.json").read_text(encoding="utf-8"))["steps"]
ENTRIES = read_table((ROOT / "tools" / "aws_changes.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    return loaded_script("tools/aws_changes.py")


# The page of this repository.


def test_the_page_is_what_the_script_writes(tool: ModuleType) -> None:
    page = (ROOT / "docs" / "aws-changes.md").read_text(encoding="utf-8")
    assert page == tool.page_of(STEPS, ENTRIES), "run: python tools/aws_changes.py"


def test_the_newest_compared_version_is_the_pinned_one() -> None:
    pinned = re.search(r"^botocore==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M)
    assert pinned is not None
    assert STEPS[-1]["to"] == pinned[1], "run: python tools/aws_changes.py compare OLD NEW"


def covered(entry: Any) -> list[str]:
    """The differences of an entry, in emulated services and in others."""
    changes = [change for step in STEPS for change in step["changes"]]
    return [change for change in changes if any(fnmatchcase(change, pattern) for pattern in entry["covers"])]


@pytest.mark.follows_the_model
@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["title"] for entry in ENTRIES])
def test_what_an_entry_says_is_true(entry: Any) -> None:
    """As far as operations and their parameters tell. tests/wire/cases/model_members.json has what is emulated."""
    known = json.loads((ROOT / "tests" / "wire" / "cases" / "model_members.json").read_text(encoding="utf-8"))
    emulated, missing = [], []
    for change in covered(entry):
        service, sign, kind, name = [*change.split(" "), ""][:4]
        assert (entry["state"] == "not served") is (service not in SERVICES), change
        if service not in SERVICES or sign != "+" or kind not in ("operation", "member"):
            continue
        for operation, member in taken_by(service, kind, name):
            parts = known["services"][service][operation]
            is_there = parts is not None and (not member or member not in parts.get("not emulated", ()))
            (emulated if is_there else missing).append(f"{operation} {member}")
    if entry["state"] == "followed":
        assert missing == []
    elif entry["state"] == "partly":
        assert emulated
        assert missing
    elif entry["state"] == "not yet":
        assert emulated == []


def taken_by(service: str, kind: str, name: str) -> list[tuple[str, str]]:
    """The operation that a difference is about, or each operation with this parameter."""
    if kind == "operation":
        return [(name, "")]
    shape, member = name.split(".")
    model = Session().get_service_model(service)
    inputs = {operation: model.operation_model(operation).input_shape for operation in model.operation_names}
    return [(operation, member) for operation, found in inputs.items() if found is not None and found.name == shape]


# The script.

OLD: dict[str, Any] = {
    "operations": {
        "Kept": {"http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "Asked"}},
        "Gone": {"http": {"method": "POST", "requestUri": "/"}, "errors": [{"shape": "Problem"}]},
    },
    "shapes": {
        "Asked": {
            "type": "structure",
            "members": {"Name": {"shape": "text", "documentation": "old"}, "Old": {"shape": "text"}},
            "required": ["Name"],
        },
        "Problem": {"type": "structure", "members": {}, "error": {"httpStatusCode": 400, "code": "Problem"}},
        "text": {"type": "string", "min": 1, "max": 64, "pattern": "a+"},
        "choice": {"type": "string", "enum": ["one", "two"]},
        "list": {"type": "list", "member": {"shape": "text"}},
    },
}
NEW: dict[str, Any] = {
    "operations": {
        "Kept": {
            "http": {"method": "GET", "requestUri": "/"},
            "input": {"shape": "Asked"},
            "output": {"shape": "Answered"},
            "errors": [{"shape": "Problem"}],
            "deprecated": True,
        },
        "Fresh": {"http": {"method": "POST", "requestUri": "/"}, "errors": [{"shape": "Problem"}]},
    },
    "shapes": {
        "Asked": {
            "type": "structure",
            "members": {
                "Name": {"shape": "other", "documentation": "new", "deprecated": True},
                "New": {"shape": "text"},
            },
        },
        "Answered": {"type": "structure", "members": {"Name": {"shape": "text"}}, "required": ["Name"]},
        "Problem": {"type": "structure", "members": {}, "error": {"httpStatusCode": 403, "code": "Problem"}},
        "text": {"type": "string", "max": 256, "pattern": "b+"},
        "other": {"type": "string", "min": 2, "max": 9},
        "choice": {"type": "string", "enum": ["two", "three"]},
        "list": {"type": "list", "member": {"shape": "other"}},
    },
}
# Nothing about what is below a new or missing operation or shape, and nothing about documentation.
EXPECTED = """\
sts + deprecated Asked.Name
sts + deprecated operation Kept
sts + error Kept.Problem
sts + member Asked.New
sts + operation Fresh
sts + shape Answered structure
sts + shape other string, min 2, max 9
sts + value choice.three
sts - member Asked.Old
sts - min text
sts - operation Gone
sts - required Asked.Name
sts - value choice.one
sts ~ answer Problem 400 Problem -> 403 Problem
sts ~ max text 64 -> 256
sts ~ member of list text -> other
sts ~ output Kept none -> Answered
sts ~ pattern text a+ -> b+
sts ~ request Kept POST / -> GET /
sts ~ shape of Asked.Name text -> other
""".splitlines()


def files_of(version: str, models: dict[str, Any]) -> dict[str, bytes]:
    """The files of a small botocore: models by service, with an older model of each that must not be read."""
    files = {"botocore/__init__.py": f"__version__ = '{version}'\n".encode()}
    for number, (service, model) in enumerate(models.items()):
        content = json.dumps(model).encode()
        newest = f"botocore/data/{service}/2020-01-01/service-2.json"
        files[f"botocore/data/{service}/2019-12-31/service-2.json"] = b"{}"
        files |= {newest: content} if number % 2 else {f"{newest}.gz": gzip.compress(content)}
        files[f"botocore/data/{service}/2020-01-01/paginators-1.json"] = b"no model"
    return files


def folder_of(folder: Path, version: str, models: dict[str, Any]) -> Path:
    for name, content in files_of(version, models).items():
        target = folder / version / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder / version


def wheel_of(folder: Path, version: str, models: dict[str, Any]) -> Path:
    with zipfile.ZipFile(folder / f"{version}.whl", "w") as wheel:
        for name, content in files_of(version, models).items():
            wheel.writestr(zipfile.ZipInfo(name, (2026, 11, 19, 12, 0, 0)), content)
    return folder / f"{version}.whl"


@pytest.mark.parametrize("kind", [folder_of, wheel_of])
def test_two_versions_are_compared(tool: ModuleType, tmp_path: Path, kind: Callable[..., Path]) -> None:
    old = tool.read_models(kind(tmp_path, "1.0.9", {"sts": OLD, "iam": OLD, "chime": OLD, "s3": OLD}))
    new = tool.read_models(kind(tmp_path, "1.0.10", {"sts": NEW, "iam": OLD, "chime-sdk-voice": OLD, "s3": NEW}))
    services = ["chime - service", "chime-sdk-voice + service"]
    assert tool.differences(old, new) == [*services, *EXPECTED]
    assert (old.version, new.version) == ("1.0.9", "1.0.10")
    assert str(new.released_on) == ("None" if kind is folder_of else "2026-11-19")
    assert tool.differences(new, new) == []


def test_what_is_compared_is_stored_in_order(tool: ModuleType, tmp_path: Path) -> None:
    models = [tool.read_models(folder_of(tmp_path, f"1.0.{number}", {"sts": OLD})) for number in (8, 9, 10)]
    changed = tool.read_models(folder_of(tmp_path / "changed", "1.0.10", {"sts": NEW}))
    steps = tool.with_step([], models[1], models[2])
    steps = tool.with_step(steps, models[0], models[1])
    assert [(step["from"], step["to"], step["changes"]) for step in steps] == [
        ("1.0.8", "1.0.9", []),
        ("1.0.9", "1.0.10", []),
    ]
    replaced = tool.with_step(steps, models[1], changed)
    assert [step["changes"] for step in replaced] == [[], EXPECTED]
    assert json.loads(tool.stored_text(replaced)) == {"steps": replaced}


def test_the_script_writes_its_files(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DIFFERENCES", "STATES", "PAGE"):
        monkeypatch.setattr(tool, name, tmp_path / name)
    old, new = folder_of(tmp_path, "1.0.9", {"sts": OLD}), wheel_of(tmp_path, "1.0.10", {"sts": NEW})
    tool.STATES.write_text("[]")
    # The differences are stored although no entry covers them, so that entries can be written for them.
    with pytest.raises(tool.ChangesError, match=r"^1\.0\.10: sts \+ deprecated Asked\.Name: no entry") as caught:
        tool.main(["compare", str(old), str(new)])
    assert len(caught.value.problems) == len(EXPECTED)
    assert not tool.PAGE.exists()
    entry = {"title": "all of it", "state": "partly", "since": "0.2.0", "note": "See.", "covers": ["sts *"]}
    tool.STATES.write_text(yaml.safe_dump([entry]))
    tool.main([])
    page = tool.PAGE.read_text(encoding="utf-8")
    assert "Compared: botocore 1.0.9 to 1.0.10." in page
    assert "| all of it | sts | 1.0.10 (2026-11-19) | partly followed since 0.2.0 | See. |" in page
    assert "```text\n{}\n```".format("\n".join(EXPECTED)) in page


def entry_of(*covers: str, state: str = "not yet", **more: str) -> dict[str, Any]:
    return {"title": covers[0], "covers": list(covers), "state": state, **more}


@pytest.mark.parametrize(
    ("entries", "problems"),
    [
        ([entry_of("sts *"), entry_of("iam *")], []),
        ([entry_of("sts *")], ["1.0.10: iam - member B.c: no entry"]),
        (
            [entry_of("sts *"), entry_of("iam *"), entry_of("* service")],
            ["1.0.10: sts + service: several entries: sts *, * service"],
        ),
        ([entry_of("sts *"), entry_of("iam *"), entry_of("sso *")], ["the entry sso * covers nothing"]),
        (
            [entry_of("sts *", state="soon"), entry_of("iam *")],
            ["the entry sts * has an unknown state: soon"],
        ),
        (
            [entry_of("sts *", state="followed"), entry_of("iam *", since="0.1.0")],
            [f"the entry {title} needs since when it is followed, and only then" for title in ("sts *", "iam *")],
        ),
    ],
)
def test_an_entry_that_does_not_fit_fails(tool: ModuleType, entries: list[Any], problems: list[str]) -> None:
    step = {"from": "1.0.9", "to": "1.0.10", "released_on": None, "changes": ["iam - member B.c", "sts + service"]}
    assert tool.problems_of([step], entries) == problems
    if problems:
        with pytest.raises(tool.ChangesError):
            tool.page_of([step], entries)


def test_a_gap_between_two_comparisons_fails(tool: ModuleType) -> None:
    steps = [{"from": "1.0.0", "to": "1.0.1", "changes": []}, {"from": "1.0.2", "to": "1.0.3", "changes": []}]
    assert tool.problems_of(steps, []) == ["between 1.0.1 and 1.0.2 nothing was compared"]


def test_sources_that_are_no_botocore(tool: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.whl").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("other/__init__.py", "")
    for name in ("empty", "text.whl", "other.whl", "missing.whl"):
        with pytest.raises(tool.ChangesError, match=r"botocore"):
            tool.read_models(tmp_path / name)
    unnamed = folder_of(tmp_path, "1.0.0", {})
    (unnamed / "botocore" / "__init__.py").write_text("")
    with pytest.raises(tool.ChangesError, match="names no version"):
        tool.read_models(unnamed)
    for arguments in (["compare"], ["compare", "a"], ["show", "a", "b"]):
        with pytest.raises(tool.ChangesError, match="OLD and NEW are wheels"):
            tool.main(arguments)


def test_a_long_pattern_is_cut_on_the_page(tool: ModuleType) -> None:
    change = f"sts ~ pattern text a -> {'b' * 200}"
    step = {"from": "1.0.9", "to": "1.0.10", "released_on": None, "changes": [change]}
    page = tool.page_of([step], [entry_of("sts *")])
    assert f"{change[:160]}…\n" in page
    assert change not in page
