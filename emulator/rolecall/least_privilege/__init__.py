"""Least privilege from traffic: the smallest policy for what a principal was seen to do, and what it never used.

Owned here: from logged calls to a policy that allows them (traffic), from that and the policies of today to grants that
no call used (grants), and both for one principal as every front door tells them (report). Left to others: what is
logged (sandbox), what a policy means (policy), which policies a principal has (access).
"""

from rolecall.least_privilege.grants import NoGrantsError, Unused
from rolecall.least_privilege.report import (
    LeastPrivilege,
    Traffic,
    least_privilege,
    observed,
    unused_grants,
    unused_notes,
)
from rolecall.least_privilege.traffic import BadPrincipalError, check_principal

__all__ = [
    "BadPrincipalError",
    "LeastPrivilege",
    "NoGrantsError",
    "Traffic",
    "Unused",
    "check_principal",
    "least_privilege",
    "observed",
    "unused_grants",
    "unused_notes",
]
