"""Least privilege from traffic: the smallest policy for a principal's logged calls, and the grants that no call used.

Owned here: a policy that allows the logged calls (traffic), the grants of the present policies that no call used
(grants), and both for one principal as the command, the endpoint and the test kit show them (report). Not here: what is
logged (call_log), what a policy means (policy), which policies a principal has (access).
"""

from rolecall.least_privilege.grants import NoGrantsError, Unused
from rolecall.least_privilege.report import (
    LeastPrivilege,
    Traffic,
    least_privilege,
    observed,
    unused_grants,
    unused_notes,
    why_no_policy,
)
from rolecall.least_privilege.traffic import BadPrincipalError, check_principal, used_permissions

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
    "used_permissions",
    "why_no_policy",
]
