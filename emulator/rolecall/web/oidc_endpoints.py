"""Rolecall's own OpenID Connect issuers over HTTP.

The two documents of an issuer are public, because services read them to verify tokens. Minting is a control endpoint.
"""

from __future__ import annotations

import importlib
import json
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rolecall.identity_providers.asking import TokenRequestError
from rolecall.issuers import ISSUER_NAME
from rolecall.sandbox import Sandbox
from rolecall.web.bodies import BadBodyError, read_json

_MEMBERS = {
    "issuer": str,
    "subject": str,
    "audience": (str, list),
    "claims": dict,
    "lifetime_seconds": int,
    "shape": str,
    "algorithm": str,
}
_TYPE_NAMES = {str: "text", (str, list): "text or a list of texts", dict: "an object", int: "a whole number"}
NO_ISSUER_MESSAGE = "There is no such issuer. A name consists of letters, digits, - _ and ."

Answered = tuple[Response, int]


def register_oidc_documents(documents: Blueprint, sandbox: Sandbox) -> None:
    """Add the documents of an issuer."""

    @documents.get("/<name>/.well-known/openid-configuration")
    def show_discovery(name: str) -> Answered:
        if not ISSUER_NAME.fullmatch(name):
            return jsonify(message=NO_ISSUER_MESSAGE), 404
        provider = _provider()
        return jsonify(provider.discovery_document(provider.issuer_url(request.host_url, name))), 200

    @documents.get("/<name>/jwks.json")
    def show_key_set(name: str) -> Answered:
        if not ISSUER_NAME.fullmatch(name):
            return jsonify(message=NO_ISSUER_MESSAGE), 404
        provider = _provider()
        return jsonify(provider.key_set(sandbox.database, provider.issuer_url(request.host_url, name))), 200


def register_oidc_tokens(control: Blueprint, sandbox: Sandbox) -> None:
    """Add minting to the control endpoints."""

    @control.post("/oidc/token")
    def mint_token() -> Answered:
        return _minted(sandbox, None)

    @control.post("/oidc/<name>/token")
    def mint_named_token(name: str) -> Answered:
        return _minted(sandbox, name)


def _provider() -> Any:
    # Loaded now: most servers are never asked for a token.
    return importlib.import_module("rolecall.identity_providers.oidc_tokens")


def _minted(sandbox: Sandbox, name: str | None) -> Answered:
    provider = _provider()
    try:
        wanted = _read(read_json(request, if_empty="{}"), name)
        issuer = provider.issuer_url(request.host_url, wanted.pop("issuer"))
        token = provider.mint(sandbox.database, sandbox.clock, sandbox.ids, issuer=issuer, **wanted)
    except (BadBodyError, TokenRequestError) as error:
        return jsonify(message=str(error)), 400
    return jsonify(token=token, issuer=issuer), 200


def _read(body: Any, name: str | None) -> dict[str, Any]:
    """The members of a request for a token. Raises TokenRequestError."""
    if not isinstance(body, dict):
        raise TokenRequestError("The body is not a JSON object.")
    for member, value in body.items():
        kind: Any = _MEMBERS.get(member)
        if kind is None or (member == "issuer" and name is not None):
            known = [known for known in _MEMBERS if known != "issuer" or name is None]
            raise TokenRequestError(f"There is no member {member}: known are {', '.join(known)}.")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TokenRequestError(f"{member} must be {_TYPE_NAMES[kind]}.")
    try:
        json.dumps(body, allow_nan=False)
    except ValueError as error:
        raise TokenRequestError("A member has a number that JSON does not allow.") from error
    audience = body.get("audience", "")
    if isinstance(audience, list) and not all(isinstance(one, str) for one in audience):
        raise TokenRequestError(f"audience must be {_TYPE_NAMES[str, list]}.")
    issuer = body.get("issuer") if name is None else name
    if issuer is None:
        raise TokenRequestError("issuer must be given: a name, or the URL of a provider with keys: rolecall.")
    return {**body, "issuer": issuer}
