"""Rolecall's own SAML identity providers over HTTP: public metadata, and a control endpoint for assertions."""

from __future__ import annotations

import importlib
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rolecall.errors import AwsError
from rolecall.identity_providers.asking import AssertionRequestError
from rolecall.sandbox import Sandbox
from rolecall.web.bodies import BadBodyError, read_json

Answered = tuple[Response, int]

_REQUIRED = ("role", "provider", "session_name")
_MEMBERS: dict[str, type] = {
    "role": str,
    "provider": str,
    "session_name": str,
    "subject": str,
    "subject_format": str,
    "attributes": dict,
    "tags": dict,
    "transitive_tag_keys": list,
    "session_duration": int,
    "source_identity": str,
    "audience": str,
    "recipient": str,
    "lifetime_seconds": int,
}
_TYPE_NAMES = {str: "text", dict: "an object", list: "a list of texts", int: "a whole number"}


def register_saml_metadata(documents: Blueprint, sandbox: Sandbox) -> None:
    """Add the metadata of an identity provider."""

    @documents.get("/<name>/metadata.xml")
    def show_metadata(name: str) -> Any:
        provider = _provider()
        try:
            text = provider.metadata_document(sandbox.database, sandbox.clock, name)
        except AssertionRequestError as error:
            return jsonify(message=f"There is no such identity provider: {error}."), 404
        except AwsError as error:
            return jsonify(message=error.message), 501
        return Response(text, mimetype="application/samlmetadata+xml")


def register_saml_assertions(control: Blueprint, sandbox: Sandbox) -> None:
    """Add minting to the control endpoints."""

    @control.post("/saml/<name>/assertion")
    def mint_assertion(name: str) -> Answered:
        provider = _provider()
        try:
            wanted = _read(read_json(request))
            assertion = provider.mint(sandbox.database, sandbox.clock, sandbox.ids, idp=name, **wanted)
        except (BadBodyError, AssertionRequestError) as error:
            return jsonify(message=str(error)), 400
        except AwsError as error:
            return jsonify(message=error.message), 501
        return jsonify(assertion=assertion), 200


def _provider() -> Any:
    # Loaded now: most servers are never asked for an assertion.
    return importlib.import_module("rolecall.identity_providers.saml_assertions")


def _read(body: Any) -> dict[str, Any]:
    """The members of a request for an assertion. Raises AssertionRequestError."""
    if not isinstance(body, dict):
        raise AssertionRequestError("the body is not a JSON object")
    for member, value in body.items():
        kind = _MEMBERS.get(member)
        if kind is None:
            raise AssertionRequestError(f"there is no member {member}: known are {', '.join(_MEMBERS)}")
        if not isinstance(value, kind) or isinstance(value, bool) or not _holds_texts(member, value):
            raise AssertionRequestError(f"{member} must be {_TYPE_NAMES[kind]}")
    missing = [member for member in _REQUIRED if member not in body]
    if missing:
        raise AssertionRequestError(f"these members are missing: {', '.join(missing)}")
    return body


def _holds_texts(member: str, value: Any) -> bool:
    """Whether an object or a list holds texts, for attributes also lists of texts."""
    if isinstance(value, list):
        return all(isinstance(one, str) for one in value)
    if isinstance(value, dict):
        return all(
            isinstance(one, str) or (member == "attributes" and isinstance(one, list) and _holds_texts("", one))
            for one in value.values()
        )
    return True
