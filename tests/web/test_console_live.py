"""The live list of the console: the text of its events, what is in it, and who gets it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from console_visits import CONSOLE, Scan
from logged_worlds import keep_log

from rolecall.app import application_over
from rolecall.storage.decision_log import CallFilter
from rolecall.web.console.live_calls import Follower, news
from rolecall.web.control_access import control_access
from rolecall.web.origins import admission_of

STREAM = f"{CONSOLE}/decisions/stream"
FIELDS = re.compile(r"(id|event|data|retry): ?(.*)")
EVERYTHING = CallFilter()
# Ends of a line for an event, and what only Python takes for one.
HOSTILE = "x\r\ndata: <script>alert(1)</script>\n\nevent: cleared\ndata: y\u2028z\x0b"


@pytest.fixture
def log(world: Any) -> Any:
    return keep_log(world)


@pytest.fixture
def browser(world: Any, log: Any) -> Any:
    return world.application.test_client()


def events(text: str) -> list[dict[str, str]]:
    """What a browser reads: HTML Living Standard, section 9.2.6, for the fields that the console sends."""
    found = []
    for block in re.split("\n\n", text):
        event: dict[str, str] = {}
        for line in re.split("\r\n|\r|\n", block):
            match = FIELDS.fullmatch(line)
            if match:
                event[match[1]] = "\n".join(filter(None, (event.get(match[1]), match[2])))
        if "data" in event:
            found.append(event)
    return found


def place(browser: Any, query: str = "") -> str:
    """The place in the log at which a page of the list begins to follow."""
    return str(re.search(r'data-after="([^"]*)"', browser.get(f"{CONSOLE}/decisions{query}").text)[1])  # type: ignore[index]


def create(world: Any, name: str) -> str:
    return str(world.client("iam").create_user(UserName=name)["ResponseMetadata"]["RequestId"])


def test_a_call_after_the_page_comes_as_a_row(world: Any, browser: Any) -> None:
    create(world, "before")
    after = place(browser)
    first, second = create(world, "first"), create(world, "second")
    answer = browser.get(f"{STREAM}?after={after}")
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
    assert answer.text.startswith("retry: 2000\n\n")
    [event] = events(answer.text)
    assert event["event"] == "calls"
    # Newest first, as in the list.
    assert re.findall(r'data-call="([^"]*)"', event["data"]) == [second, first]
    assert f'<a href="{CONSOLE}/decisions/{second}">' in event["data"]
    # Asked again from there, nothing is new.
    assert events(browser.get(f"{STREAM}?after={event['id']}").text) == []


def test_the_place_of_a_browser_that_connects_again_counts_more_than_the_address(world: Any, browser: Any) -> None:
    after = place(browser)
    create(world, "first")
    [event] = events(browser.get(f"{STREAM}?after={after}").text)
    second = create(world, "second")
    [missed] = events(browser.get(f"{STREAM}?after={after}", headers={"Last-Event-ID": event["id"]}).text)
    assert re.findall(r'data-call="([^"]*)"', missed["data"]) == [second]


def test_filters_and_the_limit_hold_for_the_stream(world: Any, browser: Any) -> None:
    after = place(browser)
    for name in ("a", "b", "c"):
        create(world, name)
    kept = world.client("iam").get_user(UserName="a")["ResponseMetadata"]["RequestId"]
    [event] = events(browser.get(f"{STREAM}?action=iam:GetUser&after={after}").text)
    assert re.findall(r'data-call="([^"]*)"', event["data"]) == [kept]
    [event] = events(browser.get(f"{STREAM}?action=iam:CreateUser&limit=2&after={after}").text)
    assert len(re.findall("<tr", event["data"])) == 2
    assert events(browser.get(f"{STREAM}?outcome=Refused&after={after}").text) == []
    for query in ("outcome=no%20outcome", "service=sts&action=iam:GetUser", "limit=0"):
        assert browser.get(f"{STREAM}?{query}").status_code == 400
    page = Scan(browser.get(f"{CONSOLE}/decisions?principal=%22%3E%3Cb%3E&outcome=Refused&limit=7").text)
    assert page.inline == []


def test_the_page_names_the_stream_of_its_filter(browser: Any) -> None:
    text = browser.get(f"{CONSOLE}/decisions?outcome=Refused&limit=7").text
    assert f'data-stream="{STREAM}?outcome=Refused&amp;limit=7"' in text
    assert 'data-limit="7"' in text


@pytest.mark.parametrize("given", ["x", "1", "1@", "-1@0.0", "1@nan", "1@1e400", "9" * 20 + "@0.0", "1@0.0\u0661"])
def test_a_place_that_the_console_did_not_give_out_is_refused(browser: Any, given: str) -> None:
    assert browser.get(STREAM, query_string={"after": given}).status_code == 400


def test_a_reset_empties_the_list_first(world: Any, browser: Any) -> None:
    for name in ("a", "b", "c"):
        create(world, name)
    after = place(browser)
    world.application.sandbox.reset()
    # The log is as long as before, so only the time of the reset tells them apart.
    ids = [create(world, name) for name in ("a", "b", "c", "d")]
    cleared, calls = events(browser.get(f"{STREAM}?after={after}").text)
    assert cleared["event"] == "cleared"
    assert re.findall(r'data-call="([^"]*)"', calls["data"]) == ids[::-1]
    assert events(browser.get(f"{STREAM}?after={calls['id']}").text) == []


def test_what_clients_send_ends_no_event_and_is_no_markup(world: Any, browser: Any) -> None:
    after = place(browser)
    create(world, "a")
    # No client can bring such a name into the log, so it is written there.
    store = world.application.sandbox.decisions.store
    world.application.sandbox.decisions.flush()
    [call] = store.calls(EVERYTHING)
    store.write([call._replace(principal=HOSTILE, request_id=HOSTILE, outcome=HOSTILE)], {}, {}, 0.0)
    [event] = events(browser.get(f"{STREAM}?after={after}").text)
    assert event["event"] == "calls"
    scan = Scan(f"<table>{event['data']}</table>")
    assert (scan.inline, scan.loaded) == ([], [])
    assert event["data"].count("<tr ") == 2
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in event["data"]


def test_followers_that_want_the_same_are_read_for_once(world: Any, log: Any, browser: Any) -> None:
    followers = [Follower(EVERYTHING, log.newest_place()) for _ in range(50)]
    assert list(news(world.application, world.application.sandbox, followers)) == []
    create(world, "a")
    log.flush()
    [(first, members)] = news(world.application, world.application.sandbox, followers)
    assert members == followers
    assert b"iam:CreateUser" in first
    assert list(news(world.application, world.application.sandbox, followers)) == []


def test_the_stream_is_for_those_who_may_see_the_page(world: Any, log: Any) -> None:
    told = admission_of(control=control_access("a-control-token-of-the-team"))
    application = application_over(world.database, world.declared, world.clock, decisions=log, admission=told)
    assert application.test_client().get(STREAM).status_code == 401
    for environ in (
        {"HTTP_ORIGIN": "https://elsewhere.example"},
        {"HTTP_SEC_FETCH_SITE": "cross-site"},
        {"HTTP_HOST": "elsewhere.example"},
    ):
        answer = world.application.test_client().get(STREAM, environ_overrides=environ)
        assert (answer.status_code, answer.mimetype) == (403, "application/json")
    outside = {"REMOTE_ADDR": "192.0.2.1"}
    assert world.application.test_client().get(STREAM, environ_overrides=outside).status_code == 403


def test_without_a_log_there_is_no_stream(world: Any) -> None:
    assert world.application.test_client().get(STREAM).status_code == 404
