"""Responses that other software has signed and encrypted, recorded: nothing of Rolecall's own had a hand in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from saml_calls import ROLE, assume, world_text

RECORDED = json.loads((Path(__file__).parent / "cases" / "saml" / "other_providers.json").read_text(encoding="utf-8"))


@pytest.fixture
def world(make_world: Any) -> Any:
    made = make_world(world_text())
    made.clock.set(RECORDED["made_at"])
    made.clock.freeze()
    iam = made.client("iam")
    arn = iam.create_saml_provider(Name="idp", SAMLMetadataDocument=RECORDED["metadata"])["SAMLProviderArn"]
    key = RECORDED["provider_key"]
    iam.update_saml_provider(SAMLProviderArn=arn, AssertionEncryptionMode="Allowed", AddPrivateKey=key)
    return made


@pytest.mark.parametrize("name", RECORDED["taken"])
def test_a_response_of_another_identity_provider(world: Any, name: str) -> None:
    world.clock.advance(30)
    answer = assume(world, RECORDED["taken"][name])
    assert answer["Subject"] == "ana@example.org"
    assert answer["Issuer"] == "https://idp.example.org/idp"
    assert answer["AssumedRoleUser"]["Arn"].endswith(f"assumed-role/{ROLE.rpartition('/')[2]}/ana")
    world.clock.advance(minutes=5)
    with pytest.raises(ClientError, match="Token must be redeemed within 5 minutes of issuance"):
        assume(world, RECORDED["taken"][name])


@pytest.mark.parametrize("name", RECORDED["refused"])
def test_a_response_that_is_not_signed_well_enough(world: Any, name: str) -> None:
    with pytest.raises(ClientError, match="Response signature invalid"):
        assume(world, RECORDED["refused"][name])
