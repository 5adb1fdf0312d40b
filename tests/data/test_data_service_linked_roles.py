"""The table of service-linked roles."""

import csv
import re
from pathlib import Path

import pytest

import rolecall.data
from rolecall.data import managed_policies, managed_policy_document, service_linked_roles

CUSTOM_SUFFIX_WHEN_UNKNOWN = "refused"

FILE = Path(rolecall.data.__file__).parent / "service_linked_roles" / "service_linked_roles.tsv"

# The documents that no source publishes under a licence. managed_policies/README.md names them too.
POLICIES_LACKING = {"arn:aws:iam::aws:policy/aws-service-role/AmazonLexBotPolicy"}
SERVICES_WITHOUT_A_NAMED_POLICY = {"events.chime.amazonaws.com", "role-manager.iam.amazonaws.com"}


def test_every_row_is_read_once_and_in_order() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    services = [row["service"] for row in rows]
    assert services == sorted(set(services))
    assert services == list(service_linked_roles())


def test_every_row_says_its_source() -> None:
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["service"] for row in rows if not row["source"]] == []
    # When a row says that a policy of AWS states the role, the policy does.
    for row in rows:
        if row["source"].startswith("AWS managed policy "):
            name = row["source"].removeprefix("AWS managed policy ")
            arns = [arn for arn in managed_policies() if arn.endswith(f"/{name}")]
            assert f"role/aws-service-role/{row['service']}/{row['role_name']}" in managed_policy_document(arns[0])


# Services whose role was missing once, with the role's name as AWS's guides print it.
MISSED = {
    "custom-resource.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_CustomResource",
    "dynamodb.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_DynamoDBTable",
    "ecs.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_ECSService",
    "lambda.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency",
    "rds.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_RDSCluster",
    "appstream.application-autoscaling.amazonaws.com": "AWSServiceRoleForApplicationAutoScaling_AppStreamFleet",
    "spot.amazonaws.com": "AWSServiceRoleForEC2Spot",
    "spotfleet.amazonaws.com": "AWSServiceRoleForEC2SpotFleet",
    "guardduty.amazonaws.com": "AWSServiceRoleForAmazonGuardDuty",
    "organizations.amazonaws.com": "AWSServiceRoleForOrganizations",
    "es.amazonaws.com": "AWSServiceRoleForAmazonElasticsearchService",
    "elasticmapreduce.amazonaws.com": "AWSServiceRoleForEMRCleanup",
    "transitgateway.amazonaws.com": "AWSServiceRoleForVPCTransitGateway",
    "securityhub.amazonaws.com": "AWSServiceRoleForSecurityHub",
    "inspector2.amazonaws.com": "AWSServiceRoleForAmazonInspector2",
    "macie.amazonaws.com": "AWSServiceRoleForAmazonMacie",
    "globalaccelerator.amazonaws.com": "AWSServiceRoleForGlobalAccelerator",
}


@pytest.mark.parametrize(("service", "role_name"), MISSED.items())
def test_the_roles_that_were_missed(service: str, role_name: str) -> None:
    assert service_linked_roles()[service].role_name == role_name


def test_every_row_is_well_formed() -> None:
    for service, role in service_linked_roles().items():
        assert role.service == service
        assert re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com", service), service
        assert re.fullmatch(r"[\w+=,.@-]{1,64}", role.role_name), service
        assert role.custom_suffix in ("refused", "allowed"), service


def test_role_names_are_unique_without_case() -> None:
    names = [role.role_name.lower() for role in service_linked_roles().values()]
    assert len(set(names)) == len(names)


def test_only_one_role_carries_a_name_that_aws_would_not_give() -> None:
    odd = [r.role_name for r in service_linked_roles().values() if not r.role_name.startswith("AWSServiceRoleFor")]
    assert odd == ["AmazonChimeSDKEvents"]


def test_every_policy_is_among_the_managed_policies_but_those_known_to_lack() -> None:
    arns = {role.policy_arn for role in service_linked_roles().values() if role.policy_arn is not None}
    assert arns - set(managed_policies()) == POLICIES_LACKING
    without = {service for service, role in service_linked_roles().items() if role.policy_arn is None}
    assert without == SERVICES_WITHOUT_A_NAMED_POLICY


def test_the_policies_of_these_roles_cannot_be_attached_by_hand() -> None:
    for role in service_linked_roles().values():
        if role.policy_arn is not None and role.policy_arn in managed_policies():
            assert not managed_policies()[role.policy_arn].is_attachable, role.policy_arn


@pytest.mark.parametrize(
    ("service", "role_name", "policy_name"),
    [
        ("chime.amazonaws.com", "AWSServiceRoleForAmazonChime", "AmazonChimeServiceRolePolicy"),
        (
            "voiceconnector.chime.amazonaws.com",
            "AWSServiceRoleForAmazonChimeVoiceConnector",
            "AmazonChimeVoiceConnectorServiceLinkedRolePolicy",
        ),
    ],
)
def test_the_roles_of_chime(service: str, role_name: str, policy_name: str) -> None:
    role = service_linked_roles()[service]
    assert role.role_name == role_name
    assert role.policy_arn == f"arn:aws:iam::aws:policy/aws-service-role/{policy_name}"
    assert role.custom_suffix == CUSTOM_SUFFIX_WHEN_UNKNOWN


@pytest.mark.parametrize(
    ("service", "custom_suffix"), [("autoscaling.amazonaws.com", "allowed"), ("batch.amazonaws.com", "refused")]
)
def test_custom_suffixes(service: str, custom_suffix: str) -> None:
    assert service_linked_roles()[service].custom_suffix == custom_suffix
