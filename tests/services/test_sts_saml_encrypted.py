"""Encrypted assertions: only the provider's private keys open them. Also SAML without its extra."""

from __future__ import annotations

import importlib
from base64 import b64decode, b64encode
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from saml_calls import (
    NAMESPACES,
    PROVIDER,
    SUBJECT,
    assume,
    closed,
    found,
    idp,
    opened,
    private_key_pem,
    world_text,
)
from saml_encryption import XENC, XENC11, encrypted
from signxml.algorithms import CanonicalizationMethod
from signxml.signer import XMLSigner

from rolecall.sessions.saml import encryption, on_demand

NOT_INSTALLED_MESSAGE = "SAML needs an extra of Rolecall that is not installed: pip install 'rolecall[saml]'"

REFUSED = ("InvalidIdentityToken", "Invalid assertion encryption configuration")


@pytest.fixture
def world(make_world: Any) -> Any:
    made = make_world(world_text())
    made.client("iam").create_saml_provider(
        Name="idp", SAMLMetadataDocument=idp().metadata, AddPrivateKey=private_key_pem()
    )
    return made


def good(world: Any) -> str:
    return idp().response(float(int(world.clock.now_seconds())))


def refusal(world: Any, assertion: str) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        assume(world, assertion)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.mark.parametrize(
    "algorithm", [f"{XENC}aes128-cbc", f"{XENC}aes256-cbc", f"{XENC11}aes128-gcm", f"{XENC11}aes256-gcm"]
)
def test_opened_with_the_providers_key(world: Any, algorithm: str) -> None:
    assert assume(world, encrypted(good(world), algorithm))["Subject"] == SUBJECT


def test_what_is_inside_must_be_signed(world: Any) -> None:
    root = opened(good(world))
    assertion = found(root, "saml:Assertion")
    assertion.remove(found(assertion, "ds:Signature"))
    assert refusal(world, encrypted(closed(root))) == ("InvalidIdentityToken", "Response signature invalid")


def test_what_is_inside_must_be_an_assertion(world: Any) -> None:
    for inside in (b"<other/>", b"no XML", b"<!DOCTYPE a><a/>"):
        assertion = encrypted(good(world), inside=inside)
        assert refusal(world, assertion) == ("InvalidIdentityToken", "Invalid base64 SAMLResponse")


def test_content_that_was_cut_says_nothing_about_its_padding(world: Any) -> None:
    """An attacker who can distinguish wrong padding from wrong XML could decrypt with many calls."""
    answers = set()
    for last in range(24):
        spoiled = opened(encrypted(good(world), f"{XENC}aes128-cbc"))
        [*_, value] = spoiled.iter(f"{{{XENC}}}CipherValue")
        content = bytearray(b64decode(value.text))
        content[-17] ^= last + 1
        value.text = b64encode(bytes(content)).decode("ascii")
        answers.add(refusal(world, closed(spoiled)))
    assert answers == {("InvalidIdentityToken", "Invalid base64 SAMLResponse")}


def response_signed(encoded: str) -> str:
    """The response signed as a whole, without a signature of the assertion."""
    root = opened(encoded)
    assertion = root.find("saml:Assertion", NAMESPACES)
    if assertion is not None:
        assertion.remove(found(assertion, "ds:Signature"))
    certificate = x509.load_der_x509_certificate(idp().certificate)
    exclusive = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
    signer = XMLSigner(c14n_algorithm=exclusive)
    signed = signer.sign(
        root, key=idp().private_key, cert=[certificate], reference_uri=f"#{root.get('ID')}", id_attribute="ID"
    )
    return closed(signed)


def test_a_response_may_be_signed_instead_of_its_assertion(world: Any) -> None:
    signed = response_signed(good(world))
    assert assume(world, signed)["Subject"] == SUBJECT
    changed = opened(signed)
    found(changed, "saml:Assertion/saml:Subject/saml:NameID").text = "root@example.com"
    assert refusal(world, closed(changed)) == ("InvalidIdentityToken", "Response signature invalid")


def test_a_signed_response_with_an_encrypted_assertion(world: Any) -> None:
    root = opened(good(world))
    assertion = found(root, "saml:Assertion")
    assertion.remove(found(assertion, "ds:Signature"))
    signed = response_signed(encrypted(closed(root)))
    assert assume(world, signed)["Subject"] == SUBJECT
    exchanged = opened(signed)
    other = found(opened(encrypted(closed(root))), "saml:EncryptedAssertion")
    exchanged.replace(found(exchanged, "saml:EncryptedAssertion"), other)
    assert refusal(world, closed(exchanged)) == ("InvalidIdentityToken", "Response signature invalid")


def test_a_key_is_checked_once_and_another_text_each_time() -> None:
    key = private_key_pem()
    assert encryption.load_private_key(key) is encryption.load_private_key(key)
    for text in (key[:-200], "", "é"):
        for _ in range(2):
            with pytest.raises(encryption.EncryptionError):
                encryption.load_private_key(text)


def test_plain_ones_are_taken_unless_encryption_is_required(world: Any) -> None:
    assert assume(world, good(world))["Subject"] == SUBJECT
    world.client("iam").update_saml_provider(SAMLProviderArn=PROVIDER, AssertionEncryptionMode="Required")
    assert refusal(world, good(world)) == REFUSED
    assert assume(world, encrypted(good(world)))["Subject"] == SUBJECT


def test_keys_and_algorithms_that_do_not_open(world: Any) -> None:
    stranger = rsa.generate_private_key(65537, 2048).public_key()
    assert refusal(world, encrypted(good(world), to=stranger)) == REFUSED
    assert refusal(world, encrypted(good(world), key_algorithm=f"{XENC}rsa-1_5")) == REFUSED
    changed = opened(encrypted(good(world)))
    for method in changed.iter(f"{{{XENC}}}EncryptionMethod"):
        method.set("Algorithm", f"{XENC}tripledes-cbc")
    assert refusal(world, closed(changed)) == REFUSED
    spoiled = opened(encrypted(good(world)))
    for value in spoiled.iter(f"{{{XENC}}}CipherValue"):
        value.text = value.text[:40] + ("A" if value.text[40] != "A" else "B") + value.text[41:]
    assert refusal(world, closed(spoiled)) == REFUSED


def test_without_a_key(world: Any) -> None:
    iam = world.client("iam")
    [key] = iam.get_saml_provider(SAMLProviderArn=PROVIDER)["PrivateKeyList"]
    iam.update_saml_provider(SAMLProviderArn=PROVIDER, RemovePrivateKey=key["KeyId"])
    assert refusal(world, encrypted(good(world))) == REFUSED


def test_an_encrypted_one_beside_a_plain_one(world: Any) -> None:
    root = opened(good(world))
    root.append(found(opened(encrypted(good(world))), "saml:EncryptedAssertion"))
    assert refusal(world, closed(root)) == ("InvalidIdentityToken", "Invalid base64 SAMLResponse")


def test_without_the_extra(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if lxml were not installed: every use of SAML names the package to install, and nothing fails."""
    assertion = good(world)

    import_module = importlib.import_module

    def absent(name: str) -> Any:
        if name != "rolecall.sessions.saml.library":
            return import_module(name)
        raise ModuleNotFoundError("No module named 'lxml'", name="lxml.etree")

    monkeypatch.setattr(on_demand, "_known_metadata", type(on_demand._known_metadata)(1))
    monkeypatch.setattr(importlib, "import_module", absent)
    on_demand._library.cache_clear()
    try:
        assert refusal(world, assertion) == ("NotImplemented", NOT_INSTALLED_MESSAGE)
        with pytest.raises(ClientError, match=r"pip install 'rolecall\[saml\]'"):
            world.client("iam").create_saml_provider(Name="other", SAMLMetadataDocument=idp().metadata)
        here = {"REMOTE_ADDR": "127.0.0.1"}
        answer = world.application.test_client().get("/_rolecall/saml/corp/metadata.xml", environ_base=here)
        assert (answer.status_code, answer.json) == (501, {"message": NOT_INSTALLED_MESSAGE})
    finally:
        monkeypatch.undo()
        on_demand._library.cache_clear()
    assert assume(world, assertion)["Subject"] == SUBJECT
