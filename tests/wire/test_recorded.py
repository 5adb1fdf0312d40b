"""Which parameters and answers may be recorded, for every operation of every model: never a secret."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from rolecall.wire import SERVICES, load_service
from rolecall.wire.recorded import HIDDEN, spoken_time

SECRET, PLAIN = "Mark7Secret", "Mark7Plain"
# By name, whatever the installed model marks. Not secret: modes, ids, paging, lengths and idempotency tokens.
SECRET_NAME = re.compile(
    r"(SecretAccessKey|SessionToken|WebIdentityToken|TradeInToken|SAMLAssertion|ContextAssertion|TokenCode"
    r"|AuthenticationCode\d|(Old|New|Service)?Password|(Add)?PrivateKey|ServiceCredentialSecret|Base32StringSeed"
    r"|QRCodePNG|(En|De)codedMessage|PersonalPIN|JoinToken|SecurityToken)"
)
OPERATIONS = [(service, name) for service in SERVICES for name in sorted(load_service(service).operation_names)]


def filled(shape: Any, secret: bool = False, above: tuple[str, ...] = ()) -> Any:
    """A value whose secret texts are ``SECRET`` and whose other texts are ``PLAIN``."""
    secret = secret or shape.sensitive
    if shape.name in above:
        return None
    road = (*above, shape.name)
    if shape.type == "structure":
        return {
            name: filled(member.shape, secret or SECRET_NAME.fullmatch(name) is not None, road)
            for name, member in shape.members.items()
        }
    if shape.type == "list":
        return [filled(shape.part("member").shape, secret, road)]
    if shape.type == "map":
        key = filled(shape.part("key").shape, secret, road)
        return {key: filled(shape.part("value").shape, secret, road)}
    text = SECRET if secret else PLAIN
    values = {"integer": 7, "long": 7, "float": 0.5, "double": 0.5, "boolean": True, "timestamp": 0.0}
    return values.get(shape.type, text.encode() if shape.type == "blob" else text)


def shapes(service: str, name: str) -> tuple[Any, Any]:
    model = load_service(service)._model
    raw = model.operations[name]
    return tuple(model.shape(raw[side]["shape"]) if side in raw else None for side in ("input", "output"))


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_nothing_secret_is_recorded(service: str, name: str) -> None:
    recorder = load_service(service).operation(name).recorder
    for shape, record in zip(shapes(service, name), (recorder.parameters, recorder.answer), strict=True):
        if shape is None or record is None:
            continue
        # Blobs are written as base64.
        text = record(filled(shape))
        assert isinstance(json.loads(text), dict)
        assert SECRET not in text
        assert "TWFyazdTZWNyZXQ=" not in text


def test_there_is_something_to_hide_and_something_to_tell() -> None:
    hidden = [(s, n) for s, n in OPERATIONS for shape in shapes(s, n) if shape and SECRET in str(filled(shape))]
    assert {("sts", "AssumeRole"), ("iam", "CreateAccessKey"), ("chime", "InviteUsers")} <= set(hidden)
    assert len(hidden) > 60


def recorded(service: str, name: str, **parameters: Any) -> Any:
    return json.loads(load_service(service).operation(name).recorder.parameters(parameters))


def test_names_begin_small_and_keys_of_people_stay() -> None:
    asked = recorded("sts", "AssumeRole", RoleArn="r", Tags=[{"Key": "K", "Value": "V"}], PolicyArns=[{"arn": "a"}])
    assert asked == {"roleArn": "r", "tags": [{"key": "K", "value": "V"}], "policyArns": [{"arn": "a"}]}
    assert recorded("iam", "CreateOpenIDConnectProvider", Url="u", ClientIDList=["c"]) == {
        "url": "u",
        "clientIDList": ["c"],
    }
    assert recorded("iam", "DeleteSSHPublicKey", SSHPublicKeyId="k") == {"sSHPublicKeyId": "k"}


def test_iam_and_sts_leave_out_what_others_hide() -> None:
    assert recorded("iam", "CreateLoginProfile", UserName="u", Password="p") == {"userName": "u"}
    assert recorded("sts", "GetSessionToken", SerialNumber="s", TokenCode="123456") == {"serialNumber": "s"}
    assert recorded("chime", "UpdateUser", AccountId="a") == {"accountId": "a"}
    assert recorded("chime", "InviteUsers", UserEmailList=["a", "b"]) == {"userEmailList": [HIDDEN, HIDDEN]}


def test_a_session_token_is_hidden() -> None:
    answer = load_service("sts").operation("AssumeRole").recorder.answer
    assert answer is not None
    credentials = {"AccessKeyId": "k", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": 0.0}
    assert json.loads(answer({"Credentials": credentials, "SourceIdentity": None})) == {
        "credentials": {"accessKeyId": "k", "sessionToken": HIDDEN, "expiration": "Jan 1, 1970 12:00:00 AM"}
    }


@pytest.mark.parametrize(
    ("service", "name", "expected"),
    [
        ("sts", "AssumeRole", True),
        ("sts", "GetSessionToken", True),
        ("sts", "GetFederationToken", True),
        ("sts", "GetCallerIdentity", False),
        ("iam", "CreateUser", True),
        ("iam", "ListUsers", False),
        ("chime", "GetUser", False),
    ],
)
def test_answers_of_what_only_reads_are_not_recorded(service: str, name: str, expected: bool) -> None:
    assert (load_service(service).operation(name).recorder.answer is not None) is expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1722519741, "Aug 1, 2024 1:42:21 PM"),
        (1722470400, "Aug 1, 2024 12:00:00 AM"),
        (1722513600, "Aug 1, 2024 12:00:00 PM"),
        (1735689599.9, "Dec 31, 2024 11:59:59 PM"),
        (253_370_764_800, "Jan 1, 9999 12:00:00 AM"),
    ],
)
def test_times_are_written_as_people_do(seconds: float, text: str) -> None:
    assert spoken_time(seconds) == text


def test_errors_are_known_by_their_exceptions() -> None:
    assert load_service("iam").operation("GetRole").recorder.error_names["NoSuchEntity"] == "NoSuchEntityException"
    assert "ExpiredTokenException" not in load_service("sts").operation("AssumeRole").recorder.error_names
