"""The error codes that a service, or one of its operations, can answer."""

from __future__ import annotations

from rolecall.errors import COMMON_ERRORS
from rolecall.wire.services import load_service


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


def operation_names(service_name: str) -> frozenset[str]:
    return load_service(service_name).operation_names
