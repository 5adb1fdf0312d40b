"""AssumeRoleWithSAML: the accepted assertions and their sessions, and each reason for a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from saml_calls import (
    ACCOUNT,
    AUDIENCE,
    PROVIDER,
    RECIPIENT,
    ROLE,
    SUBJECT,
    assume,
    closed,
    found,
    idp,
    opened,
    other_idp,
    trust,
    world_text,
)

from rolecall.services.sts.saml_claims import name_qualifier

INVALID = "InvalidIdentityToken"
SIGNATURE = "Response signature invalid"
NOT_AUTHORIZED = "Not authorized to perform sts:AssumeRoleWithSAML"
TOO_OLD = "Token must be redeemed within 5 minutes of issuance"
EXPIRED = "The assertion or its session has expired."


@pytest.fixture
def world(make_world: Any) -> Any:
    return with_provider(make_world(world_text()))


def with_provider(world: Any, metadata: str | None = None) -> Any:
    world.client("iam").create_saml_provider(Name="idp", SAMLMetadataDocument=metadata or idp().metadata)
    return world


def now(world: Any) -> float:
    return float(int(world.clock.now_seconds()))


def granted(world: Any, attributes: dict[str, Any] | None = None, **parameters: Any) -> Any:
    return assume(world, idp().response(now(world), attributes), **parameters)


def refused(world: Any, assertion: str, code: str, message: str, status: int = 400, **parameters: Any) -> None:
    with pytest.raises(ClientError) as caught:
        assume(world, assertion, **parameters)
    response = caught.value.response
    answered = (response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"])
    assert answered == (code, message, status)


def lifetime(world: Any, answer: Any) -> int:
    return int(answer["Credentials"]["Expiration"].timestamp() - now(world))


def who(world: Any, answer: Any) -> str:
    return str(world.client("sts", credentials=answer["Credentials"]).get_caller_identity()["Arn"])


# Refused before the assertion is read.


def test_a_region_that_is_off_issues_no_session(make_world: Any) -> None:
    text = {**json.loads(world_text()), "settings": {"disabled_regions": ["eu-west-1"]}}
    world = with_provider(make_world(json.dumps(text)))
    asked = {"RoleArn": ROLE, "PrincipalArn": PROVIDER, "SAMLAssertion": idp().response(now(world))}
    off = world.client("sts", region="eu-west-1", endpoint_url="http://sts.eu-west-1.amazonaws.com")
    with pytest.raises(ClientError) as caught:
        off.assume_role_with_saml(**asked)
    response = caught.value.response
    assert (response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]) == (
        403,
        "RegionDisabledException",
    )
    # The account is the role's account, because the caller has none.
    assert f"account:{ACCOUNT}." in response["Error"]["Message"]
    on = world.client("sts", region="eu-west-2", endpoint_url="http://sts.eu-west-2.amazonaws.com")
    assert who(world, on.assume_role_with_saml(**asked)).endswith("/ana")


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"StringEquals": {"aws:PrincipalAccount": "anonymous"}}, True),
        ({"StringNotEquals": {"aws:PrincipalAccount": "anonymous"}}, False),
        ({"StringEquals": {"aws:PrincipalAccount": ACCOUNT}}, False),
        ({"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}, True),
        ({"Null": {"aws:PrincipalAccount": "true"}}, False),
        ({"StringEquals": {"aws:ResourceAccount": ACCOUNT}}, True),
        ({"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}, False),
        ({"StringEquals": {"aws:userid": "anonymous"}}, True),
        ({"StringEquals": {"aws:PrincipalType": "Anonymous"}}, True),
        ({"Bool": {"aws:ViaAWSService": "false"}}, True),
        ({"Null": {"aws:PrincipalArn": "true"}}, True),
        ({"Null": {"aws:PrincipalIsAWSService": "true"}}, True),
        ({"Null": {"aws:MultiFactorAuthPresent": "true"}}, True),
    ],
)
def test_what_a_trust_policy_reads_of_a_caller_without_signature(
    make_world: Any, condition: dict[str, Any], allowed: bool
) -> None:
    """IAM User Guide, aws:PrincipalAccount: "anonymous requests return anonymous"."""
    world = with_provider(make_world(world_text(trust(**condition))))
    if allowed:
        assert who(world, granted(world)).endswith("/ana")
    else:
        refused(world, idp().response(now(world)), "AccessDenied", NOT_AUTHORIZED, 403)


# Accepted.


def test_an_assertion_becomes_a_session(world: Any) -> None:
    answer = granted(world)
    assert answer["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/federated/ana"
    assert answer["AssumedRoleUser"]["AssumedRoleId"].endswith(":ana")
    assert who(world, answer) == answer["AssumedRoleUser"]["Arn"]
    assert {name: answer[name] for name in ("Subject", "SubjectType", "Issuer", "Audience")} == {
        "Subject": SUBJECT,
        "SubjectType": "persistent",
        "Issuer": idp().entity_id,
        "Audience": RECIPIENT,
    }
    assert "PackedPolicySize" not in answer
    assert "SourceIdentity" not in answer
    assert 3590 <= lifetime(world, answer) <= 3600


def test_the_name_qualifier_is_the_hash_that_is_documented() -> None:
    """API reference: BASE64 ( SHA1 ( "https://example.com/saml" + "123456789012" + "/MySAMLIdP" ) ), by openssl."""
    assert name_qualifier("https://example.com/saml", "123456789012", "MySAMLIdP") == "1uAJanUnBc2XeUkHURMht+xam2c="


@pytest.mark.parametrize("order", ["{role},{provider}", "{provider},{role}", " {role} , {provider} "])
def test_the_pair_may_stand_in_either_order_and_among_others(world: Any, order: str) -> None:
    pair = order.format(role=ROLE, provider=PROVIDER)
    other = f"arn:aws:iam::{ACCOUNT}:role/another,{PROVIDER}"
    assert granted(world, {"Role": [other, pair]})["Subject"] == SUBJECT


@pytest.mark.parametrize("recipient", [RECIPIENT, "https://eu-west-1.signin.aws.amazon.com/saml"])
@pytest.mark.parametrize("audience", [AUDIENCE, RECIPIENT, "https://us-west-2.signin.aws.amazon.com/saml"])
def test_addresses_of_aws(world: Any, recipient: str, audience: str) -> None:
    assertion = idp().response(now(world), recipient=recipient, audience=audience)
    assert assume(world, assertion)["Audience"] == recipient


def test_the_address_with_the_id_of_the_provider(world: Any) -> None:
    own = world.client("iam").get_saml_provider(SAMLProviderArn=PROVIDER)["SAMLProviderUUID"]
    address = f"https://us-east-1.signin.aws.amazon.com/saml/acs/{own}"
    assert assume(world, idp().response(now(world), recipient=address, audience=address))["Audience"] == address
    other = address[:-1] + ("A" if address[-1] != "A" else "B")
    message = "Response does not contain the required recipient."
    refused(world, idp().response(now(world), recipient=other), INVALID, message)


def test_signed_by_any_key_of_the_metadata(make_world: Any) -> None:
    start, end = "<md:KeyDescriptor", "</md:KeyDescriptor>"
    second = start + other_idp().metadata.split(start)[1].split(end)[0] + end
    metadata = idp().metadata.replace(start, second + start, 1)
    world = with_provider(make_world(world_text()), metadata)
    assert granted(world)["Subject"] == SUBJECT
    assert assume(world, other_idp().response(now(world), issuer=idp().entity_id))["Subject"] == SUBJECT


# Wrong receivers and times.


@pytest.mark.parametrize(
    "audience", ["", "urn:amazon:webservices:govcloud", "https://signin.aws.amazon.com/saml/", "https://example.com/"]
)
def test_another_audience(world: Any, audience: str) -> None:
    message = "Response does not contain the required audience."
    refused(world, idp().response(now(world), audience=audience), INVALID, message)


@pytest.mark.parametrize(
    "recipient",
    [
        "",
        "http://signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/saml/x",
        "https://signin.aws.amazon.com.example.com/saml",
        "https://a.b.signin.aws.amazon.com/saml",
    ],
)
def test_another_recipient(world: Any, recipient: str) -> None:
    message = "Response does not contain the required recipient."
    refused(world, idp().response(now(world), recipient=recipient), INVALID, message)


def test_five_minutes_by_the_clock_of_the_sandbox(world: Any) -> None:
    world.clock.freeze()
    assertion = idp().response(now(world), expires_at_seconds=now(world) + 3600)
    world.clock.advance(299)
    assert assume(world, assertion)["Subject"] == SUBJECT
    world.clock.advance(1)
    refused(world, assertion, "ExpiredTokenException", TOO_OLD)


def test_expired(world: Any) -> None:
    world.clock.freeze()
    assertion = idp().response(now(world), expires_at_seconds=now(world) + 60)
    world.clock.advance(59)
    assume(world, assertion)
    world.clock.advance(1)
    refused(world, assertion, "ExpiredTokenException", EXPIRED)


def test_not_yet(world: Any) -> None:
    world.clock.freeze()
    assume(world, idp().response(now(world) + 60))
    refused(world, idp().response(now(world) + 61), INVALID, "The assertion is not valid yet.")


def test_another_issuer(world: Any) -> None:
    """The message that STS passes on contains the request's id, so the test compares parts of it."""
    for assertion in (other_idp().response(now(world)), idp().response(now(world), issuer="https://elsewhere")):
        with pytest.raises(ClientError) as caught:
            assume(world, assertion)
        error = caught.value.response["Error"]
        assert error["Code"] == INVALID
        assert error["Message"].startswith("Issuer not present in specified provider (Service: AWSOpenIdDiscovery")
        assert "Error Code: AuthSamlInvalidSamlResponseException" in error["Message"]


def test_another_key(world: Any) -> None:
    refused(world, other_idp().response(now(world), issuer=idp().entity_id), INVALID, SIGNATURE)


def test_the_identity_provider_says_no(world: Any) -> None:
    root = opened(idp().response(now(world)))
    found(root, "samlp:Status/samlp:StatusCode").set("Value", "urn:oasis:names:tc:SAML:2.0:status:Responder")
    root.remove(found(root, "saml:Assertion"))
    message = "The identity provider (IdP) reported that authentication failed."
    refused(world, closed(root), "IDPRejectedClaim", message, 403)


# Parameters.


def test_arns(world: Any) -> None:
    assertion = idp().response(now(world))
    refused(world, assertion, "ValidationError", "nothing-valid-in-here is invalid", RoleArn="nothing-valid-in-here")
    refused(world, assertion, "ValidationError", "Request ARN is invalid", RoleArn=PROVIDER)
    refused(world, assertion, "ValidationError", "Request ARN is invalid", PrincipalArn=ROLE)
    refused(world, assertion, INVALID, "Specified provider doesn't exist.", PrincipalArn=PROVIDER + "x")


def test_a_role_that_is_not_offered_or_not_there(world: Any) -> None:
    other = f"arn:aws:iam::{ACCOUNT}:role/absent"
    denied = ("AccessDenied", NOT_AUTHORIZED, 403)
    refused(world, idp().response(now(world)), *denied, RoleArn=other)
    refused(world, idp().response(now(world), {"Role": f"{other},{PROVIDER}"}), *denied, RoleArn=other)
    for role in (None, ROLE, PROVIDER, f"{ROLE};{PROVIDER}", f"{ROLE},{PROVIDER}x", f"{ROLE},{ROLE}", ","):
        refused(world, idp().response(now(world), {"Role": role}), *denied)


def test_a_role_of_another_account(make_world: Any) -> None:
    far = "arn:aws:iam::444455556666:role/far"
    declared = json.loads(world_text())
    declared["accounts"][1]["roles"] = [{"name": "far", "trust_policy": trust()}]
    world = with_provider(make_world(json.dumps(declared)))
    assertion = idp().response(now(world), {"Role": f"{far},{PROVIDER}"})
    refused(world, assertion, "AccessDenied", NOT_AUTHORIZED, 403, RoleArn=far)


def test_a_deleted_provider_admits_no_caller(world: Any) -> None:
    granted(world)
    world.client("iam").delete_saml_provider(SAMLProviderArn=PROVIDER)
    refused(world, idp().response(now(world)), INVALID, "Specified provider doesn't exist.")


def test_new_metadata_holds_from_the_next_call(world: Any) -> None:
    metadata = other_idp().metadata.replace(other_idp().entity_id, idp().entity_id)
    world.client("iam").update_saml_provider(SAMLProviderArn=PROVIDER, SAMLMetadataDocument=metadata)
    refused(world, idp().response(now(world)), INVALID, SIGNATURE)
    assert assume(world, other_idp().response(now(world), issuer=idp().entity_id))["Subject"] == SUBJECT


# The session.


@pytest.mark.parametrize("name", ["ab", "a" * 64, "ana@example.com", "A+=,.@-_9"])
def test_session_names(world: Any, name: str) -> None:
    assert granted(world, {"RoleSessionName": name})["AssumedRoleUser"]["Arn"].endswith(f"/{name}")


@pytest.mark.parametrize("name", ["a", "a" * 65, "Ana Maria", "", "ana/maria", "señor", ["ana", "eva"], "a\nb"])
def test_session_names_that_are_refused(world: Any, name: Any) -> None:
    message = "RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"
    refused(world, idp().response(now(world), {"RoleSessionName": name}), INVALID, message)


def test_a_session_has_a_name(world: Any) -> None:
    message = "RoleSessionName is required in AuthnResponse"
    refused(world, idp().response(now(world), {"RoleSessionName": None}), INVALID, message)


def test_a_subject_is_needed(world: Any) -> None:
    refused(world, idp().response(now(world), subject=" "), INVALID, "NameID is required in AuthnResponse")


@pytest.mark.parametrize(
    ("attributes", "changes", "parameters", "seconds"),
    [
        ({}, {}, {"DurationSeconds": 900}, 900),
        ({"SessionDuration": "1800"}, {}, {}, 1800),
        ({"SessionDuration": "43200"}, {}, {}, 3600),
        ({"SessionDuration": "1800"}, {}, {"DurationSeconds": 900}, 900),
        ({}, {"session_not_on_or_after_seconds": 100}, {}, 100),
        ({"SessionDuration": "1800"}, {"session_not_on_or_after_seconds": 1000}, {"DurationSeconds": 3600}, 1000),
    ],
)
def test_how_long_a_session_lasts(
    world: Any, attributes: dict[str, Any], changes: dict[str, Any], parameters: dict[str, Any], seconds: int
) -> None:
    world.clock.freeze()
    ends = {name: now(world) + value for name, value in changes.items()}
    answer = assume(world, idp().response(now(world), attributes, **ends), **parameters)
    assert lifetime(world, answer) == seconds


def test_a_session_that_has_ended(world: Any) -> None:
    assertion = idp().response(now(world), session_not_on_or_after_seconds=now(world) - 1)
    refused(world, assertion, "ExpiredTokenException", EXPIRED)


@pytest.mark.parametrize("duration", ["899", "43201", "an hour", "-900", "1800.0", "", ["900", "1800"], "9" * 30])
def test_session_durations_that_are_refused(world: Any, duration: Any) -> None:
    message = "SessionDuration in AuthnResponse must be a number of seconds from 900 to 43200"
    refused(world, idp().response(now(world), {"SessionDuration": duration}), INVALID, message)


def test_the_roles_maximum(make_world: Any) -> None:
    world = with_provider(make_world(world_text(max_session_duration=7200)))
    assert 7190 < lifetime(world, granted(world, DurationSeconds=7200)) <= 7200
    message = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    refused(world, idp().response(now(world)), "ValidationError", message, DurationSeconds=7201)


def test_session_policies(world: Any) -> None:
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    answer = granted(world, Policy=policy, MinimumSessionTokenSize=3000)
    assert answer["SessionTokenSize"] == len(answer["Credentials"]["SessionToken"]) == 3000
    assert answer["PackedPolicySize"] == answer["SessionTokenUtilization"] == 74
    message = "Syntax errors in policy."
    refused(world, idp().response(now(world)), "MalformedPolicyDocument", message, Policy="{")


# Tags and source identity.


def test_tags_and_source_identity(make_world: Any) -> None:
    document = trust(
        StringEquals={
            "aws:RequestTag/Project": "Rolecall",
            "sts:SourceIdentity": "ana",
            "sts:RoleSessionName": "ana",
        }
    )
    world = with_provider(make_world(world_text(document)))
    attributes = {
        "PrincipalTag:Project": "Rolecall",
        "PrincipalTag:Cost Center": "12",
        "TransitiveTagKeys": ["project"],
        "SourceIdentity": "ana",
    }
    answer = granted(world, attributes)
    assert answer["SourceIdentity"] == "ana"
    assert answer["PackedPolicySize"] > 0
    for changed in ({"PrincipalTag:Project": "Other"}, {"SourceIdentity": "eva"}, {"SourceIdentity": None}):
        refused(world, idp().response(now(world), {**attributes, **changed}), "AccessDenied", NOT_AUTHORIZED, 403)


def test_tags_need_permission(make_world: Any) -> None:
    document = trust()
    document["Statement"][0]["Action"] = "sts:AssumeRoleWithSAML"
    world = with_provider(make_world(world_text(document)))
    granted(world)
    for attributes in ({"PrincipalTag:a": "b"}, {"SourceIdentity": "ana"}):
        with pytest.raises(ClientError) as caught:
            granted(world, attributes)
        assert caught.value.response["Error"]["Code"] == "AccessDenied"


@pytest.mark.parametrize("value", ["a", "aws:ana", "Ana Maria", ["ana", "eva"], "a" * 257])
def test_source_identities_that_are_refused(world: Any, value: Any) -> None:
    message = 'Source Identity must match [a-zA-Z_0-9+=,.@-]{2,256} and not begin with "aws:"'
    refused(world, idp().response(now(world), {"SourceIdentity": value}), INVALID, message)


@pytest.mark.parametrize(
    ("attributes", "code", "message"),
    [
        (
            {"PrincipalTag:a": ["1", "2"]},
            INVALID,
            "PrincipalTag:a in AuthnResponse must have one value of up to 256 characters",
        ),
        (
            {"PrincipalTag:a": "x" * 257},
            INVALID,
            "PrincipalTag:a in AuthnResponse must have one value of up to 256 characters",
        ),
        (
            {"PrincipalTag:<": "x"},
            INVALID,
            "PrincipalTag:< in AuthnResponse must have one value of up to 256 characters",
        ),
        (
            {f"PrincipalTag:{number}": "x" for number in range(51)},
            INVALID,
            "AuthnResponse must have no more than 50 session tags",
        ),
        (
            {"PrincipalTag:a": "1", "PrincipalTag:A": "2"},
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
        ),
        (
            {"PrincipalTag:aws:a": "1"},
            "InvalidParameterValue",
            "Tag keys and values beginning with 'aws:' are reserved for system use.",
        ),
        (
            {"PrincipalTag:a": "1", "TransitiveTagKeys": ["a", "b"]},
            "InvalidParameterValue",
            "The specified transitive tag key must be included in the requested tags.",
        ),
    ],
)
def test_tags_that_are_refused(world: Any, attributes: dict[str, Any], code: str, message: str) -> None:
    refused(world, idp().response(now(world), attributes), code, message)


# Condition keys.

EDU = "urn:oid:1.3.6.1.4.1.5923.1.1.1."
MAIL = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"


@pytest.mark.parametrize(
    ("operator", "key", "value", "attributes"),
    [
        ("StringEquals", "saml:aud", RECIPIENT, {}),
        ("StringEquals", "saml:iss", "https://idp.example.com/metadata", {}),
        ("StringEquals", "saml:sub", SUBJECT, {}),
        ("StringEquals", "SAML:sub_type", "persistent", {}),
        ("StringEquals", "saml:doc", f"{ACCOUNT}/idp", {}),
        ("StringLike", "saml:namequalifier", "?" * 27 + "=", {}),
        ("ForAnyValue:StringEquals", "saml:eduPersonAffiliation", "staff", {f"{EDU}1": ["member", "staff"]}),
        ("StringEquals", "saml:eduPersonPrincipalName", "ana", {f"{EDU}6": "ana"}),
        ("StringEquals", "saml:mail", "ana@example.com", {MAIL: "ana@example.com"}),
        ("StringEquals", "saml:surname", "García", {"2.5.4.4": "García"}),
    ],
)
def test_condition_keys(make_world: Any, operator: str, key: str, value: str, attributes: dict[str, Any]) -> None:
    world = with_provider(make_world(world_text(trust(**{operator: {key: value}}))))
    assert granted(world, attributes)["Subject"] == SUBJECT
    wrong = with_provider(make_world(world_text(trust(**{operator: {key: value + "x"}}))))
    refused(wrong, idp().response(now(wrong), attributes), "AccessDenied", NOT_AUTHORIZED, 403)


def test_a_trust_policy_without_the_provider_or_the_action(make_world: Any) -> None:
    other = trust()
    other["Statement"][0]["Principal"] = {"Federated": PROVIDER + "x"}
    wrong_action = trust()
    wrong_action["Statement"][0]["Action"] = "sts:AssumeRoleWithWebIdentity"
    anybody = trust()
    anybody["Statement"][0].update(Principal={"AWS": ACCOUNT}, Action="sts:AssumeRole")
    for document in (other, wrong_action, anybody):
        world = with_provider(make_world(world_text(document)))
        refused(world, idp().response(now(world)), "AccessDenied", NOT_AUTHORIZED, 403)


@pytest.mark.parametrize(
    ("key", "value", "stays"),
    [
        ("saml:sub", SUBJECT, True),
        ("saml:sub_type", "persistent", True),
        ("saml:namequalifier", "*", True),
        ("saml:aud", "*", False),
        ("saml:iss", "*", False),
        ("saml:doc", "*", False),
        ("saml:mail", "*", False),
        ("aws:FederatedProvider", PROVIDER, True),
        ("aws:SourceIdentity", "ana", True),
        ("aws:PrincipalTag/Project", "Rolecall", True),
    ],
)
def test_what_stays_with_the_session(make_world: Any, key: str, value: str, stays: bool) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "iam:ListUsers",
        "Resource": "*",
        "Condition": {"StringLike": {key: value}},
    }
    inline = {"own": {"Version": "2012-10-17", "Statement": [statement]}}
    world = with_provider(make_world(world_text(inline_policies=inline)))
    attributes = {"PrincipalTag:Project": "Rolecall", "SourceIdentity": "ana", MAIL: "ana@example.com"}
    iam = world.client("iam", credentials=granted(world, attributes)["Credentials"])
    if stays:
        iam.list_users()
    else:
        with pytest.raises(ClientError, match="no identity-based policy allows"):
            iam.list_users()


# What is recorded.


def test_the_log_names_the_user_and_never_the_assertion(world: Any) -> None:
    world.outcomes.clear()
    assertion = idp().response(now(world))
    assume(world, assertion)
    with pytest.raises(ClientError):
        assume(world, assertion, RoleArn=ROLE + "x")
    first, second = world.outcomes
    assert (first.caller.principal.type, first.caller.principal.name) == ("SAMLUser", SUBJECT)
    assert first.caller.principal.account_id == ACCOUNT
    assert second.caller.principal.type == "Anonymous"
    assert assertion[:200] not in repr(world.outcomes)
    assert "AttributeValue" not in repr(world.outcomes)
