"""Percent-encoding beside Python's own: whatever is fast for usual texts means the same for all others."""

from __future__ import annotations

import json
import re
from urllib.parse import quote, quote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.errors import AwsError
from rolecall.signing.canonical import canonical_path
from rolecall.wire.forms import percent_decode

# Escapes that are broken, doubled, rare and frequent, and what may stand beside them.
PIECES = st.sampled_from(
    ["%", "%%", "%2", "%22", "%7B", "%7b", "%7D", "%5B", "%2F", "%2A", "%20", "%25", "%2522", "%41", "%C3%A9", "a", '"']
)
TEXTS = st.lists(PIECES, max_size=60).map("".join)
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "é%22"}]}
)


def first_broken(text: str) -> str | None:
    """The first escape that is none, by RFC 3986."""
    for found in re.finditer("%", text):
        digits = text[found.end() : found.end() + 2].partition("%")[0]
        if not re.fullmatch("[0-9A-Fa-f]{2}", digits):
            return digits
    return None


@given(TEXTS)
def test_a_text_is_decoded_as_python_decodes_it_or_refused(text: str) -> None:
    broken = first_broken(text)
    if broken is None:
        assert percent_decode(text) == unquote_to_bytes(text).decode()
        return
    with pytest.raises(AwsError) as refused:
        percent_decode(text)
    if len(broken) < 2:
        assert refused.value.message == "Incomplete trailing escape % sequence"
    else:
        assert refused.value.message == f"Illegal hex character in escape % pattern: %{broken}"


def test_a_policy_comes_through() -> None:
    assert percent_decode(quote(POLICY, safe="")) == POLICY
    assert percent_decode(quote_plus(POLICY).replace("+", " ")) == POLICY


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_a_path_is_encoded_as_python_encodes_it(text: str) -> None:
    path = "/" + text.replace(".", "-").replace("//", "/-")
    path = path.replace("//", "/-")
    assert canonical_path(path) == quote(path.encode("latin-1"), safe="/~")


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/channels/arn%3Aaws%3Achime/messages", "/channels/arn%253Aaws%253Achime/messages"),
        ("/a~b_c-d.e", "/a~b_c-d.e"),
        ("/a b:c", "/a%20b%3Ac"),
        ("/a\nb", "/a%0Ab"),
        ("/caf\xe9", "/caf%E9"),
    ],
)
def test_paths(path: str, canonical: str) -> None:
    assert canonical_path(path) == canonical
