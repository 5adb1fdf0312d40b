"""The console's pages of identities and of the trust graph."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from console_visits import CONSOLE, Scan, post, text_of
from console_worlds import ADMIN, ANA, BREAK_GLASS, DEPLOY, GATEWAY, GITHUB, HUB, OPERATOR, OPERATORS

ONE = "/identities/one?arn="
DEVICE = f"arn:aws:iam::{HUB}:mfa/phone"


@pytest.fixture
def browser(two: Any) -> Any:
    return two.application.test_client()


def text_at(browser: Any, path: str) -> str:
    page = browser.get(CONSOLE + path)
    assert page.status_code == 200
    return text_of(page)


def test_the_identities_of_an_account_are_listed(browser: Any) -> None:
    page = browser.get(f"{CONSOLE}/identities").text
    for arn in (ANA, ADMIN, OPERATORS, GATEWAY, DEPLOY, GITHUB):
        assert f"{ONE}{quote(arn)}" in page
    assert quote(OPERATOR) not in page
    other = browser.get(f"{CONSOLE}/identities?account=444455556666").text
    assert quote(OPERATOR) in other
    assert quote(ANA) not in other


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("?name=AN", [ANA], [ADMIN, GATEWAY, OPERATORS]),
        ("?kind=role", [GATEWAY, DEPLOY], [ANA, OPERATORS]),
        ("?kind=user&after=admin", [ANA], [ADMIN]),
        ("?kind=provider", [GITHUB], [ANA]),
    ],
)
def test_the_list_is_narrowed(browser: Any, query: str, shown: list[str], hidden: list[str]) -> None:
    page = browser.get(f"{CONSOLE}/identities{query}").text
    assert [arn for arn in shown if quote(arn) not in page] == []
    assert [arn for arn in hidden if quote(arn) in page] == []


def test_a_long_list_goes_on_at_the_next_page(two: Any, browser: Any) -> None:
    iam = two.client("iam")
    for number in range(101):
        iam.create_group(GroupName=f"group-{number:03}")
    first = browser.get(f"{CONSOLE}/identities?kind=group").text
    assert "group-099" in first
    assert "group-100" not in first
    assert "after=group-099" in first
    second = browser.get(f"{CONSOLE}/identities?kind=group&after=group-099").text
    assert "group-100" in second
    assert "group-050" not in second


def test_an_unknown_account_is_not_found(browser: Any) -> None:
    assert browser.get(f"{CONSOLE}/identities?account=000000000000").status_code == 404


def test_a_user_s_page(browser: Any) -> None:
    text = text_at(browser, f"{ONE}{quote(ANA)}")
    for part in ("ana user", "team core", "operators", "ana_key Active", DEVICE, "chime:ListUsers", "sts:AssumeRole"):
        assert part in text
    assert "ana-secret" not in text
    assert "JBSWY3DPEHPK3PXP" not in text


def test_a_role_s_page(two: Any, browser: Any) -> None:
    session = two.client("sts", "admin").assume_role(RoleArn=GATEWAY, RoleSessionName="open")
    text = text_at(browser, f"{ONE}{quote(GATEWAY)}")
    assert "Last used never" in text
    key_id = session["Credentials"]["AccessKeyId"]
    assert f"assumed-role/gateway/open {key_id} {ADMIN} AssumeRole" in text
    other = text_at(browser, f"{ONE}{quote(DEPLOY)}")
    assert key_id not in other
    two.clock.advance(3601)
    assert key_id not in text_at(browser, f"{ONE}{quote(GATEWAY)}")


def test_a_boundary_limits_the_actions_that_are_shown(browser: Any) -> None:
    text = text_at(browser, f"{ONE}{quote(OPERATOR)}&action=chime:DeleteAccount%20chime:ListUsers")
    assert "It may call 1 of 2 actions" in text
    assert "Permissions boundary arn:aws:iam::444455556666:policy/limits" in text


def test_grants_that_no_call_used_are_shown(browser: Any) -> None:
    assert "sts: 1 action" in text_at(browser, f"{ONE}{quote(ANA)}")
    assert "step-out (of group operators)" in text_at(browser, f"{ONE}{quote(ANA)}")


@pytest.mark.parametrize("action", ["nothing", "iam:NoSuch", "iam:*,x", " ".join(["iam:GetUser"] * 21)])
def test_a_question_that_cannot_be_asked_is_reported(browser: Any, action: str) -> None:
    page = browser.get(f"{CONSOLE}{ONE}{quote(ANA)}&action={quote(action)}")
    assert page.status_code == 200
    assert 'role="alert"' in page.text


def test_groups_and_providers_have_pages(browser: Any) -> None:
    assert "Members ana" in text_at(browser, f"{ONE}{quote(OPERATORS)}")
    text = text_at(browser, f"{ONE}{quote(GITHUB)}")
    assert "token.actions.githubusercontent.com OpenID Connect provider" in text
    assert " Issuer https://token.actions.githubusercontent.com " in text
    assert "Audiences sts.amazonaws.com" in text


def test_a_service_linked_role_is_marked(two: Any, browser: Any) -> None:
    iam = two.client("iam")
    role = iam.create_service_linked_role(AWSServiceName="voiceconnector.chime.amazonaws.com")["Role"]
    assert "service-linked role of voiceconnector.chime.amazonaws.com" in text_at(browser, "/identities?kind=role")
    assert "Only the service can change its policies" in text_at(browser, f"{ONE}{quote(role['Arn'])}")
    page = browser.get(f"{CONSOLE}/policies/one?owner={quote(role['Arn'])}&trust=yes")
    assert page.status_code == 200
    assert 'value="save"' not in page.text
    path = f"/policies/one?owner={quote(role['Arn'])}&trust=yes"
    assert post(browser, path, path, do="save", document="{}").status_code == 403


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "ana",
        f"arn:aws:iam::{HUB}:user/nobody",
        f"arn:aws:iam::{HUB}:user/other/ana",
        f"arn:aws:iam::{HUB}:role/ana",
        f"arn:aws:iam::{HUB}:user/*",
        "arn:aws:iam::000000000000:user/ana",
        "arn:aws:sts::111122223333:assumed-role/gateway/x",
        f"arn:aws:iam::{HUB}:user/ANA",
        "\ud800",
    ],
)
def test_an_unknown_identity_is_not_found(browser: Any, arn: str) -> None:
    assert browser.get(f"{CONSOLE}{ONE}{quote(arn, errors='replace')}").status_code == 404


def test_the_code_of_a_device_is_shown_when_it_is_asked_for(browser: Any) -> None:
    assert browser.get(f"{CONSOLE}/mfa-codes/{quote(DEVICE)}").status_code == 405
    page = post(browser, f"/mfa-codes/{quote(DEVICE)}", f"{ONE}{quote(ANA)}")
    shown = browser.get(f"/_rolecall/mfa-codes?device={quote(DEVICE)}").json
    assert f'tabindex="0">{shown["code"]}</pre>' in page.text
    assert " ".join(shown["pair"]) in page.text
    assert post(browser, "/mfa-codes/none").status_code == 409


# The trust graph.


def rows(browser: Any, query: str = "") -> int:
    page = browser.get(f"{CONSOLE}/trust{query}")
    assert page.status_code == 200
    return int(page.text.count('<tr class="edge"'))


def test_the_graph_lists_every_edge(browser: Any) -> None:
    page = browser.get(f"{CONSOLE}/trust").text
    assert page.count('<tr class="edge"') == 8
    assert f'data-from="{GATEWAY}" data-to="{BREAK_GLASS}" data-admin="yes"' in page
    assert f'data-from="{GITHUB}" data-to="{DEPLOY}" data-admin=""' in page
    assert "only if StringEquals" not in page
    assert 'data-conditions="StringEquals sts:ExternalId really"' in page


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("?administrators=yes", 4),
        ("?name=deploy", 1),
        ("?name=octo", 0),
        ("?from=user/ana", 2),
        (f"?to={quote(GATEWAY)}", 3),
        ("?from=user/ana&to=444455556666:role/break-glass", 2),
        ("?from=user/ana&to=role/deploy", 0),
    ],
)
def test_the_graph_is_narrowed(browser: Any, query: str, count: int) -> None:
    assert rows(browser, query) == count


def test_ways_from_one_principal_to_another(browser: Any) -> None:
    text = text_at(browser, "/trust?from=user/ana&to=444455556666:role/break-glass")
    assert "user/ana → role/gateway → 444455556666:role/break-glass (only if StringEquals sts:ExternalId" in text
    assert "rolecall paths user/ana 444455556666:role/break-glass" in text
    assert "There is no way." in text_at(browser, "/trust?from=user/ana&to=role/deploy")
    page = browser.get(f"{CONSOLE}/trust?from=user/anna&to=role/deploy")
    assert "did you mean user/ana?" in page.text


def test_an_edge_shows_its_statement(browser: Any) -> None:
    page = browser.get(f"{CONSOLE}/trust/edge?from={quote(GATEWAY)}&to={quote(BREAK_GLASS)}").text
    marked = "".join(Scan(page).marked)
    assert "OnlyGateway" in marked
    assert "Nobody" not in marked
    assert "Nobody" in page
    assert "A plain AssumeRole is refused." in page
    federated = text_at(browser, f"/trust/edge?from={quote(GITHUB)}&to={quote(DEPLOY)}")
    assert "StringLike token.actions.githubusercontent.com:sub repo:octo-org/*" in federated
    plain = text_at(browser, f"/trust/edge?from={quote(ANA)}&to={quote(OPERATOR)}")
    assert "None: a plain AssumeRole is allowed." in plain


@pytest.mark.parametrize(("source", "target"), [(ANA, BREAK_GLASS), (ANA, "x"), ("", ""), (DEPLOY, GATEWAY)])
def test_what_is_no_edge_is_not_found(browser: Any, source: str, target: str) -> None:
    assert browser.get(f"{CONSOLE}/trust/edge?from={quote(source)}&to={quote(target)}").status_code == 404


def test_the_graph_follows_a_change(two: Any, browser: Any) -> None:
    before = rows(browser)
    two.client("iam").delete_group_policy(GroupName="operators", PolicyName="step-out")
    assert rows(browser) == before - 2
