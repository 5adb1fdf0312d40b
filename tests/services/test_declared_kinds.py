"""Every declared kind, walked through its operations by a boto3 client. Its case is in cases/kinds.yaml."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from yaml_tables import read_table

from rolecall.service_records import action_prefix
from rolecall.services import catalogue
from rolecall.services.kinds import Kind
from rolecall.services.verbs import declared_operations

CASES: dict[str, dict[str, Any]] = read_table(
    (Path(__file__).parent / "cases" / "kinds.yaml").read_text(encoding="utf-8")
)
ACCOUNT, OTHER = "111122223333", "444455556666"
ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def _user(name: str, policy: dict[str, Any] = ALL) -> dict[str, Any]:
    keys = [{"id": f"{name}_key", "secret": f"{name}-secret"}]
    return {"name": name, "access_keys": keys, "inline_policies": {"own": policy}}


# The role of a media insights configuration.
ANALYTICS = {
    "name": "analytics",
    "trust_policy": {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "mediapipelines.chime.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    },
}
WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {"id": ACCOUNT, "users": [_user("admin"), _user("limited")], "roles": [ANALYTICS]},
            {"id": OTHER, "users": [_user("stranger")]},
        ],
    }
)


class Walk:
    """One kind: its case, and calls by the names of operations."""

    def __init__(self, name: str, world: Any) -> None:
        self.name, self.case, self.world = name, CASES[name], world
        self.service = name.partition("/")[0]
        self.id_member = next(iter(self.case["absent"]))
        self.admin = self.client("admin")
        self.parent = Walk(self.case["parent"], world) if "parent" in self.case else None
        self.of_parent = {} if self.parent is None else self.parent.named(self.parent.made(9))
        self.values: dict[str, str] = {}
        self.run("first")
        # An ARN of its own names a resource alone.
        self.above = {} if self.case.get("named_alone") else self.of_parent
        self.named_as = self.case.get("named_as", self.id_member)
        self.absent = {**self.above, self.named_as: self.case["absent"][self.id_member]}
        self.needed = ""
        if "needs" in self.case:
            needs = self.case["needs"]
            self.needed = Walk(needs["kind"], world).made()[needs["member"]]
        self.values["needed"] = self.needed

    def client(self, user: str, service: str | None = None, **arguments: Any) -> Any:
        return self.world.client(service or self.service, user, **arguments)

    def call(self, operation: str, client: Any = None, **parameters: Any) -> dict[str, Any]:
        answer = getattr(client or self.admin, xform_name(operation))(**parameters)
        del answer["ResponseMetadata"]
        return dict(answer)

    def refused(self, operation: str, client: Any = None, **parameters: Any) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            self.call(operation, client, **parameters)
        return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]

    def run(self, when: str, **values: Any) -> None:
        """Run the case's steps of that moment. Their answers give values to later texts."""
        for step in self.case.get(when, ()):
            parameters = self.filled(step["parameters"], **values)
            answer = self.call(step["operation"], self.client("admin", service=step.get("service")), **parameters)
            for name, path in step.get("keep", {}).items():
                found: Any = answer
                for part in path.split("."):
                    found = found[part]
                self.values[name] = found
            self.world.clock.advance(step.get("wait", 0))

    def filled(self, parameters: dict[str, Any], **values: Any) -> dict[str, Any]:
        """The parameters with values in place of ``{name}``. ``{parent}`` is the last id of the parent."""
        text = json.dumps(parameters)
        for name, value in {"parent": next(reversed(self.of_parent.values()), ""), **self.values, **values}.items():
            text = text.replace(f"{{{name}}}", str(value))
        return dict(json.loads(text))

    def creating(self, number: int = 0) -> dict[str, Any]:
        """The parameters of the create, after the steps before it."""
        self.run("each", n=number)
        above = {} if self.case["create"].get("alone") else self.of_parent
        return {**above, **self.filled(self.case["create"]["parameters"], n=number)}

    def another_parent(self) -> None:
        """Walk on with the resources of another parent."""
        assert self.parent is not None
        self.of_parent = self.parent.named(self.parent.made(8))
        self.above = {} if self.case.get("named_alone") else self.of_parent

    def made(self, number: int = 0, **more: Any) -> dict[str, Any]:
        answer = self.call(self.case["create"]["operation"], **self.creating(number), **more)
        found = [value for value in answer.values() if isinstance(value, dict)]
        return dict(found[0]) if found else self.read({**self.above, self.id_member: answer[self.id_member]})

    def read(self, named: dict[str, Any]) -> dict[str, Any]:
        [answer] = self.call(self.case["get"], **named).values()
        return dict(answer.get(self.case.get("within"), answer))

    def listed(self, client: Any = None, **parameters: Any) -> tuple[list[dict[str, Any]], str | None]:
        """A page of the case's list, and its NextToken."""
        answer = self.call(self.case["list"], client, **self.of_parent, **parameters)
        token = answer.pop("NextToken", None)
        [page] = [value for name, value in answer.items() if name not in self.of_parent]
        return page, token

    def named(self, resource: dict[str, Any]) -> dict[str, Any]:
        return {**self.above, self.named_as: resource[self.id_member]}

    def deleted(self, resource: dict[str, Any]) -> None:
        """Delete it, and wait until it is gone."""
        self.call(self.case["delete"], **self.named(resource))
        self.world.clock.advance(self.case.get("deleted_after_seconds", 0))

    @property
    def arn_member(self) -> str:
        """The member with the ARN by which policies name the resource; empty for a kind that has none."""
        return str(self.case.get("arn") or self.case.get("tags", {}).get("arn", ""))

    def reading(self) -> list[str]:
        """Operations that take the id alone and change nothing."""
        return [self.case["get"], *(one["operations"][0] for one in self.case.get("settings", {}).values())]

    def deleting(self) -> list[str]:
        return [self.case["delete"]] if "delete" in self.case else []


@pytest.fixture(params=sorted(name for name, case in CASES.items() if "tested" not in case))
def walk(request: pytest.FixtureRequest, make_world: Any) -> Walk:
    return Walk(request.param, make_world(WORLD))


def test_every_declared_kind_and_operation_has_a_case() -> None:
    mentioned = set()
    for name, case in CASES.items():
        operations = [case.get(each) for each in ("get", "list", "delete")]
        operations += [case["update"]["operation"]] if "update" in case else []
        operations += [each for one in case.get("settings", {}).values() for each in one["operations"]]
        mentioned |= {(name, each) for each in operations if each}
    declared = {(each.kind.name, each.name) for each in declared_operations if each.kind is not None}
    assert declared <= mentioned


def test_every_kind_has_a_case_or_names_its_tests() -> None:
    """Also the kinds without a declared operation."""
    catalogue.all_operations()
    modules = [module for name, module in sys.modules.items() if name.startswith("rolecall.services.")]
    kinds = {value.name for module in modules for value in vars(module).values() if isinstance(value, Kind)}
    chimes = {name for name in kinds if name.startswith("chime")}
    assert chimes == set(CASES)
    files = {case["tested"] for case in CASES.values() if "tested" in case}
    assert {name for name in files if not (Path(__file__).parents[2] / name).is_file()} == set()


def test_it_is_made_and_read_back(walk: Walk) -> None:
    made = walk.made()
    read = walk.read(walk.named(made))
    assert read == made
    assert {name: read[name] for name in walk.case["answer"]} == walk.case["answer"]
    assert walk.refused(walk.case["get"], **walk.absent)[0] == "NotFoundException"


def test_a_list_has_pages(walk: Walk) -> None:
    if "list" not in walk.case:
        return
    operation = walk.case["list"]
    made = []
    for number in range(5):
        made.append(walk.made(number))
        walk.world.clock.advance(1)
    found: list[dict[str, Any]] = []
    sizes, more = [], {}
    for _ in range(4):
        page, token = walk.listed(MaxResults=2, **more)
        more = {"NextToken": token}
        sizes.append(len(page))
        found += page
        if token is None:
            break
    # Some lists have fewer members than the resource.
    expected = [{name: each[name] for name in shown} for each, shown in zip(made, found, strict=True)]
    assert (sizes, found) == ([2, 2, 1], expected)
    assert all(walk.id_member in shown for shown in found)
    assert walk.listed() == (found, None)
    _, token = walk.listed(MaxResults=2)
    assert token is not None
    assert walk.refused(operation, **walk.of_parent, NextToken=token[:-1])[0] == "BadRequestException"
    if walk.parent is None:
        for client in (walk.client("stranger"), walk.client("admin", region="eu-central-1")):
            assert walk.refused(operation, client, NextToken=token)[0] == "BadRequestException"
    else:
        walk.another_parent()
        assert walk.refused(operation, **walk.of_parent, NextToken=token)[0] == "BadRequestException"
        assert walk.listed() == ([], None)


def test_a_change_is_read_back(walk: Walk) -> None:
    if "update" not in walk.case:
        return
    made, other = walk.made(), walk.made(1)
    update = walk.case["update"]
    walk.world.clock.advance(60)
    answer = walk.call(update["operation"], **walk.named(made), **update["parameters"])
    changed = read = walk.read(walk.named(made))
    assert all(value == read for value in answer.values() if isinstance(value, dict))
    moved = {name for name in made if name.startswith(("Updated", "LastUpdated"))}
    assert bool(moved) is update.get("dates", True)
    assert all(changed[name] > made[name] for name in moved)
    expected = {**made, **update["parameters"]}
    assert {name: read[name] for name in set(read) - moved} == {name: expected[name] for name in set(expected) - moved}
    assert walk.read(walk.named(other)) == other
    assert walk.refused(update["operation"], **walk.absent, **update["parameters"])[0] == "NotFoundException"


def test_what_is_deleted_is_gone_with_what_hung_on_it(walk: Walk) -> None:
    if "delete" not in walk.case:
        return
    made, other = walk.made(), walk.made(1)
    named = walk.named(made)
    for one in walk.case.get("settings", {}).values():
        for resource in (made, other):
            walk.call(one["operations"][1], **walk.named(resource), **_document(one, walk, "put"))
    walk.deleted(made)
    for operation in walk.reading():
        assert walk.refused(operation, **named)[0] == "NotFoundException"
        walk.call(operation, **walk.named(other))
    for one in walk.case.get("settings", {}).values():
        putting = one["operations"][1]
        assert walk.refused(putting, **named, **_document(one, walk, "put"))[0] == "NotFoundException"
    assert walk.refused(walk.case["delete"], **named)[0] == "NotFoundException"


def test_with_its_parent_it_is_gone(walk: Walk) -> None:
    if walk.parent is None:
        return
    made = walk.made()
    walk.run("before_parent", id=made[walk.id_member])
    for operation in walk.reading():
        walk.call(operation, **walk.named(made))
    walk.parent.call(walk.parent.case["delete"], **walk.of_parent)
    for operation in walk.reading():
        code, message = walk.refused(operation, **walk.named(made))
        # The message names the parent, unless the request does not.
        named = walk.named(made) if walk.case["create"].get("alone") else walk.of_parent
        expected = walk.parent.case.get("ended", next(reversed(named.values())))
        assert (code, expected in message) == ("NotFoundException", True)
    another = walk.parent.named(walk.parent.made(8))
    for operation in walk.reading() if walk.above else ():
        assert walk.refused(operation, **{**walk.named(made), **another})[0] == "NotFoundException"


def _document(one: dict[str, Any], walk: Walk, when: str) -> dict[str, Any]:
    """The parameters that put a setting: its one member, or several members of the request."""
    if one.get("spread"):
        return dict(one[when])
    return {next(name for name, case in walk.case["settings"].items() if case is one): one[when]}


def test_settings_are_put_read_and_deleted(walk: Walk) -> None:
    made, other = walk.made(), walk.made(1)
    named, of_other = walk.named(made), walk.named(other)
    for member, one in walk.case.get("settings", {}).items():
        reading, putting, *deleting = one["operations"]
        if "always" in one:
            assert walk.call(reading, **named) == {member: one["always"]}
        else:
            assert walk.refused(reading, **named)[0] == "NotFoundException"
        read = {member: one.get("read", one["put"])}
        assert walk.call(putting, **named, **_document(one, walk, "put")) in (read, {})
        assert walk.call(reading, **named) == read
        walk.call(putting, **named, **_document(one, walk, "then"))
        assert walk.call(reading, **named) == {member: one.get("then_read", one["then"])}
        if "always" in one:
            assert walk.call(reading, **of_other) == {member: one["always"]}
        else:
            assert walk.refused(reading, **of_other)[0] == "NotFoundException"
        assert walk.refused(reading, **walk.absent)[0] == "NotFoundException"
        for operation in deleting:
            assert walk.call(operation, **named) == {}
            assert walk.refused(reading, **named)[0] == "NotFoundException"
            assert walk.refused(operation, **named)[0] == "NotFoundException"


def test_tags_are_put_listed_and_removed(walk: Walk) -> None:
    if "tags" not in walk.case:
        return
    made = walk.made(Tags=[{"Key": "team", "Value": "blue"}])
    arn = {"ResourceARN": made[walk.case["tags"]["arn"]]}
    assert walk.call("ListTagsForResource", **arn) == {"Tags": [{"Key": "team", "Value": "blue"}]}
    shortest = "" if walk.case["tags"].get("empty", True) else "0"
    both = [{"Key": "Team", "Value": shortest}, {"Key": "team", "Value": "red"}]
    walk.call("TagResource", **arn, Tags=both)
    assert walk.call("ListTagsForResource", **arn) == {"Tags": both}
    walk.call("UntagResource", **arn, TagKeys=["team", "unknown"])
    assert walk.call("ListTagsForResource", **arn) == {"Tags": both[:1]}
    for tags, words in (
        ([{"Key": "aws:own", "Value": "v"}], "must not begin with aws:"),
        ([{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}], "the same key twice"),
    ):
        tagging = walk.refused("TagResource", **arn, Tags=tags)
        making = walk.refused(walk.case["create"]["operation"], **walk.creating(1), Tags=tags)
        for code, message in (tagging, making):
            assert (code, words in message) == ("BadRequestException", True)
    # The keys of meetings have no digits.
    fifty = [{"Key": "k" * number, "Value": "v"} for number in range(1, 51)]
    too_many = walk.case["tags"].get("too_many", "ResourceLimitExceededException")
    assert walk.refused("TagResource", **arn, Tags=fifty)[0] == too_many
    walk.call("TagResource", **arn, Tags=fifty[:49])
    assert len(walk.call("ListTagsForResource", **arn)["Tags"]) == 50
    walk.deleted(made)
    assert walk.refused("ListTagsForResource", **arn)[0] == walk.case["tags"].get("absent", "NotFoundException")


def test_for_another_account_and_region_it_does_not_exist(walk: Walk) -> None:
    made = walk.made()
    clients = [walk.client("stranger")]
    if walk.service != "chime":
        # Amazon Chime itself has one Region.
        clients.append(walk.client("admin", region="eu-central-1"))
    for client in clients:
        # The ARN of another account is refused before anything is looked for.
        is_refused_by_arn = client is clients[0] and any(name.endswith("Arn") for name in walk.named(made))
        absent = "AccessDeniedException" if is_refused_by_arn else "NotFoundException"
        for operation in (*walk.reading(), *walk.deleting()):
            assert walk.refused(operation, client, **walk.named(made))[0] == absent
        if "list" in walk.case and walk.parent is not None:
            code = walk.refused(walk.case["list"], client, **walk.of_parent)[0]
            assert code in ("NotFoundException", "AccessDeniedException")
        elif "list" in walk.case:
            assert walk.listed(client) == ([], None)
    if "tags" in walk.case:
        arn = made[walk.case["tags"]["arn"]]
        code, message = walk.refused("ListTagsForResource", walk.client("stranger"), ResourceARN=arn)
        assert (code, "on resource: " + arn in message) == ("AccessDeniedException", True)
        elsewhere = walk.client("admin", region="eu-central-1")
        absent = walk.case["tags"].get("absent", "NotFoundException")
        assert walk.refused("ListTagsForResource", elsewhere, ResourceARN=arn)[0] == absent
    assert walk.call(walk.case["get"], **walk.named(made))


def test_a_deny_on_its_arn_and_on_its_tags_is_seen(walk: Walk) -> None:
    if "tags" not in walk.case:
        return
    made, other = walk.made(), walk.made(1, Tags=[{"Key": "team", "Value": "secret"}])
    prefix = action_prefix(walk.service)
    statement = {"Effect": "Deny", "Action": f"{prefix}:*"}
    by_tag = {"StringEquals": {"aws:ResourceTag/team": "secret"}}
    walk.world.client("iam").put_user_policy(
        UserName="limited",
        PolicyName="deny",
        PolicyDocument=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {**statement, "Resource": made[walk.case["tags"]["arn"]]},
                    {**statement, "Resource": "*", "Condition": by_tag},
                ],
            }
        ),
    )
    limited = walk.client("limited")
    third = walk.made(2)
    for resource in (made, other):
        arn = resource[walk.case["tags"]["arn"]]
        for operation in (*walk.reading(), walk.case["delete"]):
            code, message = walk.refused(operation, limited, **walk.named(resource))
            expected = f"{prefix}:{operation} on resource: {arn} with an explicit deny"
            assert (code, expected in message) == ("AccessDeniedException", True)
        assert walk.refused("ListTagsForResource", limited, ResourceARN=arn)[0] == "AccessDeniedException"
    assert walk.call(walk.case["get"], limited, **walk.named(third))


def test_a_deny_on_its_parents_arn_is_seen(walk: Walk) -> None:
    """For kinds without ARNs of their own."""
    if walk.parent is None or walk.arn_member or not walk.parent.arn_member:
        return
    made = walk.made()
    parent = walk.parent.read(walk.of_parent)
    arn = parent[walk.parent.arn_member]
    deny = {"Effect": "Deny", "Action": "chime:*", "Resource": arn}
    walk.world.client("iam").put_user_policy(
        UserName="limited", PolicyName="deny", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": deny})
    )
    limited = walk.client("limited")
    for operation in (*walk.reading(), *walk.deleting()):
        code, message = walk.refused(operation, limited, **walk.named(made))
        assert (code, f"on resource: {arn} with an explicit deny" in message) == ("AccessDeniedException", True)
    assert walk.refused(walk.case["create"]["operation"], limited, **walk.creating(1))[0] == "AccessDeniedException"
    if "list" in walk.case:
        assert walk.refused(walk.case["list"], limited, **walk.of_parent)[0] == "AccessDeniedException"
        walk.another_parent()
        assert walk.listed(limited) == ([], None)


def test_the_same_token_makes_one(walk: Walk) -> None:
    token = walk.case.get("token")
    if token is None:
        return
    asked = {**walk.creating(), token: "one"}
    operation = walk.case["create"]["operation"]
    first = walk.call(operation, **asked)
    assert walk.call(operation, **asked) == first
    another = {**asked, token: "two"}
    if "chosen" in walk.case:
        assert walk.refused(operation, **another)[0] == "ConflictException"
        another.update(walk.creating(1))
    assert walk.call(operation, **another) != first
    if "delete" not in walk.case:
        return
    [made] = [value for value in first.values() if isinstance(value, dict)] or [first]
    walk.deleted(made)
    again = walk.call(operation, **asked)
    [made_again] = [value for value in again.values() if isinstance(value, dict)] or [again]
    # A chosen id may come again.
    assert (walk.named(made_again) == walk.named(made)) is ("chosen" in walk.case)
