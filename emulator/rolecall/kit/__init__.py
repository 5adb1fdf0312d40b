"""The test kit: credential flows in a user's own tests, in this process or over a socket.

Owned here: the class Rolecall, which clients reach it during which block, and helpers that read well in a test and
fail with reasons. Not here: how a call is answered (gateway) and what a sandbox file means (sandbox). The kit calls as
any client does, and reads the decision log. The package imports it only when ``Rolecall`` is used, because it needs a
whole AWS client.
"""

from rolecall.kit.blocks import MANAGED_VARIABLES
from rolecall.kit.configs import BadConfigError
from rolecall.kit.decisions import DecisionRecord
from rolecall.kit.decorator import sandboxed
from rolecall.kit.identity import UnknownIdentityError
from rolecall.kit.refused_calls import RefusedCalls
from rolecall.kit.rolecall import Rolecall, fresh_behind
from rolecall.kit.routing import NotServedError, SandboxEndedError
from rolecall.kit.run_calls import RunCalls
from rolecall.web.threaded import ThreadedServer

__all__ = [
    "MANAGED_VARIABLES",
    "BadConfigError",
    "DecisionRecord",
    "NotServedError",
    "RefusedCalls",
    "Rolecall",
    "RunCalls",
    "SandboxEndedError",
    "ThreadedServer",
    "UnknownIdentityError",
    "fresh_behind",
    "sandboxed",
]
