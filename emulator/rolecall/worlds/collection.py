"""Work that makes a great many objects and hardly any garbage, without Python's garbage collection.

A large sandbox file becomes some hundred thousand objects, and none of them is garbage before the work ends. Each
collection looks at all of them again, which takes a third of the time.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_turn = threading.Lock()
_working = 0
_was_enabled = False


@contextmanager
def without_collection() -> Iterator[None]:
    """No collection in this process until the last such block ends. What is unused by its count is freed as always."""
    global _working, _was_enabled
    with _turn:
        if _working == 0:
            _was_enabled = gc.isenabled()
            gc.disable()
        _working += 1
    try:
        yield
    finally:
        with _turn:
            _working -= 1
            if _working == 0 and _was_enabled:
                gc.enable()
