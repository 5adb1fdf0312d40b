"""``rolecall token``"""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from rolecall.commands.common import UnusableError, tell
from rolecall.commands.private_output import write_private
from rolecall.commands.running import ask, endpoint_of, server_options
from rolecall.identity_providers.asking import TokenRequestError, read_claim
from rolecall.identity_providers.oidc_tokens import DEFAULT_ALGORITHM
from rolecall.identity_providers.token_shapes import DEFAULT_AUDIENCE, SHAPES
from rolecall.sessions.algorithms import ALGORITHMS

# How often the sandbox's clock is looked at.
_LOOK_SECONDS = 1.0
_RENEWED_AFTER = 0.8


@click.command("token")
@click.option("--issuer", required=True, metavar="NAME|URL", help="One of Rolecall's issuers, or a declared provider.")
@click.option("--subject", metavar="TEXT", help="The claim sub; each shape has a default.")
@click.option("--audience", multiple=True, metavar="TEXT", help=f"The claim aud; {DEFAULT_AUDIENCE} by default.")
@click.option("--claim", "claims", multiple=True, metavar="K=V", help="A claim with a text; K:=V for a JSON value.")
@click.option("--shape", type=click.Choice(list(SHAPES)), default="plain", help="The issuer whose tokens it resembles.")
@click.option("--lifetime", type=int, metavar="SECONDS", help="Seconds until it expires; each shape has a default.")
@click.option("--algorithm", type=click.Choice(sorted(ALGORITHMS)), default=DEFAULT_ALGORITHM, help="How to sign it.")
@click.option("--file", metavar="FILE", help="Write the token to a file that only you can read, in one step.")
@click.option("--refresh", is_flag=True, help="Go on, and write a new token to the file before it expires.")
@server_options
def command(
    issuer: str,
    subject: str | None,
    audience: Sequence[str],
    claims: Sequence[str],
    shape: str,
    lifetime: int | None,
    algorithm: str,
    file: str | None,
    refresh: bool,
    endpoint: str | None,
    host: str,
    port: int,
) -> None:
    """Print a web identity token that a running server signs.

    The command prints nothing else, so that you can redirect the token into a file or a variable. The token lacks any
    claim whose value is the JSON null.

    With --file and --refresh it keeps a file up to date, as Kubernetes does for a pod, until it is interrupted. It goes
    by the sandbox's clock.

    \b
    Examples:
      rolecall token --issuer ci --subject build-1 --claim team=blue
      rolecall token --issuer https://token.actions.githubusercontent.com --shape github-actions
      rolecall token --issuer ci --claim exp:=1700000000
      rolecall token --issuer eks --shape eks --file token --refresh
    """
    if refresh and file is None:
        raise click.UsageError("--refresh needs --file.")
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
    address = endpoint_of(endpoint, host, port)
    token = ask(address, "POST", "oidc/token", asked)["token"]
    if file is None:
        tell(token)
        return
    # Without a line break: some SDKs send the whole file as a header.
    write_private(file, token)
    if refresh:
        _keep_fresh(address, asked, file, token)


def _keep_fresh(address: str, asked: dict[str, Any], file: str, token: str) -> None:
    """Replace the token in the file when four fifths of its time are over, as the kubelet does. Ends by a signal."""
    told = ""
    begins, ends = _renewal(token)
    while True:
        try:
            if not begins <= _now_seconds(address) < ends:
                token = ask(address, "POST", "oidc/token", asked)["token"]
                begins, ends = _renewal(token)
                write_private(file, token)
            told = ""
        except UnusableError as error:
            # The server may be starting again. The old token stays.
            if error.message != told:
                tell(f"rolecall: {error.message}", err=True)
            told = error.message
        time.sleep(_LOOK_SECONDS)


def _renewal(token: str) -> tuple[float, float]:
    """From when to when a token stays in the file. Raises UnusableError for one that does not expire."""
    try:
        _, part, _ = token.split(".")
        claims = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        issued, expires = float(claims["iat"]), float(claims["exp"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnusableError("--refresh needs a token with the claims iat and exp") from error
    return issued, issued + (expires - issued) * _RENEWED_AFTER


def _now_seconds(address: str) -> float:
    try:
        return datetime.fromisoformat(ask(address, "GET", "clock")["now"]).timestamp()
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableError(f"the server at {address} did not answer with a time") from error


def _claim(text: str) -> tuple[str, Any]:
    try:
        return read_claim(text)
    except TokenRequestError as error:
        raise click.UsageError(f"--claim {error}.") from error
