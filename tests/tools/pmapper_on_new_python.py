"""Starts pmapper, whose last release imports names that Python 3.10 moved from collections to collections.abc."""

import collections
import collections.abc
import sys

for _name in ("Mapping", "MutableMapping"):
    setattr(collections, _name, getattr(collections.abc, _name))

from principalmapper.__main__ import main  # noqa: E402

sys.exit(main())
