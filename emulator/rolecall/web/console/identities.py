"""The identities of the accounts: users, groups, roles and identity providers, each with the way to its own page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from flask import Request, Response
from msgspec import Struct
from sqlalchemy import Connection

from rolecall.clock import iso8601
from rolecall.sandbox import Sandbox
from rolecall.storage.gather import account_names
from rolecall.storage.groups import list_groups
from rolecall.storage.oidc_providers import listed_providers
from rolecall.storage.roles import RoleRecord, list_roles
from rolecall.storage.saml_providers import providers_of
from rolecall.storage.users import list_users
from rolecall.web.console.pages import ConsoleError, Page, Values, shown

NO_ACCOUNT_MESSAGE = "The sandbox has no such account."
_NAMES_SHOWN = 100
_BATCH = 500


class Listed(Struct, frozen=True):
    """One row. ``mark`` is what people must know before they read further."""

    arn: str
    name: str
    path: str
    last_used: str = ""
    mark: str = ""


class Section(Struct, frozen=True):
    """The identities of one kind. ``more``: there are further ones after the name ``last``."""

    kind: str
    title: str
    rows: list[Listed]
    more: bool

    @property
    def last(self) -> str:
        return self.rows[-1].name


def _page(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    name, only, after = (request.args.get(key, "").strip() for key in ("name", "kind", "after"))
    with sandbox.database.snapshot() as connection:
        accounts = account_names(connection)
        account_id = request.args.get("account", "") or next(iter(accounts), "")
        if account_id not in accounts:
            raise ConsoleError(NO_ACCOUNT_MESSAGE, 404)
        sections = [
            _section(kind, title, list_all(sandbox, connection, account_id, after if only == kind else ""), name)
            for kind, (title, list_all) in _KINDS.items()
            if only in ("", kind)
        ]
    given = {"account": account_id, "name": name, "kind": only}
    kinds = [("", "All"), *((kind, title) for kind, (title, _) in _KINDS.items())]
    return shown("identities.html", accounts=accounts, sections=sections, given=given, kinds=kinds)


def _section(kind: str, title: str, rows: Iterable[Listed], name: str) -> Section:
    matching = (row for row in rows if name.lower() in row.name.lower())
    found = list(islice(matching, _NAMES_SHOWN + 1))
    return Section(kind, title, found[:_NAMES_SHOWN], len(found) > _NAMES_SHOWN)


def _users(_sandbox: Sandbox, connection: Connection, account_id: str, after: str) -> Iterator[Listed]:
    while batch := list_users(connection, account_id, after_name_key=after.lower(), limit=_BATCH):
        yield from (Listed(user.arn, user.name, user.path) for user in batch)
        after = batch[-1].name


def _groups(_sandbox: Sandbox, connection: Connection, account_id: str, after: str) -> Iterator[Listed]:
    while batch := list_groups(connection, account_id, after_name_key=after.lower(), limit=_BATCH):
        yield from (Listed(group.arn, group.name, group.path) for group in batch)
        after = batch[-1].name


def _roles(sandbox: Sandbox, connection: Connection, account_id: str, after: str) -> Iterator[Listed]:
    while batch := list_roles(connection, account_id, after_name_key=after.lower(), limit=_BATCH):
        for role in batch:
            mark = f"service-linked role of {role.linked_service}" if role.linked_service else ""
            yield Listed(role.arn, role.name, role.path, last_use_of_role(sandbox, role), mark)
        after = batch[-1].name


def _providers(_sandbox: Sandbox, connection: Connection, account_id: str, after: str) -> Iterator[Listed]:
    arns = [arn for arn, _ in listed_providers(connection, account_id)]
    arns += [provider.arn for provider in providers_of(connection, account_id)]
    for arn in arns:
        kind, _, name = arn.split(":", 5)[5].partition("/")
        if name > after:
            yield Listed(arn, name, "", mark="SAML" if kind == "saml-provider" else "OpenID Connect")


def last_use_of_role(sandbox: Sandbox, role: RoleRecord) -> str:
    """When a session of the role last called, and where; empty for a role that nobody used."""
    at_seconds, region = role.last_used_at_seconds, role.last_used_region
    pending = sandbox.last_uses.of_role(role.role_id)
    if pending is not None:
        at_seconds, region = int(pending.at_seconds), pending.region
    return "" if at_seconds is None else f"{iso8601(at_seconds)} in {region}"


_List = Callable[[Sandbox, Connection, str, str], Iterator[Listed]]
_KINDS: dict[str, tuple[str, _List]] = {
    "user": ("Users", _users),
    "group": ("Groups", _groups),
    "role": ("Roles", _roles),
    "provider": ("Identity providers", _providers),
}

PAGES = (Page("/identities", _page, "Identities"),)
