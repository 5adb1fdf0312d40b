"""The table of AWS managed policies: rows, documents, and names that it does not have."""

import json
import re
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

import rolecall.data
from rolecall.arns import parse_arn
from rolecall.data import managed_policies, managed_policy, managed_policy_document
from rolecall.policy import MalformedPolicy, PolicyKind, kept_policy, parse_policy

FOLDER = Path(rolecall.data.__file__).parent / "managed_policies"
FILE = FOLDER / "managed_policies.sqlite"
CHIME = [
    "AmazonChimeFullAccess",
    "AmazonChimeReadOnly",
    "AmazonChimeSDK",
    "AmazonChimeUserManagement",
    "aws-service-role/AmazonChimeSDKMediaPipelinesServiceLinkedRolePolicy",
    "aws-service-role/AmazonChimeSDKMessagingServiceRolePolicy",
    "aws-service-role/AmazonChimeServiceRolePolicy",
    "aws-service-role/AmazonChimeTranscriptionServiceLinkedRolePolicy",
    "aws-service-role/AmazonChimeVoiceConnectorServiceLinkedRolePolicy",
]
GENERAL = [
    "AdministratorAccess",
    "ReadOnlyAccess",
    "PowerUserAccess",
    "IAMFullAccess",
    "IAMReadOnlyAccess",
    "SecurityAudit",
    "job-function/ViewOnlyAccess",
    "service-role/AWSLambdaBasicExecutionRole",
]
# Policies that tools in use asked for and did not find when the table had only some.
ASKED_FOR = [
    "AmazonEKSClusterPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonEC2ContainerRegistryReadOnly",
    "CloudWatchAgentServerPolicy",
    "AWSXRayDaemonWriteAccess",
    "AmazonRDSFullAccess",
    "service-role/AmazonElasticMapReduceRole",
    "service-role/AWSControlTowerServiceRolePolicy",
    "aws-service-role/AWSSupportServiceRolePolicy",
]
ROOT_TASKS = [
    "root-task/IAMAuditRootUserCredentials",
    "root-task/IAMCreateRootUserPassword",
    "root-task/IAMDeleteRootUserCredentials",
    "root-task/S3UnlockBucketPolicy",
    "root-task/SQSUnlockQueuePolicy",
]


@pytest.mark.parametrize("name", [*CHIME, *GENERAL, *ASKED_FOR, *ROOT_TASKS])
def test_the_policies_rolecall_promises_are_there(name: str) -> None:
    arn = f"arn:aws:iam::aws:policy/{name}"
    policy = managed_policy(arn)
    assert policy == managed_policies()[arn]
    assert policy is not None
    assert policy.name == name.rpartition("/")[2]
    assert json.loads(managed_policy_document(arn))["Statement"]


def test_every_row_is_well_formed() -> None:
    for arn, policy in managed_policies().items():
        parsed = parse_arn(arn)
        assert parsed is not None, arn
        assert (parsed.service, parsed.region, parsed.account_id) == ("iam", "", "aws"), arn
        assert arn == policy.arn == f"arn:aws:iam::aws:policy{policy.path}{policy.name}"
        assert re.fullmatch(r"/|/[a-z-]+/", policy.path), arn
        assert re.fullmatch(r"[\w+=,.@-]{1,128}", policy.name), arn
        assert re.fullmatch(r"v[1-9][0-9]*", policy.default_version_id), arn
        assert 1_200_000_000 < policy.create_date_seconds <= policy.update_date_seconds < 4_000_000_000, arn
        assert policy.is_attachable == (policy.path not in ("/aws-service-role/", "/root-task/")), arn


def test_all_of_awss_policies_are_there() -> None:
    assert len(managed_policies()) == 1582
    with closing(sqlite3.connect(FILE)) as connection:
        sources = dict(connection.execute("SELECT name, version FROM sources").fetchall())
        documents = connection.execute("SELECT COUNT(*) FROM documents").fetchone()
    assert documents == (1582,)
    assert sources == {
        "moto": "5.2.5",
        "iam-floyd": "0.851.0",
        "newest update of a policy": "2026-09-30T22:47:08+00:00",
    }


def test_facts_as_the_aws_managed_policy_reference_prints_them() -> None:
    policy = managed_policy("arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser")
    assert policy is not None
    assert policy.description == (
        "Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or "
        "policy changes."
    )
    assert (policy.path, policy.default_version_id, policy.is_attachable) == ("/", "v3", True)
    # The page names minutes: created on December 21, 2015, 17:05 UTC; edited on December 10, 2019, 20:48 UTC.
    assert policy.create_date_seconds // 60 * 60 == 1_450_717_500
    assert policy.update_date_seconds // 60 * 60 == 1_576_010_880


def test_nearly_every_policy_has_its_description() -> None:
    without = {policy.name for policy in managed_policies().values() if not policy.description}
    assert without == {"AWSIoTEventsFullAccess", "AWSIoTEventsReadOnlyAccess"}


def test_policy_ids_have_awss_form_and_are_unique() -> None:
    ids = [policy.policy_id for policy in managed_policies().values()]
    assert [i for i in ids if not re.fullmatch(r"ANPA[A-Z2-7]{17}", i)] == []
    assert len(set(ids)) == len(ids)


def test_names_are_unique_across_paths_without_case() -> None:
    names = [policy.name.lower() for policy in managed_policies().values()]
    assert len(set(names)) == len(names)


def test_policies_come_in_the_order_of_their_arns() -> None:
    arns = list(managed_policies())
    assert arns == sorted(arns)


def test_every_document_is_a_policy() -> None:
    for arn in managed_policies():
        document = json.loads(managed_policy_document(arn))
        assert document["Version"] == "2012-10-17", arn
        assert document["Statement"], arn
        assert set(document) <= {"Version", "Id", "Statement"}, arn
        statements = document["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            assert statement["Effect"] in ("Allow", "Deny"), arn
            assert ("Action" in statement) != ("NotAction" in statement), arn
            assert ("Resource" in statement) != ("NotResource" in statement), arn
            assert not {"Principal", "NotPrincipal"} & set(statement), arn


def test_every_document_is_taken_by_the_parser() -> None:
    refused = set()
    for arn in managed_policies():
        text = managed_policy_document(arn)
        try:
            parse_policy(text, PolicyKind.IDENTITY)
        except MalformedPolicy:
            refused.add(arn.rpartition("/")[2])
            continue
        assert kept_policy(text, PolicyKind.IDENTITY).text == text, arn
    assert refused == set()


def test_importing_and_starting_reads_no_policy() -> None:
    program = (
        "import sys; opened = [];"
        "sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if 'open' in event"
        " or event == 'sqlite3.connect' else None);"
        "import rolecall.app, rolecall.cli;"
        "read = [name for name in opened if 'managed_policies.sqlite' in name]; assert not read, read"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


def test_one_policy_is_read_without_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_of_them() -> None:
        raise AssertionError("all policies were read for one")

    monkeypatch.setattr("rolecall.data.managed_policy_table.managed_policies", all_of_them)
    policy = managed_policy("arn:aws:iam::aws:policy/AWSXRayDaemonWriteAccess")
    assert policy is not None
    assert json.loads(managed_policy_document(policy.arn))["Statement"]


def test_threads_read_side_by_side() -> None:
    arns = list(managed_policies())[::40]
    seen: dict[int, list[str]] = {}

    def read(number: int) -> None:
        seen[number] = [managed_policy_document(arn) for arn in arns]

    threads = [threading.Thread(target=read, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = [managed_policy_document(arn) for arn in arns]
    assert seen == dict.fromkeys(range(4), expected)


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::aws:policy/NoSuchPolicy",
        "arn:aws:iam::111122223333:policy/AdministratorAccess",
        "arn:aws:iam::aws:policy/service-role/AdministratorAccess",
        "arn:aws:iam::aws:policy/administratoraccess",
        "arn:aws:iam::aws:policy/../index",
        "AdministratorAccess",
        "",
    ],
)
def test_an_unknown_arn_is_a_key_error(arn: str) -> None:
    assert managed_policy(arn) is None
    with pytest.raises(KeyError):
        managed_policy_document(arn)


def test_the_table_cannot_be_changed() -> None:
    policy = managed_policies()["arn:aws:iam::aws:policy/AdministratorAccess"]
    with pytest.raises(AttributeError):
        policy.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        managed_policies()["arn"] = policy  # type: ignore[index]


def test_the_tables_stay_small() -> None:
    kinds = (".json", ".tsv", ".md", ".sqlite")
    sizes = [file.stat().st_size for file in FOLDER.parent.rglob("*") if file.suffix in kinds]
    assert sum(sizes) < 2_000_000
