"""Chains of narrowings on random policies: each can only take away, in the engine and in the oracle alike."""

from __future__ import annotations

import json
from typing import Any

import policy_worlds
import test_policy_oracle
from amounts import usual
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rolecall.access.check import _with_resource_policy
from rolecall.policy import (
    CompiledPolicies,
    Layers,
    NamedPolicy,
    PolicyKind,
    compile_policies,
    decide,
    denial_message,
    explain,
    kept_policy,
)

# Callers with a session that can be narrowed, and their own names in policies of resources.
SESSIONS = ["user_session", "role_session", "federated", "root", "other_session"]
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
KIND = PolicyKind.SCOPE_DOWN
DENY = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
NOTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}]}


class Chains(test_policy_oracle.Draw):
    def named(self, principal: str) -> dict[str, Any]:
        """A resource's policy that grants everything to the session by name."""
        statement = {"Effect": "Allow", "Principal": {"AWS": policy_worlds.PRINCIPALS[principal].arn}, "Action": "*"}
        return {"Version": "2012-10-17", "Statement": [{**statement, "Resource": "*"}]}

    def chain(self) -> tuple[dict[str, Any], list[list[Any]]]:
        """A question in a world without scope-down policies, and the policies of three calls."""
        case = self.case()
        case["principal"], case["federated_provider"] = self.choice(SESSIONS), ""
        policies = {name: documents for name, documents in case["policies"].items() if name != "scope_down"}
        if "trust" not in policies and self.once_in(2):
            policies["resource"] = [*policies.get("resource", []), self.named(case["principal"])]
        layers = [[self.choice([ALLOW, ALLOW, ALLOW, *self.documents("session")])] for _ in range(3)]
        return {**case, "policies": policies, "session_policy_required": self.once_in(4)}, layers


@settings(max_examples=usual(60, most=20_000), deadline=None)
@given(seed=st.integers(0, 2**64))
def test_a_chain_of_narrowings_never_gains_a_permission(seed: int) -> None:
    draw = Chains(f"chain {seed}")
    for _ in range(5):
        case, layers = draw.chain()
        before = True
        for count in range(4):
            narrowed = {**case, "policies": {**case["policies"], "scope_down": layers[:count]}}
            decision = decide(policy_worlds.layers(narrowed), policy_worlds.question(narrowed))
            test_policy_oracle.compare(decision, narrowed)
            assert before or not decision.allowed, explain(decision).as_text()
            # Exactly the intersection: what was allowed stays so if and only if the new layer allows it.
            if count and before:
                alone = {**case, "policies": {"identity": layers[count - 1]}, "principal": "user"}
                alone = {**alone, "resource_account_id": policy_worlds.ACCOUNT, "session_policy_required": False}
                assert decision.allowed == decide(policy_worlds.layers(alone), policy_worlds.question(alone)).allowed
            before = decision.allowed


def test_the_random_chains_try_what_they_are_for() -> None:
    draw = Chains(20261129)
    kept = taken_from_the_named = 0
    for _ in range(600):
        case, layers = draw.chain()
        whole = decide(policy_worlds.layers(case), policy_worlds.question(case))
        narrowed = {**case, "policies": {**case["policies"], "scope_down": layers}}
        decision = decide(policy_worlds.layers(narrowed), policy_worlds.question(narrowed))
        kept += decision.allowed
        by_resource = whole.allowed and whole.layer in (PolicyKind.RESOURCE, PolicyKind.TRUST)
        taken_from_the_named += by_resource and decision.layer is PolicyKind.SCOPE_DOWN
    assert min(kept, taken_from_the_named) > 20


def test_a_refusal_names_the_first_layer_that_refuses() -> None:
    def layer(document: Any, name: str) -> CompiledPolicies:
        return compile_policies([NamedPolicy(kept_policy(json.dumps(document), PolicyKind.SESSION), name)], KIND)

    case = {"principal": "role_session", "action": "s3:GetObject", "resource": "*", "policies": {}}
    for effects, outcome, name in (
        ([NOTHING, ALLOW, NOTHING], "ImplicitDeny", "one"),
        ([ALLOW, NOTHING, ALLOW], "ImplicitDeny", "two"),
        ([ALLOW, ALLOW, NOTHING], "ImplicitDeny", "three"),
        ([NOTHING, DENY, ALLOW], "ExplicitDeny", "two"),
    ):
        scope_down = tuple(map(layer, effects, ("one", "two", "three")))
        layers = Layers(policy_worlds.compiled([ALLOW], PolicyKind.IDENTITY), scope_down=scope_down)
        decision = decide(layers, policy_worlds.question(case))
        assert (decision.outcome, decision.layer, decision.layer_name) == (outcome, KIND, name)
        explanation = explain(decision)
        assert explanation.layer_name == name
        nearest = explanation.nearest
        assert (nearest and nearest.policy_name) == (name if outcome == "ImplicitDeny" else None)
        assert f"{outcome} ({name})" in explain(decision).as_text()
        words = "no session policy allows" if outcome == "ImplicitDeny" else "an explicit deny in a session policy"
        assert words in denial_message(decision)


def test_a_resource_policy_leaves_every_layer_of_the_caller_in_place() -> None:
    """The engine's layers are copied by hand for a call about a resource. A forgotten one would limit nothing."""
    layer = policy_worlds.compiled([ALLOW], PolicyKind.SESSION)
    several = ("scps", "rcps", "delegation", "scope_down")
    full = {name: (layer,) if name in several else layer for name in Layers.__struct_fields__}
    layers = Layers(**{**full, "session_policy_required": True})
    resource = policy_worlds.compiled([], PolicyKind.RESOURCE)
    assert _with_resource_policy(layers, resource, layers.rcps) == replace(layers, resource=resource)
