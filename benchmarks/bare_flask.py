"""The floor of the benchmarks: a Flask application that answers a fixed text with the size of an STS answer."""

import os
import sqlite3
from functools import cache

from flask import Flask, Response

app = Flask(__name__)
ANSWER = b"<ErrorResponse>" + b"x" * 600 + b"</ErrorResponse>"


@app.route("/", methods=["GET", "POST"])
def answer() -> Response:
    return Response(ANSWER, content_type="text/xml")


@app.route("/<int:size_bytes>", methods=["GET", "POST"])
def sized(size_bytes: int) -> Response:
    """An answer of this size, as a list's."""
    return Response(b"x" * size_bytes, content_type="text/xml")


@app.route("/kept/<int:size_bytes>", methods=["GET", "POST"])
def kept(size_bytes: int) -> Response:
    """As :func:`sized`, after one row is on the disk, as durably as Rolecall's."""
    _database().execute("INSERT INTO kept VALUES (?)", ("x" * 200,))
    return sized(size_bytes)


@cache
def _database() -> sqlite3.Connection:
    database = sqlite3.connect(os.environ["BARE_FLASK_DATABASE"], isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS kept (text TEXT)")
    return database
