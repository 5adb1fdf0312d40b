"""Attachments over HTTP: ``POST``, ``GET`` and ``DELETE /_rolecall/attach``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rolecall.delivery.kinds import KINDS
from rolecall.sandbox import Sandbox
from rolecall.settings import Address
from rolecall.storage.attachments import Attachment
from rolecall.storage.engine import DatabaseError
from rolecall.web.bodies import BadBodyError, read_json
from rolecall.worlds.attached import BadAttachmentError

UNAVAILABLE_MESSAGE = "Attachments are kept in the database, and the database does not answer."
BODY_MESSAGE = 'Send {"kind": "imds", "role": "app"}: the kind, and what the sandbox file has for one of its kind.'
UNKNOWN_MESSAGE = "There is no attachment {attachment_id}."
ADDRESS_MESSAGE = "The address cannot be used: {problem}."

Answered = tuple[Response, int]


def register_attachments(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoints."""
    attachments = sandbox.attachments

    def answered(answer: Callable[[], Answered]) -> Answered:
        try:
            return answer()
        except (BadBodyError, BadAttachmentError) as error:
            return jsonify(message=str(error)), 400
        except DatabaseError:
            return jsonify(message=UNAVAILABLE_MESSAGE), 503
        except OSError as error:
            problem = str(error.strerror or error).removesuffix(".")
            return jsonify(message=ADDRESS_MESSAGE.format(problem=problem)), 409

    @control.post("/attach")
    def attach() -> Answered:
        def made() -> Answered:
            kind, account_id, members = _read(read_json(request))
            made = attachments.attach(kind, members, sandbox.settings, account_id)
            return jsonify(shown(sandbox, made, request.host_url)), 200

        return answered(made)

    @control.get("/attach")
    def list_attached() -> Answered:
        def listed() -> Answered:
            return jsonify(attachments=[shown(sandbox, each, request.host_url) for each in attachments.list()]), 200

        return answered(listed)

    @control.delete("/attach/<attachment_id>")
    def detach(attachment_id: str) -> Answered:
        def removed() -> Answered:
            if not attachments.detach(attachment_id):
                return jsonify(message=UNKNOWN_MESSAGE.format(attachment_id=attachment_id)), 404
            return jsonify(status="ok"), 200

        return answered(removed)

    @control.get("/instance-identity-certificate")
    def show_certificate() -> tuple[Response, int]:
        # Loaded now: it needs cryptography.
        imds: Any = importlib.import_module("rolecall.delivery.imds")
        pem = imds.identity_certificate(sandbox.database, sandbox.clock.now_seconds())
        return Response(pem, content_type="application/x-pem-file"), 200


def _read(body: Any) -> tuple[str, str, dict[str, Any]]:
    """The kind, the account, and the members. Raises BadBodyError."""
    if not isinstance(body, dict) or not isinstance(body.get("kind"), str):
        raise BadBodyError(BODY_MESSAGE)
    members = dict(body)
    kind, account = members.pop("kind"), members.pop("account", "")
    if not isinstance(account, str):
        raise BadBodyError("account must be text")
    return kind, account, members


def shown(sandbox: Sandbox, attachment: Attachment, base_url: str) -> dict[str, Any]:
    """An attachment for its user: its facts, its address, and the variables that point SDKs at it."""
    kind, port = KINDS[attachment.kind], attachment.bound_port
    facts = {name: value for name, value in attachment.facts.items() if name != "authorization_token"}
    found = {
        "id": attachment.attachment_id,
        "kind": attachment.kind,
        "account": attachment.account_id,
        "host": attachment.host,
        "port": port,
        **facts,
    }
    if port is None:
        return {**found, "listening": False}
    url = Address(attachment.host, port).url
    variables = kind.provider().environment(attachment, url, Minting(sandbox, base_url))
    return {**found, "listening": True, "url": url, "environment": variables}


class Minting:
    """Makes service account tokens, with Rolecall's own issuers at an address of the server."""

    def __init__(self, sandbox: Sandbox, base_url: str) -> None:
        self._sandbox = sandbox
        self._base_url = base_url

    @property
    def keys(self) -> Any:
        with self._sandbox.database.snapshot() as connection:
            return self._sandbox.generations.current(connection).keys

    def service_account_token(self, issuer: str, subject: str, audience: str, claims: Mapping[str, Any]) -> str:
        # Loaded now: most servers are never asked for a token.
        provider: Any = importlib.import_module("rolecall.identity_providers.oidc_tokens")
        sandbox = self._sandbox
        token: str = provider.mint(
            sandbox.database,
            sandbox.clock,
            sandbox.ids,
            issuer=provider.issuer_url(self._base_url, issuer),
            subject=subject,
            audience=audience,
            claims=claims,
            shape="eks",
        )
        return token
