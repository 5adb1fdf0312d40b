"""Recorded responses that other software has signed and encrypted, without any code of Rolecall."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from saml_calls import ROLE, assume, world_text

CASES = Path(__file__).parent / "cases" / "saml"
RECORDED = [json.loads((CASES / name).read_text(encoding="utf-8")) for name in ("other_providers.json", "xmlsec.json")]


def named(kind: str) -> list[Any]:
    """Every response of a kind, with its file."""
    return [pytest.param(recorded, name, id=name) for recorded in RECORDED for name in recorded[kind]]


def world_at(make_still_world: Any, recorded: dict[str, Any]) -> Any:
    """A sandbox that knows the identity provider, at the time when the responses were made."""
    made = make_still_world(world_text(), recorded["made_at"])
    iam = made.client("iam")
    arn = iam.create_saml_provider(Name="idp", SAMLMetadataDocument=recorded["metadata"])["SAMLProviderArn"]
    key = recorded["provider_key"]
    iam.update_saml_provider(SAMLProviderArn=arn, AssertionEncryptionMode="Allowed", AddPrivateKey=key)
    return made


@pytest.mark.parametrize(("recorded", "name"), named("taken"))
def test_a_response_of_another_identity_provider(make_still_world: Any, recorded: dict[str, Any], name: str) -> None:
    world = world_at(make_still_world, recorded)
    world.clock.advance(30)
    answer = assume(world, recorded["taken"][name])
    assert answer["Subject"] == "ana@example.org"
    assert answer["Issuer"] == "https://idp.example.org/idp"
    assert answer["AssumedRoleUser"]["Arn"].endswith(f"assumed-role/{ROLE.rpartition('/')[2]}/ana")
    world.clock.advance(minutes=5)
    with pytest.raises(ClientError, match="Token must be redeemed within 5 minutes of issuance"):
        assume(world, recorded["taken"][name])


@pytest.mark.parametrize(("recorded", "name"), named("refused"))
def test_a_response_that_is_not_signed_well_enough(make_still_world: Any, recorded: dict[str, Any], name: str) -> None:
    world = world_at(make_still_world, recorded)
    with pytest.raises(ClientError, match="Response signature invalid"):
        assume(world, recorded["refused"][name])
