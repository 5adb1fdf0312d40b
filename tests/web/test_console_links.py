"""Every link and every form of the console leads somewhere, in a sandbox with an example of everything."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
from botocore.exceptions import ClientError
from console_visits import CONSOLE
from logged_worlds import keep_log
from world_handle import WorldHandle, known_world

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "worlds"))

import full_world

FIRST, SECOND = full_world.FIRST, full_world.SECOND
# What only looks alike on many pages is visited a few times: pages of one decision, of one policy, and so on.
VISITS_OF_A_KIND = 20
MAXIMUM_PAGES = 1500


class Links(HTMLParser):
    """The addresses that a page leads to: links, files, and forms with the fields that they hold already."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[tuple[str, str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag in ("a", "link"):
            self.links.append(named["href"])
        if tag == "script":
            self.links.append(named["src"])
        # The script of the trust graph makes links of these.
        if named.get("data-page"):
            self.links.append(named["data-page"])
        if tag == "form":
            self.forms.append((named["method"], named.get("action", ""), {}))
        if tag == "input" and self.forms and named.get("name"):
            self.forms[-1][2][named["name"]] = named.get("value", "")


def fill(handle: Any) -> None:
    """Everything, and calls that policies of every kind refuse."""
    full_world.fill(handle)
    iam = handle.client("iam")
    key = iam.create_access_key(UserName="yes")["AccessKey"]
    member = (key["AccessKeyId"], key["SecretAccessKey"])
    own = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iam:ListUsers", "Resource": "*"}]}
    iam.put_user_policy(UserName="yes", PolicyName="own", PolicyDocument=json.dumps(own))
    # Refused by the boundary; allowed by nothing; with a policy of the user, of a group and an attached one beside it.
    for keys in (member, None):
        caller = handle.client("iam", keys=keys) if keys else handle.client("iam", "partner")
        for name in ("create_user", "list_users"):
            with suppress(ClientError):
                getattr(caller, name)(**({"UserName": "x"} if name == "create_user" else {}))
    organizations = handle.client("organizations")
    policies = organizations.list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]
    [no_deleting] = [each["Id"] for each in policies if each["Name"] == "no-deleting"]
    listing = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "iam:ListUsers", "Resource": "*"}]}
    organizations.update_policy(PolicyId=no_deleting, Content=json.dumps(listing))
    with suppress(ClientError):
        handle.client("iam", "partner").list_users()
    role = {"RoleArn": f"arn:aws:iam::{FIRST}:role/federated", "RoleSessionName": "session", "SourceIdentity": "me"}
    for caller in ("admin", "partner"):
        with suppress(ClientError):
            handle.client("sts", caller).assume_role(**role)
    gone = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    iam.create_user(UserName="departed")
    iam.put_user_policy(UserName="departed", PolicyName="none", PolicyDocument=json.dumps(gone))
    its = iam.create_access_key(UserName="departed")["AccessKey"]
    with suppress(ClientError):
        handle.client("iam", keys=(its["AccessKeyId"], its["SecretAccessKey"])).list_roles()
    iam.delete_user_policy(UserName="departed", PolicyName="none")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    handle = WorldHandle(known_world(full_world.declared_text()))
    keep_log(handle)
    fill(handle)
    yield handle.application.test_client()
    handle.close()


def kind_of(address: str) -> tuple[str, ...]:
    """What the page of an address is: its path without ids, and the names of its parameters."""
    url = urlsplit(address)
    path = "/decisions/ID" if "/decisions/" in url.path else url.path
    return path, *sorted(name for name, _ in parse_qsl(url.query))


def crawled(browser: Any) -> tuple[dict[str, list[str]], set[str]]:
    """For each status but 200 the addresses with it, each with the page that leads there; and the visited addresses."""
    start = CONSOLE
    waiting, found, kinds = [(start, "")], {start}, dict[tuple[str, ...], int]()
    wrong: dict[str, list[str]] = {}
    forms: set[tuple[str, str]] = set()
    while waiting and len(found) < MAXIMUM_PAGES:
        address, source = waiting.pop()
        page = browser.get(address, headers={"Accept": "text/html"})
        if page.status_code != 200:
            wrong.setdefault(str(page.status_code), []).append(f"{address} from {source}")
        if page.mimetype != "text/html" or not address.startswith(CONSOLE):
            continue
        seen = Links(page.text)
        for method, action, fields in seen.forms:
            target = urljoin(address, action)
            if method == "post" and (method, target) not in forms:
                forms.add((method, target))
                # Without its token a form does nothing: 400 says that the address takes it.
                if browser.post(target).status_code != 400:
                    wrong.setdefault("form", []).append(f"{target} from {address}")
            elif method == "get":
                given = {name: value for name, value in fields.items() if value}
                answer = browser.get(target, query_string=given)
                if (method, target) not in forms and answer.status_code != 200:
                    wrong.setdefault("form", []).append(f"{target} {given} from {address}")
                forms.add((method, target))
        for link in seen.links:
            target = urljoin(address, link).partition("#")[0]
            kind = kind_of(target)
            if target not in found and kinds.get(kind, 0) < VISITS_OF_A_KIND:
                found.add(target)
                kinds[kind] = kinds.get(kind, 0) + 1
                waiting.append((target, address))
    return wrong, found


def test_every_link_and_every_form_leads_somewhere(browser: Any) -> None:
    wrong, found = crawled(browser)
    assert wrong == {}
    paths = {urlsplit(each).path.removeprefix(CONSOLE) for each in found}
    assert {"/policies/one", "/identities/one", "/trust/edge", "/chime/resource", "/least-privilege"} <= paths
    assert len(found) > 150
    queries = "\n".join(found)
    for part in ("group%2F", "%2Fservice_control_policy%2F", "trust=yes", "saml-provider", "oidc-provider"):
        assert part in queries.replace("/", "%2F"), part
