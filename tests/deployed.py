"""What the Containerfile, compose.yaml and the files in deploy/ say, read from them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from rolecall.cli import main

ROOT = Path(__file__).parent.parent


def instructions() -> Iterator[tuple[str, str]]:
    """Each instruction of the Containerfile with its text."""
    for line in (ROOT / "Containerfile").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            word, _, text = line.partition(" ")
            yield word, text


def of_container(word: str) -> list[str]:
    """The texts of one kind of instruction. All are of one line."""
    return [text for each, text in instructions() if each == word]


def container_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for text in of_container("ENV") for pair in shlex.split(text))


def container_command() -> list[str]:
    return [word for kind in ("ENTRYPOINT", "CMD") for text in of_container(kind) for word in json.loads(text)]


def health_command() -> list[str]:
    [text] = of_container("HEALTHCHECK")
    command: list[str] = json.loads(text.partition(" CMD ")[2])
    return command


def compose() -> Any:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


def kubernetes() -> dict[str, Any]:
    """The objects by their kinds."""
    objects = yaml.safe_load_all((ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8"))
    return {each["kind"]: each for each in objects}


def unit() -> dict[str, dict[str, list[str]]]:
    """The sections of the systemd unit. A key may stand there several times."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in (ROOT / "deploy/rolecall.service").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(section, {}).setdefault(name, []).append(value)
    return found


def serve_command() -> click.Command:
    command = main.get_command(click.Context(main), "serve")
    assert command is not None
    return command


def serve_variables() -> set[str]:
    return {str(each.envvar) for each in serve_command().params if each.envvar}


def named_variables(text: str) -> set[str]:
    """The names of Rolecall's variables anywhere in a file, also in its comments."""
    return set(re.findall(r"\bROLECALL_\w+", text))


def settings(words: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """What ``serve`` makes of options and variables. Raises click.UsageError."""
    with serve_command().make_context("serve", words, default_map=_by_parameter(environment)) as context:
        return context.params


def _by_parameter(environment: Mapping[str, str]) -> dict[str, str]:
    by_variable = {str(each.envvar): str(each.name) for each in serve_command().params if each.envvar}
    return {by_variable[name]: value for name, value in environment.items() if name in by_variable}
