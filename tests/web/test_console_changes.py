"""What would have to change before a refused call is allowed: what the page says, and that it is true."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from console_visits import CONSOLE, Scan, text_of
from console_worlds import ANA, BREAK_GLASS, GATEWAY, HUB, LIMITS, OPERATOR, TWO_ACCOUNTS, WORK
from logged_worlds import keep_log, refused

ORGANIZED = (
    TWO_ACCOUNTS
    + """
organization:
  id: o-example1234
  service_control_policies:
    - name: no-users
      targets: ["444455556666"]
      document:
        Version: "2012-10-17"
        Statement: [{Sid: Users, Effect: Deny, Action: "iam:*User", Resource: "*"}]
"""
)


@pytest.fixture
def two(make_world: Any) -> Any:
    world = make_world(ORGANIZED)
    keep_log(world)
    return world


@pytest.fixture
def browser(two: Any) -> Any:
    return two.application.test_client()


def page_of(browser: Any, call: Any, **arguments: Any) -> Any:
    return browser.get(f"{CONSOLE}/decisions/{refused(call, **arguments)[0]}")


def listed(page: Any) -> str:
    return str(re.findall(r'<ol class="changes">(.*?)</ol>', page.text, re.DOTALL)[0])


def changes(page: Any) -> list[str]:
    """The changes of a page as text, one after the other, without their statements."""
    items = re.findall("<li>(.*?)</li>", re.sub("<pre.*?</pre>", "", listed(page), flags=re.DOTALL), re.DOTALL)
    return [" ".join(unescape(re.sub("<[^>]*>", " ", item)).split()) for item in items]


def statements(page: Any) -> list[dict[str, Any]]:
    """What is to be added, one after the other."""
    return [json.loads(unescape(each)) for each in re.findall("<pre[^>]*>(.*?)</pre>", listed(page), re.DOTALL)]


def document(*found: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": found})


def allow(actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def test_the_smallest_statement_allows_the_call(two: Any, browser: Any) -> None:
    iam = two.client("iam", "ana")
    page = page_of(browser, iam.get_user, UserName="ana")
    assert changes(page) == [
        "No statement of the identity-based policies allows it. Add this statement to a policy of the principal."
    ]
    assert statements(page) == [allow("iam:GetUser", ANA)]
    two.client("iam").put_user_policy(UserName="ana", PolicyName="more", PolicyDocument=document(*statements(page)))
    assert iam.get_user(UserName="ana")["User"]["Arn"] == ANA


def test_a_condition_says_what_the_request_has_and_must_have(two: Any, browser: Any) -> None:
    near = allow("iam:GetUser", Sid="Near", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})
    two.client("iam").put_user_policy(UserName="ana", PolicyName="near", PolicyDocument=document(near))
    page = page_of(browser, two.client("iam", "ana").get_user, UserName="ana")
    assert changes(page) == [
        "Near of near allows it, but only under conditions that this request does not meet. "
        "aws:RequestedRegion is us-east-1, and must meet StringEquals eu-west-1. Edit this policy"
    ]
    gateway = two.client("sts", credentials=two.assume(GATEWAY))
    page = page_of(browser, gateway.assume_role, RoleArn=BREAK_GLASS, RoleSessionName="session")
    assert changes(page) == [
        "OnlyGateway of trust policy allows it, but only under conditions that this request does not meet. "
        "sts:ExternalId is missing in the request, and must meet StringEquals really. Edit this policy"
    ]


def test_a_resource_that_is_not_listed(two: Any, browser: Any) -> None:
    near = allow("iam:GetUser", f"{ANA}-2")
    two.client("iam").put_user_policy(UserName="ana", PolicyName="near", PolicyDocument=document(near))
    page = page_of(browser, two.client("iam", "ana").get_user, UserName="ana")
    assert changes(page) == [
        f"statement 0 of near allows the action, but only on {ANA}-2. Add {ANA} to its Resource. Edit this policy"
    ]


def test_every_layer_that_refuses_is_named(two: Any, browser: Any) -> None:
    ana = two.assume(OPERATOR, "ana")
    page = page_of(browser, two.client("chime", credentials=ana).delete_account, AccountId="x")
    assert changes(page) == [
        f"statement 1 of {LIMITS} denies it, in the permissions boundary. Narrow it, so that it does not match this "
        "request. Edit this policy"
    ]
    assert "The statement that denies:" in text_of(page)
    assert '"Deny"' in "".join(Scan(page.text).marked)
    page = page_of(browser, two.client("iam", credentials=ana).get_user, UserName="x")
    [policy_id] = set(re.findall("service_control_policy/(p-[a-z0-9]+)", page.text))
    assert [each.partition(".")[0] for each in changes(page)] == [
        f"Users of no-users (arn:aws:organizations::{HUB}:policy/o-example1234/service_control_policy/{policy_id}) "
        "denies it, in the service control policies",
        "No statement of the identity-based policies allows it",
        "No statement of the permissions boundary allows it",
    ]
    assert "Add this statement to the permissions boundary, which is limits, or use another boundary." in text_of(page)
    assert statements(page) == [allow("iam:GetUser", f"arn:aws:iam::{WORK}:user/x")] * 2


def test_a_session_policy_needs_another_session(two: Any, browser: Any) -> None:
    limited = two.assume(OPERATOR, "ana", Policy=document(allow("chime:ListUsers")))
    page = page_of(browser, two.client("chime", credentials=limited).list_accounts)
    assert changes(page) == [
        "No statement of the session policies allows it. Open the session again with a session policy that has this "
        "statement."
    ]
    policy = document(*statements(page))
    again = two.assume(OPERATOR, "ana", Policy=policy)
    assert two.client("chime", credentials=again).list_accounts()["Accounts"] == []
    assert "The simulator asks about the principal without the policies of its session." in text_of(page)


def test_a_trust_policy_has_to_name_the_caller(two: Any, browser: Any) -> None:
    sts = two.client("sts", "ana")
    run = f"arn:aws:iam::{HUB}:role/run"
    page = page_of(browser, sts.assume_role, RoleArn=run, RoleSessionName="session")
    assert changes(page) == [
        "No statement of the role trust policy allows it. Add this statement to the trust policy of the role."
    ]
    [found] = statements(page)
    assert found == {"Effect": "Allow", "Principal": {"AWS": ANA}, "Action": "sts:AssumeRole"}
    two.client("iam").update_assume_role_policy(RoleName="run", PolicyDocument=document(found))
    assert sts.assume_role(RoleArn=run, RoleSessionName="session")["Credentials"]


def test_a_role_that_is_not_there_has_to_be_made(two: Any, browser: Any) -> None:
    missing = f"arn:aws:iam::{HUB}:role/missing"
    two.client("iam").put_user_policy(
        UserName="ana", PolicyName="more", PolicyDocument=document(allow("sts:AssumeRole", missing))
    )
    sts = two.client("sts", "ana")
    page = page_of(browser, sts.assume_role, RoleArn=missing, RoleSessionName="session")
    assert changes(page) == ["There is no role with this ARN. Create it with a trust policy that has this statement."]
    two.client("iam").create_role(RoleName="missing", AssumeRolePolicyDocument=document(*statements(page)))
    assert sts.assume_role(RoleArn=missing, RoleSessionName="session")["Credentials"]


def test_the_simulator_gets_the_condition_keys_of_the_call(two: Any, browser: Any) -> None:
    near = allow("iam:TagUser", Condition={"StringEquals": {"aws:RequestTag/a": "b"}})
    two.client("iam").put_user_policy(UserName="ana", PolicyName="near", PolicyDocument=document(near))
    tags = [{"Key": "a", "Value": "c = d"}, {"Key": "e", "Value": "f"}]
    page = page_of(browser, two.client("iam", "ana").tag_user, UserName="ana", Tags=tags)
    [form] = re.findall(r'<form method="get" action="([^"]*)" class="plain">(.*?)</form>', page.text, re.DOTALL)
    fields = {name: unescape(value) for name, value in re.findall(r'name="([^"]*)" value="([^"]*)"', form[1])}
    assert form[0] == f"{CONSOLE}/simulator"
    assert (fields["principal"], fields["action"], fields["resource"]) == (ANA, "iam:TagUser", ANA)
    lines = fields["context"].split("\n")
    assert {"aws:RequestTag/a = c = d", "aws:TagKeys = a", "aws:TagKeys = e", "aws:RequestedRegion = us-east-1"} <= {
        *lines
    }
    assert not [line for line in lines if line.startswith("aws:PrincipalA")]
    simulated = browser.get(f"{CONSOLE}/simulator", query_string=fields)
    assert "0 of 1 are allowed." in text_of(simulated)
    fields["context"] = fields["context"].replace("c = d", "b")
    assert "1 of 1 are allowed." in text_of(browser.get(f"{CONSOLE}/simulator", query_string=fields))
