"""The sandbox file: its keys, their possible values, and what they may refer to."""

from __future__ import annotations

from itertools import chain
from pathlib import Path as FilePath

from rolecall.identity_providers.asking import IDP_NAME
from rolecall.policy import PolicyKind
from rolecall.settings import SandboxSettings
from rolecall.worlds import checking as c
from rolecall.worlds import world as w
from rolecall.worlds.control_policies import control_document, management_document
from rolecall.worlds.files import read_named
from rolecall.worlds.located import Path, Problem, UnreadableError, read_located
from rolecall.worlds.quotas import quotas
from rolecall.worlds.references import UNIT_NAME_MEANING, UNIT_NAME_PATTERN, dangling
from rolecall.worlds.row_checks import ROWS, SEED_PATTERN, dangling_rows, rows

# The first line of a snapshot. A snapshot that is cut off is still a sandbox file, so it must not count as complete.
SNAPSHOT_BEGIN = "# A snapshot: "
SNAPSHOT_END = "..."

_ACCOUNT_ID = c.matching(r"\d{12}", "an account id of 12 digits")
_PATH = c.matching(r"/|/[!-\x7f]{1,510}/", "a path that begins and ends with /")
_NAME = c.matching(r"[\w+=,.@-]{1,64}", "a name of up to 64 letters, digits and +=,.@_-")
_LONG_NAME = c.matching(r"[\w+=,.@-]{1,128}", "a name of up to 128 letters, digits and +=,.@_-")
_TAGS = c.mapping_of(
    c.matching(r"[\w\s.:/=+\-@]{0,256}", "a tag value of up to 256 characters"),
    c.matching(r"[\w\s.:/=+\-@]{1,128}", "a tag key of up to 128 characters"),
)
_INLINE = c.mapping_of(c.policy(PolicyKind.IDENTITY), _LONG_NAME)
_POLICY_ARNS = c.list_of(c.matching(r"arn:aws:iam::(\d{12}|aws):policy/[!-\x7f]+", "the ARN of a managed policy"))
_POLICY_ARN = c.matching(r"arn:aws:iam::(\d{12}|aws):policy/[!-\x7f]+", "the ARN of a managed policy or null")
_VERSION_NUMBER = c.between(1, 2**31 - 1)
_UUID = c.matching(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "a UUID in small letters")
_LICENSE = c.one_of("Basic", "Plus", "Pro", "ProTrial")
_CREATED_AT = ("created_at_seconds", c.moment)


def _unique_id(prefix: str) -> tuple[str, c.Check]:
    return "unique_id", c.matching(prefix + r"[A-Z0-9]{12,28}", f"{prefix} and 12 to 28 capital letters and digits")


_REGION = c.matching(r"(?!us-east-1$)[a-z]{2,4}(-[a-z]+)+-\d{1,2}", "a Region such as ap-east-1, but not us-east-1")

# No character that a terminal would obey, because the secret is printed for a shell as it is.
_PLAIN_CHARACTERS = r"[^\s\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]{4,256}"
_KEY = c.record(
    w.DeclaredKey,
    {
        "id": ("access_key_id", c.matching(r"\w{4,128}", "an access key id of 4 to 128 word characters")),
        "secret": ("secret_access_key", c.matching(_PLAIN_CHARACTERS, "a secret of 4 to 256 characters")),
        "status": ("status", c.one_of("Active", "Inactive", "Expired")),
        "created_at": _CREATED_AT,
        "last_used_at": ("last_used_at_seconds", c.moment),
        "last_used_service": ("last_used_service", c.text),
        "last_used_region": ("last_used_region", c.text),
    },
    ("id", "secret"),
)
_MFA_DEVICE = c.record(
    w.DeclaredMfaDevice,
    {
        "name": ("name", _LONG_NAME),
        "seed": (
            "seed",
            c.matching(SEED_PATTERN, "a base32 seed: A-Z and 2-7, 16 characters or more, without padding"),
        ),
    },
    ("name", "seed"),
)
_USER = c.record(
    w.DeclaredUser,
    {
        "name": ("name", _NAME),
        "path": ("path", _PATH),
        "tags": ("tags", _TAGS),
        "access_keys": ("access_keys", c.list_of(_KEY)),
        "attached_policies": ("attached_policies", _POLICY_ARNS),
        "inline_policies": ("inline_policies", _INLINE),
        "groups": ("groups", c.list_of(c.text)),
        "permissions_boundary": ("permissions_boundary", c.optional(_POLICY_ARN)),
        "mfa_devices": ("mfa_devices", c.list_of(_MFA_DEVICE)),
        "unique_id": _unique_id("AIDA"),
        "created_at": _CREATED_AT,
    },
    ("name",),
)
_GROUP = c.record(
    w.DeclaredGroup,
    {
        "name": ("name", _LONG_NAME),
        "path": ("path", _PATH),
        "attached_policies": ("attached_policies", _POLICY_ARNS),
        "inline_policies": ("inline_policies", _INLINE),
        "unique_id": _unique_id("AGPA"),
        "created_at": _CREATED_AT,
    },
    ("name",),
)
_VERSION = c.record(
    w.DeclaredVersion,
    {
        "version": ("version", _VERSION_NUMBER),
        "document": ("document", c.policy(PolicyKind.IDENTITY)),
        "created_at": _CREATED_AT,
    },
    ("version", "document"),
)
_POLICY = c.record(
    w.DeclaredPolicy,
    {
        "name": ("name", _LONG_NAME),
        "path": ("path", _PATH),
        "description": ("description", c.text),
        "document": ("document", c.policy(PolicyKind.IDENTITY)),
        "tags": ("tags", _TAGS),
        "unique_id": _unique_id("ANPA"),
        "created_at": _CREATED_AT,
        "updated_at": ("updated_at_seconds", c.moment),
        "default_version": ("default_version", _VERSION_NUMBER),
        "default_version_created_at": ("default_version_created_at_seconds", c.moment),
        "latest_version": ("latest_version", _VERSION_NUMBER),
        "versions": ("versions", c.list_of(_VERSION)),
    },
    ("name", "document"),
)
_ROLE = c.record(
    w.DeclaredRole,
    {
        "name": ("name", _NAME),
        "path": ("path", _PATH),
        "description": ("description", c.text),
        "trust_policy": ("trust_policy", c.policy(PolicyKind.TRUST)),
        "attached_policies": ("attached_policies", _POLICY_ARNS),
        "inline_policies": ("inline_policies", _INLINE),
        "permissions_boundary": ("permissions_boundary", c.optional(_POLICY_ARN)),
        "max_session_duration": ("max_session_duration_seconds", c.between(3600, 43200)),
        "tags": ("tags", _TAGS),
        "unique_id": _unique_id("AROA"),
        "created_at": _CREATED_AT,
        "linked_service": ("linked_service", c.text),
        "trusted_ids": (
            "trusted_ids",
            c.mapping_of(c.matching(r"A(IDA|ROA)[A-Z0-9]{12,28}", "the unique id of a user or role")),
        ),
        "last_used_at": ("last_used_at_seconds", c.moment),
        "last_used_region": ("last_used_region", c.text),
    },
    ("name", "trust_policy"),
)
_CHIME_USER = c.record(
    w.DeclaredChimeUser,
    {
        "email": ("email", c.matching(r"(?=.{1,320}$)[^@\s]+@[^@\s]+\.[^@\s]+", "an email address")),
        "license": ("license", _LICENSE),
        "id": ("user_id", _UUID),
        "username": ("username", c.text),
        "display_name": ("display_name", c.text),
        "type": ("user_type", c.one_of("PrivateUser", "SharedDevice")),
        "registration_status": ("registration_status", c.one_of("Unregistered", "Registered", "Suspended")),
        "invitation_status": ("invitation_status", c.one_of("Pending", "Accepted", "Failed")),
        "invite_id": ("invite_id", _UUID),
        "registered_at": ("registered_at_seconds", c.moment),
        "invited_at": ("invited_at_seconds", c.moment),
        "personal_pin": ("personal_pin", c.matching(r"[0-9]{0,16}", "up to 16 digits")),
        "alexa_for_business": ("alexa_for_business_enabled", c.boolean),
        "alexa_for_business_room": ("alexa_for_business_room_arn", c.text),
        "inbound_calling": ("inbound_calling", c.boolean),
        "outbound_calling": ("outbound_calling", c.boolean),
        "sms_messages": ("sms_messages", c.boolean),
        "logged_out_at": ("logged_out_at_seconds", c.moment),
    },
    (),
)
_CHIME_ACCOUNT = c.record(
    w.DeclaredChimeAccount,
    {
        "name": ("name", c.matching(r"(?=.*\S).{1,100}", "a name of up to 100 characters")),
        "users": ("users", c.list_of(_CHIME_USER)),
        "id": ("chime_account_id", _UUID),
        "type": ("account_type", c.one_of("Team", "EnterpriseDirectory", "EnterpriseLWA", "EnterpriseOIDC")),
        "default_license": ("default_license", _LICENSE),
        "status": ("account_status", c.one_of("Suspended", "Active")),
        "disable_remote_control": ("disable_remote_control", c.boolean),
        "enable_dial_out": ("enable_dial_out", c.boolean),
        "created_at": _CREATED_AT,
    },
    ("name",),
)
_OIDC_PROVIDER = c.record(
    w.DeclaredOidcProvider,
    {
        "url": ("url", c.issuer_url),
        "client_ids": ("client_ids", c.list_of(c.matching(r"[!-~]{1,255}", "an audience of up to 255 characters"))),
        "thumbprints": ("thumbprints", c.list_of(c.matching(r"[0-9A-Fa-f]{40}", "40 hexadecimal digits"))),
        "jwks_file": ("jwks", c.key_set_file),
        "keys": ("keys", c.one_of("rolecall")),
        "tags": ("tags", _TAGS),
    },
    ("url",),
)
_SAML_PROVIDER = c.record(
    w.DeclaredSamlProvider,
    {
        "name": ("name", c.matching(r"[\w._-]{1,128}", "a name of up to 128 letters, digits and ._-")),
        "metadata_file": ("metadata", c.saml_metadata_file),
        "rolecall_idp": ("rolecall_idp", c.matching(IDP_NAME.pattern, "a name of up to 64 letters, digits and ._-")),
        "tags": ("tags", _TAGS),
    },
    ("name",),
)
_ACCOUNT = c.record(
    w.DeclaredAccount,
    {
        "id": ("account_id", _ACCOUNT_ID),
        "name": ("name", c.text),
        "root_access_keys": ("root_access_keys", c.list_of(_KEY)),
        "root_mfa_devices": ("root_mfa_devices", c.list_of(_MFA_DEVICE)),
        "users": ("users", c.list_of(_USER)),
        "groups": ("groups", c.list_of(_GROUP)),
        "policies": ("policies", c.list_of(_POLICY)),
        "roles": ("roles", c.list_of(_ROLE)),
        "service_linked_roles": ("service_linked_roles", c.list_of(c.text)),
        "oidc_providers": ("oidc_providers", c.list_of(_OIDC_PROVIDER)),
        "saml_providers": ("saml_providers", c.list_of(_SAML_PROVIDER)),
        "chime_accounts": ("chime_accounts", c.list_of(_CHIME_ACCOUNT)),
        "in_organization": ("in_organization", c.boolean),
    },
    ("id",),
)
_UNIT_NAME = c.matching(UNIT_NAME_PATTERN, UNIT_NAME_MEANING)
_ANY_UNIT_NAME = c.matching(r"(?s).{1,128}", "a name of up to 128 characters")
_UNIT = c.record(
    w.DeclaredUnit,
    {
        "name": ("name", _ANY_UNIT_NAME),
        "id": ("ou_id", c.matching(r"ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}", "an id such as ou-exam-1a2b3c4d")),
        "parent": ("parent", _UNIT_NAME),
        "accounts": ("accounts", c.list_of(_ACCOUNT_ID)),
    },
    ("name",),
)


_POLICY_KEYS: dict[str, tuple[str, c.Check]] = {
    "name": ("name", c.matching(r"(?s).{1,128}", "a name of up to 128 characters")),
    "id": ("policy_id", c.matching(r"p-[0-9a-zA-Z_]{8,128}", "a policy id such as p-1a2b3c4d")),
    "description": ("description", c.matching(r"(?s).{0,512}", "a text of up to 512 characters")),
    "attached": ("attached", c.boolean),
    "targets": ("targets", c.list_of(c.text)),
}


def _control_policy(kind: PolicyKind) -> c.Check:
    keys = {**_POLICY_KEYS, "document": ("document", control_document(kind))}
    return c.record(w.DeclaredControlPolicy, keys, ("name", "document"))


_MANAGEMENT_POLICY = c.record(
    w.DeclaredManagementPolicy,
    {
        **_POLICY_KEYS,
        "type": ("policy_type", c.matching(r"[A-Z][A-Z0-9_]{1,39}", "a type of policies such as TAG_POLICY")),
        "document": ("document", management_document),
    },
    ("name", "type", "document"),
)


_ORGANIZATION = c.record(
    w.DeclaredOrganization,
    {
        "id": ("organization_id", c.matching(r"o-[a-z0-9]{10,32}", "an organization id such as o-example1234")),
        "organizational_units": ("organizational_units", c.list_of(_UNIT)),
        "service_control_policies": ("service_control_policies", c.list_of(_control_policy(PolicyKind.SCP))),
        "resource_control_policies": ("resource_control_policies", c.list_of(_control_policy(PolicyKind.RCP))),
        "management_policies": ("management_policies", c.list_of(_MANAGEMENT_POLICY)),
        "management_account": ("management_account_id", _ACCOUNT_ID),
        "delegated_administrators": ("delegated_administrators", c.list_of(_ACCOUNT_ID)),
        "features": ("features", c.list_of(c.one_of("RootCredentialsManagement", "RootSessions"))),
    },
    ("id",),
)
_SETTINGS = c.record(
    SandboxSettings,
    {
        "strict": ("strict", c.boolean),
        "chime_denied_as": ("chime_denied_as", c.one_of("ForbiddenException", "AccessDeniedException")),
        "minimum_session_seconds": ("minimum_session_seconds", c.between(1, 900)),
        "disabled_regions": ("disabled_regions", c.list_of(_REGION)),
        "quotas": ("quotas", quotas),
    },
    (),
)


def _version(notes: c.Notes, path: Path, value: object) -> None:
    if type(value) is not int or value != 1:
        notes.add(path, "must be 1: this version of Rolecall reads version 1 of the format")


_WORLD = c.record(
    w.World,
    {
        "version": ("", _version),
        "organization": ("organization", _ORGANIZATION),
        "accounts": ("accounts", c.list_of(_ACCOUNT)),
        "settings": ("settings", _SETTINGS),
        ROWS: ("rows", rows),
    },
    ("accounts",),
)


class InvalidWorldError(Exception):
    """A sandbox file that cannot be used, with every problem in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("; ".join(f"line {problem.line}: {problem.message}" for problem in self.problems))


def read_world_file(path: str) -> w.World:
    """The world that a file declares. Raises OSError, or InvalidWorldError with every problem."""
    try:
        text = read_named(path)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InvalidWorldError([Problem(line, "not UTF-8 text")]) from error
    except ValueError as error:
        raise InvalidWorldError([Problem(1, str(error))]) from error
    return read_world(text, str(FilePath(path).parent))


def read_world(text: str, folder: str | None = None) -> w.World:
    """The world that a text declares. Files named in it are in ``folder``; without ``folder`` it may name none.

    Raises InvalidWorldError.
    """
    try:
        located = read_located(text)
    except UnreadableError as error:
        raise InvalidWorldError(error.problems) from error
    notes = c.Notes(located, folder)
    if text.startswith(SNAPSHOT_BEGIN) and not text.rstrip().endswith(f"\n{SNAPSHOT_END}"):
        line = text.count("\n") + 1
        raise InvalidWorldError([Problem(line, f"the snapshot is cut off: its last line must be {SNAPSHOT_END}")])
    if isinstance(located.value, dict) and "version" not in located.value:
        notes.add((), "lacks version: 1")
    try:
        world = _checked(notes)
    except c.EnoughProblemsError as enough:
        raise InvalidWorldError(notes.problems) from enough
    if world is None or notes.problems:
        raise InvalidWorldError(notes.problems)
    return world


def _checked(notes: c.Notes) -> w.World | None:
    value = notes.located.value
    world: w.World | None = _WORLD(notes, (), value)
    if world is not None and value.get("accounts") == []:
        notes.add(("accounts",), "must name at least one account")
    for path, message in chain(dangling(value), dangling_rows(value)):
        notes.add(path, message)
    return world
