"""Tags of meetings."""

from __future__ import annotations

from rolecall.services.verbs import tags

tags("chime-sdk-meetings")
