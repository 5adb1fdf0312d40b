"""``GET /_rolecall/mfa-codes?device=``: the code that an authenticator would show."""

from __future__ import annotations

import importlib
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rolecall.sandbox import Sandbox

PARAMETERS_MESSAGE = "the query must have one parameter, device: the name or serial number of a virtual MFA device"


def register_mfa_codes(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoint."""

    @control.get("/mfa-codes")
    def show_codes() -> tuple[Response, int]:
        device = request.args.get("device", "")
        if [name for name, _ in request.args.items(multi=True)] != ["device"] or not device:
            return jsonify(message=PARAMETERS_MESSAGE), 400
        # Loaded now: most servers are never asked for a code.
        codes: Any = importlib.import_module("rolecall.identity_providers.mfa_codes")
        try:
            code = codes.unused_code(sandbox.database, sandbox.clock, device)
            pair = codes.unused_pair(sandbox.database, sandbox.clock, device)
        except codes.NoCodeError as error:
            return jsonify(message=str(error)), 400
        return jsonify(code=code, pair=pair), 200
