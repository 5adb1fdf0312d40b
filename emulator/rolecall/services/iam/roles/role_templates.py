"""Role templates of AWS: shown, and made into roles by AcquireRole.

Recorded answers show the rules. AcquireRole answers a role that it made before from the same template with the same
values, unless the role has changed since. Its description and its longest session may change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rolecall.access.permission import Permission
from rolecall.arns import iam_arn
from rolecall.data import RoleTemplate, role_template
from rolecall.errors import AwsError
from rolecall.ids import ROLE_PREFIX
from rolecall.services.iam.policies.managed_policies import encoded_document
from rolecall.services.iam.roles.rendered_templates import RenderedRole, Values, rendered
from rolecall.services.iam.roles.roles import check_role_count, shown_role, store_new_role
from rolecall.services.iam.roles.trust import checked_trust_policy
from rolecall.services.registry import Answer, Call, Parameters, operation, parameter_not_emulated
from rolecall.storage.acquired_roles import AcquiredRole, acquired_role, add_acquired_role
from rolecall.storage.entity_policies import attach_policy, attached_arns, inline_documents, put_inline
from rolecall.storage.entity_tags import tags_of
from rolecall.storage.roles import RoleRecord, role_by_name

NOT_FOUND_MESSAGE = "Role template not found in repository: {arn}"
MODIFIED_MESSAGE = "Role {name} has been modified since it was created and is no longer managed."
OTHER_VALUES_MESSAGE = (
    "A role with this name exists but was created with different parameters. Pass a unique roleName to create a new "
    "role."
)
NOT_FROM_TEMPLATE_MESSAGE = (
    "A role with this name already exists in the account but was not created from this template. Choose a different "
    "role name, or remove the existing role if it is no longer needed."
)
_READ_ACTION = "iam:GetRoleTemplateVersion"
_TIMES = ("CreateTimestamp", "UpdateTimestamp")
Replacements = Mapping[str, Mapping[str, Any]]


def _existing(arn: str, minor_version: int | None) -> RoleTemplate:
    template = role_template(arn, minor_version)
    if template is None:
        raise AwsError("NoSuchEntity", NOT_FOUND_MESSAGE.format(arn=arn))
    return template


@operation("iam", "GetRoleTemplateVersion")
def get_role_template_version(_call: Call, *, TemplateArn: str, MinorVersion: int | None = None) -> Answer:
    """A version of a template, by default its default version. Raises AwsError NoSuchEntity."""
    shown: Answer = dict(_existing(TemplateArn, MinorVersion).answer)
    shown["AssumeRolePolicyDocumentTemplate"] = encoded_document(shown["AssumeRolePolicyDocumentTemplate"])
    if "InlinePolicyTemplates" in shown:
        shown["InlinePolicyTemplates"] = [
            {**each, "PolicyDocument": encoded_document(each["PolicyDocument"])}
            for each in shown["InlinePolicyTemplates"]
        ]
    shown.update({name: int(datetime.fromisoformat(shown[name]).timestamp()) for name in _TIMES})
    return {"RoleTemplateVersion": shown}


def _values(replacements: Replacements | None) -> Values:
    """The values by name. Raises AwsError for what a newer model adds: the gateway does not look into maps."""
    for entry in (replacements or {}).values():
        unknown = min(entry.keys() - {"Values"}, default=None)
        if unknown is not None:
            raise parameter_not_emulated("AcquireRole", f"ReplacementValues.{unknown}")
    return {name: tuple(entry.get("Values", ())) for name, entry in (replacements or {}).items()}


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    """Reading the template; for a new role also what makes it. AWS has no action of AcquireRole's own name."""
    arn = parameters["TemplateArn"]
    reading = Permission(_READ_ACTION, arn, shown_as=f"role template {arn}")
    template = role_template(arn, parameters.get("TemplateMinorVersion"))
    if template is None:
        return [reading]
    try:
        role = rendered(template, _values(parameters.get("ReplacementValues")))
    except AwsError:
        # The operation refuses these values, once the caller may read the template.
        return [reading]
    if role_by_name(call.db, call.account_id, role.name) is not None:
        return [reading]
    resource, shown_as = iam_arn(call.account_id, "role", role.path, role.name), f"role/{role.name}"
    making = [Permission("iam:CreateRole", resource, shown_as=shown_as)]
    for policy_arn in role.managed_policy_arns:
        context = {"iam:policyarn": policy_arn}
        making.append(Permission("iam:AttachRolePolicy", resource, context=context, shown_as=shown_as))
    if role.inline_policies:
        making.append(Permission("iam:PutRolePolicy", resource, shown_as=shown_as))
    return [reading, *making]


@operation("iam", "AcquireRole", permissions=_permissions)
def acquire_role(
    call: Call,
    *,
    TemplateArn: str,
    TemplateMinorVersion: int | None = None,
    ReplacementValues: Replacements | None = None,
) -> Answer:
    """The role that a template describes, made now or by an earlier call with the same values.

    Raises AwsError: NoSuchEntity (template), InvalidInput, ValidationError, NameConflict, RoleModified,
    MalformedPolicyDocument, LimitExceeded.
    """
    template = _existing(TemplateArn, TemplateMinorVersion)
    values = _values(ReplacementValues)
    wanted = rendered(template, values)
    present = role_by_name(call.db, call.account_id, wanted.name)
    if present is None:
        present = _made(call, wanted, AcquiredRole(template.arn, template.minor_version, values))
    else:
        _check_present(call, present, template, wanted)
    return {"Role": shown_role(call, present, present.trust_policy)}


def _made(call: Call, wanted: RenderedRole, source: AcquiredRole) -> RoleRecord:
    check_role_count(call)
    role = RoleRecord(
        role_id=call.ids.unique_id(ROLE_PREFIX),
        account_id=call.account_id,
        name=wanted.name,
        path=wanted.path,
        description=wanted.description,
        trust_policy=wanted.trust_policy,
        trust_principal_ids=checked_trust_policy(call, wanted.trust_policy),
        max_session_duration_seconds=wanted.max_session_duration_seconds,
        permissions_boundary_arn=None,
        linked_service=None,
        created_at_seconds=int(call.now_seconds),
    )
    store_new_role(call, role)
    for arn in wanted.managed_policy_arns:
        attach_policy(call.db, "role", role.role_id, arn, None, int(call.now_seconds))
    for name, document in wanted.inline_policies.items():
        put_inline(call.db, "role", role.role_id, name, document)
    add_acquired_role(call.db, role.role_id, source)
    return role


def _check_present(call: Call, role: RoleRecord, template: RoleTemplate, wanted: RenderedRole) -> None:
    """Raises AwsError: NameConflict, RoleModified."""
    source = acquired_role(call.db, role.role_id)
    if source is None or source.template_arn != template.arn:
        raise AwsError("NameConflict", NOT_FROM_TEMPLATE_MESSAGE)
    made_from = role_template(source.template_arn, source.template_minor_version)
    same = made_from is not None and rendered(made_from, source.replacement_values) == wanted
    if not same or role.name != wanted.name:
        raise AwsError("NameConflict", OTHER_VALUES_MESSAGE)
    inline = inline_documents(call.db, "role", role.role_id)
    unchanged = (
        json.loads(role.trust_policy) == json.loads(wanted.trust_policy)
        and set(attached_arns(call.db, "role", role.role_id)) == set(wanted.managed_policy_arns)
        and {name: json.loads(text) for name, text in inline.items()}
        == {name: json.loads(text) for name, text in wanted.inline_policies.items()}
        and role.permissions_boundary_arn is None
        and not tags_of(call.db, "role", role.role_id)
    )
    if not unchanged:
        raise AwsError("RoleModified", MODIFIED_MESSAGE.format(name=role.name))
