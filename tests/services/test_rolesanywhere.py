"""Trust anchors, profiles, revocation lists and tags of IAM Roles Anywhere.

Expected answers: the model of the service, and the IAM Roles Anywhere User Guide. CreateSession is tested in
tests/delivery/test_anywhere_sessions.py.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from anywhere_calls import ACCOUNT, below_root, ec_key, issue, name, revocation_list, root, rsa_key, usage
from botocore.exceptions import ClientError

from rolecall.services.rolesanywhere import profiles, trust_anchors

ROLE = f"arn:aws:iam::{ACCOUNT}:role/app"
ABSENT = "00000000-0000-4000-8000-000000000000"
LIMITED = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "rolesanywhere:*", "Resource": "*"},
        {
            "Effect": "Deny",
            "Action": "rolesanywhere:*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestTag/team": "red"}},
        },
        {
            "Effect": "Deny",
            "Action": "rolesanywhere:*",
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}},
        },
        {
            "Effect": "Deny",
            "Action": "rolesanywhere:UntagResource",
            "Resource": "*",
            "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "fixed"}},
        },
    ],
}


def user(name: str, policy: Any) -> dict[str, Any]:
    return {"name": name, "access_keys": [{"id": f"{name}_key", "secret": name}], "inline_policies": {"own": policy}}


ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": ACCOUNT,
                "users": [user("admin", ALL), user("limited", LIMITED)],
                "roles": [{"name": "app", "trust_policy": TRUST}],
            },
            {"id": "444455556666", "users": [user("stranger", ALL)]},
        ],
    }
)


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def client(world: Any) -> Any:
    return world.client("rolesanywhere")


def source(*authorities: Any) -> dict[str, Any]:
    data = "".join(each.pem for each in authorities)
    return {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": data}}


def anchored(client: Any, **more: Any) -> dict[str, Any]:
    return dict(client.create_trust_anchor(name="anchor", source=source(root()), **more)["trustAnchor"])


def profiled(client: Any, **more: Any) -> dict[str, Any]:
    return dict(client.create_profile(name="profile", roleArns=[ROLE], **more)["profile"])


def imported(client: Any, anchor: dict[str, Any], **more: Any) -> dict[str, Any]:
    wanted = {"name": "list", "crlData": revocation_list(root(), 5), "trustAnchorArn": anchor["trustAnchorArn"]}
    return dict(client.import_crl(**{**wanted, **more})["crl"])


def code(call: Any, **parameters: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    answer: Any = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_a_trust_anchor(client: Any) -> None:
    anchor = anchored(client)
    assert (
        anchor["trustAnchorArn"] == f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:trust-anchor/{anchor['trustAnchorId']}"
    )
    assert (anchor["name"], anchor["enabled"], anchor["source"]) == ("anchor", False, source(root()))
    assert [(each["event"], each["threshold"], each["configuredBy"]) for each in anchor["notificationSettings"]] == [
        ("CA_CERTIFICATE_EXPIRY", 45, "rolesanywhere.amazonaws.com"),
        ("END_ENTITY_CERTIFICATE_EXPIRY", 45, "rolesanywhere.amazonaws.com"),
    ]
    for named in (anchor["trustAnchorId"], anchor["trustAnchorArn"]):
        assert client.get_trust_anchor(trustAnchorId=named)["trustAnchor"] == anchor
    assert client.list_trust_anchors()["trustAnchors"] == [anchor]


def test_a_trust_anchor_changes_and_goes(client: Any, world: Any) -> None:
    anchor, other = anchored(client), anchored(client, enabled=True)
    named = {"trustAnchorId": anchor["trustAnchorId"]}
    world.clock.advance(60)
    changed = client.update_trust_anchor(**named, name="new", source=source(root("Other", 3)))["trustAnchor"]
    assert (changed["name"], changed["source"]) == ("new", source(root("Other", 3)))
    assert changed["updatedAt"] > changed["createdAt"] == anchor["createdAt"]
    assert client.enable_trust_anchor(**named)["trustAnchor"]["enabled"] is True
    assert client.disable_trust_anchor(**named)["trustAnchor"]["enabled"] is False
    assert client.get_trust_anchor(trustAnchorId=other["trustAnchorId"])["trustAnchor"] == other
    assert client.delete_trust_anchor(**named)["trustAnchor"]["name"] == "new"
    calls = client.get_trust_anchor, client.delete_trust_anchor, client.enable_trust_anchor, client.update_trust_anchor
    for call in calls:
        assert code(call, **named) == ("ResourceNotFoundException", 404)


def test_bundles_that_are_not_of_authorities(client: Any) -> None:
    bad = [
        {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": "no certificate"}},
        {"sourceType": "CERTIFICATE_BUNDLE"},
        source(below_root()),
        source(issue(name(CN="weak"), rsa_key(1024), ca=True)),
        source(issue(name(CN="x"), ec_key(9), ca=True, key_usage=usage(digital_signature=True))),
        source(root(), below_root()),
        # The guide: "The key usage MUST include Certificate Sign".
        source(issue(name(CN="x"), ec_key(9), ca=True, with_usage=False)),
        # The guide, "Quotas": two certificates.
        source(root(), root("Other", 3), root("Third", 4)),
    ]
    for each in bad:
        assert code(client.create_trust_anchor, name="a", source=each) == ("ValidationException", 400)
    assert client.list_trust_anchors()["trustAnchors"] == []
    # Recorded by many users.
    with pytest.raises(ClientError, match=r"Incorrect basic constraints for CA certificate$"):
        client.create_trust_anchor(name="a", source=source(below_root()))
    private = {"sourceType": "AWS_ACM_PCA", "sourceData": {"acmPcaArn": "arn:aws:acm-pca:us-east-1:1:x"}}
    assert code(client.create_trust_anchor, name="a", source=private)[1] == 501
    assert code(client.create_trust_anchor, name="a", source=source(root()), crlDpRevocationEnabled=True)[1] == 501


def test_notification_settings(client: Any) -> None:
    named = {"trustAnchorId": anchored(client)["trustAnchorId"]}
    own = {"enabled": False, "event": "CA_CERTIFICATE_EXPIRY", "threshold": 10}
    changed = client.put_notification_settings(**named, notificationSettings=[own])["trustAnchor"]
    found = {each["event"]: each for each in changed["notificationSettings"]}
    assert found["CA_CERTIFICATE_EXPIRY"] == {**own, "channel": "ALL", "configuredBy": ACCOUNT}
    assert found["END_ENTITY_CERTIFICATE_EXPIRY"]["threshold"] == 45
    reset = client.reset_notification_settings(**named, notificationSettingKeys=[{"event": "CA_CERTIFICATE_EXPIRY"}])
    found = {each["event"]: each for each in reset["trustAnchor"]["notificationSettings"]}
    assert (len(found), found["CA_CERTIFICATE_EXPIRY"]["threshold"]) == (2, 45)
    assert client.get_trust_anchor(**named)["trustAnchor"] == reset["trustAnchor"]


def test_a_profile(client: Any, world: Any) -> None:
    profile = profiled(client)
    assert profile["profileArn"] == f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:profile/{profile['profileId']}"
    assert (profile["roleArns"], profile["durationSeconds"], profile["enabled"]) == ([ROLE], 3600, False)
    mappings = {
        each["certificateField"]: [rule["specifier"] for rule in each["mappingRules"]]
        for each in profile["attributeMappings"]
    }
    assert mappings == {"x509Subject": ["*"], "x509Issuer": ["*"], "x509SAN": ["DNS", "URI", "Name/*"]}
    # The guide, "log file entries".
    assert profile["createdBy"] == f"arn:aws:iam::{ACCOUNT}:user/admin"
    named = {"profileId": profile["profileId"]}
    assert client.get_profile(**named)["profile"] == client.list_profiles()["profiles"][0] == profile
    world.clock.advance(60)
    changes = {"durationSeconds": 900, "acceptRoleSessionName": True, "sessionPolicy": json.dumps(ALL)}
    assert {**client.update_profile(**named, **changes)["profile"], "updatedAt": 0} == {
        **profile,
        **changes,
        "updatedAt": 0,
    }
    assert client.enable_profile(**named)["profile"]["enabled"] is True
    assert client.disable_profile(**named)["profile"]["enabled"] is False
    client.delete_profile(**named)
    for call in (client.get_profile, client.delete_profile, client.enable_profile, client.update_profile):
        assert code(call, **named) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    "members",
    [
        {"roleArns": ["arn:aws:iam::444455556666:role/app"]},
        {"sessionPolicy": "{}"},
        {"managedPolicyArns": ["arn:aws:iam::aws:policy/NoSuchPolicy"]},
        {"managedPolicyArns": ["arn:aws:iam::444455556666:policy/Own"]},
        {"durationSeconds": 43_201},
        {"name": "with/slash"},
        {"tags": [{"key": "aws:x", "value": "y"}]},
        {"tags": [{"key": "x", "value": "y"}, {"key": "x", "value": "z"}]},
    ],
)
def test_profiles_that_are_not_valid(world: Any, members: dict[str, Any]) -> None:
    client = world.client("rolesanywhere")
    wanted = {"name": "p", "roleArns": [ROLE], **members}
    assert code(client.create_profile, **wanted) == ("ValidationException", 400)


def test_members_that_are_not_emulated(client: Any) -> None:
    for more in ({"aliasName": "mine"}, {"tipConfiguration": {"status": "ENABLED"}}):
        assert code(client.create_profile, name="p", roleArns=[ROLE], **more)[1] == 501


def test_passing_the_role(client: Any, world: Any) -> None:
    """Service Authorization Reference: CreateProfile, UpdateProfile and EnableProfile depend on iam:PassRole."""
    limited = world.client("rolesanywhere", "limited")
    profile = profiled(client)
    assert code(limited.create_profile, name="p", roleArns=[ROLE]) == ("AccessDeniedException", 403)
    assert "iam:PassRole" in world.outcomes[-1].error.message
    named = {"profileId": profile["profileId"]}
    assert code(limited.update_profile, **named, roleArns=[ROLE])[0] == "AccessDeniedException"
    assert code(limited.enable_profile, **named)[0] == "AccessDeniedException"
    assert limited.disable_profile(**named)["profile"]["enabled"] is False
    assert limited.create_profile(name="p", roleArns=[])["profile"]["roleArns"] == []


def test_attribute_mappings(client: Any) -> None:
    named = {"profileId": profiled(client)["profileId"]}
    field = {"certificateField": "x509Subject"}

    def rules(answer: Any) -> list[str] | None:
        found = {each["certificateField"]: each["mappingRules"] for each in answer["profile"]["attributeMappings"]}
        return [each["specifier"] for each in found["x509Subject"]] if "x509Subject" in found else None

    both = [{"specifier": "CN"}, {"specifier": "OU"}]
    assert rules(client.put_attribute_mapping(**named, **field, mappingRules=both)) == ["CN", "OU"]
    assert rules(client.delete_attribute_mapping(**named, **field, specifiers=["CN"])) == ["OU"]
    three = [{"specifier": each} for each in ("CN", "OU", "O")]
    assert rules(client.put_attribute_mapping(**named, **field, mappingRules=three)) == ["CN", "OU", "O"]
    assert rules(client.delete_attribute_mapping(**named, **field, specifiers=["CN", "O"])) == ["OU"]
    assert rules(client.delete_attribute_mapping(**named, **field)) is None
    assert rules(client.get_profile(**named)) is None
    # The guide: "Both Name and Name/ are equivalent to Name/* and will be displayed as Name/*".
    for written in ("Name", "Name/", "Name/*"):
        shown = client.put_attribute_mapping(
            **named, certificateField="x509SAN", mappingRules=[{"specifier": written}, {"specifier": "URI"}]
        )["profile"]["attributeMappings"]
        assert [{"specifier": "Name/*"}, {"specifier": "URI"}] in [each["mappingRules"] for each in shown]
    assert code(client.put_attribute_mapping, **named, **field, mappingRules=[]) == ("ValidationException", 400)
    assert code(client.put_attribute_mapping, **named, **field, mappingRules=[{"specifier": "a/b"}])[1] == 501
    absent = {"profileId": ABSENT}
    assert code(client.put_attribute_mapping, **absent, **field, mappingRules=both)[0] == "ResourceNotFoundException"


def test_a_revocation_list(client: Any) -> None:
    anchor = anchored(client)
    crl = imported(client, anchor)
    assert crl["crlArn"] == f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:crl/{crl['crlId']}"
    assert (crl["enabled"], crl["trustAnchorArn"]) == (False, anchor["trustAnchorArn"])
    named = {"crlId": crl["crlId"]}
    assert client.get_crl(**named)["crl"] == client.list_crls()["crls"][0] == crl
    assert client.enable_crl(**named)["crl"]["enabled"] is True
    assert client.disable_crl(**named)["crl"]["enabled"] is False
    data = revocation_list(root(), 6)
    assert client.update_crl(**named, name="new", crlData=data)["crl"]["crlData"] == data
    assert client.get_crl(**named)["crl"]["name"] == "new"
    assert client.delete_crl(**named)["crl"]["crlId"] == crl["crlId"]
    for call in (client.get_crl, client.delete_crl, client.enable_crl, client.update_crl):
        assert code(call, **named) == ("ResourceNotFoundException", 404)


def test_revocation_lists_that_are_not_imported(client: Any) -> None:
    anchor = anchored(client)
    arn = anchor["trustAnchorArn"]
    wanted = {"name": "l", "trustAnchorArn": arn}
    for data in (b"no list", b"\xff", root().pem.encode(), revocation_list(root("Root", 2), 5)):
        assert code(client.import_crl, **wanted, crlData=data) == ("ValidationException", 400)
    crl = imported(client, anchor)
    assert (
        code(client.update_crl, crlId=crl["crlId"], crlData=revocation_list(root("Root", 2)))[0]
        == "ValidationException"
    )
    gone = {**wanted, "trustAnchorArn": arn.replace(anchor["trustAnchorId"], ABSENT)}
    assert code(client.import_crl, **gone, crlData=revocation_list(root()))[0] == "ResourceNotFoundException"


def test_quotas(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guide, "Quotas". Which error AWS answers was not recorded."""
    anchor = anchored(client)
    imported(client, anchor)
    imported(client, anchor)
    wanted = {"name": "l", "trustAnchorArn": anchor["trustAnchorArn"], "crlData": revocation_list(root(), 5)}
    assert code(client.import_crl, **wanted) == ("ValidationException", 400)
    imported(client, anchored(client))
    assert (trust_anchors.MAXIMUM_ANCHORS, profiles.MAXIMUM_PROFILES) == (50, 250)
    monkeypatch.setattr(trust_anchors, "MAXIMUM_ANCHORS", 3)
    monkeypatch.setattr(profiles, "MAXIMUM_PROFILES", 1)
    anchored(client)
    assert code(client.create_trust_anchor, name="a", source=source(root())) == ("ValidationException", 400)
    profiled(client)
    assert code(client.create_profile, name="p", roleArns=[ROLE]) == ("ValidationException", 400)


def test_pages(client: Any, world: Any) -> None:
    made = []
    for number in range(5):
        made.append(profiled(client, enabled=number == 4)["profileId"])
        world.clock.advance(1)
    found, sizes, more = [], [], {}
    for _ in range(4):
        answer = client.list_profiles(pageSize=2, **more)
        sizes.append(len(answer["profiles"]))
        found += [each["profileId"] for each in answer["profiles"]]
        if "nextToken" not in answer:
            break
        more = {"nextToken": answer["nextToken"]}
    assert (sizes, found) == ([2, 2, 1], made)
    assert code(client.list_profiles, nextToken=more["nextToken"][:-1]) == ("ValidationException", 400)
    assert code(client.list_trust_anchors, **more) == ("ValidationException", 400)
    assert code(client.list_profiles, pageSize=0) == ("ValidationException", 400)


def test_each_account_and_region_has_its_own(client: Any, world: Any) -> None:
    anchor, profile = anchored(client), profiled(client)
    for other in (world.client("rolesanywhere", "stranger"), world.client("rolesanywhere", region="eu-west-1")):
        assert other.list_trust_anchors()["trustAnchors"] == other.list_profiles()["profiles"] == []
        for named in (anchor["trustAnchorId"], anchor["trustAnchorArn"]):
            assert code(other.get_trust_anchor, trustAnchorId=named)[1] in (403, 404)
        assert code(other.delete_profile, profileId=profile["profileId"]) == ("ResourceNotFoundException", 404)
        assert code(other.tag_resource, resourceArn=profile["profileArn"], tags=[])[1] in (403, 404)


def test_tags(client: Any) -> None:
    anchor = anchored(client, tags=[{"key": "team", "value": "green"}])
    crl = imported(client, anchor, tags=[{"key": "a", "value": "b"}])
    assert client.list_tags_for_resource(resourceArn=crl["crlArn"])["tags"] == [{"key": "a", "value": "b"}]
    named = {"resourceArn": anchor["trustAnchorArn"]}
    client.tag_resource(**named, tags=[{"key": "x", "value": ""}])
    both = [{"key": "team", "value": "green"}, {"key": "x", "value": ""}]
    assert client.list_tags_for_resource(**named)["tags"] == both
    client.untag_resource(**named, tagKeys=["team"])
    assert client.list_tags_for_resource(**named)["tags"] == both[1:]
    many = [{"key": f"k{number}", "value": "v"} for number in range(200)]
    assert code(client.tag_resource, **named, tags=many)[0] == "TooManyTagsException"
    absent = anchor["trustAnchorArn"].replace(anchor["trustAnchorId"], ABSENT)
    assert code(client.list_tags_for_resource, resourceArn=absent) == ("ResourceNotFoundException", 404)
    for arn in ("arn:aws:iam::111122223333:role/app", "x", f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:other/1"):
        assert code(client.list_tags_for_resource, resourceArn=arn) == ("ValidationException", 400)


def test_policies_see_the_tags(client: Any, world: Any) -> None:
    limited = world.client("rolesanywhere", "limited")
    red, blue = [{"key": "team", "value": "red"}], [{"key": "team", "value": "blue"}]
    denied = ("AccessDeniedException", 403)
    assert code(limited.create_trust_anchor, name="a", source=source(root()), tags=red) == denied
    mine = anchored(limited)
    assert code(limited.tag_resource, resourceArn=mine["trustAnchorArn"], tags=red) == denied
    assert code(limited.untag_resource, resourceArn=mine["trustAnchorArn"], tagKeys=["fixed"]) == denied
    client.tag_resource(resourceArn=mine["trustAnchorArn"], tags=blue)
    for named in (mine["trustAnchorId"], mine["trustAnchorArn"]):
        assert code(limited.delete_trust_anchor, trustAnchorId=named) == denied
    client.untag_resource(resourceArn=mine["trustAnchorArn"], tagKeys=["team"])
    assert limited.delete_trust_anchor(trustAnchorId=mine["trustAnchorId"])["trustAnchor"]["name"] == "anchor"


def test_subjects_that_are_not_there(client: Any) -> None:
    assert client.list_subjects()["subjects"] == []
    assert code(client.get_subject, subjectId=ABSENT) == ("ResourceNotFoundException", 404)
