"""The table of AWS managed policies: rows, documents, and what the loader does with names it does not know."""

import json
import re
from pathlib import Path

import pytest

import rolecall.data
from rolecall.arns import parse_arn
from rolecall.data import managed_policies, managed_policy_document

FOLDER = Path(rolecall.data.__file__).parent / "managed_policies"
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
ROOT_TASKS = [
    "root-task/IAMAuditRootUserCredentials",
    "root-task/IAMCreateRootUserPassword",
    "root-task/IAMDeleteRootUserCredentials",
    "root-task/S3UnlockBucketPolicy",
    "root-task/SQSUnlockQueuePolicy",
]


@pytest.mark.parametrize("name", [*CHIME, *GENERAL, *ROOT_TASKS])
def test_the_policies_rolecall_promises_are_there(name: str) -> None:
    arn = f"arn:aws:iam::aws:policy/{name}"
    assert managed_policies()[arn].name == name.rpartition("/")[2]
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


def test_every_row_has_a_document_and_every_document_a_row() -> None:
    on_disk = {file.name for file in (FOLDER / "documents").iterdir()}
    assert on_disk == {f"{policy.name}.json" for policy in managed_policies().values()}


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


def test_documents_are_stored_so_that_a_diff_is_readable() -> None:
    for file in (FOLDER / "documents").iterdir():
        text = file.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n", file.name


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
    with pytest.raises(KeyError):
        managed_policy_document(arn)


def test_the_table_cannot_be_changed() -> None:
    policy = managed_policies()["arn:aws:iam::aws:policy/AdministratorAccess"]
    with pytest.raises(AttributeError):
        policy.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        managed_policies()["arn"] = policy  # type: ignore[index]


def test_the_tables_stay_small() -> None:
    sizes = [file.stat().st_size for file in FOLDER.parent.rglob("*") if file.suffix in (".json", ".tsv", ".md")]
    assert sum(sizes) < 1_500_000
