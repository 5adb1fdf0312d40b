"""AssumeRoleForPodIdentity: credentials of the role that a pod's service account is associated with.

Sources: the model of EKS Auth; EKS User Guide, "Understand how EKS Pod Identity works". The associations are the pods
of the sandbox file and those attached at run time. CreatePodIdentityAssociation belongs to EKS, which Rolecall does not
serve.
"""

from __future__ import annotations

from rolecall.delivery.issuing import Means, assume
from rolecall.delivery.kinds import KINDS
from rolecall.delivery.pods import (
    AUDIENCE,
    ServiceAccount,
    association_arn,
    is_associated,
    no_association,
    pod_session,
    proven_account,
    worded_by_eks,
)
from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, operation
from rolecall.storage.attachments import Attachment, list_attachments

# EKS's wording for an unknown cluster.
NO_CLUSTER_MESSAGE = "No cluster found for name: {name}."


@operation("eks-auth", "AssumeRoleForPodIdentity", writes=False)
def assume_role_for_pod_identity(call: Call, *, clusterName: str, token: str) -> Answer:
    """A new session, whichever node asks. The caller's policies are checked already: they are a node's.

    Raises AwsError: ResourceNotFoundException (the cluster, the association), InvalidTokenException,
    ExpiredTokenException, AccessDeniedException (the role's trust policy).
    """
    of_cluster = [
        each
        for each in list_attachments(call.db, KINDS["eks"].name)
        if (each.account_id, each.facts["region"], each.facts["cluster"]) == (call.account_id, call.region, clusterName)
    ]
    if not of_cluster:
        raise AwsError("ResourceNotFoundException", NO_CLUSTER_MESSAGE.format(name=clusterName))
    account = proven_account(call.db, call.account_id, clusterName, token, call.now_seconds)
    attachment = _association(of_cluster, clusterName, account)
    means = Means(call.db, call.policies, call.keys, call.ids, call.now_seconds, call.flaw)
    with worded_by_eks():
        credentials, session, _ = assume(means, pod_session(call.db, call.ids, attachment, account))
    return {
        "subject": {"namespace": account.namespace, "serviceAccount": account.name},
        "audience": AUDIENCE,
        "podIdentityAssociation": {
            "associationArn": association_arn(attachment),
            "associationId": attachment.attachment_id,
        },
        "assumedRoleUser": {"arn": session.principal.arn, "assumeRoleId": session.principal.user_id},
        "credentials": {
            "accessKeyId": credentials.access_key_id,
            "secretAccessKey": credentials.secret_access_key,
            "sessionToken": credentials.session_token,
            "expiration": credentials.expires_at_seconds,
        },
    }


def _association(of_cluster: list[Attachment], cluster: str, account: ServiceAccount) -> Attachment:
    """EKS User Guide: a service account has one association in a cluster. Here the oldest pod counts."""
    for attachment in of_cluster:
        if is_associated(attachment, account):
            return attachment
    raise no_association(cluster, account)
