"""The way from a policy of a logged call to the editor: to the policy that the sandbox has now, if it has it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import Connection

from rolecall.arns import parse_arn
from rolecall.storage.groups import groups_of
from rolecall.storage.users import user_by_name
from rolecall.web.console.subjects import Subject, find_subject

Json = Mapping[str, Any]


def editor_query(connection: Connection, policy: Json) -> str:
    """The parameters of the editor's page for a policy of an explanation; empty when there is no such policy now.

    An inline policy of a user may be the user's own or a group's. The explanation does not say which, so the text
    decides.
    """
    found = [each for given in _possible(connection, policy) if (each := find_subject(connection, given)) is not None]
    same = [each for each in found if _is_same(each, policy["document"])]
    return urlencode((same or found)[0].query) if found else ""


def _possible(connection: Connection, policy: Json) -> Iterator[dict[str, str]]:
    """What the policy may be called in the editor."""
    if parse_arn(policy["uri"]) is not None:
        yield {"arn": policy["uri"]}
        return
    for owner in policy.get("attached_to") or ():
        if policy["kind"] == "trust":
            yield {"owner": owner, "trust": "yes"}
        elif policy["kind"] == "identity":
            yield {"owner": owner, "name": policy["name"]}
            yield from ({"owner": group, "name": policy["name"]} for group in _groups_of(connection, owner))


def _groups_of(connection: Connection, owner: str) -> Iterator[str]:
    arn = parse_arn(owner)
    if arn is None or arn.resource_type != "user":
        return
    user = user_by_name(connection, arn.account_id, arn.resource_name)
    if user is not None and user.arn == owner:
        yield from (group.arn for group in groups_of(connection, user.user_id))


def _is_same(subject: Subject, document: Any) -> bool:
    try:
        return bool(json.loads(subject.document) == document)
    except (ValueError, RecursionError):
        return False
