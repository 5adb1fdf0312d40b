"""``rolecall token``"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from rolecall.commands.common import tell
from rolecall.commands.running import ask, endpoint_of, server_options
from rolecall.identity_providers.asking import TokenRequestError, read_claim
from rolecall.identity_providers.oidc_tokens import DEFAULT_ALGORITHM
from rolecall.identity_providers.token_shapes import DEFAULT_AUDIENCE, SHAPES
from rolecall.sessions.algorithms import ALGORITHMS


@click.command("token")
@click.option("--issuer", required=True, metavar="NAME|URL", help="One of Rolecall's issuers, or a declared provider.")
@click.option("--subject", metavar="TEXT", help="The claim sub; each shape has a default.")
@click.option("--audience", multiple=True, metavar="TEXT", help=f"The claim aud; {DEFAULT_AUDIENCE} by default.")
@click.option("--claim", "claims", multiple=True, metavar="K=V", help="A claim with a text; K:=V for a JSON value.")
@click.option("--shape", type=click.Choice(list(SHAPES)), default="plain", help="The issuer whose tokens it resembles.")
@click.option("--lifetime", type=int, metavar="SECONDS", help="Seconds until it expires; each shape has a default.")
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
    """Print a web identity token that a running server signs.

    The command prints nothing else, so that you can redirect the token into a file or a variable. The token lacks any
    claim whose value is the JSON null.

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
        "claims": dict(_claim(claim) for claim in claims),
        "shape": shape,
        "lifetime_seconds": lifetime,
        "algorithm": algorithm,
    }
    asked = {name: value for name, value in wanted.items() if value is not None}
    tell(ask(endpoint_of(endpoint, host, port), "POST", "oidc/token", asked)["token"])


def _claim(text: str) -> tuple[str, Any]:
    try:
        return read_claim(text)
    except TokenRequestError as error:
        raise click.UsageError(f"--claim {error}.") from error
