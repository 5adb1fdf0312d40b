"""boto3 finds credentials with every provider, has new ones later, and is refused after a revocation.

The script ``tests/clients/matrix.py`` does the same with other clients, and writes the table of the documentation.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from loaded_scripts import ROOT, loaded_script
from served import Server

PROVIDERS = ("imds", "ecs", "eks", "irsa", "process", "anywhere", "login", "sso")


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> Any:
    # The modules beside the script.
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "clients"))
    return loaded_script("tests/clients/matrix.py")


def test_boto3_with_every_provider(matrix: Any, make_server: Callable[..., Server], tmp_path: Path) -> None:
    assert tuple(matrix.PROVIDERS) == PROVIDERS
    server = make_server("--config", str(matrix.CONFIG), "--database", "memory")
    with ExitStack() as opened:
        served = matrix.Sandbox(server.url, tmp_path, opened)
        commands = {"boto3": matrix.CLIENTS["boto3"].command(tmp_path)}
        # boto3 moves its own time, so nothing has to wait.
        cells = matrix.results_of(PROVIDERS, commands, served, 0)
    assert cells == {("boto3", provider): "yes" for provider in PROVIDERS}


@pytest.mark.parametrize(
    ("provider", "calls", "expected"),
    [
        ("imds", [("-", "NoCredentialsError"), ("-", "ok"), ("-", "AccessDenied")], "not found: NoCredentialsError"),
        ("imds", [("a:assumed-role/other/i", "ok")] * 3, "not found: ok"),
        ("imds", [("a:assumed-role/imds/i", "ok"), ("-", "ExpiredToken")], "not renewed: ExpiredToken"),
        ("imds", [("a:assumed-role/imds/i", "ok")] * 3, "not refused"),
        (
            "imds",
            [("a:assumed-role/imds/i", "ok")] * 2 + [("-", "ExpiredToken")],
            "refused for another reason: ExpiredToken",
        ),
        ("imds", [("a:assumed-role/imds/i", "ok")] * 2 + [("-", "AccessDenied 'no'")], "yes"),
    ],
)
def test_the_matrix_notices(matrix: Any, provider: str, calls: list[tuple[str, str]], expected: str) -> None:
    found, renewed, refused = (*calls, ("-", "not called"))[:3]
    assert matrix.cell_of(provider, "boto3", found, renewed, refused) == expected


def test_the_table_of_the_page_has_every_client_and_provider(matrix: Any) -> None:
    page = (ROOT / "docs" / "credential-providers.md").read_text(encoding="utf-8")
    head, _, *rows = page.split(matrix.BEGIN)[1].split(matrix.END)[0].splitlines()
    assert head == f"| client | version | {' | '.join(each.name for each in matrix.PROVIDERS.values())} |"
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows] == list(matrix.CLIENTS)
    unable = {reason for client in matrix.CLIENTS.values() for reason in client.unable.values()}
    cells = {cell for row in rows for cell in row.removesuffix(" |").split(" | ")[2:]}
    assert cells <= {"yes", "yes, anew for each command"} | unable
