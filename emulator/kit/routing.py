"""Where the requests of a client go: to a sandbox when they are for AWS, and nowhere when it cannot answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from emulator.inprocess import answer_of, awaitable_answer_of, is_async
from emulator.kit.aws_hosts import is_aws_host
from emulator.wire import SERVICES

NOT_SERVED_MESSAGE = (
    "Rolecall does not serve {service}, so this request to {host} was not sent. "
    "Give the client another endpoint_url, or stub it, if a test needs {service}."
)
ENDED_MESSAGE = "The sandbox that this client belongs to has ended: make the client inside the block or test."
# One handler for each client, however often a client or the session it comes from is routed.
_HANDLER_ID = "rolecall"
# Where the sandboxes of this process listen.
_sockets: set[str] = set()


class NotServedError(Exception):
    """A request to AWS inside a block, for a service that Rolecall does not serve. It was not sent."""


class SandboxEndedError(Exception):
    """A client outlived its sandbox. Its request was not sent."""


class Route:
    """The way of requests into one application, until the sandbox ends."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._netloc = ""

    def listens_at(self, url: str) -> None:
        """The sandbox has a socket too: what is sent there goes there."""
        self._netloc = urlsplit(url).netloc
        _sockets.add(self._netloc)

    def end(self) -> None:
        self._application = None
        _sockets.discard(self._netloc)

    def attach(self, client: Any) -> None:
        """Route one client. A client that is routed already stays as it is."""
        handler = self._answer_awaitably if is_async(client) else self._answer
        client.meta.events.register_first("before-send", handler, unique_id=_HANDLER_ID)

    def attach_to_session(self, core: Any) -> None:
        """Route every client that a session of botocore will make."""
        core.get_component("event_emitter").register_first("before-send", self._answer, unique_id=_HANDLER_ID)

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_ignored: Any) -> AWSResponse | None:
        application = self._application_for(request, event_name)
        return None if application is None else answer_of(application, request)

    def _answer_awaitably(self, request: AWSPreparedRequest, event_name: str, **_ignored: Any) -> AWSResponse | None:
        application = self._application_for(request, event_name)
        return None if application is None else awaitable_answer_of(application, request)

    def _application_for(self, request: AWSPreparedRequest, event_name: str) -> Any:
        """None for a request that somebody addressed to a server of their own. Raises NotServedError and the other."""
        url = urlsplit(request.url)
        host = url.hostname or ""
        # Another sandbox's socket is what a thread of this one found in the environment that they share.
        if not is_aws_host(host) and (url.netloc not in _sockets or url.netloc == self._netloc):
            return None
        # "before-send.chime-sdk-voice.GetPhoneNumber": the service ids of these services are their names.
        service = event_name.split(".")[1]
        if service not in SERVICES:
            raise NotServedError(NOT_SERVED_MESSAGE.format(service=service, host=host))
        if self._application is None:
            raise SandboxEndedError(ENDED_MESSAGE)
        return self._application
