"""Reports about what the accounts of an organization used.

Answers marked "recorded" are from radkawar/stackd's recording of AWS, testdata/aws/iam/organizations_access.json
(2026-09-11).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from iam_calls import fails, identity, put_rights, refusal
from logged_worlds import keep_log

from rolecall.arns import declared_policy_id
from rolecall.data import service_prefixes

NOW = datetime(2027, 1, 1, tzinfo=UTC)
MANAGEMENT, FIRST, SECOND, OUTSIDE = "111122223333", "222233334444", "333344445555", "444455556666"
ORGANIZATION = "o-example1234"
ROOT = f"{ORGANIZATION}/r-exam"
EVERYTHING = "arn:aws:iam::aws:policy/AdministratorAccess"


def _account(account_id: str, name: str) -> dict[str, Any]:
    key = {"id": f"{name}_key_for_tests", "secret": f"{name}-secret"}
    return {"id": account_id, "users": [{"name": name, "access_keys": [key], "attached_policies": [EVERYTHING]}]}


def _scp(name: str, targets: list[str], *statements: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "targets": targets, "document": {"Version": "2012-10-17", "Statement": list(statements)}}


DECLARED = json.dumps(
    {
        "version": 1,
        "organization": {
            "id": ORGANIZATION,
            "management_account": MANAGEMENT,
            "organizational_units": [
                {"name": "outer", "accounts": [FIRST]},
                {"name": "inner", "parent": "outer", "accounts": [SECOND]},
                {"name": "empty"},
            ],
            "service_control_policies": [
                _scp("no-chime", ["inner"], {"Effect": "Deny", "Action": "chime:*", "Resource": "*"}),
                _scp("few", ["empty"], {"Effect": "Allow", "Action": ["s3:GetObject", "iam:GetUser"], "Resource": "*"}),
            ],
        },
        "accounts": [
            _account(MANAGEMENT, "admin"),
            _account(FIRST, "first"),
            _account(SECOND, "second"),
        ],
    }
)


@pytest.fixture
def world(make_still_world: Any) -> Any:
    made = make_still_world(DECLARED, NOW)
    made.log = keep_log(made)
    return made


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


@pytest.fixture
def units(world: Any) -> dict[str, str]:
    with world.database.snapshot() as connection:
        rows = connection.exec_driver_sql("SELECT name, ou_id FROM organizational_units").fetchall()
    return {row[0]: row[1] for row in rows}


def report(iam: Any, path: str, **more: Any) -> Any:
    policy = {name: more.pop(name) for name in list(more) if name == "OrganizationsPolicyId"}
    job_id = iam.generate_organizations_access_report(EntityPath=path, **policy)["JobId"]
    return iam.get_organizations_access_report(JobId=job_id, **{"MaxItems": 1000, **more})


def services(answer: Any) -> dict[str, Any]:
    return {each["ServiceNamespace"]: each for each in answer["AccessDetails"]}


def test_the_root_counts_all_accounts_except_the_management_account(world: Any, iam: Any, units: Any) -> None:
    world.clock.advance(1)
    world.client("sts", user="first").get_caller_identity()
    world.clock.advance(1)
    second = world.client("sts", user="second", region="eu-west-1")
    second.get_caller_identity()
    world.client("chime").list_accounts()
    answer = report(iam, ROOT)
    found = services(answer)
    assert (answer["JobStatus"], set(found)) == ("COMPLETED", service_prefixes())
    assert answer["NumberOfServicesAccessible"] == len(found)
    assert answer["NumberOfServicesNotAccessed"] == len(found) - 1
    assert found["sts"] == {
        "ServiceName": "AWS Security Token Service",
        "ServiceNamespace": "sts",
        "Region": "eu-west-1",
        "EntityPath": f"{ROOT}/{units['outer']}/{units['inner']}/{SECOND}",
        "LastAuthenticatedTime": NOW + timedelta(seconds=2),
        "TotalAuthenticatedEntities": 2,
    }
    chime = {"ServiceName": "Amazon Chime", "ServiceNamespace": "chime", "TotalAuthenticatedEntities": 0}
    assert found["chime"] == chime


def test_a_unit_and_an_account_count_what_is_below_them(world: Any, iam: Any, units: Any) -> None:
    for user in ("first", "second"):
        world.client("sts", user=user).get_caller_identity()
    outer, inner = f"{ROOT}/{units['outer']}", f"{ROOT}/{units['outer']}/{units['inner']}"
    counted = {outer: 2, inner: 1, f"{outer}/{FIRST}": 1, f"{inner}/{SECOND}": 1, f"{ROOT}/{units['empty']}": 0}
    for path, accounts in counted.items():
        assert services(report(iam, path))["sts"]["TotalAuthenticatedEntities"] == accounts, path


def test_control_policies_of_every_level_limit_the_services(iam: Any, units: Any) -> None:
    outer, inner = f"{ROOT}/{units['outer']}", f"{ROOT}/{units['outer']}/{units['inner']}"
    assert "chime" in services(report(iam, outer))
    for path in (inner, f"{inner}/{SECOND}"):
        assert service_prefixes() - set(services(report(iam, path))) == {"chime"}
    # AWS attaches full access beside it.
    assert set(services(report(iam, f"{ROOT}/{units['empty']}"))) == service_prefixes()


def test_the_management_account_is_not_limited(world: Any, iam: Any) -> None:
    answer = services(report(iam, f"{ROOT}/{MANAGEMENT}"))
    assert set(answer) == service_prefixes()
    # Its own calls for the report count.
    assert answer["iam"]["TotalAuthenticatedEntities"] in (0, 1)


def test_a_policy_reports_its_own_services(world: Any, iam: Any, units: Any) -> None:
    with world.database.snapshot() as connection:
        counted = "SELECT count(*) FROM organization_policies WHERE policy_type = 'SERVICE_CONTROL_POLICY'"
        assert connection.exec_driver_sql(counted).scalar() == 2
    policy_id = policy_id_of("few")
    answer = report(iam, ROOT, OrganizationsPolicyId=policy_id)
    # Recorded: namespaces in alphabetical order, with no details for unused services.
    assert list(services(answer)) == ["iam", "s3"]
    assert (answer["NumberOfServicesAccessible"], answer["NumberOfServicesNotAccessed"]) == (2, 2)
    missing = report(iam, ROOT, OrganizationsPolicyId="p-nosuchpolicy")
    assert missing["JobStatus"] == "FAILED"
    assert missing["ErrorDetails"] == {
        "Code": "INVALID_ORGANIZATIONS_POLICY",
        "Message": "The policy with the specified ID does not exist in your organization.",
    }


def policy_id_of(name: str) -> str:
    return declared_policy_id("SERVICE_CONTROL_POLICY", name)


def test_paths_that_do_not_exist_fail_the_job(iam: Any, units: Any) -> None:
    for path in (
        f"{ORGANIZATION}/r-wrong",
        f"{ROOT}/ou-exam-nosuchunit",
        f"{ROOT}/{units['inner']}",
        f"{ROOT}/{FIRST}",
        f"{ROOT}/{units['empty']}/{FIRST}",
        f"{ROOT}/{OUTSIDE}",
        f"{ROOT}/",
    ):
        answer = report(iam, path)
        assert answer["JobStatus"] == "FAILED", path
        assert answer["ErrorDetails"] == {
            "Code": "INVALID_ORGANIZATIONS_ENTITY_PATH",
            "Message": "The entity with the specified path does not exist in your organization.",
        }
        assert "AccessDetails" not in answer
    # Recorded: another organization is refused at once.
    message = "The organization ID in the specified entity path is different than your organization ID."
    call = iam.generate_organizations_access_report
    fails(call, "AccessDenied", message, 403, EntityPath="o-another12345/r-exam")


def test_only_the_management_account_may_ask(world: Any) -> None:
    first = world.client("iam", user="first")
    assert refusal(first.generate_organizations_access_report, EntityPath=ROOT)[0] == "AccessDenied"
    job = "00000000-0000-4000-8000-000000000000"
    assert refusal(first.get_organizations_access_report, JobId=job)[0] == "AccessDenied"
    assert refusal(world.client("iam").get_organizations_access_report, JobId=job)[0] == "NoSuchEntity"


def test_services_are_sorted_and_paged(world: Any, iam: Any) -> None:
    world.client("sts", user="first").get_caller_identity()
    world.clock.advance(1)
    world.client("iam", user="first").list_users()
    job_id = iam.generate_organizations_access_report(EntityPath=ROOT)["JobId"]
    call = iam.get_organizations_access_report
    assert len(call(JobId=job_id)["AccessDetails"]) == 100
    names = list(services(call(JobId=job_id, MaxItems=1000, SortKey="SERVICE_NAMESPACE_DESCENDING")))
    assert names == sorted(names, reverse=True)
    newest = call(JobId=job_id, MaxItems=2, SortKey="LAST_AUTHENTICATED_TIME_DESCENDING")
    assert list(services(newest)) == ["iam", "sts"]
    oldest = list(services(call(JobId=job_id, MaxItems=1000, SortKey="LAST_AUTHENTICATED_TIME_ASCENDING")))
    assert oldest[-2:] == ["sts", "iam"]
    other = refusal(call, JobId=job_id, Marker=newest["Marker"])
    assert other[:2] == ("ValidationError", "Invalid Marker.")


def test_rights_are_about_the_path_and_need_organizations_too(world: Any, iam: Any, units: Any) -> None:
    iam.create_user(UserName="reporter")
    key = iam.create_access_key(UserName="reporter")["AccessKey"]
    reporter = world.client("iam", keys=(key["AccessKeyId"], key["SecretAccessKey"]))
    action = "iam:GenerateOrganizationsAccessReport"
    outer = f"{ROOT}/{units['outer']}"
    resource = f"arn:aws:iam::{MANAGEMENT}:access-report/{outer}"
    put_rights(iam, "reporter", "report", identity(action, resource))
    with pytest.raises(ClientError, match="organizations:DescribePolicy"):
        reporter.generate_organizations_access_report(EntityPath=outer)
    put_rights(iam, "reporter", "read", identity(["organizations:Describe*", "organizations:List*"]))
    reporter.generate_organizations_access_report(EntityPath=outer)
    assert refusal(reporter.generate_organizations_access_report, EntityPath=ROOT)[0] == "AccessDenied"
    condition = {"StringEquals": {"iam:OrganizationsPolicyId": policy_id_of("few")}}
    put_rights(iam, "reporter", "report", identity(action, Condition=condition))
    reporter.generate_organizations_access_report(EntityPath=ROOT, OrganizationsPolicyId=policy_id_of("few"))
    assert refusal(reporter.generate_organizations_access_report, EntityPath=ROOT)[0] == "AccessDenied"
