"""Tables as files, and the loaders that turn them into frozen records.

Owned here: the AWS managed policies, the service-linked roles, the role templates, the action tables with their
resource types and condition keys, the quotas, the SAML attributes that become condition keys, the services that
resource control policies apply to, the operations of STS that a kind of credentials may call, the phone numbers that
can be ordered. Each table is a folder beside this file with its own README: source, date, how to refresh. Importing
this room reads only the small quota table. The rest is read on first use and kept in bounded caches.

Not here: what a policy means (policy), which operations exist on the wire (wire), what is stored for an account
(storage). This room imports nothing else of the product and never writes.
"""

from rolecall.data.action_table import Action, actions, given_on_arns, global_condition_keys, optional_dependencies
from rolecall.data.control_policy_table import without_resource_control
from rolecall.data.credential_kind_table import credential_kinds
from rolecall.data.managed_policy_table import ManagedPolicy, managed_policies, managed_policy, managed_policy_document
from rolecall.data.phone_number_table import NumberRange, number_ranges, range_of
from rolecall.data.quota_table import QUOTA_FIELDS, QUOTAS, RAISED_QUOTAS, Quotas, changed_quotas, quotas_with
from rolecall.data.reference_table import (
    ResourceType,
    condition_keys,
    resource_types,
    service_names,
    service_prefixes,
)
from rolecall.data.resource_member_table import ResourceMembers, resource_members
from rolecall.data.role_template_table import RoleTemplate, role_template
from rolecall.data.saml_attribute_table import SamlAttribute, saml_attributes
from rolecall.data.service_linked_role_table import ServiceLinkedRole, service_linked_roles
from rolecall.data.state_table import UnitedStatesState, states
from rolecall.data.web_identity_table import issuer_claims

__all__ = [
    "QUOTAS",
    "QUOTA_FIELDS",
    "RAISED_QUOTAS",
    "Action",
    "ManagedPolicy",
    "NumberRange",
    "Quotas",
    "ResourceMembers",
    "ResourceType",
    "RoleTemplate",
    "SamlAttribute",
    "ServiceLinkedRole",
    "UnitedStatesState",
    "actions",
    "changed_quotas",
    "condition_keys",
    "credential_kinds",
    "given_on_arns",
    "global_condition_keys",
    "issuer_claims",
    "managed_policies",
    "managed_policy",
    "managed_policy_document",
    "number_ranges",
    "optional_dependencies",
    "quotas_with",
    "range_of",
    "resource_members",
    "resource_types",
    "role_template",
    "saml_attributes",
    "service_linked_roles",
    "service_names",
    "service_prefixes",
    "states",
    "without_resource_control",
]
