"""A sandbox: its database and its clock, and everything of this process that outlives a call.

Owned here: which parts a sandbox has, what holds for one generation of its database, and what is done to the whole:
reset, save, load, finish. Not here: how a call is answered (``gateway``), and what a sandbox file means (``worlds``).
"""

from rolecall.sandbox.state import Sandbox

__all__ = ["Sandbox"]
