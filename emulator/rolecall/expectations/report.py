"""Results and answers as lines for a terminal, as JSON, and as a JUnit report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from rolecall.expectations.verifying import Result
from rolecall.printable import printable

_INDENT = "    "


def results_as_json(results: Sequence[Result]) -> dict[str, Any]:
    """The results in values that JSON can hold."""
    return {
        "passed": sum(each.holds for each in results),
        "failed": sum(not each.holds for each in results),
        "results": [
            {
                "line": each.line,
                "expectation": each.text,
                "passed": each.holds,
                "actions": each.count,
                "reasons": list(each.reasons),
            }
            for each in results
        ],
    }


def results_of_json(answer: dict[str, Any]) -> list[Result]:
    """The results from :func:`results_as_json`. Raises KeyError or TypeError for another value."""
    return [
        Result(each["line"], each["expectation"], each["passed"], tuple(each["reasons"]), each["actions"])
        for each in answer["results"]
    ]


def result_lines(results: Sequence[Result]) -> Iterator[str]:
    """One line for each expectation, the reasons below those that fail, and a last line with the numbers."""
    for each in results:
        yield f"{'ok' if each.holds else 'FAILED'} {each.line}: {printable(each.text)}{_counted(each)}"
        for reason in each.reasons:
            yield f"{_INDENT}{printable(reason)}"
    failed = sum(not each.holds for each in results)
    yield f"{len(results) - failed} passed, {failed} failed"


def _counted(result: Result) -> str:
    return f" ({result.count} actions)" if result.count > 1 else ""


def junit(results: Sequence[Result], file: str) -> str:
    """The results as a JUnit report: a test case for each expectation."""
    failures = str(sum(not each.holds for each in results))
    counts = {"name": "rolecall verify", "tests": str(len(results)), "failures": failures, "errors": "0"}
    suites = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(suites, "testsuite", {**counts, "name": printable(file)})
    for each in results:
        name = printable(each.text)
        place = {"classname": printable(file), "name": name, "file": printable(file), "line": str(each.line)}
        case = ElementTree.SubElement(suite, "testcase", place)
        if not each.holds:
            failure = ElementTree.SubElement(case, "failure", {"message": printable(each.reasons[0])})
            failure.text = "\n".join(map(printable, each.reasons))
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def holder_lines(answer: dict[str, Any]) -> Iterator[str]:
    """The answer of ``Holders.as_json`` for a terminal: a line for each principal, conditions below it."""
    where = answer["resource"] or "any resource"
    if not answer["principals"]:
        yield printable(f"nobody may {answer['action']} on {where}")
    for holder in answer["principals"]:
        # Without a resource in the question, the answer names one.
        found = f" on {holder['resource']}" if not answer["resource"] and holder["resource"] != "*" else ""
        yield printable(f"{holder['principal']}{found}{_if_any(holder['conditions'])}")
        yield from _condition_lines(holder["conditions"], _INDENT)


def chain_lines(answer: dict[str, Any]) -> Iterator[str]:
    """The answer of ``Chains.as_json`` for a terminal: a line for each chain, and its conditions by step."""
    if not answer["paths"]:
        yield printable(f"no chain of roles leads from {answer['from']} to {answer['to']}")
    for chain in answer["paths"]:
        yield printable(" -> ".join([chain[0]["from"], *(step["to"] for step in chain)]))
        for step in chain:
            if step["conditions"]:
                yield printable(f"{_INDENT}{step['to']} under conditions:")
                yield from _condition_lines(step["conditions"], _INDENT * 2)
    if answer["more"]:
        yield "and more"


def _if_any(conditions: Sequence[Any]) -> str:
    return " under conditions:" if conditions else ""


def _condition_lines(conditions: Sequence[dict[str, Any]], indent: str) -> Iterator[str]:
    for each in conditions:
        words = f"{each['operator']} {each['key']} [{', '.join(each['values'])}]"
        verb = "needs" if each["effect"] == "Allow" else "must not meet"
        yield printable(f"{indent}{each['layer']} {each['policy']} / {each['statement']}: {verb} {words}")
