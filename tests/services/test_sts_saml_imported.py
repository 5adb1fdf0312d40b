"""SAML providers of Terraform and CloudFormation: imported with their metadata, they are trusted like declared ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from saml_calls import ACCOUNT, PROVIDER, ROLE, idp, other_idp

from rolecall.ids import Identifiers
from rolecall.importing.reading import imported
from rolecall.importing.written import Imported, UnimportableError
from rolecall.sessions.saml.records import SamlNotInstalledError
from rolecall.worlds import checking

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": "sts:AssumeRoleWithSAML"}],
}


def terraform(metadata: str) -> dict[str, Any]:
    def resource(kind: str, **values: Any) -> dict[str, Any]:
        return {"address": f"{kind}.a", "mode": "managed", "type": kind, "name": "a", "values": values}

    role = resource("aws_iam_role", name="federated", arn=ROLE, assume_role_policy=json.dumps(TRUST))
    provider = resource(
        "aws_iam_saml_provider", name="idp", arn=PROVIDER, saml_metadata_document=metadata, tags={"a": "b"}
    )
    return {"format_version": "1.0", "values": {"root_module": {"resources": [role, provider]}}}


def cloudformation(metadata: str) -> dict[str, Any]:
    statement = {**TRUST["Statement"][0], "Principal": {"Federated": {"Ref": "Idp"}}}  # type: ignore[index, dict-item]
    role = {"RoleName": "federated", "AssumeRolePolicyDocument": {**TRUST, "Statement": [statement]}}
    provider = {"Name": "idp", "SamlMetadataDocument": metadata, "Tags": [{"Key": "a", "Value": "b"}]}
    return {
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": role},
            "Idp": {"Type": "AWS::IAM::SAMLProvider", "Properties": provider},
        }
    }


def run(folder: Path, value: dict[str, Any]) -> Imported:
    (folder / "file.json").write_text(json.dumps(value, indent=1), encoding="utf-8")
    return imported([str(folder / "file.json")], Identifiers(seed=3), ACCOUNT)


@pytest.mark.parametrize("form", [terraform, cloudformation])
def test_an_imported_provider_is_trusted(form: Any, make_world: Any, tmp_path: Path) -> None:
    made = run(tmp_path, form(idp().metadata))
    assert made.notes == ()
    world = make_world(made.text)
    now = world.clock.now_seconds()
    [key] = made.keys
    keys = (key.access_key_id, key.secret_access_key)
    given = {"RoleArn": ROLE, "PrincipalArn": PROVIDER}
    sts = world.client("sts", keys=keys)
    arn = sts.assume_role_with_saml(**given, SAMLAssertion=idp().response(now))["AssumedRoleUser"]["Arn"]
    assert arn.endswith(":assumed-role/federated/ana")
    with pytest.raises(ClientError, match="InvalidIdentityToken"):
        sts.assume_role_with_saml(**given, SAMLAssertion=other_idp().response(now))
    shown = world.client("iam", keys=keys).get_saml_provider(SAMLProviderArn=PROVIDER)
    assert (shown["SAMLMetadataDocument"], shown["Tags"]) == (idp().metadata, [{"Key": "a", "Value": "b"}])


def test_without_the_extra_a_provider_is_left_out_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if lxml were not installed."""

    def absent(_text: str) -> Any:
        raise SamlNotInstalledError

    monkeypatch.setattr(checking, "read_metadata", absent)
    [note] = run(tmp_path, terraform(idp().metadata)).notes
    assert "pip install 'rolecall[saml]'; it is left out" in note


@pytest.mark.parametrize("form", [terraform, cloudformation])
def test_metadata_that_cannot_be_used_is_a_problem_with_its_place(form: Any, tmp_path: Path) -> None:
    with pytest.raises(UnimportableError) as caught:
        run(tmp_path, form("<EntityDescriptor/>"))
    [problem] = caught.value.problems
    assert "metadata: cannot be used: the root is not an EntityDescriptor" in problem
    assert problem.startswith(str(tmp_path / "file.json:"))
