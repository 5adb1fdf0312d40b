"""``@sandboxed``: a fresh sandbox for each call of a function or test method."""

from __future__ import annotations

import asyncio
import inspect
import os
import unittest
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from rolecall import BadConfigError, Rolecall, sandboxed

WORLD = {
    "version": 1,
    "accounts": [
        {
            "id": "123456789012",
            "users": [
                {
                    "name": "ana",
                    "access_keys": [{"id": "anas_key", "secret": "anas-secret"}],
                    "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                }
            ],
        }
    ],
}


def whoami() -> str:
    return str(boto3.client("sts").get_caller_identity()["Arn"])


def test_the_block_ends_with_the_function_also_after_an_error() -> None:
    before = dict(os.environ)

    @sandboxed
    def failing() -> None:
        assert whoami() == "arn:aws:iam::111122223333:user/admin"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        failing()
    assert dict(os.environ) == before


def test_each_call_gets_a_fresh_sandbox() -> None:
    @sandboxed(config=WORLD, region="eu-west-1")
    def make(name: str, *, sandbox: Rolecall) -> str:
        boto3.client("iam").create_user(UserName=name)
        assert boto3.client("sts").meta.region_name == "eu-west-1"
        return sandbox.user(name)

    for _ in range(2):
        assert make("same") == "arn:aws:iam::123456789012:user/same"


def test_a_refusal_passes_through() -> None:
    @sandboxed(config={**WORLD, "accounts": [{**WORLD["accounts"][0]}]})  # type: ignore[index,dict-item]
    def refused() -> None:
        boto3.client("iam").get_user(UserName="nobody")

    with pytest.raises(ClientError, match="NoSuchEntity"):
        refused()


@pytest.mark.parametrize("wrong", [WORLD, "text", 1], ids=["mapping", "text", "number"])
def test_an_argument_without_its_name_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="give its arguments by name"):
        sandboxed(wrong)


def test_a_generator_is_refused() -> None:
    def fixture() -> Any:
        yield 1

    async def streamed() -> Any:
        yield 1

    for each in (fixture, streamed):
        with pytest.raises(TypeError, match="runs in parts: write 'with Rolecall"):
            sandboxed(each)


def test_a_wrong_file_is_reported_by_the_call() -> None:
    @sandboxed(config="version: 1\naccounts: []\n")
    def never() -> None:
        raise AssertionError

    with pytest.raises(BadConfigError):
        never()


def test_a_coroutine_runs_inside() -> None:
    @sandboxed
    async def main(sandbox: Rolecall) -> tuple[str, int]:
        await asyncio.sleep(0)
        return whoami(), len(sandbox.decisions)

    assert asyncio.run(main()) == ("arn:aws:iam::111122223333:user/admin", 1)
    assert inspect.iscoroutinefunction(main)


@sandboxed(config=WORLD)
class TestOfUnittest(unittest.TestCase):
    def test_plain_calls_reach_it(self) -> None:
        assert whoami() == "arn:aws:iam::123456789012:user/ana"

    def test_a_method_may_take_it(self, sandbox: Any) -> None:
        assert sandbox.account() == "123456789012"

    def helper(self) -> None:
        """Not a test, so it is not wrapped."""

    def test_helpers_are_left_alone(self) -> None:
        assert not hasattr(TestOfUnittest.helper, "__wrapped__")


@sandboxed(config=WORLD)
def test_pytest_passes_fixtures_and_no_sandbox(tmp_path: Any, sandbox: Rolecall) -> None:
    assert tmp_path.is_dir()
    assert sandbox.user("ana") == whoami()
