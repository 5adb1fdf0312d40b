"""What every IAM operation needs: pages of a list, tags of requests and answers, and help for creating things."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from rolecall.access.permission import ContextValue
from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call
from rolecall.sessions.pages import open_page, seal_page
from rolecall.sessions.tokens import BadTokenError
from rolecall.storage.entity_tags import TaggedKind, key_key, new_tag_count, put_tags, tags_of

TAG_COUNT_MESSAGE = "The number of tags has reached the maximum limit."

# IAM API Reference, MaxItems: "If you do not include this parameter, the number of items defaults to 100."
DEFAULT_PAGE_ITEMS = 100
RESERVED_TAG_PREFIX = "aws:"

# AWS's wording was not recorded.
SET_AND_RESET_MESSAGE = "{name} and Reset{name} cannot be specified in the same request"
INVALID_MARKER_MESSAGE = "Invalid Marker."
DUPLICATE_TAGS_MESSAGE = "Duplicate tag keys found."
DUPLICATE_TAGS_WITHOUT_CASE_MESSAGE = "Duplicate tag keys found. Please note that Tag keys are case insensitive."
# AWS's wording was not recorded. The rule: IAM User Guide, Rules for tagging in IAM and AWS STS.
RESERVED_TAG_MESSAGE = "Tag keys and values beginning with 'aws:' are reserved for system use."
# API reference, ConcurrentModification.
CONCURRENT_MESSAGE = (
    "The request was rejected because multiple requests to change this object were submitted simultaneously. "
    "Wait a few minutes and submit your request again."
)

Item = TypeVar("Item")
Position = Callable[[Item], str]


def concurrent_modification() -> AwsError:
    """The error for a write that a constraint refused because another transaction came first."""
    return AwsError("ConcurrentModification", CONCURRENT_MESSAGE, status=409)


def opened_marker(call: Call, filters: Sequence[str], marker: str | None) -> str:
    """The position where a list continues; empty for its first page.

    ``filters`` distinguishes this list of the operation from its other lists. Raises AwsError ValidationError.
    """
    if marker is None:
        return ""
    try:
        return open_page(call.keys, _scope(call, filters), marker)
    except BadTokenError as error:
        raise AwsError("ValidationError", INVALID_MARKER_MESSAGE, reason=str(error)) from error


def page_of(
    call: Call, filters: Sequence[str], found: Sequence[Item], position: Position[Item], max_items: int
) -> tuple[Sequence[Item], Answer]:
    """The first ``max_items`` of ``found``, and the answer's IsTruncated and Marker. There is a further page when
    ``found`` is longer.
    """
    if len(found) <= max_items:
        return found, rest_of(call, filters, None)
    shown = found[:max_items]
    return shown, rest_of(call, filters, position(shown[-1]))


def rest_of(call: Call, filters: Sequence[str], last_position: str | None) -> Answer:
    """The members that say whether more follows a page. ``last_position`` is of its last item; None for a last page."""
    if last_position is None:
        return {"IsTruncated": False}
    return {"IsTruncated": True, "Marker": seal_page(call.keys, _scope(call, filters), last_position)}


def page(
    call: Call,
    filters: Sequence[str],
    items: Iterable[Item],
    position: Position[Item],
    marker: str | None,
    max_items: int,
) -> tuple[Sequence[Item], Answer]:
    """One page of a whole list, sorted by position. Raises AwsError ValidationError for a marker of another list."""
    after = opened_marker(call, filters, marker)
    rest = sorted((item for item in items if position(item) > after), key=position)
    return page_of(call, filters, rest, position, max_items)


def _scope(call: Call, filters: Sequence[str]) -> tuple[str, ...]:
    return (call.account_id, call.service, call.operation, *filters)


def tag_pairs(tags: Sequence[Mapping[str, Any]], *, case_sensitive: bool) -> list[tuple[str, str]]:
    """The tags of a request as pairs. Raises AwsError InvalidInput for a repeated key and for reserved tags."""
    pairs = [(tag["Key"], tag["Value"]) for tag in tags]
    for pair in pairs:
        if any(text.lower().startswith(RESERVED_TAG_PREFIX) for text in pair):
            raise AwsError("InvalidInput", RESERVED_TAG_MESSAGE)
    keys = {key if case_sensitive else key.lower() for key, _ in pairs}
    if len(keys) < len(pairs):
        raise AwsError(
            "InvalidInput", DUPLICATE_TAGS_MESSAGE if case_sensitive else DUPLICATE_TAGS_WITHOUT_CASE_MESSAGE
        )
    return pairs


def check_set_or_reset(name: str, value: object | None, *, reset: bool) -> bool:
    """Whether a request changes a setting: it gives a value, or clears the setting with the flag ``Reset<name>``.

    API reference, UpdateRole and UpdateLoginProfile: without both, and with a false flag, the setting stays. Raises
    AwsError InvalidInput for both.
    """
    if value is not None and reset:
        raise AwsError("InvalidInput", SET_AND_RESET_MESSAGE.format(name=name))
    return value is not None or reset


def signin_duration(call: Call, seconds: int | None) -> Answer:
    """The member MaxSigninSessionDuration of a role or a login profile: "omitted when the setting is unset" (API
    reference, Role). Models from before November 2026 lack it.
    """
    name = "MaxSigninSessionDuration"
    if seconds is None or all(path[-1] != name for path in call.model.output_paths):
        return {}
    return {name: seconds}


def add_tags(call: Call, kind: TaggedKind, owner_id: str, tags: Sequence[tuple[str, str]]) -> None:
    """Add tags; a tag with the same key is replaced. Raises AwsError LimitExceeded beyond the quota."""
    if not tags:
        return
    if new_tag_count(call.db, kind, owner_id, tags) > call.settings.quotas.tags_per_entity_count:
        raise AwsError("LimitExceeded", TAG_COUNT_MESSAGE)
    put_tags(call.db, kind, owner_id, tags)


def resource_tag_keys(call: Call, kind: TaggedKind, owner_id: str) -> dict[str, ContextValue]:
    """The condition keys of an entity's tags."""
    keys: dict[str, ContextValue] = {}
    for key, value in tags_of(call.db, kind, owner_id):
        keys[f"aws:resourcetag/{key.lower()}"] = value
        keys[f"iam:resourcetag/{key.lower()}"] = value
    return keys


def listed_tags(call: Call, kind: TaggedKind, owner_id: str, marker: str | None, max_items: int) -> Answer:
    """A page of an entity's tags, by key. Raises AwsError ValidationError (marker)."""
    tags = tags_of(call.db, kind, owner_id)
    shown, rest = page(call, (owner_id,), tags, lambda tag: key_key(kind, tag[0]), marker, max_items)
    return {"Tags": tag_answer(shown), **rest}


def tag_answer(tags: Iterable[tuple[str, str]]) -> list[Answer]:
    return [{"Key": key, "Value": value} for key, value in tags]
