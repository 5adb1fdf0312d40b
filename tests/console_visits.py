"""A browser's visits to the console: what a page runs, loads and offers, and the sending of its forms."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

CONSOLE = "/_rolecall/console"
FILES = [f"{CONSOLE}/static/console.css", f"{CONSOLE}/static/console.js"]


class Scan(HTMLParser):
    """What a page runs or loads (inline code, styles, handlers, addresses), and the tokens of its forms."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.loaded: list[str] = []
        self.marked: list[str] = []
        self.tokens: list[str] = []
        self.posts = 0
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.inline += [name for name in named if name == "style" or name.startswith("on")]
        if tag == "style" or (tag == "script" and "src" not in named):
            self.inline.append(tag)
        self.loaded += [str(named[name]) for name in ("src",) if name in named]
        if tag == "link":
            self.loaded.append(str(named["href"]))
        if tag == "form" and named.get("method") == "post":
            self.posts += 1
        if tag == "input" and named.get("name") == "form_token":
            self.tokens.append(str(named["value"]))
        if tag not in ("input", "link", "meta"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        self.text.append(data)
        if "mark" in self._open:
            self.marked.append(data)


def text_of(page: Any) -> str:
    """The text of a page, with one blank between two words."""
    return " ".join(" ".join(Scan(page.text).text).split())


def form_token(browser: Any, path: str = "") -> str:
    """The token in the first form of a page."""
    return Scan(browser.get(CONSOLE + path).text).tokens[0]


def post(browser: Any, path: str, page: str = "", **fields: Any) -> Any:
    """The answer to a form that ``page`` shows and that goes to ``path``."""
    return browser.post(CONSOLE + path, data={"form_token": form_token(browser, page), **fields})
