from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

#: What DuckDB takes for a notebook's kernel.
IN_A_KERNEL = """
import sys, types
shell = types.ModuleType("IPython")
shell.get_ipython = lambda: types.SimpleNamespace(config={"IPKernelApp": {}})
sys.modules["IPython"] = shell
import duckdb
try:
    duckdb.connect().execute("SET enable_progress_bar = true")
except duckdb.InvalidInputException:
    print("a kernel")
from kehu_analysis import open_dataset
print(open_dataset(sys.argv[1], cache=sys.argv[2]).log_facts()["n_lines"])
"""


def test_a_dataset_is_read_in_a_notebook_without_widgets(tmp_path: Path) -> None:
    (tmp_path / "transactions.csv").write_text("customer_id,date,amount\n1,2026-01-05,1\n2,2026-01-06,2\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", IN_A_KERNEL, str(tmp_path), str(tmp_path / "cache")],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout.split("\n") == ["a kernel", "2", ""], done.stderr
