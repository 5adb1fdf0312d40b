"""No sensitive member of any operation's request ever reaches the decision log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from logged_worlds import keep_log

from rolecall.services.catalogue import all_operations
from rolecall.storage import decision_log as store_module

MARK = "Mark7Sensitive"
UNCHECKED = Config(parameter_validation=False)


def sensitive_operations() -> Iterator[tuple[str, str]]:
    for registered in all_operations():
        shape = _model(registered.service).operation_model(registered.name).input_shape
        if shape is not None and _holds_sensitive(shape, ()):
            yield registered.service, registered.name


def _model(service: str) -> ServiceModel:
    if service not in _models:
        _models[service] = ServiceModel(Loader().load_service_model(service, "service-2"), service)
    return _models[service]


_models: dict[str, ServiceModel] = {}


def _holds_sensitive(shape: Shape, above: tuple[str, ...]) -> bool:
    if shape.name in above:
        return False
    return bool(shape.metadata.get("sensitive")) or any(
        _holds_sensitive(inner, (*above, shape.name)) for inner in _inner(shape)
    )


def _inner(shape: Shape) -> list[Shape]:
    if shape.type_name == "structure":
        return list(shape.members.values())
    if shape.type_name == "list":
        return [shape.member]
    return [shape.key, shape.value] if shape.type_name == "map" else []


# The model of the Chime SDK marks ARNs and tags as sensitive, the model of Roles Anywhere marks tags. A decision is
# about these very values: its resource, aws:RequestTag and aws:TagKeys. So the log keeps them, as it keeps IAM's tags.
KEPT = {"chime": frozenset({"Arn", "TagKey", "TagValue"}), "rolesanywhere": frozenset({"TagKey", "TagValue"})}


def value_of(shape: Shape, filling: str, above: tuple[str, ...] = (), kept: frozenset[str] = frozenset()) -> Any:
    """A value of the shape. Every sensitive text in it is ``filling``, except in shapes named in ``kept``."""
    if shape.name in above:
        return None
    road = (*above, shape.name)
    if shape.type_name == "structure":
        members = {name: value_of(inner, filling, road, kept) for name, inner in shape.members.items()}
        return {name: value for name, value in members.items() if value is not None}
    if shape.type_name == "list":
        return [value_of(shape.member, filling, road, kept)]
    if shape.type_name == "map":
        return {value_of(shape.key, filling, road, kept): value_of(shape.value, filling, road, kept)}
    if shape.type_name == "string":
        if shape.metadata.get("sensitive") and shape.name not in kept:
            return filling
        return shape.metadata.get("enum", ["abcd"])[0]
    return {"integer": 900, "long": 900, "boolean": True}.get(shape.type_name)


# As a value that many rules accept, as an address, as a far too long text, and with characters allowed nowhere.
FILLINGS = [MARK, f"{MARK}@example.com", MARK * 3000, f"{MARK}\u0001 @@"]


def test_there_is_something_to_test() -> None:
    found = list(sensitive_operations())
    assert ("chime", "CreateUser") in found
    assert ("chime", "InviteUsers") in found


@pytest.mark.parametrize(("service", "operation"), list(sensitive_operations()))
def test_sensitive_members_are_nowhere_in_the_log(service: str, operation: str, world: Any, tmp_path: Path) -> None:
    log = keep_log(world, f"sqlite:///{tmp_path / 'rolecall.db'}")
    model = _model(service).operation_model(operation)
    shape = model.input_shape
    assert shape is not None
    account_id = world.client("chime").list_accounts()["Accounts"][0]["AccountId"]
    calls = 0
    clients = [world.client(service, user, config=UNCHECKED) for user in ("admin", "developer")]
    for filling in FILLINGS:
        for client in clients:
            kept = KEPT.get("chime" if service.startswith("chime-sdk-") else service, frozenset())
            parameters = value_of(shape, filling, kept=kept)
            if "AccountId" in parameters:
                parameters["AccountId"] = account_id
            for given in (parameters, {name: value for name, value in parameters.items() if name in _needed(shape)}):
                calls += 1
                # A second time, so that existing things refuse it.
                for _ in range(2):
                    try:
                        client._make_api_call(operation, given)
                    except ClientError as error:
                        assert error.response["Error"]["Code"] != "InternalFailure"  # noqa: PT017
    log.close()
    written = b"".join(file.read_bytes() for file in tmp_path.glob("rolecall-decisions.db*"))
    store = store_module.DecisionStore(str(tmp_path / "rolecall-decisions.db"))
    with store._reading() as driver:
        assert driver.execute("SELECT count(*) FROM calls").fetchone()[0] >= 2 * calls
        unpacked = [store_module._unpacked(row[0]) for row in driver.execute("SELECT explanation FROM refusals")]
        unpacked += [store_module._unpacked(row[0]) for row in driver.execute("SELECT document FROM policies")]
    store.close()
    assert MARK.encode() not in written
    assert [text for text in unpacked if MARK in text] == []


def test_a_phone_number_is_nowhere_in_the_log_of_the_voice_service(world: Any, tmp_path: Path) -> None:
    log = keep_log(world, f"sqlite:///{tmp_path / 'rolecall.db'}")
    voice = world.client("chime-sdk-voice", config=UNCHECKED)
    number = {"PhoneNumberId": "+12065550100"}
    voice.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=[number["PhoneNumberId"]])
    refused = [("DeletePhoneNumber", number)]
    refused += [("RestorePhoneNumber", number), ("GetPhoneNumber", {"PhoneNumberId": "+12065550101"})]
    messages = []
    for operation, given in refused:
        with pytest.raises(ClientError) as caught:
            voice._make_api_call(operation, given)
        messages.append(caught.value.response["Error"]["Message"])
    assert messages == [
        "The phone number cannot be used: its status is AcquireInProgress.",
        "The phone number is not in the deletion queue.",
        "The phone number was not found.",
    ]
    world.clock.advance(5)
    assert voice.get_phone_number(**number)["PhoneNumber"]["Status"] == "Unassigned"
    voice.delete_phone_number(**number)
    log.close()
    written = b"".join(file.read_bytes() for file in tmp_path.glob("rolecall-decisions.db*"))
    assert b"phone number was not found" in written
    assert b"206555010" not in written


def _needed(shape: Shape) -> set[str]:
    return {*shape.required_members, *(name for name, inner in shape.members.items() if _holds_sensitive(inner, ()))}


def test_no_secret_of_an_answer_is_in_the_log(world: Any, tmp_path: Path) -> None:
    log = keep_log(world, f"sqlite:///{tmp_path / 'rolecall.db'}")
    iam, sts = world.client("iam"), world.client("sts")
    key = iam.create_access_key(UserName="developer")["AccessKey"]
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    session = sts.get_session_token()["Credentials"]
    federated = sts.get_federation_token(Name="guest")["Credentials"]
    assumed = world.assume("chime-reader")
    iam.create_login_profile(UserName="developer", Password="Correct-Horse-7-Battery")
    log.close()
    written = b"".join(file.read_bytes() for file in tmp_path.glob("rolecall-decisions.db*"))
    secrets = [key["SecretAccessKey"], device["Base32StringSeed"].decode(), "Correct-Horse-7-Battery"]
    for credentials in (session, federated, assumed):
        secrets += [credentials["SecretAccessKey"], credentials["SessionToken"]]
    assert [secret for secret in secrets if secret.encode() in written] == []
    assert key["AccessKeyId"].encode() in written
    assert assumed["AccessKeyId"].encode() in written


@pytest.mark.parametrize("code", ["918273 ", "918273' at 'x'\n918273", "Value '918273"])
@pytest.mark.parametrize("serial_number", ["x", "arn:aws:iam::111122223333:mfa/x"])
def test_a_one_time_code_is_nowhere_in_a_log(
    code: str, serial_number: str, world: Any, caplog: pytest.LogCaptureFixture
) -> None:
    log = keep_log(world)
    client = world.client("sts", config=UNCHECKED)
    with caplog.at_level("INFO", "rolecall.gateway"), pytest.raises(ClientError) as caught:
        client.get_session_token(SerialNumber=serial_number, TokenCode=code)
    # AWS shows it to the caller, who sent it: STS's model does not mark codes as sensitive.
    assert "918273" in caught.value.response["Error"]["Message"]
    logged = log.call(caught.value.response["ResponseMetadata"]["RequestId"])
    log.close()
    assert logged is not None
    # A random id, the time and the duration may hold any digits.
    shown = str(logged._replace(request_id="", received_at_seconds=0.0, at_seconds=0.0, latency_seconds=0.0))
    assert "failed to satisfy constraint" in shown
    assert "918273" not in shown
    assert "918273" not in caplog.text.replace(logged.request_id, "")
