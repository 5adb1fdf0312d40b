"""The instance metadata service: tokens, credentials, documents, and what it refuses.

Expected answers: EC2 User Guide, "Use the Instance Metadata Service to access instance metadata" ("400 - The PUT
request is not valid", "401 - The GET request uses an invalid token", "403 - The request is not allowed", "404 - The
resource is not available"); IAM User Guide, "Troubleshoot IAM and Amazon EC2".
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from attached_worlds import ACCOUNT, INSTANCE, TOKEN, TTL, ask, attached_world, caller, metadata, metadata_token, trust
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import pkcs7
from hypothesis import given
from hypothesis import strategies as st

from rolecall.app import add_sealing_key
from rolecall.worlds.attached import BadAttachmentError, read_attachment

CREDENTIALS = "/latest/meta-data/iam/security-credentials/"
OTHER = "i-fedcba98765432100"
HOUR = 3600


@pytest.fixture
def world(make_world: Any) -> Any:
    made = make_world(attached_world())
    made.clock.freeze()
    return made


@pytest.fixture
def pair(make_world: Any) -> Any:
    """Two instances; the second one accepts version 1."""
    instances = [{"id": INSTANCE, "role": "app"}, {"id": OTHER, "role": "app", "http_tokens": "optional"}]
    return make_world(attached_world(instances=instances))


# Tokens.


def test_a_token_opens_the_service_for_its_time(world: Any) -> None:
    token = metadata_token(world, ttl="60")
    assert len(token) == 56
    assert token.startswith("AQAE")
    answer = ask(world, INSTANCE, "/latest/meta-data/instance-id", **{TOKEN: token})
    assert (answer.status, answer.text, answer.headers[TTL]) == (200, INSTANCE, "60")
    world.clock.advance(59)
    answer = ask(world, INSTANCE, "/latest/meta-data/instance-id", **{TOKEN: token})
    assert (answer.status, answer.headers[TTL]) == (200, "1")
    world.clock.advance(1)
    assert ask(world, INSTANCE, "/latest/meta-data/instance-id", **{TOKEN: token}).status == 401


def test_the_answer_says_the_ttl(world: Any) -> None:
    answer = ask(world, INSTANCE, "/latest/api/token", "PUT", **{TTL: "21600"})
    assert (answer.status, answer.headers[TTL], answer.headers["content-type"]) == (200, "21600", "text/plain")
    assert answer.headers["server"] == "EC2ws"


@pytest.mark.parametrize("ttl", ["", "0", "21601", "-1", "1.5", "x", "1e3", "٣", "9" * 50])
def test_a_ttl_that_is_none(world: Any, ttl: str) -> None:
    answer = ask(world, INSTANCE, "/latest/api/token", "PUT", **{TTL: ttl})
    assert answer.status == 400
    assert "<h1>400 - Bad Request</h1>" in answer.text


def test_a_put_without_a_ttl(world: Any) -> None:
    assert ask(world, INSTANCE, "/latest/api/token", "PUT").status == 400


def test_no_token_through_a_proxy(world: Any) -> None:
    """EC2 User Guide: "If a PUT request contains an X-Forwarded-For header … a token is not issued"."""
    answer = ask(world, INSTANCE, "/latest/api/token", "PUT", **{TTL: "60", "x-forwarded-for": "10.0.0.1"})
    assert answer.status == 403
    assert "AQAE" not in answer.text


@pytest.mark.parametrize(("hops", "limit", "status"), [(1, 1, 200), (2, 2, 200), (2, 1, 0), (64, 63, 0)])
def test_the_hop_limit_keeps_the_token_from_programs_that_are_far_away(
    make_world: Any, hops: int, limit: int, status: int
) -> None:
    """EC2 User Guide, HttpPutResponseHopLimit. The answers to GET requests have no such limit."""
    instance = {"id": INSTANCE, "role": "app", "hops": hops, "http_put_response_hop_limit": limit}
    world = make_world(attached_world(instances=[{**instance, "http_tokens": "optional"}]))
    assert ask(world, INSTANCE, "/latest/api/token", "PUT", **{TTL: "60"}).status == status
    seen = world.outcomes[-1]
    assert (seen.status, seen.error_code) == (status, "" if status else "HopLimitExceeded")
    assert ask(world, INSTANCE, CREDENTIALS).status == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/latest/api/token", 405),
        ("POST", "/latest/api/token", 405),
        ("PUT", "/latest/meta-data/", 405),
        ("DELETE", CREDENTIALS, 405),
        ("PUT", "/latest/api", 405),
    ],
)
def test_another_method(world: Any, method: str, path: str, status: int) -> None:
    token = metadata_token(world)
    assert ask(world, INSTANCE, path, method, **{TOKEN: token, TTL: "60"}).status == status


def test_without_a_token(world: Any, pair: Any) -> None:
    for path in ("/", "/latest/meta-data/", CREDENTIALS, f"{CREDENTIALS}app", "/latest/nothing"):
        answer = ask(world, INSTANCE, path)
        assert answer.status == 401
        assert "<h1>401 - Unauthorized</h1>" in answer.text
    assert ask(pair, OTHER, CREDENTIALS).text == "app"


def test_a_wrong_token_is_refused_even_where_none_is_needed(pair: Any) -> None:
    own, of_other = metadata_token(pair, INSTANCE), metadata_token(pair, OTHER)
    assert ask(pair, OTHER, CREDENTIALS, **{TOKEN: of_other}).status == 200
    changed = of_other[:10] + ("B" if of_other[10] == "A" else "A") + of_other[11:]
    for wrong in (own, "", "x", changed, of_other + "A", "=" * 56, "\xe4" * 56):
        assert ask(pair, OTHER, CREDENTIALS, **{TOKEN: wrong}).status == 401
    assert ask(pair, INSTANCE, CREDENTIALS, **{TOKEN: of_other}).status == 401


@given(position=st.integers(0, 55), letter=st.sampled_from("ABCabc019+/=_-. "))
def test_no_changed_token_is_a_token(shared: Any, position: int, letter: str) -> None:
    world, token = shared
    changed = token[:position] + letter + token[position + 1 :]
    expected = 200 if changed == token else 401
    assert ask(world, INSTANCE, "/latest/meta-data/instance-id", **{TOKEN: changed}).status == expected


@pytest.fixture(scope="module")
def shared(make_shared_world: Any) -> Any:
    made = make_shared_world(attached_world())
    return made, metadata_token(made)


def test_a_token_outlives_a_rotation_of_keys(world: Any) -> None:
    token = metadata_token(world)
    add_sealing_key(world.database, world.clock)
    assert ask(world, INSTANCE, CREDENTIALS, **{TOKEN: token}).status == 200


# Credentials.


def test_the_credentials_of_the_role(world: Any) -> None:
    assert metadata(world, CREDENTIALS).text == "app"
    assert metadata(world, CREDENTIALS.removesuffix("/")).text == "app"
    answer = metadata(world, f"{CREDENTIALS}app")
    document = answer.json
    assert answer.headers["content-type"] == "text/plain"
    assert list(document) == [
        "Code",
        "LastUpdated",
        "Type",
        "AccessKeyId",
        "SecretAccessKey",
        "Token",
        "Expiration",
    ]
    assert (document["Code"], document["Type"]) == ("Success", "AWS-HMAC")
    assert caller(world, document) == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/{INSTANCE}"
    keys = document["AccessKeyId"], document["SecretAccessKey"], document["Token"]
    assert world.client("iam", keys=keys).list_roles()["Roles"]
    with pytest.raises(ClientError, match="AccessDenied"):
        world.client("iam", keys=keys).list_users()


def test_they_stay_for_an_hour_and_are_new_long_before_the_old_ones_expire(world: Any) -> None:
    """EC2 User Guide: new ones "at least five minutes before the expiration of the old credentials"."""
    first = metadata(world, f"{CREDENTIALS}app").json
    world.clock.advance(HOUR - 1)
    assert metadata(world, f"{CREDENTIALS}app").json == first
    world.clock.advance(1)
    second = metadata(world, f"{CREDENTIALS}app").json
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert second["Expiration"] > first["Expiration"] > second["LastUpdated"] > first["LastUpdated"]
    assert caller(world, first) == caller(world, second)
    world.clock.advance(5 * HOUR - 1)
    assert caller(world, first)
    world.clock.advance(1)
    with pytest.raises(ClientError, match="ExpiredToken"):
        caller(world, first)
    assert caller(world, second)


def test_a_clock_that_was_set_back_gives_new_ones(world: Any) -> None:
    first = metadata(world, f"{CREDENTIALS}app").json
    world.clock.advance(-60)
    second = metadata(world, f"{CREDENTIALS}app").json
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert caller(world, second)


def test_a_shorter_session(make_world: Any) -> None:
    world = make_world(attached_world(instances=[{"id": INSTANCE, "role": "app", "session_seconds": 60}]))
    world.clock.freeze()
    first = metadata(world, f"{CREDENTIALS}app").json
    world.clock.advance(10)
    assert metadata(world, f"{CREDENTIALS}app").json != first
    world.clock.advance(50)
    with pytest.raises(ClientError, match="ExpiredToken"):
        caller(world, first)


@pytest.mark.parametrize(
    "policy",
    [
        trust("ecs-tasks.amazonaws.com"),
        trust("ec2.amazonaws.com", "sts:TagSession"),
        trust("ec2.amazonaws.com", StringEquals={"sts:RoleSessionName": "other"}),
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}],
        },
    ],
)
def test_a_role_that_ec2_may_not_assume(make_world: Any, policy: dict[str, Any]) -> None:
    world = make_world(attached_world(roles=[{"name": "app", "trust_policy": policy}], tasks=[], pods=[]))
    answer = metadata(world, f"{CREDENTIALS}app")
    document = answer.json
    assert (answer.status, document["Code"]) == (200, "AssumeRoleUnauthorizedAccess")
    assert document["Message"].startswith("EC2 cannot assume the role app.")
    assert "AccessKeyId" not in document
    outcome = world.outcomes[-1]
    assert (outcome.service, outcome.operation, outcome.error_code) == (
        "imds",
        "GetSecurityCredentials",
        "AssumeRoleUnauthorizedAccess",
    )
    assert (outcome.decisions[-1].allowed, outcome.decisions[-1].layer.value) == (False, "trust")


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"sts:RoleSessionName": INSTANCE}},
        {"Bool": {"aws:PrincipalIsAWSService": "true"}},
        {"StringEquals": {"aws:PrincipalServiceName": "ec2.amazonaws.com"}},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
    ],
)
def test_conditions_of_the_trust_policy_see_the_service(make_world: Any, condition: dict[str, Any]) -> None:
    role = {"name": "app", "trust_policy": trust("ec2.amazonaws.com", "sts:AssumeRole", **condition)}
    world = make_world(attached_world(roles=[role], tasks=[], pods=[]))
    assert metadata(world, f"{CREDENTIALS}app").json["Code"] == "Success"


def test_the_trust_policy_is_asked_again_with_the_next_credentials(world: Any) -> None:
    """IAM User Guide: the application "will need to wait until the next … scheduled refresh"."""
    first = metadata(world, f"{CREDENTIALS}app").json
    policy = json.dumps(trust("ecs-tasks.amazonaws.com"))
    world.client("iam").update_assume_role_policy(RoleName="app", PolicyDocument=policy)
    assert metadata(world, f"{CREDENTIALS}app").json == first
    world.clock.advance(HOUR)
    assert metadata(world, f"{CREDENTIALS}app").json["Code"] == "AssumeRoleUnauthorizedAccess"
    world.client("iam").update_assume_role_policy(RoleName="app", PolicyDocument=json.dumps(trust("ec2.amazonaws.com")))
    assert metadata(world, f"{CREDENTIALS}app").json["Code"] == "Success"


def test_a_session_is_revoked_by_its_time_of_issue(world: Any) -> None:
    first = metadata(world, f"{CREDENTIALS}app").json
    world.clock.advance(60)
    denial = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": "*",
                "Resource": "*",
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2999-01-01T00:00:00Z"}},
            }
        ],
    }
    world.client("iam").put_role_policy(RoleName="app", PolicyName="revoke", PolicyDocument=json.dumps(denial))
    keys = first["AccessKeyId"], first["SecretAccessKey"], first["Token"]
    with pytest.raises(ClientError, match="explicit deny"):
        world.client("iam", keys=keys).list_roles()


@pytest.mark.parametrize(
    ("tokens", "delivery", "allowed"),
    [(True, "2.0", True), (True, "1.0", False), (False, "1.0", True), (False, "2.0", False)],
)
def test_a_policy_sees_which_version_gave_them(make_world: Any, tokens: bool, delivery: str, allowed: bool) -> None:
    """Service Authorization Reference, EC2: ``ec2:RoleDelivery`` is the version of the metadata service."""
    statement = {
        "Effect": "Allow",
        "Action": "iam:ListRoles",
        "Resource": "*",
        "Condition": {"NumericEquals": {"ec2:RoleDelivery": delivery}},
    }
    policies = {"own": {"Version": "2012-10-17", "Statement": [statement]}}
    role = {"name": "app", "trust_policy": trust("ec2.amazonaws.com"), "inline_policies": policies}
    instance = {"id": INSTANCE, "role": "app", "http_tokens": "optional"}
    world = make_world(attached_world(roles=[role], instances=[instance], tasks=[], pods=[]))
    found = metadata(world, f"{CREDENTIALS}app") if tokens else ask(world, INSTANCE, f"{CREDENTIALS}app")
    keys = found.json["AccessKeyId"], found.json["SecretAccessKey"], found.json["Token"]
    iam = world.client("iam", keys=keys)
    if allowed:
        assert iam.list_roles()["Roles"]
    else:
        with pytest.raises(ClientError, match="AccessDenied"):
            iam.list_roles()


@pytest.mark.parametrize(
    ("facts", "key", "value"),
    [
        ({}, "ec2:SourceInstanceARN", f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{INSTANCE}"),
        ({"vpc": "vpc-0123456789abcdef0"}, "aws:Ec2InstanceSourceVpc", "vpc-0123456789abcdef0"),
        ({"private_ip": "10.1.2.3"}, "aws:Ec2InstanceSourcePrivateIPv4", "10.1.2.3"),
    ],
)
def test_a_policy_sees_the_instance(make_world: Any, facts: dict[str, Any], key: str, value: str) -> None:
    for instance, allowed in (({**facts}, True), ({}, not facts)):
        statement = {
            "Effect": "Allow",
            "Action": "iam:ListRoles",
            "Resource": "*",
            "Condition": {"StringEquals": {key: value}},
        }
        policies = {"own": {"Version": "2012-10-17", "Statement": [statement]}}
        role = {"name": "app", "trust_policy": trust("ec2.amazonaws.com"), "inline_policies": policies}
        declared = [{"id": INSTANCE, "role": "app", **instance}]
        world = make_world(attached_world(roles=[role], instances=declared, tasks=[], pods=[]))
        document = metadata(world, f"{CREDENTIALS}app").json
        iam = world.client("iam", keys=(document["AccessKeyId"], document["SecretAccessKey"], document["Token"]))
        if allowed:
            assert iam.list_roles()["Roles"]
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                iam.list_roles()


# The instance profile.


def test_the_info_document(world: Any) -> None:
    iam = world.client("iam")
    profile = iam.get_instance_profile(InstanceProfileName="app")["InstanceProfile"]
    info = metadata(world, "/latest/meta-data/iam/info").json
    assert info == {
        "Code": "Success",
        "LastUpdated": info["LastUpdated"],
        "InstanceProfileArn": profile["Arn"],
        "InstanceProfileId": profile["InstanceProfileId"],
    }


def test_a_profile_without_its_role(world: Any) -> None:
    iam = world.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="app", RoleName="app")
    info = metadata(world, "/latest/meta-data/iam/info").json
    assert info["Code"] == "Success"
    assert info["Message"].startswith("Instance Profile does not contain a role")
    assert metadata(world, CREDENTIALS).status == 404
    assert metadata(world, f"{CREDENTIALS}app").status == 404
    iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName="task")
    assert metadata(world, CREDENTIALS).text == "task"
    assert metadata(world, f"{CREDENTIALS}app").status == 404
    assert metadata(world, f"{CREDENTIALS}task").json["Code"] == "AssumeRoleUnauthorizedAccess"


def test_a_profile_that_was_deleted_and_made_again(world: Any) -> None:
    iam = world.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="app", RoleName="app")
    iam.delete_instance_profile(InstanceProfileName="app")
    iam.create_instance_profile(InstanceProfileName="app")
    iam.add_role_to_instance_profile(InstanceProfileName="app", RoleName="app")
    assert metadata(world, "/latest/meta-data/iam/info").json["Code"] == "InstanceProfileNotFound"
    assert metadata(world, CREDENTIALS).status == 404


# Metadata and documents.


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/latest", "dynamic\nmeta-data"),
        ("/latest/meta-data/placement/region", "us-east-1"),
        ("/latest/meta-data/placement/availability-zone", "us-east-1a"),
        ("/latest/meta-data//placement/region", "us-east-1"),
        ("/latest/meta-data/iam", "info\nsecurity-credentials/"),
        ("/latest/meta-data/services/partition", "aws"),
        ("/latest/dynamic/instance-identity", "document\npkcs7\nrsa2048\nsignature"),
    ],
)
def test_the_tree(world: Any, path: str, text: str) -> None:
    answer = metadata(world, path)
    assert (answer.status, answer.text) == (200, text)


@pytest.mark.parametrize(
    "path",
    [
        "/latest/user-data",
        "/latest/meta-data/nothing",
        "/latest/meta-data/instance-id/",
        "/latest/meta-data/instance-id/below",
        "/2021-01-04/meta-data/",
        "/1/meta-data/",
        "/2021-01-03/api/token",
        "/..",
        "/latest/meta-data/%2e%2e",
        f"{CREDENTIALS}other",
        f"{CREDENTIALS}app/",
    ],
)
def test_what_is_not_there(world: Any, path: str) -> None:
    answer = metadata(world, path)
    assert answer.status == 404
    assert "<h1>404 - Not Found</h1>" in answer.text


def test_the_list_of_versions(world: Any) -> None:
    """The answer of http://169.254.169.254/ as public records of it show it."""
    versions = metadata(world, "/").text.split("\n")
    assert versions[:3] == ["1.0", "2007-01-19", "2007-03-01"]
    assert versions[-2:] == ["2021-01-03", "latest"]
    assert [metadata(world, f"/{version}/meta-data/ami-id").status for version in versions] == [200] * len(versions)


# EC2 User Guide, Instance metadata categories, column "Version when category was released".
@pytest.mark.parametrize(
    ("version", "files"),
    [
        ("1.0", "ami-id ami-launch-index hostname instance-id local-ipv4"),
        (
            "2008-02-01",
            "ami-id ami-launch-index hostname instance-id instance-type local-hostname local-ipv4 placement/",
        ),
        (
            "2012-01-12",
            "ami-id ami-launch-index hostname iam/ instance-id instance-type local-hostname local-ipv4 mac network/ "
            "placement/",
        ),
    ],
)
def test_a_version_has_what_was_released_by_then(world: Any, version: str, files: str) -> None:
    assert metadata(world, f"/{version}/meta-data/").text.split("\n") == files.split()


@pytest.mark.parametrize(
    ("path", "first", "last_without"),
    [
        ("meta-data/iam/info", "2012-01-12", "2011-05-01"),
        ("meta-data/iam/security-credentials/app", "2012-01-12", "2011-05-01"),
        ("meta-data/placement/region", "2020-10-27", "2019-10-01"),
        ("meta-data/services/partition", "2015-10-20", "2014-11-05"),
        ("meta-data/identity-credentials/ec2/info", "2018-08-17", "2018-03-28"),
        ("dynamic/instance-identity/document", "2009-04-04", "2008-09-01"),
    ],
)
def test_a_path_is_there_from_its_release_on(world: Any, path: str, first: str, last_without: str) -> None:
    assert metadata(world, f"/{first}/{path}").status == 200
    assert metadata(world, f"/{last_without}/{path}").status == 404


def test_credentials_of_a_dated_path_are_the_same_and_are_logged(world: Any) -> None:
    document = metadata(world, "/2018-09-24/meta-data/iam/security-credentials/app").json
    assert document == metadata(world, f"{CREDENTIALS}app").json
    assert caller(world, document) == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/{INSTANCE}"


@pytest.mark.parametrize("text", ["#!/bin/sh\necho ü\n", ""])
def test_user_data(make_world: Any, text: str) -> None:
    """EC2 User Guide: "user data is treated as opaque data: what you give is what you get back"."""
    world = make_world(attached_world(instances=[{"id": INSTANCE, "role": "app", "user_data": text}]))
    for version in ("latest", "1.0", "2021-01-03"):
        answer = metadata(world, f"/{version}/user-data")
        assert (answer.status, answer.text) == (200, text)
        assert answer.headers["content-type"] == "application/octet-stream"
    assert metadata(world, "/latest/").text == "dynamic\nmeta-data\nuser-data"
    assert ask(world, INSTANCE, "/latest/user-data").status == 401


@pytest.mark.parametrize("text", ["x" * 16_385, "ü" * 8_193, "\ud800"])
def test_user_data_that_is_none(text: str) -> None:
    """EC2 User Guide: "User data is limited to 16 KB, in raw form, before it is base64-encoded"."""
    with pytest.raises(BadAttachmentError, match=r"must have at most 16384 bytes|not allowed in text"):
        read_attachment("imds", {"role": "app", "user_data": text})


def test_the_account_is_where_clients_read_it(world: Any) -> None:
    assert metadata(world, "/latest/dynamic/instance-identity/document").json["accountId"] == ACCOUNT
    assert metadata(world, "/latest/meta-data/identity-credentials/ec2/info").json["AccountId"] == ACCOUNT
    mac = metadata(world, "/latest/meta-data/mac").text
    assert metadata(world, f"/latest/meta-data/network/interfaces/macs/{mac}/owner-id").text == ACCOUNT


def test_the_identity_document_is_signed_with_rolecalls_own_certificate(world: Any) -> None:
    document = metadata(world, "/latest/dynamic/instance-identity/document").text
    control = world.application.test_client().get("/_rolecall/instance-identity-certificate")
    certificate = x509.load_pem_x509_certificate(control.data)
    assert "an emulator" in certificate.subject.rfc4514_string()
    key: Any = certificate.public_key()
    raw = base64.b64decode(metadata(world, "/latest/dynamic/instance-identity/signature").text)
    key.verify(raw, document.encode(), padding.PKCS1v15(), SHA256())
    signed = metadata(world, "/latest/dynamic/instance-identity/rsa2048").text
    assert signed == metadata(world, "/latest/dynamic/instance-identity/pkcs7").text
    raw = base64.b64decode(signed)
    assert document.encode() in raw
    assert pkcs7.load_der_pkcs7_certificates(raw) == [certificate]
    assert json.loads(document)["instanceId"] == INSTANCE
    assert max(map(len, signed.splitlines())) == 64


def test_nothing_answers_for_an_instance_that_is_gone(world: Any) -> None:
    assert world._sandbox.attachments.detach(INSTANCE)
    assert ask(world, INSTANCE, "/latest/api/token", "PUT", **{TTL: "60"}).status == 0
    assert not world._sandbox.attachments.detach(INSTANCE)


def test_a_page_of_a_browser_gets_nothing(world: Any) -> None:
    token = metadata_token(world)
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"host": "evil.example"}):
        answer = ask(world, INSTANCE, CREDENTIALS, **{TOKEN: token, **headers})
        assert answer.status == 403
        assert "app" not in answer.text
