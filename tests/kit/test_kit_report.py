"""``pytest --rolecall-report FILE``: a page of all calls of a run, and the link from a failed test to it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from lxml import html
from plugin_runs import run_in_process

from rolecall.kit import run_calls

pytest_plugins = ["pytester"]

TESTS = """
import boto3
import pytest
from botocore.exceptions import ClientError
from rolecall import Rolecall

def test_reads(rolecall):
    with rolecall.as_role("chime-reader"):
        boto3.client("chime").list_accounts()

def test_is_refused(rolecall):
    with rolecall.as_role("chime-denied"):
        boto3.client("chime").list_accounts()

def test_own_sandbox():
    with Rolecall() as sandbox:
        with pytest.raises(ClientError):
            sandbox.client("iam").get_user(UserName="<script>alert(1)</script>")

def test_calls_nothing():
    pass
"""


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeini("[pytest]\naddopts = --strict-markers --strict-config\nfilterwarnings = error\n")
    pytester.makepyfile(TESTS)
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return run_in_process(project, "-p", "no:cacheprovider", "-p", "no:randomly", *arguments)


def page_of(file: Path) -> html.HtmlElement:
    return html.fromstring(file.read_text(encoding="utf-8"))


def test_without_the_option_nothing_is_recorded(project: pytest.Pytester) -> None:
    result = run(project)
    result.assert_outcomes(passed=3, failed=1)
    assert "report            " not in result.stdout.str()
    assert list(project.path.glob("*.html")) == []
    assert run_calls._open == []


def test_the_page_has_every_call_and_the_smallest_policies(project: pytest.Pytester) -> None:
    result = run(project, "--rolecall-report", "report.html")
    result.assert_outcomes(passed=3, failed=1)
    file = project.path / "report.html"
    result.stdout.fnmatch_lines([f"Rolecall's report of all calls: {file.as_uri()}"])
    page = page_of(file)
    assert re.search(r"Calls: 5, refused: 2", page.text_content())
    titles = [title.text_content().rpartition("::")[2] for title in page.findall(".//h3")]
    assert titles == ["test_reads", "test_is_refused", "test_own_sandbox"]
    policies = {
        each.find("summary").text_content().partition(": ")[0]: json.loads(each.find("pre").text_content())
        for each in page.xpath("//h2[@id='policies']/following-sibling::details")
    }
    reader = policies["arn:aws:iam::111122223333:role/chime-reader"]
    assert [each["Action"] for each in reader["Statement"]] == ["chime:ListAccounts"]
    # A refused call is not part of a policy.
    assert "arn:aws:iam::111122223333:role/chime-denied" not in policies
    assert "sts:AssumeRole" in json.dumps(policies["arn:aws:iam::111122223333:user/admin"])
    assert "ExplicitDeny: chime:ListAccounts on *, decided by the identity-based policies" in page.text_content()


def test_a_failed_test_links_to_its_call_in_the_page(project: pytest.Pytester) -> None:
    result = run(project, "--rolecall-report", "report.html")
    [link] = re.findall(r"report            (\S+)", result.stdout.str())
    address, _, anchor = link.partition("#")
    assert address == (project.path / "report.html").as_uri()
    [call] = page_of(project.path / "report.html").xpath(f"//li[@id='{anchor}']")
    assert "ExplicitDeny (ForbiddenException) chime:ListAccounts" in " ".join(call.text_content().split())


def test_the_page_has_no_script_and_hostile_names_are_text(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_hostile="""
        def test_x(rolecall):
            rolecall.client("iam").create_user(UserName="x")
            try:
                rolecall.client("iam").get_user(UserName="</pre><script>alert(1)</script>")
            except Exception:
                pass
        """
    )
    run(project, "--rolecall-report", "report.html")
    text = (project.path / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "default-src 'none'" in text
    assert page_of(project.path / "report.html").xpath("//@onclick | //@href[not(starts-with(., '#'))]") == []


def test_two_sandboxes_with_the_same_seed_have_places_of_their_own(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.rolecall(seed=1)

        def test_one(rolecall):
            rolecall.client("sts").get_caller_identity()

        def test_two(rolecall):
            rolecall.client("sts").get_caller_identity()
        """
    )
    run(project, "--rolecall-report", "report.html")
    places = page_of(project.path / "report.html").xpath("//li/@id")
    assert len(places) == len(set(places)) == 2


def test_a_shared_sandbox_is_read_before_it_ends(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import boto3

        def test_one(rolecall_session):
            boto3.client("sts").get_caller_identity()

        def test_two(rolecall_session):
            boto3.client("sts").get_caller_identity()
        """
    )
    run(project, "--rolecall-report", "report.html").assert_outcomes(passed=2)
    titles = page_of(project.path / "report.html").findall(".//h3")
    assert [title.text_content().rpartition("::")[2] for title in titles] == ["test_one", "test_two"]


@pytest.mark.slow
def test_a_run_with_workers_writes_one_page(project: pytest.Pytester) -> None:
    result = project.runpytest_subprocess("-p", "no:randomly", "-n2", "--rolecall-report", "report.html")
    result.assert_outcomes(passed=3, failed=1)
    page = page_of(project.path / "report.html")
    assert "Calls: 5, refused: 2" in page.text_content()
    [link] = re.findall(r"report            \S+#(\S+)", result.stdout.str())
    assert len(page.xpath(f"//li[@id='{link}']")) == 1


def test_calls_beyond_the_limit_are_counted(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_calls, "MAXIMUM_CALLS", 2)
    run(project, "--rolecall-report", "report.html")
    text = page_of(project.path / "report.html").text_content()
    assert "Calls: 2, " in text
    assert "Further calls that are left out: 3" in text


def test_a_file_that_cannot_be_written_is_said(project: pytest.Pytester) -> None:
    result = run(project, "--rolecall-report", "absent/report.html")
    assert result.ret != 0
    assert "cannot write --rolecall-report" in result.stdout.str() + result.stderr.str()


# Fixtures of a module and of a run.


def test_a_sandbox_of_a_module_or_a_run_is_shared_and_ends(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_a="""
        import os
        import boto3
        import pytest

        pytestmark = pytest.mark.rolecall(region="eu-west-1")

        def test_first(rolecall_module, rolecall_session):
            assert rolecall_module is not rolecall_session
            rolecall_module.client("iam").create_user(UserName="shared")
            rolecall_session.client("iam").create_user(UserName="kept")
            assert rolecall_module.region == "eu-west-1"

        def test_second(rolecall_module):
            assert rolecall_module.user("shared")

        def test_a_fresh_one_beside(rolecall, rolecall_module):
            with pytest.raises(LookupError):
                rolecall.user("shared")
            assert boto3.client("sts").get_caller_identity()
            assert len(rolecall.decisions) == 1
        """,
        test_b="""
        import pytest

        def test_other_module(rolecall_module, rolecall_session):
            with pytest.raises(LookupError):
                rolecall_module.user("shared")
            assert rolecall_session.user("kept")
            assert rolecall_module.region == "us-east-1"
        """,
    )
    run(project, "test_a.py", "test_b.py").assert_outcomes(passed=4)


def test_servers_of_a_module_and_of_a_run_have_sockets_of_their_own(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import os

        def test_one(rolecall_server, rolecall_server_module, rolecall_server_session):
            urls = {each.endpoint_url for each in (rolecall_server, rolecall_server_module, rolecall_server_session)}
            assert len(urls) == 3
            assert os.environ["AWS_ENDPOINT_URL"] == rolecall_server.endpoint_url

        def test_two(rolecall_server_module):
            assert rolecall_server_module.client("sts").get_caller_identity()
        """
    )
    run(project).assert_outcomes(passed=2)


def test_the_file_of_a_run_is_an_ini_option_and_a_marker_goes_before_it(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nrolecall_config = own.yaml\nfilterwarnings = error\n")
    project.makefile(
        ".yaml",
        own="version: 1\naccounts: [{id: '123456789012', users: [{name: ana, "
        "access_keys: [{id: anas_key, secret: anas-secret}]}]}]\n",
    )
    project.makepyfile(
        """
        import pytest

        def test_one(rolecall, rolecall_session, rolecall_server):
            assert {each.account() for each in (rolecall, rolecall_session, rolecall_server)} == {"123456789012"}

        @pytest.mark.rolecall(world={"version": 1, "accounts": [{"id": "999988887777", "users": [
            {"name": "eve", "access_keys": [{"id": "eveskey", "secret": "eves-secret"}]}]}]})
        def test_two(rolecall):
            assert rolecall.account() == "999988887777"
        """
    )
    run(project).assert_outcomes(passed=2)


def test_a_missing_file_of_a_run_is_an_error(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nrolecall_config = absent.yaml\n")
    project.makepyfile("def test_one(rolecall_session):\n    pass\n")
    result = run(project)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*No such file for the marker rolecall: there is neither *absent.yaml*"])
