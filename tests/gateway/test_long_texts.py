"""Nothing keeps long texts of clients: a cache bounds the number of its entries, so each entry must be small."""

from __future__ import annotations

import gc
import tracemalloc
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest
from amounts import usual
from hostile_requests import DECLARED, KEYS, operations, serialized
from raw_calls import FORM, Sent, query_call, send, signed

from rolecall.service_records import SERVICE_RECORDS

LONG_BYTES = 30_000
STEP = usual(6, most=1)


@pytest.fixture(scope="module")
def world(make_shared_world: Any) -> Any:
    return make_shared_world(DECLARED)


def long_text(number: int) -> str:
    """Another one for each number, so that no cache has it."""
    return f"{number}".zfill(8) * (LONG_BYTES // 8)


def in_the_head(number: int) -> Iterator[Sent]:
    """Calls with a long text in each part that is read before, or for, the signature."""
    text = long_text(number)
    plain = query_call("sts", "GetCallerIdentity")
    good = signed(plain, KEYS, "sts")
    for region, service in ((text, "sts"), ("us-east-1", text)):
        yield signed(plain, KEYS, service, region=region)
    yield signed(plain, (text, "secret"), "sts")
    yield signed(plain, (*KEYS, text), "sts")
    yield good.with_header("Authorization", f"AWS4-HMAC-SHA256 Credential={text}, SignedHeaders=host, Signature=a")
    names = good.headers["Authorization"].replace("SignedHeaders=", f"SignedHeaders={text};")
    yield good.with_header("Authorization", names)
    for name in ("Authorization", "X-Amz-Date", "Origin", "Sec-Fetch-Site", "User-Agent", "Accept", "Content-Type"):
        yield good.with_header(name, text)
    for host in ("{}.localhost", "sts.{}.amazonaws.com", "{}.signin.aws.amazon.com", "[{}]", "{}"):
        yield signed(plain.with_header("Host", host.format(text)), KEYS, "sts")
    yield good.with_header(text, "a")
    yield Sent("POST", "/", "", {"Content-Type": FORM, "X-Amz-Target": text}, b"{}")
    yield Sent("POST", f"/{text}", text, {}, b"")
    yield Sent("GET", f"/_rolecall/{text}", text, {}, b"")
    yield signed(Sent("GET", "/", f"Action={text}&Version={text}"), KEYS, "sts", presigned_seconds=60)


def long_value(shape: Any, text: str, depth: int = 0) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return {} if depth > 3 else {name: long_value(it, text, depth + 1) for name, it in shape.members.items()}
    if kind == "list":
        return [long_value(shape.member, text, depth + 1)]
    if kind == "map":
        return {text: long_value(shape.value, text, depth + 1)}
    if kind == "string":
        return (getattr(shape, "enum", None) or [text])[0]
    return {"boolean": True, "timestamp": 1_900_000_000, "blob": b"a"}.get(kind, shape.metadata.get("min", 1))


def in_parameters(number: int) -> Iterator[Sent]:
    """Calls of operations with a long text in each of their texts: of every one with --all."""
    for protocol in ("query", "json", "rest-json"):
        for service, known in operations(protocol).items():
            for operation in known[::STEP]:
                shape = operation.input_shape
                number += 1
                if shape is None:
                    continue
                made = serialized(operation, long_value(shape, long_text(number)))
                yield signed(made, KEYS, SERVICE_RECORDS[service].signing_name)


def long_policies(number: int) -> Iterator[Sent]:
    """Texts that are valid, and so long that no policy of AWS is."""
    resource = f"arn:aws:s3:::{long_text(number)}*"
    statement = f'{{"Effect":"Allow","Action":"s3:*","Resource":"{resource}"}}'
    policy = f'{{"Version":"2012-10-17","Statement":{statement}}}'
    conditioned = policy.replace(
        '"Resource"', '"Condition":{"StringLike":{"aws:a":"' + long_text(number) + '?"}},"Resource"'
    )
    for document in (policy, conditioned):
        for action, more in (
            ("SimulateCustomPolicy", {"ActionNames.member.1": "s3:GetObject"}),
            ("GetContextKeysForCustomPolicy", {}),
        ):
            yield signed(query_call("iam", action, **{"PolicyInputList.member.1": document, **more}), KEYS, "iam")
    for kind, key in (("ip", "aws:SourceIp"), ("date", "aws:CurrentTime"), ("string", "aws:a")):
        entry = {"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues.member.1": long_text(number)}
        context = {f"ContextEntries.member.1.{name}": value for name, value in entry.items()}
        asked = {"PolicyInputList.member.1": policy, "ActionNames.member.1": "s3:a", **context}
        call = query_call("iam", "SimulateCustomPolicy", **asked)
        yield signed(call, KEYS, "iam")


def kept(world: Any, make: Any) -> list[tuple[int, str]]:
    """Length and place of the long texts that are still there after a round.

    Not of the first rounds: SQLAlchemy keeps the values with which a statement was first compiled.
    """
    for number in (0, 2500):
        for sent in make(number):
            send(world.application, sent)
    tracemalloc.start(6)
    try:
        for sent in make(5000):
            send(world.application, sent)
        sent = None
        world.outcomes.clear()
        # The test's own client.
        urllib.parse.clear_cache()
        gc.collect()
        traces = tracemalloc.take_snapshot().traces
    finally:
        tracemalloc.stop()
    return [(trace.size, str(trace.traceback)) for trace in traces if trace.size >= LONG_BYTES]


@pytest.mark.slow
@pytest.mark.parametrize("make", [in_the_head, in_parameters, long_policies])
def test_no_long_text_stays(world: Any, make: Any) -> None:
    found = kept(world, make)
    assert not found, "\n".join(f"{size} {place}" for size, place in found[:20])
