"""Every limit in the model for any operation of STS: just inside it passes, just outside the error names it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from sts_calls import ACCOUNT, UNCHECKED, account, allow, answered, declared, refusal, role, role_arn, root_arn, trust

MODEL = botocore.session.get_session().get_service_model("sts")
COMPLETE: dict[str, dict[str, Any]] = {
    "AssumeRole": {"RoleArn": role_arn("r"), "RoleSessionName": "session"},
    "AssumeRoleWithSAML": {
        "RoleArn": role_arn("r"),
        "PrincipalArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/idp",
        "SAMLAssertion": "aaaa",
    },
    "AssumeRoleWithWebIdentity": {"RoleArn": role_arn("r"), "RoleSessionName": "session", "WebIdentityToken": "aaaa"},
    "AssumeRoot": {
        "TargetPrincipal": ACCOUNT,
        "TaskPolicyArn": {"arn": "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"},
    },
    "DecodeAuthorizationMessage": {"EncodedMessage": "x"},
    "GetAccessKeyInfo": {"AccessKeyId": "ASIAY34FZKBOKMUTVV7A"},
    "GetCallerIdentity": {},
    "GetDelegatedAccessToken": {"TradeInToken": "x"},
    "GetFederationToken": {"Name": "ana"},
    "GetScopedCredentials": {"DurationSeconds": 900},
    "GetSessionToken": {},
    "GetWebIdentityToken": {"Audience": ["app"], "SigningAlgorithm": "RS256"},
}
# An older botocore lacks what AWS has added since.
PRESENT = sorted(COMPLETE.keys() & set(MODEL.operation_names))
ITEMS: dict[str, Any] = {
    "Tags": {"Key": "k", "Value": "v"},
    "ProvidedContexts": {"ProviderArn": "arn:aws:iam::aws:contextProvider/x", "ContextAssertion": "aaaa"},
}
SPELLED = {"SAMLAssertion": "sAMLAssertion"}
LENGTH, VALUE = "Member must have length", "Member must have value"
ABOVE, BELOW = "less than or equal to", "greater than or equal to"


def limits() -> Iterator[Any]:
    """(operation, member, value, words): ``words`` is None where the value is just inside."""
    for operation in PRESENT:
        shape = MODEL.operation_model(operation).input_shape
        for name, member in shape.members.items() if shape is not None else ():
            for key, words, inside, outside in (("min", BELOW, 0, -1), ("max", ABOVE, 0, 1)):
                bound = member.metadata.get(key)
                if bound is None or (bound == 0 and member.type_name != "integer"):
                    continue
                about = VALUE if member.type_name == "integer" else LENGTH
                yield operation, name, _value(member, name, bound + inside), None
                yield operation, name, _value(member, name, bound + outside), f"{about} {words} {bound}"


def _value(member: Any, name: str, size: int) -> Any:
    if member.type_name == "integer":
        return size
    return "1" * size if member.type_name == "string" else [ITEMS.get(name, "k")] * size


@pytest.fixture(scope="module")
def sts(make_shared_world: Any) -> Any:
    roles = [role("r", trust(root_arn(), ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]), allow("*"))]
    return make_shared_world(declared(account(roles=roles))).client("sts", config=UNCHECKED)


@pytest.mark.follows_the_model
def test_every_operation_is_here() -> None:
    assert set(COMPLETE) == set(MODEL.operation_names)
    assert {operation for operation, *_ in limits()} == set(COMPLETE) - {"GetCallerIdentity", "GetDelegatedAccessToken"}


@pytest.mark.parametrize(("operation", "name", "value", "words"), [pytest.param(*each) for each in limits()])
def test_a_limit(sts: Any, operation: str, name: str, value: Any, words: str | None) -> None:
    given = {**COMPLETE[operation], name: value}
    where = f"at '{SPELLED.get(name, name[0].lower() + name[1:])}' failed to satisfy constraint: "
    if words is None:
        assert f"{where}Member must have" not in str(answered(sts, operation, **given))
        return
    status, code, message = refusal(sts, operation, **given)
    assert (status, code) == (400, "ValidationError")
    assert where + words in message


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        pytest.param(operation, name)
        for operation in PRESENT
        if MODEL.operation_model(operation).input_shape is not None
        for name in MODEL.operation_model(operation).input_shape.required_members
    ],
)
def test_a_member_that_must_be_there(sts: Any, operation: str, name: str) -> None:
    given = {each: value for each, value in COMPLETE[operation].items() if each != name}
    spelled = SPELLED.get(name, name[0].lower() + name[1:])
    message = (
        f"1 validation error detected: Value null at '{spelled}' failed to satisfy constraint: Member must not be null"
    )
    assert refusal(sts, operation, **given) == (400, "ValidationError", message)
