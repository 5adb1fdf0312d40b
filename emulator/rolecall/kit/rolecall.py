"""The class that tests import: one sandbox, in this process or behind a socket."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from rolecall.app import decision_log
from rolecall.arns import iam_arn
from rolecall.call_log.writer import DecisionLog
from rolecall.clock import Clock
from rolecall.expectations.verifying import Result
from rolecall.faults.active import Faults
from rolecall.kit.acting import Acting
from rolecall.kit.app_instances import MESSAGING, AppInstance, Channel, made_app_instance, made_channel
from rolecall.kit.app_instances import SERVICE as IDENTITY
from rolecall.kit.arguments import known_admission, known_region, known_seed
from rolecall.kit.attached import Attaching
from rolecall.kit.calling import Calling
from rolecall.kit.clients import Clients
from rolecall.kit.clock import SandboxClock
from rolecall.kit.configs import Config, load_snapshot, prepared_world
from rolecall.kit.decisions import DecisionRecord
from rolecall.kit.expectations import ExpectedDenial, Question, require_allowed, require_denied
from rolecall.kit.identity import Credentials, Identities, UnknownIdentityError, keys_of
from rolecall.kit.meetings import SERVICE as MEETINGS
from rolecall.kit.meetings import Meeting, made_meeting
from rolecall.kit.narrowing import PolicyText, narrowed
from rolecall.kit.privileges import LeastPrivilege, Since
from rolecall.kit.proofs import Proofs
from rolecall.kit.providing import Providing
from rolecall.kit.reasons import Reasons, Recording
from rolecall.kit.refused_calls import drop_unwritten
from rolecall.kit.routing import Route, SandboxEndedError
from rolecall.kit.run_calls import gather_before_end
from rolecall.sandbox import Sandbox
from rolecall.service_records import DEFAULT_REGION
from rolecall.settings import DEFAULT_MAXIMUM_BODY_BYTES, Address
from rolecall.web.application import web_application
from rolecall.web.aws import aws_application
from rolecall.web.origins import DEFAULT_ADMISSION
from rolecall.web.threaded import ThreadedServer

if TYPE_CHECKING:
    from boto3.session import Session

DEFAULT_SESSION_NAME = "rolecall"
ENDED_SANDBOX_MESSAGE = "this sandbox has ended: use it inside its block or test, before close()"
NO_SOCKET_MESSAGE = "this sandbox has no socket: make it with Rolecall.start()"


class _Parts(NamedTuple):
    """What a sandbox of the test kit consists of."""

    sandbox: Sandbox
    decisions: DecisionLog
    recording: Recording
    identities: Identities
    clients: Clients
    acting: Acting
    proofs: Proofs
    reasons: Reasons
    clock: SandboxClock
    attaching: Attaching


class Rolecall(Calling, Providing):
    """A sandbox of its own: accounts, users, roles, policies and Chime, as a sandbox file declares them.

    ``config`` is the path of a sandbox file, its text, or the same content as a mapping; by default the built-in
    sandbox. With a ``seed`` the same calls give the same identifiers. Session tokens and the secrets of temporary
    credentials still differ, because they come from the key ring. As a context manager it receives the calls of plain
    boto3 inside the block, and it ends with the block.
    """

    def __init__(self, config: Config = None, *, seed: int | None = None, region: str = DEFAULT_REGION) -> None:
        region = known_region(region)
        prepared = prepared_world(config, known_seed(seed))
        clock = Clock()
        database, ids = prepared.database(clock)
        decisions = decision_log("sqlite://", clock)
        recording = Recording(decisions)
        sandbox = Sandbox(database, prepared.world, clock, ids=ids, observer=recording.observe, decisions=decisions)
        identities = Identities(database, prepared.world)
        # In this process no client can reach the control endpoints. Making Flask would double the time to start.
        clients = Clients(self, Route(aws_application(sandbox, DEFAULT_MAXIMUM_BODY_BYTES)), identities, region)
        attaching = Attaching(sandbox)
        self._all = _Parts(
            sandbox,
            decisions,
            recording,
            identities,
            clients,
            Acting(self, clients),
            Proofs(sandbox),
            Reasons(sandbox, decisions, identities, clients),
            SandboxClock(clock, attaching.watchers),
            attaching,
        )
        self._server: ThreadedServer | None = None
        self._owns_server = False
        self._admission = DEFAULT_ADMISSION
        self._closed = False

    @property
    def _parts(self) -> _Parts:
        """The parts, as long as the sandbox has not ended. Raises SandboxEndedError."""
        if self._closed:
            raise SandboxEndedError(ENDED_SANDBOX_MESSAGE)
        return self._all

    @property
    def region(self) -> str:
        """The Region of clients that are made without one."""
        return self._all.clients.region

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
        self._all.clients.endpoint_url = self.endpoint_url
        self._all.clients.route.listens_at(self.endpoint_url)
        server.application = web_application(self._all.sandbox, admission=self._admission)
        self._all.attaching.listen(self.endpoint_url, self._admission)
        return self

    # The block of the context manager.

    def __enter__(self) -> Rolecall:
        try:
            self._parts.acting.enter(self._parts.identities.default_keys())
        except UnknownIdentityError:
            # Without entry there is no exit that would clean up.
            self.close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._all.acting.leave():
            self.close()

    def close(self) -> None:
        """End the sandbox. Its remaining clients get an error, and their requests go nowhere."""
        if self._closed:
            return
        self._closed = True
        self._all.acting.close()
        self._all.attaching.close()
        self._all.clients.route.end()
        if self._server is not None and self._owns_server:
            self._server.close()
        gather_before_end(self._all.decisions)
        drop_unwritten(self._all.decisions)
        self._all.sandbox.database.close()

    @contextmanager
    def as_user(self, name: str | None = None, *, account: str | None = None) -> Iterator[Session]:
        """A block whose plain boto3 calls as a user, by default the default user. Yields a boto3 session of it."""
        identities = self._parts.identities
        keys = identities.default_keys() if name is None else identities.keys(name, account)
        with self._parts.acting.acting(keys) as session:
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
    ) -> Iterator[Session]:
        """A block whose plain boto3 calls with a session of a role, assumed by a real call. Yields a boto3 session.

        ``user`` assumes the role, by default the caller around the block. ``arguments`` are those of AssumeRole:
        ``Policy``, ``ExternalId``, ``DurationSeconds``, … Raises ClientError when the role cannot be assumed.
        """
        arn = self.role(name, account=account)
        sts = self.client("sts", user=user)
        answer = sts.assume_role(RoleArn=arn, RoleSessionName=session_name, **arguments)
        with self._parts.acting.acting(keys_of(answer["Credentials"])) as session:
            yield session

    @contextmanager
    def as_credentials(self, credentials: Credentials) -> Iterator[Session]:
        """A block whose plain boto3 calls with these credentials. Yields a boto3 session of them."""
        with self._parts.acting.acting(keys_of(credentials)) as session:
            yield session

    def narrowed(
        self, credentials: Credentials, policy: PolicyText | None = None, *, duration_seconds: int | None = None
    ) -> dict[str, Any]:
        """The same session with a scope-down policy, a shorter life or both, by a real call. Raises ClientError."""
        return narrowed(self.client("sts", credentials=credentials), policy, duration_seconds)

    @property
    def _clients(self) -> Clients:
        return self._parts.clients

    @property
    def _acting(self) -> Acting:
        return self._parts.acting

    @property
    def _attaching(self) -> Attaching:
        return self._parts.attaching

    # Content of the sandbox.

    @property
    def clock(self) -> SandboxClock:
        """The sandbox's clock: it can be advanced, set and frozen."""
        return self._parts.clock

    @property
    def faults(self) -> Faults:
        """Rules that make calls fail."""
        return self._parts.sandbox.faults

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
        return self._parts.identities.account_id(name)

    def user(self, name: str, *, account: str | None = None) -> str:
        """The ARN of a user by name, in the account or in the first one that has it."""
        found = self._parts.identities.user(name, account)
        return iam_arn(found.account_id, "user", found.path, found.name)

    def role(self, name: str, *, account: str | None = None) -> str:
        """The ARN of a role by name, in the account or in the first one that has it."""
        found = self._parts.identities.role(name, account)
        return iam_arn(found.account_id, "role", found.path, found.name)

    def meeting(
        self,
        *attendees: str,
        user: str | None = None,
        credentials: Credentials | None = None,
        account: str | None = None,
        region: str | None = None,
        **members: Any,
    ) -> Meeting:
        """A new Chime SDK meeting with attendees of these external user ids, by default two, by a real call.

        ``members`` are further members of CreateMeetingWithAttendees. Raises ClientError, and ValueError for an
        attendee that AWS refuses.
        """
        client = self.client(MEETINGS, user=user, credentials=credentials, account=account, region=region)
        return made_meeting(client, region or self.region, attendees, members)

    def app_instance(
        self,
        *users: str,
        admins: Sequence[str] = (),
        user: str | None = None,
        credentials: Credentials | None = None,
        account: str | None = None,
        region: str | None = None,
        **members: Any,
    ) -> AppInstance:
        """A new Chime SDK app instance with users of these ids, by default two, by real calls.

        ``admins`` are ids of users that administer it. ``members`` are further members of CreateAppInstance. Raises
        ClientError.
        """
        client = self.client(IDENTITY, user=user, credentials=credentials, account=account, region=region)
        return made_app_instance(client, users, admins, members)

    def channel(
        self,
        *names: str,
        app_instance: AppInstance | None = None,
        moderators: Sequence[str] = (),
        user: str | None = None,
        credentials: Credentials | None = None,
        account: str | None = None,
        region: str | None = None,
        **members: Any,
    ) -> Channel:
        """A new Chime SDK channel with members of these ids, by real calls. The first one makes and moderates it.

        Without ``app_instance`` it is in a new one with these users, by default two. With one, its users of these ids
        are members, by default all of them. ``moderators`` are ids of further moderators. ``members`` are further
        members of CreateChannel. Raises ClientError.
        """
        caller: Any = {"user": user, "credentials": credentials, "account": account, "region": region}
        if app_instance is None:
            app_instance = self.app_instance(*dict.fromkeys((*names, *moderators)), **caller)
        return made_channel(self.client(MESSAGING, **caller), app_instance, names, moderators, members)

    def reset(self) -> None:
        """Return to the declared state: IAM, Chime, clock and decisions."""
        self._parts.sandbox.reset()

    def snapshot(self, *, last_used: bool = True) -> str:
        """The whole world as the text of a sandbox file, for ``config`` and :meth:`load`. It holds secrets.

        Without ``last_used`` it leaves out when keys and roles were last used. Then two snapshots differ only if a call
        changed something else.
        """
        return self._parts.sandbox.save(last_used=last_used)

    def load(self, snapshot: str) -> None:
        """Replace the world by a snapshot's world, in one step. Raises BadConfigError with every problem."""
        load_snapshot(self._parts.sandbox.load, snapshot)

    # Proofs of identity for the calls that need no signature.

    def web_identity_token(self, issuer: str, **token: Any) -> str:
        """A token of a declared provider with ``keys: rolecall``, by its URL, for AssumeRoleWithWebIdentity.

        Takes ``subject``, ``audience``, ``claims``, ``shape``, ``lifetime_seconds`` and ``algorithm``, as
        ``rolecall token`` does. Raises ValueError.
        """
        return self._parts.proofs.web_identity_token(issuer, token)

    def saml_assertion(self, idp: str, *, role: str, provider: str, **assertion: Any) -> str:
        """A SAML response of Rolecall's own identity provider with that name, for AssumeRoleWithSAML.

        ``role`` and ``provider`` are ARNs. Also takes ``session_name``, ``subject``, ``attributes``, ``tags``,
        ``transitive_tag_keys``, ``session_duration``, ``source_identity``, ``audience``, ``recipient`` and
        ``lifetime_seconds``. Needs the extra ``saml``. Raises ValueError.
        """
        assertion.setdefault("session_name", DEFAULT_SESSION_NAME)
        return self._parts.proofs.saml_assertion(idp, {"role": role, "provider": provider, **assertion})

    def mfa_code(self, device: str) -> str:
        """The code that a virtual MFA device shows, by its name or serial number: the TokenCode of AssumeRole.

        It depends on the sandbox's clock, and it is a code that was not used before. Raises ValueError.
        """
        return self._parts.proofs.mfa_code(device)

    def mfa_code_pair(self, device: str) -> tuple[str, str]:
        """Two consecutive codes, for EnableMFADevice. Raises ValueError."""
        return self._parts.proofs.mfa_code_pair(device)

    # Reasons.

    def approve_device(self, user_code: str, user: str | None) -> None:
        """Approve the program with that user code, as a user of the directory of IAM Identity Center would.

        Without a user, deny it. Raises ValueError for an unknown or expired code, and for an unknown user.
        """
        self._parts.proofs.approve_device(user_code, user)

    @property
    def decisions(self) -> list[DecisionRecord]:
        """The calls and the reasons for their results, newest first."""
        return self._parts.reasons.decisions()

    @property
    def refusals(self) -> list[DecisionRecord]:
        """The calls that were refused, by policies or before them, newest first."""
        return self._parts.reasons.refusals()

    def least_privilege(self, principal: str, *, since: Since = None, include_refused: bool = False) -> LeastPrivilege:
        """The smallest policy for the calls of a user, role or session, by ARN, and the grants that it did not use."""
        return self._parts.reasons.least_privilege(principal, since, include_refused=include_refused)

    def verify(self, file: str | os.PathLike[str]) -> list[Result]:
        """Check a file of expectations, or its text, without a call. Raises AssertionError with all that fail.

        Raises ValueError with every problem of a file that cannot be used.
        """
        __tracebackhide__ = True
        return self._parts.reasons.verify(file)

    def expect_denied(self, action: str, *, by: str | None = None) -> ExpectedDenial:
        """A block in which a policy, of the kind ``by`` if given, must refuse a call's action. It catches that error.

        Raises AssertionError that shows what happened instead. Other errors leave the block.
        """
        return ExpectedDenial(action, by, self._parts.recording.watch)

    def assert_allowed(self, action: str, **question: Unpack[Question]) -> None:
        """Check that the policies allow it, without a call. Takes user=, role= or credentials=, resource=, context=."""
        __tracebackhide__ = True
        require_allowed(self._parts.reasons.decision(action, **question))

    def assert_denied(self, action: str, *, by: str | None = None, **question: Unpack[Question]) -> None:
        """Check that policies refuse it, of the kind ``by`` if given; otherwise like :meth:`assert_allowed`."""
        __tracebackhide__ = True
        require_denied(self._parts.reasons.decision(action, **question), by)


def fresh_behind(server: ThreadedServer, **arguments: Any) -> Rolecall:
    """A new sandbox on an existing socket, in place of the sandbox that answered there before."""
    return Rolecall(**arguments)._behind(server)
