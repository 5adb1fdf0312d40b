"""The tables of the console: on a narrow screen each cell says what it is."""

from __future__ import annotations

import re
from typing import Any

import pytest
from console_visits import CONSOLE
from console_worlds import ANA, TWO_ACCOUNTS
from logged_worlds import keep_log
from markupsafe import Markup, escape

from rolecall.web.console.tables import titled


def test_each_cell_gets_the_title_of_its_column() -> None:
    rows = Markup(
        '<tr class="a"><th scope="row">1</th><td>2</td></tr>\n<tr><td class="b">3</td>\n<td>4</td><td>5</td></tr>'
    )
    assert titled(rows, ("One", 'T"wo')) == (
        '<tr class="a"><th data-title="One" scope="row">1</th><td data-title="T&#34;wo">2</td></tr>\n'
        '<tr><td data-title="One" class="b">3</td>\n<td data-title="T&#34;wo">4</td><td>5</td></tr>'
    )


def test_what_users_wrote_is_no_cell() -> None:
    rows = Markup("<tr><td>{}</td><td>2</td></tr>").format("<td>evil</td>")
    assert titled(rows, ("One", "Two")) == (
        f'<tr><td data-title="One">{escape("<td>evil</td>")}</td><td data-title="Two">2</td></tr>'
    )


@pytest.mark.parametrize(
    "path", ["", "/decisions", "/identities", f"/identities/one?arn={ANA}", "/trust", "/simulator"]
)
def test_a_table_with_many_columns_has_titles_in_every_row(make_world: Any, path: str) -> None:
    world = make_world(TWO_ACCOUNTS)
    keep_log(world)
    world.client("iam").get_user(UserName="ana")
    query = {"principal": "user/ana", "action": "iam:Get*"} if path == "/simulator" else {}
    page = world.application.test_client().get(CONSOLE + path, query_string=query or None).text
    tables = re.findall(r"<table.*?</table>", page, re.DOTALL)
    assert tables
    for table in tables:
        columns = len(re.findall(r'<th scope="col">', table))
        is_stacked = 'class="stacked' in table
        assert is_stacked is (columns > 3)
        for row in re.findall(r"<tr.*?</tr>", table.partition("<tbody")[2], re.DOTALL):
            cells, without = re.findall(r"<t[dh][ >]", row), re.findall(r"<t[dh](?![^>]*data-title)[ >]", row)
            # A call begins with its time and outcome, which say what they are.
            assert len(without) <= (2 if "calls" in table[:40] else 0 if is_stacked else len(cells)) or "colspan" in row
