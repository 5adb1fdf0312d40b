"""A sandbox with an Enterprise and a Team account of Chime, somebody without permissions, and another AWS account."""

from __future__ import annotations

import json
from typing import Any

ENTERPRISE = "11111111-1111-4111-8111-111111111111"
TEAM = "22222222-2222-4222-8222-222222222222"
ANA, BEN = "33333333-3333-4333-8333-333333333331", "33333333-3333-4333-8333-333333333332"
OTHERS = "44444444-4444-4444-8444-444444444444"
FIRST, SECOND = "111122223333", "444455556666"
_ALL = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def _user(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "access_keys": [{"id": f"{name}_key", "secret": f"{name}-secret"}], **more}


def _member(user_id: str, name: str) -> dict[str, Any]:
    return {"id": user_id, "email": f"{name}@example.com"}


CHIME_WORLD = json.dumps(
    {
        "version": 1,
        "accounts": [
            {
                "id": FIRST,
                "users": [_user("admin", inline_policies={"own": _ALL}), _user("limited")],
                "chime_accounts": [
                    {
                        "id": ENTERPRISE,
                        "name": "Enterprise",
                        "type": "EnterpriseLWA",
                        "users": [_member(ANA, "ana"), _member(BEN, "ben")],
                    },
                    {"id": TEAM, "name": "Team"},
                ],
            },
            {
                "id": SECOND,
                "users": [_user("stranger", inline_policies={"own": _ALL})],
                "chime_accounts": [{"id": OTHERS, "name": "Others", "type": "EnterpriseLWA"}],
            },
        ],
    }
)
