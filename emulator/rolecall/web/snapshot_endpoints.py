"""Snapshots over HTTP: ``GET /_rolecall/snapshot`` gives the world as a sandbox file, ``PUT`` replaces the world."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from rolecall.sandbox import Sandbox
from rolecall.settings import MAXIMUM_SNAPSHOT_BYTES
from rolecall.worlds.declare import InvalidWorldError
from rolecall.worlds.snapshots import UnsavableError

YAML = "application/yaml"
INVALID_MESSAGE = "The snapshot cannot be loaded."
NOT_TEXT_MESSAGE = "The snapshot is not UTF-8 text."
TOO_LARGE_MESSAGE = f"The snapshot is larger than {MAXIMUM_SNAPSHOT_BYTES} bytes."
CHOICE_MESSAGE = "last_used must be true or false."
_CHOICES = {"true": True, "false": False}

Answered = tuple[Response, int]


def register_snapshots(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoints."""

    @control.get("/snapshot")
    def save_snapshot() -> Answered:
        last_used = request.args.get("last_used", "true")
        if last_used not in _CHOICES:
            return jsonify(message=CHOICE_MESSAGE), 400
        try:
            return Response(sandbox.save(last_used=_CHOICES[last_used]), content_type=YAML), 200
        except UnsavableError as error:
            return jsonify(message=f"{error}."), 409

    @control.put("/snapshot")
    def load_snapshot() -> Answered:
        request.max_content_length = MAXIMUM_SNAPSHOT_BYTES
        try:
            text = request.get_data(cache=False).decode("utf-8")
            sandbox.load(text)
        except RequestEntityTooLarge:
            return jsonify(message=TOO_LARGE_MESSAGE), 413
        except UnicodeDecodeError:
            return jsonify(message=NOT_TEXT_MESSAGE), 400
        except InvalidWorldError as error:
            problems = [{"line": problem.line, "message": problem.message} for problem in error.problems]
            return jsonify(message=INVALID_MESSAGE, problems=problems), 400
        return jsonify(status="ok"), 200
