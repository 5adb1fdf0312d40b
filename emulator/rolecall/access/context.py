"""The request context: condition keys of one call (IAM User Guide, "AWS global condition context keys").

Keys are in lower case, because their names compare without case. Values keep their case. Keys that depend on the caller
alone are worked out once per identity. Keys that depend on the moment are worked out when a policy reads one of them,
and are then kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rolecall.access.permission import ContextValue
from rolecall.access.policies import Authority
from rolecall.clock import iso8601
from rolecall.http import HttpRequest
from rolecall.principals import Caller

# AWS documents only some of the values of aws:PrincipalType.
PRINCIPAL_TYPES = {
    "Account": "Account",
    "User": "User",
    "AssumedRole": "AssumedRole",
    "FederatedUser": "FederatedUser",
    "Service": "Service",
    "WebIdentityUser": "Anonymous",
    "SAMLUser": "Anonymous",
    "IdentityCenterUser": "Anonymous",
    "Anonymous": "Anonymous",
}


def identity_keys(caller: Caller, authority: Authority) -> dict[str, ContextValue]:
    """The keys that stay the same for every call with these credentials."""
    principal, session = caller.principal, caller.session
    keys: dict[str, ContextValue] = {
        "aws:principalarn": principal.principal_arn,
        "aws:principalaccount": principal.account_id,
        "aws:principaltype": PRINCIPAL_TYPES[principal.type],
        "aws:userid": principal.user_id,
        "aws:principalisawsservice": "false",
        "aws:viaawsservice": "false",
    }
    if principal.type == "User":
        keys["aws:username"] = principal.name
    if session is not None and session.transitive_tag_keys:
        keys["sts:transitivetagkeys"] = session.transitive_tag_keys
    # A call is about a resource of the caller's own account, except when it assumes a role of another account.
    keys.update(owner_keys(principal.account_id, authority.organization_id, authority.organization_path))
    if authority.organization_id:
        keys["aws:principalorgid"] = authority.organization_id
        keys["aws:principalorgpaths"] = (authority.organization_path,)
    if authority.entity is not None:
        for name, value in authority.entity.tags:
            keys[f"aws:principaltag/{name.lower()}"] = value
    if session is not None:
        # A session tag replaces a tag of the user or role with the same key.
        for name, value in session.tags:
            keys[f"aws:principaltag/{name.lower()}"] = value
        keys["aws:tokenissuetime"] = iso8601(session.issued_at_seconds)
        mfa_present = session.mfa_authenticated_at_seconds is not None
        keys["aws:multifactorauthpresent"] = "true" if mfa_present else "false"
        if session.type == "AssumeRoot":
            keys["aws:assumedroot"] = "true"
        if session.source_identity:
            keys["aws:sourceidentity"] = session.source_identity
        if session.federated_provider:
            keys["aws:federatedprovider"] = session.federated_provider
        keys.update(session.context)
    return keys


def owner_keys(account_id: str, organization_id: str, organization_path: str) -> dict[str, ContextValue]:
    """The keys about the account that a resource belongs to, and its organization."""
    keys: dict[str, ContextValue] = {"aws:resourceaccount": account_id}
    if organization_id:
        keys["aws:resourceorgid"] = organization_id
        keys["aws:resourceorgpaths"] = (organization_path,)
    return keys


# A permission about a resource of another account has all of them, or none for an account without an organization.
_OWNER_KEYS = frozenset({"aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths"})
# The keys of a caller whose proof of identity is a parameter of its call. Such a caller has no policies of its own.
UNSIGNED_KEYS: Mapping[str, ContextValue] = MappingProxyType(
    {
        "aws:principalaccount": "anonymous",
        "aws:principaltype": PRINCIPAL_TYPES["Anonymous"],
        "aws:userid": "anonymous",
        "aws:viaawsservice": "false",
    }
)


class RequestContext(Mapping[str, ContextValue]):
    """All condition keys of one call: the permission's, then the identity's, then the moment's."""

    __slots__ = ("_extra", "_identity", "_moment")

    def __init__(self, extra: Mapping[str, ContextValue], identity: Mapping[str, ContextValue], moment: Moment) -> None:
        self._extra = extra
        self._identity = identity
        self._moment = moment

    def get(self, key: str, default: ContextValue | None = None) -> ContextValue | None:  # type: ignore[override]
        value = self._extra.get(key)
        if value is None:
            value = self._identity.get(key)
            if value is None:
                value = self._moment.get(key)
            elif key in _OWNER_KEYS and self._names_owner():
                # The caller's own organization is not the organization of somebody else's resource.
                value = None
        return default if value is None else value

    def _names_owner(self) -> bool:
        return "aws:resourceaccount" in self._extra

    def _all(self) -> dict[str, ContextValue]:
        identity = self._identity
        if self._names_owner():
            identity = {key: value for key, value in identity.items() if key not in _OWNER_KEYS}
        return {**self._moment.all(), **identity, **self._extra}

    def __getitem__(self, key: str) -> ContextValue:
        value = self.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key) is not None

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


class Moment:
    """The keys that depend on the request and on the time it was made."""

    __slots__ = (
        "_address",
        "_known",
        "_mfa_at_seconds",
        "_now_seconds",
        "_referer",
        "_region",
        "_scheme",
        "_user_agent",
    )

    def __init__(
        self, request: HttpRequest, now_seconds: float, region: str, mfa_authenticated_at_seconds: int | None
    ) -> None:
        # A decision may be kept for its explanation. So the request, with body and token, must not be kept here.
        headers = request.headers
        self._user_agent = headers.get("user-agent")
        self._referer = headers.get("referer")
        self._scheme = request.scheme
        self._address = request.remote_address
        self._now_seconds = now_seconds
        self._region = region
        self._mfa_at_seconds = mfa_authenticated_at_seconds
        self._known: dict[str, str] | None = None

    @property
    def was_read(self) -> bool:
        """Whether a policy has read a key that neither the permission nor the caller's identity has."""
        return self._known is not None

    def get(self, key: str) -> str | None:
        return self.all().get(key)

    def all(self) -> dict[str, str]:
        if self._known is None:
            self._known = self._computed()
        return self._known

    def _computed(self) -> dict[str, str]:
        keys = {
            "aws:currenttime": iso8601(self._now_seconds),
            "aws:epochtime": str(int(self._now_seconds)),
            "aws:securetransport": "true" if self._scheme == "https" else "false",
            "aws:sourceip": self._address,
            "aws:requestedregion": self._region,
        }
        if self._user_agent is not None:
            keys["aws:useragent"] = self._user_agent
        if self._referer is not None:
            keys["aws:referer"] = self._referer
        if self._mfa_at_seconds is not None:
            keys["aws:multifactorauthage"] = str(max(0, int(self._now_seconds) - self._mfa_at_seconds))
        return keys
