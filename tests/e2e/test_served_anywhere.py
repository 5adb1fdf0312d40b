"""IAM Roles Anywhere over TLS, as a program with a certificate uses it: ``credential_process``, and then Chime."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anywhere_calls import Held, ec_key, issue, leaf, name, revocation_list, root, rsa_key
from botocore.exceptions import ClientError, CredentialRetrievalError
from botocore.session import Session
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from served import FIRST_ACCOUNT, Server, boto3_session, role_arn, run_rolecall

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": {"StringEquals": {"aws:PrincipalTag/x509Subject/CN": "app"}},
        }
    ],
}
CHIME = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "chime:ListAccounts", "Resource": "*"}]}
# What the console's button "Revoke active sessions" attaches.
REVOKED = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2099-01-01T00:00:00Z"}},
        }
    ],
}
ACCOUNT = {
    "id": FIRST_ACCOUNT,
    "users": [
        {
            "name": "admin",
            "access_keys": [{"id": "test", "secret": "test"}],
            "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
        }
    ],
    "roles": [{"name": "app", "trust_policy": TRUST, "inline_policies": {"chime": CHIME}}],
}
PROGRAM = Path(__file__).parent / "certificate_process.py"


class Machine:
    """A machine with certificates, which trusts the server's own certificate."""

    def __init__(self, make_server: Callable[..., Server], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = folder / "sandbox.json"
        config.write_text(json.dumps({"version": 1, "accounts": [ACCOUNT]}), encoding="utf-8")
        self.server = make_server("--tls", "self-signed", "--config", str(config), XDG_DATA_HOME=str(folder / "data"))
        [self.bundle] = re.findall(r"^export AWS_CA_BUNDLE=(.+)$", self.server.output(), re.MULTILINE)
        self._folder, self._monkeypatch = folder, monkeypatch
        client = self.administrator("rolesanywhere")
        source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": root().pem}}
        self.anchor = client.create_trust_anchor(name="a", source=source, enabled=True)["trustAnchor"]["trustAnchorArn"]
        profile = client.create_profile(name="p", roleArns=[role_arn("app")], enabled=True)["profile"]
        self.profile = profile["profileArn"]

    def administrator(self, service: str) -> Any:
        return boto3_session().client(
            service,
            endpoint_url=self.server.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            verify=self.bundle,
        )

    def session(self, held: Held, *chain: Held) -> Session:
        """A session of botocore whose profile runs the program with that certificate."""
        files = {kind: self._folder / f"{held.serial}.{kind}" for kind in ("certificate", "key", "chain", "settings")}
        files["certificate"].write_text(held.pem, encoding="ascii")
        private = held.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files["key"].write_bytes(private)
        settings = {
            "endpoint": self.server.url,
            "region": "us-east-1",
            "bundle": self.bundle,
            "profileArn": self.profile,
            "roleArn": role_arn("app"),
            "trustAnchorArn": self.anchor,
            "certificate": str(files["certificate"]),
            "key": str(files["key"]),
        }
        if chain:
            files["chain"].write_text("".join(each.pem for each in chain), encoding="ascii")
            settings["chain"] = str(files["chain"])
        files["settings"].write_text(json.dumps(settings), encoding="utf-8")
        config = self._folder / "config"
        config.write_text(
            f"[profile app]\nregion = us-east-1\nendpoint_url = {self.server.url}\n"
            f"credential_process = {sys.executable} {PROGRAM} {files['settings']}\n",
            encoding="utf-8",
        )
        self._monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        self._monkeypatch.setenv("AWS_CA_BUNDLE", self.bundle)
        return Session(profile="app")


@pytest.fixture
def machine(make_server: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(make_server, tmp_path, monkeypatch)


def refusal(machine: Machine, held: Held, *chain: Held) -> str:
    with pytest.raises(CredentialRetrievalError) as caught:
        machine.session(held, *chain).create_client("sts").get_caller_identity()
    return str(caught.value)


def test_a_program_with_a_certificate_calls_chime_until_its_role_is_revoked(machine: Machine) -> None:
    for held in (leaf(), leaf("RSA")):
        session = machine.session(held)
        arn = session.create_client("sts").get_caller_identity()["Arn"]
        assert arn.startswith(f"arn:aws:sts::{FIRST_ACCOUNT}:assumed-role/app/")
        assert int(arn.rpartition("/")[2], 16) == held.serial
        chime = session.create_client("chime")
        assert "Accounts" in chime.list_accounts()
        with pytest.raises(ClientError, match="AccessDenied"):
            session.create_client("iam").list_users()
    middle = issue(name(CN="CA 1"), rsa_key(number=7), root(), ca=True)
    below = issue(name(CN="app"), ec_key(50), middle)
    assert "Accounts" in machine.session(below, middle).create_client("chime").list_accounts()
    assert "Untrusted Signing Certificate" in refusal(machine, below)
    iam = machine.administrator("iam")
    iam.put_role_policy(RoleName="app", PolicyName="AWSRevokeOlderSessions", PolicyDocument=json.dumps(REVOKED))
    with pytest.raises(ClientError, match="explicit deny"):
        chime.list_accounts()
    iam.delete_role_policy(RoleName="app", PolicyName="AWSRevokeOlderSessions")
    iam.delete_role_policy(RoleName="app", PolicyName="chime")
    iam.delete_role(RoleName="app")
    with pytest.raises(ClientError, match=r"InvalidClientTokenId|security token"):
        chime.list_accounts()
    assert "Unable to assume role for" in refusal(machine, leaf())


def test_the_refusals_and_the_log(machine: Machine) -> None:
    assert "Unable to assume role for" in refusal(machine, issue(name(CN="other"), ec_key(50), root()))
    assert "Untrusted Signing Certificate" in refusal(machine, issue(name(CN="app"), ec_key(50), root("Other", 3)))
    mismatched = Held(leaf().certificate, ec_key(51))
    assert "AccessDeniedException: Invalid signature" in refusal(machine, mismatched)
    data = revocation_list(root(), leaf().serial)
    client = machine.administrator("rolesanywhere")
    client.import_crl(name="l", crlData=data, trustAnchorArn=machine.anchor, enabled=True)
    assert "Certificate revoked" in refusal(machine, leaf())
    asked = ("decisions", "--endpoint", machine.server.url)
    shown = run_rolecall(machine.server.folder, *asked, AWS_CA_BUNDLE=machine.bundle)
    assert shown.returncode == 0, shown.stderr
    rows = [line.split("  ")[2:] for line in shown.stdout.splitlines() if "AccessDenied" in line]
    assert rows == [
        ["AccessDeniedException", "nobody", "rolesanywhere CreateSession"],
        ["AccessDeniedException", "nobody", "rolesanywhere CreateSession"],
        ["AccessDeniedException", "nobody", "rolesanywhere CreateSession"],
        ["ImplicitDeny (AccessDeniedException)", "rolesanywhere.amazonaws.com", f"sts:AssumeRole on {role_arn('app')}"],
    ]
    request_id = shown.stdout.splitlines()[0].split("  ")[1]
    explained = run_rolecall(
        machine.server.folder, "explain", request_id, "--endpoint", machine.server.url, AWS_CA_BUNDLE=machine.bundle
    )
    assert "Certificate revoked" in explained.stdout
