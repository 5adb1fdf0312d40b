"""Temporary delegation: from a partner's request to its session, with every possible error on the way."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from logged_worlds import keep_log
from logged_worlds import refused as refused_call
from sts_calls import allow, deny, refusal, statement, trust

from rolecall.ids import authorization_id
from rolecall.services.catalogue import all_operations
from rolecall.services.iam.delegation.delegation_templates import render
from rolecall.services.registry import no_permission
from rolecall.storage import keyring

CUSTOMER = "111122223333"
PARTNER = "444455556666"
STRANGER = "777788889999"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
EVERYTHING = "arn:aws:iam::aws:policy/AdministratorAccess"
TEMPLATE = f"arn:aws:iam::{PARTNER}:policy/template"
TOPIC = f"arn:aws:sns:us-east-1:{PARTNER}:updates"
BAD_TOKEN = (403, "AccessDenied", "The trade-in token is invalid.")
DAY = 86_400


def person(name: str, *statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    own = {"own": {"Version": "2012-10-17", "Statement": list(statements)}} if statements else {}
    return {"name": name, "access_keys": [{"id": f"{name}_key", "secret": f"{name}-secret"}], "inline_policies": own}


def world_text(**template: Any) -> str:
    document = {"Version": "2012-10-17", "Statement": [{**statement("chime:*"), **template}]}
    everyone = {"Effect": "Allow", "Principal": {"AWS": CUSTOMER}, "Action": "sts:AssumeRole"}
    customer = {
        "id": CUSTOMER,
        "name": "customer",
        "root_access_keys": [{"id": "root_key", "secret": "root-secret"}],
        "users": [
            person("admin", statement("*")),
            person("weak", statement("iam:AssociateDelegationRequest")),
            person("nobody"),
            person("barred", statement("iam:AssociateDelegationRequest"), statement("iam:*", effect="Deny")),
        ],
        "roles": [
            {
                "name": "approver",
                "trust_policy": {"Version": "2012-10-17", "Statement": [everyone]},
                "inline_policies": {"own": {"Version": "2012-10-17", "Statement": [statement("*")]}},
            }
        ],
        "chime_accounts": [{"name": "Team", "users": [{"email": "ana@example.com"}]}],
    }
    partner = {
        "id": PARTNER,
        "name": "partner",
        "users": [person("partner", statement("*")), person("powerless")],
        "policies": [{"name": "template", "document": document}],
    }
    stranger = {"id": STRANGER, "name": "stranger", "users": [person("stranger", statement("*"))]}
    return json.dumps({"version": 1, "accounts": [customer, partner, stranger]})


class Delegation:
    """One sandbox and the calls of its users."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.workflows = 0

    def iam(self, who: str = "admin") -> Any:
        return self.world.client("iam", who)

    def create(self, who: str = "partner", **more: Any) -> str:
        self.workflows += 1
        asked = {
            "Description": "Set up",
            "Permissions": {"PolicyTemplateArn": READ_ONLY},
            "RequestorWorkflowId": f"workflow-{self.workflows}",
            "NotificationChannel": TOPIC,
            "SessionDuration": 3600,
            **more,
        }
        return self.iam(who).create_delegation_request(**asked)["DelegationRequestId"]  # type: ignore[no-any-return]

    def accepted(self, approver: Any = None, **more: Any) -> str:
        request_id = self.create(**more)
        approver = approver or self.iam()
        approver.associate_delegation_request(DelegationRequestId=request_id)
        approver.accept_delegation_request(DelegationRequestId=request_id)
        return request_id

    def sent(self, approver: Any = None, **more: Any) -> str:
        request_id = self.accepted(approver, **more)
        (approver or self.iam()).send_delegation_token(DelegationRequestId=request_id)
        return self.token(request_id)["trade_in_token"]  # type: ignore[no-any-return]

    def delivered(self, request_id: str) -> Any:
        return self.world.application.test_client().get(f"/_rolecall/delegation-requests/{request_id}/token")

    def token(self, request_id: str) -> Any:
        answer = self.delivered(request_id)
        assert answer.status_code == 200, answer.text
        return answer.json

    def exchange(self, token: str, who: str = "partner") -> Any:
        return self.world.client("sts", who).get_delegated_access_token(TradeInToken=token)

    def chime(self, token: str) -> Any:
        return self.world.client("chime", credentials=self.exchange(token)["Credentials"])

    def shown(self, request_id: str, who: str = "admin") -> Any:
        return self.iam(who).get_delegation_request(DelegationRequestId=request_id)["DelegationRequest"]


@pytest.fixture
def delegation(make_world: Any) -> Delegation:
    return Delegation(make_world(world_text()))


def test_a_partner_acts_as_the_approver_within_the_policy_it_asked_for(delegation: Delegation) -> None:
    request_id = delegation.create(OwnerAccountId=CUSTOMER)
    admin = delegation.iam()
    admin.associate_delegation_request(DelegationRequestId=request_id)
    admin.accept_delegation_request(DelegationRequestId=request_id)
    assert delegation.delivered(request_id).status_code == 404
    admin.send_delegation_token(DelegationRequestId=request_id)
    token = delegation.token(request_id)
    assert token["notification_channel"] == TOPIC
    assert (token["delegation_request_id"], token["requestor_account_id"]) == (request_id, PARTNER)

    answer = delegation.exchange(token["trade_in_token"])
    assert answer["AssumedPrincipal"] == f"arn:aws:iam::{CUSTOMER}:user/admin"
    assert answer.keys() - {"ResponseMetadata"} == {"Credentials", "AssumedPrincipal"}
    credentials = answer["Credentials"]
    caller = delegation.world.client("sts", credentials=credentials).get_caller_identity()
    assert caller["Arn"] == f"arn:aws:iam::{CUSTOMER}:user/admin"
    chime = delegation.world.client("chime", credentials=credentials)
    (account,) = chime.list_accounts()["Accounts"]
    message = refusal(chime, "update_account", AccountId=account["AccountId"], Name="New")
    assert message[:2] == (403, "ForbiddenException")
    assert "because no session policy allows the chime:UpdateAccount action" in message[2]


def refused(call: Any, **parameters: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_what_a_request_shows_on_its_way(delegation: Delegation) -> None:
    clock = delegation.world.clock
    clock.freeze()
    request_id = delegation.create(
        RequestMessage="Please", RedirectUrl="https://example.com/done", OnlySendByOwner=True
    )
    shown = delegation.shown(request_id)
    assert shown["State"] == "UNASSIGNED"
    assert shown["RequestorId"] == PARTNER
    assert shown["RequestorName"] == "partner"
    assert shown["Permissions"] == {"PolicyTemplateArn": READ_ONLY}
    assert json.loads(shown["PermissionPolicy"])["Statement"][0]["Effect"] == "Allow"
    assert (shown["RequestMessage"], shown["RedirectUrl"]) == ("Please", "https://example.com/done")
    assert (shown["SessionDuration"], shown["OnlySendByOwner"]) == (3600, True)
    assert (shown["ExpirationTime"] - shown["CreateDate"]).total_seconds() == DAY
    assert not {"OwnerId", "OwnerAccountId", "ApproverId", "Notes", "RejectionReason"} & set(shown)

    admin = delegation.iam()
    admin.associate_delegation_request(DelegationRequestId=request_id)
    clock.advance(seconds=60)
    shown = delegation.shown(request_id)
    assert (shown["State"], shown["OwnerAccountId"]) == ("ASSIGNED", CUSTOMER)
    assert shown["OwnerId"] == f"arn:aws:iam::{CUSTOMER}:user/admin"
    admin.update_delegation_request(DelegationRequestId=request_id, Notes="For the boss")
    shown = delegation.shown(request_id)
    assert (shown["State"], shown["Notes"]) == ("PENDING_APPROVAL", "For the boss")
    assert (shown["UpdatedTime"] - shown["CreateDate"]).total_seconds() == 60
    assert (shown["ExpirationTime"] - shown["UpdatedTime"]).total_seconds() == 7 * DAY
    boss = delegation.world.client("iam", credentials=delegation.world.assume("approver"))
    boss.accept_delegation_request(DelegationRequestId=request_id)
    shown = delegation.shown(request_id)
    assert (shown["State"], shown["Notes"]) == ("ACCEPTED", "For the boss")
    assert shown["ApproverId"] == f"arn:aws:sts::{CUSTOMER}:assumed-role/approver/session"
    boss.reject_delegation_request(DelegationRequestId=request_id, Notes="No")
    shown = delegation.shown(request_id)
    assert (shown["State"], shown["RejectionReason"]) == ("REJECTED", "No")
    assert delegation.delivered(request_id).status_code == 404


STEPS = {
    "associate": "UNASSIGNED",
    "update": "ASSIGNED PENDING_APPROVAL",
    "accept": "ASSIGNED PENDING_APPROVAL",
    "reject": "ASSIGNED PENDING_APPROVAL ACCEPTED",
    "send": "ACCEPTED",
}
ROADS: dict[str, tuple[str, ...]] = {
    "UNASSIGNED": (),
    "ASSIGNED": ("associate",),
    "PENDING_APPROVAL": ("associate", "update"),
    "ACCEPTED": ("associate", "accept"),
    "FINALIZED": ("associate", "accept", "send"),
    "REJECTED": ("associate", "reject"),
    "EXPIRED": ("associate",),
}


@pytest.mark.parametrize("state", ROADS)
@pytest.mark.parametrize("step", STEPS)
def test_each_step_starts_from_its_states_only(delegation: Delegation, state: str, step: str) -> None:
    admin = delegation.iam()
    steps = {name: getattr(admin, f"{name}_delegation_{'token' if name == 'send' else 'request'}") for name in STEPS}
    request_id = delegation.create()
    for name in ROADS[state]:
        steps[name](DelegationRequestId=request_id)
    if state == "EXPIRED":
        delegation.world.clock.advance(seconds=7 * DAY)
    assert delegation.shown(request_id)["State"] == state
    if state in STEPS[step].split():
        steps[step](DelegationRequestId=request_id)
    else:
        expected = (409, "ConcurrentModification") if step == "accept" else (400, "InvalidInput")
        assert refused(steps[step], DelegationRequestId=request_id) == expected
        assert delegation.shown(request_id)["State"] == state


@pytest.mark.parametrize(("state", "days"), [("UNASSIGNED", 1), ("ASSIGNED", 7), ("ACCEPTED", 7), ("REJECTED", 7)])
def test_requests_expire_when_nothing_is_done(delegation: Delegation, state: str, days: int) -> None:
    delegation.world.clock.freeze()
    request_id = delegation.create()
    for step in ROADS[state]:
        getattr(delegation.iam(), f"{step}_delegation_request")(DelegationRequestId=request_id)
    delegation.world.clock.advance(seconds=days * DAY - 1)
    assert delegation.shown(request_id)["State"] == state
    delegation.world.clock.advance(seconds=1)
    assert delegation.shown(request_id)["State"] == "EXPIRED"


def test_accounts_that_may_see_a_request(delegation: Delegation) -> None:
    missing = (404, "NoSuchEntity")
    stranger, admin = delegation.iam("stranger"), delegation.iam()
    steps = ("get", "associate", "update", "accept", "reject")

    open_to_all = delegation.create()
    assert delegation.shown(open_to_all, "stranger")["State"] == "UNASSIGNED"
    meant = delegation.create(OwnerAccountId=CUSTOMER)
    taken = delegation.create()
    admin.associate_delegation_request(DelegationRequestId=taken)
    for request_id in (meant, taken, "0" * 36):
        for step in steps:
            call = getattr(stranger, f"{step}_delegation_request")
            assert refused(call, DelegationRequestId=request_id) == missing
        assert refused(stranger.send_delegation_token, DelegationRequestId=request_id) == missing
    # The requestor may read it, and do nothing else.
    assert delegation.shown(taken, "partner")["State"] == "ASSIGNED"
    for step in steps[1:]:
        call = getattr(delegation.iam("partner"), f"{step}_delegation_request")
        assert refused(call, DelegationRequestId=taken) == missing


def test_the_owner_may_look_and_forward_without_a_policy(delegation: Delegation) -> None:
    weak, denied = delegation.iam("weak"), (403, "AccessDenied")
    request_id = delegation.create()
    assert refused(weak.get_delegation_request, DelegationRequestId=request_id) == denied
    weak.associate_delegation_request(DelegationRequestId=request_id)
    assert delegation.shown(request_id, "weak")["State"] == "ASSIGNED"
    assert refused(delegation.iam("nobody").get_delegation_request, DelegationRequestId=request_id) == denied
    weak.update_delegation_request(DelegationRequestId=request_id)
    assert delegation.shown(request_id, "weak")["State"] == "PENDING_APPROVAL"
    for step in (weak.accept_delegation_request, weak.reject_delegation_request, weak.send_delegation_token):
        assert refused(step, DelegationRequestId=request_id) == denied
    delegation.iam().put_user_policy(
        UserName="weak", PolicyName="no", PolicyDocument=json.dumps(deny("iam:GetDelegationRequest"))
    )
    assert refused(weak.get_delegation_request, DelegationRequestId=request_id) == denied


CREATE = "iam:CreateDelegationRequest"
NEW = f"arn:aws:iam::{PARTNER}:delegation-request/*"


@pytest.mark.parametrize(
    ("document", "allowed"),
    [
        (allow(CREATE, NEW), True),
        (allow(CREATE, f"arn:aws:iam::{CUSTOMER}:delegation-request/*"), False),
        (allow(CREATE, Condition={"NumericLessThanEquals": {"iam:DelegationDuration": "3600"}}), True),
        (allow(CREATE, Condition={"NumericLessThan": {"iam:DelegationDuration": "3600"}}), False),
        (allow(CREATE, Condition={"StringEquals": {"iam:NotificationChannel": TOPIC}}), True),
        (allow(CREATE, Condition={"StringEquals": {"iam:NotificationChannel": TOPIC + "2"}}), False),
        (allow(CREATE, Condition={"ArnEquals": {"iam:TemplateArn": READ_ONLY}}), True),
        (allow(CREATE, Condition={"ArnEquals": {"iam:TemplateArn": EVERYTHING}}), False),
    ],
)
def test_permission_to_create(delegation: Delegation, document: dict[str, Any], allowed: bool) -> None:
    delegation.iam("partner").put_user_policy(
        UserName="powerless", PolicyName="own", PolicyDocument=json.dumps(document)
    )
    if allowed:
        delegation.create("powerless")
    else:
        with pytest.raises(ClientError) as caught:
            delegation.create("powerless")
        assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_permission_by_the_owner_of_a_request(delegation: Delegation) -> None:
    mine = {"ArnEquals": {"iam:DelegationRequestOwner": f"arn:aws:iam::{CUSTOMER}:user/weak"}}
    actions = ["iam:AcceptDelegationRequest", "iam:ListDelegationRequests"]
    policy = allow(actions, Condition=mine)
    delegation.iam().put_user_policy(UserName="nobody", PolicyName="own", PolicyDocument=json.dumps(policy))
    of_weak, of_admin = delegation.create(), delegation.create()
    delegation.iam("weak").associate_delegation_request(DelegationRequestId=of_weak)
    delegation.iam().associate_delegation_request(DelegationRequestId=of_admin)
    nobody = delegation.iam("nobody")
    nobody.accept_delegation_request(DelegationRequestId=of_weak)
    assert refused(nobody.accept_delegation_request, DelegationRequestId=of_admin) == (403, "AccessDenied")
    assert refused(nobody.list_delegation_requests) == (403, "AccessDenied")
    (found,) = nobody.list_delegation_requests(OwnerId=f"arn:aws:iam::{CUSTOMER}:user/weak")["DelegationRequests"]
    assert found["DelegationRequestId"] == of_weak


def test_lists_hold_owned_requests_of_the_account_page_by_page(delegation: Delegation) -> None:
    admin = delegation.iam()
    delegation.create(OwnerAccountId=CUSTOMER)
    owned = {delegation.create() for _ in range(5)}
    for request_id in owned:
        admin.associate_delegation_request(DelegationRequestId=request_id)
    elsewhere = delegation.create()
    delegation.iam("stranger").associate_delegation_request(DelegationRequestId=elsewhere)
    found: list[str] = []
    more: dict[str, Any] = {}
    for expected in (2, 2, 1):
        page = admin.list_delegation_requests(MaxItems=2, **more)
        assert len(page["DelegationRequests"]) == expected
        found += [request["DelegationRequestId"] for request in page["DelegationRequests"]]
        assert page["isTruncated"] == ("Marker" in page) == (expected == 2)
        more = {"Marker": page.get("Marker")}
    assert set(found) == owned
    assert len(found) == 5
    weak = f"arn:aws:iam::{CUSTOMER}:user/weak"
    assert admin.list_delegation_requests(OwnerId=weak)["DelegationRequests"] == []
    marker = admin.list_delegation_requests(MaxItems=2)["Marker"]
    assert refused(admin.list_delegation_requests, OwnerId=weak, Marker=marker) == (400, "ValidationError")
    assert refused(delegation.iam("stranger").list_delegation_requests, Marker=marker) == (400, "ValidationError")
    assert refused(admin.list_delegation_requests, OwnerId="no-arn-at-all-but-long-enough") == (400, "InvalidInput")


@pytest.mark.parametrize(
    "wrong",
    [
        {"OwnerAccountId": "999999999999"},
        {"NotificationChannel": "by-mail"},
        {"NotificationChannel": f"arn:aws:sqs:us-east-1:{PARTNER}:queue"},
        {"Permissions": {"Parameters": [{"Name": "bucketName", "Values": ["a"], "Type": "string"}]}},
        {"Permissions": {"PolicyTemplateArn": "arn:aws:iam::aws:policy/NoSuchPolicy"}},
        {"Permissions": {"PolicyTemplateArn": "a template of some name"}},
        {"Permissions": {"PolicyTemplateArn": f"arn:aws:iam::{CUSTOMER}:policy/theirs"}},
    ],
)
def test_requests_that_are_refused(delegation: Delegation, wrong: dict[str, Any]) -> None:
    delegation.iam().create_policy(PolicyName="theirs", PolicyDocument=json.dumps(allow("chime:*")))
    assert refused(delegation.create, **wrong) == (400, "InvalidInput")


def test_a_workflow_has_one_request(delegation: Delegation) -> None:
    delegation.create(RequestorWorkflowId="the-same")
    assert refused(delegation.create, RequestorWorkflowId="the-same") == (409, "EntityAlreadyExists")
    delegation.create("stranger", RequestorWorkflowId="the-same")


def test_boundaries_of_roles_that_a_policy_lets_create(make_world: Any) -> None:
    boundary = f"arn:aws:iam::{CUSTOMER}:policy/limits"
    condition = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    delegation = Delegation(make_world(world_text(Action="iam:Create*", Condition=condition)))
    limited = delegation.create(Permissions={"PolicyTemplateArn": TEMPLATE})
    assert delegation.shown(limited)["RolePermissionRestrictionArns"] == [boundary]
    assert "RolePermissionRestrictionArns" not in delegation.shown(delegation.create())


def parameter(name: str, *values: str, kind: str = "string") -> dict[str, Any]:
    return {"Name": name, "Values": list(values), "Type": kind}


TEXTS = {
    "Resource": ["arn:aws:s3:::@{bucketName}/*", "arn:aws:s3:::all-@{bucketName}"],
    "Condition": {"StringEquals": {"aws:RequestTag/@{tagKey}": ["fixed", "@{allowedValues}"]}},
}
GIVEN = [
    parameter("bucketName", 'a"b\\', kind="string"),
    parameter("tagKey", "team"),
    parameter("allowedValues", "one", "@{tagKey}", kind="stringList"),
]


def test_parameters_fill_a_template_of_the_requestor(make_world: Any) -> None:
    delegation = Delegation(make_world(world_text(**TEXTS)))
    asked = {"PolicyTemplateArn": TEMPLATE, "Parameters": GIVEN}
    shown = delegation.shown(delegation.create(Permissions=asked))
    assert shown["Permissions"] == asked
    (filled,) = json.loads(shown["PermissionPolicy"])["Statement"]
    # A value stays a text whatever it holds, and is not searched for placeholders.
    assert filled["Resource"] == ['arn:aws:s3:::a"b\\/*', 'arn:aws:s3:::all-a"b\\']
    assert filled["Condition"] == {"StringEquals": {"aws:RequestTag/team": ["fixed", "one", "@{tagKey}"]}}


@pytest.mark.parametrize(
    "parameters",
    [
        GIVEN[:2],
        [*GIVEN, parameter("another", "x")],
        [*GIVEN, GIVEN[0]],
        [parameter("bucketName", "a", "b"), *GIVEN[1:]],
        [parameter("bucketName"), *GIVEN[1:]],
        [parameter("bucketName", "a", kind="stringList"), *GIVEN[1:]],
        [{"Name": "bucketName", "Values": ["a"]}, *GIVEN[1:]],
        [{"Values": ["a"], "Type": "string"}, *GIVEN],
    ],
)
def test_parameters_that_do_not_fit(make_world: Any, parameters: list[dict[str, Any]]) -> None:
    delegation = Delegation(make_world(world_text(**TEXTS)))
    asked = {"PolicyTemplateArn": TEMPLATE, "Parameters": parameters}
    assert refused(delegation.create, Permissions=asked) == (400, "InvalidInput")


@given(st.text(), st.lists(st.text()))
def test_whatever_is_filled_in_changes_nothing_around_it(text: str, texts: list[str]) -> None:
    template = json.dumps({"a": "x@{one}y", "b": "@{many}", "c": ["1", "@{many}", {"k@{one}": 2, "other": None}]})
    filled = json.loads(render(template, {"one": text, "many": texts}))
    last = {f"k{text}": 2, "other": None}
    assert filled == {"a": f"x{text}y", "b": texts, "c": ["1", *texts, last]}


def test_what_is_filled_in_must_be_a_policy(make_world: Any) -> None:
    delegation = Delegation(make_world(world_text(Action="chime:@{verbs}", Resource="*")))
    asked = {"PolicyTemplateArn": TEMPLATE, "Parameters": [parameter("verbs", "Get:User")]}
    assert refused(delegation.create, Permissions=asked) == (400, "InvalidInput")
    asked["Parameters"] = [parameter("verbs", "Get*")]
    delegation.create(Permissions=asked)


def test_a_token_is_good_once_for_its_requestor_and_for_nothing_else(delegation: Delegation) -> None:
    token = delegation.sent()
    stranger, partner = (delegation.world.client("sts", name) for name in ("stranger", "partner"))
    assert refusal(stranger, "GetDelegatedAccessToken", TradeInToken=token) == BAD_TOKEN
    session_token = delegation.world.assume("approver")["SessionToken"]
    for wrong in ("nonsense", token[:-2], token + "x", session_token, "x" * 70_000):
        assert refusal(partner, "GetDelegatedAccessToken", TradeInToken=wrong) == BAD_TOKEN
    as_session = delegation.world.client("sts", keys=("ASIAEXAMPLEEXAMPLE00", "secret", token))
    assert refusal(as_session, "GetCallerIdentity")[1] == "InvalidClientTokenId"
    delegation.exchange(token)
    assert refusal(partner, "GetDelegatedAccessToken", TradeInToken=token) == BAD_TOKEN


def test_a_new_sealing_key_takes_no_token_away(delegation: Delegation) -> None:
    request_id = delegation.accepted()
    delegation.iam().send_delegation_token(DelegationRequestId=request_id)
    before = delegation.token(request_id)["trade_in_token"]
    with delegation.world.database.transaction() as connection:
        keyring.add(connection, "newer", b"k" * 32, 2)
    after = delegation.token(request_id)["trade_in_token"]
    assert after != before
    delegation.exchange(before)
    # The same token in another envelope.
    partner = delegation.world.client("sts", "partner")
    assert refusal(partner, "GetDelegatedAccessToken", TradeInToken=after) == BAD_TOKEN


def test_an_exchange_needs_a_permission_and_a_refused_one_spends_nothing(delegation: Delegation) -> None:
    token = delegation.sent()
    powerless = delegation.world.client("sts", "powerless")
    status, code, message = refusal(powerless, "GetDelegatedAccessToken", TradeInToken=token)
    assert (status, code) == (403, "AccessDenied")
    assert "is not authorized to perform: sts:GetDelegatedAccessToken" in message
    delegation.exchange(token)


def test_the_time_runs_from_when_the_token_is_sent(delegation: Delegation) -> None:
    clock = delegation.world.clock
    clock.freeze()
    first, second = delegation.sent(SessionDuration=300), delegation.sent(SessionDuration=300)
    now_seconds = clock.now_seconds()
    clock.advance(seconds=299)
    credentials = delegation.exchange(first)["Credentials"]
    assert credentials["Expiration"].timestamp() == int(now_seconds) + 300
    clock.advance(seconds=1)
    with pytest.raises(ClientError) as caught:
        delegation.exchange(second)
    assert caught.value.response["Error"]["Code"] == "ExpiredTradeInTokenException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    chime = delegation.world.client("chime", credentials=credentials)
    assert refusal(chime, "ListAccounts")[1] == "ExpiredTokenException"


def test_of_many_that_exchange_one_token_one_succeeds(delegation: Delegation) -> None:
    token = delegation.sent()
    outcomes: list[str] = []

    def exchange() -> None:
        try:
            delegation.exchange(token)
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
        else:
            outcomes.append("allowed")

    threads = [threading.Thread(target=exchange) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["AccessDenied"] * 7 + ["allowed"]


def test_a_session_policy_of_the_approver_still_cuts(delegation: Delegation) -> None:
    world = delegation.world
    needed = ["iam:*DelegationRequest", "iam:SendDelegationToken", "chime:Get*", "chime:UpdateAccount"]
    credentials = world.assume("approver", Policy=json.dumps(allow(needed)))
    approver = world.client("iam", credentials=credentials)
    chime = delegation.chime(delegation.sent(approver))
    # In the approver's alone, in the request's alone, in both.
    assert refusal(chime, "UpdateAccount", AccountId="a", Name="New")[1] == "ForbiddenException"
    status, code, message = refusal(chime, "ListAccounts")
    assert (status, code) == (403, "ForbiddenException")
    assert "because no session policy allows the chime:ListAccounts action" in message
    assert refusal(chime, "GetAccount", AccountId="00000000-0000-4000-8000-000000000000")[1] == "NotFoundException"


ADMIN = f"arn:aws:iam::{CUSTOMER}:user/admin"
APPROVER = f"arn:aws:sts::{CUSTOMER}:assumed-role/approver/session"


def approvers(delegation: Delegation) -> dict[str, Any]:
    """The approver: a user, and the session of a role."""
    session = delegation.world.client("iam", credentials=delegation.world.assume("approver"))
    return {"user": delegation.iam(), "session": session}


@pytest.mark.parametrize("who", ["user", "session"])
@pytest.mark.parametrize("trusted", ["itself", "*", CUSTOMER])
def test_a_trust_policy_that_names_the_approver_gives_a_partner_nothing(
    make_world: Any, who: str, trusted: str
) -> None:
    delegation = Delegation(make_world(world_text(Action="chime:ListAccounts")))
    itself = {"user": ADMIN, "session": APPROVER}[who]
    document = trust(itself if trusted == "itself" else trusted)
    delegation.iam().create_role(RoleName="powerful", AssumeRolePolicyDocument=json.dumps(document))
    wanted = {"RoleArn": f"arn:aws:iam::{CUSTOMER}:role/powerful", "RoleSessionName": "session"}
    approver = approvers(delegation)[who]
    # The approver itself may.
    own = delegation.world.assume("approver") if who == "session" else None
    delegation.world.client("sts", credentials=own).assume_role(**wanted)
    token = delegation.sent(approver, Permissions={"PolicyTemplateArn": TEMPLATE})
    credentials = delegation.exchange(token)["Credentials"]
    delegation.world.client("chime", credentials=credentials).list_accounts()
    sts = delegation.world.client("sts", credentials=credentials)
    status, code, message = refusal(sts, "AssumeRole", **wanted)
    assert (status, code) == (403, "AccessDenied")
    assert message.endswith("because no session policy allows the sts:AssumeRole action")


def test_a_delegation_of_assuming_a_role_may_assume_it(make_world: Any) -> None:
    role = f"arn:aws:iam::{CUSTOMER}:role/meant"
    delegation = Delegation(make_world(world_text(Action="sts:AssumeRole", Resource=role)))
    for name in ("meant", "other"):
        delegation.iam().create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust(ADMIN)))
    token = delegation.sent(Permissions={"PolicyTemplateArn": TEMPLATE})
    sts = delegation.world.client("sts", credentials=delegation.exchange(token)["Credentials"])
    sts.assume_role(RoleArn=role, RoleSessionName="session")
    other = {"RoleArn": role.replace("meant", "other"), "RoleSessionName": "session"}
    assert "because no session policy allows" in refusal(sts, "AssumeRole", **other)[2]


def test_a_transitive_tag_cannot_be_changed_by_way_of_a_delegation(make_world: Any) -> None:
    """ "you can't override it" (IAM User Guide, Chaining roles with session tags): the tag says who the approver is."""
    delegation = Delegation(make_world(world_text(Action=["sts:AssumeRole", "sts:TagSession"])))
    trusting = trust(CUSTOMER, ["sts:AssumeRole", "sts:TagSession"])
    delegation.iam().create_role(RoleName="meant", AssumeRolePolicyDocument=json.dumps(trusting))
    delegation.iam().update_assume_role_policy(RoleName="approver", PolicyDocument=json.dumps(trusting))
    tagged = {"Tags": [{"Key": "team", "Value": "blue"}], "TransitiveTagKeys": ["team"]}
    approver = delegation.world.assume("approver", **tagged)
    token = delegation.sent(
        delegation.world.client("iam", credentials=approver), Permissions={"PolicyTemplateArn": TEMPLATE}
    )
    given = delegation.exchange(token)["Credentials"]
    wanted = {"RoleArn": f"arn:aws:iam::{CUSTOMER}:role/meant", "RoleSessionName": "session"}
    for credentials in (approver, given):
        sts = delegation.world.client("sts", credentials=credentials)
        sts.assume_role(**wanted)
        changed = refused(sts.assume_role, **wanted, Tags=[{"Key": "Team", "Value": "red"}])
        assert changed == (400, "InvalidParameterValue")


def test_what_every_user_may_do_is_not_delegated_by_itself(make_world: Any) -> None:
    delegation = Delegation(make_world(world_text(Action="chime:ListAccounts")))
    admin = delegation.iam()
    admin.update_account_password_policy(AllowUsersToChangePassword=True)
    admin.create_login_profile(UserName="admin", Password="an-old-Password-1")
    own_request = delegation.create()
    admin.associate_delegation_request(DelegationRequestId=own_request)
    token = delegation.sent(Permissions={"PolicyTemplateArn": TEMPLATE})
    credentials = delegation.exchange(token)["Credentials"]
    iam = delegation.world.client("iam", credentials=credentials)
    passwords = {"OldPassword": "an-old-Password-1", "NewPassword": "a-new-Password-2"}
    for operation, parameters in (
        ("ChangePassword", passwords),
        ("GetAccountPasswordPolicy", {}),
        ("GetDelegationRequest", {"DelegationRequestId": own_request}),
        ("UpdateDelegationRequest", {"DelegationRequestId": own_request}),
    ):
        status, code, message = refusal(iam, operation, **parameters)
        assert (status, code) == (403, "AccessDenied")
        assert f"because no session policy allows the iam:{operation} action" in message
    # GetCallerIdentity needs no permission, for any caller.
    assert delegation.world.client("sts", credentials=credentials).get_caller_identity()["Arn"] == ADMIN
    admin.change_password(**passwords)


def test_the_details_of_a_refusal_blame_the_permission_policy(make_world: Any) -> None:
    """A resource policy that names the approver replaces the approver's policies, but not the delegation's."""
    delegation = Delegation(make_world(world_text(Action="chime:ListAccounts")))
    log = keep_log(delegation.world)
    delegation.iam().update_account_password_policy(AllowUsersToChangePassword=True)
    token = delegation.sent(Permissions={"PolicyTemplateArn": TEMPLATE})
    iam = delegation.world.client("iam", credentials=delegation.exchange(token)["Credentials"])
    made, _message = refused_call(iam.change_password, OldPassword="an-old-Password-1", NewPassword="a-new-Password-2")
    log.flush()
    toolbox = delegation.world.client("iam-toolbox")
    details = toolbox.get_request_authorization_details(authorizationId=authorization_id(made))
    log.close()
    [evaluation] = details["evaluations"]
    effects = {check["checkType"]: check["evaluatedEffect"] for check in evaluation["checks"]}
    assert effects == {"RESOURCE": "ALLOW", "PRINCIPAL": "ALLOW", "SESSION": "IMPLICIT_DENY"}


def test_operations_that_no_policy_controls() -> None:
    """A delegated session may call each of these unless its kind of credentials is refused, so the list is complete."""
    free = {each.name for each in all_operations() if each.permissions is no_permission and each.service == "sts"}
    assert free == {"GetCallerIdentity", "GetSessionToken"}
    # Clients of IAM Identity Center sign nothing, so no session can be refused there.
    others = {each.service for each in all_operations() if each.permissions is no_permission} - {"sts"}
    assert others == {"sso", "sso-oidc"}


def test_a_policy_that_is_limited_to_one_request_sends_its_token_alone(delegation: Delegation) -> None:
    first, second = delegation.accepted(), delegation.accepted()
    arn = f"arn:aws:iam::{CUSTOMER}:delegation-request/{first}"
    policy = json.dumps(allow("iam:SendDelegationToken", arn))
    delegation.iam().put_user_policy(UserName="nobody", PolicyName="own", PolicyDocument=policy)
    nobody = delegation.iam("nobody")
    status, code, message = refusal(nobody, "SendDelegationToken", DelegationRequestId=second)
    assert (status, code) == (403, "AccessDenied")
    assert f"on resource: {arn.replace(first, second)} because no identity-based policy allows" in message
    assert delegation.delivered(second).status_code == 404
    nobody.send_delegation_token(DelegationRequestId=first)
    assert delegation.delivered(first).status_code == 200


def test_policies_of_the_approver_hold_as_they_are_now(delegation: Delegation) -> None:
    approver = delegation.world.client("iam", credentials=delegation.world.assume("approver"))
    chime = delegation.chime(delegation.sent(approver))
    chime.list_accounts()
    delegation.iam().put_role_policy(
        RoleName="approver", PolicyName="own", PolicyDocument=json.dumps(deny("chime:ListAccounts"))
    )
    assert "with an explicit deny in an identity-based policy" in refusal(chime, "ListAccounts")[2]


def test_an_approver_that_is_gone(delegation: Delegation) -> None:
    admin, world = delegation.iam(), delegation.world
    approver = world.client("iam", credentials=world.assume("approver"))
    waiting, chime = delegation.sent(approver), delegation.chime(delegation.sent(approver))
    chime.list_accounts()
    admin.delete_role_policy(RoleName="approver", PolicyName="own")
    admin.delete_role(RoleName="approver")
    assert refusal(chime, "ListAccounts")[1] == "UnrecognizedClientException"
    assert refusal(world.client("sts", "partner"), "GetDelegatedAccessToken", TradeInToken=waiting) == BAD_TOKEN
    again = trust(CUSTOMER)
    admin.create_role(RoleName="approver", AssumeRolePolicyDocument=json.dumps(again))
    assert refusal(chime, "ListAccounts")[1] == "UnrecognizedClientException"


def test_what_a_delegated_session_may_call_by_its_kind(delegation: Delegation) -> None:
    world = delegation.world
    credentials = delegation.exchange(delegation.sent(Permissions={"PolicyTemplateArn": EVERYTHING}))["Credentials"]
    iam, sts = world.client("iam", credentials=credentials), world.client("sts", credentials=credentials)
    assert iam.get_user(UserName="admin")["User"]["UserName"] == "admin"
    assert sts.get_caller_identity()["Account"] == CUSTOMER
    assert refusal(sts, "GetSessionToken")[1] == "AccessDenied"
    assert refusal(sts, "GetFederationToken", Name="somebody")[1] == "AccessDenied"
    # A session for another principal must not approve.
    request_id = delegation.create()
    iam.associate_delegation_request(DelegationRequestId=request_id)
    assert refused(iam.accept_delegation_request, DelegationRequestId=request_id) == (403, "AccessDenied")
    assert delegation.shown(request_id)["State"] == "ASSIGNED"


def test_a_root_user_approves_four_hours_and_no_more(delegation: Delegation) -> None:
    root = delegation.iam(f"root of {CUSTOMER}")
    longer = delegation.create(SessionDuration=4 * 3600 + 1)
    root.associate_delegation_request(DelegationRequestId=longer)
    assert refused(root.accept_delegation_request, DelegationRequestId=longer) == (403, "AccessDenied")
    answer = delegation.exchange(delegation.sent(root, SessionDuration=4 * 3600))
    assert answer["AssumedPrincipal"] == f"arn:aws:iam::{CUSTOMER}:root"
    chime = delegation.world.client("chime", credentials=answer["Credentials"])
    (account,) = chime.list_accounts()["Accounts"]
    assert refusal(chime, "DeleteAccount", AccountId=account["AccountId"])[1] == "ForbiddenException"


def test_a_token_that_its_owner_alone_may_send(delegation: Delegation) -> None:
    request_id = delegation.create(OnlySendByOwner=True)
    delegation.iam("weak").associate_delegation_request(DelegationRequestId=request_id)
    delegation.iam().accept_delegation_request(DelegationRequestId=request_id)
    assert refused(delegation.iam().send_delegation_token, DelegationRequestId=request_id) == (403, "AccessDenied")
    policy = json.dumps(allow("iam:SendDelegationToken"))
    delegation.iam().put_user_policy(UserName="weak", PolicyName="send", PolicyDocument=policy)
    delegation.iam("weak").send_delegation_token(DelegationRequestId=request_id)
    assert delegation.delivered(request_id).status_code == 200


def test_a_policy_that_is_too_large_is_refused_and_spends_nothing(make_world: Any) -> None:
    resources = [f"arn:aws:s3:::{number * 7919:x}-{number * 104729:x}-{number**3:x}" for number in range(90)]
    delegation = Delegation(make_world(world_text(Action="s3:*", Resource=resources)))
    token = delegation.sent(Permissions={"PolicyTemplateArn": TEMPLATE})
    for _ in range(2):
        assert refused(delegation.exchange, token=token) == (400, "PackedPolicyTooLarge")


def test_the_control_endpoint_answers_404_for_what_is_not_there(delegation: Delegation) -> None:
    assert delegation.delivered("0" * 36).status_code == 404
    assert delegation.delivered(delegation.create()).status_code == 404


def test_a_token_never_reaches_the_log_of_decisions(delegation: Delegation) -> None:
    token = delegation.sent()
    delegation.exchange(token)
    assert token not in repr(delegation.world.outcomes)
