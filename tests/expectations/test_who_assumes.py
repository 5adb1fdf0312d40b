"""who-can and paths look at few roles for each principal, and still find every role that a real call can assume."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from rolecall import Rolecall
from rolecall.expectations.chains import chains_between
from rolecall.expectations.holders import who_can

HERE, OTHER = "111122223333", "444455556666"
# Everything by which a trust policy may name the user `named` or its account, and what names neither.
TRUSTS = {
    "account-id": {"AWS": HERE},
    "account-root": {"AWS": f"arn:aws:iam::{HERE}:root"},
    "everyone": {"AWS": "*"},
    "user": {"AWS": f"arn:aws:iam::{HERE}:user/deep/single"},
    "several": {"AWS": [OTHER, f"arn:aws:iam::{HERE}:user/star"]},
    "other-account": {"AWS": OTHER},
    "of-name": {"AWS": HERE},
    "service": {"Service": "ec2.amazonaws.com"},
}
ROLES = f"arn:aws:iam::{HERE}:role"
# Everything by which a policy may be about a role.
RESOURCES: dict[str, Any] = {
    "single": [f"{ROLES}/of/account-root", "arn:aws:s3:::b/*"],
    "star": "*",
    "every-role": f"{ROLES}/*",
    "middle": "arn:aws:iam::*:role/of/account-*",
    "one-character": f"{ROLES}/of/account-i?",
    "incomplete": ["arn:aws:iam"],
    "of-name": f"{ROLES}/of/${{aws:username}}",
    "user": "arn:aws:s3:::b/*",
    "not": {"NotResource": f"{ROLES}/of/account-root"},
    "nothing": None,
}


def _statement(resource: Any) -> dict[str, Any]:
    about = resource if isinstance(resource, dict) else {"Resource": resource}
    return {"Effect": "Allow", "Action": "sts:*", **about}


def _user(name: str, resource: Any, account_number: int) -> dict[str, Any]:
    key = {"id": f"AKIA{account_number}{name.upper().replace('-', ''):X<15}"[:20], "secret": "s" * 40}
    document = {"Version": "2012-10-17", "Statement": [_statement(resource)]}
    inline = {} if resource is None else {"inline_policies": {"own": document}}
    return {"name": name, "path": "/deep/" if name == "single" else "/", "access_keys": [key], **inline}


def _role(name: str, principal: dict[str, Any]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    return {"name": name, "path": "/of/", "trust_policy": trust}


WORLD: dict[str, Any] = {
    "version": 1,
    "accounts": [
        {
            "id": HERE,
            "users": [_user(name, resource, 1) for name, resource in RESOURCES.items()],
            "roles": [_role(name, principal) for name, principal in TRUSTS.items()],
        },
        {"id": OTHER, "users": [_user(name, resource, 2) for name, resource in RESOURCES.items()]},
    ],
}


def test_who_can_and_paths_find_what_real_calls_can_assume() -> None:
    with Rolecall(WORLD) as sandbox:
        real: dict[str, set[str]] = {name: set() for name in TRUSTS}
        for account in WORLD["accounts"]:
            for user in account["users"]:
                [key] = user["access_keys"]
                sts = sandbox.client("sts", aws_access_key_id=key["id"], aws_secret_access_key=key["secret"])
                arn = f"arn:aws:iam::{account['id']}:user{user['path']}{user['name']}"
                for role in TRUSTS:
                    with suppress(sts.exceptions.ClientError):
                        sts.assume_role(RoleArn=f"{ROLES}/of/{role}", RoleSessionName="any")
                        real[role].add(arn)
        assert {name: len(arns) for name, arns in real.items()} == {
            "account-id": 6,
            "account-root": 5,
            # All 10 of its account, because it names them itself.
            "everyone": 14,
            "user": 1,
            "several": 5,
            "other-account": 4,
            "of-name": 5,
            "service": 0,
        }
        for role, arns in real.items():
            found = who_can(sandbox._parts.sandbox, "sts:AssumeRole", f"{ROLES}/of/{role}").holders
            assert {each.who.arn for each in found if ":user/" in each.who.arn} == arns, role
            if role not in ("user", "of-name"):
                continue
            for account in WORLD["accounts"]:
                for user in account["users"]:
                    arn = f"arn:aws:iam::{account['id']}:user{user['path']}{user['name']}"
                    chains = chains_between(sandbox._parts.sandbox, arn, f"{ROLES}/of/{role}").chains
                    assert bool(chains) == (arn in arns), (arn, role)
