"""``rolecall demo``: what Rolecall does, in one process. Every step is a signed request; every refusal is explained."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from rolecall.app import application_over, open_database
from rolecall.call_log.outcomes import Outcome
from rolecall.clock import Clock
from rolecall.inprocess import client
from rolecall.policy import explain
from rolecall.worlds.world import World

READ_ONLY_USERS = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["chime:ListAccounts", "chime:ListUsers"], "Resource": "*"}],
}


class _Demo:
    """An application in memory, and the outcome of the last call to it."""

    def __init__(self, world: World) -> None:
        clock = Clock()
        self.account = world.accounts[0]
        self.partner = world.accounts[1]
        self.last: Outcome | None = None
        self.application = application_over(
            open_database("sqlite://", world, clock), world, clock, observer=self._remember
        )

    def _remember(self, outcome: Outcome) -> None:
        self.last = outcome

    def client(self, service: str, credentials: dict[str, Any] | None = None) -> Any:
        if credentials is None:
            key = self.account.users[0].access_keys[0]
            return client(self.application, service, key.access_key_id, key.secret_access_key)
        return client(
            self.application,
            service,
            credentials["AccessKeyId"],
            credentials["SecretAccessKey"],
            credentials["SessionToken"],
        )

    def attempt(self, title: str, call: Callable[[], str]) -> Iterator[str]:
        """The lines of one step: the call, its answer, and the reason for it."""
        yield ""
        yield f"> {title}"
        try:
            yield f"  answered: {call()}"
        except ClientError as error:
            details = error.response["Error"]
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            yield f"  refused with {status} {details['Code']}: {details['Message']}"
        if self.last is not None and self.last.decisions:
            for line in explain(self.last.decisions[-1]).as_text().splitlines():
                yield f"    {line}"


def run_demo(world: World) -> Iterator[str]:
    """The lines of the demonstration, over the built-in world."""
    demo = _Demo(world)
    sts = demo.client("sts")
    yield "Rolecall in this process, in memory, with the built-in sandbox."
    yield from demo.attempt("admin: who am I?", lambda: str(sts.get_caller_identity()["Arn"]))
    for role, operations in (
        ("chime-reader", (_list_users, _create_user)),
        ("chime-manager", (_create_user,)),
        ("chime-denied", (_list_users,)),
    ):
        yield from _as_role(demo, sts, f"arn:aws:iam::{demo.account.account_id}:role/{role}", operations, {})
    partner_role = f"arn:aws:iam::{demo.partner.account_id}:role/chime-partner"
    yield from _as_role(demo, sts, partner_role, (), {})
    yield from _as_role(demo, sts, partner_role, (_list_users,), {"ExternalId": "partner-id"})
    yield from _federated(demo, sts)


Step = tuple[str, Callable[[Any], str]]


def _account_id(chime: Any) -> str:
    return str(chime.list_accounts()["Accounts"][0]["AccountId"])


def _shown_users(chime: Any) -> str:
    users = chime.list_users(AccountId=_account_id(chime))["Users"]
    return ", ".join(user["PrimaryEmail"] for user in users)


def _made_user(chime: Any) -> str:
    created = chime.create_user(AccountId=_account_id(chime), Email="new@example.com")
    return f"created {created['User']['PrimaryEmail']}"


_list_users: Step = ("list the users of Chime", _shown_users)
_create_user: Step = ("create a user in Chime", _made_user)


def _as_role(
    demo: _Demo, sts: Any, role_arn: str, operations: tuple[Step, ...], arguments: dict[str, str]
) -> Iterator[str]:
    held: dict[str, Any] = {}

    def assume() -> str:
        answer = sts.assume_role(RoleArn=role_arn, RoleSessionName="demo", **arguments)
        held.update(answer["Credentials"])
        return str(answer["AssumedRoleUser"]["Arn"])

    shown = f" with {', '.join(f'{name}={value}' for name, value in arguments.items())}" if arguments else ""
    yield from demo.attempt(f"admin: assume {role_arn}{shown}", assume)
    if held:
        chime = demo.client("chime", held)
        for title, operation in operations:
            yield from demo.attempt(f"{role_arn.rpartition('/')[2]}: {title}", lambda step=operation: step(chime))  # type: ignore[misc]


def _federated(demo: _Demo, sts: Any) -> Iterator[str]:
    held: dict[str, Any] = {}

    def federate() -> str:
        answer = sts.get_federation_token(Name="ana", Policy=json.dumps(READ_ONLY_USERS))
        held.update(answer["Credentials"])
        return str(answer["FederatedUser"]["Arn"])

    yield from demo.attempt("admin: a federation token for ana, who may list users and nothing else", federate)
    chime = demo.client("chime", held)
    for title, operation in (_list_users, _create_user):
        yield from demo.attempt(f"ana: {title}", lambda step=operation: step(chime))  # type: ignore[misc]
