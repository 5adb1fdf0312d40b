"""The sandbox file: its keys, what each may hold, and what they may refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path as FilePath

from emulator.arns import iam_arn, parse_arn
from emulator.data import managed_policies, service_linked_roles
from emulator.policy import PolicyKind, parse_policy, trusted_principals
from emulator.sandbox import checking as c
from emulator.sandbox import world as w
from emulator.sandbox.located import Path, Problem, UnreadableError, read_located
from emulator.settings import SandboxSettings

_ACCOUNT_ID = c.matching(r"\d{12}", "an account id of 12 digits")
_PATH = c.matching(r"/|/[!-~]{1,510}/", "a path that begins and ends with /")
_NAME = c.matching(r"[\w+=,.@-]{1,64}", "a name of up to 64 letters, digits and +=,.@_-")
_LONG_NAME = c.matching(r"[\w+=,.@-]{1,128}", "a name of up to 128 letters, digits and +=,.@_-")
_TAGS = c.mapping_of(
    c.matching(r"[\w\s.:/=+\-@]{0,256}", "a tag value of up to 256 characters"),
    c.matching(r"[\w\s.:/=+\-@]{1,128}", "a tag key of up to 128 characters"),
)
_INLINE = c.mapping_of(c.policy(PolicyKind.IDENTITY), _LONG_NAME)
_POLICY_ARNS = c.list_of(c.matching(r"arn:aws:iam::(\d{12}|aws):policy/[!-~]+", "the ARN of a managed policy"))
_POLICY_ARN = c.matching(r"arn:aws:iam::(\d{12}|aws):policy/[!-~]+", "the ARN of a managed policy or null")

_KEY = c.record(
    w.DeclaredKey,
    {
        "id": ("access_key_id", c.matching(r"\w{4,128}", "an access key id of 4 to 128 word characters")),
        "secret": ("secret_access_key", c.matching(r"\S{4,256}", "a secret of 4 to 256 characters")),
    },
    ("id", "secret"),
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
        "mfa_devices": ("", c.not_emulated("MFA devices")),
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
    },
    ("name",),
)
_POLICY = c.record(
    w.DeclaredPolicy,
    {
        "name": ("name", _LONG_NAME),
        "path": ("path", _PATH),
        "description": ("description", c.text),
        "document": ("document", c.policy(PolicyKind.IDENTITY)),
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
    },
    ("name", "trust_policy"),
)
_CHIME_USER = c.record(
    w.DeclaredChimeUser,
    {
        "email": ("email", c.matching(r"[^@\s]+@[^@\s]+\.[^@\s]+", "an email address")),
        "license": ("license", c.one_of("Basic", "Plus", "Pro", "ProTrial")),
    },
    ("email",),
)
_CHIME_ACCOUNT = c.record(
    w.DeclaredChimeAccount,
    {
        "name": ("name", c.matching(r".*\S.{0,99}", "a name of up to 100 characters")),
        "users": ("users", c.list_of(_CHIME_USER)),
    },
    ("name",),
)
_ACCOUNT = c.record(
    w.DeclaredAccount,
    {
        "id": ("account_id", _ACCOUNT_ID),
        "name": ("name", c.text),
        "root_access_keys": ("root_access_keys", c.list_of(_KEY)),
        "users": ("users", c.list_of(_USER)),
        "groups": ("groups", c.list_of(_GROUP)),
        "policies": ("policies", c.list_of(_POLICY)),
        "roles": ("roles", c.list_of(_ROLE)),
        "service_linked_roles": ("service_linked_roles", c.list_of(c.text)),
        "oidc_providers": ("", c.not_emulated("OIDC providers")),
        "saml_providers": ("", c.not_emulated("SAML providers")),
        "chime_accounts": ("chime_accounts", c.list_of(_CHIME_ACCOUNT)),
    },
    ("id",),
)
_CONTROL_POLICY = c.record(
    w.DeclaredControlPolicy,
    {
        "name": ("name", _LONG_NAME),
        "targets": ("targets", c.list_of(_ACCOUNT_ID)),
        "document": ("document", c.policy(PolicyKind.SCP)),
    },
    ("name", "document"),
)
_ORGANIZATION = c.record(
    w.DeclaredOrganization,
    {
        "id": ("organization_id", c.matching(r"o-[a-z0-9]{10,32}", "an organization id such as o-example1234")),
        "service_control_policies": ("service_control_policies", c.list_of(_CONTROL_POLICY)),
    },
    ("id",),
)
_SETTINGS = c.record(
    SandboxSettings,
    {
        "strict": ("strict", c.boolean),
        "chime_denied_as": ("chime_denied_as", c.one_of("ForbiddenException", "AccessDeniedException")),
        "minimum_session_seconds": ("minimum_session_seconds", c.between(1, 900)),
    },
    (),
)


def _version(notes: c.Notes, path: Path, value: object) -> None:
    if value != 1:
        notes.add(path, "must be 1: this version of Rolecall reads version 1 of the format")


_WORLD = c.record(
    w.World,
    {
        "version": ("", _version),
        "organization": ("organization", _ORGANIZATION),
        "accounts": ("accounts", c.list_of(_ACCOUNT)),
        "settings": ("settings", _SETTINGS),
    },
    ("accounts",),
)


class InvalidWorldError(Exception):
    """A sandbox file that cannot be used. Carries every problem, in the order of the file."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("; ".join(f"line {problem.line}: {problem.message}" for problem in self.problems))


def read_world_file(path: str) -> w.World:
    """The world a file declares. Raises OSError, or InvalidWorldError with every problem in it."""
    return read_world(FilePath(path).read_text(encoding="utf-8"))


def read_world(text: str) -> w.World:
    """The world a text declares. Raises InvalidWorldError."""
    try:
        located = read_located(text)
    except UnreadableError as error:
        raise InvalidWorldError(error.problems) from error
    notes = c.Notes(located)
    if isinstance(located.value, dict) and "version" not in located.value:
        notes.add((), "lacks version: 1")
    world = _WORLD(notes, (), located.value)
    if world is not None and located.value.get("accounts") == []:
        notes.add(("accounts",), "must name at least one account")
    if world is not None and not notes.problems:
        for path, message in _dangling(world):
            notes.add(path, message)
    if world is None or notes.problems:
        raise InvalidWorldError(notes.problems)
    return world  # type: ignore[no-any-return]


def _dangling(world: w.World) -> Iterator[tuple[Path, str]]:
    """Everything that is named twice, or names something the file does not declare."""
    yield from _twice(("accounts",), (account.account_id for account in world.accounts), "id")
    ids = {account.account_id for account in world.accounts}
    known = set(managed_policies())
    for account in world.accounts:
        known.update(iam_arn(account.account_id, "policy", policy.path, policy.name) for policy in account.policies)
    keys: set[str] = set()
    for index, account in enumerate(world.accounts):
        path: Path = ("accounts", index)
        yield from _dangling_in_account(path, account, known)
        yield from _repeated_keys(path, account, keys)
        yield from _unknown_principals(path, account, world)
    if world.organization is not None:
        for index, policy in enumerate(world.organization.service_control_policies):
            for position, target in enumerate(policy.targets):
                if target not in ids:
                    where: Path = ("organization", "service_control_policies", index, "targets", position)
                    yield where, f"no account {target} is declared"


def _twice(path: Path, names: Iterable[str], member: str) -> Iterator[tuple[Path, str]]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name.lower() in seen:
            yield (*path, index, member), f"{name!r} is declared twice (names compare without case)"
        seen.add(name.lower())


def _dangling_in_account(path: Path, account: w.DeclaredAccount, known: set[str]) -> Iterator[tuple[Path, str]]:
    for noun in ("users", "groups", "policies", "roles"):
        yield from _twice((*path, noun), (entity.name for entity in getattr(account, noun)), "name")
    for noun in ("users", "groups", "roles"):
        for index, entity in enumerate(getattr(account, noun)):
            for position, arn in enumerate(entity.attached_policies):
                if (problem := _policy_problem(arn, account.account_id, known)) is not None:
                    yield (*path, noun, index, "attached_policies", position), problem
            boundary = getattr(entity, "permissions_boundary", None)
            if boundary and (problem := _policy_problem(boundary, account.account_id, known)) is not None:
                yield (*path, noun, index, "permissions_boundary"), problem
    group_names = {group.name.lower() for group in account.groups}
    for index, user in enumerate(account.users):
        for position, name in enumerate(user.groups):
            if name.lower() not in group_names:
                yield (*path, "users", index, "groups", position), f"no group {name!r} is declared in this account"
    for index, service in enumerate(account.service_linked_roles):
        if service not in service_linked_roles():
            yield (*path, "service_linked_roles", index), f"no service-linked role is known for {service!r}"
    for index, chime_account in enumerate(account.chime_accounts):
        emails = (user.email for user in chime_account.users)
        yield from _twice((*path, "chime_accounts", index, "users"), emails, "email")


def _policy_problem(arn: str, account_id: str, known: set[str]) -> str | None:
    if arn not in known:
        return f"there is no policy {arn}, neither of AWS nor in this file"
    owner = arn.split(":")[4]
    if owner not in ("aws", account_id):
        return f"{arn} belongs to another account and cannot be used here"
    policy = managed_policies().get(arn)
    if policy is not None and not policy.is_attachable:
        return f"{arn} belongs to a service-linked role and cannot be attached"
    return None


def _repeated_keys(path: Path, account: w.DeclaredAccount, keys: set[str]) -> Iterator[tuple[Path, str]]:
    sources: list[tuple[Path, tuple[w.DeclaredKey, ...]]] = [((*path, "root_access_keys"), account.root_access_keys)]
    sources += [((*path, "users", i, "access_keys"), user.access_keys) for i, user in enumerate(account.users)]
    for where, declared in sources:
        for index, key in enumerate(declared):
            if key.access_key_id in keys:
                yield (*where, index, "id"), f"access key id {key.access_key_id!r} is declared twice"
            keys.add(key.access_key_id)


def _unknown_principals(path: Path, account: w.DeclaredAccount, world: w.World) -> Iterator[tuple[Path, str]]:
    """Trusted users and roles of declared accounts must be declared; other accounts are outside the sandbox."""
    declared = {entry.account_id: entry for entry in world.accounts}
    for index, role in enumerate(account.roles):
        for principal in trusted_principals(parse_policy(role.trust_policy, PolicyKind.TRUST)):
            parsed = parse_arn(principal)
            if parsed is None or parsed.service != "iam" or parsed.account_id not in declared:
                continue
            owner = declared[parsed.account_id]
            known: dict[str, tuple[w.DeclaredUser | w.DeclaredRole, ...]] = {"user": owner.users, "role": owner.roles}
            entities = known.get(parsed.resource_type, ())
            arns = {iam_arn(owner.account_id, parsed.resource_type, entity.path, entity.name) for entity in entities}
            if parsed.resource != "root" and principal not in arns:
                yield (*path, "roles", index, "trust_policy"), f"trusts {principal}, which this file does not declare"
