"""Probes for balancers and orchestrators, open to every client: whether the process lives, and whether it can answer.

They say nothing about the sandbox. ``/_rolecall/health`` says more, to this machine.
"""

from __future__ import annotations

import threading

from flask import Blueprint, Response, jsonify

from rolecall.sandbox import Sandbox
from rolecall.storage.engine import DatabaseError
from rolecall.web.doors import PREFIX

PROBES_PATH = f"{PREFIX}/probe"
# A database that hangs must not hold every thread that answers pages.
_PATIENCE_SECONDS = 1.0


def register_probes(pages: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoints."""
    turn = threading.Lock()

    @pages.get("/live")
    def live() -> tuple[Response, int]:
        return jsonify(status="ok"), 200

    @pages.get("/ready")
    def ready() -> tuple[Response, int]:
        if not turn.acquire(timeout=_PATIENCE_SECONDS):
            return _unready()
        try:
            sandbox.catch_up()
            lost = sandbox.database.lost_file()
        except (*DatabaseError, OSError):
            return _unready()
        finally:
            turn.release()
        return _unready() if lost else (jsonify(status="ok"), 200)


def _unready() -> tuple[Response, int]:
    return jsonify(status="unavailable"), 503
