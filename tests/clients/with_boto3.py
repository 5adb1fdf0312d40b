"""One call by boto3 for each line on standard input: who the caller is, and whether it may assume the role `target`.

The line `+SECONDS` moves the time by which botocore refreshes credentials, where waiting would be the other way.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import boto3
from botocore.exceptions import BotoCoreError, ClientError

session = boto3.Session()
sts = None
for line in sys.stdin:
    try:
        if line.startswith("+"):
            credentials = session.get_credentials()
            own_time = credentials._time_fetcher
            moved = timedelta(seconds=int(line))
            credentials._time_fetcher = lambda own_time=own_time, moved=moved: own_time() + moved
        if sts is None:
            sts = session.client("sts")
        caller = sts.get_caller_identity()["Arn"]
        sts.assume_role(RoleArn=os.environ["TARGET"], RoleSessionName="matrix")
        print(caller, "ok", flush=True)
    except ClientError as refused:
        print("-", refused.response["Error"]["Code"], flush=True)
    except BotoCoreError as failed:
        print("-", type(failed).__name__, repr(str(failed)), flush=True)
