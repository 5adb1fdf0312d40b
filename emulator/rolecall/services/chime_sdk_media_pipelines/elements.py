"""What the elements and the alerts of a configuration must be. AWS's messages are not recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rolecall.arns import parse_arn
from rolecall.errors import bad_request
from rolecall.services.chime_sdk_media_pipelines.sources import check_bucket

CALL_ANALYTICS, TRANSCRIBE = "AmazonTranscribeCallAnalyticsProcessor", "AmazonTranscribeProcessor"
VOICE_ANALYTICS, RECORDING, ENHANCEMENT = "VoiceAnalyticsProcessor", "S3RecordingSink", "VoiceEnhancementSink"
_PROCESSORS = (CALL_ANALYTICS, TRANSCRIBE, VOICE_ANALYTICS)
# The service whose ARN each sink has.
_TARGETS = {
    "KinesisDataStreamSink": "kinesis",
    "LambdaFunctionSink": "lambda",
    "SqsQueueSink": "sqs",
    "SnsTopicSink": "sns",
}
_LANGUAGES = ("LanguageCode", "IdentifyLanguage", "IdentifyMultipleLanguages")
_SUFFIX = "Configuration"


def check_elements(elements: Sequence[Mapping[str, Any]]) -> None:
    """Raises AwsError BadRequestException."""
    if not elements:
        raise bad_request("Elements must not be empty.")
    types = [element["Type"] for element in elements]
    for processor in _PROCESSORS:
        if types.count(processor) > 1:
            raise bad_request(f"Elements must not have {processor} twice.")
    if CALL_ANALYTICS in types and TRANSCRIBE in types:
        raise bad_request(f"Elements must not have both {CALL_ANALYTICS} and {TRANSCRIBE}.")
    for element in elements:
        _check_element(element)


def check_alerts(alerts: Mapping[str, Any]) -> None:
    """Each rule has the structure of its type alone. Raises AwsError BadRequestException."""
    rules = alerts.get("Rules", ())
    if not rules and not alerts.get("Disabled", False):
        raise bad_request("RealTimeAlertConfiguration must have Rules, unless it is Disabled.")
    for rule in rules:
        _check_structure(rule, f"{rule['Type']}{_SUFFIX}")
    names = [rule[f"{rule['Type']}{_SUFFIX}"]["RuleName"] for rule in rules]
    if len(set(names)) < len(names):
        raise bad_request("Rules must not have the same RuleName twice.")


def _check_element(element: Mapping[str, Any]) -> None:
    kind = element["Type"]
    member = f"{kind}{_SUFFIX}"
    # Voice enhancement has nothing that must be configured.
    if kind != ENHANCEMENT or len(element) > 1:
        _check_structure(element, member)
    configuration = element.get(member, {})
    if kind in _TARGETS:
        _check_target(kind, configuration)
    elif kind == RECORDING and "Destination" in configuration:
        check_bucket("Destination", configuration["Destination"])
    elif kind in (CALL_ANALYTICS, TRANSCRIBE):
        _check_transcription(configuration)
        if kind == TRANSCRIBE:
            _check_languages(configuration)


def _check_structure(value: Mapping[str, Any], member: str) -> None:
    if set(value) != {"Type", member}:
        raise bad_request(f"{value['Type']} must have {member}, and the structure of no other type.")


def _check_target(kind: str, configuration: Mapping[str, Any]) -> None:
    parsed = parse_arn(configuration.get("InsightsTarget", ""))
    if parsed is None or parsed.service != _TARGETS[kind]:
        raise bad_request(f"InsightsTarget of {kind} must be an ARN of {_TARGETS[kind]}.")


def _check_transcription(configuration: Mapping[str, Any]) -> None:
    """API reference: both in one request get BadRequestException; the entity types need one of the two."""
    found = [name for name in ("ContentIdentificationType", "ContentRedactionType") if name in configuration]
    if len(found) > 1:
        raise bad_request("ContentIdentificationType and ContentRedactionType must not be there together.")
    if "PiiEntityTypes" in configuration and not found:
        raise bad_request("PiiEntityTypes needs ContentIdentificationType or ContentRedactionType.")


def _check_languages(configuration: Mapping[str, Any]) -> None:
    """Amazon Transcribe takes one language, or identifies one, or identifies several."""
    if sum(bool(configuration.get(name)) for name in _LANGUAGES) != 1:
        raise bad_request(f"{TRANSCRIBE}{_SUFFIX} must have one of {', '.join(_LANGUAGES)}.")
    if "LanguageOptions" in configuration and configuration.get("LanguageCode"):
        raise bad_request("LanguageOptions needs IdentifyLanguage or IdentifyMultipleLanguages.")
    if "PreferredLanguage" in configuration and "LanguageOptions" not in configuration:
        raise bad_request("PreferredLanguage needs LanguageOptions.")
