"""SIP media applications, their logging, and their calls (Amazon Chime SDK API reference)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from rolecall.arns import parse_arn
from rolecall.contents.voice import SIP_APPLICATION_REGIONS, new_sip_application
from rolecall.errors import AwsError, bad_request
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE
from rolecall.services.kinds import Kind, kind_with_arn
from rolecall.services.members import Document, Tag
from rolecall.services.numbers import number_in_inventory
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import (
    answer_of,
    change_resource,
    create,
    existing,
    get,
    get_setting,
    keep,
    list_,
    replace_setting,
)
from rolecall.storage import resources
from rolecall.storage.resources import Resource

# How long a call can be updated, by the sandbox's clock. No call is carried, so none hangs up.
CALL_SECONDS = 24 * 3600

SIP_APPLICATION = kind_with_arn(SERVICE, "sip-media-application", "SipMediaApplicationId")
SIP_CALL = Kind(SERVICE, "sip-media-application-call", "TransactionId", parent=SIP_APPLICATION)

get(SIP_APPLICATION, "GetSipMediaApplication")
list_(SIP_APPLICATION, "ListSipMediaApplications")
get_setting(SIP_APPLICATION, "GetSipMediaApplicationLoggingConfiguration")


class AlexaSkills(TypedDict):
    """The configuration that AWS does not take any more."""

    AlexaSkillStatus: str
    AlexaSkillIds: Sequence[str]


class Endpoint(TypedDict, total=False):
    """The Lambda function of an application."""

    LambdaArn: str


@operation(SERVICE, "CreateSipMediaApplication")
def create_sip_media_application(
    call: Call, *, AwsRegion: str, Name: str, Endpoints: Sequence[Endpoint], Tags: Sequence[Tag] = ()
) -> Answer:
    """An application of the endpoint's Region. Rolecall does not call its function."""
    if AwsRegion not in SIP_APPLICATION_REGIONS:
        raise bad_request(f"AwsRegion must be {' or '.join(SIP_APPLICATION_REGIONS)}.")
    application_id = call.ids.uuid()
    arn = SIP_APPLICATION.arn(call, application_id)
    content = new_sip_application(
        application_id, arn, Name, AwsRegion, _checked(Endpoints, AwsRegion), call.now_seconds
    )
    return create(call, SIP_APPLICATION, application_id, content, Tags)


@operation(SERVICE, "UpdateSipMediaApplication")
def update_sip_media_application(
    call: Call, *, SipMediaApplicationId: str, Name: str | None = None, Endpoints: Sequence[Endpoint] | None = None
) -> Answer:
    """What the request leaves out stays as it is."""
    present = existing(call, SIP_APPLICATION, SipMediaApplicationId, locked=True)
    endpoints = None if Endpoints is None else _checked(Endpoints, present.content["AwsRegion"])
    return answer_of(call, change_resource(call, SIP_APPLICATION, present, {"Name": Name, "Endpoints": endpoints}))


@operation(SERVICE, "PutSipMediaApplicationLoggingConfiguration")
def put_logging(
    call: Call, *, SipMediaApplicationId: str, SipMediaApplicationLoggingConfiguration: Document | None = None
) -> Answer:
    """Nothing writes the logs: no call is carried."""
    if SipMediaApplicationLoggingConfiguration is None:
        raise bad_request("SipMediaApplicationLoggingConfiguration must be given.")
    application = existing(call, SIP_APPLICATION, SipMediaApplicationId, locked=True)
    member = "SipMediaApplicationLoggingConfiguration"
    return replace_setting(call, SIP_APPLICATION, application, member, SipMediaApplicationLoggingConfiguration)


@operation(SERVICE, "GetSipMediaApplicationAlexaSkillConfiguration")
def get_alexa_skills(call: Call, *, SipMediaApplicationId: str) -> Answer:
    raise _alexa_ended(existing(call, SIP_APPLICATION, SipMediaApplicationId))


@operation(SERVICE, "PutSipMediaApplicationAlexaSkillConfiguration")
def put_alexa_skills(
    call: Call, *, SipMediaApplicationId: str, SipMediaApplicationAlexaSkillConfiguration: AlexaSkills | None = None
) -> Answer:
    """The configuration is the same to AWS whatever it says."""
    del SipMediaApplicationAlexaSkillConfiguration
    raise _alexa_ended(existing(call, SIP_APPLICATION, SipMediaApplicationId))


@operation(SERVICE, "CreateSipMediaApplicationCall")
def create_sip_media_application_call(
    call: Call,
    *,
    FromPhoneNumber: str,
    ToPhoneNumber: str,
    SipMediaApplicationId: str,
    SipHeaders: Mapping[str, str] | None = None,
    ArgumentsMap: Mapping[str, str] | None = None,
) -> Answer:
    """A call from a number of the caller's inventory. The model has no NotFoundException for it."""
    try:
        application = existing(call, SIP_APPLICATION, SipMediaApplicationId)
        number = number_in_inventory(call, FromPhoneNumber)
    except AwsError as error:
        raise bad_request(error.message) from error
    transaction_id = call.ids.uuid()
    content = {
        "TransactionId": transaction_id,
        "FromPhoneNumber": number.phone_number,
        "ToPhoneNumber": ToPhoneNumber,
        "SipHeaders": dict(SipHeaders or {}),
        "Arguments": dict(ArgumentsMap or {}),
    }
    ends = int(call.now_seconds) + CALL_SECONDS
    keep(call, SIP_CALL, transaction_id, content, parent=application, ends_at_seconds=ends)
    return {"SipMediaApplicationCall": {"TransactionId": transaction_id}}


@operation(SERVICE, "UpdateSipMediaApplicationCall")
def update_sip_media_application_call(
    call: Call, *, SipMediaApplicationId: str, TransactionId: str, Arguments: Mapping[str, str]
) -> Answer:
    """The arguments go to the function of a live call. Raises AwsError NotFoundException for any other call."""
    found = existing(call, SIP_CALL, SipMediaApplicationId, TransactionId, locked=True)
    resources.set_content(call.db, found.key, {**found.content, "Arguments": dict(Arguments)})
    return {"SipMediaApplicationCall": {"TransactionId": found.resource_id}}


def _alexa_ended(application: Resource) -> AwsError:
    """The model: this API is no longer available for use. Its errors have GoneException; AWS's wording is its prose."""
    message = "Due to changes made by the Amazon Alexa service, this API is no longer available for use."
    return AwsError("GoneException", f"{message} {SIP_APPLICATION.noun} {application.resource_id} is not changed.")


def _checked(endpoints: Sequence[Endpoint], aws_region: str) -> list[Endpoint]:
    """API reference, SipMediaApplicationEndpoint: the function is in the Region of the application."""
    for endpoint in endpoints:
        function = parse_arn(endpoint.get("LambdaArn", ""))
        if function is None:
            raise bad_request("Endpoints must have a LambdaArn.")
        if function.region != aws_region:
            raise bad_request(f"LambdaArn must be a function in {aws_region}, the AwsRegion of the application.")
    return list(endpoints)
