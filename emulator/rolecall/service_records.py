"""One record for each service, for every room that treats services differently.

No other module compares the names of services. botocore's models also hold protocol, version and names, but reading
them costs time. A test compares the records with the models.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

# The Region of a call that names no other, and the Region of AWS's global endpoints.
DEFAULT_REGION = "us-east-1"

# By service: calls that no model has, because a websocket makes them. Their action is in the table of actions.
SOCKET_OPERATIONS: Mapping[str, str] = MappingProxyType({"chime-sdk-messaging": "Connect"})

# The form of an error's body: ``xml`` is the query protocol's ErrorResponse, ``code`` has Code and Message, ``message``
# has only the member message. ``type`` has __type, Message, and the members of the exception in the model. ``oauth``
# has the member error, with a word of OAuth, and error_description. ``word`` has the member error, with a word of
# Sign-In, and message.
ErrorForm = Literal["xml", "code", "message", "type", "oauth", "word"]
# The rules for operations that some kinds of credentials can never call: see access/credential_rules.py.
CredentialRules = Literal["", "sts", "iam"]


class ServiceRecord(Struct, frozen=True):
    """One service that Rolecall serves.

    - ``action_prefix``: stands before the colon of its IAM actions.
    - ``endpoint_prefix``: begins its host name.
    - ``error_form``: the form of an error's body.
    - ``constraint_code``: the error code for a parameter beyond the model's limits.
    - ``constraint_reasons``: that error has one word for its reason, and a message of its own for each.
    - ``target_prefix``: stands before the operation in the header X-Amz-Target, in the protocol json.
    - ``denied_code``: the error code for a missing permission. Empty: the setting ``chime_denied_as`` decides.
    - ``global_region``: the Region of all calls, for a service with one endpoint for all Regions.
    - ``has_regional_endpoints``: the host name contains a Region, and the sandbox can switch Regions off.
    - ``regions``: the only Regions in which AWS has an endpoint. Empty: every Region has one, or one serves them all.
    - ``credential_rules``: which operations some kinds of credentials can never call.
    - ``answers_are_recorded``: CloudTrail keeps the answers of calls that only read.
    - ``refusals_have_ids``: a refusal ends with an authorization id.
    - ``refusals_name_everything``: a refusal of a call that is about no resource says ``on resource: *``.
    - ``error_namespace``: stands before the error's name, where AWS's answers show it.
    - ``path_prefix``: separates its requests from the requests of a service with the same signing name.
    - ``legacy_host``: a second host name.
    - ``tagged_resources``: a pattern of the last part of an ARN. It shows which service an operation on tags is for,
      because some services share the paths of these operations.
    """

    name: str
    protocol: Literal["query", "rest-json", "json"]
    api_version: str
    signing_name: str
    endpoint_prefix: str
    action_prefix: str
    error_form: ErrorForm
    constraint_code: str = "ValidationError"
    denied_code: str = "AccessDenied"
    global_region: str = ""
    has_regional_endpoints: bool = False
    regions: frozenset[str] = frozenset()
    credential_rules: CredentialRules = ""
    answers_are_recorded: bool = False
    refusals_have_ids: bool = False
    refusals_name_everything: bool = False
    path_prefix: str = ""
    legacy_host: str = ""
    tagged_resources: str = ""
    target_prefix: str = ""
    constraint_reasons: bool = False
    error_namespace: str = ""


def _chime(
    name: str,
    api_version: str,
    endpoint_prefix: str,
    *,
    denied_code: str = "AccessDenied",
    global_region: str = "",
    regions: str = "",
    tagged_resources: str = "",
) -> ServiceRecord:
    return ServiceRecord(
        name,
        "rest-json",
        api_version,
        "chime",
        endpoint_prefix,
        "chime",
        "code",
        constraint_code="BadRequestException",
        denied_code=denied_code,
        global_region=global_region,
        regions=frozenset(regions.split()),
        legacy_host="service.chime.aws.amazon.com" if name == "chime" else "",
        tagged_resources=tagged_resources,
    )


# The order in which they are tried for a request that fits several services.
SERVICE_RECORDS: Mapping[str, ServiceRecord] = MappingProxyType(
    {
        record.name: record
        for record in (
            ServiceRecord(
                "sts",
                "query",
                "2011-06-15",
                "sts",
                "sts",
                "sts",
                "xml",
                has_regional_endpoints=True,
                credential_rules="sts",
                answers_are_recorded=True,
            ),
            ServiceRecord(
                "iam",
                "query",
                "2010-05-08",
                "iam",
                "iam",
                "iam",
                "xml",
                global_region=DEFAULT_REGION,
                credential_rules="iam",
                refusals_have_ids=True,
                refusals_name_everything=True,
            ),
            _chime("chime", "2018-05-01", "chime", denied_code="", global_region=DEFAULT_REGION),
            _chime(
                "chime-sdk-identity",
                "2021-04-20",
                "identity-chime",
                regions="eu-central-1 us-east-1",
                tagged_resources=r"app-instance/[^/]+(?:/(?:user|bot)/.+)?",
            ),
            _chime(
                "chime-sdk-meetings",
                "2021-07-15",
                "meetings-chime",
                regions="af-south-1 ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1"
                " eu-central-1 eu-west-2 il-central-1 us-east-1 us-gov-east-1 us-gov-west-1 us-west-2",
                tagged_resources=r"meeting[/:].+",
            ),
            _chime(
                "chime-sdk-media-pipelines",
                "2021-07-15",
                "media-pipelines-chime",
                regions="ap-northeast-1 ap-northeast-2 ap-south-1 ap-southeast-1 ap-southeast-2 ca-central-1"
                " eu-central-1 eu-west-2 us-east-1 us-west-2",
                tagged_resources=r"media-(?:pipeline|insights-pipeline)[^/]*/.+",
            ),
            _chime(
                "chime-sdk-messaging",
                "2021-05-15",
                "messaging-chime",
                regions="eu-central-1 us-east-1",
                tagged_resources=r"app-instance/[^/]+/channel(?:-flow)?/.+",
            ),
            _chime(
                "chime-sdk-voice",
                "2022-08-03",
                "voice-chime",
                regions="ap-northeast-1 ap-northeast-2 ap-southeast-1 ap-southeast-2 ca-central-1 eu-central-1"
                " eu-west-1 eu-west-2 us-east-1 us-west-2",
                tagged_resources=r"(?:vc|sma|voice-profile-domain|voice-profile)/.+",
            ),
            ServiceRecord(
                "iam-toolbox",
                "rest-json",
                "2018-05-10",
                "iam",
                "iam-toolbox",
                "iam",
                "message",
                credential_rules="iam",
                path_prefix="/authorization-details/",
            ),
            ServiceRecord(
                "organizations",
                "json",
                "2016-11-28",
                "organizations",
                "organizations",
                "organizations",
                "type",
                constraint_code="InvalidInputException",
                global_region=DEFAULT_REGION,
                target_prefix="AWSOrganizationsV20161128",
                constraint_reasons=True,
            ),
            ServiceRecord(
                "eks-auth",
                "rest-json",
                "2023-11-26",
                "eks-auth",
                "eks-auth",
                "eks-auth",
                "message",
                constraint_code="InvalidParameterException",
                denied_code="AccessDeniedException",
            ),
            ServiceRecord(
                "sso-oidc",
                "rest-json",
                "2019-06-10",
                "sso-oauth",
                "oidc",
                "sso-oauth",
                "oauth",
                constraint_code="InvalidRequestException",
                denied_code="AccessDeniedException",
                error_namespace="com.amazonaws.sso.oidc",
            ),
            ServiceRecord(
                "sso",
                "rest-json",
                "2019-06-10",
                "awsssoportal",
                "portal.sso",
                "sso",
                "message",
                constraint_code="InvalidRequestException",
                denied_code="ForbiddenException",
                error_namespace="com.amazonaws.switchboard.portal",
            ),
            ServiceRecord(
                "rolesanywhere",
                "rest-json",
                "2018-05-10",
                "rolesanywhere",
                "rolesanywhere",
                "rolesanywhere",
                "message",
                constraint_code="ValidationException",
                denied_code="AccessDeniedException",
                tagged_resources=r"(?:trust-anchor|profile|crl|subject)/.+",
            ),
            ServiceRecord(
                "signin",
                "rest-json",
                "2023-01-01",
                "signin",
                "signin",
                "signin",
                "word",
                constraint_code="ValidationException",
                denied_code="AccessDeniedException",
            ),
        )
    }
)


def action_prefix(service: str) -> str:
    """The prefix of a service's IAM actions. A service that Rolecall does not serve keeps its own name."""
    record = SERVICE_RECORDS.get(service)
    return service if record is None else record.action_prefix


def action_of(service: str, operation: str) -> str:
    """The IAM action of an operation: ``chime:GetMeeting`` for the service ``chime-sdk-meetings``."""
    return f"{action_prefix(service)}:{operation}"


def requested_region(service: str, region: str) -> str:
    """The Region that a call goes to, for the ``region`` that it is signed for. ``service`` may be an action prefix.

    IAM User Guide, aws:RequestedRegion: calls to a service with a single endpoint go to that endpoint's Region.
    """
    record = SERVICE_RECORDS.get(service)
    return region if record is None else record.global_region or region
