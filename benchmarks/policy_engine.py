"""The cost of one decision of the policy engine, in microseconds, warm.

Run: python benchmarks/policy_engine.py [--rounds 5] [--decisions 20000]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

from rolecall.policy import (
    CompiledPolicies,
    Decision,
    Layers,
    NamedPolicy,
    PolicyKind,
    Question,
    compile_policies,
    decide,
    explain,
    parse_policy,
)
from rolecall.principals import Principal

ACCOUNT = "111122223333"
USER = Principal(
    type="User",
    account_id=ACCOUNT,
    arn=f"arn:aws:iam::{ACCOUNT}:user/ana",
    principal_arn=f"arn:aws:iam::{ACCOUNT}:user/ana",
    user_id="AIDAEXAMPLEEXAMPLE123",
    entity_id="AIDAEXAMPLEEXAMPLE123",
    name="ana",
)
CONTEXT = {
    "aws:username": "ana",
    "aws:sourceip": "203.0.113.7",
    "aws:securetransport": "true",
    "aws:currenttime": "2026-11-24T12:00:00Z",
    "aws:principaltag/team": "core",
}
ALLOW_ALL = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
CASE = tuple[str, Layers, Question, bool]


def compiled(documents: list[list[dict[str, object]]], kind: PolicyKind = PolicyKind.IDENTITY) -> CompiledPolicies:
    texts = [json.dumps({"Version": "2012-10-17", "Statement": statements}) for statements in documents]
    named = [NamedPolicy(parse_policy(text, kind), f"policy-{index}") for index, text in enumerate(texts)]
    return compile_policies(named, kind)


def question(action: str = "chime:GetUser", resource: str = "*") -> Question:
    return Question(action, resource, CONTEXT, USER, None, ACCOUNT)


def conditional(index: int, action: str, team: str) -> dict[str, object]:
    return {
        "Sid": f"S{index}",
        "Effect": "Allow",
        "Action": action,
        "Resource": "*",
        "Condition": {
            "StringEquals": {"aws:PrincipalTag/team": team},
            "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
        },
    }


def cases() -> list[CASE]:
    ten_by_ten = [
        [conditional(row, "chime:Get*", "core" if (policy, row) == (9, 9) else f"t{policy}-{row}") for row in range(10)]
        for policy in range(10)
    ]
    failing = [[conditional(index, "chime:GetUser", f"team-{index}") for index in range(100)]]
    other = [[conditional(index, f"s3:Get{index}", "core") for index in range(100)]]
    deny_other = [{"Effect": "Deny", "Action": "chime:Delete*", "Resource": "*"}]
    everything = compiled([ALLOW_ALL, deny_other], PolicyKind.SCP)
    trust = [{"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]
    stack = Layers(
        identity=compiled([ALLOW_ALL, deny_other]),
        boundary=compiled([ALLOW_ALL], PolicyKind.BOUNDARY),
        session=compiled([[conditional(0, "sts:*", "core")]], PolicyKind.SESSION),
        scps=(everything, everything, everything),
        resource=compiled([trust], PolicyKind.TRUST),
    )
    assume_role = question("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/reader")
    reading = [{"Effect": "Allow", "Action": ["chime:Get*", "chime:List*", "sts:*"], "Resource": "*"}]
    narrowed = Layers(
        identity=compiled([ALLOW_ALL]),
        scope_down=tuple(compiled([reading], PolicyKind.SCOPE_DOWN) for _ in range(3)),
    )
    return [
        ("one allow", Layers(compiled([ALLOW_ALL])), question(), True),
        ("one allow, under three scope-down policies", narrowed, question(), True),
        ("10 policies x 10 conditional statements", Layers(compiled(ten_by_ten)), question(), True),
        ("100 statements match the action, conditions fail", Layers(compiled(failing)), question(), False),
        ("100 statements about other actions", Layers(compiled(other)), question(), False),
        ("all layers, cross-checked trust policy", stack, assume_role, True),
    ]


def microseconds(call: Callable[[], object], times: int, rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(times):
            call()
        best = min(best, time.perf_counter() - start)
    return best / times * 1e6


def decided(layers: Layers, asked: Question) -> Callable[[], Decision]:
    return lambda: decide(layers, asked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="the best of so many rounds counts")
    parser.add_argument("--decisions", type=int, default=20_000, help="decisions per round")
    options = parser.parse_args()
    print(f"{'case':<52}{'decide, us':>12}{'explain, us':>14}")
    for name, layers, asked, allowed in cases():
        decision = decide(layers, asked)
        if decision.allowed is not allowed:
            raise SystemExit(f"{name}: decided {decision.outcome}")
        cost = microseconds(decided(layers, asked), options.decisions, options.rounds)
        explaining = microseconds(lambda decision=decision: explain(decision), 200, options.rounds)
        print(f"{name:<52}{cost:>12.2f}{explaining:>14.1f}")


if __name__ == "__main__":
    main()
