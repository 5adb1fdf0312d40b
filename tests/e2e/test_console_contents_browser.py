"""The console's pages of Chime, federation, time and least privilege in a real browser, at two widths.

They are visited as the other pages are: see test_console_browser.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from console_contents import Contents, fill
from console_worlds import ANA, GATEWAY, HUB
from test_console_browser import (
    NARROW,
    browser,
    complaints,
    find,
    look_at_every_page,
    press,
    sandbox,
    size,
    visit,
)

__all__ = ["browser", "sandbox"]


@pytest.fixture(scope="module")
def contents(sandbox: Any) -> Contents:
    made = fill(lambda service: sandbox.client(service, user="admin"))
    iam = sandbox.client("iam", user="ana")
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.get_user(UserName="ana")
    sandbox.client("sts", user="ana").assume_role(RoleArn=GATEWAY, RoleSessionName="session")
    sandbox.faults.add(service="iam", operation="DeleteUser", error="Throttling", times=2)
    return made


def pages(contents: Contents) -> dict[str, str]:
    return {
        **contents.pages(HUB),
        "federation": "/federation",
        "time": "/time",
        "least-privilege": f"/least-privilege?principal={quote(ANA)}&include_refused=yes",
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_fits_and_loads_only_what_it_may(
    browser: Any, sandbox: Any, contents: Contents, dark: bool, pytestconfig: pytest.Config
) -> None:
    folder = pytestconfig.getoption("--screenshots")
    look_at_every_page(browser, sandbox, pages(contents), dark=dark, folder=folder)


def test_the_clock_is_frozen_and_runs_on_by_keyboard(browser: Any, sandbox: Any) -> None:
    size(browser, NARROW)
    visit(browser, sandbox, "/time")
    for button, frozen in (("freeze", True), ("unfreeze", False), ("reset", False)):
        press(browser, find(browser, f"input[value={button}] + button"))
        assert f"rolecall clock {button}" in find(browser, ".notice").text
        assert sandbox.clock.frozen is frozen
    assert complaints(browser) == []


def test_signing_in_leads_to_the_page_of_the_visitor(browser: Any, sandbox: Any) -> None:
    visit(browser, sandbox, "/federation")
    find(browser, "input[name=principal]").send_keys("role/gateway")
    press(browser, find(browser, "form[action$=sign-in] button"))
    assert browser.current_url.startswith(f"{sandbox.endpoint_url}/_rolecall/session")
    assert f"arn:aws:sts::{HUB}:assumed-role/gateway/rolecall-console" in find(browser, "dl").text
    assert complaints(browser) == []


def test_a_token_is_made_and_a_secret_is_shown_by_buttons(browser: Any, sandbox: Any, contents: Contents) -> None:
    visit(browser, sandbox, "/federation")
    find(browser, "input[name=issuer]").send_keys("ci")
    press(browser, find(browser, "form[action$=token] button"))
    assert find(browser, "#minted").text.count(".") == 2
    visit(browser, sandbox, contents.pages(HUB)["chime-attendee"])
    assert contents.secrets[1] not in browser.page_source
    press(browser, find(browser, "form[action$=secret] button"))
    assert find(browser, "#secret").text == contents.secrets[1]
    assert complaints(browser) == []


def test_a_snapshot_is_chosen_and_loaded(browser: Any, sandbox: Any, tmp_path: Path) -> None:
    file = tmp_path / "snapshot.yaml"
    file.write_text(sandbox.snapshot(), encoding="utf-8")
    sandbox.client("iam", user="admin").create_user(UserName="made-since")
    visit(browser, sandbox, "/time")
    find(browser, "input[type=file]").send_keys(str(file))
    find(browser, "form[action$=load] input[name=confirm]").send_keys(" ")
    press(browser, find(browser, "form[action$=load] button"))
    assert "The snapshot is loaded." in find(browser, ".notice").text
    users = sandbox.client("iam", user="admin").list_users()["Users"]
    assert "made-since" not in [user["UserName"] for user in users]
    assert complaints(browser) == []
