"""One identity: its rights, sessions, keys and devices, what it used, and what of its rights no call used."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

from flask import Request, Response
from msgspec import Struct, field
from sqlalchemy import Connection

from rolecall.arns import Arn, parse_arn
from rolecall.call_log.sessions import MAXIMUM_SESSIONS, OpenSession, sessions_of_role, sessions_of_user
from rolecall.call_log.written import WrittenCalls
from rolecall.clock import iso8601
from rolecall.expectations.asking import asking
from rolecall.expectations.effective import Effective, effective_actions, named_services
from rolecall.expectations.holders import BadQuestionError
from rolecall.expectations.principals import NoSuchNameError
from rolecall.identity_providers.mfa_codes import NoCodeError, unused_code, unused_pair
from rolecall.least_privilege import BadPrincipalError, NoGrantsError, Unused, observed, unused_grants
from rolecall.sandbox import Sandbox
from rolecall.storage.access_keys import AccessKeyRecord, access_keys_of
from rolecall.storage.decision_log import LogUnavailableError
from rolecall.storage.entity_policies import EntityKind, attached_arns, inline_names
from rolecall.storage.entity_tags import TaggedKind, tags_of
from rolecall.storage.groups import group_by_name, groups_of, members_of
from rolecall.storage.login_profiles import login_profile_of
from rolecall.storage.mfa_devices import devices_of
from rolecall.storage.oidc_providers import provider_by_arn as oidc_provider
from rolecall.storage.roles import role_by_name
from rolecall.storage.saml_providers import provider_by_arn as saml_provider
from rolecall.storage.users import user_by_name
from rolecall.web.console.identities import last_use_of_role
from rolecall.web.console.pages import ConsoleError, Page, Values, shown

NOBODY_MESSAGE = "The sandbox has no such user, group, role or identity provider."
TOO_MANY_MESSAGE = "ask about at most 20 patterns of actions at once"
_PATTERNS = 20
_ACTIONS_SHOWN = 300
_MEMBERS_SHOWN = 200


class Identity(Struct):
    """What a page shows of one identity. ``facts`` are a name and a text each."""

    arn: str
    kind: str
    name: str
    account_id: str
    facts: list[tuple[str, str]] = field(default_factory=list)
    tags: list[tuple[str, str]] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    inline: list[str] = field(default_factory=list)
    boundary: str = ""
    linked_service: str = ""
    trust_policy: str = ""
    related: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)
    keys: list[tuple[AccessKeyRecord, str]] = field(default_factory=list)
    devices: list[tuple[str, str]] = field(default_factory=list)

    @property
    def is_caller(self) -> bool:
        """Whether it is a principal of its own, with rights, sessions and calls."""
        return self.kind in ("user", "role")


def _page(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    identity = _identity(sandbox, request.args.get("arn", ""))
    patterns = request.args.get("action", "").replace(",", " ").split()
    found: list[Effective] = []
    total, problem = 0, ""
    if identity.is_caller:
        patterns, found, total, problem = _effective(sandbox, identity.arn, patterns)
    sessions, idle, notes = _traffic(sandbox, identity)
    return shown(
        "identity.html",
        identity=identity,
        pattern=" ".join(patterns),
        actions=found[:_ACTIONS_SHOWN],
        allowed=len(found),
        total=total,
        problem=problem,
        sessions=sessions,
        most_sessions=MAXIMUM_SESSIONS,
        idle=idle,
        notes=notes,
        iso8601=iso8601,
    )


def _identity(sandbox: Sandbox, written: str) -> Identity:
    arn = parse_arn(written)
    gather = None if arn is None or arn.service != "iam" else _GATHERERS.get(arn.resource_type)
    if arn is None or gather is None:
        raise ConsoleError(NOBODY_MESSAGE, 404)
    with sandbox.database.snapshot() as connection:
        found = gather(sandbox, connection, arn)
    # IAM finds names without their path and in any case. Here the whole ARN must be right.
    if found is None or found.arn != written:
        raise ConsoleError(NOBODY_MESSAGE, 404)
    return found


def _user(sandbox: Sandbox, connection: Connection, arn: Arn) -> Identity | None:
    user = user_by_name(connection, arn.account_id, arn.resource_name)
    if user is None:
        return None
    found = Identity(user.arn, "user", user.name, user.account_id, boundary=user.permissions_boundary_arn or "")
    found.facts = [("Unique id", user.user_id), ("Created", iso8601(user.created_at_seconds))]
    password = login_profile_of(connection, user.account_id, user.user_id)
    found.facts.append(("Password", "none" if password is None else f"since {iso8601(password.created_at_seconds)}"))
    _add_policies(connection, found, "user", user.user_id)
    found.related.append(("Groups", [(group.arn, group.name) for group in groups_of(connection, user.user_id)]))
    found.keys = [
        (key, _last_use_of_key(sandbox, key)) for key in access_keys_of(connection, user.account_id, user.user_id)
    ]
    found.devices = [
        (device.serial_number, "" if device.enabled_at_seconds is None else iso8601(device.enabled_at_seconds))
        for device in devices_of(connection, user.account_id, user.user_id)
    ]
    return found


def _group(_sandbox: Sandbox, connection: Connection, arn: Arn) -> Identity | None:
    group = group_by_name(connection, arn.account_id, arn.resource_name)
    if group is None:
        return None
    found = Identity(group.arn, "group", group.name, group.account_id)
    found.facts = [("Unique id", group.group_id), ("Created", iso8601(group.created_at_seconds))]
    _add_policies(connection, found, "group", group.group_id)
    members = members_of(connection, group.group_id, after_name_key="", limit=_MEMBERS_SHOWN)
    found.related.append(("Members", [(user.arn, user.name) for user in members]))
    return found


def _role(sandbox: Sandbox, connection: Connection, arn: Arn) -> Identity | None:
    role = role_by_name(connection, arn.account_id, arn.resource_name)
    if role is None:
        return None
    found = Identity(role.arn, "role", role.name, role.account_id, boundary=role.permissions_boundary_arn or "")
    found.linked_service, found.trust_policy = role.linked_service or "", role.trust_policy
    found.facts = [
        ("Unique id", role.role_id),
        ("Created", iso8601(role.created_at_seconds)),
        ("Description", role.description),
        ("Longest session", f"{role.max_session_duration_seconds} s"),
        ("Last used", last_use_of_role(sandbox, role) or "never"),
    ]
    _add_policies(connection, found, "role", role.role_id)
    return found


def _oidc(_sandbox: Sandbox, connection: Connection, arn: Arn) -> Identity | None:
    provider = oidc_provider(connection, str(arn))
    if provider is None:
        return None
    name = arn.resource.partition("/")[2]
    found = Identity(provider.arn, "OpenID Connect provider", name, provider.account_id)
    sources = {"discovery": "the issuer's own, fetched", "declared": "from the sandbox file", "own": "Rolecall's own"}
    found.facts = [
        ("Issuer", provider.url),
        ("Created", iso8601(provider.created_at_seconds)),
        ("Audiences", ", ".join(provider.client_ids) or "none"),
        ("Thumbprints", ", ".join(provider.thumbprints) or "none"),
        ("Keys", sources.get(provider.key_source, provider.key_source)),
    ]
    found.tags = _tags(connection, "oidc_provider", provider.arn)
    return found


def _saml(_sandbox: Sandbox, connection: Connection, arn: Arn) -> Identity | None:
    provider = saml_provider(connection, str(arn))
    if provider is None:
        return None
    found = Identity(provider.arn, "SAML provider", provider.name, provider.account_id)
    until = provider.valid_until_seconds
    found.facts = [
        ("Created", iso8601(provider.created_at_seconds)),
        ("Valid until", "no end" if until is None else iso8601(until)),
        ("Encrypted assertions", provider.assertion_encryption_mode or "not configured"),
    ]
    found.tags = _tags(connection, "saml_provider", provider.arn)
    return found


_GATHERERS: Mapping[str, Callable[[Sandbox, Connection, Arn], Identity | None]] = {
    "user": _user,
    "group": _group,
    "role": _role,
    "oidc-provider": _oidc,
    "saml-provider": _saml,
}


def _add_policies(connection: Connection, found: Identity, kind: EntityKind, entity_id: str) -> None:
    found.attached = attached_arns(connection, kind, entity_id)
    found.inline = inline_names(connection, kind, entity_id)
    if kind != "group":
        found.tags = _tags(connection, kind, entity_id)


def _tags(connection: Connection, kind: TaggedKind, owner_id: str) -> list[tuple[str, str]]:
    return list(tags_of(connection, kind, owner_id))


def _last_use_of_key(sandbox: Sandbox, key: AccessKeyRecord) -> str:
    pending = sandbox.last_uses.of_key(key.access_key_id)
    if pending is not None:
        return f"{iso8601(pending.at_seconds)}, {pending.service} in {pending.region}"
    if key.last_used_at_seconds is None:
        return "never"
    return f"{iso8601(key.last_used_at_seconds)}, {key.last_used_service} in {key.last_used_region}"


def _effective(sandbox: Sandbox, arn: str, patterns: list[str]) -> tuple[list[str], list[Effective], int, str]:
    """The patterns, the actions that a principal may call, the number of actions asked about, and a problem, if any.

    Without patterns: what the principal's own policies are about.
    """
    if len(patterns) > _PATTERNS:
        return patterns, [], 0, TOO_MANY_MESSAGE
    try:
        with asking(sandbox) as asker:
            who = asker.principals.single(arn)
            patterns = patterns or named_services(asker, who)
            found, total = effective_actions(asker, who, patterns)
    except (BadQuestionError, NoSuchNameError) as error:
        return patterns, [], 0, str(error)
    return patterns, found, total, ""


def _traffic(sandbox: Sandbox, identity: Identity) -> tuple[list[OpenSession], Unused | None, str]:
    """The open sessions, the grants that no call used, and why there are none to show."""
    if not identity.is_caller or sandbox.decisions is None:
        return [], None, "There is no decision log, so sessions and unused grants are not known."
    sessions: list[OpenSession] = []
    log = WrittenCalls(sandbox.decisions)
    try:
        sessions = _sessions(log, sandbox.clock.now_seconds(), identity)
        traffic = observed(log, identity.arn)
        with sandbox.database.snapshot() as connection:
            return sessions, unused_grants(connection, traffic), ""
    except LogUnavailableError as error:
        return sessions, None, str(error)
    except (BadPrincipalError, NoGrantsError) as error:
        return sessions, None, str(error)


def _sessions(log: WrittenCalls, now_seconds: float, identity: Identity) -> list[OpenSession]:
    if identity.kind == "user":
        return sessions_of_user(log, now_seconds, identity.arn)
    return sessions_of_role(log, now_seconds, identity.account_id, identity.name)


def _code(sandbox: Sandbox, _request: Request, values: Values) -> Response:
    """The codes that the device shows now. They are as good as a secret for a minute, so a form asks for them."""
    device = values["serial_number"]
    try:
        code = unused_code(sandbox.database, sandbox.clock, device)
        pair = unused_pair(sandbox.database, sandbox.clock, device)
    except NoCodeError as error:
        raise ConsoleError(f"{error}.", 409) from error
    return shown(
        "mfa_code.html", device=device, code=code, pair=pair, command=shlex.join(("rolecall", "mfa-code", device))
    )


PAGES = (Page("/identities/one", _page), Page("/mfa-codes/<path:serial_number>", None, act=_code))
