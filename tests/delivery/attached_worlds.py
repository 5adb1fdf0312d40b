"""Sandboxes with an instance, a task and a pod, and requests to them without a socket."""

from __future__ import annotations

import json
from typing import Any

from rolecall.delivery.pods import cluster_issuer, pod_token
from rolecall.http import DroppedConnectionError
from rolecall.identity_providers.oidc_tokens import issuer_url, mint
from rolecall.ids import Identifiers
from rolecall.web.attach_endpoint import Minting
from rolecall.web.deliveries import delivery_application

ACCOUNT = "111122223333"
INSTANCE = "i-0123456789abcdef0"
TASK = "0123456789abcdef0123456789abcdef"
POD = "a-0123456789abcdef0"
TOKEN = "x-aws-ec2-metadata-token"
TTL = "x-aws-ec2-metadata-token-ttl-seconds"


def trust(service: str, *actions: str, **condition: Any) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": list(actions or ("sts:AssumeRole", "sts:TagSession")),
    }
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def attached_world(**changes: Any) -> str:
    """``changes`` replace members of the only account."""
    reading = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*"}],
    }
    account = {
        "id": ACCOUNT,
        "users": [
            {
                "name": "admin",
                "access_keys": [{"id": "test", "secret": "test"}],
                "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
            }
        ],
        "roles": [
            {"name": "app", "trust_policy": trust("ec2.amazonaws.com"), "inline_policies": {"own": reading}},
            {"name": "task", "trust_policy": trust("ecs-tasks.amazonaws.com"), "inline_policies": {"own": reading}},
            {"name": "pod", "trust_policy": trust("pods.eks.amazonaws.com"), "inline_policies": {"own": reading}},
        ],
        "instances": [{"id": INSTANCE, "role": "app"}],
        "tasks": [{"id": TASK, "role": "task"}],
        "pods": [{"id": POD, "role": "pod", "namespace": "shop", "service_account": "cart", "cluster": "prod"}],
        **changes,
    }
    return json.dumps({"version": 1, "settings": {"minimum_session_seconds": 60}, "accounts": [account]})


class Answer:
    """What a client would see."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.text = ""

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def ask(world: Any, attachment_id: str, path: str, method: str = "GET", **headers: str) -> Answer:
    """The answer of an attachment; its status is 0 when the connection is closed without one."""
    answer = Answer()

    def start(status: str, found: list[tuple[str, str]], _exception: Any = None) -> None:
        answer.status = int(status[:3])
        answer.headers = {name.lower(): value for name, value in found}

    environ = {
        "REQUEST_METHOD": method,
        "RAW_URI": path,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "rolecall.headers": {"host": "127.0.0.1:4600"},
        "rolecall.body": b"",
        "HTTP_HOST": "127.0.0.1:4600",
    }
    for name, value in headers.items():
        environ["rolecall.headers"][name.replace("_", "-")] = value
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    # S105: the private name of the handle's sandbox.
    application = delivery_application(world._sandbox, attachment_id)
    try:
        answer.text = b"".join(application(environ, start)).decode()
    except DroppedConnectionError:
        answer.status = 0
    return answer


def metadata_token(world: Any, instance: str = INSTANCE, ttl: str = "21600") -> str:
    answer = ask(world, instance, "/latest/api/token", "PUT", **{TTL: ttl})
    assert answer.status == 200
    return answer.text


def metadata(world: Any, path: str, instance: str = INSTANCE) -> Answer:
    return ask(world, instance, path, **{TOKEN: metadata_token(world, instance)})


def caller(world: Any, document: dict[str, str]) -> str:
    """The ARN of the caller with the credentials of an answer."""
    keys = document["AccessKeyId"], document["SecretAccessKey"], document["Token"]
    return str(world.client("sts", keys=keys).get_caller_identity()["Arn"])


def own_token(world: Any, attachment_id: str = POD) -> str:
    [found] = [each for each in world._sandbox.attachments.list() if each.attachment_id == attachment_id]
    return pod_token(found, Minting(world._sandbox, "http://127.0.0.1:4580"))


def minted(world: Any, issuer: str = "", **token: Any) -> str:
    url = issuer_url("http://other-address:1", issuer or cluster_issuer(ACCOUNT, "prod"))
    wanted = {"subject": "system:serviceaccount:shop:cart", "audience": "pods.eks.amazonaws.com", **token}
    return mint(world.database, world.clock, Identifiers(), issuer=url, shape="eks", algorithm="ES256", **wanted)
