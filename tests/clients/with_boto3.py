"""One call by boto3 for each line on standard input: who the caller is, and whether it may assume the role `target`.

An argument is a folder with awscrt, which botocore needs for `login_session`. Without it, a stand-in does the same. The
line `+SECONDS` moves the time by which botocore refreshes credentials, where waiting would be the other way.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

sys.path.extend(sys.argv[1:])

import boto3
import botocore.credentials
from botocore.exceptions import BotoCoreError, ClientError
from curves import Curve

if getattr(botocore.credentials, "EC", Curve) is None:
    botocore.credentials.EC = Curve
session = boto3.Session()
sts = None
for line in sys.stdin:
    try:
        if line.startswith("+"):
            credentials = session.get_credentials()
            moved = timedelta(seconds=int(line))
            # The provider of a login reads the time itself, too.
            for timed in (credentials, getattr(credentials._refresh_using, "__self__", None)):
                if own_time := getattr(timed, "_time_fetcher", None):
                    timed._time_fetcher = lambda own_time=own_time, moved=moved: own_time() + moved
        if sts is None:
            sts = session.client("sts")
        caller = sts.get_caller_identity()["Arn"]
        sts.assume_role(RoleArn=os.environ["TARGET"], RoleSessionName="matrix")
        print(caller, "ok", flush=True)
    except ClientError as refused:
        print("-", refused.response["Error"]["Code"], flush=True)
    except BotoCoreError as failed:
        print("-", type(failed).__name__, repr(str(failed)), flush=True)
