"""One decision of the policy engine beside other engines, on the same policies, in alternating rounds of one run.

Run: python benchmarks/policy_peers.py [--rounds 7] [--seconds 0.1] [--node-modules FOLDER]

cedarpy (Cedar in Rust; pip install cedarpy) and moto take part when they are installed. iam-simulate takes part when
node is installed and FOLDER is a node_modules with @cloud-copilot/iam-simulate (npm install --prefix FOLDER/..). Only
the decision is measured, warm. Cedar's policies and entities are parsed beforehand, moto's and iam-simulate's as far as
they allow it. Cedar has another language: the policies are translated as closely as it allows. A star marks an engine
that decides a case otherwise than AWS, or that would do so if one more policy allowed it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from policy_engine import ACCOUNT, CASE, CONTEXT, USER, cases

from rolecall.policy import CompiledPolicies, Layers, NamedPolicy, PolicyKind, compile_policies, decide, parse_policy

try:
    import cedarpy
except ImportError:
    cedarpy = None
try:
    from moto.iam.access_control import IAMPolicy, PermissionResult
except ImportError:
    IAMPolicy = PermissionResult = None

_ALLOW_ALL = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'

# Seconds that so many runs of a case take.
Timed = Callable[[int], float]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contender:
    """One engine with one case: its decision, and a function that times it."""

    allows: bool
    run: Timed


Engine = Callable[[CASE], Contender]


def timed(decision: Callable[[], object]) -> Timed:
    def run(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            decision()
        return time.perf_counter() - start

    return run


def all_compiled(case: CASE) -> list[CompiledPolicies]:
    layers = case[1]
    single = (layers.resource, layers.identity, layers.boundary, layers.session)
    return [*layers.scps, *(layer for layer in single if layer is not None)]


def document(named: NamedPolicy) -> Document:
    return json.loads(named.policy.text)  # type: ignore[no-any-return]


def rolecall(case: CASE) -> Contender:
    _, layers, question, _ = case
    return Contender(decide(layers, question).allowed, timed(lambda: decide(layers, question)))


# moto: its evaluator, called policy by policy as moto calls it


def moto_evaluator(case: CASE) -> Contender:
    _, _, question, _ = case
    layers = [[IAMPolicy(named.policy.text) for named in layer.policies] for layer in all_compiled(case)]
    values = {"aws:PrincipalTag/team": CONTEXT["aws:principaltag/team"], "aws:SourceIp": CONTEXT["aws:sourceip"]}

    def decision() -> bool:
        for policies in layers:
            permitted = False
            for policy in policies:
                result = policy.is_action_permitted(
                    question.action, question.resource, incoming_condition_values=values
                )
                if result is PermissionResult.DENIED:
                    return False
                permitted = permitted or result is PermissionResult.PERMITTED
            if not permitted:
                return False
        return True

    return Contender(decision(), timed(decision))


# cedarpy


def cedar_action(entry: str) -> str:
    return "action" if entry == "*" else f'action in Action::"{entry}"'


def cedar_statement(statement: Document) -> str:
    effect = "permit" if statement["Effect"] == "Allow" else "forbid"
    principal = f'principal in Account::"{ACCOUNT}"' if "Principal" in statement else "principal"
    conditions = statement.get("Condition", {})
    tests = []
    if conditions:
        team, network = conditions["StringEquals"]["aws:PrincipalTag/team"], conditions["IpAddress"]["aws:SourceIp"]
        tests = [f'context.team == "{team}"', f'context.ip.isInRange(ip("{network}"))']
    when = f" when {{ {' && '.join(tests)} }}" if tests else ""
    return f"{effect}({principal}, {cedar_action(statement['Action'])}, resource){when};"


def cedar_entities(action: str) -> list[Document]:
    """The caller in its account, and the action in the groups that stand for wildcards."""
    prefix, _, name = action.partition(":")
    groups = [f"{prefix}:*", f"{prefix}:{name[:3]}*"]
    return [
        {"uid": {"type": "User", "id": USER.name}, "attrs": {}, "parents": [{"type": "Account", "id": ACCOUNT}]},
        {"uid": {"type": "Account", "id": ACCOUNT}, "attrs": {}, "parents": []},
        {
            "uid": {"type": "Action", "id": action},
            "attrs": {},
            "parents": [{"type": "Action", "id": group} for group in groups],
        },
        *({"uid": {"type": "Action", "id": group}, "attrs": {}, "parents": []} for group in groups),
    ]


def cedar(case: CASE) -> Contender:
    _, _, question, _ = case
    layers = [
        cedarpy.PolicySet.from_str(
            "\n".join(
                cedar_statement(statement) for named in layer.policies for statement in document(named)["Statement"]
            )
        )
        for layer in all_compiled(case)
    ]
    entities = cedarpy.Entities.from_json_str(json.dumps(cedar_entities(question.action)))
    request = {
        "principal": {"type": "User", "id": USER.name},
        "action": {"type": "Action", "id": question.action},
        "resource": {"type": "Resource", "id": question.resource},
        "context": {
            "team": CONTEXT["aws:principaltag/team"],
            "ip": {"__extn": {"fn": "ip", "arg": CONTEXT["aws:sourceip"]}},
        },
    }

    def decision() -> bool:
        return all(cedarpy.is_authorized(request, policies, entities).allowed for policies in layers)

    return Contender(decision(), timed(decision))


# iam-simulate: in a node process that stays open and measures its own time

_HARNESS = """
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
const { runSimulation, runUnsafeSimulation } = await import(pathToFileURL(process.argv[2]).href)
const cases = []
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line)
  if (asked.add) cases.push(asked.add)
  const simulation = cases[asked.number]
  // The faster road takes no resource-based policies.
  const validated = simulation.resourcePolicy !== null
  let result
  const start = process.hrtime.bigint()
  for (let left = asked.times; left > 0; left -= 1) {
    result = validated ? await runSimulation(simulation, {}) : runUnsafeSimulation(simulation, {})
  }
  const nanoseconds = Number(process.hrtime.bigint() - start)
  console.log(JSON.stringify({ seconds: nanoseconds / 1e9, result: JSON.stringify(result) }))
}
"""


class IamSimulate:
    """iam-simulate behind two pipes. It is only run and never a part of this package."""

    def __init__(self, modules: Path) -> None:
        module = modules / "@cloud-copilot" / "iam-simulate" / "dist" / "esm" / "index.js"
        self._process = subprocess.Popen(
            ["node", "--input-type=module", "--eval", _HARNESS, "--", "harness", str(module)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._cases = 0

    def __call__(self, case: CASE) -> Contender:
        number = self._cases
        self._cases += 1
        answer = self._ask({"add": self._simulation(case), "number": number, "times": 1})
        return Contender(
            '"Allowed"' in answer["result"],
            lambda times: float(self._ask({"number": number, "times": times})["seconds"]),
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)

    def _ask(self, question: Document) -> Document:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())  # type: ignore[no-any-return]

    def _simulation(self, case: CASE) -> Document:
        _, layers, question, _ = case

        def policies(layer: CompiledPolicies | None) -> list[Document]:
            return [{"name": each.name, "policy": document(each)} for each in (layer.policies if layer else ())]

        # It takes no session policy for a user, so it has one layer less to evaluate.
        resource = policies(layers.resource)
        context = {
            "aws:PrincipalTag/team": CONTEXT["aws:principaltag/team"],
            "aws:SourceIp": CONTEXT["aws:sourceip"],
            "aws:PrincipalAccount": ACCOUNT,
            "aws:PrincipalArn": USER.arn,
        }
        return {
            "request": {
                "principal": USER.arn,
                "action": question.action,
                "resource": {"resource": question.resource, "accountId": ACCOUNT},
                "contextVariables": context,
            },
            "identityPolicies": policies(layers.identity),
            "permissionBoundaryPolicies": policies(layers.boundary) or None,
            "serviceControlPolicies": [
                {"orgIdentifier": f"level-{number}", "policies": policies(level)}
                for number, level in enumerate(layers.scps)
            ],
            "resourceControlPolicies": [],
            "resourcePolicy": resource[0]["policy"] if resource else None,
        }


def engines(modules: Path | None) -> Iterator[tuple[str, Engine]]:
    yield "rolecall", rolecall
    if cedarpy is not None:
        yield "cedarpy", cedar
    if IAMPolicy is not None:
        yield "moto", moto_evaluator
    if modules is not None and shutil.which("node"):
        yield "iam-simulate", IamSimulate(modules)


def is_right(engine: Engine, case: CASE) -> bool:
    """Whether an engine decides a case as AWS does, and a refused case also after a further policy allows it.

    Otherwise an engine that stops at the first statement whose conditions fail would count as fast.
    """
    name, layers, question, allowed = case
    if engine(case).allows is not allowed:
        return False
    if allowed or layers.identity is None:
        return True
    further = NamedPolicy(parse_policy(_ALLOW_ALL, PolicyKind.IDENTITY), "further")
    identity = compile_policies([*layers.identity.policies, further], PolicyKind.IDENTITY)
    return engine((name, Layers(identity), question, True)).allows


def calibrated(contender: Contender, seconds: float) -> int:
    """The number of runs that take about ``seconds``, warm."""
    times = 1
    while (taken := contender.run(times)) < seconds / 4:
        times *= 4
    return max(1, round(times * seconds / taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="the best of so many rounds counts")
    parser.add_argument("--seconds", type=float, default=0.1, help="how long a round of one engine lasts")
    parser.add_argument("--node-modules", type=Path, help="the folder that holds @cloud-copilot/iam-simulate")
    options = parser.parse_args()
    contending = dict(engines(options.node_modules))
    print(f"{'microseconds a decision (times Rolecall)':<52}" + "".join(f"{name:>20}" for name in contending))
    # The other engines have no policies like scope-down policies.
    for case in (each for each in cases() if not each[1].scope_down):
        contenders = {name: engine(case) for name, engine in contending.items()}
        runs = {name: calibrated(contender, options.seconds) for name, contender in contenders.items()}
        best = dict.fromkeys(contenders, float("inf"))
        for _ in range(options.rounds):
            for name, contender in contenders.items():
                best[name] = min(best[name], contender.run(runs[name]) / runs[name] * 1e6)
        row = ""
        for name in contenders:
            star = "" if is_right(contending[name], case) else "*"
            shown = f"{best[name]:.2f}{star} ({best[name] / best['rolecall']:.1f})"
            row += f"{shown:>20}"
        print(f"{case[0]:<52}{row}")
    for engine in contending.values():
        if isinstance(engine, IamSimulate):
            engine.close()


if __name__ == "__main__":
    main()
