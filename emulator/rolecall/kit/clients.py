"""Clients of a sandbox: whose keys they sign with, and that their requests reach it."""

from __future__ import annotations

import threading
from typing import Any

from rolecall.kit import loading
from rolecall.kit.blocks import explicit, innermost
from rolecall.kit.identity import Credentials, Identities, Keys, keys_of
from rolecall.kit.routing import Route

# boto3's sessions are not safe to make in several threads at once.
_client_turn = threading.Lock()


class Clients:
    """Makes the clients of one sandbox. ``owner`` owns the blocks, and ``endpoint_url`` is empty without a socket."""

    def __init__(self, owner: object, route: Route, identities: Identities, region: str) -> None:
        self.route = route
        self.region = region
        self.endpoint_url = ""
        self._owner = owner
        self._identities = identities

    def keys(self, user: str | None, credentials: Credentials | None, account: str | None) -> Keys:
        """The user's keys, the given keys, or else the keys of the block around. Raises TypeError for two of them."""
        if credentials is not None:
            if user is not None or account is not None:
                raise TypeError("give either a user or credentials, not both")
            return keys_of(credentials)
        if user is not None:
            return self._identities.keys(user, account)
        if account is not None:
            raise TypeError("an account only selects a user: give user= too")
        around = innermost(self._owner)
        return self._identities.default_keys() if around is None else around.current_keys()

    def client(self, service: str, keys: Keys, region: str | None, arguments: dict[str, Any]) -> Any:
        """A boto3 client, or a botocore client without boto3."""
        access_key_id, secret_access_key, session_token = keys
        maker = "client" if loading.has_boto3() else "create_client"
        named = {
            "region_name": region or self.region,
            "aws_access_key_id": access_key_id,
            "aws_secret_access_key": secret_access_key,
            "aws_session_token": session_token or None,
            **arguments,
        }
        with _client_turn, explicit():
            client = getattr(loading.explicit_session(), maker)(service, **self._with_endpoint(named))
        self.route.attach(client)
        return client

    def resource(self, service: str, keys: Keys, region: str | None, arguments: dict[str, Any]) -> Any:
        return self.session(keys, region).resource(service, **self._with_endpoint(arguments))

    def session(self, keys: Keys, region: str | None) -> Any:
        """A ``boto3.Session`` whose clients all reach the sandbox."""
        return loading.boto3_session(self.core(keys, region or self.region))

    def core(self, keys: Keys, region: str) -> Any:
        """The same as a session of botocore."""
        core = loading.own_core_session()
        core.set_config_variable("region", region)
        core.set_credentials(keys[0], keys[1], keys[2] or None)
        self.route.attach_to_session(core)
        return core

    def _with_endpoint(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if self.endpoint_url:
            arguments.setdefault("endpoint_url", self.endpoint_url)
        return arguments
