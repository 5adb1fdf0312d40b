"""``rolecall policy``"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

import click

from rolecall.call_log.filter import BadFilterError, since_seconds
from rolecall.call_log.writer import SETTLE_SECONDS
from rolecall.commands.common import (
    DATABASE_PROBLEMS,
    SINCE_HELP,
    UnusableError,
    config_of_database_option,
    database_option,
    database_problem,
    opened_database,
    opened_log,
    sandbox_seconds,
    tell,
    tell_lines,
)
from rolecall.commands.running import ask, server_instead, server_option
from rolecall.least_privilege import (
    BadPrincipalError,
    NoGrantsError,
    Traffic,
    Unused,
    check_principal,
    least_privilege,
    observed,
    unused_grants,
    unused_notes,
    why_no_policy,
)

# In the order in which they are printed.
STATEMENT_MEMBERS = ("Sid", "Effect", "Action", "Resource")
UNUSED_MEMBERS = ("actions", "resources", "policies", "reaches_further")


@click.command("policy")
@click.option("--principal", metavar="ARN", required=True, help="A user, a role (all its sessions) or a session.")
@click.option("--since", metavar="TIME", default=None, help=SINCE_HELP)
@click.option("--include-refused", is_flag=True, help="Include the permissions of refused calls.")
@click.option("--unused", "only_unused", is_flag=True, help="Instead, show what the current policies grant unused.")
@server_option
@config_of_database_option
@database_option
def command(
    principal: str,
    since: str | None,
    include_refused: bool,
    only_unused: bool,
    endpoint: str | None,
    database: str,
) -> None:
    """Write the smallest policy that allows what a principal did.

    The policy comes from the decision log beside the database. It allows each action on the resources that the
    principal used it on. Where a service has no resource ARNs, such as Chime, it allows the action on every resource.
    Notes about the policy go to stderr.

    \b
    Examples:
      rolecall policy --principal arn:aws:iam::111122223333:role/chime-reader
      rolecall policy --principal arn:aws:iam::111122223333:user/developer --since 15m > developer.json
      rolecall policy --principal arn:aws:iam::111122223333:user/admin --unused
    """
    if only_unused and include_refused:
        raise click.UsageError("Give --include-refused or --unused.")
    server = server_instead(endpoint)
    if server:
        _tell_of_server(server, principal, since, include_refused=include_refused, only_unused=only_unused)
        return
    try:
        check_principal(principal)
        traffic, callers = _read(database, principal, since_seconds(since or "", partial(sandbox_seconds, database)))
    except (BadFilterError, BadPrincipalError) as error:
        raise UnusableError(f"{error}".removesuffix(".")) from error
    if only_unused:
        _tell(_unused(database, traffic).as_json(), unused_notes(traffic))
        return
    found = least_privilege(traffic, include_refused=include_refused)
    if found.policy is None:
        raise UnusableError(why_no_policy(traffic, found, callers) + (" since then" if since else ""))
    _tell(found.policy, [*found.notes, *_note_on_unused(database, traffic)])


def _tell_of_server(
    server: str, principal: str, since: str | None, *, include_refused: bool, only_unused: bool
) -> None:
    """What a running server answers. Raises UnusableError."""
    asked = {"principal": principal, "unused": "true", "include_refused": str(include_refused).lower()}
    answer = ask(server, "GET", f"policy?{urlencode(asked | ({'since': since} if since else {}))}")
    policy, unused, unused_notes = answer["policy"], answer["unused"], answer["unused_notes"]
    if only_unused:
        if unused is None:
            raise UnusableError(unused_notes[0].removeprefix("unused is null: ").removesuffix("."))
        _tell({name: unused[name] for name in UNUSED_MEMBERS}, unused_notes)
        return
    if policy is None:
        raise UnusableError(answer["notes"][0].removesuffix("."))
    _tell(_in_order(policy), [*answer["notes"], *_unused_line(unused)])


def _in_order(policy: Mapping[str, Any]) -> dict[str, object]:
    """The members of a policy as people write them. A server's JSON has them in the order of the alphabet."""
    statements = [{name: each[name] for name in STATEMENT_MEMBERS if name in each} for each in policy["Statement"]]
    return {"Version": policy["Version"], "Statement": statements}


def _unused_line(unused: Mapping[str, Any] | None) -> Iterator[str]:
    """One line about what the current policies grant and no call used, from :meth:`Unused.as_json`."""
    if unused is None:
        return
    actions = sum(map(len, unused["actions"].values()))
    resources = sum(map(len, unused["resources"].values()))
    if actions or resources or unused["policies"]:
        yield (
            f"the current policies grant more than the calls used: {actions} actions, {resources} resources of other "
            f"actions, {len(unused['policies'])} whole policies; see --unused"
        )


def _tell(answer: dict[str, object], notes: Sequence[str]) -> None:
    tell_lines(json.dumps(answer, indent=2))
    for note in notes:
        tell(f"rolecall: {note}", err=True)


def _read(database: str, principal: str, from_seconds: float | None) -> tuple[Traffic, list[str]]:
    """The logged calls of a principal; when there are none, all callers."""
    with opened_log(database, "/_rolecall/policy") as store:
        # A running server writes its last calls to the log a moment later.
        time.sleep(SETTLE_SECONDS)
        traffic = observed(store, principal, from_seconds)
        return traffic, [] if traffic.kinds else store.callers()


def _note_on_unused(database: str, traffic: Traffic) -> Iterator[str]:
    """One line about what the current policies grant and no call used; none for a principal without policies."""
    try:
        unused = _unused(database, traffic)
    except UnusableError:
        return
    yield from _unused_line(unused.as_json())


def _unused(database: str, traffic: Traffic) -> Unused:
    opened = opened_database(database)
    try:
        with opened.snapshot() as connection:
            return unused_grants(connection, traffic)
    except NoGrantsError as error:
        raise UnusableError(str(error)) from error
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    finally:
        opened.close()
