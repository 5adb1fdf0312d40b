"""A newcomer's first steps: the set-up script, the constraints, the notes on dependencies."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from loaded_scripts import loaded_script

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def normal(requirement: str) -> str:
    """The distribution's name as the index writes it: ``PyYAML>=6`` is ``pyyaml``."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0]).lower()


def required() -> dict[str, list[str]]:
    extras = PROJECT["project"]["optional-dependencies"]
    groups = {"run": PROJECT["project"]["dependencies"], **extras, "build": PROJECT["build-system"]["requires"]}
    return {group: sorted(map(normal, requirements)) for group, requirements in groups.items()}


def constraints(name: str = "constraints.txt") -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith("#")]
    assert all(operator == "==" for _, operator, _ in pins)
    return {normal(name): version for name, _, version in pins}


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """run.py as a module that puts its environment into an empty folder."""
    module = loaded_script("run.py", "rolecall_script")
    monkeypatch.setenv("ROLECALL_VENV", str(tmp_path / "venv"))
    return module


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    sections = [
        [normal(row) for row in re.findall(r"^\| (\w[\w.-]*) \|", part, re.M)] for part in text.split("\n## ")[1:]
    ]
    explained = [sorted(set(rows) - {"package"}) for rows in sections if rows]
    assert explained == list(required().values())


@pytest.mark.parametrize("group", ["run", "test", "lint"])
def test_every_dependency_has_its_tested_version(group: str) -> None:
    assert set(required()[group]) <= set(constraints())


def test_the_tests_with_aiobotocore_have_tested_versions_which_differ_where_they_must() -> None:
    theirs, ours = constraints("constraints-aiobotocore.txt"), constraints()
    assert {*required()["run"], *required()["test-aiobotocore"]} <= set(theirs)
    different = {name for name in theirs if name in ours and theirs[name] != ours[name]}
    assert different <= {"boto3", "botocore", "s3transfer"}


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-aiobotocore.txt"])
def test_the_clients_under_test_are_of_one_age(name: str) -> None:
    assert constraints(name)["boto3"] == constraints(name)["botocore"]


def test_an_old_python_is_reported(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script.sys, "version_info", (3, 10, 12, "final", 0))
    assert script.main([]) == 2
    assert "Python 3.11 or newer is needed" in capsys.readouterr().err


def test_a_debian_python_without_venv_names_the_package(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    assert script.main(["test"]) == 2
    assert f"apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in capsys.readouterr().err


def test_the_script_is_readable_for_old_pythons() -> None:
    ast_of_3_8 = subprocess.run(
        [sys.executable, "-c", "import ast,sys; ast.parse(sys.stdin.read(), feature_version=(3, 8))"],
        input=(ROOT / "run.py").read_bytes(),
        check=False,
    )
    assert ast_of_3_8.returncode == 0


def test_help_installs_nothing(script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert script.main(["--help"]) == 0
    assert "python3 run.py test" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


class Recorder:
    """Stands for running commands: records them, makes the environment's interpreter appear, returns a status."""

    def __init__(self, script: ModuleType, folder: Path, status: int = 0) -> None:
        self.commands: list[list[str]] = []
        self.folder = folder
        self.status = status
        script.run = self.run
        script.replace_process = self.run
        script.usable = lambda _python: (folder / "pyvenv.cfg").exists()

    def run(self, command: list[str]) -> int:
        self.commands.append(command)
        if "venv" in command:
            self.folder.mkdir(exist_ok=True)
            (self.folder / "pyvenv.cfg").touch()
        return 0 if "venv" in command or "pip" in command else self.status

    def installed(self) -> list[str]:
        """The extras of each installation."""
        return [command[-1].removeprefix(str(ROOT)) for command in self.commands if "pip" in command]


def test_the_first_start_makes_the_environment_and_the_second_reuses_it(script: ModuleType, tmp_path: Path) -> None:
    recorder = Recorder(script, tmp_path / "venv")
    assert script.main(["--port", "4999"]) == 0
    assert script.main([]) == 0
    assert recorder.installed() == [""]
    assert recorder.commands[1][-4:-1] == ["--constraint", str(ROOT / "constraints.txt"), "--editable"]
    assert [command[1:] for command in recorder.commands[2:]] == [["serve", "--port", "4999"], ["serve"]]


def test_other_commands_are_rolecalls_own(script: ModuleType, tmp_path: Path) -> None:
    recorder = Recorder(script, tmp_path / "venv")
    for arguments in (["check", "sandbox.yaml"], ["serve", "--workers", "2"], ["--version"]):
        script.main(arguments)
        assert recorder.commands[-1][1:] == arguments


def test_extras_are_added_and_stay(script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recorder = Recorder(script, tmp_path / "venv")
    script.main(["test", "-x"])
    assert recorder.commands[-1][1:] == ["-m", "pytest", "-n", "auto", "--dist", "worksteal", "-x"]
    script.main([])
    script.main(["lint"])
    script.main(["test"])
    assert recorder.installed() == ["[test]", "[lint,test]"]
    monkeypatch.setattr(script, "project_fingerprint", lambda: "another")
    script.main([])
    assert recorder.installed() == ["[test]", "[lint,test]", "[lint,test]"]


OPTIONS_OF_TEST = ["", "--quick", "--all"]


def test_the_tests_begin_with_an_estimate(
    script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Recorder(script, tmp_path / "venv")
    assert list(script.TEST_DURATIONS) == OPTIONS_OF_TEST
    for option, duration in script.TEST_DURATIONS.items():
        script.main(["test", *option.split()])
        assert f"the tests take about {duration} on two cores;" in capsys.readouterr().err
    script.main(["test", "tests/wire"])
    assert "the tests take about" not in capsys.readouterr().err


@pytest.mark.parametrize("option", OPTIONS_OF_TEST)
def test_help_and_pages_say_how_long_the_tests_take_as_the_script_does(
    script: ModuleType, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    """So that the one figure in run.py is changed, and the others with it."""
    duration = script.TEST_DURATIONS[option]
    command = f"run.py test {option}".strip()
    script.main(["--help"])
    [line] = re.findall(rf"^ *python3 {command}(?: \[options\])?  +(.*)$", capsys.readouterr().out, re.M)
    assert re.search(rf": about {duration}( on two cores)?$", line)
    page = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    [row] = re.findall(rf"^\| `python3 {command}` \|.*\| ([^|]*) \|$", page, re.M)
    assert row.partition(",")[0] == f"about {duration}"


def test_the_readme_says_how_long_the_tests_take_as_the_script_does(script: ModuleType) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"in about ([\w ]+) on two cores\.", text) == [script.TEST_DURATIONS[""]]
    assert re.findall(r"`--quick` takes about ([\w ]+),", text) == [script.TEST_DURATIONS["--quick"]]


def test_the_status_of_the_tests_is_the_status_of_the_script(script: ModuleType, tmp_path: Path) -> None:
    Recorder(script, tmp_path / "venv", status=5)
    assert script.main(["test"]) == 5


def test_lint_runs_every_check_and_fails_if_one_does(script: ModuleType, tmp_path: Path) -> None:
    recorder = Recorder(script, tmp_path / "venv", status=1)
    assert script.main(["lint"]) == 1
    assert [command[2] for command in recorder.commands[-4:]] == ["ruff", "ruff", "mypy", "mypy"]


def test_a_failed_installation_is_repeated(
    script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recorder = Recorder(script, tmp_path / "venv")
    good_run = recorder.run
    script.run = lambda command: 1 if "pip" in command else good_run(command)
    assert script.main([]) == 2
    assert "installation failed" in capsys.readouterr().err
    script.run = good_run
    assert script.main([]) == 0
    assert recorder.installed() == [""]


def test_a_broken_environment_of_ours_is_made_anew(script: ModuleType, tmp_path: Path) -> None:
    recorder = Recorder(script, tmp_path / "venv")
    script.main([])
    (tmp_path / "venv" / "pyvenv.cfg").unlink()
    assert script.main(["test"]) == 0
    assert [command[3:] for command in recorder.commands if "venv" in command] == [
        ["--clear", str(tmp_path / "venv")]
    ] * 2
    assert recorder.installed() == ["", "[test]"]


def test_a_folder_with_other_content_is_left_alone(
    script: ModuleType, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "notes.txt").write_text("mine")
    Recorder(script, tmp_path / "venv")
    assert script.main([]) == 2
    assert "Delete it" in capsys.readouterr().err
    assert (tmp_path / "venv" / "notes.txt").read_text() == "mine"


def test_a_command_ended_by_a_signal_fails(script: ModuleType) -> None:
    program = "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"
    assert script.run([sys.executable, "-c", program]) == 143


def test_an_interpreter_that_does_not_start_is_not_usable(script: ModuleType, tmp_path: Path) -> None:
    assert script.usable(sys.executable)
    assert not script.usable(str(tmp_path / "python"))
