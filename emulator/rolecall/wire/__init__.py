"""HTTP bytes to service, operation and input, and answers and errors back to HTTP bytes, all from botocore's models.

This room knows protocols and shapes: query (STS, IAM), rest-json (Chime and the Chime SDK services) and json
(Organizations). It knows the limits of the models and AWS's words for a broken limit. It does not know the caller, the
permissions or what an operation does. ``signing`` checks the signature of the same request. Models are read, and
operations compiled, on first use.
"""

from rolecall.wire.answers import check_constraints, encode_answer, encode_error, error_code, error_status
from rolecall.wire.hosts import is_aws_host
from rolecall.wire.known_errors import declared_code, known_error_codes, operation_names
from rolecall.wire.match import Target, decode, likely_service, match
from rolecall.wire.models import SERVICES
from rolecall.wire.scalars import http_date
from rolecall.wire.services import Operation, Service, load_service
from rolecall.wire.unserved import Unserved, claimed_service, encode_unserved_error, not_served, recognise_unserved

__all__ = [
    "SERVICES",
    "Operation",
    "Service",
    "Target",
    "Unserved",
    "check_constraints",
    "claimed_service",
    "declared_code",
    "decode",
    "encode_answer",
    "encode_error",
    "encode_unserved_error",
    "error_code",
    "error_status",
    "http_date",
    "is_aws_host",
    "known_error_codes",
    "likely_service",
    "load_service",
    "match",
    "not_served",
    "operation_names",
    "recognise_unserved",
]
