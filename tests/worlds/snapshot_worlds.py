"""Shared by the tests of snapshots: worlds changed through real clients, and everything that a database holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import strategies as st
from ssh_calls import rsa_key, ssh

from rolecall.ids import Identifiers
from rolecall.sessions.saml.on_demand import own_metadata
from rolecall.sessions.signing_keys import new_signing_key, private_pem, public_jwk
from rolecall.storage import worlds
from rolecall.storage.tables import metadata
from rolecall.storage.world_rows import WorldRows
from rolecall.worlds.snapshots import load_database, save_database

# Facts that a snapshot writes under keys of the sandbox file, the organization with units, policies and members too.
DECLARED_TABLES = {
    "organizations",
    "accounts",
    "delegated_administrators",
    "organization_features",
    "organizational_units",
    "organizational_unit_accounts",
    "organization_policies",
    "organization_policy_targets",
    "users",
    "groups",
    "group_members",
    "roles",
    "policies",
    "policy_versions",
    "access_keys",
    "user_attached_policies",
    "group_attached_policies",
    "role_attached_policies",
    "user_inline_policies",
    "group_inline_policies",
    "role_inline_policies",
    "user_tags",
    "role_tags",
    "policy_tags",
    "instance_profiles",
    "instance_profile_tags",
    "attachments",
    "chime_accounts",
    "chime_users",
}
# Facts of a database that are not part of its world.
LEFT_OUT_TABLES = {
    "access_reports",
    "generations",
    "sealing_keys",
    "sandbox_states",
    "fault_hits",
    "messaging_events",
    "sso_clients",
    "sso_codes",
    "sso_sessions",
    "sso_tokens",
    "dpop_proofs",
    "signin_client_tokens",
    "signin_codes",
    "signin_sessions",
}
# Shown by no operation.
LEFT_OUT_COLUMNS = {
    "user_attached_policies.attached_at_seconds",
    "group_attached_policies.attached_at_seconds",
    "role_attached_policies.attached_at_seconds",
    "group_members.added_at_seconds",
    "attachments.bound_port",
}
# All other tables, even new ones, are kept row by row. A row comes after the rows that it refers to.
PLAIN_TABLES = [table.name for table in metadata.sorted_tables if table.name not in DECLARED_TABLES | LEFT_OUT_TABLES]

FIRST = "111122223333"
SECOND = "444455556666"
EVERYTHING = "arn:aws:iam::aws:policy/AdministratorAccess"


def certificate(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    begins = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=3650))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def private_key() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


_KEY = new_signing_key("RS256")
_DER = x509.load_pem_x509_certificate(certificate("idp").encode()).public_bytes(Encoding.DER)
_POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "chime:*", "Resource": "*"}]}'
# A value for each column with a fixed set of values.
CHOSEN = {
    "identity_centers.number": 1,
    "identity_centers.session_duration_seconds": 900,
    "permission_sets.session_duration_seconds": 3600,
    "directory_users.name": "ana@example.com",
    "directory_users.attributes": '{"a: b": "c"}',
    "chime_room_memberships.member_type": "Bot",
    "chime_room_memberships.role": "Administrator",
    "chime_retention_settings.room_days": 5475,
    "chime_retention_settings.conversation_days": 1,
    "phone_numbers.phone_number": "+12065550100",
    "ordered_phone_numbers.phone_number": "+12065550100",
    "phone_numbers.product_type": "BusinessCalling",
    "phone_number_orders.product_type": "SipMediaApplicationDialIn",
    "phone_number_associations.name": "UserId",
    "account_creations.state": "SUCCEEDED",
    "organization_accounts.joined_method": "CREATED",
    "organization_accounts.state": "ACTIVE",
    "organization_resource_policies.document": json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "organizations:List*", "Resource": "*"}],
        }
    ),
    "mfa_devices.seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "login_profiles.max_signin_session_duration_seconds": 3600,
    "login_profiles.password_hash": "scrypt:8192:8:1$salt$" + "0a" * 64,
    "old_passwords.password_hash": "scrypt:8192:8:1$salt$" + "1b" * 64,
    "oidc_providers.url": "https://idp.example.com/a:%20b",
    "oidc_providers.jwks": json.dumps({"keys": [public_jwk(_KEY)]}),
    "saml_providers.metadata": own_metadata("urn:a: 'b'", "https://idp.example.com/sso", [_DER]),
    "saml_private_keys.private_key": private_pem(_KEY),
    "oidc_providers.context_provider": '{"SubjectSourceKey":"a: b","KeyDefinitionList":[{"SourceKey":"#c"}]}',
    "saml_providers.context_provider": '{"SubjectSourceKey":"Subject/NameID","SubjectTypeValue":"user"}',
    "oidc_providers.identity_center_instance_arn": "arn:aws:sso:::instance/ssoins-1234567890abcdef",
    "saml_providers.identity_center_instance_arn": "arn:aws:sso:::instance/ssoins-1234567890abcdef",
    "resources.secret": '"secret"',
    "resources.content": "{}",
    "resource_settings.content": "{}",
    "delegation_requests.permissions": '{"PolicyTemplateArn": "a: b"}',
    "delegation_requests.permission_policy": _POLICY,
    "delegation_requests.approval": json.dumps({"principal": ["User", "1", "a", "b", "c", "d", "e"], "session": {}}),
    "signin_permission_statements.parameters": '{"sourceIp": "203.0.113.0/24"}',
    "signing_certificates.status": "Inactive",
    "ssh_public_keys.status": "Inactive",
    "ssh_public_keys.body": ssh(rsa_key()),
    "service_credentials.status": "Inactive",
    "acquired_roles.replacement_values": '{"AWSServiceName": ["a: b"]}',
    "signing_keys.key_id": _KEY.key_id,
    "signing_keys.algorithm": _KEY.algorithm,
    "signing_keys.private_key": private_pem(_KEY),
    "account_preferences.global_endpoint_token_version": "v2Token",
    "oidc_providers.key_source": "declared",
    "saml_providers.assertion_encryption_mode": "Allowed",
    "delegation_requests.state": "ASSIGNED",
    "service_linked_role_deletions.status": "SUCCEEDED",
    "service_linked_role_deletions.resources": "[]",
}


def world_text() -> str:
    """Two accounts in an organization, with an entry in every section of the file."""
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    limits = {"Version": "2012-10-17", "Statement": [{**allow, "Action": ["iam:*", "sts:*", "chime:*"]}]}
    trust = {"Version": "2012-10-17", "Statement": [{**_trusting(FIRST), "Action": "sts:AssumeRole"}]}
    first = {
        "id": FIRST,
        "name": "sandbox",
        "root_access_keys": [{"id": "root_key", "secret": "root-secret"}],
        "users": [
            {
                "name": "admin",
                "access_keys": [{"id": "test", "secret": "test"}],
                "attached_policies": [EVERYTHING],
                "tags": {"Team": "core"},
            },
            {
                "name": "Developer",
                "path": "/team/",
                "groups": ["Readers"],
                "access_keys": [{"id": "developer_access_key", "secret": "developer-secret"}],
                "permissions_boundary": f"arn:aws:iam::{FIRST}:policy/limits",
                "inline_policies": {"own": limits},
            },
        ],
        "groups": [{"name": "Readers", "attached_policies": ["arn:aws:iam::aws:policy/AmazonChimeReadOnly"]}],
        "policies": [{"name": "limits", "document": limits}],
        "roles": [
            {"name": "worker", "trust_policy": trust, "attached_policies": [EVERYTHING], "tags": {"a": "b"}},
            {"name": "hosted", "trust_policy": trust},
        ],
        "tasks": [{"role": "hosted", "port": 4600}],
        "instance_profiles": [{"name": "Web", "role": "Hosted", "tags": {"a": "b", "A": "c"}}, {"name": "empty"}],
        "service_linked_roles": ["voiceconnector.chime.amazonaws.com"],
        "chime_accounts": [{"name": "Sandbox", "users": [{"email": "ana@example.com"}]}],
    }
    policy = {"name": "no-voice", "targets": [SECOND], "document": {**limits, "Statement": [allow]}}
    guard = {**allow, "Principal": "*", "Effect": "Deny", "Action": "sts:TagSession"}
    organization = {
        "id": "o-example1234",
        "management_account": FIRST,
        "delegated_administrators": [SECOND],
        "features": ["RootCredentialsManagement"],
        "organizational_units": [
            {"name": "inner", "parent": "outer", "accounts": [SECOND]},
            {"name": "outer"},
        ],
        "service_control_policies": [policy, {**policy, "name": "b", "targets": []}],
        "resource_control_policies": [
            {"name": "guard", "targets": ["inner"], "document": {"Version": "2012-10-17", "Statement": [guard]}}
        ],
    }
    second = {"id": SECOND, "name": "partner"}
    settings = {"disabled_regions": ["ap-east-1"]}
    accounts = [first, second]
    return json.dumps({"version": 1, "organization": organization, "accounts": accounts, "settings": settings})


def _trusting(principal: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"AWS": principal}}


def contents(database: Any) -> dict[str, list[dict[str, Any]]]:
    """All rows that a snapshot keeps, without the columns that it leaves out."""
    found = {}
    with database.snapshot() as connection:
        for name, table in metadata.tables.items():
            if name not in LEFT_OUT_TABLES:
                found[name] = [_kept(name, row) for row in worlds.rows(connection, table)]
    return found


def _kept(table: str, row: Any) -> dict[str, Any]:
    kept = {name: value for name, value in row.items() if f"{table}.{name}" not in LEFT_OUT_COLUMNS}
    if "trust_principal_ids" in kept:
        kept["trust_principal_ids"] = json.loads(kept["trust_principal_ids"])
    return kept


def fill_plain_tables(database: Any) -> None:
    """A row in every table that is kept as plain rows."""
    with database.transaction() as connection:
        for name in PLAIN_TABLES:
            table = metadata.tables[name]
            row = {column.name: _value(connection, name, column) for column in table.columns}
            rows = WorldRows(connection)
            if not worlds.find(rows, table, {column.name: row[column.name] for column in table.primary_key}):
                worlds.put_row(rows, name, row)
                rows.written()


def _value(connection: Any, table: str, column: Any) -> Any:
    for key in column.foreign_keys:
        if key.column.table.name == table:
            # The first row has no parent.
            return None
        return worlds.rows(connection, key.column.table)[0][key.column.name]
    if f"{table}.{column.name}" in CHOSEN:
        return CHOSEN[f"{table}.{column.name}"]
    kind = column.type.python_type
    length = getattr(column.type, "length", None) or 40
    return {str: f"'{column.name}': – \n1"[:length], int: 1_900_000_000, bool: True}[kind]


def loaded_elsewhere(make_world: Any, handle: Any) -> Any:
    """Another sandbox with another world, after this one's snapshot was loaded into it."""
    other = make_world('{"version": 1, "accounts": [{"id": "999988887777", "users": [{"name": "old"}]}]}')
    load(other, saved(handle))
    return other


def saved(handle: Any) -> str:
    return save_database(handle.database, handle.declared.settings)


def load(handle: Any, text: str) -> None:
    load_database(handle.database, text, handle.clock.now_seconds(), Identifiers())


# Random changes, each a function of the clients and of values drawn for it.

BOOLEANS = st.booleans()
NAMES = st.sampled_from(["ana", "Bob", "worker", "limits", "a+b=c,d.e@f-g", "x_1"])
PATHS = st.sampled_from(["/", "/team/", "/a/b!c/~/"])
TEXTS = st.text(st.characters(codec="latin-1", categories=("L", "N", "P", "Zs")), max_size=20)
TAG_TEXTS = st.text(st.sampled_from("aZ0 é_.:/=+-@"), min_size=1, max_size=8)
VALUES = st.sampled_from(
    ["yes", "no", "null", "2012-10-17", "1e5", "0777", "a: b", "# c", "${aws:username}", "é", " x "]
)
ACTIONS = st.sampled_from(["*", "iam:Get*", "iam:ListUsers", "chime:*", "chime:ListAccounts", "sts:AssumeRole"])
DOCUMENTS = st.builds(
    lambda effect, actions, value, style: _written(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": effect,
                    "Action": actions,
                    "Resource": "*",
                    "Condition": {"StringNotEquals": {"aws:UserAgent": value}},
                }
            ],
        },
        style,
    ),
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.lists(ACTIONS, min_size=1, max_size=3),
    VALUES,
    st.integers(0, 2),
)


def _written(document: dict[str, Any], style: int) -> str:
    return [
        lambda: json.dumps(document),
        lambda: json.dumps(document, ensure_ascii=False, separators=(",", ":")),
        lambda: json.dumps(document, indent=3) + "\n",
    ][style]()


def _trust(name: str, kind: str) -> str:
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{**_trusting(f"arn:aws:iam::{FIRST}:{kind}/{name}"), "Action": "sts:AssumeRole"}],
        }
    )


def _policy_arn(path: str, name: str) -> str:
    return f"arn:aws:iam::{FIRST}:policy{path}{name}"


CHANGES: dict[str, Any] = {
    "create_user": lambda iam, d: iam.create_user(
        UserName=d(NAMES), Path=d(PATHS), Tags=[{"Key": d(TAG_TEXTS), "Value": d(TAG_TEXTS)}]
    ),
    "delete_user": lambda iam, d: iam.delete_user(UserName=d(NAMES)),
    "rename_user": lambda iam, d: iam.update_user(UserName=d(NAMES), NewUserName=d(NAMES), NewPath=d(PATHS)),
    "create_key": lambda iam, d: iam.create_access_key(UserName=d(NAMES)),
    "disable_key": lambda iam, d: iam.update_access_key(
        UserName="Developer", AccessKeyId="developer_access_key", Status=d(st.sampled_from(["Active", "Inactive"]))
    ),
    "create_group": lambda iam, d: iam.create_group(GroupName=d(NAMES), Path=d(PATHS)),
    "join": lambda iam, d: iam.add_user_to_group(UserName=d(NAMES), GroupName=d(NAMES)),
    "create_role": lambda iam, d: iam.create_role(
        RoleName=d(NAMES),
        Path=d(PATHS),
        Description=d(TEXTS),
        AssumeRolePolicyDocument=_trust(d(NAMES), d(st.sampled_from(["user", "role"]))),
        MaxSessionDuration=d(st.sampled_from([3600, 7200])),
        **d(st.sampled_from([{}, {"MaxSigninSessionDuration": 86_400}])),
    ),
    "delete_role": lambda iam, d: iam.delete_role(RoleName=d(NAMES)),
    "create_instance_profile": lambda iam, d: iam.create_instance_profile(
        InstanceProfileName=d(NAMES), Path=d(PATHS), Tags=[{"Key": d(TAG_TEXTS), "Value": d(TAG_TEXTS)}]
    ),
    "put_role_into_profile": lambda iam, d: iam.add_role_to_instance_profile(
        InstanceProfileName=d(st.sampled_from(["empty", "ana"])), RoleName=d(NAMES)
    ),
    "create_policy": lambda iam, d: iam.create_policy(
        PolicyName=d(NAMES),
        Path=d(PATHS),
        Description=d(TEXTS),
        PolicyDocument=d(DOCUMENTS),
        Tags=[{"Key": "Team", "Value": "a"}, {"Key": "team", "Value": d(TAG_TEXTS)}],
    ),
    "create_version": lambda iam, d: iam.create_policy_version(
        PolicyArn=_policy_arn(d(PATHS), d(NAMES)), PolicyDocument=d(DOCUMENTS), SetAsDefault=d(st.booleans())
    ),
    "delete_version": lambda iam, d: iam.delete_policy_version(
        PolicyArn=_policy_arn(d(PATHS), d(NAMES)), VersionId=d(st.sampled_from(["v1", "v2"]))
    ),
    "attach": lambda iam, d: iam.attach_user_policy(UserName=d(NAMES), PolicyArn=_policy_arn(d(PATHS), d(NAMES))),
    "attach_to_role": lambda iam, d: iam.attach_role_policy(
        RoleName=d(NAMES), PolicyArn=_policy_arn(d(PATHS), d(NAMES))
    ),
    "bound": lambda iam, d: iam.put_user_permissions_boundary(
        UserName=d(NAMES), PermissionsBoundary=_policy_arn(d(PATHS), d(NAMES))
    ),
    "put_user_policy": lambda iam, d: iam.put_user_policy(
        UserName=d(NAMES), PolicyName=d(NAMES), PolicyDocument=d(DOCUMENTS)
    ),
    "put_group_policy": lambda iam, d: iam.put_group_policy(
        GroupName=d(NAMES), PolicyName=d(NAMES), PolicyDocument=d(DOCUMENTS)
    ),
    "link": lambda iam, d: iam.create_service_linked_role(
        AWSServiceName=d(st.sampled_from(["chime.amazonaws.com", "autoscaling.amazonaws.com"])),
        Description=d(TEXTS),
    ),
    "unlink": lambda iam, _d: iam.delete_service_linked_role(RoleName="AWSServiceRoleForAmazonChimeVoiceConnector"),
}


def change(iam: Any, name: str, draw: Any) -> bool:
    """One change; False when AWS's rules refused it."""
    try:
        CHANGES[name](iam, draw)
    except ClientError as error:
        # A failure of the product itself does not count as a refusal.
        if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
            raise
        return False
    return True


def change_chime(chime: Any, draw: Any) -> None:
    """An example of everything that Chime's operations create."""
    account_id = chime.create_account(Name=draw(st.sampled_from(["Sandbox", "b: c", "é"])))["Account"]["AccountId"]
    chime.update_account(AccountId=account_id, DefaultLicense=draw(st.sampled_from(["Basic", "Pro"])))
    chime.update_account_settings(
        AccountId=account_id, AccountSettings={"DisableRemoteControl": draw(BOOLEANS), "EnableDialOut": True}
    )
    chime.invite_users(AccountId=account_id, UserEmailList=["Ana@Example.com", "o'b@x.org"])
    made = chime.create_user(AccountId=account_id, Username=draw(VALUES), UserType="SharedDevice")["User"]["UserId"]
    both = chime.create_user(AccountId=account_id, Username="both", Email="both@example.com")["User"]["UserId"]
    chime.update_user_settings(
        AccountId=account_id,
        UserId=both,
        UserSettings={"Telephony": {"InboundCalling": True, "OutboundCalling": False, "SMS": True}},
    )
    chime.logout_user(AccountId=account_id, UserId=both)
    chime.batch_suspend_user(AccountId=account_id, UserIdList=[made])
