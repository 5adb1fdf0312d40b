"""Trusted identity propagation: the outside identity that a session carries, and the condition keys that it becomes.

The provider's context provider says which claims or attributes are read. Nothing else can set these keys: not session
tags, whose keys have prefixes of their own, and not the caller of a later operation. STS API reference,
TrustedIdentityPropagationContext; IAM User Guide, Trusted identity propagation with IAM.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from msgspec import Struct

from rolecall.access.permission import ContextValue
from rolecall.errors import AwsError
from rolecall.principals import Session
from rolecall.services.registry import Answer, Call
from rolecall.storage.context_providers import ContextProvider, Propagating, identity_store_arn

ORIGIN = "aws:originidentity/"
TRANSACTION = "aws:transactioncontext/identityprovider/"
INSTANCE_KEY = "aws:identitycenterinstancearn"
STORE_KEY = "aws:identitystorearn"
# STS API reference, TransactionContext: "Each value is up to 128 characters." For a subject's type it is assumed.
MAXIMUM_VALUE_CHARACTERS = 128
# The limit of the claim sub. The model has none for aws:OriginIdentity/Subject.
MAXIMUM_SUBJECT_CHARACTERS = 255
# AWS's answer to a token without the subject is not documented. IAM Roles Anywhere denies such a request.
SUBJECT_MESSAGE = "The token has no single value for the subject of the context provider: {key}"
VALUE_MESSAGE = "The token has no single value of up to {limit} characters for a key of the context provider: {key}"
# Permissions, besides those of any AssumeRole, that a caller needs to pass its identity on to the next role. None is
# documented. sts:SetContext is for assertions in the request, and a chained call has none.
ACTIONS_TO_PASS_ON: tuple[str, ...] = ()
# Whether the identity goes along to a role of another account. The documentation says that it carries across role
# sessions, and makes no exception.
CROSSES_ACCOUNTS = True
# Characters that XML 1.0 cannot hold, so no answer could show them.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Keys = tuple[tuple[str, ContextValue], ...]
# From a source key to its values as texts; None when the token has no such claim or attribute.
Values = Callable[[str], Sequence[str] | None]


class Propagation(Struct, frozen=True):
    """What an identity provider propagates. ``instance_arn`` and ``store_arn`` are empty without Identity Center."""

    provider_arn: str
    context_provider: ContextProvider
    instance_arn: str = ""
    store_arn: str = ""


class PropagatedIdentity(Struct, frozen=True):
    """The identity of one session. ``subject_type`` may be empty. ``claims`` are target keys with their values."""

    propagation: Propagation
    subject: str
    subject_type: str
    issuer: str
    claims: tuple[tuple[str, str], ...]

    def condition_keys(self) -> Keys:
        """The condition keys of the session, in lower case."""
        found = {
            f"{ORIGIN}subject": self.subject,
            f"{ORIGIN}subjecttype": self.subject_type,
            f"{ORIGIN}issuer": self.issuer,
            f"{ORIGIN}federatedproviderarn": self.propagation.provider_arn,
            **{f"{TRANSACTION}{target.lower()}": value for target, value in self.claims},
            INSTANCE_KEY: self.propagation.instance_arn,
            STORE_KEY: self.propagation.store_arn,
        }
        return tuple((key, value) for key, value in found.items() if value or key.startswith(TRANSACTION))

    def as_member(self) -> Answer:
        """The TrustedIdentityPropagationContext of an answer. The ARNs of Identity Center are never in it."""
        origin = {
            "Subject": self.subject,
            "SubjectType": self.subject_type,
            "Issuer": self.issuer,
            "FederatedProviderArn": self.propagation.provider_arn,
        }
        shown: Answer = {"OriginIdentity": {name: value for name, value in origin.items() if value}}
        if self.claims:
            shown["TransactionContext"] = {"IdentityProvider": dict(self.claims)}
        return shown


def propagation_of(call: Call, stored: Propagating) -> Propagation | None:
    """What a stored provider propagates; None without a context provider."""
    if stored.context_provider is None:
        return None
    instance_arn = stored.identity_center_instance_arn
    if instance_arn is None:
        return Propagation(stored.arn, stored.context_provider)
    store_arn = identity_store_arn(call.db, stored.account_id, instance_arn)
    return Propagation(stored.arn, stored.context_provider, instance_arn, store_arn)


def propagated_identity(propagation: Propagation | None, issuer: str, values: Values) -> PropagatedIdentity | None:
    """The identity that a verified token or assertion gives; None for a provider that propagates none.

    A missing claim leaves its key out, except for the subject. A claim that is there must have one value. Raises
    AwsError InvalidIdentityToken.
    """
    if propagation is None:
        return None
    wanted = propagation.context_provider
    subject = _one(values, wanted.subject_source_key, MAXIMUM_SUBJECT_CHARACTERS)
    if subject is None or not subject.strip():
        raise AwsError("InvalidIdentityToken", SUBJECT_MESSAGE.format(key=wanted.subject_source_key))
    subject_type = wanted.subject_type_value or ""
    if wanted.subject_type_source_key is not None:
        subject_type = _one(values, wanted.subject_type_source_key, MAXIMUM_VALUE_CHARACTERS) or ""
    read = [(target, _one(values, source, MAXIMUM_VALUE_CHARACTERS)) for source, target in wanted.targets]
    claims = tuple((target, value) for target, value in read if value is not None)
    return PropagatedIdentity(propagation, subject, subject_type, issuer, claims)


def _one(values: Values, key: str, limit: int) -> str | None:
    """The value of a source key; None when the token lacks it. Raises AwsError InvalidIdentityToken."""
    found = values(key)
    if found is None:
        return None
    if len(found) != 1 or len(found[0]) > limit or _NOT_XML.search(found[0]):
        raise AwsError("InvalidIdentityToken", VALUE_MESSAGE.format(limit=limit, key=key))
    return found[0]


def keys_of(identity: PropagatedIdentity | None) -> Keys:
    """The condition keys that an identity adds to the call and to its session; none for no identity."""
    return () if identity is None else identity.condition_keys()


def answer_of(call: Call, identity: PropagatedIdentity | None) -> Answer:
    """The member for the answer; none without an identity, and with models from before November 2026."""
    name = "TrustedIdentityPropagationContext"
    return {} if identity is None or name not in call.model.output_members else {name: identity.as_member()}


def is_propagated(key: str) -> bool:
    """Whether a condition key belongs to a propagated identity."""
    return key.startswith((ORIGIN, TRANSACTION)) or key in (INSTANCE_KEY, STORE_KEY)


def passed_on(session: Session | None, account_id: str, role_account_id: str) -> Keys:
    """The keys that the caller's session passes on to a session in ``role_account_id``."""
    if session is None or (account_id != role_account_id and not CROSSES_ACCOUNTS):
        return ()
    return tuple((key, value) for key, value in session.context if is_propagated(key))
