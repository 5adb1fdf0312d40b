"""``rolecall policy``"""

from __future__ import annotations

import json
import time

import click

from emulator.commands.common import (
    DATABASE_PROBLEMS,
    UnusableError,
    database_option,
    database_problem,
    opened_database,
    opened_log,
)
from emulator.least_privilege import (
    BadPrincipalError,
    authority_of,
    notes,
    smallest_policy,
    unused,
    used_permissions,
    wanted_calls,
)
from emulator.sandbox.decision_filter import BadFilterError, epoch_seconds
from emulator.sandbox.decisions import SETTLE_SECONDS
from emulator.storage.decision_log import CallFilter, LoggedCall


@click.command("policy")
@click.option("--principal", metavar="ARN", required=True, help="Of a user, a role (all its sessions) or a session.")
@click.option("--since", metavar="TIME", default=None, help="2030-01-01T00:00:00Z, or seconds since the epoch.")
@click.option("--include-refused", is_flag=True, help="Allow also what was refused for want of a permission.")
@click.option("--unused", "only_unused", is_flag=True, help="What present policies grant and was never used, instead.")
@database_option
def command(principal: str, since: str | None, include_refused: bool, only_unused: bool, database: str) -> None:
    """Write the smallest policy that allows what a principal did.

    It comes from the decision log beside the database: each action on the resources it was used on, and on every
    resource where the service has no resource ARNs, as Chime. What is worth knowing about it goes to stderr.

    \b
    Examples:
      rolecall policy --principal arn:aws:iam::111122223333:role/chime-reader
      rolecall policy --principal arn:aws:iam::111122223333:user/developer --since 2030-01-01 > developer.json
      rolecall policy --principal arn:aws:iam::111122223333:user/admin --unused
    """
    if only_unused and include_refused:
        raise click.UsageError("Give --include-refused or --unused.")
    try:
        wanted = wanted_calls(principal, epoch_seconds(since) if since else None)
    except (BadFilterError, BadPrincipalError) as error:
        raise UnusableError(f"{error}".removesuffix(".")) from error
    calls, dropped, forgotten = _read(database, wanted)
    used = used_permissions(calls, include_refused=include_refused)
    if only_unused:
        click.echo(json.dumps(_unused(database, principal, calls), indent=2))
        return
    policy = smallest_policy(used)
    if not policy["Statement"]:
        raise UnusableError(f"the decision log has no call of {principal} that a policy allowed")
    click.echo(json.dumps(policy, indent=2))
    for note in notes(policy, dropped, forgotten):
        click.echo(f"rolecall: {note}", err=True)


def _read(database: str, wanted: CallFilter) -> tuple[list[LoggedCall], dict[str, int], int]:
    with opened_log(database, "/_rolecall/policy") as store:
        # A running server writes down its last calls a moment later.
        time.sleep(SETTLE_SECONDS)
        return store.calls(wanted), store.dropped(), store.forgotten()


def _unused(database: str, principal: str, calls: list[LoggedCall]) -> dict[str, object]:
    opened = opened_database(database)
    try:
        with opened.snapshot() as connection:
            authority = authority_of(connection, principal)
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    finally:
        opened.close()
    if authority is None:
        raise UnusableError(f"there is no user or role {principal} whose policies could be looked at")
    return unused(authority, used_permissions(calls)).as_json()
