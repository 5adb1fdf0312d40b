"""Who calls: the principal of the credentials, and the session of temporary ones."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from rolecall.arns import federated_user_arn

PrincipalType = Literal[
    "Account",
    "User",
    "AssumedRole",
    "FederatedUser",
    "Service",
    "WebIdentityUser",
    "SAMLUser",
    "IdentityCenterUser",
    "Anonymous",
]
# Named after the operation that issues the session.
SessionType = Literal[
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "CreateOAuth2Token",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
]
ROLE_SESSIONS: frozenset[SessionType] = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})


class Principal(Struct, frozen=True):
    """A caller as policies and GetCallerIdentity see it (IAM User Guide, "IAM identifiers").

    ``arn`` is GetCallerIdentity's answer. ``principal_arn`` is aws:PrincipalArn; for a role session it is the role's
    ARN with its path. ``user_id`` is aws:userid. ``entity_id`` is the unique id of the IAM user or role behind the call
    (``AIDA…``, ``AROA…``), or the account id for root. ``name`` is the name of the user, role or federated user. A
    principal from an identity provider has no ARN: ``arn`` is its user id, and ``entity_id`` is the provider.
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
        """The form in which tokens store it: ``Principal(*parts)`` gives the same principal again."""
        return [
            self.type,
            self.account_id,
            self.arn,
            self.principal_arn,
            self.user_id,
            self.entity_id,
            self.name,
        ]


def federated_principal(owner: Principal, name: str) -> Principal:
    """The federated user of that name, whom a user or root user vouches for (IAM User Guide, "IAM identifiers")."""
    arn = federated_user_arn(owner.account_id, name)
    return Principal("FederatedUser", owner.account_id, arn, arn, f"{owner.account_id}:{name}", owner.entity_id, name)


class SessionContents(Struct, frozen=True, kw_only=True):
    """What a session is requested with and then carries.

    ``context`` holds the condition keys that a federated session keeps, in lower case, such as
    ``token.actions.githubusercontent.com:sub`` or ``saml:sub``. ``chained`` says that the role was assumed with
    temporary credentials. ``everywhere`` is False for a version 1 token of STS's global endpoint, which works only in
    the Regions that every account has.
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
    # For a delegated session: the limits of the approver's own session, which apply in addition to ``policies``.
    approver_policies: tuple[str, ...] = ()
    approver_policy_arns: tuple[str, ...] = ()
    approver_scope_down_policies: tuple[str, ...] = ()
    # Whether the credentials come from GetScopedCredentials, and its policies, the first call's first.
    scoped: bool = False
    scope_down_policies: tuple[str, ...] = ()


class Session(SessionContents, frozen=True, kw_only=True):
    """What temporary credentials carry besides their principal. Times are seconds since the epoch."""

    access_key_id: str
    issued_at_seconds: int
    expires_at_seconds: int
    # ARNs of the callers that obtained it, in order. Each called STS with the credentials of the previous one.
    chain: tuple[str, ...] = ()


class TokenSource(Struct, frozen=True):
    """The principal of another partition that requested a web identity token from AWS, and the Region where it did."""

    principal_arn: str
    region: str


class Caller(Struct, frozen=True):
    """A principal, its access key, and its session (None for long-term keys).

    ``token_source`` is set for a caller whose proof is a token that AWS issued in another partition.
    """

    principal: Principal
    access_key_id: str
    session: Session | None = None
    token_source: TokenSource | None = None
