"""Reports of last accesses, and the policies that grant a service.

Answers marked "recorded" are from radkawar/stackd's recordings of AWS: testdata/aws/iam/last_access.json and
organizations_access.json (2026-09-11).
"""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from iam_calls import ACCOUNT, OTHER_ACCOUNT, WORLD, fails, identity, put_rights, refusal
from logged_worlds import keep_log

from rolecall.data import service_prefixes
from rolecall.services.catalogue import takes_long

NOW = datetime(2027, 1, 1, tzinfo=UTC)
ARN = f"arn:aws:iam::{ACCOUNT}"
UNKNOWN_JOB = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def world(make_still_world: Any) -> Any:
    made = make_still_world(WORLD, NOW)
    made.log = keep_log(made)
    return made


@pytest.fixture
def iam(world: Any) -> Any:
    return world.client("iam")


def report(iam: Any, arn: str, **more: Any) -> Any:
    job_id = iam.generate_service_last_accessed_details(Arn=arn, **more)["JobId"]
    return iam.get_service_last_accessed_details(JobId=job_id)


def services(answer: Any) -> dict[str, Any]:
    return {each["ServiceNamespace"]: each for each in answer["ServicesLastAccessed"]}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": "*", **more}


def deny(*actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), "Resource": "*", **more}


def test_a_user_without_policies_can_use_nothing(iam: Any) -> None:
    """Recorded: an empty list in a complete job."""
    answer = report(iam, f"{ARN}:user/bob")
    del answer["ResponseMetadata"]
    assert answer == {
        "JobStatus": "COMPLETED",
        "JobType": "SERVICE_LEVEL",
        "JobCreationDate": NOW,
        "JobCompletionDate": NOW,
        "ServicesLastAccessed": [],
        "IsTruncated": False,
    }


def test_a_service_that_was_never_used_has_no_times(iam: Any) -> None:
    answer = report(iam, f"{ARN}:user/team/ana")
    chime = {"ServiceName": "Amazon Chime", "ServiceNamespace": "chime", "TotalAuthenticatedEntities": 0}
    assert answer["ServicesLastAccessed"] == [chime]


def test_allowed_and_refused_calls_are_accesses(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity(["iam:GetUser", "iam:PassRole", "chime:*", "s3:GetObject"]))
    bob = world.client("iam", user="bob")
    world.clock.advance(10)
    bob.get_user()
    world.clock.advance(10)
    assert refusal(bob.list_roles)[0] == "AccessDenied"
    answer = report(iam, f"{ARN}:user/bob", Granularity="ACTION_LEVEL")
    assert answer["JobType"] == "ACTION_LEVEL"
    found = services(answer)
    assert list(found) == ["chime", "iam", "s3"]
    at = NOW + timedelta(seconds=20)
    used = {
        "LastAuthenticated": at,
        "LastAuthenticatedEntity": f"{ARN}:user/bob",
        "LastAuthenticatedRegion": "us-east-1",
    }
    # Recorded: PassRole is not tracked, and a service without tracked actions has no list.
    assert found["iam"] == {
        "ServiceName": "AWS Identity and Access Management",
        "ServiceNamespace": "iam",
        "TotalAuthenticatedEntities": 1,
        **used,
        "TrackedActionsLastAccessed": [
            {
                "ActionName": "GetUser",
                "LastAccessedEntity": f"{ARN}:user/bob",
                "LastAccessedTime": NOW + timedelta(seconds=10),
                "LastAccessedRegion": "us-east-1",
            }
        ],
    }
    assert "TrackedActionsLastAccessed" not in found["chime"]
    assert "TrackedActionsLastAccessed" not in services(report(iam, f"{ARN}:user/bob"))["iam"]


def test_a_tracked_action_that_was_not_used_is_listed_alone(iam: Any) -> None:
    put_rights(iam, "bob", "own", identity(["iam:GetUser", "sts:GetSessionToken", "sts:TagSession"]))
    found = services(report(iam, f"{ARN}:user/bob", Granularity="ACTION_LEVEL"))
    assert found["iam"]["TrackedActionsLastAccessed"] == [{"ActionName": "GetUser"}]
    assert found["sts"]["TrackedActionsLastAccessed"] == [{"ActionName": "GetSessionToken"}]


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([allow("sqs:SendMessage"), deny("sqs:*")], []),
        ([allow("sqs:SendMessage", "s3:GetObject"), deny("sqs:SendMessage")], ["s3"]),
        ([allow("sqs:*"), deny("sqs:SendMessage")], ["sqs"]),
        ([allow("s3:GetObject"), deny("s3:*", Condition={"StringEquals": {"aws:username": "nobody"}})], ["s3"]),
        ([allow("s3:GetObject"), deny("s3:*", Resource="arn:aws:s3:::some/*")], ["s3"]),
        ([allow("s3:GetObject", Condition={"StringEquals": {"aws:username": "nobody"}})], ["s3"]),
        ([allow("S3:GETOBJECT")], ["s3"]),
        ([allow("s3:NoSuchAction")], []),
        ([allow("nosuchservice:Read")], []),
        ([allow("iam:PassRole")], ["iam"]),
        ([allow("s3:Get*", "kms:ListKeys")], ["kms", "s3"]),
    ],
    ids=[
        "all denied",
        "one denied",
        "part denied",
        "condition of a Deny",
        "resource of a Deny",
        "condition of an Allow",
        "case",
        "unknown action",
        "unknown service",
        "without operation",
        "patterns",
    ],
)
def test_what_counts_as_a_service_that_can_be_used(
    iam: Any, statements: list[dict[str, Any]], expected: list[str]
) -> None:
    iam.put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=policy(*statements))
    assert list(services(report(iam, f"{ARN}:user/bob"))) == expected


def test_patterns_over_all_services(iam: Any) -> None:
    iam.put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=policy(allow("*")))
    job_id = iam.generate_service_last_accessed_details(Arn=f"{ARN}:user/bob")["JobId"]
    first = iam.get_service_last_accessed_details(JobId=job_id)
    # Recorded: 200 services by default.
    assert (first["IsTruncated"], len(first["ServicesLastAccessed"])) == (True, 200)
    pages = [first]
    while pages[-1]["IsTruncated"]:
        pages.append(iam.get_service_last_accessed_details(JobId=job_id, Marker=pages[-1]["Marker"], MaxItems=150))
    assert [name for page in pages for name in services(page)] == sorted(service_prefixes())
    statement = {"Effect": "Allow", "NotAction": ["s3:*", "iam:*"], "Resource": "*"}
    iam.put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=policy(statement))
    job_id = iam.generate_service_last_accessed_details(Arn=f"{ARN}:user/bob")["JobId"]
    listed = services(iam.get_service_last_accessed_details(JobId=job_id, MaxItems=1000))
    assert service_prefixes() - set(listed) == {"s3", "iam"}


def test_a_report_stays_as_it_was_made(world: Any, iam: Any) -> None:
    job_id = iam.generate_service_last_accessed_details(Arn=f"{ARN}:user/team/ana")["JobId"]
    iam.delete_user_policy(UserName="ana", PolicyName="own")
    iam.detach_user_policy(UserName="ana", PolicyArn="arn:aws:iam::aws:policy/AmazonChimeReadOnly")
    assert list(services(iam.get_service_last_accessed_details(JobId=job_id))) == ["chime"]


def test_groups_and_policies_count_the_users_who_have_them(world: Any, iam: Any) -> None:
    iam.add_user_to_group(GroupName="developers", UserName="bob")
    ana = world.client("chime", keys=("ana1_key_for_tests", "ana1-secret"))
    world.clock.advance(5)
    ana.list_accounts()
    world.clock.advance(5)
    bob = world.client("chime", user="bob")
    bob.list_accounts()
    for arn in (f"{ARN}:group/developers", "arn:aws:iam::aws:policy/AmazonChimeReadOnly"):
        job_id = iam.generate_service_last_accessed_details(Arn=arn)["JobId"]
        chime = services(iam.get_service_last_accessed_details(JobId=job_id))["chime"]
        assert chime["TotalAuthenticatedEntities"] == 2
        assert chime["LastAuthenticatedEntity"] == f"{ARN}:user/bob"
        details = iam.get_service_last_accessed_details_with_entities(JobId=job_id, ServiceNamespace="chime")
        # The last one to use the service comes first.
        shown = [(each["EntityInfo"]["Name"], each["LastAuthenticated"]) for each in details["EntityDetailsList"]]
        assert shown == [("bob", NOW + timedelta(seconds=10)), ("ana", NOW + timedelta(seconds=5))]
        info = details["EntityDetailsList"][1]["EntityInfo"]
        ids = iam.get_user(UserName="ana")["User"]
        assert info == {
            "Arn": f"{ARN}:user/team/ana",
            "Name": "ana",
            "Type": "USER",
            "Id": ids["UserId"],
            "Path": "/team/",
        }
        # Recorded: no entities for a service that the policies do not grant.
        other = iam.get_service_last_accessed_details_with_entities(JobId=job_id, ServiceNamespace="iam")
        assert (other["JobStatus"], other["EntityDetailsList"]) == ("COMPLETED", [])


def test_entities_are_paged_and_deleted_ones_are_left_out(iam: Any) -> None:
    for name in ("a", "b", "c"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="spare", UserName=name)
    job_id = iam.generate_service_last_accessed_details(Arn=f"{ARN}:group/spare")["JobId"]
    call = iam.get_service_last_accessed_details_with_entities
    first = call(JobId=job_id, ServiceNamespace="chime", MaxItems=2)
    rest = call(JobId=job_id, ServiceNamespace="chime", MaxItems=2, Marker=first["Marker"])
    names = [each["EntityInfo"]["Name"] for page in (first, rest) for each in page["EntityDetailsList"]]
    assert (names, first["IsTruncated"], rest["IsTruncated"]) == (["a", "b", "c"], True, False)
    iam.remove_user_from_group(GroupName="spare", UserName="b")
    iam.delete_user(UserName="b")
    assert len(call(JobId=job_id, ServiceNamespace="chime")["EntityDetailsList"]) == 2


def test_a_session_is_an_access_of_its_role(world: Any, iam: Any) -> None:
    session = world.assume("manager")
    world.client("chime", credentials=session).list_accounts()
    found = services(report(iam, f"{ARN}:role/manager"))
    assert found["chime"]["LastAuthenticatedEntity"] == f"{ARN}:role/manager"
    assert found["chime"]["TotalAuthenticatedEntities"] == 1


def test_a_new_user_of_an_old_name_has_used_nothing(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity("iam:GetUser"))
    world.client("iam", user="bob").get_user()
    assert services(report(iam, f"{ARN}:user/bob"))["iam"]["TotalAuthenticatedEntities"] == 1
    iam.update_user(UserName="bob", NewUserName="robert")
    assert services(report(iam, f"{ARN}:user/robert"))["iam"]["LastAuthenticatedEntity"] == f"{ARN}:user/robert"
    iam.create_user(UserName="bob")
    put_rights(iam, "bob", "own", identity("iam:GetUser"))
    assert services(report(iam, f"{ARN}:user/bob"))["iam"]["TotalAuthenticatedEntities"] == 0


def test_only_the_last_400_days_count(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity("iam:GetUser"))
    world.client("iam", user="bob").get_user()
    world.clock.advance(400 * 86_400)
    assert services(report(iam, f"{ARN}:user/bob"))["iam"]["TotalAuthenticatedEntities"] == 1
    world.clock.advance(1)
    assert services(report(iam, f"{ARN}:user/bob"))["iam"]["TotalAuthenticatedEntities"] == 0


def test_uses_of_keys_stand_in_for_a_log_that_forgot(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity("iam:GetUser"))
    world.client("iam", user="bob").get_user()
    iam.get_access_key_last_used(AccessKeyId="bob1_key_for_tests")
    world.application.sandbox.last_uses.flush()
    world.log.clear()
    found = services(report(iam, f"{ARN}:user/bob", Granularity="ACTION_LEVEL"))["iam"]
    assert (found["LastAuthenticated"], found["LastAuthenticatedRegion"]) == (NOW, "us-east-1")
    # Which action it was is not known.
    assert found["TrackedActionsLastAccessed"] == [{"ActionName": "GetUser"}]


def test_a_log_that_cannot_be_read_fails_the_job(world: Any, iam: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: Any) -> Any:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(world.log.store, "accesses", broken)
    job_id = iam.generate_service_last_accessed_details(Arn=f"{ARN}:user/bob")["JobId"]
    answer = iam.get_service_last_accessed_details(JobId=job_id)
    assert (answer["JobStatus"], answer["ServicesLastAccessed"]) == ("FAILED", [])
    assert set(answer["Error"]) == {"Code", "Message"}
    details = iam.get_service_last_accessed_details_with_entities(JobId=job_id, ServiceNamespace="iam")
    assert (details["JobStatus"], details["EntityDetailsList"]) == ("FAILED", [])


def test_a_job_is_its_callers_own(world: Any, iam: Any) -> None:
    rights = ["iam:GenerateServiceLastAccessedDetails", "iam:GetServiceLastAccessedDetails*"]
    put_rights(iam, "bob", "own", identity(rights))
    bob = world.client("iam", user="bob")
    job_id = bob.generate_service_last_accessed_details(Arn=f"{ARN}:user/bob")["JobId"]
    assert len(job_id) == 36
    # Another key of the same user may read it, other callers may not.
    second = iam.create_access_key(UserName="bob")["AccessKey"]
    keys = (second["AccessKeyId"], second["SecretAccessKey"])
    world.client("iam", keys=keys).get_service_last_accessed_details(JobId=job_id)
    session = world.client("iam", credentials=world.assume("manager"))
    for other in (iam, session, world.client("iam", user="kim")):
        assert refusal(other.get_service_last_accessed_details, JobId=job_id)[0] == "NoSuchEntity"
    its = session.generate_service_last_accessed_details(Arn=f"{ARN}:user/bob")["JobId"]
    session.get_service_last_accessed_details(JobId=its)
    another_session = world.client("iam", credentials=world.assume("manager"))
    assert refusal(another_session.get_service_last_accessed_details, JobId=its)[0] == "NoSuchEntity"
    call = iam.get_service_last_accessed_details_with_entities
    assert refusal(call, JobId=UNKNOWN_JOB, ServiceNamespace="iam")[0] == "NoSuchEntity"
    # Recorded, with AWS's slip of the pen.
    message = "Service namepace nosuch is either invalid or unsupported."
    fails(call, "InvalidInput", message, 400, JobId=UNKNOWN_JOB, ServiceNamespace="nosuch")


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        (f"{ARN}:user/nobody", "NoSuchEntity"),
        (f"{ARN}:group/nobody", "NoSuchEntity"),
        (f"{ARN}:role/nobody", "NoSuchEntity"),
        (f"{ARN}:policy/nothing", "NoSuchEntity"),
        ("arn:aws:iam::aws:policy/NoSuchPolicy", "NoSuchEntity"),
        (f"{ARN}:mfa/some-device", "InvalidInput"),
        (f"{ARN}:root-and-more", "InvalidInput"),
        ("arn:aws:s3:::some-bucket/user/x", "InvalidInput"),
        ("not-an-arn-but-long-enough", "InvalidInput"),
        (f"arn:aws:iam::{OTHER_ACCOUNT}:user/kim", "AccessDenied"),
    ],
)
def test_what_a_report_cannot_be_about(iam: Any, arn: str, code: str) -> None:
    assert refusal(iam.generate_service_last_accessed_details, Arn=arn)[0] == code


def test_rights_for_reports_are_about_the_entity(world: Any, iam: Any) -> None:
    put_rights(iam, "bob", "own", identity("iam:GenerateServiceLastAccessedDetails", f"{ARN}:user/bob"))
    bob = world.client("iam", user="bob")
    bob.generate_service_last_accessed_details(Arn=f"{ARN}:user/bob")
    assert refusal(bob.generate_service_last_accessed_details, Arn=f"{ARN}:user/team/ana")[0] == "AccessDenied"
    assert refusal(bob.get_service_last_accessed_details, JobId=UNKNOWN_JOB)[0] == "AccessDenied"


# Policies that grant a service.


def granting(iam: Any, arn: str, *namespaces: str) -> list[tuple[str, list[str]]]:
    answer = iam.list_policies_granting_service_access(Arn=arn, ServiceNamespaces=list(namespaces))
    assert answer["IsTruncated"] is False
    found = answer["PoliciesGrantingServiceAccess"]
    return [(each["ServiceNamespace"], [policy["PolicyName"] for policy in each["Policies"]]) for each in found]


def test_the_policies_of_a_user_and_its_groups(iam: Any) -> None:
    answer = iam.list_policies_granting_service_access(Arn=f"{ARN}:user/team/ana", ServiceNamespaces=["chime", "s3"])
    managed = {
        "PolicyName": "AmazonChimeReadOnly",
        "PolicyType": "MANAGED",
        "PolicyArn": "arn:aws:iam::aws:policy/AmazonChimeReadOnly",
    }
    inline = {"PolicyName": "own", "PolicyType": "INLINE"}
    # Recorded: a policy that the user has twice counts once, and a service without policies has an empty list.
    assert answer["PoliciesGrantingServiceAccess"] == [
        {
            "ServiceNamespace": "chime",
            "Policies": [
                managed,
                {**inline, "EntityType": "USER", "EntityName": "ana"},
                {**inline, "EntityType": "GROUP", "EntityName": "developers"},
            ],
        },
        {"ServiceNamespace": "s3", "Policies": []},
    ]


def test_each_policy_is_judged_alone(iam: Any) -> None:
    """Recorded: a Deny of another policy changes nothing, a whole Deny in the policy itself does."""
    put = iam.put_user_policy
    put(UserName="bob", PolicyName="allows", PolicyDocument=policy(allow("s3:GetObject")))
    put(UserName="bob", PolicyName="denies", PolicyDocument=policy(deny("s3:*")))
    put(UserName="bob", PolicyName="both", PolicyDocument=policy(allow("s3:GetObject"), deny("s3:*")))
    put(UserName="bob", PolicyName="part", PolicyDocument=policy(allow("s3:*"), deny("s3:GetObject")))
    assert granting(iam, f"{ARN}:user/bob", "iam", "s3", "iam") == [("iam", []), ("s3", ["allows", "part"])]


@pytest.mark.parametrize(
    ("arn", "namespaces", "code", "message"),
    [
        (f"{ARN}:user/bob", ["nosuch", "s3", "S3"], "InvalidInput", "Invalid service namespace: [nosuch, S3]"),
        (
            f"{ARN}:policy/limits",
            ["s3"],
            "InvalidInput",
            f"Invalid Entity Arn: {ARN}:policy/limits is not supported.",
        ),
        (f"{ARN}:user/nobody", ["s3"], "NoSuchEntity", "The user with name nobody cannot be found."),
    ],
)
def test_what_no_policies_can_be_listed_for(iam: Any, arn: str, namespaces: list[str], code: str, message: str) -> None:
    status = 404 if code == "NoSuchEntity" else 400
    call = iam.list_policies_granting_service_access
    fails(call, code, message, status, Arn=arn, ServiceNamespaces=namespaces)


def test_a_hundred_services_are_a_page(iam: Any) -> None:
    names = sorted(service_prefixes())[:150]
    call = iam.list_policies_granting_service_access
    first = call(Arn=f"{ARN}:user/bob", ServiceNamespaces=names)
    rest = call(Arn=f"{ARN}:user/bob", ServiceNamespaces=names, Marker=first["Marker"])
    pages = [page["PoliciesGrantingServiceAccess"] for page in (first, rest)]
    assert [each["ServiceNamespace"] for page in pages for each in page] == names
    other = refusal(call, Arn=f"{ARN}:user/bob", ServiceNamespaces=names[1:], Marker=first["Marker"])
    assert other[:2] == ("ValidationError", "Invalid Marker.")


def test_the_log_is_read_before_the_transaction_begins(world: Any, iam: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    read, write = world.log.store.accesses, world.database.write

    def reading(*arguments: Any) -> Any:
        steps.append("log")
        return read(*arguments)

    def writing(work: Any) -> Any:
        steps.append("transaction")
        return write(work)

    monkeypatch.setattr(world.log.store, "accesses", reading)
    monkeypatch.setattr(world.database, "write", writing)
    iam.generate_service_last_accessed_details(Arn=f"{ARN}:user/bob")
    assert steps == ["log", "transaction"]


@pytest.mark.parametrize(
    "operation",
    [
        "GenerateOrganizationsAccessReport",
        "GenerateServiceLastAccessedDetails",
        "GetOrganizationsAccessReport",
        "GetServiceLastAccessedDetails",
        "GetServiceLastAccessedDetailsWithEntities",
        "ListPoliciesGrantingServiceAccess",
        "UploadServerCertificate",
    ],
)
def test_long_work_has_a_thread_of_its_own(operation: str) -> None:
    assert takes_long("iam", operation, ())
