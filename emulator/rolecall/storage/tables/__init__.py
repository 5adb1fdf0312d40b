"""The schema: typed tables by noun, with a constraint for every invariant. ``migrations/`` builds it step by step.

Owned here: columns, constraints, and two facts that each table must declare: whether a write may change rights, and how
a snapshot stores the table. Not here: statements, which are in the modules of ``storage``.

Times are seconds since the epoch. ``name_key`` is a name in lower case, because IAM names are unique regardless of
case. Policy documents are stored as the text that was received.
"""

from __future__ import annotations

from rolecall.storage.schema import metadata as metadata
from rolecall.storage.tables.access_reports import access_reports as access_reports
from rolecall.storage.tables.access_reports import account_properties as account_properties
from rolecall.storage.tables.accounts import account_aliases as account_aliases
from rolecall.storage.tables.accounts import account_preferences as account_preferences
from rolecall.storage.tables.accounts import credential_reports as credential_reports
from rolecall.storage.tables.accounts import outbound_federations as outbound_federations
from rolecall.storage.tables.accounts import password_policies as password_policies
from rolecall.storage.tables.attachments import attachments as attachments
from rolecall.storage.tables.chime import chime_accounts as chime_accounts
from rolecall.storage.tables.chime import chime_bots as chime_bots
from rolecall.storage.tables.chime import chime_delegate_groups as chime_delegate_groups
from rolecall.storage.tables.chime import chime_retention_settings as chime_retention_settings
from rolecall.storage.tables.chime import chime_room_memberships as chime_room_memberships
from rolecall.storage.tables.chime import chime_rooms as chime_rooms
from rolecall.storage.tables.chime import chime_users as chime_users
from rolecall.storage.tables.delegation import delegation_requests as delegation_requests
from rolecall.storage.tables.groups import group_attached_policies as group_attached_policies
from rolecall.storage.tables.groups import group_inline_policies as group_inline_policies
from rolecall.storage.tables.groups import group_members as group_members
from rolecall.storage.tables.groups import groups as groups
from rolecall.storage.tables.identity_center import directory_groups as directory_groups
from rolecall.storage.tables.identity_center import directory_members as directory_members
from rolecall.storage.tables.identity_center import directory_users as directory_users
from rolecall.storage.tables.identity_center import identity_centers as identity_centers
from rolecall.storage.tables.identity_center import permission_set_assignments as permission_set_assignments
from rolecall.storage.tables.identity_center import permission_set_roles as permission_set_roles
from rolecall.storage.tables.identity_center import permission_sets as permission_sets
from rolecall.storage.tables.identity_center import sso_clients as sso_clients
from rolecall.storage.tables.identity_center import sso_codes as sso_codes
from rolecall.storage.tables.identity_center import sso_sessions as sso_sessions
from rolecall.storage.tables.identity_center import sso_tokens as sso_tokens
from rolecall.storage.tables.identity_providers import oidc_client_ids as oidc_client_ids
from rolecall.storage.tables.identity_providers import oidc_provider_tags as oidc_provider_tags
from rolecall.storage.tables.identity_providers import oidc_providers as oidc_providers
from rolecall.storage.tables.identity_providers import oidc_thumbprints as oidc_thumbprints
from rolecall.storage.tables.identity_providers import saml_private_keys as saml_private_keys
from rolecall.storage.tables.identity_providers import saml_provider_tags as saml_provider_tags
from rolecall.storage.tables.identity_providers import saml_providers as saml_providers
from rolecall.storage.tables.instance_profiles import instance_profile_tags as instance_profile_tags
from rolecall.storage.tables.instance_profiles import instance_profiles as instance_profiles
from rolecall.storage.tables.messaging import channel_messages as channel_messages
from rolecall.storage.tables.messaging import channel_relations as channel_relations
from rolecall.storage.tables.messaging import messaging_events as messaging_events
from rolecall.storage.tables.mfa_devices import mfa_code_uses as mfa_code_uses
from rolecall.storage.tables.mfa_devices import mfa_device_tags as mfa_device_tags
from rolecall.storage.tables.mfa_devices import mfa_devices as mfa_devices
from rolecall.storage.tables.organizations import account_creations as account_creations
from rolecall.storage.tables.organizations import accounts as accounts
from rolecall.storage.tables.organizations import delegated_administrators as delegated_administrators
from rolecall.storage.tables.organizations import delegated_services as delegated_services
from rolecall.storage.tables.organizations import organization_accounts as organization_accounts
from rolecall.storage.tables.organizations import organization_features as organization_features
from rolecall.storage.tables.organizations import organization_policies as organization_policies
from rolecall.storage.tables.organizations import organization_policy_targets as organization_policy_targets
from rolecall.storage.tables.organizations import organization_policy_types as organization_policy_types
from rolecall.storage.tables.organizations import organization_resource_policies as organization_resource_policies
from rolecall.storage.tables.organizations import organization_service_access as organization_service_access
from rolecall.storage.tables.organizations import organization_tags as organization_tags
from rolecall.storage.tables.organizations import organizational_unit_accounts as organizational_unit_accounts
from rolecall.storage.tables.organizations import organizational_units as organizational_units
from rolecall.storage.tables.organizations import organizations as organizations
from rolecall.storage.tables.phone_numbers import ordered_phone_numbers as ordered_phone_numbers
from rolecall.storage.tables.phone_numbers import phone_number_associations as phone_number_associations
from rolecall.storage.tables.phone_numbers import phone_number_orders as phone_number_orders
from rolecall.storage.tables.phone_numbers import phone_numbers as phone_numbers
from rolecall.storage.tables.phone_numbers import telephony_settings as telephony_settings
from rolecall.storage.tables.policies import policies as policies
from rolecall.storage.tables.policies import policy_tags as policy_tags
from rolecall.storage.tables.policies import policy_versions as policy_versions
from rolecall.storage.tables.resources import resource_settings as resource_settings
from rolecall.storage.tables.resources import resource_tags as resource_tags
from rolecall.storage.tables.resources import resources as resources
from rolecall.storage.tables.role_templates import acquired_roles as acquired_roles
from rolecall.storage.tables.roles import role_attached_policies as role_attached_policies
from rolecall.storage.tables.roles import role_inline_policies as role_inline_policies
from rolecall.storage.tables.roles import role_tags as role_tags
from rolecall.storage.tables.roles import roles as roles
from rolecall.storage.tables.roles import service_linked_role_deletions as service_linked_role_deletions
from rolecall.storage.tables.sandbox import fault_hits as fault_hits
from rolecall.storage.tables.sandbox import generations as generations
from rolecall.storage.tables.sandbox import sandbox_states as sandbox_states
from rolecall.storage.tables.sandbox import sealing_keys as sealing_keys
from rolecall.storage.tables.sandbox import signing_keys as signing_keys
from rolecall.storage.tables.server_certificates import server_certificate_tags as server_certificate_tags
from rolecall.storage.tables.server_certificates import server_certificates as server_certificates
from rolecall.storage.tables.signin import console_authorizations as console_authorizations
from rolecall.storage.tables.signin import dpop_proofs as dpop_proofs
from rolecall.storage.tables.signin import signin_client_tokens as signin_client_tokens
from rolecall.storage.tables.signin import signin_codes as signin_codes
from rolecall.storage.tables.signin import signin_permission_statements as signin_permission_statements
from rolecall.storage.tables.signin import signin_sessions as signin_sessions
from rolecall.storage.tables.user_credentials import service_credentials as service_credentials
from rolecall.storage.tables.user_credentials import ssh_public_keys as ssh_public_keys
from rolecall.storage.tables.users import access_keys as access_keys
from rolecall.storage.tables.users import login_profiles as login_profiles
from rolecall.storage.tables.users import old_passwords as old_passwords
from rolecall.storage.tables.users import signing_certificates as signing_certificates
from rolecall.storage.tables.users import user_attached_policies as user_attached_policies
from rolecall.storage.tables.users import user_inline_policies as user_inline_policies
from rolecall.storage.tables.users import user_tags as user_tags
from rolecall.storage.tables.users import users as users
