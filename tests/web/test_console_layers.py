"""A refusal by each kind of policy: the picture and the words of its page, and the same with ``rolecall explain``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from console_visits import CONSOLE
from logged_worlds import keep_log, refused

from rolecall.cli import main

HUB, WORK = "111122223333", "444455556666"
OPERATOR = f"arn:aws:iam::{HUB}:role/operator"
ORGANIZATION = f"arn:aws:organizations::{HUB}"
TARGETS = (f"{ORGANIZATION}:root/o-example1234/r-exam", f"{ORGANIZATION}:ou/o-example1234/ou-exam-apps1234")
ACCOUNT_TARGET = f"{ORGANIZATION}:account/o-example1234/{HUB}"
ANA = f"arn:aws:iam::{HUB}:user/ana"
BEN = f"arn:aws:iam::{HUB}:user/ben"


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def trusting(*names: str) -> dict[str, Any]:
    return document({"Effect": "Allow", "Principal": {"AWS": list(names)}, "Action": "sts:AssumeRole"})


def user(name: str, *statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    keys = [{"id": f"{name}_key", "secret": f"{name}-secret"}]
    return {"name": name, "access_keys": keys, "inline_policies": {"own": document(*statements)}, **more}


EVERYTHING = allow("*")
WORLD = {
    "version": 1,
    "accounts": [
        {
            "id": HUB,
            "users": [
                {**user("admin", EVERYTHING), "access_keys": [{"id": "test", "secret": "test"}]},
                user("ana", EVERYTHING),
                user("ben", EVERYTHING, permissions_boundary=f"arn:aws:iam::{HUB}:policy/limits"),
            ],
            "policies": [{"name": "limits", "document": document(allow("chime:List*"))}],
            "roles": [
                {
                    "name": "operator",
                    "trust_policy": trusting(f"arn:aws:iam::{HUB}:root"),
                    "inline_policies": {"own": document(EVERYTHING)},
                }
            ],
        },
        {"id": WORK, "users": [user("cleo", EVERYTHING)]},
    ],
    "organization": {
        "id": "o-example1234",
        "management_account": WORK,
        "organizational_units": [{"name": "apps", "id": "ou-exam-apps1234", "accounts": [HUB]}],
        "service_control_policies": [
            {"name": "guard", "targets": ["apps"], "document": document(deny("iam:CreateUser", Sid="NoUsers"))}
        ],
        "resource_control_policies": [
            {
                "name": "outsiders",
                "targets": ["apps"],
                "document": document(
                    {
                        **deny("sts:AssumeRole", Sid="NoAna", Principal="*"),
                        "Condition": {"StringEquals": {"aws:PrincipalArn": ANA}},
                    }
                ),
            }
        ],
    },
}


class Explained:
    """One refusal as its page shows it, and as ``rolecall explain`` prints it."""

    def __init__(self, page: str, printed: str, as_json: str) -> None:
        self.page = page
        self.printed = printed
        self.json = json.loads(as_json)

    @property
    def picture(self) -> list[tuple[str, ...]]:
        """The layers from left to right: kind, effect, what it is attached to, and its policies."""
        [drawn] = re.findall(r'<ol class="layers">(.*?)</ol>', self.page, re.DOTALL)
        return [
            tuple(_words(each) for each in re.findall(r"<(?:strong|span)[^>]*>(.*?)</(?:strong|span)>", layer)[:4])
            for layer in re.findall(r"<li class=.*?(?=<li class=\"(?:Allow|Ex|Im)|\Z)", drawn, re.DOTALL)
        ]

    @property
    def changes(self) -> list[str]:
        [listed] = re.findall(r'<ol class="changes">(.*?)</ol>', self.page, re.DOTALL)
        without_links = re.sub("<p><a.*?</a></p>|<pre.*?</pre>", "", listed, flags=re.DOTALL)
        return [_words(each) for each in re.findall("<li>(.*?)</li>", without_links, re.DOTALL)]

    @property
    def printed_changes(self) -> list[str]:
        return re.findall(r"^    \d\. (.*)$", self.printed, re.MULTILINE)


def _words(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


@pytest.fixture
def explained(make_world: Any, tmp_path: Path) -> Iterator[Callable[..., Explained]]:
    world = make_world(json.dumps(WORLD))
    url = f"sqlite:///{tmp_path / 'rolecall.db'}"
    log = keep_log(world, url)

    def explain(make: Callable[[Any], Any], **arguments: Any) -> Explained:
        made = refused(make(world), **arguments)[0]
        page = world.application.test_client().get(f"{CONSOLE}/decisions/{made}")
        assert page.status_code == 200
        printed = [
            CliRunner().invoke(main, ["explain", made, "--database", url, "--port", "1", *more]).output
            for more in ([], ["--json"])
        ]
        return Explained(page.text, *printed)

    yield explain
    log.close()


# The layers that allow in most of the refusals below.
SERVICE_CONTROL = [
    ("service control policies", "allows", TARGETS[0], "FullAWSAccess"),
    ("service control policies", "allows", TARGETS[1], "FullAWSAccess, guard"),
    ("service control policies", "allows", ACCOUNT_TARGET, "FullAWSAccess"),
]
LACKS = "has no statement that allows it (decided here)"
POLICIES = "arn:aws:organizations::444455556666:policy/o-example1234"


def same_in_a_terminal(found: Explained) -> None:
    """The command says the same as the page, with the same statements, and has them as JSON too."""
    assert found.printed_changes == found.changes
    [evaluation] = found.json["evaluations"]
    assert [" ".join(each["texts"]) for each in evaluation["changes"]] == found.changes
    statements = [each["statement"] for each in evaluation["changes"] if each["statement"]]
    written = re.findall(r"^       \{$.*?^       \}$", found.printed, re.MULTILINE | re.DOTALL)
    assert [json.loads(each) for each in written] == statements


def test_a_service_control_policy(explained: Any) -> None:
    found = explained(lambda world: world.client("iam", "ana").create_user, UserName="new")
    denying = ("service control policies", "denies (decided here)", TARGETS[1], "FullAWSAccess, guard")
    own = ("identity-based policies", "allows", ANA, "own")
    assert found.picture == [SERVICE_CONTROL[0], denying, SERVICE_CONTROL[2], own]
    [change] = found.changes
    assert re.fullmatch(
        rf"NoUsers of guard \({POLICIES}/service_control_policy/p-[a-z0-9]+\) denies it, in the service control "
        "policies. Narrow it, so that it does not match this request.",
        change,
    )
    assert "decided by the service control policies" in found.printed
    assert (
        "  service control policies at ou/o-example1234/ou-exam-apps1234 [FullAWSAccess, guard]: denies"
        in found.printed
    )
    same_in_a_terminal(found)


def test_a_resource_control_policy(explained: Any) -> None:
    found = explained(lambda world: world.client("sts", "ana").assume_role, RoleArn=OPERATOR, RoleSessionName="session")
    kind = "resource control policies"
    assert found.picture == [
        (kind, "allows", TARGETS[0], "RCPFullAWSAccess"),
        (kind, "denies (decided here)", TARGETS[1], "RCPFullAWSAccess, outsiders"),
        (kind, "allows", ACCOUNT_TARGET, "RCPFullAWSAccess"),
        *SERVICE_CONTROL,
        ("role trust policy", "allows", OPERATOR, "trust policy"),
        ("identity-based policies", "allows", ANA, "own"),
    ]
    [change] = found.changes
    assert re.fullmatch(
        rf"NoAna of outsiders \({POLICIES}/resource_control_policy/p-[a-z0-9]+\) denies it, in the resource control "
        "policies. Narrow it, so that it does not match this request. It denies because aws:PrincipalArn is "
        f"{ANA}, which meets StringEquals {ANA}.",
        change,
    )
    assert f"StringEquals aws:PrincipalArn [{ANA}]: the request has {ANA}: met" in found.printed
    same_in_a_terminal(found)


def test_a_permissions_boundary(explained: Any) -> None:
    found = explained(lambda world: world.client("chime", "ben").delete_account, AccountId="x")
    assert found.picture == [
        *SERVICE_CONTROL,
        ("identity-based policies", "allows", BEN, "own"),
        ("permissions boundary", LACKS, BEN, "limits"),
    ]
    assert found.changes == [
        "No statement of the permissions boundary allows it. Add this statement to the permissions boundary, which is "
        "limits, or use another boundary."
    ]
    assert "  permissions boundary [limits]: has no statement that allows it" in found.printed
    same_in_a_terminal(found)


def test_a_session_policy(explained: Any) -> None:
    policy = json.dumps(document(allow("chime:*"), deny("chime:ListAccounts")))
    found = explained(
        lambda world: world.client("chime", credentials=world.assume(OPERATOR, Policy=policy)).list_accounts
    )
    assert found.picture == [
        *SERVICE_CONTROL,
        ("identity-based policies", "allows", OPERATOR, "own"),
        ("session policies", "denies (decided here)", OPERATOR, "session policy"),
    ]
    assert found.changes == [
        "statement 1 of session policy denies it, in the session policies. Open the session again with a policy in "
        "which it does not match this request."
    ]
    assert "decided by the session policies" in found.printed
    same_in_a_terminal(found)


def narrowed(world: Any, *documents: Any) -> Any:
    """A session of the operator that GetScopedCredentials narrowed once for each document."""
    credentials = world.assume(OPERATOR)
    for each in documents:
        sts = world.client("sts", credentials=credentials)
        credentials = sts.get_scoped_credentials(Policy=json.dumps(each))["Credentials"]
    return world.client("chime", credentials=credentials)


def test_the_scope_down_policies_that_lack_an_allow(explained: Any) -> None:
    documents = [document(EVERYTHING), document(allow(["chime:List*", "sts:*"])), document(allow("chime:List*"))]
    account = "00000000-0000-4000-8000-000000000000"
    found = explained(lambda world: narrowed(world, *documents).delete_account, AccountId=account)
    assert found.picture == [
        *SERVICE_CONTROL,
        ("identity-based policies", "allows", OPERATOR, "own"),
        ("scope-down policies", "allows", OPERATOR, "scope-down policy 1 of 3"),
        ("scope-down policies", LACKS, OPERATOR, "scope-down policy 2 of 3"),
        ("scope-down policies", "has no statement that allows it", OPERATOR, "scope-down policy 3 of 3"),
    ]
    assert found.changes == [
        f"No statement of scope-down policy {n} of 3 allows it. Open the session again with this statement in "
        "that policy."
        for n in (2, 3)
    ]
    assert "decided by the scope-down policy 2 of 3" in found.printed
    same_in_a_terminal(found)


def test_a_scope_down_policy_that_denies(explained: Any) -> None:
    found = explained(lambda world: narrowed(world, document(EVERYTHING, deny("chime:*"))).list_accounts)
    assert found.picture[-1] == (
        "scope-down policies",
        "denies (decided here)",
        OPERATOR,
        "scope-down policy 1 of 1",
    )
    assert found.changes == [
        "statement 1 of scope-down policy 1 of 1 denies it, in the scope-down policies. Open the session again with a "
        "policy in which it does not match this request."
    ]
    same_in_a_terminal(found)


@pytest.mark.parametrize("has_condition", [False, True])
def test_the_permissions_of_a_resource(explained: Any, has_condition: bool) -> None:
    only_tags = {"Condition": {"StringEquals": {"organizations:PolicyType": "TAG_POLICY"}}}
    named = {"Sid": "Tags", "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"}, **(only_tags if has_condition else {})}
    action = "organizations:ListPolicies" if has_condition else "organizations:ListRoots"

    def list_policies(world: Any) -> Any:
        text = json.dumps(document(allow(action, **named)))
        world.client("organizations", "cleo").put_resource_policy(Content=text)
        return world.client("organizations", "ana").list_policies

    found = explained(list_policies, Filter="SERVICE_CONTROL_POLICY")
    assert found.picture == [
        *SERVICE_CONTROL,
        ("resource-based policy", LACKS, "*", "resource policy of the organization"),
        ("identity-based policies", "allows", ANA, "own"),
    ]
    assert found.changes == [
        "Tags of resource policy of the organization allows it, but only under conditions that this request does not "
        "meet. organizations:PolicyType is SERVICE_CONTROL_POLICY, and must meet StringEquals TAG_POLICY."
        if has_condition
        else "No statement of the resource-based policy allows it. Add this statement to the policy of the resource."
    ]
    assert "decided by the resource-based policy" in found.printed
    same_in_a_terminal(found)
