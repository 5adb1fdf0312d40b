"""The class that tests import: one sandbox, in this process or behind a socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Unpack

from rolecall.app import application_around, decision_log, faults_of, gateway_over, load_world, save_world
from rolecall.arns import iam_arn
from rolecall.call_log.outcomes import Outcome
from rolecall.clock import Clock
from rolecall.faults.active import Faults
from rolecall.identity_providers import mfa_codes, oidc_tokens, saml_assertions
from rolecall.kit import loading
from rolecall.kit.arguments import known_admission, known_region, known_seed
from rolecall.kit.blocks import Block, explicit, innermost
from rolecall.kit.clock import SandboxClock
from rolecall.kit.decisions import DecisionRecord, records, records_of
from rolecall.kit.expectations import (
    ExpectedDenial,
    Question,
    decide_for,
    is_about_assuming,
    known_action,
    require_allowed,
    require_arn,
    require_denied,
)
from rolecall.kit.identity import Credentials, Identities, Keys, UnknownIdentityError, keys_of
from rolecall.kit.narrowing import PolicyText, narrowed
from rolecall.kit.privileges import LeastPrivilege, Since, privileges_of
from rolecall.kit.refused_calls import drop_unwritten, note
from rolecall.kit.routing import Route, SandboxEndedError
from rolecall.kit.worlds import Config, load_snapshot, prepared_world
from rolecall.policy import Decision
from rolecall.service_records import DEFAULT_REGION
from rolecall.settings import DEFAULT_MAXIMUM_BODY_BYTES, Address
from rolecall.storage.decision_log import KEPT_CALLS, CallFilter
from rolecall.web.aws import aws_application
from rolecall.web.origins import DEFAULT_ADMISSION
from rolecall.web.threaded import ThreadedServer

DEFAULT_SESSION_NAME = "rolecall"
ENDED_SANDBOX_MESSAGE = "this sandbox has ended: use it inside its block or test, before close()"
NO_SOCKET_MESSAGE = "this sandbox has no socket: make it with Rolecall.start()"
# The log's queue holds two thousand allowed calls. Without a reader, only this empties it.
_CALLS_BEFORE_WRITING = 1000


class Rolecall:
    """A sandbox of its own: accounts, users, roles, policies and Chime, as a sandbox file declares them.

    ``config`` is the path of a sandbox file, its text, or the same content as a mapping; by default the built-in
    sandbox. With a ``seed`` the same calls give the same identifiers. Session tokens and the secrets of temporary
    credentials still differ, because they come from the key ring. As a context manager it receives the calls of plain
    boto3 inside the block, and it ends with the block.
    """

    def __init__(self, config: Config = None, *, seed: int | None = None, region: str = DEFAULT_REGION) -> None:
        self.region = known_region(region)
        prepared = prepared_world(config, known_seed(seed))
        self._clock = Clock()
        self._database, ids = prepared.database(self._clock)
        self._decisions = decision_log("sqlite://", self._clock)
        self._watchers: list[list[str]] = []
        self._calls = 0
        self._gateway, self._reset = gateway_over(
            self._database, prepared.world, self._clock, ids=ids, observer=self._observe, decisions=self._decisions
        )
        self._people = Identities(self._database, prepared.world)
        # In this process no client can reach the control endpoints. Making Flask would double the time to start.
        self._route = Route(aws_application(self._gateway, DEFAULT_MAXIMUM_BODY_BYTES))
        self._server: ThreadedServer | None = None
        self._owns_server = False
        self._admission = DEFAULT_ADMISSION
        self._blocks: list[Block] = []
        self._acting_blocks: list[Block] = []
        self._closed = False
        self._sandbox_clock = SandboxClock(self._clock)
        self._faults = faults_of(self._database, self._gateway.ids)

    @classmethod
    def start(
        cls,
        config: Config = None,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        seed: int | None = None,
        region: str = DEFAULT_REGION,
        allow_hosts: Collection[str] = (),
        allow_origins: Collection[str] = (),
    ) -> Rolecall:
        """A sandbox that also answers on a socket, for subprocesses and other languages. Port 0 takes a free one.

        It listens at once, until :meth:`close` or the end of its block. ``allow_hosts`` are names it answers to besides
        private names and AWS's. ``allow_origins`` are the origins of web pages that may make calls.
        """
        admission = known_admission(allow_hosts, allow_origins, host)
        sandbox = cls(config, seed=seed, region=region)
        sandbox._owns_server = True
        sandbox._admission = admission
        try:
            return sandbox._behind(ThreadedServer(host, port))
        except (OSError, ValueError):
            sandbox.close()
            raise

    def _behind(self, server: ThreadedServer) -> Rolecall:
        self._server = server
        self._route.listens_at(self.endpoint_url)
        server.application = application_around(self._gateway, self._reset, self._decisions, admission=self._admission)
        return self

    # The block of the context manager.

    def __enter__(self) -> Rolecall:
        try:
            self._blocks.append(self._block(self._identities.default_keys()))
        except UnknownIdentityError:
            # Without entry there is no exit that would clean up.
            self.close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._blocks.pop().close()
        if not self._blocks:
            self.close()

    def close(self) -> None:
        """End the sandbox. Its remaining clients get an error, and their requests go nowhere."""
        if self._closed:
            return
        self._closed = True
        for acting in list(self._acting_blocks):
            # Open blocks of this sandbox are closed later by their own end, which then does nothing.
            acting.close()
        while self._blocks:
            self._blocks.pop().close()
        self._route.end()
        if self._server is not None and self._owns_server:
            self._server.close()
        drop_unwritten(self._decisions)
        self._database.close()

    @contextmanager
    def as_user(self, name: str | None = None, *, account: str | None = None) -> Iterator[Any]:
        """A block whose plain boto3 calls as a user, by default the default user. Yields a boto3 session of it."""
        keys = self._identities.default_keys() if name is None else self._identities.keys(name, account)
        with self._acting(keys) as session:
            yield session

    @contextmanager
    def as_role(
        self,
        name: str,
        *,
        account: str | None = None,
        user: str | None = None,
        session_name: str = DEFAULT_SESSION_NAME,
        **arguments: Any,
    ) -> Iterator[Any]:
        """A block whose plain boto3 calls with a session of a role, assumed by a real call. Yields a boto3 session.

        ``user`` assumes the role, by default the caller around the block. ``arguments`` are those of AssumeRole:
        ``Policy``, ``ExternalId``, ``DurationSeconds``, … Raises ClientError when the role cannot be assumed.
        """
        arn = self.role(name, account=account)
        sts = self.client("sts", user=user)
        answer = sts.assume_role(RoleArn=arn, RoleSessionName=session_name, **arguments)
        with self._acting(keys_of(answer["Credentials"])) as session:
            yield session

    @contextmanager
    def as_credentials(self, credentials: Credentials) -> Iterator[Any]:
        """A block whose plain boto3 calls with these credentials. Yields a boto3 session of them."""
        with self._acting(keys_of(credentials)) as session:
            yield session

    @contextmanager
    def _acting(self, keys: Keys) -> Iterator[Any]:
        block = self._block(keys)
        self._acting_blocks.append(block)
        try:
            yield loading.late_session(lambda: self._core(keys, self.region))
        finally:
            block.close()
            self._acting_blocks.remove(block)

    def _block(self, keys: Keys) -> Block:
        return Block(self, self._route, keys, self.region, "" if self._server is None else self.endpoint_url)

    def narrowed(
        self, credentials: Credentials, policy: PolicyText | None = None, *, duration_seconds: int | None = None
    ) -> dict[str, Any]:
        """The same session with a scope-down policy, a shorter life or both, by a real call. Raises ClientError."""
        return narrowed(self.client("sts", credentials=credentials), policy, duration_seconds)

    # Clients.

    def client(
        self,
        service: str,
        *,
        user: str | None = None,
        credentials: Credentials | None = None,
        account: str | None = None,
        region: str | None = None,
        **arguments: Any,
    ) -> Any:
        """A boto3 client that calls as a user or with credentials; by default as the caller of the block around.

        ``arguments`` are those of ``boto3.client``. Without boto3 it is a botocore client, which works the same.
        """
        access_key_id, secret_access_key, session_token = self._keys(user, credentials, account)
        return self._made(
            "client" if loading.has_boto3() else "create_client",
            service,
            {
                "region_name": region or self.region,
                "aws_access_key_id": access_key_id,
                "aws_secret_access_key": secret_access_key,
                "aws_session_token": session_token or None,
                **arguments,
            },
        )

    def resource(
        self,
        service: str,
        *,
        user: str | None = None,
        credentials: Credentials | None = None,
        account: str | None = None,
        region: str | None = None,
        **arguments: Any,
    ) -> Any:
        """A boto3 resource, such as IAM's; otherwise like :meth:`client`."""
        return self.session(user=user, credentials=credentials, account=account, region=region).resource(
            service, **self._with_endpoint(arguments)
        )

    def session(
        self,
        *,
        user: str | None = None,
        credentials: Credentials | None = None,
        account: str | None = None,
        region: str | None = None,
    ) -> Any:
        """A ``boto3.Session`` whose clients all reach this sandbox, wherever they are made."""
        return loading.boto3_session(self._core(self._keys(user, credentials, account), region or self.region))

    def _core(self, keys: Keys, region: str) -> Any:
        core = loading.own_core_session()
        core.set_config_variable("region", region)
        core.set_credentials(keys[0], keys[1], keys[2] or None)
        self._route.attach_to_session(core)
        return core

    def _made(self, maker: str, service: str, arguments: dict[str, Any]) -> Any:
        with _client_turn, explicit():
            client = getattr(loading.explicit_session(), maker)(service, **self._with_endpoint(arguments))
        self._route.attach(client)
        return client

    def _with_endpoint(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if self._server is not None:
            arguments.setdefault("endpoint_url", self.endpoint_url)
        return arguments

    def _keys(self, user: str | None, credentials: Credentials | None, account: str | None) -> Keys:
        self._refuse_when_ended()
        if credentials is not None:
            if user is not None or account is not None:
                raise TypeError("give either a user or credentials, not both")
            return keys_of(credentials)
        if user is not None:
            return self._identities.keys(user, account)
        if account is not None:
            raise TypeError("an account only selects a user: give user= too")
        around = innermost(self)
        return self._identities.default_keys() if around is None else around.keys

    @property
    def _identities(self) -> Identities:
        self._refuse_when_ended()
        return self._people

    def _refuse_when_ended(self) -> None:
        if self._closed:
            raise SandboxEndedError(ENDED_SANDBOX_MESSAGE)

    # Content of the sandbox.

    @property
    def clock(self) -> SandboxClock:
        """The sandbox's clock: it can be advanced, set and frozen."""
        self._refuse_when_ended()
        return self._sandbox_clock

    @property
    def faults(self) -> Faults:
        """Rules that make calls fail."""
        self._refuse_when_ended()
        return self._faults

    @property
    def endpoint_url(self) -> str:
        """The URL where the sandbox listens. Raises RuntimeError for a sandbox without a socket."""
        if self._server is None:
            raise RuntimeError(NO_SOCKET_MESSAGE)
        return Address(self._server.host, self._server.port).url

    @property
    def environment(self) -> dict[str, str]:
        """The variables that make an AWS SDK in another process reach this sandbox. Needs a socket."""
        keys = self._keys(None, None, None)
        values = {
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ACCESS_KEY_ID": keys[0],
            "AWS_SECRET_ACCESS_KEY": keys[1],
            "AWS_SESSION_TOKEN": keys[2],
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }
        return {name: value for name, value in values.items() if value}

    def account(self, name: str | None = None) -> str:
        """The id of an account by its name in the sandbox file; by default the default account."""
        return self._identities.account_id(name)

    def user(self, name: str, *, account: str | None = None) -> str:
        """The ARN of a user by name, in the account or in the first one that has it."""
        found = self._identities.user(name, account)
        return iam_arn(found.account_id, "user", found.path, found.name)

    def role(self, name: str, *, account: str | None = None) -> str:
        """The ARN of a role by name, in the account or in the first one that has it."""
        found = self._identities.role(name, account)
        return iam_arn(found.account_id, "role", found.path, found.name)

    def reset(self) -> None:
        """Return to the declared state: IAM, Chime, clock and decisions."""
        self._refuse_when_ended()
        self._reset()

    def snapshot(self, *, last_used: bool = True) -> str:
        """The whole world as the text of a sandbox file, for ``config`` and :meth:`load`. It holds secrets.

        Without ``last_used`` it leaves out when keys and roles were last used. Then two snapshots differ only if a call
        changed something else.
        """
        self._refuse_when_ended()
        return save_world(self._gateway, last_used)

    def load(self, snapshot: str) -> None:
        """Replace the world by a snapshot's world, in one step. Raises BadConfigError with every problem."""
        self._refuse_when_ended()
        load_snapshot(partial(load_world, self._gateway), snapshot)

    # Proofs of identity for the calls that need no signature.

    def web_identity_token(self, issuer: str, **token: Any) -> str:
        """A token of a declared provider with ``keys: rolecall``, by its URL, for AssumeRoleWithWebIdentity.

        Takes ``subject``, ``audience``, ``claims``, ``shape``, ``lifetime_seconds`` and ``algorithm``, as
        ``rolecall token`` does. Raises ValueError.
        """
        self._refuse_when_ended()
        return oidc_tokens.mint(self._database, self._clock, self._gateway.ids, issuer=issuer, **token)

    def saml_assertion(self, idp: str, *, role: str, provider: str, **assertion: Any) -> str:
        """A SAML response of Rolecall's own identity provider with that name, for AssumeRoleWithSAML.

        ``role`` and ``provider`` are ARNs. Also takes ``session_name``, ``subject``, ``attributes``, ``tags``,
        ``transitive_tag_keys``, ``session_duration``, ``source_identity``, ``audience``, ``recipient`` and
        ``lifetime_seconds``. Needs the extra ``saml``. Raises ValueError.
        """
        self._refuse_when_ended()
        assertion.setdefault("session_name", DEFAULT_SESSION_NAME)
        return saml_assertions.mint(
            self._database, self._clock, self._gateway.ids, idp=idp, role=role, provider=provider, **assertion
        )

    def mfa_code(self, device: str) -> str:
        """The code that a virtual MFA device shows, by its name or serial number: the TokenCode of AssumeRole.

        It depends on the sandbox's clock, and it is a code that was not used before. Raises ValueError.
        """
        self._refuse_when_ended()
        return mfa_codes.unused_code(self._database, self._clock, device)

    def mfa_code_pair(self, device: str) -> tuple[str, str]:
        """Two consecutive codes, for EnableMFADevice. Raises ValueError."""
        self._refuse_when_ended()
        return mfa_codes.unused_pair(self._database, self._clock, device)

    # Reasons.

    @property
    def decisions(self) -> list[DecisionRecord]:
        """The calls and the reasons for their results, newest first."""
        self._refuse_when_ended()
        return records(self._decisions, CallFilter(limit=KEPT_CALLS))

    @property
    def refusals(self) -> list[DecisionRecord]:
        """The calls that were refused, by policies or before them, newest first."""
        self._refuse_when_ended()
        return records(self._decisions, CallFilter(outcome="Refused", limit=KEPT_CALLS))

    def least_privilege(self, principal: str, *, since: Since = None, include_refused: bool = False) -> LeastPrivilege:
        """The smallest policy for the calls of a user, role or session, by ARN, and the grants that it did not use."""
        self._refuse_when_ended()
        return privileges_of(self._decisions, self._database, principal, since, include_refused=include_refused)

    def expect_denied(self, action: str, *, by: str | None = None) -> ExpectedDenial:
        """A block in which a policy, of the kind ``by`` if given, must refuse a call's action. It catches that error.

        Raises AssertionError that shows what happened instead. Other errors leave the block.
        """
        self._refuse_when_ended()
        return ExpectedDenial(action, by, self._watch)

    def assert_allowed(self, action: str, **question: Unpack[Question]) -> None:
        """Check that the policies allow it, without a call. Takes user=, role= or credentials=, resource=, context=."""
        __tracebackhide__ = True
        require_allowed(self._decision(action, **question))

    def assert_denied(self, action: str, *, by: str | None = None, **question: Unpack[Question]) -> None:
        """Check that policies refuse it, of the kind ``by`` if given; otherwise like :meth:`assert_allowed`."""
        __tracebackhide__ = True
        require_denied(self._decision(action, **question), by)

    def _decision(
        self,
        action: str,
        *,
        user: str | None = None,
        role: str | None = None,
        credentials: Credentials | None = None,
        account: str | None = None,
        resource: str = "*",
        context: Mapping[str, object] | None = None,
    ) -> Decision:
        if sum(given is not None for given in (user, role, credentials)) > 1:
            raise TypeError("give one of user, role and credentials")
        now_seconds = self._clock.now_seconds()
        if role is not None:
            rights = self._identities.rights_of_role(self._identities.role(role, account), now_seconds)
        elif user is not None and user != "root":
            rights = self._identities.rights_of_user(self._identities.user(user, account))
        else:
            rights = self._identities.rights(self._keys(user, credentials, account), now_seconds)
        require_arn(resource)
        trust = self._identities.trust(resource) if is_about_assuming(known_action(action)) else None
        return decide_for(rights, action, resource, context or {}, trust, now_seconds, self.region)

    # Recording calls.

    def _observe(self, outcome: Outcome) -> None:
        for watcher in self._watchers:
            watcher.append(outcome.request_id)
        note(self._decisions, outcome)
        self._calls += 1
        if self._calls % _CALLS_BEFORE_WRITING == 0:
            self._decisions.flush()

    def _watch(self) -> Callable[[], list[DecisionRecord]]:
        """Begin to record calls. The returned function stops that and returns them, oldest first."""
        watcher: list[str] = []
        self._watchers.append(watcher)

        def seen() -> list[DecisionRecord]:
            # Compares by identity, because two empty lists are equal.
            self._watchers[:] = [known for known in self._watchers if known is not watcher]
            return records_of(self._decisions, watcher)

        return seen


# boto3's sessions are not safe to make in several threads at once.
_client_turn = threading.Lock()


def fresh_behind(server: ThreadedServer, **arguments: Any) -> Rolecall:
    """A new sandbox on an existing socket, in place of the sandbox that answered there before."""
    return Rolecall(**arguments)._behind(server)
