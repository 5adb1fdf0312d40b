"""What the tests of the decision log share: sandboxes that keep one, and refusals made on purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from rolecall.app import application_over, decision_log
from rolecall.call_log.outcomes import Outcome
from rolecall.call_log.writer import DecisionLog
from rolecall.clock import Clock
from rolecall.errors import AwsError
from rolecall.service_records import action_of
from rolecall.storage.decision_log import CallFilter, DecisionStore

EVERYTHING = CallFilter(limit=1000)


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


def outcome(name: str, error: AwsError | None = None, at: float = 0.0) -> Outcome:
    return Outcome(name, "sts", "GetCallerIdentity", None, (), error, now_seconds=at, received_at_seconds=at)


def new_log(path: Path | str = ":memory:", clock: Clock | None = None, **options: Any) -> DecisionLog:
    return DecisionLog(DecisionStore(str(path)), clock or Clock(), action_of, **options)


def names(log: DecisionLog, wanted: CallFilter = EVERYTHING) -> list[str]:
    return [call.request_id for call in log.calls(wanted)]
