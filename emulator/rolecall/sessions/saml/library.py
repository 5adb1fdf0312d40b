"""The parts behind ``door`` that need lxml and signxml, by the names that ``door`` calls."""

from rolecall.sessions.saml.encryption import load_private_key
from rolecall.sessions.saml.metadata import own_metadata, read_metadata
from rolecall.sessions.saml.minting import signed_response
from rolecall.sessions.saml.responses import verified_assertion

__all__ = ["load_private_key", "own_metadata", "read_metadata", "signed_response", "verified_assertion"]
