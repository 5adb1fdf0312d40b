"""``rolecall policy``"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial

import click

from emulator.commands.common import (
    DATABASE_PROBLEMS,
    SINCE_HELP,
    UnusableError,
    database_option,
    database_problem,
    opened_database,
    opened_log,
    sandbox_seconds,
)
from emulator.least_privilege import (
    BadPrincipalError,
    LeastPrivilege,
    NoGrantsError,
    Traffic,
    check_principal,
    least_privilege,
    observed,
    unused_grants,
    unused_notes,
)
from emulator.sandbox.decision_filter import BadFilterError, since_seconds
from emulator.sandbox.decisions import SETTLE_SECONDS


@click.command("policy")
@click.option("--principal", metavar="ARN", required=True, help="Of a user, a role (all its sessions) or a session.")
@click.option("--since", metavar="TIME", default=None, help=SINCE_HELP)
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
      rolecall policy --principal arn:aws:iam::111122223333:user/developer --since 15m > developer.json
      rolecall policy --principal arn:aws:iam::111122223333:user/admin --unused
    """
    if only_unused and include_refused:
        raise click.UsageError("Give --include-refused or --unused.")
    try:
        check_principal(principal)
        traffic = _read(database, principal, since_seconds(since or "", partial(sandbox_seconds, database)))
    except (BadFilterError, BadPrincipalError) as error:
        raise UnusableError(f"{error}".removesuffix(".")) from error
    if only_unused:
        _tell(_unused(database, traffic), unused_notes(traffic))
        return
    found = least_privilege(traffic, include_refused=include_refused)
    if found.policy is None:
        raise UnusableError(_nothing(traffic, found) + (" since then" if since else ""))
    _tell(found.policy, found.notes)


def _tell(answer: dict[str, object], notes: Sequence[str]) -> None:
    click.echo(json.dumps(answer, indent=2))
    for note in notes:
        click.echo(f"rolecall: {note}", err=True)


def _read(database: str, principal: str, from_seconds: float | None) -> Traffic:
    with opened_log(database, "/_rolecall/policy") as store:
        # A running server writes down its last calls a moment later.
        time.sleep(SETTLE_SECONDS)
        return observed(store, principal, from_seconds)


def _nothing(traffic: Traffic, found: LeastPrivilege) -> str:
    """Why there is no policy."""
    if not traffic.calls:
        return f"the decision log has no call of {traffic.principal}"
    if found.refused:
        return f"--include-refused is for calls that policies refused, and there is no other of {traffic.principal}"
    return f"no call of {traffic.principal} needed a permission"


def _unused(database: str, traffic: Traffic) -> dict[str, object]:
    opened = opened_database(database)
    try:
        with opened.snapshot() as connection:
            return unused_grants(connection, traffic).as_json()
    except NoGrantsError as error:
        raise UnusableError(str(error)) from error
    except DATABASE_PROBLEMS as error:
        raise UnusableError(database_problem(error)) from error
    finally:
        opened.close()
