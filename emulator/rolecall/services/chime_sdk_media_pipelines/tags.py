"""Tags of the resources of Amazon Chime SDK media pipelines."""

from __future__ import annotations

from rolecall.services.verbs import tags

tags("chime-sdk-media-pipelines")
