"""The lines on stderr of a server: as text for people, or as JSON for a collector of logs."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from rolecall.printable import printable


class TextFormatter(logging.Formatter):
    """Writes each record in one line. The lines of a traceback are indented, so that none can pass for a record."""

    def __init__(self, form: str = "%(asctime)s %(name)s %(message)s") -> None:
        super().__init__(form)

    def format(self, record: logging.LogRecord) -> str:
        first, *further = super().format(record).split("\n") if record.exc_info else [super().format(record)]
        return "\n".join([printable(first), *(f"    {printable(line)}" for line in further)])


class JsonFormatter(logging.Formatter):
    """Writes each record as one JSON object in one line: ``time`` in UTC, ``level``, ``logger``, ``message``.

    A traceback is in ``exception``. The ``members`` of a record, such as in the access log, take the place of its
    message.
    """

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        shown: dict[str, Any] = {
            "time": f"{seconds}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        members: Mapping[str, Any] | None = getattr(record, "members", None)
        if members is None:
            shown["message"] = record.getMessage()
        else:
            shown |= members
        if record.exc_info:
            shown["exception"] = self.formatException(record.exc_info)
        # Only ASCII: no character of a client can end a line or turn the direction of writing.
        return json.dumps(shown)


LOG_FORMATTERS: Mapping[str, Callable[[], logging.Formatter]] = {"text": TextFormatter, "json": JsonFormatter}
