"""Where the requests of a client go: to a sandbox if they are for AWS; otherwise they are refused or left alone."""

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
# One handler for each client, no matter how often a client or its session is routed.
_HANDLER_ID, _REFUSER_ID = "rolecall", "rolecall-not-served"
# An event of its own, which only a routed client answers. Clients of a routed session have its handlers from the start.
_ROUTED_EVENT = "rolecall-routed"
# The addresses where the sandboxes of this process listen.
_sockets: set[str] = set()


class NotServedError(Exception):
    """A request to AWS inside a block, for a service that Rolecall does not serve. It was not sent."""


class SandboxEndedError(Exception):
    """A client outlived its sandbox. Its request was not sent."""


class Route:
    """The path of requests into one application, until the sandbox ends."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._netloc = ""

    def listens_at(self, url: str) -> None:
        """The sandbox also has a socket. Requests to that address go over the socket."""
        self._netloc = urlsplit(url).netloc
        _sockets.add(self._netloc)

    def end(self) -> None:
        self._application = None
        _sockets.discard(self._netloc)

    def attach(self, client: Any) -> None:
        """Route one client. A client that is already routed stays unchanged."""
        self._register(client.meta.events, self._answer_awaitably if is_async(client) else self.answer)

    def attach_to_session(self, core: Any) -> None:
        """Route every client that a botocore session makes later."""
        self._register(core.get_component("event_emitter"), self.answer)

    def _register(self, events: Any, answer: Any) -> None:
        events.register_first("before-send", answer, unique_id=_HANDLER_ID)
        # Runs last: a library that stubs other services answers before this refuses them.
        events.register_last("before-send", refuse_not_served, unique_id=_REFUSER_ID)
        events.register(_ROUTED_EVENT, _is_routed, unique_id=_ROUTED_EVENT)

    def answer(self, request: AWSPreparedRequest, event_name: str, **_ignored: Any) -> AWSResponse | None:
        application = self._application_for(request, event_name)
        return None if application is None else answer_of(application, request)

    def _answer_awaitably(self, request: AWSPreparedRequest, event_name: str, **_ignored: Any) -> AWSResponse | None:
        application = self._application_for(request, event_name)
        return None if application is None else awaitable_answer_of(application, request)

    def _application_for(self, request: AWSPreparedRequest, event_name: str) -> Any:
        """The application for a request; None when it belongs elsewhere. Raises SandboxEndedError."""
        url = urlsplit(request.url)
        # The environment is shared: a thread of this sandbox may find the address of another sandbox's socket there.
        of_another_sandbox = url.netloc in _sockets and url.netloc != self._netloc
        # This sandbox has ended. Another one may listen at its address now.
        of_this_ended = self._application is None and url.netloc == self._netloc
        must_answer = of_another_sandbox or of_this_ended or is_aws_host(url.hostname or "")
        if _service(event_name) not in SERVICES or not must_answer:
            return None
        if self._application is None:
            raise SandboxEndedError(ENDED_MESSAGE)
        return self._application


def is_routed(client: Any) -> bool:
    """Whether a client belongs to a sandbox."""
    return bool(client.meta.events.emit(_ROUTED_EVENT))


def _is_routed(**_ignored: Any) -> bool:
    return True


def _service(event_name: str) -> str:
    # "before-send.chime-sdk-voice.GetPhoneNumber": the service ids of these services are their names.
    return event_name.split(".")[1]


class _Refusal:
    """Botocore asks all handlers and takes the first answer. This answer comes last and raises when it is read."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, _name: str) -> Any:
        raise NotServedError(self._message)


def refuse_not_served(request: AWSPreparedRequest, event_name: str, **_ignored: Any) -> _Refusal | None:
    """Refuse a request to AWS that no other handler has answered. It is not sent."""
    url, service = urlsplit(request.url), _service(event_name)
    if service in SERVICES or not (is_aws_host(url.hostname or "") or url.netloc in _sockets):
        return None
    return _Refusal(NOT_SERVED_MESSAGE.format(service=service, host=url.hostname))
