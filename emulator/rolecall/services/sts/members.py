"""Structures in the requests of several operations of STS."""

from __future__ import annotations

from typing import TypedDict


class PolicyDescriptor(TypedDict, total=False):
    """A managed policy of a session."""

    arn: str


class ProvidedContext(TypedDict, total=False):
    """An assertion of a context provider."""

    ProviderArn: str
    ContextAssertion: str
