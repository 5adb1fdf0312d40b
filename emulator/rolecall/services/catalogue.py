"""Every module that registers operations, named one by one, and loaded with the first call of its family.

A family is the services of one action prefix. What its modules register besides operations, such as kinds of
resources, bears on every call with that prefix, so a family is loaded as a whole or not at all.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping

from rolecall.service_records import SERVICE_RECORDS, action_prefix
from rolecall.services import registry
from rolecall.services.registry import RegisteredOperation

# By action prefix. Loading the modules of all three at once would take a tenth of the start.
MODULES: Mapping[str, tuple[str, ...]] = {
    "sts": (
        "sts.assume_role",
        "sts.assume_role_with_saml",
        "sts.assume_root",
        "sts.authorization_message",
        "sts.delegated_access",
        "sts.identity",
        "sts.scoped_credentials",
        "sts.user_sessions",
        "sts.web_identity",
        "sts.web_identity_token",
    ),
    "iam": (
        "iam.users.users",
        "iam.users.access_keys",
        "iam.users.login_profiles",
        "iam.account.password_policy",
        "iam.users.signing_certificates",
        "iam.users.ssh_public_keys",
        "iam.users.service_credentials",
        "iam.users.mfa_devices",
        "iam.groups.groups",
        "iam.policies.policies",
        "iam.policies.policy_versions",
        "iam.policies.policy_entities",
        "iam.roles.roles",
        "iam.roles.role_templates",
        "iam.roles.instance_profiles",
        "iam.roles.service_linked_roles",
        "iam.providers.oidc_providers",
        "iam.providers.saml_providers",
        "iam.account.account_aliases",
        "iam.account.account_summary",
        "iam.account.account_properties",
        "iam.account.server_certificates",
        "iam.account.authorization_details",
        "iam.account.credential_reports",
        "iam.account.token_service_preferences",
        "iam.account.organization_features",
        "iam.account.outbound_federation",
        "iam.access.last_accessed",
        "iam.access.organization_access",
        "iam.access.policies_granting",
        "iam.delegation.delegation_requests",
        "iam.delegation.human_readable_summary",
        "iam.simulation.simulation",
        "iam_toolbox.authorization_details",
    ),
    "chime": (
        "chime.accounts",
        "chime.account_settings",
        "chime.users",
        "chime.user_batches",
        "chime.user_settings",
        "chime.user_numbers",
        "chime.rooms",
        "chime.room_memberships",
        "chime.bots",
        "chime.retention",
        "chime.delegate_groups",
        "chime.dial_out",
        "phone_numbers.inventory",
        "phone_numbers.orders",
        "phone_numbers.settings",
        "chime_sdk_identity.admins",
        "chime_sdk_identity.app_instances",
        "chime_sdk_identity.bots",
        "chime_sdk_identity.endpoints",
        "chime_sdk_identity.tags",
        "chime_sdk_identity.users",
        "chime_sdk_media_pipelines.configurations",
        "chime_sdk_media_pipelines.insights",
        "chime_sdk_media_pipelines.meeting_pipelines",
        "chime_sdk_media_pipelines.pipelines",
        "chime_sdk_media_pipelines.stream_pools",
        "chime_sdk_media_pipelines.tags",
        "chime_sdk_media_pipelines.tasks",
        "chime_sdk_meetings.attendees",
        "chime_sdk_meetings.meetings",
        "chime_sdk_meetings.tags",
        "chime_sdk_meetings.transcription",
        "chime_sdk_messaging.bans",
        "chime_sdk_messaging.channels",
        "chime_sdk_messaging.channels_of_users",
        "chime_sdk_messaging.flows",
        "chime_sdk_messaging.memberships",
        "chime_sdk_messaging.message_changes",
        "chime_sdk_messaging.messages",
        "chime_sdk_messaging.moderators",
        "chime_sdk_messaging.processing",
        "chime_sdk_messaging.session_endpoint",
        "chime_sdk_messaging.streaming",
        "chime_sdk_messaging.sub_channels",
        "chime_sdk_messaging.tags",
        "chime_sdk_voice.tags",
        "chime_sdk_voice.voice_connectors",
        "chime_sdk_voice.connector_credentials",
        "chime_sdk_voice.connector_groups",
        "chime_sdk_voice.sip_applications",
        "chime_sdk_voice.sip_rules",
        "chime_sdk_voice.assigned_numbers",
        "chime_sdk_voice.voice_profile_domains",
        "chime_sdk_voice.voice_profiles",
        "chime_sdk_voice.voice_analysis",
        "chime_sdk_voice.proxy_sessions",
        "chime_sdk_voice.emergency_addresses",
    ),
    "organizations": (
        "organizations.organization",
        "organizations.accounts",
        "organizations.tree",
        "organizations.policies",
        "organizations.policy_types",
        "organizations.delegation",
        "organizations.tags",
        "organizations.handshakes",
    ),
    "eks-auth": ("eks_auth.pod_identity",),
    "sso-oauth": (
        "sso_oidc.clients",
        "sso_oidc.devices",
        "sso_oidc.tokens",
    ),
    "sso": ("sso.portal",),
    "rolesanywhere": (
        "rolesanywhere.trust_anchors",
        "rolesanywhere.notification_settings",
        "rolesanywhere.profiles",
        "rolesanywhere.attribute_mappings",
        "rolesanywhere.crls",
        "rolesanywhere.subjects",
        "rolesanywhere.tags",
    ),
    "signin": (
        "signin.tokens",
        "signin.sessions",
        "signin.oauth",
        "signin.console_access",
        "signin.exchange",
    ),
}


def find(service: str, name: str) -> RegisteredOperation | None:
    """The operation, or None where it is not emulated. Loads the family of the service when it is not loaded yet."""
    if service not in registry.loaded_services:
        _load(service)
    return registry.find(service, name)


def takes_long(service: str, name: str, inputs: Iterable[str]) -> bool:
    """Whether the call writes or computes for long. Loads the family of the service when it is not loaded yet.

    Loading is no reason to go to another thread: all threads may wait for a busy database, and would delay the call.
    """
    if service not in registry.loaded_services:
        _load(service)
    return registry.takes_long(service, name, inputs)


def is_brief(service: str, name: str, inputs: Iterable[str]) -> bool:
    """Of a call that writes: see :func:`registry.is_brief`."""
    return registry.is_brief(service, name, inputs)


def all_operations() -> list[RegisteredOperation]:
    """Every operation of every family."""
    for service in SERVICE_RECORDS:
        _load(service)
    return registry.all_operations()


def _load(service: str) -> None:
    for module in MODULES[action_prefix(service)]:
        importlib.import_module(f"rolecall.services.{module}")
    registry.loaded_services.add(service)
