"""Which operation of which service a request asks for.

The credential scope names the service. An unsigned request shows it by ``Version``, host or path. The Chime SDK
services share Chime's signing name, and IAM's toolbox shares IAM's, so host and path decide among these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from rolecall.errors import AwsError
from rolecall.http import HttpRequest, name_of_host
from rolecall.wire import routes
from rolecall.wire.forms import add_parameters, repeated_parameter, split_parameters
from rolecall.wire.models import KNOWN_SERVICES
from rolecall.wire.services import Operation, Service, load_service

# AWS puts this word into its message when a query request has no Version.
NO_VERSION = "NO_VERSION_SPECIFIED"
# Not confirmed by a recording.
MISSING_ACTION_MESSAGE = "The request must contain the parameter Action"
UNKNOWN_OPERATION_MESSAGE = "The requested operation does not exist."
OLD_CHIME_PREFIX = "/console"

_FORM = "application/x-www-form-urlencoded"
_QUERY_SERVICES = {known.signing_name: known.name for known in KNOWN_SERVICES.values() if known.protocol == "query"}
_JSON_SERVICES = {known.signing_name: known.name for known in KNOWN_SERVICES.values() if known.protocol == "json"}
_TARGETS = {known.target_prefix: known.name for known in KNOWN_SERVICES.values() if known.target_prefix}
_QUERY_VERSIONS = {known.api_version: known.name for known in KNOWN_SERVICES.values() if known.protocol == "query"}
_REST_SERVICES = tuple(known.name for known in KNOWN_SERVICES.values() if known.protocol == "rest-json")
# Services that share another service's signing name, and have paths and a host of their own.
_BY_PATH = {known.path_prefix: known for known in KNOWN_SERVICES.values() if known.path_prefix}
_REST_BY_SIGNING_NAME = {
    signing_name: tuple(
        name
        for name in _REST_SERVICES
        if KNOWN_SERVICES[name].signing_name == signing_name and not KNOWN_SERVICES[name].path_prefix
    )
    for signing_name in {KNOWN_SERVICES[name].signing_name for name in _REST_SERVICES} - _QUERY_SERVICES.keys()
}
# The services that a path may begin with, because others have the same signing name.
_PATHS_BY_NAME = frozenset(name for names in _REST_BY_SIGNING_NAME.values() if len(names) > 1 for name in names)
_HOSTS = {known.endpoint_prefix: known.name for known in KNOWN_SERVICES.values()}
_LEGACY_HOSTS = {known.legacy_host: known.name for known in KNOWN_SERVICES.values() if known.legacy_host}
# The service whose form an answer takes when the request shows no service: with a path, and without one.
_LIKELY_REST_SERVICE = "chime"
_LIKELY_QUERY_SERVICE = "sts"
# The services that share the paths of the operations on tags.
_TAGS_PATH = "/tags"
_TAGGED = {
    known.name: re.compile(known.tagged_resources) for known in KNOWN_SERVICES.values() if known.tagged_resources
}
_COLONS_BEFORE_RESOURCE = 5
# Operations on phone numbers have the same paths in these two. The second one answers more, except for the operation.
_CHIME, _VOICE = "chime", "chime-sdk-voice"
_CHIME_ANSWERS_MORE = "GetGlobalSettings"
# Values and members of requests that the voice service does not have.
CHIME_ALONE = ("BusinessCalling", "AccountId", "UserId")
_NO_PARAMETERS: Mapping[str, str] = {}


class Target(Struct, frozen=True):
    """What a request asks for.

    ``inputs`` holds the parameters of a query request or the path labels of a rest-json request. ``query`` holds the
    query-string parameters of a rest-json request. ``raw_path`` is the path that the client signed.
    """

    service: Service
    operation: Operation
    raw_path: str
    inputs: Mapping[str, str]
    query: Mapping[str, str]


def match(request: HttpRequest, signing_name: str) -> Target:
    """Find the operation. ``signing_name`` is the service of the credential scope, empty without a signature.

    Raises AwsError InvalidAction (UnknownOperationException in rest-json), MissingAction, MalformedQueryString.
    """
    named = _service_of_path(request, signing_name) if signing_name else ""
    if named:
        return _match_rest(request, (named,))
    name = _QUERY_SERVICES.get(signing_name)
    if name is not None:
        return _match_query(load_service(name), request, parameters_of(request))
    name = _JSON_SERVICES.get(signing_name)
    if name is not None:
        return _match_json(load_service(name), request)
    sharing = _REST_BY_SIGNING_NAME.get(signing_name)
    if sharing is not None:
        return _match_rest(request, sharing)
    return _match_by_content(request)


def likely_service(request: HttpRequest, signing_name: str) -> str:
    """The service whose error format suits a request, even if the request matches no operation. Never raises."""
    named = _service_of_path(request, signing_name) if signing_name else ""
    if named:
        return named
    name = _QUERY_SERVICES.get(signing_name) or _JSON_SERVICES.get(signing_name)
    name = name or _service_of_host(request) or _service_of_target(request)
    if name:
        return name
    named = _service_of_path(request, "")
    if named:
        return named
    is_rest = signing_name in _REST_BY_SIGNING_NAME or request.raw_path.strip("/")
    return _LIKELY_REST_SERVICE if is_rest else _LIKELY_QUERY_SERVICE


def _service_of_path(request: HttpRequest, signing_name: str) -> str:
    """The service with that signing name that the path or the host shows; empty when they show none.

    An empty ``signing_name`` allows every service.
    """
    prefixed = _served_path(request.raw_path)[0]
    if prefixed and signing_name in ("", KNOWN_SERVICES[prefixed].signing_name):
        return prefixed
    for path_prefix, known in _BY_PATH.items():
        if signing_name not in ("", known.signing_name):
            continue
        host = request.headers.get("host", "")[: len(known.endpoint_prefix) + 1].lower()
        if request.raw_path.startswith(path_prefix) or host == f"{known.endpoint_prefix}.":
            return known.name
    return ""


def decode(target: Target, request: HttpRequest) -> dict[str, Any]:
    """The input members of the request, by model name. Raises AwsError MalformedInput for a value of the wrong form."""
    return target.operation.decode(target.inputs, target.query, request)


def parameters_of(request: HttpRequest) -> dict[str, str]:
    """URL and form parameters of a query request, merged."""
    parameters: dict[str, str] = {}
    if request.raw_query:
        add_parameters(request.raw_query, parameters)
    if request.body and request.method == "POST":
        content_type = request.headers.get("content-type", _FORM)
        if content_type.partition(";")[0].strip().lower() == _FORM:
            add_parameters(request.body.decode("latin-1"), parameters)
    return parameters


def served_by_content(request: HttpRequest) -> bool:
    """Whether the host, the target or the API version of a request belongs to a service that Rolecall serves."""
    if _service_of_host(request) or _service_of_target(request):
        return True
    try:
        return parameters_of(request).get("Version", "") in _QUERY_VERSIONS
    except AwsError:
        return False


def _match_query(service: Service, request: HttpRequest, parameters: Mapping[str, str]) -> Target:
    if request.raw_path != "/" and request.raw_path.strip("/"):
        raise AwsError("InvalidAction", UNKNOWN_OPERATION_MESSAGE, status=404)
    action = parameters.get("Action")
    if not action:
        raise AwsError("MissingAction", MISSING_ACTION_MESSAGE)
    version = parameters.get("Version") or NO_VERSION
    if version != service.api_version or action not in service.operation_names or request.method not in {"POST", "GET"}:
        raise AwsError("InvalidAction", f"Could not find operation {action} for version {version}")
    return Target(service, service.operation(action), request.raw_path, parameters, _NO_PARAMETERS)


def _match_json(service: Service, request: HttpRequest) -> Target:
    """The operation that X-Amz-Target names. Source: Smithy, AWS JSON 1.1 protocol."""
    prefix, _, name = request.headers.get("x-amz-target", "").rpartition(".")
    served = prefix == KNOWN_SERVICES[service.name].target_prefix and name in service.operation_names
    if not served or request.method != "POST" or request.raw_path.strip("/"):
        raise AwsError("InvalidAction", UNKNOWN_OPERATION_MESSAGE)
    return Target(service, service.operation(name), request.raw_path, _NO_PARAMETERS, _NO_PARAMETERS)


def _service_of_target(request: HttpRequest) -> str:
    """The service that the X-Amz-Target header names, or an empty text."""
    return _TARGETS.get(request.headers.get("x-amz-target", "").rpartition(".")[0], "")


def _match_rest(request: HttpRequest, services: tuple[str, ...] = _REST_SERVICES) -> Target:
    query: dict[str, str] = {}
    repeated = split_parameters(request.raw_query, query) if request.raw_query else ()
    prefixed, path = _served_path(request.raw_path)
    named = prefixed or _service_of_host(request)
    names = (named,) if named in services else _sharing(request, path, query, services)
    if not path.startswith("/") or (prefixed and prefixed not in services):
        raise AwsError("InvalidAction", UNKNOWN_OPERATION_MESSAGE)
    find = routes.find_spanning if request.path_is_rebuilt else routes.find
    first = path[1:].partition("/")[0]
    for name in names:
        tree = _tree(name)
        # Most of the services that share a signing name have no path that begins like this one.
        if first not in tree.literals and tree.label is None:
            continue
        found = find(tree, request.method, path, query)
        if found:
            if name == _CHIME and _VOICE in names and found.operation_name in _of_both():
                name = _CHIME if _is_for_chime_alone(found.operation_name, query, request.body) else _VOICE
            service = load_service(name)
            operation = service.operation(found.operation_name)
            for parameter in repeated:
                if parameter not in operation.query_lists:
                    raise repeated_parameter(parameter)
            raw_path = request.raw_path
            if request.path_is_rebuilt:
                raw_path = raw_path[: len(raw_path) - len(path)] + routes.corrected_path(found)
            return Target(service, operation, raw_path, found.labels, query)
    raise AwsError("InvalidAction", UNKNOWN_OPERATION_MESSAGE)


@lru_cache(maxsize=1)
def _of_both() -> frozenset[str]:
    """The operations that Chime and the voice service have under the same name, method and path."""
    return load_service(_CHIME).operation_names & load_service(_VOICE).operation_names


def _is_for_chime_alone(operation_name: str, query: Mapping[str, str], body: bytes) -> bool:
    """For a request whose host names neither service: whether it has what the voice service does not know."""
    if operation_name == _CHIME_ANSWERS_MORE:
        return True
    return not set(CHIME_ALONE).isdisjoint(query.values()) or any(f'"{word}"'.encode() in body for word in CHIME_ALONE)


@lru_cache(maxsize=len(KNOWN_SERVICES))
def _tree(name: str) -> routes.Node:
    return routes.build_tree(load_service(name))


def _served_path(raw_path: str) -> tuple[str, str]:
    """The service whose name begins the path, empty without one; and the path as the model has it.

    Clients with an address for each service may have them at one server: ``http://127.0.0.1:4580/chime-sdk-voice``.
    Clients of Chime's first endpoint add another prefix.
    """
    first, slash, rest = raw_path[1:].partition("/")
    if slash and first in _PATHS_BY_NAME:
        return first, f"/{rest}"
    if raw_path.startswith(OLD_CHIME_PREFIX + "/"):
        return "", raw_path[len(OLD_CHIME_PREFIX) :]
    return "", raw_path


def _sharing(request: HttpRequest, path: str, query: Mapping[str, str], services: tuple[str, ...]) -> tuple[str, ...]:
    """The services that a request may be for. The ARN in an operation on tags names one; an unknown ARN names none."""
    if path != _TAGS_PATH:
        return services
    arn: Any = query.get("arn")
    if arn is None:
        try:
            arn = json.loads(request.body).get("ResourceARN")
        except (ValueError, AttributeError, RecursionError):
            return services
    # Its last part may have colons; what stands before it has five.
    resource = arn.split(":", _COLONS_BEFORE_RESOURCE)[-1] if isinstance(arn, str) else ""
    named = tuple(name for name, pattern in _TAGGED.items() if name in services and pattern.fullmatch(resource))
    return named or services


def _service_of_host(request: HttpRequest) -> str:
    """The service whose endpoint the Host header names, or an empty text."""
    host = name_of_host(request.headers.get("host", ""))
    prefix, dot, rest = host.partition(".")
    if dot and prefix in _HOSTS and not rest.replace(".", "").isdigit():
        return _HOSTS[prefix]
    longer = f"{prefix}.{rest.partition('.')[0]}"
    if longer in _HOSTS:
        return _HOSTS[longer]
    return _LEGACY_HOSTS.get(host, "")


def _match_by_content(request: HttpRequest) -> Target:
    """For a request that is unsigned or signed for an unserved service: version, host and path decide."""
    named = _service_of_host(request) or _service_of_target(request)
    if named in _REST_SERVICES:
        return _match_rest(request)
    if named in _JSON_SERVICES.values():
        return _match_json(load_service(named), request)
    if not named and request.raw_path.strip("/"):
        return _match_rest(request)
    parameters = parameters_of(request)
    by_version = _QUERY_VERSIONS.get(parameters.get("Version", ""))
    return _match_query(load_service(named or by_version or _LIKELY_QUERY_SERVICE), request, parameters)
