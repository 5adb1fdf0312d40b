"""Hostile SAML responses: never accepted, and never a failure of the server.

Signature wrapping in its eight classic forms (Somorovsky et al., "On Breaking SAML", 2012), documents that expand or
fetch, values split by comments, and random changes.
"""

from __future__ import annotations

import copy
from base64 import b64decode, b64encode
from typing import Any

import pytest
from amounts import examples
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from saml_calls import SUBJECT, assume, closed, found, idp, opened, other_idp, tag, world_text

EVIL = "root@example.com"


@pytest.fixture(scope="module")
def world(make_shared_world: Any) -> Any:
    made = make_shared_world(world_text())
    made.client("iam").create_saml_provider(Name="idp", SAMLMetadataDocument=idp().metadata)
    made.clock.freeze()
    return made


def good(world: Any) -> str:
    return idp().response(float(int(world.clock.now_seconds())))


def refused(world: Any, assertion: str) -> tuple[str, str]:
    """Code and message of a refusal for an error of the caller."""
    with pytest.raises(ClientError) as caught:
        assume(world, assertion)
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] in (400, 403)
    assert response["Error"]["Code"] in ("InvalidIdentityToken", "AccessDenied", "IDPRejectedClaim", "ValidationError")
    return response["Error"]["Code"], response["Error"]["Message"]


def attempted(world: Any, assertion: str) -> tuple[int, str]:
    """The status of the answer, and the subject of the session."""
    try:
        answer = assume(world, assertion)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], ""
    return 200, answer["Subject"]


def parts(world: Any) -> tuple[Any, Any, Any]:
    root = opened(good(world))
    assertion = found(root, "saml:Assertion")
    return root, assertion, found(assertion, "ds:Signature")


def forged(assertion: Any, identifier: str = "_evil") -> Any:
    evil = copy.deepcopy(assertion)
    evil.set("ID", identifier)
    evil.remove(found(evil, "ds:Signature"))
    found(evil, "saml:Subject/saml:NameID").text = EVIL
    return evil


def xsw1(world: Any) -> Any:
    """The signed response inside the signature of a forged one."""
    root, _, signature = parts(world)
    original = copy.deepcopy(root)
    root.set("ID", "_evil")
    found(root, "saml:Assertion/saml:Subject/saml:NameID").text = EVIL
    root.insert(1, signature)
    signature.append(original)
    return root


def xsw2(world: Any) -> Any:
    """The signed response beside the signature of a forged one."""
    root, _, signature = parts(world)
    original = copy.deepcopy(root)
    root.set("ID", "_evil")
    found(root, "saml:Assertion/saml:Subject/saml:NameID").text = EVIL
    root.insert(1, signature)
    root.insert(1, original)
    return root


def xsw3(world: Any) -> Any:
    """A forged assertion before the signed one."""
    root, assertion, _ = parts(world)
    root.insert(root.index(assertion), forged(assertion))
    return root


def xsw4(world: Any) -> Any:
    """The signed assertion inside a forged one."""
    root, assertion, _ = parts(world)
    evil = forged(assertion)
    root.replace(assertion, evil)
    evil.append(assertion)
    return root


def xsw5(world: Any) -> Any:
    """The forged assertion holds the signature, the signed one stands at the end."""
    root, assertion, signature = parts(world)
    evil = forged(assertion)
    root.replace(assertion, evil)
    assertion.remove(signature)
    evil.insert(1, signature)
    root.append(assertion)
    return root


def xsw6(world: Any) -> Any:
    """The signed assertion inside the signature that the forged one holds."""
    root, assertion, signature = parts(world)
    evil = forged(assertion)
    root.replace(assertion, evil)
    assertion.remove(signature)
    evil.insert(1, signature)
    signature.append(assertion)
    return root


def xsw7(world: Any) -> Any:
    """A forged assertion inside extensions, before the signed one."""
    root, assertion, _ = parts(world)
    extensions = etree.Element(tag("samlp", "Extensions"))
    extensions.append(forged(assertion))
    root.insert(1, extensions)
    return root


def xsw8(world: Any) -> Any:
    """The signed assertion inside an object of the signature, the forged one around it."""
    root, assertion, signature = parts(world)
    evil = forged(assertion)
    root.replace(assertion, evil)
    assertion.remove(signature)
    evil.insert(1, signature)
    etree.SubElement(signature, tag("ds", "Object")).append(assertion)
    return root


def same_id(world: Any) -> Any:
    """A forged assertion with the ID of the signed one, which it replaces."""
    root, assertion, signature = parts(world)
    evil = forged(assertion, assertion.get("ID"))
    evil.insert(1, copy.deepcopy(signature))
    root.replace(assertion, evil)
    status = found(root, "samlp:Status")
    etree.SubElement(status, tag("samlp", "StatusDetail")).append(assertion)
    return root


@pytest.mark.parametrize("attack", [xsw1, xsw2, xsw3, xsw4, xsw5, xsw6, xsw7, xsw8, same_id])
def test_signature_wrapping(world: Any, attack: Any) -> None:
    """All of them have a second assertion, so one guard refuses all; test_sts_saml_guards has those behind it."""
    assert assume(world, good(world))["Subject"] == SUBJECT
    root = attack(world)
    assert EVIL.encode() in etree.tostring(root)
    assert refused(world, closed(root)) == ("InvalidIdentityToken", "Invalid base64 SAMLResponse")
    assert world.outcomes[-1].error.reason == "2 assertions, must be one, directly in the response"


def without_signature(root: Any) -> None:
    assertion = found(root, "saml:Assertion")
    assertion.remove(found(assertion, "ds:Signature"))


def without_reference(root: Any) -> None:
    information = found(root, "saml:Assertion/ds:Signature/ds:SignedInfo")
    information.remove(found(information, "ds:Reference"))


def set_on(path: str, name: str, value: str) -> Any:
    def change(root: Any) -> None:
        found(root, path).set(name, value)

    return change


REFERENCE = "saml:Assertion/ds:Signature/ds:SignedInfo/ds:Reference"
METHOD = "saml:Assertion/ds:Signature/ds:SignedInfo/ds:SignatureMethod"


@pytest.mark.parametrize(
    "change",
    [
        without_signature,
        without_reference,
        set_on(REFERENCE, "URI", ""),
        set_on(REFERENCE, "URI", "#_response"),
        set_on(REFERENCE, "URI", "http://127.0.0.1:9/x"),
        set_on(METHOD, "Algorithm", "http://www.w3.org/2000/09/xmldsig#rsa-sha1"),
        set_on(METHOD, "Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"),
        set_on(METHOD, "Algorithm", "none"),
        set_on(f"{REFERENCE}/ds:DigestMethod", "Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1"),
        set_on("saml:Assertion", "ID", "_other"),
        lambda root: (
            found(root, REFERENCE)
            .find("{*}Transforms")
            .append(etree.Element(tag("ds", "Transform"), Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116"))
        ),
    ],
)
def test_signatures_that_prove_nothing(world: Any, change: Any) -> None:
    root = opened(good(world))
    change(root)
    assert refused(world, closed(root)) == ("InvalidIdentityToken", "Response signature invalid")


def test_the_certificate_inside_the_signature_is_ignored(world: Any) -> None:
    root = opened(other_idp().response(float(int(world.clock.now_seconds())), issuer=idp().entity_id))
    assert root.find(".//{*}X509Certificate") is not None
    assert refused(world, closed(root)) == ("InvalidIdentityToken", "Response signature invalid")


@pytest.mark.parametrize("inside", ["<!-- -->", "<?x y?>", "<b/>"])
def test_values_that_a_reader_would_cut(world: Any, inside: str) -> None:
    """Signed as ``evil@example.com.attacker.net``, with a comment that should hide the end."""
    signed = idp().response(float(int(world.clock.now_seconds())), subject="ana@example.com.attacker.net")
    text = b64decode(signed).replace(b"ana@example.com.attacker", b"ana@example.com" + inside.encode() + b".attacker")
    # The signature does not cover a comment, so the whole text is the subject.
    whole = (200, "ana@example.com.attacker.net")
    assert attempted(world, b64encode(text).decode("ascii")) in ((400, ""), whole)


@pytest.mark.parametrize(
    "document",
    [
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">',
        "<!DOCTYPE a>",
        "<!DOCTYPE a [" + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20}">' for n in range(1, 12)) + "]>",
    ],
)
def test_document_types(world: Any, document: str) -> None:
    text = document.encode() + b64decode(good(world))
    assert refused(world, b64encode(text).decode("ascii")) == ("InvalidIdentityToken", "Invalid base64 SAMLResponse")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<",
        b"\0" * 3000,
        b"<a>" * 20_000,
        b"<a>" * 9_000 + b"</a>" * 9_000,
        b"<a " + b" ".join(b'a%d="x"' % n for n in range(5000)) + b"/>",
        "<Response/>".encode("utf-16"),
        b'<?xml version="1.0" encoding="no-such-encoding"?><a/>',
        b'<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"/>',
    ],
)
def test_invalid_responses(world: Any, text: bytes) -> None:
    code, message = refused(world, b64encode(text).decode("ascii") or "====")
    assert (code, message) == ("InvalidIdentityToken", "Invalid base64 SAMLResponse")


def test_too_long(world: Any) -> None:
    assert refused(world, "A" * 100_001)[0] == "ValidationError"
    assert refused(world, "A" * 100_000)[0] == "InvalidIdentityToken"


@given(data=st.data())
@settings(max_examples=examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_changed_bytes(world: Any, data: Any) -> None:
    """After any change: refused, or accepted with the signed content."""
    text = bytearray(b64decode(good(world)))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        if data.draw(st.booleans()):
            text[place] = data.draw(st.integers(0, 255))
        else:
            del text[place : place + data.draw(st.integers(1, 40))]
    assert attempted(world, b64encode(bytes(text)).decode("ascii")) in ((400, ""), (403, ""), (200, SUBJECT))


@given(data=st.data())
@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_changed_trees(world: Any, data: Any) -> None:
    """Elements moved, doubled, removed."""
    root = opened(good(world))
    for _ in range(data.draw(st.integers(1, 3))):
        elements = list(root.iter(etree.Element))[1:]
        chosen = elements[data.draw(st.integers(0, len(elements) - 1))]
        target = elements[data.draw(st.integers(0, len(elements) - 1))]
        way = data.draw(st.sampled_from(["double", "move", "remove"]))
        if way == "remove":
            chosen.getparent().remove(chosen)
        elif chosen not in list(target.iterancestors()) and chosen is not target:
            target.append(copy.deepcopy(chosen) if way == "double" else chosen)
        if len(root) == 0:
            break
    assert attempted(world, closed(root)) in ((400, ""), (403, ""), (200, SUBJECT))
