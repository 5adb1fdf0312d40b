"""Which kind of credentials may call which operation: every cell of cases/credential_kinds.yaml, through boto3.

The product reads a table of its own. This one is written from AWS's pages a second time.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from sts_calls import (
    ACCOUNT,
    UNCHECKED,
    account,
    allow,
    answered,
    declared,
    role,
    role_arn,
    root_arn,
    root_user,
    session_arn,
    trust,
    user,
    user_arn,
)
from yaml_tables import read_table

from rolecall.data import credential_kinds
from rolecall.ids import Identifiers
from rolecall.principals import Principal
from rolecall.services.catalogue import find
from rolecall.services.registry import no_permission
from rolecall.sessions.credentials import SessionRequest, issue
from rolecall.sessions.keys import KeyRing
from rolecall.storage import keyring
from rolecall.wire import load_service

pytestmark = pytest.mark.follows_the_model
TABLE: dict[str, dict[str, str]] = read_table(
    (Path(__file__).parent / "cases" / "credential_kinds.yaml").read_text(encoding="utf-8")
)
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
TASK = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials"
EVERYTHING = json.dumps(allow("*"))
PARAMETERS: dict[str, dict[str, Any]] = {
    "AssumeRole": {"RoleArn": role_arn("target"), "RoleSessionName": "session"},
    "AssumeRoleWithSAML": {
        "RoleArn": role_arn("target"),
        "PrincipalArn": f"arn:aws:iam::{ACCOUNT}:saml-provider/idp",
        "SAMLAssertion": "aaaa",
    },
    "AssumeRoleWithWebIdentity": {
        "RoleArn": role_arn("target"),
        "RoleSessionName": "session",
        "WebIdentityToken": "aaaa",
    },
    "AssumeRoot": {"TargetPrincipal": "444455556666", "TaskPolicyArn": {"arn": TASK}},
    "DecodeAuthorizationMessage": {"EncodedMessage": "message"},
    "GetAccessKeyInfo": {"AccessKeyId": "ASIAY34FZKBOKMUTVV7A"},
    "GetCallerIdentity": {},
    "GetDelegatedAccessToken": {"TradeInToken": "x"},
    "GetFederationToken": {"Name": "fed"},
    "GetScopedCredentials": {"DurationSeconds": 60},
    "GetSessionToken": {},
    "GetWebIdentityToken": {"Audience": ["app"], "SigningAlgorithm": "ES384", "DurationSeconds": 60},
    "iam ListUsers": {},
}
# The answer to a call that no rule about credentials refuses. It begins with these; "allowed" is the whole.
PASSES: dict[str, Any] = {
    "AssumeRoleWithSAML": (400, "InvalidIdentityToken"),
    "AssumeRoleWithWebIdentity": (400, "InvalidIdentityToken"),
    # No organization has the account.
    "AssumeRoot": (403, "AccessDenied", "User: {arn} is not authorized to perform: sts:AssumeRoot on resource: {root}"),
    "DecodeAuthorizationMessage": (400, "InvalidAuthorizationMessageException"),
    "GetDelegatedAccessToken": (403, "AccessDenied", "The trade-in token is invalid."),
}
REFUSED = {
    "session": (403, "AccessDenied", "Cannot call {operation} with session credentials"),
    "long-term": (403, "AccessDenied", "Cannot call {operation} with long-term credentials"),
    "invalid": (403, "InvalidClientTokenId", "The security token included in the request is invalid"),
    "unsigned": (403, "MissingAuthenticationToken"),
}
ROOT_REFUSED = {
    "AssumeRole": (403, "AccessDenied", "Roles may not be assumed by root accounts."),
    "AssumeRoot": (403, "AccessDenied", "AssumeRoot may not be called with root user credentials."),
}
SESSIONS = [kind for kind in TABLE["AssumeRole"] if kind not in ("user key", "root key", "anonymous")]
# The product's column for each kind.
COLUMNS = {
    "user key": "user",
    "root key": "root",
    "GetSessionToken": "user_session",
    "GetSessionToken with MFA": "user_session_mfa",
    "GetSessionToken of root": "root_session",
    "GetSessionToken of root with MFA": "root_session_mfa",
    "AssumeRole": "role_session",
    "AssumeRoleWithSAML": "federated_role_session",
    "AssumeRoleWithWebIdentity": "federated_role_session",
    "federated user": "federated_user",
    "AssumeRoot": "root_task_session",
    "delegated": "delegated",
    "delegated by root": "delegated_root",
    "anonymous": "anonymous",
}


@pytest.fixture(scope="module")
def world(make_shared_world: Any) -> Any:
    roles = [role("target", trust(root_arn())), role("everything", trust(root_arn()), allow("*"))]
    made = make_shared_world(declared(account(users=[user("ana", allow("*"))], roles=roles)))
    made.client("iam").enable_outbound_web_identity_federation()
    return made


def role_principal(world: Any) -> Principal:
    found = world.client("iam").get_role(RoleName="everything")["Role"]
    arn, role_id = session_arn("everything"), found["RoleId"]
    return Principal("AssumedRole", ACCOUNT, arn, found["Arn"], f"{role_id}:session", role_id, "everything")


def user_principal(world: Any) -> Principal:
    found = world.client("iam").get_user(UserName="ana")["User"]
    return Principal("User", ACCOUNT, found["Arn"], found["Arn"], found["UserId"], found["UserId"], "ana")


def root_principal() -> Principal:
    return Principal("Account", ACCOUNT, root_arn(), root_arn(), ACCOUNT, ACCOUNT, "root")


def sealed(world: Any, kind: str) -> dict[str, Any]:
    """Credentials of a session that needs a device, a provider, an organization or a partner to be made on the wire."""
    now_seconds = world.clock.now_seconds()
    more: dict[str, Any] = {}
    if kind.endswith("with MFA"):
        principal = root_principal() if "root" in kind else user_principal(world)
        more = {"type": "GetSessionToken", "mfa_authenticated_at_seconds": int(now_seconds)}
    elif kind == "AssumeRoot":
        principal, more = root_principal(), {"type": kind, "policy_arns": (TASK,)}
    elif kind.startswith("delegated"):
        principal = root_principal() if "root" in kind else user_principal(world)
        more = {"type": "GetDelegatedAccessToken", "policies": (EVERYTHING,)}
    else:
        principal, more = role_principal(world), {"type": kind, "session_name": "session"}
    request = SessionRequest(principal=principal, duration_seconds=3600, **more)
    with world.database.snapshot() as connection:
        keys = KeyRing.of_rows(keyring.load(connection))
    made = issue(keys, Identifiers(), now_seconds, request)
    return {
        "AccessKeyId": made.access_key_id,
        "SecretAccessKey": made.secret_access_key,
        "SessionToken": made.session_token,
    }


def session_of(world: Any, kind: str) -> Any:
    if kind == "GetSessionToken":
        return world.client("sts", "ana").get_session_token()["Credentials"]
    if kind == "GetSessionToken of root":
        return world.client("sts", root_user()).get_session_token()["Credentials"]
    if kind == "AssumeRole":
        return world.assume("everything")
    if kind == "federated user":
        limits = [{"arn": ADMINISTRATOR}]
        return world.client("sts", "ana").get_federation_token(Name="fed", PolicyArns=limits)["Credentials"]
    return sealed(world, kind)


def answer_to(world: Any, kind: str, row: str, *, scoped: bool = False) -> Any:
    service, _, operation = row.rpartition(" ")
    service = service or "sts"
    config: Config = UNCHECKED
    if kind == "anonymous":
        client = world.client(service, config=UNCHECKED.merge(Config(signature_version=UNSIGNED)))
    elif kind in ("user key", "root key"):
        client = world.client(service, "ana" if kind == "user key" else root_user(), config=config)
    else:
        credentials = session_of(world, kind)
        if scoped:
            sts = world.client("sts", credentials=credentials)
            credentials = sts.get_scoped_credentials(Policy=EVERYTHING)["Credentials"]
        client = world.client(service, credentials=credentials, config=config)
    return answered(client, operation, **PARAMETERS[row])


def arn_of(kind: str) -> str:
    if kind in ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"):
        return session_arn("everything")
    return root_arn() if "root" in kind.lower() else user_arn("ana")


def require(found: Any, kind: str, row: str) -> None:
    cell, operation = TABLE[row][kind], row.rpartition(" ")[2]
    if cell == "task":
        assert found[:2] == (403, "AccessDenied")
        assert f"with an explicit deny in a session policy: {TASK}" in found[2], found
        return
    expected: Any = PASSES.get(row, "allowed") if cell == "passes" else REFUSED.get(cell) or ROOT_REFUSED[row]
    if expected != "allowed":
        names = {"operation": operation, "arn": arn_of(kind), "root": root_arn("444455556666")}
        expected = tuple(each.format(**names) if isinstance(each, str) else each for each in expected)
        found = found[: len(expected)]
    assert found == expected


@pytest.mark.parametrize("kind", TABLE["AssumeRole"])
@pytest.mark.parametrize("row", TABLE)
def test_every_cell(world: Any, row: str, kind: str) -> None:
    require(answer_to(world, kind, row), kind, row)


@pytest.mark.parametrize("kind", [kind for kind in SESSIONS if TABLE["GetScopedCredentials"][kind] == "passes"])
@pytest.mark.parametrize("row", TABLE)
def test_scoped_credentials_may_call_what_their_session_may(world: Any, row: str, kind: str) -> None:
    require(answer_to(world, kind, row, scoped=True), kind, row)


def test_every_operation_and_every_kind_is_there() -> None:
    operations = {row for row in TABLE if " " not in row}
    assert operations == set(load_service("sts").operation_names)
    assert set(credential_kinds()) == {*operations, "iam:*"}
    for row, cells in TABLE.items():
        assert list(cells) == list(COLUMNS), row
    columns = {*COLUMNS.values(), "scoped"}
    assert all(set(cells) == columns for cells in credential_kinds().values())


def test_the_cells_of_the_product_are_those_of_the_pages() -> None:
    allowing = {"passes": {"yes", "policy", "proof"}, "task": {"policy"}, "unsigned": {"none"}}
    for row, cells in TABLE.items():
        own = credential_kinds()["iam:*" if " " in row else row]
        for kind, cell in cells.items():
            assert own[COLUMNS[kind]] in allowing.get(cell, {cell}), (row, kind)
        assert own["scoped"] == "same"


def test_what_no_policy_controls_and_what_is_not_signed_agree_with_the_operations() -> None:
    for operation in load_service("sts").operation_names:
        cells = set(credential_kinds()[operation].values())
        registered = find("sts", operation)
        assert registered is not None
        assert ("yes" in cells) == (registered.permissions is no_permission), operation
        assert ("proof" in cells) == (registered.proof is not None), operation
