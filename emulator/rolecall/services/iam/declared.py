"""Operations that one function serves for several kinds of entities, under the names that each kind has for them.

The function has the form ``(call, name, *, PolicyName, …)``. ``name`` is the request's name or ARN of the entity. Each
kind has its own member for it, such as UserName.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from rolecall.services.registry import Answer, Call, Precheck, operation


def declare(
    name: str, member: str, function: Callable[..., Answer | None], *, precheck: Precheck | None = None
) -> None:
    """Register a function as the operation ``name``, whose member ``member`` becomes the function's second argument.

    The operation's place is the line that called the caller of this function: the line that declares the kind.
    """

    def operate(call: Call, **parameters: Any) -> Answer | None:
        return function(call, parameters.pop(member), **parameters)

    renamed: Any = wraps(function)(operate)
    call, entity, *others = inspect.signature(function).parameters.values()
    named = entity.replace(name=member, kind=inspect.Parameter.KEYWORD_ONLY)
    renamed.__signature__ = inspect.Signature([call, named, *others])
    frame = sys._getframe(2)
    operation("iam", name, precheck=precheck, place=(frame.f_code.co_filename, frame.f_lineno))(renamed)
