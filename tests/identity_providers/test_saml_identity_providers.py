"""Rolecall as a SAML identity provider, and SAML providers in the sandbox file."""

from __future__ import annotations

import json
import threading
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from rolecall.cli import main
from rolecall.identity_providers.saml_assertions import AssertionRequestError, metadata_document, mint
from rolecall.ids import Identifiers
from rolecall.worlds.declare import InvalidWorldError, read_world_file
from rolecall.worlds.setup import reset_world

ACCOUNT = "111122223333"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/staff"
WANTED: dict[str, Any] = {"role": ROLE, "provider": PROVIDER, "session_name": "ana"}
HERE = {"REMOTE_ADDR": "127.0.0.1"}
ELSEWHERE = {"REMOTE_ADDR": "10.0.0.1"}


def declared(**provider: Any) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession", "sts:SetSourceIdentity"],
    }
    administrator = {
        "name": "admin",
        "access_keys": [{"id": "test", "secret": "test"}],
        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
    }
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    account = {"id": ACCOUNT, "users": [administrator], "roles": [{"name": "staff", "trust_policy": trust}]}
    return {"version": 1, "accounts": [{**account, "saml_providers": [{"name": "corp", **provider}]}]}


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(json.dumps(declared(rolecall_idp="corp", tags={"Team": "blue"})))


def assume(world: Any, assertion: str) -> Any:
    return world.client("sts").assume_role_with_saml(RoleArn=ROLE, PrincipalArn=PROVIDER, SAMLAssertion=assertion)


def minted(world: Any, **wanted: Any) -> str:
    return mint(world.database, world.clock, Identifiers(), **{"idp": "corp", **WANTED, **wanted})


def test_a_sandbox_that_needs_no_outside(world: Any) -> None:
    answer = assume(
        world,
        minted(
            world,
            subject="ana@example.com",
            subject_format="transient",
            tags={"Team": "blue"},
            transitive_tag_keys=["Team"],
            session_duration=900,
            source_identity="ana",
            attributes={"urn:oid:2.5.4.3": ["Ana", "A."]},
        ),
    )
    assert (answer["Subject"], answer["SubjectType"]) == ("ana@example.com", "transient")
    assert (answer["Issuer"], answer["SourceIdentity"]) == ("urn:rolecall:saml:corp", "ana")
    shown = world.client("iam").get_saml_provider(SAMLProviderArn=PROVIDER)
    assert shown["SAMLMetadataDocument"] == metadata_document(world.database, world.clock, "corp")
    assert shown["Tags"] == [{"Key": "Team", "Value": "blue"}]


def test_metadata_survives_a_reset(world: Any) -> None:
    before = metadata_document(world.database, world.clock, "corp")
    assertion = minted(world)
    with world.database.transaction() as connection:
        reset_world(connection, world.declared, world.clock.now_seconds(), Identifiers())
    assert metadata_document(world.database, world.clock, "corp") == before
    assert assume(world, assertion)["Subject"] == "rolecall-user"


def test_each_name_has_a_key_of_its_own(world: Any) -> None:
    documents = {metadata_document(world.database, world.clock, name) for name in ("corp", "other")}
    assert len(documents) == 2


@pytest.mark.parametrize(
    "wanted", [{"idp": "a/b"}, {"idp": ""}, {"lifetime_seconds": 0}, {"subject": "a\0b"}, {"tags": {"a": "\ud800"}}]
)
def test_what_cannot_be_minted(world: Any, wanted: dict[str, Any]) -> None:
    with pytest.raises(AssertionRequestError):
        minted(world, **wanted)


# Over HTTP.


def test_metadata_is_public_and_iam_accepts_it(world: Any) -> None:
    answer = world.application.test_client().get(
        "/_rolecall/saml/new/metadata.xml", environ_base={"REMOTE_ADDR": "::2"}
    )
    assert (answer.status_code, answer.mimetype) == (200, "application/samlmetadata+xml")
    world.client("iam").create_saml_provider(Name="new", SAMLMetadataDocument=answer.text)
    assert world.application.test_client().get("/_rolecall/saml/a b/metadata.xml").status_code == 404


def test_assertions_are_for_this_machine(world: Any) -> None:
    post = world.application.test_client().post
    answer = post("/_rolecall/saml/corp/assertion", json=WANTED, environ_base=HERE)
    assert answer.status_code == 200
    assert assume(world, answer.json["assertion"])["Subject"] == "rolecall-user"
    assert (
        post("/_rolecall/saml/corp/assertion", json=WANTED, environ_base={"REMOTE_ADDR": "10.0.0.1"}).status_code == 403
    )


def test_audience_and_recipient_are_those_that_were_asked_for(world: Any) -> None:
    post = world.application.test_client().post

    def response(**more: str) -> str:
        answer = post("/_rolecall/saml/corp/assertion", json={**WANTED, **more}, environ_base=HERE)
        return b64decode(answer.json["assertion"]).decode()

    plain = response()
    assert ">urn:amazon:webservices<" in plain
    assert 'Recipient="https://signin.aws.amazon.com/saml"' in plain
    asked = response(audience="urn:someone:else", recipient="https://eu-west-1.signin.aws.amazon.com/saml")
    assert ">urn:someone:else<" in asked
    assert 'Recipient="https://eu-west-1.signin.aws.amazon.com/saml"' in asked
    assert "urn:amazon:webservices" not in asked
    with pytest.raises(ClientError, match=r"Response does not contain the required audience\."):
        assume(world, b64encode(asked.encode()).decode())
    elsewhere = response(recipient="https://elsewhere.example.com/saml")
    with pytest.raises(ClientError, match=r"Response does not contain the required recipient\."):
        assume(world, b64encode(elsewhere.encode()).decode())


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {},
        {**WANTED, "role": 1},
        {**WANTED, "colour": "red"},
        {**WANTED, "tags": {"a": ["b"]}},
        {**WANTED, "attributes": {"a": [["b"]]}},
        {**WANTED, "transitive_tag_keys": [1]},
        {**WANTED, "session_duration": True},
        {**WANTED, "lifetime_seconds": 10**12},
    ],
)
def test_requests_that_cannot_be_understood(world: Any, body: Any) -> None:
    answer = world.application.test_client().post("/_rolecall/saml/corp/assertion", json=body, environ_base=HERE)
    assert answer.status_code == 400
    assert answer.json["message"]


def test_the_command(world: Any) -> None:
    with make_server("127.0.0.1", 0, world.application) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        options = ["--idp", "corp", "--role", ROLE, "--provider", PROVIDER, "--session-name", "ana"]
        options += ["--tag", "Team=blue", "--attribute", "2.5.4.3=Ana", "--port", str(server.server_port)]
        result = CliRunner().invoke(main, ["saml-assertion", *options])
        thread.join()
    assert result.exit_code == 0, result.output
    assert b"PrincipalTag:Team" in b64decode(result.stdout)
    assert assume(world, result.stdout.strip())["Subject"] == "rolecall-user"


# The sandbox file.


def written(folder: Path, **provider: Any) -> str:
    file = folder / "sandbox.json"
    file.write_text(json.dumps(declared(**provider)), encoding="utf-8")
    return str(file)


def test_metadata_from_a_file_beside_the_sandbox_file(world: Any, make_world: Any, tmp_path: Path) -> None:
    metadata = metadata_document(world.database, world.clock, "corp")
    (tmp_path / "idp.xml").write_text(metadata, encoding="utf-8")
    [provider] = read_world_file(written(tmp_path, metadata_file="idp.xml")).accounts[0].saml_providers
    assert (provider.name, provider.metadata) == ("corp", metadata)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"<a/>", "not an EntityDescriptor"),
        (b"\xff\xfe<", "cannot read"),
        (b"<!DOCTYPE a><a/>", "document"),
    ],
)
def test_files_that_are_not_metadata(tmp_path: Path, content: bytes, problem: str) -> None:
    (tmp_path / "idp.xml").write_bytes(content)
    with pytest.raises(InvalidWorldError) as caught:
        read_world_file(written(tmp_path, metadata_file="idp.xml"))
    [found] = caught.value.problems
    assert problem in found.message
