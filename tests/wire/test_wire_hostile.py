"""Thousands of invalid requests: each is understood or refused with a 4xx, and nothing else happens."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as Xml

from amounts import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wire_samples import ALL_OPERATIONS, SIGNING_NAMES, Sampler, operation_model, request_of

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.wire import check_constraints, decode, encode_error, likely_service, match

FRAGMENTS = st.sampled_from((Path(__file__).parent / "cases" / "hostile_pieces.txt").read_text("utf-8").split()).map(
    lambda piece: {"BLANK": " ", "NUL": "\x00", "DIGITS": "9" * 400, "LINE": "\u2028"}.get(piece, piece)
)
TEXTS = st.one_of(st.lists(FRAGMENTS, max_size=14).map("".join), st.text(max_size=40))
BODIES = st.one_of(TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=60))
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "content-type": st.sampled_from(["application/x-www-form-urlencoded", "application/json", "text/plain", ";;"]),
        "host": st.sampled_from(["localhost", "sts.amazonaws.com", "voice-chime.x.y", "chime.", ".", ":", "iam.1.2.3"]),
        "accept": st.sampled_from(["application/json", "*/*"]),
        "x-amz-chime-bearer": st.text(alphabet=st.characters(max_codepoint=255), max_size=10),
    },
)
SIGNING = st.sampled_from(["sts", "iam", "chime", "", "s3", "\x00"])
METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "", "get"])


def survives(request: HttpRequest, signing_name: str) -> None:
    """The request is understood, or refused with a 4xx that its client can read."""
    try:
        target = match(request, signing_name)
        check_constraints(target.operation, decode(target, request))
    except AwsError as error:
        answer = encode_error(likely_service(request, signing_name), error, "rid", request)
        assert 400 <= answer.status < 500
        if answer.content_type == "text/xml":
            assert Xml.fromstring(answer.body).tag.endswith("ErrorResponse")  # noqa: S314


@settings(max_examples=examples(2000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(METHODS, TEXTS, TEXTS, HEADERS, BODIES, SIGNING)
def test_any_request(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes, signing_name: str
) -> None:
    survives(HttpRequest(method, "/" + path, query, headers, body), signing_name)


@settings(max_examples=examples(1000), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(ALL_OPERATIONS),
    st.integers(),
    st.sampled_from(["raw_path", "raw_query", "body"]),
    st.floats(0, 1),
    st.floats(0, 0.3),
    TEXTS,
)
def test_good_requests_with_one_part_damaged(
    operation: tuple[str, str], seed: int, part: str, at: float, width: float, damage: str
) -> None:
    model = operation_model(*operation)
    request = request_of(model, Sampler(seed, sparse=True).value(model.input_shape) if model.input_shape else {})
    parts = {"raw_path": request.raw_path, "raw_query": request.raw_query, "body": request.body.decode("latin-1")}
    whole = parts[part]
    start, end = int(len(whole) * at), int(len(whole) * min(1, at + width))
    parts[part] = whole[:start] + damage + whole[end:]
    body = parts["body"].encode("utf-8", "surrogatepass")
    damaged = HttpRequest(request.method, parts["raw_path"], parts["raw_query"], request.headers, body)
    survives(damaged, SIGNING_NAMES[operation[0]])
