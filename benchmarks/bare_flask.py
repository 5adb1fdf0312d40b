"""The floor of the benchmarks: a Flask application that answers a fixed text with the size of an STS answer."""

from flask import Flask, Response

app = Flask(__name__)
ANSWER = b"<ErrorResponse>" + b"x" * 600 + b"</ErrorResponse>"


@app.route("/", methods=["GET", "POST"])
def answer() -> Response:
    return Response(ANSWER, content_type="text/xml")
