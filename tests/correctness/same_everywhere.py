"""Make every finding of the examples and print what their files hash to: run in processes with other kernels."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import threadpoolctl

from kehu_analysis.workbook import record
from tests.company import small_company
from tests.rooms import ROOT


def made() -> dict[str, Any]:
    """Return the kernels at work here, and the hash of each file of the examples' findings."""
    with tempfile.TemporaryDirectory() as folder:
        company, kept = small_company(Path(folder)), Path(folder) / "kept"
        for path in sorted((ROOT / "tests").glob("*/examples.py")):
            for finding in import_module(f"tests.{path.parent.name}.examples").findings(company):
                record.save_finding(finding, kept)
        files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(kept.iterdir())}
    libraries = [one for one in threadpoolctl.threadpool_info() if "blas" in one["internal_api"]]
    kernels = sorted({str(one.get("architecture")) for one in libraries})
    return {"kernels": kernels, "files": files}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(made()))
