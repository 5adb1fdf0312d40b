"""How many random examples, rounds and sandboxes a run tries.

The usual run tries enough to notice errors; ``run.py test --all`` tries all of them. ``conftest.py`` sets the kind of
run before any test is loaded.
"""

from __future__ import annotations

# "run.py test --all".
everything = False
# "run.py test --quick".
quick = False
# "--hypothesis-profile=search".
searching = False
_USUAL_SHARE = 4
_QUICK_SHARE = 20


def examples(count: int) -> int:
    """``count`` examples of hypothesis when time does not matter; fewer in the usual and the quick run."""
    if everything or searching:
        return count
    return -(-count // (_QUICK_SHARE if quick else _USUAL_SHARE))


def usual(count: int, *, most: int) -> int:
    """``count`` in the usual run, ``most`` in the run that tries everything."""
    return most if everything else count
