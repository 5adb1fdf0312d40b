"""The methods that make clients, and their types.

With boto3-stubs installed, a type checker knows the client of each service that Rolecall serves, as for boto3 itself.
Without the stubs the same types are Any.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

from rolecall.kit.clients import Clients
from rolecall.kit.identity import Credentials, Keys

if TYPE_CHECKING:
    from boto3.session import Session
    from botocore.config import Config
    from mypy_boto3_chime import ChimeClient
    from mypy_boto3_chime_sdk_identity import ChimeSDKIdentityClient
    from mypy_boto3_chime_sdk_media_pipelines import ChimeSDKMediaPipelinesClient
    from mypy_boto3_chime_sdk_meetings import ChimeSDKMeetingsClient
    from mypy_boto3_chime_sdk_messaging import ChimeSDKMessagingClient
    from mypy_boto3_chime_sdk_voice import ChimeSDKVoiceClient
    from mypy_boto3_iam import IAMClient, IAMServiceResource
    from mypy_boto3_organizations import OrganizationsClient
    from mypy_boto3_sts import STSClient


class AsWhom(TypedDict, total=False):
    """The caller of a client: a user by name, or credentials; and its Region."""

    user: str | None
    credentials: Credentials | None
    account: str | None
    region: str | None


class HowToCall(AsWhom, total=False):
    """The caller of a client, and the arguments of ``boto3.client``."""

    api_version: str | None
    use_ssl: bool | None
    verify: bool | str | None
    endpoint_url: str | None
    config: Config | None
    aws_account_id: str | None


class Calling(ABC):
    """Makes clients, resources and sessions that reach a sandbox."""

    @property
    @abstractmethod
    def _clients(self) -> Clients:
        """The clients of the sandbox. Raises SandboxEndedError."""

    @overload
    def client(self, service: Literal["sts"], **how: Unpack[HowToCall]) -> STSClient: ...
    @overload
    def client(self, service: Literal["iam"], **how: Unpack[HowToCall]) -> IAMClient: ...
    @overload
    def client(self, service: Literal["organizations"], **how: Unpack[HowToCall]) -> OrganizationsClient: ...
    @overload
    def client(self, service: Literal["chime"], **how: Unpack[HowToCall]) -> ChimeClient: ...
    @overload
    def client(self, service: Literal["chime-sdk-identity"], **how: Unpack[HowToCall]) -> ChimeSDKIdentityClient: ...
    @overload
    def client(self, service: Literal["chime-sdk-meetings"], **how: Unpack[HowToCall]) -> ChimeSDKMeetingsClient: ...
    @overload
    def client(self, service: Literal["chime-sdk-messaging"], **how: Unpack[HowToCall]) -> ChimeSDKMessagingClient: ...
    @overload
    def client(self, service: Literal["chime-sdk-voice"], **how: Unpack[HowToCall]) -> ChimeSDKVoiceClient: ...
    @overload
    def client(
        self, service: Literal["chime-sdk-media-pipelines"], **how: Unpack[HowToCall]
    ) -> ChimeSDKMediaPipelinesClient: ...
    @overload
    def client(self, service: str, **how: Unpack[HowToCall]) -> Any: ...

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
        keys = self._keys(user, credentials, account)
        return self._clients.client(service, keys, region, arguments)

    @overload
    def resource(self, service: Literal["iam"], **how: Unpack[HowToCall]) -> IAMServiceResource: ...
    @overload
    def resource(self, service: str, **how: Unpack[HowToCall]) -> Any: ...

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
        keys = self._keys(user, credentials, account)
        return self._clients.resource(service, keys, region, arguments)

    def session(
        self,
        *,
        user: str | None = None,
        credentials: Credentials | None = None,
        account: str | None = None,
        region: str | None = None,
    ) -> Session:
        """A ``boto3.Session`` whose clients all reach this sandbox, wherever they are made."""
        session: Session = self._clients.session(self._keys(user, credentials, account), region)
        return session

    def _keys(self, user: str | None, credentials: Credentials | None, account: str | None) -> Keys:
        return self._clients.keys(user, credentials, account)
