"""OpenID Connect providers of IAM: what is stored, shown and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from iam_calls import ACCOUNT, OTHER_ACCOUNT, WORLD, fails, identity, put_rights, refusal

from rolecall.issuers import is_own, issuer_problem

URL = "https://idp.example.com/tenant/"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/idp.example.com/tenant/"
ABSENT = f"arn:aws:iam::{ACCOUNT}:oidc-provider/absent.example.com"
NOT_FOUND = f"OpenIDConnect Provider not found for arn {ABSENT}"
PRINT = "a" * 40


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(WORLD)


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def shown(iam: Any, arn: str = ARN) -> dict[str, Any]:
    answer = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn)
    del answer["ResponseMetadata"], answer["CreateDate"]
    return answer  # type: ignore[no-any-return]


def test_a_provider_is_kept_as_it_was_made(iam: Any, world: Any) -> None:
    tags = [{"Key": "Team", "Value": "blue"}]
    made = iam.create_open_id_connect_provider(Url=URL, ClientIDList=["b", "a"], ThumbprintList=[PRINT], Tags=tags)
    assert (made["OpenIDConnectProviderArn"], made["Tags"]) == (ARN, tags)
    expected = {"Url": "idp.example.com/tenant/", "ClientIDList": ["b", "a"], "ThumbprintList": [PRINT], "Tags": tags}
    assert shown(iam) == expected
    created = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=ARN)["CreateDate"].timestamp()
    assert abs(created - world.clock.now_seconds()) < 60
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == [
        {"Arn": ARN, "IsTrustedIdentityPropagationEnabled": False}
    ]


def test_everything_but_the_url_may_be_left_out(iam: Any) -> None:
    made = iam.create_open_id_connect_provider(Url=URL)
    assert "Tags" not in made
    assert shown(iam) == {"Url": "idp.example.com/tenant/", "ClientIDList": [], "ThumbprintList": [], "Tags": []}


def test_client_ids_come_and_go(iam: Any) -> None:
    iam.create_open_id_connect_provider(Url=URL, ClientIDList=["first", "second", "first"])
    for client_id in ("third", "second"):
        iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=ARN, ClientID=client_id)
    assert shown(iam)["ClientIDList"] == ["first", "second", "third"]
    for client_id in ("second", "never"):
        iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=ARN, ClientID=client_id)
    assert shown(iam)["ClientIDList"] == ["first", "third"]


def test_thumbprints_are_replaced(iam: Any) -> None:
    iam.create_open_id_connect_provider(Url=URL, ThumbprintList=[PRINT])
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=ARN, ThumbprintList=["b" * 40, "c" * 40])
    assert shown(iam)["ThumbprintList"] == ["b" * 40, "c" * 40]


def test_tags_ignore_case_and_come_in_pages(iam: Any) -> None:
    iam.create_open_id_connect_provider(Url=URL, Tags=[{"Key": "Team", "Value": "blue"}])
    tags = [{"Key": "team", "Value": "green"}, {"Key": "Stage", "Value": "test"}]
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=ARN, Tags=tags)
    first = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=ARN, MaxItems=1)
    assert (first["Tags"], first["IsTruncated"]) == ([{"Key": "Stage", "Value": "test"}], True)
    rest = iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=ARN, Marker=first["Marker"])
    assert (rest["Tags"], rest["IsTruncated"]) == ([{"Key": "team", "Value": "green"}], False)
    iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=ARN, TagKeys=["TEAM", "none"])
    assert shown(iam)["Tags"] == [{"Key": "Stage", "Value": "test"}]


def test_a_provider_that_is_deleted_is_gone(iam: Any) -> None:
    iam.create_open_id_connect_provider(Url=URL, ClientIDList=["a"], Tags=[{"Key": "k", "Value": "v"}])
    assert iam.get_account_summary()["SummaryMap"]["Providers"] == 1
    iam.delete_open_id_connect_provider(OpenIDConnectProviderArn=ARN)
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    assert iam.get_account_summary()["SummaryMap"]["Providers"] == 0
    iam.create_open_id_connect_provider(Url=URL)
    assert shown(iam)["ClientIDList"] == shown(iam)["Tags"] == []


def test_accounts_have_providers_of_their_own(iam: Any, world: Any) -> None:
    iam.create_open_id_connect_provider(Url=URL)
    other = world.client("iam", "kim")
    assert other.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    theirs = other.create_open_id_connect_provider(Url=URL)["OpenIDConnectProviderArn"]
    assert theirs == ARN.replace(ACCOUNT, OTHER_ACCOUNT)
    because = "no resource-based policy allows the iam:GetOpenIDConnectProvider action"
    caller = f"User: arn:aws:iam::{ACCOUNT}:user/admin is not authorized to perform: iam:GetOpenIDConnectProvider"
    message = f"{caller} on resource: {theirs} because {because}"
    fails(iam.get_open_id_connect_provider, "AccessDenied", message, 403, OpenIDConnectProviderArn=theirs)


@pytest.mark.parametrize(
    "url",
    [
        "idp.example.com",
        "http://idp.example.com",
        "ftp://idp.example.com",
        "https://",
        "https://idp.example.com:8443",
        "https://idp.example.com:port",
        "https://idp.example.com?tenant=a",
        "https://idp.example.com/#a",
        "https://idp.example.com/?",
        "https://ana@idp.example.com",
        "https://idp.example.com/a b",
        "https://idp example.com",
        "https://idp.example.com/*",
        "https://[::1",
        "HTTPS://idp.example.com",
        "https:/idp.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
    ],
)
def test_invalid_urls_of_a_provider(iam: Any, url: str) -> None:
    message = "Invalid Open ID Connect Provider URL"
    fails(iam.create_open_id_connect_provider, "ValidationError", message, 400, Url=url)
    assert issuer_problem(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://token.actions.githubusercontent.com",
        "https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
        "https://tenant.auth0.com/",
        "http://localhost:8080/realms/test",
        "http://127.0.0.1:4580/_rolecall/oidc/ci",
        "http://[::1]:4580/idp",
        "http://rolecall.localhost/_rolecall/oidc/ci",
        "http://rolecall:4580/_rolecall/oidc/ci",
    ],
)
def test_what_may_be_a_provider(iam: Any, url: str) -> None:
    arn = iam.create_open_id_connect_provider(Url=url)["OpenIDConnectProviderArn"]
    assert arn == f"arn:aws:iam::{ACCOUNT}:oidc-provider/{url.partition('://')[2]}"
    assert is_own(url) == ("/_rolecall/" in url)


@pytest.mark.parametrize(
    "path", ["/_rolecall/oidc/", "/_rolecall/oidc/a/b", "/x/_rolecall/oidc/a", "/_rolecall/oidc/.a"]
)
def test_only_the_paths_of_issuers_are_rolecalls_own(path: str) -> None:
    assert not is_own(f"http://rolecall/_rolecall/oidc/{path}")


def test_one_provider_for_a_url(iam: Any) -> None:
    iam.create_open_id_connect_provider(Url=URL)
    message = f"Provider with url {URL} already exists."
    fails(iam.create_open_id_connect_provider, "EntityAlreadyExists", message, 409, Url=URL)


def test_limits_of_a_provider(iam: Any) -> None:
    full = [f"client-{number}" for number in range(100)]
    message = "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100"
    fails(iam.create_open_id_connect_provider, "LimitExceeded", message, 409, Url=URL, ClientIDList=[*full, "more"])
    prints = [f"{number:040}" for number in range(6)]
    too_many = "Thumbprint list must contain fewer than 5 entries."
    fails(iam.create_open_id_connect_provider, "InvalidInput", too_many, 400, Url=URL, ThumbprintList=prints)
    iam.create_open_id_connect_provider(Url=URL, ClientIDList=full, ThumbprintList=prints[:5])
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=ARN, ClientID="client-0")
    arguments: dict[str, Any] = {"OpenIDConnectProviderArn": ARN, "ClientID": "more"}
    fails(iam.add_client_id_to_open_id_connect_provider, "LimitExceeded", message, 409, **arguments)
    arguments = {"OpenIDConnectProviderArn": ARN, "ThumbprintList": prints}
    fails(iam.update_open_id_connect_provider_thumbprint, "InvalidInput", too_many, 400, **arguments)
    tags = [{"Key": f"key-{number}", "Value": ""} for number in range(50)]
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=ARN, Tags=tags)
    message = "The number of tags has reached the maximum limit."
    arguments = {"OpenIDConnectProviderArn": ARN, "Tags": [{"Key": "more", "Value": ""}]}
    fails(iam.tag_open_id_connect_provider, "LimitExceeded", message, 409, **arguments)


def test_a_hundred_providers_in_an_account(iam: Any) -> None:
    for number in range(100):
        iam.create_open_id_connect_provider(Url=f"https://idp-{number}.example.com")
    code, _, status = refusal(iam.create_open_id_connect_provider, Url=URL)
    assert (code, status) == ("LimitExceeded", 409)


def test_limits_of_the_model_are_reported_together(iam: Any) -> None:
    code, message, _ = refusal(
        iam.create_open_id_connect_provider,
        Url=f"https://{'a' * 300}.example.com",
        ClientIDList=["c" * 256],
        ThumbprintList=["d" * 41],
    )
    assert code == "ValidationError"
    assert message.startswith("3 validation errors detected: ")


OPERATIONS: dict[str, dict[str, Any]] = {
    "get_open_id_connect_provider": {},
    "add_client_id_to_open_id_connect_provider": {"ClientID": "a"},
    "remove_client_id_from_open_id_connect_provider": {"ClientID": "a"},
    "update_open_id_connect_provider_thumbprint": {"ThumbprintList": [PRINT]},
    "tag_open_id_connect_provider": {"Tags": [{"Key": "k", "Value": "v"}]},
    "untag_open_id_connect_provider": {"TagKeys": ["k"]},
    "list_open_id_connect_provider_tags": {},
}


@pytest.mark.parametrize("operation", [*OPERATIONS, "delete_open_id_connect_provider"])
def test_a_provider_that_is_not_there(iam: Any, operation: str) -> None:
    call, arguments = getattr(iam, operation), OPERATIONS.get(operation, {})
    message = NOT_FOUND if operation in OPERATIONS else f"OpenId connect Provider {ABSENT} cannot be found."
    fails(call, "NoSuchEntity", message, 404, OpenIDConnectProviderArn=ABSENT, **arguments)
    for arn in ("arn:aws:iam::111122223333:user/ana", "no-arn-but-twenty-characters"):
        message = f"ARN {arn} is not valid."
        fails(call, "ValidationError", message, 400, OpenIDConnectProviderArn=arn, **arguments)


@pytest.mark.parametrize("operation", [*OPERATIONS, "delete_open_id_connect_provider"])
def test_every_call_needs_its_permission_on_the_provider(world: Any, iam: Any, operation: str) -> None:
    iam.create_open_id_connect_provider(Url=URL, ClientIDList=["z"], Tags=[{"Key": "Team", "Value": "blue"}])
    bob = world.client("iam", "bob")
    arguments = {"OpenIDConnectProviderArn": ARN, **OPERATIONS.get(operation, {})}
    code, message, _ = refusal(getattr(bob, operation), **arguments)
    action = message.partition("perform: ")[2].partition(" ")[0]
    assert (code, message.count(ARN), action.lower().removeprefix("iam:")) == (
        "AccessDenied",
        1,
        operation.replace("_", ""),
    )
    condition = {"StringEquals": {"aws:ResourceTag/team": "blue"}}
    put_rights(iam, "bob", "own", identity(action, ARN, Condition=condition))
    getattr(bob, operation)(**arguments)


def test_tags_of_a_new_provider_need_their_own_permission(world: Any, iam: Any) -> None:
    bob = world.client("iam", "bob")
    put_rights(iam, "bob", "own", identity("iam:CreateOpenIDConnectProvider", ARN))
    tags = [{"Key": "Team", "Value": "blue"}]
    code, message, _ = refusal(bob.create_open_id_connect_provider, Url=URL, Tags=tags)
    assert (code, f"iam:TagOpenIDConnectProvider on resource: {ARN}" in message) == ("AccessDenied", True)
    bob.create_open_id_connect_provider(Url=URL)


def test_a_trust_policy_may_name_a_provider_that_is_not_there(iam: Any) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": ABSENT},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {"absent.example.com:aud": "a"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.create_role(RoleName="federated", AssumeRolePolicyDocument=document)
    shown_role = iam.get_role(RoleName="federated")["Role"]
    assert shown_role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"Federated": ABSENT}
