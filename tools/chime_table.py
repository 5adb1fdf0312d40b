"""Writes the table of all operations of Chime's six services in docs/chime.md.

It comes from the registry, botocore's models and AWS's table of actions.

python tools/chime_table.py        writes the table into the page, between its two marks

A test checks that the page has the table that this would write.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from botocore.session import Session

from rolecall.access.resources import compile_resources
from rolecall.data import actions
from rolecall.service_records import SERVICE_RECORDS
from rolecall.services.catalogue import find
from rolecall.services.members import refused_members
from rolecall.wire import load_service

PAGE = Path(__file__).resolve().parent.parent / "docs" / "chime.md"
BEGIN = "<!-- begin: written by tools/chime_table.py -->\n"
END = "<!-- end: written by tools/chime_table.py -->\n"
SERVICES = tuple(sorted(name for name, record in SERVICE_RECORDS.items() if record.action_prefix == "chime"))
# Errors that every operation has are in the page's table of errors.
COMMON = {
    "AccessDeniedException",
    "BadRequestException",
    "ForbiddenException",
    "ServiceFailureException",
    "ServiceUnavailableException",
    "ThrottledClientException",
    "ThrottlingException",
    "UnauthorizedClientException",
    "UnauthorizedException",
}
# The operations on tags are about the resource of an ARN, of whatever type.
MANY, OF_THE_ARN, ALL_OF_IT = 5, "the ARN in the request", "all of it"


def main() -> None:
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def with_table(page: str) -> str:
    before, rest = page.split(BEGIN)
    return before + BEGIN + tables() + END + rest.split(END)[1]


def tables() -> str:
    """For each service a sentence with its counts, and a table of its operations."""
    return "\n".join(table(service) for service in SERVICES)


def table(service: str) -> str:
    model = Session().get_service_model(service)
    rows = [row(service, model.operation_model(name)) for name in model.operation_names]
    emulated = sum(find(service, name) is not None for name in model.operation_names)
    heading = f"**`{service}`**, version {model.api_version}: {emulated} of {len(rows)} operations are emulated.\n"
    columns = "| operation | the resource in policies | also needs | errors | not emulated |\n"
    return "\n".join([heading, columns + "| --- | --- | --- | --- | --- |", *rows]) + "\n"


def row(service: str, operation: Any) -> str:
    name = str(operation.name)
    action = actions("chime")[name.lower()]
    codes = sorted({shape.name for shape in operation.error_shapes} - COMMON)
    columns = (
        [name],
        resources(service, name),
        sorted(action.dependent_actions),
        [code.removesuffix("Exception") for code in codes],
        missing(service, name),
    )
    texts = [", ".join(_shown(each) for each in column) for column in columns]
    return f"| {' | '.join(texts)} |"


def _shown(text: str) -> str:
    return text if text in (OF_THE_ARN, ALL_OF_IT) else f"`{text}`"


def resources(service: str, name: str) -> list[str]:
    """The resource types that a call is about by the action table and the request's members; ``*`` for none."""
    compiled = compile_resources("chime", name, load_service(service).operation(name).input_paths)
    named = {template.type for source in compiled.sources for template in source.types}
    if len(named) > MANY:
        return [OF_THE_ARN]
    # A type that no member names is every resource of that type.
    return sorted(named) or [f"{template.type}/*" for template in compiled.unnamed] or ["*"]


def missing(service: str, name: str) -> list[str]:
    """The members of the request that are answered 501, or one text for an operation that is not emulated."""
    registered = find(service, name)
    if registered is None:
        return [ALL_OF_IT]
    refused = refused_members(registered, load_service(service).operation(name).input_paths)
    return sorted(".".join(path) for path in refused)


if __name__ == "__main__":
    main()
