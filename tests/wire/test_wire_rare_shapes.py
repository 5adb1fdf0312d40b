"""What the protocols allow and today's models of our services do not use: a newer model may."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from botocore.model import ServiceModel
from wire_samples import parsed, plain, request_of

from emulator.errors import AwsError
from emulator.http import HttpRequest
from emulator.wire import check_constraints, encode_answer
from emulator.wire.models import Model
from emulator.wire.services import Operation, Service

NOBODY = HttpRequest("GET", "/", "", {}, b"")
SHAPES: dict[str, Any] = {
    "Text": {"type": "string"},
    "Number": {"type": "integer", "min": 1},
    "Long": {"type": "long"},
    "Ratio": {"type": "double"},
    "Flag": {"type": "boolean"},
    "Octets": {"type": "blob"},
    "Moment": {"type": "timestamp"},
    "IsoMoment": {"type": "timestamp", "timestampFormat": "iso8601"},
    "EpochMoment": {"type": "timestamp", "timestampFormat": "unixTimestamp"},
    "Numbers": {"type": "list", "member": {"shape": "Number"}},
    "Matrix": {"type": "list", "member": {"shape": "Numbers"}},
    "FlatTexts": {"type": "list", "flattened": True, "member": {"shape": "Text", "locationName": "Item"}},
    "NamedTexts": {"type": "list", "member": {"shape": "Text", "locationName": "entry"}},
    "Names": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Number"}},
    "FlatNames": {
        "type": "map",
        "flattened": True,
        "key": {"shape": "Text", "locationName": "Name"},
        "value": {"shape": "Number", "locationName": "Count"},
    },
    "Tree": {
        "type": "structure",
        "required": ["Name"],
        "members": {"Name": {"shape": "Text"}, "Branches": {"shape": "Trees"}},
    },
    "Trees": {"type": "list", "member": {"shape": "Tree"}},
    "Everything": {
        "type": "structure",
        "members": {
            "Text": {"shape": "Text"},
            "Long": {"shape": "Long"},
            "Ratio": {"shape": "Ratio"},
            "Flag": {"shape": "Flag"},
            "Octets": {"shape": "Octets"},
            "Moment": {"shape": "Moment"},
            "IsoMoment": {"shape": "IsoMoment"},
            "EpochMoment": {"shape": "EpochMoment"},
            "Matrix": {"shape": "Matrix"},
            "FlatTexts": {"shape": "FlatTexts", "locationName": "FlatText"},
            "NamedTexts": {"shape": "NamedTexts"},
            "Names": {"shape": "Names"},
            "FlatNames": {"shape": "FlatNames"},
            "Tree": {"shape": "Tree", "locationName": "TheTree"},
        },
    },
    "Located": {
        "type": "structure",
        "members": {
            "Status": {"shape": "Number", "location": "statusCode"},
            "Header": {"shape": "Text", "location": "header", "locationName": "X-Text"},
            "Count": {"shape": "Number", "location": "header", "locationName": "X-Count"},
            "On": {"shape": "Flag", "location": "header", "locationName": "X-On"},
            "When": {"shape": "Moment", "location": "header", "locationName": "X-When"},
            "Since": {"shape": "IsoMoment", "location": "header", "locationName": "X-Since"},
            "Text": {"shape": "Text"},
        },
    },
    "TextMap": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Text"}},
    "Prefixed": {
        "type": "structure",
        "payload": "Body",
        "members": {
            "Meta": {"shape": "TextMap", "location": "headers", "locationName": "X-Meta-"},
            "Body": {"shape": "Octets"},
        },
    },
    "WithTree": {"type": "structure", "payload": "Tree", "members": {"Tree": {"shape": "Tree"}}},
    "WithText": {"type": "structure", "payload": "Words", "members": {"Words": {"shape": "Text"}}},
}


def operations(protocol: str, *shapes: str) -> dict[str, Any]:
    described = {}
    for shape in shapes:
        output = {"shape": shape, **({"resultWrapper": f"{shape}Result"} if protocol == "query" else {})}
        uri = "/" if protocol == "query" else f"/{shape}"
        http = {"method": "POST", "requestUri": uri}
        described[shape] = {"name": shape, "http": http, "input": {"shape": shape}, "output": output}
    return described


def model(protocol: str) -> dict[str, Any]:
    shapes = ("Everything",) if protocol == "query" else ("Everything", "Located", "Prefixed", "WithTree", "WithText")
    metadata = {
        "protocol": protocol,
        "apiVersion": "1",
        "endpointPrefix": "x",
        "serviceId": "x",
        "xmlNamespace": "https://x/",
    }
    return {"metadata": metadata, "operations": operations(protocol, *shapes), "shapes": SHAPES}


QUERY, REST = model("query"), model("rest-json")
EVERYTHING = {
    "Text": "ü\r\n<",
    "Long": 2**40,
    "Ratio": 0.125,
    "Flag": True,
    "Octets": b"\x00\xff",
    "Moment": 1_700_000_000.0,
    "IsoMoment": 1_700_000_001.0,
    "EpochMoment": 1_700_000_002.0,
    "Matrix": [[1, 2], [3]],
    "FlatTexts": ["a", "b"],
    "NamedTexts": ["c"],
    "Names": {"k&": 1},
    "FlatNames": {"l": 2, "m": 3},
    "Tree": {"Name": "root", "Branches": [{"Name": "leaf"}, {"Name": "twig", "Branches": [{"Name": "bud"}]}]},
}


def operation(raw: dict[str, Any], name: str) -> Operation:
    return Service("sts" if raw is QUERY else "chime", Model(raw)).operation(name)


def answered(raw: dict[str, Any], name: str, answer: dict[str, Any]) -> dict[str, Any]:
    http = encode_answer(operation(raw, name), answer, NOBODY, "rid")
    result: dict[str, Any] = plain(parsed(ServiceModel(raw).operation_model(name), http))
    return result


def requested(raw: dict[str, Any], name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    request = request_of(ServiceModel(raw).operation_model(name), parameters)
    inputs: dict[str, str] = {}
    if raw is QUERY:
        from_body = parse_qsl(request.body.decode(), keep_blank_values=True)
        inputs = dict(from_body)
    return plain(operation(raw, name).decode(inputs, {}, request))


@pytest.mark.parametrize("raw", [QUERY, REST], ids=["query", "rest-json"])
def test_everything_there_and_back(raw: dict[str, Any]) -> None:
    assert answered(raw, "Everything", EVERYTHING) == EVERYTHING
    assert requested(raw, "Everything", EVERYTHING) == EVERYTHING


def test_answers_in_headers_and_status() -> None:
    answer = {
        "Status": 203,
        "Header": "x",
        "Count": 5,
        "On": False,
        "When": 1_700_000_000.0,
        "Since": 1_700_000_001.5,
        "Text": "y",
    }
    http = encode_answer(operation(REST, "Located"), answer, NOBODY, "rid")
    assert http.status == 203
    assert http.body == b'{"Text":"y"}'
    assert answered(REST, "Located", answer) == answer
    with pytest.raises(TypeError):
        encode_answer(operation(REST, "Located"), {"Header": "a\r\nb: c"}, NOBODY, "rid")
    with pytest.raises(TypeError):
        encode_answer(operation(REST, "Located"), {"Nothing": "a"}, NOBODY, "rid")


def test_requests_in_headers() -> None:
    given = {"Header": "x", "Count": 5, "On": False, "When": 1_700_000_000.0, "Since": 1_700_000_001.0, "Text": "y"}
    assert requested(REST, "Located", given) == given


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Prefixed", {"Meta": {"a": "1"}, "Body": b"octets"}),
        ("WithTree", {"Tree": EVERYTHING["Tree"]}),
        ("WithText", {"Words": "plain ü"}),
    ],
)
def test_payloads(name: str, value: dict[str, Any]) -> None:
    found = answered(REST, name, value)
    # Botocore takes the body of a payload that is no stream for text, whatever its shape.
    assert found == {n: v.decode() if isinstance(v, bytes) else v for n, v in value.items()}
    assert requested(REST, name, {n: v for n, v in value.items() if n != "Meta"}) == {
        n: v for n, v in value.items() if n != "Meta"
    }


def test_constraints_of_nested_and_recursive_shapes() -> None:
    everything = operation(QUERY, "Everything")
    leaf = {"Name": ""}
    check_constraints(everything, EVERYTHING)
    with pytest.raises(AwsError, match=r"'tree\.branches\.1\.member\.branches\.2\.member\.name' failed .* not be null"):
        check_constraints(everything, {"Tree": {"Name": "", "Branches": [{"Name": "", "Branches": [leaf, {}]}]}})
    with pytest.raises(AwsError, match=r"'\[0\]' at 'matrix\.2\.member' failed .*\[Member must have value greater"):
        check_constraints(everything, {"Matrix": [[1], [0]]})
    with pytest.raises(AwsError, match=r"Value null at 'matrix\.1\.member'"):
        check_constraints(everything, {"Matrix": [None]})
    with pytest.raises(AwsError, match=r"Value '\{k=0\}' at 'names' failed .* Map value must satisfy constraint"):
        check_constraints(everything, {"Names": {"k": 0}})
