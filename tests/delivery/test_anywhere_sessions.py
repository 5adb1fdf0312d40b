"""CreateSession of IAM Roles Anywhere: sessions of roles for the holders of certificates.

Expected answers: IAM Roles Anywhere User Guide of 2026, "CreateSession API" and "trust model" ("the guide" below).
Recorded messages: aws/rolesanywhere-credential-helper, issues 19, 77, 108 and 128, and notes of users of CreateSession.
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
    mldsa,
    name,
    revocation_list,
    root,
    rsa_key,
    usage,
)
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
from cryptography.x509.oid import NameOID

from rolecall.http import DroppedConnectionError

ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
ALL_THREE = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
DENIED = (403, "AccessDeniedException")
# Recorded: issue 108.
UNTRUSTED = (*DENIED, "Untrusted Signing Certificate")
# Recorded by users whose certificate has no key usage Digital Signature.
INSUFFICIENT = (*DENIED, "Untrusted certificate. Insufficient certificate")
# Recorded: issue 128, for a request that was signed half an hour off.
INVALID_SIGNATURE = (*DENIED, "Invalid signature")
UNABLE = (*DENIED, f"Unable to assume role for {ROLE}.")


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
        self.last: Answer | None = None

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
        self.last = create_session(self.world, Signing(signing) if isinstance(signing, Held) else signing, wanted)
        return self.last

    def ask_again(self) -> Any:
        """The set of credentials in the last answer."""
        assert self.last is not None
        return self.last.body["credentialSet"][0]

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
}
# Certificates that cannot be an end entity's, even from the right authority.
INSUFFICIENT_CERTIFICATES: dict[str, Any] = {
    "an authority itself": lambda: below(root(), ca=True, key_usage=usage(digital_signature=True)),
    "no digital signature": lambda: below(root(), key_usage=usage(key_encipherment=True)),
    "a weak RSA key": lambda: issue(name(CN="app"), rsa_key(1024), root()),
    "a weak curve": lambda: issue(name(CN="app"), ec_key(1, ec.SECP192R1), root()),
    "an unknown critical extension": lambda: below(
        root(), extensions=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),)
    ),
    "an empty subject": lambda: issue(
        x509.Name([]), ec_key(50), root(), extensions=((x509.SubjectAlternativeName([x509.DNSName("a.b")]), True),)
    ),
    "an Edwards curve": lambda: issue(name(CN="app"), ed25519.Ed25519PrivateKey.generate(), root()),
}


@pytest.mark.parametrize("kind", BAD_CERTIFICATES)
def test_certificates_that_are_not_trusted(setting: Setting, kind: str) -> None:
    bad = BAD_CERTIFICATES[kind]()
    assert setting.refused(bad) == UNTRUSTED
    assert setting.client.list_subjects()["subjects"] == []


@pytest.mark.parametrize("kind", INSUFFICIENT_CERTIFICATES)
def test_certificates_that_cannot_sign(setting: Setting, kind: str) -> None:
    held = INSUFFICIENT_CERTIFICATES[kind]()
    # The Edwards curve has no algorithm of its own, so another key signs.
    signing = Signing(held, key=ec_key(50)) if kind == "an Edwards curve" else Signing(held)
    assert setting.refused(signing) == INSUFFICIENT
    assert setting.client.list_subjects()["subjects"] == []


def test_a_certificate_without_basic_constraints(setting: Setting) -> None:
    """The guide: "If the CA field is present in the basic constraints extension, its value MUST be false"."""
    assert setting.ask(below(root(), ca=None)).status == 201


def test_a_certificate_signed_with_sha_1(setting: Setting) -> None:
    old = x509.load_pem_x509_certificate(SIGNED_WITH_SHA1.encode())
    authority = Held(x509.load_pem_x509_certificate(OLD_AUTHORITY.encode()), None)
    anchor = setting.made_anchor(authority)
    assert setting.refused(Held(old, ec_key(50)), trustAnchorArn=anchor["trustAnchorArn"]) == INSUFFICIENT


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
    """The messages were recorded, their error code was not."""
    setting.client.delete_profile(profileId=setting.profile["profileId"])
    assert setting.refused() == (*DENIED, "Invalid or empty profile provided.")
    setting.client.delete_trust_anchor(trustAnchorId=setting.anchor["trustAnchorId"])
    assert setting.refused() == (*DENIED, "Specified Trust Anchor wasn't found.")


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
    assert setting.ask(Signing(below(long[5]), tuple(long[1:6]))).status == 201
    # The guide: "the maximum depth of 5 certificates", though one of them is enough here.
    assert setting.refused(Signing(below(long[1]), tuple(long[1:]))) == UNTRUSTED


def test_an_authority_below_may_lack_a_key_usage(setting: Setting) -> None:
    """RFC 5280, 6.1.4: keyCertSign is required "if a key usage extension is present"."""
    bare = issue(name(CN="CA 1"), ec_key(11), root(), ca=True, with_usage=False)
    assert setting.ask(Signing(below(bare), (bare,))).status == 201


def test_a_chain_that_is_too_large(setting: Setting) -> None:
    large = tuple(
        issue(
            name(CN=f"CA {number}"),
            ec_key(10 + number),
            root(),
            ca=True,
            extensions=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(12_000)), False),),
        )
        for number in range(5)
    )
    assert setting.refused(Signing(leaf(), large)) == UNTRUSTED


def test_a_revoked_certificate(setting: Setting) -> None:
    revoked, other = leaf(), below(root())
    crl = setting.client.import_crl(
        name="r",
        crlData=revocation_list(root(), revoked.serial),
        trustAnchorArn=setting.anchor["trustAnchorArn"],
        enabled=True,
    )["crl"]
    assert setting.refused() == (*DENIED, "Certificate revoked")
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
    assert setting.refused(end) == (*DENIED, "Certificate revoked")


def test_a_list_of_another_key_is_not_imported(setting: Setting) -> None:
    data = revocation_list(other_root(), leaf().serial)
    with pytest.raises(ClientError) as caught:
        setting.client.import_crl(name="r", crlData=data, trustAnchorArn=setting.anchor["trustAnchorArn"])
    assert caught.value.response["Error"]["Code"] == "ValidationException"


BAD_SIGNATURES = {
    "another key": Signing(leaf(), key=ec_key(51)),
    "a key of another type": Signing(leaf(), key=rsa_key()),
    "another padding": Signing(leaf("RSA"), pads=padding.PSS(padding.MGF1(hashes.SHA256()), 32)),
    "an unknown algorithm": Signing(leaf(), algorithm="AWS4-X509-HMAC-SHA256"),
    "a header that cannot be read": Signing(leaf(), sent_headers=(("authorization", "AWS4-X509-RSA-SHA256 x"),)),
    "no certificate": Signing(leaf(), sent_headers=(("x-amz-x509", ""),)),
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
    assert setting.refused(BAD_SIGNATURES[kind]) == INVALID_SIGNATURE
    assert setting.client.list_subjects()["subjects"] == []


def test_fourteen_minutes_are_no_reason(setting: Setting) -> None:
    for minutes in (-14, 14):
        assert setting.ask(Signing(leaf(), moved=timedelta(minutes=minutes))).status == 201


@pytest.mark.parametrize(
    ("signing", "expected"),
    [
        (Signing(leaf(), sent_headers=(("x-amz-x509", "%%%"),)), (403, "AccessDeniedException")),
        (Signing(leaf(), region="eu-west-1"), (400, "ValidationException")),
    ],
)
def test_requests_that_cannot_be_read(setting: Setting, signing: Signing, expected: tuple[int, str]) -> None:
    answer = setting.ask(signing)
    assert (answer.status, answer.code) == expected


@pytest.mark.parametrize(
    ("kind", "code"), [("stale_credentials", "ExpiredToken"), ("wrong_credentials", "SignatureDoesNotMatch")]
)
def test_spoilt_credentials(setting: Setting, kind: str, code: str) -> None:
    setting.world._sandbox.faults.add(kind=kind, service="rolesanywhere", times=1)
    for expected in (code, ""):
        assert setting.ask().status == 201
        given = setting.ask_again()["credentials"]
        credentials = {name[0].upper() + name[1:]: value for name, value in given.items()}
        client = setting.world.client("sts", credentials=credentials)
        if expected:
            with pytest.raises(ClientError, match=expected):
                client.get_caller_identity()
        else:
            assert client.get_caller_identity()["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/app/")


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
        {"instanceProperties": ["a"]},
        {"instanceProperties": {"a": ""}},
        {"instanceProperties": {"a": 1}},
        {"instanceProperties": {f"k{number}": "v" for number in range(51)}},
        {"roleArn": f"{ROLE}\x00"},
        {"profileArn": "\ud800"},
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
        trust(StringEquals={"sts:SourceIdentity": "app"}),
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
        {"StringEquals": {"sts:SourceIdentity": "CN=app"}},
        {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        {"ArnLike": {"aws:SourceArn": f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:trust-anchor/*"}},
    ],
)
def test_the_keys_of_the_trust_policy(make_world: Any, condition: dict[str, Any]) -> None:
    policy = trust(**condition)
    # sts:SourceIdentity is a key of all three actions, as in AWS's example policies.
    assert Setting(make_world, policy).ask().status == 201


def test_a_role_that_the_profile_does_not_have(setting: Setting) -> None:
    """The message was recorded by two users, its error code was not."""
    other = ROLE.replace("/app", "/other")
    assert setting.refused(roleArn=other) == (*DENIED, "Requested Role isn't one of those listed in the Profile.")


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
    assert (made["roleArn"], made["sourceIdentity"]) == (ROLE, "CN=app")
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
    # The role's own maximum is an hour. Recorded by a user.
    message = f"{UNABLE[2]} The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    assert setting.refused(profileArn=too_long) == (*DENIED, message)


def test_the_name_of_the_session(make_world: Any) -> None:
    setting = Setting(make_world)
    # Recorded: issue 19.
    assert setting.refused(roleSessionName="mine") == (*DENIED, "Not authorized to set roleSessionName.")
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


def test_attributes_that_cannot_be_tags(make_world: Any) -> None:
    """The guide: "The service ignores values that do not match this pattern." Recorded with a refusal: issue 77."""
    bad = issue(name(CN="app", OU="a*b"), ec_key(50), root(), names=[x509.DNSName("*.example.com")])
    setting = Setting(make_world)
    assert setting.ask(bad).status == 201
    assert {"x509Subject/CN", "x509Issuer/CN", "x509Issuer/O"} == dict(last_session(setting).tags).keys()
    setting = Setting(make_world, trust(StringEquals={"aws:PrincipalTag/x509Subject/OU": "a*b"}))
    message = (
        f"Unable to assume role for {ROLE}. Some attributes failed to be mapped into session tags. "
        "Issuer: [  ]; Subject: [ OU ]; SAN: [ DNS ]"
    )
    assert setting.refused(bad) == (*DENIED, message)


def last_session(setting: Setting) -> Any:
    """The session that the last answer gave."""
    world = setting.world
    given = setting.ask_again()["credentials"]
    keys = given["accessKeyId"], given["secretAccessKey"], given["sessionToken"]
    world.client("sts", keys=keys).get_caller_identity()
    return world.outcomes[-1].caller.session


def test_fields_with_several_values(setting: Setting) -> None:
    """The guide: "CN=alice, OU=Security, OU=Engineering, OU=Research" becomes "Security/Engineering/Research"."""
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, "alice")]
    subject += [
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, each) for each in ("Security", "Engineering", "Research")
    ]
    alice = [
        x509.NameAttribute(NameOID.COMMON_NAME, "Alice"),
        x509.NameAttribute(x509.ObjectIdentifier("1.2.3"), "odd"),
    ]
    names = [x509.DirectoryName(x509.Name(alice)), x509.DirectoryName(name(CN="second"))]
    held = issue(x509.Name(subject), ec_key(50), root(), names=names)
    assert setting.ask(held).status == 201
    assert dict(last_session(setting).tags) == {
        "x509Subject/CN": "alice",
        "x509Subject/OU": "Security/Engineering/Research",
        "x509Issuer/CN": "Root",
        "x509Issuer/O": "Example",
        "x509SAN/Name/CN": "Alice",
    }
    rules = [{"specifier": "Name/1.2.3"}]
    setting.client.put_attribute_mapping(
        profileId=setting.profile["profileId"], certificateField="x509SAN", mappingRules=rules
    )
    assert setting.ask(held).status == 201
    assert dict(last_session(setting).tags)["x509SAN/Name/1.2.3"] == "odd"


@pytest.mark.parametrize(
    ("common_name", "expected"),
    [
        ("a" * 61, f"CN={'a' * 61}"),
        ("a" * 62, "a" * 62),
        ("a" * 64, "a" * 64),
        ("John Smith", "CN=John Smith"),
        (None, "ID=0123"),
    ],
)
def test_source_identities(setting: Setting, common_name: str | None, expected: str) -> None:
    """The guide, "Source identity rules": "Decimal serial number 291 converts to hex 123, which becomes ID=0123"."""
    subject = name(O="Example") if common_name is None else name(CN=common_name)
    answer = setting.ask(issue(subject, ec_key(50), root(), serial=291))
    assert answer.body["credentialSet"][0]["sourceIdentity"] == expected
    assert last_session(setting).source_identity == expected
    assert setting.ask_again()["assumedRoleUser"]["arn"].endswith("/app/0123")


def test_a_common_name_that_cannot_be_a_source_identity(setting: Setting) -> None:
    assert setting.refused(issue(name(CN="John (EMP1)"), ec_key(50), root())) == UNABLE


def test_the_trust_policy_must_allow_a_source_identity_without_a_common_name(make_world: Any) -> None:
    setting = Setting(make_world, trust("sts:AssumeRole", "sts:TagSession"))
    assert setting.refused(issue(name(O="Example"), ec_key(50), root())) == UNABLE


@pytest.mark.skipif(mldsa is None, reason="this version of cryptography has no ML-DSA")
@pytest.mark.parametrize("size", [44, 65, 87])
def test_ml_dsa(setting: Setting, size: int) -> None:
    """The guide: "ML-DSA keys can be used with ML-DSA-44, ML-DSA-65 or ML-DSA-87", algorithm AWS4-X509-MLDSA."""
    key = getattr(mldsa, f"MLDSA{size}PrivateKey").generate()
    authority = issue(name(CN="Lattice"), key, ca=True)
    held = issue(name(CN="app"), key, authority)
    anchor = setting.made_anchor(authority)["trustAnchorArn"]
    assert setting.ask(held, trustAnchorArn=anchor).status == 201
    other = getattr(mldsa, f"MLDSA{size}PrivateKey").generate()
    assert setting.refused(Signing(held, key=other), trustAnchorArn=anchor) == INVALID_SIGNATURE
    assert setting.refused(Signing(leaf(), algorithm="AWS4-X509-MLDSA")) == INVALID_SIGNATURE


def test_fault_rules(setting: Setting) -> None:
    sandbox = setting.world.application.sandbox
    sandbox.faults.add(service="rolesanywhere", operation="CreateSession", error="ThrottlingException", times=1)
    assert setting.refused()[:2] == (429, "ThrottlingException")
    assert setting.ask().status == 201
    sandbox.faults.replace([{"service": "rolesanywhere", "operation": "CreateSession", "kind": "drop"}])
    with pytest.raises(DroppedConnectionError):
        setting.ask()
    # Only a request that its certificate signed counts.
    assert setting.refused(Signing(leaf(), key=ec_key(51))) == INVALID_SIGNATURE


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


def test_instance_properties(setting: Setting) -> None:
    """awslabs/iam-roles-anywhere-session sends them. The model: requireInstanceProperties is "Unused"."""
    for properties in ({"host": "a"}, {"host": "b"}, None):
        assert setting.ask(instanceProperties=properties).status == 201
    [subject] = setting.client.list_subjects()["subjects"]
    kept = setting.client.get_subject(subjectId=subject["subjectId"])["subject"]["instanceProperties"]
    assert [(each["properties"], each["failed"]) for each in kept] == [({"host": "a"}, False), ({"host": "b"}, False)]


def test_another_account_cannot_name_the_anchor(setting: Setting) -> None:
    foreign = setting.profile["profileArn"].replace(ACCOUNT, "444455556666")
    assert setting.refused(profileArn=foreign)[:2] == (403, "AccessDeniedException")
    both = {"trustAnchorArn": setting.anchor["trustAnchorArn"].replace(ACCOUNT, "444455556666"), "profileArn": foreign}
    assert setting.refused(**both) == (*DENIED, "Specified Trust Anchor wasn't found.")


def test_a_request_with_an_access_key_is_an_ordinary_call(setting: Setting) -> None:
    answer = setting.world.application.test_client().post("/sessions", data=b"{}")
    assert (answer.status_code, answer.headers["x-amzn-ErrorType"]) == (404, "UnknownOperationException")
