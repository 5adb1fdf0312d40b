"""Delivery: how programs get temporary credentials of a role, whichever way they ask for them.

Owned here: making a session of a role. Not here: who may have one, and for how long. STS decides that by the role's
trust policy, every other endpoint by its own rules. ``sessions`` seals the tokens.
"""

from rolecall.delivery.role_sessions import RoleSession, role_principal, role_session

__all__ = ["RoleSession", "role_principal", "role_session"]
