"""A world with an example of everything that operations create, and all answers about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from anywhere_world import ask_anywhere, fill_anywhere
from botocore.exceptions import ClientError
from certificate_calls import certified
from organization_world import ask_organization, fill_organization
from snapshot_worlds import EVERYTHING, FIRST, SECOND, certificate, private_key
from ssh_calls import rsa_key, ssh

from rolecall.identity_providers import mfa_codes
from rolecall.identity_providers.saml_assertions import metadata_document

READ_ONLY = "arn:aws:iam::aws:policy/AmazonChimeReadOnly"
IDP = "corporate"
ISSUER = "https://token.actions.githubusercontent.com"
ENTERPRISE = "11111111-1111-4111-8111-111111111111"
INSTANCE = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
# Text that is unusual in one notation or another.
ODD = ["yes", "0777", "2012-10-17", "1:30", "a: b", "# c", "é–ß", " x ", "null", "~", "- a", "1e5", "=", "<<"]
_NOTES = "two\r\nlines\tand 'quotes' \"of\" both: kinds # ÿ\n"


def declared_text() -> str:
    """The world before the operations: an organization of two accounts, and Rolecall's own issuers."""
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    deny = {"Effect": "Deny", "Action": "chime:DeleteUser", "Resource": "*"}
    federated = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::{FIRST}:saml-provider/{IDP}"},
                "Action": "sts:AssumeRoleWithSAML",
            },
            {
                "Effect": "Allow",
                "Principal": {"Federated": f"arn:aws:iam::{FIRST}:oidc-provider/{ISSUER.partition('://')[2]}"},
                "Action": "sts:AssumeRoleWithWebIdentity",
            },
            {"Effect": "Allow", "Principal": {"AWS": FIRST}, "Action": "sts:AssumeRole"},
        ],
    }
    first = {
        "id": FIRST,
        "name": "sandbox",
        "root_access_keys": [{"id": "root_access_key_1", "secret": "root-secret"}],
        "root_mfa_devices": [{"name": "root-account-mfa-device", "seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}],
        "users": [
            {
                "name": "admin",
                "access_keys": [{"id": "admin_access_key", "secret": "admin-secret"}],
                "attached_policies": [EVERYTHING],
                "mfa_devices": [{"name": "admin-phone", "seed": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXQ"}],
            }
        ],
        "roles": [{"name": "federated", "trust_policy": federated, "inline_policies": {"own": allow}}],
        "instances": [{"role": "federated", "vpc": "vpc-0123456789abcdef0", "http_put_response_hop_limit": 2}],
        "tasks": [{"role": "federated", "port": 4600, "host": "::1", "authorization_token": "a:#b"}],
        "pods": [{"role": "federated", "cluster": "prod", "pod": "app-1", "session_tags": False}],
        "service_linked_roles": ["voiceconnector.chime.amazonaws.com"],
        "oidc_providers": [
            {
                "url": ISSUER,
                "client_ids": ["sts.amazonaws.com"],
                "keys": "rolecall",
                "context_provider": {"subject": "sub", "subject_type_from": "kind", "keys": [{"source": "on"}]},
                "identity_center_instance": INSTANCE,
            }
        ],
        "saml_providers": [{"name": IDP, "rolecall_idp": IDP, "tags": {"a": "b"}}],
        "chime_accounts": [
            {"name": "Sandbox", "users": [{"email": "ana@example.com"}]},
            {"id": ENTERPRISE, "name": "Enterprise", "type": "EnterpriseLWA", "users": [{"email": "ben@example.com"}]},
        ],
    }
    second = {
        "id": SECOND,
        "name": "partner",
        "root_access_keys": [{"id": "partner_root_key", "secret": "partner-root-secret"}],
        "users": [
            {
                "name": "partner",
                "access_keys": [{"id": "partner_access_key", "secret": "partner-secret"}],
                "attached_policies": [EVERYTHING],
            }
        ],
    }
    organization = {
        "id": "o-example1234",
        "management_account": FIRST,
        "organizational_units": [{"name": "outer"}, {"name": "inner", "parent": "outer", "accounts": [SECOND]}],
        "service_control_policies": [
            {"name": "no-deleting", "targets": ["inner"], "document": {"Version": "2012-10-17", "Statement": [deny]}}
        ],
        "resource_control_policies": [
            {
                "name": "guard",
                "document": {
                    "Version": "2012-10-17",
                    "Statement": [{**deny, "Principal": "*", "Action": "sts:SetSourceIdentity"}],
                },
            }
        ],
    }
    return json.dumps({"version": 1, "organization": organization, "accounts": [first, second], **_identity_center()})


def _identity_center() -> dict[str, Any]:
    """A directory and a permission set, which becomes a role of both accounts."""
    users = [{"name": "ana", "groups": ["developers"], "attributes": {"team": "blue"}}, {"name": "bob"}]
    assignments = [{"accounts": [FIRST, SECOND], "users": ["bob"], "groups": ["developers"]}]
    reading = {"name": "Reading", "managed_policies": [EVERYTHING], "assignments": assignments}
    return {
        "identity_center": {"groups": ["developers"], "users": users, "session_duration": 3600},
        "permission_sets": [{**reading, "session_duration": 7200}],
    }


def fill(handle: Any) -> None:
    """Call every operation that creates something, with every member; the clock stands still."""
    handle.clock.freeze()
    iam = handle.client("iam")
    _policies(handle, iam)
    _entities(handle, iam)
    _instance_profiles(iam)
    _devices(handle, iam)
    _passwords(handle, iam)
    _credentials(handle, iam)
    _providers(handle, iam)
    _delegation(handle, iam, handle.client("iam", "partner"))
    _rest(handle, iam)
    _chime(handle.client("chime"))
    _enterprise(handle.client("chime"))
    _numbers(handle, handle.client("chime"), handle.client("chime-sdk-voice"))
    _connectors(handle.client("chime-sdk-voice"))
    _pipelines(handle)
    _voices(handle, handle.client("chime-sdk-voice"))
    fill_organization(handle.client("organizations"), SECOND)
    fill_anywhere(handle)
    _console_access(handle.client("signin"))
    _meetings(handle.client("chime-sdk-meetings"))
    _channels(handle.client("chime-sdk-identity"), handle.client("chime-sdk-messaging"))


def _document(value: Any = "x", **more: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Action": ["chime:*", "iam:Get*"],
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:UserAgent": value}},
        **more,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=1)


def _policies(handle: Any, iam: Any) -> None:
    for name, path in (("limits", "/"), ("Versions", "/a/b/")):
        iam.create_policy(
            PolicyName=name,
            Path=path,
            Description=_NOTES,
            PolicyDocument=_document(),
            Tags=[{"Key": "Team", "Value": "a"}, {"Key": "team", "Value": ""}],
        )
    arn = f"arn:aws:iam::{FIRST}:policy/a/b/Versions"
    for number, value in enumerate(ODD[:4]):
        handle.clock.advance(7)
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=_document(value), SetAsDefault=number == 1)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=_document("6"))
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": key, "Value": "0777"} for key in ("yes", "1:30", "2012-10-17")])


def _entities(handle: Any, iam: Any) -> None:
    arn = f"arn:aws:iam::{FIRST}:policy/a/b/Versions"
    boundary = f"arn:aws:iam::{FIRST}:policy/limits"
    tags = [{"Key": f"k{index}", "Value": value} for index, value in enumerate(("yes", "0777", "", "é:/=+-@."))]
    for group in ("Readers", "b+c=d,e.f@g-h"):
        iam.create_group(GroupName=group, Path="/g/")
        iam.attach_group_policy(GroupName=group, PolicyArn=arn)
        iam.put_group_policy(GroupName=group, PolicyName="own", PolicyDocument=_document(group))
    for name in ("ana", "Null", "yes", "0777", "1e5"):
        handle.clock.advance(1)
        iam.create_user(UserName=name, Path="/u/!~/", PermissionsBoundary=boundary, Tags=tags)
        iam.add_user_to_group(UserName=name, GroupName="Readers")
        iam.attach_user_policy(UserName=name, PolicyArn=READ_ONLY)
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    iam.put_user_policy(UserName="ana", PolicyName="odd", PolicyDocument=_document(ODD))
    iam.put_user_policy(UserName="ana", PolicyName="0777", PolicyDocument=json.dumps(json.loads(_document(ODD))))
    iam.update_user(UserName="ana", NewUserName="Anna", NewPath="/")
    key = iam.create_access_key(UserName="Anna")["AccessKey"]
    handle.client("iam", keys=(key["AccessKeyId"], key["SecretAccessKey"])).get_user(UserName="Anna")
    handle.clock.advance(2)
    idle = iam.create_access_key(UserName="Anna")["AccessKey"]["AccessKeyId"]
    iam.update_access_key(UserName="Anna", AccessKeyId=idle, Status="Inactive")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{FIRST}:user/u/!~/yes"}, "Action": "sts:AssumeRole"}
    for name in ("worker", "orphan"):
        iam.create_role(
            RoleName=name,
            Path="/r/",
            Description=_NOTES,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]}),
            MaxSessionDuration=7201,
            MaxSigninSessionDuration=7202,
            PermissionsBoundary=boundary,
            Tags=tags,
        )
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=_document(name))
    used = handle.client("sts").assume_role(RoleArn=f"arn:aws:iam::{FIRST}:role/federated", RoleSessionName="used")
    handle.client("iam", credentials=used["Credentials"], region="us-east-1").list_users()
    iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="own", Description="é")
    iam.delete_service_linked_role(RoleName="AWSServiceRoleForAmazonChimeVoiceConnector")


def _instance_profiles(iam: Any) -> None:
    for name, path in (("empty", "/"), ("Web+1", "/p/!~/"), ("0777", "/p/")):
        tags = [{"Key": "Team", "Value": "yes"}, {"Key": "team", "Value": "0777"}] if name == "0777" else []
        iam.create_instance_profile(InstanceProfileName=name, Path=path, Tags=tags)
    for name in ("Web+1", "0777"):
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName="worker")


def _devices(handle: Any, iam: Any) -> None:
    serials = {}
    for name in ("unused", "enabled", "deactivated", "tagged"):
        tags = [{"Key": "Team", "Value": "yes"}, {"Key": "team", "Value": "0777"}] if name == "tagged" else []
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name, Path="/m/", Tags=tags)["VirtualMFADevice"]
        serials[name] = made["SerialNumber"]
    for name in ("enabled", "deactivated"):
        first, second = mfa_codes.unused_pair(handle.database, handle.clock, serials[name])
        iam.enable_mfa_device(
            UserName="yes", SerialNumber=serials[name], AuthenticationCode1=first, AuthenticationCode2=second
        )
    handle.clock.advance(60)
    first, second = mfa_codes.unused_pair(handle.database, handle.clock, serials["enabled"])
    iam.resync_mfa_device(
        UserName="yes", SerialNumber=serials["enabled"], AuthenticationCode1=first, AuthenticationCode2=second
    )
    iam.deactivate_mfa_device(UserName="yes", SerialNumber=serials["deactivated"])
    admins = f"arn:aws:iam::{FIRST}:mfa/admin-phone"
    code = mfa_codes.unused_code(handle.database, handle.clock, admins)
    handle.client("sts").get_session_token(SerialNumber=admins, TokenCode=code)
    iam.tag_mfa_device(SerialNumber=serials["unused"], Tags=[{"Key": "a", "Value": "1e5"}])


def _passwords(handle: Any, iam: Any) -> None:
    iam.update_account_password_policy(
        MinimumPasswordLength=9,
        RequireSymbols=True,
        RequireNumbers=True,
        RequireUppercaseCharacters=True,
        RequireLowercaseCharacters=True,
        AllowUsersToChangePassword=True,
        MaxPasswordAge=90,
        PasswordReusePrevention=3,
        HardExpiry=True,
    )
    iam.create_login_profile(
        UserName="Anna", Password="0777:No-quotes", PasswordResetRequired=True, MaxSigninSessionDuration=7203
    )
    for number in range(2):
        handle.clock.advance(1)
        iam.update_login_profile(UserName="Anna", Password=f"0777:No-quotes{number}", PasswordResetRequired=False)
    for name in ("Anna", "yes"):
        body = certificate(name)
        made = iam.upload_signing_certificate(UserName=name, CertificateBody=body)["Certificate"]["CertificateId"]
        iam.update_signing_certificate(UserName=name, CertificateId=made, Status="Inactive")


def _credentials(handle: Any, iam: Any) -> None:
    root, site = certified("root"), certified("site")
    iam.upload_server_certificate(
        ServerCertificateName="Site",
        Path="/certificates/",
        CertificateBody=site.body,
        PrivateKey=site.private_key,
        CertificateChain=site.body,
        Tags=[{"Key": "Team", "Value": "yes"}, {"Key": "team", "Value": "0777"}],
    )
    iam.upload_server_certificate(ServerCertificateName="root", CertificateBody=root.body, PrivateKey=root.private_key)
    for number, name in enumerate(("Anna", "yes")):
        key = iam.upload_ssh_public_key(UserName=name, SSHPublicKeyBody=ssh(rsa_key(number)))["SSHPublicKey"]
        iam.update_ssh_public_key(UserName=name, SSHPublicKeyId=key["SSHPublicKeyId"], Status="Inactive")
        for service, days in (("codecommit.amazonaws.com", {}), ("bedrock.amazonaws.com", {"CredentialAgeDays": 3})):
            made = iam.create_service_specific_credential(UserName=name, ServiceName=service, **days)
            named = {"ServiceSpecificCredentialId": made["ServiceSpecificCredential"]["ServiceSpecificCredentialId"]}
            iam.update_service_specific_credential(UserName=name, **named, Status="Inactive")
    iam.put_account_properties(Properties={"RoleManager/Enabled": "true"})
    iam.acquire_role(
        TemplateArn="arn:aws:iam::aws:role-template/iam.amazonaws.com/PowerUserRoleTemplate:1",
        ReplacementValues={"AWSServiceName": {"Values": ["lambda.amazonaws.com"]}},
    )


def _providers(handle: Any, iam: Any) -> None:
    metadata = metadata_document(handle.database, handle.clock, "another")
    arn = iam.create_saml_provider(
        Name="second.idp",
        SAMLMetadataDocument=metadata,
        Tags=[{"Key": "on", "Value": "off"}],
        AssertionEncryptionMode="Allowed",
        AddPrivateKey=private_key(),
    )["SAMLProviderArn"]
    iam.update_saml_provider(SAMLProviderArn=arn, AddPrivateKey=private_key(), AssertionEncryptionMode="Required")
    iam.tag_saml_provider(SAMLProviderArn=arn, Tags=[{"Key": "0777", "Value": "1:30"}])
    iam.update_saml_provider(SAMLProviderArn=arn, ContextProvider={"SubjectSourceKey": "Subject/NameID"})
    iam.update_saml_provider(SAMLProviderArn=arn, IdentityCenterInstanceArn=INSTANCE)
    made = iam.create_open_id_connect_provider(
        Url="https://idp.example.com/tenant",
        ClientIDList=["b", "a"],
        ThumbprintList=["a" * 40, "0" * 40],
        Tags=[{"Key": "no", "Value": "~"[:0]}],
        ContextProvider={
            "SubjectSourceKey": "no: #1",
            "SubjectTypeValue": "",
            "KeyDefinitionList": [{"SourceKey": "a b", "TargetKey": "yes"}, {"SourceKey": "0777"}],
        },
    )["OpenIDConnectProviderArn"]
    iam.add_client_id_to_open_id_connect_provider(OpenIDConnectProviderArn=made, ClientID="0777")
    iam.remove_client_id_from_open_id_connect_provider(OpenIDConnectProviderArn=made, ClientID="b")
    iam.update_open_id_connect_provider_thumbprint(OpenIDConnectProviderArn=made, ThumbprintList=["1e5" + "1" * 37])
    iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=made, Tags=[{"Key": "null", "Value": "x"}])


def _delegation(handle: Any, owner: Any, partner: Any) -> None:
    steps = {
        "unassigned": [],
        "assigned": [owner.associate_delegation_request],
        "pending": [owner.associate_delegation_request, owner.update_delegation_request],
        "rejected": [owner.associate_delegation_request, owner.reject_delegation_request],
        "accepted": [owner.associate_delegation_request, owner.accept_delegation_request],
        "finalized": [
            owner.associate_delegation_request,
            owner.accept_delegation_request,
            owner.send_delegation_token,
        ],
    }
    notes = (owner.update_delegation_request, owner.reject_delegation_request)
    for name, calls in steps.items():
        handle.clock.advance(1)
        request_id = partner.create_delegation_request(
            Description=f"{name}: yes",
            Permissions={"PolicyTemplateArn": READ_ONLY},
            RequestorWorkflowId=name,
            NotificationChannel=f"arn:aws:sns:us-east-1:{SECOND}:updates",
            SessionDuration=3600,
            RequestMessage="0777",
            RedirectUrl="https://example.com/?a=b",
            OnlySendByOwner=name == "finalized",
            **({"OwnerAccountId": FIRST} if name != "unassigned" else {}),
        )["DelegationRequestId"]
        for call in calls:
            call(DelegationRequestId=request_id, **({"Notes": "no: # notes"} if call in notes else {}))


def _console_access(signin: Any) -> None:
    signin.put_resource_permission_statement(sourceIp="203.0.113.0/24", excludedPrincipal=f"arn:aws:iam::{FIRST}:root")
    signin.put_resource_permission_statement(sourceIp="198.51.100.7")
    signin.put_console_authorization_configuration()


def _rest(handle: Any, iam: Any) -> None:
    iam.create_account_alias(AccountAlias="example-corp")
    for _ in ("started", "in progress"):
        iam.generate_credential_report()
    iam.set_security_token_service_preferences(GlobalEndpointTokenVersion="v2Token")
    iam.enable_outbound_web_identity_federation()
    handle.client("iam", "partner").enable_outbound_web_identity_federation()
    handle.client("iam", "partner").disable_outbound_web_identity_federation()
    iam.enable_organizations_root_credentials_management()
    iam.enable_organizations_root_sessions()
    # A principal of a trust policy is deleted, and another one with the name exists.
    iam.create_user(UserName="gone")
    trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{FIRST}:user/gone"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.update_assume_role_policy(RoleName="orphan", PolicyDocument=document)
    iam.delete_user(UserName="gone")
    iam.create_user(UserName="gone")


def _chime(chime: Any) -> None:
    for value in (*ODD[:6], "é–ß"):
        account_id = chime.create_account(Name=value)["Account"]["AccountId"]
        chime.create_user(AccountId=account_id, Username=value)
    chime.update_account(AccountId=account_id, Name="no", DefaultLicense="Basic")
    chime.update_account_settings(
        AccountId=account_id, AccountSettings={"DisableRemoteControl": True, "EnableDialOut": True}
    )
    chime.invite_users(AccountId=account_id, UserEmailList=["Ana@Example.com", "o'b@x.org"], UserType="SharedDevice")
    users = [
        chime.create_user(AccountId=account_id, Username=f"user {number}", Email=f"{number}@example.com")["User"]
        for number in range(4)
    ]
    ids = [user["UserId"] for user in users]
    chime.batch_suspend_user(AccountId=account_id, UserIdList=ids[:2])
    chime.batch_update_user(AccountId=account_id, UpdateUserRequestItems=[{"UserId": ids[2], "LicenseType": "Basic"}])
    chime.update_user(
        AccountId=account_id,
        UserId=ids[3],
        LicenseType="Pro",
        AlexaForBusinessMetadata={
            "IsAlexaForBusinessEnabled": True,
            "AlexaForBusinessRoomArn": "arn:aws:a4b:us-east-1:111122223333:room/1234abcd/0777",
        },
    )
    chime.update_user_settings(
        AccountId=account_id,
        UserId=ids[3],
        UserSettings={"Telephony": {"InboundCalling": True, "OutboundCalling": True, "SMS": True}},
    )
    chime.logout_user(AccountId=account_id, UserId=ids[3])
    chime.reset_personal_pin(AccountId=account_id, UserId=ids[3])


# A call with the same token answers the same meeting, so the answers can begin with it.
MEETING = {
    "ClientRequestToken": "0777",
    "MediaRegion": "eu-west-1",
    "ExternalMeetingId": "no",
    "MeetingFeatures": {"Video": {"MaxResolution": "None"}, "Attendee": {"MaxCount": 9}},
    "TenantIds": ["no", "0777"],
    "Attendees": [{"ExternalUserId": "no"}, {"ExternalUserId": "0777"}],
    "Tags": [{"Key": "Team", "Value": "no"}],
}


def _meetings(meetings: Any) -> None:
    made = meetings.create_meeting_with_attendees(**MEETING)["Meeting"]
    replica = {**MEETING, "ClientRequestToken": "replica", "PrimaryMeetingId": made["MeetingId"]}
    meetings.create_meeting_with_attendees(**replica)
    ended = meetings.create_meeting(ClientRequestToken="ended", MediaRegion="us-east-1", ExternalMeetingId="no")
    meetings.delete_meeting(MeetingId=ended["Meeting"]["MeetingId"])


# The answers.


def _enterprise(chime: Any) -> None:
    account = {"AccountId": ENTERPRISE}
    user = chime.list_users(**account)["Users"][0]["UserId"]
    for value in ODD[:4]:
        room = {**account, "RoomId": chime.create_room(**account, Name=value)["Room"]["RoomId"]}
        bot = {**account, "BotId": chime.create_bot(**account, DisplayName="0777", Domain="a.org")["Bot"]["BotId"]}
        chime.create_room_membership(**room, MemberId=bot["BotId"])
        chime.create_room_membership(**room, MemberId=user, Role="Administrator")
    chime.update_bot(**bot, Disabled=True)
    chime.put_events_configuration(**bot, OutboundEventsHTTPSEndpoint="https://example.com/?a=b: c#".replace(" ", ""))
    settings = {"RoomRetentionSettings": {"RetentionDays": 777}, "ConversationRetentionSettings": {}}
    chime.put_retention_settings(**account, RetentionSettings=settings)
    groups = [{"GroupName": name} for name in ODD[:4]]
    chime.associate_signin_delegate_groups_with_account(**account, SigninDelegateGroups=groups)


def _numbers(handle: Any, chime: Any, voice: Any) -> None:
    area = [f"+120655501{number:02}" for number in range(4)]
    chime.create_phone_number_order(ProductType="BusinessCalling", E164PhoneNumbers=[*area, "+12065559999"])
    handle.clock.advance(5)
    chime.update_phone_number(PhoneNumberId=area[0], CallingName="0777")
    voice.update_phone_number(PhoneNumberId=area[1], Name="1e5")
    chime.delete_phone_number(PhoneNumberId=area[2])
    user = chime.list_users(AccountId=ENTERPRISE)["Users"][0]["UserId"]
    chime.associate_phone_number_with_user(AccountId=ENTERPRISE, UserId=user, E164PhoneNumber=area[3])
    chime.update_phone_number_settings(CallingName="null")
    chime.update_global_settings(BusinessCalling={"CdrBucket": "0777"}, VoiceConnector={"CdrBucket": "yes"})


def _connectors(voice: Any) -> None:
    for value in ("no", "0777"):
        tags = [{"Key": "Team", "Value": value}, {"Key": "team", "Value": ""}]
        made = voice.create_voice_connector(Name=value, RequireEncryption=True, AwsRegion="us-west-2", Tags=tags)
        named = {"VoiceConnectorId": made["VoiceConnector"]["VoiceConnectorId"]}
        voice.put_voice_connector_origination(**named, Origination={"Routes": [{"Host": value}]})
        voice.put_voice_connector_termination(**named, Termination={"CallingRegions": ["NO"]})
        voice.put_voice_connector_logging_configuration(**named, LoggingConfiguration={"EnableSIPLogs": True})
        voice.put_voice_connector_streaming_configuration(
            **named, StreamingConfiguration={"DataRetentionInHours": 1, "Disabled": True}
        )
        voice.put_voice_connector_emergency_calling_configuration(
            **named,
            EmergencyCallingConfiguration={"DNIS": [{"EmergencyPhoneNumber": "+12065550100", "CallingCountry": "NO"}]},
        )
        voice.untag_resource(ResourceARN=made["VoiceConnector"]["VoiceConnectorArn"], TagKeys=["team"])
        voice.put_voice_connector_proxy(**named, DefaultSessionExpiryMinutes=5, PhoneNumberPoolCountries=["NO"])


def _voices(handle: Any, voice: Any) -> None:
    """A profile, an analysis and a proxy session, in a connector that streams."""
    numbers = {"VoiceConnector": "+14155550100", "SipMediaApplicationDialIn": "+14155550101"}
    for product, number in numbers.items():
        voice.create_phone_number_order(ProductType=product, E164PhoneNumbers=[number])
    handle.clock.advance(5)
    first = voice.list_voice_connectors()["VoiceConnectors"][0]
    named = {"VoiceConnectorId": first["VoiceConnectorId"]}
    streaming = {"DataRetentionInHours": 0, "Disabled": False}
    voice.put_voice_connector_streaming_configuration(**named, StreamingConfiguration=streaming)
    function = "arn:aws:lambda:us-east-1:111122223333:function:no"
    made = voice.create_sip_media_application(AwsRegion="us-east-1", Name="0777", Endpoints=[{"LambdaArn": function}])
    call = voice.create_sip_media_application_call(
        FromPhoneNumber=numbers["SipMediaApplicationDialIn"],
        ToPhoneNumber="+14155550150",
        SipMediaApplicationId=made["SipMediaApplication"]["SipMediaApplicationId"],
    )
    key = {"KmsKeyArn": "arn:aws:kms:us-east-1:111122223333:key/0777"}
    domain = voice.create_voice_profile_domain(Name="yes", ServerSideEncryptionConfiguration=key)
    domain_id = domain["VoiceProfileDomain"]["VoiceProfileDomainId"]
    task = voice.start_speaker_search_task(
        **named, TransactionId=call["SipMediaApplicationCall"]["TransactionId"], VoiceProfileDomainId=domain_id
    )
    handle.clock.advance(12)
    voice.create_voice_profile(SpeakerSearchTaskId=task["SpeakerSearchTask"]["SpeakerSearchTaskId"])
    connector_numbers = [numbers["VoiceConnector"]]
    voice.associate_phone_numbers_with_voice_connector(**named, E164PhoneNumbers=connector_numbers)
    voice.put_voice_connector_proxy(**named, DefaultSessionExpiryMinutes=5, PhoneNumberPoolCountries=["US"])
    people = ["+14155550150", "+14155550151"]
    voice.create_proxy_session(**named, ParticipantPhoneNumbers=people, Capabilities=["Voice"], Name="0777")


def _pipelines(handle: Any) -> None:
    """A pipeline of a meeting that goes on, one of a configuration with a task, and a pool."""
    client, meetings = handle.client("chime-sdk-media-pipelines"), handle.client("chime-sdk-meetings")
    asked = {"ClientRequestToken": "piped", "MediaRegion": "us-east-1", "ExternalMeetingId": "piped"}
    meeting = meetings.create_meeting(**asked)["Meeting"]["MeetingArn"]
    tags = [{"Key": "Team", "Value": "no"}]
    source = {"SourceType": "ChimeSdkMeeting", "SourceArn": meeting}
    client.create_media_capture_pipeline(**source, SinkType="S3Bucket", SinkArn="arn:aws:s3:::0777", Tags=tags)
    streams = {"Region": "us-west-2", "DataRetentionInHours": 1}
    client.create_media_pipeline_kinesis_video_stream_pool(PoolName="1e5", StreamConfiguration=streams)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "mediapipelines.chime.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    role = handle.client("iam").create_role(RoleName="insights", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    client.create_media_insights_pipeline_configuration(
        MediaInsightsPipelineConfigurationName="null",
        ResourceAccessRoleArn=role,
        Elements=[{"Type": "VoiceEnhancementSink", "VoiceEnhancementSinkConfiguration": {"Disabled": True}}],
    )


def _channels(identity: Any, messaging: Any) -> None:
    """A channel with a moderator, a second member, a ban and messages, and a channel flow."""
    instance = identity.create_app_instance(Name="1e3")["AppInstanceArn"]
    ana, ben, cem = (
        identity.create_app_instance_user(AppInstanceArn=instance, AppInstanceUserId=name, Name=name)[
            "AppInstanceUserArn"
        ]
        for name in ("no", "ben", "0777")
    )
    channel = messaging.create_channel(
        AppInstanceArn=instance, Name="null", ClientRequestToken="channel", ChimeBearer=ana, Metadata="~"
    )["ChannelArn"]
    named = {"ChannelArn": channel, "ChimeBearer": ana}
    messaging.create_channel_membership(**named, MemberArn=ben, Type="DEFAULT")
    messaging.create_channel_ban(**named, MemberArn=cem)
    for number in range(2):
        messaging.send_channel_message(
            **named, Content="0x1", Type="STANDARD", Persistence="PERSISTENT", ClientRequestToken=f"token-{number}"
        )
    function = "arn:aws:lambda:us-east-1:111122223333:function:no"
    processor = {
        "Name": "1e5",
        "Configuration": {"Lambda": {"ResourceArn": function, "InvocationType": "ASYNC"}},
        "ExecutionOrder": 1,
        "FallbackAction": "ABORT",
    }
    messaging.create_channel_flow(
        AppInstanceArn=instance, Processors=[processor], Name="flow", ClientRequestToken="flow"
    )


class Answers:
    """Every answer of the reading operations to the administrators of both accounts, by call."""

    def __init__(self, handle: Any) -> None:
        self.found: dict[str, Any] = {}
        self.asked: set[str] = set()
        for who in ("admin", "partner"):
            self._who = who
            self._clients = {
                service: handle.client(service, user=who)
                for service in (
                    "iam",
                    "chime",
                    "chime-sdk-identity",
                    "chime-sdk-messaging",
                    "chime-sdk-media-pipelines",
                    "chime-sdk-meetings",
                    "chime-sdk-voice",
                    "organizations",
                    "rolesanywhere",
                    "signin",
                )
            }
            self._ask_everything()

    def ask(self, call: str, **parameters: Any) -> Any:
        """The answer, or the error, which counts as an answer."""
        service, _, name = call.rpartition(".")
        self.asked.add(name.replace("_", ""))
        key = f"{self._who} {call} {json.dumps(parameters, sort_keys=True)}"
        try:
            answer = getattr(self._clients[service or "iam"], name)(**parameters)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                raise
            answer = {"Error": error.response["Error"]["Code"]}
        answer.pop("ResponseMetadata", None)
        assert not answer.get("IsTruncated"), call
        self.found[key] = answer
        return answer

    def each(self, call: str, member: str, field: str = "", **parameters: Any) -> Iterator[Any]:
        for listed in self.ask(call, **parameters).get(member, ()):
            yield listed[field] if field else listed

    def _ask_everything(self) -> None:
        self._of_account()
        for name in self.each("list_users", "Users", "UserName", MaxItems=1000):
            self._of_user(name)
        self._of_user(None)
        for name in self.each("list_groups", "Groups", "GroupName"):
            self.ask("get_group", GroupName=name)
            self.ask("list_attached_group_policies", GroupName=name)
            for policy in self.each("list_group_policies", "PolicyNames", GroupName=name):
                self.ask("get_group_policy", GroupName=name, PolicyName=policy)
        for name in self.each("list_roles", "Roles", "RoleName", MaxItems=1000):
            self._of_role(name)
        for arn in self.each("list_policies", "Policies", "Arn", Scope="Local", MaxItems=1000):
            self._of_policy(arn)
        self._of_devices_and_providers()
        self._of_chime()
        self._of_connectors()
        self._of_pipelines()
        self._of_channels()
        ask_organization(self)
        ask_anywhere(self)
        if self._who == "admin":
            self._of_meetings()

    def _of_account(self) -> None:
        self.ask("signin.get_resource_policy")
        self.ask("signin.list_resource_permission_statements")
        self.ask("signin.get_console_authorization_configuration")
        for call in (
            "get_account_properties",
            "get_account_summary",
            "get_account_password_policy",
            "get_outbound_web_identity_federation_info",
            "list_account_aliases",
            "get_credential_report",
            "list_organizations_features",
        ):
            self.ask(call)
        self.ask("list_entities_for_policy", PolicyArn=READ_ONLY)
        self.ask("get_account_authorization_details", MaxItems=1000)
        for profile in self.each("list_instance_profiles", "InstanceProfiles", "InstanceProfileName"):
            self.ask("get_instance_profile", InstanceProfileName=profile)
            self.ask("list_instance_profile_tags", InstanceProfileName=profile)
        for request in self.each("list_delegation_requests", "DelegationRequests", "DelegationRequestId"):
            self.ask("get_delegation_request", DelegationRequestId=request)
            arn = f"arn:aws:iam::{FIRST}:delegation-request/{request}"
            self.ask("get_human_readable_summary", EntityArn=arn)
        for name in self.each("list_server_certificates", "ServerCertificateMetadataList", "ServerCertificateName"):
            self.ask("get_server_certificate", ServerCertificateName=name)
            self.ask("list_server_certificate_tags", ServerCertificateName=name)

    def _of_user(self, name: str | None) -> None:
        user = {} if name is None else {"UserName": name}
        self.ask("get_user", **user)
        self.ask("get_login_profile", **user)
        for key in self.each("list_access_keys", "AccessKeyMetadata", "AccessKeyId", **user):
            self.ask("get_access_key_last_used", AccessKeyId=key)
        for serial in self.each("list_mfa_devices", "MFADevices", "SerialNumber", **user):
            self.ask("get_mfa_device", SerialNumber=serial, **user)
        self.ask("list_signing_certificates", **user)
        self.ask("list_service_specific_credentials", **user)
        keys = self.each("list_ssh_public_keys", "SSHPublicKeys", "SSHPublicKeyId", **user)
        for key in keys:
            for encoding in ("SSH", "PEM"):
                self.ask("get_ssh_public_key", SSHPublicKeyId=key, Encoding=encoding, **user)
        if name is None:
            return
        self.ask("list_user_tags", **user)
        self.ask("list_groups_for_user", **user)
        self.ask("list_attached_user_policies", **user)
        for policy in self.each("list_user_policies", "PolicyNames", **user):
            self.ask("get_user_policy", PolicyName=policy, **user)
        arn = self.ask("get_user", **user)["User"]["Arn"]
        self._decisions(arn)

    def _of_role(self, name: str) -> None:
        arn = self.ask("get_role", RoleName=name)["Role"]["Arn"]
        self.ask("list_role_tags", RoleName=name)
        self.ask("list_instance_profiles_for_role", RoleName=name)
        self.ask("list_attached_role_policies", RoleName=name)
        for policy in self.each("list_role_policies", "PolicyNames", RoleName=name):
            self.ask("get_role_policy", RoleName=name, PolicyName=policy)
        self._decisions(arn)

    def _decisions(self, arn: str) -> None:
        self.ask("get_context_keys_for_principal_policy", PolicySourceArn=arn)
        self.ask("list_policies_granting_service_access", Arn=arn, ServiceNamespaces=["iam", "chime", "s3"])
        actions = ["iam:GetUser", "chime:DeleteUser", "sts:AssumeRole", "s3:GetObject"]
        self.ask("simulate_principal_policy", PolicySourceArn=arn, ActionNames=actions)

    def _of_policy(self, arn: str) -> None:
        self.ask("get_policy", PolicyArn=arn)
        self.ask("list_policy_tags", PolicyArn=arn)
        self.ask("list_entities_for_policy", PolicyArn=arn)
        for version in self.each("list_policy_versions", "Versions", "VersionId", PolicyArn=arn):
            self.ask("get_policy_version", PolicyArn=arn, VersionId=version)

    def _of_devices_and_providers(self) -> None:
        for serial in self.each("list_virtual_mfa_devices", "VirtualMFADevices", "SerialNumber"):
            self.ask("list_mfa_device_tags", SerialNumber=serial)
        for arn in self.each("list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"):
            self.ask("get_open_id_connect_provider", OpenIDConnectProviderArn=arn)
            self.ask("list_open_id_connect_provider_tags", OpenIDConnectProviderArn=arn)
        for arn in self.each("list_saml_providers", "SAMLProviderList", "Arn"):
            self.ask("get_saml_provider", SAMLProviderArn=arn)
            self.ask("list_saml_provider_tags", SAMLProviderArn=arn)

    def _of_chime(self) -> None:
        for account_id in self.each("chime.list_accounts", "Accounts", "AccountId"):
            self.ask("chime.get_account", AccountId=account_id)
            self.ask("chime.get_account_settings", AccountId=account_id)
            for user_id in self.each("chime.list_users", "Users", "UserId", AccountId=account_id):
                self.ask("chime.get_user", AccountId=account_id, UserId=user_id)
                self.ask("chime.get_user_settings", AccountId=account_id, UserId=user_id)
            self.ask("chime.get_retention_settings", AccountId=account_id)
            for room_id in self.each("chime.list_rooms", "Rooms", "RoomId", AccountId=account_id):
                self.ask("chime.get_room", AccountId=account_id, RoomId=room_id)
                self.ask("chime.list_room_memberships", AccountId=account_id, RoomId=room_id)
            for bot_id in self.each("chime.list_bots", "Bots", "BotId", AccountId=account_id):
                self.ask("chime.get_bot", AccountId=account_id, BotId=bot_id)
                self.ask("chime.get_events_configuration", AccountId=account_id, BotId=bot_id)
        for number in self.each("chime-sdk-voice.list_phone_numbers", "PhoneNumbers", "PhoneNumberId"):
            self.ask("chime-sdk-voice.get_phone_number", PhoneNumberId=number)
        orders = self.each("chime.list_phone_number_orders", "PhoneNumberOrders", "PhoneNumberOrderId")
        for order_id in orders:
            self.ask("chime.get_phone_number_order", PhoneNumberOrderId=order_id)
        self.ask("chime.get_global_settings")
        self.ask("chime.list_supported_phone_number_countries", ProductType="VoiceConnector")
        self.ask("chime.get_phone_number_settings")
        self.ask("chime.search_available_phone_numbers", AreaCode="206")

    def _of_connectors(self) -> None:
        listed = self.ask("chime-sdk-voice.list_voice_connectors").get("VoiceConnectors", ())
        for connector in listed:
            named = {"VoiceConnectorId": connector["VoiceConnectorId"]}
            for part in (
                "",
                "_origination",
                "_termination",
                "_logging_configuration",
                "_streaming_configuration",
                "_emergency_calling_configuration",
                "_proxy",
            ):
                self.ask(f"chime-sdk-voice.get_voice_connector{part}", **named)
            self.ask("chime-sdk-voice.list_tags_for_resource", ResourceARN=connector["VoiceConnectorArn"])
            self.ask("chime-sdk-voice.list_proxy_sessions", **named)
        service = "chime-sdk-voice"
        self.ask(f"{service}.list_available_voice_connector_regions")
        domains = self.ask(f"{service}.list_voice_profile_domains").get("VoiceProfileDomains", ())
        for domain in domains:
            self.ask(f"{service}.list_voice_profiles", VoiceProfileDomainId=domain["VoiceProfileDomainId"])

    def _of_pipelines(self) -> None:
        service = "chime-sdk-media-pipelines"
        for each in self.ask(f"{service}.list_media_pipelines").get("MediaPipelines", ()):
            self.ask(f"{service}.get_media_pipeline", MediaPipelineId=each["MediaPipelineId"])
            self.ask(f"{service}.get_media_capture_pipeline", MediaPipelineId=each["MediaPipelineId"])
            self.ask(f"{service}.list_tags_for_resource", ResourceARN=each["MediaPipelineArn"])
        self.ask(f"{service}.list_media_capture_pipelines")
        for pool in self.ask(f"{service}.list_media_pipeline_kinesis_video_stream_pools").get(
            "KinesisVideoStreamPools", ()
        ):
            self.ask(f"{service}.get_media_pipeline_kinesis_video_stream_pool", Identifier=pool["PoolName"])
        for each in self.ask(f"{service}.list_media_insights_pipeline_configurations").get(
            "MediaInsightsPipelineConfigurations", ()
        ):
            arn = each["MediaInsightsPipelineConfigurationArn"]
            self.ask(f"{service}.get_media_insights_pipeline_configuration", Identifier=arn)

    def _of_channels(self) -> None:
        service = "chime-sdk-messaging"
        for instance in self.ask("chime-sdk-identity.list_app_instances").get("AppInstances", ()):
            of_instance = {"AppInstanceArn": instance["AppInstanceArn"]}
            self.ask(f"{service}.list_channel_flows", **of_instance)
            users = self.ask("chime-sdk-identity.list_app_instance_users", **of_instance).get("AppInstanceUsers", ())
            for user in users:
                bearer = {"ChimeBearer": user["AppInstanceUserArn"]}
                found = self.ask(f"{service}.list_channel_memberships_for_app_instance_user", **bearer)
                for each in found.get("ChannelMemberships", ()):
                    named = {"ChannelArn": each["ChannelSummary"]["ChannelArn"], **bearer}
                    for operation in ("channel_memberships", "channel_messages", "channel_moderators", "channel_bans"):
                        self.ask(f"{service}.list_{operation}", **named)
                    self.ask(f"{service}.describe_channel", **named)

    def _of_meetings(self) -> None:
        service = "chime-sdk-meetings"
        made = self.ask(f"{service}.create_meeting_with_attendees", **MEETING)
        named = {"MeetingId": made["Meeting"]["MeetingId"]}
        self.ask(f"{service}.get_meeting", **named)
        for attendee in self.each(f"{service}.list_attendees", "Attendees", **named):
            self.ask(f"{service}.get_attendee", **named, AttendeeId=attendee["AttendeeId"])
        self.ask(f"{service}.list_tags_for_resource", ResourceARN=made["Meeting"]["MeetingArn"])
