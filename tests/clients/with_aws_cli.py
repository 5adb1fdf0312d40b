"""One call by the AWS CLI for each line on standard input. Its program is the first argument.

The second one is a folder with awscrt, which the provider of `aws login` needs.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

PROGRAM, CRT = sys.argv[1:]
ASSUME = ("assume-role", "--role-arn", os.environ["TARGET"], "--role-session-name", "matrix")
WHO = ("get-caller-identity", "--query", "Arn", "--output", "text")


def run(*arguments: str) -> str:
    # Debian's version 2 knows no AWS_ENDPOINT_URL_STS.
    command = [PROGRAM, "sts", *arguments, "--endpoint-url", os.environ["AWS_ENDPOINT_URL_STS"]]
    environment = os.environ | {"PYTHONPATH": CRT}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        code = re.search(r"error occurred \((\w+)\)", done.stderr)
        raise ValueError(code[1] if code else f"Failed {done.stderr.strip()!r}")
    return done.stdout.strip()


for _ in sys.stdin:
    try:
        caller = run(*WHO)
        run(*ASSUME)
        print(caller, "ok", flush=True)
    except ValueError as refused:
        print("-", refused, flush=True)
