"""The path of the built-in sandbox file."""

from __future__ import annotations

from pathlib import Path

from rolecall.folders import folder


def builtin_world_path() -> Path:
    return folder("config") / "sandbox.yaml"
