"""Microseconds of each step of the wire room for small calls, and the time to read each service's model.

Run with ``python benchmarks/wire_steps.py``.
"""

from __future__ import annotations

import time
import timeit
from collections.abc import Callable

from rolecall.http import HttpRequest
from rolecall.wire import SERVICES, check_constraints, decode, encode_answer, load_service, match
from rolecall.wire.models import load_model

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8", "host": "127.0.0.1:4580"}
CREDENTIALS = {
    "AccessKeyId": "ASIAIOSFODNN7EXAMPLE",
    "SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "SessionToken": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." * 20,
    "Expiration": 1_800_000_000.0,
}
USER = {
    "UserId": "11111111-2222-3333-4444-555555555555",
    "AccountId": "66666666-7777-8888-9999-000000000000",
    "PrimaryEmail": "ana@example.com",
    "DisplayName": "ana",
    "LicenseType": "Pro",
    "UserRegistrationStatus": "Registered",
    "RegisteredOn": 1_700_000_000.25,
    "UserType": "PrivateUser",
}
CASES = (
    (
        "sts",
        HttpRequest("POST", "/", "", FORM, b"Action=GetCallerIdentity&Version=2011-06-15"),
        {
            "UserId": "AIDACKCEVSQ6C2EXAMPLE",
            "Account": "111122223333",
            "Arn": "arn:aws:iam::111122223333:user/admin",
        },
    ),
    (
        "sts",
        HttpRequest(
            "POST",
            "/",
            "",
            FORM,
            b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fchime-reader"
            b"&RoleSessionName=session-1&DurationSeconds=3600&ExternalId=abc123"
            b"&Tags.member.1.Key=team&Tags.member.1.Value=core",
        ),
        {
            "Credentials": CREDENTIALS,
            "AssumedRoleUser": {
                "AssumedRoleId": "AROACKCEVSQ6C2EXAMPLE:session-1",
                "Arn": "arn:aws:sts::111122223333:assumed-role/chime-reader/session-1",
            },
            "PackedPolicySize": 6,
        },
    ),
    (
        "chime",
        HttpRequest(
            "GET",
            "/accounts/66666666-7777-8888-9999-000000000000/users/11111111-2222-3333-4444-555555555555",
            "",
            {"host": "127.0.0.1:4580"},
            b"",
        ),
        {"User": USER},
    ),
)


def microseconds(step: Callable[[], object]) -> float:
    """The best of five rounds: the cost of the step when nothing else disturbs it."""
    rounds = 10_000
    return min(timeit.repeat(step, number=rounds, repeat=5)) / rounds * 1e6


def main() -> None:
    print("model, ms to read")
    for name in SERVICES:
        started = time.perf_counter()
        load_model(name)
        print(f"  {name:26} {(time.perf_counter() - started) * 1e3:6.1f}")
    print(f"{'µs':26} match  decode  check  encode")
    for signing_name, request, answer in CASES:
        target = match(request, signing_name)
        parameters = decode(target, request)
        steps = (
            lambda r=request, s=signing_name: match(r, s),
            lambda t=target, r=request: decode(t, r),
            lambda t=target, p=parameters: check_constraints(t.operation, p),
            lambda t=target, a=answer, r=request: encode_answer(
                t.operation, a, r, "c6104cbe-af31-11e0-8154-cbc7ccf896c7"
            ),
        )
        figures = "  ".join(f"{microseconds(step):6.2f}" for step in steps)
        print(f"  {load_service(target.service.name).name + ' ' + target.operation.name:24} {figures}")


if __name__ == "__main__":
    main()
