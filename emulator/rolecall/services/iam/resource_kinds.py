"""IAM's kinds of resources, for the permissions of every operation: what is stored of one, and its name in a refusal.

The ARN of a user, group or role has a path. A request gives the name alone, so the path is looked up. In refusals of
its older operations AWS writes ``user NAME``, in the others the ARN. Recorded answers show which form applies.
"""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.access.permission import ContextValue, Permission
from rolecall.access.resources import Resource
from rolecall.arns import iam_arn, parse_arn, root_arn
from rolecall.data import actions
from rolecall.errors import AwsError
from rolecall.service_records import action_of
from rolecall.services.iam.common import resource_tag_keys
from rolecall.services.permissions import Described, as_named, resource_kind, table_permissions
from rolecall.services.registry import Call, Parameters, PermissionsOf
from rolecall.storage.entity_tags import TaggedKind
from rolecall.storage.groups import group_by_name
from rolecall.storage.instance_profiles import profile_by_name
from rolecall.storage.mfa_devices import device_by_serial
from rolecall.storage.policies import policy_by_arn
from rolecall.storage.roles import RoleRecord, role_by_name
from rolecall.storage.server_certificates import server_certificate_by_name
from rolecall.storage.users import UserRecord, user_by_id, user_by_name

NOT_A_USER_MESSAGE = "Must specify userName when calling with non-User credentials"
_BOUNDARY_KEY = "iam:PermissionsBoundary"
_WORDED_AS_ARN = frozenset(
    {
        "DeleteRolePermissionsBoundary",
        "DeleteServiceLinkedRole",
        "DeleteUserPermissionsBoundary",
        "ListInstanceProfileTags",
        "ListRoleTags",
        "ListUserTags",
        "PutRolePermissionsBoundary",
        "PutUserPermissionsBoundary",
        "TagInstanceProfile",
        "TagRole",
        "TagUser",
        "UntagInstanceProfile",
        "UntagRole",
        "UntagUser",
    }
)


def calling_user(call: Call) -> UserRecord | None:
    """The user who calls; None for the root user. Raises AwsError for any other caller."""
    principal = call.caller.principal
    if principal.type == "Account":
        return None
    user = user_by_id(call.db, principal.entity_id) if principal.type == "User" else None
    if user is None:
        raise AwsError("ValidationError", NOT_A_USER_MESSAGE)
    return user


def _calling(call: Call) -> Described:
    user = calling_user(call)
    return Described(root_arn(call.account_id), {}) if user is None else _described_user(call, user, "")


@resource_kind("iam", "user", made_by="CreateUser", tagged_by="TagUser", implied=_calling, kept=True)
def _user(call: Call, resource: Resource) -> Described:
    user = user_by_name(call.db, call.account_id, _name(call, resource))
    return _absent(call, resource) if user is None else _described_user(call, user, resource.given)


def _described_user(call: Call, user: UserRecord, given: str) -> Described:
    keys = _boundary_keys(call, user.permissions_boundary_arn)
    keys.update(resource_tag_keys(call, "user", user.user_id))
    return Described(user.arn, keys, _worded(call, "user", user.name, given))


@resource_kind("iam", "group", made_by="CreateGroup", kept=True)
def _group(call: Call, resource: Resource) -> Described:
    group = group_by_name(call.db, call.account_id, _name(call, resource))
    if group is None:
        return _absent(call, resource)
    return Described(group.arn, {}, _worded(call, "group", group.name, resource.given))


@resource_kind("iam", "role", made_by="CreateRole", tagged_by="TagRole", kept=True)
def _role(call: Call, resource: Resource) -> Described:
    role = role_by_name(call.db, call.account_id, _name(call, resource))
    return _absent(call, resource) if role is None else _described_role(call, role, resource.given)


def _described_role(call: Call, role: RoleRecord, given: str) -> Described:
    keys = _boundary_keys(call, role.permissions_boundary_arn)
    keys.update(resource_tag_keys(call, "role", role.role_id))
    return Described(role.arn, keys, _worded(call, "role", role.name, given))


@resource_kind("iam", "policy", made_by="CreatePolicy", made_as="policy {name}", tagged_by="TagPolicy")
def _policy(call: Call, resource: Resource) -> Described:
    policy = policy_by_arn(call.db, resource.arn)
    keys = {} if policy is None else resource_tag_keys(call, "policy", policy.policy_id)
    return Described(resource.arn, keys, f"policy {resource.arn}")


@resource_kind("iam", "saml-provider", made_by="CreateSAMLProvider", tagged_by="TagSAMLProvider")
def _saml_provider(call: Call, resource: Resource) -> Described:
    return _tagged(call, "saml_provider", resource)


@resource_kind("iam", "oidc-provider", made_by="CreateOpenIDConnectProvider", tagged_by="TagOpenIDConnectProvider")
def _oidc_provider(call: Call, resource: Resource) -> Described:
    return _tagged(call, "oidc_provider", resource)


@resource_kind("iam", "mfa", made_by="CreateVirtualMFADevice", tagged_by="TagMFADevice")
def _mfa_device(call: Call, resource: Resource) -> Described:
    is_here = device_by_serial(call.db, call.account_id, resource.given) is not None
    return _tagged(call, "mfa_device", resource) if is_here else Described(resource.arn, {})


@resource_kind("iam", "server-certificate", made_by="UploadServerCertificate", tagged_by="TagServerCertificate")
def _server_certificate(call: Call, resource: Resource) -> Described:
    certificate = server_certificate_by_name(call.db, call.account_id, _name(call, resource))
    if certificate is None:
        return as_named(call, resource)
    return Described(certificate.arn, resource_tag_keys(call, "server_certificate", certificate.certificate_id))


@resource_kind("iam", "role-template")
def _role_template(_call: Call, resource: Resource) -> Described:
    return Described(resource.arn, {}, f"role-template {resource.arn}")


@resource_kind("iam", "instance-profile", made_by="CreateInstanceProfile", tagged_by="TagInstanceProfile")
def _instance_profile(call: Call, resource: Resource) -> Described:
    profile = profile_by_name(call.db, call.account_id, _name(call, resource))
    if profile is None:
        return _absent(call, resource)
    keys = resource_tag_keys(call, "instance_profile", profile.instance_profile_id)
    return Described(profile.arn, keys, _worded(call, "instance profile", profile.name, resource.given))


def user_permission(call: Call, user: UserRecord) -> Permission:
    """The operation's action on a user that the request does not name."""
    described = _described_user(call, user, "")
    action = action_of("iam", call.operation)
    return Permission(action, described.arn, context=described.context, shown_as=described.shown_as)


def renaming(kind: str) -> PermissionsOf:
    """For the operation that renames or moves an entity of a kind: the permission on the old and on the new name.

    Source: the API references of UpdateUser, UpdateGroup and UpdateServerCertificate.
    """

    def permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
        [present] = table_permissions(call, parameters)
        noun = kind.title().replace("-", "")
        new_name, new_path = parameters.get(f"New{noun}Name"), parameters.get("NewPath")
        if new_name is None and new_path is None:
            return [present]
        path, _, name = present.resource.partition(f":{kind}")[2].rpartition("/")
        name = name if new_name is None else new_name
        arn = iam_arn(call.account_id, kind, f"{path}/" if new_path is None else new_path, name)
        shown_as = f"{kind} {name}" if present.shown_as else ""
        return [present, Permission(present.action, arn, context=present.context, shown_as=shown_as)]

    return permissions


def listing(kind: str) -> PermissionsOf:
    """For the operation that lists all entities of a kind: ``*``, which AWS shows as their common ARN."""

    def permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
        [present] = table_permissions(call, parameters)
        arn = iam_arn(call.account_id, kind, parameters.get("PathPrefix", "/"), "")
        return [Permission(present.action, shown_as=arn)]

    return permissions


def _name(call: Call, resource: Resource) -> str:
    """The name that a request gives an entity of the caller's account: alone, or in an ARN with any path."""
    if not resource.given.startswith("arn:"):
        return resource.given
    parsed = parse_arn(resource.given)
    return parsed.resource_name if parsed is not None and parsed.account_id == call.account_id else ""


def _absent(call: Call, resource: Resource) -> Described:
    kind = resource.type.replace("-", " ")
    return Described(resource.arn, {}, _worded(call, kind, resource.given, resource.given))


def _worded(call: Call, kind: str, name: str, given: str) -> str:
    return "" if call.operation in _WORDED_AS_ARN or given.startswith("arn:") else f"{kind} {name}"


def _boundary_keys(call: Call, boundary_arn: str | None) -> dict[str, ContextValue]:
    """The boundary of a user or role, for actions that have this key. Other actions do not match a policy on it."""
    if boundary_arn is None or _BOUNDARY_KEY not in actions("iam")[call.operation.lower()].condition_keys:
        return {}
    return {_BOUNDARY_KEY.lower(): boundary_arn}


def _tagged(call: Call, kind: TaggedKind, resource: Resource) -> Described:
    return Described(resource.arn, resource_tag_keys(call, kind, resource.arn))
