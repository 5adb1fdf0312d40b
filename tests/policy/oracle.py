"""A second policy engine: small, slow, written from AWS's documentation, without code of the tested engine.

It reads documents and plain dictionaries and evaluates every statement, every time. It caches only what depends on two
texts alone, because random cases repeat a few texts again and again.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

Json = Any
# A pattern is a list of characters and of these two marks.
ANY_TEXT, ANY_CHARACTER = object(), object()


# --- values


def as_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def as_text(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


@lru_cache(1 << 16)
def like(pattern: tuple[Any, ...], text: str) -> bool:
    """Step by step: the positions in the text that the pattern so far can reach."""
    reachable = {0}
    for item in pattern:
        if item is ANY_TEXT:
            reachable = set(range(min(reachable), len(text) + 1))
        else:
            fitting = (place for place in reachable if place < len(text) and item in (ANY_CHARACTER, text[place]))
            reachable = {place + 1 for place in fitting}
        if not reachable:
            return False
    return len(text) in reachable


@lru_cache(1 << 14)
def arn_like(pattern: tuple[Any, ...], text: str) -> bool:
    parts: list[list[Any]] = [[]]
    for item in pattern:
        if item == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append(item)
    found = text.split(":", 5)
    return (
        len(parts) == 6
        and len(found) == 6
        and all(like(tuple(one), other) for one, other in zip(parts, found, strict=True))
    )


@lru_cache(1 << 14)
def to_pattern(text: str, wild: bool) -> tuple[Any, ...]:
    marks = {"*": ANY_TEXT, "?": ANY_CHARACTER} if wild else {}
    return tuple(marks.get(character, character) for character in text)


def expand(
    text: str, context: dict[str, Any], version: str, wild: bool, resource: bool = False
) -> tuple[Any, ...] | None:
    """The pattern that a policy value stands for; None when a variable in it has no single value."""
    if version != "2012-10-17":
        return to_pattern(text, wild)
    if "${" not in text:
        return to_pattern(text, wild)
    pattern: list[Any] = []
    colons = 0
    rest = text
    while rest:
        if not rest.startswith("${") or "}" not in rest:
            colons += rest[0] == ":"
            pattern += to_pattern(rest[0], wild)
            rest = rest[1:]
            continue
        name, rest = rest[2:].split("}", 1)
        if name in ("*", "?", "$"):
            pattern.append(name)
        elif resource and colons < 5:
            pattern += to_pattern("${" + name + "}", wild)
        else:
            value = variable(name, context)
            if value is None:
                return None
            pattern += list(value)
    return tuple(pattern)


def variable(name: str, context: dict[str, Any]) -> str | None:
    default = None
    if "," in name:
        before, after = name.split(",", 1)
        after = after.strip()
        if len(after) > 1 and after.startswith("'") and after.endswith("'"):
            name, default = before, after[1:-1]
    value = context.get(name.lower())
    if value is None or value == []:
        return default
    return value if isinstance(value, str) else None


@lru_cache(1 << 14)
def number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() and text.strip() == text and "_" not in text else None


@lru_cache(1 << 14)
def moment(text: str) -> Decimal | None:
    if text.isascii() and text.isdigit():
        return Decimal(text)
    if text.isascii() and text.startswith("-") and text[1:].isdigit():
        # A year before Christ, which no datetime can hold. Such years are not compared by the second.
        return Decimal(-int(text[1:]) - 1970) * 31_556_952
    try:
        parsed = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=datetime.UTC)
    elapsed = parsed - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return Decimal(elapsed.days * 86400 + elapsed.seconds) + Decimal(elapsed.microseconds) / 1_000_000


@lru_cache(1 << 16)
def in_network(policy: str, text: str) -> bool:
    host, slash, prefix = policy.partition("/")
    try:
        network, address = as_ipv6(host), as_ipv6(text)
        plain = ipaddress.ip_address(host)
    except ValueError:
        return False
    # An IPv4 prefix counts within the address's own 32 bits, which are the last of the 128.
    offset = 96 if plain.version == 4 else 0
    if slash and not (prefix.isdigit() and int(prefix) + offset <= 128):
        return False
    bits = int(prefix) + offset if slash else 128
    # An IPv4 address is never inside an IPv6 range that is wider than all of IPv4.
    if bits < 96 and address.startswith("0" * 80 + "1" * 16):
        return False
    return network[:bits] == address[:bits]


def as_ipv6(text: str) -> str:
    """The 128 bits of an address; an IPv4 address as IPv6 writes it."""
    if "%" in text:
        raise ValueError(text)
    found = ipaddress.ip_address(text)
    return "0" * 80 + "1" * 16 + f"{int(found):032b}" if found.version == 4 else f"{int(found):0128b}"


@lru_cache(1 << 16)
def same_but_for_case(one: str, other: str) -> bool:
    def letters(text: str) -> list[set[str]]:
        return [{letter, letter.upper(), letter.lower(), letter.upper().lower()} for letter in text]

    pairs = zip(letters(one), letters(other), strict=False)
    return len(one) == len(other) and all({each for each in left & right if len(each) == 1} for left, right in pairs)


def same_bytes(policy: str, text: str) -> bool:
    try:
        return base64.b64decode(policy, validate=True) == base64.b64decode(text, validate=True)
    except ValueError:
        return False


# --- conditions

COMPARISONS = {
    "Equals": lambda one, other: one == other,
    "LessThan": lambda one, other: one < other,
    "LessThanEquals": lambda one, other: one <= other,
    "GreaterThan": lambda one, other: one > other,
    "GreaterThanEquals": lambda one, other: one >= other,
}


def value_matches(operator: str, policy: str, text: str, context: dict[str, Any], version: str) -> bool:
    """One request value against one policy value; ``operator`` comes without Not."""
    if operator.startswith(("String", "Arn")):
        wild = operator == "StringLike" or operator.startswith("Arn")
        pattern = expand(policy, context, version, wild)
        if pattern is None:
            return False
        if operator.startswith("Arn"):
            return arn_like(pattern, text)
        if operator == "StringEqualsIgnoreCase":
            return same_but_for_case("".join(pattern), text)
        return like(pattern, text)
    if operator == "Bool":
        return policy.lower() in ("true", "false") and policy.lower() == text.lower()
    if operator == "BinaryEquals":
        return same_bytes(policy, text)
    if operator == "IpAddress":
        return in_network(policy, text)
    convert = number if operator.startswith("Numeric") else moment
    wanted, actual = convert(policy), convert(text)
    comparison = operator.removeprefix("Numeric").removeprefix("Date")
    return wanted is not None and actual is not None and COMPARISONS[comparison](actual, wanted)


def condition_holds(name: str, key: str, written: Json, context: dict[str, Any], version: str) -> bool:
    policy = [as_text(value) for value in as_list(written)]
    qualifier, _, operator = name.rpartition(":")
    value = context.get(key.lower())
    given = [] if value is None else as_list(value)
    if operator == "Null":
        return any(
            (not given) == (wanted.lower() == "true") for wanted in policy if wanted.lower() in ("true", "false")
        )
    if_exists = operator.endswith("IfExists")
    operator = operator.removesuffix("IfExists")
    negated = "Not" in operator
    operator = operator.replace("Not", "")

    def matches(text: str) -> bool:
        return any(value_matches(operator, one, text, context, version) for one in policy)

    if qualifier == "ForAllValues":
        if given and all(text == "" for text in given):
            return True
        return all(matches(text) is not negated for text in given)
    if not given:
        return if_exists or (negated and qualifier == "")
    if qualifier == "ForAnyValue":
        return any(text != "" for text in given) and any(matches(text) is not negated for text in given)
    return any(matches(text) for text in given) is not negated


# --- statements


def completed(resource: str) -> str:
    """In an identity-based policy an ARN of fewer than six fields gets a star for each missing field."""
    fields = resource.split(":")
    return resource if resource == "*" else ":".join(fields + ["*"] * (6 - len(fields)))


def statement_matches(statement: Json, version: str, call: dict[str, Any]) -> bool:
    context = call["context"]
    action = call["action"].lower()
    for name, wanted in (("Action", True), ("NotAction", False)):
        if name in statement:
            found = any(like(to_pattern(text.lower(), True), action) for text in as_list(statement[name]))
            if found is not wanted:
                return False
    for name, wanted in (("Resource", True), ("NotResource", False)):
        if name in statement:
            texts = as_list(statement[name])
            if not {"Principal", "NotPrincipal"} & statement.keys():
                texts = texts + [completed(text) for text in texts]
            patterns = [expand(text, context, version, True, resource=True) for text in texts]
            found = any(pattern is not None and like(pattern, call["resource"]) for pattern in patterns)
            if found is not wanted:
                return False
    return all(
        condition_holds(operator, key, values, context, version)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def principal_strength(statement: Json, call: dict[str, Any]) -> str:
    """``""``, ``account``, ``limited`` or ``direct``; ``direct`` too when the statement has no principal element."""
    if "NotPrincipal" in statement:
        return not_principal_strength(statement, call)
    listed = statement.get("Principal", "*")
    if listed == "*" or "*" in as_list(listed.get("AWS", [])):
        return "direct"
    if call["provider"] and call["provider"] in as_list(listed.get("Federated", [])):
        return "direct"
    caller = call["caller"]
    if caller is None:
        return ""
    if caller["type"] == "Service":
        return "direct" if caller["name"] in as_list(listed.get("Service", [])) else ""
    strengths = {aws_strength(name, caller, call["ids"]) for name in as_list(listed.get("AWS", []))}
    return next((strength for strength in ("direct", "limited", "account") if strength in strengths), "")


def aws_strength(name: str, caller: dict[str, Any], ids: dict[str, str]) -> str:
    account = caller["account_id"]
    if name in (account, f"arn:aws:iam::{account}:root"):
        return "account"
    if name in ids:
        name = ids[name]
    if name == caller["arn"]:
        return "direct"
    if name in (caller["principal_arn"], caller["entity_id"]):
        return "direct" if caller["type"] == "User" else "limited"
    return ""


def not_principal_strength(statement: Json, call: dict[str, Any]) -> str:
    # "will always deny any IAM principal that has a permissions boundary policy attached, regardless of the values".
    if statement["Effect"] == "Deny" and call["has_boundary"]:
        return "direct"
    listed = statement["NotPrincipal"]
    names = ["*"] if listed == "*" else as_list(listed.get("AWS", []))
    if "*" in names:
        return ""
    caller = call["caller"]
    if caller is None:
        return "" if call["provider"] and call["provider"] in as_list(listed.get("Federated", [])) else "direct"
    if caller["type"] == "Service":
        return "" if caller["name"] in as_list(listed.get("Service", [])) else "direct"
    names = [call["ids"].get(name, name) for name in names]
    account = caller["account_id"]
    forms = [{account, f"arn:aws:iam::{account}:root"}]
    if caller["type"] in ("User", "AssumedRole"):
        forms.append({caller["principal_arn"], caller["entity_id"]})
    if caller["type"] in ("AssumedRole", "FederatedUser"):
        forms.append({caller["arn"]})
    listed_forms = [bool(form & set(names)) for form in forms]
    spared = all(listed_forms) if statement["Effect"] == "Deny" else any(listed_forms)
    return "" if spared else "direct"


def evaluate(documents: list[Json], call: dict[str, Any]) -> tuple[bool, set[str]]:
    """(whether a statement denies, the strengths of the allowing statements) for one layer."""
    denied, strengths = False, set()
    for document in documents:
        version = document.get("Version", "2008-10-17")
        for statement in as_list(document["Statement"]):
            strength = principal_strength(statement, call)
            if strength and statement_matches(statement, version, call):
                if statement["Effect"] == "Deny":
                    denied = True
                else:
                    strengths.add(strength)
    return denied, strengths


# --- the decision


def decide(
    policies: dict[str, Json], call: dict[str, Any], session_policy_required: bool = False
) -> tuple[str, set[str]]:
    """``Allowed``, ``ExplicitDeny`` or ``ImplicitDeny``, and for a denial the kinds of policy behind it.

    ``policies`` as in the case files, with lists of levels. A delegation's policies count like an organization's: they
    apply always, whatever a resource's policy says. The result names them as a session policy. So do scope-down
    policies, under their own name.
    """
    levels = [(kind[:-1], evaluate(level, call)) for kind in ("rcps", "scps") for level in policies.get(kind, ())]
    levels += [("session", evaluate(level, call)) for level in policies.get("delegation", ())]
    levels += [("scope-down", evaluate(level, call)) for level in policies.get("scope_down", ())]
    own = {name: evaluate(policies[name], call) for name in ("identity", "boundary", "session") if name in policies}
    resource_name = "trust" if "trust" in policies else "resource"
    of_the_resource = {name: evaluate(policies[name], call) for name in (resource_name,) if name in policies}
    denying = {kind for kind, (denied, _) in (*levels, *own.items(), *of_the_resource.items()) if denied}
    if denying:
        return "ExplicitDeny", denying
    lacking = {kind for kind, (_, allowing) in levels if not allowing}
    _, strengths = of_the_resource.get(resource_name, (False, set()))
    allowed = {name: bool(allowing) for name, (_, allowing) in own.items()}
    lacking |= lacks(allowed, strengths, resource_name, call, session_policy_required)
    return ("ImplicitDeny", lacking) if lacking else ("Allowed", set())


def lacks(
    own: dict[str, bool], strengths: set[str], resource_name: str, call: dict[str, Any], session_policy_required: bool
) -> set[str]:
    """The kinds of policy, without the organization's, that would have to allow and do not."""
    caller = call["caller"]
    nothing_of_the_resource = set() if strengths else {resource_name}
    if caller is None or caller["type"] == "Service":
        return nothing_of_the_resource
    limits = set()
    if not own.get("boundary", True):
        limits.add("boundary")
    if not own.get("session", not session_policy_required):
        limits.add("session")
    identity = caller["type"] == "Account" or own.get("identity", False)
    all_of_its_own = limits if identity else limits | {"identity"}
    if call["resource_account_id"] in ("", caller["account_id"]):
        if "direct" in strengths:
            return set()
        if "limited" in strengths:
            return limits
        return all_of_its_own | (nothing_of_the_resource if resource_name == "trust" else set())
    return all_of_its_own | nothing_of_the_resource
