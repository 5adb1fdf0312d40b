"""Sessions of a role whose credentials renew themselves."""

from __future__ import annotations

import boto3
import botocore.session
from botocore.credentials import DeferredRefreshableCredentials, create_assume_role_refresher


def role_session(role_arn: str, session_name: str, *, duration_seconds: int = 3600, policy: str = "") -> boto3.Session:
    """A session of the role. The role is assumed at the session's first use and again before the credentials expire.

    ``policy`` is a session policy as JSON text. The session may do only what it allows.
    """
    parameters = {"RoleArn": role_arn, "RoleSessionName": session_name, "DurationSeconds": duration_seconds}
    if policy:
        parameters["Policy"] = policy
    core = botocore.session.get_session()
    core._credentials = DeferredRefreshableCredentials(
        refresh_using=create_assume_role_refresher(boto3.client("sts"), parameters), method="assume-role"
    )
    return boto3.Session(botocore_session=core)
