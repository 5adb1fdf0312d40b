"""Federation: signing in as a principal, device codes, and tokens and assertions of Rolecall's own issuers."""

from __future__ import annotations

import importlib
import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Request, Response, make_response, redirect

from rolecall.clock import iso8601, monotonic_seconds
from rolecall.errors import AwsError
from rolecall.expectations.asking import asking
from rolecall.expectations.principals import NoSuchNameError
from rolecall.identity_providers.asking import AssertionRequestError, TokenRequestError, read_claim, read_pairs
from rolecall.sandbox import Sandbox
from rolecall.signin import SignIn, SignInError
from rolecall.storage.gather import account_names
from rolecall.storage.identity_center import directory_users
from rolecall.storage.oidc_providers import own_provider_urls
from rolecall.storage.saml_providers import providers_of
from rolecall.storage.sso_sessions import waiting_devices
from rolecall.web.console.commands import curl, endpoint, rolecall
from rolecall.web.console.pages import ConsoleError, Page, Values, done, shown
from rolecall.web.console_door import CONSOLE_PATH
from rolecall.web.signin import FEDERATION_PATH
from rolecall.web.signin_log import SignInLog

PATH = "/federation"
DESTINATION = "https://console.aws.amazon.com/"
DEVICE_FIELDS = ("user_code", "user")
TOKEN_FIELDS = ("issuer", "shape", "subject", "audience", "algorithm", "lifetime", "claims")
ASSERTION_FIELDS = (
    "idp",
    "role",
    "provider",
    "session_name",
    "assertion_subject",
    "attributes",
    "tags",
    "transitive",
    "session_duration",
    "source_identity",
)
WHOLE_NUMBER_MESSAGE = "{name} must be a whole number of seconds."
NEEDED_MESSAGE = "{name} is needed."
NOBODY_MESSAGE = "Say who signs in, such as user/developer or role/deploy."
APPROVED_NOTICE = "The program is approved. It goes on by itself."
DENIED_NOTICE = "The program is denied."
_NAMES_OFFERED = 300
_DEVICES_SHOWN = 20
_MAXIMUM_LINES = 100
TOO_MANY_MESSAGE = f"Write at most {_MAXIMUM_LINES} lines."


def _page(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    return _shown(sandbox, request, {})


def _shown(
    sandbox: Sandbox, request: Request, given: Mapping[str, str], status: int = 200, **problems: str
) -> Response:
    """The page. ``problems`` has the problem of the form ``sign_in``, ``device``, ``token`` or ``assertion``."""
    tokens, now_seconds = _room("oidc_tokens"), sandbox.clock.now_seconds()
    with sandbox.database.snapshot() as connection:
        issuers = sorted(own_provider_urls(connection))
        users = [user.name for user in directory_users(connection, _NAMES_OFFERED)]
        waiting = waiting_devices(connection, now_seconds, _DEVICES_SHOWN)
        saml = [each.arn for account_id in account_names(connection) for each in providers_of(connection, account_id)]
    with asking(sandbox) as asker:
        principals = asker.principals
        names = [who.label for who in (*principals.entities, *principals.roots)][:_NAMES_OFFERED]
        roles = [who.arn for who in principals.entities if who.kind == "role"][:_NAMES_OFFERED]
    return shown(
        "federation.html",
        status,
        given={name: given.get(name, "") for name in ("principal", *DEVICE_FIELDS, *TOKEN_FIELDS, *ASSERTION_FIELDS)},
        names=names,
        users=users,
        waiting=[(code, client, iso8601(ends)) for code, client, ends in waiting],
        roles=roles,
        issuers=issuers,
        providers=saml,
        shapes=[(name, name) for name in tokens.SHAPES],
        algorithms=[(name, name) for name in sorted(tokens.ALGORITHMS)],
        default_algorithm=tokens.DEFAULT_ALGORITHM,
        commands={
            "device": curl(request, "sso/approve", "--json", json.dumps({"user_code": "CODE", "user": "USER"})),
            "token": rolecall(request, "token", "--issuer", "ci", "--subject", "build-1"),
            "assertion": rolecall(
                request,
                *("saml-assertion", "--idp", "corp", "--role", "ROLE_ARN", "--provider", "PROVIDER_ARN"),
                *("--session-name", "ana"),
            ),
        },
        problems=problems,
    )


def _room(name: str) -> Any:
    # Loaded now: most visitors mint nothing, and what signs takes long to load.
    return importlib.import_module(f"rolecall.identity_providers.{name}")


def _fields(request: Request, names: tuple[str, ...]) -> dict[str, str]:
    return {name: request.form.get(name, "").strip() for name in names}


def _sign_in(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    """On to the sign-in endpoint, with a token for a session of the principal."""
    started_seconds = monotonic_seconds()
    given = _fields(request, ("principal",))
    sign_in = SignIn(sandbox.database, sandbox.clock)
    try:
        with asking(sandbox) as asker:
            who = asker.principals.single(given["principal"] or _nobody())
        made = sign_in.own_session(sandbox.ids, who.account_id, who.kind, who.unique_id)
        token, caller = sign_in.sign_in_token(
            made.access_key_id, made.secret_access_key, made.session_token, duration_seconds=None
        )
    except (NoSuchNameError, SignInError) as error:
        return _shown(sandbox, request, given, 400, sign_in=str(error))
    SignInLog(sandbox).note("getSigninToken", started_seconds, caller)
    query = {
        "Action": "login",
        "Issuer": f"{endpoint(request)}{CONSOLE_PATH}{PATH}",
        "Destination": DESTINATION,
        "SigninToken": token,
    }
    return make_response(redirect(f"{FEDERATION_PATH}?{urlencode(query)}", 303))


def _nobody() -> str:
    raise SignInError(NOBODY_MESSAGE)


def _device(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    """Approve a program that waits with a device code, as a user of the directory, or deny it."""
    consent, given = _room("sso_consent"), _fields(request, DEVICE_FIELDS)
    denies = request.form.get("decision") == "deny"
    try:
        consent.approve_device(sandbox.database, sandbox.clock, given["user_code"], None if denies else given["user"])
    except consent.ConsentError as error:
        return _shown(sandbox, request, given, 400, device=str(error))
    return done(PATH, DENIED_NOTICE if denies else APPROVED_NOTICE)


def _token(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    tokens, given = _room("oidc_tokens"), _fields(request, TOKEN_FIELDS)
    try:
        wanted: dict[str, Any] = {
            "subject": given["subject"] or None,
            "claims": dict(read_claim(line) for line in _lines(given["claims"])),
            "lifetime_seconds": _whole(given["lifetime"], "The lifetime", TokenRequestError),
        }
        audience = given["audience"].split()
        wanted |= {"audience": audience if len(audience) > 1 else audience[0]} if audience else {}
        wanted |= {name: given[name] for name in ("shape", "algorithm") if given[name]}
        issuer = tokens.issuer_url(request.host_url, given["issuer"])
        token = tokens.mint(sandbox.database, sandbox.clock, sandbox.ids, issuer=issuer, **wanted)
    except TokenRequestError as error:
        return _shown(sandbox, request, given, 400, token=_sentence(error))
    return shown(
        "minted.html",
        kind="Web identity token",
        of=issuer,
        minted=token,
        call=_aws(request, "assume-role-with-web-identity", "--role-arn", "ROLE_ARN", "--role-session-name", "console")
        + ' --web-identity-token "$TOKEN"',
        variable="TOKEN",
        command=_token_command(request, given),
    )


def _token_command(request: Request, given: Mapping[str, str]) -> str:
    options = {"--subject": "subject", "--shape": "shape", "--algorithm": "algorithm", "--lifetime": "lifetime"}
    words = [word for option, name in options.items() if given[name] for word in (option, given[name])]
    words += [word for each in given["audience"].split() for word in ("--audience", each)]
    words += [word for line in _lines(given["claims"]) for word in ("--claim", line)]
    return rolecall(request, "token", "--issuer", given["issuer"], *words)


def _assertion(sandbox: Sandbox, request: Request, _values: Values) -> Response:
    assertions, given = _room("saml_assertions"), _fields(request, ASSERTION_FIELDS)
    try:
        for name in ("role", "provider", "session_name"):
            if not given[name]:
                raise AssertionRequestError(NEEDED_MESSAGE.format(name=name.replace("_", " ").capitalize()))
        wanted: dict[str, Any] = {
            "attributes": read_pairs(_lines(given["attributes"])),
            "tags": {key: values[-1] for key, values in read_pairs(_lines(given["tags"])).items()},
            "transitive_tag_keys": _lines(given["transitive"]),
            "session_duration": _whole(given["session_duration"], "The session duration", AssertionRequestError),
            "source_identity": given["source_identity"] or None,
            **({"subject": given["assertion_subject"]} if given["assertion_subject"] else {}),
            **{name: given[name] for name in ("idp", "role", "provider", "session_name")},
        }
        minted = assertions.mint(sandbox.database, sandbox.clock, sandbox.ids, **wanted)
    except AssertionRequestError as error:
        return _shown(sandbox, request, given, 400, assertion=_sentence(error))
    except AwsError as error:
        raise ConsoleError(error.message, 501) from error
    call = _aws(
        request,
        *("assume-role-with-saml", "--role-arn", given["role"], "--principal-arn", given["provider"]),
    )
    return shown(
        "minted.html",
        kind="SAML assertion",
        of=assertions.entity_id(given["idp"]),
        minted=minted,
        call=f'{call} --saml-assertion "$ASSERTION"',
        variable="ASSERTION",
        command=_assertion_command(request, given),
    )


def _assertion_command(request: Request, given: Mapping[str, str]) -> str:
    options = {
        "--idp": "idp",
        "--role": "role",
        "--provider": "provider",
        "--session-name": "session_name",
        "--subject": "assertion_subject",
        "--session-duration": "session_duration",
        "--source-identity": "source_identity",
    }
    words = [word for option, name in options.items() if given[name] for word in (option, given[name])]
    words += [word for line in _lines(given["attributes"]) for word in ("--attribute", line)]
    words += [word for line in _lines(given["tags"]) for word in ("--tag", line)]
    words += [word for key in _lines(given["transitive"]) for word in ("--transitive-tag", key)]
    return rolecall(request, "saml-assertion", *words)


def _aws(request: Request, *words: str) -> str:
    """A call of STS by the AWS CLI to this server. It needs no credentials."""
    return shlex.join(("aws", "--endpoint-url", endpoint(request), "sts", *words))


def _lines(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > _MAXIMUM_LINES:
        raise ConsoleError(TOO_MANY_MESSAGE)
    return lines


def _whole(text: str, name: str, problem: type[ValueError]) -> int | None:
    """A number of seconds; None for an empty field. Raises ``problem``."""
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise problem(WHOLE_NUMBER_MESSAGE.format(name=name))
    return int(text)


def _sentence(error: ValueError) -> str:
    return f"{str(error).rstrip('.')}."


PAGES = (
    Page(PATH, _page, "Federation"),
    Page(f"{PATH}/sign-in", None, act=_sign_in),
    Page(f"{PATH}/device", None, act=_device),
    Page(f"{PATH}/token", None, act=_token),
    Page(f"{PATH}/assertion", None, act=_assertion),
)
