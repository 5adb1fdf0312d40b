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
        "aws:IdentityCenterInstanceArn",
        "aws:IdentityStoreArn",
        "aws:MultiFactorAuthAge",
        "aws:MultiFactorAuthPresent",
        "aws:OriginIdentity/FederatedProviderArn",
        "aws:OriginIdentity/Issuer",
        "aws:OriginIdentity/Subject",
        "aws:OriginIdentity/SubjectType",
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
        "aws:SignInSessionArn",
        "aws:SourceIdentity",
        "aws:SourceIp",
        "aws:TagKeys",
        "aws:TokenIssueTime",
        "aws:TransactionContext/IdentityProvider",
        "aws:UserAgent",
        "aws:ViaAWSService",
        "iam:AWSServiceName",
        "iam:EnableIdentityCenterAssociation",
        "iam:EnableIdentityPropagation",
        "iam:PassedToService",
        "iam:PermissionsBoundary",
        "iam:PolicyARN",
        "iam:RequestIdentityCenterInstanceArn",
        "iam:RequestIdentityProviderIssuers",
        "iam:ResourceIdentityCenterInstanceArn",
        "iam:ResourceIdentityProviderIssuers",
        "iam:ResourceTag",
        "signin:OAuthClientAuthentication",
        "signin:OAuthClientId",
        "signin:OAuthGrantType",
        "signin:OAuthRedirectUri",
        "signin:OAuthTokenType",
        "sts:DurationSeconds",
        "sts:ExternalId",
        "sts:IdentityTokenAudience",
        "sts:IdentityTokenScope",
        "sts:RequestContextProviders",
        "sts:RoleAuthorizedByIdp",
        "sts:RoleSessionName",
        "sts:SigningAlgorithm",
        "sts:SourceIdentity",
        "sts:SubjectMode",
        "sts:TaskPolicyArn",
        "sts:TransitiveTagKeys",
    )
}


def key_name(key: str) -> str:
    """``aws:PrincipalTag/team`` for ``aws:principaltag/team``. An unknown key stays as it is.

    The longest known beginning counts, because some keys of AWS's own have a slash in their names.
    """
    name, rest = key, ""
    while name not in _SPELLINGS and "/" in name:
        name, _, last = name.rpartition("/")
        rest = f"/{last}{rest}"
    return _SPELLINGS.get(name, name) + rest
