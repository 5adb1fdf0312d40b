"""Responses of Rolecall's own identity providers: one signed assertion in a response."""

from __future__ import annotations

from base64 import b64encode

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from rolecall.clock import iso8601
from rolecall.sessions.saml.records import NewResponse
from rolecall.sessions.saml.responses import BEARER, SUCCESS
from rolecall.sessions.saml.xml import ASSERTION_NS, PROTOCOL_NS, tag

_UNSPECIFIED_ATTRIBUTE = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified"
_AUTHENTICATED_BY = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"


def signed_response(response: NewResponse, private_key: rsa.RSAPrivateKey, certificate: bytes) -> str:
    """See ``door``."""
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    root = _response(response)
    root.append(_assertion(response))
    signed = signer.sign(
        root,
        key=private_key,
        cert=[x509.load_der_x509_certificate(certificate)],
        reference_uri=f"#{response.assertion_id}",
        id_attribute="ID",
    )
    return b64encode(etree.tostring(signed)).decode("ascii")


def _response(response: NewResponse) -> etree._Element:
    root = etree.Element(tag("samlp", "Response"), nsmap={"samlp": PROTOCOL_NS, "saml": ASSERTION_NS})
    root.set("ID", response.response_id)
    root.set("Version", "2.0")
    root.set("IssueInstant", iso8601(response.issued_at_seconds))
    root.set("Destination", response.recipient)
    etree.SubElement(root, tag("saml", "Issuer")).text = response.issuer
    status = etree.SubElement(root, tag("samlp", "Status"))
    etree.SubElement(status, tag("samlp", "StatusCode"), Value=SUCCESS)
    return root


def _assertion(response: NewResponse) -> etree._Element:
    issued, expires = iso8601(response.issued_at_seconds), iso8601(response.expires_at_seconds)
    root = etree.Element(tag("saml", "Assertion"), nsmap={"saml": ASSERTION_NS})
    root.set("ID", response.assertion_id)
    root.set("Version", "2.0")
    root.set("IssueInstant", issued)
    etree.SubElement(root, tag("saml", "Issuer")).text = response.issuer
    # signxml replaces this placeholder by the signature. The schema wants it right after the issuer.
    etree.SubElement(root, tag("ds", "Signature"), Id="placeholder")
    subject = etree.SubElement(root, tag("saml", "Subject"))
    etree.SubElement(subject, tag("saml", "NameID"), Format=response.subject_format).text = response.subject
    confirmation = etree.SubElement(subject, tag("saml", "SubjectConfirmation"), Method=BEARER)
    data = etree.SubElement(confirmation, tag("saml", "SubjectConfirmationData"))
    data.set("NotOnOrAfter", expires)
    data.set("Recipient", response.recipient)
    conditions = etree.SubElement(root, tag("saml", "Conditions"), NotBefore=issued, NotOnOrAfter=expires)
    restriction = etree.SubElement(conditions, tag("saml", "AudienceRestriction"))
    etree.SubElement(restriction, tag("saml", "Audience")).text = response.audience
    authenticated = etree.SubElement(root, tag("saml", "AuthnStatement"), AuthnInstant=issued)
    if response.session_not_on_or_after_seconds is not None:
        authenticated.set("SessionNotOnOrAfter", iso8601(response.session_not_on_or_after_seconds))
    context = etree.SubElement(authenticated, tag("saml", "AuthnContext"))
    etree.SubElement(context, tag("saml", "AuthnContextClassRef")).text = _AUTHENTICATED_BY
    statement = etree.SubElement(root, tag("saml", "AttributeStatement"))
    for name, values in response.attributes.items():
        attribute = etree.SubElement(statement, tag("saml", "Attribute"), Name=name, NameFormat=_UNSPECIFIED_ATTRIBUTE)
        for value in values:
            etree.SubElement(attribute, tag("saml", "AttributeValue")).text = value
    return root
