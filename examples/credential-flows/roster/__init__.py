"""The users of an Amazon Chime account."""

from roster.app import NotAllowedError, Roster
from roster.credentials import role_session

__all__ = ["NotAllowedError", "Roster", "role_session"]
