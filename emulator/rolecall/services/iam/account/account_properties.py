"""The properties of an account. AWS has one: RoleManager/Enabled, which makes the role of IAM's Role Manager.

Recorded answers show the rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rolecall.access.permission import ContextValue, Permission
from rolecall.arns import iam_arn
from rolecall.data import service_linked_roles
from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.storage.access_keys import lock_account
from rolecall.storage.account_properties import account_properties_of, put_account_properties
from rolecall.storage.roles import SERVICE_LINKED_PATH, role_by_name
from rolecall.storage.service_linked_roles import create, role_name

FORM_MESSAGE = "Property key must be in format Namespace/PropertyName: {key}"
ONE_NAMESPACE_MESSAGE = "All properties must belong to the same namespace"
UNSUPPORTED_MESSAGE = "Unsupported namespace: {namespace}"
REQUIRED_MESSAGE = "RoleManager namespace requires Enabled property"
VALUE_MESSAGE = "Enabled must be 'true' or 'false'"
_NAMESPACE = "RoleManager"
_ENABLED = f"{_NAMESPACE}/Enabled"
_SERVICE = "role-manager.iam.amazonaws.com"
_NAMESPACES_KEY = "iam:accountpropertynamespaces"


def _reading(_call: Call, _parameters: Parameters) -> Sequence[Permission]:
    return [Permission("iam:GetAccountProperties", context={_NAMESPACES_KEY: (_NAMESPACE,)}, shown_as="*")]


@operation("iam", "GetAccountProperties", permissions=_reading)
def get_account_properties(call: Call) -> Answer:
    """The properties of the account, with AWS's values for those that were not set."""
    return {"Properties": {_ENABLED: "false", **account_properties_of(call.db, call.account_id)}}


def _writing(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Switching the Role Manager on makes its service-linked role, which needs a permission of its own."""
    properties: Mapping[str, str] = parameters["Properties"]
    namespaces = tuple(dict.fromkeys(key.partition("/")[0] for key in properties))
    context: dict[str, ContextValue] = {_NAMESPACES_KEY: namespaces} if namespaces else {}
    needed = [Permission("iam:PutAccountProperties", context=context, shown_as="*")]
    if properties.get(_ENABLED) == "true":
        name = role_name(service_linked_roles()[_SERVICE], "")
        role = iam_arn(call.account_id, "role", f"{SERVICE_LINKED_PATH}{_SERVICE}/", name)
        needed.append(Permission("iam:CreateServiceLinkedRole", role, context={"iam:awsservicename": _SERVICE}))
    return needed


@operation("iam", "PutAccountProperties", permissions=_writing)
def put_account_properties_operation(call: Call, *, Properties: Mapping[str, str]) -> None:
    """Switch the Role Manager on or off. Its role comes with the first time and stays.

    Raises AwsError InvalidInput.
    """
    for key in Properties:
        if "/" not in key.strip("/"):
            raise AwsError("InvalidInput", FORM_MESSAGE.format(key=key))
    namespaces = {key.partition("/")[0] for key in Properties}
    if len(namespaces) > 1:
        raise AwsError("InvalidInput", ONE_NAMESPACE_MESSAGE)
    [namespace] = namespaces
    if namespace != _NAMESPACE:
        raise AwsError("InvalidInput", UNSUPPORTED_MESSAGE.format(namespace=namespace))
    # AWS takes further properties of the namespace and forgets them.
    value = Properties.get(_ENABLED)
    if value is None:
        raise AwsError("InvalidInput", REQUIRED_MESSAGE)
    if value not in ("true", "false"):
        raise AwsError("InvalidInput", VALUE_MESSAGE)
    lock_account(call.db, call.account_id)
    put_account_properties(call.db, call.account_id, {_ENABLED: value})
    facts = service_linked_roles()[_SERVICE]
    if value == "true" and role_by_name(call.db, call.account_id, role_name(facts, "")) is None:
        create(call.db, call.account_id, facts, call.now_seconds, call.ids)
