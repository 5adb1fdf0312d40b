"""The callers that the policy tests name, and layers made from the documents in case files."""

from __future__ import annotations

import json
from typing import Any

from rolecall.policy import CompiledPolicies, Layers, NamedPolicy, PolicyKind, Question, compile_policies, kept_policy
from rolecall.principals import Principal

ACCOUNT = "111122223333"
OTHER_ACCOUNT = "444455556666"


def _user(account_id: str, name: str, entity_id: str) -> Principal:
    arn = f"arn:aws:iam::{account_id}:user/{name}"
    return Principal("User", account_id, arn, arn, entity_id, entity_id, name)


def _session(account_id: str, path: str, name: str, session: str, entity_id: str) -> Principal:
    return Principal(
        "AssumedRole",
        account_id,
        f"arn:aws:sts::{account_id}:assumed-role/{name}/{session}",
        f"arn:aws:iam::{account_id}:role{path}{name}",
        f"{entity_id}:{session}",
        entity_id,
        name,
    )


def _root(account_id: str) -> Principal:
    arn = f"arn:aws:iam::{account_id}:root"
    return Principal("Account", account_id, arn, arn, account_id, account_id, "")


_ANA = _user(ACCOUNT, "ana", "AIDAUSERANAEXAMPLE123")
_FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/fred"
_SERVICE = "voiceconnector.chime.amazonaws.com"
PRINCIPALS: dict[str, Principal] = {
    "user": _ANA,
    "user_session": _ANA,
    "role_session": _session(ACCOUNT, "/team/", "reader", "s1", "AROAREADEREXAMPLE1234"),
    "federated": Principal(
        "FederatedUser", ACCOUNT, _FEDERATED, _FEDERATED, f"{ACCOUNT}:fred", "AIDAUSERANAEXAMPLE123", "fred"
    ),
    "root": _root(ACCOUNT),
    "service": Principal("Service", "", _SERVICE, _SERVICE, _SERVICE, _SERVICE, _SERVICE),
    "other_user": _user(OTHER_ACCOUNT, "olga", "AIDAUSEROLGAEXAMPLE12"),
    "other_session": _session(OTHER_ACCOUNT, "/", "worker", "w1", "AROAWORKEREXAMPLE1234"),
    "other_root": _root(OTHER_ACCOUNT),
}


def compiled(documents: list[Any], kind: PolicyKind, principal_ids: dict[str, str] | None = None) -> CompiledPolicies:
    """A layer of documents; one under ``document`` beside an ``arn`` is a managed policy."""
    named = []
    for index, document in enumerate(documents):
        arn = document.get("arn", "")
        text = json.dumps(document["document"] if arn else document)
        # As stored ones: some cases use documents that IAM would not save today.
        policy = kept_policy(text, kind)
        assert policy.text == text, "cannot be read"
        named.append(NamedPolicy(policy, f"{kind.value}-{index}", arn))
    return compile_policies(named, kind, principal_ids=principal_ids)


def layers(case: dict[str, Any]) -> Layers:
    written = case["policies"]
    principal_ids = case.get("principal_ids")

    def single(name: str, kind: PolicyKind) -> CompiledPolicies | None:
        return compiled(written[name], kind, principal_ids) if name in written else None

    resource = single("trust", PolicyKind.TRUST) or single("resource", PolicyKind.RESOURCE)
    return Layers(
        identity=single("identity", PolicyKind.IDENTITY),
        boundary=single("boundary", PolicyKind.BOUNDARY),
        session=single("session", PolicyKind.SESSION),
        session_policy_required=case.get("session_policy_required", False),
        scps=tuple(compiled(level, PolicyKind.SCP) for level in written.get("scps", ())),
        rcps=tuple(compiled(level, PolicyKind.RCP) for level in written.get("rcps", ())),
        resource=resource,
        delegation=tuple(compiled(each, PolicyKind.SESSION) for each in written.get("delegation", ())),
        scope_down=tuple(compiled(each, PolicyKind.SCOPE_DOWN) for each in written.get("scope_down", ())),
    )


def question(case: dict[str, Any]) -> Question:
    principal = PRINCIPALS[case["principal"]] if case["principal"] else None
    context = {
        key: tuple(value) if isinstance(value, list) else value for key, value in case.get("context", {}).items()
    }
    return Question(
        action=case["action"],
        resource=case["resource"],
        context=context,
        principal=principal,
        session=None,
        resource_account_id=case.get("resource_account_id", "" if principal is None else principal.account_id),
        federated_provider=case.get("federated_provider", ""),
    )
