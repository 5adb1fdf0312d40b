"""One call in this process, step by step: the cost of each gateway step, warm, beside its budget.

    python benchmarks/call_steps.py

Figures are the best of several rounds, in microseconds. The whole call is measured as one, through the WSGI
application, beside a bare Flask application in the same process.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bare_flask
from botocore.awsrequest import AWSPreparedRequest

from rolecall.access.check import check
from rolecall.access.context import Moment
from rolecall.app import application_over, decision_log, open_database
from rolecall.call_log.outcomes import Outcome, recorded
from rolecall.clock import Clock
from rolecall.gateway import Gateway
from rolecall.gateway.received import Received
from rolecall.inprocess import client, environ_of
from rolecall.sandbox import Sandbox
from rolecall.services.catalogue import find
from rolecall.services.permissions import table_permissions
from rolecall.signing import check_scope, check_signature, read_signature
from rolecall.storage.engine import Database
from rolecall.web.aws import read_request, send
from rolecall.wire import check_constraints, decode, encode_answer, match
from rolecall.worlds.builtin import builtin_world_path
from rolecall.worlds.declare import read_world_file

MAXIMUM_BODY_BYTES = 1 << 20
SCOPE_DOWN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["chime:Get*", "chime:List*", "sts:*"], "Resource": "*"}],
    }
)
BUDGET = {
    "read the request": None,
    "match and decode": 15,
    "signature": 8,
    "identity, warm": 2,
    "snapshot and generation": 15,
    "constraints": None,
    "decision, warm": 3,
    "operation": 20,
    "encode": 8,
    "log entry handed over": 3,
    "send": None,
}


def best(function: Callable[[], object], rounds: int, repeats: int) -> float:
    """Microseconds of one call, in the fastest round."""
    quietest = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(repeats):
            function()
        quietest = min(quietest, time.perf_counter() - started)
    return quietest / repeats * 1e6


class Measured:
    def __init__(self, folder: str) -> None:
        world = read_world_file(str(builtin_world_path()))
        self.clock = Clock()
        self.database: Database = open_database(f"sqlite:///{Path(folder) / 'steps.db'}", world, self.clock)
        log = decision_log(self.database.url, self.clock)
        self.application = application_over(self.database, world, self.clock, decisions=log)
        # As in `rolecall serve`: the work of the log's thread is part of the whole call.
        self.application.sandbox.writer.start()
        self.told: list[Outcome] = []
        sandbox = Sandbox(self.database, world, self.clock)
        sandbox.observe = self.told.append
        self.gateway = Gateway(sandbox)

    def environs(self) -> dict[str, dict[str, Any]]:
        """The WSGI environment of one signed request of each kind."""
        admin = client(self.application, "sts", "test", "test")
        role = "arn:aws:iam::111122223333:role/chime-reader"
        issued = admin.assume_role(RoleArn=role, RoleSessionName="benchmark")["Credentials"]
        keys = (issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"])
        chime = client(self.application, "chime", *keys)
        account_id = chime.list_accounts()["Accounts"][0]["AccountId"]
        user_id = chime.list_users(AccountId=account_id)["Users"][0]["UserId"]
        sts = client(self.application, "sts", *keys)
        session = _keys_of(admin.get_session_token())
        # A new layer on a session without any, which is the call to compare with AssumeRole, and a call under three.
        narrowed = session
        for _ in range(3):
            narrowed = _keys_of(client(self.application, "sts", *narrowed).get_scoped_credentials(Policy=SCOPE_DOWN))
        calls: dict[str, tuple[Any, Callable[[Any], object]]] = {
            "GetCallerIdentity": (sts, lambda c: c.get_caller_identity()),
            "GetUser": (chime, lambda c: c.get_user(AccountId=account_id, UserId=user_id)),
            "AssumeRole": (admin, lambda c: c.assume_role(RoleArn=role, RoleSessionName="benchmark")),
            "GetScopedCredentials": (
                client(self.application, "sts", *session),
                lambda c: c.get_scoped_credentials(Policy=SCOPE_DOWN),
            ),
            "GetUser, session": (
                client(self.application, "chime", *session),
                lambda c: c.get_user(AccountId=account_id, UserId=user_id),
            ),
            "GetUser, 3 layers": (
                client(self.application, "chime", *narrowed),
                lambda c: c.get_user(AccountId=account_id, UserId=user_id),
            ),
        }
        found: dict[str, dict[str, Any]] = {}
        for name, (made, call) in calls.items():

            def keep(request: AWSPreparedRequest, name: str = name, **_ignored: Any) -> None:
                found[name] = environ_of(request)

            made.meta.events.register_first("before-send", keep)
            call(made)
        return found

    def steps(self, environ: dict[str, Any]) -> dict[str, Callable[[], object]]:
        gateway, now_seconds = self.gateway, self.clock.now_seconds()
        body = environ["wsgi.input"].getvalue()

        def fresh() -> dict[str, Any]:
            return {**environ, "wsgi.input": io.BytesIO(body)}

        request = read_request(fresh(), MAXIMUM_BODY_BYTES)
        gateway.answer(request)
        outcome = self.told[-1]
        signature = read_signature(request, self.clock.wall_seconds())
        assert signature is not None
        target = match(request, signature.service)
        parameters = decode(target, request)
        registered = find(target.service.name, target.operation.name)
        assert registered is not None
        connection = self.database.snapshot().__enter__()
        identities = gateway._generations.current(connection)
        key = (signature.access_key_id, signature.session_token)
        identity = identities.resolve(connection, *key, now_seconds)
        received, decisions = Received("id", request, 0.0, 0.0), list(outcome.decisions)
        call = gateway.call_for(received, target, signature, identity, identities, connection, now_seconds)
        answer = registered.function(call, **parameters)
        encoded = encode_answer(target.operation, answer, request, "id")

        def signed() -> None:
            again = read_signature(request, self.clock.wall_seconds())
            check_scope(again, service=target.service.signing_name)  # type: ignore[arg-type]
            check_signature(request, again, identity.secret_access_key, raw_path=target.raw_path)  # type: ignore[arg-type]

        def decided() -> None:
            moment = Moment(request, now_seconds, call.region, None)
            check(
                identity.rights, (registered.permissions or table_permissions)(call, parameters), moment, "AccessDenied"
            )

        def generation() -> None:
            with self.database.snapshot() as held:
                self.database.generation(held)

        def handed_over() -> None:
            kept = recorded(target.operation.recorder, len(request.body), parameters, answer)
            names = (target.service.name, target.operation.name)
            gateway.observe(received, *names, identity, 200, None, signature, decisions, identities, kept)
            self.told.clear()

        connection.connection.driver_connection.execute("COMMIT")  # type: ignore[union-attr]
        return {
            "read the request": lambda: read_request(fresh(), MAXIMUM_BODY_BYTES),
            "match and decode": lambda: decode(match(request, signature.service), request),
            "signature": signed,
            "identity, warm": lambda: identities.resolve(connection, *key, now_seconds),
            "snapshot and generation": generation,
            "constraints": lambda: check_constraints(target.operation, parameters),
            "decision, warm": decided,
            "operation": lambda: registered.function(call, **parameters),
            "encode": lambda: encode_answer(target.operation, answer, request, "id"),
            "log entry handed over": handed_over,
            "send": lambda: send(encoded, "id", self.clock.wall_seconds(), _start_response),
        }

    def whole(self, environ: dict[str, Any]) -> Callable[[], object]:
        body = environ["wsgi.input"].getvalue()
        wsgi = self.application.wsgi_app
        return lambda: b"".join(wsgi({**environ, "wsgi.input": io.BytesIO(body)}, _start_response))


def _keys_of(answer: Any) -> tuple[str, str, str]:
    issued = answer["Credentials"]
    return issued["AccessKeyId"], issued["SecretAccessKey"], issued["SessionToken"]


def _start_response(_status: str, _headers: list[tuple[str, str]], _exc_info: object = None) -> None:
    pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Measured(folder)
        environs = sandbox.environs()
        columns = {
            name: {
                title: best(step, arguments.rounds, arguments.repeats) for title, step in sandbox.steps(environ).items()
            }
            for name, environ in environs.items()
        }
        print(f"{'µs':26}{'budget':>8}" + "".join(f"{name:>22}" for name in columns))
        for title, budget in BUDGET.items():
            cells = "".join(f"{columns[name][title]:22.1f}" for name in columns)
            print(f"{title:26}{budget if budget is not None else '':>8}{cells}")
        wholes = [best(sandbox.whole(environ), arguments.rounds, arguments.repeats) for environ in environs.values()]
        print(f"{'the whole call':26}{'':>8}" + "".join(f"{whole:22.1f}" for whole in wholes))
        flask = {**environs["GetUser"], "PATH_INFO": "/", "REQUEST_METHOD": "GET"}
        floor = best(
            lambda: b"".join(bare_flask.app(dict(flask), _start_response)), arguments.rounds, arguments.repeats
        )
        print(f"{'a bare Flask answer':26}{'':>8}{floor:22.1f}")
        sandbox.application.finish()


if __name__ == "__main__":
    main()
