"""Parameters, answers and errors of calls as the log writes them: in CloudTrail's form, bounded, without secrets."""

from __future__ import annotations

import json

from rolecall.call_log.outcomes import KEPT_BODY_BYTES, Outcome

# For a call's parameters and for its answer. CloudTrail omits a text over 100 KB and says so in this form.
TEXT_LIMIT_CHARACTERS = 16_384
_NAMES = ("requestParameters", "responseElements")


def recorded_texts(outcome: Outcome) -> tuple[str, str, str]:
    """Parameters and answer as JSON, each empty if there is none, and the name of the error's exception."""
    recorded = outcome.recorded
    if recorded is None:
        return "", "", ""
    recorder = recorded.recorder
    name = recorder.error_names.get(outcome.error_code, "")
    if recorded.parameters is None:
        asked = _omitted(_NAMES[0], recorded.body_bytes) if recorded.body_bytes > KEPT_BODY_BYTES else ""
    else:
        asked = _text(_NAMES[0], recorder.parameters(recorded.parameters))
    answered = recorder.answer is not None and recorded.answer is not None and outcome.error is None
    return asked, _text(_NAMES[1], recorder.answer(recorded.answer)) if answered else "", name  # type: ignore[misc]


def _text(name: str, text: str) -> str:
    if len(text) > TEXT_LIMIT_CHARACTERS:
        return _omitted(name, len(text))
    return "" if text == "{}" else text


def _omitted(name: str, size: int) -> str:
    return json.dumps({"omitted": True, "originalSize": size, "reason": f"{name} too large"})
