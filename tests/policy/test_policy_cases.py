"""Every case under cases/: policies, a question, and the decision that follows from AWS's documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import policy_worlds
import pytest

from rolecall.policy import decide, denial_message, explain

CASES = Path(__file__).parent / "cases"
FOLDERS = ("conditions", "elements", "layers", "principals")
FILES = [CASES / "variables.json", *(path for folder in FOLDERS for path in sorted((CASES / folder).glob("*.json")))]


def _all() -> list[Any]:
    return [
        pytest.param(case, id=f"{path.relative_to(CASES).with_suffix('')}: {case['name']}")
        for path in FILES
        for case in json.loads(path.read_text(encoding="utf-8"))
    ]


ALL = _all()


@pytest.mark.parametrize("case", ALL)
def test_decision_is_what_the_documentation_says(case: dict[str, Any]) -> None:
    decision = decide(policy_worlds.layers(case), policy_worlds.question(case))
    expected = case["expected"]
    assert decision.outcome == expected["outcome"], explain(decision).as_text()
    assert (decision.layer and decision.layer.value) == expected["layer"], explain(decision).as_text()
    assert decision.allowed == (expected["outcome"] == "Allowed")
    if "message" in expected:
        assert denial_message(decision) == expected["message"]


@pytest.mark.parametrize("case", ALL)
def test_explanation_agrees_with_the_decision(case: dict[str, Any]) -> None:
    decision = decide(policy_worlds.layers(case), policy_worlds.question(case))
    explanation = json.loads(json.dumps(explain(decision).as_dict()))
    assert explanation["outcome"] == decision.outcome
    effects = {layer["layer"]: layer["effect"] for layer in explanation["layers"]}
    if decision.outcome == "ExplicitDeny":
        assert effects[decision.layer.value] == "ExplicitDeny"
    else:
        assert "ExplicitDeny" not in effects.values()
    if decision.statement is not None:
        matched = [(found.policy.name, found.statement.index) for found in decision.matched]
        assert (decision.statement.policy.name, decision.statement.statement.index) in matched


def test_there_are_enough_cases_and_each_names_its_source() -> None:
    cases = [parameters.values[0] for parameters in ALL]
    assert len(cases) >= 220
    assert all(case["source"]["title"] and case["source"]["url"].startswith("https://") for case in cases)
    assert len({parameters.id for parameters in ALL}) == len(cases)
