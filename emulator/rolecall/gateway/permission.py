"""Whether a call is allowed: what is refused whatever the policies say, and then what the policies say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.access.check import check
from rolecall.access.context import Moment
from rolecall.access.credential_rules import check_credential_kind
from rolecall.access.regions import check_region
from rolecall.gateway.received import account_of
from rolecall.http import HttpRequest
from rolecall.identities import Identity
from rolecall.policy import Decision
from rolecall.service_records import SERVICE_RECORDS, requested_region
from rolecall.services.permissions import table_permissions
from rolecall.services.registry import Call, RegisteredOperation


def check_kind(call: Call, registered: RegisteredOperation | None, parameters: Mapping[str, Any]) -> None:
    """The checks that come before any policy: the Region, the kind of credentials, the operation's own.

    Raises AwsError.
    """
    record = SERVICE_RECORDS[call.service]
    disabled_regions = call.settings.disabled_regions
    if disabled_regions and record.has_regional_endpoints:
        check_region(disabled_regions, call.region, call.model.error_codes, account_of(call, parameters))
    check_credential_kind(call.caller, record.credential_rules, call.operation)
    if registered is not None and registered.precheck is not None:
        registered.precheck(call, parameters)


def authorise(
    call: Call,
    registered: RegisteredOperation | None,
    parameters: Mapping[str, Any],
    request: HttpRequest,
    identity: Identity,
) -> Sequence[Decision]:
    """The decisions about the call's permissions, also for an operation that is not emulated: a refusal comes first.

    Raises RefusedError.
    """
    written = None if registered is None else registered.permissions
    permissions = (written or table_permissions)(call, parameters)
    if not permissions:
        return ()
    session = identity.caller.session
    mfa_at_seconds = session.mfa_authenticated_at_seconds if session is not None else None
    moment = Moment(request, call.now_seconds, requested_region(call.service, call.region), mfa_at_seconds)
    denied_code = SERVICE_RECORDS[call.service].denied_code or call.settings.chime_denied_as
    return check(identity.rights, permissions, moment, denied_code)
