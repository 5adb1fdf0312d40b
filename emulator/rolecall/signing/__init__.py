"""Which key signed these bytes: Signature Version 4, by header and by query string.

Owned here: reading the parts of a signature, AWS's order of checks and its messages, the clock window, the credential
scope, the canonical request, and the comparison with the expected signature. Not here: finding the secret and the owner
of an access key, and opening the session token. The gateway does both between ``check_scope`` and ``check_signature``,
as AWS does. ``wire`` writes the errors in each protocol.
"""

from rolecall.signing.authorization import Signature, read_signature
from rolecall.signing.verify import check_scope, check_signature, check_unread_signature, is_region_name

__all__ = ["Signature", "check_scope", "check_signature", "check_unread_signature", "is_region_name", "read_signature"]
