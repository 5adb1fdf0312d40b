"""EKS Pod Identity: what the agent on a node answers to a pod, and the session that EKS makes for it.

Sources: aws/eks-pod-identity-agent for the agent's path, members and errors; EKS User Guide, "Grant Pods access to AWS
resources based on tags" for the session tags; the model of eks-auth for its errors.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from msgspec import Struct

from rolecall.access.check import RefusedError
from rolecall.arns import iam_arn
from rolecall.clock import iso8601
from rolecall.delivery.asked import Asked, Delivered, Minting
from rolecall.delivery.issuing import SESSION_SECONDS, Wanted, current
from rolecall.delivery.kinds import KINDS
from rolecall.errors import AwsError
from rolecall.http import HttpAnswer
from rolecall.ids import Identifiers
from rolecall.issuers import OWN_PREFIX, is_own, key_purpose
from rolecall.sessions.signing_keys import load_signing_key, public_jwk
from rolecall.sessions.web_identity import WebToken, read_key_set, read_token
from rolecall.storage.attachments import Attachment
from rolecall.storage.roles import role_by_name
from rolecall.storage.signing_keys import signing_keys_of

SERVICE = KINDS["eks"].principal
AUDIENCE = "pods.eks.amazonaws.com"
_PATH = "/v1/credentials"
_ISSUER_CHARACTERS = 64
_NAME_CHARACTERS = 64
# How far the clock of the cluster may be ahead.
_SKEW_SECONDS = 60
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"
# The agent's own messages.
NO_TOKEN_MESSAGE = "Service account token cannot be empty"  # noqa: S105 - a message
# As EKS words it.
UNAUTHORIZED_MESSAGE = "Unauthorized Exception! EKS does not have permissions to assume the associated role."
# AWS's wording of these is not recorded.
INVALID_MESSAGE = "The service account token is not valid: {reason}."
EXPIRED_MESSAGE = "The service account token has expired."
NO_ASSOCIATION_MESSAGE = "The service account {namespace}/{name} has no Pod Identity association in cluster {cluster}."


class ServiceAccount(Struct, frozen=True):
    """Who a proven token is for: a service account of Kubernetes, and the pod that the token was made for."""

    namespace: str
    name: str
    pod: str
    pod_uid: str
    subject: str


def cluster_issuer(account_id: str, cluster: str) -> str:
    """The name of the issuer that signs the tokens of a cluster's service accounts, under ``/_rolecall/oidc``."""
    name = f"eks-{account_id}-{cluster}"
    return name if len(name) <= _ISSUER_CHARACTERS else f"eks-{account_id}-{sha256(cluster.encode()).hexdigest()[:32]}"


def cluster_arn(attachment: Attachment) -> str:
    facts = attachment.facts
    return f"arn:aws:eks:{facts['region']}:{attachment.account_id}:cluster/{facts['cluster']}"


def association_arn(attachment: Attachment) -> str:
    """Service Authorization Reference, Amazon EKS: podidentityassociation."""
    facts = attachment.facts
    start = f"arn:aws:eks:{facts['region']}:{attachment.account_id}:podidentityassociation"
    return f"{start}/{facts['cluster']}/{attachment.attachment_id}"


def pod_claims(attachment: Attachment) -> dict[str, Any]:
    """What the cluster says about the pod, in the claims of its service account's token."""
    facts = attachment.facts
    return {
        "kubernetes.io": {
            "namespace": facts["namespace"],
            "node": {"name": "ip-10-0-0-1.ec2.internal", "uid": _uid(attachment, "node")},
            "pod": {"name": facts["pod"], "uid": facts.get("pod_uid") or _uid(attachment, "pod")},
            "serviceaccount": {"name": facts["service_account"], "uid": _uid(attachment, "service account")},
        }
    }


def _uid(attachment: Attachment, of: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"rolecall {of} of {attachment.attachment_id}"))


# The agent.


def operation_of(asked: Asked) -> str:
    request = asked.request
    if request.raw_path != _PATH:
        raise AwsError("NotFound", "404 page not found", status=404)
    if request.method not in ("GET", "HEAD"):
        raise AwsError("MethodNotAllowed", "Method Not Allowed", status=405)
    if not request.headers.get("authorization"):
        raise AwsError("InvalidRequestException", NO_TOKEN_MESSAGE, status=400)
    return "GetPodCredentials"


def answer(asked: Asked, _operation: str) -> Delivered:
    """The agent asks EKS with the token and passes on what it gets."""
    token = asked.request.headers["authorization"]
    attachment = asked.attachment
    account = proven_account(asked.db, attachment.account_id, attachment.facts["cluster"], token, asked.now_seconds)
    if not is_associated(attachment, account):
        raise no_association(attachment.facts["cluster"], account)
    wanted = pod_session(asked.db, asked.ids, attachment, account)
    with worded_by_eks():
        issued, decisions = current(asked, wanted, account.pod_uid)
    credentials = issued.credentials
    document = {
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "AccountId": attachment.account_id,
        "Expiration": iso8601(credentials.expires_at_seconds),
    }
    return Delivered(HttpAnswer(200, json.dumps(document).encode(), _JSON), issued.caller, decisions)


def refusal(error: AwsError) -> HttpAnswer:
    """The agent writes an error of EKS as ``(code): message, fault: client``, and its own as they are."""
    status = error.status or KINDS["eks"].operations["GetPodCredentials"].get(error.code, 500)
    of_eks = error.code in KINDS["eks"].operations["GetPodCredentials"]
    fault = "server" if status >= 500 else "client"
    text = f"({error.code}): {error.message}, fault: {fault}" if of_eks else error.message
    return HttpAnswer(status, f"{text}\n".encode(), _TEXT)


def environment(attachment: Attachment, url: str, minting: Minting) -> dict[str, str]:
    """EKS gives a pod the name of a file with the token. Here it is the token itself."""
    return {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}{_PATH}",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": pod_token(attachment, minting),
    }


def pod_token(attachment: Attachment, minting: Minting, audience: str = AUDIENCE) -> str:
    """A token of the pod's service account, as the kubelet would put it into a file of the pod."""
    facts = attachment.facts
    issuer = cluster_issuer(attachment.account_id, facts["cluster"])
    subject = f"system:serviceaccount:{facts['namespace']}:{facts['service_account']}"
    return minting.service_account_token(issuer, subject, audience, pod_claims(attachment))


# EKS.


def proven_account(db: Any, account_id: str, cluster: str, text: str, now_seconds: float) -> ServiceAccount:
    """The service account of a token that the cluster signed. Raises AwsError InvalidToken-, ExpiredTokenException."""
    try:
        token = read_token(text.strip())
    except AwsError as error:
        raise _invalid("it is not a JSON Web Token") from error
    _verify(db, account_id, cluster, token)
    claims = token.claims
    audiences = claims.get("aud")
    if AUDIENCE not in (audiences if isinstance(audiences, list) else [audiences]):
        raise _invalid(f"its audience is not {AUDIENCE}")
    expires_at_seconds = claims.get("exp")
    if not isinstance(expires_at_seconds, int | float) or expires_at_seconds <= now_seconds:
        raise AwsError("ExpiredTokenException", EXPIRED_MESSAGE)
    begins_at_seconds = claims.get("nbf", 0)
    if not isinstance(begins_at_seconds, int | float) or begins_at_seconds > now_seconds + _SKEW_SECONDS:
        raise _invalid("it is not valid yet")
    parts = str(claims.get("sub", "")).split(":")
    if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"] or not all(parts):
        raise _invalid("its subject is not a service account")
    of_pod = claims.get("kubernetes.io")
    pod = of_pod.get("pod") if isinstance(of_pod, Mapping) else None
    named = pod if isinstance(pod, Mapping) else {}
    return ServiceAccount(parts[2], parts[3], str(named.get("name", "")), str(named.get("uid", "")), str(claims["sub"]))


def _verify(db: Any, account_id: str, cluster: str, token: WebToken) -> None:
    """Only the cluster's own issuer counts, under any address of the server."""
    own = key_purpose(f"http://localhost{OWN_PREFIX}{cluster_issuer(account_id, cluster)}")
    if not is_own(token.issuer) or key_purpose(token.issuer) != own:
        raise _invalid(f"its issuer is not the one of cluster {cluster}")
    rows = signing_keys_of(db, own)
    if not rows:
        raise _invalid("the cluster has signed no token yet")
    jwks = {"keys": [public_jwk(load_signing_key(row.algorithm, row.private_key)) for row in rows]}
    try:
        read_key_set(json.dumps(jwks)).verify(token)
    except AwsError as error:
        raise _invalid("its signature is not the cluster's") from error


def _invalid(reason: str) -> AwsError:
    return AwsError("InvalidTokenException", INVALID_MESSAGE.format(reason=reason))


def is_associated(attachment: Attachment, account: ServiceAccount) -> bool:
    facts = attachment.facts
    return (facts["namespace"], facts["service_account"]) == (account.namespace, account.name)


def no_association(cluster: str, account: ServiceAccount) -> AwsError:
    message = NO_ASSOCIATION_MESSAGE.format(namespace=account.namespace, name=account.name, cluster=cluster)
    return AwsError("ResourceNotFoundException", message)


def pod_session(db: Any, ids: Identifiers, attachment: Attachment, account: ServiceAccount) -> Wanted:
    """The session that EKS wants for a pod."""
    facts = attachment.facts
    held = role_by_name(db, attachment.account_id, facts["role"])
    path, name = ("/", facts["role"]) if held is None else (held.path, held.name)
    return Wanted(
        service=SERVICE,
        role_arn=iam_arn(attachment.account_id, "role", path, name),
        session_name=session_name(facts["cluster"], account.pod, ids),
        region=facts["region"],
        duration_seconds=facts.get("session_seconds") or SESSION_SECONDS,
        source_arn=cluster_arn(attachment),
        tags=session_tags(attachment, account) if facts["session_tags"] else (),
        transitive=True,
    )


@contextmanager
def worded_by_eks() -> Iterator[None]:
    """Gives the refusal of a trust policy the code and the message of EKS."""
    try:
        yield
    except RefusedError as refused:
        refused.code, refused.status, refused.message = "AccessDeniedException", 400, UNAUTHORIZED_MESSAGE
        raise


def session_tags(attachment: Attachment, account: ServiceAccount) -> tuple[tuple[str, str], ...]:
    """EKS User Guide: the list of session tags that EKS Pod Identity adds. All of them are transitive."""
    return (
        ("eks-cluster-arn", cluster_arn(attachment)),
        ("eks-cluster-name", attachment.facts["cluster"]),
        ("kubernetes-namespace", account.namespace),
        ("kubernetes-service-account", account.name),
        ("kubernetes-pod-name", account.pod),
        ("kubernetes-pod-uid", account.pod_uid),
    )


def session_name(cluster: str, pod: str, ids: Identifiers) -> str:
    """``eks-CLUSTER-POD-UUID`` (the model of eks-auth). Where EKS shortens it is not known: here, both names."""
    end = f"-{ids.uuid()}"
    start = f"eks-{cluster[: (_NAME_CHARACTERS - len(end)) // 2]}-{pod}"
    return start[: _NAME_CHARACTERS - len(end)] + end
