"""SAML providers: invalid metadata is refused, private keys are never shown, tags and quotas work as elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.config import Config
from iam_calls import WORLD, identity, refusal
from iam_calls import put_rights as put_named_rights
from saml_calls import PROVIDER, Idp, idp, other_idp, private_key_pem

MISSING = PROVIDER.replace("/idp", "/missing")
UNCHECKED = Config(parameter_validation=False)
METADATA = "Could not parse metadata."


def fails(call: Any, code: str, message: str, status: int = 400, **arguments: Any) -> None:
    assert refusal(call, **arguments) == (code, message, status)


def put_rights(world: Any, document: dict[str, Any]) -> None:
    put_named_rights(world.client("iam"), "bob", "own", document)


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def create(iam: Any, name: str = "idp", **more: Any) -> Any:
    return iam.create_saml_provider(Name=name, SAMLMetadataDocument=idp().metadata, **more)


def test_a_provider_is_made_shown_listed_changed_and_deleted(world: Any, iam: Any) -> None:
    assert create(iam)["SAMLProviderArn"] == PROVIDER
    shown = iam.get_saml_provider(SAMLProviderArn=PROVIDER)
    assert shown["SAMLMetadataDocument"] == idp().metadata
    assert shown["PrivateKeyList"] == shown["Tags"] == []
    assert shown["AssertionEncryptionMode"] == "Allowed"
    assert len(shown["SAMLProviderUUID"]) == 32
    assert shown["ValidUntil"].year - shown["CreateDate"].year in (99, 100)
    [listed] = iam.list_saml_providers()["SAMLProviderList"]
    assert listed == {
        "Arn": PROVIDER,
        "ValidUntil": shown["ValidUntil"],
        "CreateDate": shown["CreateDate"],
        "IsTrustedIdentityPropagationEnabled": False,
    }
    assert iam.get_account_summary()["SummaryMap"]["Providers"] == 1
    assert world.client("iam", "kim").list_saml_providers()["SAMLProviderList"] == []
    changed = iam.update_saml_provider(SAMLProviderArn=PROVIDER, SAMLMetadataDocument=other_idp().metadata)
    assert changed["SAMLProviderArn"] == PROVIDER
    again = iam.get_saml_provider(SAMLProviderArn=PROVIDER)
    assert again["SAMLMetadataDocument"] == other_idp().metadata
    assert again["SAMLProviderUUID"] == shown["SAMLProviderUUID"]
    iam.delete_saml_provider(SAMLProviderArn=PROVIDER)
    assert iam.list_saml_providers()["SAMLProviderList"] == []
    fails(
        iam.get_saml_provider, "NoSuchEntity", f"Manifest not found for arn {PROVIDER}", 404, SAMLProviderArn=PROVIDER
    )


def test_the_date_of_the_metadata_is_shown(iam: Any) -> None:
    dated = idp().metadata.replace("entityID=", 'validUntil="2040-01-02T03:04:05.678Z" entityID=')
    iam.create_saml_provider(Name="idp", SAMLMetadataDocument=dated)
    assert iam.get_saml_provider(SAMLProviderArn=PROVIDER)["ValidUntil"].isoformat() == "2040-01-02T03:04:05+00:00"


def test_what_is_not_there(iam: Any) -> None:
    message = f"Manifest not found for arn {MISSING}"
    for name, more in (
        ("get_saml_provider", {}),
        ("delete_saml_provider", {}),
        ("update_saml_provider", {"SAMLMetadataDocument": idp().metadata}),
        ("tag_saml_provider", {"Tags": []}),
        ("untag_saml_provider", {"TagKeys": []}),
        ("list_saml_provider_tags", {}),
    ):
        fails(getattr(iam, name), "NoSuchEntity", message, 404, SAMLProviderArn=MISSING, **more)


def test_a_provider_of_another_account_is_not_there(world: Any, iam: Any) -> None:
    create(iam)
    assert refusal(world.client("iam", "kim").get_saml_provider, SAMLProviderArn=PROVIDER)[0] in (
        "AccessDenied",
        "NoSuchEntity",
    )


@pytest.mark.parametrize("arn", [PROVIDER.replace("saml-provider", "oidc-provider"), "arn:aws:s3:::a-bucket-of-mine"])
def test_arns_of_something_else(iam: Any, arn: str) -> None:
    fails(iam.get_saml_provider, "InvalidInput", f"ARN {arn} is not valid.", 400, SAMLProviderArn=arn)


def test_a_name_is_there_once_and_cases_differ(iam: Any) -> None:
    create(iam)
    fails(
        iam.create_saml_provider,
        "EntityAlreadyExists",
        "SAML provider idp already exists.",
        409,
        Name="idp",
        SAMLMetadataDocument=idp().metadata,
    )
    create(iam, "IDP")


# Metadata.


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("md:EntityDescriptor", "md:EntitiesDescriptor"),
        ("IDPSSODescriptor", "SPSSODescriptor"),
        ('entityID="https://idp.example.com/metadata"', ""),
        ('entityID="https://idp.example.com/metadata"', f'entityID="{"x" * 1025}"'),
        ('use="signing"', 'use="encryption"'),
        ("SAML:2.0:protocol", "SAML:1.1:protocol"),
        ("<ds:X509Certificate>MII", "<ds:X509Certificate>NII"),
        ("<ds:X509Certificate>", "<ds:X509Certificate>!"),
        ("SAML:2.0:metadata", "SAML:3.0:metadata"),
        ("</md:EntityDescriptor>", ""),
        ("entityID=", 'validUntil="soon" entityID='),
        ("<md:EntityDescriptor", "<!DOCTYPE md:EntityDescriptor><md:EntityDescriptor"),
        ("<md:EntityDescriptor", '<!DOCTYPE x [<!ENTITY y SYSTEM "file:///etc/hostname">]><md:EntityDescriptor'),
        ("<md:EntityDescriptor", '<?xml version="1.0" encoding="UTF-16"?>&x;<md:EntityDescriptor'),
    ],
)
def test_invalid_metadata(iam: Any, old: str, new: str) -> None:
    document = idp().metadata.replace(old, new)
    assert document != idp().metadata
    fails(iam.create_saml_provider, "InvalidInput", METADATA, 400, Name="idp", SAMLMetadataDocument=document)
    create(iam)
    fails(iam.update_saml_provider, "InvalidInput", METADATA, SAMLProviderArn=PROVIDER, SAMLMetadataDocument=document)


def test_metadata_that_is_not_xml(iam: Any) -> None:
    for document in ("x" * 1000, "<a>" * 400 + "</a>" * 400, "<a>" * 50_000):
        fails(iam.create_saml_provider, "InvalidInput", METADATA, Name="idp", SAMLMetadataDocument=document)


def test_metadata_with_entities_that_unfold_is_not_unfolded(iam: Any) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20 if n else "x" * 50}">' for n in range(12))
    document = f"<!DOCTYPE a [{entities}]>" + idp().metadata.replace("https://idp", "&e11;https://idp")
    fails(iam.create_saml_provider, "InvalidInput", METADATA, Name="idp", SAMLMetadataDocument=document)


def test_metadata_says_in_which_encoding_it_is_and_that_does_not_matter(iam: Any) -> None:
    document = '<?xml version="1.0" encoding="UTF-16"?>' + idp().metadata.replace("<md:NameID", "<!-- é --><md:NameID")
    iam.create_saml_provider(Name="idp", SAMLMetadataDocument=document)
    assert iam.get_saml_provider(SAMLProviderArn=PROVIDER)["SAMLMetadataDocument"] == document


def test_a_certificate_has_a_key_of_1024_bits_or_more(iam: Any) -> None:
    weak = Idp("https://idp.example.com/metadata", 1024)
    iam.create_saml_provider(Name="idp", SAMLMetadataDocument=weak.metadata + " " * 400)


def test_limits_of_the_model(world: Any) -> None:
    iam = world.client("iam", config=UNCHECKED)
    code, message, _ = refusal(iam.create_saml_provider, Name="a/b", SAMLMetadataDocument="x" * 999)
    assert code == "ValidationError"
    assert "'name' failed to satisfy constraint: Member must satisfy regular expression pattern" in message
    assert "'sAMLMetadataDocument' failed to satisfy constraint: Member must have length greater" in message


def test_a_hundred_providers_at_most(iam: Any) -> None:
    for number in range(100):
        create(iam, f"idp{number}")
    message = "Cannot exceed quota for SAMLProvidersPerAccount: 100"
    fails(iam.create_saml_provider, "LimitExceeded", message, 409, Name="more", SAMLMetadataDocument=idp().metadata)


# Keys for encrypted assertions.


def test_two_keys_at_most_and_none_is_shown(iam: Any) -> None:
    create(iam, AddPrivateKey=private_key_pem(), AssertionEncryptionMode="Required")
    iam.update_saml_provider(SAMLProviderArn=PROVIDER, AddPrivateKey=private_key_pem())
    shown = iam.get_saml_provider(SAMLProviderArn=PROVIDER)
    assert shown["AssertionEncryptionMode"] == "Required"
    assert [sorted(key) for key in shown["PrivateKeyList"]] == [["KeyId", "Timestamp"]] * 2
    update = iam.update_saml_provider
    fails(
        update,
        "LimitExceeded",
        "Private key limit of 2 reached",
        409,
        SAMLProviderArn=PROVIDER,
        AddPrivateKey=private_key_pem(),
    )
    first, second = (key["KeyId"] for key in shown["PrivateKeyList"])
    update(SAMLProviderArn=PROVIDER, RemovePrivateKey=first)
    message = "Unable to remove the last private key while assertion encryption mode is Required."
    fails(update, "InvalidInput", message, SAMLProviderArn=PROVIDER, RemovePrivateKey=second)
    update(SAMLProviderArn=PROVIDER, RemovePrivateKey=second, AssertionEncryptionMode="Allowed")
    shown = iam.get_saml_provider(SAMLProviderArn=PROVIDER)
    assert (shown["PrivateKeyList"], shown["AssertionEncryptionMode"]) == ([], "Allowed")


def test_keys_that_are_refused(iam: Any) -> None:
    create(iam)
    update = iam.update_saml_provider
    key = {"AddPrivateKey": private_key_pem()}
    fails(
        update,
        "InvalidInput",
        "Unable to add and remove private keys in the same request. Set a value for only one of the two parameters.",
        SAMLProviderArn=PROVIDER,
        RemovePrivateKey="A" * 22,
        **key,
    )
    missing = f"The private key with id {'A' * 22} cannot be found."
    fails(update, "NoSuchEntity", missing, 404, SAMLProviderArn=PROVIDER, RemovePrivateKey="A" * 22)
    message = "Unable to set assertion encryption mode to Required because no private key was provided."
    fails(update, "InvalidInput", message, SAMLProviderArn=PROVIDER, AssertionEncryptionMode="Required")
    message = "Unable to update identity provider. No updates made to the metadata or assertion encryption."
    fails(update, "InvalidInput", message, SAMLProviderArn=PROVIDER)
    for pem in ("no key", private_key_pem().replace("MII", "NII", 1)):
        message = "The private key must be an RSA key in PEM, without a password."
        fails(update, "InvalidInput", message, SAMLProviderArn=PROVIDER, AddPrivateKey=pem)
    assert iam.get_saml_provider(SAMLProviderArn=PROVIDER)["PrivateKeyList"] == []


# Tags and permissions.


def tags(**pairs: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in pairs.items()]


def test_tags(iam: Any) -> None:
    assert create(iam, Tags=tags(Team="red"))["Tags"] == tags(Team="red")
    iam.tag_saml_provider(SAMLProviderArn=PROVIDER, Tags=tags(TEAM="blue", Other="x"))
    listed = iam.list_saml_provider_tags(SAMLProviderArn=PROVIDER)
    assert (listed["Tags"], listed["IsTruncated"]) == (tags(Other="x", TEAM="blue"), False)
    first = iam.list_saml_provider_tags(SAMLProviderArn=PROVIDER, MaxItems=1)
    assert first["IsTruncated"]
    rest = iam.list_saml_provider_tags(SAMLProviderArn=PROVIDER, Marker=first["Marker"])
    assert rest["Tags"] == tags(TEAM="blue")
    iam.untag_saml_provider(SAMLProviderArn=PROVIDER, TagKeys=["team"])
    assert iam.get_saml_provider(SAMLProviderArn=PROVIDER)["Tags"] == tags(Other="x")
    message = "The number of tags has reached the maximum limit."
    many = tags(**{f"key{number}": "x" for number in range(50)})
    fails(iam.tag_saml_provider, "LimitExceeded", message, 409, SAMLProviderArn=PROVIDER, Tags=many)
    twice = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
    fails(iam.tag_saml_provider, "InvalidInput", twice, SAMLProviderArn=PROVIDER, Tags=tags(a="1", A="2"))


def test_each_call_is_authorised_on_the_provider(world: Any, iam: Any) -> None:
    create(iam, Tags=tags(Team="red"))
    create(iam, "other")
    put_rights(world, identity("iam:*SAML*", PROVIDER))
    bob = world.client("iam", "bob")
    bob.get_saml_provider(SAMLProviderArn=PROVIDER)
    other = PROVIDER.replace("/idp", "/other")
    code, message, _ = refusal(bob.get_saml_provider, SAMLProviderArn=other)
    assert code == "AccessDenied"
    assert f"iam:GetSAMLProvider on resource: {other} because" in message
    assert refusal(bob.create_saml_provider, Name="new", SAMLMetadataDocument=idp().metadata)[0] == "AccessDenied"
    condition = {"StringEquals": {"aws:ResourceTag/team": "red"}}
    put_rights(world, identity("iam:DeleteSAMLProvider", Condition=condition))
    assert refusal(bob.delete_saml_provider, SAMLProviderArn=other)[0] == "AccessDenied"
    bob.delete_saml_provider(SAMLProviderArn=PROVIDER)


def test_a_provider_with_tags_needs_the_right_to_tag(world: Any) -> None:
    put_rights(world, identity("iam:CreateSAMLProvider"))
    bob = world.client("iam", "bob")
    arguments: dict[str, Any] = {"Name": "idp", "SAMLMetadataDocument": idp().metadata}
    assert refusal(bob.create_saml_provider, **arguments, Tags=tags(a="b"))[0] == "AccessDenied"
    bob.create_saml_provider(**arguments)
