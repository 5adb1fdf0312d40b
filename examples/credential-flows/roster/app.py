"""What the application does with Chime."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# The error code of an IAM policy's refusal: Chime's own, and the one of the Chime SDK services.
REFUSALS = ("ForbiddenException", "AccessDeniedException")


class NotAllowedError(Exception):
    """The caller lacks a permission; the message names the call."""


class Roster:
    """The users of one Chime account, by the account's name."""

    def __init__(self, session: boto3.Session, account_name: str) -> None:
        self._chime = session.client("chime", region_name="us-east-1", config=Config(retries={"mode": "standard"}))
        self._account_name = account_name

    def emails(self) -> list[str]:
        """The email address of every user, sorted."""
        return sorted(user["PrimaryEmail"] for user in self._users())

    def invite(self, email: str) -> str:
        """Invite a person. Returns the id of the invitation. Raises NotAllowedError."""
        answer = self._call("invite_users", AccountId=self._account_id(), UserEmailList=[email])
        return str(answer["Invites"][0]["InviteId"])

    def _users(self) -> Iterator[dict]:
        parameters = {"AccountId": self._account_id()}
        while True:
            page = self._call("list_users", **parameters)
            yield from page["Users"]
            if "NextToken" not in page:
                return
            parameters["NextToken"] = page["NextToken"]

    def _account_id(self) -> str:
        accounts = self._call("list_accounts", Name=self._account_name)["Accounts"]
        if not accounts:
            raise LookupError(f"there is no Chime account called {self._account_name}")
        return str(accounts[0]["AccountId"])

    def _call(self, operation: str, **parameters: object) -> dict:
        try:
            return getattr(self._chime, operation)(**parameters)
        except ClientError as error:
            if error.response["Error"]["Code"] in REFUSALS:
                raise NotAllowedError(f"you may not {operation.replace('_', ' ')}: ask for the permission") from error
            raise
