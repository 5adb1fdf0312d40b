"""Shapes that the protocols allow and today's models of the served services do not use. A newer model may."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from botocore.model import ServiceModel
from wire_samples import parsed, plain, request_of

from rolecall.errors import AwsError
from rolecall.http import HttpRequest
from rolecall.wire import check_constraints, encode_answer
from rolecall.wire.models import Model
from rolecall.wire.services import Operation, Service

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
    # Botocore reads the body of a payload that is no stream as text, whatever its shape.
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


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("Flag", '"true"'),
        ("Flag", "1"),
        ("Long", "true"),
        ("Long", "1.0"),
        ("Long", str(2**63)),
        ("Long", '"1"'),
        ("Ratio", '"1"'),
        ("Ratio", "1e999"),
        ("Ratio", "false"),
        ("Octets", '"?"'),
        ("Octets", '"ü"'),
        ("Octets", "5"),
        ("Moment", '"yesterday"'),
        ("Moment", "1e18"),
        ("Moment", "true"),
        ("Matrix", '"x"'),
        ("Matrix", "{}"),
        ("Matrix", "[5]"),
        ("Names", "[]"),
        ("Names", "5"),
        ("Names", '{"a": "b"}'),
        ("Names", '{"\\u0000": 1}'),
        ("TheTree", "[]"),
        ("TheTree", "false"),
        ("TheTree", '{"Branches": [7]}'),
    ],
)
def test_json_values_of_the_wrong_type_are_refused(member: str, value: str) -> None:
    request = HttpRequest("POST", "/Everything", "", {}, f'{{"{member}": {value}}}'.encode())
    with pytest.raises(AwsError) as caught:
        operation(REST, "Everything").decode({}, {}, request)
    assert caught.value.code == "MalformedInput"


@pytest.mark.parametrize(
    "parameters",
    [
        {"Flag": "yes"},
        {"Ratio": "x"},
        {"Ratio": "1e999"},
        {"Octets": "?"},
        {"Moment": "yesterday"},
        {"Moment": "9" * 20},
        {"Moment": "2026-13-01T00:00:00Z"},
        {"Names.entry.1": "x"},
        {"Names.entry.1.value": "x"},
        {"Names.entry.1.key": "a", "Names.entry.2.key": "a"},
        {"Matrix.member.1.member.1.x": "1"},
        {"TheTree": "x"},
        {"TheTree.Name.x": "1"},
        {"TheTree.Branches.member.1": "x"},
    ],
)
def test_parameters_of_the_wrong_form_are_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(AwsError) as caught:
        operation(QUERY, "Everything").decode(parameters, {}, NOBODY)
    assert caught.value.code == "MalformedInput"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2023-11-14T22:13:20Z", 1_700_000_000.0),
        ("2023-11-14T22:13:20.250Z", 1_700_000_000.25),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000.0),
        ("2023-11-14T22:13:20", 1_700_000_000.0),
        ("Tue, 14 Nov 2023 22:13:20 GMT", 1_700_000_000.0),
        ("1700000000", 1_700_000_000.0),
        ("1700000000.5", 1_700_000_000.5),
    ],
)
def test_times_are_read_in_the_forms_aws_reads(text: str, seconds: float) -> None:
    assert operation(QUERY, "Everything").decode({"Moment": text}, {}, NOBODY) == {"Moment": seconds}


def test_null_elements_are_kept_for_the_constraints_to_name() -> None:
    request = HttpRequest("POST", "/", "", {}, b'{"Matrix": [null, [null]], "Names": {"a": null}, "TheTree": null}')
    parameters = operation(REST, "Everything").decode({}, {}, request)
    assert parameters == {"Matrix": [None, [None]], "Names": {"a": None}}


@pytest.mark.parametrize("raw", [QUERY, REST], ids=["query", "rest-json"])
@pytest.mark.parametrize(
    "answer",
    [{"Flag": 1}, {"Ratio": "1"}, {"Ratio": True}, {"Long": 1.5}, {"Matrix": "x"}, {"Octets": "x"}, {"Tree": {"X": 1}}],
)
def test_answers_of_the_wrong_type_are_refused(raw: dict[str, Any], answer: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        encode_answer(operation(raw, "Everything"), answer, NOBODY, "rid")
