"""Refusals that only a rare combination of circumstances causes."""

from __future__ import annotations

from typing import Any

import pytest
import test_sts_delegation
from botocore.config import Config
from botocore.exceptions import ClientError
from iam_calls import ACCOUNT, READ_ONLY, WORLD, fails, refusal
from saml_calls import assume, found, idp, world_text
from sqlalchemy import delete
from test_sts_saml_guards import AT_SECONDS, signed

from rolecall.services import catalogue
from rolecall.services.registry import operation
from rolecall.storage import tables as t

MOMENT = "2026-11-30T00:{:02}:{:02}Z"


def test_an_assertion_whose_conditions_end_before_its_confirmation(make_world: Any) -> None:
    world = make_world(world_text())
    world.client("iam").create_saml_provider(Name="idp", SAMLMetadataDocument=idp().metadata)

    def change(assertion: Any) -> None:
        # The assertion is valid for one minute, its confirmation for five.
        found(assertion, "saml:Conditions").set("NotOnOrAfter", MOMENT.format(54, 20))

    text = signed(change)
    world.clock.set(MOMENT.format(54, 19))
    world.clock.freeze()
    assert int(world.clock.now_seconds()) == AT_SECONDS + 59
    assert assume(world, text)["Subject"]
    world.clock.advance(1)
    with pytest.raises(ClientError, match="ExpiredTokenException"):
        assume(world, text)


def test_a_token_whose_request_is_gone(make_world: Any) -> None:
    delegation = test_sts_delegation.Delegation(make_world(test_sts_delegation.world_text()))
    token = delegation.sent()
    with delegation.world.database.transaction() as connection:
        connection.execute(delete(t.delegation_requests))
    with pytest.raises(ClientError, match=r"The trade-in token is invalid\.$"):
        delegation.exchange(token)
    assert delegation.world.outcomes[-1].error.reason == "its delegation request is gone"


def test_a_call_without_a_user_name_needs_a_users_credentials(make_world: Any) -> None:
    world = make_world(WORLD)
    role = f"arn:aws:iam::{ACCOUNT}:role/manager"
    credentials = world.client("sts").assume_role(RoleArn=role, RoleSessionName="abc")["Credentials"]
    iam = world.client("iam", credentials=credentials)
    assert iam.list_access_keys(UserName="ana")["AccessKeyMetadata"]
    message = "Must specify userName when calling with non-User credentials"
    fails(iam.list_access_keys, "ValidationError", message, 400)
    fails(iam.get_user, "ValidationError", message, 400)


def test_a_policy_to_exclude_has_one_identifier(make_world: Any) -> None:
    """Without the client's validation: the model declares the identifier as a union, so the client would refuse two."""
    iam = make_world(WORLD).client("iam", config=Config(parameter_validation=False))
    identifier = {"PolicyType": "inline", "PolicyArn": READ_ONLY}
    found = refusal(
        iam.simulate_principal_policy,
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/team/ana",
        ActionNames=["chime:GetUser"],
        PolicyExclusionList=[identifier],
    )
    assert (found[0], found[2]) == ("InvalidInput", 400)


def test_an_operation_is_registered_once() -> None:
    assert catalogue.find("iam", "GetUser") is not None
    with pytest.raises(ValueError, match=r"^iam:GetUser is registered twice$"):
        operation("iam", "GetUser")(lambda call: None)
