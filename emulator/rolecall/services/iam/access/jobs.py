"""The jobs behind reports of last accesses. A report is made while its job is asked for, so a job is never in progress.

Only the user who asked may read a report, or the same session of a role.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from rolecall.data import service_names
from rolecall.errors import AwsError
from rolecall.service_records import action_of
from rolecall.services.registry import Answer, Call
from rolecall.storage.access_reports import AccessReport, access_report_by_job, add_access_report
from rolecall.storage.decision_log import Access, LogUnavailableError

Json = dict[str, Any]
COMPLETED, FAILED = "COMPLETED", "FAILED"
# API reference, GenerateServiceLastAccessedDetails: "IAM reports activity for at least the last 400 days."
TRACKING_SECONDS = 400 * 86_400
# AWS's wording of these three was not recorded.
NOT_FOUND_MESSAGE = "Job with id {job_id} cannot be found."
_ABBREVIATION = re.compile(r" \([A-Z0-9]+\)$")
LOG_CODE = "SERVICE_ERROR"
LOG_MESSAGE = "The decision log cannot be read."


def accesses_of(call: Call, account_ids: Sequence[str]) -> list[Access]:
    """The last accesses in the tracking period, the newest last. Raises LogUnavailableError."""
    return call.sandbox.accesses(account_ids, call.now_seconds - TRACKING_SECONDS)


def action_used(access: Access) -> str:
    """The action of an access in lower case, such as ``iam:getuser``."""
    return action_of(access.service, access.operation).lower()


def failed(code: str, message: str) -> Json:
    return {"status": FAILED, "error": {"Code": code, "Message": message}}


def or_failed(make: Callable[[], Json]) -> Json:
    """The report that ``make`` makes, or a failed one when the decision log cannot be read."""
    try:
        report = make()
    except LogUnavailableError:
        return failed(LOG_CODE, LOG_MESSAGE)
    return {"status": COMPLETED, **report}


def start_job(call: Call) -> Answer:
    """Store the report that the operation prepared, and answer its job."""
    job_id = call.ids.uuid()
    add_access_report(
        call.db,
        AccessReport(
            job_id=job_id,
            account_id=call.account_id,
            owner_id=_owner(call),
            operation=call.operation,
            created_at_seconds=int(call.now_seconds),
            report=json.dumps(call.prepared, separators=(",", ":")),
        ),
    )
    return {"JobId": job_id}


def _owner(call: Call) -> str:
    caller = call.caller
    return caller.principal.entity_id if caller.session is None else caller.access_key_id


def finished(call: Call, job_id: str, operation: str) -> tuple[AccessReport, Json]:
    """The caller's job of an operation, and its report. Raises AwsError NoSuchEntity."""
    job = access_report_by_job(call.db, call.account_id, job_id)
    if job is None or job.owner_id != _owner(call) or job.operation != operation:
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(job_id=job_id))
    report: Json = json.loads(job.report)
    return job, report


def shown_job(job: AccessReport, report: Json) -> Answer:
    """What the answers about every job have."""
    return {
        "JobStatus": report["status"],
        "JobCreationDate": job.created_at_seconds,
        "JobCompletionDate": job.created_at_seconds,
    }


def service_name(prefix: str) -> str:
    """The name that reports have for a service: without its abbreviation, as in ``… Management (IAM)``."""
    return _ABBREVIATION.sub("", service_names().get(prefix, prefix))
