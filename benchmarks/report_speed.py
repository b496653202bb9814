"""Measure how long the whole report of a large, skewed log takes, and its chapter of lifetime value.

    python -m benchmarks.report_speed [--lines 10000000]

The log is read once before, so that the report finds its snapshot; what that took is told beside it. Writes the table
in ``README.md`` and exits with 1 when a limit does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from typing import Any

from benchmarks.data_speed import DATA, Limit, make_log
from benchmarks.measure import ROOT
from benchmarks.report import machine, table, write_between_markers

#: Limits in seconds at so many lines.
LINES, CHAPTER_SECONDS, REPORT_SECONDS = 10_000_000, 70.0, 150.0
CHAPTER = "lifetime_value"


def measure_report(n_lines: int) -> dict[str, Any]:
    """Make the report of a log of so many lines; return its manifest, with the seconds that reading the log took."""
    from kehu_analysis import open_dataset
    from kehu_analysis.data.folders import CACHE_VARIABLE
    from kehu_analysis.report.run import make_report
    from kehu_analysis.summaries.run import customer_ids

    company, cache, out = (DATA / f"report-{n_lines}" / part for part in ("company", "cache", "report"))
    for folder in (company, cache, out):
        shutil.rmtree(folder, ignore_errors=True)
    company.mkdir(parents=True)
    shutil.copyfile(make_log(n_lines, "parquet"), company / "transactions.parquet")
    os.environ[CACHE_VARIABLE] = str(cache)
    started = time.perf_counter()
    dataset = open_dataset(company)
    read = time.perf_counter() - started
    make_report(company, out=out)
    manifest: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    sizes = {"workbook_bytes": (out / "report.xlsx").stat().st_size}
    return manifest | {"read": read, "n_customers": len(customer_ids(dataset)), **sizes}


def limits(n_lines: int, seconds: float, chapter: float) -> list[Limit]:
    """Return what must hold at ten million lines."""
    is_large = n_lines >= LINES
    return [
        Limit(
            f"{n_lines:,} lines: the report in {REPORT_SECONDS:.0f} s", seconds if is_large else None, REPORT_SECONDS
        ),
        Limit(
            f"{n_lines:,} lines: {CHAPTER} in {CHAPTER_SECONDS:.0f} s", chapter if is_large else None, CHAPTER_SECONDS
        ),
    ]


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--keep-readme", action="store_true", help="write nothing into README.md")
    given = parser.parse_args()
    made = measure_report(given.lines)
    chapters = made["notebooks"]
    rows = [[f"{given.lines:,}", "raw log → check, snapshot", f"{made['read']:.1f} s"]]
    rows += [
        [f"{given.lines:,}", f"chapter {name}", f"{chapters[name]['work_seconds']:.1f} s"] for name in sorted(chapters)
    ]
    rows.append([f"{given.lines:,}", "the whole report", f"{made['seconds']['total']:.1f} s"])
    judged = limits(given.lines, made["seconds"]["total"], chapters[CHAPTER]["work_seconds"])
    text = "\n".join(
        [
            f"{machine()}. {made['n_customers']:,} customers; report.xlsx has {made['workbook_bytes'] / 1e6:.1f} MB.",
            "",
            table(["lines", "work", "seconds"], rows),
            *(f"- {limit}" for limit in judged),
        ]
    )
    sys.stdout.write(f"{text}\n")
    if not given.keep_readme:
        write_between_markers(ROOT / "benchmarks" / "README.md", "report", text)
    sys.exit(any(limit.is_held is False for limit in judged))


if __name__ == "__main__":
    main()
