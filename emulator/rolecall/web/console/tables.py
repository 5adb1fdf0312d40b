"""The titles of a table's columns, on each cell: on a narrow screen each row becomes some lines with titles."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup, escape

# Texts of users are escaped in a template's rows, so these are the template's own.
_ROW_OR_CELL = re.compile(r"<(tr|td|th)(?=[\s>])")


def titled(rows: Markup, titles: Sequence[str]) -> Markup:
    """The rows of a table, each cell with its column's title. Cells beyond the titles get none."""
    attributes = [f' data-title="{escape(title)}"' for title in titles]
    column = 0

    def with_title(found: re.Match[str]) -> str:
        nonlocal column
        if found[1] == "tr":
            column = 0
            return found[0]
        at, column = column, column + 1
        return found[0] + attributes[at] if at < len(attributes) else found[0]

    return Markup(_ROW_OR_CELL.sub(with_title, str(rows)))  # noqa: S704 - it was markup before
