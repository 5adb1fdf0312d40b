"""The decision log in CloudTrail's record format (AWS CloudTrail User Guide, CloudTrail record contents).

AWS has no field for the decision itself. It is in ``additionalEventData``, whose content each service defines.
"""

from __future__ import annotations

import json
from typing import Any

from rolecall.arns import parse_arn
from rolecall.call_log.outcomes import SIGN_IN_EVENTS, SIGN_IN_SERVICE
from rolecall.call_log.shown import call_as_json
from rolecall.clock import iso8601
from rolecall.data import actions
from rolecall.ids import event_id
from rolecall.service_records import DEFAULT_REGION, SERVICE_RECORDS, requested_region
from rolecall.storage.decision_log import LoggedCall

Json = dict[str, Any]

EVENT_VERSION = "1.11"
# CloudTrail User Guide, CloudTrail userIdentity element.
_IDENTITY_TYPES = {
    "Account": "Root",
    "User": "IAMUser",
    "AssumedRole": "AssumedRole",
    "FederatedUser": "FederatedUser",
    "WebIdentityUser": "WebIdentityUser",
    "SAMLUser": "SAMLUser",
    "Service": "AWSService",
}
_PROVEN_BY_OTHERS = ("WebIdentityUser", "SAMLUser")
_NAMED_TYPES = ("IAMUser", "WebIdentityUser", "SAMLUser")
# Callers of these operations prove themselves by a parameter. They have this type even if the proof fails.
_UNSIGNED_TYPES = {"AssumeRoleWithWebIdentity": "WebIdentityUser", "AssumeRoleWithSAML": "SAMLUser"}
# IAM User Guide, Logging IAM and AWS STS API calls with AWS CloudTrail: all other operations of STS are read-only.
_WRITING = {"sts": frozenset({"AssumeRoot", "GetFederationToken", "GetSessionToken"})}
# Operations with which a principal of another account gets a role or root session. Both accounts then have a record.
_ACROSS_ACCOUNTS = frozenset({("sts", "AssumeRole"), ("sts", "AssumeRoot")})
_DIRECTORY_USER = "IdentityCenterUser"
_NOBODY = {"type": "Anonymous"}
_READING_LEVELS = ("Read", "List")
_READING_PREFIXES = ("Get", "List", "Describe", "Search", "Simulate")
# Types of ``iam`` and ``sts`` resources, in CloudFormation's names, which CloudTrail uses.
_RESOURCE_TYPES = {
    "user": "AWS::IAM::User",
    "role": "AWS::IAM::Role",
    "group": "AWS::IAM::Group",
    "policy": "AWS::IAM::ManagedPolicy",
    "saml-provider": "AWS::IAM::SAMLProvider",
    "oidc-provider": "AWS::IAM::OIDCProvider",
}


def cloudtrail_records(call: LoggedCall) -> list[Json]:
    """A call as CloudTrail records it: once, or also in the account of the role that a caller from elsewhere got.

    The other account has no record of a denied request (IAM User Guide, Logging IAM and AWS STS API calls).
    """
    record = cloudtrail_record(call)
    other_account_id = _other_account(call)
    if not other_account_id:
        return [record]
    shared = {"sharedEventID": event_id(f"{call.request_id} shared")}
    identity = record["userIdentity"]
    known = {name: identity[name] for name in ("principalId", "accountId") if name in identity}
    of_other = {
        "userIdentity": {"type": "AWSAccount", **known},
        "eventID": event_id(f"{call.request_id} {other_account_id}"),
        "recipientAccountId": other_account_id,
    }
    return [{**record, **shared}, {**record, **of_other, **shared}]


def _other_account(call: LoggedCall) -> str:
    """The account whose role a principal of another account got; empty when there is none."""
    if (call.service, call.operation) not in _ACROSS_ACCOUNTS or call.error_code:
        return ""
    decisions = json.loads(call.decisions)
    arn = parse_arn(decisions[-1]["resource"]) if decisions else None
    return "" if arn is None or arn.account_id == call.account_id else arn.account_id


def cloudtrail_record(call: LoggedCall) -> Json:
    """One call as CloudTrail records it. Members that do not apply are left out, as on AWS."""
    if call.service == SIGN_IN_SERVICE and call.operation in SIGN_IN_EVENTS:
        return _sign_in_record(call)
    prefix = service_prefix(call)
    error = {"errorCode": call.error_name or call.error_code, "errorMessage": call.message} if call.error_code else {}
    parameters = json.loads(call.parameters) if call.parameters else None
    resources = _resources(call, parameters or {})
    read_only = is_read_only(prefix, call.operation)
    answered = call.answer and (not read_only or _answers_are_recorded(call.service))
    return {
        "eventVersion": EVENT_VERSION,
        "userIdentity": user_identity(call),
        "eventTime": iso8601(call.at_seconds),
        "eventSource": f"{prefix}.amazonaws.com",
        "eventName": call.operation or None,
        "awsRegion": requested_region(call.service, call.region) or DEFAULT_REGION,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
        **error,
        "requestParameters": parameters,
        "responseElements": json.loads(call.answer) if answered else None,
        "additionalEventData": _additional(call),
        "requestID": call.request_id,
        "eventID": event_id(call.request_id),
        "readOnly": read_only,
        **({"resources": resources} if resources else {}),
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.account_id or _account_of(parameters or {}) or None,
        "eventCategory": "Management",
    }


def _sign_in_record(call: LoggedCall) -> Json:
    """A sign-in: an event that is not an API call (CloudTrail User Guide, AWS Management Console sign-in events)."""
    session = json.loads(call.session) if call.session else {}
    destination = json.loads(call.parameters).get("loginTo", "") if call.parameters else ""
    return {
        "eventVersion": EVENT_VERSION,
        "userIdentity": user_identity(call),
        "eventTime": iso8601(call.at_seconds),
        "eventSource": f"{SIGN_IN_SERVICE}.amazonaws.com",
        "eventName": call.operation,
        "awsRegion": DEFAULT_REGION,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent,
        **({"errorMessage": call.message} if call.error_code else {}),
        "requestParameters": None,
        "responseElements": {call.operation: "Failure" if call.error_code else "Success"},
        "additionalEventData": {
            **({"LoginTo": destination} if destination else {}),
            "MobileVersion": "No",
            "MFAUsed": "Yes" if "mfa_authenticated_at_seconds" in session else "No",
        },
        "requestID": call.request_id,
        "eventID": event_id(call.request_id),
        "readOnly": False,
        "eventType": "AwsConsoleSignIn",
        "managementEvent": True,
        "recipientAccountId": call.account_id or None,
        "eventCategory": "Management",
    }


def _answers_are_recorded(service: str) -> bool:
    record = SERVICE_RECORDS.get(service)
    return record is not None and record.answers_are_recorded


def _account_of(parameters: Json) -> str:
    """The account of the role that an unauthenticated caller asked for."""
    arn = parse_arn(parameters.get("roleArn", ""))
    return "" if arn is None else arn.account_id


def service_prefix(call: LoggedCall) -> str:
    """The prefix of the service's actions: ``chime`` also for the Chime SDK services."""
    record = SERVICE_RECORDS.get(call.service)
    if record is not None:
        return record.action_prefix
    return call.actions[1:].partition(":")[0] or call.service or "unknown"


def is_read_only(prefix: str, operation: str) -> bool:
    """By the access level of the action. For STS, AWS names the operations."""
    if prefix in _WRITING:
        return operation not in _WRITING[prefix]
    try:
        action = actions(prefix).get(operation.lower())
    except KeyError:
        action = None
    if action is None:
        return operation.startswith(_READING_PREFIXES)
    return action.access_level in _READING_LEVELS


def user_identity(call: LoggedCall) -> Json:
    """The element ``userIdentity``. For an unauthenticated caller it holds only the key that the request claims."""
    identity = json.loads(call.identity) if call.identity else _NOBODY
    if identity["type"] == "Anonymous":
        kind = _UNSIGNED_TYPES.get(call.operation, "Unknown")
        return {"type": kind, **({"accessKeyId": call.access_key_id} if call.access_key_id else {})}
    if identity["type"] == _DIRECTORY_USER:
        # CloudTrail User Guide, userIdentity element: the user has no ARN. Its id is in onBehalfOf.
        return {"type": _DIRECTORY_USER, "onBehalfOf": {"userId": identity["user_id"]}}
    kind = _UNSIGNED_TYPES.get(call.operation) or _IDENTITY_TYPES.get(identity["type"], "Unknown")
    shown = {
        "type": kind,
        "principalId": identity["user_id"],
        "arn": call.principal,
        "accountId": call.account_id,
        "accessKeyId": call.access_key_id,
    }
    if kind in _NAMED_TYPES:
        shown["userName"] = identity["name"]
    if kind in _PROVEN_BY_OTHERS:
        # A principal from an identity provider has no ARN and no account. The log names it by its principal id.
        shown["arn"] = shown["accountId"] = ""
        shown["identityProvider"] = _identity_provider(kind, identity)
    shown = {name: value for name, value in shown.items() if value}
    if call.session:
        shown["sessionContext"] = _session_context(call, kind, identity, json.loads(call.session))
    return shown


def _identity_provider(kind: str, identity: Json) -> str:
    """The provider of a web identity. For SAML, the name qualifier: the principal's id begins with it."""
    qualified: str = identity["user_id"] if kind == "SAMLUser" else identity["entity_id"]
    return qualified.removesuffix(f":{identity['name']}") if kind == "SAMLUser" else qualified


def _session_context(call: LoggedCall, kind: str, identity: Json, session: Json) -> Json:
    issuer = _session_issuer(call, kind, identity, session)
    of_web_identity = session["type"] == "AssumeRoleWithWebIdentity"
    provider = session.get("federated_provider", "") if of_web_identity else ""
    attributes = session.get("federated_attributes", {})
    source_identity = session.get("source_identity", "")
    return {
        **({"sessionIssuer": issuer} if issuer else {}),
        **({"webIdFederationData": {"federatedProvider": provider, "attributes": attributes}} if provider else {}),
        "attributes": {
            "creationDate": iso8601(session["issued_at_seconds"]),
            "mfaAuthenticated": "true" if "mfa_authenticated_at_seconds" in session else "false",
        },
        **({"sourceIdentity": source_identity} if source_identity else {}),
        # Sign-In User Guide, "Monitoring OAuth activity".
        **({"signInSessionArn": session["sign_in_session"]} if "sign_in_session" in session else {}),
        **({"assumedRoot": "true"} if session["type"] == "AssumeRoot" else {}),
    }


def _session_issuer(call: LoggedCall, kind: str, identity: Json, session: Json) -> Json:
    """The role of a role session, or the user or root user behind a federated session."""
    if kind == "AssumedRole":
        issuer, arn, name = "Role", call.principal_arn, identity["name"]
    elif kind == "FederatedUser":
        # Only the user itself can have asked, because sessions may not call GetFederationToken.
        arn = session["chain"][-1] if "chain" in session else ""
        name = arn.rpartition("/")[2] if "/" in arn else ""
        issuer = "IAMUser" if name else "Root"
    else:
        return {}
    shown = {
        "type": issuer,
        "principalId": identity["entity_id"],
        "arn": arn,
        "accountId": call.account_id,
        "userName": name,
    }
    return {member: value for member, value in shown.items() if value}


def _resources(call: LoggedCall, parameters: Json) -> list[Json]:
    """The ARNs in the permission checks, each once, and the provider of a SAML assertion."""
    arns = dict.fromkeys(decision["resource"] for decision in json.loads(call.decisions))
    if call.operation == "AssumeRoleWithSAML" and arns and "principalArn" in parameters:
        arns[parameters["principalArn"]] = None
    found = []
    for text in arns:
        arn = parse_arn(text)
        if arn is not None:
            kind = _RESOURCE_TYPES.get(arn.resource_type)
            shown = {"ARN": text, "accountId": arn.account_id, "type": kind}
            found.append({member: value for member, value in shown.items() if value})
    return found


def _additional(call: LoggedCall) -> Json:
    shown = call_as_json(call)
    session = shown["session"] or {}
    return {
        "outcome": shown["outcome"],
        "layer": shown["layer"],
        **({"layerName": shown["layer_name"]} if shown["layer"] == "scope-down" else {}),
        "statement": shown["statement"],
        "actions": shown["actions"],
        "sessionChain": session.get("chain", []),
        **({"scopedPoliciesCount": session["scope_down_policies"]} if "scope_down_policies" in session else {}),
        "latencySeconds": shown["latency_seconds"],
        **_cross_partition(json.loads(call.identity) if call.identity else {}),
    }


def _cross_partition(identity: Json) -> Json:
    """IAM User Guide, Auditing cross-partition identity federation."""
    if "source_principal_arn" not in identity:
        return {}
    source = {"sourcePrincipalArn": identity["source_principal_arn"], "sourceRegion": identity["source_region"]}
    return {"crossPartitionData": source}
