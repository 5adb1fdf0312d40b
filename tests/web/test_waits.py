"""A call tells a server that can wait for many calls at once what it has to wait for, and does not wait itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from world_handle import WorldHandle

from rolecall.http import DroppedConnectionError
from rolecall.inprocess import _Body, environ_of
from rolecall.server.answers import ServedAnswer
from rolecall.services.catalogue import all_operations, find, is_brief
from rolecall.waits import LONG_WORK, Fetch, LongWork, Pause, Steps, wait_here
from rolecall.web.aws import WAITS_KEY, Unfinished


def waits_of(world: WorldHandle, client: Any) -> list[Any]:
    """A list that grows by each wait of the client's calls."""
    waits: list[Any] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        served = ServedAnswer()
        body = world.application.wsgi_app(environ_of(request) | {WAITS_KEY: True}, served.start)
        while isinstance(body, Unfinished):
            waits.append(body.wait)
            body = body.go_on()
        return AWSResponse(request.url, int(served.status[:3]), dict(served.headers), _Body(b"".join(body)))

    # Before the client's own handler, which answers in the usual way.
    client.meta.events.register_first("before-send", answer)
    return waits


def names_of(waits: list[Any]) -> list[str]:
    return [type(wait).__name__ for wait in waits]


def test_a_call_that_reads_waits_for_nothing(world: WorldHandle) -> None:
    sts = world.client("sts")
    waits = waits_of(world, sts)
    sts.get_caller_identity()
    sts.assume_role(RoleArn=f"arn:aws:iam::{world.first_account}:role/chime-reader", RoleSessionName="quick")
    assert waits == []


def test_calls_that_write_or_compute_for_long_go_on_elsewhere(world: WorldHandle) -> None:
    iam = world.client("iam")
    waits = waits_of(world, iam)
    iam.create_user(UserName="someone")
    assert names_of(waits) == ["Write"]
    waits.clear()
    iam.create_login_profile(UserName="someone", Password="Correct-horse-7")
    iam.update_login_profile(UserName="someone", Password="Correct-horse-8")
    assert names_of(waits) == ["LongWork", "Write", "LongWork", "Write"]
    waits.clear()
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam.simulate_custom_policy(PolicyInputList=[json.dumps(document)], ActionNames=["sts:GetCallerIdentity"])
    assert waits == [LONG_WORK]
    iam.list_users()
    assert waits == [LONG_WORK]


BRIEF = {
    "iam": ["CreateRole", "DeleteRole", "TagRole", "AttachRolePolicy", "PutUserPolicy", "CreateAccessKey"],
    "chime-sdk-messaging": ["SendChannelMessage", "CreateChannel", "UpdateChannel"],
    "organizations": ["AttachPolicy"],
}
NOT_BRIEF = {
    "iam": [
        "ChangePassword",
        "CreateLoginProfile",
        "UpdateLoginProfile",
        "CreateVirtualMFADevice",
        "CreateSAMLProvider",
        "UploadServerCertificate",
        "GenerateCredentialReport",
        "GetRole",
    ],
    # What they delete may hold any number of messages and members.
    "chime-sdk-identity": ["DeleteAppInstance"],
    "chime-sdk-messaging": ["DeleteChannel", "BatchCreateChannelMembership"],
    "rolesanywhere": ["CreateTrustAnchor", "UpdateCrl"],
    "signin": ["CreateOAuth2Token"],
}
# Operations whose modules use slow functions, and which do not use them.
WITHOUT_THEM = {
    "DeleteLoginProfile",
    "DeleteSAMLProvider",
    "DeleteServerCertificate",
    "DeleteSigningCertificate",
    "DeleteSSHPublicKey",
    "DeleteVirtualMFADevice",
    # They change names and states.
    "UpdateServerCertificate",
    "UpdateSigningCertificate",
    "UpdateSSHPublicKey",
}


@pytest.mark.parametrize(("names", "expected"), [(BRIEF, True), (NOT_BRIEF, False)], ids=["brief", "not brief"])
def test_only_writes_of_few_rows_may_run_on_the_loop(names: dict[str, list[str]], expected: bool) -> None:
    for service, operations in names.items():
        for name in operations:
            assert find(service, name) is not None
            assert is_brief(service, name, ()) is expected, name


def test_nothing_slow_runs_on_the_loop() -> None:
    slow = re.compile(r"cryptography|segno|hashed|scrypt|on_demand|import_module")
    found = [each for each in all_operations() if each.brief and each.writes]
    assert len(found) > 200
    texts = {each.place[0]: Path(each.place[0]).read_text() for each in found}
    suspects = {each.name for each in found if slow.search(texts[each.place[0]])}
    # Tags and names are texts.
    suspects = {name for name in suspects if not name.startswith(("Tag", "Untag"))}
    assert sorted(suspects) == sorted(WITHOUT_THEM)


def test_a_second_factor_is_used_up_elsewhere(world: WorldHandle) -> None:
    sts = world.client("sts")
    waits = waits_of(world, sts)
    sts.get_session_token()
    assert waits == []
    with pytest.raises(ClientError):
        sts.get_session_token(SerialNumber=f"arn:aws:iam::{world.first_account}:mfa/none", TokenCode="123456")
    assert waits == [LONG_WORK]


def test_a_delay_is_a_pause_and_faults_are_counted_elsewhere(world: WorldHandle) -> None:
    sts = world.client("sts")
    waits = waits_of(world, sts)
    world.application.sandbox.faults.add(kind="delay", delay_seconds=7, operation="GetCallerIdentity")
    # The first call has not read the fault rules yet when it begins.
    sts.get_caller_identity()
    sts.get_caller_identity()
    assert waits == [Pause(7), LONG_WORK, Pause(7)]


def test_a_dropped_connection_is_dropped_after_its_waits(world: WorldHandle) -> None:
    iam = world.client("iam")
    waits = waits_of(world, iam)
    world.application.sandbox.faults.add(kind="drop_answer", operation="CreateUser")
    with pytest.raises(DroppedConnectionError):
        iam.create_user(UserName="unanswered")
    assert names_of(waits) == ["Write"]


def test_an_unfinished_call_is_no_answer(world: WorldHandle) -> None:
    iam, found = world.client("iam"), []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        body = world.application.wsgi_app(environ_of(request) | {WAITS_KEY: True}, ServedAnswer().start)
        found.append(body)
        return AWSResponse(request.url, 200, {}, _Body(b""))

    iam.meta.events.register_first("before-send", answer)
    with pytest.raises(ResponseParserError):
        iam.delete_user(UserName="nobody")
    with pytest.raises(TypeError, match="does not wait"):
        list(found[0])


def test_every_wait_can_be_waited_for_in_place() -> None:
    done: list[object] = []

    def steps() -> Steps[str]:
        yield Pause(3)
        yield Fetch("https://issuer", lambda: done.append("fetched"))
        yield LongWork()
        done.append("went on")
        return "answer"

    assert wait_here(steps(), done.append) == "answer"
    assert done == [3, "fetched", "went on"]


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb"])
def test_a_header_of_an_answer_cannot_begin_another_header(value: str) -> None:
    answer = ServedAnswer()
    answer.start("200 OK", [("X", value)])
    with pytest.raises(ValueError, match="end of line"):
        answer.as_bytes({"REQUEST_METHOD": "GET", "SERVER_PROTOCOL": "HTTP/1.1"}, keep_alive=True)
