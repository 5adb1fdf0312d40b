"""``python -m rolecall`` is ``rolecall``."""

from __future__ import annotations

from rolecall.cli import main

main(prog_name="rolecall")
