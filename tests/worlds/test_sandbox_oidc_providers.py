"""OpenID Connect providers of the sandbox file: files with keys, and every possible mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rolecall.inspection import examine
from rolecall.sessions.signing_keys import new_signing_key, public_jwk
from rolecall.worlds.declare import InvalidWorldError, read_world_file

MAXIMUM_KEY_SET_BYTES = 1_048_576

KEYS = json.dumps({"keys": [public_jwk(new_signing_key("ES256"))]})
URL = "https://idp.example.com"


def written(folder: Path, *providers: Any) -> Path:
    """A sandbox file with one provider per line, the first of them on line 4."""
    lines = "".join(f"      - {json.dumps(provider)}\n" for provider in providers)
    file = folder / "sandbox.yaml"
    text = 'version: 1\naccounts:\n  - {id: "111122223333", oidc_providers: [\n'
    file.write_text(text + lines.replace("- {", "{").replace("}\n", "},\n") + "    ]}\n", encoding="utf-8")
    return file


def problems(file: Path) -> list[tuple[int, str]]:
    with pytest.raises(InvalidWorldError) as caught:
        read_world_file(str(file))
    assert examine(file.read_text(encoding="utf-8"), str(file.parent)).problems == caught.value.problems
    return [(problem.line, problem.message) for problem in caught.value.problems]


def test_a_file_with_keys_is_found_beside_the_sandbox_file(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "idp.json").write_text(KEYS, encoding="utf-8")
    file = written(
        tmp_path,
        {"url": URL, "jwks_file": "keys/idp.json"},
        {"url": f"{URL}/own", "keys": "rolecall"},
        {"url": f"{URL}/outside"},
    )
    providers = read_world_file(str(file)).accounts[0].oidc_providers
    assert [provider.key_source for provider in providers] == ["declared", "own", "discovery"]
    assert providers[0].jwks == KEYS


def test_keys_that_have_changed_make_another_world(tmp_path: Path) -> None:
    file = written(tmp_path, {"url": URL, "jwks_file": "idp.json"})
    (tmp_path / "idp.json").write_text(KEYS, encoding="utf-8")
    before = read_world_file(str(file))
    (tmp_path / "idp.json").write_text(KEYS + " ", encoding="utf-8")
    assert read_world_file(str(file)) != before


def test_problems_of_files_with_keys(tmp_path: Path) -> None:
    contents = {
        "text.json": b"no JSON",
        "empty.json": b'{"keys": []}',
        "long.json": b" " * (MAXIMUM_KEY_SET_BYTES + 1),
        "bytes.json": b"\xff",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    names = ["absent.json", *contents, "", 7]
    found = problems(
        written(tmp_path, *({"url": f"{URL}/{place}", "jwks_file": name} for place, name in enumerate(names)))
    )
    at = "accounts[0].oidc_providers"
    assert [line for line, _ in found] == [4, 5, 6, 7, 8, 9, 10]
    assert found[0][1] == f"{at}[0].jwks_file: cannot read absent.json: No such file or directory"
    assert found[1][1] == f"{at}[1].jwks_file: text.json cannot be used: not JSON"
    assert "empty.json cannot be used: no key in it" in found[2][1]
    assert "long.json cannot be used: longer than" in found[3][1]
    assert "cannot read bytes.json" in found[4][1]
    assert [message.partition(": ")[2] for _, message in found[5:]] == ["must be the path of a file"] * 2


def test_other_problems_of_providers(tmp_path: Path) -> None:
    (tmp_path / "idp.json").write_text(KEYS, encoding="utf-8")
    found = problems(
        written(
            tmp_path,
            {"url": "http://idp.example.com"},
            {"url": f"{URL}:8443"},
            {"url": 7},
            {"client_ids": []},
            {"url": f"{URL}/a", "keys": "somebody"},
            {"url": f"{URL}/b", "keys": "rolecall", "jwks_file": "idp.json"},
            {"url": f"{URL}/c"},
            {"url": f"{URL}/c"},
            {"url": f"{URL}/d", "client_ids": ["a", "a", "b c"], "thumbprints": ["a", "a"]},
            {"url": f"{URL}/e", "tags": {"Team": "a", "team": "b"}},
        )
    )
    expected = [
        (4, "[0].url: not the URL of a provider: http is only for issuers on this machine: others need https"),
        (5, "[1].url: not the URL of a provider: it must not name a port"),
        (6, "[2].url: not the URL of a provider: it must be text"),
        (7, "[3]: lacks url"),
        (8, "[4].keys: must be rolecall"),
        (9, "[5].keys: excludes jwks_file: leave one of them out"),
        (11, "[7].url: 'idp.example.com/c' is declared twice"),
        (12, "[8].client_ids[1]: 'a' appears twice"),
        (12, "[8].client_ids[2]: must be an audience of up to 255 characters"),
        (12, "[8].thumbprints[0]: must be 40 hexadecimal digits"),
        (12, "[8].thumbprints[1]: 'a' appears twice"),
        (12, "[8].thumbprints[1]: must be 40 hexadecimal digits"),
        (13, "[9].tags.team: 'team' appears twice (tag keys compare without case)"),
    ]
    assert found == [(line, f"accounts[0].oidc_providers{message}") for line, message in expected]
