"""``rolecall saml-assertion``"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import click

from rolecall.commands.common import tell
from rolecall.commands.running import ask, endpoint_of, server_options
from rolecall.identity_providers.asking import AssertionRequestError, read_pairs
from rolecall.identity_providers.saml_assertions import DEFAULT_SUBJECT


@click.command("saml-assertion")
@click.option("--idp", required=True, metavar="NAME", help="Name of an identity provider of Rolecall's.")
@click.option("--role", required=True, metavar="ARN", help="The role that the assertion offers.")
@click.option("--provider", required=True, metavar="ARN", help="The SAML provider in IAM for this identity provider.")
@click.option("--session-name", required=True, metavar="TEXT", help="The attribute RoleSessionName.")
@click.option("--subject", default=DEFAULT_SUBJECT, metavar="TEXT", help="The NameID.")
@click.option("--attribute", "attributes", multiple=True, metavar="NAME=TEXT", help="An attribute, by its full name.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=TEXT", help="A session tag.")
@click.option(
    "--transitive-tag", "transitive", multiple=True, metavar="KEY", help="Key of a tag that chained roles inherit."
)
@click.option("--session-duration", type=int, metavar="SECONDS", help="The attribute SessionDuration.")
@click.option("--source-identity", metavar="TEXT", help="The attribute SourceIdentity.")
@server_options
def command(
    idp: str,
    role: str,
    provider: str,
    session_name: str,
    subject: str,
    attributes: Sequence[str],
    tags: Sequence[str],
    transitive: Sequence[str],
    session_duration: int | None,
    source_identity: str | None,
    endpoint: str | None,
    host: str,
    port: int,
) -> None:
    """Print a SAML response that a running server signs, in base64.

    The command prints nothing else, so that you can redirect the response into a file or a variable. An attribute that
    is given twice has two values.

    \b
    Example:
      rolecall saml-assertion --idp corp --role ROLE_ARN --provider PROVIDER_ARN --session-name ana
    """
    wanted: dict[str, Any] = {
        "role": role,
        "provider": provider,
        "session_name": session_name,
        "subject": subject,
        "attributes": _pairs("--attribute", attributes),
        "tags": {key: values[-1] for key, values in _pairs("--tag", tags).items()},
        "transitive_tag_keys": list(transitive),
        "session_duration": session_duration,
        "source_identity": source_identity,
    }
    asked = {name: value for name, value in wanted.items() if value is not None}
    tell(ask(endpoint_of(endpoint, host, port), "POST", f"saml/{quote(idp, safe='')}/assertion", asked)["assertion"])


def _pairs(option: str, texts: Sequence[str]) -> dict[str, list[str]]:
    try:
        return read_pairs(texts)
    except AssertionRequestError as error:
        raise click.UsageError(f"{option} {error}.") from error
