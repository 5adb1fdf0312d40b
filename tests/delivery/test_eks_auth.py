"""AssumeRoleForPodIdentity: what the agent of EKS Pod Identity asks EKS, as a node.

Expected answers: the model of EKS Auth, with its codes and their HTTP status; EKS User Guide, "Amazon EKS node IAM
role": a node may call it by AmazonEKSWorkerNodePolicy.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from attached_worlds import ACCOUNT, POD, attached_world, caller, minted, own_token, trust
from botocore.exceptions import ClientError

CLUSTER_ARN = f"arn:aws:eks:us-east-1:{ACCOUNT}:cluster/prod"
NODES = "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"


def world_of(make_world: Any, *policies: dict[str, Any], managed: str = "") -> Any:
    """``node`` is a user with these policies, so that a test needs no instance."""
    node = {
        "name": "node",
        "access_keys": [{"id": "node", "secret": "node"}],
        "inline_policies": {
            f"p{number}": {"Version": "2012-10-17", "Statement": [statement]}
            for number, statement in enumerate(policies)
        },
        **({"attached_policies": [managed]} if managed else {}),
    }
    admin = {
        "name": "admin",
        "access_keys": [{"id": "test", "secret": "test"}],
        "attached_policies": ["arn:aws:iam::aws:policy/AdministratorAccess"],
    }
    return make_world(attached_world(users=[admin, node]))


def asked(world: Any, token: str, cluster: str = "prod", user: str = "admin", region: str = "us-east-1") -> Any:
    client = world.client("eks-auth", user, region=region)
    return client.assume_role_for_pod_identity(clusterName=cluster, token=token)


def refused(world: Any, token: str, **call: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        asked(world, token, **call)
    answer: Any = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def test_a_caller_without_the_permission(make_world: Any) -> None:
    other = {
        "Effect": "Allow",
        "Action": "eks-auth:AssumeRoleForPodIdentity",
        "Resource": CLUSTER_ARN.replace("/prod", "/test"),
    }
    world = world_of(make_world, other)
    code, status, message = refused(world, own_token(world), user="node")
    assert (code, status) == ("AccessDeniedException", 400)
    assert f"is not authorized to perform: eks-auth:AssumeRoleForPodIdentity on resource: {CLUSTER_ARN}" in message


def test_a_node_may_by_the_managed_policy(make_world: Any) -> None:
    world = world_of(make_world, managed=NODES)
    assert asked(world, own_token(world), user="node")["audience"] == "pods.eks.amazonaws.com"


def test_the_answer(make_world: Any) -> None:
    world = world_of(make_world)
    answer = asked(world, own_token(world))
    assert answer["subject"] == {"namespace": "shop", "serviceAccount": "cart"}
    association = f"arn:aws:eks:us-east-1:{ACCOUNT}:podidentityassociation/prod/{POD}"
    assert answer["podIdentityAssociation"] == {"associationArn": association, "associationId": POD}
    given = answer["credentials"]
    assert given["expiration"].timestamp() == int(world.clock.now_seconds()) + 21_600
    keys = given["accessKeyId"], given["secretAccessKey"], given["sessionToken"]
    identity = world.client("sts", keys=keys).get_caller_identity()
    assert answer["assumedRoleUser"] == {"arn": identity["Arn"], "assumeRoleId": identity["UserId"]}
    assert identity["Arn"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/pod/eks-prod-app-0-")
    tags = dict(world.outcomes[-1].caller.session.tags)
    assert (tags["kubernetes-namespace"], tags["eks-cluster-arn"]) == ("shop", CLUSTER_ARN)


def test_each_call_makes_a_session(make_world: Any) -> None:
    """The agent keeps credentials. EKS does not."""
    world = world_of(make_world)
    names = {asked(world, own_token(world))["assumedRoleUser"]["arn"] for _ in range(2)}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"cluster": "test"}, "No cluster found for name: test."),
        ({"region": "eu-west-1"}, "No cluster found for name: prod."),
    ],
)
def test_a_cluster_without_pods(make_world: Any, call: Any, message: str) -> None:
    world = world_of(make_world)
    assert refused(world, own_token(world), **call) == ("ResourceNotFoundException", 404, message)


def test_a_service_account_without_an_association(make_world: Any) -> None:
    world = world_of(make_world)
    token = minted(world, subject="system:serviceaccount:shop:other")
    code, status, message = refused(world, token)
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert "shop/other" in message


def test_the_cluster_of_another_account_is_not_there(make_world: Any) -> None:
    declared = json.loads(attached_world())
    [admin] = declared["accounts"][0]["users"]
    other = {**admin, "name": "other", "access_keys": [{"id": "other", "secret": "other"}]}
    declared["accounts"].append({"id": "444455556666", "users": [other]})
    world = make_world(json.dumps(declared))
    code, status, _ = refused(world, own_token(world), user="other")
    assert (code, status) == ("ResourceNotFoundException", 404)


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ({"audience": "sts.amazonaws.com"}, "InvalidTokenException"),
        ({"issuer": "eks-111122223333-test"}, "InvalidTokenException"),
        ({"issuer": "ci"}, "InvalidTokenException"),
        ({"claims": {"sub": "build-1"}}, "InvalidTokenException"),
        ({"claims": {"exp": 1_000_000_000}}, "ExpiredTokenException"),
        ({"claims": {"nbf": 4_000_000_000}}, "InvalidTokenException"),
    ],
)
def test_a_token_that_proves_nothing(make_world: Any, token: Any, code: str) -> None:
    world = world_of(make_world)
    own_token(world)
    assert refused(world, minted(world, **token))[:2] == (code, 400)


def test_a_token_that_was_changed(make_world: Any) -> None:
    world = world_of(make_world)
    head, claims, signature = own_token(world).split(".")
    for wrong in (f"{head}.{claims}.{signature[::-1]}", f"{head}.{claims}.", f"{head}.e30.{signature}"):
        code, status, _ = refused(world, wrong) if not wrong.endswith(".") else ("InvalidTokenException", 400, "")
        assert (code, status) == ("InvalidTokenException", 400)


def test_a_role_that_does_not_trust_eks(make_world: Any) -> None:
    world = make_world(
        attached_world(
            roles=[{"name": "pod", "trust_policy": trust("ec2.amazonaws.com")}],
            instances=[],
            tasks=[],
        )
    )
    code, status, message = refused(world, own_token(world))
    assert (code, status) == ("AccessDeniedException", 400)
    assert message == "Unauthorized Exception! EKS does not have permissions to assume the associated role."
    assert world.outcomes[-1].decisions[-1].allowed is False


def test_the_credentials_work_in_the_block_of_the_agent_too(make_world: Any) -> None:
    world = world_of(make_world)
    given = asked(world, own_token(world))["credentials"]
    document = {
        "AccessKeyId": given["accessKeyId"],
        "SecretAccessKey": given["secretAccessKey"],
        "Token": given["sessionToken"],
    }
    assert "/pod/" in caller(world, document)
