"""Rolecall: a local stand-in for AWS STS, IAM and Amazon Chime."""

from __future__ import annotations

from emulator.version import __version__

__all__ = ["__version__"]
