"""A declared world, as records. What the sandbox file says, after everything about it was checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from emulator.settings import SandboxSettings

Documents = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    access_key_id: str
    secret_access_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeclaredGroup:
    name: str
    path: str = "/"
    attached_policies: tuple[str, ...] = ()
    inline_policies: Documents = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredUser:
    name: str
    path: str = "/"
    tags: Mapping[str, str] = field(default_factory=dict)
    access_keys: tuple[DeclaredKey, ...] = ()
    attached_policies: tuple[str, ...] = ()
    inline_policies: Documents = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    permissions_boundary: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredPolicy:
    name: str
    document: str
    path: str = "/"
    description: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredRole:
    name: str
    trust_policy: str
    path: str = "/"
    description: str = ""
    attached_policies: tuple[str, ...] = ()
    inline_policies: Documents = field(default_factory=dict)
    permissions_boundary: str | None = None
    max_session_duration_seconds: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredChimeUser:
    email: str
    license: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredChimeAccount:
    name: str
    users: tuple[DeclaredChimeUser, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredAccount:
    account_id: str
    name: str = ""
    root_access_keys: tuple[DeclaredKey, ...] = ()
    users: tuple[DeclaredUser, ...] = ()
    groups: tuple[DeclaredGroup, ...] = ()
    policies: tuple[DeclaredPolicy, ...] = ()
    roles: tuple[DeclaredRole, ...] = ()
    service_linked_roles: tuple[str, ...] = ()
    chime_accounts: tuple[DeclaredChimeAccount, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredUnit:
    """An organizational unit; ``parent`` is the name of another one, empty for the organization's root."""

    name: str
    ou_id: str = ""
    parent: str = ""
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredControlPolicy:
    """A control policy; ``targets`` are account ids and names of units, or none for the organization's root."""

    name: str
    document: str
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredOrganization:
    """Without a ``management_account_id`` the first account manages it, and control policies bear on every account."""

    organization_id: str
    organizational_units: tuple[DeclaredUnit, ...] = ()
    service_control_policies: tuple[DeclaredControlPolicy, ...] = ()
    resource_control_policies: tuple[DeclaredControlPolicy, ...] = ()
    management_account_id: str = ""
    delegated_administrators: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """Everything a sandbox file declares. The first account is the default one."""

    accounts: tuple[DeclaredAccount, ...]
    organization: DeclaredOrganization | None = None
    settings: SandboxSettings = field(default_factory=SandboxSettings)
