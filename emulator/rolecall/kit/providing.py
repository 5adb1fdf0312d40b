"""Blocks in which a program finds credentials where it would find them on AWS: on an instance, in a task, in a pod."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rolecall.kit.acting import Acting
from rolecall.kit.attached import Attached, Attaching


class Providing(ABC):
    """Lets a block run as if it were on AWS, with the role of its instance, task or pod."""

    @property
    @abstractmethod
    def _acting(self) -> Acting: ...

    @property
    @abstractmethod
    def _attaching(self) -> Attaching: ...

    @property
    @abstractmethod
    def region(self) -> str:
        """The Region of the sandbox's clients."""

    @abstractmethod
    def role(self, name: str, *, account: str | None = None) -> str:
        """The ARN of a role."""

    @contextmanager
    def instance(self, role: str | None = None, **facts: Any) -> Iterator[Attached]:
        """A block that runs on an EC2 instance with the role: plain boto3 asks its metadata service for credentials.

        ``facts`` are members of ``instances`` in the sandbox file, such as ``http_tokens="optional"``. Raises
        ValueError. The block must not be nested in a block of another thread: the environment belongs to the process.
        """
        with self._acting.attached(self._attaching, "imds", role, facts) as attached:
            yield attached

    @contextmanager
    def task(self, role: str, *, token_file: bool = False, **facts: Any) -> Iterator[Attached]:
        """A block that runs in a container of an ECS task with the role; otherwise like :meth:`instance`.

        With ``token_file`` the authorization token is in a file, as SDKs can also take it.
        """
        with self._acting.attached(self._attaching, "ecs", role, facts, token_file=token_file) as attached:
            yield attached

    @contextmanager
    def pod(self, role: str, *, irsa: bool | str = False, **facts: Any) -> Iterator[Attached]:
        """A block that runs in a pod of EKS whose service account has the role, by Pod Identity.

        With ``irsa`` it has the role by AssumeRoleWithWebIdentity instead (IAM roles for service accounts): True for
        the first declared provider with ``keys: rolecall``, or a provider's URL. The token is in a file, and follows
        the sandbox's clock. Otherwise like :meth:`instance`.
        """
        attaching = self._attaching
        if irsa is False:
            with self._acting.attached(attaching, "eks", role, facts, token_file=True) as attached:
                yield attached
            return
        arn = self.role(role, account=facts.pop("account", None))
        with (
            attaching.projected(arn, irsa, facts) as projected,
            self._acting.provided(projected.environment, self.region),
        ):
            yield projected
