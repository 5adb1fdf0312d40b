"""What all botocore sessions of this process share: parsed models. Parsing them costs more than all other work."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import botocore.loaders
import botocore.session
from botocore.configprovider import ConstantProvider
from botocore.handlers import BUILTIN_HANDLERS
from botocore.hooks import HierarchicalEmitter

try:
    import boto3
    import boto3.session
except ImportError:
    # Rolecall depends on botocore. Users who call AWS with boto3 install boto3 themselves.
    boto3 = None  # type: ignore[assignment]

NO_BOTO3_MESSAGE = "this needs boto3, which is not installed: pip install boto3"

_OWN_SETTINGS = {
    "profile": None,
    "config_file": "",
    "credentials_file": "",
    "ignore_configured_endpoint_urls": True,
}


@cache
def shared_loader() -> Any:
    """The loader of models, with the folders that boto3 would add."""
    loader = botocore.loaders.create_loader()
    if boto3 is not None:
        loader.search_paths.append(os.path.join(os.path.dirname(boto3.__file__), "data"))
    return loader


def core_session() -> Any:
    """A new session of botocore with the shared models."""
    hooks = copy.copy(_builtin_hooks(len(BUILTIN_HANDLERS)))
    session = botocore.session.Session(event_hooks=hooks, include_builtin_handlers=False)
    session.register_component("data_loader", shared_loader())
    return session


@lru_cache(maxsize=1)
def _builtin_hooks(_count: int) -> Any:
    """Botocore's own handlers, registered. A library that stubs botocore may add one: then they are registered anew."""
    hooks = HierarchicalEmitter()
    botocore.session.Session(event_hooks=hooks)
    return hooks


def own_core_session() -> Any:
    """A session that ignores the environment: no profile, no files, no configured endpoints."""
    core = core_session()
    settings = core.get_component("config_store")
    for name, value in _OWN_SETTINGS.items():
        settings.set_config_provider(name, ConstantProvider(value))
    return core


def boto3_session(core: Any) -> Any:
    """A boto3 session with this botocore session. Raises ImportError without boto3."""
    if boto3 is None:
        raise ImportError(NO_BOTO3_MESSAGE)
    session = boto3.session.Session(botocore_session=core)
    _without_repetition(shared_loader().search_paths)
    return session


def _without_repetition(paths: list[str]) -> None:
    """Removes repeated folders: each session of boto3 adds its folder to the loader it finds."""
    paths[:] = dict.fromkeys(paths)


@cache
def explicit_session() -> Any:
    """The session behind all clients with explicit credentials. It uses nothing from the environment."""
    core = own_core_session()
    return core if boto3 is None else boto3_session(core)


@cache
def _late_session() -> type[Any]:
    """The class of :func:`late_session`. It is made on first use, because boto3 may be missing."""

    class LateSession(boto3.session.Session):
        def __init__(self, make_core: Callable[[], Any]) -> None:
            """Boto3 sets its attributes here; this class sets them when one of them is first read."""
            self._make_core = make_core

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__") or "_session" in self.__dict__:
                raise AttributeError(name)
            super().__init__(botocore_session=self._make_core())
            _without_repetition(shared_loader().search_paths)
            return getattr(self, name)

    return LateSession


def late_session(make_core: Callable[[], Any] = core_session) -> Any:
    """A session of boto3 that costs nothing until its first use; None without boto3."""
    return None if boto3 is None else _late_session()(make_core)


def has_boto3() -> bool:
    return boto3 is not None


def default_session() -> Any:
    """The session behind ``boto3.client``; None before boto3 has made one."""
    return None if boto3 is None else boto3.DEFAULT_SESSION


def set_default_session(session: Any) -> None:
    if boto3 is not None:
        boto3.DEFAULT_SESSION = session
