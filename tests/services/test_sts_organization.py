"""Limits from outside a principal's own policies: service control policies and permissions boundaries."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from sts_calls import (
    ACCOUNT,
    OTHER,
    account,
    allow,
    answered,
    declared,
    deny,
    no_allow,
    not_authorized,
    policy,
    refusal,
    role,
    role_arn,
    root_arn,
    root_user,
    session_arn,
    statement,
    trust,
    user,
    user_arn,
)

from rolecall.call_log.refusals import refusal_details

LIMITS = f"arn:aws:iam::{ACCOUNT}:policy/limits"
FED_ARN = f"arn:aws:sts::{ACCOUNT}:federated-user/fed"
LISTING = "chime:ListAccounts"


def organization(*policies: dict[str, Any]) -> dict[str, Any]:
    return {"id": "o-example1234", "service_control_policies": list(policies)}


def control(document: dict[str, Any], *targets: str) -> dict[str, Any]:
    return {"name": f"policy-{'-'.join(targets) or 'root'}", "targets": list(targets), "document": document}


def two_accounts(*policies: dict[str, Any]) -> str:
    roles = [role("operator", trust([root_arn(), root_arn(OTHER)]), allow("*"))]
    return declared(account(roles=roles), account(OTHER, roles=roles), organization=organization(*policies))


def callers(world: Any, account_id: str = ACCOUNT) -> dict[str, Any]:
    """Chime clients of every kind of principal of an account, by the principal's ARN."""
    admin = "admin" if account_id == ACCOUNT else "other_admin"
    sts = world.client("sts", admin)
    federated = sts.get_federation_token(Name="fed", Policy=json.dumps(allow("*")))["Credentials"]
    return {
        user_arn(admin, account_id): world.client("chime", admin),
        root_arn(account_id): world.client("chime", root_user(account_id)),
        session_arn("operator", account=account_id): world.client(
            "chime", credentials=world.assume(role_arn("operator", account_id), admin)
        ),
        f"arn:aws:sts::{account_id}:federated-user/fed": world.client("chime", credentials=federated),
    }


def by_control(name: str, kind: str = "service") -> str:
    hashed = name if kind == "service" else f"RESOURCE_CONTROL_POLICY/{name}"
    policy_id = hashlib.sha256(hashed.encode()).hexdigest()[:8]
    arn = f"arn:aws:organizations::{ACCOUNT}:policy/o-example1234/{kind}_control_policy/p-{policy_id}"
    return f"with an explicit deny in a {kind} control policy: {arn}"


def chime_refusal(arn: str, because: str) -> tuple[int, str, str]:
    return 403, "ForbiddenException", not_authorized(arn, LISTING, because=because)


@pytest.mark.parametrize("targets", [(), (ACCOUNT,), (ACCOUNT, OTHER)])
def test_a_control_policy_holds_for_every_principal_of_its_accounts(make_world: Any, targets: tuple[str, ...]) -> None:
    world = make_world(two_accounts(control(deny(LISTING), *targets)))
    for account_id in (ACCOUNT, OTHER):
        reached = account_id in targets or not targets
        for arn, chime in callers(world, account_id).items():
            because = by_control(f"policy-{'-'.join(targets) or 'root'}")
            expected: Any = chime_refusal(arn, because) if reached else "allowed"
            assert answered(chime, "ListAccounts") == expected
            assert answered(chime, "GetAccount", AccountId="00000000-0000-4000-8000-000000000000")[1] == (
                "NotFoundException"
            )


FULL_ACCESS = {"name": "FullAWSAccess", "document": allow("*")}


@pytest.mark.parametrize(
    ("full_access", "listed", "outcomes"),
    [
        # Attached everywhere by hand, as AWS does on its own.
        (("ROOT", "prod", "apps", "tests", ACCOUNT, OTHER), (), ("allowed", "allowed")),
        # Detached from one unit: everything below it has no rights, whatever other levels allow.
        (("ROOT", "apps", "tests", ACCOUNT, OTHER), (), ("refused", "allowed")),
        # An allow list in its place.
        (("ROOT", "apps", "tests", ACCOUNT, OTHER), ("prod",), ("allowed", "allowed")),
        (("apps", "prod", ACCOUNT), ("ROOT", "tests", OTHER), ("allowed", "allowed")),
        (("apps", "prod", ACCOUNT), (OTHER,), ("refused", "refused")),
    ],
)
def test_an_allow_list_stands_where_full_access_is_detached(
    make_world: Any, full_access: tuple[str, ...], listed: tuple[str, ...], outcomes: tuple[str, str]
) -> None:
    listing = {"name": "listing", "targets": list(listed), "document": allow(LISTING)}
    policies = [{**FULL_ACCESS, "targets": list(full_access)}, *([listing] if listed else [])]
    world = make_world(units(*policies))
    because = no_allow("service control policy", LISTING)
    for (account_id, name), outcome in zip(((ACCOUNT, "admin"), (OTHER, "other_admin")), outcomes, strict=True):
        expected: Any = outcome if outcome == "allowed" else chime_refusal(user_arn(name, account_id), because)
        assert answered(world.client("chime", name), "ListAccounts") == expected
        other_call = answered(
            world.client("chime", name), "GetAccount", AccountId="00000000-0000-4000-8000-000000000000"
        )
        everything = {"prod": ACCOUNT, "tests": OTHER, OTHER: OTHER, "ROOT": account_id}
        limited = outcome == "refused" or account_id in {everything[target] for target in listed}
        assert other_call[1] == ("ForbiddenException" if limited else "NotFoundException")


def test_a_control_policy_adds_nothing(make_world: Any) -> None:
    text = declared(account(users=[user("nobody")]), organization=organization(control(allow("*"))))
    chime = make_world(text).client("chime", "nobody")
    because = no_allow("identity-based policy", LISTING)
    assert refusal(chime, "ListAccounts") == chime_refusal(user_arn("nobody"), because)


def test_control_policies_may_depend_on_the_principal(make_world: Any) -> None:
    spared = {"ArnNotLike": {"aws:PrincipalArn": role_arn("operator")}}
    world = make_world(two_accounts(control(deny(LISTING, Condition=spared))))
    for arn, chime in callers(world).items():
        expected = "allowed" if arn == session_arn("operator") else chime_refusal(arn, by_control("policy-root"))
        assert answered(chime, "ListAccounts") == expected


def test_control_policies_hold_for_sts_and_iam(make_world: Any) -> None:
    document = deny(["sts:AssumeRole", "sts:GetFederationToken", "iam:ListUsers"])
    world = make_world(two_accounts(control(document, ACCOUNT)))
    sts, target = world.client("sts"), role_arn("operator", OTHER)
    because = by_control(f"policy-{ACCOUNT}")
    for arn in (role_arn("operator"), target):
        message = not_authorized(user_arn("admin"), "sts:AssumeRole", arn, because)
        assert refusal(sts, "AssumeRole", RoleArn=arn, RoleSessionName="session") == (403, "AccessDenied", message)
    message = not_authorized(user_arn("admin"), "sts:GetFederationToken", FED_ARN, because)
    assert refusal(sts, "GetFederationToken", Name="fed") == (403, "AccessDenied", message)
    for name in ("admin", root_user()):
        assert refusal(world.client("iam", name), "ListUsers")[:2] == (403, "AccessDenied")
    # The caller's account decides, not the role's account.
    other = world.client("sts", "other_admin")
    assert answered(other, "AssumeRole", RoleArn=role_arn("operator"), RoleSessionName="session") == "allowed"


def test_neither_control_policy_nor_boundary_can_forbid_caller_identity_and_session_token(make_world: Any) -> None:
    limits = {"name": "limits", "document": deny("*")}
    users = [user("ana", permissions_boundary=LIMITS)]
    text = declared(account(users=users, policies=[limits]), organization=organization(control(deny("*"))))
    sts = make_world(text).client("sts", "ana")
    assert answered(sts, "GetCallerIdentity") == answered(sts, "GetSessionToken") == "allowed"


# Organizational units, and resource control policies.


def units(*policies: dict[str, Any], resource: tuple[dict[str, Any], ...] = ()) -> str:
    """The first account is in the unit ``apps`` inside ``prod``, the second one in ``tests``."""
    roles = [role("operator", trust([root_arn(), root_arn(OTHER)]), allow("*"))]
    organization = {
        "id": "o-example1234",
        "organizational_units": [
            {"name": "apps", "id": "ou-exam-apps1234", "parent": "prod", "accounts": [ACCOUNT]},
            {"name": "prod", "id": "ou-exam-prod1234"},
            {"name": "tests", "accounts": [OTHER]},
        ],
        "service_control_policies": list(policies),
        "resource_control_policies": list(resource),
    }
    return declared(account(roles=roles), account(OTHER, roles=roles), organization=organization)


def resource_control(condition: dict[str, Any], *targets: str) -> dict[str, Any]:
    statement = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition}]}
    return {"name": "outsiders", "targets": list(targets), "document": document}


@pytest.mark.parametrize(
    ("target", "reached"),
    [("prod", {ACCOUNT}), ("apps", {ACCOUNT}), ("tests", {OTHER}), (ACCOUNT, {ACCOUNT}), (None, {ACCOUNT, OTHER})],
)
def test_a_control_policy_holds_below_the_unit_it_is_attached_to(
    make_world: Any, target: str | None, reached: set[str]
) -> None:
    world = make_world(units(control(deny(LISTING), *([target] if target else []))))
    for account_id, name in ((ACCOUNT, "admin"), (OTHER, "other_admin")):
        because = by_control(f"policy-{target or 'root'}")
        expected: Any = chime_refusal(user_arn(name, account_id), because) if account_id in reached else "allowed"
        assert answered(world.client("chime", name), "ListAccounts") == expected


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("o-example1234/r-exam/ou-exam-prod1234/ou-exam-apps1234/", True),
        ("o-example1234/r-exam/ou-exam-prod1234/*", True),
        ("o-example1234/r-exam/ou-exam-apps1234/", False),
        ("o-example1234/*", True),
    ],
)
def test_a_principal_s_path_goes_through_its_units(make_world: Any, path: str, allowed: bool) -> None:
    document = deny(LISTING, Condition={"ForAllValues:StringNotLike": {"aws:PrincipalOrgPaths": [path]}})
    chime = make_world(units(control(document, ACCOUNT))).client("chime")
    expected: Any = "allowed" if allowed else chime_refusal(user_arn("admin"), by_control(f"policy-{ACCOUNT}"))
    assert answered(chime, "ListAccounts") == expected


def assume(world: Any, user_name: str, arn: str) -> Any:
    return answered(world.client("sts", user_name), "AssumeRole", RoleArn=arn, RoleSessionName="session")


def test_a_resource_control_policy_guards_the_roles_of_its_accounts(make_world: Any) -> None:
    foreign = {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}
    world = make_world(units(resource=(resource_control(foreign, "prod"),)))
    arn = role_arn("operator")
    assert assume(world, "admin", arn) == "allowed"
    message = not_authorized(user_arn("other_admin", OTHER), "sts:AssumeRole", arn, by_control("outsiders", "resource"))
    assert assume(world, "other_admin", arn) == (403, "AccessDenied", message)
    # The role's account decides, not the caller's account.
    assert assume(world, "admin", role_arn("operator", OTHER)) == "allowed"
    assert assume(world, "other_admin", role_arn("operator", OTHER)) == "allowed"
    assert answered(world.client("chime"), "ListAccounts") == "allowed"


def test_an_account_outside_does_not_see_the_organization_s_policies(make_world: Any) -> None:
    foreign = {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}}
    operator = role("operator", trust([root_arn(OTHER)]), allow("*"))
    world = make_world(
        declared(
            account(roles=[operator]),
            account(OTHER, in_organization=False),
            organization={"id": "o-example1234", "resource_control_policies": [resource_control(foreign)]},
        )
    )
    arn, because = role_arn("operator"), "with an explicit deny in a resource control policy"
    message = not_authorized(user_arn("other_admin", OTHER), "sts:AssumeRole", arn, because)
    assert assume(world, "other_admin", arn) == (403, "AccessDenied", message)


@pytest.mark.parametrize("kind", ["service", "resource"])
def test_a_role_that_does_not_exist_is_refused_in_the_words_of_one_that_does(make_world: Any, kind: str) -> None:
    foreign = {"StringNotEqualsIfExists": {"aws:ResourceAccount": ACCOUNT}}
    if kind == "service":
        name, text = f"policy-{ACCOUNT}", units(control(deny("sts:AssumeRole", Condition=foreign), ACCOUNT))
    else:
        name, text = "outsiders", units(resource=(resource_control(foreign),))
    world = make_world(text)
    assert assume(world, "admin", role_arn("operator")) == "allowed"
    for arn in (role_arn("operator", OTHER), role_arn("absent", OTHER)):
        message = not_authorized(user_arn("admin"), "sts:AssumeRole", arn, by_control(name, kind))
        assert assume(world, "admin", arn) == (403, "AccessDenied", message)


def test_a_resource_control_policy_may_depend_on_where_the_role_is(make_world: Any) -> None:
    in_apps = {"ForAnyValue:StringLike": {"aws:ResourceOrgPaths": "*/ou-exam-apps1234/"}}
    organization_too = {"StringEquals": {"aws:ResourceOrgID": "o-example1234", "aws:ResourceAccount": ACCOUNT}}
    world = make_world(units(resource=(resource_control({**in_apps, **organization_too}),)))
    for name in ("admin", "other_admin"):
        assert assume(world, name, role_arn("operator"))[1] == "AccessDenied"
        assert assume(world, name, role_arn("operator", OTHER)) == "allowed"


@pytest.mark.parametrize("key", ["aws:ResourceOrgID", "aws:ResourceOrgPaths"])
def test_a_role_outside_every_organization_has_none_of_the_callers_organization(make_world: Any, key: str) -> None:
    """A data perimeter: nothing outside the own organization."""
    outside = {"Null": {key: "true"}}
    perimeter = policy(statement("*"), statement("sts:AssumeRole", effect="Deny", Condition=outside))
    roles = [role("operator", trust([root_arn(), root_arn(OTHER)]), allow("*"))]
    own = account(roles=roles, users=[user("ana", perimeter)])
    apart = account(OTHER, roles=roles, in_organization=False)
    world = make_world(declared(own, apart, organization={"id": "o-example1234"}))
    assert assume(world, "ana", role_arn("operator")) == "allowed"
    assert assume(world, "ana", role_arn("operator", OTHER))[:2] == (403, "AccessDenied")
    inside = make_world(declared(own, account(OTHER, roles=roles), organization={"id": "o-example1234"}))
    assert assume(inside, "ana", role_arn("operator", OTHER)) == "allowed"


def test_a_refusal_tells_where_the_control_policy_is_attached(make_world: Any) -> None:
    world = make_world(units(control(deny("iam:ListUsers"), "apps")))
    assert refusal(world.client("iam"), "ListUsers")[:2] == (403, "AccessDenied")
    details = refusal_details(world.outcomes[-1])
    attached = {target for policy in json.loads(details.explanation)["policies"] for target in policy["attached_to"]}
    prefix = f"arn:aws:organizations::{ACCOUNT}"
    assert {
        f"{prefix}:root/o-example1234/r-exam",
        f"{prefix}:ou/o-example1234/ou-exam-prod1234",
        f"{prefix}:ou/o-example1234/ou-exam-apps1234",
        f"{prefix}:account/o-example1234/{ACCOUNT}",
    } <= attached


# Permissions boundaries.

BOUNDED = policy(statement(["chime:List*", "iam:ListUsers", "sts:*"]), statement("chime:ListUsers", effect="Deny"))


@pytest.fixture(scope="module")
def bounded(make_shared_world: Any) -> Any:
    more = {"permissions_boundary": LIMITS}
    users = [user("ana", allow(["chime:*", "sts:*"]), **more), user("li", allow("chime:GetAccount"), **more)]
    roles = [role("operator", trust(root_arn()), allow("*"), **more)]
    policies = [{"name": "limits", "document": BOUNDED}]
    return make_shared_world(declared(account(users=users, roles=roles, policies=policies)))


def bounded_callers(world: Any) -> dict[str, Any]:
    sts = world.client("sts", "ana")
    federated = sts.get_federation_token(Name="fed", Policy=json.dumps(allow("*")))["Credentials"]
    return {
        "user": (user_arn("ana"), world.client("chime", "ana")),
        "user session": (user_arn("ana"), world.client("chime", credentials=sts.get_session_token()["Credentials"])),
        "federated user": (FED_ARN, world.client("chime", credentials=federated)),
        "role session": (session_arn("operator"), world.client("chime", credentials=world.assume("operator"))),
    }


@pytest.mark.parametrize("kind", ["user", "user session", "federated user", "role session"])
def test_a_boundary_cuts_every_kind_of_principal(bounded: Any, kind: str) -> None:
    arn, chime = bounded_callers(bounded)[kind]
    absent = {"AccountId": "00000000-0000-4000-8000-000000000000"}
    assert answered(chime, "ListAccounts") == "allowed"
    message = not_authorized(arn, "chime:GetAccount", because=no_allow("permissions boundary", "chime:GetAccount"))
    assert refusal(chime, "GetAccount", **absent) == (403, "ForbiddenException", message)
    because = f"with an explicit deny in a permissions boundary: {LIMITS}"
    message = not_authorized(arn, "chime:ListUsers", because=because)
    assert refusal(chime, "ListUsers", **absent) == (403, "ForbiddenException", message)


def test_a_boundary_adds_nothing(bounded: Any) -> None:
    chime = bounded.client("chime", "li")
    because = no_allow("identity-based policy", LISTING)
    assert refusal(chime, "ListAccounts") == chime_refusal(user_arn("li"), because)


def test_a_role_may_be_assumed_whatever_its_own_boundary_says(make_world: Any) -> None:
    policies = [{"name": "limits", "document": deny("*")}]
    text = declared(
        account(roles=[role("bound", trust(root_arn()), allow("*"), permissions_boundary=LIMITS)], policies=policies)
    )
    world = make_world(text)
    chime = world.client("chime", credentials=world.assume("bound"))
    because = f"with an explicit deny in a permissions boundary: {LIMITS}"
    assert refusal(chime, "ListAccounts") == chime_refusal(session_arn("bound"), because)
