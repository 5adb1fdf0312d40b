"""``GET /_rolecall/channel-flow-invocations``: the messages that wait for the processor of a channel flow."""

from __future__ import annotations

import importlib
from typing import Any

from flask import Blueprint, Response, jsonify

from rolecall.sandbox import Sandbox


def register_channel_flow_invocations(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoint."""

    @control.get("/channel-flow-invocations")
    def show_invocations() -> Response:
        # Loaded now: most sandboxes have no channel flow.
        flows: Any = importlib.import_module("rolecall.services.chime_sdk_messaging.invocations")
        with sandbox.database.snapshot() as connection:
            return jsonify(invocations=flows.invocations(connection, sandbox.clock.now_seconds()))
