"""Trusted identity propagation of IAM's providers: what is stored and shown, the rules, and who may configure it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from saml_calls import PROVIDER, idp, other_idp, private_key_pem
from sts_calls import ACCOUNT, OTHER, UNCHECKED, account, answered, declared, policy, refusal, statement, user

URL = "https://idp.example.com/tenant"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example.com/tenant"
INSTANCE = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
OTHER_INSTANCE = "arn:aws:sso:::instance/ssoins-fedcba0987654321"
WHOLE = {
    "SubjectSourceKey": "sub",
    "SubjectTypeValue": "user",
    "KeyDefinitionList": [{"SourceKey": "https://idp.example.com/dept", "TargetKey": "dept"}, {"SourceKey": "amr"}],
}
PLAIN = {"SubjectSourceKey": "email"}
SHOWN = ("ContextProvider", "IdentityCenterInstanceArn", "IdentityStoreArn")


class Provider:
    """The operations of one kind of provider under one set of names."""

    def __init__(self, iam: Any, kind: str) -> None:
        self.iam, self.kind = iam, kind
        noun = "OpenIDConnectProvider" if kind == "oidc" else "SAMLProvider"
        self.create_name, self.update_name, self.get_name, self.list_name = (
            f"Create{noun}",
            f"Update{noun}",
            f"Get{noun}",
            f"List{noun}s",
        )
        self.new = {"Url": URL} if kind == "oidc" else {"Name": "idp", "SAMLMetadataDocument": idp().metadata}
        self.named = {"OpenIDConnectProviderArn": ARN} if kind == "oidc" else {"SAMLProviderArn": PROVIDER}
        self.list_member = f"{noun}List"

    def create(self, **more: Any) -> Any:
        return answered(self.iam, self.create_name, **self.new, **more)

    def update(self, **more: Any) -> Any:
        return answered(self.iam, self.update_name, **self.named, **more)

    def shown(self) -> dict[str, Any]:
        get = self.iam.get_open_id_connect_provider if self.kind == "oidc" else self.iam.get_saml_provider
        found = get(**self.named)
        return {name: found[name] for name in SHOWN if name in found}

    def flags(self) -> list[bool]:
        listing = self.iam.list_open_id_connect_providers if self.kind == "oidc" else self.iam.list_saml_providers
        return [entry["IsTrustedIdentityPropagationEnabled"] for entry in listing()[self.list_member]]


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(declared(account(users=[user("bob")])))


@pytest.fixture(params=["oidc", "saml"])
def provider(request: pytest.FixtureRequest, world: Any) -> Provider:
    return Provider(world.client("iam", config=UNCHECKED), request.param)


def store_of(owner: str) -> str:
    digest = hashlib.sha256(b"ssoins-1234567890abcdef").hexdigest()[:10]
    return f"arn:aws:identitystore::{owner}:identitystore/d-{digest}"


def test_a_provider_without_propagation_shows_none(provider: Provider) -> None:
    assert provider.create() == "allowed"
    assert provider.shown() == {}
    assert provider.flags() == [False]


def test_it_is_shown_as_it_was_configured(provider: Provider) -> None:
    assert provider.create(ContextProvider=WHOLE, IdentityCenterInstanceArn=INSTANCE) == "allowed"
    expected = {"ContextProvider": WHOLE, "IdentityCenterInstanceArn": INSTANCE, "IdentityStoreArn": store_of(ACCOUNT)}
    assert provider.shown() == expected
    assert provider.flags() == [True]


def test_the_flag_of_the_list_is_about_the_instance(provider: Provider) -> None:
    """The model: "This is true when an IAM Identity Center instance is associated with the provider"."""
    provider.create(ContextProvider=WHOLE)
    assert provider.flags() == [False]
    assert provider.update(IdentityCenterInstanceArn=INSTANCE) == "allowed"
    assert provider.flags() == [True]


def test_it_is_replaced_and_removed_step_by_step(provider: Provider) -> None:
    provider.create()
    assert provider.update(ContextProvider=WHOLE) == "allowed"
    assert provider.update(ContextProvider=PLAIN) == "allowed"
    assert provider.shown() == {"ContextProvider": PLAIN}
    assert provider.update(IdentityCenterInstanceArn=INSTANCE) == "allowed"
    assert provider.update(IdentityCenterInstanceArn=OTHER_INSTANCE) == "allowed"
    assert provider.shown()["IdentityCenterInstanceArn"] == OTHER_INSTANCE
    # "To remove the context provider, first remove the IAM Identity Center association in a separate request."
    assert provider.update(RemoveContextProvider=True)[1] == "InvalidInput"
    assert provider.update(RemoveIdentityCenterInstance=True) == "allowed"
    assert provider.shown() == {"ContextProvider": PLAIN}
    assert provider.update(RemoveContextProvider=True) == "allowed"
    assert provider.shown() == {}


def test_removing_what_is_not_there_is_no_error(provider: Provider) -> None:
    provider.create()
    assert provider.update(RemoveIdentityCenterInstance=True) == "allowed"
    assert provider.update(RemoveContextProvider=True) == "allowed"


@pytest.mark.parametrize(
    "parameters",
    [
        {"ContextProvider": PLAIN, "RemoveContextProvider": True},
        {"IdentityCenterInstanceArn": INSTANCE, "RemoveIdentityCenterInstance": True},
        {"ContextProvider": PLAIN, "IdentityCenterInstanceArn": INSTANCE},
        {"ContextProvider": PLAIN, "RemoveIdentityCenterInstance": True},
        {"RemoveContextProvider": True, "IdentityCenterInstanceArn": INSTANCE},
        {"RemoveContextProvider": True, "RemoveIdentityCenterInstance": True},
        {"RemoveContextProvider": False},
        {},
    ],
)
def test_updates_that_are_refused_change_nothing(provider: Provider, parameters: dict[str, Any]) -> None:
    provider.create(ContextProvider=WHOLE, IdentityCenterInstanceArn=OTHER_INSTANCE)
    before = provider.shown()
    assert provider.update(**parameters)[:2] == (400, "InvalidInput")
    assert provider.shown() == before


def test_an_instance_needs_a_context_provider(provider: Provider) -> None:
    assert provider.create(IdentityCenterInstanceArn=INSTANCE)[:2] == (400, "InvalidInput")
    assert provider.create() == "allowed"
    assert provider.update(IdentityCenterInstanceArn=INSTANCE)[:2] == (400, "InvalidInput")


@pytest.mark.parametrize(
    "changed",
    [
        {"SubjectSourceKey": " sub"},
        {"SubjectSourceKey": "sub "},
        {"SubjectSourceKey": "a  b"},
        {"SubjectSourceKey": "sub*"},
        {"SubjectSourceKey": "süb"},
        {"SubjectSourceKey": "sub\n"},
        {"SubjectTypeSourceKey": "type"},
        {"SubjectTypeValue": None, "SubjectTypeSourceKey": "ty?pe"},
        {"KeyDefinitionList": [{"SourceKey": "a", "TargetKey": "x y "}]},
        {"KeyDefinitionList": [{"SourceKey": "a,b"}]},
        {"KeyDefinitionList": [{"SourceKey": "a", "TargetKey": "Dept"}, {"SourceKey": "b", "TargetKey": "dept"}]},
        {"KeyDefinitionList": [{"SourceKey": "a"}, {"SourceKey": "b", "TargetKey": "A"}]},
    ],
)
def test_wrong_mappings(provider: Provider, changed: dict[str, Any]) -> None:
    wrong = {name: value for name, value in {**WHOLE, **changed}.items() if value is not None}
    status, code, message = provider.create(ContextProvider=wrong)
    assert (status, code) == (400, "InvalidInput")
    assert message.startswith("Invalid ContextProvider: ")


@pytest.mark.parametrize(
    "changed",
    [
        {"SubjectSourceKey": "s" * 129},
        {"SubjectSourceKey": ""},
        {"SubjectSourceKey": None},
        {"SubjectTypeValue": "t" * 129},
        {"KeyDefinitionList": [{"SourceKey": f"k{number}"} for number in range(11)]},
        {"KeyDefinitionList": [{"TargetKey": "x"}]},
        {"KeyDefinitionList": [{"SourceKey": "a", "TargetKey": "t" * 129}]},
    ],
)
def test_limits_of_the_model(provider: Provider, changed: dict[str, Any]) -> None:
    wrong = {name: value for name, value in {**WHOLE, **changed}.items() if value is not None}
    assert provider.create(ContextProvider=wrong)[:2] == (400, "ValidationError")


def test_every_sign_that_a_key_may_have(provider: Provider) -> None:
    key = "Az0 _.:/=+-@#"
    many = {"SubjectSourceKey": key, "KeyDefinitionList": [{"SourceKey": f"{key}{n}"} for n in range(10)]}
    assert provider.create(ContextProvider=many) == "allowed"
    assert provider.shown() == {"ContextProvider": many}


def test_an_empty_type_is_no_static_type(provider: Provider) -> None:
    given = {"SubjectSourceKey": "sub", "SubjectTypeValue": "", "SubjectTypeSourceKey": "kind"}
    assert provider.create(ContextProvider=given) == "allowed"


@pytest.mark.parametrize("arn", ["ssoins-1234567890abcdef", "arn:aws:sso:::instance/x", ARN, f"{INSTANCE}\n"])
def test_an_instance_must_be_one(provider: Provider, arn: str) -> None:
    assert provider.create(ContextProvider=PLAIN, IdentityCenterInstanceArn=arn)[:2] == (400, "InvalidInput")


def test_deleting_a_provider_deletes_its_configuration(provider: Provider, world: Any) -> None:
    provider.create(ContextProvider=WHOLE, IdentityCenterInstanceArn=INSTANCE)
    name = "delete_open_id_connect_provider" if provider.kind == "oidc" else "delete_saml_provider"
    getattr(provider.iam, name)(**provider.named)
    provider.create()
    assert provider.shown() == {}


def test_a_provider_that_is_not_there(world: Any) -> None:
    iam = world.client("iam")
    told = refusal(iam, "UpdateOpenIDConnectProvider", OpenIDConnectProviderArn=ARN, RemoveContextProvider=True)
    assert told == (404, "NoSuchEntity", f"OpenIDConnect Provider not found for arn {ARN}")
    told = refusal(iam, "UpdateOpenIDConnectProvider", OpenIDConnectProviderArn=PROVIDER, RemoveContextProvider=True)
    assert told[1] == "ValidationError"


def test_an_update_of_a_saml_provider_changes_metadata_or_the_context_provider(world: Any) -> None:
    """The model: metadata "includes the SAML metadata document, assertion encryption mode, private keys, and IAM
    Identity Center association"."""
    provider = Provider(world.client("iam"), "saml")
    provider.create(ContextProvider=WHOLE)
    for changed in (
        {"SAMLMetadataDocument": other_idp().metadata},
        {"AssertionEncryptionMode": "Allowed"},
        {"AddPrivateKey": private_key_pem()},
    ):
        assert provider.update(ContextProvider=PLAIN, **changed)[:2] == (400, "InvalidInput")
    document = other_idp().metadata
    assert provider.update(IdentityCenterInstanceArn=INSTANCE, SAMLMetadataDocument=document) == "allowed"
    assert provider.iam.get_saml_provider(SAMLProviderArn=PROVIDER)["SAMLMetadataDocument"] == document
    assert provider.shown()["IdentityCenterInstanceArn"] == INSTANCE


def test_the_hashes_of_a_saml_providers_keys(world: Any) -> None:
    provider = Provider(world.client("iam"), "saml")
    provider.create()
    key = x509.load_der_x509_certificate(idp().certificate).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    shown = provider.iam.get_saml_provider(SAMLProviderArn=PROVIDER)["SAMLKeyHashes"]
    assert shown == [{"IssuerURL": "https://idp.example.com/metadata", "KeyHashes": [digest]}]


def test_the_store_belongs_to_the_account_that_manages_the_organization(make_world: Any) -> None:
    organization = {"id": "o-example1234", "management_account": "444455556666"}
    world = make_world(declared(account(), account("444455556666"), organization=organization))
    provider = Provider(world.client("iam"), "oidc")
    provider.create(ContextProvider=PLAIN, IdentityCenterInstanceArn=INSTANCE)
    assert provider.shown()["IdentityStoreArn"] == store_of("444455556666")


# Permissions.


def rights(world: Any, *statements: dict[str, Any]) -> Any:
    document = json.dumps(policy(*statements))
    world.client("iam").put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=document)
    return world.client("iam", "bob")


EVERY_ACTION = [
    "iam:CreateOpenIDConnectProvider",
    "iam:UpdateOpenIDConnectProvider",
    "iam:CreateSAMLProvider",
    "iam:UpdateSAMLProvider",
]


@pytest.mark.parametrize("kind", ["oidc", "saml"])
@pytest.mark.parametrize(
    ("condition", "parameters", "may_create", "may_update"),
    [
        ({"Bool": {"iam:EnableIdentityPropagation": "false"}}, {}, True, None),
        ({"Bool": {"iam:EnableIdentityPropagation": "false"}}, {"ContextProvider": PLAIN}, False, False),
        ({"Bool": {"iam:EnableIdentityPropagation": "true"}}, {"ContextProvider": PLAIN}, True, True),
        ({"Bool": {"iam:EnableIdentityPropagation": "true"}}, {}, False, None),
        (
            {"Bool": {"iam:EnableIdentityCenterAssociation": "false"}},
            {"ContextProvider": PLAIN, "IdentityCenterInstanceArn": INSTANCE},
            False,
            None,
        ),
        (
            {"ArnEquals": {"iam:RequestIdentityCenterInstanceArn": INSTANCE}},
            {"ContextProvider": PLAIN, "IdentityCenterInstanceArn": INSTANCE},
            True,
            None,
        ),
        (
            {"ArnEquals": {"iam:RequestIdentityCenterInstanceArn": INSTANCE}},
            {"ContextProvider": PLAIN, "IdentityCenterInstanceArn": OTHER_INSTANCE},
            False,
            None,
        ),
        # Nothing is stored before a provider is made.
        ({"Null": {"iam:ResourceIdentityProviderIssuers": "false"}}, {"ContextProvider": PLAIN}, False, True),
        ({"Null": {"iam:ResourceIdentityCenterInstanceArn": "false"}}, {"ContextProvider": PLAIN}, False, True),
    ],
)
def test_who_may_configure_it(
    world: Any,
    kind: str,
    condition: dict[str, Any],
    parameters: dict[str, Any],
    may_create: bool,
    may_update: bool | None,
) -> None:
    bob = Provider(rights(world, statement(EVERY_ACTION, Condition=condition)), kind)
    told = bob.create(**parameters)
    assert told == "allowed" if may_create else told[1] == "AccessDenied"
    if may_update is None:
        return
    if not may_create:
        admin = Provider(world.client("iam"), kind)
        admin.create(ContextProvider=WHOLE, IdentityCenterInstanceArn=INSTANCE)
    told = bob.update(**parameters)
    assert told == "allowed" if may_update else told[1] == "AccessDenied"


@pytest.mark.parametrize(
    ("kind", "issuer"), [("oidc", "idp.example.com/tenant"), ("saml", "https://idp.example.com/metadata")]
)
def test_the_issuers_of_the_request_and_of_the_provider(world: Any, kind: str, issuer: str) -> None:
    requested = {"ForAnyValue:StringEquals": {"iam:RequestIdentityProviderIssuers": issuer}}
    stored = {"ForAnyValue:StringEquals": {"iam:ResourceIdentityProviderIssuers": issuer}}
    bob = Provider(
        rights(
            world,
            statement([EVERY_ACTION[0], EVERY_ACTION[2]], Condition=requested),
            statement([EVERY_ACTION[1], EVERY_ACTION[3]], Condition=stored),
        ),
        kind,
    )
    assert bob.create(ContextProvider=WHOLE) == "allowed"
    assert bob.update(ContextProvider=PLAIN) == "allowed"
    other = {"Url": "https://other.example.com"} if kind == "oidc" else {"SAMLMetadataDocument": other_idp().metadata}
    bob.new = {**bob.new, **other, **({} if kind == "oidc" else {"Name": "other"})}
    assert bob.create(ContextProvider=WHOLE)[1] == "AccessDenied"


@pytest.mark.parametrize("kind", ["oidc", "saml"])
def test_a_policy_learns_nothing_about_another_accounts_provider(make_world: Any, kind: str) -> None:
    """Else the author of the policy could guess the issuer and the instance until one fits."""
    world = make_world(declared(account(), account(OTHER, users=[user("bob")])))
    Provider(world.client("iam"), kind).create(ContextProvider=WHOLE, IdentityCenterInstanceArn=INSTANCE)
    for key in ("iam:ResourceIdentityProviderIssuers", "iam:ResourceIdentityCenterInstanceArn"):
        document = json.dumps(policy(statement(EVERY_ACTION, Condition={"Null": {key: "false"}})))
        world.client("iam", "other_admin").put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=document)
        bob = Provider(world.client("iam", "bob"), kind)
        status, code, message = bob.update(ContextProvider=PLAIN)
        assert (status, code) == (403, "AccessDenied")
        assert "because no identity-based policy allows" in message


def test_an_update_needs_its_own_action_on_the_provider(world: Any) -> None:
    Provider(world.client("iam"), "oidc").create()
    bob = Provider(rights(world, statement("iam:UpdateOpenIDConnectProviderThumbprint")), "oidc")
    status, code, message = bob.update(ContextProvider=PLAIN)
    assert (status, code) == (403, "AccessDenied")
    assert f"is not authorized to perform: iam:UpdateOpenIDConnectProvider on resource: {ARN}" in message
    bob = Provider(rights(world, statement("iam:UpdateOpenIDConnectProvider", ARN)), "oidc")
    assert bob.update(ContextProvider=PLAIN) == "allowed"


def test_the_keys_are_of_the_four_operations_alone(world: Any) -> None:
    """A tagging permission beside the creation has none of them."""
    tagged = {"Tags": [{"Key": "a", "Value": "b"}]}
    condition = {"Bool": {"iam:EnableIdentityPropagation": "true"}}
    create = statement("iam:CreateOpenIDConnectProvider")
    bob = Provider(rights(world, create, statement("iam:TagOpenIDConnectProvider", Condition=condition)), "oidc")
    assert bob.create(ContextProvider=PLAIN, **tagged)[1] == "AccessDenied"
    bob = Provider(rights(world, create, statement("iam:TagOpenIDConnectProvider")), "oidc")
    assert bob.create(ContextProvider=PLAIN, **tagged) == "allowed"
