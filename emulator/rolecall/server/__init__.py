"""The server of ``rolecall serve``: one event loop in each worker, which serves many connections at once.

No call waits for another call. The loop answers a call that needs nothing but the processor. A call that has to wait
(for a body, an issuer's keys, a pause, the database's lock) waits beside the loop. docs/architecture.md has the
measurements.
"""

from __future__ import annotations

from rolecall.server.ports import PortInUseError, check_port
from rolecall.server.processes import serve
from rolecall.server.tls import BadCertificateError, own_certificate, tls_context

__all__ = ["BadCertificateError", "PortInUseError", "check_port", "own_certificate", "serve", "tls_context"]
