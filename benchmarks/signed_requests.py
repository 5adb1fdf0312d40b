"""Requests signed by botocore, as the bytes on the socket."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

ROLE = "chime-reader"
ROLE_ARN = f"arn:aws:iam::111122223333:role/{ROLE}"


class _CapturedError(Exception):
    pass


def client(url: str, service: str, keys: tuple[str, ...]) -> Any:
    return boto3.Session().client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=keys[0],
        aws_secret_access_key=keys[1],
        aws_session_token=keys[2] if len(keys) > 2 else None,
        config=Config(retries={"total_max_attempts": 1}),
    )


def keys_of(credentials: dict[str, Any]) -> tuple[str, ...]:
    return credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"]


def captured(made: Any, call: Callable[[Any], object]) -> bytes:
    """The bytes of the request that ``call`` makes with the client."""
    prepared: list[Any] = []

    def stop(request: Any, **_ignored: Any) -> None:
        prepared.append(request)
        raise _CapturedError

    made.meta.events.register_first("before-send", stop)
    with contextlib.suppress(_CapturedError):
        call(made)
    made.meta.events.unregister("before-send", stop)
    request = prepared[0]
    url = urlsplit(request.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {url.netloc}"]
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if name.lower() not in ("host", "content-length"):
            lines.append(f"{name}: {text}")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def rolecall_requests(url: str) -> dict[str, bytes]:
    """One request of each kind, signed for the built-in sandbox. The two reads use a session's credentials."""
    sts = client(url, "sts", ("test", "test"))
    session = keys_of(sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="benchmark")["Credentials"])
    chime = client(url, "chime", session)
    account_id = chime.list_accounts()["Accounts"][0]["AccountId"]
    user_id = chime.list_users(AccountId=account_id)["Users"][0]["UserId"]
    return {
        "GetCallerIdentity": captured(client(url, "sts", session), lambda c: c.get_caller_identity()),
        "GetUser": captured(chime, lambda c: c.get_user(AccountId=account_id, UserId=user_id)),
        "AssumeRole": captured(sts, lambda c: c.assume_role(RoleArn=ROLE_ARN, RoleSessionName="benchmark")),
    }


def moto_request(url: str) -> bytes:
    """AssumeRole for moto. Creates the user, its key, its permission and the role first: moto checks nothing before."""
    iam = client(url, "iam", ("anything", "anything"))
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}'
    )
    everything = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
    iam.create_user(UserName="admin")
    iam.put_user_policy(UserName="admin", PolicyName="everything", PolicyDocument=everything)
    key = iam.create_access_key(UserName="admin")["AccessKey"]
    arn = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    keys = (key["AccessKeyId"], key["SecretAccessKey"])
    return captured(client(url, "sts", keys), lambda c: c.assume_role(RoleArn=arn, RoleSessionName="benchmark"))
