"""ListPoliciesGrantingServiceAccess."""

from __future__ import annotations

from collections.abc import Sequence

from rolecall.data import service_prefixes
from rolecall.errors import AwsError
from rolecall.services.iam.access.granted import Grants
from rolecall.services.iam.access.subjects import PolicyOfEntity, named, owners_of, policies_of_owners
from rolecall.services.iam.common import DEFAULT_PAGE_ITEMS, page
from rolecall.services.registry import Answer, Call, operation

ENTITY_MESSAGE = "Invalid Entity Arn: {arn} is not supported."
NAMESPACE_MESSAGE = "Invalid service namespace: [{names}]"


@operation("iam", "ListPoliciesGrantingServiceAccess")
def list_policies_granting_service_access(
    call: Call, *, Arn: str, ServiceNamespaces: Sequence[str], Marker: str | None = None
) -> Answer:
    """For each service, the policies of a user, group or role that grant something of it, each judged alone.

    The services come in the order of the request, each once. Raises AwsError: InvalidInput, NoSuchEntity,
    ValidationError (marker).
    """
    unknown = [name for name in ServiceNamespaces if name not in service_prefixes()]
    if unknown:
        raise AwsError("InvalidInput", NAMESPACE_MESSAGE.format(names=", ".join(unknown)))
    kind, name = named(call, Arn)
    if kind == "policy":
        raise AwsError("InvalidInput", ENTITY_MESSAGE.format(arn=Arn))
    policies = [(each, Grants([each.policy])) for each in policies_of_owners(call, owners_of(call, kind, name))]
    numbered = list(enumerate(dict.fromkeys(ServiceNamespaces)))
    filters = (Arn, *(prefix for _, prefix in numbered))
    shown, rest = page(call, filters, numbered, lambda each: f"{each[0]:05d}", Marker, DEFAULT_PAGE_ITEMS)
    return {
        "PoliciesGrantingServiceAccess": [
            {
                "ServiceNamespace": prefix,
                "Policies": [_shown(policy) for policy, grants in policies if grants.names(prefix)],
            }
            for _, prefix in shown
        ],
        **rest,
    }


def _shown(each: PolicyOfEntity) -> Answer:
    if each.arn:
        return {"PolicyName": each.name, "PolicyType": "MANAGED", "PolicyArn": each.arn}
    return {
        "PolicyName": each.name,
        "PolicyType": "INLINE",
        "EntityType": each.owner_kind.upper(),
        "EntityName": each.owner_name,
    }
