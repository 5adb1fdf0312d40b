"""What would have to change before a refused call is allowed: layer by layer, in words, with the smallest statement.

The explanation of a refusal says which statements matched and which layers lacked an allow. All of these layers have to
change, because every one of them refuses by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from rolecall.arns import parse_arn
from rolecall.call_log.layers import LAYER_TITLES
from rolecall.policy import listed_values, policy_label

Json = Mapping[str, Any]

_FEDERATED = {"sts:assumerolewithwebidentity", "sts:assumerolewithsaml"}
_PROVIDER = "aws:FederatedProvider"
NO_ROLE_MESSAGE = "There is no role with this ARN. Create it with a trust policy that has this statement."
# Where the statement goes, in each layer.
_NARROWED = "Narrow it, so that it does not match this request."
# The policies of a session end with it.
_NARROWED_OF_SESSION = "Open the session again with a policy in which it does not match this request."
_OF_SESSIONS = ("session", "scope-down")
_PLACES = {
    "identity": "Add this statement to a policy of the principal.",
    "boundary": "Add this statement to the permissions boundary, which is {policies}, or use another boundary.",
    "scp": "Add this statement to a service control policy that is attached to {target}.",
    "rcp": "Add this statement to a resource control policy that is attached to {target}.",
    "session": "Open the session again with a session policy that has this statement.",
    "scope-down": "Open the session again with this statement in that policy.",
    "trust": "Add this statement to the trust policy of the role.",
    "resource": "Add this statement to the policy of the resource.",
}


class Change(Struct, frozen=True):
    """One layer's change. ``statement`` is what to add, None when a statement that is there has to change.

    ``policy_name`` and ``policy_arn`` name the policy of such a statement; they are empty for a statement to add.
    """

    layer: str
    texts: tuple[str, ...]
    statement: dict[str, Any] | None = None
    policy_name: str = ""
    policy_arn: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "layer": self.layer,
            "texts": list(self.texts),
            "statement": self.statement,
            "policy_name": self.policy_name,
            "policy_arn": self.policy_arn,
        }


def changes_for(evaluation: Json, principal_arn: str) -> list[Change]:
    """The changes after which the evaluated call is allowed; [] when it is allowed already.

    ``evaluation`` has the members of :class:`rolecall.policy.explanation.Explanation`. A layer may say with ``needed``
    that its allow was necessary; without that, only the deciding layer's was.
    """
    if evaluation["outcome"] == "Allowed":
        return []
    found: list[Change] = []
    for layer in evaluation["layers"]:
        if layer["effect"] == "ExplicitDeny":
            found += _narrowed(layer)
        # A layer that denies may lack an allow, too.
        allows = any(statement["effect"] == "Allow" for statement in layer["matched"])
        if not allows and _is_needed(layer, evaluation, principal_arn):
            found.append(_allowed(layer, evaluation, principal_arn))
    if evaluation["session_policy_required"]:
        text = "A federated user may do nothing without a session policy. Open the session with one that allows this."
        found.append(Change("session", (text,), _statement("session", evaluation, principal_arn)))
    if not found and evaluation["layer"]:
        # A resource of another account without a policy: the layer is missing.
        missing = {"layer": evaluation["layer"], "policies": (), "target": ""}
        found.append(_allowed(missing, evaluation, principal_arn))
    # Two layers of a kind may need the same.
    return [change for at, change in enumerate(found) if change not in found[:at]]


def _is_needed(layer: Json, evaluation: Json, principal_arn: str) -> bool:
    if not layer.get("needed", layer["layer"] == evaluation["layer"]):
        return False
    if layer["layer"] != "identity" or evaluation["layer"] != "trust":
        return True
    # In the role's own account, a trust policy that names the caller is enough.
    role, caller = parse_arn(evaluation["resource"]), parse_arn(principal_arn)
    return role is None or caller is None or role.account_id != caller.account_id


def _narrowed(layer: Json) -> Iterator[Change]:
    for statement in layer["matched"]:
        if statement["effect"] != "Deny":
            continue
        title = LAYER_TITLES[layer["layer"]]
        advice = _NARROWED_OF_SESSION if layer["layer"] in _OF_SESSIONS else _NARROWED
        texts = [f"{_named(statement)} denies it, in the {title}. {advice}"]
        for condition in statement["conditions"]:
            listed = listed_values(condition["policy_values"])
            texts.append(
                f"It denies because {condition['key']} {_has(condition)}, which meets {condition['operator']} {listed}."
            )
        yield Change(layer["layer"], tuple(texts), None, statement["policy_name"], statement["policy_arn"])


def _allowed(layer: Json, evaluation: Json, principal_arn: str) -> Change:
    kind, nearest = layer["layer"], evaluation["nearest"]
    # Of several layers of a kind, the nearest statement is in the one whose policies have its name.
    if nearest is not None and nearest["layer"] == kind and nearest["policy_name"] in layer["policies"]:
        if list(nearest["failed"]) == ["Condition"]:
            texts = [f"{_named(nearest)} allows it, but only under conditions that this request does not meet."]
            texts += map(_unmet, (each for each in nearest["conditions"] if not each["met"]))
            return Change(kind, tuple(texts), None, nearest["policy_name"], nearest["policy_arn"])
        if list(nearest["failed"]) == ["Resource"]:
            [element] = nearest["elements"]
            texts = [
                f"{_named(nearest)} allows the action, but only on {listed_values(element['policy_values'])}. "
                f"Add {element['request_value']} to its Resource."
            ]
            return Change(kind, tuple(texts), None, nearest["policy_name"], nearest["policy_arn"])
    place = _PLACES[kind].format(
        policies=listed_values(layer["policies"]) or "empty", target=layer.get("target") or "the account"
    )
    if kind == "trust" and not layer["policies"]:
        # Every role has a trust policy.
        return Change(kind, (NO_ROLE_MESSAGE,), _statement(kind, evaluation, principal_arn))
    # There may be several scope-down policies, each a layer with one policy.
    title = layer["policies"][0] if kind == "scope-down" else f"the {LAYER_TITLES[kind]}"
    text = f"No statement of {title} allows it. {place}"
    return Change(kind, (text,), _statement(kind, evaluation, principal_arn))


def _statement(kind: str, evaluation: Json, principal_arn: str) -> dict[str, Any] | None:
    """The smallest statement that allows the call; None when it is not known whom it has to name."""
    found: dict[str, Any] = {"Effect": "Allow"}
    if kind in ("trust", "resource"):
        is_federated = evaluation["action"].lower() in _FEDERATED
        name = evaluation.get("context", {}).get(_PROVIDER, "") if is_federated else principal_arn
        if not name:
            return None
        found["Principal"] = {"Federated" if is_federated else "AWS": name}
    found["Action"] = evaluation["action"]
    if kind != "trust":
        found["Resource"] = evaluation["resource"]
    return found


def _named(statement: Json) -> str:
    label = statement["sid"] or f"statement {statement['index']}"
    return f"{label} of {policy_label(statement['policy_name'], statement['policy_arn']) or 'a policy'}"


def _has(condition: Json) -> str:
    values = condition["request_values"]
    if values is None:
        return "is missing in the request"
    return f"is {listed_values(values)}" if values else "is empty"


def _unmet(condition: Json) -> str:
    wanted = listed_values(condition["policy_values"])
    return f"{condition['key']} {_has(condition)}, and must meet {condition['operator']} {wanted}."
