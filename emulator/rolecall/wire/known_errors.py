"""The error codes that a service, or one of its operations, can answer."""

from __future__ import annotations

from http import HTTPStatus

from rolecall.errors import COMMON_ERRORS, common_error
from rolecall.wire.models import KNOWN_SERVICES
from rolecall.wire.services import load_service

_OF_THE_SERVER = frozenset(
    {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS}
)


def known_error_codes(service_name: str, operation_name: str = "") -> frozenset[str]:
    """Codes and names of the model's errors, for one or all operations, and of the errors that all services share."""
    service = load_service(service_name)
    declared = list(service.errors.values())
    if operation_name:
        codes = service.operation(operation_name).error_codes
        declared = [error for error in declared if error.code in codes]
    modelled = {name for error in declared for name in (error.code, error.name)}
    common = {code for error in COMMON_ERRORS.values() for code in (error.query_code, error.json_code)}
    return frozenset(modelled | common | set(COMMON_ERRORS))


def declared_code(service_name: str, code: str) -> str:
    """The service's own error for a failure of the server or for too many calls, if its model declares just one.

    Chime's clients know Throttling as ThrottledClientException, and InternalFailure as ServiceFailureException. Every
    other code stays as it is.
    """
    common = common_error(code)
    if common is None or service_name not in KNOWN_SERVICES:
        return code
    errors = load_service(service_name).errors
    status = HTTPStatus(common.json_status)
    if status not in _OF_THE_SERVER or code in errors:
        return code
    # An exception whose model has no status is named after it.
    named = status.phrase.replace(" ", "")
    fitting = {error.code for error in errors.values() if error.status == status or error.code.startswith(named)}
    return fitting.pop() if len(fitting) == 1 else code


def operation_names(service_name: str) -> frozenset[str]:
    return load_service(service_name).operation_names
