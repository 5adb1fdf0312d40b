"""ProvidedContexts of AssumeRole: they need their own permission, and an unverifiable assertion is refused."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from sts_calls import (
    UNCHECKED,
    account,
    allow,
    answered,
    declared,
    no_allow,
    not_authorized,
    refusal,
    role,
    role_arn,
    root_arn,
    trust,
    user,
    user_arn,
)

IDENTITY_CENTER = "arn:aws:iam::aws:contextProvider/IdentityCenter"
# The model: InvalidContextAssertion is for an assertion that "is malformed, has expired, or does not match a trusted
# context provider".
INVALID = "InvalidContextAssertion"
NOT_VALID = (400, INVALID, "The request was rejected because the context assertion that was provided is invalid.")
BOTH = ["sts:AssumeRole", "sts:SetContext"]


def asked(role_name: str, *contexts: dict[str, str]) -> dict[str, Any]:
    passed = contexts or ({"ProviderArn": IDENTITY_CENTER, "ContextAssertion": "assertion"},)
    return {"RoleArn": role_arn(role_name), "RoleSessionName": "session", "ProvidedContexts": list(passed)}


@pytest.fixture(scope="module")
def worlds(make_shared_world: Any) -> Any:
    center = {"ForAllValues:StringEquals": {"sts:RequestContextProviders": IDENTITY_CENTER}}
    users = [
        user("plain", allow("sts:AssumeRole")),
        user("setter", allow(BOTH)),
        user("bound", allow(BOTH, Condition=center)),
    ]
    roles = [role("open", trust(root_arn(), BOTH)), role("closed", trust(root_arn()))]
    return make_shared_world(declared(account(users=users, roles=roles)))


def test_both_sides_must_allow_it(worlds: Any) -> None:
    because = no_allow("identity-based policy", "sts:SetContext")
    message = not_authorized(user_arn("plain"), "sts:SetContext", role_arn("open"), because)
    assert refusal(worlds.client("sts", "plain"), "AssumeRole", **asked("open")) == (403, "AccessDenied", message)
    because = no_allow("role trust policy", "sts:SetContext")
    message = not_authorized(user_arn("setter"), "sts:SetContext", role_arn("closed"), because)
    assert refusal(worlds.client("sts", "setter"), "AssumeRole", **asked("closed")) == (403, "AccessDenied", message)


def test_the_providers_are_a_condition_key(worlds: Any) -> None:
    sts = worlds.client("sts", "bound")
    assert refusal(sts, "AssumeRole", **asked("open")) == NOT_VALID
    other = {"ProviderArn": "arn:aws:iam::aws:contextProvider/Other", "ContextAssertion": "assertion"}
    assert refusal(sts, "AssumeRole", **asked("open", other))[1] == "AccessDenied"


@pytest.mark.parametrize(
    "assertion", ["assertion", jwt.encode({"sub": "ana"}, "k" * 32), jwt.encode({"sub": "ana"}, None, algorithm="none")]
)
def test_no_assertion_is_believed(worlds: Any, assertion: str) -> None:
    context = {"ProviderArn": IDENTITY_CENTER, "ContextAssertion": assertion}
    assert refusal(worlds.client("sts", "setter"), "AssumeRole", **asked("open", context)) == NOT_VALID
    assert answered(worlds.client("sts", "plain"), "AssumeRole", RoleArn=role_arn("open"), RoleSessionName="me") == (
        "allowed"
    )


@pytest.mark.parametrize(
    ("contexts", "code", "message"),
    [
        (
            [{"ProviderArn": "arn:aws:iam::aws:policy/IdentityCenter"}],
            INVALID,
            "arn:aws:iam::aws:policy/IdentityCenter is not …",
        ),
        ([{"ContextAssertion": "assertion"}], "ValidationError", "ProviderArn is not the ARN of …"),
        (
            [{"ProviderArn": IDENTITY_CENTER, "ContextAssertion": "abc"}],
            "ValidationError",
            "1 validation error …",
        ),
        (
            [{"ProviderArn": IDENTITY_CENTER, "ContextAssertion": "a" * 3073}],
            "ValidationError",
            "1 validation error …",
        ),
        ([{"ProviderArn": IDENTITY_CENTER}] * 6, "ValidationError", "1 validation error …"),
    ],
)
def test_values_that_are_refused(worlds: Any, contexts: list[dict[str, str]], code: str, message: str) -> None:
    sts = worlds.client("sts", "setter", config=UNCHECKED)
    status, told_code, told = refusal(sts, "AssumeRole", **asked("open", *contexts))
    assert (status, told_code) == (400, code)
    assert told.startswith(message[:-1]) if message.endswith("…") else told == message
