"""Measure the memory that `kehu check` takes of large, wide and packed files, each with a limit.

    python -m benchmarks.workbook_memory [--keep-readme]

Files are made from seeds and kept in ``benchmarks/.data``. Each is checked by the command as a user runs it, in a
process of its own, whose peak counts. What cannot be read has to be refused in words, within its limit too. Writes the
table in ``README.md`` and exits with 1 when a limit does not hold, or a file was not read that should be, or the other
way round.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from benchmarks.data_speed import DATA
from benchmarks.measure import ROOT
from benchmarks.report import machine, table, write_between_markers

#: A row of a sheet: texts, and numbers; days are numbers that the second style shows as such.
Cell = str | float | int
_HEADERS = ("订单号", "客户编号", "客户名称", "日期", "金额", "数量", "产品名称", "渠道", "业务员", "备注")
_DATE_COLUMN, _FIRST_DAY, _N_DAYS = 3, 45_000, 900
_LONGEST_TEXT = 32_767
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_FRAME = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType='
    '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" '
    'ContentType="application/xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets><sheet name="Sheet1" sheetId="1" '
    'r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" '
    f'Type="{_OFFICE}/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="rId3" Type="{_OFFICE}/styles" '
    'Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs>'
    "</styleSheet>",
}
#: A check that takes longer hangs.
_SECONDS = 600


@dataclass(frozen=True)
class Case:
    """A file to check: what it is, how it is made, whether it is to be read, and within how many bytes of memory."""

    name: str
    file: str
    make: Callable[[Path], None]
    is_read: bool
    most_bytes: float


@dataclass(frozen=True)
class Checked:
    """What a check of a file took, and whether the file was read."""

    file_bytes: int
    peak_bytes: int
    seconds: float
    is_read: bool
    in_words: bool


def write_workbook(path: Path, rows: Iterable[Iterable[Cell]]) -> None:
    """Write a sheet as Excel does, with the texts that cells share in a part of their own; in little memory.

    Parameters
    ----------
    path
        The workbook.
    rows
        Its rows, the header first.
    """
    texts: dict[str, int] = {}
    letters = [column_name(place) for place in range(1, 16_385)]
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=6) as archive:
        for name, text in _FRAME.items():
            archive.writestr(name, text)
        with archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as part:
            part.write(f'<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
            for number, row in enumerate(rows, start=1):
                cells = "".join(_cell(letters[place], number, place, one, texts) for place, one in enumerate(row))
                part.write(f'<row r="{number}">{cells}</row>'.encode())
            part.write(b"</sheetData></worksheet>")
        with archive.open("xl/sharedStrings.xml", "w", force_zip64=True) as part:
            part.write(f'<sst xmlns="{_MAIN}">'.encode())
            for text in texts:
                part.write(f"<si><t>{text}</t></si>".encode())
            part.write(b"</sst>")


def _cell(letters: str, number: int, place: int, value: Cell, texts: dict[str, int]) -> str:
    if isinstance(value, str):
        return f'<c r="{letters}{number}" t="s"><v>{texts.setdefault(value, len(texts))}</v></c>'
    style = ' s="1"' if place == _DATE_COLUMN else ""
    return f'<c r="{letters}{number}"{style}><v>{value}</v></c>'


def column_name(number: int) -> str:
    """Return the letters of a column.

    Examples
    --------
    >>> column_name(1), column_name(28), column_name(16384)
    ('A', 'AB', 'XFD')
    """
    name = ""
    while number:
        number, rest = divmod(number - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def sales(n_rows: int, n_more: int = 0) -> Iterator[list[Cell]]:
    """Yield a header and rows of a log with ten columns, and ``n_more`` of texts."""
    rng = random.Random(1)
    yield [*_HEADERS, *(f"说明{place}" for place in range(n_more))]
    for number in range(n_rows):
        customer = rng.randrange(20_000)
        row: list[Cell] = [f"SO{number // 3:09d}", f"C{customer:05d}", f"华东第{customer}商贸有限公司"]
        row += [_FIRST_DAY + number * _N_DAYS // n_rows, round(rng.random() * 1000, 2), rng.randrange(1, 30)]
        row += [f"产品{rng.randrange(800)}号 500ml*12", rng.choice(("门店", "电商", "批发")), f"业务员{customer % 40}"]
        row += [f"备注 {rng.randrange(5000)} 送货上门"]
        yield row + [f"值 {rng.randrange(1000)} {place}" for place in range(n_more)]


def wide(n_rows: int, n_columns: int) -> Iterator[list[Cell]]:
    """Yield a header and rows of very many columns, of which the first and the last are those of a log."""
    rng = random.Random(2)
    middle = n_columns - 3
    yield ["客户编号", "日期", *(f"指标{place}" for place in range(middle)), "金额"]
    for number in range(n_rows):
        between: list[Cell] = [
            f"值{rng.randrange(100)}" if place % 3 else rng.randrange(1000) for place in range(middle)
        ]
        yield [f"C{rng.randrange(50)}", f"2026-0{1 + number % 6}-{1 + number % 28:02d}", *between, rng.randrange(900)]


def _write_csv(path: Path, rows: Iterable[Iterable[Cell]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(",".join(map(str, row)) + "\n" for row in rows)


def packed(n_cells: int) -> Iterator[list[Cell]]:
    """Yield rows that all say the same text, the longest that a cell may hold."""
    yield ["客户编号", "日期", "金额", "备注"]
    for _ in range(n_cells):
        yield ["C1", "2026-01-05", 1, "长" * _LONGEST_TEXT]


CASES = (
    Case("a workbook of a million rows", "xlsx", lambda path: write_workbook(path, sales(1_000_000)), True, 2e9),
    Case("20,000 columns, 300 rows", "csv", lambda path: _write_csv(path, wide(300, 20_000)), True, 1e9),
    Case("16,384 columns, 300 rows", "xlsx", lambda path: write_workbook(path, wide(300, 16_384)), True, 1e9),
    Case("18 GB of text, packed", "xlsx", lambda path: write_workbook(path, packed(182_000)), False, 0.5e9),
)


def check(case: Case, path: Path) -> Checked:
    """Check a file by the command, with a cache of its own; return what that took."""
    with tempfile.TemporaryDirectory(prefix="kehu-bench-") as scratch:
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.workbook_memory", "--one", str(path)],
            cwd=ROOT,
            env={**os.environ, "KEHU_CACHE": scratch, "TMPDIR": scratch},
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        seconds = time.perf_counter() - started
    said = json.loads(done.stdout.splitlines()[-1])
    in_words = "Traceback" not in said["words"] and bool(said["words"].strip())
    return Checked(path.stat().st_size, said["peak_bytes"], seconds, said["code"] == 0, in_words)


def _check_one(path: Path) -> None:
    # A process between, which holds nothing itself: a child's peak begins at what its parent held.
    import resource

    with tempfile.TemporaryDirectory() as here:
        kehu = Path(sys.executable).with_name("kehu")
        done = subprocess.run([kehu, "check", path], cwd=here, capture_output=True, text=True, check=False)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = unit * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({"code": done.returncode, "peak_bytes": peak, "words": done.stdout + done.stderr}))


def faults(case: Case, made: Checked) -> list[str]:
    """Return what does not hold of a case; empty where all does."""
    wrong = []
    if made.is_read != case.is_read:
        wrong.append("was read" if made.is_read else "was not read")
    if not made.in_words:
        wrong.append("ended without words")
    if made.peak_bytes > case.most_bytes:
        wrong.append(f"took {made.peak_bytes / 1e9:.2f} GB")
    return wrong


def main() -> None:
    """Measure, print, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--one", type=Path, help="check this file and print what it took")
    parser.add_argument("--keep-readme", action="store_true", help="write nothing into README.md")
    given = parser.parse_args()
    if given.one is not None:
        _check_one(given.one)
        return
    rows, wrong = [], []
    for number, case in enumerate(CASES):
        folder = DATA / f"memory-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"transactions.{case.file}"
        if not path.is_file():
            case.make(path)
        made = check(case, path)
        found = faults(case, made)
        wrong += [f"{case.name} ({case.file}): {fault}" for fault in found]
        rows.append(
            [
                f"{case.name} ({case.file})",
                "read" if made.is_read else "refused",
                f"{made.file_bytes / 1e6:.1f} MB",
                f"{made.seconds:.1f} s",
                f"{made.peak_bytes / 1e9:.2f} GB",
                f"{case.most_bytes / 1e9:.1f} GB",
                "NOT HELD" if found else "held",
            ]
        )
    text = f"{machine()}.\n\n" + table(("file", "", "size", "`kehu check`", "peak", "limit", ""), rows)
    print(text)
    if not given.keep_readme:
        write_between_markers(ROOT / "benchmarks" / "README.md", "workbook-memory", text)
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
