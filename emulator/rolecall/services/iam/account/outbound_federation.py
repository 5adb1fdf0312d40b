"""Switching outbound web identity federation on and off (API references of the three operations)."""

from __future__ import annotations

from rolecall.errors import AwsError
from rolecall.services.registry import Answer, Call, Parameters, operation
from rolecall.sessions.outbound_tokens import ALGORITHMS, issuer_url, key_purpose
from rolecall.sessions.signing_keys import new_signing_key, private_pem
from rolecall.storage.outbound_federation import OutboundFederation, outbound_federation, switch_outbound_federation
from rolecall.storage.signing_keys import StoredSigningKey, kept_first, newest_signing_key

# The API reference's sentences; AWS's own words were not recorded.
ALREADY_ENABLED_MESSAGE = (
    "The request failed because outbound identity federation is already enabled for your Amazon Web Services account."
)
DISABLED_MESSAGE = (
    "The request failed because outbound identity federation is already disabled for your Amazon Web Services account."
)


def _known(call: Call) -> OutboundFederation:
    """The account's federation record. Raises AwsError FeatureDisabledException when it was never switched on."""
    known = outbound_federation(call.db, call.account_id)
    if known is None:
        raise AwsError("FeatureDisabledException", DISABLED_MESSAGE)
    return known


def _new_keys(call: Call, _parameters: Parameters) -> list[StoredSigningKey]:
    """A key for each algorithm that has none. An RSA key takes long, so no transaction waits for it."""
    purpose, now_seconds = key_purpose(call.account_id), int(call.now_seconds)
    missing = [each for each in ALGORITHMS if newest_signing_key(call.db, purpose, each) is None]
    made = map(new_signing_key, missing)
    return [StoredSigningKey(key.key_id, purpose, key.algorithm, private_pem(key), None, now_seconds) for key in made]


@operation("iam", "EnableOutboundWebIdentityFederation", prepare=_new_keys)
def enable_outbound_federation(call: Call) -> Answer:
    """From now on the account's principals may get tokens. Raises AwsError FeatureEnabledException.

    The first call makes the issuer's id and keys. They stay the same afterwards.
    """
    known = outbound_federation(call.db, call.account_id)
    if known is not None and known.enabled:
        raise AwsError("FeatureEnabledException", ALREADY_ENABLED_MESSAGE)
    issuer_id = call.ids.uuid() if known is None else known.issuer_id
    switch_outbound_federation(call.db, call.account_id, issuer_id, on=True)
    keys: list[StoredSigningKey] = call.prepared
    for key in keys:
        kept_first(key, call.db)
    return {"IssuerIdentifier": issuer_url(issuer_id)}


@operation("iam", "DisableOutboundWebIdentityFederation")
def disable_outbound_federation(call: Call) -> None:
    """No more tokens are issued. Issued tokens still verify. Raises AwsError FeatureDisabledException."""
    known = _known(call)
    if not known.enabled:
        raise AwsError("FeatureDisabledException", DISABLED_MESSAGE)
    switch_outbound_federation(call.db, call.account_id, known.issuer_id, on=False)


@operation("iam", "GetOutboundWebIdentityFederationInfo")
def get_outbound_federation(call: Call) -> Answer:
    """The issuer, and whether it issues tokens. Raises AwsError FeatureDisabledException when there was no issuer."""
    known = _known(call)
    return {"IssuerIdentifier": issuer_url(known.issuer_id), "JwtVendingEnabled": known.enabled}
