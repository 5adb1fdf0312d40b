"""The identity that a SAML provider propagates: what an assertion gives, and what an encrypted one does not show."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from saml_calls import PROVIDER as SAML_PROVIDER
from saml_calls import assume, idp, private_key_pem
from saml_encryption import encrypted
from sts_calls import OTHER, account, allow, answered, declared, deny, role, role_arn, trust

from rolecall.identity_providers import saml_assertions
from rolecall.ids import Identifiers

INVALID = "InvalidIdentityToken"
MEMBER = "TrustedIdentityPropagationContext"
SUBJECT_KEY = "aws:OriginIdentity/Subject"
DEPT_KEY = "aws:TransactionContext/IdentityProvider/dept"
ANA_ONLY = {"StringEquals": {SUBJECT_KEY: "ana@example.com"}}
NAME = "https://idp.example.com/attributes/department"
SAML_CONTEXT = {
    "SubjectSourceKey": "Subject/NameID",
    "SubjectTypeValue": "user",
    "KeyDefinitionList": [{"SourceKey": NAME, "TargetKey": "dept"}],
}


def saml_world(make_world: Any, trust_condition: Any = None, **more: Any) -> Any:
    given = {} if trust_condition is None else {"Condition": trust_condition}
    federated_saml = trust({"Federated": SAML_PROVIDER}, "sts:AssumeRoleWithSAML", **given)
    roles = [role("federated", federated_saml, allow("*")), role("second", trust(role_arn("federated")), allow("*"))]
    world = make_world(declared(account(roles=roles), account(OTHER)))
    world.client("iam").create_saml_provider(
        Name="idp", SAMLMetadataDocument=idp().metadata, **{"ContextProvider": SAML_CONTEXT, **more}
    )
    return world


def response(world: Any, department: list[str] | None = None) -> str:
    attributes = {} if department is None else {NAME: department}
    return idp().response(float(int(world.clock.now_seconds())), attributes)


def key_digest() -> str:
    key = x509.load_der_x509_certificate(idp().certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def test_what_an_assertion_gives(make_world: Any) -> None:
    world = saml_world(make_world)
    answer = assume(world, response(world, department=["sales"]))
    assert answer[MEMBER] == {
        "OriginIdentity": {
            "Subject": "ana@example.com",
            "SubjectType": "user",
            # "a hash of the key that signed the SAML assertion, not the Issuer element of the assertion"
            "Issuer": key_digest(),
            "FederatedProviderArn": SAML_PROVIDER,
        },
        "TransactionContext": {"IdentityProvider": {"dept": "sales"}},
    }
    # "The top-level Subject, SubjectType, Issuer" stay the assertion's own.
    assert (answer["Subject"], answer["SubjectType"], answer["Issuer"]) == (
        "ana@example.com",
        "persistent",
        "https://idp.example.com/metadata",
    )
    shown = world.client("iam").get_saml_provider(SAMLProviderArn=SAML_PROVIDER)["SAMLKeyHashes"]
    assert shown == [{"IssuerURL": answer["Issuer"], "KeyHashes": [key_digest()]}]


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {SUBJECT_KEY: "ana@example.com", DEPT_KEY: "sales"}}, True),
        ({"StringEquals": {SUBJECT_KEY: "ana"}}, False),
        ({"StringEquals": {DEPT_KEY: "legal"}}, False),
    ],
)
def test_a_trust_policy_for_assertions(make_world: Any, condition: dict[str, Any], allowed: bool) -> None:
    world = saml_world(make_world, condition)
    asked = {"RoleArn": role_arn("federated"), "PrincipalArn": SAML_PROVIDER}
    result = answered(
        world.client("sts"), "AssumeRoleWithSAML", SAMLAssertion=response(world, department=["sales"]), **asked
    )
    assert result == "allowed" if allowed else result[1] == "AccessDenied"


@pytest.mark.parametrize("values", [["a", "b"], ["v" * 129]])
def test_attributes_that_do_not_fit_the_mapping(make_world: Any, values: list[str]) -> None:
    world = saml_world(make_world)
    asked = {"RoleArn": role_arn("federated"), "PrincipalArn": SAML_PROVIDER}
    told_here = answered(
        world.client("sts"), "AssumeRoleWithSAML", SAMLAssertion=response(world, department=values), **asked
    )
    assert told_here[:2] == (400, INVALID)


def test_an_assertion_without_the_subject_source(make_world: Any) -> None:
    world = saml_world(make_world, ContextProvider={"SubjectSourceKey": NAME})
    asked = {"RoleArn": role_arn("federated"), "PrincipalArn": SAML_PROVIDER, "SAMLAssertion": response(world)}
    assert answered(world.client("sts"), "AssumeRoleWithSAML", **asked)[:2] == (400, INVALID)
    answer = assume(world, response(world, department=["sales"]))
    assert answer[MEMBER]["OriginIdentity"]["Subject"] == "sales"


def test_rolecalls_own_identity_provider_mints_the_attributes(make_world: Any) -> None:
    context = {"subject": "Subject/NameID", "keys": [{"source": NAME, "target": "dept"}]}
    own = {"name": "idp", "rolecall_idp": "corp", "context_provider": context}
    trusting = trust({"Federated": SAML_PROVIDER}, "sts:AssumeRoleWithSAML", Condition=ANA_ONLY)
    world = make_world(declared(account(roles=[role("federated", trusting)], saml_providers=[own])))
    for subject, may in (("ana@example.com", True), ("ben@example.com", False)):
        assertion = saml_assertions.mint(
            world.database,
            world.clock,
            Identifiers(),
            idp="corp",
            role=role_arn("federated"),
            provider=SAML_PROVIDER,
            session_name="ana",
            subject=subject,
            attributes={NAME: "sales"},
        )
        asked = {"RoleArn": role_arn("federated"), "PrincipalArn": SAML_PROVIDER, "SAMLAssertion": assertion}
        result = answered(world.client("sts"), "AssumeRoleWithSAML", **asked)
        assert result == "allowed" if may else result[1] == "AccessDenied"


def test_an_encrypted_assertion_sets_the_keys_and_shows_nothing(make_world: Any) -> None:
    world = saml_world(make_world, ANA_ONLY, AddPrivateKey=private_key_pem())
    answer = assume(world, encrypted(response(world)))
    assert MEMBER not in answer
    sts = world.client("sts", credentials=answer["Credentials"])
    # The role ``second`` has no condition; its own session still carries the keys.
    chained = sts.assume_role(RoleArn=role_arn("second"), RoleSessionName="session")["Credentials"]
    world.client("iam").put_role_policy(
        RoleName="second", PolicyName="no", PolicyDocument=json.dumps(deny("iam:ListUsers", Condition=ANA_ONLY))
    )
    assert answered(world.client("iam", credentials=chained), "ListUsers")[1] == "AccessDenied"
