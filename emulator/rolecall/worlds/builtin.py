"""The path of the built-in sandbox file: inside the package in a wheel, beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE_FOLDER = Path(__file__).resolve().parent.parent


def builtin_world_path() -> Path:
    inside = _PACKAGE_FOLDER / "config" / "sandbox.yaml"
    return inside if inside.is_file() else _PACKAGE_FOLDER.parent.parent / "config" / "sandbox.yaml"
