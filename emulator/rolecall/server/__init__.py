"""The server of ``rolecall serve``: one event loop in each worker, which waits for many connections at once.

Nobody waits for somebody else: a call is answered on the loop when it needs nothing but the processor, and everything
that has to be waited for (a body, an issuer's keys, a pause, the database's lock) is waited for beside it.
docs/architecture.md says what was measured.
"""

from __future__ import annotations

from rolecall.server.ports import PortInUseError, check_port
from rolecall.server.processes import serve
from rolecall.server.tls import BadCertificateError, own_certificate, tls_context

__all__ = ["BadCertificateError", "PortInUseError", "check_port", "own_certificate", "serve", "tls_context"]
