"""The console's policy editor and simulator, and the words that the editor completes."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from console_visits import CONSOLE, Scan, form_token, post, text_of
from console_worlds import ANA, BREAK_GLASS, GATEWAY, LIMITS, OPERATOR, OPERATORS, TWO_ACCOUNTS
from logged_worlds import keep_log, refused

from rolecall.web.console.words import words

EDITOR = f"/policies/one?arn={quote(LIMITS)}"
OF_GROUP = f"/policies/one?owner={quote(OPERATORS)}&name=step-out"
TRUST = f"/policies/one?owner={quote(BREAK_GLASS)}&trust=yes"
AWS_OWNED = f"/policies/one?arn={quote('arn:aws:iam::aws:policy/AmazonChimeReadOnly')}"
WIDE = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "chime:*", "Resource": "*"}}'


@pytest.fixture
def browser(two: Any) -> Any:
    return two.application.test_client()


def send(browser: Any, path: str, **fields: Any) -> Any:
    return post(browser, path, path, **fields)


def default_version(two: Any) -> str:
    root = two.application.sandbox
    with root.database.snapshot() as connection:
        from_storage = connection.exec_driver_sql("SELECT name, default_version FROM policies").all()
    return f"v{dict(from_storage)['limits']}"


def test_policies_are_listed(browser: Any) -> None:
    page = browser.get(f"{CONSOLE}/policies").text
    assert quote(LIMITS) in page
    assert "AmazonChime" not in page
    found = browser.get(f"{CONSOLE}/policies?name=chimeread").text
    assert quote("arn:aws:iam::aws:policy/AmazonChimeReadOnly") in found
    assert quote(LIMITS) not in found


@pytest.mark.parametrize("path", [EDITOR, OF_GROUP, TRUST, AWS_OWNED])
def test_a_policy_is_shown(browser: Any, path: str) -> None:
    page = browser.get(CONSOLE + path)
    assert page.status_code == 200
    assert "<textarea" in page.text
    assert "2012-10-17" in page.text
    assert ('value="save"' in page.text) == (path != AWS_OWNED)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?arn=",
        "?arn=x",
        f"?arn={quote(LIMITS)}&version=9",
        f"?arn={quote(LIMITS.upper())}",
        f"?owner={quote(ANA)}&name=step-out",
        f"?owner={quote(ANA)}&trust=yes",
        f"?owner={quote(OPERATORS)}",
        f"?owner={quote(GATEWAY)}&name=none",
        "?owner=arn:aws:iam::111122223333:role/other/gateway&trust=yes",
    ],
)
def test_an_unknown_policy_is_not_found(browser: Any, query: str) -> None:
    assert browser.get(f"{CONSOLE}/policies/one{query}").status_code == 404


def test_problems_and_advice_stand_at_their_lines(browser: Any) -> None:
    wrong = '{\n  "Version": "2012-10-17",\n  "Statement": [\n    {"Effect": "Alow", "Action": "chime:*"}\n  ]\n}'
    page = send(browser, EDITOR, do="check", document=wrong)
    assert "1 problem, 0 pieces of advice" in text_of(page)
    assert "Line 4: " in page.text
    advised = WIDE.replace("chime:*", "chime:ListUser")
    page = send(browser, EDITOR, do="check", document=f"\n\n{advised}")
    assert "0 problems, 1 piece of advice" in text_of(page)
    assert "Line 3: Statement[0]: chime:ListUser: chime has no such action, did you mean" in text_of(page)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("Version: 2012-10-17", "not JSON"),
        ("[" * 50_000, "not JSON"),
        ("[]", "Line 1"),
        ("null", "Line 1"),
        ('{"Version": "2012-10-17"}', "Line 1"),
        (WIDE.replace('"Resource"', '"Principal": "*", "Resource"'), "Line 1"),
    ],
)
def test_what_is_no_policy_is_said_and_never_saved(two: Any, browser: Any, text: str, said: str) -> None:
    assert said in text_of(send(browser, EDITOR, do="check", document=text))
    page = send(browser, EDITOR, do="save", document=text)
    assert page.status_code == 400
    assert 'role="alert"' in page.text
    assert default_version(two) == "v1"


def test_the_difference_from_the_stored_version(browser: Any) -> None:
    assert "Difference from the stored version None." in text_of(browser.get(CONSOLE + EDITOR))
    page = send(browser, EDITOR, do="check", document=json.dumps(json.loads(WIDE), indent=2))
    assert "<del>-      &#34;Effect&#34;: &#34;Deny&#34;,</del>" in page.text
    assert "<ins>+" in page.text


def test_a_question_is_answered_with_the_text_and_as_stored(browser: Any) -> None:
    asked = {"principal": "444455556666:role/chime-operator", "action": "chime:DeleteAccount"}
    text = text_of(send(browser, EDITOR, do="check", document=WIDE, **asked))
    assert "With this text: Allowed , Allow by AmazonChimeFullAccess / statement 0." in text
    assert "As stored now: ExplicitDeny , Deny by limits / statement 1." in text
    assert "does not have this policy" not in text
    lacking = text_of(send(browser, EDITOR, do="check", document=WIDE, principal="user/ana", action="chime:ListBots"))
    assert "With this text: Allowed" in lacking
    assert "As stored now: ImplicitDeny" in lacking
    assert "does not have this policy" in lacking


def test_condition_keys_are_part_of_the_question(browser: Any) -> None:
    asked = {"principal": "role/gateway", "action": "sts:AssumeRole", "resource": BREAK_GLASS}
    stored = text_of(browser.get(CONSOLE + TRUST))
    assert "OnlyGateway" in stored
    document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"AWS": GATEWAY},
                "Action": "sts:AssumeRole",
                "Condition": {"StringEquals": {"sts:ExternalId": "new"}},
            },
        }
    )
    for context, with_text, as_stored in (
        ("", "ImplicitDeny", "ImplicitDeny"),
        ("sts:ExternalId = new", "Allowed", "ImplicitDeny"),
        ("sts:ExternalId = really", "ImplicitDeny", "Allowed"),
    ):
        text = text_of(send(browser, TRUST, do="check", document=document, context=context, **asked))
        assert f"With this text: {with_text} " in text
        assert f"As stored now: {as_stored} " in text


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("principal", "", "say which principal asks"),
        ("principal", "user/none", "the sandbox has no user/none"),
        ("action", "chime:*", "name one action"),
        ("action", "chime:None", "chime has no action"),
        ("context", "nonsense", "write each condition key on a line"),
        ("context", "a:b = 1\n" * 101, "write each condition key on a line"),
    ],
)
def test_a_question_that_cannot_be_asked_is_reported(browser: Any, field: str, value: str, said: str) -> None:
    asked = {"principal": "user/ana", "action": "chime:ListUsers", field: value}
    page = send(browser, EDITOR, do="check", document=WIDE, **asked)
    assert page.status_code == 200
    assert said in text_of(page)


def test_a_new_version_is_saved_as_the_call_would(two: Any, browser: Any) -> None:
    kept = {"principal": "user/ana", "action": "chime:ListUsers"}
    answer = send(browser, EDITOR, do="save", document=WIDE, **kept)
    assert answer.status_code == 303
    where = urlsplit(answer.headers["Location"])
    assert where.path == f"{CONSOLE}/policies/one"
    assert parse_qs(where.query) == {"arn": [LIMITS], "principal": ["user/ana"], "action": ["chime:ListUsers"]}
    assert "Version v2 is saved, and it is the default version." in browser.get(CONSOLE + EDITOR).text
    assert default_version(two) == "v2"
    assert "Deny" in browser.get(f"{CONSOLE}{EDITOR}&version=1").text
    logged = [each for each in two.outcomes if each.operation == "CreatePolicyVersion"]
    assert [(each.caller.principal.arn, each.user_agent) for each in logged] == [
        ("arn:aws:iam::444455556666:root", "Rolecall console")
    ]
    for _ in range(3):
        send(browser, EDITOR, do="save", document=WIDE)
    full = send(browser, EDITOR, do="save", document=WIDE)
    assert full.status_code == 409
    assert "LimitExceeded" in full.text
    assert "chime:*" in full.text


def test_inline_and_trust_policies_are_saved_in_their_place(two: Any, browser: Any) -> None:
    assert send(browser, OF_GROUP, do="save", document=WIDE).status_code == 303
    stored = two.client("iam").get_group_policy(GroupName="operators", PolicyName="step-out")
    assert stored["PolicyDocument"] == json.loads(WIDE)
    trust = WIDE.replace("chime:*", "sts:AssumeRole").replace('"Resource": "*"', f'"Principal": {{"AWS": "{ANA}"}}')
    path = f"/policies/one?owner={quote(GATEWAY)}&trust=yes"
    assert send(browser, path, do="save", document=trust).status_code == 303
    role = two.client("iam").get_role(RoleName="gateway")["Role"]
    assert role["AssumeRolePolicyDocument"] == json.loads(trust)


CONTROLLED = f"""{TWO_ACCOUNTS}
organization:
  id: o-example1234
  service_control_policies:
    - name: guard
      targets: ["444455556666"]
      document:
        Version: "2012-10-17"
        Statement: [{{Effect: Deny, Action: "sts:TagSession", Resource: "*"}}]
  resource_control_policies:
    - name: fence
      targets: ["444455556666"]
      document:
        Version: "2012-10-17"
        Statement: [{{Effect: Deny, Principal: "*", Action: "sts:TagSession", Resource: "*"}}]
"""


@pytest.fixture
def organized(make_world: Any) -> Any:
    world = make_world(CONTROLLED)
    keep_log(world)
    return world


def control_editor(browser: Any, name: str) -> str:
    """The address of a control policy's editor, from the list."""
    page = browser.get(f"{CONSOLE}/policies?name={name}").text
    [path] = set(re.findall(rf'href="{CONSOLE}(/policies/one\?arn=arn[^"]*organizations[^"]*)"', page))
    return unescape(str(path))


@pytest.mark.parametrize("name", ["guard", "fence"])
def test_a_control_policy_is_tried_and_saved(organized: Any, name: str) -> None:
    browser = organized.application.test_client()
    path = control_editor(browser, name)
    sts = organized.client("sts", "ana")
    assert organized.assume(OPERATOR, "ana")
    denied: dict[str, Any] = {"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": "*"}
    if name == "fence":
        denied["Principal"] = "*"
    text = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    # The service control policy bears on principals of the account, the resource control policy on its roles.
    who, role = ("user/ana", OPERATOR) if name == "fence" else ("444455556666:role/chime-operator", GATEWAY)
    asked = {"principal": who, "action": "sts:AssumeRole", "resource": role}
    tried = text_of(send(browser, path, do="check", document=text, **asked))
    assert f"With this text: ExplicitDeny , Deny by {name} / statement 0." in tried
    assert "As stored now: ExplicitDeny" not in tried
    assert "does not bear on this question" not in tried
    other = {"principal": "role/gateway", "action": "iam:GetRole", "resource": GATEWAY}
    assert "does not bear on this question" in text_of(send(browser, path, do="check", document=text, **other))
    assert send(browser, path, do="save", document=text).status_code == 303
    assert "The policy is saved." in browser.get(CONSOLE + path).text
    stored = organized.client("organizations").describe_policy(PolicyId=path.rpartition("/")[2])["Policy"]
    assert json.loads(stored["Content"]) == json.loads(text)
    if name == "fence":
        assert (
            "explicit deny in a resource control policy"
            in refused(sts.assume_role, RoleArn=OPERATOR, RoleSessionName="session")[1]
        )


def test_a_control_policy_that_is_none_is_not_saved(organized: Any) -> None:
    browser = organized.application.test_client()
    path = control_editor(browser, "fence")
    page = send(browser, path, do="save", document=WIDE)
    assert page.status_code == 400
    assert "MalformedPolicyDocument" in page.text


def test_saving_is_a_form_of_this_browser(two: Any, browser: Any) -> None:
    browser.get(CONSOLE + EDITOR)
    assert browser.post(CONSOLE + EDITOR, data={"do": "save", "document": WIDE}).status_code == 400
    token = form_token(browser, EDITOR)
    data = {"do": "save", "document": WIDE, "form_token": token}
    headers = {"Origin": "https://evil.example.com"}
    assert browser.post(CONSOLE + EDITOR, data=data, headers=headers).status_code == 403
    assert default_version(two) == "v1"


def test_a_policy_of_aws_cannot_be_saved(browser: Any) -> None:
    page = send(browser, AWS_OWNED, do="save", document=WIDE)
    assert page.status_code == 403
    assert "AWS owns this policy" in page.text


# The simulator.


def simulated(browser: Any, query: str) -> list[list[str]]:
    page = browser.get(f"{CONSOLE}/simulator?{query}")
    assert page.status_code == 200
    table = page.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [Scan(row).text for row in table.split("<tr>")[1:]]


def test_the_simulator_answers_action_by_action(browser: Any) -> None:
    query = "principal=444455556666:role/chime-operator&action=chime:ListUsers+chime:DeleteAccount"
    found = [[cell for cell in row if cell.strip()] for row in simulated(browser, query)]
    assert found == [
        ["chime:DeleteAccount", "*", "ExplicitDeny", "Deny by limits / statement 1"],
        ["chime:ListUsers", "*", "Allowed", "Allow by AmazonChimeFullAccess / statement 0"],
    ]


def test_the_simulator_takes_a_service_resources_and_condition_keys(browser: Any) -> None:
    query = f"principal=role/gateway&service=sts&action=AssumeRole&resource={quote(BREAK_GLASS)}+{quote(OPERATOR)}"
    outcomes = [row[2] for row in ([c for c in row if c.strip()] for row in simulated(browser, query))]
    assert outcomes == ["ImplicitDeny", "ImplicitDeny"]
    query += "&context=sts:ExternalId+=+really"
    outcomes = [row[2] for row in ([c for c in row if c.strip()] for row in simulated(browser, query))]
    assert outcomes == ["Allowed", "ImplicitDeny"]


def test_many_actions_are_cut(browser: Any) -> None:
    page = browser.get(f"{CONSOLE}/simulator?principal=user/ana&action=*")
    assert page.text.count("<tr><td ") == 300
    assert "Only the first 300 are shown." in page.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("action=chime:ListUsers", "say which principal asks"),
        ("principal=user/none&action=chime:ListUsers", "the sandbox has no user/none"),
        ("principal=user/ana&action=nothing", "not an action"),
        ("principal=user/ana&action=chime:ListUsers&context=x", "write each condition key"),
        (f"principal=user/ana&action={'+'.join(['iam:GetUser'] * 51)}", "at most 50 patterns"),
        ("principal=user/*&action=chime:ListUsers", "name one of them"),
    ],
)
def test_a_simulation_that_cannot_be_made_is_reported(browser: Any, query: str, said: str) -> None:
    page = browser.get(f"{CONSOLE}/simulator?{query}")
    assert page.status_code == 200
    assert said in text_of(page)


def test_the_first_visit_asks_nothing(browser: Any) -> None:
    assert "are allowed" not in browser.get(f"{CONSOLE}/simulator").text


# Completion.


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("sts:assumerolewiths", ["sts:AssumeRoleWithSAML"]),
        ("chim", ["chime:"]),
        ("aws:multifactorauth", ["aws:MultiFactorAuthAge", "aws:MultiFactorAuthPresent"]),
        ("sts:externalid", ["sts:ExternalId"]),
        ("nothing:x", []),
        ("", []),
        ("x" * 300, []),
        ("<script>", []),
    ],
)
def test_words_complete_what_somebody_writes(start: str, expected: list[str]) -> None:
    assert sorted(words(start)) == expected


def test_words_are_few(browser: Any) -> None:
    answer = browser.get(f"{CONSOLE}/words?start=iam:")
    assert answer.mimetype == "application/json"
    assert len(answer.json["words"]) == 20
