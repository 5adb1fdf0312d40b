"""CreateSession as it is sent: the signature, the certificates in the headers, and the parameters.

Source: IAM Roles Anywhere User Guide, "The IAM Roles Anywhere authentication signing process" and "CreateSession API".
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from rolecall.arns import parse_arn
from rolecall.delivery.anywhere.contents import PROFILE, SERVICE, TRUST_ANCHOR
from rolecall.delivery.anywhere.library import certificates
from rolecall.delivery.anywhere.messages import (
    ACCOUNTS_MESSAGE,
    DURATION_MESSAGE,
    INSTANCE_PROPERTIES_MESSAGE,
    INSUFFICIENT_MESSAGE,
    SIGNATURE_MESSAGE,
    UNTRUSTED_MESSAGE,
    denied,
    invalid,
)
from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.signing import check_scope
from rolecall.signing.authorization import Signature, read_certificate_signature
from rolecall.signing.canonical import as_bytes
from rolecall.signing.verify import canonical_request

KEY_TYPES: Mapping[str, str] = {
    "AWS4-X509-RSA-SHA256": "RSA",
    "AWS4-X509-ECDSA-SHA256": "ECDSA",
    "AWS4-X509-MLDSA": "ML-DSA",
}
CERTIFICATE_HEADER, CHAIN_HEADER = "x-amz-x509", "x-amz-x509-chain"
_MAXIMUM_HEADER_CHARACTERS = 65_536
_MAXIMUM_FIELDS = 20
# The model: InstancePropertyMap.
_MAXIMUM_PROPERTIES, _PROPERTY_CHARACTERS = 50, 200
_NAMES = ("profileArn", "roleArn", "trustAnchorArn")


class SessionWanted(Struct, frozen=True):
    """A request that its certificate signed. The certificate itself is not trusted yet.

    ``duration_seconds`` and ``session_name`` are None where the request has none.
    """

    signature: Signature
    certificate: Any
    chain: tuple[Any, ...]
    account_id: str
    profile_id: str
    anchor_id: str
    anchor_arn: str
    role_arn: str
    duration_seconds: int | None
    session_name: str | None
    instance_properties: Mapping[str, str]


def read(request: HttpRequest, wall_seconds: float) -> SessionWanted:
    """What a request asks for, after the check of its signature. Raises AwsError."""
    try:
        algorithm, signature = read_certificate_signature(request, wall_seconds, KEY_TYPES)
        check_scope(signature, service=SERVICE)
    except AwsError as error:
        raise denied(SIGNATURE_MESSAGE, error.message) from error
    library = certificates()
    certificate, *chain = _certificates(request.headers)
    # The holder of another certificate must not take this one's name in the scope.
    if signature.access_key_id != str(certificate.serial_number):
        raise denied(SIGNATURE_MESSAGE, "the scope has another serial number")
    try:
        library.check_end_entity(certificate)
    except ValueError as error:
        raise denied(INSUFFICIENT_MESSAGE, str(error)) from error
    canonical = canonical_request(request, signature, sha256(request.body).hexdigest(), request.raw_path)
    claim = signature.claim
    scope = f"{claim.scope_date}/{claim.region}/{claim.service}/{claim.terminator}"
    text = f"{algorithm}\n{signature.timestamp}\n{scope}\n{sha256(as_bytes(canonical)).hexdigest()}"
    try:
        given = bytes.fromhex(signature.signature)
    except ValueError:
        given = b""
    if not library.has_signed(certificate, KEY_TYPES[algorithm], given, as_bytes(text)):
        raise denied(SIGNATURE_MESSAGE, "the certificate's key did not sign this")
    return _wanted(signature, certificate, tuple(chain), _parameters(request, certificate))


def _certificates(headers: Mapping[str, str]) -> list[Any]:
    text, chain = headers.get(CERTIFICATE_HEADER, ""), headers.get(CHAIN_HEADER, "")
    library = certificates()
    if not text:
        raise denied(SIGNATURE_MESSAGE, f"the request has no header {CERTIFICATE_HEADER}")
    if len(text) + len(chain) > _MAXIMUM_HEADER_CHARACTERS:
        raise denied(UNTRUSTED_MESSAGE, f"the certificates have more than {_MAXIMUM_HEADER_CHARACTERS} characters")
    listed = [each.strip() for each in chain.split(",") if each.strip()]
    if len(listed) > library.MAXIMUM_CHAIN:
        raise denied(UNTRUSTED_MESSAGE, f"the chain has more than {library.MAXIMUM_CHAIN} certificates")
    try:
        return [library.from_header(each) for each in (text.strip(), *listed)]
    except ValueError as error:
        raise denied(UNTRUSTED_MESSAGE, str(error)) from error


def _parameters(request: HttpRequest, certificate: Any) -> dict[str, Any]:
    """The guide: parameters of the URI, or of the JSON body. The three ARNs must not differ."""
    try:
        body = json.loads(request.body) if request.body else {}
        named = dict(parse_qsl(request.raw_query, max_num_fields=_MAXIMUM_FIELDS)) if request.raw_query else {}
    except (ValueError, RecursionError) as error:
        raise invalid("The request body is not JSON, or the query has too many parameters.") from error
    if not isinstance(body, dict):
        raise invalid("The request body is not a JSON object.")
    for name in _NAMES:
        if name in named:
            if body.get(name) not in (None, named[name]):
                raise invalid(f"{name} is given twice.")
            body[name] = named[name]
        given = body.get(name)
        if not isinstance(given, str) or not (given.isascii() and given.isprintable()):
            raise invalid(f"{name} must be given.")
    # The helper repeats the certificate in the body.
    copy = body.get("cert")
    if copy is not None and copy != b64encode(certificate.public_bytes(_der())).decode("ascii"):
        raise invalid("cert is not the certificate that signed the request.")
    # The guide: sessionName "is no longer used".
    return body


def _der() -> Any:
    return certificates().Encoding.DER


def _wanted(signature: Signature, certificate: Any, chain: tuple[Any, ...], asked: Mapping[str, Any]) -> SessionWanted:
    anchor, profile = parse_arn(asked["trustAnchorArn"]), parse_arn(asked["profileArn"])
    found = []
    for parsed, kind, name in ((anchor, TRUST_ANCHOR, "trustAnchorArn"), (profile, PROFILE, "profileArn")):
        if parsed is None or parsed.service != SERVICE or not parsed.resource.startswith(f"{kind}/"):
            raise invalid(f"{name} is not an ARN of a {kind}.")
        if parsed.region != signature.region:
            raise invalid(f"{name} is of another Region.")
        found.append((parsed.account_id, parsed.resource.partition("/")[2]))
    (account_id, anchor_id), (of_profile, profile_id) = found
    if account_id != of_profile:
        raise denied(ACCOUNTS_MESSAGE)
    duration, session_name = asked.get("durationSeconds"), asked.get("roleSessionName")
    if duration is not None and (isinstance(duration, bool) or not isinstance(duration, int)):
        raise invalid(DURATION_MESSAGE)
    if duration is not None and not 900 <= duration <= 43_200:
        raise invalid(DURATION_MESSAGE)
    if session_name is not None and not isinstance(session_name, str):
        raise invalid("roleSessionName must be text.")
    return SessionWanted(
        signature,
        certificate,
        chain,
        account_id,
        profile_id,
        anchor_id,
        asked["trustAnchorArn"],
        asked["roleArn"],
        duration,
        session_name or None,
        _instance_properties(asked.get("instanceProperties")),
    )


def _instance_properties(given: Any) -> Mapping[str, str]:
    """What the request says about its machine. The limits are the ones of a subject in the model."""
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _MAXIMUM_PROPERTIES:
        raise invalid(INSTANCE_PROPERTIES_MESSAGE)
    for text in (*given, *given.values()):
        if not isinstance(text, str) or not (0 < len(text) <= _PROPERTY_CHARACTERS and text.isprintable()):
            raise invalid(INSTANCE_PROPERTIES_MESSAGE)
    return given
