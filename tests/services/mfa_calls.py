"""Shared by the tests of MFA: an authenticator that runs on the sandbox's clock."""

from __future__ import annotations

from typing import Any

from rolecall.sessions.one_time_codes import current_code

STEP_SECONDS = 30


class Authenticator:
    """Shows the codes of one device, as an app on a user's phone does."""

    def __init__(self, clock: Any, serial_number: str, seed: str) -> None:
        self.clock = clock
        self.serial_number = serial_number
        self.seed = seed

    def code(self, steps: int = 0) -> str:
        """The present code, or the code so many steps later."""
        return current_code(self.seed, self.clock.now_seconds() + STEP_SECONDS * steps)

    def pair(self) -> dict[str, str]:
        """The codes of the previous step and of this one."""
        return {"AuthenticationCode1": self.code(-1), "AuthenticationCode2": self.code()}

    def wrong(self) -> str:
        """A code that this device does not show for a while."""
        near = {self.code(steps) for steps in range(-3, 4)}
        return next(code for code in (f"{number:06}" for number in range(10)) if code not in near)

    def proof(self, steps: int = 0) -> dict[str, str]:
        """The parameters of AssumeRole and GetSessionToken."""
        return {"SerialNumber": self.serial_number, "TokenCode": self.code(steps)}


def new_device(world: Any, iam: Any, name: str = "phone", **arguments: Any) -> Authenticator:
    """A device made through the API, without a user. The clock stands still afterwards; ``advance`` moves it."""
    if not world.clock.frozen:
        world.clock.freeze()
    made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name, **arguments)["VirtualMFADevice"]
    return at_distinct_codes(Authenticator(world.clock, made["SerialNumber"], made["Base32StringSeed"].decode()))


def at_distinct_codes(device: Authenticator) -> Authenticator:
    """The device at a time when neighbouring steps have different codes: with a million codes, two may be the same."""
    around = range(-4, 20)
    while len({device.code(steps) for steps in around}) < len(around):
        device.clock.advance(STEP_SECONDS)
    return device


def enabled_device(world: Any, iam: Any, user: str, name: str = "phone") -> Authenticator:
    """A user's device whose codes up to this step are used up, and the clock at the next step."""
    device = new_device(world, iam, name)
    iam.enable_mfa_device(UserName=user, SerialNumber=device.serial_number, **device.pair())
    world.clock.advance(STEP_SECONDS)
    return device
