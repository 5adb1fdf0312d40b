"""Which layer may be silent, for which caller and by what rule: the table cases/who_may_skip.yaml, every layer tried.

The test removes the layers one by one, so a way around a layer that is not in the table fails here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import policy_worlds
import pytest
import test_policy_oracle
from yaml_tables import read_table

from rolecall.policy import Decision, decide, explain

TABLE = read_table((Path(__file__).parent / "cases" / "who_may_skip.yaml").read_text(encoding="utf-8"))
OWN = {
    "user": ["identity", "boundary"],
    "other_user": ["identity", "boundary"],
    "role_session": ["identity", "boundary", "session"],
    "other_session": ["identity", "boundary", "session"],
    "federated": ["identity", "boundary", "session"],
    "root": [],
    "other_root": [],
    "service": [],
}
# The policies of a delegation: the permission policy, and the approver's session policies.
DELEGATION = ["permission policy", "approver"]
SCOPE_DOWN = ["scope-down policy 1", "scope-down policy 2", "scope-down policy 3"]
ORGANIZATION = ["scp of the root", "scp of the account", "rcp of the root", "rcp of the account"]


def rows() -> Iterator[Any]:
    for group in TABLE:
        for row in group["cases"]:
            kind = "".join(f"{word} " for word in ("delegated", "scoped") if row.get(word))
            yield pytest.param(row, id=f"{kind}{row['caller']} by {row['policy']} of {row.get('names', 'nobody')}")


ROWS = list(rows())


def layers_of(row: dict[str, Any]) -> list[str]:
    own = OWN[row["caller"]]
    if row.get("delegated"):
        # The approver's session policies are among the delegation's.
        own = [*(layer for layer in own if layer != "session"), *DELEGATION]
    if row.get("scoped"):
        own = [*own, *SCOPE_DOWN]
    organization = [layer for layer in ORGANIZATION if row["caller"] != "service" or layer.startswith("rcp")]
    return [*own, *organization, row["policy"]]


def says(effect: str, action: str, principal: Any = None) -> list[dict[str, Any]]:
    statement: dict[str, Any] = {"Effect": effect, "Action": action}
    if principal is None:
        statement["Resource"] = "*"
    else:
        statement["Principal"] = principal
    return [{"Version": "2012-10-17", "Statement": [statement]}]


def case_of(row: dict[str, Any], silent: set[str], denying: str = "") -> dict[str, Any]:
    action = "sts:AssumeRole" if row["policy"] == "trust" else "s3:GetObject"
    names = row.get("names", "arn:aws:iam::111122223333:user/somebody-else")

    def layer(name: str, principal: Any = None) -> list[dict[str, Any]]:
        documents = says("Allow", "sts:TagSession" if name in silent else action, principal)
        everybody = None if principal is None else {"AWS": "*"}
        return documents + (says("Deny", action, everybody) if name == denying else [])

    policies: dict[str, Any] = {"identity": []}
    for name in layers_of(row):
        if name.startswith(("scp", "rcp")):
            policies.setdefault(f"{name[:3]}s", []).append(
                layer(name, {"AWS": "*"} if name.startswith("rcp") else None)
            )
        elif name in DELEGATION:
            policies.setdefault("delegation", []).append(layer(name))
        elif name in SCOPE_DOWN:
            policies.setdefault("scope_down", []).append(layer(name))
        elif name == row["policy"]:
            policies[name] = layer(name, names if isinstance(names, dict) else {"AWS": names})
        else:
            policies[name] = layer(name)
    return {
        "policies": policies,
        "principal": row["caller"],
        "action": action,
        "resource": "arn:aws:iam::111122223333:role/x",
        "resource_account_id": policy_worlds.ACCOUNT,
    }


def decided(case: dict[str, Any]) -> Decision:
    decision = decide(policy_worlds.layers(case), policy_worlds.question(case))
    assert test_policy_oracle.oracle_answer(case)[0] == decision.outcome
    return decision


@pytest.mark.parametrize("row", ROWS)
def test_no_layer_is_skipped_but_those_of_the_table(row: dict[str, Any]) -> None:
    assert decided(case_of(row, set())).allowed
    assert set(row["skips"]) <= set(layers_of(row))
    for layer in layers_of(row):
        decision = decided(case_of(row, {layer}))
        assert decision.allowed == (layer in row["skips"]), f"{layer}\n{explain(decision).as_text()}"
        assert decision.allowed or decision.outcome == "ImplicitDeny"


@pytest.mark.parametrize("row", ROWS)
def test_what_may_be_skipped_may_be_skipped_at_once(row: dict[str, Any]) -> None:
    assert decided(case_of(row, set(row["skips"]) - {row["policy"]})).allowed


@pytest.mark.parametrize("row", ROWS)
def test_an_explicit_deny_is_never_skipped(row: dict[str, Any]) -> None:
    for layer in layers_of(row):
        assert decided(case_of(row, set(), denying=layer)).outcome == "ExplicitDeny"
        assert decided(case_of(row, set(layers_of(row)), denying=layer)).outcome == "ExplicitDeny"


def test_a_federated_user_without_session_policy_has_what_names_it_and_no_more() -> None:
    for names, allowed in (
        ("arn:aws:sts::111122223333:federated-user/fred", True),
        ("*", True),
        ("AIDAUSERANAEXAMPLE123", False),
        ("111122223333", False),
        ("arn:aws:iam::111122223333:user/bob", False),
    ):
        case = case_of({"caller": "federated", "policy": "resource", "names": names}, set())
        del case["policies"]["session"]
        assert decided({**case, "session_policy_required": True}).allowed is allowed


def test_every_kind_of_caller_and_source_is_there() -> None:
    assert {row.values[0]["caller"] for row in ROWS} == set(OWN)
    assert all(group["source"] and group["url"].startswith("https://docs.aws.amazon.com/") for group in TABLE)
