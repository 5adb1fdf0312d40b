#!/usr/bin/env python3
"""Rolecall from a checkout, with nothing but Python 3.11 or newer.

    python3 run.py [options]           start the server, with the options of "rolecall serve"
    python3 run.py COMMAND ...         run another command of rolecall, for example: demo, check, operations
    python3 run.py test [options]      run the tests, with the options of pytest: about {test} on two cores
    python3 run.py test --quick        run the quick tests, while you work: about {quick}
    python3 run.py test --all          run the optional tests too, and more random cases: about {all}
    python3 run.py browser [options]   try the console in headless Chromium, with the options of pytest
    python3 run.py lint                run linter, formatter (check only) and type checker

The first call makes a virtual environment in .venv and installs the dependencies there, in the versions of
constraints.txt. Later calls reuse it until pyproject.toml or constraints.txt changes. Your own Python does not change.
The variable ROLECALL_VENV names another folder for the environment.
"""

# Older Pythons must be able to read this file, so that they print the message below and not a syntax error.
import hashlib
import json
import os
import subprocess
import sys

MINIMUM_VERSION = (3, 11)
ROOT = os.path.dirname(os.path.abspath(__file__))
STAMP_NAME = "rolecall-stamp.json"
EXTRAS = {"test": ["test"], "browser": ["browser", "test"], "lint": ["lint", "test"]}
BROWSER_TESTS = ["tests/e2e/test_console_browser.py", "tests/e2e/test_console_contents_browser.py"]
# By the options of "run.py test". docs/contributing.md says which tests each runs. That page and the README repeat
# the durations, and a test compares them with these.
TEST_DURATIONS = {"": "6 minutes", "--quick": "90 seconds", "--all": "2 hours"}


class SetupError(Exception):
    """The environment cannot be made. The message says what the user can do."""


def main(arguments):
    if arguments[:1] in (["--help"], ["-h"]):
        print(help_text())
        return 0
    try:
        check_python()
        command = arguments[0] if arguments and arguments[0] in EXTRAS else ""
        python = prepared_python(EXTRAS.get(command, []))
    except SetupError as error:
        say(str(error))
        return 2
    if command == "test":
        return test(python, arguments[1:])
    if command == "browser":
        # Here they are asked for, so they fail where a browser is missing.
        os.environ["ROLECALL_TEST_BROWSER"] = "required"
        return run([python, "-m", "pytest", *BROWSER_TESTS, *arguments[1:]])
    if command == "lint":
        return lint(python)
    if not arguments or (arguments[0].startswith("-") and arguments[0] != "--version"):
        arguments = ["serve", *arguments]
    return replace_process([script(python, "rolecall"), *arguments])


def help_text():
    names = {(option.strip("-") or "test"): duration for option, duration in TEST_DURATIONS.items()}
    return __doc__.strip().format(**names)


def check_python():
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if sys.version_info < MINIMUM_VERSION:
        raise SetupError(
            f"Python 3.11 or newer is needed; {sys.executable} is Python {version}. Try: python3.13 run.py"
        )
    try:
        __import__("venv")
        __import__("ensurepip")
    except ImportError:
        raise SetupError(
            f"{sys.executable} cannot make virtual environments. "
            f"On Debian and Ubuntu: sudo apt install python{version}-venv"
        ) from None


def prepared_python(extras):
    """Path of a Python with the project and these extras. Makes the environment and installs them as needed."""
    folder = os.path.abspath(os.environ.get("ROLECALL_VENV") or os.path.join(ROOT, ".venv"))
    python = os.path.join(folder, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
    stamp_path = os.path.join(folder, STAMP_NAME)
    stamp = read_stamp(stamp_path)
    fingerprint = project_fingerprint()
    if stamp and not usable(python):
        stamp = {}
    elif stamp.get("fingerprint") == fingerprint and set(extras) <= set(stamp["extras"]):
        return python
    if not usable(python):
        make_environment(folder, stamp_path)
    wanted = sorted(set(extras) | set(stamp.get("extras", [])))
    install(python, wanted)
    with open(stamp_path, "w") as file:
        json.dump({"fingerprint": fingerprint, "extras": wanted}, file)
    return python


def make_environment(folder, stamp_path):
    """Make the environment in a folder that is new, empty or has our stamp: any other may hold a user's files."""
    if os.path.isdir(folder) and os.listdir(folder) and not os.path.exists(stamp_path):
        raise SetupError(
            f"{folder} exists, but holds no Python 3.11 or newer with pip. "
            "Delete it, or set ROLECALL_VENV to another folder."
        )
    say(f"Making a virtual environment in {folder}")
    if run([sys.executable, "-m", "venv", "--clear", folder]) != 0:
        raise SetupError("The virtual environment could not be made; see above.")
    # The stamp comes before the installation: the next call can then repair an interrupted one.
    with open(stamp_path, "w") as file:
        json.dump({}, file)


def install(python, extras):
    say("Installing the dependencies; this takes a minute, the first time and after a change of them")
    project = f"{ROOT}[{','.join(extras)}]" if extras else ROOT
    command = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--prefer-binary"]
    if run([*command, "--constraint", os.path.join(ROOT, "constraints.txt"), "--editable", project]) != 0:
        raise SetupError("The installation failed; see above. Is the package index reachable?")


def read_stamp(path):
    try:
        with open(path) as file:
            stamp = json.load(file)
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def project_fingerprint():
    """A hash that changes when the requirements change or the checkout moves. Then the installation is repeated."""
    digest = hashlib.sha256(ROOT.encode("utf-8", "surrogateescape"))
    for name in ("pyproject.toml", "constraints.txt"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def usable(python):
    """Whether this interpreter starts, is new enough and has pip. It does not start when its base Python is gone."""
    probe = (
        "import sys, importlib.util; "
        f"sys.exit(sys.version_info < {MINIMUM_VERSION} or importlib.util.find_spec('pip') is None)"
    )
    try:
        return subprocess.call([python, "-c", probe], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) == 0
    except OSError:
        return False


def test(python, options):
    # The duration of a run with paths or with other options of pytest is not known.
    duration = TEST_DURATIONS.get(" ".join(options))
    if duration:
        say("the tests take about " + duration + " on two cores; the percentages show the progress")
    # With worksteal a process without tests takes over tests of another one.
    return run([python, "-m", "pytest", "-n", "auto", "--dist", "worksteal", *options])


def lint(python):
    """Run every check, also after a failure. Returns the status of the first failure, or 0."""
    checks = (["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"], ["mypy", "tests/kit/typed_use.py"])
    statuses = []
    for check in checks:
        say(" ".join(check))
        statuses.append(run([python, "-m", *check]))
    return next((status for status in statuses if status), 0)


def script(python, name):
    return os.path.join(os.path.dirname(python), name + (".exe" if os.name == "nt" else ""))


def run(command):
    sys.stdout.flush()
    # The tests start hundreds of processes. Without kept bytecode, each would compile all modules that it loads.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    status = subprocess.call(command, cwd=ROOT, env=environment)
    # A negative status says that a signal ended the child. As an exit status its low byte could be 0, a success.
    return status if status >= 0 else 128 - status


def replace_process(command):
    """Replace this process by the command, so that signals reach it. Windows cannot do that, so wait for it there."""
    sys.stdout.flush()
    if os.name == "nt":
        return subprocess.call(command)
    return os.execv(command[0], command)


def say(text):
    print("rolecall: " + text, file=sys.stderr)
    sys.stderr.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
