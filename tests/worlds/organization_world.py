"""The part of the full world that the operations of Organizations make, and all their answers about it."""

from __future__ import annotations

import json
from typing import Any

TAGS_POLICY = "TAG_POLICY"
_SCP = "SERVICE_CONTROL_POLICY"
_RCP = "RESOURCE_CONTROL_POLICY"
_ALLOWING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
_TAGS = [{"Key": "a", "Value": "b"}, {"Key": "empty", "Value": ""}]


def fill_organization(client: Any, partner: str) -> None:
    """Call every operation that changes something. ``partner`` is a member account, in whose way nothing comes."""
    root = client.list_roots()["Roots"][0]["Id"]
    units = [
        client.create_organizational_unit(ParentId=root, Name=name, Tags=_TAGS)["OrganizationalUnit"]["Id"]
        # Names that a file could take for something else, and a name that occurs twice.
        for name in ("123412341234", "ROOT", "a: b\n", "gone")
    ]
    twin = client.create_organizational_unit(ParentId=units[0], Name="ROOT")["OrganizationalUnit"]["Id"]
    client.update_organizational_unit(OrganizationalUnitId=units[2], Name="- c")
    client.delete_organizational_unit(OrganizationalUnitId=units[3])
    made = client.create_account(Email="new@example.com", AccountName="new", Tags=_TAGS)["CreateAccountStatus"]["Id"]
    client.create_account(Email="new@example.com", AccountName="again")
    new = client.describe_create_account_status(CreateAccountRequestId=made)["CreateAccountStatus"]["AccountId"]
    client.move_account(AccountId=new, SourceParentId=root, DestinationParentId=twin)
    client.close_account(AccountId=new)
    client.enable_policy_type(RootId=root, PolicyType=TAGS_POLICY)
    for kind, content, targets in (
        (_SCP, _ALLOWING, [twin, new, units[1]]),
        (TAGS_POLICY, json.dumps({"tags": {"x": {"tag_key": {"@@assign": "X"}}}}), [root]),
        (_SCP, _ALLOWING, []),
    ):
        name = f"{kind}: {len(targets)}"
        policy = client.create_policy(Content=content, Description="é–ß", Name=name, Type=kind, Tags=_TAGS)
        policy_id = policy["Policy"]["PolicySummary"]["Id"]
        for target in targets:
            client.attach_policy(PolicyId=policy_id, TargetId=target)
    client.update_policy(PolicyId=policy_id, Name="renamed")
    client.detach_policy(PolicyId="p-FullAWSAccess", TargetId=twin)
    client.disable_policy_type(RootId=root, PolicyType=_RCP)
    client.enable_aws_service_access(ServicePrincipal="config.amazonaws.com")
    client.register_delegated_administrator(AccountId=partner, ServicePrincipal="config.amazonaws.com")
    allowed = {"Effect": "Allow", "Principal": {"AWS": partner}, "Action": "organizations:List*", "Resource": "*"}
    client.put_resource_policy(Content=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}), Tags=_TAGS)
    client.tag_resource(ResourceId=root, Tags=_TAGS)


def ask_organization(answers: Any) -> None:
    """Ask every reading operation about everything."""
    for call in (
        "describe_organization",
        "describe_resource_policy",
        "list_aws_service_access_for_organization",
        "list_handshakes_for_account",
        "list_handshakes_for_organization",
    ):
        answers.ask(f"organizations.{call}")
    answers.ask("organizations.describe_handshake", HandshakeId="h-11111111")
    answers.ask("organizations.describe_responsibility_transfer", Id="rt-11111111")
    answers.ask("organizations.list_inbound_responsibility_transfers", Type="BILLING")
    answers.ask("organizations.list_outbound_responsibility_transfers", Type="BILLING")
    for request in answers.each("organizations.list_create_account_status", "CreateAccountStatuses", "Id"):
        answers.ask("organizations.describe_create_account_status", CreateAccountRequestId=request)
    for account in answers.each("organizations.list_delegated_administrators", "DelegatedAdministrators", "Id"):
        answers.ask("organizations.list_delegated_services_for_account", AccountId=account)
    for root in answers.each("organizations.list_roots", "Roots", "Id"):
        _ask_below(answers, root)
    answers.ask("organizations.list_accounts_with_invalid_effective_policy", PolicyType=TAGS_POLICY)
    for account in answers.each("organizations.list_accounts", "Accounts", "Id"):
        answers.ask("organizations.list_effective_policy_validation_errors", AccountId=account, PolicyType=TAGS_POLICY)
        answers.ask("organizations.describe_account", AccountId=account)
        answers.ask("organizations.list_parents", ChildId=account)
        answers.ask("organizations.describe_effective_policy", PolicyType=TAGS_POLICY, TargetId=account)
        _ask_target(answers, account)
    for kind in (_SCP, _RCP, TAGS_POLICY):
        for policy in answers.each("organizations.list_policies", "Policies", "Id", Filter=kind):
            answers.ask("organizations.describe_policy", PolicyId=policy)
            answers.ask("organizations.list_targets_for_policy", PolicyId=policy)
            answers.ask("organizations.list_tags_for_resource", ResourceId=policy)


def _ask_below(answers: Any, parent: str) -> None:
    _ask_target(answers, parent)
    answers.ask("organizations.list_children", ParentId=parent, ChildType="ACCOUNT")
    answers.ask("organizations.list_accounts_for_parent", ParentId=parent)
    units = answers.each(
        "organizations.list_organizational_units_for_parent", "OrganizationalUnits", "Id", ParentId=parent
    )
    for unit in list(units):
        answers.ask("organizations.describe_organizational_unit", OrganizationalUnitId=unit)
        _ask_below(answers, unit)


def _ask_target(answers: Any, target: str) -> None:
    answers.ask("organizations.list_tags_for_resource", ResourceId=target)
    for kind in (_SCP, _RCP, TAGS_POLICY):
        answers.ask("organizations.list_policies_for_target", TargetId=target, Filter=kind)
