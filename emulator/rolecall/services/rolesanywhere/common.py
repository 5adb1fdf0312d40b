"""What the kinds of IAM Roles Anywhere have in common. The members of its model begin in lower case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypedDict

from rolecall.errors import AwsError
from rolecall.services.kinds import Kind
from rolecall.services.registry import Call
from rolecall.storage import resources as store

SERVICE = "rolesanywhere"
MAXIMUM_TAGS = 200


class Tag(TypedDict):
    """A tag in a request."""

    key: str
    value: str


def invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def over_quota(message: str) -> AwsError:
    """The guide, "Quotas". Not confirmed: the model has no error for quotas, and AWS's answer was not recorded."""
    return invalid(message)


def check_count(call: Call, kind: Kind, limit: int, words: str) -> None:
    """Raises AwsError when the account has as many of a kind in the Region as it may."""
    if len(store.all_of_kind(call.db, call.account_id, kind.name, call.region)) >= limit:
        raise over_quota(f"An account may have at most {limit} {words} in a Region.")


@contextmanager
def worded() -> Iterator[None]:
    """Gives the refusals of helpers that Chime shares the code of this service's model."""
    try:
        yield
    except AwsError as error:
        if error.code == "BadRequestException":
            error.code = "ValidationException"
        raise


def checked_tags(tags: Sequence[Tag]) -> list[dict[str, str]]:
    """The tags, in the spelling of the store's helpers. Raises AwsError ValidationException."""
    keys = [tag["key"] for tag in tags]
    if len(set(keys)) < len(keys):
        raise invalid("Tags must not have the same key twice.")
    if any(key.lower().startswith("aws:") for key in keys):
        raise invalid("The keys of tags must not begin with aws:, which AWS reserves.")
    return [{"Key": tag["key"], "Value": tag["value"]} for tag in tags]
