"""SSH public keys in rows of a snapshot. Loaded with the first such row, because cryptography takes time to load."""

from __future__ import annotations

from cryptography.hazmat.primitives.serialization import load_ssh_public_key


def check_ssh_public_key(body: str) -> None:
    """Raises ValueError unless the text is a public key in OpenSSH's form (RFC 4253, section 6.6)."""
    load_ssh_public_key(body.encode())
