"""What fetching an issuer's keys shares with using them: the time limit, and the error for an issuer that fails."""

from __future__ import annotations

# The limit for fetching both documents, even from an issuer that sends them byte by byte.
TOTAL_SECONDS = 8


class UnreachableIssuerError(Exception):
    """The issuer did not answer, or answered that it cannot now. The message gives the details for people."""
