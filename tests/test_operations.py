"""Every registered operation, compared with its service's model: parameters, permissions, and that it does work."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from functools import cache
from pathlib import Path

import pytest
from syntax_trees import walk

from rolecall.data import actions
from rolecall.service_records import action_of
from rolecall.services import catalogue
from rolecall.services.catalogue import all_operations
from rolecall.services.registry import RegisteredOperation, no_permission
from rolecall.wire import SERVICES, load_service

OPERATIONS = all_operations()
SERVICES_FOLDER = Path(catalogue.__file__).parent
# Operations that no policy can forbid (the API references of both).
WITHOUT_PERMISSION = {
    ("sts", "GetCallerIdentity"),
    ("sts", "GetSessionToken"),
    # Their callers are clients and users of IAM Identity Center, who have no policies.
    *(("sso-oidc", name) for name in ("CreateToken", "RegisterClient", "StartDeviceAuthorization")),
    *(("sso", name) for name in ("GetRoleCredentials", "ListAccountRoles", "ListAccounts", "Logout")),
}
# API reference, CreateToken: "This parameter has no effect".
WITHOUT_EFFECT = {("sso-oidc", "CreateToken"): {"scope"}}

# A preview: its one permission, iam:GetRequestAuthorizationDetails, is not in the published action table yet.
PREVIEW = {"iam-toolbox"}
# The published action table lacks these. AcquireRole needs the actions that it carries out, as AWS was seen to do.
WITHOUT_ROW = {
    ("iam", "AcquireRole"),
    ("iam", "UpdateDelegationRequest"),
    # Authorised as CreateOAuth2Token, IntrospectOAuth2Token and RevokeOAuth2Token.
    ("signin", "CreateOAuth2TokenWithTokenExchange"),
    *(("signin", f"{name}WithIAM") for name in ("CreateOAuth2Token", "IntrospectOAuth2Token", "RevokeOAuth2Token")),
}
# They store the report that they make, or the session.
STORING = {
    "CreateOAuth2Token",
    "GenerateCredentialReport",
    "GenerateOrganizationsAccessReport",
    "GenerateServiceLastAccessedDetails",
}
# Exchanges a token that works once.
SPENDING = {"GetDelegatedAccessToken"}


def _name(operation: RegisteredOperation) -> str:
    return f"{operation.service}.{operation.name}"


each = pytest.mark.parametrize("operation", OPERATIONS, ids=_name)
# Those that a verb answers take what the model has: tests/services/test_declared_operations.py holds them.
WRITTEN = [operation for operation in OPERATIONS if not operation.verb]
each_written = pytest.mark.parametrize("operation", WRITTEN, ids=_name)


def test_there_are_operations_of_every_service_that_is_built() -> None:
    counts = {service: sum(operation.service == service for operation in OPERATIONS) for service in SERVICES}
    assert counts["sts"] >= 5
    assert counts["iam"] >= 73
    assert counts["chime"] >= 19


def test_every_module_of_the_catalogue_registers_something_and_none_is_forgotten() -> None:
    listed = {f"rolecall.services.{module}" for family in catalogue.MODULES.values() for module in family}
    registering = {_module(Path(operation.place[0])) for operation in OPERATIONS}
    assert listed == registering
    written = {
        _module(file)
        for file in SERVICES_FOLDER.rglob("*.py")
        if "@operation(" in file.read_text(encoding="utf-8") and file.name != "registry.py"
    }
    declared = {
        _module(file)
        for file in SERVICES_FOLDER.rglob("*.py")
        # A service may have verbs of its own, over the general ones.
        if re.search(
            r"^from rolecall\.services\.(?:\w+\.)?verbs import", file.read_text(encoding="utf-8"), re.MULTILINE
        )
        and file.name != "verbs.py"
    }
    assert written | declared == listed


def _module(file: Path) -> str:
    return ".".join(["rolecall", "services", *file.relative_to(SERVICES_FOLDER).with_suffix("").parts])


@each_written
def test_parameters_are_those_of_the_model(operation: RegisteredOperation) -> None:
    model = load_service(operation.service).operation(operation.name)
    assert operation.parameters <= set(model.input_members)
    assert set(model.required_members) <= operation.parameters


@each_written
def test_required_parameters_have_no_default_and_the_others_have_one(operation: RegisteredOperation) -> None:
    required = set(load_service(operation.service).operation(operation.name).required_members)
    for parameter in inspect.signature(operation.function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            assert (parameter.default is parameter.empty) == (parameter.name in required), parameter.name


@each_written
def test_the_function_takes_the_call_and_keywords_only(operation: RegisteredOperation) -> None:
    first, *others = inspect.signature(operation.function).parameters.values()
    # An underscore marks an operation that uses its parameters alone.
    assert first.name in ("call", "_call")
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others)


@each
def test_the_operation_has_an_action(operation: RegisteredOperation) -> None:
    if (operation.service, operation.name) in WITHOUT_PERMISSION:
        assert operation.permissions is no_permission
        return
    assert operation.permissions is not no_permission
    if operation.service in PREVIEW or (operation.service, operation.name) in WITHOUT_ROW:
        return
    prefix, _, name = action_of(operation.service, operation.name).partition(":")
    assert name.lower() in actions(prefix)


@each
def test_what_the_action_table_calls_reading_writes_nothing(operation: RegisteredOperation) -> None:
    prefix, _, name = action_of(operation.service, operation.name).partition(":")
    row = actions(prefix).get(name.lower())
    if row is not None and row.access_level in ("Read", "List") and operation.service != "sts":
        assert operation.writes == (operation.name in STORING)
    if operation.service == "sts" and operation.name not in SPENDING:
        assert not operation.writes, "issuing credentials writes nothing"


def _body(function: object) -> list[ast.stmt]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))  # type: ignore[arg-type]
    definition = next(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return [
        statement
        for statement in definition.body
        if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
    ]


def is_stub(function: object) -> bool:
    """Whether a function only returns its arguments: it calls nothing and does not use its call."""
    nodes = [node for statement in _body(function) for node in walk(statement)]
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return "call" not in names and not any(isinstance(node, ast.Call) for node in nodes)


@each
def test_the_operation_is_no_stub(operation: RegisteredOperation) -> None:
    assert not is_stub(operation.function)


@cache
def _texts_of(module: object) -> frozenset[str]:
    """The texts in a module's source, such as names of parameters."""
    nodes = walk(ast.parse(inspect.getsource(module)))  # type: ignore[arg-type]
    return frozenset(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


@each
def test_every_parameter_is_used(operation: RegisteredOperation) -> None:
    """By the function, or by a check or permission function before it."""
    used: set[str] = set()
    factor = None if operation.second_factor is None else operation.second_factor.use
    for function in (operation.function, operation.permissions, operation.precheck, operation.proof, factor):
        if function is None:
            continue
        used |= _texts_of(inspect.getmodule(function))
    names = {
        node.id for statement in _body(operation.function) for node in walk(statement) if isinstance(node, ast.Name)
    }
    # A declared function calls the member that names the entity by another name: its second argument.
    _, *others = inspect.signature(inspect.unwrap(operation.function)).parameters.values()
    # Functions of Organizations also get the caller's organization.
    others = [each for each in others if each.name != "organization"]
    if others and others[0].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
        assert others[0].name in names
        keywords = {parameter.name for parameter in others[1:]}
        [member] = operation.parameters - keywords
        used.add(member)
    without_effect = WITHOUT_EFFECT.get((operation.service, operation.name), set())
    assert operation.parameters - (used | names) == without_effect


def test_a_stub_is_noticed() -> None:
    def stub(call: object, *, Name: str) -> dict[str, str]:
        """Does nothing."""
        return {"Name": Name}

    def real(call: object, *, Name: str) -> dict[str, str]:
        return {"Name": f"{call}{Name}"}

    assert is_stub(stub)
    assert not is_stub(real)
