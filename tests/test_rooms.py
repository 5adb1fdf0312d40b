"""The rooms of the package: which room may import which, and the limits of length.

The table below is the architecture. When a change needs another direction, change the table and say why in
docs/architecture.md. The checks are plain functions from sources to findings, so that the second half of this file can
show that they find faults.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest
from syntax_trees import walk

import rolecall

PACKAGE = Path(rolecall.__file__).parent

LEAVES = {
    "errors",
    "http",
    "clock",
    "folders",
    "arns",
    "principals",
    "ids",
    "issuers",
    "settings",
    "service_records",
    "caches",
    "printable",
    "reprs",
    "version",
    "waits",
}
ROOMS: Mapping[str, set[str]] = {
    **{leaf: set() for leaf in LEAVES},
    "principals": {"arns"},
    "data": set(),
    # Operations and the sandbox file make the same resources, and neither may import the other.
    "contents": {"errors"},
    # A sandbox has AWS's quotas, except for those that its file changes.
    "settings": {"data", "reprs"},
    "wire": {"errors", "http", "caches", "service_records"},
    "signing": {"errors", "http", "clock", "caches", "reprs"},
    "sessions": {"errors", "clock", "arns", "principals", "ids", "issuers", "caches", "reprs"},
    "policy": {"arns", "principals", "caches", "printable"},
    "advice": {"policy", "data", "caches"},
    "storage": {"errors", "clock", "folders", "arns", "principals", "ids", "caches", "printable", "reprs"},
    "access": LEAVES | {"policy", "storage", "data"},
    "identities": LEAVES | {"policy", "sessions", "storage", "access"},
    "signin": LEAVES | {"policy", "sessions", "delivery", "identities", "access", "storage", "data"},
    # A session of a role can be made without any service. So services may import delivery, and not the other way.
    # Its providers evaluate the trust policy of the role that they hand out.
    "delivery": LEAVES | {"sessions", "storage", "access", "policy", "signing"},
    "services": LEAVES | {"policy", "advice", "delivery", "sessions", "storage", "access", "data", "contents"},
    "least_privilege": LEAVES | {"access", "policy", "storage", "data"},
    "identity_providers": LEAVES | {"sessions", "storage"},
    "worlds": LEAVES | {"identity_providers", "policy", "sessions", "storage", "data", "contents"},
    # Only the commands use it, so that neither a start nor the kit loads it.
    "importing": LEAVES | {"policy", "storage", "worlds", "data"},
    "call_log": LEAVES | {"policy", "storage", "data"},
    "faults": LEAVES | {"policy", "storage"},
    "sandbox": LEAVES | {"wire", "identities", "sessions", "storage", "worlds", "call_log", "faults", "delivery"},
    "gateway": LEAVES
    | {"policy", "wire", "signing", "sessions", "access", "identities", "services", "storage"}
    | {"sandbox", "call_log", "faults"},
    # It asks what a real call is asked, so it uses the steps of the gateway.
    "expectations": LEAVES
    | {"policy", "wire", "sessions", "delivery", "access", "identities", "services", "storage", "data"}
    | {"worlds", "sandbox", "gateway"},
    "web": LEAVES
    | {"wire", "signin", "sandbox", "gateway", "least_privilege", "services", "storage"}
    | {"expectations", "worlds", "call_log", "faults", "identity_providers", "access", "delivery", "identities"}
    # The console: its pages examine policies and ask what they allow.
    | {"policy", "inspection", "data"},
    "app": LEAVES | {"sessions", "storage", "sandbox", "web", "worlds", "call_log"},
    "inprocess": LEAVES,
    "remote": LEAVES | {"inprocess"},
    "server": LEAVES | {"web"},
    "kit": LEAVES
    | {"app", "inprocess", "sandbox", "web", "identities", "access", "policy", "sessions", "storage", "data", "wire"}
    | {"delivery", "expectations", "least_privilege", "worlds", "call_log", "faults", "identity_providers"},
    "pytest_plugin": {"kit"},
    # Front doors are outermost, so they may import everything except each other.
    "demo": LEAVES | {"app", "inprocess", "policy", "worlds", "call_log"},
    "inspection": LEAVES | {"advice", "access", "policy", "worlds", "services", "wire"},
    "commands": LEAVES
    | {"app", "sessions", "least_privilege", "server", "demo", "inspection", "storage", "web"}
    | {"expectations", "remote", "importing", "sandbox", "worlds", "call_log", "identity_providers"},
    "cli": {"version", "commands"},
    # The package itself, and its front door for "python -m".
    "": {"kit", "version"},
    "__main__": {"cli"},
}

# The rooms that may import a distribution; all others are free.
DISTRIBUTIONS: Mapping[str, set[str]] = {
    # The demo is a client: it calls through boto3 and handles its exceptions.
    "botocore": {"wire", "inprocess", "remote", "kit", "demo"},
    "boto3": {"kit", "demo"},
    "flask": {"web"},
    "itsdangerous": {"web"},
    # In services only for password hashes.
    "werkzeug": {"web", "services"},
    "sqlalchemy": {"storage"},
    "psycopg": {"storage"},
    "alembic": {"storage"},
    "urllib3": {"sessions"},
    "httptools": {"server"},
    "websockets": {"server"},
    "pytest": {"pytest_plugin"},
    # An extra: only modules that are loaded late may need it.
    "lxml": {"sessions"},
    "signxml": {"sessions"},
    "segno": {"services"},
    # Only for a terminal: the commands load it late.
    "rich": {"commands"},
}
# Naming a connection's type in an annotation does not count as use of SQLAlchemy.
TYPES_ALLOWED_ANYWHERE = {"sqlalchemy.Connection"}

# Modules that are loaded by name at run time. Each call's own comment gives the reason.
LOADED_LATE = {
    ("rolecall.commands.terminal", "rolecall.commands.rich_output"),
    ("rolecall.storage.migrate", "rolecall.storage.upgrade"),
    ("rolecall.storage.dialects", "rolecall.storage.postgresql_dialect"),
    ("rolecall.storage.dialects", "rolecall.storage.sqlite_dialect"),
    ("rolecall.storage.log_keepers", "rolecall.storage.postgresql_log"),
    ("rolecall.storage.log_keepers", "rolecall.storage.sqlite_log"),
    ("rolecall", "rolecall.kit"),
    ("rolecall.pytest_plugin", "rolecall.kit"),
    ("rolecall.sessions.issuer_keys", "rolecall.sessions.discovery"),
    ("rolecall.sessions.saml.on_demand", "rolecall.sessions.saml.library"),
    ("rolecall.worlds.row_checks", "rolecall.worlds.ssh_keys"),
    ("rolecall.sessions.jose_door", "rolecall.sessions.jose"),
    ("rolecall.server.processes", "rolecall.server.workers"),
    ("rolecall.server.tls", "rolecall.server.own_certificates"),
    ("rolecall.server.upgrades", "rolecall.server.pushing"),
    ("rolecall.server.upgrades", "rolecall.server.streams"),
    ("rolecall.policy", "rolecall.policy.explanation"),
    ("rolecall.call_log.writer", "rolecall.call_log.refusals"),
    ("rolecall.delivery.anywhere.library", "rolecall.delivery.anywhere.certificates"),
    ("rolecall.web.certificate_sessions", "rolecall.delivery.anywhere.requests"),
    ("rolecall.web.certificate_sessions", "rolecall.delivery.anywhere.session"),
    ("rolecall.web.application", "rolecall.web.deliveries"),
    ("rolecall.web.attach_endpoint", "rolecall.delivery.imds"),
    ("rolecall.web.attach_endpoint", "rolecall.identity_providers.oidc_tokens"),
    ("rolecall.web.console_door", "rolecall.web.console.answering"),
    ("rolecall.web.console_door", "rolecall.web.console.visits"),
    ("rolecall.web.decision_endpoints", "rolecall.call_log.cloudtrail"),
    ("rolecall.web.decision_endpoints", "rolecall.call_log.metrics"),
    ("rolecall.web.decision_endpoints", "rolecall.call_log.shown"),
    ("rolecall.web.delegation_endpoint", "rolecall.services.iam.delegation.delegation_delivery"),
    ("rolecall.web.expectation_endpoints", "rolecall.expectations.chains"),
    ("rolecall.web.expectation_endpoints", "rolecall.expectations.files"),
    ("rolecall.web.expectation_endpoints", "rolecall.expectations.holders"),
    ("rolecall.web.expectation_endpoints", "rolecall.expectations.principals"),
    ("rolecall.web.expectation_endpoints", "rolecall.expectations.report"),
    ("rolecall.web.expectation_endpoints", "rolecall.expectations.verifying"),
    ("rolecall.web.channel_flow_endpoint", "rolecall.services.chime_sdk_messaging.invocations"),
    ("rolecall.web.mfa_endpoint", "rolecall.identity_providers.mfa_codes"),
    ("rolecall.web.oidc_endpoints", "rolecall.identity_providers.oidc_tokens"),
    ("rolecall.web.outbound_documents", "rolecall.services.sts.outbound_issuers"),
    ("rolecall.web.policy_endpoint", "rolecall.least_privilege"),
    ("rolecall.web.signin_pages", "rolecall.expectations.principals"),
    ("rolecall.web.signin_pages", "rolecall.signin.authorization"),
    ("rolecall.web.sso_pages", "rolecall.identity_providers.sso_consent"),
    ("rolecall.web.saml_endpoints", "rolecall.identity_providers.saml_assertions"),
    ("rolecall.worlds.row_checks", "rolecall.sessions.signing_keys"),
    ("rolecall.worlds.own_idps", "rolecall.identity_providers.saml_assertions"),
}

MAXIMUM_FUNCTION_LINES = 70
MAXIMUM_MODULE_LINES = 500

Sources = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks ask of a module, so that its tree is made once and need not be kept."""

    docstring: str
    imports: list[ast.Import | ast.ImportFrom]
    # Each function's name and its number of lines.
    functions: list[tuple[str, int]]
    # Each import in a function, with the function's name and the import's line.
    imports_in_functions: list[tuple[str, int]]
    # Calls whose first argument is a constant.
    calls: list[ast.Call]
    # Lines that name a transaction of the database.
    transactions: list[int]


@lru_cache(maxsize=4096)
def facts_of(source: str) -> Facts:
    tree = ast.parse(source)
    facts = Facts(ast.get_docstring(tree) or "", [], [], [], [], [])
    for node in walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            facts.imports.append(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            facts.functions.append((node.name, (node.end_lineno or 0) - node.lineno + 1))
            inner = (each for each in walk(node) if isinstance(each, ast.Import | ast.ImportFrom))
            facts.imports_in_functions.extend((node.name, each.lineno) for each in inner)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            facts.calls.append(node)
        elif isinstance(node, ast.Attribute) and node.attr == "transaction":
            facts.transactions.append(node.lineno)
    return facts


@lru_cache(maxsize=1)
def package_sources() -> dict[str, str]:
    """Source text of every module of the package by its dotted name."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = ["rolecall", *file.relative_to(PACKAGE).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file.read_text(encoding="utf-8")
    return found


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def imports_of(module: str, source: str, modules: Sources) -> Iterator[str]:
    """The imports of a module: modules of the package by full name, others as ``distribution.name``."""
    for node in facts_of(source).imports:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            start = node.module or ""
            if node.level:
                base = module.split(".")[: len(module.split(".")) - node.level + (module in packages(modules))]
                start = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                full = f"{start}.{alias.name}"
                yield full if full in modules or not start.startswith("rolecall") else start


def packages(modules: Sources) -> set[str]:
    return {name.rpartition(".")[0] for name in modules}


def late_imports_of(source: str) -> Iterator[str]:
    """Modules of the package that are imported by calling import_module or __import__ with their name."""
    for node in facts_of(source).calls:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        name = getattr(node.args[0], "value", None)
        if called in ("import_module", "__import__") and isinstance(name, str) and name.split(".")[0] == "rolecall":
            yield name


def rooms_without_a_row(modules: Sources) -> list[str]:
    return sorted({room_of(module) for module in modules} - set(ROOMS))


def wrong_directions(modules: Sources) -> list[str]:
    findings = []
    for module, source in modules.items():
        room = room_of(module)
        for imported in imports_of(module, source, modules):
            if imported.split(".")[0] == "rolecall" and room_of(imported) not in {room, *ROOMS.get(room, set())}:
                findings.append(f"{module} imports {imported}")
    return findings


def services_importing_each_other(modules: Sources) -> list[str]:
    """STS, IAM and Chime are rooms inside services. STS reads roles from storage, not from IAM."""
    findings = []
    for module, source in modules.items():
        service = service_of(module, modules)
        for imported in imports_of(module, source, modules):
            other = service_of(imported, modules)
            if service and other and service != other:
                findings.append(f"{module} imports {imported}")
    return findings


def service_of(module: str, modules: Sources) -> str:
    """``sts`` of ``rolecall.services.sts.roles``; empty for modules that all services share, such as the registry."""
    parts = module.split(".")
    is_service = parts[:2] == ["rolecall", "services"] and ".".join(parts[:3]) in packages(modules)
    return parts[2] if is_service and len(parts) > 2 else ""


def misplaced_distributions(modules: Sources) -> list[str]:
    findings = []
    for module, source in modules.items():
        for imported in imports_of(module, source, modules):
            allowed = DISTRIBUTIONS.get(imported.split(".")[0])
            if allowed is not None and room_of(module) not in allowed and imported not in TYPES_ALLOWED_ANYWHERE:
                findings.append(f"{module} imports {imported}")
    return findings


def late_imports(modules: Sources) -> list[str]:
    return [
        f"{module} loads {imported}"
        for module, source in modules.items()
        for imported in late_imports_of(source)
        if (module, imported) not in LOADED_LATE
    ]


def import_cycle(modules: Sources) -> list[str]:
    """One cycle of modules, first and last the same; empty when there is none."""
    graph = {
        module: sorted({name for name in imports_of(module, source, modules) if name in modules and name != module})
        for module, source in modules.items()
    }
    done: set[str] = set()

    def visit(module: str, road: list[str]) -> list[str]:
        if module in road:
            return [*road[road.index(module) :], module]
        if module not in done:
            for following in graph[module]:
                cycle = visit(following, [*road, module])
                if cycle:
                    return cycle
            done.add(module)
        return []

    return next((cycle for module in graph if (cycle := visit(module, []))), [])


def imports_inside_functions(modules: Sources) -> list[str]:
    return [
        f"{module}.{name}, line {line}"
        for module, source in modules.items()
        for name, line in facts_of(source).imports_in_functions
    ]


def long_functions(modules: Sources) -> list[str]:
    return [
        f"{module}.{name}: {lines} lines"
        for module, source in modules.items()
        for name, lines in facts_of(source).functions
        if lines > MAXIMUM_FUNCTION_LINES
    ]


def long_modules(modules: Sources) -> list[str]:
    counts = {module: len(source.splitlines()) for module, source in modules.items()}
    return [f"{module}: {lines} lines" for module, lines in counts.items() if lines > MAXIMUM_MODULE_LINES]


def packages_without_a_paragraph(modules: Sources) -> list[str]:
    """A room's ``__init__`` says what the room owns. A single line would only be a title."""
    findings = []
    for module in sorted((packages(modules) | {"rolecall"}) & set(modules)):
        text = facts_of(modules[module]).docstring
        if not text or (module.count(".") == 1 and len(text.split()) < 12):
            findings.append(module)
    return findings


def writes_without_a_second_attempt(modules: Sources) -> list[str]:
    """PostgreSQL may end a transaction because of another one. ``Database.write`` then does the work again.

    The module ``rolecall.app`` fills databases in memory, which have one writer.
    """
    return [
        f"{module}, line {line}: use Database.write"
        for module, source in modules.items()
        if room_of(module) not in ("storage", "app")
        for line in facts_of(source).transactions
    ]


CHECKS = [
    rooms_without_a_row,
    wrong_directions,
    services_importing_each_other,
    misplaced_distributions,
    late_imports,
    import_cycle,
    imports_inside_functions,
    long_functions,
    long_modules,
    packages_without_a_paragraph,
    writes_without_a_second_attempt,
]


@pytest.mark.parametrize("check", CHECKS)
def test_the_package_keeps_the_rule(check) -> None:
    assert check(package_sources()) == []


def test_the_package_is_really_read() -> None:
    modules = package_sources()
    assert {"rolecall", "rolecall.errors", "rolecall.storage", "rolecall.data.action_table"} <= set(modules)
    assert "rolecall.data.action_table" in imports_of("rolecall.data", modules["rolecall.data"], modules)


def test_the_table_itself_points_one_way() -> None:
    table = {f"rolecall.{room}": "".join(f"import rolecall.{other}\n" for other in may) for room, may in ROOMS.items()}
    assert import_cycle(table) == []


# The checks find faults.

DUTY = '"""Owned here: a duty told in a sentence of more than twelve words, and what is left to others."""\n'


def with_room(**sources: str) -> dict[str, str]:
    """A small package; ``wire__query`` is the module ``rolecall.wire.query``."""
    modules = {"rolecall": DUTY, "rolecall.wire": DUTY, "rolecall.storage": DUTY, "rolecall.errors": DUTY}
    return modules | {f"rolecall.{name.replace('__', '.')}": source for name, source in sources.items()}


@pytest.mark.parametrize("check", CHECKS)
def test_a_good_package_passes(check) -> None:
    good = with_room(
        wire__query="from rolecall.errors import AwsError\nfrom rolecall.wire import models\nimport botocore.loaders\n",
        wire__models="import json\n\ndef f():\n    return json\n",
        storage__engine="from sqlalchemy import create_engine\n",
    )
    assert check(good) == []


@pytest.mark.parametrize(
    ("check", "sources"),
    [
        (rooms_without_a_row, {"kitchen": ""}),
        (wrong_directions, {"wire__query": "from rolecall.storage import engine\n"}),
        (wrong_directions, {"wire__query": "import rolecall.storage.engine\n"}),
        (wrong_directions, {"wire__query": "from rolecall import storage\n"}),
        (wrong_directions, {"wire__query": "from ..storage import engine\n"}),
        (wrong_directions, {"wire__query": "from .. import storage\n"}),
        (wrong_directions, {"wire__query": "if TYPE_CHECKING:\n    from rolecall.storage import engine\n"}),
        (wrong_directions, {"clock": "from rolecall.errors import AwsError\n"}),
        (wrong_directions, {"errors": "from rolecall import Rolecall\n"}),
        (misplaced_distributions, {"storage__x": "import botocore\n"}),
        (misplaced_distributions, {"storage__x": "from botocore.loaders import Loader\n"}),
        (misplaced_distributions, {"wire__x": "from flask import Flask\n"}),
        (misplaced_distributions, {"wire__x": "from sqlalchemy import select\n"}),
        (misplaced_distributions, {"wire__x": "import sqlalchemy\n"}),
        (misplaced_distributions, {"wire__x": "from sqlalchemy import Connection, select\n"}),
        (late_imports, {"wire__x": "import importlib\ndef f():\n    importlib.import_module('rolecall.storage')\n"}),
        (late_imports, {"wire__x": "def f():\n    __import__('rolecall.storage')\n"}),
        (import_cycle, {"wire__a": "from rolecall.wire import b\n", "wire__b": "from rolecall.wire import a\n"}),
        (
            import_cycle,
            {"wire__a": "from . import b\n", "wire__b": "from .c import x\n", "wire__c": "from .a import y\n"},
        ),
        (import_cycle, {"wire": DUTY + "from rolecall.wire.a import f\n", "wire__a": "from rolecall.wire import g\n"}),
        (imports_inside_functions, {"wire__x": "def f():\n    import json\n"}),
        (imports_inside_functions, {"wire__x": "class A:\n    async def f(self):\n        from json import loads\n"}),
        (long_functions, {"wire__x": "def f():\n" + "    f()\n" * 70}),
        (long_modules, {"wire__x": "x = 1\n" * 501}),
        (writes_without_a_second_attempt, {"wire__x": "with database.transaction() as connection:\n    pass\n"}),
        (packages_without_a_paragraph, {"wire": "", "wire__x": ""}),
        (packages_without_a_paragraph, {"wire": "# no docstring\n", "wire__x": ""}),
        (packages_without_a_paragraph, {"wire": '"""Wire."""\n', "wire__x": ""}),
    ],
)
def test_a_violation_is_found(check, sources: dict[str, str]) -> None:
    assert check(with_room(**sources)) != []


def test_services_that_import_each_other_are_found() -> None:
    modules = {
        "rolecall.services": DUTY,
        "rolecall.services.registry": "",
        "rolecall.services.sts": DUTY,
        "rolecall.services.sts.roles": "from rolecall.services.registry import operation\n",
        "rolecall.services.iam": DUTY,
        "rolecall.services.iam.users": "from rolecall.services.iam import roles\n",
    }
    assert services_importing_each_other(modules) == []
    modules["rolecall.services.sts.roles"] = "from rolecall.services.iam.users import find\n"
    assert services_importing_each_other(modules) != []


@pytest.mark.parametrize("lines", [1, MAXIMUM_FUNCTION_LINES - 1])
def test_a_function_of_the_allowed_length_passes(lines: int) -> None:
    assert long_functions(with_room(wire__x="def f():\n" + "    f()\n" * lines)) == []


def test_a_reader_of_json_expects_deep_nesting() -> None:
    """``json.loads`` raises RecursionError for some kilobytes of brackets. Code that expects ValueError expects it."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Try):
                continue
            reads = any(ast.unparse(call).startswith("json.loads(") for each in node.body for call in ast.walk(each))
            caught = " ".join(ast.unparse(each.type) for each in node.handlers if each.type is not None)
            if reads and "ValueError" in caught and "RecursionError" not in caught:
                found.append(f"{path.relative_to(PACKAGE)}:{node.lineno}")
    assert found == []
