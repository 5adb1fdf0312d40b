"""Where the requests of a client go: to a sandbox when they are for AWS, and nowhere when it cannot answer."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse

from rolecall.inprocess import answer_of, awaitable_answer_of, is_async
from rolecall.kit.aws_hosts import is_aws_host
from rolecall.wire import SERVICES

NOT_SERVED_MESSAGE = (
    "Rolecall does not serve {service}, so this request to {host} was not sent. "
    "Give the client another endpoint_url, or stub it, if a test needs {service}."
)
ENDED_MESSAGE = "The sandbox that this client belongs to has ended: make the client inside the block or test."
# One handler for each client, however often a client or the session it comes from is routed.
_HANDLER_ID, _REFUSER_ID = "rolecall", "rolecall-not-served"
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
        self._register(client.meta.events, self._answer_awaitably if is_async(client) else self._answer)

    def attach_to_session(self, core: Any) -> None:
        """Route every client that a session of botocore will make."""
        self._register(core.get_component("event_emitter"), self._answer)

    def _register(self, events: Any, answer: Any) -> None:
        events.register_first("before-send", answer, unique_id=_HANDLER_ID)
        # After everybody else's: a library that stubs other services answers before these are refused.
        events.register_last("before-send", _refuse_not_served, unique_id=_REFUSER_ID)

    def _answer(self, request: AWSPreparedRequest, event_name: str, **_ignored: Any) -> AWSResponse | None:
        application = self._application_for(request, event_name)
        return None if application is None else answer_of(application, request)

    def _answer_awaitably(self, request: AWSPreparedRequest, event_name: str, **_ignored: Any) -> AWSResponse | None:
        application = self._application_for(request, event_name)
        return None if application is None else awaitable_answer_of(application, request)

    def _application_for(self, request: AWSPreparedRequest, event_name: str) -> Any:
        """None for a request that is somebody else's. Raises SandboxEndedError."""
        url = urlsplit(request.url)
        # Another sandbox's socket is what a thread of this one found in the environment that they share.
        of_others = url.netloc in _sockets and url.netloc != self._netloc
        # Ours has ended, and who listens there now is another.
        of_nobody = self._application is None and url.netloc == self._netloc
        meant_for_us = of_others or of_nobody or is_aws_host(url.hostname or "")
        if _service(event_name) not in SERVICES or not meant_for_us:
            return None
        if self._application is None:
            raise SandboxEndedError(ENDED_MESSAGE)
        return self._application


def _service(event_name: str) -> str:
    # "before-send.chime-sdk-voice.GetPhoneNumber": the service ids of these services are their names.
    return event_name.split(".")[1]


class _Refusal:
    """Botocore asks all handlers and takes the first answer. This is the last one, and whoever reads it is refused."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, _name: str) -> Any:
        raise NotServedError(self._message)


def _refuse_not_served(request: AWSPreparedRequest, event_name: str, **_ignored: Any) -> _Refusal | None:
    """What is meant for AWS and answered by nobody else is not sent."""
    url, service = urlsplit(request.url), _service(event_name)
    if service in SERVICES or not (is_aws_host(url.hostname or "") or url.netloc in _sockets):
        return None
    return _Refusal(NOT_SERVED_MESSAGE.format(service=service, host=url.hostname))
