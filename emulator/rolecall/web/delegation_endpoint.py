"""``GET /_rolecall/delegation-requests/ID/token``: the exchange token of a delegation request, once it was sent."""

from __future__ import annotations

import importlib
from typing import Any

from flask import Blueprint, Response, jsonify

from rolecall.sandbox import Sandbox

NO_TOKEN_MESSAGE = "There is no sent token for this delegation request."  # noqa: S105


def register_delegation(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoint."""

    @control.get("/delegation-requests/<request_id>/token")
    def show_token(request_id: str) -> tuple[Response, int]:
        # Loaded now: most servers are never asked for a token.
        delivery: Any = importlib.import_module("rolecall.services.iam.delegation.delegation_delivery")
        token = delivery.delivered_token(sandbox.database, request_id)
        if token is None:
            return jsonify(message=NO_TOKEN_MESSAGE), 404
        return jsonify(token), 200
