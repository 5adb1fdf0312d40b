"""The codes of MFA devices, as Rolecall shows them to users without an authenticator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rolecall import Rolecall
from rolecall.identity_providers.mfa_codes import NoCodeError
from rolecall.sessions.one_time_codes import codes_from

STEP_SECONDS = 30

PHONE = "arn:aws:iam::111122223333:mfa/phone"
DEVICES = """
version: 1
accounts:
  - id: "111122223333"
    root_access_keys: [{id: root_key, secret: root_secret}]
    users:
      - name: ana
        access_keys: [{id: ana_key, secret: ana_secret}]
        mfa_devices:
          - {name: phone, seed: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}
          - {name: both, seed: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}
  - id: "444455556666"
    users:
      - name: kim
        mfa_devices: [{name: both, seed: JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP}]
"""


@pytest.fixture
def sandbox() -> Iterator[Rolecall]:
    with Rolecall(config=DEVICES) as made:
        # RFC 6238's first example that is a whole step, and 20 seconds more.
        made.clock.set(1_111_111_140 + 20)
        made.clock.freeze()
        yield made


def session(sandbox: Rolecall, code: str, serial_number: str = PHONE) -> Any:
    sts = sandbox.client("sts", user="ana")
    return sts.get_session_token(SerialNumber=serial_number, TokenCode=code)["Credentials"]


def test_a_code_is_accepted_and_the_next_one_is_another(sandbox: Rolecall) -> None:
    first = sandbox.mfa_code("phone")
    assert first == sandbox.mfa_code(PHONE)
    session(sandbox, first)
    second = sandbox.mfa_code("phone")
    assert second != first
    session(sandbox, second)
    with pytest.raises(NoCodeError, match=r"every code of arn:aws:iam::111122223333:mfa/phone .* by 10 s, or wait"):
        sandbox.mfa_code("phone")
    sandbox.clock.advance(9)
    with pytest.raises(NoCodeError, match="by 1 s"):
        sandbox.mfa_code("phone")
    sandbox.clock.advance(1)
    session(sandbox, sandbox.mfa_code("phone"))


def test_a_clock_that_went_back_shows_no_code_until_it_is_there_again(sandbox: Rolecall) -> None:
    session(sandbox, sandbox.mfa_code("phone"))
    sandbox.clock.advance(hours=-1)
    with pytest.raises(NoCodeError, match="by 3580 s"):
        sandbox.mfa_code("phone")


def test_a_pair_enables_a_device_and_its_codes_are_not_shown_again(sandbox: Rolecall) -> None:
    root = sandbox.client("iam", user="root")
    made = root.create_virtual_mfa_device(VirtualMFADeviceName="tablet", Path="/of/ana/")["VirtualMFADevice"]
    seed = made["Base32StringSeed"].decode()
    serial_number = "arn:aws:iam::111122223333:mfa/of/ana/tablet"
    with sandbox.as_user("root"):
        iam = sandbox.client("iam")
        iam.deactivate_mfa_device(UserName="ana", SerialNumber=PHONE)
        first, second = sandbox.mfa_code_pair("tablet")
        codes = {"AuthenticationCode1": first, "AuthenticationCode2": second}
        iam.enable_mfa_device(UserName="ana", SerialNumber=serial_number, **codes)
    step = int(sandbox.clock.now.timestamp()) // STEP_SECONDS
    assert (first, second, sandbox.mfa_code("tablet")) == codes_from(seed, step - 1, 3)
    session(sandbox, sandbox.mfa_code("tablet"), serial_number)


@pytest.mark.parametrize(
    ("device", "problem"),
    [
        ("both", r"several .* arn:aws:iam::111122223333:mfa/both, arn:aws:iam::444455556666:mfa/both"),
        ("arn:aws:iam::444455556666:mfa/phone", "there is no virtual MFA device arn:aws:iam::444455556666:mfa/phone"),
        ("hone", "there is no virtual MFA device hone"),
        ("%", "there is no virtual MFA device %"),
        ("", "there is no virtual MFA device"),
    ],
)
def test_a_device_that_is_not_the_one(sandbox: Rolecall, device: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        sandbox.mfa_code(device)
    with pytest.raises(ValueError, match=problem):
        sandbox.mfa_code_pair(device)


def test_over_http(world: Any) -> None:
    world.clock.freeze()
    made = world.client("iam").create_virtual_mfa_device(VirtualMFADeviceName="phone")["VirtualMFADevice"]
    browser = world.application.test_client()
    answer = browser.get("/_rolecall/mfa-codes", query_string={"device": "phone"})
    assert answer.status_code == 200
    shown = answer.json
    codes = {"AuthenticationCode1": shown["pair"][0], "AuthenticationCode2": shown["pair"][1]}
    world.client("iam").enable_mfa_device(UserName="admin", SerialNumber=made["SerialNumber"], **codes)
    assert shown["code"] == shown["pair"][1]
    for query in ("", "device=", "device=phone&device=phone", "device=phone&count=2"):
        refused = browser.get(f"/_rolecall/mfa-codes?{query}")
        assert (refused.status_code, "must have one parameter" in refused.json["message"]) == (400, True)
    unknown = browser.get("/_rolecall/mfa-codes?device=tablet")
    assert (unknown.status_code, "no virtual MFA device tablet" in unknown.json["message"]) == (400, True)
