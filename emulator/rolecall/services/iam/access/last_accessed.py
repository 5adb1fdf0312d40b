"""Reports about when a user, group, role or policy last used the services that it can use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rolecall.data import service_prefixes
from rolecall.errors import AwsError
from rolecall.services.iam.access.granted import Grants, tracked_actions
from rolecall.services.iam.access.jobs import (
    COMPLETED,
    TRACKING_SECONDS,
    Json,
    accesses_of,
    action_used,
    finished,
    or_failed,
    service_name,
    shown_job,
    start_job,
)
from rolecall.services.iam.access.subjects import Subject, subject_of
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage import gather
from rolecall.storage.last_use import uses_of_keys

NAMESPACE_MESSAGE = "Service namepace {prefix} is either invalid or unsupported."
# AWS was seen to answer 200 services, although the API reference says 100.
DEFAULT_SERVICES = 200
_GENERATE = "GenerateServiceLastAccessedDetails"
_SERVICE_LEVEL, _ACTION_LEVEL = "SERVICE_LEVEL", "ACTION_LEVEL"


class _Use(NamedTuple):
    """One access in a report. ``action`` is in lower case, without its service; empty when it is not known."""

    entity_id: str
    prefix: str
    action: str
    region: str
    at_seconds: int


def _prepared(call: Call, parameters: Parameters) -> Json:
    """The report, from the present policies and the decision log. Raises AwsError as :func:`subject_of` does."""
    subject = subject_of(call, parameters["Arn"])
    return or_failed(lambda: _report(call, subject, parameters.get("Granularity", _SERVICE_LEVEL)))


def _report(call: Call, subject: Subject, granularity: str) -> Json:
    """Raises LogUnavailableError."""
    grants = Grants(subject.policies)
    services = grants.services()
    tracked = {}
    if granularity == _ACTION_LEVEL:
        tracked = {prefix: names for prefix in services if (names := tracked_actions(grants, prefix))}
    reported, entities = set(services), set(subject.entities)
    uses = [use for use in _uses(call) if use.prefix in reported and use.entity_id in entities]
    return {
        "granularity": granularity,
        "services": services,
        "tracked": tracked,
        "entities": list(subject.entities),
        "uses": uses,
    }


def _uses(call: Call) -> list[_Use]:
    """What the log says, and what is kept with access keys, because the log is limited. The newest comes last."""
    found = []
    for access in accesses_of(call, [call.account_id]):
        prefix, _, action = action_used(access).partition(":")
        found.append(_Use(access.entity_id, prefix, action, access.region, int(access.at_seconds)))
    oldest_seconds = call.now_seconds - TRACKING_SECONDS
    for user_id, use in uses_of_keys(call.db, call.account_id):
        if use.at_seconds >= oldest_seconds:
            found.append(_Use(user_id, use.service, "", use.region, int(use.at_seconds)))
    return sorted(found, key=lambda use: use.at_seconds)


@operation("iam", _GENERATE, prepare=_prepared)
def generate_service_last_accessed_details(call: Call, *, Arn: str, Granularity: str = _SERVICE_LEVEL) -> Answer:
    """Start a report. API reference: GenerateServiceLastAccessedDetails.

    Raises AwsError: InvalidInput, AccessDenied, NoSuchEntity.
    """
    del Arn, Granularity  # used before the transaction
    return start_job(call)


@operation("iam", "GetServiceLastAccessedDetails")
def get_service_last_accessed_details(
    call: Call, *, JobId: str, MaxItems: int = DEFAULT_SERVICES, Marker: str | None = None
) -> Answer:
    """The services of a report by namespace, each with its last use. Raises AwsError: NoSuchEntity, ValidationError."""
    job, report = finished(call, JobId, _GENERATE)
    answer = shown_job(job, report)
    if report["status"] != COMPLETED:
        return {**answer, "ServicesLastAccessed": [], "IsTruncated": False, "Error": report["error"]}
    services: list[str] = report["services"]
    shown, rest = page(call, (JobId,), services, str, Marker, MaxItems)
    uses = [_Use(*use) for use in report["uses"]]
    arns = _Arns(call)
    return {
        **answer,
        "JobType": report["granularity"],
        "ServicesLastAccessed": [_shown_service(prefix, report["tracked"], uses, arns) for prefix in shown],
        **rest,
    }


class _Arns:
    """The present ARNs of users and roles by their unique ids, each looked up once."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._known: dict[str, str | None] = {}

    def of(self, entity_id: str) -> str | None:
        if entity_id not in self._known:
            entity = _entity(self._call, entity_id)
            self._known[entity_id] = None if entity is None else entity.arn
        return self._known[entity_id]


def _entity(call: Call, entity_id: str) -> gather.Entity | None:
    return gather.user(call.db, entity_id) or gather.role(call.db, entity_id)


def _shown_service(prefix: str, tracked: Mapping[str, Sequence[str]], uses: Sequence[_Use], arns: _Arns) -> Answer:
    of_service = [use for use in uses if use.prefix == prefix]
    shown: Answer = {
        "ServiceName": service_name(prefix),
        "ServiceNamespace": prefix,
        "TotalAuthenticatedEntities": len({use.entity_id for use in of_service}),
    }
    if of_service:
        newest = of_service[-1]
        shown["LastAuthenticated"] = newest.at_seconds
        shown["LastAuthenticatedEntity"] = arns.of(newest.entity_id)
        shown["LastAuthenticatedRegion"] = newest.region
    if prefix in tracked:
        newest_of = {use.action: use for use in of_service}
        shown["TrackedActionsLastAccessed"] = [
            _shown_action(name, newest_of.get(name.lower()), arns) for name in tracked[prefix]
        ]
    return shown


def _shown_action(name: str, use: _Use | None, arns: _Arns) -> Answer:
    if use is None:
        return {"ActionName": name}
    return {
        "ActionName": name,
        "LastAccessedEntity": arns.of(use.entity_id),
        "LastAccessedTime": use.at_seconds,
        "LastAccessedRegion": use.region,
    }


@operation("iam", "GetServiceLastAccessedDetailsWithEntities")
def get_service_last_accessed_details_with_entities(
    call: Call, *, JobId: str, ServiceNamespace: str, MaxItems: int = DEFAULT_PAGE_ITEMS, Marker: str | None = None
) -> Answer:
    """The users and roles that could use a service, the one with the last use first. Deleted ones are left out.

    Raises AwsError: InvalidInput, NoSuchEntity, ValidationError (marker).
    """
    if ServiceNamespace not in service_prefixes():
        raise AwsError("InvalidInput", NAMESPACE_MESSAGE.format(prefix=ServiceNamespace))
    job, report = finished(call, JobId, _GENERATE)
    answer = shown_job(job, report)
    if report["status"] != COMPLETED:
        return {**answer, "EntityDetailsList": [], "IsTruncated": False, "Error": report["error"]}
    entity_ids = report["entities"] if ServiceNamespace in report["services"] else []
    uses = (_Use(*use) for use in report["uses"])
    newest = {use.entity_id: use.at_seconds for use in uses if use.prefix == ServiceNamespace}
    entities = [entity for each in entity_ids if (entity := _entity(call, each)) is not None]
    entities.sort(key=lambda entity: (-newest.get(entity.entity_id, 0), entity.arn))
    numbered = list(enumerate(_shown_entity(entity, newest.get(entity.entity_id)) for entity in entities))
    shown, rest = page(call, (JobId,), numbered, lambda each: f"{each[0]:07d}", Marker, MaxItems)
    return {**answer, "EntityDetailsList": [details for _, details in shown], **rest}


def _shown_entity(entity: gather.Entity, at_seconds: int | None) -> Answer:
    info = {
        "Arn": entity.arn,
        "Name": entity.name,
        "Type": entity.kind.upper(),
        "Id": entity.entity_id,
        "Path": entity.path,
    }
    return {"EntityInfo": info} if at_seconds is None else {"EntityInfo": info, "LastAuthenticated": at_seconds}
