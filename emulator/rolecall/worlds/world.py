"""A declared world, as records: the content of the sandbox file after all checks.

A snapshot has every member. A file written by hand may leave out the members that are None by default. Their values are
made up when the entity is created. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rolecall.settings import SandboxSettings

Documents = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    access_key_id: str
    secret_access_key: str = field(repr=False)
    status: str | None = None
    created_at_seconds: int | None = None
    last_used_at_seconds: int | None = None
    last_used_service: str | None = None
    last_used_region: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredMfaDevice:
    """A virtual MFA device that is enabled from the start. ``seed`` is base32 without padding."""

    name: str
    seed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeclaredGroup:
    name: str
    path: str = "/"
    attached_policies: tuple[str, ...] = ()
    inline_policies: Documents = field(default_factory=dict)
    unique_id: str | None = None
    created_at_seconds: int | None = None


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
    mfa_devices: tuple[DeclaredMfaDevice, ...] = ()
    unique_id: str | None = None
    created_at_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class DeclaredVersion:
    """A version of a policy."""

    version: int
    document: str
    created_at_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class DeclaredPolicy:
    """A managed policy. ``document`` is its default version, ``versions`` are the others."""

    name: str
    document: str
    path: str = "/"
    description: str = ""
    tags: Mapping[str, str] | None = None
    unique_id: str | None = None
    created_at_seconds: int | None = None
    updated_at_seconds: int | None = None
    default_version: int | None = None
    default_version_created_at_seconds: int | None = None
    latest_version: int | None = None
    versions: tuple[DeclaredVersion, ...] = ()


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
    unique_id: str | None = None
    created_at_seconds: int | None = None
    linked_service: str | None = None
    trusted_ids: Mapping[str, str] | None = None
    last_used_at_seconds: int | None = None
    last_used_region: str | None = None


@dataclass(frozen=True, slots=True)
class DeclaredOidcProvider:
    """An OpenID Connect provider. ``jwks`` is the text of its key set. With ``keys``, Rolecall signs its tokens."""

    url: str
    client_ids: tuple[str, ...] = ()
    thumbprints: tuple[str, ...] = ()
    jwks: str | None = None
    keys: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def key_source(self) -> str:
        if self.keys:
            return "own"
        return "discovery" if self.jwks is None else "declared"


@dataclass(frozen=True, slots=True)
class DeclaredSamlProvider:
    """A SAML provider. ``metadata`` is its document's text. ``rolecall_idp`` names a provider of Rolecall's instead."""

    name: str
    metadata: str = field(default="", repr=False)
    rolecall_idp: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeclaredChimeUser:
    """A user of a Chime account. Without ``registration_status`` the user is registered now, with a name and a PIN."""

    email: str | None = None
    license: str = ""
    user_id: str | None = None
    username: str | None = None
    display_name: str | None = None
    user_type: str | None = None
    registration_status: str | None = None
    invitation_status: str | None = None
    invite_id: str | None = None
    registered_at_seconds: int | None = None
    invited_at_seconds: int | None = None
    personal_pin: str | None = field(default=None, repr=False)
    alexa_for_business_enabled: bool | None = None
    alexa_for_business_room_arn: str | None = None
    inbound_calling: bool | None = None
    outbound_calling: bool | None = None
    sms_messages: bool | None = None
    logged_out_at_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class DeclaredChimeAccount:
    name: str
    users: tuple[DeclaredChimeUser, ...] = ()
    chime_account_id: str | None = None
    account_type: str | None = None
    default_license: str | None = None
    account_status: str | None = None
    disable_remote_control: bool | None = None
    enable_dial_out: bool | None = None
    created_at_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class DeclaredAccount:
    account_id: str
    name: str = ""
    root_access_keys: tuple[DeclaredKey, ...] = ()
    root_mfa_devices: tuple[DeclaredMfaDevice, ...] = ()
    users: tuple[DeclaredUser, ...] = ()
    groups: tuple[DeclaredGroup, ...] = ()
    policies: tuple[DeclaredPolicy, ...] = ()
    roles: tuple[DeclaredRole, ...] = ()
    service_linked_roles: tuple[str, ...] = ()
    oidc_providers: tuple[DeclaredOidcProvider, ...] = ()
    saml_providers: tuple[DeclaredSamlProvider, ...] = ()
    chime_accounts: tuple[DeclaredChimeAccount, ...] = ()
    in_organization: bool = True


@dataclass(frozen=True, slots=True)
class DeclaredUnit:
    """An organizational unit. ``parent`` is the name or id of another unit, or empty for the organization's root."""

    name: str
    ou_id: str = ""
    parent: str = ""
    accounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeclaredControlPolicy:
    """A control policy. ``targets`` are account ids, names or ids of units, and ROOT.

    Without targets it applies to ROOT, unless ``attached`` is false.
    """

    name: str
    document: str
    targets: tuple[str, ...] = ()
    policy_id: str = ""
    description: str = ""
    attached: bool = True


@dataclass(frozen=True, slots=True)
class DeclaredManagementPolicy(DeclaredControlPolicy):
    """A policy of another type than the control policies, such as TAG_POLICY."""

    policy_type: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredOrganization:
    """Without ``management_account_id``, the first account manages it and control policies restrict every account."""

    organization_id: str
    organizational_units: tuple[DeclaredUnit, ...] = ()
    service_control_policies: tuple[DeclaredControlPolicy, ...] = ()
    resource_control_policies: tuple[DeclaredControlPolicy, ...] = ()
    management_policies: tuple[DeclaredManagementPolicy, ...] = ()
    management_account_id: str = ""
    delegated_administrators: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class World:
    """Everything that a sandbox file declares. The first account is the default account."""

    accounts: tuple[DeclaredAccount, ...]
    organization: DeclaredOrganization | None = None
    settings: SandboxSettings = field(default_factory=SandboxSettings)
    # Table -> its rows, for content that has no keys of its own in the format.
    rows: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
