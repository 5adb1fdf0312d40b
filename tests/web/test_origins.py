"""Which names a Host header may have. The expectations come from rules written here, not from the product's pattern."""

from __future__ import annotations

import ipaddress
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.web.origins import DEFAULT_ADMISSION, admission_of

PUBLIC = "evil.example"
LETTERS = string.ascii_letters + string.digits + "-_"
# Characters that frameworks, browsers and proxies read in different ways.
JUNK = st.text(alphabet="ab.:[]@/\\?#%~!$*+,; \t\r\n\0\x1b\u202eé1-_", max_size=12)


def is_name(text: str) -> bool:
    """Labels of 1 to 63 characters with dots between them, and perhaps a dot at the end."""
    labels = text.removesuffix(".").split(".")
    return all(0 < len(label) <= 63 and set(label) <= set(LETTERS) for label in labels)


def expected(host: str) -> bool:
    """Whether a header is exactly an address or a name that no stranger can own, by splitting it by hand."""
    if host.startswith("["):
        inner, bracket, port = host[1:].partition("]")
        if not bracket or (port and port[0] != ":"):
            return False
        name, port = inner, port[1:]
        try:
            ipaddress.IPv6Address(name)
        except ValueError:
            return False
        return len(port) <= 5 and all(digit in "0123456789" for digit in port)
    name, _, port = host.partition(":")
    if len(port) > 5 or not all(digit in "0123456789" for digit in port) or not is_name(name) or len(host) > 260:
        return False
    bare = name.lower().removesuffix(".")
    try:
        ipaddress.IPv4Address(bare)
    except ValueError:
        return "." not in bare or bare.rpartition(".")[2] in ("localhost", "test", "internal")
    return True


@given(before=JUNK, after=JUNK)
def test_nothing_makes_a_public_name_a_private_one(before: str, after: str) -> None:
    # The public name as the end of a label, as user information, after an address.
    for host in (
        before + PUBLIC + after,
        before + "." + PUBLIC,
        f"[::1]{before}{PUBLIC}",
        f"localhost{before}{PUBLIC}",
    ):
        ends_in_public = not expected(host)
        assert DEFAULT_ADMISSION.knows_name(host) is not ends_in_public
        if host.lower().rstrip(".").endswith(f".{PUBLIC}"):
            assert not DEFAULT_ADMISSION.knows_name(host)
            assert not DEFAULT_ADMISSION.answers_to(host)


@given(
    st.one_of(JUNK, st.text(max_size=20), st.text(alphabet=LETTERS + ".:[]", max_size=40), st.ip_addresses().map(str))
)
def test_a_header_is_judged_as_by_hand(host: str) -> None:
    assert DEFAULT_ADMISSION.knows_name(host) is expected(host)


@given(st.ip_addresses(v=6), st.integers(0, 65535))
def test_addresses_are_answered(address: ipaddress.IPv6Address, port: int) -> None:
    assert DEFAULT_ADMISSION.knows_name(f"[{address}]:{port}")
    assert DEFAULT_ADMISSION.answers_to(f"[{address}]")
    # A port of this length is invalid.
    assert not DEFAULT_ADMISSION.knows_name(f"[{address}]:{port}0000001")


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("sts.amazonaws.com", True),
        ("sts.eu-west-1.amazonaws.com:443", True),
        ("voice-chime.us-east-1.amazonaws.com", True),
        ("service.chime.aws.amazon.com", True),
        ("sts.cn-north-1.amazonaws.com.cn", True),
        ("sts.us-east-1.api.aws", True),
        ("bucket.s3.amazonaws.com", True),
        ("sts.amazonaws.com.evil.example", False),
        ("notamazonaws.com", False),
        ("amazonaws.com@evil.example", False),
        ("rolecall.lan", False),
        ("x" * 300, False),
        ("a." * 126 + "localhost", False),
    ],
)
def test_names_of_aws_are_answered_but_do_not_belong_to_this_machine(host: str, answered: bool) -> None:
    assert DEFAULT_ADMISSION.answers_to(host) is answered
    assert not DEFAULT_ADMISSION.knows_name(host)


@pytest.mark.parametrize("listening_at", ["rolecall.lan", "ROLECALL.lan", "0.0.0.0", "::", "fe80::1", "127.0.0.1"])  # noqa: S104
def test_the_name_that_the_server_listens_at_is_its_own(listening_at: str) -> None:
    admission = admission_of(listening_at=listening_at)
    assert admission.knows_name("rolecall.lan") is (listening_at.lower() == "rolecall.lan")
    assert admission.knows_name("localhost")


@pytest.mark.parametrize(
    "host", ["", "*", "*.", "http://a.example", "a.example:80", "a b", "a.example/", "*.*.example", "[::1]x"]
)
def test_an_invalid_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        admission_of(hosts=[host])


@pytest.mark.parametrize(
    "origin", ["*", "null", "", "localhost:3000", "http://", "http://a/b", "http://a b", "http://*.a"]
)
def test_an_invalid_origin_is_refused(origin: str) -> None:
    with pytest.raises(ValueError, match="is not the origin of a page"):
        admission_of(origins=[origin])


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("http://localhost:3000/", "http://localhost:3000"),
        ("HTTPS://App.Example", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://[::1]:80", "http://[::1]"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_origins_are_as_browsers_write_them(written: str, sent: str) -> None:
    assert admission_of(origins=[written]).origins == {sent}
