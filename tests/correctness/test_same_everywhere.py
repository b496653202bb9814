"""Figures are the same on every processor: findings made with other kernels of BLAS and numpy, byte by byte."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from numpy._core import _multiarray_umath as numpy_kernels

from tests.correctness import same_everywhere
from tests.rooms import ROOT

#: Kernels of OpenBLAS by the processor feature of numpy that says whether they can run here.
KERNELS = {"Prescott": "X86_V2", "Haswell": "X86_V3", "SkylakeX": "X86_V4"}
RUNNABLE = [name for name, feature in KERNELS.items() if numpy_kernels.__cpu_features__.get(feature)]
VARIABLES = ("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")


def environment(kernel: str | None) -> dict[str, str]:
    """Return the environment of a process with this kernel of OpenBLAS, and numpy's loops to match the plainest one."""
    plain = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    if kernel is None:
        return plain
    above = [name for name in numpy_kernels.__cpu_dispatch__ if numpy_kernels.__cpu_features__.get(name)]
    return {
        **plain,
        "OPENBLAS_CORETYPE": kernel,
        **({"NPY_DISABLE_CPU_FEATURES": " ".join(above)} if kernel == "Prescott" else {}),
    }


def made_with(kernel: str | None) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.correctness.same_everywhere"],
        cwd=ROOT, env=environment(kernel), capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.skipif(len(RUNNABLE) < 2, reason="this processor runs one kernel only")
def test_findings_are_the_same_with_other_kernels() -> None:
    here = same_everywhere.made()
    there = made_with(RUNNABLE[-1] if os.environ.get("OPENBLAS_CORETYPE") == RUNNABLE[0] else RUNNABLE[0])
    assert here["kernels"] != there["kernels"]  # the kernel did change
    assert len(here["files"]) > 40
    assert {name for name, of in here["files"].items() if there["files"][name] != of} == set()


@pytest.mark.long
@pytest.mark.parametrize(("data", "quarter"), [("data/demo", "2026Q3"), ("data/cdnow", "1998Q2")])
def test_reports_are_the_same_with_other_kernels(data: str, quarter: str, tmp_path: Path) -> None:
    found = {}
    for kernel in RUNNABLE:
        out = tmp_path / kernel
        command = [sys.executable, "-m", "kehu_analysis.cli", "report", data, "--quarter", quarter, "--out", str(out)]
        done = subprocess.run(command, cwd=ROOT, env=environment(kernel), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        files = [out / "metrics.json", out / "actions.parquet", *sorted((out / "tables").iterdir())]
        found[kernel] = {path.name: path.read_bytes() for path in files}
    first, *others = found.values()
    for other in others:
        assert {name for name in first if first[name] != other.get(name)} == set()
