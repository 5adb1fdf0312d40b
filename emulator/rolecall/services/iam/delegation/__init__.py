"""Temporary delegation: a partner's requests for access, and their states until the end."""
