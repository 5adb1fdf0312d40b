"""Tags of app instances, users and bots."""

from __future__ import annotations

from rolecall.services.verbs import tags

tags("chime-sdk-identity")
