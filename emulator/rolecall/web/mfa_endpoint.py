"""``GET /_rolecall/mfa-codes?device=``: the code that an authenticator would show."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from rolecall.gateway import Gateway
from rolecall.identity_providers.mfa_codes import NoCodeError, unused_code, unused_pair

PARAMETERS_MESSAGE = "the query must have one parameter, device: the name or serial number of a virtual MFA device"


def register_mfa_codes(control: Blueprint, gateway: Gateway) -> None:
    """Add the endpoint."""

    @control.get("/mfa-codes")
    def show_codes() -> tuple[Response, int]:
        device = request.args.get("device", "")
        if [name for name, _ in request.args.items(multi=True)] != ["device"] or not device:
            return jsonify(message=PARAMETERS_MESSAGE), 400
        try:
            code = unused_code(gateway.database, gateway.clock, device)
            pair = unused_pair(gateway.database, gateway.clock, device)
        except NoCodeError as error:
            return jsonify(message=str(error)), 400
        return jsonify(code=code, pair=pair), 200
