"""Expectations over HTTP: ``POST /_rolecall/verify``, ``GET /_rolecall/who-can`` and ``GET /_rolecall/paths``."""

from __future__ import annotations

import importlib
from typing import Any

from flask import Blueprint, Response, jsonify, request
from werkzeug.exceptions import RequestEntityTooLarge

from rolecall.call_log.filter import BadFilterError
from rolecall.sandbox import Sandbox
from rolecall.settings import MAXIMUM_EXPECTATIONS_BYTES
from rolecall.web.decision_endpoints import single_values

INVALID_MESSAGE = "The expectations cannot be used."
NOT_TEXT_MESSAGE = "The expectations are not UTF-8 text."
TOO_LARGE_MESSAGE = "The expectations are larger than {maximum} bytes."

Answered = tuple[Response, int]


def register_expectations(control: Blueprint, sandbox: Sandbox) -> None:
    """Add the endpoints. What they need is loaded by the first request: most servers are never asked."""

    @control.post("/verify")
    def verify_expectations() -> Answered:
        files: Any = importlib.import_module("rolecall.expectations.files")
        verifying: Any = importlib.import_module("rolecall.expectations.verifying")
        report: Any = importlib.import_module("rolecall.expectations.report")
        request.max_content_length = MAXIMUM_EXPECTATIONS_BYTES
        try:
            text = request.get_data(cache=False).decode("utf-8")
            return jsonify(report.results_as_json(verifying.verify(sandbox, text))), 200
        except RequestEntityTooLarge:
            return jsonify(message=TOO_LARGE_MESSAGE.format(maximum=MAXIMUM_EXPECTATIONS_BYTES)), 413
        except UnicodeDecodeError:
            return jsonify(message=NOT_TEXT_MESSAGE), 400
        except files.InvalidExpectationsError as error:
            problems = [{"line": problem.line, "message": problem.message} for problem in error.problems]
            return jsonify(message=INVALID_MESSAGE, problems=problems), 400

    @control.get("/who-can")
    def show_holders() -> Answered:
        holders: Any = importlib.import_module("rolecall.expectations.holders")
        names: Any = importlib.import_module("rolecall.expectations.principals")
        try:
            values = single_values(request.args.to_dict(flat=False), ("action", "resource"))
            found = holders.who_can(sandbox, values.get("action", ""), values.get("resource", ""))
        except (BadFilterError, holders.BadQuestionError, names.NoSuchNameError) as error:
            return jsonify(message=str(error)), 400
        return jsonify(found.as_json()), 200

    @control.get("/paths")
    def show_chains() -> Answered:
        chains: Any = importlib.import_module("rolecall.expectations.chains")
        names: Any = importlib.import_module("rolecall.expectations.principals")
        try:
            values = single_values(request.args.to_dict(flat=False), ("from", "to", "limit"))
            limit = _limit(values.get("limit", str(chains.DEFAULT_CHAINS)), chains.MAXIMUM_CHAINS)
            found = chains.chains_between(sandbox, values.get("from", ""), values.get("to", ""), limit)
        except (BadFilterError, names.NoSuchNameError) as error:
            return jsonify(message=str(error)), 400
        return jsonify(found.as_json()), 200


def _limit(text: str, maximum: int) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:9]) <= maximum:
        raise BadFilterError(f"limit must be a whole number from 1 to {maximum}.")
    return int(text)
