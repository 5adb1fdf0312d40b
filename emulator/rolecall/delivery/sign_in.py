"""A session of ``aws login``: its limits, and what its credentials carry.

Sources: AWS CLI User Guide, "Login for AWS local development using console credentials"; model of Sign-In; IAM API
reference, MaxSigninSessionDuration.
"""

from __future__ import annotations

from typing import Any

from rolecall.access.entity_principals import root_principal, user_principal
from rolecall.access.policies import PolicyStore
from rolecall.arns import parse_arn, root_arn
from rolecall.delivery.role_sessions import role_principal
from rolecall.principals import Principal, Session
from rolecall.sessions.credentials import OpenedSession, SessionRequest
from rolecall.storage.roles import SERVICE_LINKED_PATH
from rolecall.storage.signin_sessions import SignInSession, most_signin_seconds
from rolecall.storage.users import user_by_name

# "The CLI will automatically refresh these credentials for up to 12 hours." Each time they are good for 15 minutes.
SESSION_SECONDS = 43_200
CREDENTIALS_SECONDS = 900
SAME_DEVICE = "arn:aws:signin:::devtools/same-device"
CROSS_DEVICE = "arn:aws:signin:::devtools/cross-device"
# Service Authorization Reference, AWS Signin: the resources that stand for the two clients.
_RESOURCES = {SAME_DEVICE: "oauth2/public-client/localhost", CROSS_DEVICE: "oauth2/public-client/remote"}


def client_arn(client_id: str, region: str, account_id: str) -> str:
    """The resource on which a client is authorised. Raises KeyError for an unknown client."""
    return f"arn:aws:signin:{region}:{account_id}:{_RESOURCES[client_id]}"


def session_seconds(connection: Any, policies: PolicyStore, principal: Principal) -> int:
    """How long a sign-in of the principal lasts.

    Twelve hours, or less by the role's maximum session duration or by MaxSigninSessionDuration.
    """
    if principal.type != "AssumedRole":
        most_seconds = most_signin_seconds(connection, principal)
        return SESSION_SECONDS if most_seconds is None else min(SESSION_SECONDS, most_seconds)
    trust = policies.trust(connection, principal.principal_arn)
    if trust is None:
        return 0
    most_seconds = trust.role.max_signin_session_duration_seconds or SESSION_SECONDS
    return min(SESSION_SECONDS, trust.role.max_session_duration_seconds, most_seconds)


def may_sign_in(connection: Any, policies: PolicyStore, principal: Principal) -> bool:
    """Whether the principal still exists. Only its service can use a service-linked role."""
    if principal.type == "Account":
        return policies.root(connection, principal.account_id) is not None
    if principal.type == "User":
        return policies.user(connection, principal.entity_id) is not None
    role = policies.role(connection, principal.entity_id)
    return role is not None and role.entity is not None and not role.entity.path.startswith(SERVICE_LINKED_PATH)


def principal_of_arn(connection: Any, policies: PolicyStore, arn: str, session_name: str) -> Principal | None:
    """The user, the root user, or a role in a session of that name, by its ARN; None when it cannot sign in."""
    parsed = parse_arn(arn)
    if parsed is None:
        return None
    principal = None
    if arn == root_arn(parsed.account_id):
        principal = root_principal(parsed.account_id)
    elif parsed.resource_type == "user":
        user = user_by_name(connection, parsed.account_id, parsed.resource_name)
        authority = None if user is None else policies.user(connection, user.user_id)
        if authority is not None and authority.entity is not None and authority.entity.arn == arn:
            principal = user_principal(authority.entity)
    else:
        trust = policies.trust(connection, arn)
        principal = None if trust is None else role_principal(trust.role.entity, session_name)
    return principal if principal is not None and may_sign_in(connection, policies, principal) else None


def opened(principal: Principal, issued_at_seconds: int, session: SignInSession | None = None) -> OpenedSession:
    """The session as the policy engine sees it. Without a ``session`` the principal is still signing in."""
    session_name = principal.user_id.partition(":")[2] if principal.type == "AssumedRole" else ""
    contents = Session(
        type="CreateOAuth2Token",
        session_name=session_name,
        context=() if session is None else session_context(session),
        access_key_id="",
        issued_at_seconds=issued_at_seconds,
        expires_at_seconds=issued_at_seconds + CREDENTIALS_SECONDS,
    )
    return OpenedSession(principal, contents, "")


def session_context(session: SignInSession) -> tuple[tuple[str, str], ...]:
    """IAM User Guide, global condition keys: the session from which a request comes."""
    return (("aws:signinsessionarn", session.arn),)


def credentials_request(session: SignInSession, now_seconds: float) -> SessionRequest:
    """The credentials of a session that exists: they keep its time of issue, and end with it."""
    principal = session.principal
    return SessionRequest(
        type="CreateOAuth2Token",
        principal=principal,
        session_name=principal.user_id.partition(":")[2] if principal.type == "AssumedRole" else "",
        duration_seconds=min(CREDENTIALS_SECONDS, session.expires_at_seconds - int(now_seconds)),
        began_at_seconds=session.issued_at_seconds,
        context=session_context(session),
    )
