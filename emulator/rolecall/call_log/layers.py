"""The kinds of policy that decide about a call, in words for people, in the order in which AWS evaluates them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# The order in which AWS evaluates the kinds of policy.
_ORDER = ("rcp", "scp", "resource", "trust", "identity", "boundary", "session", "scope-down")

LAYER_TITLES = {
    "scp": "service control policies",
    "rcp": "resource control policies",
    "resource": "resource-based policy",
    "trust": "role trust policy",
    "identity": "identity-based policies",
    "boundary": "permissions boundary",
    "session": "session policies",
    "scope-down": "scope-down policies",
}
LAYER_EFFECTS = {
    "Allow": "allows",
    "ExplicitDeny": "denies",
    "ImplicitDeny": "has no statement that allows it",
}


def picture_of(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The layers of an evaluation in AWS's order. ``decided`` marks the one that decided.

    A kind may have several layers, such as the levels of an organization. The first with the outcome decided.
    """
    layers: Sequence[Mapping[str, Any]] = evaluation["layers"]
    effect = "Allow" if evaluation["outcome"] == "Allowed" else evaluation["outcome"]
    deciding = next((each for each in layers if (each["layer"], each["effect"]) == (evaluation["layer"], effect)), None)
    shown = ({**layer, "decided": layer is deciding} for layer in layers)
    return sorted(shown, key=lambda layer: _ORDER.index(layer["layer"]))
