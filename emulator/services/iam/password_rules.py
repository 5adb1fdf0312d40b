"""What a password must be like, and how it is kept: as a salted hash that takes a while to compute."""

from __future__ import annotations

import re
from collections.abc import Iterable

from werkzeug.security import check_password_hash, generate_password_hash

from emulator.errors import AwsError
from emulator.storage.password_policies import PasswordPolicy

# A transaction waits for each hash, of which reuse prevention compares up to 24: a quarter of werkzeug's own rounds.
_METHOD = "scrypt:8192:8:1"
# IAM User Guide, "Set an account password policy": what holds where the account has no policy of its own.
DEFAULT_MINIMUM_LENGTH = 8
DEFAULT_KINDS = 3
# The wording of these is remembered from reports of users, not recorded.
LENGTH_MESSAGE = "Password should have a minimum length of {length}"
KIND_MESSAGE = "Password should have at least one {kind}"
KINDS_MESSAGE = "Password should have at least three of: uppercase letter, lowercase letter, number, symbol"
REUSED_MESSAGE = "Password should not be the same as one of the last {count} passwords"
_UPPERCASE, _LOWERCASE, _NUMBER = re.compile("[A-Z]"), re.compile("[a-z]"), re.compile("[0-9]")
# API reference, UpdateAccountPasswordPolicy, RequireSymbols.
_SYMBOL = re.compile(r"[!@#$%^&*()_+\-=\[\]{}|']")


def check_password(password: str, policy: PasswordPolicy | None) -> None:
    """Whether the account's policy takes the password; the default one for None.

    Raises AwsError PasswordPolicyViolation.
    """
    kinds = {
        "uppercase letter": _UPPERCASE,
        "lowercase letter": _LOWERCASE,
        "number": _NUMBER,
        "symbol": _SYMBOL,
    }
    minimum = DEFAULT_MINIMUM_LENGTH if policy is None else policy.minimum_length
    if len(password) < minimum:
        raise violation(LENGTH_MESSAGE.format(length=minimum))
    missing = [kind for kind, pattern in kinds.items() if not pattern.search(password)]
    if policy is None:
        if len(kinds) - len(missing) < DEFAULT_KINDS:
            raise violation(KINDS_MESSAGE)
        return
    required = {
        "uppercase letter": policy.require_uppercase,
        "lowercase letter": policy.require_lowercase,
        "number": policy.require_numbers,
        "symbol": policy.require_symbols,
    }
    for kind in missing:
        if required[kind]:
            raise violation(KIND_MESSAGE.format(kind=kind))


def check_is_new(password: str, remembered: Iterable[str], count: int) -> None:
    """Refuse a password among the remembered hashes. Raises AwsError PasswordPolicyViolation."""
    if any(is_password(each, password) for each in remembered):
        raise violation(REUSED_MESSAGE.format(count=count))


def violation(message: str) -> AwsError:
    return AwsError("PasswordPolicyViolation", message)


def hashed(password: str) -> str:
    return generate_password_hash(password, _METHOD)


def is_password(password_hash: str, password: str) -> bool:
    """Compared in constant time."""
    return check_password_hash(password_hash, password)
