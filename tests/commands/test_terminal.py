"""What a terminal gets: colour, width, tables, the bar of long work, and the one form of errors."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from amounts import examples
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from rolecall.cli import COMMANDS, main
from rolecall.commands import terminal
from rolecall.commands.decisions import followed
from rolecall.commands.problems import UnusableError
from rolecall.commands.rich_output import coloured, table
from rolecall.commands.terminal import Work, has_colour, show, shown_when_slow, wrapped
from rolecall.printable import printable

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("make", "environment", "chosen", "expected"),
    [
        (io.StringIO, {}, None, False),
        (io.StringIO, {"FORCE_COLOR": ""}, None, False),
        (Terminal, {"NO_COLOR": "1"}, None, False),
        (Terminal, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, None, False),
        (Terminal, {"TERM": "dumb"}, None, False),
        (Terminal, {}, False, False),
        (Terminal, {"FORCE_COLOR": "1"}, False, False),
        (Terminal, {"NO_COLOR": ""}, None, True),
        (Terminal, {"TERM": "xterm"}, None, True),
        (io.StringIO, {"FORCE_COLOR": "1"}, None, True),
        (io.StringIO, {"NO_COLOR": "1"}, True, True),
    ],
    ids=lambda value: getattr(value, "__name__", None) or repr(value),
)
def test_colour_is_where_a_terminal_has_it_and_the_user_wants_it(
    make: Callable[[], Any], environment: Mapping[str, str], chosen: bool | None, expected: bool
) -> None:
    assert has_colour(make(), environment, chosen) is expected


def test_a_closed_stream_is_no_terminal() -> None:
    stream = Terminal()
    stream.close()
    assert terminal.is_terminal(io.StringIO()) is False
    closed = io.StringIO()
    closed.close()
    assert terminal.is_terminal(closed) is False


LINES = st.text(st.sampled_from("ab:/-. ") | st.characters(codec="utf-8"), max_size=300).map(printable)


@given(line=LINES, columns=st.integers(20, 120))
@settings(max_examples=examples(200))
def test_a_wrapped_line_fits_and_says_the_same(line: str, columns: int) -> None:
    parts = wrapped(line, columns)
    assert "".join("".join(parts).split()) == "".join(line.split())
    # Addresses and lines of JSON stay whole.
    if "://" not in line and line.strip(" ")[:1] not in tuple('"{}[]'):
        assert all(len(part) <= columns for part in parts)


@given(line=LINES, columns=st.integers(20, 120))
@settings(max_examples=examples(100))
def test_colour_changes_no_text(line: str, columns: int) -> None:
    parts = wrapped(line, columns)
    assert [ESCAPE.sub("", part) for part in coloured(line, parts)] == parts


@pytest.mark.parametrize(
    ("line", "red"),
    [
        ("ImplicitDeny: sts:AssumeRole on x", "ImplicitDeny"),
        ("  role trust policy [x]: has no statement that allows it", "has no statement that allows it"),
        ("      StringEquals a [b]: the request has c: not met", "not met"),
        ("    Deny no-chime / NoChime", "Deny"),
    ],
)
def test_a_refusal_is_red(line: str, red: str) -> None:
    assert f"\x1b[1;31m{red.rstrip()}" in coloured(line, [line])[0].replace("    \x1b", "\x1b").replace(
        "\x1b[1;31m    ", "\x1b[1;31m"
    )


def test_an_allow_within_the_message_of_a_refusal_is_not_green() -> None:
    message = "User: x is not authorized to perform: chime:ListUsers because no identity-based policy allows it"
    assert "\x1b[32m" not in coloured(message, [message])[0]
    assert "\x1b[32mallows" in coloured("  session policies [a]: allows", ["  session policies [a]: allows"])[0]


def test_an_address_stays_a_link() -> None:
    link = "http://127.0.0.1:4580/_rolecall/console/decisions/c0b4b7d5-7007-489a-80d1-fc4e3084619c"
    assert link in "\n".join(wrapped(f"console           {link}", 40))


def test_parts_of_a_labelled_line_begin_under_its_text() -> None:
    assert wrapped("asked    one two three four", 20) == ["asked    one two", "      three four"]
    # People copy JSON, and a break within a text would spoil it.
    for whole in ('         "AWS": "arn:aws:iam::111122223333:user/admin"', "       {", '       "Resource": "*"'):
        assert wrapped(whole, 20) == [whole]
    assert wrapped("    by one two three four", 20) == ["    by one two three", "      four"]


@pytest.mark.parametrize("colour", [True, False])
def test_nothing_from_a_client_reaches_a_terminal_as_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], colour: bool
) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J[red]x[/red]\r\n\u202e"
    monkeypatch.setenv("FORCE_COLOR" if colour else "NO_COLOR", "1")
    show([hostile])
    terminal.show_table(("TITLE",), [[hostile]])
    printed = capsys.readouterr().out
    assert "\x1b]" not in printed
    assert "\x1b[2J" not in printed
    assert "\u202e" not in printed
    # The markup of the library is text, too.
    assert printed.count("[red]x[/red]") == 2
    assert ("\x1b[" in printed) is colour


@given(rows=st.lists(st.tuples(st.text(max_size=80), st.text(max_size=80)), max_size=4), columns=st.integers(20, 100))
@settings(max_examples=examples(50))
def test_a_table_fits(rows: list[tuple[str, str]], columns: int) -> None:
    cells = [tuple(map(printable, row)) for row in rows]
    ascii_cells = [tuple(cell.encode("ascii", "replace").decode() for cell in row) for row in cells]
    lines = table(("A", "B"), ("A",) if columns > 90 else (), ascii_cells, columns, colour=False).splitlines()
    assert all(len(line) <= columns for line in lines)
    assert not any(line.endswith(" ") for line in lines)


def test_lines_for_a_pipe_are_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    line = "ImplicitDeny " + "x" * 300
    show([line])
    assert capsys.readouterr().out == f"{line}\n"


def test_a_bar_shows_work_on_a_terminal_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    work = Work("reading [b] \x1b[2J")
    work.step(1, 4)
    work.show()
    work.step(4, 4)
    work.end()
    printed = screen.getvalue()
    assert "reading [b] \\x1b[2J" in ESCAPE.sub("", printed)
    # The cursor is shown again, and the line is erased.
    assert printed.rindex("\x1b[?25h") > printed.rindex("\x1b[?25l")
    assert printed.rstrip().endswith("\x1b[2K")


def test_work_without_a_bar_may_count_its_steps() -> None:
    with shown_when_slow("reading", after_seconds=3600) as work:
        work.step(1, 2)
    assert (work.done, work.total) == (1, 2)


class Log:
    """The ids of the calls in a log, oldest first, at each look."""

    def __init__(self, *looks: list[str]) -> None:
        self._looks = list(looks)
        self.waits = 0

    def look(self, limit: int) -> list[str]:
        return self._looks[0][::-1][:limit]

    def wait(self, _seconds: float) -> None:
        del self._looks[0]
        if not self._looks:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([[], []], []),
        ([["a", "b", "c"]], [["b", "c"]]),
        ([["a", "b"], ["a", "b"], ["a", "b", "c"]], [["a", "b"], ["c"]]),
        # More calls than one look shows.
        ([["a"], ["a", "b", "c", "d", "e"]], [["a"], ["b", "c", "d", "e"]]),
        # After a reset everything is new.
        ([["a", "b"], ["c"], ["c", "d"]], [["a", "b"], ["c"], ["d"]]),
        ([[], ["a"]], [["a"]]),
    ],
    ids=repr,
)
def test_following_shows_every_call_once_and_in_order(looks: list[list[str]], expected: list[list[str]]) -> None:
    log = Log(*looks)
    found: list[list[str]] = []
    with contextlib.suppress(KeyboardInterrupt):
        for calls in followed(log.look, str, 2, 1000, log.wait):
            found.append(list(calls))
    assert found == expected


# Errors: what, where, what to do.


@pytest.mark.parametrize(
    ("arguments", "what", "hint"),
    [
        (["nosuch"], "No such command 'nosuch'", "rolecall --help shows how to write it"),
        (["serve", "--port", "x"], "Invalid value for '--port'", "rolecall serve --help shows how to write it"),
        (["serve", "--prot", "1"], "No such option", "rolecall serve --help shows how to write it"),
        (["keys", "lits"], "No such command 'lits'", "rolecall keys --help shows how to write it"),
        (["check"], "Missing argument 'FILE...'", "rolecall check --help shows how to write it"),
        (["explain"], "Give a request id, or --last", "rolecall explain --help shows how to write it"),
        (["--color", "red"], "Invalid value for '--color'", "rolecall --help shows how to write it"),
        (["env", "--as", "x"], "declares no user 'x' with an access key", "the users with a key are: admin, developer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_every_error_says_what_is_wrong_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], what: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, arguments, prog_name="rolecall")
    assert (done.exit_code, done.stdout) == (2, "")
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("rolecall: ")
    assert what in first
    assert last.startswith(hint)


@pytest.mark.parametrize("arguments", [["check"], ["verify"], ["import"], ["serve", "--config"], ["faults", "set"]])
def test_an_error_about_a_file_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, [*arguments, "nothing.yaml"], prog_name="rolecall")
    said = f"rolecall: cannot read nothing.yaml: No such file or directory (in {tmp_path})\n"
    assert (done.exit_code, done.stdout, done.stderr) == (2, "", said)


def test_an_error_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rolecall.yaml").write_text("version: 1\naccounts: [{id: 1}]\n", encoding="utf-8")
    done = CliRunner().invoke(main, ["env"], prog_name="rolecall")
    assert done.stderr.splitlines() == [
        "rolecall: rolecall.yaml cannot be used:",
        'rolecall.yaml:2: accounts[0].id: must be an account id of 12 digits (write it in quotes, "…")',
        "rolecall schema sandbox lets an editor check the file while you write it",
    ]


def test_an_error_has_no_colour_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    UnusableError("x \x1b[2J", ["file:1: y"], hint="z").show()
    assert capsys.readouterr().err == "rolecall: x \\x1b[2J\nfile:1: y\nz\n"


@pytest.mark.parametrize(
    "arguments", [["--color", "always", "env", "--as", "x"], ["env", "--color", "always", "--as", "x"]], ids=" ".join
)
def test_the_choice_of_colour_may_stand_before_and_after_the_command(arguments: list[str]) -> None:
    done = CliRunner().invoke(main, arguments, prog_name="rolecall", color=True)
    assert done.stderr.startswith("\x1b[1;31mrolecall:\x1b[0m ")


def test_the_nearer_choice_of_colour_wins() -> None:
    arguments = ["--color", "always", "env", "--as", "x", "--color", "never"]
    assert "\x1b" not in CliRunner().invoke(main, arguments, color=True).stderr
    from_variable = CliRunner().invoke(main, ["env", "--as", "x"], env={"ROLECALL_COLOR": "always"}, color=True)
    assert "\x1b" in from_variable.stderr


def test_every_command_takes_the_choice_of_colour() -> None:
    context = main.make_context("rolecall", ["--help"], resilient_parsing=True)
    for name in COMMANDS:
        command: Any = main.get_command(context, name)
        leaves = list(command.commands.values()) if hasattr(command, "commands") else [command]
        assert all("--color" in [word for each in leaf.params for word in each.opts] for leaf in leaves), name


# Completion.


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("rolecall dec", {"decisions"}),
        ("rolecall decisions --fo", {"--follow", "--format"}),
        ("rolecall decisions --format ", {"text", "json", "cloudtrail"}),
        ("rolecall faults s", {"show", "set"}),
        ("rolecall schema ", {"sandbox", "expectations"}),
        ("rolecall --color a", {"auto", "always"}),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_options_and_choices(words: str, expected: set[str], shell: str) -> None:
    word = words.rpartition(" ")[2]
    position = str(len(words.split(" ")) - 1)
    variables = {"_ROLECALL_COMPLETE": f"{shell}_complete", "COMP_WORDS": words}
    variables["COMP_CWORD"] = word if shell == "fish" else position
    done = CliRunner().invoke(main, [], prog_name="rolecall", env=variables)
    offered = set(re.split(r"[\s,]+", done.stdout))
    others = {"decisions", "demo", "--follow", "--host", "show", "set", "clear", "sandbox", "text", "never", "auto"}
    assert offered & (expected | others) == expected


def test_the_library_is_loaded_for_a_terminal_only() -> None:
    """A start must not wait for it."""
    code = "import rolecall.cli, rolecall.commands.serve, sys; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("arguments", [["operations"], ["keys", "list"]], ids=" ".join)
def test_an_error_in_rolecall_has_the_one_form(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_given: Any) -> None:
        coloured("x", object())  # type: ignore[arg-type]

    module = importlib.import_module(f"rolecall.commands.{arguments[0]}")
    command = module.command.commands["list"] if arguments[1:] else module.command
    monkeypatch.setattr(command, "callback", fail)
    result = CliRunner().invoke(main, arguments)
    what, where, advice = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (70, "")
    assert what.startswith("rolecall: this command failed because of an error in Rolecall: TypeError: ")
    assert re.fullmatch(r"rolecall\.commands\.rich_output:\d+", where)
    assert "ROLECALL_TRACEBACK=1" in advice
    monkeypatch.setenv("ROLECALL_TRACEBACK", "1")
    lines = CliRunner().invoke(main, arguments).stderr.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-2:] == [what, where]


@pytest.mark.parametrize(("error", "status"), [(BrokenPipeError(32, "Broken pipe"), 1), (KeyboardInterrupt(), 1)])
def test_what_ends_a_command_is_no_error_in_rolecall(
    error: BaseException, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(**_given: Any) -> None:
        raise error

    monkeypatch.setattr(importlib.import_module("rolecall.commands.operations").command, "callback", end)
    result = CliRunner().invoke(main, ["operations"])
    assert result.exit_code == status
    assert "error in Rolecall" not in result.stderr
