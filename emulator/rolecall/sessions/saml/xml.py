"""Reads untrusted XML safely: no document types, no entities, no fetching, and limits on depth and size."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from lxml import etree

ASSERTION_NS = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL_NS = "urn:oasis:names:tc:SAML:2.0:protocol"
METADATA_NS = "urn:oasis:names:tc:SAML:2.0:metadata"
SIGNATURE_NS = "http://www.w3.org/2000/09/xmldsig#"
ENCRYPTION_NS = "http://www.w3.org/2001/04/xmlenc#"
NAMESPACES = {
    "saml": ASSERTION_NS,
    "samlp": PROTOCOL_NS,
    "md": METADATA_NS,
    "ds": SIGNATURE_NS,
    "xenc": ENCRYPTION_NS,
}

# Zones end at 14 hours (XML Schema Part 2, 3.2.7.3), where Python's reader goes up to 24.
_ZONE = r"(Z|[+-](0\d|1[0-3]):[0-5]\d|[+-]14:00)"
_DATE_TIME = re.compile(rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{{1,12}})?{_ZONE}?")


class UnsafeXmlError(ValueError):
    """XML that is not well-formed, or has a part that no honest SAML document has."""


def parsed(data: bytes, *, encoding: str | None = None) -> etree._Element:
    """The root element. ``encoding`` overrides the document's own declaration. Raises UnsafeXmlError."""
    parser = etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise UnsafeXmlError(f"not XML: {error}") from error
    information = root.getroottree().docinfo
    if information.doctype or information.internalDTD is not None or information.externalDTD is not None:
        raise UnsafeXmlError("a document type is declared")
    return root


def tag(prefix: str, name: str) -> str:
    """``tag("saml", "Issuer")``: the name in lxml's form."""
    return f"{{{NAMESPACES[prefix]}}}{name}"


def text_of(element: etree._Element) -> str:
    """The text of an element that holds only text. Raises UnsafeXmlError.

    A reader may stop at a comment or an element inside the text. Then ``admin<!---->@example.com`` would have two
    meanings.
    """
    if len(element):
        raise UnsafeXmlError(f"{etree.QName(element).localname} holds more than text")
    return (element.text or "").strip()


def seconds_of(text: str | None) -> float | None:
    """An ``xs:dateTime`` in seconds since the epoch; UTC when it names no zone. Raises UnsafeXmlError."""
    if text is None:
        return None
    text = text.strip()
    try:
        if not _DATE_TIME.fullmatch(text):
            raise ValueError("not a date and time")
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise UnsafeXmlError(f"{text[:40]!r} is not a date and time") from error
