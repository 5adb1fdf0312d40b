"""Settings from the command line, and settings from the sandbox file."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import PurePath
from typing import Literal

from msgspec import Struct, field

from rolecall.data import QUOTAS, Quotas
from rolecall.reprs import repr_without

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 4580
DEFAULT_MAXIMUM_BODY_BYTES = 1_048_576
# Files that arrive as bodies.
MAXIMUM_SNAPSHOT_BYTES = 64 * 1024 * 1024
MAXIMUM_EXPECTATIONS_BYTES = 4 * 1024 * 1024
DEFAULT_THREADS = 4
DEFAULT_RECEIVE_SECONDS = 10.0
# The server asks other machines for this token, and commands send it.
CONTROL_TOKEN_VARIABLE = "ROLECALL_CONTROL_TOKEN"  # noqa: S105 - the name of a variable
# Characters of a sandbox file's name in the name of its database: enough to recognise the file.
_STEM_CHARACTERS = 40
_PATH_DIGITS = 12


# IAM User Guide, Federating AWS identities across AWS partitions: the partitions that have it.
OWN_PARTITION = "aws"
PARTITIONS = (OWN_PARTITION, "aws-cn", "aws-us-gov", "aws-eusc")


class SandboxSettings(Struct, frozen=True):
    """The ``settings`` section of the sandbox file. The defaults are the strict ones."""

    strict: bool = True
    chime_denied_as: Literal["ForbiddenException", "AccessDeniedException"] = "ForbiddenException"
    minimum_session_seconds: int = 900
    # Regions in which STS issues no credentials.
    disabled_regions: tuple[str, ...] = ()
    # Accounts that stand for accounts of another partition, by account id. All others are of the partition aws.
    partitions: Mapping[str, str] = field(default_factory=dict)
    # For each account. AWS's defaults apply if the file names no others.
    quotas: Quotas = QUOTAS

    def partition_of(self, account_id: str) -> str:
        return self.partitions.get(account_id, OWN_PARTITION)


class TlsFiles(Struct, frozen=True):
    """The PEM files a server proves itself with. ``authority_path`` is what clients need to know to believe it."""

    certificate_path: str
    key_path: str
    authority_path: str = ""


class ServerSettings(Struct, frozen=True):
    """How the server listens and where it keeps its data."""

    database_url: str
    config_path: str = ""
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    workers: int = 1
    threads: int = DEFAULT_THREADS
    receive_seconds: float = DEFAULT_RECEIVE_SECONDS
    tls: TlsFiles | None = None
    keeps_log: bool = True
    # A line on stderr for each AWS call.
    access_log: bool = False
    maximum_body_bytes: int = DEFAULT_MAXIMUM_BODY_BYTES
    # In addition to the safe defaults: the server's host names, and origins of web pages that may call it.
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    # Other machines that may use the control endpoints: what they must prove, and their addresses.
    control_token: str = ""
    control_hosts: tuple[str, ...] = ()

    __repr__ = repr_without("control_token")


# Addresses that mean "every interface", and how this machine reaches the server then.
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


class Address(Struct, frozen=True):
    """Where the server listens."""

    host: str
    port: int
    scheme: str = "http"

    @property
    def reachable_host(self) -> str:
        return _REACHABLE.get(self.host, self.host)

    @property
    def url(self) -> str:
        host = self.reachable_host
        return f"{self.scheme}://[{host}]:{self.port}" if ":" in host else f"{self.scheme}://{host}:{self.port}"


def client_lines(
    url: str,
    access_key_id: str,
    secret_access_key: str,
    region: str,
    authority_path: str = "",
    *,
    services: Iterable[str] = (),
) -> list[str]:
    """Lines for a POSIX shell that point every AWS SDK at a server, whose certificate the authority has signed.

    With services, only their calls go to it: AWS SDKs and Tools Reference Guide, Service-specific endpoints.
    """
    endpoints = [f"AWS_ENDPOINT_URL_{name.upper().replace('-', '_')}" for name in services] or ["AWS_ENDPOINT_URL"]
    values = {
        **dict.fromkeys(endpoints, url),
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret_access_key,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
    if authority_path:
        values["AWS_CA_BUNDLE"] = authority_path
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def profile_lines(name: str, url: str, access_key_id: str, secret_access_key: str, region: str) -> list[str]:
    """A profile for AWS's config file with the same meaning as :func:`client_lines`."""
    return [
        f"[profile {name}]",
        f"endpoint_url = {url}",
        f"aws_access_key_id = {access_key_id}",
        f"aws_secret_access_key = {secret_access_key}",
        f"region = {region}",
    ]


def data_folder(environment: Mapping[str, str], platform: str, home: str) -> PurePath:
    """The user's data folder for Rolecall, at the usual place of the platform."""
    if platform == "win32":
        folder = PurePath(environment.get("LOCALAPPDATA") or f"{home}/AppData/Local")
    elif platform == "darwin":
        folder = PurePath(home) / "Library" / "Application Support"
    else:
        folder = PurePath(environment.get("XDG_DATA_HOME") or f"{home}/.local/share")
    return folder / "rolecall"


def default_database_url(folder: PurePath, sandbox_file: str = "") -> str:
    """A SQLite file in the data folder: one for the built-in sandbox, and one for each sandbox file by its whole path.

    Two sandbox files never share a database, so the keys of one are not valid in the other.
    """
    if not sandbox_file:
        return f"sqlite:///{(folder / 'rolecall.db').as_posix()}"
    digest = hashlib.sha256(sandbox_file.encode("utf-8", "surrogateescape")).hexdigest()[:_PATH_DIGITS]
    name = re.sub(r"[^A-Za-z0-9_-]", "-", PurePath(sandbox_file).stem)[:_STEM_CHARACTERS]
    return f"sqlite:///{(folder / f'{name}-{digest}.db').as_posix()}"
