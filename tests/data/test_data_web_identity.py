"""Claims of single issuers that AWS makes condition keys."""

from __future__ import annotations

import pytest

from rolecall.data import issuer_claims
from rolecall.data.web_identity_table import _templates

GITHUB = {"actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository", "repository_id"}


@pytest.mark.parametrize(
    ("issuer", "claims"),
    [
        ("token.actions.githubusercontent.com", GITHUB | {"repository_owner_id", "workflow"}),
        ("token.actions.githubusercontent.com/octo-corp", GITHUB),
        ("token.actions.tenant.ghe.com", GITHUB),
        ("gitlab.com", {"namespace_id", "project_id", "user_login", "ref_protected"}),
        ("agent.buildkite.com", {"organization_slug", "pipeline_slug"}),
        ("oidc.circleci.com/org/0123", {"oidc.circleci.com/project-id"}),
        ("idcs-0123.identity.oraclecloud.com", {"rpst_id"}),
        ("accounts.google.com", {"google/organization_number"}),
    ],
)
def test_claims_of_issuers_that_aws_knows(issuer: str, claims: set[str]) -> None:
    assert claims <= issuer_claims(issuer)
    assert issuer_claims(issuer.upper()) == issuer_claims(issuer)


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "idp.example.com",
        "gitlab.example.com",
        "gitlab.com/group",
        "evil.com/token.actions.githubusercontent.com",
        "token.actions.githubusercontent.com.evil.com",
        "xgitlab.com",
        "gitlabXcom",
        "oidc.circleci.com/org/a/b",
        "saml",
        "aws",
    ],
)
def test_other_issuers_have_none(issuer: str) -> None:
    assert issuer_claims(issuer) == frozenset()


def test_the_table_is_read_and_has_no_keys_of_aws_itself() -> None:
    assert len(_templates()) > 60
    assert not any(claim in ("RequestTag/${TagKey}", "RoleSessionName", "aud ") for _, claim in _templates())
