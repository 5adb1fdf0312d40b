"""``GET /_rolecall/delegation-requests/ID/token``: the exchange token of a delegation request, once it was sent."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from rolecall.services.iam.delegation.delegation_delivery import delivered_token
from rolecall.storage.engine import Database

NO_TOKEN_MESSAGE = "There is no sent token for this delegation request."  # noqa: S105


def register_delegation(control: Blueprint, database: Database) -> None:
    """Add the endpoint."""

    @control.get("/delegation-requests/<request_id>/token")
    def show_token(request_id: str) -> tuple[Response, int]:
        token = delivered_token(database, request_id)
        if token is None:
            return jsonify(message=NO_TOKEN_MESSAGE), 404
        return jsonify(token), 200
