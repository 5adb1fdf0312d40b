"""Trust policies: what AWS checks when one is saved, and how it shows one whose principals were deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rolecall.errors import AwsError
from rolecall.policy import PolicyKind, document_size, trusted_principals
from rolecall.services.iam.policies.documents import checked_document
from rolecall.services.registry import Call
from rolecall.storage.roles import RoleRecord
from rolecall.storage.service_linked_roles import trust_policy
from rolecall.storage.trust import UnknownPrincipal, entity_arns, resolve_trust, shown_trust_policy

INVALID_PRINCIPAL_MESSAGE = 'Invalid principal in policy: "AWS":"{principal}"'
SIZE_MESSAGE = "Cannot exceed quota for ACLSizePerRole: {limit}"


def checked_trust_policy(call: Call, text: str) -> Mapping[str, str]:
    """The unique ids of the users and roles that a trust policy names, by ARN as written.

    Raises AwsError: MalformedPolicyDocument (also for a principal that does not exist), LimitExceeded.
    """
    policy = checked_document(call, text, PolicyKind.TRUST, "trust policy")
    limit = call.settings.quotas.role_trust_policy_characters
    if document_size(text) > limit:
        raise AwsError("LimitExceeded", SIZE_MESSAGE.format(limit=limit))
    try:
        return resolve_trust(call.db, trusted_principals(policy))
    except UnknownPrincipal as error:
        message = INVALID_PRINCIPAL_MESSAGE.format(principal=error.principal)
        raise AwsError("MalformedPolicyDocument", message) from error


def shown_trust_policies(call: Call, roles: Sequence[RoleRecord]) -> list[str]:
    """The current trust policy of each role as AWS shows it; one query for all of them.

    A service-linked role has the service's own policy, even if an older version's database holds another.
    """
    arns = entity_arns(call.db, [unique_id for role in roles for unique_id in role.trust_principal_ids.values()])
    return [
        trust_policy(role.linked_service)
        if role.linked_service is not None
        else shown_trust_policy(role.trust_policy, role.trust_principal_ids, arns)
        for role in roles
    ]
