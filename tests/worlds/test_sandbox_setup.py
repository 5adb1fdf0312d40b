"""Setting up a declared world: twice changes nothing, a changed file changes what it declares, a reset returns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rolecall.clock import Clock
from rolecall.ids import Identifiers
from rolecall.storage.engine import Database
from rolecall.storage.migrate import upgrade
from rolecall.storage.tables import metadata
from rolecall.worlds.checking import Notes
from rolecall.worlds.declare import read_world
from rolecall.worlds.located import Located
from rolecall.worlds.setup import reset_world, set_up_world

ACCOUNT, OTHER = "111122223333", "444455556666"
LIMITS = f"arn:aws:iam::{ACCOUNT}:policy/team/limits"
READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
DAY = 86_400
# Columns that every write changes and that are not part of the world.
BOOKKEEPING = ("generations", "sandbox_states")


def policy(action: str, effect: str = "Allow") -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": action, "Resource": "*"}]}


def trust(*principals: str) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}


def chime_sdk() -> dict[str, Any]:
    """The sections of an account about the Chime SDK."""
    alias = f"arn:aws:lex:us-east-1:{ACCOUNT}:bot-alias/ABCDEFGHIJ/KLMNOPQRST"
    return {
        "app_instances": [
            {
                "name": "Chat",
                "metadata": "m",
                "retention_days": 30,
                "tags": {"Team": "blue"},
                "users": [
                    {
                        "id": "ana",
                        "name": "Ana",
                        "endpoints": [
                            {
                                "type": "APNS",
                                "application": f"arn:aws:mobiletargeting:us-east-1:{ACCOUNT}:apps/a1",
                                "device_token": "phone",
                            }
                        ],
                    },
                    {"id": "ben"},
                ],
                "bots": [{"name": "helper", "lex_bot_alias": alias, "locale": "en_US"}],
                "admins": ["ben", "helper"],
                "channels": [
                    {
                        "name": "General",
                        "privacy": "PUBLIC",
                        "members": ["ana", "helper"],
                        "moderators": ["ana"],
                        "messages": [{"sender": "ana", "content": "Hello"}],
                    }
                ],
            }
        ],
        "meetings": [{"external_meeting_id": "daily", "attendees": [{"external_user_id": "ana"}]}],
        "voice_connectors": [{"name": "office"}],
        "phone_numbers": [
            {"number": "+12065550100", "name": "front", "calling_name": "Office", "voice_connector": "office"}
        ],
        "sip_media_applications": [{"name": "ivr", "lambda": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:ivr"}],
    }


def everything() -> dict[str, Any]:
    """A file with every key of the format that this version supports."""
    return {
        "version": 1,
        "organization": {
            "id": "o-example1234",
            "management_account": ACCOUNT,
            "delegated_administrators": [OTHER],
            "features": ["RootSessions"],
            "organizational_units": [
                {"name": "inner", "parent": "outer", "accounts": [ACCOUNT]},
                {"name": "outer", "id": "ou-exam-outer123"},
            ],
            "resource_control_policies": [
                {
                    "name": "own-people",
                    "targets": ["inner"],
                    "document": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"},
                        ],
                    },
                },
            ],
            "service_control_policies": [
                {"name": "no-voice", "targets": [ACCOUNT], "document": policy("chime:*Voice*", "Deny")},
                {"name": "no-rooms", "document": policy("chime:*Room*", "Deny")},
            ],
        },
        "accounts": [
            {
                "id": ACCOUNT,
                "name": "sandbox",
                "root_access_keys": [{"id": "root_key", "secret": "root-secret"}],
                "root_mfa_devices": [{"name": "root-account-mfa-device", "seed": "GEZDGNBVGY3TQOJQ"}],
                "users": [
                    {
                        "name": "ana",
                        "path": "/team/",
                        "tags": {"Team": "blue"},
                        "access_keys": [{"id": "ana_key", "secret": "ana-secret"}],
                        "attached_policies": [READ_ONLY, LIMITS],
                        "inline_policies": {"own": policy("iam:*")},
                        "groups": ["developers"],
                        "permissions_boundary": LIMITS,
                        "mfa_devices": [{"name": "anas-phone", "seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}],
                    },
                    {
                        "name": "admin",
                        "access_keys": [{"id": "admin_key", "secret": "admin-secret"}],
                        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
                    },
                ],
                "groups": [
                    {"name": "developers", "attached_policies": [READ_ONLY], "inline_policies": {"own": policy("*")}}
                ],
                "policies": [{"name": "limits", "path": "/team/", "description": "Limits", "document": policy("*")}],
                "roles": [
                    {
                        "name": "reader",
                        "path": "/team/",
                        "description": "Reads",
                        "trust_policy": trust(
                            f"arn:aws:iam::{ACCOUNT}:user/team/ana", f"arn:aws:iam::{OTHER}:role/far"
                        ),
                        "attached_policies": [READ_ONLY],
                        "inline_policies": {"own": policy("sts:*")},
                        "permissions_boundary": LIMITS,
                        "max_session_duration": 7200,
                        "max_signin_session_duration": 86400,
                        "tags": {"Team": "red"},
                    }
                ],
                "instance_profiles": [
                    {"name": "web", "path": "/team/", "role": "reader", "tags": {"Team": "blue", "team": "red"}}
                ],
                "instances": [{"instance_profile": "web", "port": 4601, "http_tokens": "optional"}],
                "tasks": [{"role": "reader", "session_seconds": 900}],
                "pods": [{"id": "a-0123456789abcdef0", "role": "reader", "namespace": "shop", "session_tags": False}],
                "service_linked_roles": ["voiceconnector.chime.amazonaws.com"],
                "oidc_providers": [
                    {
                        "url": "https://idp.example.com",
                        "client_ids": ["app", "other"],
                        "thumbprints": ["a" * 40],
                        "keys": "rolecall",
                        "tags": {"Team": "blue"},
                        "context_provider": {"subject": "sub", "keys": [{"source": "dept"}]},
                        "identity_center_instance": "arn:aws:sso:::instance/ssoins-1234567890abcdef",
                    }
                ],
                "saml_providers": [{"name": "idp", "rolecall_idp": "corp", "tags": {"Team": "blue"}}],
                "chime_accounts": [
                    {
                        "name": "Team",
                        "users": [{"email": "ana@example.com"}, {"email": "li@example.com", "license": "Basic"}],
                    },
                    {
                        "name": "Corp",
                        "type": "EnterpriseLWA",
                        "users": [{"email": "ana@example.org"}, {"username": "Desk"}],
                        "rooms": [{"name": "Plans", "members": ["ANA@example.org"], "administrators": ["Desk"]}],
                        "retention": {"room_days": 30},
                    },
                ],
                **chime_sdk(),
            },
            {"id": OTHER, "roles": [{"name": "far", "trust_policy": trust(OTHER)}]},
        ],
        "identity_center": {
            "start_url": "https://example.awsapps.com/start",
            "groups": ["developers"],
            "users": [{"name": "ana", "groups": ["developers"], "attributes": {"team": "blue"}}],
        },
        "permission_sets": [
            {
                "name": "Reader",
                "managed_policies": [READ_ONLY],
                "customer_managed_policies": ["/team/limits"],
                "inline_policy": policy("sts:*"),
                "permissions_boundary": "/team/limits",
                "assignments": [{"accounts": [ACCOUNT], "users": ["ana"], "groups": ["developers"]}],
            }
        ],
        "settings": {"minimum_session_seconds": 60, "disabled_regions": ["ap-east-1"]},
    }


# What a sandbox file does not declare.
NOT_DECLARED = {
    "dpop_proofs",
    "console_authorizations",
    "signin_client_tokens",
    "signin_codes",
    "signin_permission_statements",
    "signin_sessions",
    "sso_clients",
    "sso_codes",
    "sso_sessions",
    "sso_tokens",
    "access_reports",
    "account_properties",
    "acquired_roles",
    "fault_hits",
    "account_creations",
    "delegated_services",
    "organization_policy_types",
    "organization_resource_policies",
    "organization_service_access",
    "organization_tags",
    "policy_tags",
    "sealing_keys",
    "service_linked_role_deletions",
    "account_aliases",
    "account_preferences",
    "credential_reports",
    "delegation_requests",
    "login_profiles",
    "mfa_code_uses",
    "mfa_device_tags",
    "old_passwords",
    "outbound_federations",
    "password_policies",
    "saml_private_keys",
    "server_certificate_tags",
    "server_certificates",
    "service_credentials",
    "signing_certificates",
    "messaging_events",
    "chime_bots",
    "chime_delegate_groups",
    "telephony_settings",
    "ssh_public_keys",
}


@pytest.fixture
def database() -> Any:
    made = Database("sqlite://")
    upgrade(made)
    yield made
    made.close()


def apply(database: Database, file: dict[str, Any], at_seconds: float = 1_900_000_000) -> bool:
    with database.transaction() as connection:
        return set_up_world(connection, read_world(json.dumps(file)), at_seconds, Identifiers())


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, without bookkeeping."""
    with database.snapshot() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in metadata.sorted_tables
            if table.name not in BOOKKEEPING
        }


def rows(database: Database, table: str) -> list[dict[str, Any]]:
    with database.snapshot() as connection:
        return [dict(row._mapping) for row in connection.execute(metadata.tables[table].select())]


def test_every_table_has_something(database: Database) -> None:
    """Makes sure that the comparisons below have something to compare."""
    apply(database, everything())
    empty = {name for name, found in dump(database).items() if not found}
    assert empty == NOT_DECLARED


def test_the_same_file_twice_changes_nothing(database: Database) -> None:
    assert apply(database, everything())
    before = dump(database)
    with database.snapshot() as connection:
        generation = database.generation(connection)
    assert not apply(database, everything(), 1_900_000_000 + DAY)
    assert dump(database) == before
    with database.snapshot() as connection:
        assert database.generation(connection) == generation


def test_a_file_that_says_the_same_in_other_words_changes_nothing_either(database: Database) -> None:
    apply(database, everything())
    before = dump(database)
    same = everything()
    same["accounts"][0]["chime_accounts"][0]["users"][0]["license"] = "Pro"
    assert apply(database, same, 1_900_000_000 + 3600)
    assert dump(database) == before


def test_the_same_text_is_not_compared_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(database, everything())
    monkeypatch.setattr("rolecall.worlds.setup._fingerprint", None)
    assert not apply(database, everything())
    with pytest.raises(TypeError):
        apply(database, {**everything(), "settings": {"strict": False}})


def test_a_text_that_names_another_file_says_too_little_for_that() -> None:
    assert len(read_world(json.dumps({"version": 1, "accounts": [{"id": ACCOUNT}]})).text_digest) == 64
    metadata_of_own = {"name": "idp", "rolecall_idp": "idp"}
    text = json.dumps({"version": 1, "accounts": [{"id": ACCOUNT, "saml_providers": [metadata_of_own]}]})
    assert len(read_world(text).text_digest) == 64
    notes = Notes(Located({}, {}), "somewhere")
    assert not notes.names_files
    assert notes.folder == "somewhere"
    assert notes.names_files


def test_what_was_changed_since_is_kept_while_the_file_stays_the_same(make_world: Any) -> None:
    world = make_world(json.dumps(everything()))
    iam = world.client("iam")
    iam.delete_user_policy(UserName="ana", PolicyName="own")
    iam.create_user(UserName="new")
    with world.database.transaction() as connection:
        assert not set_up_world(connection, world.declared, world.clock.now_seconds(), Identifiers())
    assert iam.list_user_policies(UserName="ana")["PolicyNames"] == []
    assert iam.get_user(UserName="new")["User"]["UserName"] == "new"


# A changed file.


def _role(file: dict[str, Any]) -> dict[str, Any]:
    return file["accounts"][0]["roles"][0]  # type: ignore[no-any-return]


def test_a_changed_file_brings_what_it_declares_to_its_new_state(database: Database) -> None:
    apply(database, everything())
    ids = {row["name"]: row["user_id"] for row in rows(database, "users")}
    role_ids = {row["name"]: row["role_id"] for row in rows(database, "roles")}
    file = everything()
    ana, reader = file["accounts"][0]["users"][0], _role(file)
    ana.update(path="/", tags={"Team": "green", "Office": "Rome"}, attached_policies=[], groups=[])
    ana["inline_policies"] = {"other": policy("s3:*")}
    ana["access_keys"] = [{"id": "ana_key", "secret": "changed-secret"}, {"id": "second_key", "secret": "second"}]
    del ana["permissions_boundary"], reader["max_signin_session_duration"]
    ana["mfa_devices"][0]["seed"] = "GEZDGNBVGY3TQOJQ"
    reader.update(description="Reads more", max_session_duration=3600, tags={}, trust_policy=trust(ACCOUNT))
    file["accounts"][0]["policies"][0]["document"] = policy("chime:*")
    file["accounts"][0]["chime_accounts"][0]["users"][0]["license"] = "Basic"
    file["organization"]["service_control_policies"][0]["targets"] = [OTHER]
    file["accounts"][0]["oidc_providers"] = [{"url": "https://idp.example.com", "client_ids": ["other", "third"]}]
    assert apply(database, file, 1_900_000_000 + DAY)

    assert {row["name"]: row["user_id"] for row in rows(database, "users")} == ids
    assert {row["name"]: row["role_id"] for row in rows(database, "roles")} == role_ids
    [user] = [row for row in rows(database, "users") if row["name"] == "ana"]
    assert (user["path"], user["permissions_boundary_arn"]) == ("/", None)
    assert user["created_at_seconds"] == 1_900_000_000
    own = {"user_id": ids["ana"]}
    tags = {row["key"]: row["value"] for row in rows(database, "user_tags") if row["user_id"] == ids["ana"]}
    assert tags == {"Team": "green", "Office": "Rome"}
    assert [row["name"] for row in rows(database, "user_inline_policies") if own.items() <= row.items()] == ["other"]
    assert [row for row in rows(database, "user_attached_policies") if own.items() <= row.items()] == []
    assert rows(database, "group_members") == []
    secrets = {row["access_key_id"]: row["secret_access_key"] for row in rows(database, "access_keys")}
    assert secrets["ana_key"] == "changed-secret"
    assert secrets["second_key"] == "second"
    [device] = [row for row in rows(database, "mfa_devices") if row["user_id"] == ids["ana"]]
    assert (device["seed"], device["enabled_at_seconds"]) == ("GEZDGNBVGY3TQOJQ", 1_900_000_000)
    [role] = [row for row in rows(database, "roles") if row["name"] == "reader"]
    assert (role["description"], role["max_session_duration_seconds"]) == ("Reads more", 3600)
    assert role["max_signin_session_duration_seconds"] is None
    assert json.loads(role["trust_policy"]) == trust(ACCOUNT)
    assert json.loads(role["trust_principal_ids"]) == {}
    assert rows(database, "role_tags") == []
    [version] = rows(database, "policy_versions")
    assert json.loads(version["document"]) == policy("chime:*")
    [provider] = rows(database, "oidc_providers")
    assert (provider["key_source"], provider["created_at_seconds"]) == ("discovery", 1_900_000_000)
    clients = {row["client_id"]: row["position"] for row in rows(database, "oidc_client_ids")}
    assert clients == {"other": 0, "third": 1}
    assert rows(database, "oidc_thumbprints") == rows(database, "oidc_provider_tags") == []
    licenses = {row["primary_email"]: row["license_type"] for row in rows(database, "chime_users")}
    assert (licenses["ana@example.com"], licenses["li@example.com"]) == ("Basic", "Basic")
    policies = rows(database, "organization_policies")
    names = {row["policy_id"]: row["name"] for row in policies if row["policy_type"] == "SERVICE_CONTROL_POLICY"}
    attached = rows(database, "organization_policy_targets")
    targets = {(names[row["policy_id"]], row["target"]) for row in attached if row["policy_id"] in names}
    assert targets == {("no-voice", OTHER), ("no-rooms", "ROOT")}


def test_a_changed_file_leaves_alone_what_it_does_not_declare(make_world: Any) -> None:
    world = make_world(json.dumps(everything()))
    iam, chime = world.client("iam"), world.client("chime")
    iam.create_user(UserName="new")
    iam.create_role(RoleName="new", AssumeRolePolicyDocument=json.dumps(trust(ACCOUNT)))
    account_id = chime.list_accounts(Name="Team")["Accounts"][0]["AccountId"]
    chime.create_user(AccountId=account_id, Email="new@example.com")
    file = everything()
    file["accounts"][0]["users"].append({"name": "late"})
    del file["accounts"][0]["groups"][0]["attached_policies"]
    with world.database.transaction() as connection:
        assert set_up_world(connection, read_world(json.dumps(file)), world.clock.now_seconds(), Identifiers())
    assert {user["UserName"] for user in iam.list_users()["Users"]} == {"admin", "ana", "late", "new"}
    assert "new" in {role["RoleName"] for role in iam.list_roles()["Roles"]}
    emails = {user["PrimaryEmail"] for user in chime.list_users(AccountId=account_id)["Users"]}
    assert emails == {"ana@example.com", "li@example.com", "new@example.com"}
    assert iam.list_attached_group_policies(GroupName="developers")["AttachedPolicies"] == []


def test_a_changed_file_holds_on_the_next_call(make_world: Any) -> None:
    world = make_world(json.dumps(everything()))
    chime = world.client("chime", "admin")
    assert chime.list_accounts()["Accounts"]
    file = everything()
    file["accounts"][0]["users"][1]["inline_policies"] = {"stop": policy("chime:*", "Deny")}
    with world.database.transaction() as connection:
        set_up_world(connection, read_world(json.dumps(file)), world.clock.now_seconds(), Identifiers())
    with pytest.raises(ClientError, match="explicit deny in an identity-based policy"):
        chime.list_accounts()


def test_a_reset_returns_to_the_file(database: Database) -> None:
    apply(database, everything())
    counts = {name: len(found) for name, found in dump(database).items()}
    ids = {row["user_id"] for row in rows(database, "users")}
    world = read_world(json.dumps(everything()))
    with database.transaction() as connection:
        for name in ("user_inline_policies", "role_tags", "chime_users"):
            connection.execute(metadata.tables[name].delete())
    with database.transaction() as connection:
        reset_world(connection, world, 1_900_000_000 + DAY, Identifiers())
    assert {name: len(found) for name, found in dump(database).items()} == counts
    assert not ids & {row["user_id"] for row in rows(database, "users")}
    assert {row["created_at_seconds"] for row in rows(database, "users")} == {1_900_000_000 + DAY}


def test_a_reset_forgets_what_the_file_does_not_have(make_world: Any) -> None:
    world = make_world(json.dumps(everything()))
    iam = world.client("iam")
    iam.create_user(UserName="new")
    iam.delete_user_policy(UserName="ana", PolicyName="own")
    world.clock.advance(DAY)
    client = world.application.test_client()
    answer = client.post("/_rolecall/reset", environ_base={"REMOTE_ADDR": "127.0.0.1"})
    assert answer.status_code == 200
    assert {user["UserName"] for user in iam.list_users()["Users"]} == {"admin", "ana"}
    assert iam.list_user_policies(UserName="ana")["PolicyNames"] == ["own"]
    assert world.clock.offset_seconds == 0


def test_the_declared_world_is_what_the_services_show(make_world: Any) -> None:
    world = make_world(json.dumps(everything()))
    iam = world.client("iam")
    user = iam.get_user(UserName="ana")["User"]
    assert user["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/team/ana"
    assert user["Tags"] == [{"Key": "Team", "Value": "blue"}]
    assert user["PermissionsBoundary"]["PermissionsBoundaryArn"] == LIMITS
    attached = iam.list_attached_user_policies(UserName="ana")["AttachedPolicies"]
    assert {entry["PolicyArn"] for entry in attached} == {READ_ONLY, LIMITS}
    assert [group["GroupName"] for group in iam.list_groups_for_user(UserName="ana")["Groups"]] == ["developers"]
    role = iam.get_role(RoleName="reader")["Role"]
    assert role["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/team/reader"
    assert (role["Description"], role["MaxSessionDuration"]) == ("Reads", 7200)
    assert role["MaxSigninSessionDuration"] == 86400
    assert role["AssumeRolePolicyDocument"] == _role(everything())["trust_policy"]
    # A user and the role of a permission set.
    assert iam.get_policy(PolicyArn=LIMITS)["Policy"]["AttachmentCount"] == 2
    assert iam.get_role(RoleName="AWSServiceRoleForAmazonChimeVoiceConnector")["Role"]["Path"].startswith("/aws-")
    root = world.client("sts", f"root of {ACCOUNT}").get_caller_identity()
    assert root["Arn"] == f"arn:aws:iam::{ACCOUNT}:root"


def test_accounts_keep_the_order_of_the_file(database: Database) -> None:
    apply(database, everything())
    turned = everything()
    turned["accounts"].reverse()
    apply(database, turned)
    positions = {row["account_id"]: row["position"] for row in rows(database, "accounts")}
    assert positions == {OTHER: 0, ACCOUNT: 1}


def test_times_are_those_of_the_sandbox_clock(make_world: Any) -> None:
    world = make_world(json.dumps(everything()))
    created = world.client("iam").get_user(UserName="ana")["User"]["CreateDate"].timestamp()
    assert abs(created - Clock().now_seconds()) < 60
