"""The floor of the benchmarks: a Flask application that answers a fixed text with the size of an STS answer."""

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
