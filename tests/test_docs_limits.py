"""Limits in the pages are the limits of AWS's models. A number from an older model fails."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.session import Session

DOCS = Path(__file__).parent.parent / "docs"
pytestmark = pytest.mark.follows_the_model

# A sentence of a page, with the position of the model's smallest and largest value in it.
_LENGTH = "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{{{0},{1}}}"
_BOTH = "GetSessionToken, GetFederationToken | {0} to {1} |"
SENTENCES = [
    ("sts.md", "`RoleSessionName` | {0} to {1} characters", "sts", "AssumeRole", "RoleSessionName"),
    ("sts.md", "`ExternalId` | {0} to {1} characters", "sts", "AssumeRole", "ExternalId"),
    ("sts.md", "`SourceIdentity` | {0} to {1} characters", "sts", "AssumeRole", "SourceIdentity"),
    ("sts.md", "`Policy` | {1} characters", "sts", "GetFederationToken", "Policy"),
    ("sts.md", "`Tags`, `TransitiveTagKeys` | {1} each", "sts", "AssumeRole", "Tags"),
    ("sts.md", "`Tags`, `TransitiveTagKeys` | {1} each", "sts", "AssumeRole", "TransitiveTagKeys"),
    ("sts.md", "`Name` has {0} to {1} characters", "sts", "GetFederationToken", "Name"),
    ("sts.md", "`Audience` | {0} to {1};", "sts", "GetWebIdentityToken", "Audience"),
    ("sts.md", "`DurationSeconds` | {0} to {1}, 300 by default", "sts", "GetWebIdentityToken", "DurationSeconds"),
    ("sts.md", "`Tags` | {1}; `request_tags`", "sts", "GetWebIdentityToken", "Tags"),
    ("saml.md", "`RoleSessionName` | required; {0} to {1} of", "sts", "AssumeRole", "RoleSessionName"),
    ("saml.md", _LENGTH, "sts", "AssumeRole", "RoleSessionName"),
    ("saml.md", "`SourceIdentity` | {0} to {1} characters", "sts", "AssumeRole", "SourceIdentity"),
    ("saml.md", "Source Identity must match [a-zA-Z_0-9+=,.@-]{{{0},{1}}}", "sts", "AssumeRole", "SourceIdentity"),
    ("saml.md", "`SessionDuration` | {0} to {1} seconds", "sts", "AssumeRoleWithSAML", "DurationSeconds"),
    ("saml.md", "a session tag; up to {1} |", "sts", "AssumeRole", "Tags"),
    ("credentials.md", "| AssumeRole | {0} to {1}, at most", "sts", "AssumeRole", "DurationSeconds"),
    ("credentials.md", _BOTH, "sts", "GetSessionToken", "DurationSeconds"),
    ("credentials.md", _BOTH, "sts", "GetFederationToken", "DurationSeconds"),
    ("credentials.md", "| AssumeRoot | {0} to {1} |", "sts", "AssumeRoot", "DurationSeconds"),
    ("credentials.md", "`SessionDuration` ({0} to {1})", "iam", "CreateDelegationRequest", "SessionDuration"),
    ("credentials.md", "its token may have {1:,} bytes", "sts", "AssumeRole", "MinimumSessionTokenSize"),
    ("credentials.md", "a session policy of {1:,} characters", "sts", "GetFederationToken", "Policy"),
]  # fmt: skip
# Rows whose numbers are not limits of the member before them.
OTHER_NUMBERS = {
    ("saml.md", "SessionDuration"),  # an assertion's attribute; the sign-in endpoint's differs too
    ("sign-in.md", "SessionDuration"),
    ("sandbox-file.md", "DurationSeconds"),  # the lowest value of the setting
}


@cache
def model(service: str) -> Any:
    return Session().get_service_model(service)


def bounds(service: str, operation: str, member: str) -> tuple[int, int]:
    metadata = model(service).operation_model(operation).input_shape.members[member].metadata
    return metadata.get("min", 0), metadata["max"]


@pytest.mark.parametrize(("page", "sentence", "service", "operation", "member"), SENTENCES)
def test_a_page_has_the_limit_of_the_model(page: str, sentence: str, service: str, operation: str, member: str) -> None:
    expected = sentence.format(*bounds(service, operation, member))
    assert expected in (DOCS / page).read_text(encoding="utf-8")


def ranges() -> list[tuple[str, str, int, int]]:
    """Every "N to M" after a parameter's name in the row of a table written by hand."""
    found = []
    for page in sorted(DOCS.glob("*.md")):
        text = re.sub(r"<!-- begin.*?<!-- end", "", page.read_text(encoding="utf-8"), flags=re.S)
        for row in re.findall(r"^\|.*\|$", text, re.M):
            for name, low, high in re.findall(r"`([A-Z]\w+)`[^`\d]*?([\d,]+) to ([\d,]+)", row):
                found.append((page.name, name, int(low.replace(",", "")), int(high.replace(",", ""))))
    return found


@cache
def bounds_of(member: str) -> frozenset[tuple[int, int]]:
    """The limits of a parameter of this name in any operation of a service."""
    shapes = (
        model(service).operation_model(operation).input_shape
        for service in ("sts", "iam", "chime")
        for operation in model(service).operation_names
    )
    members = [shape.members[member].metadata for shape in shapes if shape is not None and member in shape.members]
    return frozenset((each.get("min", 0), each.get("max", 0)) for each in members)


def test_every_range_in_a_row_about_a_parameter_is_one_of_the_model() -> None:
    rows = [row for row in ranges() if bounds_of(row[1]) and row[:2] not in OTHER_NUMBERS]
    assert len(rows) >= 7
    wrong = [row for row in rows if row[2:] not in bounds_of(row[1])]
    assert wrong == [], "the model has another limit"
