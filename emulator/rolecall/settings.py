"""Settings: what the command line decides, and what the sandbox file decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 4580
DEFAULT_MAXIMUM_BODY_BYTES = 1_048_576
DEFAULT_THREADS = 4
DEFAULT_RECEIVE_SECONDS = 10.0
# Where a call is when nothing says another Region: where AWS's global endpoints are.
DEFAULT_REGION = "us-east-1"
# Services that have one endpoint for all Regions, which is there.
GLOBAL_SERVICES = frozenset({"iam", "chime"})


def requested_region(service: str, region: str) -> str:
    """The Region a call is made in, whatever ``region`` it was signed for; ``service`` may be an action's prefix.

    IAM User Guide, aws:RequestedRegion: calls of a service with a single endpoint are made to the Region of that.
    """
    return DEFAULT_REGION if service in GLOBAL_SERVICES else region


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """The ``settings`` section of the sandbox file; the defaults are the strict ones."""

    strict: bool = True
    chime_denied_as: Literal["ForbiddenException", "AccessDeniedException"] = "ForbiddenException"
    minimum_session_seconds: int = 900
    # Regions in which STS issues no credentials.
    disabled_regions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files a server proves itself with. ``authority_path`` is what clients need to know to believe it."""

    certificate_path: str
    key_path: str
    authority_path: str = ""


@dataclass(frozen=True, slots=True)
class ServerSettings:
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
    maximum_body_bytes: int = DEFAULT_MAXIMUM_BODY_BYTES


# Addresses that mean "every interface", and the one to reach the server by from this machine.
_REACHABLE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Address:
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


def default_database_url(environment: Mapping[str, str], platform: str, home: str) -> str:
    """A SQLite file in the user's data folder: where the platform keeps such things."""
    if platform == "win32":
        folder = PurePath(environment.get("LOCALAPPDATA") or f"{home}/AppData/Local")
    elif platform == "darwin":
        folder = PurePath(home) / "Library" / "Application Support"
    else:
        folder = PurePath(environment.get("XDG_DATA_HOME") or f"{home}/.local/share")
    return f"sqlite:///{(folder / 'rolecall' / 'rolecall.db').as_posix()}"
