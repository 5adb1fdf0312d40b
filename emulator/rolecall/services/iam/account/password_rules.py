"""The rules for a password, and its stored form: a salted hash that is slow to compute."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from werkzeug.security import check_password_hash, generate_password_hash

from rolecall.errors import AwsError
from rolecall.storage.password_policies import PasswordPolicy

# A transaction waits for each hash, and reuse prevention compares up to 24: so a quarter of werkzeug's own rounds.
_METHOD = "scrypt:8192:8:1"
# IAM User Guide, "Set an account password policy": the rules for an account without a policy of its own.
DEFAULT_MINIMUM_LENGTH = 8
DEFAULT_KINDS = 3
# Users have reported the wording of these.
LENGTH_MESSAGE = "Password should have a minimum length of {length}"
KIND_MESSAGE = "Password should have at least one {kind}"
MORE_KINDS_MESSAGE = "Password should meet {count} more of the following requirements: {kinds}"
# AWS's wording was not recorded.
REUSED_MESSAGE = "Password should not be the same as one of the last {count} passwords"
# API reference, UpdateAccountPasswordPolicy: the symbols of RequireSymbols, and the Latin alphabet for the others.
_KINDS = {
    "uppercase letter": re.compile("[A-Z]"),
    "lowercase letter": re.compile("[a-z]"),
    "number": re.compile("[0-9]"),
    "symbol": re.compile(r"[!@#$%^&*()_+\-=\[\]{}|']"),
}


def check_password(password: str, policy: PasswordPolicy | None) -> None:
    """Check a password against the account's policy; None is the default policy.

    Raises AwsError PasswordPolicyViolation.
    """
    problems = list(_problems(password, policy))
    if problems:
        raise violation(", ".join(problems))


def _problems(password: str, policy: PasswordPolicy | None) -> Iterator[str]:
    minimum = DEFAULT_MINIMUM_LENGTH if policy is None else policy.minimum_length
    if len(password) < minimum:
        yield LENGTH_MESSAGE.format(length=minimum)
    missing = [kind for kind, pattern in _KINDS.items() if not pattern.search(password)]
    if policy is None:
        more = DEFAULT_KINDS - (len(_KINDS) - len(missing))
        if more > 0:
            kinds = ", ".join(KIND_MESSAGE.format(kind=kind) for kind in missing)
            yield MORE_KINDS_MESSAGE.format(count=more, kinds=kinds)
        return
    required = {
        "uppercase letter": policy.require_uppercase,
        "lowercase letter": policy.require_lowercase,
        "number": policy.require_numbers,
        "symbol": policy.require_symbols,
    }
    for kind in missing:
        if required[kind]:
            yield KIND_MESSAGE.format(kind=kind)


def check_is_new(password: str, remembered: Iterable[str], count: int) -> None:
    """Refuse a password among the remembered hashes. Raises AwsError PasswordPolicyViolation."""
    if any(is_password(each, password) for each in remembered):
        raise violation(REUSED_MESSAGE.format(count=count))


def violation(message: str) -> AwsError:
    return AwsError("PasswordPolicyViolation", message)


def hashed(password: str) -> str:
    return generate_password_hash(password, _METHOD)


def is_password(password_hash: str, password: str) -> bool:
    """Compares in constant time."""
    return check_password_hash(password_hash, password)
