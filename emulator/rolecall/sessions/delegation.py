"""The values between a customer's approval and a partner's session: the recorded approver, and the exchange token.

The token names its request; everything else is in the database. The token is sealed again from stored values each time
it is needed, so no database holds a token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rolecall.principals import Caller, Principal
from rolecall.sessions.credentials import SessionRequest
from rolecall.sessions.keys import KeyRing
from rolecall.sessions.tokens import BadTokenError, open_token, seal

DELEGATION_PURPOSE = "delegation"


def exchange_token(keys: KeyRing, request_id: str, sent_at_seconds: int) -> str:
    """The token that was sent for a request at ``sent_at_seconds``."""
    return seal(keys.newest, DELEGATION_PURPOSE, {"r": request_id, "iat": sent_at_seconds})


def request_of_token(keys: KeyRing, token: str) -> tuple[str, int]:
    """The request's id and the time at which the token was sent. Raises BadTokenError. Does not check expiry or use."""
    _key, claims = open_token(keys, DELEGATION_PURPOSE, token)
    request_id, sent_at_seconds = claims.get("r"), claims.get("iat")
    if not isinstance(request_id, str) or not isinstance(sent_at_seconds, int):
        raise BadTokenError("sealed by an incompatible version")
    return request_id, sent_at_seconds


def approval_text(approver: Caller) -> str:
    """The approver and the approver's session as text for the database.

    API reference, AcceptDelegationRequest: "IAM records the details and the state of the identity that called this
    API".
    """
    principal, session = approver.principal, approver.session
    state: dict[str, Any] = {}
    if session is not None:
        state = {
            "session_name": session.session_name,
            "policies": session.policies,
            "policy_arns": session.policy_arns,
            "scope_down_policies": session.scope_down_policies,
            "tags": session.tags,
            "transitive_tag_keys": session.transitive_tag_keys,
            "source_identity": session.source_identity,
            "mfa_authenticated_at_seconds": session.mfa_authenticated_at_seconds,
            "federated_provider": session.federated_provider,
            "context": session.context,
        }
    return json.dumps({"principal": principal.parts, "session": state}, ensure_ascii=False)


def delegated_session(approval: str, permission_policy: str, duration_seconds: int) -> SessionRequest:
    """A session with the approver's rights, limited by a permission policy and by the approver's own session."""
    stored = json.loads(approval)
    state: Mapping[str, Any] = stored["session"]
    return SessionRequest(
        type="GetDelegatedAccessToken",
        principal=Principal(*stored["principal"]),
        duration_seconds=duration_seconds,
        session_name=state.get("session_name", ""),
        policies=(permission_policy,),
        tags=tuple((key, value) for key, value in state.get("tags", ())),
        transitive_tag_keys=tuple(state.get("transitive_tag_keys", ())),
        source_identity=state.get("source_identity", ""),
        mfa_authenticated_at_seconds=state.get("mfa_authenticated_at_seconds"),
        federated_provider=state.get("federated_provider", ""),
        context=tuple((key, value) for key, value in state.get("context", ())),
        approver_policies=tuple(state.get("policies", ())),
        approver_policy_arns=tuple(state.get("policy_arns", ())),
        approver_scope_down_policies=tuple(state.get("scope_down_policies", ())),
    )
