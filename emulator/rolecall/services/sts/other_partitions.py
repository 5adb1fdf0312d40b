"""Tokens of GetWebIdentityToken as proofs: only a role of another partition accepts them.

IAM User Guide, Federating AWS identities across AWS partitions. The setting ``partitions`` says which accounts of a
sandbox stand for accounts of another partition.
"""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.issuers import without_scheme
from rolecall.principals import TokenSource
from rolecall.services.registry import Call
from rolecall.sessions.outbound_tokens import CLAIM_NAMESPACE, ISSUER_HOST_ENDING
from rolecall.sessions.web_identity import AUDIENCE_MESSAGE, INVALID_MESSAGE, WebToken


def source_of(call: Call, role_account_id: str, token: WebToken) -> TokenSource | None:
    """Who requested the token of AWS, and where; None for a token of another issuer.

    AWS's answers to the refused tokens were not recorded. Raises AwsError InvalidIdentityToken.
    """
    host = without_scheme(token.issuer).partition("/")[0].lower()
    if not host.endswith(ISSUER_HOST_ENDING):
        return None
    said = token.claims.get(CLAIM_NAMESPACE)
    if not isinstance(said, dict):
        raise AwsError("InvalidIdentityToken", INVALID_MESSAGE, reason=f"no object {CLAIM_NAMESPACE} in the token")
    partition = call.settings.partition_of(str(said.get("aws_account", "")))
    if partition == call.settings.partition_of(role_account_id):
        reason = f"AWS issued the token in the role's own partition, {partition}"
        raise AwsError("InvalidIdentityToken", INVALID_MESSAGE, reason=reason)
    audiences = token.claims.get("aud")
    if isinstance(audiences, list) and len(audiences) > 1:
        raise AwsError("InvalidIdentityToken", AUDIENCE_MESSAGE, reason="a token of AWS with several audiences")
    return TokenSource(str(said.get("principal_id", "")), str(said.get("source_region", "")))
