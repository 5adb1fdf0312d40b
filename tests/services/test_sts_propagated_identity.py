"""The identity that a provider propagates: where its keys come from, that every kind of policy may name them, that they
go along a role chain, and that nobody can set them otherwise.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import fromstring
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sts_calls import (
    ACCOUNT,
    OTHER,
    account,
    allow,
    answered,
    declared,
    policy,
    refusal,
    role,
    role_arn,
    root_arn,
    session_arn,
    statement,
    trust,
    user,
)
from web_identity_calls import (
    EVERY_ACTION,
    GOOGLE,
    HOST,
    ISSUER,
    federated,
    provider,
    provider_arn,
    request,
    token,
)
from world_handle import WorldHandle

from rolecall.call_log.refusals import refusal_details
from rolecall.errors import AwsError
from rolecall.identity_providers import oidc_tokens
from rolecall.ids import Identifiers
from rolecall.services.sts.propagated_identity import Propagation, propagated_identity
from rolecall.services.sts.web_identity_claims import values_of_claim
from rolecall.storage.context_providers import ContextProvider
from rolecall.worlds.declare import read_world

OPERATION = "AssumeRoleWithWebIdentity"
INVALID = "InvalidIdentityToken"
INSTANCE = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
MEMBER = "TrustedIdentityPropagationContext"
WHOLE = {
    "subject": "email",
    "subject_type_from": "kind",
    "keys": [{"source": "https://idp.example.com/dept", "target": "Dept"}, {"source": "level"}],
}
CLAIMS = {"email": "ana@example.com", "kind": "user", "https://idp.example.com/dept": "sales", "level": 3}
SUBJECT_KEY = "aws:OriginIdentity/Subject"
DEPT_KEY = "aws:TransactionContext/IdentityProvider/Dept"


def ana_only(**more: str) -> dict[str, Any]:
    return {"StringEquals": {SUBJECT_KEY: "ana@example.com", **more}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("providers")


@pytest.fixture
def make(folder: Path) -> Any:
    """Worlds with a provider that propagates; ``context_provider`` and others replace its parts."""
    handles: list[WorldHandle] = []

    def made(*roles: dict[str, Any], organization: Any = None, others: Any = (), **changed: Any) -> WorldHandle:
        mapped = provider(folder, ISSUER, **{"context_provider": WHOLE, **changed})
        open_to_all = role("open", federated(provider_arn(), EVERY_ACTION), allow("*"))
        first = account(roles=[open_to_all, *roles], oidc_providers=[mapped], users=[user("ben", allow("*"))])
        more = {} if organization is None else {"organization": organization}
        handles.append(
            WorldHandle(read_world(declared(first, account(OTHER, roles=list(others)), **more), str(folder)))
        )
        return handles[-1]

    yield made
    for handle in handles:
        handle.close()


def assumed(world: Any, name: str = "open", **claims: Any) -> dict[str, Any]:
    text = token(**{**CLAIMS, **claims})
    return world.client("sts").assume_role_with_web_identity(**request(name, text))  # type: ignore[no-any-return]


def told(world: Any, name: str = "open", **claims: Any) -> Any:
    return answered(world.client("sts"), OPERATION, **request(name, token(**{**CLAIMS, **claims})))


def session(world: Any, service: str = "sts", name: str = "open", **claims: Any) -> Any:
    return world.client(service, credentials=assumed(world, name, **claims)["Credentials"])


# Where the keys come from.


def test_the_answer_shows_what_the_session_carries(make: Any) -> None:
    assert assumed(make())[MEMBER] == {
        "OriginIdentity": {
            "Subject": "ana@example.com",
            "SubjectType": "user",
            # "the iss claim of the token without the https:// prefix"
            "Issuer": HOST,
            "FederatedProviderArn": provider_arn(),
        },
        "TransactionContext": {"IdentityProvider": {"Dept": "sales", "level": "3"}},
    }


def test_members_of_keys_that_the_session_lacks_are_absent(make: Any) -> None:
    context = {"subject": "sub", "keys": [{"source": "absent"}]}
    assert assumed(make(context_provider=context))[MEMBER] == {
        "OriginIdentity": {"Subject": "ana", "Issuer": HOST, "FederatedProviderArn": provider_arn()}
    }


def test_without_a_context_provider_there_is_none(folder: Path, make: Any) -> None:
    world = make(context_provider={"subject": "sub"})
    iam = world.client("iam")
    iam.update_open_id_connect_provider(OpenIDConnectProviderArn=provider_arn(), RemoveContextProvider=True)
    assert MEMBER not in assumed(world)


def test_a_changed_mapping_counts_from_the_next_token_on(make: Any) -> None:
    world = make(role("r", trust(role_arn("open"), Condition=ana_only())))
    earlier = session(world)
    context = {"SubjectSourceKey": "sub", "SubjectTypeValue": "workload"}
    world.client("iam").update_open_id_connect_provider(
        OpenIDConnectProviderArn=provider_arn(), ContextProvider=context
    )
    shown = assumed(world)[MEMBER]["OriginIdentity"]
    assert (shown["Subject"], shown["SubjectType"]) == ("ana", "workload")
    # What a session carries stays as it is for the life of the session.
    assert answered(earlier, "AssumeRole", RoleArn=role_arn("r"), RoleSessionName="session") == "allowed"
    assert answered(session(world), "AssumeRole", RoleArn=role_arn("r"), RoleSessionName="session") != "allowed"


def test_a_list_with_one_text_is_one_value(make: Any) -> None:
    assert assumed(make(), email=["ana@example.com"])[MEMBER]["OriginIdentity"]["Subject"] == "ana@example.com"


@pytest.mark.parametrize(
    "claims",
    [
        {"email": None},
        {"email": ""},
        {"email": "  "},
        {"email": ["ana@example.com", "ben@example.com"]},
        # Each member of a list counts, also one that is no text.
        {"email": ["ana@example.com", {"address": "ben@example.com"}]},
        {"email": ["ana@example.com", ["ben@example.com"]]},
        {"email": ["ana@example.com", None]},
        {"email": ["ana@example.com", "\ud800"]},
        {"email": []},
        {"email": {"address": "ana@example.com"}},
        {"email": "a" * 256},
        {"email": "ana\x00"},
        {"email": "\ud800"},
        {"kind": ["user", "workload"]},
        {"kind": "k" * 129},
        {"level": "v" * 129},
        {"level": ["a", "b"]},
        {"level": {"a": 1}},
        {"https://idp.example.com/dept": "d" * 129},
    ],
)
def test_tokens_that_do_not_fit_the_mapping(make: Any, claims: dict[str, Any]) -> None:
    assert told(make(), **claims)[:2] == (400, INVALID)


def test_values_of_full_length(make: Any) -> None:
    answer = assumed(make(), email="e" * 255, kind="k" * 128, level="ü" * 128)
    assert answer[MEMBER]["TransactionContext"]["IdentityProvider"]["level"] == "ü" * 128
    assert answer[MEMBER]["OriginIdentity"]["Subject"] == "e" * 255


def test_a_source_key_does_not_reach_into_a_claim(make: Any) -> None:
    world = make(context_provider={"subject": "realm/user"})
    assert told(world, realm={"user": "ana"})[:2] == (400, INVALID)
    assert assumed(world, **{"realm/user": "ana"})[MEMBER]["OriginIdentity"]["Subject"] == "ana"


def test_another_issuers_token_has_no_identity_of_this_provider(make: Any, folder: Path) -> None:
    """The signature comes first: a forged token is refused for its signature, whatever it maps to."""
    world = make()
    forged = token(header={"kid": "unknown"}, **{**CLAIMS, "email": None})
    status, code, message = refusal(world.client("sts"), OPERATION, **request("open", forged))
    assert (status, code) == (400, INVALID)
    assert message.startswith("Couldn't retrieve verification key")


def test_keys_that_are_too_many_for_a_token(make: Any) -> None:
    """STS API reference, TransactionContext: such a session is refused with PackedPolicyTooLarge."""
    keys = [{"source": f"key{number}"} for number in range(10)]
    world = make(context_provider={"subject": "sub", "keys": keys})
    for value, fits in (("v" * 128, True), ("ü" * 128, False)):
        text = token(**{f"key{number}": value for number in range(10)})
        result = answered(world.client("sts"), OPERATION, **request("open", text))
        assert result == "allowed" if fits else result[1] == "PackedPolicyTooLarge"


@pytest.mark.parametrize("listed", [True, False])
def test_a_provider_that_aws_knows_by_itself(folder: Path, make_world: Any, listed: bool) -> None:
    google = provider(folder, f"https://{GOOGLE}", client_ids=[], **({"context_provider": WHOLE} if listed else {}))
    world = WorldHandle(
        read_world(declared(account(roles=[role("r", federated(GOOGLE))], oidc_providers=[google])), str(folder))
    )
    text = token(iss=f"https://{GOOGLE}", **CLAIMS)
    answer = world.client("sts").assume_role_with_web_identity(**request("r", text))
    if listed:
        origin = answer[MEMBER]["OriginIdentity"]
        assert (origin["Issuer"], origin["FederatedProviderArn"]) == (GOOGLE, provider_arn(GOOGLE))
    assert (MEMBER in answer) == listed
    world.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=140),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(email=json_values, kind=json_values, level=json_values)
def test_no_claim_makes_a_value_outside_the_limits(email: Any, kind: Any, level: Any) -> None:
    mapping = ContextProvider("email", None, "kind", (("level", "Level"),))
    propagation = Propagation(provider_arn(), mapping)
    claims = {"email": email, "kind": kind, "level": level}
    refused = ""
    identity = None
    try:
        identity = propagated_identity(propagation, HOST, partial(values_of_claim, claims))
    except AwsError as error:
        refused = error.code
    assert (identity is None) == bool(refused)
    if identity is None:
        assert refused == INVALID
        return
    assert 1 <= len(identity.subject.strip()) <= len(identity.subject) <= 255
    shown = identity.as_member()
    claimed = shown.get("TransactionContext", {}).get("IdentityProvider", {})
    for value in (*shown["OriginIdentity"].values(), *claimed.values()):
        assert isinstance(value, str)
        fromstring(f"<a>{escape(value)}</a>".encode())  # noqa: S314 - whether XML can hold it
    assert all(len(value) <= 128 for _, value in identity.claims)
    assert len(identity.subject_type) <= 128
    assert {key for key, _ in identity.condition_keys()} <= {
        "aws:originidentity/subject",
        "aws:originidentity/subjecttype",
        "aws:originidentity/issuer",
        "aws:originidentity/federatedproviderarn",
        "aws:transactioncontext/identityprovider/level",
    }


# Policies that name the keys.


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        (ana_only(), True),
        (ana_only(**{DEPT_KEY: "sales"}), True),
        ({"StringEquals": {SUBJECT_KEY.lower(): "ana@example.com", DEPT_KEY.upper(): "sales"}}, True),
        ({"StringEquals": {"aws:OriginIdentity/SubjectType": "user"}}, True),
        ({"StringEquals": {"aws:OriginIdentity/Issuer": HOST}}, True),
        ({"ArnEquals": {"aws:OriginIdentity/FederatedProviderArn": provider_arn()}}, True),
        ({"NumericGreaterThan": {"aws:TransactionContext/IdentityProvider/level": "2"}}, True),
        ({"Null": {"aws:IdentityCenterInstanceArn": "true", "aws:IdentityStoreArn": "true"}}, True),
        ({"StringEquals": {SUBJECT_KEY: "ben@example.com"}}, False),
        (ana_only(**{DEPT_KEY: "legal"}), False),
        # The key has the target's name, not the source's.
        ({"Null": {"aws:TransactionContext/IdentityProvider/https://idp.example.com/dept": "false"}}, False),
        ({"StringEquals": {"aws:OriginIdentity/Issuer": ISSUER}}, False),
        ({"StringEquals": {"aws:PrincipalTag/Dept": "sales"}}, False),
    ],
)
def test_a_trust_policy(make: Any, condition: dict[str, Any], allowed: bool) -> None:
    world = make(role("r", federated(provider_arn(), EVERY_ACTION, Condition=condition)))
    result = told(world, "r")
    assert result == "allowed" if allowed else result[:2] == (403, "AccessDenied")


def test_a_trust_policy_that_denies(make: Any) -> None:
    trusting = federated(provider_arn(), EVERY_ACTION)
    denying = {**trusting["Statement"][0], "Effect": "Deny", "Condition": {"StringNotLike": {SUBJECT_KEY: "ana@*"}}}
    world = make(role("r", policy(trusting["Statement"][0], denying)))
    assert told(world, "r") == "allowed"
    assert told(world, "r", email="ben@example.com")[:2] == (403, "AccessDenied")


def test_an_identity_policy_in_every_later_request(make: Any) -> None:
    rights = policy(
        statement("iam:ListUsers", Condition=ana_only()),
        statement("iam:GetUser", "arn:aws:iam::*:user/${aws:TransactionContext/IdentityProvider/Dept}"),
        statement("iam:ListRoles"),
        statement("iam:ListRoles", effect="Deny", Condition={"StringEquals": {DEPT_KEY: "legal"}}),
    )
    world = make(role("r", federated(provider_arn()), rights))
    world.client("iam").create_user(UserName="sales")
    ana, ben = (
        session(world, "iam", "r"),
        session(world, "iam", "r", email="ben@example.com", **{"https://idp.example.com/dept": "legal"}),
    )
    for _ in range(2):
        assert answered(ana, "ListUsers") == answered(ana, "ListRoles") == "allowed"
        assert answered(ana, "GetUser", UserName="sales") == "allowed"
        assert answered(ben, "ListUsers")[1] == answered(ben, "ListRoles")[1] == "AccessDenied"
        assert answered(ben, "GetUser", UserName="sales")[1] == "AccessDenied"


def control(name: str, action: str, condition: dict[str, Any], **element: Any) -> dict[str, Any]:
    return {"name": name, "document": policy(statement(action, "*", "Deny", Condition=condition, **element))}


def test_a_service_control_policy(make: Any) -> None:
    condition = {"StringNotEquals": {SUBJECT_KEY: "ana@example.com"}}
    organization = {
        "id": "o-example1234",
        "management_account": OTHER,
        "service_control_policies": [control("guard", "iam:ListUsers", condition)],
    }
    world = make(organization=organization)
    assert answered(session(world, "iam"), "ListUsers") == "allowed"
    assert answered(session(world, "iam", email="ben@example.com"), "ListUsers")[1] == "AccessDenied"
    # A caller without the key is not ana either.
    assert answered(world.client("iam", "ben"), "ListUsers")[1] == "AccessDenied"


def test_a_resource_control_policy(make: Any) -> None:
    condition = {"StringNotEquals": {"aws:TransactionContext/IdentityProvider/Dept": "sales"}}
    guard = control("guard", "sts:AssumeRole*", condition, Principal="*")
    organization = {
        "id": "o-example1234",
        "management_account": OTHER,
        "resource_control_policies": [guard],
    }
    world = make(role("next", trust(role_arn("open"))), organization=organization)
    assert told(world) == "allowed"
    assert told(world, **{"https://idp.example.com/dept": "legal"})[1] == "AccessDenied"
    chained = {"RoleArn": role_arn("next"), "RoleSessionName": "session"}
    assert answered(session(world), "AssumeRole", **chained) == "allowed"
    assert answered(world.client("sts", "ben"), "AssumeRole", **chained)[1] == "AccessDenied"


def test_the_keys_of_identity_center(make: Any) -> None:
    condition = {"ArnEquals": {"aws:IdentityCenterInstanceArn": INSTANCE}}
    store = {"ArnLike": {"aws:IdentityStoreArn": f"arn:aws:identitystore::{ACCOUNT}:identitystore/d-*"}}
    both = {"Condition": {**condition, **store}}
    roles = [role("r", federated(provider_arn(), **both), allow("iam:ListUsers", **both))]
    with_instance = make(*roles, identity_center_instance=INSTANCE)
    answer = assumed(with_instance, "r")
    # "Other keys in the session, such as aws:IdentityCenterInstanceArn and aws:IdentityStoreArn …, are not returned."
    assert "sso" not in json.dumps(answer[MEMBER])
    assert "identitystore" not in json.dumps(answer[MEMBER])
    assert answered(with_instance.client("iam", credentials=answer["Credentials"]), "ListUsers") == "allowed"
    assert told(make(*roles), "r")[1] == "AccessDenied"


# Role chains.


def chain(world: Any, client: Any, *names: str, **more: Any) -> Any:
    for name in names:
        arn = name if name.startswith("arn:") else role_arn(name)
        answer = client.assume_role(RoleArn=arn, RoleSessionName="session", **more)
        assert MEMBER not in answer
        client = world.client("sts", credentials=answer["Credentials"])
    return client


def test_it_is_kept_through_a_chain_and_into_another_account(make: Any) -> None:
    only = {"Condition": ana_only(**{DEPT_KEY: "sales", "aws:OriginIdentity/Issuer": HOST})}
    anyone = trust([role_arn("open"), role_arn("second")], **only)
    elsewhere = role("partner", trust(role_arn("third"), **only), allow("*", **only))
    world = make(
        role("second", anyone, allow("sts:*", **only)),
        role("third", trust(role_arn("second"), **only), allow("sts:*")),
        others=[elsewhere],
    )
    partner = role_arn("partner", OTHER)
    third = chain(world, session(world), "second", "third")
    answer = third.assume_role(RoleArn=partner, RoleSessionName="session")
    assert answer["AssumedRoleUser"]["Arn"] == session_arn("partner", account=OTHER)
    assert answered(world.client("iam", credentials=answer["Credentials"]), "ListUsers") == "allowed"
    ben = session(world, email="ben@example.com")
    assert answered(ben, "AssumeRole", RoleArn=role_arn("second"), RoleSessionName="session")[1] == "AccessDenied"


def test_scoped_credentials_keep_it(make: Any) -> None:
    """They are the same session."""
    world = make(
        role("second", trust(role_arn("open"), Condition=ana_only()), allow("iam:ListUsers", Condition=ana_only()))
    )
    for email, may in (("ana@example.com", True), ("ben@example.com", False)):
        scoped = session(world, email=email).get_scoped_credentials(DurationSeconds=900)
        assert MEMBER not in scoped
        client = world.client("sts", credentials=scoped["Credentials"])
        result = answered(client, "AssumeRole", RoleArn=role_arn("second"), RoleSessionName="session")
        assert result == "allowed" if may else result[1] == "AccessDenied"


def test_only_the_identity_goes_along(make: Any) -> None:
    """Keys of the token itself are about the first session alone."""
    no_key = {"Condition": {"Null": {f"{HOST}:sub": "true"}, **ana_only()}}
    world = make(role("second", trust(role_arn("open")), allow("iam:ListUsers", **no_key)))
    answer = session(world).assume_role(RoleArn=role_arn("second"), RoleSessionName="session")
    assert answered(world.client("iam", credentials=answer["Credentials"]), "ListUsers") == "allowed"


def test_a_session_without_an_identity_passes_none_on(make: Any) -> None:
    world = make(role("second", trust(root_arn(), Condition={"Null": {SUBJECT_KEY: "true"}}), allow("*")))
    ben = world.client("sts", "ben")
    assert chain(world, ben, "second").get_caller_identity()["Arn"] == session_arn("second")
    assert answered(session(world), "AssumeRole", RoleArn=role_arn("second"), RoleSessionName="s1")[1] == "AccessDenied"


# Nobody sets the keys otherwise.


@pytest.mark.parametrize("key", ["aws:OriginIdentity/Subject", "AWS:TransactionContext/IdentityProvider/Dept"])
def test_a_session_tag_cannot_have_such_a_key(make: Any, key: str) -> None:
    world = make(role("second", trust(root_arn(), ["sts:AssumeRole", "sts:TagSession"]), allow("*")))
    tags = [{"Key": key, "Value": "ana@example.com"}]
    for client in (world.client("sts", "ben"), session(world)):
        wanted = {"RoleArn": role_arn("second"), "RoleSessionName": "session", "Tags": tags}
        assert answered(client, "AssumeRole", **wanted)[1] == "InvalidParameterValue"
    claim = {"https://aws.amazon.com/tags": {"principal_tags": {key: ["ben"]}}}
    assert told(world, **claim)[1] == "InvalidParameterValue"


@pytest.mark.parametrize("key", ["OriginIdentity/Subject", "Subject", "TransactionContext/IdentityProvider/Dept"])
def test_a_session_tag_does_not_become_such_a_key(make: Any, key: str) -> None:
    passing = trust([root_arn(), role_arn("open")], ["sts:AssumeRole", "sts:TagSession"])
    world = make(
        role("second", passing, allow("*")),
        role("guarded", trust(role_arn("second"), ["sts:AssumeRole", "sts:TagSession"], Condition=ana_only())),
    )
    tags = {"Tags": [{"Key": key, "Value": "ana@example.com"}], "TransitiveTagKeys": [key]}
    wanted = {"RoleArn": role_arn("guarded"), "RoleSessionName": "session"}
    assert answered(chain(world, world.client("sts", "ben"), "second", **tags), "AssumeRole", **wanted)[1] == (
        "AccessDenied"
    )
    # Nor does it hide the one that the session has.
    ben = session(world, email="ben@example.com")
    assert answered(chain(world, ben, "second", **tags), "AssumeRole", **wanted)[1] == "AccessDenied"
    assert answered(chain(world, session(world), "second", **tags), "AssumeRole", **wanted) == "allowed"


def test_provided_contexts_do_not_set_it(make: Any) -> None:
    both = ["sts:AssumeRole", "sts:SetContext"]
    world = make(role("second", trust([root_arn(), role_arn("open")], both), allow("*")))
    context = {"ProviderArn": "arn:aws:iam::aws:contextProvider/IdentityCenter", "ContextAssertion": token(**CLAIMS)}
    wanted = {"RoleArn": role_arn("second"), "RoleSessionName": "session", "ProvidedContexts": [context]}
    for client in (world.client("sts", "ben"), session(world)):
        assert answered(client, "AssumeRole", **wanted)[:2] == (400, "InvalidContextAssertion")


def test_a_claim_of_that_name_sets_nothing_by_itself(make: Any) -> None:
    condition = {"Null": {"aws:OriginIdentity/Subject": "false"}}
    world = make(role("r", federated(provider_arn(), Condition=condition)))
    iam = world.client("iam")
    iam.update_open_id_connect_provider(OpenIDConnectProviderArn=provider_arn(), RemoveContextProvider=True)
    claims = {"aws:OriginIdentity/Subject": "ana", "OriginIdentity": {"Subject": "ana"}}
    assert told(world, "r", **claims)[1] == "AccessDenied"


def test_a_target_key_stays_below_its_prefix(make: Any) -> None:
    """A mapping can name its targets, but not leave aws:TransactionContext/IdentityProvider."""
    keys = [{"source": "level", "target": "../../OriginIdentity/Subject"}, {"source": "kind", "target": "Subject"}]
    denied = {"Condition": {"StringEquals": {SUBJECT_KEY: ["3", "user"]}}}
    world = make(role("r", federated(provider_arn(), **denied)), context_provider={"subject": "email", "keys": keys})
    assert told(world, "r")[1] == "AccessDenied"


# Rolecall's own tokens and assertions.


def test_rolecalls_own_issuer_mints_the_claims(make_world: Any) -> None:
    own = {"url": ISSUER, "client_ids": ["sts.amazonaws.com"], "keys": "rolecall", "context_provider": WHOLE}
    roles = [role("r", federated(provider_arn(), Condition=ana_only()))]
    world = make_world(declared(account(roles=roles, oidc_providers=[own])))
    for claims, may in ((CLAIMS, True), ({**CLAIMS, "email": "ben@example.com"}, False), ({}, False)):
        text = oidc_tokens.mint(world.database, world.clock, Identifiers(), issuer=ISSUER, claims=claims)
        result = answered(world.client("sts"), OPERATION, **request("r", text))
        assert result == "allowed" if may else result != "allowed"


# What is recorded.


def test_an_explanation_names_the_keys_as_aws_spells_them(make: Any) -> None:
    world = make(role("second", trust(role_arn("open"), Condition=ana_only())))
    ben = session(world, email="ben@example.com")
    assert answered(ben, "AssumeRole", RoleArn=role_arn("second"), RoleSessionName="session")[1] == "AccessDenied"
    explained = json.loads(refusal_details(world.outcomes[-1]).explanation)
    assert explained["context"][SUBJECT_KEY] == "ben@example.com"
    # What follows a listed key keeps the form in which the engine compares it.
    assert explained["context"]["aws:TransactionContext/IdentityProvider/dept"] == "sales"
    [condition] = explained["evaluations"][-1]["nearest"]["conditions"]
    assert (condition["key"], condition["met"]) == (SUBJECT_KEY, False)
    assert condition["policy_values"] == ["ana@example.com"]


def test_the_answers_identity_is_never_recorded(make: Any) -> None:
    # The model: "This element contains information about the end user. Do not log it."
    world = make()
    assumed(world)
    outcome = world.outcomes[-1]
    text = outcome.recorded.recorder.answer(outcome.recorded.answer)
    assert "assumedRoleUser" in text
    assert "trustedIdentity" not in text
    assert "ana@example.com" not in text
    assert "ana@example.com" not in repr(outcome.recorded)


def test_an_audience_still_counts(make: Any) -> None:
    assert told(make(), aud="elsewhere")[1] == INVALID
