"""A declared world, as records: the content of the sandbox file after all checks.

A snapshot has every member. A file written by hand may leave out the members that are None by default. Their values are
made up when the entity is created. Times are seconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from rolecall.identity_providers.asking import IDP_NAME
from rolecall.policy import PolicyKind
from rolecall.settings import SandboxSettings
from rolecall.storage.context_providers import (
    INSTANCE_PATTERN,
    KEY_PATTERN,
    MAXIMUM_KEY_CHARACTERS,
    ContextProvider,
    context_provider_problem,
)
from rolecall.storage.gather import ACCOUNT_STATES
from rolecall.worlds import checking as c
from rolecall.worlds.attached import DeclaredInstance, DeclaredPod, DeclaredTask
from rolecall.worlds.chime_accounts import DeclaredChimeAccount
from rolecall.worlds.chime_sdk import (
    DeclaredAppInstance,
    DeclaredConnectorGroup,
    DeclaredMeeting,
    DeclaredPhoneNumber,
    DeclaredSipApplication,
    DeclaredSipRule,
    DeclaredVoiceConnector,
)
from rolecall.worlds.identity_center import DeclaredIdentityCenter, DeclaredPermissionSet
from rolecall.worlds.members import Declared, column, list_of, member, moment
from rolecall.worlds.row_checks import SEED_PATTERN

ACCOUNT_ID = c.matching(r"\d{12}", "an account id of 12 digits")
LONG_NAME = c.matching(r"[\w+=,.@-]{1,128}", "a name of up to 128 letters, digits and +=,.@_-")
_PATH = c.matching(r"/|/[!-\x7f]{1,510}/", "a path that begins and ends with /")
_NAME = c.matching(r"[\w+=,.@-]{1,64}", "a name of up to 64 letters, digits and +=,.@_-")
_TAGS = c.mapping_of(
    c.matching(r"[\w\s.:/=+\-@]{0,256}", "a tag value of up to 256 characters"),
    c.matching(r"[\w\s.:/=+\-@]{1,128}", "a tag key of up to 128 characters"),
)
_IDENTITY_POLICY = c.policy(PolicyKind.IDENTITY)
_INLINE = c.mapping_of(c.policy(PolicyKind.IDENTITY, is_inline=True), LONG_NAME)
_POLICY_ARNS = c.list_of(c.matching(r"arn:aws:iam::(\d{12}|aws):policy/[!-\x7f]+", "the ARN of a managed policy"))
_POLICY_ARN = c.matching(r"arn:aws:iam::(\d{12}|aws):policy/[!-\x7f]+", "the ARN of a managed policy or null")
_VERSION_NUMBER = c.between(1, 2**31 - 1)
# No character that a terminal would obey, because the secret is printed for a shell as it is.
_PLAIN_CHARACTERS = r"[^\s\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]{4,256}"


# Members that several kinds of entities have.


def _unique_id(prefix: str) -> Any:
    check = c.matching(prefix + r"[A-Z0-9]{12,28}", f"{prefix} and 12 to 28 capital letters and digits")
    return member(check, None)


def _boundary() -> Any:
    return column(c.optional(_POLICY_ARN), None, "permissions_boundary_arn")


class DeclaredKey(Declared):
    access_key_id: str = column(c.matching(r"\w{4,128}", "an access key id of 4 to 128 word characters"), key="id")
    secret_access_key: str = column(
        c.matching(_PLAIN_CHARACTERS, "a secret of 4 to 256 characters"), key="secret", secret=True
    )
    status: str | None = column(c.one_of("Active", "Inactive", "Expired"), None)
    created_at_seconds: int | None = moment(once=True)
    last_used_at_seconds: int | None = moment(once=True)
    last_used_service: str | None = column(c.text, None, once=True)
    last_used_region: str | None = column(c.text, None, once=True)


class DeclaredMfaDevice(Declared):
    """A virtual MFA device that is enabled from the start. ``seed`` is base32 without padding."""

    name: str = member(LONG_NAME)
    seed: str = member(
        c.matching(SEED_PATTERN, "a base32 seed: A-Z and 2-7, 16 characters or more, without padding"), secret=True
    )


class DeclaredGroup(Declared):
    name: str = column(LONG_NAME)
    path: str = column(_PATH, "/")
    attached_policies: tuple[str, ...] = member(_POLICY_ARNS, ())
    inline_policies: Mapping[str, str] = member(_INLINE, factory=dict)
    unique_id: str | None = _unique_id("AGPA")
    created_at_seconds: int | None = moment(once=True)


class DeclaredUser(Declared):
    name: str = column(_NAME)
    path: str = column(_PATH, "/")
    tags: Mapping[str, str] = member(_TAGS, factory=dict)
    access_keys: tuple[DeclaredKey, ...] = list_of(DeclaredKey)
    attached_policies: tuple[str, ...] = member(_POLICY_ARNS, ())
    inline_policies: Mapping[str, str] = member(_INLINE, factory=dict)
    groups: tuple[str, ...] = member(c.list_of(c.text), ())
    permissions_boundary: str | None = _boundary()
    mfa_devices: tuple[DeclaredMfaDevice, ...] = list_of(DeclaredMfaDevice)
    unique_id: str | None = _unique_id("AIDA")
    created_at_seconds: int | None = moment(once=True)


class DeclaredVersion(Declared):
    """A version of a policy."""

    version: int = column(_VERSION_NUMBER)
    created_at_seconds: int | None = moment(once=True)
    document: str = column(_IDENTITY_POLICY, show=c.document_of)


class DeclaredPolicy(Declared):
    """A managed policy. ``document`` is its default version, ``versions`` are the others."""

    name: str = column(LONG_NAME)
    path: str = column(_PATH, "/")
    description: str = column(c.text, "")
    updated_at_seconds: int | None = moment(once=True)
    tags: Mapping[str, str] | None = member(_TAGS, None)
    default_version: int | None = member(_VERSION_NUMBER, None)
    default_version_created_at_seconds: int | None = member(c.moment, None)
    latest_version: int | None = member(_VERSION_NUMBER, None)
    document: str = member(_IDENTITY_POLICY)
    versions: tuple[DeclaredVersion, ...] = list_of(DeclaredVersion)
    unique_id: str | None = _unique_id("ANPA")
    created_at_seconds: int | None = moment(once=True)


class DeclaredRole(Declared):
    name: str = column(_NAME)
    path: str = column(_PATH, "/")
    description: str = column(c.text, "")
    linked_service: str | None = column(c.text, None)
    trust_policy: str = column(c.policy(PolicyKind.TRUST), show=c.document_of)
    trusted_ids: Mapping[str, str] | None = member(
        c.mapping_of(c.matching(r"A(IDA|ROA)[A-Z0-9]{12,28}", "the unique id of a user or role")), None
    )
    attached_policies: tuple[str, ...] = member(_POLICY_ARNS, ())
    inline_policies: Mapping[str, str] = member(_INLINE, factory=dict)
    permissions_boundary: str | None = _boundary()
    max_session_duration_seconds: int = column(c.between(3600, 43200), 3600, key="max_session_duration")
    max_signin_session_duration_seconds: int | None = column(
        c.optional(c.between(3600, 7_776_000)), None, key="max_signin_session_duration"
    )
    tags: Mapping[str, str] = member(_TAGS, factory=dict)
    last_used_at_seconds: int | None = moment(once=True)
    last_used_region: str | None = column(c.text, None, once=True)
    unique_id: str | None = _unique_id("AROA")
    created_at_seconds: int | None = moment(once=True)


def _key_definition(source: str, target: str | None = None) -> tuple[str, str | None]:
    """A mapping of a context provider: the source key, and the target key if it has another name."""
    return source, target


_SOURCE_KEY = c.matching(
    KEY_PATTERN, f"a key of up to {MAXIMUM_KEY_CHARACTERS} letters, digits, single spaces and _.:/=+-@#"
)
_KEY_DEFINITION = c.record(
    _key_definition, {"source": ("source", _SOURCE_KEY), "target": ("target", _SOURCE_KEY)}, ("source",)
)
_CONTEXT_PROVIDER_MEMBERS = c.record(
    ContextProvider,
    {
        "subject": ("subject_source_key", _SOURCE_KEY),
        "subject_type": ("subject_type_value", c.matching(r"[^\0]{0,128}", "a text of up to 128 characters")),
        "subject_type_from": ("subject_type_source_key", _SOURCE_KEY),
        "keys": ("key_definitions", c.list_of(_KEY_DEFINITION)),
    },
    ("subject",),
)
_CONTEXT_PROVIDER = c.checked(_CONTEXT_PROVIDER_MEMBERS, context_provider_problem)
_INSTANCE = c.matching(INSTANCE_PATTERN, "the ARN of an IAM Identity Center instance, arn:aws:sso:::instance/ssoins-…")


class DeclaredInstanceProfile(Declared):
    """An instance profile. ``role`` is the name of a role of its account."""

    name: str = column(LONG_NAME)
    path: str = column(_PATH, "/")
    role: str | None = member(c.text, None)
    tags: Mapping[str, str] = member(_TAGS, factory=dict)
    unique_id: str | None = _unique_id("AIPA")
    created_at_seconds: int | None = moment(once=True)


class DeclaredOidcProvider(Declared):
    """An OpenID Connect provider. ``jwks`` is the text of its key set. With ``keys``, Rolecall signs its tokens."""

    url: str = column(c.issuer_url)
    client_ids: tuple[str, ...] = member(
        c.list_of(c.matching(r"[!-~]{1,255}", "an audience of up to 255 characters")), ()
    )
    thumbprints: tuple[str, ...] = member(c.list_of(c.matching(r"[0-9A-Fa-f]{40}", "40 hexadecimal digits")), ())
    jwks: str | None = column(c.key_set_file, None, key="jwks_file")
    keys: str = member(c.one_of("rolecall"), "")
    tags: Mapping[str, str] = member(_TAGS, factory=dict)
    context_provider: ContextProvider | None = member(_CONTEXT_PROVIDER, None)
    identity_center_instance_arn: str | None = member(_INSTANCE, None, key="identity_center_instance")

    @property
    def key_source(self) -> str:
        if self.keys:
            return "own"
        return "discovery" if self.jwks is None else "declared"


class DeclaredSamlProvider(Declared):
    """A SAML provider. Its document comes from a file or stands in the sandbox file, or it is one of Rolecall's own."""

    name: str = member(c.matching(r"[\w._-]{1,128}", "a name of up to 128 letters, digits and ._-"))
    metadata_of_file: str = member(c.saml_metadata_file, "", key="metadata_file", secret=True)
    written_metadata: str = member(c.saml_metadata, "", key="metadata", secret=True)
    rolecall_idp: str = member(c.matching(IDP_NAME.pattern, "a name of up to 64 letters, digits and ._-"), "")
    tags: Mapping[str, str] = member(_TAGS, factory=dict)
    context_provider: ContextProvider | None = member(_CONTEXT_PROVIDER, None)
    identity_center_instance_arn: str | None = member(_INSTANCE, None, key="identity_center_instance")

    @property
    def metadata(self) -> str:
        """The document's text; empty for one of Rolecall's own providers."""
        return self.metadata_of_file or self.written_metadata


class DeclaredAccount(Declared):
    account_id: str = member(ACCOUNT_ID, key="id")
    name: str = member(c.text, "")
    email: str = member(c.matching(r"(?=.{6,64}$)[^\s@]+@[^\s@]+\.[^\s@]+", "an email address"), "")
    root_access_keys: tuple[DeclaredKey, ...] = list_of(DeclaredKey)
    root_mfa_devices: tuple[DeclaredMfaDevice, ...] = list_of(DeclaredMfaDevice)
    users: tuple[DeclaredUser, ...] = list_of(DeclaredUser)
    groups: tuple[DeclaredGroup, ...] = list_of(DeclaredGroup)
    policies: tuple[DeclaredPolicy, ...] = list_of(DeclaredPolicy)
    roles: tuple[DeclaredRole, ...] = list_of(DeclaredRole)
    instance_profiles: tuple[DeclaredInstanceProfile, ...] = list_of(DeclaredInstanceProfile)
    instances: tuple[DeclaredInstance, ...] = list_of(DeclaredInstance)
    tasks: tuple[DeclaredTask, ...] = list_of(DeclaredTask)
    pods: tuple[DeclaredPod, ...] = list_of(DeclaredPod)
    service_linked_roles: tuple[str, ...] = member(c.list_of(c.text), ())
    oidc_providers: tuple[DeclaredOidcProvider, ...] = list_of(DeclaredOidcProvider)
    saml_providers: tuple[DeclaredSamlProvider, ...] = list_of(DeclaredSamlProvider)
    chime_accounts: tuple[DeclaredChimeAccount, ...] = list_of(DeclaredChimeAccount)
    phone_numbers: tuple[DeclaredPhoneNumber, ...] = list_of(DeclaredPhoneNumber)
    app_instances: tuple[DeclaredAppInstance, ...] = list_of(DeclaredAppInstance)
    meetings: tuple[DeclaredMeeting, ...] = list_of(DeclaredMeeting)
    voice_connectors: tuple[DeclaredVoiceConnector, ...] = list_of(DeclaredVoiceConnector)
    sip_media_applications: tuple[DeclaredSipApplication, ...] = list_of(DeclaredSipApplication)
    voice_connector_groups: tuple[DeclaredConnectorGroup, ...] = list_of(DeclaredConnectorGroup)
    sip_rules: tuple[DeclaredSipRule, ...] = list_of(DeclaredSipRule)
    in_organization: bool = member(c.boolean, True)
    state: str | None = member(c.one_of(*ACCOUNT_STATES), None)


class DeclaredUnit(Struct, frozen=True):
    """An organizational unit. ``parent`` is the name or id of another unit, or empty for the organization's root."""

    name: str
    ou_id: str = ""
    parent: str = ""
    accounts: tuple[str, ...] = ()


class DeclaredControlPolicy(Struct, frozen=True):
    """A control policy. ``targets`` are account ids, names or ids of units, and ROOT.

    Without targets it applies to ROOT, unless ``attached`` is false.
    """

    name: str
    document: str
    targets: tuple[str, ...] = ()
    policy_id: str = ""
    description: str = ""
    attached: bool = True


class DeclaredManagementPolicy(DeclaredControlPolicy, frozen=True):
    """A policy of another type than the control policies, such as TAG_POLICY."""

    policy_type: str = ""


class DeclaredOrganization(Struct, frozen=True):
    """Without ``management_account_id``, the first account manages it and control policies restrict every account."""

    organization_id: str
    organizational_units: tuple[DeclaredUnit, ...] = ()
    service_control_policies: tuple[DeclaredControlPolicy, ...] = ()
    resource_control_policies: tuple[DeclaredControlPolicy, ...] = ()
    management_policies: tuple[DeclaredManagementPolicy, ...] = ()
    management_account_id: str = ""
    delegated_administrators: tuple[str, ...] = ()
    features: tuple[str, ...] = ()


class World(Struct, frozen=True):
    """Everything that a sandbox file declares. The first account is the default account."""

    accounts: tuple[DeclaredAccount, ...]
    organization: DeclaredOrganization | None = None
    identity_center: DeclaredIdentityCenter | None = None
    permission_sets: tuple[DeclaredPermissionSet, ...] = ()
    settings: SandboxSettings = field(default_factory=SandboxSettings)
    # Table -> its rows, for content that has no keys of its own in the format.
    rows: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)
    # A digest of the text, if the text alone says everything: it names no other file. Else empty.
    text_digest: str = ""
