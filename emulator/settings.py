"""Settings: what the command line decides, and what the sandbox file decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 4580
DEFAULT_MAXIMUM_BODY_BYTES = 1_048_576


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """The ``settings`` section of the sandbox file; the defaults are the strict ones."""

    strict: bool = True
    chime_denied_as: Literal["ForbiddenException", "AccessDeniedException"] = "ForbiddenException"
    minimum_session_seconds: int = 900


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How the server listens and where it keeps its data."""

    database_url: str
    config_path: str = ""
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    workers: int = 1
    threads: int = 1
    maximum_body_bytes: int = DEFAULT_MAXIMUM_BODY_BYTES
