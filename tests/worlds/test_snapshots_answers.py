"""Snapshots from outside: after any operations, the loaded world answers as the saved one."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from full_world import FIRST, IDP, ISSUER, Answers, declared_text, fill

from rolecall import Rolecall
from rolecall.identity_providers import mfa_codes, oidc_tokens, saml_assertions
from rolecall.ids import Identifiers
from rolecall.services.catalogue import all_operations

URL = "/_rolecall/snapshot"
OTHER = '{"version": 1, "accounts": [{"id": "999988887777", "users": [{"name": "old"}]}]}'
# Members that the caller sends, or that are read by an id that only the caller knows.
# Reports of last accesses are in no snapshot, and role templates are AWS's own.
ASKED_ELSEWHERE = {
    "GetContextKeysForCustomPolicy",
    "GetOrganizationsAccessReport",
    "GetRoleTemplateVersion",
    "GetServiceLastAccessedDetails",
    "GetServiceLastAccessedDetailsWithEntities",
    "GetServiceLinkedRoleDeletionStatus",
    "SimulateCustomPolicy",
}


@pytest.fixture(scope="module")
def full(make_shared_world: Any) -> Any:
    handle = make_shared_world(declared_text())
    fill(handle)
    return handle


@pytest.fixture(scope="module")
def moment(full: Any) -> tuple[str, Answers]:
    """A snapshot and the answers at that time. No other test may change anything in between."""
    return _saved(full), Answers(full)


@pytest.fixture(scope="module")
def saved(moment: tuple[str, Answers]) -> str:
    return moment[0]


@pytest.fixture(scope="module")
def answers(moment: tuple[str, Answers]) -> Answers:
    """The answers at the time of the snapshot, and the clients that ask for them."""
    return moment[1]


@pytest.fixture
def other(make_world: Any, full: Any, saved: str, answers: Answers) -> Any:
    """A sandbox that had another world, at the same time by its clock, after loading."""
    handle = make_world(OTHER)
    handle.clock.set(full.clock.now_seconds())
    handle.clock.freeze()
    handle.clock.set(full.clock.now_seconds())
    _load(handle, saved)
    handle.declared = full.declared
    return handle


def _saved(handle: Any) -> str:
    answer = handle.application.test_client().get(URL)
    assert answer.status_code == 200, answer.text
    return answer.text  # type: ignore[no-any-return]


def _load(handle: Any, text: str) -> None:
    answer = handle.application.test_client().put(URL, data=text.encode())
    assert answer.status_code == 200, answer.text


def _assert_same(found: Answers, expected: Answers) -> None:
    assert found.found.keys() == expected.found.keys()
    differing = [call for call, answer in expected.found.items() if found.found[call] != answer]
    assert {call: found.found[call] for call in differing} == {call: expected.found[call] for call in differing}


def test_everything_that_can_be_read_is_asked(answers: Answers) -> None:
    reading = {
        operation.name
        for operation in all_operations()
        if operation.service in ("iam", "chime") and operation.name.startswith(("Get", "List", "Simulate"))
    }
    assert {name for name in reading if name.lower() not in answers.asked} == ASKED_ELSEWHERE


def test_another_sandbox_answers_the_same(other: Any, answers: Answers, saved: str) -> None:
    assert _saved(other) == saved
    _assert_same(Answers(other), answers)


def test_a_sandbox_returns_to_its_own_moment(full: Any, answers: Answers, saved: str) -> None:
    iam = full.client("iam")
    for user in iam.list_users()["Users"]:
        if user["UserName"] == "gone":
            iam.delete_user(UserName="gone")
            iam.create_user(UserName="gone")
    iam.delete_saml_provider(SAMLProviderArn=f"arn:aws:iam::{FIRST}:saml-provider/{IDP}")
    iam.delete_account_password_policy()
    iam.tag_role(RoleName="worker", Tags=[{"Key": "new", "Value": "x"}])
    for account in full.client("chime").list_accounts()["Accounts"]:
        full.client("chime").update_account(AccountId=account["AccountId"], Name="other")
    _load(full, saved)
    assert _saved(full) == saved
    _assert_same(Answers(full), answers)
    _load(full, saved)


def test_a_snapshot_is_the_file_of_a_new_sandbox(full: Any, saved: str, answers: Answers) -> None:
    with Rolecall(config=saved) as sandbox:
        sandbox.clock.set(full.clock.now_seconds())
        sandbox.clock.freeze()
        sandbox.clock.set(full.clock.now_seconds())
        assert sandbox.snapshot() == saved
        _assert_same(Answers(sandbox), answers)


def test_nothing_asked_twice_is_saved_otherwise(full: Any) -> None:
    assert _saved(full) == _saved(full)


def test_without_last_uses_calls_that_change_nothing_leave_it_as_it_is(full: Any) -> None:
    client = full.application.test_client()
    before = client.get(URL, query_string={"last_used": "false"}).text
    assert "last_used_at" not in before
    full.clock.advance(1)
    full.client("iam").list_users()
    full.clock.advance(-1)
    assert client.get(URL, query_string={"last_used": "false"}).text == before
    answer = client.get(URL, query_string={"last_used": "no"})
    assert (answer.status_code, answer.json) == (400, {"message": "last_used must be true or false."})


# Proofs of identity from before the snapshot.


def test_assertions_of_rolecalls_own_identity_provider_are_good_elsewhere(full: Any, other: Any) -> None:
    role, provider = f"arn:aws:iam::{FIRST}:role/federated", f"arn:aws:iam::{FIRST}:saml-provider/{IDP}"
    for issuing in (full, other):
        assertion = saml_assertions.mint(
            issuing.database,
            issuing.clock,
            Identifiers(),
            idp=IDP,
            role=role,
            provider=provider,
            session_name="session",
        )
        for handle in (full, other):
            sts = handle.client("sts", keys=("", ""))
            answer = sts.assume_role_with_saml(RoleArn=role, PrincipalArn=provider, SAMLAssertion=assertion)
            assert answer["AssumedRoleUser"]["Arn"].endswith("/federated/session")


def test_tokens_of_rolecalls_own_issuer_are_good_elsewhere(full: Any, make_world: Any) -> None:
    tokens = [oidc_tokens.mint(full.database, full.clock, Identifiers(), issuer=ISSUER)]
    other = make_world(OTHER)
    other.clock.set(full.clock.now_seconds())
    _load(other, _saved(full))
    tokens.append(oidc_tokens.mint(other.database, other.clock, Identifiers(), issuer=ISSUER))
    for token in tokens:
        for handle in (full, other):
            answer = handle.client("sts", keys=("", "")).assume_role_with_web_identity(
                RoleArn=f"arn:aws:iam::{FIRST}:role/federated", RoleSessionName="session", WebIdentityToken=token
            )
            assert answer["AssumedRoleUser"]["Arn"].endswith("/federated/session")


def test_outbound_tokens_are_verified_with_the_same_keys(full: Any, make_world: Any) -> None:
    sts = full.client("sts")
    sts.get_web_identity_token(Audience=["a"], SigningAlgorithm="ES384", DurationSeconds=300)
    other = make_world(OTHER)
    _load(other, _saved(full))
    issuer = full.client("iam").get_outbound_web_identity_federation_info()["IssuerIdentifier"]
    host = issuer.removeprefix("https://")
    documents = [
        handle.application.test_client().get("/.well-known/jwks.json", headers={"Host": host}).json
        for handle in (full, other)
    ]
    assert documents[0]["keys"]
    assert documents[0] == documents[1]


def test_codes_of_devices_that_were_used_stay_used(full: Any, other: Any) -> None:
    device = f"arn:aws:iam::{FIRST}:mfa/admin-phone"
    assert mfa_codes.unused_code(other.database, other.clock, device) == mfa_codes.unused_code(
        full.database, full.clock, device
    )


def test_sessions_and_page_markers_stay_valid_in_the_same_database(full: Any, saved: str) -> None:
    credentials = full.assume("federated")
    marker = full.client("iam").list_users(MaxItems=2)["Marker"]
    following = full.client("iam").list_users(Marker=marker)["Users"]
    _load(full, saved)
    iam = full.client("iam", credentials=credentials)
    assert iam.list_users(Marker=marker)["Users"] == following


def test_a_session_does_not_work_elsewhere(full: Any, other: Any) -> None:
    """The key ring that seals sessions belongs to a database: docs/sandbox-file.md."""
    credentials = full.assume("federated")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        other.client("iam", credentials=credentials).list_users()
