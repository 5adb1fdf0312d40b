"""Runs SDKs against every provider of credentials of a served sandbox: found, renewed, refused.

    python tests/clients/matrix.py                  every client that this machine has
    python tests/clients/matrix.py boto3 Ruby       these
    python tests/clients/matrix.py --write          writes the table of docs/credential-providers.md, too

Optional; tests/e2e/test_client_matrix.py runs the part that needs nothing but boto3. A client is one process for each
provider. It makes a call for each line that it is sent:

1. The sandbox's clock is set back, so that its credentials have REMAINING_SECONDS left by the client's own clock. It
   must find them.
2. After that time the sandbox's clock is right again, so the old credentials have expired. It must have new ones.
3. The role's sessions are revoked, or the user signs out of the portal. It must be refused.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import boto3
from botocore.session import Session
from certificates import issued
from logged_in import log_in

HERE = Path(__file__).parent
CONFIG = HERE / "sandbox.yaml"
PAGE = HERE.parent.parent / "docs" / "credential-providers.md"
BEGIN, END = "<!-- begin: written by tests/clients/matrix.py -->\n", "<!-- end: written by tests/clients/matrix.py -->"
ACCOUNT = "111122223333"
ISSUER = "https://oidc.eks.us-east-1.amazonaws.com/id/MATRIX"
START_URL = "https://d-1234567890.awsapps.com/start"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LIFETIME_SECONDS, REMAINING_SECONDS, LIMIT_SECONDS = 3600, 60, 120
# How long before their end SDKs refresh the credentials of a login.
EARLY_SECONDS = 300
READY = re.compile(r"Rolecall is ready at (\S+)")
ADMIN = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
# No part of the environment of Rolecall or of a developer reaches a client.
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR")
ROLECALL = (sys.executable, "-m", "rolecall")
PROFILES = """
[profile process]
credential_process = {rolecall} credentials --role process --endpoint {url} --config {sandbox}
[profile sso]
sso_session = sandbox
sso_account_id = {account}
sso_role_name = portal
[sso-session sandbox]
sso_start_url = {start_url}
sso_region = us-east-1
sso_registration_scopes = sso:account:access
[profile anywhere]
credential_process = {python} {signing} {home}/anywhere.json
[profile old-sso]
sso_start_url = {start_url}
sso_region = us-east-1
sso_account_id = {account}
sso_role_name = portal
"""


@dataclass(frozen=True, slots=True)
class Client:
    """``command`` starts the program, ``version`` says which version it is; None where the machine lacks it.

    ``unable`` has a reason for each provider that this version of the client cannot use. ``later`` is the line for the
    call after the wait, and ``later_with`` the line with a provider for which it is another one. ``anew`` are the
    providers that the client asks for each call, so a revoked session is no obstacle to it.
    """

    command: Callable[[Path], list[str] | None]
    version: Callable[[Path], str]
    unable: Mapping[str, str]
    profiles: Mapping[str, str] = field(default_factory=dict)
    later: str = "call"
    later_with: Mapping[str, str] = field(default_factory=dict)
    anew: frozenset[str] = frozenset()


def said_by(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def python_program(folder: Path) -> list[str]:
    return [sys.executable, str(HERE / "with_boto3.py"), str(folder / "python")]


def cli(program: str | None, generation: str, folder: Path) -> list[str] | None:
    if program is None or not Path(program).exists() or not cli_version(program).startswith(generation):
        return None
    return [sys.executable, str(HERE / "with_aws_cli.py"), program, str(folder / "python")]


@cache
def cli_version(program: str) -> str:
    return said_by(program, "--version").partition("/")[2].split()[0]


def node_program(package: str, script: str, folder: Path) -> list[str] | None:
    if shutil.which("npm") is None:
        return None
    if not (folder / "node_modules" / package).exists():
        subprocess.run(["npm", "install", "--silent", "--prefix", folder, package], check=True)
    # A module finds its packages beside it.
    shutil.copy(HERE / script, folder)
    return ["node", str(folder / script)]


def node_version(package: str, folder: Path) -> str:
    return str(json.loads((folder / "node_modules" / package / "package.json").read_text(encoding="utf-8"))["version"])


def go_program(folder: Path) -> list[str] | None:
    if shutil.which("go") is None or not Path("/usr/share/gocode/src/github.com/aws/aws-sdk-go-v2").exists():
        return None
    # Debian's packages are found in this way only.
    debian = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOCACHE": str(folder / "go")}
    built = folder / "with_go"
    subprocess.run(["go", "build", "-o", built, HERE / "with_go.go"], check=True, env=os.environ | debian)
    return [str(built)]


def debian_version(package: str, _: Path) -> str:
    return said_by("dpkg-query", "--show", "--showformat=${Version}", package).partition("-")[0]


def ruby_program(_: Path) -> list[str] | None:
    if shutil.which("ruby") is None or subprocess.run(["ruby", "-e", 'require "aws-sdk-core"'], check=False).returncode:
        return None
    return ["ruby", str(HERE / "with_ruby.rb")]


def add_awscrt(folder: Path) -> None:
    """What botocore needs for a login. It is beside the repository's environment, because Rolecall does not need it."""
    if not (folder / "python").exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder / "python", "awscrt"]
        subprocess.run(command, check=True)


BESIDE = str(Path(sys.executable).parent / "aws")
DEBIAN_CLI = "/usr/bin/aws"
NO_FULL_URI = "knows no `FULL_URI`"
NO_LOGIN = "knows no `login_session`"
CLIENTS: dict[str, Client] = {
    # botocore uses credentials of an instance that end soon for another 15 minutes, so its own time has to move.
    "boto3": Client(python_program, lambda _: boto3.__version__, {}, later=f"+{LIFETIME_SECONDS // 2}"),
    "AWS CLI 1": Client(
        partial(cli, BESIDE, "1."), lambda _: cli_version(BESIDE), {}, anew=frozenset({"process", "anywhere"})
    ),
    "AWS CLI 2": Client(
        partial(cli, DEBIAN_CLI, "2."),
        lambda _: cli_version(DEBIAN_CLI),
        {"irsa": "cannot name another STS", "sso": "cannot name another portal", "login": NO_LOGIN},
        anew=frozenset({"process", "anywhere"}),
    ),
    "JavaScript v3": Client(
        partial(node_program, "@aws-sdk/client-sts", "with_javascript.mjs"),
        partial(node_version, "@aws-sdk/client-sts"),
        {},
        later_with={"login": "again"},
    ),
    "JavaScript v2": Client(
        partial(node_program, "aws-sdk", "with_javascript_2.cjs"),
        partial(node_version, "aws-sdk"),
        {"login": NO_LOGIN},
    ),
    "Go v2": Client(
        go_program,
        partial(debian_version, "golang-github-aws-aws-sdk-go-v2-dev"),
        {"login": NO_LOGIN},
        {"sso": "old-sso"},
    ),
    "Ruby": Client(
        ruby_program,
        partial(debian_version, "ruby-aws-sdk-core"),
        {"imds": "asks port 80 only", "ecs": NO_FULL_URI, "eks": NO_FULL_URI, "login": NO_LOGIN},
    ),
}


class Sandbox:
    """A served sandbox, and what a developer does beside the client. ``home`` gets the profiles."""

    def __init__(self, url: str, home: Path, opened: ExitStack) -> None:
        self.url = url
        self.home = home
        self.opened = opened
        self.portal_token = ""
        (home / ".aws").mkdir()
        profiles = PROFILES.format(
            rolecall=" ".join(ROLECALL),
            python=sys.executable,
            signing=HERE.parent / "e2e" / "certificate_process.py",
            home=home,
            url=url,
            sandbox=CONFIG,
            account=ACCOUNT,
            start_url=START_URL,
        )
        (home / ".aws" / "config").write_text(profiles, encoding="utf-8")

    def control(self, path: str, body: Mapping[str, Any]) -> Any:
        with urllib.request.urlopen(f"{self.url}/_rolecall/{path}", data=json.dumps(body).encode()) as answer:
            return json.load(answer)

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, **ADMIN)

    def revoke(self, role: str) -> None:
        """As the button of AWS's console does."""
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        statement = {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"DateLessThan": {"aws:TokenIssueTime": moment}},
        }
        self.client("iam").put_role_policy(
            RoleName=role,
            PolicyName="AWSRevokeOlderSessions",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    def attached(self, kind: str) -> dict[str, str]:
        made = self.control("attach", {"kind": kind, "role": kind, "session_seconds": LIFETIME_SECONDS})
        return dict(made["environment"])

    def web_identity(self) -> dict[str, str]:
        file = self.home / "token"
        command = [
            "token",
            "--issuer",
            ISSUER,
            "--shape",
            "eks",
            "--file",
            str(file),
            "--refresh",
            "--endpoint",
            self.url,
        ]
        command += ["--endpoint", self.url]
        refreshing = subprocess.Popen([*ROLECALL, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.opened.callback(refreshing.wait)
        self.opened.callback(refreshing.terminate)
        wait_for(file.exists)
        return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/irsa"}

    def signed_in(self) -> dict[str, str]:
        """What ``aws sso login`` leaves in its cache."""
        # The token must outlast the credentials of the first call.
        self.control("clock", {"advance_seconds": LIFETIME_SECONDS // 2})
        oidc = self.client("sso-oidc")
        registered = oidc.register_client(clientName="matrix", clientType="public", scopes=["sso:account:access"])
        client = {name: registered[name] for name in ("clientId", "clientSecret")}
        device = oidc.start_device_authorization(**client, startUrl=START_URL)
        self.control("sso/approve", {"user_code": device["userCode"], "user": "ana"})
        tokens = oidc.create_token(**client, grantType=DEVICE_GRANT, deviceCode=device["deviceCode"])
        self.control("clock", {"advance_seconds": -LIFETIME_SECONDS // 2})
        self.portal_token = tokens["accessToken"]
        cached = {
            **client,
            "startUrl": START_URL,
            "region": "us-east-1",
            "accessToken": tokens["accessToken"],
            # By the client's clock.
            "expiresAt": written(time.time() + tokens["expiresIn"] - LIFETIME_SECONDS // 2),
            "registrationExpiresAt": written(registered["clientSecretExpiresAt"]),
        }
        folder = self.home / ".aws" / "sso" / "cache"
        folder.mkdir(parents=True)
        for name in ("sandbox", START_URL):
            hashed = hashlib.sha1(name.encode()).hexdigest()  # noqa: S324 - the name that SDKs give it
            (folder / f"{hashed}.json").write_text(json.dumps(cached), encoding="utf-8")
        return {"AWS_PROFILE": "sso"}

    def certified(self) -> dict[str, str]:
        """A certificate, a trust anchor and a profile, and what a signing program needs to know of them."""
        source = {"sourceType": "CERTIFICATE_BUNDLE", "sourceData": {"x509CertificateData": issued(self.home)}}
        anywhere, role_arn = self.client("rolesanywhere"), f"arn:aws:iam::{ACCOUNT}:role/anywhere"
        anchor = anywhere.create_trust_anchor(name="authority", source=source, enabled=True)["trustAnchor"]
        profile = anywhere.create_profile(
            name="app", roleArns=[role_arn], durationSeconds=LIFETIME_SECONDS, enabled=True
        )["profile"]
        settings = {
            "endpoint": self.url,
            "region": "us-east-1",
            "certificate": str(self.home / "app.pem"),
            "key": str(self.home / "app.key"),
            "profileArn": profile["profileArn"],
            "roleArn": role_arn,
            "trustAnchorArn": anchor["trustAnchorArn"],
            "durationSeconds": str(LIFETIME_SECONDS),
        }
        (self.home / "anywhere.json").write_text(json.dumps(settings), encoding="utf-8")
        return {"AWS_PROFILE": "anywhere"}

    def logged_in(self) -> dict[str, str]:
        """What ``aws login`` leaves in its cache. A client refreshes the credentials five minutes before they end."""
        expires_at = written(time.time() + EARLY_SECONDS + REMAINING_SECONDS)
        arn = log_in(self.url, "role/login", "laptop", self.home, expires_at)
        with (self.home / ".aws" / "config").open("a", encoding="utf-8") as config:
            config.write(f"[profile login]\nlogin_session = {arn}\nregion = us-east-1\n")
        return {"AWS_PROFILE": "login"}

    def sign_out(self) -> None:
        """Ends the portal's session, and the credentials that it gave."""
        Session().create_client("sso", "us-east-1", endpoint_url=self.url).logout(accessToken=self.portal_token)
        self.control("clock", {"advance_seconds": LIFETIME_SECONDS})


@dataclass(frozen=True, slots=True)
class Provider:
    """``name`` is what the page calls it, ``variables`` those by which a client finds it."""

    name: str
    variables: Callable[[Sandbox], dict[str, str]]
    refuse: Callable[[Sandbox], None]
    role: str


PROVIDERS: dict[str, Provider] = {
    "imds": Provider("instance metadata", lambda it: it.attached("imds"), lambda it: it.revoke("imds"), "imds"),
    "ecs": Provider("container credentials", lambda it: it.attached("ecs"), lambda it: it.revoke("ecs"), "ecs"),
    "eks": Provider("EKS Pod Identity", lambda it: it.attached("eks"), lambda it: it.revoke("eks"), "eks"),
    "irsa": Provider("web identity token file", Sandbox.web_identity, lambda it: it.revoke("irsa"), "irsa"),
    "process": Provider(
        "`credential_process`", lambda _: {"AWS_PROFILE": "process"}, lambda it: it.revoke("process"), "process"
    ),
    "anywhere": Provider("IAM Roles Anywhere", Sandbox.certified, lambda it: it.revoke("anywhere"), "anywhere"),
    "login": Provider("`aws login`", Sandbox.logged_in, lambda it: it.revoke("login"), "login"),
    # The last one, because it moves the clock.
    "sso": Provider("IAM Identity Center", Sandbox.signed_in, Sandbox.sign_out, "AWSReservedSSO_portal_"),
}


def written(moment_seconds: float) -> str:
    return datetime.fromtimestamp(moment_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wait_for(happened: Callable[[], bool]) -> None:
    end_seconds = time.monotonic() + LIMIT_SECONDS
    while not happened():
        if time.monotonic() > end_seconds:
            raise TimeoutError("what the run waits for did not happen")
        time.sleep(0.05)


@contextmanager
def sandbox(home: Path) -> Iterator[Sandbox]:
    """A fresh sandbox, with profiles for it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    command = [*ROLECALL, "serve", "--config", str(CONFIG), "--database", "memory", "--port", port]
    with ExitStack() as opened:
        server = opened.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8")
        )
        opened.callback(server.terminate)
        assert server.stdout is not None
        ready = READY.match(server.stdout.readline())
        assert ready, "the server did not start"
        yield Sandbox(ready[1], home, opened)


@contextmanager
def started(name: str, provider: str, command: list[str], url: str, variables: Mapping[str, str]) -> Iterator[Any]:
    """Function that makes the client call once more, and returns the caller's ARN and the outcome."""
    environment = {each: os.environ[each] for each in KEPT if each in os.environ} | {
        "AWS_ENDPOINT_URL_STS": url,
        "AWS_ENDPOINT_URL_SSO": url,
        "AWS_ENDPOINT_URL_SSO_OIDC": url,
        "AWS_ENDPOINT_URL_SIGNIN": url,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_SDK_LOAD_CONFIG": "1",
        # botocore waits for a second only, which a busy machine may need.
        "AWS_METADATA_SERVICE_TIMEOUT": "60",
        "TARGET": f"arn:aws:iam::{ACCOUNT}:role/target",
        **variables,
    }
    if "AWS_EC2_METADATA_SERVICE_ENDPOINT" not in variables:
        environment["AWS_EC2_METADATA_DISABLED"] = "true"
    if provider in CLIENTS[name].profiles:
        environment["AWS_PROFILE"] = CLIENTS[name].profiles[provider]
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )

    def call(line: str = "call") -> tuple[str, str]:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line + "\n")
        process.stdin.flush()
        arn, _, outcome = process.stdout.readline().strip().partition(" ")
        return arn, outcome

    try:
        yield call
    finally:
        process.kill()
        process.communicate()


def line_of(client: Client, provider: str) -> str:
    """What the client is sent for its call after the wait."""
    return client.later_with.get(provider, client.later)


def cell_of(
    provider_id: str, client: str, found: tuple[str, str], renewed: tuple[str, str], refused: tuple[str, str]
) -> str:
    """``yes`` if all went as it must, else what went wrong."""
    provider = PROVIDERS[provider_id]
    if found[1] != "ok" or f":assumed-role/{provider.role}" not in found[0]:
        return f"not found: {found[1]}"
    if renewed[1] != "ok":
        return f"not renewed: {renewed[1]}"
    if provider_id in CLIENTS[client].anew:
        return "yes, anew for each command" if refused[1] == "ok" else f"not found anew: {refused[1]}"
    if refused[1] == "ok":
        return "not refused"
    # A client words the portal's refusal in its own way.
    well = provider_id == "sso" or refused[1].split()[0] == "AccessDenied"
    return "yes" if well else f"refused for another reason: {refused[1]}"


def results_of(
    provider_ids: Sequence[str], commands: Mapping[str, list[str]], served: Sandbox, wait_seconds: float
) -> dict[tuple[str, str], str]:
    """The cell of each client and provider, in a fresh sandbox. ``wait_seconds`` lie between the first two calls."""
    with ExitStack() as opened:
        served.control("clock", {"advance_seconds": REMAINING_SECONDS - LIFETIME_SECONDS})
        clients = {}
        for provider in provider_ids:
            variables = PROVIDERS[provider].variables(served)
            for name in (name for name in commands if provider not in CLIENTS[name].unable):
                # Each client has a copy of the profiles and of the cache, because some write there.
                home = Path(opened.enter_context(tempfile.TemporaryDirectory()))
                shutil.copytree(served.home, home, dirs_exist_ok=True)
                own = {**variables, "HOME": str(home)}
                clients[name, provider] = opened.enter_context(started(name, provider, commands[name], served.url, own))
        threads = opened.enter_context(ThreadPoolExecutor(len(clients)))

        def call(*wanted: tuple[str, str], later: bool = False) -> dict[tuple[str, str], tuple[str, str]]:
            lines = [line_of(CLIENTS[name], provider) if later else "call" for name, provider in wanted]
            return dict(zip(wanted, threads.map(lambda key, line: clients[key](line), wanted, lines), strict=True))

        found = call(*clients)
        time.sleep(wait_seconds)
        served.control("clock", {"reset": True})
        renewed = call(*clients, later=True)
        cells = {}
        for provider in provider_ids:
            PROVIDERS[provider].refuse(served)
            refused = call(*(key for key in clients if key[1] == provider))
            for key, outcome in refused.items():
                cells[key] = cell_of(provider, key[0], found[key], renewed[key], outcome)
        return cells


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="*", metavar="CLIENT", default=list(CLIENTS))
    parser.add_argument("--provider", action="append", choices=PROVIDERS, dest="providers")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "rolecall-clients")
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    add_awscrt(given.folder)
    commands = {}
    for name in given.clients:
        command = CLIENTS[name].command(given.folder)
        if command is None:
            print(f"NOT RUN: this machine lacks {name}")
        else:
            commands[name] = command
    providers = given.providers or list(PROVIDERS)
    cells: dict[str, dict[str, str]] = {name: {} for name in commands}
    for provider in providers:
        with tempfile.TemporaryDirectory() as home, sandbox(Path(home)) as served:
            results = results_of([provider], commands, served, REMAINING_SECONDS + 1)
        for (name, _), cell in results.items():
            cells[name][provider] = cell
            print(f"{provider:8} {name:14} {cell}", flush=True)
    rows = [
        f"| client | version | {' | '.join(PROVIDERS[each].name for each in providers)} |",
        "| --- | --- " + "| --- " * len(providers) + "|",
    ]
    for name, own in cells.items():
        version = CLIENTS[name].version(given.folder)
        answers = (own.get(each) or CLIENTS[name].unable[each] for each in providers)
        rows.append(f"| {name} | {version} | {' | '.join(answers)} |")
    print("\n".join(rows))
    if given.write:
        before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
        PAGE.write_text(before + BEGIN + "\n".join(rows) + "\n" + END + rest.partition(END)[2], encoding="utf-8")
    return 0 if all(cell.startswith("yes") for own in cells.values() for cell in own.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
