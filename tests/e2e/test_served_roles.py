"""Roles made over the wire: seen by every page, every worker, and every session at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from served import FIRST_ACCOUNT, Server


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[int, str, str]:
    """Status, code and message of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response["Error"]
    return caught.value.response["ResponseMetadata"]["HTTPStatusCode"], error["Code"], error["Message"]


def test_the_role_paginator_walks_every_page(server: Server) -> None:
    iam = server.client("iam")
    pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}))
    names = [role["RoleName"] for page in pages for role in page["Roles"]]
    assert len(pages) == 2
    assert names == ["chime-denied", "chime-manager", "chime-reader"]


def test_what_one_worker_does_every_worker_knows(make_server: Callable[..., Server]) -> None:
    served = make_server("--workers", "2")
    iam, trust = served.client("iam"), {"Effect": "Allow", "Action": "sts:AssumeRole"}
    document = {
        "Version": "2012-10-17",
        "Statement": [{**trust, "Principal": {"AWS": f"arn:aws:iam::{FIRST_ACCOUNT}:root"}}],
    }
    iam.create_role(RoleName="fresh", AssumeRolePolicyDocument=json.dumps(document))
    # A client for every call: each opens a connection of its own, which either worker may accept.
    credentials = [served.assume("fresh", RoleSessionName=f"session-{index}") for index in range(8)]
    for held in credentials:
        assert refusal(served.client("chime", credentials=held).list_accounts)[1] == "ForbiddenException"
    iam.attach_role_policy(RoleName="fresh", PolicyArn="arn:aws:iam::aws:policy/AmazonChimeReadOnly")
    for held in credentials:
        assert served.client("chime", credentials=held).list_accounts()["Accounts"]
    iam.detach_role_policy(RoleName="fresh", PolicyArn="arn:aws:iam::aws:policy/AmazonChimeReadOnly")
    for held in credentials:
        assert refusal(served.client("chime", credentials=held).list_accounts)[1] == "ForbiddenException"
    iam.delete_role(RoleName="fresh")
    for held in credentials:
        assert refusal(served.client("sts", credentials=held).get_caller_identity)[1] == "InvalidClientTokenId"
