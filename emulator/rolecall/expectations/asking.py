"""Asks what a real call would be answered, without making one.

A question about an ordinary action goes to the policy engine with the rights of the principal. Assuming a role goes
through the checks and the permissions of the operation AssumeRole itself, with the parameters that the condition keys
stand for: ``sts:ExternalId`` is ExternalId, ``aws:RequestTag/team`` is a session tag, and so on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Connection

from rolecall.access.check import RefusedError, Rights, ask, check
from rolecall.access.context import Moment
from rolecall.access.credential_rules import check_credential_kind, credential_kind
from rolecall.access.permission import ContextValue, Permission
from rolecall.access.policies import Authority, Trust
from rolecall.arns import parse_arn
from rolecall.data import Action, credential_kinds
from rolecall.errors import AwsError
from rolecall.expectations.context import (
    EXTERNAL_ID,
    MFA_AGE,
    MFA_PRESENT,
    REQUEST_TAG,
    REQUESTED_REGION,
    SESSION_NAME,
    SOURCE_IDENTITY,
    TAG_KEYS,
    TRANSITIVE_KEYS,
    Context,
)
from rolecall.expectations.principals import SESSION_NAME as DEFAULT_SESSION_NAME
from rolecall.expectations.principals import Made, Principals, Who, remembered
from rolecall.gateway.permission import check_kind
from rolecall.http import HttpRequest
from rolecall.policy import Decision
from rolecall.sandbox import Sandbox
from rolecall.service_records import DEFAULT_REGION, SERVICE_RECORDS, requested_region
from rolecall.services.catalogue import find
from rolecall.services.permissions import stored_keys
from rolecall.services.registry import Call, RegisteredOperation
from rolecall.storage.instance_profiles import list_profiles
from rolecall.storage.mfa_devices import list_devices
from rolecall.storage.oidc_providers import listed_providers
from rolecall.storage.policies import list_policies
from rolecall.storage.saml_providers import providers_of
from rolecall.storage.server_certificates import list_server_certificates
from rolecall.wire import Operation, check_constraints, load_service

ANY = "*"
ASSUME_ROLE = "sts:AssumeRole"
# Actions that are part of assuming a role, so a role's trust policy decides about them too.
_ASSUMING = frozenset({"sts:assumerole", "sts:tagsession", "sts:setsourceidentity", "sts:setcontext"})
_UNGOVERNED = frozenset({"yes", "proof", "none"})
_SIGNED = HttpRequest("POST", "/", "", {}, b"", scheme="https")
NO_PERMISSION_NEEDED = "the call needs no permission"
PROOF_NEEDED = "the call is not signed: its proof of identity is a token or an assertion"


class Answered(Struct, frozen=True):
    """The answer to a question. ``decision`` is None when no policy was asked; then ``reason`` says why not.

    ``is_known`` is False when the answer could not be worked out. No expectation holds on such an answer.
    """

    allowed: bool
    decision: Decision | None = None
    reason: str = ""
    resource: str = ANY
    is_known: bool = True


class Asker:
    """Questions to one generation of a sandbox."""

    def __init__(self, sandbox: Sandbox, connection: Connection) -> None:
        self._sandbox = sandbox
        self._connection = connection
        self._identities = sandbox.generations.current(connection)
        self._now_seconds = sandbox.clock.now_seconds()
        self.principals = Principals(connection, self._identities, self._now_seconds)
        self.rights: Callable[[Who], Rights] = self.principals.rights
        self._assume_role: tuple[Operation, RegisteredOperation] | None = None
        self._resources: dict[str, list[tuple[str, str]]] = {}
        self._stored: dict[tuple[str, str, str, str], Mapping[str, ContextValue]] = {}

    @property
    def generation(self) -> int:
        """The number of the generation. Another number means that a change bears on who may do what."""
        return self._identities.generation

    def with_rights(self, rights: Callable[[Who], Rights]) -> Asker:
        """The same asker about principals with other rights."""
        other = copy.copy(self)
        other.rights = rights
        return other

    def moment(self, rights: Rights, prefix: str, given: Context) -> Moment:
        """The keys of the moment for a call of a service."""
        session = rights.caller.session
        region = given.get(REQUESTED_REGION, DEFAULT_REGION)
        region = region if isinstance(region, str) else DEFAULT_REGION
        mfa_at_seconds = None if session is None else session.mfa_authenticated_at_seconds
        return Moment(_SIGNED, self._now_seconds, requested_region(prefix, region), mfa_at_seconds)

    def permission(self, who: Who, action: Action, resource: str, given: Context) -> Permission:
        """The permission of an action on a resource, with the keys of a resource that the sandbox stores."""
        parsed = parse_arn(resource)
        context = self._keys_of(who, action, resource) if parsed is not None else {}
        return Permission(
            f"{action.service_prefix}:{action.name}",
            resource,
            _owner(resource),
            {**context, **ordinary(who, given)},
        )

    def ask(self, who: Who, action: Action, resource: str, given: Context) -> Answered:
        """The answer for an action of a service on one resource, an ARN or ``*``."""
        fixed = self.without_policies(who, action)
        if fixed is not None:
            return fixed
        rights = self.rights(who)
        permission = self.permission(who, action, resource, given)
        decision = ask(rights, permission, self.moment(rights, action.service_prefix, given))
        return Answered(decision.allowed, decision, resource=resource)

    def decided(self, rights: Rights, permission: Permission, moment: Moment) -> bool:
        """Whether the policies allow a permission that need not be one of a real action."""
        return ask(rights, permission, moment).allowed

    def without_policies(self, who: Who, action: Action) -> Answered | None:
        """The answer when no policy can change it: the kind of credentials decides alone. None otherwise."""
        record = SERVICE_RECORDS.get(action.service_prefix)
        if record is None or not record.credential_rules or is_assuming(action):
            return None
        caller = self.rights(who).caller
        try:
            check_credential_kind(caller, record.credential_rules, action.name)
        except AwsError as error:
            return Answered(False, reason=error.message)
        row = credential_kinds().get(action.name, {}) if record.credential_rules == "sts" else {}
        cell = row.get(credential_kind(caller), "")
        if cell == "yes":
            return Answered(True, reason=NO_PERMISSION_NEEDED)
        return Answered(False, reason=PROOF_NEEDED) if cell in _UNGOVERNED else None

    def assume(self, who: Who, role_arn: str, given: Context, change: Change | None = None) -> Answered:
        """The answer to AssumeRole. ``change`` may change rights and permissions before they are decided."""
        operation, registered = self._operation()
        parameters, rest = _parameters(role_arn, given)
        rights = self.rights(who)
        call = self._call(rights, operation)
        if rights.caller.session is None and rest.get(MFA_PRESENT) == "true":
            age = str(rest.get(MFA_AGE, "0"))
            age_seconds = int(age) if age.isdecimal() else 0
            call = replace(call, mfa_at_seconds=int(self._now_seconds) - age_seconds)
        try:
            check_constraints(operation, parameters)
            check_kind(call, registered, parameters)
            extra = ordinary(who, {key: value for key, value in rest.items() if key not in (MFA_PRESENT, MFA_AGE)})
            permissions = [
                replace(each, context={**each.context, **extra})
                for each in registered.permissions(call, parameters)  # type: ignore[misc]  # it names its own
            ]
            if change is not None:
                rights, permissions = change(rights, permissions)
            decisions = check(rights, permissions, self.moment(rights, "sts", given), "AccessDenied")
        except RefusedError as refused:
            return Answered(False, refused.decision, resource=role_arn)
        except AwsError as error:
            return Answered(False, reason=error.message, resource=role_arn)
        return Answered(True, decisions[0], resource=role_arn)

    def stored_resources(self, account_id: str) -> list[tuple[str, str]]:
        """The resource type and ARN of everything in an account's IAM that can have tags or a boundary."""
        known = self._resources.get(account_id)
        if known is None:
            own = (each for each in self.principals.entities if each.account_id == account_id)
            known = [(each.kind, each.arn) for each in own]
            for resource_type, arns in _LISTED.items():
                known += [(resource_type, arn) for arn in arns(self._connection, account_id)]
            self._resources[account_id] = known
        return known

    def remembered(self, name: str, make: Callable[[], Made]) -> Made:
        """What ``make`` works out from this generation alone, and not from :attr:`rights`."""
        return remembered(self._identities.policies, name, make)

    def still(self, name: str, holds: Callable[[Made], bool], make: Callable[[], Made]) -> Made:
        """What ``make`` works out, once for as long as it ``holds`` in the generations to come.

        Policies that hold are the same objects as before. That is how ``holds`` tells.
        """

        def again() -> Made:
            lasting = self._identities.policies.lasting
            known: Made | None = lasting.get((name,))
            if known is None or not holds(known):
                known = make()
                lasting.put((name,), known)
            return known

        return self.remembered(name, again)

    def read_rights(self) -> None:
        """Read the policies of many users and roles at once."""
        self._identities.policies.read_authorities(self._connection)

    def read_trusts(self) -> None:
        """Read the trust policies of many roles at once, because somebody is about to ask for each."""
        self._identities.policies.read_trusts(self._connection)

    def authority(self, who: Who) -> Authority | None:
        """The policies of a user or a role, the same object for as long as nothing changes them."""
        policies, connection = self._identities.policies, self._connection
        of_kind = policies.role if who.kind == "role" else policies.user
        return of_kind(connection, who.unique_id)

    def trust(self, role_arn: str) -> Trust | None:
        """A role with its trust policy; None when there is no such role."""
        return self._identities.policies.trust(self._connection, role_arn)

    def _operation(self) -> tuple[Operation, RegisteredOperation]:
        if self._assume_role is None:
            registered = find("sts", "AssumeRole")
            operation = load_service("sts").operation("AssumeRole")
            self._assume_role = operation, registered  # type: ignore[assignment]  # Rolecall has AssumeRole
        return self._assume_role  # type: ignore[return-value]

    def _call(self, rights: Rights, model: Operation, name: str = "AssumeRole") -> Call:
        return Call(
            service="sts",
            operation=name,
            caller=rights.caller,
            account_id=rights.caller.principal.account_id,
            region=DEFAULT_REGION,
            now_seconds=self._now_seconds,
            request_id="",
            db=self._connection,
            keys=self._identities.keys,
            ids=self._sandbox.ids,
            settings=self._sandbox.settings,
            policies=self._identities.policies,
            model=model,
            sandbox=self._sandbox,
        )

    def _keys_of(self, who: Who, action: Action, resource: str) -> Mapping[str, ContextValue]:
        """The keys of a stored resource. They depend on the action only through the keys that it has."""
        prefix = action.service_prefix
        if prefix not in SERVICE_RECORDS:
            return {}
        find(prefix, action.name)
        key = (who.account_id, prefix, action.name, resource)
        known = self._stored.get(key)
        if known is None:
            call = self._call(self.rights(who), self._operation()[0], action.name)
            known = {}
            for resource_type in action.resource_types:
                known = {**known, **stored_keys(call, prefix, resource_type, resource)}
            self._stored[key] = known
        return known


_ALL = 10_000_000
# Every tagged resource type of IAM besides users and roles, and the ARNs of an account's.
_LISTED: Mapping[str, Callable[[Connection, str], Iterable[str]]] = {
    "policy": lambda db, account_id: [each.arn for each in list_policies(db, account_id)],
    "instance-profile": lambda db, account_id: [each.arn for each in list_profiles(db, account_id, limit=_ALL)],
    "server-certificate": lambda db, account_id: [
        each.arn for each in list_server_certificates(db, account_id, path_prefix="/", after_name_key="", limit=_ALL)
    ],
    "mfa": lambda db, account_id: [
        each.serial_number for each in list_devices(db, account_id, assigned=None, after_serial_number="", limit=_ALL)
    ],
    "oidc-provider": lambda db, account_id: [arn for arn, _ in listed_providers(db, account_id)],
    "saml-provider": lambda db, account_id: [each.arn for each in providers_of(db, account_id)],
}

Change = Callable[[Rights, list[Permission]], tuple[Rights, list[Permission]]]


@contextmanager
def asking(sandbox: Sandbox) -> Iterator[Asker]:
    """An asker over one snapshot of the sandbox's database."""
    with sandbox.database.snapshot() as connection:
        yield Asker(sandbox, connection)


def is_assuming(action: Action) -> bool:
    """Whether an action is part of assuming a role."""
    return f"{action.service_prefix}:{action.name}".lower() in _ASSUMING


def ordinary(who: Who, given: Context) -> Context:
    """The given keys that a call can add. A role's session has no MFA device, whatever is given."""
    left_out = {REQUESTED_REGION} if who.kind != "role" else {REQUESTED_REGION, MFA_PRESENT, MFA_AGE}
    return {key.lower(): value for key, value in given.items() if key not in left_out}


def _owner(resource: str) -> str:
    parsed = parse_arn(resource)
    return parsed.account_id if parsed is not None and parsed.account_id.isdecimal() else ""


def _parameters(role_arn: str, given: Context) -> tuple[dict[str, Any], dict[str, ContextValue]]:
    """The parameters of AssumeRole that condition keys stand for, and the keys that no parameter gives."""
    parameters: dict[str, Any] = {"RoleArn": role_arn, "RoleSessionName": DEFAULT_SESSION_NAME}
    rest: dict[str, ContextValue] = {}
    tags: list[dict[str, str]] = []
    names = {EXTERNAL_ID: "ExternalId", SESSION_NAME: "RoleSessionName", SOURCE_IDENTITY: "SourceIdentity"}
    for key, value in given.items():
        if key in names and isinstance(value, str):
            parameters[names[key]] = value
        elif key.startswith(REQUEST_TAG) and isinstance(value, str):
            tags.append({"Key": key.removeprefix(REQUEST_TAG), "Value": value})
        elif key == TRANSITIVE_KEYS:
            parameters["TransitiveTagKeys"] = [value] if isinstance(value, str) else list(value)
        elif key != TAG_KEYS:
            rest[key] = value
    if tags:
        parameters["Tags"] = tags
    return parameters, rest
