"""Lists what botocore's models have, by operation and member, and what Rolecall has of it.

python tools/model_members.py          writes tests/wire/cases/model_members.json and the list in docs/errors.md

AWS adds operations and members often. A test compares the written file with the installed models, so that every
addition is noticed. Read the changes, decide what Rolecall needs, then write the file anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
from botocore.model import Shape
from botocore.session import Session

from rolecall.services.catalogue import find
from rolecall.services.members import refused_members
from rolecall.wire import SERVICES, load_service

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "tests" / "wire" / "cases" / "model_members.json"
PAGE = ROOT / "docs" / "errors.md"
BEGIN = "<!-- begin: written by tools/model_members.py -->\n"
END = "<!-- end: written by tools/model_members.py -->\n"


def main() -> None:
    FILE.write_text(text_of({"botocore": botocore.__version__, "services": found()}), encoding="utf-8")
    PAGE.write_text(with_list(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def found() -> dict[str, dict[str, Any]]:
    """Service to operation to its members, by path; None for an operation that is not emulated."""
    session = Session()
    return {service: _operations(session, service) for service in SERVICES if _has_model(session, service)}


def _has_model(session: Session, service: str) -> bool:
    """Whether botocore has the service. An older botocore lacks services that the newest has."""
    return service in session.get_available_services()


def _operations(session: Session, service: str) -> dict[str, Any]:
    model = session.get_service_model(service)
    return {name: _members(service, model.operation_model(name)) for name in model.operation_names}


def _members(service: str, operation: Any) -> dict[str, list[str]] | None:
    registered = find(service, operation.name)
    if registered is None:
        return None
    taken, answered = operation.input_shape, operation.output_shape
    refused = refused_members(registered, load_service(service).operation(operation.name).input_paths)
    return {
        "takes": sorted(paths(taken)) if taken else [],
        "answers": sorted(paths(answered)) if answered else [],
        "not emulated": sorted(".".join(path) for path in refused),
    }


def paths(shape: Shape, above: str = "", seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Every member below a shape, such as ``Tags[].Key``."""
    if shape.name in seen:
        return
    seen = (*seen, shape.name)
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            path = f"{above}.{name}" if above else name
            yield path
            yield from paths(member, path, seen)
    elif shape.type_name == "list":
        yield from paths(shape.member, f"{above}[]", seen)
    elif shape.type_name == "map":
        yield from paths(shape.value, f"{above}{{}}", seen)


def text_of(written: dict[str, Any]) -> str:
    """JSON with a line for each operation."""
    services = []
    for service, operations in written["services"].items():
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(members)}" for name, members in operations.items())
        services.append(f"{json.dumps(service)}: {{\n{lines}\n}}")
    return f'{{"botocore": {json.dumps(written["botocore"])}, "services": {{\n' + ",\n".join(services) + "\n}}\n"


def with_list(page: str) -> str:
    before, rest = page.split(BEGIN)
    return before + BEGIN + missing_parameters() + END + rest.split(END)[1]


def missing_parameters() -> str:
    """A line for each emulated operation that lacks parameters of the newest model."""
    lines = ["| service | operation | parameters |", "| --- | --- | --- |"]
    for service, operations in found().items():
        for name, members in operations.items():
            missing = [] if members is None else members["not emulated"]
            if missing:
                lines.append(f"| {service} | {name} | {', '.join(f'`{each}`' for each in missing)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
