"""The services that resource control policies reach."""

from rolecall.data import service_prefixes
from rolecall.data.control_policy_table import resource_control_services


def test_every_service_is_one_that_aws_has() -> None:
    listed = resource_control_services()
    assert len(listed) == 62
    # The reference files OpenSearch's actions under the prefix of its first name.
    assert listed - set(service_prefixes()) <= {"opensearch"}
    assert listed >= {"s3", "sts", "sqs", "kms", "secretsmanager"}
    assert not listed & {"chime", "iam"}
