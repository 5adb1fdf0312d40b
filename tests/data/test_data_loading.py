"""Importing the room reads only a small table, and imports nothing else of the product."""

import subprocess
import sys

PROGRAM = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None)
import rolecall.data
read = [name for name in opened if "rolecall" in name and name.endswith((".json", ".tsv"))]
assert [name.replace("\\\\", "/").rpartition("/")[2] for name in read] == ["quotas.json"], read
product = {name for name in sys.modules if name.startswith("rolecall")}
expected = ("rolecall", "rolecall.version", "rolecall.data")
assert all(name in expected or name.startswith("rolecall.data.") for name in product), product
assert "botocore" not in sys.modules
"""


def test_importing_reads_the_quotas_only() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
