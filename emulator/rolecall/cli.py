"""The command ``rolecall``. It loads the module of a subcommand when the user calls that subcommand."""

from __future__ import annotations

import copy
import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import click

from rolecall.commands.problems import UnexpectedError, wrong_usage
from rolecall.commands.terminal import colour_option
from rolecall.version import __version__

# Subcommand -> its line in the list of --help, so that the list needs no module. A test compares these lines with the
# help of the subcommands. The module is rolecall.commands.NAME, with _ for -.
COMMANDS = {
    "serve": "Serve STS, IAM and Chime until interrupted.",
    "demo": "Show roles, federation, and allowed and refused Chime calls in one process, and explain each.",
    "env": 'Print export lines for a shell: eval "$(rolecall env)".',
    "check": "Validate sandbox files and policy documents.",
    "schema": "Print the JSON schema of the sandbox file or of the expectations file, for an editor.",
    "clock": "Show or move the clock of a running sandbox.",
    "faults": "Show or change the fault rules of a running sandbox.",
    "explain": "Explain why a call was allowed or refused.",
    "decisions": "List the calls in the decision log, newest first.",
    "policy": "Write the smallest policy that allows what a principal did.",
    "verify": "Check who may do what against a file of expectations.",
    "who-can": "List the users and roles that may do an action.",
    "paths": "List the chains of roles that lead from one principal to another.",
    "snapshot": "Save the whole sandbox to a readable file, or load such a file.",
    "import": "Make a sandbox file from files about real accounts.",
    "export": "Write a sandbox, or an account of it as AWS tells about it.",
    "login": "Sign in at IAM Identity Center, as aws sso login does, without a browser.",
    "mfa-code": "Print a code of a virtual MFA device of a running sandbox.",
    "token": "Print a web identity token that a running server signs.",
    "saml-assertion": "Print a SAML response that a running server signs, in base64.",
    "credentials": "Print temporary credentials of a role, for a shell or for credential_process.",
    "profile": "Print a section for ~/.aws/config that points a profile at Rolecall.",
    "operations": "List every operation, emulated or not.",
    "keys": "List or rotate the keys that seal session tokens.",
    "db": "Upgrade the database.",
}
CONTEXT = {"help_option_names": ["-h", "--help"], "show_default": True}


def _loaded(module: str) -> ModuleType:
    """The module. What it loads stays, so no collection looks for garbage there: that took 40 ms of a start."""
    if module in sys.modules:
        return sys.modules[module]
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        gc.enable()


# What click handles itself, besides EOFError: messages, the end of a command, and a reader that has gone away.
_CLICKS_OWN = (click.ClickException, click.exceptions.Exit, click.Abort, EOFError, BrokenPipeError)


@contextmanager
def _errors_in_one_form() -> Iterator[None]:
    """Every error of a command as the user sees it, also one that nobody expected."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        # A group without a subcommand shows its help.
        raise
    except click.UsageError as error:
        raise wrong_usage(error) from error
    except _CLICKS_OWN:
        raise
    except Exception as error:
        raise UnexpectedError(error) from error


def _with_colour(command: click.Command) -> click.Command:
    """A copy of a command, and of each command below it, that takes ``--color``."""
    made = copy.copy(command)
    if isinstance(made, click.Group):
        made.commands = {name: _with_colour(below) for name, below in made.commands.items()}
    made.params = [*command.params]
    return colour_option()(made)  # type: ignore[return-value]


class _Commands(click.Group):
    """The subcommands, each loaded only when it is needed."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = _loaded(f"rolecall.commands.{name.replace('-', '_')}").command
        return _with_colour(command)

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        with _errors_in_one_form():
            return super().make_context(*arguments, **named)

    def invoke(self, context: click.Context) -> Any:
        with _errors_in_one_form():
            return super().invoke(context)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="rolecall")
@colour_option("ROLECALL_COLOR")
def main() -> None:
    """A local stand-in for AWS STS, IAM and Amazon Chime.

    Rolecall authenticates and authorises every call as AWS does. Start it with `rolecall serve`, then point boto3 or
    any AWS SDK at it. `rolecall env` prints the variables for that.

    \b
    Examples:
      rolecall serve
      eval "$(rolecall env)" && aws sts get-caller-identity
      rolecall demo
    """


if __name__ == "__main__":
    main()
