"""Groups and SIP rules of a sandbox file that refer to Voice Connectors and SIP media applications."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.arns import parse_arn
from rolecall.contents.voice import MAXIMUM_CONNECTORS
from rolecall.service_records import DEFAULT_REGION
from rolecall.worlds.located import Path
from rolecall.worlds.plain_values import Found, Values, mappings_in, text_in

_MAXIMUM_TARGETS = 25
_CONNECTOR, _APPLICATION = "Voice Connector", "SIP media application"


def referable(declared: Sequence[tuple[str, str, Any]]) -> dict[str, Any]:
    """Resources by what the file may call them: by ids, and by names that one resource has. Each is name, id, value."""
    count = Counter(name for name, _, _ in declared)
    by_name = {name: value for name, _, value in declared if name and count[name] == 1}
    return by_name | {own_id: value for _, own_id, value in declared if own_id}


def dangling_voice(path: Path, account: Values) -> Found:
    """Every such problem of an account, with the path of its value."""
    yield from _functions(path, account)
    connectors = called_by(account, "voice_connectors")
    applications = called_by(account, "sip_media_applications")
    for index, group in mappings_in(account, "voice_connector_groups"):
        place = (*path, "voice_connector_groups", index, "connectors")
        yield from _references(place, group, "connector", connectors, _CONNECTOR)
        if len(list(mappings_in(group, "connectors"))) > MAXIMUM_CONNECTORS:
            yield place, f"a group may have at most {MAXIMUM_CONNECTORS} Voice Connectors"
    triggers: set[int] = set()
    for index, rule in mappings_in(account, "sip_rules"):
        place = (*path, "sip_rules", index)
        called = text_in(rule, "voice_connector")
        connector = connectors.get(called)
        if called and connector is None:
            yield (*place, "voice_connector"), _unknown(_CONNECTOR, called)
        elif connector is not None and connector[0] in triggers:
            yield (*place, "voice_connector"), f"another SIP rule is for the {_CONNECTOR} {called!r}"
        triggers |= set() if connector is None else {connector[0]}
        yield from _targets((*place, "applications"), rule, applications)


def _functions(path: Path, account: Values) -> Found:
    """API reference, SipMediaApplicationEndpoint: the function is in the Region of the application."""
    for index, application in mappings_in(account, "sip_media_applications"):
        function, region = parse_arn(text_in(application, "lambda")), text_in(application, "aws_region", DEFAULT_REGION)
        if function is not None and function.region != region:
            place = (*path, "sip_media_applications", index, "lambda")
            yield place, f"the Lambda function must be in {region}, the aws_region of the application"


def _targets(path: Path, rule: Values, applications: Mapping[str, tuple[int, Values]]) -> Found:
    """Developer Guide: each alternate target is in another Region, and has a priority of its own."""
    yield from _references(path, rule, "application", applications, _APPLICATION)
    priorities, regions = set[int](), set[str]()
    targets = list(mappings_in(rule, "applications"))
    for position, target in targets:
        priority = target.get("priority", 1)
        if isinstance(priority, int) and priority in priorities:
            yield (*path, position), f"another target has the priority {priority}"
        priorities |= {priority} if isinstance(priority, int) else set()
        application = applications.get(text_in(target, "application"))
        region = "" if application is None else text_in(application[1], "aws_region", DEFAULT_REGION)
        if region and region in regions:
            yield (*path, position, "application"), f"another target is in {region}"
        regions.add(region)
    if not 1 <= len(targets) <= _MAXIMUM_TARGETS and isinstance(rule.get("applications"), list):
        yield path, f"a SIP rule has 1 to {_MAXIMUM_TARGETS} applications"


def _references(path: Path, owner: Values, key: str, known: Mapping[str, tuple[int, Values]], kind: str) -> Found:
    seen: set[int] = set()
    for position, each in mappings_in(owner, str(path[-1])):
        called = text_in(each, key)
        found = known.get(called)
        if called and found is None:
            yield (*path, position, key), _unknown(kind, called)
        elif found is not None and found[0] in seen:
            yield (*path, position, key), f"{called!r} appears twice"
        seen |= set() if found is None else {found[0]}


def called_by(account: Values, key: str) -> dict[str, tuple[int, Values]]:
    """The resources of one list of an account by what the file may call them, with their positions."""
    declared = [
        (text_in(each, "name"), text_in(each, "id"), (index, each)) for index, each in mappings_in(account, key)
    ]
    return referable(declared)


def _unknown(kind: str, called: str) -> str:
    return f"no {kind} {called!r} is declared in this account, or more than one has this name"
