"""IAM Roles Anywhere in the full world: an example of what its operations create, and all answers about it."""

from __future__ import annotations

import json
from typing import Any

from anywhere_calls import Signing, create_session, leaf, revocation_list, root

# Text that is unusual in YAML.
_TAGS = [{"key": "Team", "value": "no"}, {"key": "0777", "value": ""}]


def fill_anywhere(handle: Any) -> None:
    """Call every operation that creates or sets something."""
    client = handle.client("rolesanywhere")
    data = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": root().pem}}
    anchor = client.create_trust_anchor(name="yes", source=data, enabled=True, tags=_TAGS)["trustAnchor"]
    client.put_notification_settings(
        trustAnchorId=anchor["trustAnchorId"],
        notificationSettings=[{"enabled": False, "event": "CA_CERTIFICATE_EXPIRY", "threshold": 10}],
    )
    client.create_trust_anchor(name="0777", source=data)
    arn = anchor["trustAnchorArn"]
    client.import_crl(name="no", crlData=revocation_list(root(), 1), trustAnchorArn=arn, enabled=True, tags=_TAGS)
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "rolesanywhere.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = handle.client("iam").create_role(RoleName="anywhere", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    profile = client.create_profile(
        name="1e5",
        roleArns=[role],
        enabled=True,
        durationSeconds=900,
        acceptRoleSessionName=True,
        requireInstanceProperties=True,
        sessionPolicy=json.dumps(policy),
        managedPolicyArns=["arn:aws:iam::aws:policy/AmazonChimeReadOnly"],
        tags=_TAGS,
    )["profile"]
    rules = [{"specifier": "CN"}]
    client.put_attribute_mapping(profileId=profile["profileId"], certificateField="x509Issuer", mappingRules=rules)
    named = {"profileArn": profile["profileArn"], "roleArn": role, "trustAnchorArn": arn}
    assert create_session(handle, Signing(leaf()), named).status == 201


def ask_anywhere(answers: Any) -> None:
    """Ask for everything that is there."""
    for kind, member in (
        ("trust_anchor", "trustAnchor"),
        ("profile", "profile"),
        ("crl", "crl"),
        ("subject", "subject"),
    ):
        for listed in answers.ask(f"rolesanywhere.list_{kind}s").get(f"{member}s", ()):
            answers.ask(f"rolesanywhere.get_{kind}", **{f"{member}Id": listed[f"{member}Id"]})
            answers.ask("rolesanywhere.list_tags_for_resource", resourceArn=listed[f"{member}Arn"])
