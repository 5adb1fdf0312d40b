"""The claims in tokens of well-known issuers, so that a trust policy meets the same claims as with the real issuer.

Sources, read 2026-11-24: GitHub Docs, OpenID Connect reference; Kubernetes documentation, Managing Service Accounts;
GitLab Docs, OpenID Connect authentication using ID tokens. Ids are made up. Other claims follow from the subject.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from rolecall.ids import Identifiers

Claims = dict[str, Any]
DEFAULT_AUDIENCE = "sts.amazonaws.com"
_SHA = "7e5c8fa1d3b24906a8b1c2d3e4f5061728394a5b"


class ShapeError(ValueError):
    """A subject that tokens of this shape do not have. The user sees the message."""


class Shape(Struct, frozen=True):
    """One kind of token with its default values. ``not_before_seconds`` is relative to the time of issue."""

    subject: str
    lifetime_seconds: int
    claims: Callable[[str, Identifiers], Claims]
    not_before_seconds: int | None = None
    audience_is_list: bool = False


def _plain(_subject: str, _ids: Identifiers) -> Claims:
    return {}


def _github_actions(subject: str, ids: Identifiers) -> Claims:
    parts = subject.split(":", 3)
    owner, slash, repository = parts[1].partition("/") if len(parts) > 2 else ("", "", "")
    if parts[0] != "repo" or not (owner and slash and repository):
        raise ShapeError("a subject of github-actions must be repo:OWNER/REPOSITORY:ref:REF, or …:environment:NAME")
    kind, value = parts[2], parts[3] if len(parts) > 3 else ""
    pull_request = kind == "pull_request"
    ref = value if kind == "ref" else "refs/pull/1/merge" if pull_request else "refs/heads/main"
    workflow = f"{parts[1]}/.github/workflows/ci.yml@{ref}"
    claims: Claims = {
        "actor": "octocat",
        "actor_id": "583231",
        "base_ref": "main" if pull_request else "",
        "event_name": "pull_request" if pull_request else "push",
        "head_ref": "feature" if pull_request else "",
        "job_workflow_ref": workflow,
        "job_workflow_sha": _SHA,
        "ref": ref,
        "ref_protected": "false",
        "ref_type": "tag" if ref.startswith("refs/tags/") else "branch",
        "repository": parts[1],
        "repository_id": "1296269",
        "repository_owner": owner,
        "repository_owner_id": "9919",
        "repository_visibility": "private",
        "run_attempt": "1",
        "run_id": ids.digits(11),
        "run_number": "1",
        "runner_environment": "github-hosted",
        "sha": _SHA,
        "workflow": "CI",
        "workflow_ref": workflow,
        "workflow_sha": _SHA,
    }
    if kind == "environment":
        claims["environment"] = value
    return claims


def _eks(subject: str, ids: Identifiers) -> Claims:
    parts = subject.split(":")
    if len(parts) != 4 or parts[:2] != ["system", "serviceaccount"] or not all(parts):
        raise ShapeError("a subject of eks must be system:serviceaccount:NAMESPACE:NAME")
    return {
        "kubernetes.io": {
            "namespace": parts[2],
            "node": {"name": "ip-10-0-0-1.ec2.internal", "uid": ids.uuid()},
            "pod": {"name": f"{parts[3]}-0", "uid": ids.uuid()},
            "serviceaccount": {"name": parts[3], "uid": ids.uuid()},
        }
    }


def _gitlab(subject: str, ids: Identifiers) -> Claims:
    parts = subject.split(":")
    namespace, slash, project = parts[1].rpartition("/") if len(parts) == 6 else ("", "", "")
    if parts[::2] != ["project_path", "ref_type", "ref"] or not (namespace and slash and project):
        raise ShapeError("a subject of gitlab must be project_path:GROUP/PROJECT:ref_type:branch:ref:NAME")
    path, ref_type, ref = parts[1::2]
    folder = "heads" if ref_type == "branch" else "tags"
    return {
        "ci_config_ref_uri": f"gitlab.com/{path}//.gitlab-ci.yml@refs/{folder}/{ref}",
        "ci_config_sha": _SHA,
        "job_id": ids.digits(10),
        "job_source": "push",
        "namespace_id": "72",
        "namespace_path": namespace,
        "pipeline_id": ids.digits(10),
        "pipeline_source": "push",
        "project_id": "20",
        "project_path": path,
        "project_visibility": "private",
        "ref": ref,
        "ref_path": f"refs/{folder}/{ref}",
        "ref_protected": "true",
        "ref_type": ref_type,
        "runner_environment": "gitlab-hosted",
        "runner_id": 1,
        "sha": _SHA,
        "user_access_level": "developer",
        "user_email": "ana@example.com",
        "user_id": "1",
        "user_login": "ana",
    }


SHAPES: Mapping[str, Shape] = {
    "plain": Shape("subject", 3600, _plain),
    "github-actions": Shape("repo:octo-org/octo-repo:ref:refs/heads/main", 300, _github_actions, -600),
    "eks": Shape("system:serviceaccount:default:default", 86_400, _eks, 0, audience_is_list=True),
    "gitlab": Shape("project_path:my-group/my-project:ref_type:branch:ref:main", 3600, _gitlab, -5),
}
