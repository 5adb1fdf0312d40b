"""From compiled layers and a question to a decision (IAM User Guide, Policy evaluation logic).

An explicit deny in any layer wins. Otherwise organization policies must allow. Then, within one account, a
resource-based policy may be enough by itself. When it is not, identity policies, permissions boundary and session
policies must all allow. Between accounts, and for a role's trust policy, the resource's side must allow as well. The
policies of a delegation must always allow, and so must every scope-down policy. The table
tests/policy/cases/who_may_skip.yaml says which caller may skip which layer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from rolecall.policy.compiled import CompiledPolicies, CompiledStatement, Selection
from rolecall.policy.document import PolicyKind
from rolecall.policy.patterns import Context
from rolecall.policy.principal_elements import Reach
from rolecall.principals import Principal, Session

Outcome = Literal["Allowed", "ExplicitDeny", "ImplicitDeny"]

IMPLICIT_DENY_NAMES_FIRST = (
    PolicyKind.RCP,
    PolicyKind.SCP,
    PolicyKind.IDENTITY,
    PolicyKind.BOUNDARY,
    PolicyKind.SESSION,
    PolicyKind.SCOPE_DOWN,
    PolicyKind.RESOURCE,
    PolicyKind.TRUST,
)
"""When several kinds of policy lack an allow, a refusal names the first of these. AWS does not document the order.

The caller's side stands before the resource's. So a caller that may assume no roles learns nothing about a role's trust
policy.
"""


class Question(Struct):
    """May ``principal`` do ``action`` on ``resource`` (``*`` when the action has none)?

    ``context`` maps condition keys in lower case to a value, or to a tuple for multivalued keys. The engine only calls
    its ``get``. ``federated_provider`` is set for unsigned web-identity and SAML calls, whose ``principal`` is None.
    An empty ``resource_account_id`` means the caller's own account. :func:`decide` sets ``principal_has_boundary``
    from the layers where it counts. A question does not change once it is asked.
    """

    action: str
    resource: str
    context: Context
    principal: Principal | None
    session: Session | None
    resource_account_id: str
    federated_provider: str = ""
    principal_has_boundary: bool = False


class Layers(Struct, frozen=True):
    """The policies that bear on a question; None or an empty tuple for a layer without policies.

    ``scps`` and ``rcps`` hold one entry per level of the organization, each of which must allow. ``resource`` is a
    resource-based policy, or a role's trust policy. ``delegation`` is for a delegated session: the permission policy
    that was approved, and the session policies of the approver. Each of them must always allow, while a resource-based
    policy may make ``session`` unnecessary. ``scope_down`` holds the scope-down policies of GetScopedCredentials, the
    first call's first. Each of them must always allow, too. ``session_policy_required`` is for a federated user's
    session without a policy: only a resource-based policy can allow it anything.
    """

    identity: CompiledPolicies | None
    boundary: CompiledPolicies | None = None
    session: CompiledPolicies | None = None
    session_policy_required: bool = False
    scps: tuple[CompiledPolicies, ...] = ()
    rcps: tuple[CompiledPolicies, ...] = ()
    resource: CompiledPolicies | None = None
    delegation: tuple[CompiledPolicies, ...] = ()
    scope_down: tuple[CompiledPolicies, ...] = ()


class Decision(Struct):
    """The answer, with all that explaining it later needs.

    ``layer`` is the kind of policy that decided: the layer of the deny, the layer that lacks an allow, or the layer
    whose allow counted. It is None for an account's root user, who needs no policy that allows. ``statement`` is the
    statement that decided, if there is one. A decision does not change once it is made.
    """

    allowed: bool
    outcome: Outcome
    layer: PolicyKind | None
    statement: CompiledStatement | None
    layers: Layers
    question: Question

    @property
    def layer_name(self) -> str:
        """The name of ``layer``; of several scope-down policies the one that decided: ``scope-down policy 2 of 3``."""
        if self.layer is None:
            return ""
        if self.layer is not PolicyKind.SCOPE_DOWN:
            return self.layer.value
        if self.statement is not None:
            return self.statement.policy.name
        scope_down = (each for each in all_layers(self.layers) if each.kind is PolicyKind.SCOPE_DOWN)
        return next(each.policies[0].name for each in scope_down if _allow(each, self.question) is None)

    @property
    def matched(self) -> tuple[CompiledStatement, ...]:
        """Every statement of every layer that matches the question, worked out on each access."""
        return tuple(
            statement
            for compiled in all_layers(self.layers)
            for statement in compiled.statements
            if matches(statement, self.question)
        )


def all_layers(layers: Layers) -> Iterator[CompiledPolicies]:
    """The layers in the order in which explicit denies are searched, as in AWS's flow chart."""
    yield from layers.rcps
    yield from layers.scps
    for compiled in (layers.resource, layers.identity, layers.boundary, *layers.delegation, layers.session):
        if compiled is not None:
            yield compiled
    yield from layers.scope_down


def decide(layers: Layers, question: Question) -> Decision:
    """The decision AWS would make."""
    action = question.action
    if layers.rcps or layers.scps or layers.resource is not None or layers.delegation or layers.scope_down:
        return _decide_all(layers, question)
    # The common case: only the caller's own policies, within its own account.
    for compiled in (layers.identity, layers.boundary, layers.session):
        if compiled is not None:
            denies = compiled.candidates(action).denies
            if denies is not None and (denied := first_match(denies, question)) is not None:
                return Decision(False, "ExplicitDeny", compiled.kind, denied, layers, question)
    return _decide_allows(layers, question, Reach.NONE, None, ())


def _decide_all(layers: Layers, question: Question) -> Decision:
    action = question.action
    if layers.boundary is not None and layers.resource is not None and not question.principal_has_boundary:
        question = _with_boundary(question)
    for compiled in all_layers(layers):
        denies = compiled.candidates(action).denies
        if denies is not None and (denied := first_match(denies, question)) is not None:
            return Decision(False, "ExplicitDeny", compiled.kind, denied, layers, question)
    lacking: tuple[PolicyKind, ...] = ()
    for level in (*layers.rcps, *layers.scps, *layers.delegation, *layers.scope_down):
        if _allow(level, question) is None:
            lacking += (level.kind,)
    reach, granted = Reach.NONE, None
    if layers.resource is not None:
        reach, granted = _strongest(layers.resource.candidates(action).allows, question)
    return _decide_allows(layers, question, reach, granted, lacking)


def _with_boundary(question: Question) -> Question:
    # Written out, because dataclasses.replace costs several times as much.
    return Question(
        question.action,
        question.resource,
        question.context,
        question.principal,
        question.session,
        question.resource_account_id,
        question.federated_provider,
        principal_has_boundary=True,
    )


def _decide_allows(
    layers: Layers,
    question: Question,
    reach: Reach,
    granted: CompiledStatement | None,
    lacking: tuple[PolicyKind, ...],
) -> Decision:
    """The decision when no statement denies; ``reach`` says what the resource's policy gives the caller.

    ``lacking`` are the kinds of policy already found to lack an allow. Every layer is tested, so that a refusal can
    name the first of all that lack one.
    """
    principal, resource = question.principal, layers.resource
    owner = question.resource_account_id
    same_account = not owner or (principal is not None and owner == principal.account_id)
    allowing, allowed_by = granted, None if resource is None else resource.kind
    if principal is None or principal.type == "Service" or principal.type == "Anonymous":
        # Such a caller has no policies of its own, so only the resource's policy can allow the call.
        if granted is None:
            lacking += (allowed_by or PolicyKind.RESOURCE,)
    elif not (reach is Reach.DIRECT and same_account):
        if not (reach is Reach.LIMITED and same_account):
            allowing, allowed_by = None, None
            if principal.type != "Account":
                allowed_by = PolicyKind.IDENTITY
                if layers.identity is not None:
                    allowing = _allow(layers.identity, question)
                if allowing is None:
                    lacking += (PolicyKind.IDENTITY,)
        if layers.boundary is not None and _allow(layers.boundary, question) is None:
            lacking += (PolicyKind.BOUNDARY,)
        if layers.session is None:
            if layers.session_policy_required:
                lacking += (PolicyKind.SESSION,)
        elif _allow(layers.session, question) is None:
            lacking += (PolicyKind.SESSION,)
        if reach is Reach.NONE:
            if resource is not None and resource.kind is PolicyKind.TRUST:
                lacking += (PolicyKind.TRUST,)
            elif not same_account:
                lacking += (PolicyKind.RESOURCE,)
    if lacking:
        named = lacking[0] if len(lacking) == 1 else min(lacking, key=IMPLICIT_DENY_NAMES_FIRST.index)
        return Decision(False, "ImplicitDeny", named, None, layers, question)
    return Decision(True, "Allowed", allowed_by, allowing, layers, question)


def _allow(compiled: CompiledPolicies, question: Question) -> CompiledStatement | None:
    allows = compiled.candidates(question.action).allows
    return None if allows is None else first_match(allows, question)


def first_match(selection: Selection, question: Question) -> CompiledStatement | None:
    """The first statement of a selection for the question's action that matches it."""
    statements, tables = selection
    context, resource = question.context, question.resource
    for compiled in statements:
        matches_resource = compiled[0]
        if matches_resource is not None and not matches_resource(resource, context):
            continue
        for condition in compiled[1]:
            if not condition(context):
                break
        else:
            reach = compiled[2]
            if reach is None or reach(question.principal, question.federated_provider, question.principal_has_boundary):
                return compiled
    for table in tables:
        possible = table.possible(context)
        if possible and (found := first_match((possible, ()), question)) is not None:
            return found
    return None


def verdict(compiled: CompiledPolicies, question: Question) -> Outcome:
    """What one layer says by itself."""
    denies = compiled.candidates(question.action).denies
    if denies is not None and first_match(denies, question) is not None:
        return "ExplicitDeny"
    return "ImplicitDeny" if _allow(compiled, question) is None else "Allowed"


def _strongest(selection: Selection | None, question: Question) -> tuple[Reach, CompiledStatement | None]:
    """How directly the resource's policy names the caller, and the statement that names it most directly."""
    strongest, chosen = Reach.NONE, None
    if selection is None:
        return strongest, chosen
    statements, tables = selection
    for table in tables:
        statements += table.possible(question.context)
    for compiled in statements:
        if compiled.reach is None:
            continue
        reach = compiled.reach(question.principal, question.federated_provider, question.principal_has_boundary)
        if reach > strongest and first_match(((compiled,), ()), question) is not None:
            strongest, chosen = reach, compiled
            if reach is Reach.DIRECT:
                break
    return strongest, chosen


def matches(compiled: CompiledStatement, question: Question) -> bool:
    """Whether a statement matches a question, its action included."""
    return compiled.matches_action(question.action.lower()) and first_match(((compiled,), ()), question) is not None
