"""The console's pages of Chime, federation, time and least privilege in a real browser, at two widths.

They are visited as the other pages are: see test_console_browser.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from console_contents import Contents, fill
from console_worlds import ANA, HUB
from test_console_browser import (
    CONSOLE,
    MAXIMUM_HEIGHT,
    NARROW,
    WIDE,
    browser,
    complaints,
    find,
    inner_width,
    press,
    pytestmark,
    sandbox,
    size,
    visit,
    waiting,
)

__all__ = ["browser", "pytestmark", "sandbox"]


@pytest.fixture(scope="module")
def contents(sandbox: Any) -> Contents:
    made = fill(lambda service: sandbox.client(service, user="admin"))
    iam = sandbox.client("iam", user="ana")
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.get_user(UserName="ana")
    sandbox.client("chime", user="ana").list_users
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
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    folder = pytestconfig.getoption("--screenshots")
    for name, path in pages(contents).items():
        for width in (WIDE,) if dark else (NARROW, WIDE):
            size(browser, width)
            visit(browser, sandbox, path)
            waiting.WebDriverWait(browser, 10).until(lambda _, w=width: inner_width(browser) == w)
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert complaints(browser) == [], name
            assert wide <= width, f"{name} is {wide} px wide at {width}"
            if folder:
                height = browser.execute_script("return document.documentElement.scrollHeight")
                size(browser, width, min(height, MAXIMUM_HEIGHT))
                browser.save_screenshot(str(Path(folder) / f"{name}-{width}{'-dark' if dark else ''}.png"))
