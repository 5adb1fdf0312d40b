"""Shared by the tests of SAML: identity providers with their own keys, and responses that differ in one thing."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree
from msgspec.structs import replace

from rolecall.sessions.saml.on_demand import own_metadata, signed_response
from rolecall.sessions.saml.records import NewResponse
from rolecall.sessions.saml.xml import tag

NAMEID_FORMAT_PREFIX = "urn:oasis:names:tc:SAML:2.0:nameid-format:"
NAMESPACES = {
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
    "xenc": "http://www.w3.org/2001/04/xmlenc#",
}

ACCOUNT = "111122223333"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/idp"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/federated"
AUDIENCE = "urn:amazon:webservices"
RECIPIENT = "https://signin.aws.amazon.com/saml"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
SUBJECT = "ana@example.com"


class Idp:
    """An identity provider outside the sandbox."""

    def __init__(self, entity_id: str, bits: int = 2048) -> None:
        self.entity_id = entity_id
        self.private_key = rsa.generate_private_key(65537, bits)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
        # Long expired: IAM does not check the dates of certificates.
        begin, end = datetime(2001, 1, 1, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
        builder = builder.public_key(self.private_key.public_key()).not_valid_before(begin).not_valid_after(end)
        self.certificate = builder.sign(self.private_key, hashes.SHA256()).public_bytes(Encoding.DER)
        self.metadata = own_metadata(entity_id, "https://idp.example.com/sso", [self.certificate])

    def response(self, at_seconds: float, attributes: dict[str, Any] | None = None, **changes: Any) -> str:
        """A response that STS accepts; ``attributes`` by their name after ``ATTRIBUTES``, None to leave one out."""
        given: dict[str, Any] = {"Role": f"{ROLE},{PROVIDER}", "RoleSessionName": "ana", **(attributes or {})}
        named = {
            name if ":" in name.partition("PrincipalTag:")[0] or name[0].isdigit() else ATTRIBUTES + name: (
                (value,) if isinstance(value, str) else tuple(value)
            )
            for name, value in given.items()
            if value is not None
        }
        response = NewResponse(
            response_id="_response",
            assertion_id="_assertion",
            issuer=self.entity_id,
            subject=SUBJECT,
            subject_format=NAMEID_FORMAT_PREFIX + "persistent",
            recipient=RECIPIENT,
            audience=AUDIENCE,
            issued_at_seconds=at_seconds,
            expires_at_seconds=at_seconds + 300,
            attributes=named,
        )
        return signed_response(replace(response, **changes), self.private_key, self.certificate)


@cache
def idp() -> Idp:
    """The identity provider of most tests, made once."""
    return Idp("https://idp.example.com/metadata")


@cache
def other_idp() -> Idp:
    return Idp("https://other.example.com/metadata")


@cache
def private_key_pem() -> str:
    """A key for encrypted assertions."""
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def opened(encoded: str) -> Any:
    """The response as a tree, to be changed."""
    return etree.fromstring(b64decode(encoded))


def closed(root: Any) -> str:
    return b64encode(etree.tostring(root)).decode("ascii")


def found(root: Any, path: str) -> Any:
    """The one element at a path such as ``saml:Assertion/saml:Issuer``."""
    [element] = root.findall(path, NAMESPACES)
    return element


def trust(**condition: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"],
    }
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def world_text(trust_policy: dict[str, Any] | None = None, **role: Any) -> str:
    """A sandbox whose role trusts the provider. The provider must still be created."""
    administrator = {
        "name": "admin",
        "access_keys": [{"id": "admin_key_for_tests", "secret": "admin-secret"}],
        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
    }
    declared = {"name": "federated", "trust_policy": trust_policy or trust(), **role}
    account = {"id": ACCOUNT, "users": [administrator], "roles": [declared]}
    return json.dumps({"version": 1, "accounts": [account, {"id": "444455556666"}]})


def assume(world: Any, assertion: str, **parameters: Any) -> Any:
    sts = world.client("sts", keys=("", "")) if parameters.pop("signed", False) else world.client("sts")
    given = {"RoleArn": ROLE, "PrincipalArn": PROVIDER, "SAMLAssertion": assertion, **parameters}
    return sts.assume_role_with_saml(**given)


__all__ = [
    "ACCOUNT",
    "ATTRIBUTES",
    "AUDIENCE",
    "NAMESPACES",
    "PROVIDER",
    "RECIPIENT",
    "ROLE",
    "SUBJECT",
    "Idp",
    "assume",
    "closed",
    "found",
    "idp",
    "opened",
    "other_idp",
    "private_key_pem",
    "tag",
    "trust",
    "world_text",
]
