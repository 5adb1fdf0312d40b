"""What the store of policies reads for everybody at once is what it reads one by one."""

from __future__ import annotations

from typing import Any

import full_world
import pytest
from world_handle import WorldHandle, known_world

from rolecall.access.policies import Authority, PolicyStore
from rolecall.policy import CompiledPolicies
from rolecall.storage import gather
from rolecall.storage.roles import list_roles
from rolecall.storage.users import list_users


@pytest.fixture(scope="module")
def filled() -> Any:
    handle = WorldHandle(known_world(full_world.declared_text()))
    full_world.fill(handle)
    yield handle
    handle.close()


def described(compiled: CompiledPolicies | None) -> Any:
    if compiled is None:
        return None
    return [(each.name, each.arn, each.group, each.policy.text) for each in compiled.policies]


def of_authority(found: Authority | None) -> Any:
    assert found is not None
    layers = [described(found.identity), described(found.boundary), [described(each) for each in found.scps]]
    return found.entity, layers, found.organization_id, found.organization_path


def test_everybody_has_the_same_rights(filled: Any) -> None:
    at_once, one_by_one = PolicyStore(1), PolicyStore(1)
    with filled.database.snapshot() as connection:
        at_once.read_authorities(connection)
        at_once.read_trusts(connection)
        accounts = gather.account_names(connection)
        # Nobody in a closed account has rights any more.
        open_accounts = [each for each in accounts if not one_by_one.membership(connection, each).closed]
        assert len(open_accounts) > 1
        users = [user for each in open_accounts for user in list_users(connection, each)]
        roles = [role for each in open_accounts for role in list_roles(connection, each)]
        singly = [of_authority(one_by_one.user(connection, each.user_id)) for each in users]
        singly += [of_authority(one_by_one.role(connection, each.role_id)) for each in roles]
        trusts = [one_by_one.trust(connection, each.arn) for each in roles]
    # No connection: everything is there already.
    nothing: Any = None
    assert [
        *(of_authority(at_once.user(nothing, each.user_id)) for each in users),
        *(of_authority(at_once.role(nothing, each.role_id)) for each in roles),
    ] == singly
    assert any(group for _, [identity, *_], *_ in singly for *_, group, _ in identity)
    for role, trust in zip(roles, trusts, strict=True):
        known = at_once.trust(nothing, role.arn)
        assert known is not None
        assert trust is not None
        assert (known.role, described(known.policy)) == (trust.role, described(trust.policy))
