"""Policies gathered and compiled, remembered for as long as nothing that bears on authorisation changes.

A :class:`PolicyStore` belongs to one generation of the database. The gateway makes a new store when the generation has
changed. Parsed documents outlive generations, because they depend on nothing but the document's text.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from rolecall.caches import KEPT_POLICY_CHARACTERS, BoundedCache
from rolecall.data import managed_policy, managed_policy_document
from rolecall.policy import (
    CompiledPolicies,
    MalformedPolicy,
    NamedPolicy,
    Policy,
    PolicyKind,
    compile_policies,
    kept_policy,
    parse_policy,
)
from rolecall.printable import printable
from rolecall.storage import gather
from rolecall.storage.gather import Document, Entity, TrustedRole

_PARSED_LIMIT = 4096
_GENERATION_LIMIT = 4096
# A page of a hundred roles takes a fifth of a megabyte.
_PAGES_LIMIT = 16
_LASTING_LIMIT = 64
# After changes to more users and roles than this, reading all at once costs less than reading those one by one.
_FEW_CHANGED = 40
_parsed: BoundedCache[tuple[PolicyKind, bool, str], Policy] = BoundedCache(_PARSED_LIMIT, KEPT_POLICY_CHARACTERS)
_kept: BoundedCache[tuple[PolicyKind, str], Policy] = BoundedCache(_PARSED_LIMIT, KEPT_POLICY_CHARACTERS)
log = logging.getLogger("rolecall.policy")

UNREADABLE_MESSAGE = (
    "a stored {kind} policy cannot be read any more and denies everything until it is replaced: {problem}"
)
SCOPE_DOWN_NAME = "scope-down policy {position} of {count}"
APPROVER_SCOPE_DOWN_NAME = f"{SCOPE_DOWN_NAME} of the approver"
# The text of FullAWSAccess. The root user of an account has the same rights.
EVERYTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
# The text of RCPFullAWSAccess.
EVERYTHING_OF_EVERYONE = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}'
)


def parsed_policy(text: str, kind: PolicyKind, *, is_inline: bool = False) -> Policy:
    """The policy that a text holds. The answer is shared, because policies never change. Raises MalformedPolicy."""
    policy = _parsed.get((kind, is_inline, text))
    if policy is None:
        policy = parse_policy(text, kind, is_inline=is_inline)
        _parsed.put((kind, is_inline, text), policy)
    return policy


def kept_document(text: str, kind: PolicyKind) -> Policy:
    """The policy of a text from the database or from a token. Such a text was checked before it was stored.

    Never raises, because a text that was saved under older rules stays in force. The answer is shared.
    """
    policy = _kept.get((kind, text))
    if policy is None:
        policy = kept_policy(text, kind)
        if policy.text != text:
            log.warning("%s", printable(UNREADABLE_MESSAGE.format(kind=kind.value, problem=_problem(text, kind))))
        _kept.put((kind, text), policy)
    return policy


def _problem(text: str, kind: PolicyKind) -> str:
    try:
        parse_policy(text, kind)
    except MalformedPolicy as error:
        return str(error)
    return ""


class Authority(Struct, frozen=True):
    """The rights of a user or a role: compiled layers, and the facts that become condition keys."""

    entity: Entity | None
    identity: CompiledPolicies | None
    boundary: CompiledPolicies | None
    scps: tuple[CompiledPolicies, ...]
    organization_id: str
    organization_path: str = ""


class Membership(Struct, frozen=True):
    """An account's organization, its place there, and the compiled control policies of every level above it.

    ``rcps`` is empty when there is no resource control policy except RCPFullAWSAccess, which changes nothing. In a
    ``closed`` account no principal can act any more.
    """

    organization_id: str = ""
    path: str = ""
    scps: tuple[CompiledPolicies, ...] = ()
    rcps: tuple[CompiledPolicies, ...] = ()
    closed: bool = False


class Trust(Struct, frozen=True):
    """A role, its compiled trust policy, and the organization of its account."""

    role: TrustedRole
    policy: CompiledPolicies
    membership: Membership


_NO_ORGANIZATION = Membership()


class _Last:
    """What was last made of a user, a role or an account, in whichever generation. It may not hold any more."""

    def __init__(self) -> None:
        self.authorities: BoundedCache[tuple[str, str], Authority] = BoundedCache(_GENERATION_LIMIT)
        self.trusts: BoundedCache[str, Trust] = BoundedCache(_GENERATION_LIMIT)
        self.organizations: BoundedCache[str, Membership] = BoundedCache(_GENERATION_LIMIT)


class PolicyStore:
    """The compiled policies of one generation, and answers that hold for it.

    ``resources`` and ``pages`` keep what services read from tables that bear on rights, and from no other table. A
    service takes them only while it reads a snapshot of this generation. What ``lasting`` keeps goes on to a later
    generation, so its owner compares the policies that it was made from: those that hold are the same objects.
    """

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self._authorities: BoundedCache[tuple[str, str], Authority | None] = BoundedCache(_GENERATION_LIMIT)
        self._trusts: BoundedCache[str, Trust | None] = BoundedCache(_GENERATION_LIMIT)
        self._organizations: BoundedCache[str, Membership] = BoundedCache(_GENERATION_LIMIT)
        self._absent_trusts: BoundedCache[str, bool] = BoundedCache(_GENERATION_LIMIT)
        self.resources: BoundedCache[tuple[object, ...], Any] = BoundedCache(_GENERATION_LIMIT)
        self.pages: BoundedCache[tuple[object, ...], Any] = BoundedCache(_PAGES_LIMIT)
        self.lasting: BoundedCache[tuple[object, ...], Any] = BoundedCache(_LASTING_LIMIT)
        self._last = _Last()
        # By what was read of all users and roles: how many have changed since.
        self._changed_since_read: dict[str, int] = {}

    def without(self, generation: int, changed: Collection[str]) -> PolicyStore:
        """The store of a later generation, which differs by changes to these users and roles and by no others.

        Their policies go. So do answers, and the names of roles that did not exist.
        """
        store = PolicyStore(generation)
        store._authorities = self._authorities.without(lambda key, _: key[1] in changed)
        store._trusts = self._trusts.without(lambda _, trust: trust is None or trust.role.entity.entity_id in changed)
        store._organizations = self._organizations.without(lambda _, __: False)
        store._last, store.lasting = self._last, self.lasting
        store._changed_since_read = {what: n + len(changed) for what, n in list(self._changed_since_read.items())}
        return store

    def after(self, generation: int) -> PolicyStore:
        """The store of a later generation in which anything may differ. Everything is read again.

        Policies that turn out to be the same are the same objects as here, so they are not compiled again.
        """
        store = PolicyStore(generation)
        store._last, store.lasting = self._last, self.lasting
        return store

    def user(self, connection: Connection, user_id: str) -> Authority | None:
        """A user's authority; None when the user is gone, or its account closed."""
        known = self._authorities.get(("user", user_id))
        if known is None:
            entity = gather.user(connection, user_id)
            if entity is None or self.membership(connection, entity.account_id).closed:
                return None
            known = self._gathered(connection, entity, gather.user_documents(connection, user_id))
            self._authorities.put(("user", user_id), known)
        return known

    def role(self, connection: Connection, role_id: str) -> Authority | None:
        """A role's authority; None when the role is gone, or its account closed."""
        known = self._authorities.get(("role", role_id))
        if known is None:
            entity = gather.role(connection, role_id)
            if entity is None or self.membership(connection, entity.account_id).closed:
                return None
            known = self._gathered(connection, entity, gather.role_documents(connection, role_id))
            self._authorities.put(("role", role_id), known)
        return known

    def root(self, connection: Connection, account_id: str) -> Authority | None:
        """The authority of an account's root user; None when there is no such account, or it is closed."""
        known = self._authorities.get(("root", account_id))
        if known is None:
            if not gather.account_exists(connection, account_id):
                return None
            member = self.membership(connection, account_id)
            if member.closed:
                return None
            known = Authority(None, None, None, member.scps, member.organization_id, member.path)
            self._authorities.put(("root", account_id), known)
        return known

    def trust(self, connection: Connection, role_arn: str) -> Trust | None:
        """The role that an ARN names, with its trust policy; None when there is no such role."""
        known = self._trusts.get(role_arn)
        if known is None:
            if self._absent_trusts.get(role_arn):
                return None
            role = gather.trusted_role(connection, role_arn)
            if role is None or self.membership(connection, role.entity.account_id).closed:
                self._absent_trusts.put(role_arn, True)
                return None
            known = self._trust(connection, role_arn, role)
        return known

    def read_trusts(self, connection: Connection) -> None:
        """Read what :meth:`trust` gives for all roles, in few statements: as many as this store remembers."""
        if self._is_read("trusts"):
            return
        for role_arn, role in gather.trusted_roles(connection, _GENERATION_LIMIT):
            membership = self.membership(connection, role.entity.account_id)
            if self._trusts.get(role_arn) is None and not membership.closed:
                self._trust(connection, role_arn, role)

    def read_authorities(self, connection: Connection) -> None:
        """Read what :meth:`user` and :meth:`role` give for everybody, in few statements."""
        if self._is_read("authorities"):
            return
        for entity, documents in gather.all_principals(connection, _GENERATION_LIMIT // 2):
            key = (entity.kind, entity.entity_id)
            if self._authorities.get(key) is None and not self.membership(connection, entity.account_id).closed:
                self._authorities.put(key, self._gathered(connection, entity, documents))

    def _is_read(self, what: str) -> bool:
        """Whether nearly all of it is remembered. If not, it counts as read from now on."""
        if self._changed_since_read.get(what, _FEW_CHANGED + 1) <= _FEW_CHANGED:
            return True
        self._changed_since_read[what] = 0
        return False

    def _trust(self, connection: Connection, role_arn: str, role: TrustedRole) -> Trust:
        membership = self.membership(connection, role.entity.account_id)
        known = self._last.trusts.get(role_arn)
        if known is None or known.role != role or known.membership is not membership:
            policy = NamedPolicy(kept_document(role.trust_policy, PolicyKind.TRUST), "trust policy")
            compiled = compile_policies([policy], PolicyKind.TRUST, principal_ids=role.trust_principal_ids)
            known = Trust(role, compiled, membership)
            self._last.trusts.put(role_arn, known)
        self._trusts.put(role_arn, known)
        return known

    def session(
        self, connection: Connection, inline: Sequence[str], policy_arns: Sequence[str]
    ) -> CompiledPolicies | None:
        """The union of a session's policies; None when it has no policies.

        A managed policy that was deleted since the session began grants nothing.
        """
        if not inline and not policy_arns:
            return None
        named = [NamedPolicy(kept_document(text, PolicyKind.SESSION), "session policy") for text in inline]
        for arn in policy_arns:
            text = self.managed_document(connection, arn)
            if text is not None:
                named.append(_managed(arn, text, PolicyKind.SESSION))
        return compile_policies(named, PolicyKind.SESSION)

    def scope_down(self, texts: Sequence[str], name_form: str = SCOPE_DOWN_NAME) -> tuple[CompiledPolicies, ...]:
        """The scope-down policies of a session, one layer each, named by their place among them."""
        layers = []
        for position, text in enumerate(texts, 1):
            # A scope-down policy is written as a session policy is.
            name = name_form.format(position=position, count=len(texts))
            named = NamedPolicy(kept_document(text, PolicyKind.SESSION), name)
            layers.append(compile_policies([named], PolicyKind.SCOPE_DOWN))
        return tuple(layers)

    def managed_document(self, connection: Connection, arn: str) -> str | None:
        """The default version of a managed policy, a customer's or AWS's; None when there is no such policy."""
        if managed_policy(arn) is not None:
            return managed_policy_document(arn)
        return gather.customer_policy_document(connection, arn)

    def _gathered(self, connection: Connection, entity: Entity, documents: Sequence[Document]) -> Authority:
        limits: list[NamedPolicy] | None = None
        if entity.permissions_boundary_arn is not None:
            text = self.managed_document(connection, entity.permissions_boundary_arn)
            # A boundary that was deleted allows nothing, which is the safe reading.
            limits = [] if text is None else [_managed(entity.permissions_boundary_arn, text, PolicyKind.BOUNDARY)]
        member, named = self.membership(connection, entity.account_id), list(_named(documents))
        known = self._last.authorities.get((entity.kind, entity.entity_id))
        if known is not None and _is_same(known, entity, named, limits, member):
            return known
        boundary = None if limits is None else compile_policies(limits, PolicyKind.BOUNDARY)
        identity = compile_policies(named, PolicyKind.IDENTITY)
        made = Authority(entity, identity, boundary, member.scps, member.organization_id, member.path)
        self._last.authorities.put((entity.kind, entity.entity_id), made)
        return made

    def membership(self, connection: Connection, account_id: str) -> Membership:
        """The organization that an account belongs to; an empty membership for an account without one."""
        known = self._organizations.get(account_id)
        if known is None:
            organization = gather.organization_of(connection, account_id)
            known = _NO_ORGANIZATION
            if organization is not None:
                scps = tuple(_level(documents, PolicyKind.SCP) for documents in organization.service_control)
                rcps: tuple[CompiledPolicies, ...] = ()
                if any(document.text is not None for level in organization.resource_control for document in level):
                    rcps = tuple(_level(documents, PolicyKind.RCP) for documents in organization.resource_control)
                known = Membership(organization.organization_id, organization.path, scps, rcps, organization.closed)
                before = self._last.organizations.get(account_id)
                if before is not None and _contents(before) == _contents(known):
                    known = before
                else:
                    self._last.organizations.put(account_id, known)
            self._organizations.put(account_id, known)
        return known


def _is_same(
    known: Authority,
    entity: Entity,
    identity: list[NamedPolicy],
    boundary: list[NamedPolicy] | None,
    member: Membership,
) -> bool:
    """Whether an authority was made from these values."""
    return (
        known.entity == entity
        and _policies(known.identity) == identity
        and _policies(known.boundary) == boundary
        and known.scps is member.scps
        and (known.organization_id, known.organization_path) == (member.organization_id, member.path)
    )


def _policies(layer: CompiledPolicies | None) -> list[NamedPolicy] | None:
    return None if layer is None else list(layer.policies)


def _contents(member: Membership) -> tuple[object, ...]:
    levels = ([_policies(level) for level in levels] for levels in (member.scps, member.rcps))
    return (member.organization_id, member.path, member.closed, *levels)


# Texts of the policies that AWS attaches itself. Storage does not hold them.
_FULL_ACCESS = {PolicyKind.SCP: EVERYTHING, PolicyKind.RCP: EVERYTHING_OF_EVERYONE}


def _level(documents: Sequence[Document], kind: PolicyKind) -> CompiledPolicies:
    named = []
    for document in documents:
        text = _FULL_ACCESS[kind] if document.text is None else document.text
        named.append(NamedPolicy(kept_document(text, kind), document.name, document.arn))
    return compile_policies(named, kind)


def _managed(arn: str, text: str, kind: PolicyKind) -> NamedPolicy:
    return NamedPolicy(kept_document(text, kind), arn.rpartition("/")[2], arn)


def _named(documents: Sequence[Document]) -> Iterator[NamedPolicy]:
    for document in documents:
        text = document.text
        if text is None:
            if managed_policy(document.arn) is None:
                # The policy of a service-linked role. AWS has not published its text, so it grants nothing here.
                continue
            text = managed_policy_document(document.arn)
        policy = kept_document(text, PolicyKind.IDENTITY)
        yield NamedPolicy(policy, document.name, document.arn, document.group)


__all__ = ["Authority", "MalformedPolicy", "Membership", "PolicyStore", "Trust", "kept_document", "parsed_policy"]
