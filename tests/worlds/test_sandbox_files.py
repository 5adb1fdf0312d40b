"""Hostile sandbox files: the files of this machine that they name, and the cost of reading them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from rolecall.worlds.declare import InvalidWorldError, read_world, read_world_file
from rolecall.worlds.files import read_beside, read_named
from rolecall.worlds.located import UnreadableError, read_located
from rolecall.worlds.references import dangling

ELSEWHERE = "must be a file in the folder of the sandbox file or below it"
KEYS = {"keys": []}


def sandbox(folder: Path, member: str, name: str) -> Path:
    provider = {"url": "https://idp.example.com", "jwks_file": name}
    saml = {"name": "idp", "metadata_file": name}
    kinds = {"jwks_file": {"oidc_providers": [provider]}, "metadata_file": {"saml_providers": [saml]}}
    file = folder / "sandbox.yaml"
    file.write_text(json.dumps({"version": 1, "accounts": [{"id": "111122223333", **kinds[member]}]}))
    return file


def problem(file: Path) -> str:
    with pytest.raises(InvalidWorldError) as caught:
        read_world_file(str(file))
    [only] = caught.value.problems
    return only.message.partition(": ")[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``inside`` holds the sandbox file; ``outside`` a file whose content must not leak."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.json").write_text(json.dumps(KEYS))
    (tmp_path / "inside" / "outwards").symlink_to(tmp_path / "outside")
    (tmp_path / "inside" / "out.json").symlink_to(tmp_path / "outside" / "secret.json")
    (tmp_path / "inside" / "absent-out.json").symlink_to(tmp_path / "outside" / "absent.json")
    return tmp_path / "inside"


@pytest.mark.parametrize("member", ["jwks_file", "metadata_file"])
@pytest.mark.parametrize(
    "name",
    [
        "{outside}/secret.json",
        "{outside}/absent.json",
        "../outside/secret.json",
        "../outside/absent.json",
        "a/../../outside/secret.json",
        "outwards/secret.json",
        "outwards/absent.json",
        "out.json",
        "absent-out.json",
        "/etc/passwd",
        "/dev/zero",
        "C:\\\\secret.json",
        "..\\\\outside\\\\secret.json",
        "\\\\\\\\host\\\\share\\\\secret.json",
    ],
)
def test_nothing_is_said_of_what_is_elsewhere(folder: Path, member: str, name: str) -> None:
    written = name.replace("{outside}", str(folder.parent / "outside")).replace("\\\\", "\\")
    assert problem(sandbox(folder, member, written)) == ELSEWHERE


@pytest.mark.parametrize("member", ["jwks_file", "metadata_file"])
def test_a_pipe_and_a_folder_are_no_files(folder: Path, member: str) -> None:
    os.mkfifo(folder / "pipe")
    # No process writes it, so a reader that waited would wait for ever.
    assert problem(sandbox(folder, member, "pipe")) == "cannot read pipe: not a regular file"
    assert problem(sandbox(folder, member, ".")) in (
        "cannot read .: not a regular file",
        "cannot read .: Is a directory",
    )


def test_a_link_within_the_folder_is_followed(folder: Path) -> None:
    """As Kubernetes mounts a file: a link to a link to what is in a folder with a date."""
    (folder / "..2026").mkdir()
    (folder / "..2026" / "keys.json").write_text(json.dumps({"keys": [{"kty": "oct"}]}))
    (folder / "..data").symlink_to("..2026")
    (folder / "keys.json").symlink_to("..data/keys.json")
    assert read_beside(str(folder), "keys.json", 100) == json.dumps({"keys": [{"kty": "oct"}]})


def test_a_file_is_not_read_beyond_its_bound(folder: Path) -> None:
    (folder / "long").write_text("x" * 101)
    with pytest.raises(ValueError, match="longer than 100 bytes"):
        read_beside(str(folder), "long", 100)
    with pytest.raises(ValueError, match="longer than 1000 bytes"):
        read_named("/dev/zero", 1000)


def test_a_text_has_no_folder(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot over HTTP must not read files in the server's own folder."""
    monkeypatch.chdir(tmp_path)
    Path("keys.json").write_text(json.dumps(KEYS))
    text = sandbox(tmp_path, "jwks_file", "keys.json").read_text()
    with pytest.raises(InvalidWorldError, match="has no folder to find it in"):
        read_world(text)
    answer = world.application.test_client().put("/_rolecall/snapshot", data=text)
    assert answer.status_code == 400
    assert "has no folder to find it in" in answer.text


@pytest.mark.parametrize("tag", ["", "!!int ", "!!float "])
@pytest.mark.parametrize("number", ["12:30:45", "1:2.5", "-1:30", "59" + ":59" * 1_000])
def test_numbers_to_the_base_of_sixty_are_text(tag: str, number: str) -> None:
    assert read_located(f"a: {tag}{number}").value == {"a": number}


@pytest.mark.parametrize("number", ["1" * 65, "0x" + "f" * 63, "0b" + "1" * 1000, "1" * 40 + "." + "1" * 40])
def test_a_number_has_no_more_than_some_digits(number: str) -> None:
    with pytest.raises(UnreadableError, match="line 2: a number of more than 64 characters"):
        read_located(f"a: 1\nb: {number}")


def test_a_value_that_is_not_of_its_type_is_a_problem() -> None:
    with pytest.raises(UnreadableError, match="line 2: not YAML: 'maybe' is not a value of its type"):
        read_located("a: !!bool yes\nb: !!bool maybe")


def test_directives_without_end_are_refused() -> None:
    with pytest.raises(UnreadableError, match="too many directives"):
        read_located("%YAML 1.1\n" + "".join(f"%TAG !a{number}! x\n" for number in range(200)) + "---\na: 1")
    assert read_located("%YAML 1.1\n---\na: 1").value == {"a": 1}


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\naccounts: [" + "1," * 2000 + "]",
        "version: 1\naccounts:\n- id: '111122223333'\n" + "".join(f"  k{number}: 1\n" for number in range(2000)),
        "version: 1\n" + "accounts: []\n" * 2000,
        "version: 1\naccounts: [{id: '111122223333', users: [{name: a, groups: [" + "x," * 2000 + "]}]}]",
    ],
)
def test_a_thousand_problems_are_enough(text: str) -> None:
    with pytest.raises(InvalidWorldError) as caught:
        read_world(text)
    assert len(caught.value.problems) == 1000


def test_a_problem_quotes_little_of_a_file() -> None:
    with pytest.raises(InvalidWorldError) as caught:
        read_world("version: 1\naccounts: []\n? " + "k" * 100_000 + "\n: 1\n")
    assert max(len(problem.message) for problem in caught.value.problems) == 2001


def test_a_long_chain_of_units_costs_its_length() -> None:
    def world(*last: str) -> dict[str, Any]:
        names = [f"u{number}" for number in range(3000)]
        units = [{"name": name, "parent": parent} for name, parent in zip(names, [*names[1:], *last], strict=False)]
        return {"accounts": [], "organization": {"id": "o-exampleorgid", "organizational_units": units}}

    class Counted(dict[str, Any]):
        asked = 0

        def get(self, *arguments: Any) -> Any:
            Counted.asked += 1
            return super().get(*arguments)

    chain = world()
    chain["organization"]["organizational_units"] = [
        Counted(unit) for unit in [*chain["organization"]["organizational_units"], {"name": "u2999"}]
    ]
    assert not [found for found in dangling(chain) if "parent" in found[1]]
    assert Counted.asked < 100 * 3000
    circle = [path for path, message in dangling(world("u0")) if "own ancestor" in message]
    assert len(circle) == 3000
    # An entry that leads into a circle from outside has no end above it either.
    hanging = world("u1500")
    assert len([path for path, message in dangling(hanging) if "own ancestor" in message]) == 3000
