"""The quotas that a sandbox file declares: under AWS's names, and as high or low as a test needs."""

from __future__ import annotations

import difflib
from typing import Any

from rolecall.data import QUOTA_FIELDS, QUOTAS, Quotas, quotas_with
from rolecall.worlds import checking as c
from rolecall.worlds.json_schema import accepting, schema_of
from rolecall.worlds.located import Path

# More than AWS grants to any customer: a test sets a quota to reach it, or to remove it as a limit.
HIGHEST_QUOTA = 1_000_000_000
# Finding a similar name takes time, so a file with more mistakes than this gets no more hints.
HINTS = 20
_QUOTA = c.between(0, HIGHEST_QUOTA)


@accepting(
    lambda: {
        "type": "object",
        "properties": dict.fromkeys(QUOTA_FIELDS, schema_of(_QUOTA)),
        "additionalProperties": False,
    }
)
def quotas(notes: c.Notes, path: Path, value: Any) -> Quotas:
    """AWS's quotas with the changes in a mapping, whose keys are AWS's names, codes or titles of quotas."""
    given: dict[str, str] = {}
    changes: dict[str, int] = {}
    unknown = 0
    for key, number in c.mapping_of(_QUOTA)(notes, path, value).items():
        field = QUOTA_FIELDS.get(key)
        if field is None:
            unknown += 1
            near = difflib.get_close_matches(key, QUOTA_FIELDS, n=1) if unknown <= HINTS else []
            hint = f", did you mean {near[0]!r}?" if near else ""
            notes.add((*path, key), f"Rolecall has no quota of this name{hint}")
        elif field in given:
            notes.add((*path, key), f"is the same quota as {given[field]}")
        elif number is not None:
            given[field] = key
            changes[key] = number
    return quotas_with(changes) if changes else QUOTAS
