"""The files for containers, Kubernetes and systemd name only what exists, and run the server as safely as they say.

No container engine is needed. ``tests/e2e/test_deployed.py`` runs their commands.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import deployed
import pytest
from deployed import ROOT

from rolecall.settings import DEFAULT_PORT

FILES = ("Containerfile", "compose.yaml", "deploy/kubernetes.yaml", "deploy/rolecall.service")
# The seconds that the server takes at most to end.
DRAIN_SECONDS = 5
DATABASE = "postgresql+psycopg://rolecall@postgres/rolecall"
TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.mark.parametrize("file", FILES)
def test_every_variable_exists(file: str) -> None:
    named = deployed.named_variables((ROOT / file).read_text(encoding="utf-8"))
    assert named
    assert named <= deployed.serve_variables()


@pytest.mark.parametrize("file", FILES)
def test_no_secret_is_written_down(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for line in text.splitlines():
        secret = re.fullmatch(r"[ #]*(?:Environment=|ENV )?(\w*(?:PASSWORD|TOKEN)\w*)[=:] *(.*)", line)
        if secret:
            assert secret[2].startswith(("…", "${")), line
    assert not re.search(r"://\w+:(?!PASSWORD@)", text)


def test_the_container_is_built_from_what_is_there(project: Any) -> None:
    install = next(text for text in deployed.of_container("RUN") if "pip install" in text)
    extras = re.search(r"'\.\[(.*)\]'", install)
    assert extras
    assert set(extras[1].split(",")) <= set(project["optional-dependencies"])
    constraints = re.search(r"--constraint (\S+)", install)
    assert constraints
    assert (ROOT / constraints[1]).is_file()
    taken = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    built = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", "constraints.txt", project["readme"], *project["license-files"]}
    needed |= set(built["force-include"]) | {path.split("/")[0] for path in built["packages"]}
    assert set(taken) == needed
    assert all((ROOT / each).exists() for each in taken)


def test_the_container_serves_as_another_user_than_root(project: Any) -> None:
    [user] = deployed.of_container("USER")
    assert re.fullmatch(r"([1-9]\d{3,}):\1", user)
    assert deployed.container_command() == ["rolecall", "serve"]
    assert "rolecall" in project["scripts"]
    environment = deployed.container_environment()
    found = deployed.settings(deployed.container_command()[2:], environment)
    [port] = deployed.of_container("EXPOSE")
    assert (found["port"], int(port)) == (DEFAULT_PORT, DEFAULT_PORT)
    # Every interface of the container; what reaches it is decided where the port is published.
    assert found["host"] == "0.0.0.0"  # noqa: S104
    [volume] = deployed.of_container("VOLUME")
    assert found["database"] == f"sqlite:///{volume}/rolecall.db"
    assert any(f"chown {user} {volume}" in text for text in deployed.of_container("RUN"))
    assert deployed.of_container("STOPSIGNAL") == ["SIGTERM"]


def probe_paths() -> dict[str, str]:
    [address] = re.findall(r"http://127\.0\.0\.1:4580(/[\w/]+)", " ".join(deployed.health_command()))
    container = deployed.kubernetes()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    return {"health": address} | {name: container[name]["httpGet"]["path"] for name in probes}


def test_the_probes_exist_and_answer_every_machine(world: Any) -> None:
    paths = probe_paths()
    assert paths["livenessProbe"].endswith("/live")
    assert {path for name, path in paths.items() if name != "livenessProbe"} == {"/_rolecall/probe/ready"}
    for path in paths.values():
        # The kubelet asks a pod by its address.
        request = {"environ_overrides": {"REMOTE_ADDR": "10.1.2.3"}, "base_url": "http://10.1.2.4:4580"}
        assert world.application.test_client().get(path, **request).status_code == 200


def test_compose_starts_both_with_options_that_exist() -> None:
    services = deployed.compose()["services"]
    rolecall, postgresql = services["rolecall"], services["postgres"]
    environment = rolecall["environment"]
    assert (
        environment["PGPASSWORD"]
        == postgresql["environment"]["POSTGRES_PASSWORD"]
        == "${POSTGRES_PASSWORD:?set it in .env}"
    )
    found = deployed.settings([], {**environment, "ROLECALL_CONTROL_TOKEN": TOKEN})
    assert found["database"] == DATABASE
    user, database = (postgresql["environment"][name] for name in ("POSTGRES_USER", "POSTGRES_DB"))
    assert found["database"] == f"postgresql+psycopg://{user}@postgres/{database}"
    assert (found["workers"], found["access_log"], found["log_format"]) == (2, True, "json")
    # Only this machine reaches it, until somebody decides otherwise.
    assert rolecall["ports"] == [f"127.0.0.1:{DEFAULT_PORT}:{DEFAULT_PORT}"]
    assert (ROOT / rolecall["build"]["dockerfile"]).is_file()
    assert (rolecall["read_only"], rolecall["cap_drop"]) == (True, ["ALL"])
    assert int(rolecall["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS
    assert rolecall["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    # The image of PostgreSQL 18 keeps its data below this folder: https://hub.docker.com/_/postgres, PGDATA.
    assert postgresql["image"].endswith("postgres:18")
    assert postgresql["volumes"] == ["postgres:/var/lib/postgresql"]
    assert set(deployed.compose()["volumes"]) == {"postgres"}


def test_kubernetes_starts_it_with_options_that_exist() -> None:
    objects = deployed.kubernetes()
    assert set(objects) == {"Deployment", "Service"}
    pod = objects["Deployment"]["spec"]["template"]
    [container] = pod["spec"]["containers"]
    assert container["args"][0] == "serve"
    names = [each["name"] for each in container["env"]]
    assert set(names) <= deployed.serve_variables()
    # Secrets come from the secret that the first lines of the file make.
    text = (ROOT / "deploy/kubernetes.yaml").read_text(encoding="utf-8")
    for each in container["env"]:
        reference = each["valueFrom"]["secretKeyRef"]
        assert f"--from-literal={reference['key']}=" in text
        assert f"create secret generic {reference['name']} " in text
    found = deployed.settings(container["args"][1:], {"ROLECALL_DATABASE": DATABASE, "ROLECALL_CONTROL_TOKEN": TOKEN})
    assert (found["access_log"], found["log_format"]) == (True, "json")
    [port] = container["ports"]
    assert port["containerPort"] == DEFAULT_PORT
    service = objects["Service"]["spec"]
    assert service["ports"][0]["targetPort"] == port["name"]
    labels = pod["metadata"]["labels"]
    assert service["selector"] == objects["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    # Without this, Kubernetes sets ROLECALL_PORT to an address, because the service has this name.
    assert objects["Service"]["metadata"]["name"] == "rolecall"
    assert pod["spec"]["enableServiceLinks"] is False


def test_kubernetes_gives_the_server_time_to_end_and_no_rights() -> None:
    pod = deployed.kubernetes()["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    [_, pause] = container["lifecycle"]["preStop"]["exec"]["command"]
    assert pod["terminationGracePeriodSeconds"] > int(pause) + DRAIN_SECONDS
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == {each["name"] for each in pod["volumes"]}


def test_systemd_starts_it_with_options_that_exist() -> None:
    service = deployed.unit()["Service"]
    [command] = service["ExecStart"]
    program, *words = command.split()
    assert (Path(program).name, words) == ("rolecall", ["serve"])
    environment = dict(pair.split("=", 1) for pair in service["Environment"])
    found = deployed.settings(words[1:], environment)
    [state] = service["StateDirectory"]
    assert found["database"] == f"sqlite:////var/lib/{state}/rolecall.db"
    assert int(service["TimeoutStopSec"][0]) > DRAIN_SECONDS


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    text = (ROOT / "deploy/rolecall.service").read_text(encoding="utf-8")
    # It looks for the program.
    (tmp_path / "rolecall.service").write_text(text.replace("/opt/rolecall/bin/rolecall", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", tmp_path / "rolecall.service"], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "rolecall.service" in line] == []


def test_the_health_command_is_one_that_the_image_has() -> None:
    program, flag, code = deployed.health_command()
    assert (program, flag) == ("python3", "-c")
    compile(code, "HEALTHCHECK", "exec")
