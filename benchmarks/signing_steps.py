"""The cost of a call's signature in microseconds: reading it, reading its scope, and checking it.

Run: python benchmarks/signing_steps.py
"""

import time
from collections.abc import Callable

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from rolecall.http import HttpRequest
from rolecall.signing import check_scope, check_signature, read_signature
from rolecall.signing.verify import signing_key

ROUNDS = 40
CALLS_PER_ROUND = 2_000
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
ENDPOINT = "http://127.0.0.1:4580"
ASSUME_ROLE = (
    b"Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fchime-reader"
    b"&RoleSessionName=benchmark"
)
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


def signed(method: str, path: str, body: bytes, service: str, token: str, presigned: bool = False) -> HttpRequest:
    credentials = Credentials("ASIAIOSFODNN7EXAMPLE", SECRET, token or None)
    headers = dict(FORM) if body else {}
    request = AWSRequest(method=method, url=ENDPOINT + path, data=body, headers=headers)
    signer = botocore.auth.SigV4QueryAuth if presigned else botocore.auth.SigV4Auth
    signer(credentials, service, "us-east-1").add_auth(request)
    raw_path, _, raw_query = request.url.removeprefix(ENDPOINT).partition("?")
    sent = {name.lower(): value for name, value in request.headers.items()}
    sent |= {"host": "127.0.0.1:4580", "user-agent": "Boto3/1.44", "accept-encoding": "identity"}
    sent |= {"amz-sdk-invocation-id": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "amz-sdk-request": "attempt=1"}
    return HttpRequest(method, raw_path, raw_query, sent, body)


def microseconds(step: Callable[[], object]) -> float:
    """Microseconds of one call, in the fastest round."""
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(CALLS_PER_ROUND):
            step()
        best = min(best, time.perf_counter() - started)
    return best / CALLS_PER_ROUND * 1e6


def main() -> None:
    user = "/accounts/12a3456b-7c89-012d-3456-78901e23fg45/users/f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    cases = {
        "AssumeRole, POST, long-term key": (signed("POST", "/", ASSUME_ROLE, "sts", ""), "sts"),
        "AssumeRole, POST, session token of 900 bytes": (signed("POST", "/", ASSUME_ROLE, "sts", "t" * 900), "sts"),
        "Chime GetUser, GET, session token": (signed("GET", user, b"", "chime", "t" * 900), "chime"),
        "GetCallerIdentity, presigned": (
            signed("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", b"", "sts", "t" * 900, presigned=True),
            "sts",
        ),
    }
    now_seconds = time.time()
    print(f"{'microseconds per call':46} {'read':>6} {'scope':>6} {'check':>6} {'sum':>6} {'check, cold key':>16}")
    for name, (request, service) in cases.items():
        signature = read_signature(request, now_seconds)
        if signature is None:
            raise SystemExit("the request was not signed")

        def check(request=request, signature=signature) -> None:
            check_signature(request, signature, SECRET, raw_path=request.raw_path)

        def check_cold(check=check) -> None:
            signing_key.cache_clear()
            check()

        steps = (
            microseconds(lambda request=request: read_signature(request, now_seconds)),
            microseconds(lambda signature=signature, service=service: check_scope(signature, service=service)),
            microseconds(check),
        )
        row = " ".join(f"{step:6.2f}" for step in (*steps, sum(steps)))
        print(f"{name:46} {row} {microseconds(check_cold):16.2f}")


if __name__ == "__main__":
    main()
