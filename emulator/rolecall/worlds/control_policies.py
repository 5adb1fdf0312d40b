"""Documents of an organization's control policies: their size and services, as AWS Organizations limits them.

The policy grammar checks which elements they may have.
"""

from __future__ import annotations

import json
from typing import Any

from rolecall.data import QUOTAS, without_resource_control
from rolecall.policy import PolicyKind, Statement, document_size, parse_policy
from rolecall.worlds import checking as c
from rolecall.worlds.document_files import DocumentFile
from rolecall.worlds.json_schema import A_POLICY, accepting
from rolecall.worlds.located import Path
from rolecall.worlds.policy_problems import pointed_at

_SIZES = {
    PolicyKind.SCP: QUOTAS.service_control_policy_characters,
    PolicyKind.RCP: QUOTAS.resource_control_policy_characters,
}


def control_document(kind: PolicyKind) -> c.Check:
    """The document of a service or resource control policy; the result is JSON text."""
    document = c.policy(kind)

    @accepting(lambda: A_POLICY)
    def check(notes: c.Notes, path: Path, value: Any) -> str | None:
        text: str | None = document(notes, path, value)
        if text is None:
            return None
        # On AWS white space counts. A mapping in the sandbox file has none until it is written as JSON.
        size, limit = len(text) if isinstance(value, str) else document_size(text), _SIZES[kind]
        if size > limit:
            notes.add(path, f"has {size} characters; AWS accepts at most {limit}")
        if kind is PolicyKind.RCP:
            for statement in parse_policy(text, kind).statements:
                _check_services(notes, path, statement, value)
        return text

    return check


@accepting(lambda: {"anyOf": [{"type": "object"}, {"type": "string"}]})
def management_document(notes: c.Notes, path: Path, value: Any) -> str | None:
    """The document of a policy of another type: a mapping, or JSON text of one. The result is JSON text."""
    if isinstance(value, dict):
        return c.document_text(value)
    if isinstance(value, str) and _is_json_object(value):
        return str(value)
    from_file = isinstance(value, DocumentFile)
    problem = value.problem if from_file else ""
    notes.add(value.path if from_file else path, problem or "must be a mapping, or JSON text of one")
    return None


def _is_json_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _check_services(notes: c.Notes, path: Path, statement: Statement, document: Any) -> None:
    """Only some services support them (Organizations User Guide, List of AWS services that support RCPs)."""
    unknown = without_resource_control(statement.actions)
    if unknown:
        pointer = f"Statement[{statement.index}].Action"
        verb = "supports" if len(unknown) == 1 else "support"
        said = f"{', '.join(unknown)} {verb} no resource control policies ({pointer})"
        message = f"not a policy that AWS accepts: {said}; rolecall/data/control_policies lists the services that do"
        notes.add(path, message, pointed_at(pointer, document))
