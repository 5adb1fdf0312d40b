"""One sandbox in this process, and its clients, for tests."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import boto3
import postgresql_worlds
from botocore.client import ClientCreator
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.utils import parse_timestamp

from rolecall.app import copied_database, world_template
from rolecall.caches import BoundedCache
from rolecall.call_log.outcomes import Outcome
from rolecall.clock import Clock
from rolecall.ids import Identifiers
from rolecall.inprocess import ENDPOINT_URL, route
from rolecall.sandbox import Sandbox
from rolecall.settings import DEFAULT_MAXIMUM_BODY_BYTES
from rolecall.storage.template import DatabaseTemplate
from rolecall.web.application import RolecallApplication, web_application
from rolecall.web.aws import aws_application
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world, read_world_file
from rolecall.worlds.world import World

FIRST_ACCOUNT = "111122223333"
SECOND_ACCOUNT = "444455556666"
_Template = DatabaseTemplate | postgresql_worlds.PostgresqlTemplate
_templates: BoundedCache[tuple[int, str], tuple[World, _Template]] = BoundedCache(64)
# The option --engine: "sqlite" or "postgresql".
engine = "sqlite"


@cache
def builtin_world() -> World:
    """The built-in sandbox, read once for all tests of a process."""
    return read_world_file(str(builtin_world_path()))


# The same declaration is read once, so its sandbox is set up once, see below.
known_world = lru_cache(64)(read_world)


def _template(declared: World, on: str) -> _Template:
    """The declared sandbox, set up once for all tests of a process that use it. They get copies."""
    known = _templates.get((id(declared), on))
    # Python may give the id of a dropped declaration to another one.
    if known is None or known[0] is not declared:
        if on == "postgresql":
            made: _Template = postgresql_worlds.PostgresqlTemplate(declared)
        else:
            made = world_template(declared, Identifiers())
        known = (declared, made)
        _templates.put((id(declared), on), known)
    return known[1]


@cache
def _boto3_session() -> boto3.Session:
    """One for all tests of a process, because it keeps the parsed service models and the clients' classes."""
    session = boto3.Session(region_name="us-east-1")
    make = ClientCreator._create_client_class
    classes: dict[str, type[Any]] = {}

    def make_once(creator: ClientCreator, service_name: str, service_model: Any) -> type[Any]:
        # A class has an attribute for each operation. Making the class is a third of a client's cost.
        if creator._event_emitter is not session.events:
            return make(creator, service_name, service_model)
        if service_name not in classes:
            classes[service_name] = make(creator, service_name, service_model)
        return classes[service_name]

    ClientCreator._create_client_class = make_once
    # Answers with a thousand managed policies have the same few dates.
    parsers = session._session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=lru_cache(4096, typed=True)(parse_timestamp))
    return session


@dataclass
class _PooledClient:
    """A client that another sandbox can use after this one: a new client takes as long as two calls."""

    client: Any
    # The application that answers it now.
    application: Any = None
    # botocore makes a new one whenever a handler comes or goes.
    registered: Any = None

    @property
    def is_as_made(self) -> bool:
        return self.registered is self.client.meta.events._emitter._lookup_cache

    def answer(self, environ: Any, start_response: Any) -> Any:
        return self.application(environ, start_response)


# Service, Region, address and configuration.
_Place = tuple[str, str, str, str]
_idle_clients: dict[_Place, list[_PooledClient]] = defaultdict(list)


class WorldHandle:
    """One sandbox: its clients, its clock, and the result of every call."""

    first_account = FIRST_ACCOUNT
    second_account = SECOND_ACCOUNT

    def __init__(self, declared: World, on: str = "") -> None:
        """``on`` names the database; without it, the option --engine does."""
        self.declared = declared
        self._on = on or engine
        self.clock = Clock()
        self.outcomes: list[Outcome] = []
        self.database = copied_database(_template(declared, self._on), self.clock)  # type: ignore[arg-type]
        self._sandbox = Sandbox(self.database, declared, self.clock, observer=self.outcomes.append)
        self._aws = aws_application(self._sandbox, DEFAULT_MAXIMUM_BODY_BYTES)
        self._application: RolecallApplication | None = None
        self._clients: list[tuple[_Place, _PooledClient]] = []

    @property
    def application(self) -> RolecallApplication:
        """The whole application, made on first use: making Flask would double the time of a sandbox."""
        if self._application is None:
            self._application = web_application(self._sandbox)
        return self._application

    @application.setter
    def application(self, application: RolecallApplication) -> None:
        self._application = application

    def client(
        self,
        service: str,
        user: str = "admin",
        *,
        credentials: dict[str, Any] | None = None,
        keys: tuple[str, ...] | None = None,
        region: str = "us-east-1",
        endpoint_url: str = ENDPOINT_URL,
        config: Config | None = None,
    ) -> Any:
        """A boto3 client for a declared user, for credentials that STS issued, or for (id, secret[, token])."""
        if credentials is not None:
            keys = (credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials["SessionToken"])
        elif keys is None:
            keys = self._keys_of(user)
        # The options as text: many tests make the same configuration anew.
        place = (service, region, endpoint_url, repr(config and config._user_provided_options))
        if _idle_clients[place]:
            pooled = _idle_clients[place].pop()
        else:
            retries = Config(retries={"total_max_attempts": 1})
            pooled = _PooledClient(
                _boto3_session().client(
                    service,
                    region_name=region,
                    endpoint_url=endpoint_url,
                    aws_access_key_id=keys[0],
                    aws_secret_access_key=keys[1],
                    config=retries.merge(config or Config()),
                )
            )
            route(pooled.client, pooled.answer)
            pooled.registered = pooled.client.meta.events._emitter._lookup_cache
        pooled.client._request_signer._credentials = Credentials(*keys)
        pooled.application = self._application or self._aws
        self._clients.append((place, pooled))
        return pooled.client

    def _keys_of(self, user: str) -> tuple[str, str]:
        for account in self.declared.accounts:
            if user == f"root of {account.account_id}" and account.root_access_keys:
                key = account.root_access_keys[0]
                return key.access_key_id, key.secret_access_key
            for declared in account.users:
                if declared.name == user and declared.access_keys:
                    return declared.access_keys[0].access_key_id, declared.access_keys[0].secret_access_key
        raise LookupError(f"the sandbox declares no user {user!r} with a key")

    def assume(self, role: str, user: str = "admin", **arguments: Any) -> dict[str, Any]:
        """Credentials of a role; ``role`` is an ARN, or the name of a role of the first account."""
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{self.first_account}:role/{role}"
        answer = self.client("sts", user).assume_role(RoleArn=arn, **{"RoleSessionName": "session", **arguments})
        return answer["Credentials"]  # type: ignore[no-any-return]

    def close(self) -> None:
        for place, pooled in self._clients:
            if pooled.is_as_made:
                pooled.application = None
                _idle_clients[place].append(pooled)
        self._clients.clear()
        self.database.close()
        if self._on == "postgresql":
            postgresql_worlds.drop(self.database)
