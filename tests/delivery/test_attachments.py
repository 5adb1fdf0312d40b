"""Attachments of a running sandbox: attached, listed, detached over HTTP, and what is listened for."""

from __future__ import annotations

from typing import Any

import pytest
from attached_worlds import ACCOUNT, INSTANCE, POD, TASK, TTL, ask, attached_world

from rolecall.sandbox.attachments import MAXIMUM_ATTACHMENTS, Attachments
from rolecall.worlds.attached import BadAttachmentError

SECOND = "444455556666"


class Listener:
    """Remembers what is listened for. ``busy`` are ports that cannot be used."""

    def __init__(self, *busy: int) -> None:
        self.open_ids: list[str] = []
        self.opened = 0
        self._busy = busy

    def open(self, attachment: Any) -> int:
        if attachment.port in self._busy:
            raise OSError(98, "Address already in use")
        self.open_ids.append(attachment.attachment_id)
        self.opened += 1
        return attachment.port or 40000 + len(self.open_ids)

    def close(self, attachment_id: str) -> None:
        self.open_ids.remove(attachment_id)


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(attached_world())


@pytest.fixture
def listener(world: Any) -> Listener:
    found = Listener(4999)
    world._sandbox.attachments.listen_with(found, keeps_all=True)
    return found


def control(world: Any, method: str, path: str = "", body: Any = None) -> tuple[int, Any]:
    answer = world.application.test_client().open(f"/_rolecall/attach{path}", method=method, json=body)
    return answer.status_code, answer.json


def test_what_the_file_declares_is_listened_for(world: Any, listener: Listener) -> None:
    assert sorted(listener.open_ids) == sorted([INSTANCE, TASK, POD])
    status, answer = control(world, "GET")
    assert status == 200
    found = {each["id"]: each for each in answer["attachments"]}
    assert found[INSTANCE]["kind"] == "imds"
    assert found[INSTANCE]["environment"] == {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{found[INSTANCE]['url']}/"}
    assert sorted(found[TASK]["environment"]) == [
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ]
    assert found[POD]["environment"]["AWS_CONTAINER_CREDENTIALS_FULL_URI"].endswith("/v1/credentials")


def test_an_instance_is_attached_and_detached(world: Any, listener: Listener) -> None:
    status, made = control(world, "POST", body={"kind": "imds", "role": "app", "port": 4591})
    assert status == 200
    assert (made["port"], made["listening"], made["account"]) == (4591, True, ACCOUNT)
    assert made["id"] in listener.open_ids
    assert ask(world, made["id"], "/latest/api/token", "PUT", **{TTL: "60"}).status == 200
    assert control(world, "DELETE", f"/{made['id']}") == (200, {"status": "ok"})
    assert made["id"] not in listener.open_ids
    assert ask(world, made["id"], "/latest/api/token", "PUT", **{TTL: "60"}).status == 0
    assert control(world, "DELETE", f"/{made['id']}") == (404, {"message": f"There is no attachment {made['id']}."})


def test_a_role_without_a_profile_gets_one_and_one_with_a_profile_uses_it(world: Any, listener: Listener) -> None:
    iam = world.client("iam")
    status, made = control(world, "POST", body={"kind": "imds", "role": "task"})
    assert (status, made["instance_profile"]) == (200, "task")
    assert iam.get_instance_profile(InstanceProfileName="task")["InstanceProfile"]["Roles"][0]["RoleName"] == "task"
    iam.create_instance_profile(InstanceProfileName="other", Path="/team/")
    iam.remove_role_from_instance_profile(InstanceProfileName="task", RoleName="task")
    iam.add_role_to_instance_profile(InstanceProfileName="other", RoleName="task")
    assert control(world, "POST", body={"kind": "imds", "role": "task"})[1]["instance_profile"] == "other"
    assert control(world, "POST", body={"kind": "imds", "instance_profile": "Other"})[1]["instance_profile"] == "Other"
    iam.add_role_to_instance_profile(InstanceProfileName="task", RoleName="app")
    iam.remove_role_from_instance_profile(InstanceProfileName="other", RoleName="task")
    status, answer = control(world, "POST", body={"kind": "imds", "role": "task"})
    assert status == 400
    assert answer["message"].startswith("the instance profile 'task' has another role")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "Send {"),
        ({}, "Send {"),
        ({"kind": 1}, "Send {"),
        ({"kind": "sso", "role": "app"}, "kind must be imds or ecs or eks"),
        ({"kind": "imds"}, "lacks role or instance_profile"),
        ({"kind": "ecs"}, "lacks role"),
        ({"kind": "imds", "role": "app", "instance_profile": "app"}, "has a role and an instance_profile"),
        ({"kind": "imds", "role": "app", "prt": 1}, "prt: unknown key, did you mean 'port'?"),
        ({"kind": "imds", "role": "app", "port": "4591"}, "port: must be a whole number"),
        ({"kind": "imds", "role": "app", "host": "example.com"}, "host: must be an IP address"),
        ({"kind": "imds", "role": "app", "session_seconds": 59}, "session_seconds: must be at least"),
        ({"kind": "imds", "role": "nobody"}, "no role 'nobody' is in account 111122223333"),
        ({"kind": "imds", "instance_profile": "nobody"}, "no instance profile 'nobody' is in account 111122223333"),
        ({"kind": "ecs", "role": "nobody"}, "no role 'nobody' is in account 111122223333"),
        ({"kind": "ecs", "role": "task", "account": SECOND}, f"the sandbox has no account '{SECOND}'"),
        ({"kind": "ecs", "role": "task", "account": 1}, "account must be text"),
        ({"kind": "imds", "role": "app", "id": INSTANCE}, f"{INSTANCE} is attached already"),
    ],
)
def test_what_cannot_be_attached(world: Any, listener: Listener, body: Any, message: str) -> None:
    before = list(listener.open_ids)
    status, answer = control(world, "POST", body=body)
    assert (status, answer["message"].startswith(message)) == (400, True), answer
    assert listener.open_ids == before
    assert len(control(world, "GET")[1]["attachments"]) == 3


def test_a_busy_address_changes_nothing(world: Any, listener: Listener) -> None:
    before = world.client("iam").list_instance_profiles()["InstanceProfiles"]
    status, answer = control(world, "POST", body={"kind": "imds", "role": "task", "port": 4999})
    assert (status, answer["message"]) == (409, "The address cannot be used: Address already in use.")
    assert world.client("iam").list_instance_profiles()["InstanceProfiles"] == before
    assert len(control(world, "GET")[1]["attachments"]) == 3


def test_a_declared_address_that_is_busy_is_shown(make_world: Any, caplog: pytest.LogCaptureFixture) -> None:
    world = make_world(attached_world(instances=[{"id": INSTANCE, "role": "app", "port": 4999}]))
    listener = Listener(4999)
    world._sandbox.attachments.listen_with(listener, keeps_all=True)
    assert INSTANCE not in listener.open_ids
    [found] = [each for each in control(world, "GET")[1]["attachments"] if each["id"] == INSTANCE]
    assert (found["listening"], found["port"]) == (False, None)
    assert f"{INSTANCE}: cannot listen on 127.0.0.1 port 4999" in caplog.text
    world._sandbox.attachments.reconcile()
    assert caplog.text.count(INSTANCE) == 1


def test_without_a_server_nothing_is_attached(world: Any) -> None:
    status, answer = control(world, "POST", body={"kind": "imds", "role": "app"})
    assert (status, answer["message"].startswith("nothing listens for attachments here")) == (400, True)


def test_there_is_an_end_to_attaching(world: Any, listener: Listener) -> None:
    attachments = world._sandbox.attachments
    for _ in range(MAXIMUM_ATTACHMENTS - 3):
        attachments.attach("ecs", {"role": "task"}, world._sandbox.settings)
    with pytest.raises(BadAttachmentError, match="there are at most 200 attachments"):
        attachments.attach("ecs", {"role": "task"}, world._sandbox.settings)
    assert len(listener.open_ids) == MAXIMUM_ATTACHMENTS


def test_a_reset_returns_to_what_the_file_declares(world: Any, listener: Listener) -> None:
    made = control(world, "POST", body={"kind": "ecs", "role": "task"})[1]
    assert control(world, "DELETE", f"/{INSTANCE}")[0] == 200
    world._sandbox.reset()
    assert sorted(listener.open_ids) == sorted([INSTANCE, TASK, POD])
    assert made["id"] not in listener.open_ids
    assert all(each["listening"] for each in control(world, "GET")[1]["attachments"])


def test_a_snapshot_has_them(make_world: Any, world: Any, listener: Listener) -> None:
    made = control(world, "POST", body={"kind": "eks", "role": "pod", "port": 4700, "namespace": "bank"})[1]
    text = world._sandbox.save()
    other = make_world(attached_world(instances=[], tasks=[], pods=[]))
    others = Listener()
    other._sandbox.attachments.listen_with(others, keeps_all=True)
    assert others.open_ids == []
    other._sandbox.load(text)
    assert sorted(others.open_ids) == sorted([INSTANCE, TASK, POD, made["id"]])
    assert other._sandbox.save() == text


def test_one_process_of_several_keeps_what_is_declared(world: Any) -> None:
    """A second process listens only for what is attached through it. The first one takes up what a reset restores."""
    first, second = Listener(), Listener()
    keeper = world._sandbox.attachments
    keeper.listen_with(first, keeps_all=True)
    other = Attachments(world.database, world.clock, world._sandbox.ids)
    other.listen_with(second, keeps_all=False)
    assert second.open_ids == []
    made = other.attach("ecs", {"role": "task"}, world._sandbox.settings)
    keeper.look()
    assert made.attachment_id not in first.open_ids
    assert keeper.detach(made.attachment_id)
    assert second.open_ids == [made.attachment_id]
    other.look()
    assert second.open_ids == []


def test_a_changed_address_is_opened_anew(world: Any, listener: Listener) -> None:
    assert listener.opened == 3
    world._sandbox.load(
        world._sandbox.save().replace("http_put_response_hop_limit: 1", "http_put_response_hop_limit: 2")
    )
    assert sorted(listener.open_ids) == sorted([INSTANCE, TASK, POD])
    assert listener.opened == 4


def test_stopping_ends_everything(world: Any, listener: Listener) -> None:
    world._sandbox.attachments.stop()
    assert listener.open_ids == []


def test_another_machine_gets_nothing(world: Any) -> None:
    client = world.application.test_client()
    for method, path in (("GET", "attach"), ("POST", "attach"), ("GET", "instance-identity-certificate")):
        answer = client.open(f"/_rolecall/{path}", method=method, environ_base={"REMOTE_ADDR": "10.0.0.1"})
        assert answer.status_code == 403
