"""CreateSession of IAM Roles Anywhere: sessions of roles for the holders of certificates.

Expected answers: IAM Roles Anywhere User Guide, "CreateSession API" and "trust model"; messages that were recorded in
aws/rolesanywhere-credential-helper, issues 77 and 108. The other messages are Rolecall's own.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from anywhere_calls import (
    ACCOUNT,
    Answer,
    Held,
    Signing,
    create_session,
    ec_key,
    issue,
    leaf,
    name,
    revocation_list,
    root,
    rsa_key,
    usage,
)
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
ALL_THREE = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
UNTRUSTED = (403, "AccessDeniedException", "Untrusted Signing Certificate")
UNABLE = (403, "AccessDeniedException", f"Unable to assume role for {ROLE}")


def trust(*actions: str, **condition: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": "rolesanywhere.amazonaws.com"},
        "Action": list(actions or ALL_THREE),
        **({"Condition": condition} if condition else {}),
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


ADMIN = {
    "name": "admin",
    "access_keys": [{"id": "test", "secret": "test"}],
    "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
}
READING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:List*", "Resource": "*"}]}
ROLES = [
    {"name": "app", "trust_policy": trust(), "inline_policies": {"own": READING}},
    {"name": "other", "trust_policy": trust()},
]
DECLARED = json.dumps({"version": 1, "accounts": [{"id": ACCOUNT, "users": [ADMIN], "roles": ROLES}]})
# Made with OpenSSL: an authority, and a certificate that it signed with SHA-1. No library signs one any more.
OLD_AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIBhDCCASmgAwIBAgIUOMpKIvEbV40xWxPu9aoGRT4hQxowCgYIKoZIzj0EAwIw
DjEMMAoGA1UEAwwDT2xkMCAXDTI2MTEyOTEwMTkwM1oYDzIxMDkwMTE4MTAxOTAz
WjAOMQwwCgYDVQQDDANPbGQwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAT1JRVu
pPARJnIMZasynkuO8RdZYKxdT0klm/52WrpmNsE9VOS/fcNGNco/V+yph8DY4DEm
WH7dSixLwCku7zVro2MwYTAdBgNVHQ4EFgQUtHOhPRGDD1iye6HpkfTWy7ez/LUw
HwYDVR0jBBgwFoAUtHOhPRGDD1iye6HpkfTWy7ez/LUwDwYDVR0TAQH/BAUwAwEB
/zAOBgNVHQ8BAf8EBAMCAgQwCgYIKoZIzj0EAwIDSQAwRgIhAMq3/EBEZgy6crzy
+ztF8Jbw/sRiJ4TKPRd1PsSjxoGPAiEA/5llONcictVp7wydOPuiGWJxjNhj3LWi
9zY5bOVLY0U=
-----END CERTIFICATE-----
"""
SIGNED_WITH_SHA1 = """-----BEGIN CERTIFICATE-----
MIIBSTCB8aADAgECAgFNMAkGByqGSM49BAEwDjEMMAoGA1UEAwwDT2xkMCAXDTI2
MTEyOTEwMTkwM1oYDzIxMDkwMTE4MTAxOTAzWjAOMQwwCgYDVQQDDANhcHAwWTAT
BgcqhkjOPQIBBggqhkjOPQMBBwNCAAT1JRVupPARJnIMZasynkuO8RdZYKxdT0kl
m/52WrpmNsE9VOS/fcNGNco/V+yph8DY4DEmWH7dSixLwCku7zVroz8wPTAMBgNV
HRMBAf8EAjAAMA4GA1UdDwEB/wQEAwIHgDAdBgNVHQ4EFgQUtHOhPRGDD1iye6Hp
kfTWy7ez/LUwCQYHKoZIzj0EAQNIADBFAiA2yuHwmKJ7KM/GY7dq3Ss9nG2KtZWV
sdnm9TbuwNw91AIhAN1Zqilu+dHsevfVAxcDD1anWRfpNl5aqRRKlswCw34i
-----END CERTIFICATE-----
"""


class Setting:
    """A sandbox with one trust anchor and one profile, and requests to it."""

    def __init__(self, make_world: Any, policy: dict[str, Any] | None = None, **profile: Any) -> None:
        # Every test has the same declaration, which is then read once.
        self.world = make_world(DECLARED)
        if policy is not None:
            iam = self.world.client("iam")
            iam.update_assume_role_policy(RoleName="app", PolicyDocument=json.dumps(policy))
        self.client = self.world.client("rolesanywhere")
        self.anchor = self.made_anchor(root())
        profile = {"name": "p", "roleArns": [ROLE], "enabled": True, **profile}
        self.profile = self.client.create_profile(**profile)["profile"]

    def made_anchor(self, *authorities: Held) -> Any:
        data = "".join(each.pem for each in authorities)
        source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": data}}
        return self.client.create_trust_anchor(name="a", source=source, enabled=True)["trustAnchor"]

    def ask(self, signing: Signing | Held | None = None, **parameters: Any) -> Answer:
        signing = signing or leaf()
        wanted = {
            "profileArn": self.profile["profileArn"],
            "roleArn": ROLE,
            "trustAnchorArn": self.anchor["trustAnchorArn"],
            **parameters,
        }
        return create_session(self.world, Signing(signing) if isinstance(signing, Held) else signing, wanted)

    def refused(self, signing: Signing | Held | None = None, **parameters: Any) -> tuple[int, str, str]:
        answer = self.ask(signing, **parameters)
        return answer.status, answer.code, answer.body["message"]


@pytest.fixture
def setting(make_world: Any) -> Setting:
    return Setting(make_world)


def other_root() -> Held:
    return root("Root", 2)


def intermediate(number: int, issuer: Held, **traits: Any) -> Held:
    return issue(name(CN=f"CA {number}"), ec_key(10 + number), issuer, **{"ca": True, **traits})


def below(issuer: Held, **traits: Any) -> Held:
    return issue(name(CN="app"), ec_key(50), issuer, **traits)


# Certificates that no anchor must trust. Root 2 has the name of root 1 and another key.
BAD_CERTIFICATES: dict[str, Any] = {
    "signed by itself": lambda: issue(name(CN="app"), ec_key(50)),
    "signed by another authority": lambda: issue(name(CN="app"), ec_key(50), root("Other", 3)),
    "signed by an authority of the same name": lambda: below(other_root()),
    "expired": lambda: below(root(), begins=timedelta(days=-9), ends=timedelta(days=-1)),
    "not valid yet": lambda: below(root(), begins=timedelta(days=1)),
    "an authority itself": lambda: below(root(), ca=True, key_usage=usage(digital_signature=True)),
    "no digital signature": lambda: below(root(), key_usage=usage(key_encipherment=True)),
    "a weak RSA key": lambda: issue(name(CN="app"), rsa_key(1024), root()),
    "a weak curve": lambda: issue(name(CN="app"), ec_key(1, ec.SECP192R1), root()),
    "an unknown critical extension": lambda: below(
        root(), extensions=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)
    ),
}


@pytest.mark.parametrize("kind", BAD_CERTIFICATES)
def test_certificates_that_are_not_trusted(setting: Setting, kind: str) -> None:
    bad = BAD_CERTIFICATES[kind]()
    assert setting.refused(bad) == UNTRUSTED
    assert setting.client.list_subjects()["subjects"] == []


def test_a_certificate_signed_with_sha_1(setting: Setting) -> None:
    old = x509.load_pem_x509_certificate(SIGNED_WITH_SHA1.encode())
    authority = Held(x509.load_pem_x509_certificate(OLD_AUTHORITY.encode()), None)
    anchor = setting.made_anchor(authority)
    assert setting.refused(Held(old, ec_key(50)), trustAnchorArn=anchor["trustAnchorArn"]) == UNTRUSTED


def test_a_certificate_that_expires_by_the_sandboxs_clock(setting: Setting) -> None:
    assert setting.ask().status == 201
    setting.world.clock.advance(366 * 86_400)
    assert setting.refused() == UNTRUSTED


def test_another_anchor(setting: Setting) -> None:
    anchor = setting.made_anchor(root("Other", 3))
    assert setting.refused(trustAnchorArn=anchor["trustAnchorArn"]) == UNTRUSTED


def test_a_disabled_anchor_and_profile(setting: Setting) -> None:
    named = {"trustAnchorId": setting.anchor["trustAnchorId"]}
    setting.client.disable_trust_anchor(**named)
    assert setting.refused()[:2] == (403, "AccessDeniedException")
    setting.client.enable_trust_anchor(**named)
    assert setting.ask().status == 201
    setting.client.disable_profile(profileId=setting.profile["profileId"])
    assert setting.refused()[:2] == (403, "AccessDeniedException")


def test_anchors_and_profiles_that_are_not_there(setting: Setting) -> None:
    setting.client.delete_profile(profileId=setting.profile["profileId"])
    assert setting.refused()[:2] == (404, "ResourceNotFoundException")
    setting.client.delete_trust_anchor(trustAnchorId=setting.anchor["trustAnchorId"])
    assert setting.refused()[:2] == (404, "ResourceNotFoundException")


def test_a_chain(setting: Setting) -> None:
    first = intermediate(1, root())
    second = intermediate(2, first)
    end = below(second)
    assert setting.ask(Signing(end, (first, second))).status == 201
    assert setting.refused(Signing(end, (second,))) == UNTRUSTED
    assert setting.refused(Signing(end)) == UNTRUSTED
    # An authority below the root can be the anchor itself.
    anchor = setting.made_anchor(second)
    assert setting.ask(Signing(end), trustAnchorArn=anchor["trustAnchorArn"]).status == 201


def test_chains_that_break_a_rule(setting: Setting) -> None:
    plain = issue(name(CN="CA 1"), ec_key(11), root())
    assert setting.refused(Signing(below(plain), (plain,))) == UNTRUSTED
    unable = intermediate(1, root(), key_usage=usage(digital_signature=True))
    assert setting.refused(Signing(below(unable), (unable,))) == UNTRUSTED
    expired = intermediate(1, root(), begins=timedelta(days=-9), ends=timedelta(days=-1))
    assert setting.refused(Signing(below(expired), (expired,))) == UNTRUSTED
    short = intermediate(1, root(), path_length=0)
    under = intermediate(2, short)
    assert setting.refused(Signing(below(under), (short, under))) == UNTRUSTED
    assert setting.ask(Signing(below(short), (short,))).status == 201
    long = [root()]
    for number in range(6):
        long.append(intermediate(number, long[-1]))
    assert setting.refused(Signing(below(long[-1]), tuple(long[1:]))) == UNTRUSTED


def test_a_revoked_certificate(setting: Setting) -> None:
    revoked, other = leaf(), below(root())
    crl = setting.client.import_crl(
        name="r",
        crlData=revocation_list(root(), revoked.serial),
        trustAnchorArn=setting.anchor["trustAnchorArn"],
        enabled=True,
    )["crl"]
    assert setting.refused() == (403, "AccessDeniedException", "Certificate revoked")
    assert setting.ask(other).status == 201
    setting.client.disable_crl(crlId=crl["crlId"])
    assert setting.ask().status == 201


def test_a_revoked_authority(setting: Setting) -> None:
    middle = intermediate(1, root())
    end = Signing(below(middle), (middle,))
    assert setting.ask(end).status == 201
    data = revocation_list(root(), middle.serial)
    arn = setting.anchor["trustAnchorArn"]
    setting.client.import_crl(name="r", crlData=data, trustAnchorArn=arn, enabled=True)
    assert setting.refused(end) == (403, "AccessDeniedException", "Certificate revoked")


def test_a_list_of_another_key_is_not_imported(setting: Setting) -> None:
    data = revocation_list(other_root(), leaf().serial)
    with pytest.raises(ClientError) as caught:
        setting.client.import_crl(name="r", crlData=data, trustAnchorArn=setting.anchor["trustAnchorArn"])
    assert caught.value.response["Error"]["Code"] == "ValidationException"


BAD_SIGNATURES = {
    "another key": Signing(leaf(), key=ec_key(51)),
    "a key of another type": Signing(leaf(), key=rsa_key()),
    "the algorithm of another type": Signing(leaf(), algorithm="AWS4-X509-RSA-SHA256"),
    "another body": Signing(leaf(), sent_body=b'{"profileArn": "x"}'),
    "another header": Signing(leaf(), sent_headers=(("content-type", "text/plain"),)),
    "another serial number": Signing(leaf(), scope_serial="1"),
    "another certificate": Signing(leaf(), sent_headers=(("x-amz-x509", below(root()).header),)),
    "sixteen minutes old": Signing(leaf(), moved=timedelta(minutes=-16)),
    "sixteen minutes early": Signing(leaf(), moved=timedelta(minutes=16)),
    "another service": Signing(leaf(), service="sts"),
    "an unsigned chain": Signing(leaf(), sent_headers=(("x-amz-x509-chain", root().header),)),
}


@pytest.mark.parametrize("kind", BAD_SIGNATURES)
def test_signatures_that_do_not_match(setting: Setting, kind: str) -> None:
    answer = setting.ask(BAD_SIGNATURES[kind])
    assert (answer.status, answer.code) == (403, "InvalidSignatureException")
    assert setting.client.list_subjects()["subjects"] == []


def test_fourteen_minutes_are_no_reason(setting: Setting) -> None:
    for minutes in (-14, 14):
        assert setting.ask(Signing(leaf(), moved=timedelta(minutes=minutes))).status == 201


@pytest.mark.parametrize(
    ("signing", "expected"),
    [
        (Signing(leaf(), algorithm="AWS4-X509-HMAC-SHA256"), (403, "IncompleteSignatureException")),
        (
            Signing(leaf(), sent_headers=(("authorization", "AWS4-X509-RSA-SHA256 x"),)),
            (403, "IncompleteSignatureException"),
        ),
        (Signing(leaf(), sent_headers=(("x-amz-x509", "%%%"),)), (403, "AccessDeniedException")),
        (Signing(leaf(), region="eu-west-1"), (400, "ValidationException")),
    ],
)
def test_requests_that_cannot_be_read(setting: Setting, signing: Signing, expected: tuple[int, str]) -> None:
    answer = setting.ask(signing)
    assert (answer.status, answer.code) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"profileArn": None},
        {"roleArn": 1},
        {"trustAnchorArn": "arn:aws:iam::111122223333:role/x"},
        {"durationSeconds": 899},
        {"durationSeconds": 43_201},
        {"durationSeconds": True},
        {"roleSessionName": 1},
        {"cert": "MIIB"},
    ],
)
def test_parameters_that_are_not_valid(setting: Setting, parameters: dict[str, Any]) -> None:
    assert setting.refused(**parameters)[:2] == (400, "ValidationException")


@pytest.mark.parametrize(
    "policy",
    [
        trust("sts:AssumeRole"),
        trust("sts:AssumeRole", "sts:TagSession"),
        trust("sts:AssumeRole", "sts:SetSourceIdentity"),
        trust(StringEquals={"aws:PrincipalTag/x509Subject/CN": "other"}),
        trust(StringEquals={"aws:PrincipalTag/x509Issuer/CN": "other"}),
        trust(StringEquals={"aws:PrincipalTag/x509SAN/DNS": "b.example.com"}),
        trust(StringEquals={"sts:SourceIdentity": "other"}),
        trust(StringEquals={"aws:SourceAccount": "444455556666"}),
        trust(ArnEquals={"aws:SourceArn": f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:trust-anchor/other"}),
    ],
)
def test_the_trust_policy_refuses(make_world: Any, policy: dict[str, Any]) -> None:
    setting = Setting(make_world, policy)
    assert setting.refused() == UNABLE
    outcome = setting.world.outcomes[-1]
    assert (outcome.service, outcome.operation) == ("rolesanywhere", "CreateSession")
    assert outcome.decisions[-1].allowed is False
    [subject] = setting.client.list_subjects()["subjects"]
    seen = setting.client.get_subject(subjectId=subject["subjectId"])["subject"]["credentials"]
    assert [each["failed"] for each in seen] == [True]


def test_the_trust_policy_of_another_service(make_world: Any) -> None:
    policy = trust()
    policy["Statement"][0]["Principal"] = {"Service": "ec2.amazonaws.com"}
    assert Setting(make_world, policy).refused() == UNABLE


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "app", "aws:PrincipalTag/x509Subject/OU": "Shop"}},
        {"StringEquals": {"aws:PrincipalTag/x509Issuer/CN": "Root", "aws:PrincipalTag/x509Issuer/O": "Example"}},
        {"StringEquals": {"aws:PrincipalTag/x509SAN/DNS": "app.example.com"}},
        {"StringEquals": {"aws:PrincipalTag/x509SAN/URI": "spiffe://x/app"}},
        {"StringEquals": {"aws:RequestTag/x509Subject/CN": "app"}},
        {"StringEquals": {"sts:SourceIdentity": "app"}},
        {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        {"ArnLike": {"aws:SourceArn": f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:trust-anchor/*"}},
    ],
)
def test_the_keys_of_the_trust_policy(make_world: Any, condition: dict[str, Any]) -> None:
    policy = trust(**condition)
    # sts:SourceIdentity is a key of all three actions, as in AWS's example policies.
    assert Setting(make_world, policy).ask().status == 201


def test_a_role_that_the_profile_does_not_have(setting: Setting) -> None:
    other = ROLE.replace("/app", "/other")
    assert setting.refused(roleArn=other) == (403, "AccessDeniedException", f"Unable to assume role for {other}")


def test_a_role_that_does_not_exist(make_world: Any) -> None:
    gone = ROLE.replace("/app", "/gone")
    setting = Setting(make_world, roleArns=[gone])
    assert setting.refused(roleArn=gone)[:2] == (403, "AccessDeniedException")


@pytest.mark.parametrize("kind", ["RSA", "EC"])
def test_a_session(setting: Setting, kind: str) -> None:
    held = leaf(kind)
    answer = setting.ask(held, cert=held.header, durationSeconds=900)
    assert answer.status == 201
    [made] = answer.body["credentialSet"]
    given = made["credentials"]
    keys = given["accessKeyId"], given["secretAccessKey"], given["sessionToken"]
    identity = setting.world.client("sts", keys=keys).get_caller_identity()
    digits = f"{held.serial:x}"
    session_name = digits.zfill(len(digits) + len(digits) % 2)
    assert identity["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/app/{session_name}"
    assert made["assumedRoleUser"] == {"arn": identity["Arn"], "assumedRoleId": identity["UserId"]}
    assert (made["roleArn"], made["sourceIdentity"]) == (ROLE, "app")
    assert 0 < made["packedPolicySize"] <= 100
    session = setting.world.outcomes[-1].caller.session
    assert dict(session.tags) == {
        "x509Subject/CN": "app",
        "x509Subject/OU": "Shop",
        "x509Issuer/CN": "Root",
        "x509Issuer/O": "Example",
        "x509SAN/DNS": "app.example.com",
        "x509SAN/URI": "spiffe://x/app",
    }
    iam = setting.world.client("iam", keys=keys)
    assert {each["RoleName"] for each in iam.list_roles()["Roles"]} == {"app", "other"}
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.get_role(RoleName="app")
    setting.world.clock.advance(901)
    with pytest.raises(ClientError, match="Expired"):
        iam.list_roles()


def test_the_arns_in_the_query(setting: Setting) -> None:
    """Older versions of the helper send them there."""
    query = f"profileArn={setting.profile['profileArn']}".replace(":", "%3A").replace("/", "%2F")
    assert setting.ask(Signing(leaf(), query=query), profileArn=None).status == 201
    assert setting.refused(Signing(leaf(), query=query), profileArn="other")[1] == "ValidationException"


def test_the_profile_limits_the_session(make_world: Any) -> None:
    nothing = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}]}
    for limit in (
        {"sessionPolicy": json.dumps(nothing)},
        {"managedPolicyArns": ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]},
    ):
        setting = Setting(make_world, **limit)
        given = setting.ask().body["credentialSet"][0]["credentials"]
        keys = given["accessKeyId"], given["secretAccessKey"], given["sessionToken"]
        with pytest.raises(ClientError, match="AccessDenied"):
            setting.world.client("iam", keys=keys).list_roles()


def test_the_duration(make_world: Any) -> None:
    setting = Setting(make_world, durationSeconds=1800)
    longer = {"name": "longer", "roleArns": [ROLE], "enabled": True, "durationSeconds": 7200}
    too_long = setting.client.create_profile(**longer)["profile"]["profileArn"]
    now = int(setting.world.clock.now_seconds())

    def seconds(**asked: Any) -> int:
        given = setting.ask(**asked).body["credentialSet"][0]["credentials"]
        keys = given["accessKeyId"], given["secretAccessKey"], given["sessionToken"]
        setting.world.client("sts", keys=keys).get_caller_identity()
        return int(setting.world.outcomes[-1].caller.session.expires_at_seconds) - now

    assert [
        abs(seconds(**asked) - expected) <= 60
        for asked, expected in (({}, 1800), ({"durationSeconds": 900}, 900), ({"durationSeconds": 3600}, 1800))
    ] == [True, True, True]
    # The role's own maximum is an hour.
    assert setting.refused(profileArn=too_long)[:2] == (400, "ValidationException")


def test_the_name_of_the_session(make_world: Any) -> None:
    setting = Setting(make_world)
    assert setting.refused(roleSessionName="mine")[:2] == (403, "AccessDeniedException")
    setting = Setting(make_world, acceptRoleSessionName=True)
    arn = setting.ask(roleSessionName="mine").body["credentialSet"][0]["assumedRoleUser"]["arn"]
    assert arn.endswith("/app/mine")
    assert setting.refused(roleSessionName="not a name")[:2] == (400, "ValidationException")


def test_attributes_that_are_not_mapped_are_not_in_the_trust_policy(make_world: Any) -> None:
    setting = Setting(make_world, trust(StringEquals={"aws:PrincipalTag/x509Subject/CN": "app"}))
    profile = {"profileId": setting.profile["profileId"]}
    rules = [{"specifier": "OU"}]
    setting.client.put_attribute_mapping(**profile, certificateField="x509Subject", mappingRules=rules)
    assert setting.refused() == UNABLE
    rules = [{"specifier": "CN"}]
    setting.client.put_attribute_mapping(**profile, certificateField="x509Subject", mappingRules=rules)
    assert setting.ask().status == 201


def test_attributes_that_cannot_be_tags(setting: Setting) -> None:
    bad = issue(name(CN="app", OU="a*b"), ec_key(50), root())
    message = (
        f"Unable to assume role for {ROLE}. Some attributes failed to be mapped into session tags. "
        "Issuer: [  ]; Subject: [ OU ]; SAN: [  ]"
    )
    assert setting.refused(bad) == (403, "AccessDeniedException", message)


def test_subjects(setting: Setting) -> None:
    first = setting.ask().body["subjectArn"]
    assert setting.ask().body["subjectArn"] == first
    assert setting.ask(below(root())).body["subjectArn"] != first
    listed = setting.client.list_subjects()["subjects"]
    assert {each["x509Subject"] for each in listed} == {"CN=app", "OU=Shop,CN=app"}
    [mine] = [each for each in listed if each["subjectArn"] == first]
    [seen] = setting.client.get_subject(subjectId=mine["subjectId"])["subject"]["credentials"]
    assert (seen["serialNumber"], seen["failed"], seen["enabled"]) == (str(leaf().serial), False, True)
    assert (seen["issuer"], seen["x509CertificateData"]) == ("O=Example,CN=Root", leaf().pem)


def test_another_account_cannot_name_the_anchor(setting: Setting) -> None:
    foreign = setting.profile["profileArn"].replace(ACCOUNT, "444455556666")
    assert setting.refused(profileArn=foreign)[:2] == (403, "AccessDeniedException")
    both = {"trustAnchorArn": setting.anchor["trustAnchorArn"].replace(ACCOUNT, "444455556666"), "profileArn": foreign}
    assert setting.refused(**both)[:2] == (404, "ResourceNotFoundException")


def test_a_request_with_an_access_key_is_an_ordinary_call(setting: Setting) -> None:
    answer = setting.world.application.test_client().post("/sessions", data=b"{}")
    assert answer.status_code == 403
