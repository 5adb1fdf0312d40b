"""A sandbox for a function or a test class, as a decorator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from rolecall.kit.configs import Config
from rolecall.kit.rolecall import Rolecall
from rolecall.service_records import DEFAULT_REGION

PARAMETER = "sandbox"
GENERATOR_MESSAGE = (
    "sandboxed() cannot wrap the generator {name}, because it runs in parts: write "
    "'with Rolecall() as sandbox:' around its yield"
)
NOT_CALLABLE_MESSAGE = "sandboxed() wraps functions and classes; give its arguments by name: sandboxed(config=...)"
_TEST_PREFIX = "test"

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@overload
def sandboxed(decorated: Decorated, /) -> Decorated: ...
@overload
def sandboxed(
    *, config: Config = None, seed: int | None = None, region: str = DEFAULT_REGION
) -> Callable[[Decorated], Decorated]: ...


def sandboxed(
    decorated: Callable[..., Any] | None = None,
    /,
    *,
    config: Config = None,
    seed: int | None = None,
    region: str = DEFAULT_REGION,
) -> Any:
    """Run a function in a fresh sandbox with each call; of a class, each method whose name begins with test.

    The function gets the sandbox if it has a parameter ``sandbox``. The arguments are those of Rolecall. Raises
    TypeError for a generator, and for anything that is no function or class.
    """

    def opened() -> Rolecall:
        return Rolecall(config, seed=seed, region=region)

    def decorate(found: Any) -> Any:
        return _of_class(found, opened) if isinstance(found, type) else _of_function(found, opened)

    return decorate if decorated is None else decorate(decorated)


def _of_class(decorated: type, opened: Callable[[], Rolecall]) -> type:
    for name, method in list(vars(decorated).items()):
        if name.startswith(_TEST_PREFIX) and inspect.isfunction(method):
            setattr(decorated, name, _of_function(method, opened))
    return decorated


def _of_function(decorated: Any, opened: Callable[[], Rolecall]) -> Callable[..., Any]:
    if not callable(decorated):
        raise TypeError(NOT_CALLABLE_MESSAGE)
    if inspect.isgeneratorfunction(decorated) or inspect.isasyncgenfunction(decorated):
        raise TypeError(GENERATOR_MESSAGE.format(name=decorated.__name__))
    signature = inspect.signature(decorated)
    wants = PARAMETER in signature.parameters

    if inspect.iscoroutinefunction(decorated):

        @functools.wraps(decorated)
        async def wrapped(*arguments: Any, **named: Any) -> Any:
            with opened() as sandbox:
                return await decorated(*arguments, **named, **({PARAMETER: sandbox} if wants else {}))
    else:

        @functools.wraps(decorated)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            with opened() as sandbox:
                return decorated(*arguments, **named, **({PARAMETER: sandbox} if wants else {}))

    if wants:
        # So that pytest looks for no fixture of this name.
        kept = [each for name, each in signature.parameters.items() if name != PARAMETER]
        wrapped.__signature__ = signature.replace(parameters=kept)  # type: ignore[attr-defined]
    return wrapped
