"""Documents of the sandbox file in files of their own: where they may be, and what is said about them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rolecall.inspection import examine
from rolecall.worlds.declare import InvalidWorldError, read_world, read_world_file
from rolecall.worlds.document_files import MAXIMUM_DOCUMENT_BYTES
from rolecall.worlds.setup import _fingerprint

READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "chime:Get*", "Resource": "*"}]}
WRITE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "chime:Create*", "Resource": "*"}]}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:user/ana"}, "Action": "sts:AssumeRole"}
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder ``home`` with documents, and a document outside of it."""
    home = tmp_path / "home"
    (home / "policies").mkdir(parents=True)
    for name, document in (("read", READ), ("write", WRITE), ("trust", TRUST)):
        (home / "policies" / f"{name}.json").write_text(json.dumps(document, indent=2), encoding="utf-8")
    (tmp_path / "outside.json").write_text(json.dumps(READ), encoding="utf-8")
    return home


def world(**account: Any) -> dict[str, Any]:
    return {"version": 1, "accounts": [{"id": "111122223333", "users": [{"name": "ana"}], **account}]}


def problems(folder: Path | None, value: Any) -> list[str]:
    with pytest.raises(InvalidWorldError) as caught:
        read_world(json.dumps(value, indent=1), None if folder is None else str(folder))
    return [problem.message for problem in caught.value.problems]


def test_documents_come_from_their_files(folder: Path) -> None:
    value = world(
        users=[{"name": "ana", "inline_policies": {"own": READ}, "inline_policy_files": {"w": "policies/write.json"}}],
        groups=[{"name": "g", "inline_policy_files": {"r": "policies/read.json"}}],
        policies=[
            {
                "name": "p",
                "document_file": "policies/read.json",
                "default_version": 2,
                "versions": [{"version": 1, "document_file": "policies/write.json"}],
            }
        ],
        roles=[{"name": "r", "trust_policy_file": "policies/trust.json"}],
    )
    value["organization"] = {
        "id": "o-example1234",
        "service_control_policies": [{"name": "s", "document_file": "policies/read.json"}],
    }
    read = read_world(json.dumps(value), str(folder))
    account = read.accounts[0]
    assert {name: json.loads(text) for name, text in account.users[0].inline_policies.items()} == {
        "own": READ,
        "w": WRITE,
    }
    assert json.loads(account.groups[0].inline_policies["r"]) == READ
    [policy] = account.policies
    assert (json.loads(policy.document), json.loads(policy.versions[0].document)) == (READ, WRITE)
    assert json.loads(account.roles[0].trust_policy) == TRUST
    assert read.organization is not None
    assert json.loads(read.organization.service_control_policies[0].document) == READ
    assert type(policy.document) is str


def test_a_changed_document_is_a_changed_sandbox_file(folder: Path) -> None:
    file = folder / "rolecall.yaml"
    file.write_text(json.dumps(world(policies=[{"name": "p", "document_file": "policies/read.json"}])), "utf-8")
    before = _fingerprint(read_world_file(str(file)))
    assert _fingerprint(read_world_file(str(file))) == before
    (folder / "policies" / "read.json").write_text(json.dumps(WRITE), encoding="utf-8")
    assert _fingerprint(read_world_file(str(file))) != before


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        "policies/../../outside.json",
        "/etc/hostname",
        "C:\\x.json",
        "\\\\host\\x.json",
        "a\0b",
        "link.json",
    ],
)
def test_a_file_elsewhere_is_not_read_and_nothing_is_said_of_it(name: str, folder: Path) -> None:
    if name == "link.json":
        os.symlink(folder.parent / "outside.json", folder / name)
    [said] = problems(folder, world(policies=[{"name": "p", "document_file": name}]))
    assert said == (
        "accounts[0].policies[0].document_file: must be a file in the folder of the sandbox file or below it"
    )


def test_a_text_without_a_folder_names_no_files(folder: Path) -> None:
    found = problems(None, world(policies=[{"name": "p", "document_file": str(folder / "policies" / "read.json")}]))
    assert found == ["accounts[0].policies[0].document_file: names a file, but this text has no folder to find it in"]


def test_a_snapshot_over_http_reads_no_file_of_the_server(
    world: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for member in (
        {"policies": [{"name": "p", "document_file": "policies/read.json"}]},
        {"roles": [{"name": "r", "trust_policy_file": "policies/trust.json"}]},
        {"users": [{"name": "u", "inline_policy_files": {"p": "policies/read.json"}}]},
    ):
        body = json.dumps({"version": 1, "accounts": [{"id": "111122223333", **member}]})
        answer = world.application.test_client().put("/_rolecall/snapshot", data=body)
        assert answer.status_code == 400
        assert ["has no folder to find it in" in each["message"] for each in answer.json["problems"]] == [True]


@pytest.mark.parametrize(
    ("account", "said"),
    [
        (
            {"policies": [{"name": "p", "document_file": "policies/gone.json"}]},
            "accounts[0].policies[0].document_file: cannot read policies/gone.json: No such file or directory",
        ),
        (
            {"policies": [{"name": "p", "document_file": "policies"}]},
            "accounts[0].policies[0].document_file: cannot read policies: ",
        ),
        (
            {"policies": [{"name": "p", "document_file": "policies/read.json", "document": READ}]},
            "accounts[0].policies[0].document_file: excludes document: leave one of them out",
        ),
        (
            {"users": [{"name": "a", "inline_policies": {"p": READ}, "inline_policy_files": {"p": "x.json"}}]},
            "accounts[0].users[0].inline_policy_files.p: excludes inline_policies.p: leave one of them out",
        ),
        (
            {"users": [{"name": "a", "inline_policy_files": "x.json"}]},
            "accounts[0].users[0].inline_policy_files: must be a mapping",
        ),
        (
            {"users": [{"name": "a", "inline_policy_files": {"p": 1}}]},
            "accounts[0].users[0].inline_policy_files.p: must be the path of a file",
        ),
        ({"policies": [{"name": "p"}]}, "accounts[0].policies[0]: lacks document"),
        (
            {"policies": [{"name": "p", "document_fil": "x"}]},
            "accounts[0].policies[0].document_fil: unknown key, did you mean 'document_file'?",
        ),
        (
            {"users": [{"name": "bo"}], "roles": [{"name": "r", "trust_policy_file": "policies/trust.json"}]},
            "accounts[0].roles[0].trust_policy: trusts arn:aws:iam::111122223333:user/ana, which this file does not",
        ),
    ],
)
def test_what_is_said_about_a_file(account: dict[str, Any], said: str, folder: Path) -> None:
    found = problems(folder, world(**account))
    assert any(each.startswith(said) for each in found), found


def test_a_bad_document_is_told_with_the_line_in_its_file(folder: Path) -> None:
    (folder / "bad.json").write_text(
        '{\n "Version": "2012-10-17",\n "Statement": [{\n  "Effect": "Allow",\n  "Acton": "chime:*",\n'
        '  "Resource": "*"}]}',
        encoding="utf-8",
    )
    [said] = problems(folder, world(policies=[{"name": "p", "document_file": "bad.json"}]))
    assert said.startswith("accounts[0].policies[0].document_file: bad.json:5: not a policy that AWS accepts: ")
    (folder / "bad.json").write_text("{", encoding="utf-8")
    [said] = problems(folder, world(policies=[{"name": "p", "document_file": "bad.json"}]))
    assert said.startswith("accounts[0].policies[0].document_file: bad.json:1: not a policy")


def test_a_document_has_a_maximum_size(folder: Path) -> None:
    (folder / "long.json").write_text(" " * (MAXIMUM_DOCUMENT_BYTES + 1), encoding="utf-8")
    [said] = problems(folder, world(policies=[{"name": "p", "document_file": "long.json"}]))
    assert said.endswith(f"cannot read long.json: longer than {MAXIMUM_DOCUMENT_BYTES} bytes")


def test_check_gives_advice_on_documents_in_files(folder: Path) -> None:
    text = json.dumps(world(policies=[{"name": "p", "document_file": "policies/odd.json"}]))
    odd = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "chime:NoSuch", "Resource": "*"}]}
    (folder / "policies" / "odd.json").write_text(json.dumps(odd), encoding="utf-8")
    examined = examine(text, str(folder))
    assert (examined.problems, len(examined.advice)) == ([], 1)
