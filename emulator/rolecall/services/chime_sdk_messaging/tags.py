"""Tags of channels and channel flows."""

from __future__ import annotations

from rolecall.services.verbs import tags

tags("chime-sdk-messaging")
