"""The role that SAM makes for a function without one.

SAM Developer Guide, AWS::Serverless::Function, its Globals and its sources of events. The translator of SAM 1.115 gave
what the guide leaves open: the names of the policies, the tag, and which values of ``Tracing`` and ``VpcConfig`` count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from rolecall.data import managed_policies
from rolecall.importing.found import Part, Section, as_text
from rolecall.importing.grants import document_in

FUNCTION = "AWS::Serverless::Function"
_LAMBDA = "arn:aws:iam::aws:policy/service-role/AWSLambda"
_XRAY = "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess"
# The properties of a function that bear on its role.
_OF_ROLE = (
    *("AssumeRolePolicyDocument", "DeadLetterQueue", "EventInvokeConfig", "Events", "PermissionsBoundary", "Policies"),
    *("RolePath", "Tags", "Tracing", "VpcConfig"),
)
# SAM Developer Guide, AWS::Serverless::Function: the properties that do not bear on its role.
_NOT_OF_ROLE = frozenset(
    (
        *("Architectures", "AutoPublishAlias", "AutoPublishAliasAllProperties", "AutoPublishCodeSha256", "CodeUri"),
        *("CapacityProviderConfig", "CodeSigningConfigArn", "Description", "Environment", "EphemeralStorage"),
        *("FileSystemConfigs", "FunctionName", "FunctionScalingConfig", "FunctionUrlConfig", "Handler", "ImageConfig"),
        *("ImageUri", "InlineCode", "KmsKeyArn", "Layers", "LoggingConfig", "MemorySize", "PackageType"),
        *("PropagateTags", "ProvisionedConcurrencyConfig", "PublishToLatestPublished", "RecursiveLoop"),
        *("ReservedConcurrentExecutions", "Runtime", "RuntimeManagementConfig", "SnapStart", "SourceKMSKeyArn"),
        *("TenancyConfig", "Timeout", "VersionDeletionPolicy", "VersionDescription"),
    )
)
_DEPLOYMENTS = "DeploymentPreference"
_OUTCOMES = ("OnSuccess", "OnFailure")
# What a source of events gives to the role: a managed policy of Lambda.
_PULLED = {
    "SQS": "SQSQueueExecutionRole",
    "Kinesis": "KinesisExecutionRole",
    "DynamoDB": "DynamoDBExecutionRole",
    "MSK": "MSKExecutionRole",
}
# These call the function, so they give its role nothing.
_PUSHED = frozenset(
    (
        *("Api", "HttpApi", "S3", "SNS", "Schedule", "CloudWatchEvent", "EventBridgeRule", "CloudWatchLogs"),
        *("IoTRule", "AlexaSkill", "Cognito"),
    )
)
# The action and the end of the policy's name by the type of a destination.
_DESTINATIONS = {
    "SQS": ("sqs:SendMessage", "SQSPolicy"),
    "SNS": ("sns:publish", "SNSPolicy"),
    "EventBridge": ("events:PutEvents", "EventBridgePolicy"),
    "Lambda": ("lambda:InvokeFunction", "LambdaPolicy"),
}
_DEAD_LETTERS = {"SQS": "sqs:SendMessage", "SNS": "sns:Publish"}
_LAMBDA_TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def with_globals(of_all: Any, own: Mapping[str, Any], ignored: Any = None) -> dict[str, Any]:
    """The own properties of a function and the section Globals together: mappings and lists of both are joined.

    ``ignored`` is what the function says in IgnoreGlobals: the names of properties of Globals, or ``*`` for all.
    """
    if not isinstance(of_all, dict) or ignored == "*":
        return dict(own)
    names = ignored if isinstance(ignored, list) else ()
    return _joined({name: value for name, value in of_all.items() if name not in names}, own)


def left_out(properties: Mapping[str, Any]) -> Mapping[str, str]:
    """What the import does not take over from the properties of a function, and why."""
    found: dict[str, str] = {}
    deployments = properties.get(_DEPLOYMENTS)
    if isinstance(deployments, dict) and "Role" not in deployments and deployments.get("Enabled") is not False:
        found[_DEPLOYMENTS] = "the role that SAM makes for the deployments is left out"
    if properties.get("Role") is None:
        known = {*_OF_ROLE, *_NOT_OF_ROLE, _DEPLOYMENTS, "Role"}
        message = "Rolecall does not know whether SAM gives the role something for this; it is left out"
        found |= dict.fromkeys(properties.keys() - known, message)
    return found


def made_by_sam(logical_id: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    """The resources that SAM adds to a template for a function, as far as others of its resources may refer to them."""
    destination = f"{logical_id}EventInvokeConfig"
    made: dict[str, Any] = {f"{destination}{outcome}Queue": {"Type": "AWS::SQS::Queue"} for outcome in _OUTCOMES}
    made |= {f"{destination}{outcome}Topic": {"Type": "AWS::SNS::Topic"} for outcome in _OUTCOMES}
    # A function of the template may lead to no role.
    if properties.get("Role") is None or isinstance(properties["Role"], dict):
        path = properties.get("RolePath")
        role = {"Type": "AWS::IAM::Role", "Properties": {} if path is None else {"Path": path}}
        made[f"{logical_id}Role"] = role
    return made


def needed(logical_id: str, properties: Mapping[str, Any], is_given: Callable[[Any], bool]) -> dict[str, Any]:
    """The properties that bear on the role. The others are not imported, so the template need not tell their values.

    ``is_given``: whether a property has a value, known or not.
    """
    if is_given(properties.get("Role")):
        return {"Role": "given"}
    kept = {name: properties[name] for name in _OF_ROLE if name in properties}
    # SAM looks at these before it knows the value of a function.
    for name in ("Tracing", "VpcConfig"):
        value = kept.pop(name, None)
        if value and value != "Disabled":
            kept[name] = value if name == "Tracing" and _is_reference(value) else "given"
    invoke = kept.get("EventInvokeConfig")
    if isinstance(invoke, dict) and not _is_function(invoke):
        config = _destinations(logical_id, invoke.get("DestinationConfig"), is_given)
        kept["EventInvokeConfig"] = {"DestinationConfig": config}
    if isinstance(kept.get("Events"), dict):
        kept["Events"] = {name: _event(event) for name, event in kept["Events"].items()}
    return kept


def role_of(part: Part, logical_id: str, name: str) -> Section:
    """The role, by this name, of a function whose properties are resolved. Raises EnoughFoundError."""
    value = part.value
    attached = [f"{_LAMBDA}BasicExecutionRole"]
    if value.get("Tracing") not in (None, "", "Disabled"):
        attached.append(_XRAY)
    if "VpcConfig" in value:
        attached.append(f"{_LAMBDA}VPCAccessExecutionRole")
    inline: dict[str, Any] = {}
    queue = part.part("DeadLetterQueue")
    if queue is not None:
        inline["DeadLetterQueuePolicy"] = _dead_letters(queue)
    for outcome in _OUTCOMES:
        destination = _below(part, "EventInvokeConfig", "DestinationConfig", outcome)
        if destination is not None:
            inline |= _sending(destination, f"{logical_id}EventInvokeConfig{outcome}", tuple(_DESTINATIONS))
    _add_policies(part, logical_id, attached, inline)
    _add_events(part, logical_id, attached, inline)
    tags = part.part("Tags")
    trust = value.get("AssumeRolePolicyDocument")
    return {
        "name": name,
        "path": part.text("RolePath") or "/",
        "tags": {"lambda:createdBy": "SAM"}
        | {key: as_text(each) for key, each in (tags.value if tags else {}).items()},
        "trust_policy": _LAMBDA_TRUST if trust is None else document_in(trust),
        "attached_policies": list(dict.fromkeys(attached)),
        "inline_policies": inline,
        "permissions_boundary": part.text("PermissionsBoundary") or None,
    }


def _joined(of_all: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    joined = {**of_all, **own}
    for name in of_all.keys() & own.keys():
        first, second = of_all[name], own[name]
        if isinstance(first, list) and isinstance(second, list):
            joined[name] = [*first, *second]
        elif isinstance(first, dict) and isinstance(second, dict) and not (_is_function(first) or _is_function(second)):
            joined[name] = _joined(first, second)
    return joined


def _is_function(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)).startswith(("Ref", "Fn::", "Condition"))


def _is_reference(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, dict) and "Ref" in value)


def _destinations(logical_id: str, config: Any, is_given: Callable[[Any], bool]) -> Any:
    """The destinations of EventInvokeConfig. SAM makes a queue or topic where the template names none."""
    if not isinstance(config, dict) or _is_function(config):
        return config
    found = {outcome: config[outcome] for outcome in _OUTCOMES if outcome in config}
    for outcome, destination in found.items():
        if isinstance(destination, dict) and not is_given(destination.get("Destination")):
            made = f"{logical_id}EventInvokeConfig{outcome}"
            references = {"SQS": {"Fn::GetAtt": [f"{made}Queue", "Arn"]}, "SNS": {"Ref": f"{made}Topic"}}
            found[outcome] = {**destination, "Destination": references.get(str(destination.get("Type")))}
    return found


def _event(event: Any) -> Any:
    """What bears on the role of a source of events."""
    if not isinstance(event, dict):
        return event
    kind, properties = event.get("Type"), event.get("Properties")
    kept: dict[str, Any] = {}
    if isinstance(properties, dict) and isinstance(kind, str) and kind in _PULLED:
        config = properties.get("DestinationConfig")
        failure = config.get("OnFailure") if isinstance(config, dict) else None
        # SAM gives the role nothing for a destination without a type.
        if isinstance(failure, dict) and "Type" in failure:
            kept["DestinationConfig"] = {"OnFailure": failure}
        if kind == "MSK":
            kept["SourceAccessConfigurations"] = properties.get("SourceAccessConfigurations")
    return {"Type": kind, "Properties": kept}


def _below(part: Part, *keys: str) -> Part | None:
    """A mapping some levels below; None when it is absent. Raises EnoughFoundError."""
    found: Part | None = part
    for key in keys:
        found = found.part(key) if found is not None else None
    return found


def _add_policies(part: Part, logical_id: str, attached: list[str], inline: dict[str, Any]) -> None:
    policies = part.value.get("Policies", [])
    for number, policy in enumerate(policies if isinstance(policies, list) else [policies]):
        if isinstance(policy, str):
            arn = policy if policy.startswith("arn:") else _managed_policies().get(policy)
            if arn is None:
                part.found.problem(part.place / "Policies", f"AWS has no managed policy {policy}")
            else:
                attached.append(arn)
        elif isinstance(policy, dict) and "Statement" in policy:
            inline[f"{logical_id}RolePolicy{number}"] = policy
        else:
            part.found.problem(part.place / "Policies", "Rolecall does not have the policy templates of SAM")


def _add_events(part: Part, logical_id: str, attached: list[str], inline: dict[str, Any]) -> None:
    events = part.part("Events")
    for name in events.value if events is not None else ():
        event = _below(part, "Events", name)
        if event is None:
            continue
        kind = event.text("Type", required=True)
        if kind in _PULLED:
            attached.append(f"{_LAMBDA}{_PULLED[kind]}")
            _add_pulled(event, f"{logical_id}{name}", inline)
        elif kind == "ScheduleV2":
            part.found.note(event.place, "the role that SAM makes for the schedule is left out")
        elif kind and kind not in _PUSHED:
            part.found.problem(event.place, f"Rolecall does not know what SAM allows a function for events of {kind}")


def _add_pulled(event: Part, name: str, inline: dict[str, Any]) -> None:
    properties, failure = event.part("Properties"), _below(event, "Properties", "DestinationConfig", "OnFailure")
    if failure is not None:
        _add_once(_sending(failure, name, ("SQS", "SNS")), inline)
    for access in properties.parts("SourceAccessConfigurations") if properties is not None else ():
        if access.value.get("Type") == "CLIENT_CERTIFICATE_TLS_AUTH":
            document = _allowed("secretsmanager:GetSecretValue", access.text("URI", required=True))
            _add_once({"MSKExecutionRolePolicy": document}, inline)
            break


def _add_once(policies: Mapping[str, Any], inline: dict[str, Any]) -> None:
    """SAM leaves out a policy whose document the role already has."""
    inline |= {name: document for name, document in policies.items() if document not in inline.values()}


def _sending(destination: Part, name: str, kinds: tuple[str, ...]) -> Mapping[str, Any]:
    """The policy that lets the function send to a destination. Raises EnoughFoundError."""
    kind, resource = destination.text("Type", required=True), destination.text("Destination", required=True)
    if kind not in kinds:
        destination.found.problem(destination.place / "Type", f"must be one of {', '.join(kinds)}")
        return {}
    action, end = _DESTINATIONS[kind]
    return {f"{name}{end}": _allowed(action, resource)}


def _dead_letters(queue: Part) -> Mapping[str, Any]:
    action = _DEAD_LETTERS.get(queue.text("Type", required=True), "")
    if not action:
        queue.found.problem(queue.place / "Type", "must be SQS or SNS")
    return {"Version": "2012-10-17"} | _allowed(action, queue.text("TargetArn", required=True))


def _allowed(action: str, resource: str) -> dict[str, Any]:
    return {"Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}


@cache
def _managed_policies() -> Mapping[str, str]:
    """The ARNs of AWS's managed policies by name."""
    return {policy.name: arn for arn, policy in managed_policies().items()}
