"""Operations and parameters that are not emulated: 501, and only for a caller with the permission."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypedDict

import pytest
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from msgspec.structs import replace
from raw_calls import sample

from rolecall.services.catalogue import find
from rolecall.wire import load_service

CHIME = sorted(load_service("chime").operation_names)
UNCHECKED = Config(parameter_validation=False)
DENIED = "with an explicit deny in an identity-based policy"
SDK_SERVICES = ("identity", "meetings", "media-pipelines", "messaging", "voice")
SDK_OPERATIONS = [
    (f"chime-sdk-{service}", operation)
    for service in SDK_SERVICES
    for operation in sorted(load_service(f"chime-sdk-{service}").operation_names)
    if operation.startswith(("List", "Delete"))
]
UNSIGNED = {"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"}
# Requirements of a model that none of its members states.
TASK = {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"}
TEMPLATE = {"PolicyTemplateArn": "arn:aws:iam::aws:delegation-template/example"}
REQUIRED = {
    "CreateDelegationRequest": {"Permissions": TEMPLATE},
    "AssumeRoot": {"TargetPrincipal": "444455556666", "TaskPolicyArn": TASK},
}
# Results that an authorised caller may get: calls that make new things succeed, others do not find theirs.
# Messaging also refuses a caller who does not act for a user of the app instance.
ANSWERS_OF_BUILT = {"allowed", "NotFoundException", "BadRequestException", "ConflictException", "ForbiddenException"}


def sandbox(**settings: Any) -> str:
    def user(name: str, effect: str = "") -> dict[str, Any]:
        statement = {"Effect": effect, "Action": "*", "Resource": "*"}
        own = {"own": {"Version": "2012-10-17", "Statement": [statement]}} if effect else {}
        return {
            "name": name,
            "access_keys": [{"id": f"{name}_key", "secret": f"{name}-secret"}],
            "inline_policies": own,
        }

    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}],
    }
    account = {
        "id": "111122223333",
        "users": [user("admin", "Allow"), user("nobody"), user("denied", "Deny")],
        "roles": [{"name": "target", "trust_policy": trust}],
    }
    return json.dumps({"version": 1, "accounts": [account], "settings": settings})


# The one operation of the 62 that has a resource (Service Authorization Reference).
ABOUT = {
    "CreateMeetingDialOut": " on resource: arn:aws:chime:us-east-1:111122223333:meeting/"
    "00000000-0000-4000-8000-000000000000"
}


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    return make_shared_world(sandbox())


@pytest.fixture(scope="module")
def denied_as_aws_says(make_shared_world: Any) -> Any:
    return make_shared_world(sandbox(chime_denied_as="AccessDeniedException"))


def parameters_of(client: Any, operation: str) -> dict[str, Any]:
    shape = client.meta.service_model.operation_model(operation).input_shape
    return {} if shape is None else dict(sample(shape))


def outcome(client: Any, operation: str, **parameters: Any) -> tuple[int, str, str]:
    try:
        getattr(client, xform_name(operation))(**parameters)
    except ClientError as error:
        answer = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]
    return 200, "allowed", ""


def chime_of(world: Any, user: str) -> Any:
    """At Chime's own endpoint: at an endpoint of all services, the voice service answers the operations of both."""
    return world.client("chime", user, config=UNCHECKED, endpoint_url="https://chime.us-east-1.amazonaws.com")


def permission_of(client: Any, operation: str) -> tuple[Any, dict[str, Any]]:
    return client, parameters_of(client, operation)


@pytest.mark.follows_the_model
def test_the_model_has_62_operations() -> None:
    assert len(CHIME) == 62


@pytest.mark.parametrize("operation", CHIME)
def test_a_caller_without_rights_is_refused_every_chime_operation(worlds: Any, operation: str) -> None:
    for name, because in (
        ("nobody", f"because no identity-based policy allows the chime:{operation} action"),
        ("denied", DENIED),
    ):
        client, parameters = permission_of(chime_of(worlds, name), operation)
        on = ABOUT.get(operation, "")
        message = (
            f"User: arn:aws:iam::111122223333:user/{name} is not authorized to perform: chime:{operation}{on} {because}"
        )
        assert outcome(client, operation, **parameters) == (403, "ForbiddenException", message)


@pytest.mark.parametrize("operation", CHIME)
def test_a_caller_with_every_right_reaches_every_chime_operation(worlds: Any, operation: str) -> None:
    client, parameters = permission_of(chime_of(worlds, "admin"), operation)
    status, code, message = outcome(client, operation, **parameters)
    if find("chime", operation) is None:
        not_built = f"Rolecall does not emulate {operation} of chime yet."
        assert (status, code, message) == (501, "NotImplemented", not_built)
    else:
        assert code in ANSWERS_OF_BUILT


def test_the_body_of_a_chime_refusal_says_forbidden(worlds: Any, denied_as_aws_says: Any) -> None:
    for world, code, body_code in (
        (worlds, "ForbiddenException", "Forbidden"),
        (denied_as_aws_says, "AccessDeniedException", "AccessDenied"),
    ):
        chime = world.client("chime", "nobody")
        seen: list[tuple[dict[str, str], dict[str, Any]]] = []

        def keep(http_response: Any, seen: Any = seen, **_ignored: Any) -> None:
            seen.append((dict(http_response.headers), json.loads(http_response.content)))

        chime.meta.events.register("after-call", keep)
        status, answered, message = outcome(chime, "ListAccounts")
        headers, body = seen[0]
        assert (status, answered) == (403, code)
        assert headers["x-amzn-ErrorType"] == code
        request_id = headers["x-amzn-RequestId"]
        assert body == {"Code": body_code, "Message": message, "RequestId": request_id, "Resource": None}


@pytest.mark.parametrize("operation", CHIME)
def test_every_chime_operation_may_be_refused_as_access_denied(denied_as_aws_says: Any, operation: str) -> None:
    client, parameters = permission_of(chime_of(denied_as_aws_says, "nobody"), operation)
    status, code, message = outcome(client, operation, **parameters)
    assert (status, code) == (403, "AccessDeniedException")
    assert message.endswith(f"because no identity-based policy allows the chime:{operation} action")


@pytest.mark.parametrize(("service", "operation"), SDK_OPERATIONS)
def test_chime_sdk_operations_are_authorised_with_the_prefix_of_chime(
    worlds: Any, service: str, operation: str
) -> None:
    # The five services share Chime's signing name and some of their paths. The host distinguishes them.
    host = f"http://{service.removeprefix('chime-sdk-')}-chime.rolecall.localhost"
    refused = worlds.client(service, "nobody", config=UNCHECKED, endpoint_url=host)
    status, code, message = outcome(refused, operation, **parameters_of(refused, operation))
    assert (status, code) == (403, "AccessDeniedException")
    refused_action = (
        rf" is not authorized to perform: chime:{operation}( on resource: arn:\S+)? because no identity-based"
    )
    assert re.search(refused_action, message)
    allowed = worlds.client(service, "admin", config=UNCHECKED, endpoint_url=host)
    answered = outcome(allowed, operation, **parameters_of(allowed, operation))
    if find(service, operation) is None:
        assert answered == (501, "NotImplemented", f"Rolecall does not emulate {operation} of {service} yet.")
    else:
        assert answered[1] in ANSWERS_OF_BUILT


@pytest.mark.follows_the_model
def test_every_operation_of_sts_and_iam_is_built() -> None:
    gaps = [
        (service, operation)
        for service in ("sts", "iam")
        for operation in load_service(service).operation_names
        if find(service, operation) is None
    ]
    assert gaps == []


def test_a_parameter_that_is_not_built_is_refused_after_the_permission(
    worlds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every parameter is emulated today, so the test removes one."""
    built = find("sts", "AssumeRole")
    assert built is not None
    without = replace(built, parameters=built.parameters - {"ExternalId"})
    monkeypatch.setattr("rolecall.gateway.road.find", lambda *_: without)
    call = {"RoleArn": "arn:aws:iam::111122223333:role/target", "RoleSessionName": "session", "ExternalId": "partner"}
    message = "Rolecall does not emulate the parameter ExternalId of AssumeRole yet."
    assert outcome(worlds.client("sts", "admin"), "AssumeRole", **call) == (501, "NotImplemented", message)
    for refused in ("nobody", "denied"):
        status, code, _ = outcome(worlds.client("sts", refused), "AssumeRole", **call)
        assert (status, code) == (403, "AccessDenied")


class OlderTag(TypedDict):
    """A tag as an operation takes it that knows no values."""

    Key: str


def test_a_member_inside_a_structure_that_is_not_built_is_refused_after_the_permission(
    worlds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every member of a tag is emulated today, so the test takes one from the operation."""
    built = find("iam", "TagUser")
    assert built is not None

    def older(call: Any, *, UserName: str, Tags: Sequence[OlderTag]) -> None:
        raise AssertionError("the call was carried out")

    monkeypatch.setattr("rolecall.gateway.road.find", lambda *_: replace(built, function=older))
    call = {"UserName": "nobody", "Tags": [{"Key": "team", "Value": "core"}]}
    message = "Rolecall does not emulate the parameter Tags.Value of TagUser yet."
    assert outcome(worlds.client("iam", "admin"), "TagUser", **call) == (501, "NotImplemented", message)
    for refused in ("nobody", "denied"):
        status, code, _ = outcome(worlds.client("iam", refused), "TagUser", **call)
        assert (status, code) == (403, "AccessDenied")
    monkeypatch.undo()
    assert outcome(worlds.client("iam", "admin"), "TagUser", **call)[1] == "allowed"


@pytest.mark.parametrize("operation", sorted(UNSIGNED))
def test_the_unsigned_operations_of_sts_have_no_caller_to_ask_for(worlds: Any, operation: str) -> None:
    sts = worlds.client("sts", "nobody", config=UNCHECKED)
    if find("sts", operation) is None:
        not_built = f"Rolecall does not emulate {operation} of sts yet."
        assert outcome(sts, operation, **parameters_of(sts, operation)) == (501, "NotImplemented", not_built)
    else:
        assert outcome(sts, operation, **parameters_of(sts, operation))[0] in (400, 403)


@pytest.mark.follows_the_model
def test_a_provided_context_has_3072_characters(worlds: Any) -> None:
    sts = worlds.client("sts", "admin", config=UNCHECKED)
    given = {"RoleArn": "arn:aws:iam::111122223333:role/target", "RoleSessionName": "session"}

    def told(characters: int) -> str:
        context = {"ProviderArn": "arn:aws:iam::aws:contextProvider/x", "ContextAssertion": "a" * characters}
        return outcome(sts, "AssumeRole", **given, ProvidedContexts=[context])[2]

    assert "Member must have length less than or equal to 3072" in told(3073)
    assert "Member must have length" not in told(3072)
