"""EKS Pod Identity: the agent's answers, the service account's token, the session and its tags.

Expected answers: aws/eks-pod-identity-agent ("Service account token cannot be empty", 400; errors of EKS with their own
status); EKS User Guide, "Grant Pods access to AWS resources based on tags".
"""

from __future__ import annotations

from typing import Any

import pytest
from attached_worlds import ACCOUNT, POD, ask, attached_world, caller, minted, own_token, trust
from botocore.exceptions import ClientError

from rolecall.delivery.pods import cluster_issuer, session_name
from rolecall.ids import Identifiers

PATH = "/v1/credentials"
CLUSTER_ARN = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/prod"
TAGS = {
    "eks-cluster-arn",
    "eks-cluster-name",
    "kubernetes-namespace",
    "kubernetes-service-account",
    "kubernetes-pod-name",
    "kubernetes-pod-uid",
}


def asked(world: Any, token: str) -> Any:
    return ask(world, POD, PATH, authorization=token)


def test_the_credentials_of_the_associated_role(make_world: Any) -> None:
    world = make_world(attached_world())
    token = own_token(world)
    document = asked(world, token).json
    assert sorted(document) == ["AccessKeyId", "AccountId", "Expiration", "SecretAccessKey", "Token"]
    assert document["AccountId"] == ACCOUNT
    assert caller(world, document).startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/eks-prod-app-0-")
    assert asked(world, token).json == document


def test_the_session_has_the_tags_and_passes_them_on(make_world: Any) -> None:
    """ "All of the session tags that are added by EKS Pod Identity are transitive"."""
    world = make_world(attached_world())
    document = asked(world, own_token(world)).json
    caller(world, document)
    session = world.outcomes[-1].caller.session
    tags = dict(session.tags)
    assert set(tags) == set(session.transitive_tag_keys) == TAGS
    assert (tags["eks-cluster-arn"], tags["eks-cluster-name"]) == (CLUSTER_ARN, "prod")
    assert (tags["kubernetes-namespace"], tags["kubernetes-service-account"]) == ("shop", "cart")
    assert (tags["kubernetes-pod-name"], len(tags["kubernetes-pod-uid"])) == ("app-0", 36)


def test_a_policy_sees_the_tags(make_world: Any) -> None:
    statement = {
        "Effect": "Allow",
        "Action": "iam:ListRoles",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:PrincipalTag/kubernetes-namespace": "shop"}},
    }
    policies = {"own": {"Version": "2012-10-17", "Statement": [statement]}}
    role = {"name": "pod", "trust_policy": trust("pods.eks.amazonaws.com"), "inline_policies": policies}
    for namespace in ("shop", "bank"):
        pods = [{"id": POD, "role": "pod", "namespace": namespace}]
        world = make_world(attached_world(roles=[role], instances=[], tasks=[], pods=pods))
        document = asked(world, own_token(world)).json
        iam = world.client("iam", keys=(document["AccessKeyId"], document["SecretAccessKey"], document["Token"]))
        if namespace == "shop":
            assert iam.list_roles()["Roles"]
        else:
            with pytest.raises(ClientError, match="AccessDenied"):
                iam.list_roles()


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (trust("pods.eks.amazonaws.com"), True),
        (trust("pods.eks.amazonaws.com", "sts:AssumeRole"), False),
        (trust("pods.eks.amazonaws.com", "sts:TagSession"), False),
        (trust("eks.amazonaws.com"), False),
        (trust("pods.eks.amazonaws.com", StringEquals={"aws:RequestTag/kubernetes-namespace": "shop"}), True),
        (trust("pods.eks.amazonaws.com", StringEquals={"aws:RequestTag/kubernetes-namespace": "bank"}), False),
        (trust("pods.eks.amazonaws.com", ArnEquals={"aws:SourceArn": CLUSTER_ARN}), True),
        (trust("pods.eks.amazonaws.com", ArnEquals={"aws:SourceArn": CLUSTER_ARN + "x"}), False),
        (trust("pods.eks.amazonaws.com", **{"ForAllValues:StringEquals": {"aws:TagKeys": sorted(TAGS)}}), True),
        (trust("pods.eks.amazonaws.com", **{"ForAllValues:StringEquals": {"aws:TagKeys": ["x"]}}), False),
    ],
)
def test_the_trust_policy_decides(make_world: Any, policy: dict[str, Any], allowed: bool) -> None:
    roles = [{"name": "pod", "trust_policy": policy}]
    world = make_world(attached_world(roles=roles, instances=[], tasks=[]))
    answer = asked(world, minted(world))
    assert answer.status == (200 if allowed else 400)
    if not allowed:
        assert answer.text.startswith("(AccessDeniedException): Unauthorized Exception! EKS does not have permissions")


def test_without_session_tags_the_role_need_not_allow_them(make_world: Any) -> None:
    roles = [{"name": "pod", "trust_policy": trust("pods.eks.amazonaws.com", "sts:AssumeRole")}]
    pods = [{"id": POD, "role": "pod", "session_tags": False}]
    world = make_world(attached_world(roles=roles, instances=[], tasks=[], pods=pods))
    document = asked(world, own_token(world)).json
    caller(world, document)
    assert world.outcomes[-1].caller.session.tags == ()


def test_without_a_token(make_world: Any) -> None:
    answer = ask(make_world(attached_world()), POD, PATH)
    assert (answer.status, answer.text) == (400, "Service account token cannot be empty\n")


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ({"issuer": "other"}, 400, "InvalidTokenException"),
        ({"issuer": cluster_issuer(ACCOUNT, "test")}, 400, "InvalidTokenException"),
        ({"issuer": cluster_issuer("444455556666", "prod")}, 400, "InvalidTokenException"),
        ({"audience": "sts.amazonaws.com"}, 400, "InvalidTokenException"),
        ({"subject": "system:serviceaccount:shop:other"}, 404, "ResourceNotFoundException"),
        ({"subject": "system:serviceaccount:bank:cart"}, 404, "ResourceNotFoundException"),
        ({"claims": {"exp": 1}}, 400, "ExpiredTokenException"),
        ({"claims": {"exp": None}}, 400, "ExpiredTokenException"),
        ({"claims": {"sub": "ana"}}, 400, "InvalidTokenException"),
    ],
)
def test_a_token_that_is_not_this_pods(make_world: Any, token: dict[str, Any], status: int, code: str) -> None:
    world = make_world(attached_world())
    minted(world)
    answer = asked(world, minted(world, **token))
    assert (answer.status, answer.text.partition(":")[0]) == (status, f"({code})")


def test_a_token_that_was_changed(make_world: Any) -> None:
    world = make_world(attached_world())
    token = minted(world)
    head, claims, signature = token.split(".")
    for changed in (f"{head}.{claims}.{signature[::-1]}", f"{head}.{claims}.", "x", "a.b.c", f"Bearer {token}"):
        assert asked(world, changed).text.startswith("(InvalidTokenException)")
    assert asked(world, token).status == 200


def test_the_clock_ends_a_token(make_world: Any) -> None:
    world = make_world(attached_world())
    token = minted(world, lifetime_seconds=600)
    assert asked(world, token).status == 200
    world.clock.advance(601)
    assert asked(world, token).text.startswith("(ExpiredTokenException)")


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "GET", 404), ("/v1/credentials/", "GET", 404), (PATH, "POST", 405)]
)
def test_another_path_or_method(make_world: Any, path: str, method: str, status: int) -> None:
    assert ask(make_world(attached_world()), POD, path, method, authorization="x").status == status


@pytest.mark.parametrize(("cluster", "pod"), [("prod", "app-0"), ("c" * 100, "p" * 63), ("c", "p" * 63)])
def test_a_session_name_fits(cluster: str, pod: str) -> None:
    name = session_name(cluster, pod, Identifiers())
    assert len(name) <= 64
    assert name.startswith(f"eks-{cluster[:5]}")
    assert "--" not in name[:-36]


def test_long_names_of_clusters_have_issuers_of_their_own() -> None:
    names = {cluster_issuer(ACCOUNT, "c" * 99 + end) for end in "ab"}
    assert len(names) == 2
    assert all(len(name) <= 64 for name in names)
