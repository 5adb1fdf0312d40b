"""``python -m emulator`` is ``rolecall``."""

from __future__ import annotations

from emulator.cli import main

main(prog_name="rolecall")
