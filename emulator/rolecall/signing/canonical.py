"""The canonical forms of path, query string and header values.

Rules: IAM User Guide, "Create a signed AWS API request", for services other than Amazon S3. The path is normalised and
percent-encoded once more than it was sent. Each name and value of the query string is encoded exactly once.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

from rolecall.caches import remembered
from rolecall.errors import AwsError

# AWS answers a broken path with an empty 400. The code is for the log and for clients that read one.
INVALID_PATH = "InvalidURIPath"
INCOMPLETE_ESCAPE = "Incomplete trailing escape % sequence"
ILLEGAL_ESCAPE = "Illegal hex character in escape % pattern: %{}"

# Clients ask for the same paths again and again.
_REMEMBERED_PATHS = 512
_HEXADECIMAL = frozenset("0123456789abcdefABCDEF")
_is_canonical = re.compile(r"[A-Za-z0-9\-._~]*").fullmatch
# A path in which only the percent signs are encoded, as the SDKs send paths. quote() looks at each byte, which costs a
# tenth of a call about a long ARN.
_is_encoded_path = re.compile(r"[A-Za-z0-9\-._~/%]*").fullmatch


def as_bytes(text: str) -> bytes:
    """The bytes that came over the wire: text of an HttpRequest is Latin-1. Never fails."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


@remembered(_REMEMBERED_PATHS)
def check_path(raw_path: str) -> None:
    """Raises AwsError InvalidURIPath, status 400, for a path that is not absolute or has a broken escape."""
    if not raw_path or raw_path == "/":
        return
    fault = broken_escape(raw_path) if "%" in raw_path else ""
    if raw_path[0] != "/":
        fault = "Path is not absolute"
    if fault:
        raise AwsError(INVALID_PATH, "", status=400, reason=fault)
    if "/.." in raw_path:
        _normalised_path(raw_path)


@remembered(_REMEMBERED_PATHS)
def canonical_path(raw_path: str) -> str:
    """The path as signed. Raises AwsError InvalidURIPath when ``..`` leads above the root."""
    if not raw_path or raw_path == "/":
        return "/"
    if "//" in raw_path or "/." in raw_path:
        raw_path = _normalised_path(raw_path)
    if _is_encoded_path(raw_path):
        return raw_path.replace("%", "%25")
    return quote(as_bytes(raw_path), safe="/~")


def _normalised_path(raw_path: str) -> str:
    segments: list[str] = []
    for segment in raw_path.split("/"):
        if segment == "..":
            if not segments:
                raise AwsError(INVALID_PATH, "", status=400, reason="Path leads above the root")
            segments.pop()
        elif segment and segment != ".":
            segments.append(segment)
    path = "/" + "/".join(segments)
    return path + "/" if segments and raw_path[-1] == "/" else path


def broken_escape(text: str) -> str:
    """AWS's message for the first broken percent-escape in ``text``; empty when all escapes are well-formed."""
    at = text.find("%")
    while at >= 0:
        digits = text[at + 1 : at + 3]
        if len(digits) < 2:
            return INCOMPLETE_ESCAPE
        if digits[0] not in _HEXADECIMAL or digits[1] not in _HEXADECIMAL:
            return ILLEGAL_ESCAPE.format(digits)
        at = text.find("%", at + 3)
    return ""


def query_pairs(raw_query: str) -> list[tuple[str, str]]:
    """Names and values in the order sent, each percent-encoded canonically.

    Raises AwsError MalformedQueryString for a broken escape.
    """
    pairs: list[tuple[str, str]] = []
    for pair in raw_query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            pairs.append((_encoded_once(name), _encoded_once(value)))
    return pairs


def _encoded_once(element: str) -> str:
    if _is_canonical(element):
        return element
    if "%" in element:
        fault = broken_escape(element)
        if fault:
            raise AwsError("MalformedQueryString", fault)
    # A plus sign in a query string is an encoded blank.
    return quote(unquote_to_bytes(as_bytes(element.replace("+", " "))), safe="-_.~")


def canonical_query(pairs: list[tuple[str, str]]) -> str:
    """The pairs sorted by name, then by value."""
    return "&".join([f"{name}={value}" for name, value in sorted(pairs)])


def decoded(element: str) -> str:
    """The text of a canonically encoded name or value, one character per byte."""
    return unquote_to_bytes(element).decode("latin-1") if "%" in element else element


def canonical_header_value(value: str) -> str:
    """The value without blanks at both ends, and with one blank in place of several."""
    # For a long session token, six searches take a fifth of the time of a split.
    blank = " " in value or "\t" in value or "\n" in value or "\r" in value or "\v" in value or "\f" in value
    # Splitting text instead of bytes would treat some characters above ASCII as blanks.
    return b" ".join(as_bytes(value).split()).decode("latin-1") if blank else value
