"""Instances, tasks and pods of a test: attached for a block, each with an address of its own in a thread."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rolecall.delivery.pods import pod_claims
from rolecall.ids import Identifiers
from rolecall.sandbox import Sandbox
from rolecall.storage.attachments import Attachment
from rolecall.storage.oidc_providers import own_provider_urls
from rolecall.web.attach_endpoint import Minting, shown
from rolecall.web.deliveries import delivery_application
from rolecall.web.origins import DEFAULT_ADMISSION, Admission
from rolecall.web.threaded import ThreadedServer
from rolecall.worlds.attached import facts_of, read_attachment
from rolecall.worlds.attached_setup import new_id

# An address of this sandbox without a socket. Only its own tokens have it, and nothing is fetched from it.
_NO_SOCKET_URL = "http://127.0.0.1"
_TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"  # noqa: S105 - a name
NO_PROVIDER_MESSAGE = (
    "no provider with keys: rolecall is declared: IAM roles for service accounts need one, under oidc_providers"
)


@dataclass(frozen=True, slots=True)
class Attached:
    """What is attached. ``environment`` are the variables that make an SDK of another process find it."""

    id: str
    kind: str
    url: str
    environment: Mapping[str, str] = field(repr=False)
    facts: Mapping[str, Any]


class _ThreadListener:
    """A server in a thread for each attachment."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.admission = DEFAULT_ADMISSION
        self._sandbox = sandbox
        self._servers: dict[str, ThreadedServer] = {}

    def open(self, attachment: Attachment) -> int:
        server = ThreadedServer(attachment.host, attachment.port)
        server.application = delivery_application(self._sandbox, attachment.attachment_id, self.admission)
        self._servers[attachment.attachment_id] = server
        return server.port

    def close(self, attachment_id: str) -> None:
        server = self._servers.pop(attachment_id, None)
        if server is not None:
            server.close()


class Attaching:
    """Attaches for the blocks of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        # Called after each move of the clock.
        self.watchers: list[Callable[[], None]] = []
        self._sandbox = sandbox
        self._listener = _ThreadListener(sandbox)
        self._base_url = _NO_SOCKET_URL
        self._listens = False

    def listen(self, base_url: str, admission: Admission) -> None:
        """Listen for what the sandbox file declares, too. For a sandbox with a socket."""
        self._base_url, self._listener.admission = base_url, admission
        self._listens = True
        self._sandbox.attachments.listen_with(self._listener, keeps_all=True)

    def close(self) -> None:
        self._sandbox.attachments.stop()

    @contextmanager
    def attached(self, kind: str, members: dict[str, Any], *, token_file: bool) -> Iterator[Attached]:
        """Raises ValueError with every problem, and OSError for an address that cannot be used."""
        attachments = self._sandbox.attachments
        if not self._listens:
            self._listens = True
            attachments.listen_with(self._listener, keeps_all=False)
        self._sandbox.catch_up()
        account = members.pop("account", None) or ""
        made = attachments.attach(kind, members, self._sandbox.settings, account)
        try:
            found = shown(self._sandbox, made, self._base_url)
            environment: dict[str, str] = found["environment"]
            with _token_file(environment, used=token_file):
                yield Attached(made.attachment_id, kind, found["url"], environment, made.facts)
        finally:
            with suppress(OSError):
                attachments.detach(made.attachment_id)

    @contextmanager
    def projected(self, role_arn: str, provider: bool | str, members: dict[str, Any]) -> Iterator[Attached]:
        """A pod with a projected token: IAM roles for service accounts. Nothing listens. Raises ValueError."""
        url = provider if isinstance(provider, str) else self._own_provider()
        record = read_attachment("eks", {"role": role_arn.rpartition("/")[2], **members})
        pod = Attachment(new_id(record, Identifiers()), role_arn.split(":")[4], "eks", "", 0, facts_of(record), 0)
        with tempfile.TemporaryDirectory(prefix="rolecall-") as folder:
            file = Path(folder) / "token"

            def write() -> None:
                _write(file, self._web_identity_token(url, pod))

            write()
            self.watchers.append(write)
            try:
                variables = {"AWS_ROLE_ARN": role_arn, "AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}
                yield Attached(pod.attachment_id, "irsa", "", variables, pod.facts)
            finally:
                self.watchers.remove(write)

    def _own_provider(self) -> str:
        with self._sandbox.database.snapshot() as connection:
            known = own_provider_urls(connection)
        if not known:
            raise ValueError(NO_PROVIDER_MESSAGE)
        return sorted(known)[0]

    def _web_identity_token(self, url: str, pod: Attachment) -> str:
        facts = pod.facts
        subject = f"system:serviceaccount:{facts['namespace']}:{facts['service_account']}"
        minting = Minting(self._sandbox, self._base_url)
        return minting.service_account_token(url, subject, "sts.amazonaws.com", pod_claims(pod))


@contextmanager
def _token_file(environment: dict[str, str], *, used: bool) -> Iterator[None]:
    """Puts the token of the environment into a file, as EKS does."""
    if not used or _TOKEN not in environment:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="rolecall-") as folder:
        file = Path(folder) / "token"
        _write(file, environment.pop(_TOKEN))
        environment[f"{_TOKEN}_FILE"] = str(file)
        yield


def _write(file: Path, text: str) -> None:
    """Replace the file in one step, so that no reader sees half a token. Only its owner may read it."""
    new = file.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as written:
        written.write(text)
    new.replace(file)
