"""One sandbox in this process, and its clients, for tests."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config

from rolecall.app import application_over, open_database
from rolecall.clock import Clock
from rolecall.inprocess import ENDPOINT_URL, route
from rolecall.sandbox.outcomes import Outcome
from rolecall.sandbox.world import World
from rolecall.web.application import RolecallApplication

FIRST_ACCOUNT = "111122223333"
SECOND_ACCOUNT = "444455556666"
_session: list[boto3.Session] = []


def _boto3_session() -> boto3.Session:
    """One for all tests of a process: it keeps the parsed service models."""
    if not _session:
        _session.append(boto3.Session(region_name="us-east-1"))
    return _session[0]


class WorldHandle:
    """One sandbox: its clients, its clock, and what became of every call."""

    first_account = FIRST_ACCOUNT
    second_account = SECOND_ACCOUNT

    def __init__(self, declared: World) -> None:
        self.declared = declared
        self.clock = Clock()
        self.outcomes: list[Outcome] = []
        self.database = open_database("sqlite://", declared, self.clock)
        self.application: RolecallApplication = application_over(
            self.database, declared, self.clock, observer=self.outcomes.append
        )

    def client(
        self,
        service: str,
        user: str = "admin",
        *,
        credentials: dict[str, Any] | None = None,
        keys: tuple[str, ...] | None = None,
        region: str = "us-east-1",
        endpoint_url: str = ENDPOINT_URL,
        config: Config | None = None,
    ) -> Any:
        """A boto3 client for a declared user, for credentials that STS issued, or for (id, secret[, token])."""
        if credentials is not None:
            keys = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        elif keys is None:
            keys = self._keys_of(user)
        made = _boto3_session().client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2] if len(keys) > 2 else None,
            config=Config(retries={"total_max_attempts": 1}).merge(config or Config()),
        )
        return route(made, self.application)

    def _keys_of(self, user: str) -> tuple[str, str]:
        for account in self.declared.accounts:
            if user == f"root of {account.account_id}" and account.root_access_keys:
                key = account.root_access_keys[0]
                return key.access_key_id, key.secret_access_key
            for declared in account.users:
                if declared.name == user and declared.access_keys:
                    return declared.access_keys[0].access_key_id, declared.access_keys[0].secret_access_key
        raise LookupError(f"the sandbox declares no user {user!r} with a key")

    def assume(self, role: str, user: str = "admin", **arguments: Any) -> dict[str, Any]:
        """Credentials of a role; ``role`` is an ARN, or the name of a role of the first account."""
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{self.first_account}:role/{role}"
        answer = self.client("sts", user).assume_role(RoleArn=arn, **{"RoleSessionName": "session", **arguments})
        return answer["Credentials"]  # type: ignore[no-any-return]

    def close(self) -> None:
        self.database.close()
