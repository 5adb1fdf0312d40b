"""A service of AWS assumes a role for its instance, task or pod, if the role's trust policy allows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from rolecall.access.check import Rights, check
from rolecall.access.context import Moment, owner_keys
from rolecall.access.permission import ContextValue, Permission
from rolecall.access.policies import Membership, PolicyStore, Trust
from rolecall.arns import parse_arn
from rolecall.delivery.asked import Asked, Issued
from rolecall.delivery.role_sessions import role_session
from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.ids import Identifiers
from rolecall.policy import Decision, Layers, PolicyKind, compile_policies
from rolecall.principals import Caller, Principal
from rolecall.sessions.credentials import TemporaryCredentials, open_session
from rolecall.sessions.flaws import FLAWLESS, Flaw
from rolecall.sessions.keys import KeyRing

# "EC2 instances continue to use role credentials for up to six hours". The agents of ECS and EKS have them as long.
SESSION_SECONDS = 21_600
# EC2 makes new ones about every hour: AWS promises only that they are there five minutes before the old ones expire.
RENEWED_AFTER = 1 / 6
# A role that does not exist trusts no principal.
_TRUSTS_NOBODY = compile_policies([], PolicyKind.TRUST)
_DENIED = "AccessDenied"


class Wanted(Struct, frozen=True, kw_only=True):
    """The session that a service wants of a role. The meanings are those of AssumeRole's parameters.

    ``source_arn`` is what the service acts for, as the key aws:SourceArn of the trust policy has it. ``context`` are
    the condition keys that the session keeps, in lower case. With ``tags_of_principal`` the trust policy finds the tags
    as aws:PrincipalTag too. ``policies`` are inline session policies, ``policy_arns`` managed ones.
    """

    service: str
    role_arn: str
    session_name: str
    region: str
    duration_seconds: int = SESSION_SECONDS
    source_arn: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    transitive: bool = False
    context: tuple[tuple[str, str], ...] = field(default=())
    tags_of_principal: bool = False
    source_identity: str = ""
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()


class Means(Struct, frozen=True):
    """What a session is made with."""

    db: Any
    policies: PolicyStore
    keys: KeyRing
    ids: Identifiers
    now_seconds: float
    flaw: Flaw = FLAWLESS


def service_caller(service: str, account_id: str = "") -> Caller:
    """A service of AWS as a caller, which has no policies of its own."""
    return Caller(Principal("Service", account_id, service, "", service, "", service), "")


def assume(means: Means, wanted: Wanted) -> tuple[TemporaryCredentials, Caller, Sequence[Decision]]:
    """New credentials of the role, their session, and the decisions. Raises RefusedError.

    SCPs do not limit a service. The resource control policies of the role's account do.
    """
    trust = means.policies.trust(means.db, wanted.role_arn)
    decisions = _decided(means, wanted, trust)
    if trust is None:
        raise AwsError(_DENIED, "there is no such role")
    principal, credentials = role_session(
        means.keys,
        means.ids,
        means.flaw.issued_at_seconds(means.now_seconds, wanted.duration_seconds),
        trust.role.entity,
        wanted.session_name,
        wanted.duration_seconds,
        chain=(wanted.service,),
        tags=wanted.tags,
        transitive_tag_keys=tuple(key for key, _ in wanted.tags) if wanted.transitive else (),
        context=wanted.context,
        source_identity=wanted.source_identity,
        policies=wanted.policies,
        policy_arns=wanted.policy_arns,
    )
    opened = open_session(means.keys, credentials.access_key_id, credentials.session_token)
    return means.flaw.shown(credentials), Caller(principal, credentials.access_key_id, opened.session), decisions


def _decided(means: Means, wanted: Wanted, trust: Trust | None) -> Sequence[Decision]:
    account_id = _account_of(wanted.role_arn)
    membership = means.policies.membership(means.db, account_id) if trust is None else trust.membership
    context = _context(wanted, account_id, membership, trust)
    permissions = [
        Permission(
            action,
            wanted.role_arn,
            account_id,
            context,
            _TRUSTS_NOBODY if trust is None else trust.policy,
            rcps=membership.rcps,
        )
        for action in (
            "sts:AssumeRole",
            *(("sts:TagSession",) if wanted.tags else ()),
            *(("sts:SetSourceIdentity",) if wanted.source_identity else ()),
        )
    ]
    caller = service_caller(wanted.service)
    rights = Rights(caller, Layers(identity=None), _service_keys(wanted.service))
    # Services call each other over TLS. Their calls have no address that a policy could name.
    request = HttpRequest("POST", "/", "", {"user-agent": wanted.service}, b"", "https", wanted.service)
    moment = Moment(request, means.now_seconds, wanted.region, None)
    return check(rights, permissions, moment, _DENIED)


def _service_keys(service: str) -> dict[str, ContextValue]:
    """IAM User Guide, global condition keys: the properties of a service principal."""
    return {
        "aws:principalisawsservice": "true",
        "aws:principalservicename": service,
        "aws:principalservicenameslist": (service,),
        "aws:principaltype": "Service",
        "aws:viaawsservice": "false",
    }


def _context(
    wanted: Wanted, account_id: str, membership: Membership, trust: Trust | None
) -> Mapping[str, ContextValue]:
    keys: dict[str, ContextValue] = {
        "sts:rolesessionname": wanted.session_name,
        **owner_keys(account_id, membership.organization_id, membership.path),
    }
    if wanted.source_arn:
        keys["aws:sourcearn"] = wanted.source_arn
        keys["aws:sourceaccount"] = account_id
    for key, value in () if trust is None else trust.role.entity.tags:
        keys[f"aws:resourcetag/{key.lower()}"] = keys[f"iam:resourcetag/{key.lower()}"] = value
    if wanted.tags:
        keys["aws:tagkeys"] = tuple(key for key, _ in wanted.tags)
        keys.update({f"aws:requesttag/{key.lower()}": value for key, value in wanted.tags})
        if wanted.transitive:
            keys["sts:transitivetagkeys"] = keys["aws:tagkeys"]
        if wanted.tags_of_principal:
            keys.update({f"aws:principaltag/{key.lower()}": value for key, value in wanted.tags})
    if wanted.source_identity:
        keys["sts:sourceidentity"] = wanted.source_identity
    return keys


def _account_of(role_arn: str) -> str:
    parsed = parse_arn(role_arn)
    return "" if parsed is None else parsed.account_id


def current(asked: Asked, wanted: Wanted, variant: str = "") -> tuple[Issued, Sequence[Decision]]:
    """The credentials that the attachment hands out now, made anew when it is time. Raises RefusedError.

    ``variant`` tells credentials of one role apart. The decisions are empty unless the credentials are new.
    """
    means = Means(asked.db, asked.policies, asked.keys, asked.ids, asked.now_seconds)
    if asked.flaw.stale:
        # Made before their time: the trust policy decides as always, and they have expired by a minute.
        credentials, caller, decisions = assume(replace(means, flaw=asked.flaw), wanted)
        return Issued(credentials, asked.now_seconds, asked.now_seconds, caller), decisions
    # Everything but the session's name, which may be random. An attachment may be replaced by another one of its id.
    key = asked.attachment.attachment_id, replace(wanted, session_name=""), _role_id(asked, wanted), variant
    known = asked.cache.get(key)
    if known is not None and known.issued_at_seconds <= asked.now_seconds < known.renewed_at_seconds:
        return _shown(asked, known), ()
    credentials, caller, decisions = assume(means, wanted)
    renewed_at_seconds = asked.now_seconds + wanted.duration_seconds * RENEWED_AFTER
    issued = Issued(credentials, asked.now_seconds, renewed_at_seconds, caller)
    asked.cache.put(key, issued)
    return _shown(asked, issued), decisions


def _role_id(asked: Asked, wanted: Wanted) -> str:
    """A role that was made again has another id, and the credentials of the first one are not valid any more."""
    trust = asked.policies.trust(asked.db, wanted.role_arn)
    return "" if trust is None else trust.role.entity.entity_id


def _shown(asked: Asked, issued: Issued) -> Issued:
    return issued._replace(credentials=asked.flaw.shown(issued.credentials)) if asked.flaw.wrong else issued


def duration_of(asked: Asked) -> int:
    seconds: int = asked.attachment.facts.get("session_seconds") or SESSION_SECONDS
    return seconds


__all__ = ["SESSION_SECONDS", "Means", "Wanted", "assume", "current", "duration_of", "service_caller"]
