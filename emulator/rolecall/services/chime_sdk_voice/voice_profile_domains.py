"""Domains of voice profiles (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.access.permission import Permission
from rolecall.arns import parse_arn
from rolecall.errors import bad_request
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE
from rolecall.services.kinds import Kind, kind_with_arn, shown
from rolecall.services.members import Tag
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.services.verbs import delete, get, keep, list_, made_with_token, update

DOMAIN = kind_with_arn(SERVICE, "voice-profile-domain", "VoiceProfileDomainId")
# Service Authorization Reference: policies name a profile by its ARN, but it takes no tags.
PROFILE = Kind(SERVICE, "voice-profile", "VoiceProfileId", parent=DOMAIN, is_named_alone=True)

get(DOMAIN, "GetVoiceProfileDomain")
# The summaries of the model lack the key.
list_(DOMAIN, "ListVoiceProfileDomains")
update(DOMAIN, "UpdateVoiceProfileDomain")
delete(DOMAIN, "DeleteVoiceProfileDomain")


class Encryption(TypedDict):
    """The key that encrypts what a domain has."""

    KmsKeyArn: str


def _permissions_to_create(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Service Authorization Reference: the caller also needs two actions on the key."""
    key = parameters["ServerSideEncryptionConfiguration"]["KmsKeyArn"]
    own = table_permissions(call, parameters)
    return (*own, Permission("kms:CreateGrant", key), Permission("kms:DescribeKey", key))


@operation(SERVICE, "CreateVoiceProfileDomain", permissions=_permissions_to_create)
def create_voice_profile_domain(
    call: Call,
    *,
    Name: str,
    ServerSideEncryptionConfiguration: Encryption,
    Description: str | None = None,
    ClientRequestToken: str | None = None,
    Tags: Sequence[Tag] = (),
) -> Answer:
    """The same token answers the domain that it made. The key is not looked up, because Rolecall has no KMS."""
    parsed = parse_arn(ServerSideEncryptionConfiguration["KmsKeyArn"])
    if parsed is None or parsed.service != "kms":
        raise bad_request("KmsKeyArn must be the ARN of a key of AWS KMS.")
    key = {"ServerSideEncryptionConfiguration": dict(ServerSideEncryptionConfiguration)}
    known = None if ClientRequestToken is None else made_with_token(call, DOMAIN, ClientRequestToken, key)
    if known is None:
        domain_id = call.ids.uuid()
        content = {
            "VoiceProfileDomainId": domain_id,
            "VoiceProfileDomainArn": DOMAIN.arn(call, domain_id),
            "Name": Name,
            **({} if Description is None else {"Description": Description}),
            **key,
            "CreatedTimestamp": call.now_seconds,
            "UpdatedTimestamp": call.now_seconds,
        }
        known = keep(call, DOMAIN, domain_id, content, Tags, create_token=ClientRequestToken)
    return {"VoiceProfileDomain": shown(call, "VoiceProfileDomain", known.content)}
