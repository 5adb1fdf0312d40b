"""What an expectation says about any resource, beside a second engine that tries resources one by one."""

from __future__ import annotations

import json
from typing import Any

from amounts import examples
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from oracle import decide

from rolecall import Rolecall
from rolecall.expectations.actions import table_for
from rolecall.expectations.asking import asking
from rolecall.expectations.deciding import Deciding, Scope
from rolecall.expectations.witness import resource_with
from rolecall.policy.patterns import wildcards

ACCOUNT = "111122223333"
CALLER = f"arn:aws:iam::{ACCOUNT}:user/caller"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
WORLD: dict[str, Any] = {
    "version": 1,
    "accounts": [
        {
            "id": ACCOUNT,
            "users": [
                {
                    "name": "admin",
                    "access_keys": [{"id": "test", "secret": "test"}],
                    "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                },
                {"name": "caller", "tags": {"team": "ab"}},
            ],
        }
    ],
}
# Short names of two letters, so that random patterns meet, miss and cover each other.
NAMES = st.text("ab*?", max_size=4)
PATTERNS = st.one_of(
    st.just("*"),
    NAMES.map(lambda name: f"arn:aws:s3:::{name}/{name[::-1]}*"),
    NAMES.map(lambda name: f"arn:aws:s3:::a/{name}"),
    st.sampled_from(["arn:aws:s3:::*/*a", "arn:aws:s3:::a", "arn:aws:s3:::${aws:PrincipalTag/team}/*"]),
)
STATEMENTS = st.builds(
    lambda effect, action, element, resources, condition: {
        "Effect": effect,
        "Action": action,
        element: resources,
        **({"Condition": condition} if condition else {}),
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.sampled_from(["s3:GetObject", "s3:Get*", "*", "s3:PutObject"]),
    st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]),
    st.lists(PATTERNS, min_size=1, max_size=2),
    st.sampled_from([None, None, {"StringEquals": {"aws:username": "caller"}}, {"Null": {"aws:username": "true"}}]),
)
DOCUMENTS = st.builds(
    lambda found: {"Version": "2012-10-17", "Statement": found}, st.lists(STATEMENTS, min_size=1, max_size=3)
)
PARTS = ["", "a", "b", "ab", "ba", "aa", "bb", "aba", "abab", "x", "xa", "ax", "axb"]
OBJECTS = [f"arn:aws:s3:::{bucket}/{key}" for bucket in PARTS if bucket for key in PARTS if key]


def allowed_by_oracle(identity: Any, boundary: Any, resource: str) -> bool:
    caller = {
        "type": "User",
        "account_id": ACCOUNT,
        "arn": CALLER,
        "principal_arn": CALLER,
        "entity_id": "AIDAEXAMPLE",
        "name": "caller",
    }
    call = {
        "action": "s3:GetObject",
        "resource": resource,
        "context": {"aws:username": "caller", "aws:principaltag/team": "ab"},
        "caller": caller,
        "provider": "",
        "ids": {},
        "has_boundary": boundary is not None,
        "resource_account_id": "",
    }
    policies = {"identity": [identity], **({} if boundary is None else {"boundary": [boundary]})}
    outcome, _ = decide(policies, call)
    return outcome == "Allowed"


def test_any_resource_and_every_resource_are_what_a_second_engine_finds() -> None:
    with Rolecall(config=WORLD) as sandbox:
        iam = sandbox.client("iam", user="admin")
        table = table_for(["s3:GetObject"])
        chosen = table.matching("s3:GetObject")
        seen: set[tuple[bool, bool]] = set()

        @settings(max_examples=examples(200), deadline=None, phases=set(Phase) - {Phase.explain})
        @given(
            identity=DOCUMENTS,
            boundary=st.one_of(st.none(), DOCUMENTS),
            pattern=st.sampled_from(["", "arn:aws:s3:::a/*", "arn:aws:s3:::*/b?", "arn:aws:s3:::?*/?*"]),
            wanted=st.booleans(),
        )
        def agree(identity: Any, boundary: Any, pattern: str, wanted: bool) -> None:
            iam.put_user_policy(UserName="caller", PolicyName="own", PolicyDocument=json.dumps(identity))
            if boundary is None:
                iam.delete_user_permissions_boundary(UserName="caller")
            else:
                made = iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(boundary))["Policy"]
                iam.put_user_permissions_boundary(UserName="caller", PermissionsBoundary=made["Arn"])
            with asking(sandbox._parts.sandbox) as asker:
                [who] = asker.principals.named("user/caller")
                deciding = Deciding(asker, table)
                [(_, answered)] = deciding.search(who, chosen, Scope(pattern), {}, wanted)
            if boundary is not None:
                iam.delete_user_permissions_boundary(UserName="caller")
                iam.delete_policy(PolicyArn=BOUNDARY)
            scope = Scope(pattern)
            tried = {allowed_by_oracle(identity, boundary, each) for each in OBJECTS if scope.holds(each)}
            if answered.allowed is wanted:
                # The resource that the answer names shows it.
                assert allowed_by_oracle(identity, boundary, answered.resource) is wanted, answered.resource
            else:
                assert wanted not in tried
            seen.add((wanted, answered.allowed))

        agree()
        assert seen == {(wanted, found) for wanted in (True, False) for found in (True, False)}


SHORT = st.text("ab*?", max_size=6).map(wildcards)


@settings(max_examples=examples(600), deadline=None, phases=set(Phase) - {Phase.explain})
@given(about=SHORT, patterns=st.lists(SHORT, max_size=4), wanted=st.lists(st.booleans(), min_size=4, max_size=4))
def test_a_text_is_found_exactly_when_there_is_one(about: str, patterns: list[str], wanted: list[bool]) -> None:
    """Beside the search, all texts of up to six characters. Longer ones are alike to one of these."""
    wanted = wanted[: len(patterns)]
    found = resource_with([about], patterns, lambda matching: list(matching) == wanted)
    tests = [matching_text(pattern) for pattern in patterns]

    def is_right(text: str) -> bool:
        return matching_text(about)(text) and [test(text) for test in tests] == wanted

    if found is None:
        assert not any(map(is_right, TEXTS))
    else:
        assert is_right(found)


def all_texts(characters: str, longest: int) -> list[str]:
    texts = [""]
    for text in texts:
        if len(text) < longest:
            texts.extend(text + character for character in characters)
    return texts


TEXTS = all_texts("abx", 6)


def matching_text(pattern: str) -> Any:
    """Wildcards by splitting off one character after the other."""

    def matches(text: str, at: int = 0) -> bool:
        if at == len(pattern):
            return text == ""
        if pattern[at] == wildcards("*"):
            return any(matches(text[skipped:], at + 1) for skipped in range(len(text) + 1))
        return text != "" and pattern[at] in (wildcards("?"), text[0]) and matches(text[1:], at + 1)

    return matches
