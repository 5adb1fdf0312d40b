"""``rolecall who-can``"""

from __future__ import annotations

import json

import click

from rolecall.commands.asked import answer_of, running_option
from rolecall.commands.common import config_option, tell_exactly
from rolecall.commands.terminal import show
from rolecall.expectations.holders import who_can
from rolecall.expectations.report import holder_lines


@click.command("who-can")
@click.argument("action", metavar="ACTION")
@click.argument("resource", metavar="[RESOURCE]", default="")
@config_option
@running_option
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
def command(action: str, resource: str, config: str | None, endpoint: str | None, as_json: bool) -> None:
    """List the users and roles that may do an action.

    RESOURCE is an ARN, which may have wildcards, or a short form such as role/deploy. Without one, the command lists
    who may do ACTION on any resource, and names such a resource. Conditions that a caller has to meet stand below it.
    Root users are listed too.

    \b
    Examples:
      rolecall who-can iam:CreateUser
      rolecall who-can sts:AssumeRole role/chime-reader
      rolecall who-can s3:GetObject "arn:aws:s3:::reports/*" --endpoint http://127.0.0.1:4580
    """
    parameters = {"action": action, "resource": resource}
    answer = answer_of(
        endpoint, config, "who-can", parameters, lambda sandbox: who_can(sandbox, action, resource).as_json()
    )
    if as_json:
        tell_exactly(json.dumps(answer, indent=2))
        return
    show(holder_lines(answer))
