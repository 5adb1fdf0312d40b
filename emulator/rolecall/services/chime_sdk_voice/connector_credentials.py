"""What proves a Voice Connector's own infrastructure: credentials and health of its termination, external systems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from rolecall.errors import bad_request
from rolecall.services.chime_sdk_voice.voice_connectors import SERVICE, VOICE_CONNECTOR
from rolecall.services.kinds import Kind
from rolecall.services.registry import Answer, Call, operation
from rolecall.services.verbs import existing, keep, remove_setting, replace_setting, setting_of
from rolecall.storage import resources

# No operation answers the password. Its row is named by connector and user name.
CREDENTIAL = Kind(
    SERVICE,
    "termination-credential",
    "Username",
    parent=VOICE_CONNECTOR,
    secret_member="Password",  # noqa: S106 - the name of a member
)
MAXIMUM_USERNAME_LENGTH = 128

EXTERNAL_SYSTEMS = "ExternalSystemsConfiguration"


class NewCredential(TypedDict, total=False):
    """A user name with its password."""

    Username: str
    Password: str


@operation(SERVICE, "PutVoiceConnectorTerminationCredentials")
def put_termination_credentials(
    call: Call, *, VoiceConnectorId: str, Credentials: Sequence[NewCredential] = ()
) -> Answer:
    """Adds user names, and gives new passwords to those that the connector has."""
    if not Credentials:
        raise bad_request("Credentials must be given.")
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    known = {each.content["Username"]: each for each in resources.children(call.db, connector.key, CREDENTIAL.name)}
    for credential in Credentials:
        name, password = credential.get("Username", ""), credential.get("Password", "")
        if not 0 < len(name) <= MAXIMUM_USERNAME_LENGTH or not password:
            message = f"Each must have a Username of 1 to {MAXIMUM_USERNAME_LENGTH} characters, and a Password."
            raise bad_request(message)
        if name in known:
            resources.remove(call.db, known[name].key)
        row_id = f"{connector.resource_id}/{name}"
        content = {"Username": name, "Password": password}
        known[name] = keep(call, CREDENTIAL, row_id, content, parent=connector)
    return {}


@operation(SERVICE, "ListVoiceConnectorTerminationCredentials")
def list_termination_credentials(call: Call, *, VoiceConnectorId: str) -> Answer:
    """The user names alone."""
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId)
    found = resources.children(call.db, connector.key, CREDENTIAL.name)
    return {"Usernames": sorted(each.content["Username"] for each in found)}


@operation(SERVICE, "DeleteVoiceConnectorTerminationCredentials")
def delete_termination_credentials(call: Call, *, VoiceConnectorId: str, Usernames: Sequence[str]) -> Answer:
    """A user name that the connector does not have is no error. AWS's answer to it was not recorded."""
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    for each in resources.children(call.db, connector.key, CREDENTIAL.name):
        if each.content["Username"] in Usernames:
            resources.remove(call.db, each.key)
    return {}


@operation(SERVICE, "GetVoiceConnectorTerminationHealth")
def get_termination_health(call: Call, *, VoiceConnectorId: str) -> Answer:
    """API reference: the last SIP OPTIONS ping of the caller's infrastructure. None reaches Rolecall."""
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId)
    setting_of(call, VOICE_CONNECTOR, connector, "Termination")
    return {"TerminationHealth": {}}


@operation(SERVICE, "GetVoiceConnectorExternalSystemsConfiguration")
def get_external_systems(call: Call, *, VoiceConnectorId: str) -> Answer:
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId)
    return {EXTERNAL_SYSTEMS: setting_of(call, VOICE_CONNECTOR, connector, EXTERNAL_SYSTEMS)}


@operation(SERVICE, "DeleteVoiceConnectorExternalSystemsConfiguration")
def delete_external_systems(call: Call, *, VoiceConnectorId: str) -> Answer:
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    remove_setting(call, VOICE_CONNECTOR, connector, EXTERNAL_SYSTEMS)
    return {}


@operation(SERVICE, "PutVoiceConnectorExternalSystemsConfiguration")
def put_external_systems(
    call: Call,
    *,
    VoiceConnectorId: str,
    SessionBorderControllerTypes: Sequence[str] | None = None,
    ContactCenterSystemTypes: Sequence[str] | None = None,
) -> Answer:
    """Replaces the configuration. Members that are left out are not part of it any more."""
    connector = existing(call, VOICE_CONNECTOR, VoiceConnectorId, locked=True)
    members = {
        "SessionBorderControllerTypes": SessionBorderControllerTypes,
        "ContactCenterSystemTypes": ContactCenterSystemTypes,
    }
    content = {name: list(value) for name, value in members.items() if value is not None}
    return replace_setting(call, VOICE_CONNECTOR, connector, EXTERNAL_SYSTEMS, content)
