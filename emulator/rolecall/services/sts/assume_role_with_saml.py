"""AssumeRoleWithSAML: a role's credentials for a user whom an identity provider has authenticated.

The call is unsigned. The assertion is the proof, and the role's trust policy alone decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rolecall.access.permission import ContextValue, Permission
from rolecall.arns import parse_arn
from rolecall.errors import AwsError
from rolecall.principals import Caller, Principal
from rolecall.services.registry import Answer, Call, Parameters, Proven, operation
from rolecall.services.sts.members import PolicyDescriptor
from rolecall.services.sts.propagated_identity import answer_of, keys_of, propagation_of
from rolecall.services.sts.role_sessions import (
    FederatedParts,
    RequestedSession,
    assumed_role,
    federated_permissions,
    target_role,
)
from rolecall.services.sts.saml_claims import SamlClaims, claims_of, with_identity
from rolecall.sessions.saml.on_demand import read_metadata, verified_assertion
from rolecall.sessions.saml.records import (
    Assertion,
    BadResponseError,
    BadSignatureError,
    EncryptionError,
    RejectedError,
    SamlError,
    UnknownIssuerError,
)
from rolecall.storage.saml_providers import SamlProvider, private_keys_of, provider_by_arn

INVALID_ARN_MESSAGE = "Request ARN is invalid"
NO_PROVIDER_MESSAGE = "Specified provider doesn't exist."
SIGNATURE_MESSAGE = "Response signature invalid"
NOT_AUTHORIZED_MESSAGE = "Not authorized to perform sts:AssumeRoleWithSAML"
# STS passes on the words of another service.
ISSUER_MESSAGE = (
    "Issuer not present in specified provider (Service: AWSOpenIdDiscoveryService; Status Code: 400; "
    "Error Code: AuthSamlInvalidSamlResponseException; Request ID: {request_id}; Proxy: null)"
)
# IAM User Guide, Troubleshoot SAML federation with IAM.
ENCRYPTION_MESSAGE = "Invalid assertion encryption configuration"
# Not recorded from AWS.
RESPONSE_MESSAGE = "Invalid base64 SAMLResponse"
REJECTED_MESSAGE = "The identity provider (IdP) reported that authentication failed."
_MESSAGES: Mapping[type[SamlError], tuple[str, str]] = {
    BadResponseError: ("InvalidIdentityToken", RESPONSE_MESSAGE),
    BadSignatureError: ("InvalidIdentityToken", SIGNATURE_MESSAGE),
    UnknownIssuerError: ("InvalidIdentityToken", ISSUER_MESSAGE),
    EncryptionError: ("InvalidIdentityToken", ENCRYPTION_MESSAGE),
    RejectedError: ("IDPRejectedClaim", REJECTED_MESSAGE),
}


def _check_arn(arn: str, kind: str) -> None:
    parsed = parse_arn(arn)
    if parsed is None:
        raise AwsError("ValidationError", f"{arn} is invalid")
    if parsed.service != "iam" or parsed.region or parsed.resource_type != kind:
        raise AwsError("ValidationError", INVALID_ARN_MESSAGE)


def _proof(call: Call, parameters: Parameters) -> Proven:
    """The identity that the assertion proves. Raises AwsError: ValidationError (ARNs), InvalidIdentityToken,
    IDPRejectedClaim, ExpiredTokenException, AccessDenied when the assertion does not offer the role.
    """
    role_arn, provider_arn = parameters["RoleArn"], parameters["PrincipalArn"]
    _check_arn(role_arn, "role")
    _check_arn(provider_arn, "saml-provider")
    provider = provider_by_arn(call.db, provider_arn)
    if provider is None:
        raise AwsError("InvalidIdentityToken", NO_PROVIDER_MESSAGE)
    assertion = _verified(call, provider, parameters["SAMLAssertion"])
    claims = claims_of(assertion, provider.account_id, provider.name, provider.provider_uuid, call.now_seconds)
    if (role_arn, provider_arn) not in claims.roles:
        raise AwsError("AccessDenied", NOT_AUTHORIZED_MESSAGE, reason="the assertion does not offer role and provider")
    if (parse_arn(role_arn) or parse_arn(provider_arn)).account_id != provider.account_id:  # type: ignore[union-attr]
        raise AwsError("AccessDenied", NOT_AUTHORIZED_MESSAGE, reason="the role is in another account")
    claims = with_identity(claims, assertion, propagation_of(call, provider))
    user_id = f"{claims.name_qualifier}:{claims.subject}"
    principal = Principal("SAMLUser", provider.account_id, user_id, "", user_id, provider.arn, claims.subject)
    return Proven(Caller(principal, ""), claims)


def _verified(call: Call, provider: SamlProvider, encoded: str) -> Assertion:
    metadata = read_metadata(provider.metadata)
    keys = [key.private_key for key in private_keys_of(call.db, provider.arn)]
    required = provider.assertion_encryption_mode == "Required"
    try:
        return verified_assertion(encoded, metadata, keys, encrypted_only=required)
    except SamlError as error:
        code, message = _MESSAGES[type(error)]
        message = message.format(request_id=call.request_id)
        raise AwsError(code, message, reason=str(error)) from error


def _permissions(call: Call, parameters: Parameters) -> Sequence[Permission]:
    claims: SamlClaims = call.proof
    role_arn, provider_arn = parameters["RoleArn"], parameters["PrincipalArn"]
    context: dict[str, ContextValue] = {
        **claims.context,
        **dict(keys_of(claims.identity)),
        "sts:rolesessionname": claims.session_name,
    }
    brought = FederatedParts(provider_arn, claims.tags, claims.transitive_tag_keys, claims.source_identity)
    return federated_permissions("sts:AssumeRoleWithSAML", target_role(call, role_arn), context, brought)


@operation("sts", "AssumeRoleWithSAML", permissions=_permissions, proof=_proof, writes=False)
def assume_role_with_saml(
    call: Call,
    *,
    RoleArn: str,
    PrincipalArn: str,
    SAMLAssertion: str,  # verified by the proof
    PolicyArns: Sequence[PolicyDescriptor] = (),
    Policy: str | None = None,
    DurationSeconds: int | None = None,
    MinimumSessionTokenSize: int = 0,
) -> Answer:
    """Credentials of the role, named and limited by the assertion. API reference: AssumeRoleWithSAML.

    The permissions are checked already, so the role exists. Raises AwsError: ValidationError (duration, policy ARNs),
    MalformedPolicyDocument, PackedPolicyTooLarge.
    """
    claims: SamlClaims = call.proof
    role = call.policies.trust(call.db, RoleArn).role  # type: ignore[union-attr]  # an absent role was refused
    wanted = RequestedSession(
        type="AssumeRoleWithSAML",
        name=claims.session_name,
        duration_seconds=DurationSeconds,
        policy=Policy,
        policy_arns=PolicyArns,
        tags=claims.tags,
        transitive_tag_keys=claims.transitive_tag_keys,
        source_identity=claims.source_identity,
        latest_end_seconds=claims.latest_end_seconds,
        federated_provider=PrincipalArn,
        context=(*claims.kept, *keys_of(claims.identity)),
        minimum_token_bytes=MinimumSessionTokenSize,
    )
    return {
        **assumed_role(call, role, wanted),
        "Subject": claims.subject,
        "SubjectType": claims.subject_type,
        "Issuer": claims.issuer,
        "Audience": claims.recipient,
        "NameQualifier": claims.name_qualifier,
        **(answer_of(call, claims.identity) if claims.shows_identity else {}),
    }
