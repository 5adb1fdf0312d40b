"""The console's pages of Amazon Chime: accounts, users, meetings, channels and their messages."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from console_contents import Contents, fill
from console_visits import CONSOLE, post, text_of
from console_worlds import HUB, TWO_ACCOUNTS, WORK

PLACE = {"account": HUB, "region": "us-east-1"}


@pytest.fixture
def world(make_world: Any) -> Any:
    return make_world(TWO_ACCOUNTS)


@pytest.fixture
def contents(world: Any) -> Contents:
    world.clock.freeze()
    return fill(lambda service: world.client(service, "admin"))


@pytest.fixture
def browser(world: Any) -> Any:
    return world.application.test_client()


def text_at(browser: Any, path: str) -> str:
    page = browser.get(CONSOLE + path)
    assert page.status_code == 200
    return text_of(page)


def as_json(browser: Any, path: str) -> Any:
    answer = browser.get(f"{CONSOLE}{path}{'&' if '?' in path else '?'}format=json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    return answer.json


def test_the_accounts_and_the_resources_are_listed(browser: Any, contents: Contents) -> None:
    text = text_at(browser, "/chime")
    assert f"team {contents.account} Team Pro Active" in text
    found = as_json(browser, "/chime")
    [account] = found["Accounts"]
    assert account["AccountId"] == contents.account
    assert {(each["Kind"], each["Region"], each["Count"]) for each in found["Resources"]} == {
        ("chime-sdk-identity/app-instance", "us-east-1", 1),
        ("chime-sdk-identity/app-instance-user", "us-east-1", 2),
        ("chime-sdk-meetings/attendee", "us-east-1", 1),
        ("chime-sdk-meetings/meeting", "us-east-1", 1),
        ("chime-sdk-messaging/channel", "us-east-1", 1),
    }


def test_another_account_has_its_own(browser: Any, contents: Contents) -> None:
    assert contents.account not in text_at(browser, f"/chime?account={WORK}")
    assert as_json(browser, f"/chime?account={WORK}") == {"Accounts": [], "Resources": []}
    for path in contents.pages(HUB).values():
        # A visitor who names the other account does not find the first one's resources.
        page = browser.get(CONSOLE + path.replace(HUB, WORK))
        assert page.status_code == 404 or contents.channel not in page.text


def test_an_account_shows_its_users(browser: Any, contents: Contents) -> None:
    path = contents.pages(HUB)["chime-account"]
    text = text_at(browser, path)
    assert f"team ana@example.com {contents.user} Pro Registered" in text
    [user] = as_json(browser, path)["Users"]
    assert (user["PrimaryEmail"], user["PersonalPIN"]) == ("ana@example.com", "(hidden)")


def test_a_channel_shows_its_messages_newest_first_for_every_reader(browser: Any, contents: Contents) -> None:
    path = contents.pages(HUB)["chime-channel"]
    found = as_json(browser, path)
    assert [(each["Content"], each["Persistence"]) for each in found["Messages"]] == [
        ("for ben alone", "PERSISTENT"),
        ("passing", "NON_PERSISTENT"),
        ("team", "PERSISTENT"),
        ("first message", "PERSISTENT"),
    ]
    assert [each["Arn"].rpartition("/")[2] for each in found["Relations"]["Members"]] == ["ana", "ben"]
    assert [each["Arn"].rpartition("/")[2] for each in found["Relations"]["Moderators"]] == ["ana"]
    assert found["Tags"] == [{"Key": "team", "Value": "core"}]
    text = text_at(browser, path)
    assert "ana to ben alone SENT for ben alone" in text
    assert "SENT, not kept passing" in text


def test_a_meeting_shows_its_attendees_until_it_ends(world: Any, browser: Any, contents: Contents) -> None:
    path = contents.pages(HUB)["chime-meeting"]
    found = as_json(browser, path)
    [children] = found["Children"]
    assert (children["Kind"], children["Count"]) == ("chime-sdk-meetings/attendee", 1)
    assert children["Resources"][0]["Content"]["AttendeeId"] == contents.attendee
    # Developer Guide: a meeting that nobody uses ends after five minutes.
    world.clock.advance(301)
    assert browser.get(CONSOLE + path).status_code == 404
    assert browser.get(CONSOLE + contents.pages(HUB)["chime-attendee"]).status_code == 404
    kinds = {each["Kind"] for each in as_json(browser, "/chime")["Resources"]}
    assert not {kind for kind in kinds if "meetings" in kind}


def test_messages_that_the_app_instance_no_longer_keeps_are_not_shown(
    world: Any, browser: Any, contents: Contents
) -> None:
    """As for ListChannelMessages: retention of one day, and a day of grace before the first deletion."""
    world.client("chime-sdk-identity", "admin").put_app_instance_retention_settings(
        AppInstanceArn=contents.instance,
        AppInstanceRetentionSettings={"ChannelRetentionSettings": {"RetentionDays": 1}},
    )
    path = contents.pages(HUB)["chime-channel"]
    assert len(as_json(browser, path)["Messages"]) == 4
    world.clock.advance(40 * 86_400)
    assert as_json(browser, path)["Messages"] == []


def test_no_page_holds_a_secret_before_its_button_is_pressed(browser: Any, contents: Contents) -> None:
    pages = contents.pages(HUB)
    for path in (*pages.values(), "/chime/resources?" + urlencode({**PLACE, "kind": "chime-sdk-meetings/attendee"})):
        for form in (path, f"{path}{'&' if '?' in path else '?'}format=json"):
            text = browser.get(CONSOLE + form).text
            assert [secret for secret in contents.secrets if secret in text] == []
    account = {"account": HUB, "chime_account": contents.account, "user": contents.user}
    attendee = {**PLACE, "kind": "chime-sdk-meetings/attendee", "id": contents.attendee}
    pin, token = contents.secrets
    assert pin in post(browser, "/chime/account/secret", pages["chime-account"], **account).text
    assert token in post(browser, "/chime/resource/secret", pages["chime-attendee"], **attendee).text


def test_a_bot_shows_its_token_only_when_asked(world: Any, browser: Any, contents: Contents) -> None:
    account = world.application.sandbox.database
    with account.transaction() as connection:
        connection.exec_driver_sql("UPDATE chime_accounts SET account_type = 'EnterpriseLWA'")
    bot = world.client("chime", "admin").create_bot(AccountId=contents.account, DisplayName="helper")["Bot"]
    path = contents.pages(HUB)["chime-account"]
    assert bot["SecurityToken"] not in browser.get(CONSOLE + path).text
    assert as_json(browser, path)["Bots"][0]["SecurityToken"] == "(hidden)"
    given = {"account": HUB, "chime_account": contents.account, "bot": bot["BotId"]}
    assert bot["SecurityToken"] in post(browser, "/chime/account/secret", path, **given).text


@pytest.mark.parametrize(
    ("path", "given"),
    [
        ("/chime/account/secret", {"account": HUB, "chime_account": "x", "user": "x"}),
        ("/chime/account/secret", {}),
        ("/chime/resource/secret", {"account": HUB, "region": "us-east-1", "kind": "x", "id": "x"}),
        ("/chime/resource/secret", {}),
    ],
)
def test_a_secret_of_what_is_not_there(browser: Any, contents: Contents, path: str, given: dict[str, str]) -> None:
    assert post(browser, path, contents.pages(HUB)["chime-account"], **given).status_code == 404


def test_a_secret_is_not_found_from_another_account(browser: Any, contents: Contents) -> None:
    page = contents.pages(HUB)["chime-account"]
    account = {"account": WORK, "chime_account": contents.account, "user": contents.user}
    assert post(browser, "/chime/account/secret", page, **account).status_code == 404
    attendee = {**PLACE, "account": WORK, "kind": "chime-sdk-meetings/attendee", "id": contents.attendee}
    assert post(browser, "/chime/resource/secret", page, **attendee).status_code == 404
    meeting = {**PLACE, "kind": "chime-sdk-meetings/meeting", "id": contents.meeting}
    assert post(browser, "/chime/resource/secret", page, **meeting).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/chime?account=999999999999",
        "/chime/account",
        f"/chime/account?account={HUB}&id=x",
        "/chime/resources?account=x",
        f"/chime/resource?account={HUB}&region=us-east-1&kind=x&id=x",
        "/chime/resource",
    ],
)
def test_what_is_not_there_gets_404(browser: Any, path: str) -> None:
    assert browser.get(CONSOLE + path).status_code == 404


@pytest.mark.parametrize("after", ["x", "1", "[]", "[1, 2]", '["a", "b", "c"]', "{}", '["x", "y"]', "[" * 100_000])
def test_a_place_that_is_none_gets_400(browser: Any, after: str) -> None:
    assert browser.get(f"{CONSOLE}/chime?{urlencode({'after': after})}").status_code == 400


def test_long_lists_go_on_at_the_next_page(world: Any, browser: Any) -> None:
    chime = world.client("chime", "admin")
    for number in range(101):
        chime.create_account(Name=f"account {number}")
    page = browser.get(f"{CONSOLE}/chime").text
    first = as_json(browser, "/chime")["Accounts"]
    assert (len(first), "More accounts" in page) == (100, True)
    last = first[-1]
    after = json.dumps([str(int(last["CreatedTimestamp"])), last["AccountId"]])
    [rest] = as_json(browser, f"/chime?{urlencode({'after': after})}")["Accounts"]
    assert rest["AccountId"] not in {each["AccountId"] for each in first}


def test_earlier_messages_are_on_the_next_page(world: Any, browser: Any, contents: Contents) -> None:
    messaging = world.client("chime-sdk-messaging", "admin")
    sender = f"{contents.instance}/user/ana"
    for number in range(100):
        messaging.send_channel_message(
            ChannelArn=contents.channel,
            Content=f"number {number}",
            Type="STANDARD",
            Persistence="PERSISTENT",
            ChimeBearer=sender,
        )
    path = contents.pages(HUB)["chime-channel"]
    page = browser.get(CONSOLE + path).text
    assert "number 99" in page
    assert "first message" not in page
    before = page.split("before=")[1].split('"')[0]
    assert [each["Content"] for each in as_json(browser, f"{path}&before={before}")["Messages"]][-1] == "first message"
