"""The documents for verifying outbound web identity tokens: public, at two addresses.

Clients that resolve the issuer's own name to this server find them there. All others find them under a path of
Rolecall's.
"""

from __future__ import annotations

import importlib
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rolecall.sandbox import Sandbox
from rolecall.storage.engine import Database
from rolecall.web.doors import Environ

WELL_KNOWN = "/.well-known"
NO_ISSUER_MESSAGE = "There is no such issuer."


def is_document(environ: Environ) -> bool:
    """Whether a request is for a document at an issuer's own name."""
    below = environ["PATH_INFO"].startswith(f"{WELL_KNOWN}/")
    return below and _issuers().issuer_of_host(environ.get("HTTP_HOST", "")) is not None


def _issuers() -> Any:
    # Loaded now: most servers never answer for an issuer.
    return importlib.import_module("rolecall.services.sts.outbound_issuers")


def register_outbound_documents(documents: Blueprint, sandbox: Sandbox) -> None:
    """Add the documents at Rolecall's own path."""
    database = sandbox.database

    @documents.get("/<issuer_id>/.well-known/openid-configuration")
    def discovery(issuer_id: str) -> tuple[Response, int]:
        return _discovery(database, issuer_id, f"{request.host_url}_rolecall/outbound/{issuer_id}")

    @documents.get("/<issuer_id>/.well-known/jwks.json")
    def keys(issuer_id: str) -> tuple[Response, int]:
        return _answer(_issuers().published_keys(database, issuer_id))


def register_documents_by_name(documents: Blueprint, sandbox: Sandbox) -> None:
    """Add the documents at the names of the issuers."""
    database = sandbox.database

    @documents.get("/openid-configuration")
    def discovery_by_name() -> tuple[Response, int]:
        return _discovery(database, _issuer_of_host(), request.host_url.rstrip("/"))

    @documents.get("/jwks.json")
    def keys_by_name() -> tuple[Response, int]:
        return _answer(_issuers().published_keys(database, _issuer_of_host()))


def _issuer_of_host() -> str:
    return _issuers().issuer_of_host(request.host) or ""


def _discovery(database: Database, issuer_id: str, base_url: str) -> tuple[Response, int]:
    return _answer(_issuers().published_discovery(database, issuer_id, f"{base_url}/.well-known/jwks.json"))


def _answer(document: dict[str, Any] | None) -> tuple[Response, int]:
    if document is None:
        return jsonify(message=NO_ISSUER_MESSAGE), 404
    return jsonify(document), 200
