"""What ``rolecall serve`` loads before its first answer, and what waits for the call that needs it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import rolecall

PACKAGE = Path(rolecall.__file__).parent
# Each cost milliseconds of every start, and is needed by few calls or by none.
LOADED_LATER = (
    "alembic",
    "boto3",
    "botocore",
    "cryptography",
    "jwt",
    "lxml",
    "multiprocessing",
    "segno",
    "signxml",
    "urllib3",
    "websockets",
    "rolecall.importing",
    "rolecall.call_log.cloudtrail",
    "rolecall.call_log.metrics",
    "rolecall.call_log.refusals",
    "rolecall.call_log.shown",
    "rolecall.demo",
    "rolecall.expectations",
    "rolecall.identity_providers.mfa_codes",
    "rolecall.identity_providers.oidc_tokens",
    "rolecall.identity_providers.saml_assertions",
    "rolecall.inprocess",
    "rolecall.inspection",
    "rolecall.kit",
    "rolecall.least_privilege",
    "rolecall.policy.explanation",
    "rolecall.remote",
    "rolecall.services.chime",
    "rolecall.services.chime_sdk_messaging",
    "rolecall.services.iam",
    "rolecall.services.iam_toolbox",
    "rolecall.services.sts",
    "rolecall.gateway.connect",
    "rolecall.server.own_certificates",
    "rolecall.server.pushing",
    "rolecall.server.workers",
    "rolecall.sessions.discovery",
    "rolecall.sessions.jose",
    "rolecall.sessions.saml.library",
    "rolecall.sessions.signing_keys",
    "rolecall.storage.upgrade",
    "rolecall.web.console",
    "rolecall.worlds.ssh_keys",
)
PROGRAM = """
import json, sys
import rolecall.commands.serve
from rolecall.services import catalogue
before = sorted(sys.modules)
told = [catalogue.takes_long("sts", "GetCallerIdentity", ()), catalogue.find("sts", "GetCallerIdentity") is not None]
told += [catalogue.takes_long("sts", "GetCallerIdentity", ()), catalogue.find("sts", "NoSuchOperation") is not None]
after_sts = sorted(sys.modules)
told.append(catalogue.find("chime-sdk-voice", "NoSuchOperation") is not None)
print(json.dumps([before, told, after_sts, sorted(sys.modules)]))
"""


@pytest.fixture(scope="module")
def started() -> list[list[object]]:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=True)
    found: list[list[object]] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize("name", LOADED_LATER)
def test_serve_starts_without(name: str, started: list[list[object]]) -> None:
    assert "rolecall.commands.serve" in started[0]
    assert name not in started[0]


@pytest.mark.parametrize("name", LOADED_LATER)
def test_what_is_loaded_later_is_spelled_right(name: str) -> None:
    first, *others = name.split(".")
    if first == "rolecall":
        path = PACKAGE.joinpath(*others)
        assert path.is_dir() or path.with_suffix(".py").is_file()
    elif first not in ("lxml", "signxml"):
        # The two are an extra.
        assert find_spec(name) is not None


def test_a_call_loads_the_operations_of_its_services_and_no_others(started: list[list[object]]) -> None:
    _, told, after_sts, after_chime = started
    # Loading does not make a call one that takes long: a call that only reads stays on the loop.
    assert told == [False, True, False, False, False]
    assert "rolecall.services.sts.assume_root" in after_sts
    assert "rolecall.services.iam" not in after_sts
    # All services of one action prefix, because their kinds of resources bear on each other's calls.
    assert "rolecall.services.chime.users" in after_chime
    assert "rolecall.services.iam" not in after_chime


# What an application loads for calls, and what it loads for the first visit to the console.
CALLS_AND_A_VISIT = """
import json, sys
from rolecall.app import application_over, open_database
from rolecall.clock import Clock
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file
from rolecall.inprocess import client
world, clock = read_world_file(str(builtin_world_path())), Clock()
application = application_over(open_database("sqlite://", world, clock), world, clock)
client(application, "sts", "test", "test").get_caller_identity()
client(application, "iam", "test", "test").list_users()
browser = application.test_client()
assert browser.get("/_rolecall/health").status_code == 200
def state():
    return [sorted(sys.modules), "jinja_env" in vars(application)]
before = state()
assert browser.get("/_rolecall/console/trust").status_code == 200
print(json.dumps([before, state()]))
"""
OF_THE_CONSOLE = ("rolecall.web.console", "rolecall.expectations.trust_graph", "rolecall.inspection")


def test_nothing_of_the_console_is_loaded_before_the_first_visit() -> None:
    command = [sys.executable, "-c", CALLS_AND_A_VISIT]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    (before, templates_before), (after, templates_after) = json.loads(result.stdout)
    assert (templates_before, templates_after) == (False, True)
    loaded = [name for name in before if name.startswith(("rolecall.web.console.", *OF_THE_CONSOLE))]
    # Its address and its guard are loaded with every application.
    assert [name for name in loaded if name != "rolecall.web.console_door"] == []
    assert {"rolecall.web.console.files", "rolecall.expectations.trust_graph"} <= set(after)
