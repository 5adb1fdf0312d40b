"""How much of what could go on for ever a run tries: random examples, rounds, sandboxes.

The usual run tries enough to notice what breaks; ``run.py test --all`` tries all of it. ``conftest.py`` says which
run this is before any test is loaded.
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
    """``count`` examples of hypothesis where time does not matter, fewer in the usual and in the quick run."""
    if everything or searching:
        return count
    return -(-count // (_QUICK_SHARE if quick else _USUAL_SHARE))


def usual(count: int, *, most: int) -> int:
    """``count`` in the usual run, ``most`` in the one that tries everything."""
    return most if everything else count
