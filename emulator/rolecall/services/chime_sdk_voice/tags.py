"""Tags of the resources of Amazon Chime SDK voice."""

from __future__ import annotations

from rolecall.services.verbs import tags

tags("chime-sdk-voice")
