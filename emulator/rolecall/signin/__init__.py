"""Signing in: into Rolecall's console with temporary credentials, and into a program as with ``aws login``.

Owned here: who may sign in, for how long, and what it takes. Not here: HTTP, cookies and pages (``web``), the sealing
of tokens (``sessions``), and the tokens that a program gets (``services``).
"""

from rolecall.signin.console import ChimePermission, SignIn, SignInError, Visitor

__all__ = ["ChimePermission", "SignIn", "SignInError", "Visitor"]
