"""How long a browser takes to draw the trust graph of the console.

    python benchmarks/trust_graph_drawn.py --roles 500

It needs Chromium, its driver and the extra "browser". Milliseconds from the beginning of the navigation to the finished
picture, as the page's own clock has them, the best of some visits: the server's time, the loading of the page, the
layout and the making of the picture are in them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import console_pages
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from rolecall import Rolecall

BAR_MILLISECONDS = 2000
_PATIENCE_SECONDS = 120
# When the answer was there, and when the picture was.
_TIMES = """
const [page] = performance.getEntriesByType("navigation");
const [drawn] = performance.getEntriesByName("graph-drawn");
return drawn ? [page.responseEnd, drawn.startTime, document.querySelectorAll("#graph a.edge").length] : null;
"""


def opened_browser(profile: str) -> Any:
    options = webdriver.ChromeOptions()
    # The sandbox of Chromium needs rights that containers lack. Nothing but this machine is visited.
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))


def drawn(browser: Any, address: str) -> tuple[float, float, int]:
    """Milliseconds to the end of the answer and to the picture, and the number of edges."""
    browser.get(address)
    return tuple(WebDriverWait(browser, _PATIENCE_SECONDS).until(lambda each: each.execute_script(_TIMES)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--roles", type=int, default=500)
    parser.add_argument("--visits", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "rolecall.json"
        world.write_text(json.dumps(console_pages.world_of(arguments.roles)), encoding="utf-8")
        with Rolecall.start(world) as sandbox:
            browser = opened_browser(f"{folder}/chromium")
            try:
                found = [
                    drawn(browser, f"{sandbox.endpoint_url}/_rolecall/console/trust") for _ in range(arguments.visits)
                ]
            finally:
                browser.quit()
    answered, whole, edges = min(found, key=lambda each: each[1])
    print(f"{arguments.roles} roles, {edges} edges: answered after {answered:.0f} ms, drawn after {whole:.0f} ms")
    print("within the bar" if whole <= BAR_MILLISECONDS else "OVER the bar", f"of {BAR_MILLISECONDS} ms")


if __name__ == "__main__":
    main()
