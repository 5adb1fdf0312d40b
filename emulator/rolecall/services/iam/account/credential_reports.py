"""The credential report: who has which credentials, as a table that is made at most every four hours.

Sources: IAM User Guide, Generate credential reports for your AWS account, for the columns and the four hours. Reports
that users recorded in 2026 gave the spelling: ``true`` and ``false``, times with ``Z``, lines that end with a line feed
but for the last one, the root user first, the others by name without case.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from rolecall.arns import root_arn
from rolecall.clock import iso8601
from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.access_keys import AccessKeyRecord
from rolecall.storage.credential_reports import (
    CredentialReport,
    Credentials,
    credentials_of_account,
    keep_report,
    make_ready,
    report_of,
)
from rolecall.storage.last_use import Use
from rolecall.storage.login_profiles import LoginProfile
from rolecall.storage.password_policies import password_policy_of
from rolecall.storage.signing_certificates import SigningCertificate
from rolecall.storage.users import list_users

FIRST_REPORT_MESSAGE = "No report exists. Starting a new report generation task"
# IAM User Guide: "You can generate a credential report as often as once every four hours."
REPORT_SECONDS = 4 * 3600
# AWS takes a few seconds. A program that polls must meet the state, but need not wait.
GENERATION_SECONDS = 1
_ROOT_NAME = "<root_account>"
_ABSENT, _NEVER, _NOT_SUPPORTED = "N/A", "no_information", "not_supported"
_PLACES = 2
_ALL = 2**31 - 1
_DAY_SECONDS = 86_400
_KEY_COLUMNS = ("active", "last_rotated", "last_used_date", "last_used_region", "last_used_service")
_COLUMNS = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    *(f"access_key_{number}_{column}" for number in (1, 2) for column in _KEY_COLUMNS),
    *(f"cert_{number}_{column}" for number in (1, 2) for column in ("active", "last_rotated")),
)
# Recorded reports lack this column, which the User Guide has for users with more keys or certificates than places.
_MORE_COLUMN = "additional_credentials_info"
_NOTHING = Credentials([], [], [], [])


@operation("iam", "GenerateCredentialReport")
def generate_credential_report(call: Call) -> Answer:
    """Start a report, unless there is one that is at most four hours old. API reference: GenerateCredentialReport.

    The report tells about this moment. It is ready in the next second, or when this operation is called again.
    """
    now_seconds = int(call.now_seconds)
    present = report_of(call.db, call.account_id)
    if present is not None and not _is_expired(call, present):
        if now_seconds >= present.ready_at_seconds:
            return {"State": "COMPLETE"}
        # A program that asks until the state is COMPLETE ends even while the sandbox's clock stands still.
        make_ready(call.db, call.account_id, now_seconds)
        return {"State": "INPROGRESS"}
    report = CredentialReport(call.account_id, _content(call), now_seconds, now_seconds + GENERATION_SECONDS)
    keep_report(call.db, report)
    return {"State": "STARTED", "Description": None if present is not None else FIRST_REPORT_MESSAGE}


@operation("iam", "GetCredentialReport")
def get_credential_report(call: Call) -> Answer:
    """The newest report. Raises AwsError: ReportNotPresent, ReportExpired, ReportInProgress. AWS's have no message."""
    report = report_of(call.db, call.account_id)
    if report is None:
        raise AwsError("ReportNotPresent")
    if _is_expired(call, report):
        raise AwsError("ReportExpired")
    if int(call.now_seconds) < report.ready_at_seconds:
        raise AwsError("ReportInProgress")
    return {
        "Content": report.content.encode(),
        "ReportFormat": "text/csv",
        "GeneratedTime": report.generated_at_seconds,
    }


def _is_expired(call: Call, report: CredentialReport) -> bool:
    return int(call.now_seconds) - report.generated_at_seconds > REPORT_SECONDS


def _content(call: Call) -> str:
    rows = list(_rows(call))
    more = any(row[-1] for row in rows)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow([*_COLUMNS, _MORE_COLUMN] if more else _COLUMNS)
    writer.writerows(row if more else row[:-1] for row in rows)
    return written.getvalue().rstrip("\n")


def _rows(call: Call) -> Iterator[list[str]]:
    """The columns of each user and, last, the text for the column that reports have only when they need it."""
    credentials = credentials_of_account(call.db, call.account_id)
    users = list_users(call.db, call.account_id, limit=_ALL)
    policy = password_policy_of(call.db, call.account_id)
    maximum_age_days = None if policy is None else policy.maximum_age_days
    root = credentials.get(None, _NOTHING)
    # Nothing says when an account was made. As in GetUser, its oldest key shows its age; else its oldest user does.
    dates = [key.created_at_seconds for key in root.keys] or [user.created_at_seconds for user in users]
    created_at_seconds = min(dates, default=int(call.now_seconds))
    yield [
        *(_ROOT_NAME, root_arn(call.account_id), iso8601(created_at_seconds)),
        *_password(root.passwords, _NOT_SUPPORTED, None),
        *_others(call, root),
    ]
    for user in users:
        own = credentials.get(user.user_id, _NOTHING)
        yield [
            *(user.name, user.arn, iso8601(user.created_at_seconds)),
            *_password(own.passwords, _ABSENT, maximum_age_days),
            *_others(call, own),
        ]


def _password(
    passwords: Sequence[LoginProfile], without_rotation: str, maximum_age_days: int | None
) -> tuple[str, str, str, str]:
    """The columns of a password. There is no sign-in with a password, so none was ever used."""
    if not passwords:
        return _boolean(False), _ABSENT, _ABSENT, without_rotation
    [password] = passwords
    changed_at_seconds = password.password_changed_at_seconds or password.created_at_seconds
    rotation = without_rotation
    if maximum_age_days is not None:
        rotation = iso8601(changed_at_seconds + maximum_age_days * _DAY_SECONDS)
    return _boolean(True), _NEVER, iso8601(changed_at_seconds), rotation


def _others(call: Call, own: Credentials) -> list[str]:
    keys = sorted(own.keys, key=lambda key: key.access_key_id)
    # Recorded: an inactive certificate stands before an active one.
    certificates = sorted(
        own.certificates, key=lambda one: (one.status == "Active", one.uploaded_at_seconds, one.certificate_id)
    )
    return [
        _boolean(bool(own.devices)),
        *_in_places((_key(call, key) for key in keys), (_boolean(False), *[_ABSENT] * 4)),
        *_in_places(map(_certificate, certificates), (_boolean(False), _ABSENT)),
        _additional(len(keys) - _PLACES, len(certificates) - _PLACES),
    ]


def _in_places(found: Iterable[tuple[str, ...]], nothing: tuple[str, ...]) -> list[str]:
    """The columns of the first two, or of nothing."""
    return [column for columns in [*found, nothing, nothing][:_PLACES] for column in columns]


def _key(call: Call, key: AccessKeyRecord) -> tuple[str, ...]:
    use = call.sandbox.last_uses.of_key(key.access_key_id)
    if use is None and key.last_used_at_seconds is not None:
        use = Use(key.last_used_at_seconds, key.last_used_service or _ABSENT, key.last_used_region or _ABSENT)
    used = (_ABSENT, _ABSENT, _ABSENT) if use is None else (iso8601(use.at_seconds), use.region, use.service)
    return _boolean(key.status == "Active"), iso8601(key.created_at_seconds), *used


def _certificate(certificate: SigningCertificate) -> tuple[str, ...]:
    return _boolean(certificate.status == "Active"), iso8601(certificate.uploaded_at_seconds)


def _additional(keys: int, certificates: int) -> str:
    """The User Guide: the number of additional keys or certificates, and the actions that list them.

    AWS's wording was not recorded.
    """
    counts = ((keys, "access keys", "ListAccessKeys"), (certificates, "certificates", "ListSigningCertificates"))
    return "; ".join(f"{count} additional {what}: {action}" for count, what, action in counts if count > 0)


def _boolean(value: bool) -> str:
    return "true" if value else "false"
