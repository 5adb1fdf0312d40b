"""Each guard of a SAML response by itself: every response has one fault, and the test names the guard that finds it.

A caller gets the same message for most of these faults. So the tests call ``sessions/saml/on_demand.py``, whose errors
name the guard.
"""

from __future__ import annotations

import copy
import importlib
import os
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree
from saml_calls import SUBJECT, closed, found, idp, opened, other_idp, private_key_pem, tag
from saml_encryption import encrypted, public_key
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner
from test_sts_saml_encrypted import response_signed

from rolecall.sessions.saml import on_demand, responses
from rolecall.sessions.saml.records import (
    BadMetadataError,
    BadResponseError,
    BadSignatureError,
    EncryptionError,
    RejectedError,
    SamlNotInstalledError,
    UnknownIssuerError,
)
from rolecall.sessions.saml.xml import SIGNATURE_NS, UnsafeXmlError, seconds_of

AT_SECONDS = 1_796_000_000.0  # 2026-11-30T00:53:20Z
EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
WITH_COMMENTS = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0_WITH_COMMENTS
INCLUSIVE = CanonicalizationMethod.CANONICAL_XML_1_0
REFERENCE = "saml:Assertion/ds:Signature/ds:SignedInfo/ds:Reference"
CONFIRMED = "saml:Subject/saml:SubjectConfirmation/saml:SubjectConfirmationData"
Change = Callable[[Any], Any]


def good() -> str:
    return idp().response(AT_SECONDS)


def read(encoded: str, *keys: str, encrypted_only: bool = False) -> Any:
    metadata = on_demand.read_metadata(idp().metadata)
    return on_demand.verified_assertion(encoded, metadata, keys, encrypted_only=encrypted_only)


def changed(change: Change) -> str:
    """A good response, changed after it was signed."""
    root = opened(good())
    change(root)
    return closed(root)


def signed(change: Change, method: CanonicalizationMethod = EXCLUSIVE) -> str:
    """A response whose assertion was changed before it was signed."""
    root = opened(good())
    assertion = found(root, "saml:Assertion")
    placeholder = etree.Element(tag("ds", "Signature"), Id="placeholder", nsmap={"ds": SIGNATURE_NS})
    assertion.replace(found(assertion, "ds:Signature"), placeholder)
    change(assertion)
    made = XMLSigner(c14n_algorithm=method).sign(
        root,
        key=idp().private_key,
        cert=[x509.load_der_x509_certificate(idp().certificate)],
        reference_uri="#_assertion",
        id_attribute="ID",
    )
    return closed(made)


def unsigned(root: Any) -> Any:
    assertion = found(root, "saml:Assertion")
    assertion.remove(found(assertion, "ds:Signature"))
    return root


def without(path: str) -> Change:
    def change(root: Any) -> None:
        element = found(root, path)
        element.getparent().remove(element)

    return change


def doubled(path: str) -> Change:
    def change(root: Any) -> None:
        element = found(root, path)
        element.addnext(copy.deepcopy(element))

    return change


def added(path: str, name: tuple[str, str], **attributes: str) -> Change:
    def change(root: Any) -> None:
        etree.SubElement(found(root, path) if path else root, tag(*name), **attributes)

    return change


def removed_attribute(path: str, name: str) -> Change:
    def change(root: Any) -> None:
        del (found(root, path) if path else root).attrib[name]

    return change


def set_attribute(path: str, name: str, value: str) -> Change:
    def change(root: Any) -> None:
        (found(root, path) if path else root).set(name, value)

    return change


def test_the_unchanged_response_is_accepted() -> None:
    assert read(good()).subject == read(signed(lambda assertion: None)).subject == SUBJECT
    assert read(good()).issued_at_seconds == AT_SECONDS


# --- the shape, before anything is verified


def foreign_signature(root: Any) -> None:
    """A third signature, directly below neither the response nor the assertion."""
    found(root, "samlp:Status").append(copy.deepcopy(found(root, "saml:Assertion/ds:Signature")))


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        (doubled("saml:Assertion"), r"^2 assertions, must be one, directly in the response$"),
        (without("saml:Assertion"), r"^0 assertions, must be one"),
        (set_attribute("samlp:Status", "ID", "_assertion"), r"^two elements have the same ID$"),
        (set_attribute("samlp:Status", "Id", "_assertion"), r"^two elements have the same ID$"),
        (set_attribute("samlp:Status", "id", "_response"), r"^two elements have the same ID$"),
        (
            set_attribute("samlp:Status", "{http://www.w3.org/XML/1998/namespace}id", "_assertion"),
            r"^two elements have the same ID$",
        ),
        (doubled("saml:Assertion/ds:Signature"), r"^signed twice$"),
        (foreign_signature, r"^a signature that is neither the response's nor the assertion's$"),
        (
            added("samlp:Status", ("ds", "Signature")),
            r"^a signature that is neither the response's nor the assertion's$",
        ),
        (without("samlp:Status"), r"^no status$"),
        (without("samlp:Status/samlp:StatusCode"), r"^no status$"),
        (doubled("samlp:Status/samlp:StatusCode"), r"^no status$"),
        (doubled("samlp:Status"), r"^no status$"),
    ],
)
def test_shapes(change: Change, guard: str) -> None:
    with pytest.raises(BadResponseError, match=guard):
        read(changed(change))


def test_an_assertion_below_something_else() -> None:
    def wrap(root: Any) -> None:
        assertion = found(root, "saml:Assertion")
        outer = etree.Element(tag("samlp", "Extensions"))
        root.replace(assertion, outer)
        outer.append(assertion)

    with pytest.raises(BadResponseError, match=r"^1 assertions, must be one, directly in the response$"):
        read(changed(wrap))


def test_two_signatures_of_the_response() -> None:
    """The guard applies to both elements that may be signed."""
    root = opened(response_signed(good()))
    found(root, "ds:Signature").addnext(copy.deepcopy(found(root, "ds:Signature")))
    with pytest.raises(BadResponseError, match=r"^signed twice$"):
        read(closed(root))


def test_a_plain_assertion_beside_an_encrypted_one() -> None:
    def hide(root: Any) -> None:
        """Put it where a search among the children of the response does not find it."""
        other = found(opened(encrypted(good())), "saml:EncryptedAssertion")
        found(root, "samlp:Status").append(other)

    with pytest.raises(BadResponseError, match=r"^an encrypted assertion beside a plain one$"):
        read(changed(hide), private_key_pem())
    root = opened(good())
    root.append(found(opened(encrypted(good())), "saml:EncryptedAssertion"))
    with pytest.raises(BadResponseError, match=r"^must have one assertion, directly in the response$"):
        read(closed(root), private_key_pem())


@pytest.mark.parametrize(
    ("encoded", "guard"),
    [
        ("=", r"^not base64$"),
        ("Ü", r"^not base64$"),
        (b64encode(b"<").decode(), r"^not XML: "),
        (b64encode(b"<Response/>").decode(), r"^the root is not a SAML 2\.0 Response$"),
        (b64encode(b'<r xmlns="urn:oasis:names:tc:SAML:2.0:protocol"/>').decode(), r"^the root is not a SAML 2\.0"),
        (b64encode(b"<!DOCTYPE Response><Response/>").decode(), r"^a document type is declared$"),
    ],
)
def test_no_response(encoded: str, guard: str) -> None:
    with pytest.raises(BadResponseError, match=guard):
        read(encoded)


def test_the_provider_says_no() -> None:
    code = "urn:oasis:names:tc:SAML:2.0:status:Requester"
    with pytest.raises(RejectedError, match=f"^the identity provider answers {code}$"):
        read(changed(set_attribute("samlp:Status/samlp:StatusCode", "Value", code)))
    with pytest.raises(RejectedError, match=r"^the identity provider answers $"):
        read(changed(removed_attribute("samlp:Status/samlp:StatusCode", "Value")))


# --- the issuer


@pytest.mark.parametrize(
    "path", [pytest.param("saml:Issuer", id="response"), pytest.param("saml:Assertion/saml:Issuer", id="assertion")]
)
def test_issuers(path: str) -> None:
    def rename(root: Any) -> None:
        found(root, path).text = "https://evil.example"

    with pytest.raises(UnknownIssuerError, match=r"^issued by https://.*, not https://idp.example.com/metadata$"):
        read(changed(rename))


def test_an_assertion_needs_an_issuer_and_a_response_does_not() -> None:
    with pytest.raises(UnknownIssuerError, match=r"^issued by https://idp.example.com/metadata, not"):
        read(changed(without("saml:Assertion/saml:Issuer")))
    assert read(changed(without("saml:Issuer"))).subject == SUBJECT

    def neither(root: Any) -> None:
        without("saml:Assertion/saml:Issuer")(root)
        without("saml:Issuer")(root)

    with pytest.raises(UnknownIssuerError, match=r"^issued by no issuer, not"):
        read(changed(neither))


@pytest.mark.parametrize("path", ["saml:Issuer", "saml:Assertion/saml:Issuer"])
@pytest.mark.parametrize("inside", ["comment", "element"])
def test_an_issuer_that_a_careless_reader_would_cut(path: str, inside: str) -> None:
    def cut(root: Any) -> None:
        found(root, path).append(etree.Comment("x") if inside == "comment" else etree.Element("b"))

    with pytest.raises(BadResponseError, match=r"^Issuer holds more than text$"):
        read(changed(cut))


# --- the signature


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        (unsigned, r"^neither the response nor the assertion is signed$"),
        (doubled(REFERENCE), r"^the signature is not over the element that holds it$"),
        (without(REFERENCE), r"^the signature is not over the element that holds it$"),
        (set_attribute(REFERENCE, "URI", ""), r"^the signature is not over the element that holds it$"),
        (set_attribute(REFERENCE, "URI", "#_response"), r"^the signature is not over the element that holds it$"),
        (removed_attribute(REFERENCE, "URI"), r"^the signature is not over the element that holds it$"),
        (removed_attribute("saml:Assertion", "ID"), r"^the signature is not over the element that holds it$"),
        (
            lambda root: (
                removed_attribute("saml:Assertion", "ID")(root),
                set_attribute(REFERENCE, "URI", "#")(root),
            ),
            r"^the signature is not over the element that holds it$",
        ),
        (
            added(
                f"{REFERENCE}/ds:Transforms",
                ("ds", "Transform"),
                Algorithm="http://www.w3.org/TR/1999/REC-xslt-19991116",
            ),
            r"^a transform that SAML does not allow$",
        ),
        (added(f"{REFERENCE}/ds:Transforms", ("ds", "Transform")), r"^a transform that SAML does not allow$"),
        (set_attribute("saml:Assertion", "Version", "2.1"), r"^no key of the metadata made it: Digest mismatch"),
    ],
)
def test_signatures(change: Change, guard: str) -> None:
    with pytest.raises(BadSignatureError, match=guard):
        read(changed(change))


def test_another_key() -> None:
    with pytest.raises(BadSignatureError, match=r"^no key of the metadata made it: "):
        read(other_idp().response(AT_SECONDS, issuer=idp().entity_id))


@pytest.mark.parametrize("part", ["nothing", "list", "tag", "ID"])
def test_a_library_that_verifies_another_element(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verified element is compared with the wanted one, although signxml has never confused them."""
    covered = responses._covered

    def confused(*given: Any) -> Any:
        element = covered(*given)
        assert element is not None
        if part in ("nothing", "list"):
            return None
        if part == "tag":
            element.tag = tag("samlp", "Response")
        else:
            element.set("ID", "_other")
        return element

    monkeypatch.setattr(responses, "_covered", confused)
    with pytest.raises(BadSignatureError, match=r"^what was verified is not the element that holds the signature$"):
        read(good())


def test_the_verified_element_must_have_the_issuer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    covered = responses._covered

    def confused(*given: Any) -> Any:
        element = covered(*given)
        found(element, "saml:Issuer").text = "https://evil.example"
        return element

    monkeypatch.setattr(responses, "_covered", confused)
    with pytest.raises(UnknownIssuerError, match=r"^issued by https://evil.example, not"):
        read(good())


def test_exclusive_canonicalization_with_comments() -> None:
    """It signs comments too. A signed comment is accepted, and a comment added later breaks the signature.

    A comment inside a value is still refused, so it cannot cut the value.
    """

    def remark(assertion: Any) -> None:
        assertion.append(etree.Comment("signed"))

    def remark_in_subject(assertion: Any) -> None:
        subject = found(assertion, "saml:Subject/saml:NameID")
        subject.text, comment = "ana@example.com", etree.Comment("x")
        subject.append(comment)
        comment.tail = ".attacker.net"

    made = signed(remark, WITH_COMMENTS)
    assert b"<!--signed-->" in b64decode(made)
    assert read(made).subject == SUBJECT
    root = opened(made)
    found(root, "saml:Assertion").append(etree.Comment("not signed"))
    with pytest.raises(BadSignatureError, match=r"^no key of the metadata made it: Digest mismatch"):
        read(closed(root))
    with pytest.raises(BadResponseError, match=r"^NameID holds more than text$"):
        read(signed(remark_in_subject, WITH_COMMENTS))


@pytest.mark.parametrize("method", [EXCLUSIVE, WITH_COMMENTS, INCLUSIVE])
def test_canonicalizations(method: CanonicalizationMethod) -> None:
    assert read(signed(lambda assertion: None, method)).subject == SUBJECT


# --- what is read


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        (without("saml:Subject/saml:NameID"), "^must have one subject with one NameID$"),
        (without("saml:Subject"), "^must have one subject with one NameID$"),
        (doubled("saml:Subject/saml:NameID"), "^must have one subject with one NameID$"),
        (doubled("saml:Subject"), "^must have one subject with one NameID$"),
        (removed_attribute("", "IssueInstant"), "^no IssueInstant, or more than one Conditions$"),
        (doubled("saml:Conditions"), "^no IssueInstant, or more than one Conditions$"),
        (set_attribute("", "IssueInstant", "today"), "^'today' is not a date and time$"),
        (set_attribute("saml:Conditions", "NotBefore", "today"), "^'today' is not a date and time$"),
        (set_attribute("saml:Conditions", "NotOnOrAfter", "today"), "^'today' is not a date and time$"),
        (set_attribute("saml:AuthnStatement", "SessionNotOnOrAfter", "today"), "^'today' is not a date and time$"),
        (
            set_attribute(CONFIRMED, "NotBefore", "today"),
            "^'today' is not a date and time$",
        ),
        (
            set_attribute(CONFIRMED, "NotOnOrAfter", "x" * 99),
            f"^'{'x' * 40}' is not a date and time$",
        ),
    ],
)
def test_assertions_that_are_signed_and_say_too_little_or_too_much(change: Change, guard: str) -> None:
    with pytest.raises(BadResponseError, match=guard):
        read(signed(change))


def test_optional_parts_may_be_missing() -> None:
    bare = signed(lambda assertion: [without(f"saml:{name}")(assertion) for name in ("Conditions", "AuthnStatement")])
    assertion = read(bare)
    assert (assertion.not_before_seconds, assertion.not_on_or_after_seconds) == (None, None)
    assert (assertion.audiences, assertion.session_not_on_or_after_seconds) == ((), None)
    unspecified = signed(removed_attribute("saml:Subject/saml:NameID", "Format"))
    assert read(unspecified).subject_format == "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"


def test_each_time_limit_is_read_from_its_own_place() -> None:
    moment = "2026-11-30T00:{:02}:00Z".format

    def change(assertion: Any) -> None:
        assertion.set("IssueInstant", moment(1))
        found(assertion, "saml:Conditions").set("NotBefore", moment(2))
        found(assertion, "saml:Conditions").set("NotOnOrAfter", moment(3))
        found(assertion, CONFIRMED).set("NotBefore", moment(4))
        found(assertion, CONFIRMED).set("NotOnOrAfter", moment(5))
        statement = found(assertion, "saml:AuthnStatement")
        statement.set("SessionNotOnOrAfter", moment(7))
        statement.addnext(copy.deepcopy(statement))
        statement.set("SessionNotOnOrAfter", moment(6))

    base = datetime(2026, 11, 30, tzinfo=UTC).timestamp()
    assertion = read(signed(change))
    assert assertion.issued_at_seconds == base + 60
    assert (assertion.not_before_seconds, assertion.not_on_or_after_seconds) == (base + 120, base + 180)
    [confirmation] = assertion.confirmations
    assert (confirmation.not_before_seconds, confirmation.not_on_or_after_seconds) == (base + 240, base + 300)
    assert confirmation.recipient == "https://signin.aws.amazon.com/saml"
    assert assertion.session_not_on_or_after_seconds == base + 360


def test_confirmations_of_another_method_than_bearer() -> None:
    path = "saml:Subject/saml:SubjectConfirmation"
    other = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
    assert read(signed(set_attribute(path, "Method", other))).confirmations == ()
    assert (
        read(signed(removed_attribute(f"{path}/saml:SubjectConfirmationData", "Recipient"))).confirmations[0].recipient
        == ""
    )


def test_every_restriction_of_the_audience() -> None:
    def change(assertion: Any) -> None:
        restriction = found(assertion, "saml:Conditions/saml:AudienceRestriction")
        restriction.addnext(copy.deepcopy(restriction))
        etree.SubElement(restriction, tag("saml", "Audience")).text = "other"

    assert read(signed(change)).audiences == (("urn:amazon:webservices", "other"), ("urn:amazon:webservices",))


@pytest.mark.parametrize(
    ("value", "read_as"),
    [
        ("<v>a</v>", ("a",)),
        ("<v/>", ("",)),
        ("<v> a </v><v>b</v>", ("a", "b")),
        ("", ()),
        ('<v><saml:NameID Format="x">a</saml:NameID></v>', ("a",)),
        ("<v>\n<saml:NameID>a</saml:NameID>\n</v>", ("a",)),
        ("<v><saml:NameID>a</saml:NameID><saml:NameID>b</saml:NameID></v>", None),
        ("<v><other>a</other></v>", None),
        ("<v><other>a</other></v><v>b</v>", ("b",)),
        ("<v>a<other>b</other></v>", BadResponseError),
        ("<v><other>b</other>a</v>", BadResponseError),
        ("<v>a<!-- -->b</v>", BadResponseError),
        ("<v><!-- --></v>", BadResponseError),
        ("<v><?a b?></v>", BadResponseError),
        ("<v><saml:NameID>a<b/></saml:NameID></v>", BadResponseError),
    ],
)
def test_values_of_attributes(value: str, read_as: Any) -> None:
    text = value.replace("<v>", "<saml:AttributeValue>").replace("</v>", "</saml:AttributeValue>")
    text = text.replace("<v/>", "<saml:AttributeValue/>")

    def change(assertion: Any) -> None:
        statement = found(assertion, "saml:AttributeStatement")
        attribute = etree.fromstring(
            f'<saml:Attribute xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Name="given">{text}</saml:Attribute>'
        )
        statement.append(attribute)

    # Signed with comments, because other methods leave comments out of the document that is read.
    made = signed(change, WITH_COMMENTS)
    if read_as is BadResponseError:
        with pytest.raises(BadResponseError, match=r"holds more than text$"):
            read(made)
    else:
        assert read(made).attributes.get("given") == read_as


def test_an_attribute_that_stands_twice_has_the_values_of_both() -> None:
    def change(assertion: Any) -> None:
        for value in ("a", "b"):
            statement = found(assertion, "saml:AttributeStatement")
            attribute = etree.SubElement(statement, tag("saml", "Attribute"), Name="given")
            etree.SubElement(attribute, tag("saml", "AttributeValue")).text = value

    assert read(signed(change)).attributes["given"] == ("a", "b")


# --- dates


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        (" 1970-01-01T00:00:00Z\n", 0),
        ("1970-01-01T00:00:00", 0),
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:00.123456789012Z", 0.123456),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T14:00:00+14:00", 0),
        ("1969-12-31T23:30:00-00:30", 0),
        ("1970-01-01T13:59:00+13:59", 0),
    ],
)
def test_dates(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-30",
        "2026-11-30T10",
        "2026-11-30T10:00",
        "2026-11-30T10:00Z",
        "2026-11-30 10:00:00Z",
        "2026-11-30t10:00:00Z",
        "2026-11-30T10:00:00z",
        "2026-11-30T10:00:00,5Z",
        "2026-11-30T10:00:00.Z",
        "2026-11-30T10:00:00.1234567890123Z",
        "20261130T100000Z",
        "2026-W49-1T10:00:00Z",
        "2026-11-30T10:00:00+01",
        "2026-11-30T10:00:00+0100",
        "2026-11-30T10:00:00+01:00:30",
        # The zones of xs:dateTime end at 14 hours, and its hours have 60 minutes.
        "2026-11-30T10:00:00+14:01",
        "2026-11-30T10:00:00-15:00",
        "2026-11-30T10:00:00+23:59",
        "2026-11-30T10:00:00+01:60",
        # Neither Python nor xs:dateTime accepts these.
        "2026-13-01T10:00:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-30T25:00:00Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-11-30T10:00:00Z",
        "2026-11-30T10:00:00Z\n<",
        "x2026-11-30T10:00:00Z",
    ],
)
def test_dates_that_xs_datetime_does_not_allow(text: str) -> None:
    with pytest.raises(UnsafeXmlError, match=r"is not a date and time$"):
        seconds_of(text)


def test_no_date() -> None:
    assert seconds_of(None) is None


# --- encryption


def test_which_guard_judges_an_encrypted_assertion() -> None:
    key = private_key_pem()
    assert read(encrypted(good()), key).subject == SUBJECT
    assert read(encrypted(good()), key, encrypted_only=True).subject == SUBJECT
    with pytest.raises(EncryptionError, match=r"^the assertion is encrypted and the provider has no private key$"):
        read(encrypted(good()))
    with pytest.raises(EncryptionError, match=r"^the assertion is not encrypted, and the provider requires it$"):
        read(good(), key, encrypted_only=True)
    with pytest.raises(BadResponseError, match=r"^what was encrypted is not an assertion$"):
        read(encrypted(good(), inside=b"<other/>"), key)
    with pytest.raises(BadResponseError, match=r"^not XML: "):
        read(encrypted(good(), inside=b"no XML"), key)
    with pytest.raises(BadSignatureError, match=r"^neither the response nor the assertion is signed$"):
        read(encrypted(closed(unsigned(opened(good())))), key)
    two = opened(encrypted(good()))
    doubled("saml:EncryptedAssertion")(two)
    with pytest.raises(BadResponseError, match=r"^must have one assertion, directly in the response$"):
        read(closed(two), key)


# --- the libraries


@pytest.fixture
def fresh_door() -> Iterator[None]:
    on_demand._library.cache_clear()
    yield
    on_demand._library.cache_clear()


@pytest.mark.usefixtures("fresh_door")
@pytest.mark.parametrize("missing", ["lxml", "lxml.etree", "signxml", "signxml.verifier"])
def test_only_one_of_the_two_libraries(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)

    response, metadata = good(), on_demand.read_metadata(idp().metadata)
    on_demand._library.cache_clear()
    with monkeypatch.context() as without_it:
        without_it.setattr(importlib, "import_module", absent)
        for ask in (
            lambda: on_demand.verified_assertion(response, metadata),
            lambda: on_demand.read_metadata("<never/>"),
            lambda: on_demand.check_private_key("key"),
            lambda: on_demand.own_metadata("me", "https://here", []),
        ):
            with pytest.raises(SamlNotInstalledError, match=r"pip install 'rolecall\[saml\]'"):
                ask()
    assert on_demand.verified_assertion(response, metadata).subject == SUBJECT


@pytest.mark.usefixtures("fresh_door")
@pytest.mark.parametrize("missing", ["cryptography.x509", "rolecall.sessions.saml.xml", None])
def test_a_missing_module_of_another_package_is_no_missing_extra(
    missing: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError("No module", name=missing)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ModuleNotFoundError, match=r"^No module$"):
        on_demand.read_metadata("<never/>")


def test_metadata_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = idp().metadata.replace("https://idp.example.com/sso", "https://idp.example.com/once")
    known = on_demand.read_metadata(text)
    assert on_demand.read_metadata(text) is known
    with pytest.raises(BadMetadataError):
        on_demand.read_metadata("<never/>")


XENC = "http://www.w3.org/2001/04/xmlenc#"


def test_encrypted_assertions_that_cannot_be_decrypted() -> None:
    key = private_key_pem()

    def spoiled(number: int, text: str) -> str:
        """Replace one of the two encrypted values. They stand in the order of the document: key, assertion."""
        root = opened(encrypted(good()))
        list(root.iter(f"{{{XENC}}}CipherValue"))[number].text = text
        return closed(root)

    for number in (0, 1):
        with pytest.raises(EncryptionError, match=r"^an encrypted value is not base64$"):
            read(spoiled(number, "*"), key)
    opens_nothing = r"^no private key of the provider opens the assertion, whose key is encrypted by .*rsa-oaep-mgf1p$"
    for number in (0, 1):
        with pytest.raises(EncryptionError, match=opens_nothing):
            read(spoiled(number, "AAAA"), key)
    root = opened(encrypted(good()))
    [outer, _inner] = root.iter(f"{{{XENC}}}EncryptionMethod")
    outer.set("Algorithm", "none")
    with pytest.raises(EncryptionError, match=r"^encrypted by 'none'$"):
        read(closed(root), key)


def test_the_key_of_a_provider() -> None:
    elliptic = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(EncryptionError, match=r"^not an RSA key$"):
        on_demand.check_private_key(elliptic.decode())
    for text in ("", "key", "ü", private_key_pem()[:-40]):
        with pytest.raises(EncryptionError, match=r"^not a private key in PEM without a password$"):
            on_demand.check_private_key(text)
    on_demand.check_private_key(private_key_pem())


# --- the algorithms, written out

XENC11 = "http://www.w3.org/2009/xmlenc11#"
OAEP_DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    "http://www.w3.org/2000/09/xmldsig#sha1": hashes.SHA1,
    "http://www.w3.org/2001/04/xmlenc#sha256": hashes.SHA256,
    "http://www.w3.org/2001/04/xmldsig-more#sha384": hashes.SHA384,
    "http://www.w3.org/2001/04/xmlenc#sha512": hashes.SHA512,
}
OAEP_MASKS: dict[str, type[hashes.HashAlgorithm]] = {
    "http://www.w3.org/2009/xmlenc11#mgf1sha1": hashes.SHA1,
    "http://www.w3.org/2009/xmlenc11#mgf1sha256": hashes.SHA256,
    "http://www.w3.org/2009/xmlenc11#mgf1sha384": hashes.SHA384,
    "http://www.w3.org/2009/xmlenc11#mgf1sha512": hashes.SHA512,
}


class Recipient:
    """The provider's public key, with algorithms that the usual helper does not use."""

    def __init__(self, digest: type[hashes.HashAlgorithm], mask: type[hashes.HashAlgorithm]) -> None:
        self._oaep = padding.OAEP(mgf=padding.MGF1(mask()), algorithm=digest(), label=None)

    def encrypt(self, key: bytes, _usual: Any) -> bytes:
        return public_key().encrypt(key, self._oaep)


def encrypted_by(digest: str, mask: str, recipient: Recipient, algorithm: str = f"{XENC11}rsa-oaep") -> str:
    root = opened(encrypted(good(), key_algorithm=algorithm, to=recipient))
    [_outer, method] = root.iter(f"{{{XENC}}}EncryptionMethod")
    if digest:
        etree.SubElement(method, tag("ds", "DigestMethod"), Algorithm=digest)
    if mask:
        etree.SubElement(method, f"{{{XENC11}}}MGF", Algorithm=mask)
    return closed(root)


@pytest.mark.parametrize("digest", OAEP_DIGESTS)
def test_digests_of_a_key(digest: str) -> None:
    text = encrypted_by(digest, "", Recipient(OAEP_DIGESTS[digest], hashes.SHA1))
    assert read(text, private_key_pem()).subject == SUBJECT


@pytest.mark.parametrize("mask", OAEP_MASKS)
def test_masks_of_a_key(mask: str) -> None:
    text = encrypted_by("", mask, Recipient(hashes.SHA1, OAEP_MASKS[mask]))
    assert read(text, private_key_pem()).subject == SUBJECT


@pytest.mark.parametrize(
    ("digest", "mask", "algorithm"),
    [
        ("none", "", f"{XENC11}rsa-oaep"),
        ("", "none", f"{XENC11}rsa-oaep"),
        ("", "", f"{XENC}rsa-1_5"),
        ("", "", ""),
    ],
)
def test_algorithms_that_must_not_encrypt_a_key(digest: str, mask: str, algorithm: str) -> None:
    text = encrypted_by(digest, mask, Recipient(hashes.SHA1, hashes.SHA1), algorithm)
    with pytest.raises(EncryptionError, match=r"^no private key of the provider opens the assertion"):
        read(text, private_key_pem())


@pytest.mark.parametrize("algorithm", [f"{XENC}aes192-cbc", f"{XENC11}aes192-gcm"])
def test_content_by_keys_of_192_bits(algorithm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random_bytes = os.urandom
    monkeypatch.setattr(os, "urandom", lambda count: random_bytes(24 if count == 32 else count))
    assert read(encrypted(good(), algorithm), private_key_pem()).subject == SUBJECT


@pytest.mark.parametrize("algorithm", [f"{XENC}aes128-cbc", f"{XENC11}aes128-gcm"])
def test_a_key_of_another_length_than_the_algorithm_says(algorithm: str) -> None:
    root = opened(encrypted(good(), algorithm))
    [outer, _inner] = root.iter(f"{{{XENC}}}EncryptionMethod")
    outer.set("Algorithm", algorithm.replace("128", "256"))
    with pytest.raises(EncryptionError, match=r"^no private key of the provider opens the assertion"):
        read(closed(root), private_key_pem())


@cache
def elliptic_idp() -> tuple[Any, x509.Certificate, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    begin, end = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, end)
    certificate = builder.sign(key, hashes.SHA256())
    location = "https://idp.example.com/sso"
    return key, certificate, on_demand.own_metadata(idp().entity_id, location, [certificate.public_bytes(Encoding.DER)])


def signed_by(method: SignatureMethod, digest: DigestAlgorithm) -> Any:
    root = opened(good())
    assertion = found(root, "saml:Assertion")
    placeholder = etree.Element(tag("ds", "Signature"), Id="placeholder", nsmap={"ds": SIGNATURE_NS})
    assertion.replace(found(assertion, "ds:Signature"), placeholder)
    key: Any = idp().private_key
    certificate, metadata = x509.load_der_x509_certificate(idp().certificate), idp().metadata
    if "ECDSA" in method.name:
        key, certificate, metadata = elliptic_idp()
    signer = XMLSigner(signature_algorithm=method, digest_algorithm=digest, c14n_algorithm=EXCLUSIVE)
    made = signer.sign(root, key=key, cert=[certificate], reference_uri="#_assertion", id_attribute="ID")
    return on_demand.verified_assertion(closed(made), on_demand.read_metadata(metadata))


@pytest.mark.parametrize(
    "method",
    [
        "RSA_SHA256",
        "RSA_SHA384",
        "RSA_SHA512",
        "SHA256_RSA_MGF1",
        "SHA384_RSA_MGF1",
        "SHA512_RSA_MGF1",
        "ECDSA_SHA256",
        "ECDSA_SHA384",
        "ECDSA_SHA512",
    ],
)
def test_signature_methods(method: str) -> None:
    assert signed_by(SignatureMethod[method], DigestAlgorithm.SHA256).subject == SUBJECT


@pytest.mark.parametrize("digest", ["SHA256", "SHA384", "SHA512"])
def test_digests_of_a_signature(digest: str) -> None:
    assert signed_by(SignatureMethod.RSA_SHA256, DigestAlgorithm[digest]).subject == SUBJECT


@pytest.mark.parametrize(
    ("method", "digest"), [("RSA_SHA224", "SHA256"), ("ECDSA_SHA3_256", "SHA256"), ("RSA_SHA256", "SHA3_256")]
)
def test_algorithms_that_are_not_accepted(method: str, digest: str) -> None:
    with pytest.raises(BadSignatureError, match=r"^no key of the metadata made it: "):
        signed_by(SignatureMethod[method], DigestAlgorithm[digest])


@pytest.mark.parametrize("content", [b"", bytes(15), bytes(16), bytes(31), bytes(33), bytes(47)])
@pytest.mark.parametrize("algorithm", [f"{XENC}aes256-cbc", f"{XENC11}aes256-gcm"])
def test_content_that_is_no_ciphertext(algorithm: str, content: bytes) -> None:
    """CBC needs a first block of 16 bytes and whole blocks after it. GCM needs a nonce of 12 bytes and a tag of 16."""
    root = opened(encrypted(good(), algorithm))
    [_key, value] = root.iter(f"{{{XENC}}}CipherValue")
    value.text = b64encode(content).decode()
    with pytest.raises(EncryptionError, match=r"^no private key of the provider opens the assertion"):
        read(closed(root), private_key_pem())


# --- the metadata

# Made with: openssl req -x509 -newkey rsa:1016
WEAK_CERTIFICATE = (
    "MIIB8jCCAVygAwIBAgIUZRQUme3Otv8vRaDMew+KgYl6Xh8wDQYJKoZIhvcNAQELBQAwDDEKMAgGA1UEAwwBYTAeFw0yNjExMjgy"
    "MjQ1MDlaFw0yNjEyMDgyMjQ1MDlaMAwxCjAIBgNVBAMMAWEwgZ4wDQYJKoZIhvcNAQEBBQADgYwAMIGIAoGAALDTfRfe5+5b93dN"
    "6obF0Zr4FfntXLEl++JsXSrlWXZ3+qwOTl9kMUlAgGUHK/RlwVn0iG7hTpW6NDIHKWp4Io0I3qushdlX84snuC5r0hkiXmDbetzj"
    "VXw8G0ZHthtrjdgqKrPAkL/7UUJWd6poHFveMUH2PRvFSzIhTC736hcCAwEAAaNTMFEwHQYDVR0OBBYEFHSXQsAQdA0TLZoLl5oL"
    "PXY0x8OaMB8GA1UdIwQYMBaAFHSXQsAQdA0TLZoLl5oLPXY0x8OaMA8GA1UdEwEB/wQFMAMBAf8wDQYJKoZIhvcNAQELBQADgYAA"
    "INS0xVnw3UYJq0s7WcYeLmSeWO8vkNp8GC+BuEt/k2jSfROO1o7X6Y+HXcRyXgeLTJOu7qBZj7Y232KZbARoE1x9gD77BiAK8Vyj"
    "su5DcR3urzV6bTL/2eirrJHr9ooTqeqxDbIdLuS1wxaiIliTab0mcovLUqSMTZq3WPcgaw=="
)


def metadata_with(*certificates: bytes) -> str:
    return on_demand.own_metadata("https://weak.example.com", "https://idp.example.com/sso", certificates)


def test_keys_that_metadata_may_not_have() -> None:
    with pytest.raises(BadMetadataError, match=r"^an RSA key of 1016 bits$"):
        on_demand.read_metadata(metadata_with(b64decode(WEAK_CERTIFICATE)))
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    begin, end = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, end).sign(key, None)
    with pytest.raises(BadMetadataError, match=r"^a key that is neither RSA nor of an elliptic curve$"):
        on_demand.read_metadata(metadata_with(made.public_bytes(Encoding.DER)))


def test_how_many_keys_metadata_may_have() -> None:
    certificates = [idp().certificate]
    while len(certificates) < 11:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
        begin, end = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
        made = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, end).sign(key, hashes.SHA256())
        certificates.append(made.public_bytes(Encoding.DER))
    assert len(on_demand.read_metadata(metadata_with(*certificates[:10])).certificates) == 10
    # A certificate that occurs twice counts once.
    assert len(on_demand.read_metadata(metadata_with(*certificates[:10], certificates[0])).certificates) == 10
    for wrong in (certificates, []):
        with pytest.raises(BadMetadataError, match=rf"^{len(wrong)} signing certificates, must be 1 to 10$"):
            on_demand.read_metadata(metadata_with(*wrong))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("EntityDescriptor", "Other", r"^the root is not an EntityDescriptor$"),
        ('entityID="https://idp.example.com/metadata"', 'entityID=""', r"^the entityID is missing or too long$"),
        ('entityID="https://idp.example.com/metadata"', "", r"^the entityID is missing or too long$"),
        ("https://idp.example.com/metadata", "a" * 1025, r"^the entityID is missing or too long$"),
        ("IDPSSODescriptor", "SPSSODescriptor", r"^no IDPSSODescriptor for SAML 2\.0$"),
        ("SAML:2.0:protocol", "SAML:1.1:protocol", r"^no IDPSSODescriptor for SAML 2\.0$"),
        ('use="signing"', 'use="encryption"', r"^0 signing certificates, must be 1 to 10$"),
        ("X509Certificate>", "X509Certificate>*", r"^a certificate cannot be read: "),
        ("entityID=", 'validUntil="today" entityID=', r"^'today' is not a date and time$"),
    ],
)
def test_metadata(old: str, new: str, problem: str) -> None:
    assert old in idp().metadata
    with pytest.raises(BadMetadataError, match=problem):
        on_demand.read_metadata(idp().metadata.replace(old, new))


def test_optional_attributes_of_metadata() -> None:
    dated = idp().metadata.replace("entityID=", 'validUntil="1970-01-01T00:01:00Z" entityID=')
    other = dated.replace(' use="signing"', "").replace("https://idp.example.com/metadata", "a" * 1024)
    metadata = on_demand.read_metadata(other)
    assert (metadata.entity_id, metadata.certificates) == ("a" * 1024, (idp().certificate,))
    assert metadata.valid_until_seconds == 60
