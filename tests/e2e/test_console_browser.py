"""The console in a real browser: headless Chromium opens every page at two widths and mends a refusal.

It needs Chromium, its driver and the extra "browser", and is skipped without them, with a loud line at the end of the
run; ``ROLECALL_TEST_BROWSER=required`` makes this an error. ``ROLECALL_TEST_AXE`` names the file ``axe.min.js`` of
axe-core, which looks for barriers on every page. The option --screenshots names a folder for a picture of each page.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from console_visits import CONSOLE
from console_worlds import ANA, BREAK_GLASS, GATEWAY, GITHUB, LIMITS, OPERATOR, OPERATORS, TWO_ACCOUNTS

from rolecall import Rolecall

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
HAS_SELENIUM = importlib.util.find_spec("selenium") is not None
MISSING = "NO BROWSER: install the packages chromium and chromium-driver, and the extra browser"
if not (CHROMIUM and DRIVER and HAS_SELENIUM):
    if os.environ.get("ROLECALL_TEST_BROWSER"):
        raise RuntimeError(MISSING)
    pytest.skip(MISSING, allow_module_level=True)
webdriver: Any = importlib.import_module("selenium.webdriver")
waiting: Any = importlib.import_module("selenium.webdriver.support.wait")
exceptions: Any = importlib.import_module("selenium.common.exceptions")
AXE = os.environ.get("ROLECALL_TEST_AXE", "")
# The rules of WCAG 2.2, levels A and AA, as axe-core names them.
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ENTER, DOWN = "\ue007", "\ue015"
NARROW, WIDE = 390, 1280
HEIGHT = 900
MAXIMUM_HEIGHT = 3000
ONE, EDIT = "/identities/one?arn=", "/policies/one?"
PAGES = {
    "start": "",
    "decisions": "/decisions",
    "identities": "/identities",
    "user": ONE + quote(ANA),
    "group": ONE + quote(OPERATORS),
    "role": ONE + quote(OPERATOR),
    "provider": ONE + quote(GITHUB),
    "trust": "/trust",
    "way": "/trust?from=user/ana&to=444455556666:role/break-glass",
    "edge": f"/trust/edge?from={quote(GATEWAY)}&to={quote(BREAK_GLASS)}",
    "policies": "/policies?name=chime",
    "policy": f"{EDIT}arn={quote(LIMITS)}&principal=444455556666:role/chime-operator&action=chime:DeleteAccount",
    "trust-policy": f"{EDIT}owner={quote(BREAK_GLASS)}&trust=yes",
    "simulator": "/simulator?principal=user/ana&action=chime:List*",
    "problem": "/no-such-page",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    file = tmp_path_factory.mktemp("world") / "rolecall.yaml"
    file.write_text(TWO_ACCOUNTS, encoding="utf-8")
    with Rolecall.start(file) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("chromium")
    # The sandbox of Chromium needs rights that containers lack. Nothing but this machine is visited.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    options.add_argument("--no-proxy-server")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(30)
    driver.implicitly_wait(5)
    yield driver
    driver.quit()


def size(browser: Any, width: int, height: int = HEIGHT) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def inner_width(browser: Any) -> int:
    return int(browser.execute_script("return innerWidth"))


def find(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def visit(browser: Any, sandbox: Any, path: str) -> None:
    browser.get(f"{sandbox.endpoint_url}{CONSOLE}{path}")


def press(browser: Any, element: Any) -> None:
    """Press what leads to another page, and wait until that one is there.

    An element of the old page is not asked: chromedriver sometimes fails while the page changes.
    """
    browser.execute_script("window.isOld = true;")
    element.send_keys(ENTER)
    waiting.WebDriverWait(browser, 10, ignored_exceptions=[exceptions.WebDriverException]).until(
        lambda driver: driver.execute_script("return !window.isOld && document.readyState === 'complete';")
    )


def complaints(browser: Any) -> list[str]:
    """What the browser refused to load or run, and errors of scripts."""
    said = (entry["message"] for entry in browser.get_log("browser"))
    # The browser asks for an icon by itself, its own first page has scripts, and a page that shows an error is one.
    others = ("favicon", "/no-such-page")
    return [text for text in said if not text.startswith("chrome://") and not any(each in text for each in others)]


def barriers(browser: Any) -> list[str]:
    """What axe-core finds on the page against WCAG AA: the rule, and the elements."""
    browser.execute_script(Path(AXE).read_text(encoding="utf-8"))
    found = browser.execute_async_script(
        "const [levels, done] = arguments; axe.run(document, {runOnly: levels}).then("
        "(result) => done(result.violations.map((each) => [each.id, each.nodes.map((node) => node.html)])));",
        LEVELS,
    )
    return [f"{rule}: {' '.join(elements)[:500]}" for rule, elements in found]


def look_at_every_page(browser: Any, sandbox: Any, pages: Mapping[str, str], *, dark: bool, folder: str | None) -> None:
    """Each page fits its width, and loads and runs only what it may. ``folder`` gets a picture of each."""
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    for name, path in pages.items():
        for width in (WIDE,) if dark else (NARROW, WIDE):
            size(browser, width)
            visit(browser, sandbox, path)
            # A window takes a moment to become narrow.
            waiting.WebDriverWait(browser, 10).until(lambda _, w=width: inner_width(browser) == w)
            wide = browser.execute_script("return document.documentElement.scrollWidth")
            assert complaints(browser) == [], name
            assert wide <= width, f"{name} is {wide} px wide at {width}"
            if AXE and width == WIDE:
                assert barriers(browser) == [], name
            if folder:
                height = browser.execute_script("return document.documentElement.scrollHeight")
                size(browser, width, min(height, MAXIMUM_HEIGHT))
                browser.save_screenshot(str(Path(folder) / f"{name}-{width}{'-dark' if dark else ''}.png"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_fits_and_loads_only_what_it_may(
    browser: Any, sandbox: Any, dark: bool, pytestconfig: pytest.Config
) -> None:
    with pytest.raises(ClientError) as caught:
        sandbox.client("iam", user="ana").get_role(RoleName="gateway")
    refusal = f"/decisions/{caught.value.response['ResponseMetadata']['RequestId']}"
    pages = {**PAGES, "refusal": refusal}
    look_at_every_page(browser, sandbox, pages, dark=dark, folder=pytestconfig.getoption("--screenshots"))


def test_the_graph_is_drawn_and_an_edge_leads_to_its_statement(browser: Any, sandbox: Any) -> None:
    size(browser, WIDE)
    visit(browser, sandbox, "/trust")
    assert find(browser, "#graph").get_attribute("data-drawn") == "yes"
    assert len(browser.find_elements("css selector", "#graph a.edge")) == 8
    assert len(browser.find_elements("css selector", "#graph .node")) == 12
    [dashed] = browser.find_elements("css selector", "#graph a.edge.admin.conditional")
    assert dashed.get_attribute("aria-label").endswith("only if StringEquals sts:ExternalId really")
    # By keyboard, as a link.
    press(browser, dashed)
    assert "OnlyGateway" in find(browser, "mark").text


def test_the_list_follows_calls_while_it_is_asked_to(browser: Any, sandbox: Any) -> None:
    sts = sandbox.client("sts", user="ana")
    size(browser, WIDE)
    visit(browser, sandbox, "/decisions?action=sts:GetCallerIdentity")
    for _ in range(2):
        request_id = sts.get_caller_identity()["ResponseMetadata"]["RequestId"]
        # Selenium waits for it. The newest call is the first row, and no row comes twice.
        assert find(browser, f'#live tr:first-child[data-call="{request_id}"] a').text
    assert len(browser.find_elements("css selector", "#live tr")) == 2
    find(browser, "#live-switch input").click()
    sts.get_caller_identity()
    sandbox.reset()
    find(browser, "#live-switch input").click()
    waiting.WebDriverWait(browser, 10).until(lambda _: not find(browser, "#live").text)
    assert complaints(browser) == []


def test_a_refused_call_is_found_explained_and_mended(browser: Any, sandbox: Any) -> None:
    iam = sandbox.client("iam", user="ana")
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.get_user(UserName="ana")
    size(browser, NARROW)
    visit(browser, sandbox, "/decisions?outcome=Refused")
    press(browser, find(browser, "#live a"))
    assert "has no statement that allows it (decided here)" in find(browser, "main").text
    visit(browser, sandbox, f"{EDIT}owner={quote(OPERATORS)}&name=step-out")
    field = find(browser, "#document")
    browser.execute_script(
        "arguments[0].value = arguments[0].value.replace('\"chime:ListUsers\"', '\"\"');"
        "const at = arguments[0].value.indexOf('\"\"') + 1; arguments[0].focus();"
        "arguments[0].setSelectionRange(at, at);",
        field,
    )
    # Keys for an element would move the place of writing to its end.
    webdriver.ActionChains(browser).send_keys("iam:getus").perform()
    assert find(browser, "#words li").text == "iam:GetUser"
    webdriver.ActionChains(browser).send_keys(DOWN, ENTER).perform()
    assert '"iam:GetUser"' in field.get_property("value")
    find(browser, "input[name=principal]").send_keys("user/ana")
    find(browser, "input[name=action]").send_keys("iam:GetUser")
    press(browser, find(browser, "button[value=check]"))
    assert "With this text: Allowed" in find(browser, "[role=status]").text
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.get_user(UserName="ana")
    press(browser, find(browser, "button[value=save]"))
    assert "The policy is saved." in find(browser, ".notice").text
    assert iam.get_user(UserName="ana")["User"]["UserName"] == "ana"
    assert complaints(browser) == []


def test_a_secret_is_shown_by_its_button_alone(browser: Any, sandbox: Any) -> None:
    visit(browser, sandbox, ONE + quote(ANA))
    assert "ana-secret" not in browser.page_source
    press(browser, find(browser, "form.inline button"))
    assert "export AWS_SECRET_ACCESS_KEY=ana-secret" in find(browser, "#lines").text


def test_pages_are_read_without_scripts(browser: Any, sandbox: Any) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        visit(browser, sandbox, "/trust")
        assert len(browser.find_elements("css selector", "tr.edge a")) > 8
        assert not find(browser, "#graph").is_displayed()
        visit(browser, sandbox, f"{EDIT}arn={quote(LIMITS)}")
        press(browser, find(browser, "button[value=check]"))
        assert "0 problems" in find(browser, "#found").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
