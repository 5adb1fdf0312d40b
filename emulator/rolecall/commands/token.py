"""``rolecall token``"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from rolecall.commands.common import tell
from rolecall.commands.running import ask, endpoint_of, server_options
from rolecall.identity_providers.oidc_tokens import DEFAULT_ALGORITHM
from rolecall.identity_providers.token_shapes import DEFAULT_AUDIENCE, SHAPES
from rolecall.sessions.signing_keys import ALGORITHMS


@click.command("token")
@click.option("--issuer", required=True, metavar="NAME|URL", help="One of Rolecall's issuers, or a declared provider.")
@click.option("--subject", metavar="TEXT", help="The claim sub; the shape has one of its own.")
@click.option("--audience", multiple=True, metavar="TEXT", help=f"The claim aud, {DEFAULT_AUDIENCE} without it.")
@click.option("--claim", "claims", multiple=True, metavar="K=V", help="A claim of text; K:=V for one of JSON.")
@click.option("--shape", type=click.Choice(list(SHAPES)), default="plain", help="Whose tokens it is to look like.")
@click.option("--lifetime", type=int, metavar="SECONDS", help="How long it is good; the shape has a default.")
@click.option("--algorithm", type=click.Choice(sorted(ALGORITHMS)), default=DEFAULT_ALGORITHM, help="How to sign it.")
@server_options
def command(
    issuer: str,
    subject: str | None,
    audience: Sequence[str],
    claims: Sequence[str],
    shape: str,
    lifetime: int | None,
    algorithm: str,
    endpoint: str | None,
    host: str,
    port: int,
) -> None:
    """Print a web identity token that a running server has signed.

    Nothing but the token is printed, so that it can go into a file or a variable. A claim whose JSON is null is left
    out of the token.

    \b
    Examples:
      rolecall token --issuer ci --subject build-1 --claim team=blue
      rolecall token --issuer https://token.actions.githubusercontent.com --shape github-actions
      rolecall token --issuer ci --claim exp:=1700000000
    """
    wanted: dict[str, Any] = {
        "issuer": issuer,
        "subject": subject,
        "audience": list(audience) if len(audience) > 1 else next(iter(audience), None),
        "claims": dict(read_claim(claim) for claim in claims),
        "shape": shape,
        "lifetime_seconds": lifetime,
        "algorithm": algorithm,
    }
    asked = {name: value for name, value in wanted.items() if value is not None}
    tell(ask(endpoint_of(endpoint, host, port), "POST", "oidc/token", asked)["token"])


def read_claim(text: str) -> tuple[str, Any]:
    """``k=v`` as text, ``k:=v`` as JSON. Raises UsageError."""
    name, equals, value = text.partition("=")
    if not equals or not name.removesuffix(":"):
        raise click.UsageError(f"--claim {text}: write it as NAME=TEXT, or as NAME:=JSON.")
    if not name.endswith(":"):
        return name, value
    try:
        return name[:-1], json.loads(value)
    except ValueError as error:
        raise click.UsageError(f"--claim {text}: what follows := is not JSON.") from error
