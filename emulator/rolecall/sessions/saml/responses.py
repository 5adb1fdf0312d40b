"""Responses of identity providers: the signature is verified first, and only signed content is read.

A signature wrapping attack needs a document in which the signed element and the read element differ. So this module
checks the shape before it verifies: one response, one assertion directly below it, each signature directly below the
element that it signs, every ID once. Afterwards it parses and reads the verified bytes, not the document.
"""

from __future__ import annotations

import binascii
import copy
from base64 import b64decode
from collections.abc import Mapping, Sequence

from cryptography import x509
from lxml import etree
from msgspec.structs import replace
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration, XMLVerifier

from rolecall.sessions.saml.encryption import decrypted
from rolecall.sessions.saml.records import (
    Assertion,
    BadResponseError,
    BadSignatureError,
    Confirmation,
    EncryptionError,
    ProviderMetadata,
    RejectedError,
    UnknownIssuerError,
)
from rolecall.sessions.saml.xml import NAMESPACES, UnsafeXmlError, parsed, seconds_of, tag, text_of

# No SHA-1: it is not documented whether AWS still accepts it, and a forged SHA-1 signature costs little.
SIGNATURE_METHODS = frozenset(
    {
        SignatureMethod.RSA_SHA256,
        SignatureMethod.RSA_SHA384,
        SignatureMethod.RSA_SHA512,
        SignatureMethod.SHA256_RSA_MGF1,
        SignatureMethod.SHA384_RSA_MGF1,
        SignatureMethod.SHA512_RSA_MGF1,
        SignatureMethod.ECDSA_SHA256,
        SignatureMethod.ECDSA_SHA384,
        SignatureMethod.ECDSA_SHA512,
    }
)
DIGEST_ALGORITHMS = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
# SAML core, 5.4.4, allows only these.
TRANSFORMS = frozenset(
    {
        "http://www.w3.org/2000/09/xmldsig#enveloped-signature",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    }
)
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
UNSPECIFIED_FORMAT = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
_RESPONSE, _ASSERTION, _SIGNATURE = tag("samlp", "Response"), tag("saml", "Assertion"), tag("ds", "Signature")
_ENCRYPTED = tag("saml", "EncryptedAssertion")
_INCLUSIVE_NAMESPACES = "{http://www.w3.org/2001/10/xml-exc-c14n#}InclusiveNamespaces"
_ID_NAMES = frozenset({"id"})


def verified_assertion(
    encoded: str, metadata: ProviderMetadata, private_keys: Sequence[str], encrypted_only: bool
) -> Assertion:
    """See ``door``."""
    try:
        root = _response(encoded)
        _check_status(root)
        certificate = b""
        was_encrypted = False
        if root.findall("saml:EncryptedAssertion", NAMESPACES):
            if root.find("ds:Signature", NAMESPACES) is not None:
                # This signature covers the assertion as it was sent, so it is verified before decryption.
                root, certificate = _verified(root, root, metadata)
            # A document of its own, because the provider signed the assertion before it encrypted it.
            root = _opened(root, private_keys)
            was_encrypted = True
        elif encrypted_only:
            raise EncryptionError("the assertion is not encrypted, and the provider requires it")
        assertion = _single_assertion(root)
        _check_issuer(root, assertion, metadata)
        owners = (assertion,) if assertion is root else (root, assertion)
        signed = [element for element in owners if element.find("ds:Signature", NAMESPACES) is not None]
        if not signed and not certificate:
            raise BadSignatureError("neither the response nor the assertion is signed")
        read = assertion
        for element in signed:
            covered, certificate = _verified(root, element, metadata)
            read = covered if element is assertion else _single_assertion(covered)
        _check_issuer(read, read, metadata)
        # The last signature is the assertion's own, if it has one.
        return replace(_read(read), signing_certificate=certificate, was_encrypted=was_encrypted)
    except UnsafeXmlError as error:
        raise BadResponseError(str(error)) from error


def _response(encoded: str) -> etree._Element:
    try:
        data = b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadResponseError("not base64") from error
    root = parsed(data)
    if root.tag != _RESPONSE:
        raise BadResponseError("the root is not a SAML 2.0 Response")
    return root


def _check_status(root: etree._Element) -> None:
    codes = root.findall("samlp:Status/samlp:StatusCode", NAMESPACES)
    if len(codes) != 1:
        raise BadResponseError("no status")
    if codes[0].get("Value") != SUCCESS:
        raise RejectedError(f"the identity provider answers {codes[0].get('Value', '')[:200]}")


def _single_assertion(root: etree._Element) -> etree._Element:
    """The one assertion of a response, or of a document whose root is an assertion.

    Raises BadResponseError for any shape that could hide a second assertion.
    """
    assertions = list(root.iter(_ASSERTION))
    if len(assertions) != 1 or (assertions[0] is not root and assertions[0].getparent() is not root):
        raise BadResponseError(f"{len(assertions)} assertions, must be one, directly in the response")
    if next(root.iter(_ENCRYPTED), None) is not None:
        raise BadResponseError("an encrypted assertion beside a plain one")
    assertion = assertions[0]
    for signature in root.iter(_SIGNATURE):
        if signature.getparent() not in (root, assertion):
            raise BadResponseError("a signature that is neither the response's nor the assertion's")
    identifiers = [
        value
        for element in root.iter(etree.Element)
        for name, value in element.attrib.items()
        if etree.QName(name).localname.lower() in _ID_NAMES
    ]
    if len(set(identifiers)) < len(identifiers):
        raise BadResponseError("two elements have the same ID")
    return assertion


def _check_issuer(root: etree._Element, assertion: etree._Element, metadata: ProviderMetadata) -> None:
    issuers = [text_of(element) for owner in (root, assertion) for element in owner.findall("saml:Issuer", NAMESPACES)]
    if assertion.find("saml:Issuer", NAMESPACES) is None or any(issuer != metadata.entity_id for issuer in issuers):
        raise UnknownIssuerError(f"issued by {issuers[-1][:200] if issuers else 'no issuer'}, not {metadata.entity_id}")


def _verified(
    root: etree._Element, element: etree._Element, metadata: ProviderMetadata
) -> tuple[etree._Element, bytes]:
    """What the signature of ``element`` (the response or its assertion) covers, parsed from the verified bytes.

    Together with the certificate (DER) of the key that made it.
    """
    signatures = element.findall("ds:Signature", NAMESPACES)
    if len(signatures) != 1:
        raise BadResponseError("signed twice")
    references = list(signatures[0].iter(tag("ds", "Reference")))
    identifier = element.get("ID", "")
    if len(references) != 1 or not identifier or references[0].get("URI") != f"#{identifier}":
        raise BadSignatureError("the signature is not over the element that holds it")
    transforms = {transform.get("Algorithm") for transform in signatures[0].iter(tag("ds", "Transform"))}
    if not transforms <= TRANSFORMS:
        raise BadSignatureError("a transform that SAML does not allow")
    location = "./" if element is root else f"./{_ASSERTION}/"
    problem: Exception | None = None
    for der in metadata.certificates:
        try:
            covered = _covered(root, location, x509.load_der_x509_certificate(der))
        # A hostile document makes the library fail in many ways. Each of them means that nothing is proven.
        except Exception as error:
            problem = error
            continue
        if covered is None or covered.tag != element.tag or covered.get("ID") != identifier:
            raise BadSignatureError("what was verified is not the element that holds the signature")
        return covered, der
    raise BadSignatureError(f"no key of the metadata made it: {problem}") from problem


def _covered(root: etree._Element, location: str, certificate: x509.Certificate) -> etree._Element | None:
    configuration = SignatureConfiguration(
        location=location,
        expect_references=1,
        signature_methods=SIGNATURE_METHODS,
        digest_algorithms=DIGEST_ALGORITHMS,
        # IAM does not check the dates of certificates in metadata.
        verification_time=certificate.not_valid_before_utc,
    )
    result = _Verifier().verify(root, x509_cert=certificate, expect_config=configuration, id_attribute="ID")
    return None if isinstance(result, list) else result.signed_xml


class _Verifier(XMLVerifier):
    """Accepts ``InclusiveNamespaces`` in SignedInfo's canonicalization method, where some providers write it.

    Exclusive XML Canonicalization defines it for that place, but the schema of XML Signature does not allow it there.
    """

    def validate_schema(self, signature: etree._Element) -> None:
        judged = copy.deepcopy(signature)
        for method in judged.findall("ds:SignedInfo/ds:CanonicalizationMethod", NAMESPACES):
            for prefixes in method.findall(_INCLUSIVE_NAMESPACES):
                method.remove(prefixes)
        super().validate_schema(judged)  # type: ignore[no-untyped-call]


def _opened(root: etree._Element, private_keys: Sequence[str]) -> etree._Element:
    """The decrypted assertion of a response."""
    encrypted = list(root.iter(_ENCRYPTED))
    if len(encrypted) != 1 or encrypted[0].getparent() is not root or next(root.iter(_ASSERTION), None) is not None:
        raise BadResponseError("must have one assertion, directly in the response")
    if not private_keys:
        raise EncryptionError("the assertion is encrypted and the provider has no private key")
    assertion = _in_context(decrypted(encrypted[0], private_keys), encrypted[0])
    if assertion.tag != _ASSERTION:
        raise BadResponseError("what was encrypted is not an assertion")
    return assertion


def _in_context(text: bytes, encrypted: etree._Element) -> etree._Element:
    """The decrypted assertion as a document.

    Many providers encrypt an element as it stands, so it may need the namespaces that were declared around it (XML
    Encryption, 4.5: the octets replace the element in its document).
    """
    try:
        return parsed(text)
    except UnsafeXmlError:
        opening: bytes = etree.tostring(etree.Element("context", nsmap=encrypted.nsmap))
        context = parsed(opening.removesuffix(b"/>") + b">" + text + b"</context>", encoding="utf-8")
        if len(context) != 1 or (context.text or "").strip() or (context[0].tail or "").strip():
            raise
        return parsed(etree.tostring(context[0], with_tail=False))


def _read(assertion: etree._Element) -> Assertion:
    name_ids = assertion.findall("saml:Subject/saml:NameID", NAMESPACES)
    if len(name_ids) != 1:
        raise BadResponseError("must have one subject with one NameID")
    issued_at_seconds = seconds_of(assertion.get("IssueInstant"))
    conditions = assertion.findall("saml:Conditions", NAMESPACES)
    if issued_at_seconds is None or len(conditions) > 1:
        raise BadResponseError("no IssueInstant, or more than one Conditions")
    limits: Mapping[str, str] = dict(conditions[0].attrib) if conditions else {}
    sessions = [
        seconds
        for statement in assertion.findall("saml:AuthnStatement", NAMESPACES)
        if (seconds := seconds_of(statement.get("SessionNotOnOrAfter"))) is not None
    ]
    restrictions = assertion.findall("saml:Conditions/saml:AudienceRestriction", NAMESPACES)
    return Assertion(
        issuer=text_of(assertion.find("saml:Issuer", NAMESPACES)),
        subject=text_of(name_ids[0]),
        subject_format=name_ids[0].get("Format", UNSPECIFIED_FORMAT),
        confirmations=tuple(_confirmations(assertion)),
        issued_at_seconds=issued_at_seconds,
        not_before_seconds=seconds_of(limits.get("NotBefore")),
        not_on_or_after_seconds=seconds_of(limits.get("NotOnOrAfter")),
        audiences=tuple(
            tuple(text_of(audience) for audience in restriction.findall("saml:Audience", NAMESPACES))
            for restriction in restrictions
        ),
        session_not_on_or_after_seconds=min(sessions, default=None),
        attributes=_attributes(assertion),
    )


def _confirmations(assertion: etree._Element) -> list[Confirmation]:
    path = "saml:Subject/saml:SubjectConfirmation"
    data = [
        found
        for confirmation in assertion.findall(path, NAMESPACES)
        if confirmation.get("Method") == BEARER
        for found in confirmation.findall("saml:SubjectConfirmationData", NAMESPACES)
    ]
    return [
        Confirmation(
            recipient=element.get("Recipient", ""),
            not_before_seconds=seconds_of(element.get("NotBefore")),
            not_on_or_after_seconds=seconds_of(element.get("NotOnOrAfter")),
        )
        for element in data
    ]


def _attributes(assertion: etree._Element) -> dict[str, tuple[str, ...]]:
    """Every value by the attribute's name. An attribute that occurs twice has the values of both."""
    found: dict[str, tuple[str, ...]] = {}
    for attribute in assertion.findall("saml:AttributeStatement/saml:Attribute", NAMESPACES):
        name = attribute.get("Name", "")
        values = attribute.findall("saml:AttributeValue", NAMESPACES)
        texts = tuple(text for value in values if (text := _value(value)) is not None)
        if texts or not values:
            found[name] = (*found.get(name, ()), *texts)
    return found


def _value(value: etree._Element) -> str | None:
    """The text of a value, or the text of a NameID in it, as eduPersonTargetedID has one.

    None for a value that consists of other elements: AWS reads no such value.
    """
    children = list(value)
    structured = bool(children) and all(isinstance(child.tag, str) for child in children)
    if not structured or "".join(value.xpath("text()")).strip():
        return text_of(value)
    is_name = len(children) == 1 and children[0].tag == tag("saml", "NameID")
    return text_of(children[0]) if is_name else None
