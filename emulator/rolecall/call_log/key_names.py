"""Condition keys in AWS's spelling, for people. The engine compares them without case and stores them in lower case."""

from __future__ import annotations

# IAM User Guide, "AWS global condition context keys" and "IAM and AWS STS condition context keys".
_SPELLINGS = {
    name.lower(): name
    for name in (
        "aws:AssumedRoot",
        "aws:CurrentTime",
        "aws:EpochTime",
        "aws:FederatedProvider",
        "aws:MultiFactorAuthAge",
        "aws:MultiFactorAuthPresent",
        "aws:PrincipalAccount",
        "aws:PrincipalArn",
        "aws:PrincipalIsAWSService",
        "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",
        "aws:PrincipalTag",
        "aws:PrincipalType",
        "aws:RequestTag",
        "aws:RequestedRegion",
        "aws:ResourceAccount",
        "aws:ResourceOrgID",
        "aws:ResourceOrgPaths",
        "aws:ResourceTag",
        "aws:SecureTransport",
        "aws:SourceIdentity",
        "aws:SourceIp",
        "aws:TagKeys",
        "aws:TokenIssueTime",
        "aws:UserAgent",
        "aws:ViaAWSService",
        "iam:AWSServiceName",
        "iam:PassedToService",
        "iam:PermissionsBoundary",
        "iam:PolicyARN",
        "iam:ResourceTag",
        "sts:DurationSeconds",
        "sts:ExternalId",
        "sts:IdentityTokenAudience",
        "sts:RequestContextProviders",
        "sts:RoleAuthorizedByIdp",
        "sts:RoleSessionName",
        "sts:SigningAlgorithm",
        "sts:SourceIdentity",
        "sts:TaskPolicyArn",
        "sts:TransitiveTagKeys",
    )
}


def key_name(key: str) -> str:
    """``aws:PrincipalTag/team`` for ``aws:principaltag/team``. An unknown key stays as it is."""
    name, slash, rest = key.partition("/")
    return _SPELLINGS.get(name, name) + slash + rest
