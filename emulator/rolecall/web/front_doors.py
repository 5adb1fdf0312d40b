"""The front doors: which paths are Rolecall's own, who gets an answer there, and what gives it.

Every request that comes to none of them is an AWS call. ``browsers`` guards those.
"""

from __future__ import annotations

from collections.abc import Callable

from rolecall.web.attach_endpoint import register_attachments
from rolecall.web.channel_flow_endpoint import register_channel_flow_invocations
from rolecall.web.clock_endpoint import register_clock
from rolecall.web.consent_pages import CONSENT_GUARD
from rolecall.web.console_door import CONSOLE_GUARD, CONSOLE_PATH, register_console
from rolecall.web.control import THIS_MACHINE, register_health, register_reset
from rolecall.web.decision_endpoints import register_decisions
from rolecall.web.delegation_endpoint import register_delegation
from rolecall.web.doors import PREFIX, Environ, FrontDoor, Guard
from rolecall.web.expectation_endpoints import register_expectations
from rolecall.web.faults_endpoint import register_faults
from rolecall.web.mfa_endpoint import register_mfa_codes
from rolecall.web.oidc_endpoints import register_oidc_documents, register_oidc_tokens
from rolecall.web.outbound_documents import (
    WELL_KNOWN,
    is_document,
    register_documents_by_name,
    register_outbound_documents,
)
from rolecall.web.policy_endpoint import register_policy
from rolecall.web.probes import PROBES_PATH, register_probes
from rolecall.web.saml_endpoints import register_saml_assertions, register_saml_metadata
from rolecall.web.signin import (
    FEDERATION_PATH,
    OWN_SITE,
    SESSION_PATH,
    is_federation,
    register_federation,
    register_session,
)
from rolecall.web.signin_pages import (
    SIGN_IN_PATH,
    is_sign_in_page,
    register_sign_in_decisions,
    register_sign_in_pages,
)
from rolecall.web.snapshot_endpoints import register_snapshots
from rolecall.web.sso_pages import (
    AUTHORIZE_PATH,
    SSO_PATH,
    is_authorization,
    register_authorize,
    register_sso_pages,
)
from rolecall.web.start_page import asks_for_page, register_docs, register_start_page

EVERY_CLIENT = Guard("every client")

CONTROL_ENDPOINTS = (
    register_health,
    register_reset,
    register_clock,
    register_faults,
    register_decisions,
    register_policy,
    register_expectations,
    register_delegation,
    register_snapshots,
    register_oidc_tokens,
    register_saml_assertions,
    register_mfa_codes,
    register_attachments,
    register_channel_flow_invocations,
)

FRONT_DOORS = (
    FrontDoor("control", PREFIX, THIS_MACHINE, CONTROL_ENDPOINTS),
    FrontDoor("probes", PROBES_PATH, EVERY_CLIENT, (register_probes,)),
    FrontDoor("oidc_documents", f"{PREFIX}/oidc", EVERY_CLIENT, (register_oidc_documents,)),
    FrontDoor("saml_metadata", f"{PREFIX}/saml", EVERY_CLIENT, (register_saml_metadata,)),
    FrontDoor("outbound", f"{PREFIX}/outbound", EVERY_CLIENT, (register_outbound_documents,)),
    FrontDoor("outbound_by_name", WELL_KNOWN, EVERY_CLIENT, (register_documents_by_name,), is_document),
    FrontDoor("sign_in", FEDERATION_PATH, OWN_SITE, (register_federation,), is_federation),
    FrontDoor("console", CONSOLE_PATH, CONSOLE_GUARD, (register_console,)),
    FrontDoor("session", SESSION_PATH, OWN_SITE, (register_session,)),
    FrontDoor("sso", SSO_PATH, CONSENT_GUARD, (register_sso_pages,)),
    FrontDoor("authorize", AUTHORIZE_PATH, CONSENT_GUARD, (register_authorize,), is_authorization),
    FrontDoor("programs", SIGN_IN_PATH, CONSENT_GUARD, (register_sign_in_decisions,)),
    FrontDoor("program_pages", "/v1", CONSENT_GUARD, (register_sign_in_pages,), is_sign_in_page),
    FrontDoor("docs", f"{PREFIX}/docs", EVERY_CLIENT, (register_docs,)),
    FrontDoor("start_page", "/", EVERY_CLIENT, (register_start_page,), asks_for_page),
)


def _first_part(path: str) -> str:
    return path[1:].partition("/")[0]


def _any_of(*checks: Callable[[Environ], bool]) -> Callable[[Environ], bool]:
    return checks[0] if len(checks) == 1 else lambda environ: any(check(environ) for check in checks)


# Every AWS call is looked up here, by the first part of its path. So for most of them nothing else is compared.
_is_for = {
    part: _any_of(*(door.is_for() for door in FRONT_DOORS if _first_part(door.prefix) == part))
    for part in {_first_part(door.prefix) for door in FRONT_DOORS}
}


def is_page(environ: Environ) -> bool:
    """Whether a request comes to one of the front doors, and so is no AWS call."""
    is_for = _is_for.get(environ["PATH_INFO"][1:].partition("/")[0])
    return is_for is not None and is_for(environ)
