"""What CreateSession says when it refuses. The reason in the log says more than AWS tells a client."""

from __future__ import annotations

from rolecall.errors import AwsError

DENIED_CODE = "AccessDeniedException"
# Recorded: aws/rolesanywhere-credential-helper, issue 128, for a request that was signed half an hour off. AWS does not
# say what is wrong with a signature.
SIGNATURE_MESSAGE = "Invalid signature"
# Recorded: the same project, issue 108.
UNTRUSTED_MESSAGE = "Untrusted Signing Certificate"
# Recorded by many users, for a certificate without the key usage Digital Signature.
INSUFFICIENT_MESSAGE = "Untrusted certificate. Insufficient certificate"
# Recorded by clients of CreateSession, for ARNs of what is not there. Not confirmed: their error code.
NO_ANCHOR_MESSAGE = "Specified Trust Anchor wasn't found."
NO_PROFILE_MESSAGE = "Invalid or empty profile provided."
NOT_IN_PROFILE_MESSAGE = "Requested Role isn't one of those listed in the Profile."
# Recorded: the helper's issue 19.
NO_SESSION_NAME_MESSAGE = "Not authorized to set roleSessionName."
# Recorded: the helper's issue 77, with the sentence on attributes.
UNABLE_MESSAGE = "Unable to assume role for {role}."
UNMAPPED_MESSAGE = (
    " Some attributes failed to be mapped into session tags. "
    "Issuer: [ {issuer} ]; Subject: [ {subject} ]; SAN: [ {san} ]"
)
# Recorded, after the first sentence.
TOO_LONG_MESSAGE = " The requested DurationSeconds exceeds the MaxSessionDuration set for this role."

# Not confirmed: no recording has AWS's words for these, nor the status of the last three.
REVOKED_MESSAGE = "Certificate revoked"
ANCHOR_DISABLED_MESSAGE = "Trust anchor is disabled"
PROFILE_DISABLED_MESSAGE = "Profile is disabled"
ACCOUNTS_MESSAGE = "The trust anchor and the profile must be in the same account."
INSTANCE_PROPERTIES_MESSAGE = "instanceProperties must be at most 50 texts by name, each of 1 to 200 characters."
DURATION_MESSAGE = "durationSeconds must be a number from 900 to 43200."
SESSION_NAME_MESSAGE = "roleSessionName must match [\\w+=,.@-]{2,64}."
MALFORMED_CODE = "ValidationException"


def denied(message: str, reason: str = "") -> AwsError:
    return AwsError(DENIED_CODE, message, reason=reason)


def invalid(message: str) -> AwsError:
    return AwsError(MALFORMED_CODE, message)
