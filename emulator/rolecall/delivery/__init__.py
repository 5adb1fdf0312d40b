"""Delivery: how programs get temporary credentials of a role, whichever way they ask for them.

Owned here: making a session of a role, and the providers that SDKs look for: instance metadata, container credentials
and Pod Identity. Each provider is a module, and one :class:`~rolecall.delivery.kinds.Kind` declares it. Not here: who
may have a session of STS, and for how long. STS decides that by the role's trust policy, every provider by its own
rules. ``sessions`` seals the tokens. ``web`` carries requests to the providers.
"""

from rolecall.delivery.role_sessions import RoleSession, role_principal, role_session

__all__ = ["RoleSession", "role_principal", "role_session"]
