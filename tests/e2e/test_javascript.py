"""amazon-chime-sdk-js receives pushed messages, under Node.js and in Chromium, over ws and over wss.

The packages come from npm: `npm install` in examples/chat-and-meeting, or in another folder whose `node_modules`
TEST_NODE_MODULES names. Without them, and without the programs, these tests are skipped.
"""

from __future__ import annotations

import http.server
import json
import os
import queue
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_served import ServedChat
from pushed_messages import PATIENCE_SECONDS
from served import ADMIN, Server, clean_environment

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = ROOT / "examples" / "chat-and-meeting"
MODULES = Path(os.environ.get("TEST_NODE_MODULES") or EXAMPLE / "node_modules")
PAGE = Path(__file__).parent / "javascript" / "page.mjs"
Make = Callable[..., Server]
pytestmark = pytest.mark.optional


def needed(*programs: str, packages: tuple[str, ...] = ("amazon-chime-sdk-js",)) -> None:
    """Skips the test when something is missing, and says what."""
    missing = [name for name in programs if shutil.which(name) is None]
    missing += [f"{MODULES / name}" for name in packages if not (MODULES / name).is_dir()]
    if missing:
        pytest.skip(f"NOT TESTED with amazon-chime-sdk-js, because this machine lacks {', '.join(missing)}")


def project(folder: Path, *files: Path) -> Path:
    """A copy of these files beside the packages."""
    folder.mkdir(exist_ok=True)
    for file in files:
        shutil.copy(file, folder)
    (folder / "node_modules").symlink_to(MODULES)
    return folder


def node(server: Server, folder: Path, script: str, **environment: str) -> list[str]:
    """The lines that the script prints. It must end well."""
    keys = {"AWS_ACCESS_KEY_ID": ADMIN[0], "AWS_SECRET_ACCESS_KEY": ADMIN[1], "AWS_REGION": "us-east-1"}
    done = subprocess.run(
        ["node", script],
        cwd=folder,
        env=clean_environment(folder, CHAT_ENDPOINT=server.url, **keys, **environment),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def served(make_server: Make, folder: Path, scheme: str, *options: str) -> tuple[Server, str]:
    """A server, and the file of its authority for wss."""
    if scheme == "ws":
        return make_server(*options), ""
    server = make_server("--tls", "self-signed", *options, XDG_DATA_HOME=str(folder))
    [bundle] = re.findall(r"^export AWS_CA_BUNDLE=(.+)$", server.output(), re.MULTILINE)
    return server, str(bundle)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_two_users_chat_and_a_third_is_refused(tmp_path: Path, make_server: Make, scheme: str) -> None:
    needed("node")
    server, bundle = served(make_server, tmp_path, scheme, "--workers", "2")
    folder = project(tmp_path / "project", EXAMPLE / "chat.mjs", EXAMPLE / "package.json")
    assert node(server, folder, "chat.mjs", **({"NODE_EXTRA_CA_CERTS": bundle} if bundle else {})) == [
        "ana is connected",
        "ben is connected",
        "cem is connected",
        "ben is in lunch with 2 members",
        "ben reads: Soup?",
        "ana reads: Soup!",
        "the channel has: Soup? Soup!",
        "cem may not send: ForbiddenException",
        "cem may not read: ForbiddenException",
        "cem may not connect as ben: 4401 Unauthorized",
        "cem has received 0 messages",
    ]


def test_a_meeting_is_joined_left_and_joined_again(tmp_path: Path, make_server: Make) -> None:
    needed("node", packages=("@aws-sdk/client-chime-sdk-meetings",))
    folder = project(tmp_path / "project", EXAMPLE / "meeting.mjs", EXAMPLE / "package.json")
    assert node(make_server(), folder, "meeting.mjs") == [
        "in the meeting: ana and ben",
        "ben leaves: ana",
        "kitchen: The meeting has ended",
        "another meeting: true",
        "in the meeting: ben",
    ]


class Site:
    """A web site with one page, which gets its settings from the site and reports to it."""

    def __init__(self, script: bytes) -> None:
        self.settings: dict[str, Any] = {}
        self.reports: queue.Queue[dict[str, Any]] = queue.Queue()
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pages = {
                    "/": ("text/html", b"<!doctype html><script src=page.js></script>"),
                    "/page.js": ("text/javascript", script),
                    "/settings": ("application/json", json.dumps(site.settings).encode()),
                }
                kind, body = pages.get(self.path, ("text/plain", b""))
                self._answer(kind, body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer("text/plain", b"")
                site.reports.put(json.loads(body))

            def _answer(self, kind: str, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: Any) -> None:
                """Nothing is printed."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    needed("node", "chromium", "certutil", packages=("amazon-chime-sdk-js", "esbuild"))
    folder = project(tmp_path / "page", PAGE)
    options = ["--bundle", "--outfile=page.js", "--define:global=window", "--main-fields=browser,module,main"]
    bundler = [str(MODULES / ".bin" / "esbuild"), "page.mjs", *options]
    subprocess.run(bundler, cwd=folder, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    made = Site((folder / "page.js").read_bytes())
    yield made
    made.close()


def visit(site: Site, home: Path, bundle: str) -> dict[str, Any]:
    """What the page reports from a browser that trusts the authority."""
    if bundle:
        trusted = home / ".pki" / "nssdb"
        trusted.mkdir(parents=True)
        database = f"sql:{trusted}"
        for command in (["-N", "--empty-password"], ["-A", "-n", "rolecall", "-t", "C,,", "-i", bundle]):
            subprocess.run(["certutil", "-d", database, *command], check=True, timeout=PATIENCE_SECONDS)
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    with (home / "browser.log").open("wb") as log:
        browser = subprocess.Popen(
            ["chromium", *options, f"--user-data-dir={home / 'profile'}", f"{site.origin}/"],
            env=clean_environment(home),
            stdout=log,
            stderr=log,
        )
        try:
            return site.reports.get(timeout=PATIENCE_SECONDS)
        finally:
            browser.terminate()
            browser.wait(PATIENCE_SECONDS)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_page_in_chromium_chats(tmp_path: Path, make_server: Make, site: Site, scheme: str) -> None:
    server, bundle = served(make_server, tmp_path, scheme, "--allow-origin", site.origin)
    chat = ServedChat(server, bundle or None)
    names = ("accessKeyId", "secretAccessKey", "sessionToken")
    site.settings = {
        "endpoint": server.url,
        "userArn": chat.arn("ben"),
        "channelArn": chat.channel,
        "credentials": dict(zip(names, chat.credentials_of("ben"), strict=True)),
        "foreignCredentials": dict(zip(names, chat.credentials_of("cem"), strict=True)),
    }
    assert visit(site, tmp_path, bundle) == {
        "events": [
            ["SESSION_ESTABLISHED", ""],
            ["CHANNEL_DETAILS", "lunch"],
            ["CREATE_CHANNEL_MESSAGE", "from the page"],
        ],
        "refusal": "4401 Unauthorized",
    }


@pytest.mark.parametrize("is_allowed", [False, True], ids=["another origin", "an allowed origin"])
def test_a_page_opens_a_websocket_only_from_an_allowed_origin(
    tmp_path: Path, make_server: Make, site: Site, is_allowed: bool
) -> None:
    chat = ServedChat(make_server(*(("--allow-origin", site.origin) if is_allowed else ())))
    site.settings = {"url": chat.url("ben")}
    # 1006: the handshake failed.
    assert visit(site, tmp_path, "") == {"socket": "opened" if is_allowed else "closed with 1006"}
