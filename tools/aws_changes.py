"""Finds what AWS changed between two versions of botocore's models, and writes docs/aws-changes.md.

python tools/aws_changes.py compare OLD NEW    adds the differences to tools/aws_changes.json, then writes the page
python tools/aws_changes.py                    writes the page

OLD and NEW are wheels of botocore, or folders that contain the package: an unpacked wheel, or the site-packages of an
environment. tools/aws_changes.yaml says of every difference whether Rolecall follows it, and since which version. The
script fails while a difference is not covered there, or an entry covers nothing. It needs no network.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from itertools import chain, pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
DIFFERENCES = ROOT / "tools" / "aws_changes.json"
STATES = ROOT / "tools" / "aws_changes.yaml"
PAGE = ROOT / "docs" / "aws-changes.md"
# The services of identities, of their credentials, and of Chime, by the names of botocore's folders.
SERVICES = (
    "account-access*",
    "chime*",
    "cognito-identity",
    "eks-auth",
    "iam",
    "iam-toolbox",
    "identitystore",
    "organizations",
    "rolesanywhere",
    "signin",
    "sso*",
    "sts",
)
FOLLOWED = {
    "followed": "followed",
    "partly": "partly followed",
    "not yet": "not followed yet",
    "not served": "Rolecall does not serve it",
    "no effect": "nothing to follow",
}
# Longer patterns are cut on the page, not in the stored differences.
_SHOWN_CHARACTERS = 160
_MODEL = re.compile(r"botocore/data/(?P<service>[\w-]+)/\d{4}-\d\d-\d\d/service-2\.json(\.gz)?")
_VERSION = re.compile(r"""^__version__ = ['"]([\d.]+)['"]""", re.M)
_PAGE_BEGINNING = """# What AWS changed

AWS changes its APIs every week. This page lists what changed since July 2026 in the services of identities, of their \
credentials and of Chime, and whether Rolecall follows. `tools/aws_changes.py` writes it from a comparison of \
botocore's models: operations, errors, shapes, members, limits, patterns and enumerated values. Texts of the \
documentation are not compared.

A change is listed with the first compared version that has it. The date is the version's day of release.
"""
_HOW_TO = """## A new version of botocore

```sh
python tools/aws_changes.py compare OLD NEW
```

`OLD` and `NEW` are wheels of botocore, or folders with the package. The script adds the differences to \
`tools/aws_changes.json`, and fails with a list of those without an entry in `tools/aws_changes.yaml`. An entry says \
which differences it covers, whether Rolecall follows them (`followed`, `partly`, `not yet`, `not served` or \
`no effect`), and since which version. When all entries are written, the script writes this page. The tests fail while \
the page is not what the script would write, or while the newest compared version is not the one of `constraints.txt`.
"""


class ChangesError(Exception):
    """The user has to correct something. Shows each of ``problems``."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


# Models.


@dataclass(frozen=True, slots=True)
class Models:
    """The models of one version of botocore. ``released_on`` is known for a wheel only."""

    version: str
    released_on: date | None
    services: Mapping[str, Mapping[str, Any]]


def read_models(source: Path) -> Models:
    """Raises ChangesError when the source is neither a wheel nor a folder with botocore."""
    if source.is_dir():
        files = {str(file.relative_to(source).as_posix()): file for file in source.glob("botocore/data/*/*/service-2*")}
        beginning = source / "botocore" / "__init__.py"
        if not beginning.is_file():
            raise ChangesError([f"{source} does not contain botocore"])
        return Models(
            _version(beginning.read_bytes()), None, _models(sorted(files), lambda name: files[name].read_bytes())
        )
    try:
        with zipfile.ZipFile(source) as wheel:
            year, month, day = wheel.getinfo("botocore/__init__.py").date_time[:3]
            version = _version(wheel.read("botocore/__init__.py"))
            return Models(version, date(year, month, day), _models(sorted(wheel.namelist()), wheel.read))
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ChangesError([f"{source} is neither a wheel of botocore nor a folder that contains it"]) from error


def _version(text: bytes) -> str:
    found = _VERSION.search(text.decode())
    if found is None:
        raise ChangesError(["the package botocore names no version"])
    return found[1]


def _models(names: Sequence[str], read: Any) -> dict[str, Mapping[str, Any]]:
    """The newest model of each compared service. The names are sorted, so the newest comes last."""
    found: dict[str, str] = {}
    for name in names:
        match = _MODEL.fullmatch(name)
        if match is not None and any(fnmatchcase(match["service"], pattern) for pattern in SERVICES):
            found[match["service"]] = name
    return {service: _parsed(name, read(name)) for service, name in found.items()}


def _parsed(name: str, content: bytes) -> Mapping[str, Any]:
    model: Mapping[str, Any] = json.loads(gzip.decompress(content) if PurePosixPath(name).suffix == ".gz" else content)
    return model


# Differences.

# A fact is named by a path. A difference in a path hides all differences below it.
Facts = Mapping[tuple[str, ...], str]


def differences(old: Models, new: Models) -> list[str]:
    """Each difference as one line, such as ``iam + member Role.MaxSigninSessionDuration``."""
    found = []
    for service in sorted(old.services.keys() | new.services.keys()):
        if service not in old.services:
            found.append(f"{service} + service")
        elif service not in new.services:
            found.append(f"{service} - service")
        else:
            before, after = facts(old.services[service]), facts(new.services[service])
            found += [f"{service} {line}" for line in sorted(_lines(before, after))]
    return found


def facts(model: Mapping[str, Any]) -> Facts:
    """What is compared of a model: path to value."""
    return dict(chain(_operation_facts(model), _shape_facts(model)))


def _operation_facts(model: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, operation in model.get("operations", {}).items():
        path = ("operation", name)
        yield path, ""
        yield (*path, "request", name), " ".join(map(str, operation.get("http", {}).values()))
        for side in ("input", "output"):
            yield (*path, side, name), operation.get(side, {}).get("shape", "none")
        if operation.get("deprecated"):
            yield (*path, "deprecated operation", name), ""
        for error in operation.get("errors", ()):
            yield (*path, "error", f"{name}.{error['shape']}"), ""


def _shape_facts(model: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name, shape in model.get("shapes", {}).items():
        path = ("shape", name)
        yield path, ""
        yield (*path, "type", name), shape["type"]
        for limit in ("min", "max", "pattern"):
            if limit in shape:
                yield (*path, limit, name), str(shape[limit])
        if "error" in shape:
            yield (*path, "answer", name), " ".join(str(shape["error"].get(key)) for key in ("httpStatusCode", "code"))
        for value in shape.get("enum", ()):
            yield (*path, "value", f"{name}.{value}"), ""
        for member, reference in shape.get("members", {}).items():
            below = (*path, "member", f"{name}.{member}")
            yield below, ""
            yield (*below, "shape of", f"{name}.{member}"), reference["shape"]
            if member in shape.get("required", ()):
                yield (*below, "required", f"{name}.{member}"), ""
            if reference.get("deprecated"):
                yield (*below, "deprecated", f"{name}.{member}"), ""
        for part in ("member", "key", "value"):
            if part in shape and "members" not in shape:
                yield (*path, f"{part} of", name), shape[part]["shape"]


def _lines(before: Facts, after: Facts) -> Iterator[str]:
    for path in before.keys() | after.keys():
        # With the operation, shape or member itself new or gone, everything below it is too.
        if any((path[:length] in before) is not (path[:length] in after) for length in range(2, len(path), 2)):
            continue
        kind, name = path[-2:]
        if path not in before:
            yield " ".join(filter(None, [f"+ {kind} {name}", after[path], _limits(path, after)]))
        elif path not in after:
            yield f"- {kind} {name}"
        elif before[path] != after[path]:
            yield f"~ {kind} {name} {before[path]} -> {after[path]}"


def _limits(path: tuple[str, ...], after: Facts) -> str:
    """Type and limits of a new shape, for which there are no lines of their own."""
    named = [(part, after.get((*path, part, path[-1]))) for part in ("type", "min", "max", "pattern")]
    return ", ".join(value if part == "type" else f"{part} {value}" for part, value in named if value is not None)


# What is stored: the steps from version to version.


def with_step(steps: Sequence[Mapping[str, Any]], old: Models, new: Models) -> list[dict[str, Any]]:
    """The steps with this one, in the order of the versions. It replaces an earlier one to the same version."""
    step = {
        "from": old.version,
        "to": new.version,
        "released_on": None if new.released_on is None else new.released_on.isoformat(),
        "changes": differences(old, new),
    }
    return sorted([*(dict(each) for each in steps if each["to"] != new.version), step], key=_order)


def _order(step: Mapping[str, Any]) -> list[int]:
    return [int(part) for part in step["to"].split(".")]


def stored_text(steps: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"steps": steps}, indent=1) + "\n"


# The page.


def problems_of(steps: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Differences without an entry or with several, entries without a difference, gaps, and unknown states."""
    problems = []
    for earlier, later in pairwise(steps):
        if earlier["to"] != later["from"]:
            problems.append(f"between {earlier['to']} and {later['from']} nothing was compared")
    used: set[int] = set()
    for step in steps:
        for change in step["changes"]:
            covering = _covering(entries, change)
            used |= set(covering)
            if len(covering) != 1:
                titles = ", ".join(str(entries[index]["title"]) for index in covering)
                problems.append(f"{step['to']}: {change}: " + (f"several entries: {titles}" if titles else "no entry"))
    for index, entry in enumerate(entries):
        if index not in used:
            problems.append(f"the entry {entry['title']} covers nothing")
        if entry["state"] not in FOLLOWED:
            problems.append(f"the entry {entry['title']} has an unknown state: {entry['state']}")
        if (entry["state"] in ("followed", "partly")) is not ("since" in entry):
            problems.append(f"the entry {entry['title']} needs since when it is followed, and only then")
    return problems


def _covering(entries: Sequence[Mapping[str, Any]], change: str) -> list[int]:
    return [
        index for index, entry in enumerate(entries) if any(fnmatchcase(change, pattern) for pattern in entry["covers"])
    ]


def page_of(steps: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]) -> str:
    """The whole page. Raises ChangesError when the entries do not fit the differences."""
    problems = problems_of(steps, entries)
    if problems:
        raise ChangesError(problems)
    lines = [_PAGE_BEGINNING, f"Compared: botocore {steps[0]['from']} to {steps[-1]['to']}.", "", "## The changes", ""]
    lines += ["| change | services | botocore | Rolecall | |", "| --- | --- | --- | --- | --- |"]
    lines += [_row(entry, index, steps, entries) for index, entry in enumerate(entries)]
    lines += ["", "## Every difference", ""]
    for step in reversed(steps):
        between = f"Between {step['from']} and {step['to']}"
        if step["changes"]:
            lines += [f"{between}:", "", "```text", *(_shortened(change) for change in step["changes"]), "```", ""]
        else:
            lines += [f"{between}: no difference.", ""]
    return "\n".join([*lines, _HOW_TO])


def _row(
    entry: Mapping[str, Any], index: int, steps: Sequence[Mapping[str, Any]], entries: Sequence[Mapping[str, Any]]
) -> str:
    services, versions = set(), []
    for step in steps:
        covered = [change for change in step["changes"] if _covering(entries, change) == [index]]
        services |= {change.split(" ", 1)[0] for change in covered}
        if covered:
            versions.append(step["to"] + (f" ({step['released_on']})" if step["released_on"] else ""))
    since = f" since {entry['since']}" if "since" in entry else ""
    state = FOLLOWED[entry["state"]] + since
    cells = (entry["title"], ", ".join(sorted(services)), ", ".join(versions), state, entry.get("note", ""))
    return f"| {' | '.join(cells)} |"


def _shortened(change: str) -> str:
    return change if len(change) <= _SHOWN_CHARACTERS else change[:_SHOWN_CHARACTERS] + "…"


def main(arguments: Sequence[str]) -> None:
    steps = json.loads(DIFFERENCES.read_text(encoding="utf-8"))["steps"] if DIFFERENCES.exists() else []
    if arguments:
        if len(arguments) != 3 or arguments[0] != "compare":
            raise ChangesError([str(__doc__)])
        steps = with_step(steps, *(read_models(Path(given)) for given in arguments[1:]))
        DIFFERENCES.write_text(stored_text(steps), encoding="utf-8")
    PAGE.write_text(page_of(steps, yaml.safe_load(STATES.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ChangesError as problem:
        sys.exit(str(problem))
