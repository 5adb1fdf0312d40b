"""Fault rules spoil the credentials of the providers that are services of AWS: expired ones, and a wrong secret.

``test_anywhere_sessions.py`` does the same with IAM Roles Anywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import signin_calls
import sso_calls
from attached_worlds import attached_world, own_token
from botocore.exceptions import ClientError

Hand = Callable[[], dict[str, Any]]


def pod(make_world: Any) -> tuple[Any, Hand]:
    admin = {
        "name": "admin",
        "access_keys": [{"id": "test", "secret": "test"}],
        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
    }
    world = make_world(attached_world(users=[admin]))
    asked = {"clusterName": "prod", "token": own_token(world)}
    return world, lambda: world.client("eks-auth").assume_role_for_pod_identity(**asked)["credentials"]


def portal(make_world: Any) -> tuple[Any, Hand]:
    world = make_world(sso_calls.WORLD)
    token = sso_calls.by_device(world, "ana")["accessToken"]
    asked = {"accessToken": token, "roleName": "Developer", "accountId": sso_calls.FIRST}
    return world, lambda: sso_calls.portal(world).get_role_credentials(**asked)["roleCredentials"]


def login(make_world: Any) -> tuple[Any, Hand]:
    world, program = make_world(signin_calls.WORLD), signin_calls.Program()
    token = program.signs_in(world)["refreshToken"]
    return world, lambda: program.refreshes(world, token)["accessToken"]


PROVIDERS = {"eks-auth": pod, "sso": portal, "signin": login}
OPERATIONS = {"eks-auth": "AssumeRoleForPodIdentity", "sso": "GetRoleCredentials", "signin": "CreateOAuth2Token"}


def caller(world: Any, given: dict[str, Any]) -> str:
    credentials = {name[0].upper() + name[1:]: value for name, value in given.items()}
    found: str = world.client("sts", credentials=credentials).get_caller_identity()["Arn"]
    return found


@pytest.mark.parametrize("service", ["eks-auth", "sso", pytest.param("signin", marks=signin_calls.needs_the_model)])
def test_spoilt_credentials(make_world: Any, service: str) -> None:
    world, hand = PROVIDERS[service](make_world)
    faults = world._sandbox.faults
    for kind, code in (("stale_credentials", "ExpiredToken"), ("wrong_credentials", "SignatureDoesNotMatch")):
        rules = ({"service": service}, {"operation": OPERATIONS[service]}, {})
        for rule in rules:
            faults.add(kind=kind, times=1, **rule)
            with pytest.raises(ClientError, match=code):
                caller(world, hand())
            assert caller(world, hand())
            faults.clear()


def test_the_time_of_expired_credentials(make_world: Any) -> None:
    """The client sees that they have expired, as with a stale cache."""
    world, hand = portal(make_world)
    world.clock.freeze()
    world._sandbox.faults.add(kind="stale_credentials", service="sso")
    assert hand()["expiration"] == (int(world.clock.now_seconds()) - 60) * 1000
