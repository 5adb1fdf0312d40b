"""Who is calling: the principal behind the credentials, and the session when they are temporary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PrincipalType = Literal[
    "Account", "User", "AssumedRole", "FederatedUser", "Service", "WebIdentityUser", "SAMLUser", "Anonymous"
]
# Named after the operation that issues the session.
SessionType = Literal[
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
]
ROLE_SESSIONS: frozenset[SessionType] = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller as policies and GetCallerIdentity see it (IAM User Guide, "IAM identifiers").

    ``arn`` is what GetCallerIdentity answers; ``principal_arn`` is aws:PrincipalArn (for a role session the role's ARN
    with its path). ``user_id`` is aws:userid. ``entity_id`` is the unique id of the IAM user or role behind the call
    (``AIDA…``, ``AROA…``) or the account id for root. ``name`` is the user, role or federated user name. Whom an
    identity provider vouches for has no ARN: there it is the user id, and ``entity_id`` is the provider.
    """

    type: PrincipalType
    account_id: str
    arn: str
    principal_arn: str
    user_id: str
    entity_id: str
    name: str

    @property
    def parts(self) -> list[str]:
        """What it is kept as in tokens: ``Principal(*parts)`` is the same again."""
        return [
            self.type,
            self.account_id,
            self.arn,
            self.principal_arn,
            self.user_id,
            self.entity_id,
            self.name,
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionContents:
    """What a session is asked for with, and carries then.

    ``context`` holds the condition keys that a session of a federated identity keeps, in lower case, such as
    ``token.actions.githubusercontent.com:sub`` or ``saml:sub``. ``chained`` says that the role was assumed with
    temporary credentials. ``everywhere`` is False for a version 1 token of STS's global endpoint, which is good in the
    Regions alone that every account has.
    """

    type: SessionType
    session_name: str = ""
    policies: tuple[str, ...] = ()
    policy_arns: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    transitive_tag_keys: tuple[str, ...] = ()
    source_identity: str = ""
    mfa_authenticated_at_seconds: int | None = None
    federated_provider: str = ""
    context: tuple[tuple[str, str | tuple[str, ...]], ...] = ()
    chained: bool = False
    everywhere: bool = True
    # Of a delegated session: what limited the approver's own session, and still does beside ``policies``.
    approver_policies: tuple[str, ...] = ()
    approver_policy_arns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session(SessionContents):
    """What temporary credentials carry besides their principal; times are seconds since the epoch."""

    access_key_id: str
    issued_at_seconds: int
    expires_at_seconds: int
    # ARNs of those who obtained it, the first one first: each called STS with the credentials of the one before.
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal, the access key it used, and its session (None for long-term keys)."""

    principal: Principal
    access_key_id: str
    session: Session | None = None
