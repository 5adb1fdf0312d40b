"""Policy: takes policies and a question, gives a decision with its reasons.

The room is pure: no IO, no clock, no globals except caches.

Owned here: the grammar of policy documents, IAM's messages for malformed ones, compiling, evaluating, explaining, and
the wording of a refusal. Not here: which policies bear on a call and what the request context holds (access), whether
the principals of a trust policy exist (services), size quotas (services).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rolecall.policy.compiled import CompiledPolicies, CompiledStatement, compile_policies
from rolecall.policy.decision import (
    IMPLICIT_DENY_NAMES_FIRST,
    Decision,
    Layers,
    Outcome,
    Question,
    decide,
    matches,
    verdict,
)
from rolecall.policy.document import (
    Condition,
    MalformedPolicy,
    NamedPolicy,
    Policy,
    PolicyKind,
    Principals,
    Statement,
)
from rolecall.policy.grammar import document_size, kept_policy, parse_policy
from rolecall.policy.positions import Position, Span, statement_spans
from rolecall.policy.references import context_keys
from rolecall.policy.validity import trusted_principals
from rolecall.policy.wording import denial_message

if TYPE_CHECKING:
    from rolecall.policy.explanation import (
        ConditionExplanation,
        ElementExplanation,
        Explanation,
        LayerExplanation,
        StatementExplanation,
        explain,
        listed_values,
        policy_label,
    )

__all__ = [
    "IMPLICIT_DENY_NAMES_FIRST",
    "CompiledPolicies",
    "CompiledStatement",
    "Condition",
    "ConditionExplanation",
    "Decision",
    "ElementExplanation",
    "Explanation",
    "LayerExplanation",
    "Layers",
    "MalformedPolicy",
    "NamedPolicy",
    "Outcome",
    "Policy",
    "PolicyKind",
    "Position",
    "Principals",
    "Question",
    "Span",
    "Statement",
    "StatementExplanation",
    "compile_policies",
    "context_keys",
    "decide",
    "denial_message",
    "document_size",
    "explain",
    "kept_policy",
    "listed_values",
    "matches",
    "parse_policy",
    "policy_label",
    "statement_spans",
    "trusted_principals",
    "verdict",
]


def __getattr__(name: str) -> Any:
    """Explanations, loaded when one is asked for: no call needs one before it is answered."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module("rolecall.policy.explanation"), name)
