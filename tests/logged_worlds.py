"""What the tests of the decision log share: sandboxes that keep one, and refusals made on purpose."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from rolecall.app import application_over, decision_log
from rolecall.call_log.writer import DecisionLog


def keep_log(world: Any, database_url: str = "sqlite://") -> DecisionLog:
    """Give a sandbox a decision log. It writes nothing until it is flushed or read."""
    log = decision_log(database_url, world.clock)
    world.application = application_over(
        world.database, world.declared, world.clock, decisions=log, observer=world.outcomes.append
    )
    return log


def refused(call: Any, **arguments: Any) -> tuple[str, str]:
    """The request id and the message of a call that must be refused."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["RequestId"], error.response["Error"]["Message"]
    raise AssertionError("the call was allowed")


def request_id(answer: dict[str, Any]) -> str:
    return str(answer["ResponseMetadata"]["RequestId"])
