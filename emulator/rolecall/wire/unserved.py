"""Calls of services that Rolecall does not serve: recognised by the credential scope, refused in their own protocol.

A client that gets an answer in another protocol fails in its parser, and its user never sees the reason. The request
itself shows its protocol better than the model does, because some services speak several protocols or share a signing
name. Source of the forms: botocore's parsers, and Smithy's pages about the protocols.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from msgspec import Struct

from rolecall.caches import remembered
from rolecall.errors import COMMON_ERRORS, AwsError
from rolecall.http import HttpAnswer, HttpRequest
from rolecall.wire.match import parameters_of, served_by_content
from rolecall.wire.models import KNOWN_SERVICES, model_files
from rolecall.wire.xml_answer import escape

NOT_SERVED_MESSAGE = "Rolecall does not serve {service}."
NOT_SERVED_CODE = "NotImplemented"
CBOR_PROTOCOL = "rpc-v2-cbor"
# Also for services without a model, because most services speak it.
DEFAULT_PROTOCOL = "rest-json"

# A model begins with its metadata. The longest metadata takes about a kilobyte.
_METADATA_BYTES = 8192
_SERVED_NAMES = {known.signing_name for known in KNOWN_SERVICES.values()} | KNOWN_SERVICES.keys()
_is_service_name = re.compile(r"[a-z0-9][a-z0-9-]{0,63}").fullmatch
_is_operation_name = re.compile(r"[A-Za-z][A-Za-z0-9]{0,127}").fullmatch
_scope = re.compile(r"Credential=[^/,\s]{1,256}/[^/,\s]{1,16}/[^/,\s]{0,64}/([^/,\s]{1,64})/").search
_XML_TYPE = "text/xml"
# Among the services with XML, only S3 sends an error without an element around it.
_BARE_XML_SERVICE = "s3"


class Unserved(Struct, frozen=True):
    """A call of a service that is not served. ``operation`` is empty when only the service's model could name it."""

    service: str
    operation: str
    protocol: str


def claimed_service(request: HttpRequest) -> str:
    """The service in the credential scope of an Authorization header that may be malformed otherwise; empty if none."""
    found = _scope(request.headers.get("authorization", "")[:1024])
    return "" if found is None else found[1]


def recognise_unserved(request: HttpRequest, signing_name: str) -> Unserved | None:
    """The call, if its service is not served; otherwise None. ``signing_name`` is from the credential scope.

    Also None for a request whose host or parameters belong to a served service.
    """
    if signing_name in _SERVED_NAMES or not _is_service_name(signing_name) or served_by_content(request):
        return None
    return Unserved(signing_name, _operation(request), _protocol(request, signing_name))


def not_served(unserved: Unserved) -> AwsError:
    """The refusal. SDKs do not repeat a call after HTTP 501: botocore's rules name 500, 502, 503, 504 and codes."""
    return AwsError(NOT_SERVED_CODE, NOT_SERVED_MESSAGE.format(service=unserved.service))


def _operation(request: HttpRequest) -> str:
    """The operation from the header of the JSON protocols, the path of the CBOR protocol, or the parameter Action."""
    if request.headers.get("smithy-protocol") == CBOR_PROTOCOL:
        name = request.raw_path.rpartition("/operation/")[2]
    else:
        name = request.headers.get("x-amz-target", "").rpartition(".")[2] or _action(request)
    return name if _is_operation_name(name) else ""


def _action(request: HttpRequest) -> str:
    try:
        return parameters_of(request).get("Action", "")
    except AwsError:
        return ""


def _protocol(request: HttpRequest, signing_name: str) -> str:
    if request.headers.get("smithy-protocol") == CBOR_PROTOCOL:
        return CBOR_PROTOCOL
    if request.headers.get("x-amz-target"):
        return "json"
    modelled = _modelled_protocol(signing_name)
    if modelled == "ec2" or not _action(request):
        return modelled if modelled in ("ec2", "rest-json", "rest-xml") else DEFAULT_PROTOCOL
    return "query"


@remembered(256)
def _modelled_protocol(service: str) -> str:
    """The protocol of a service's model, read from the first bytes of its file. Empty when there is no model."""
    for file in model_files(service):
        with file.open("rb") as opened:
            begun = opened.read(_METADATA_BYTES)
        text = zlib.decompressobj(wbits=31).decompress(begun, _METADATA_BYTES) if file.suffix == ".gz" else begun
        return str(_metadata(text.decode("utf-8", "replace")).get("protocol", ""))
    return ""


def _metadata(text: str) -> Mapping[str, Any]:
    at = text.find("{", text.find('"metadata"'))
    try:
        metadata: Mapping[str, Any] = json.JSONDecoder().raw_decode(text, at)[0]
    except ValueError:
        return {}
    return metadata


def encode_unserved_error(unserved: Unserved, error: AwsError, request_id: str, method: str) -> HttpAnswer:
    """The HTTP answer for an error in the service's own protocol, without a body for HEAD."""
    common = COMMON_ERRORS.get(error.code)
    speaks_xml = unserved.protocol in ("query", "ec2", "rest-xml")
    code, status = error.code, 400
    if common is not None:
        code = common.query_code if speaks_xml else common.json_code
        status = common.query_status if speaks_xml else common.json_status
    status = status if error.status is None else error.status
    if speaks_xml:
        body, content_type = _xml(unserved, code, error.message, status, request_id).encode("utf-8"), _XML_TYPE
        headers = {}
    elif unserved.protocol == CBOR_PROTOCOL:
        body, content_type = _cbor({"__type": code, "message": error.message}), "application/cbor"
        headers = {"smithy-protocol": CBOR_PROTOCOL}
    else:
        body = f'{{"__type":{quoted(code)},"message":{quoted(error.message)}}}'.encode("ascii")
        content_type, headers = "application/json", {"x-amzn-ErrorType": code}
        if unserved.protocol == "json":
            content_type = "application/x-amz-json-1.1"
    return HttpAnswer(status, b"" if method == "HEAD" else body, content_type, headers)


def _xml(unserved: Unserved, code: str, message: str, status: int, request_id: str) -> str:
    details = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    shown_id = escape(request_id)
    if unserved.protocol == "ec2":
        return f"<Response><Errors><Error>{details}</Error></Errors><RequestID>{shown_id}</RequestID></Response>"
    if unserved.service == _BARE_XML_SERVICE:
        return f"<Error>{details}<RequestId>{shown_id}</RequestId></Error>"
    typed = f"<Type>{'Sender' if status < 500 else 'Receiver'}</Type>{details}"
    return f"<ErrorResponse><Error>{typed}</Error><RequestId>{shown_id}</RequestId></ErrorResponse>"


def _cbor(texts: Mapping[str, str]) -> bytes:
    """A map of texts (RFC 8949, sections 3 and 3.1)."""
    written = bytearray([0xA0 | len(texts)])
    for text in (each for pair in texts.items() for each in pair):
        octets = text.encode("utf-8", "replace")
        written += b"\x7a" + len(octets).to_bytes(4, "big") + octets
    return bytes(written)
