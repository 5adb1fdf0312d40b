"""Prefixes that a signature keeps (``InclusiveNamespaces``), as Java's providers write them for typed values."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from lxml import etree
from saml_calls import SUBJECT, assume, closed, found, idp, opened, world_text
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import SignatureReference, XMLSigner

from rolecall.sessions.saml.xml import tag

SIGNATURE_NS = "http://www.w3.org/2000/09/xmldsig#"

TYPES = ' xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
SIGNED_INFO = "saml:Assertion/ds:Signature/ds:SignedInfo"


@pytest.fixture
def world(make_world: Any) -> Any:
    made = make_world(world_text())
    made.clock.freeze()
    made.client("iam").create_saml_provider(Name="idp", SAMLMetadataDocument=idp().metadata)
    return made


def response(world: Any, prefixes: list[str], declared_on: str) -> Any:
    """A response with typed values, whose SignedInfo was canonicalized with ``prefixes``."""
    root = opened(idp().response(float(int(world.clock.now_seconds()))))
    assertion = found(root, "saml:Assertion")
    # The signer puts its signature here.
    placeholder = etree.Element(tag("ds", "Signature"), Id="placeholder", nsmap={"ds": SIGNATURE_NS})
    assertion.replace(found(assertion, "ds:Signature"), placeholder)
    text = etree.tostring(root).decode().replace(f"<{declared_on} ", f"<{declared_on}{TYPES} ", 1)
    root = etree.fromstring(text.replace("<saml:AttributeValue>", '<saml:AttributeValue xsi:type="xs:string">'))
    signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
    return signer.sign(
        root,
        key=idp().private_key,
        cert=[x509.load_der_x509_certificate(idp().certificate)],
        reference_uri=[SignatureReference(URI="#_assertion", inclusive_ns_prefixes=[])],
        id_attribute="ID",
        inclusive_ns_prefixes=prefixes,
    )


def refused(world: Any, root: Any) -> None:
    with pytest.raises(ClientError, match="Response signature invalid"):
        assume(world, closed(root))


@pytest.mark.parametrize("declared_on", ["samlp:Response", "saml:Assertion"])
@pytest.mark.parametrize("prefixes", [["xs"], ["ds", "saml", "xs"], ["#default", "xs"], ["nobody"]])
def test_prefixes_where_the_canonicalization_is_named(world: Any, prefixes: list[str], declared_on: str) -> None:
    root = response(world, prefixes, declared_on)
    [kept] = found(root, f"{SIGNED_INFO}/ds:CanonicalizationMethod")
    assert kept.get("PrefixList") == " ".join(prefixes)
    assert assume(world, closed(root))["Subject"] == SUBJECT


def test_prefixes_are_signed_like_all_else(world: Any) -> None:
    root = response(world, ["xs"], "samlp:Response")
    [kept] = found(root, f"{SIGNED_INFO}/ds:CanonicalizationMethod")
    kept.set("PrefixList", "xs xsi")
    refused(world, root)


def test_a_response_that_was_read_again_is_the_same(world: Any) -> None:
    root = response(world, ["xs"], "samlp:Response")
    again = opened(b64encode(etree.tostring(root)).decode("ascii"))
    assert assume(world, closed(again))["Subject"] == SUBJECT
