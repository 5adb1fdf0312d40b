"""``rolecall import --into`` and ``rolecall export --from`` beside a served process."""

from __future__ import annotations

import json
from collections.abc import Callable

import boto3
import pytest
from botocore.exceptions import ClientError
from served import FIRST_ACCOUNT, Server, run_rolecall


@pytest.mark.parametrize("option", ["--into", "--endpoint"])
def test_an_account_comes_into_a_running_sandbox_and_out_again(make_server: Callable[..., Server], option: str) -> None:
    server = make_server()
    before = run_rolecall(server.folder, "export", "--format", "account-details", "--from", server.url)
    details = json.loads(before.stdout)
    details["UserDetailList"] = [each for each in details["UserDetailList"] if each["UserName"] == "developer"]
    (server.folder / "account.json").write_text(json.dumps(details), encoding="utf-8")
    done = run_rolecall(server.folder, "import", "account.json", option, server.url)
    assert (done.returncode, done.stdout) == (0, "")
    [line] = [line for line in done.stderr.splitlines() if "user developer" in line]
    key_id, secret = line.split()[-2:]
    sts = boto3.client(
        "sts",
        endpoint_url=server.url,
        region_name="us-east-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{FIRST_ACCOUNT}:user/developer"
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        server.client("sts").get_caller_identity()
    after = run_rolecall(server.folder, "export", "--format", "account-details", "--from", server.url)
    assert json.loads(after.stdout) == details | {"Policies": json.loads(after.stdout)["Policies"]}
