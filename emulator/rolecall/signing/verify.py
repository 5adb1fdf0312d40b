"""Whether a signature is for this service, and whether the holder of the secret signed this request.

Rules: IAM User Guide, "Create a signed AWS API request" and "Troubleshoot Signature Version 4 signing".
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from hashlib import sha256

from rolecall.caches import remembered
from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.signing.authorization import ALGORITHM, Signature
from rolecall.signing.canonical import as_bytes, canonical_header_value, canonical_path

TERMINATOR = "aws4_request"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_HASH = sha256(b"").hexdigest()

# Recorded of STS since November 2022, with the blank at its end. Before that, the message named the Region.
WRONG_REGION = "Credential should be scoped to a valid region. "
WRONG_SERVICE = "Credential should be scoped to correct service: '{}'."
WRONG_TERMINATOR = "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'."
WRONG_DATE = (
    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{}', from '{}'."
)
MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
MISMATCH_STRINGS = (
    "\n\nThe Canonical String for this request should have been\n'{}'\n\nThe String-to-Sign should have been\n'{}'\n"
)

# The forms of the names in the Region tables of all AWS partitions.
_is_region_name = re.compile(
    r"(?:af|ap|ca|cn|eu|il|me|mx|sa|us|us-gov|us-iso[a-z]?|eu-iso[a-z]?|eusc-de)"
    r"-(?:central|east|west|(?:north|south)(?:east|west)?)-[0-9]{1,2}"
).fullmatch


def is_region_name(region: str) -> bool:
    """Whether ``region`` has the form of an AWS Region's name, such as ``us-gov-west-1``."""
    return _is_region_name(region) is not None


def check_scope(signature: Signature, *, service: str, valid_region: Callable[[str], bool] = is_region_name) -> None:
    """Raises AwsError SignatureDoesNotMatch with a message about everything wrong in the credential scope.

    ``service`` is the signing name of the service the request is for.
    """
    date = signature.timestamp[:8]
    right = signature.service == service and signature.terminator == TERMINATOR and signature.scope_date == date
    if right and valid_region(signature.region):
        return
    sentences = []
    if not valid_region(signature.region):
        sentences.append(WRONG_REGION)
    if signature.service != service:
        sentences.append(WRONG_SERVICE.format(service))
    if signature.terminator != TERMINATOR:
        sentences.append(WRONG_TERMINATOR.format(signature.terminator))
    if signature.scope_date != date:
        sentences.append(WRONG_DATE.format(signature.scope_date, date, signature.timestamp))
    first, *others = sentences
    raise AwsError("SignatureDoesNotMatch", " ".join([first.rstrip(), *others]) if others else first)


def check_signature(request: HttpRequest, signature: Signature, secret: str, *, raw_path: str) -> None:
    """Raises AwsError SignatureDoesNotMatch unless ``secret`` signed this request.

    ``signature`` is what ``read_signature`` read from the same request. ``raw_path`` is the percent-encoded path that
    the client signed. The message shows what should have been signed, never the secret or the right signature.
    """
    payload_hash = sha256(request.body).hexdigest() if request.body else EMPTY_HASH
    claimed = signature.payload_hash
    if claimed == UNSIGNED_PAYLOAD:
        # The client signs the hash that it claims, so no third party can have put it there.
        payload_hash = claimed
    _compare(signature, secret, payload_hash, canonical_request(request, signature, payload_hash, raw_path))


def check_unread_signature(request: HttpRequest, signature: Signature, secret: str) -> None:
    """As :func:`check_signature`, for a service that is not served and a body that is not read.

    The path may be encoded once more, which is the rule of most services, or stay as it was sent, which is S3's rule. A
    payload hash that the client claims is part of the signed text. It is not compared with the body, because S3's
    clients sign some bodies in parts, and sign no body in the query string.
    """
    hashes = [signature.payload_hash or (sha256(request.body).hexdigest() if request.body else EMPTY_HASH)]
    if signature.presigned and not signature.payload_hash:
        hashes.append(UNSIGNED_PAYLOAD)
    encoded = canonical_path(request.raw_path)
    failures: list[AwsError] = []
    for payload_hash in hashes:
        usual = canonical_request(request, signature, payload_hash, request.raw_path)
        for path in dict.fromkeys((encoded, request.raw_path or "/")):
            canonical = f"{request.method}\n{path}" + usual.removeprefix(f"{request.method}\n{encoded}")
            try:
                _compare(signature, secret, payload_hash, canonical)
            except AwsError as error:
                failures.append(error)
            else:
                return
    raise failures[0]


def _compare(signature: Signature, secret: str, payload_hash: str, canonical: str) -> None:
    claim, claimed = signature.claim, signature.payload_hash
    scope = f"{claim.scope_date}/{claim.region}/{claim.service}/{claim.terminator}"
    string_to_sign = f"{ALGORITHM}\n{signature.timestamp}\n{scope}\n{sha256(as_bytes(canonical)).hexdigest()}"
    keyed = signing_key(secret, claim.scope_date, claim.region, claim.service).copy()
    keyed.update(as_bytes(string_to_sign))
    equal = hmac.compare_digest(keyed.hexdigest().encode("ascii"), as_bytes(signature.signature))
    if not equal or (claimed and claimed != payload_hash) or claim.terminator != TERMINATOR:
        message = MISMATCH + MISMATCH_STRINGS.format(canonical, string_to_sign)
        raise AwsError("SignatureDoesNotMatch", message, reason="The signature is not the one of this request and key")


def canonical_request(request: HttpRequest, signature: Signature, payload_hash: str, raw_path: str) -> str:
    """The text that is hashed and signed. A signed header that the request lacks adds no line, so it never matches."""
    headers = request.headers
    lines = [request.method, canonical_path(raw_path), signature.canonical_query]
    for name in signature.claim.signed_headers:
        value = headers.get(name)
        if value is None and name == ":authority":
            value = headers.get("host")
        if value is not None:
            lines.append(f"{name}:{canonical_header_value(value)}")
    lines += ("", signature.claim.signed_names, payload_hash)
    return "\n".join(lines)


@remembered(1024)
def signing_key(secret: str, scope_date: str, region: str, service: str) -> hmac.HMAC:
    """The HMAC under the key of one day, Region and service. Callers copy it: keying costs more than signing."""
    key = ("AWS4" + secret).encode("utf-8", "surrogatepass")
    for text in (scope_date, region, service, TERMINATOR):
        key = hmac.digest(key, as_bytes(text), "sha256")
    return hmac.new(key, digestmod="sha256")
