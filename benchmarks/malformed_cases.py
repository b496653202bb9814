"""Datasets that are damaged in one to three ways, or plausible and perhaps wrong, each from its seed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

from benchmarks import malformed_damage as damage
from benchmarks.malformed_damage import Damage
from benchmarks.malformed_files import Case, SourceFile, packed, sound_case, write_bytes, write_text
from benchmarks.plausible_cases import FEATURES, plausible_case

ROWS: dict[str, Damage] = {
    "rows cut": damage.cut_rows,
    "rows too long": damage.long_rows,
    "no rows": damage.no_rows,
    "blank rows": damage.blank_rows,
    "rows repeated": damage.repeated_rows,
    "header again": damage.header_again,
    "no header": damage.no_header,
    "title above": damage.title_above,
    "totals below": damage.totals_below,
    "columns swapped": damage.columns_swapped,
    "column dropped": damage.column_dropped,
    "column doubled": damage.column_doubled,
    "many columns": damage.many_columns,
    "hostile headers": damage.hostile_headers,
    "hostile values": damage.cells(damage.HOSTILE, None),
    "dates of all sorts": damage.cells(damage.DATES, 1),
    "amounts of all sorts": damage.cells(damage.AMOUNTS, 2),
    "types changed": damage.cells((*damage.DATES, *damage.AMOUNTS, *damage.HOSTILE), None),
    "one form of value": damage.one_form_of_value,
    "huge field": damage.huge_field,
}
TEXTS: dict[str, Damage] = {
    "quotes unbalanced": damage.inserted(('"', '"', '""', '"""', ',"', '"\n')),
    "NUL characters": damage.inserted(("\0", "\0\0", "\0" * 50)),
    "control characters": damage.inserted(
        ("\x1a", "\x1b[2J", "\x08", "\ufeff", "\u2028", "\ue000", "\\", "'", "#", "\ufffd")
    ),
    "line ends mixed": damage.line_ends_mixed,
    "delimiters mixed": damage.delimiters_mixed,
    "no last line end": damage.no_last_line_end,
}
CONTENTS: dict[str, Damage] = {
    "bytes flipped": damage.bytes_flipped,
    "truncated": damage.truncated,
    "beginning lost": damage.beginning_lost,
    "bytes inserted": damage.bytes_inserted,
    "encodings mixed": damage.encodings_mixed,
    "empty file": damage.empty,
    "zeros": damage.zeros,
    "noise": damage.noise,
}
WORKBOOKS: dict[str, Damage] = {
    "part of a workbook damaged": damage.workbook_part_damaged,
    "far cell": damage.far_cell,
    "sheet bomb": damage.sheet_bomb,
    "texts bomb": damage.texts_bomb,
}
PARQUETS: dict[str, Damage] = {
    "Parquet size absurd": damage.parquet_size_absurd,
    "Parquet footer flipped": damage.parquet_footer_flipped,
}
_BOMBS = ("far cell", "sheet bomb", "texts bomb", "gzip bomb")

_SETTINGS = (
    "maximum_rejected = 1\n",
    "maximum_rejected = 0\n",
    "maximum_rejected = 7\n",
    "timezone = 'Europe/London'\n",
    "timezone = '../../etc/passwd'\n",
    "timezone = ''\n",
    "currency = 'XYZ'\n",
    "currency = 1\n",
    "name = '../x'\n",
    "name = '客户'\n",
    "fiscal_year_start = 4\n",
    "fiscal_year_start = 13\n",
    "complete_until = 2025-12-31\n",
    "complete_until = 1900-01-01\n",
    "customer_acquisition_cost = nan\n",
    "customer_acquisition_cost = 1e999\n",
    "tables = 1\n",
    "x = 1\n",
)
_TABLE_SETTINGS = (
    "source = '*.csv'\n",
    "source = '*'\n",
    "source = '**'\n",
    "source = '../*'\n",
    "source = '/etc/passwd'\n",
    "source = ['transactions*', 'transactions*']\n",
    "source = '['\n",
    "source = ''\n",
    "source = 'no such'\n",
    "sheet = 'Sheet1'\n",
    "sheet = '无'\n",
    "date_order = 'day_first'\n",
    "date_order = 'month_first'\n",
    "decimal_mark = ','\n",
    "decimal_mark = '.'\n",
    "files_may_differ = true\n",
    "amount_from = {quantity = '数量', unit_price = '金额'}\n",
    "amount_from = {quantity = 'quantity', unit_price = 'amount'}\n",
    "amount_from = {quantity = 'x', unit_price = 'x'}\n",
    "columns = {customer_id = 'amount'}\n",
    "columns = {amount = 'customer_id', date = 'customer_id'}\n",
    "columns = {date = '金额'}\n",
    'columns = {customer_id = "x\'); --"}\n',
    "columns = {nonsense = 'amount'}\n",
    "filters = [{column = 'amount', operator = 'less_than', value = 10, reason = \"it's small\"}]\n",
    "filters = [{column = '金额', operator = 'greater_than', value = 1e300, reason = '大'}]\n",
    "filters = [{column = 'date', operator = 'contains', value = '2025', reason = 'accepted'}]\n",
    "filters = [{column = 'customer_id', operator = 'is_one_of', value = ['0017', 17, 1.5], reason = '\\u001b[31m'}]\n",
    "filters = [{column = 'customer_id', operator = 'starts_with', value = 1, reason = 'x'}]\n",
    "filters = [{column = 'none', operator = 'equals', value = '', reason = 'x'}]\n",
)


def case_of(seed: int) -> Case:
    """Return the dataset of a seed, ready to be written: malformed where it is even, plausible where it is odd."""
    return plausible_case(seed) if seed % 2 else malformed_case(seed)


def malformed_case(seed: int) -> Case:
    """Return the malformed dataset of a seed, ready to be written."""
    rng = random.Random(seed)
    case = sound_case(seed, rng)
    for file in case.files:
        _damage_file(case, file, rng, n_most=2 if file.table == "transactions" else 1)
    if rng.random() < 0.15:
        case.mutations.append("settings")
        case.settings = _settings(rng)
    if rng.random() < 0.06 or not case.mutations:
        name, act = rng.choice(tuple(_FOLDERS.items()))
        case.mutations.append(name)
        act(case, rng)
    return case


def _damage_file(case: Case, file: SourceFile, rng: random.Random, n_most: int) -> None:
    # In the order in which a file comes about; whichever step is left out, the later ones can still be damaged.
    steps: list[tuple[dict[str, Damage], float]] = [
        (ROWS, 0.65 if file.format != "xls" else 0.0),
        (TEXTS, 0.3 if file.is_delimited else 0.0),
        (CONTENTS, 0.3),
    ]
    done = [name for table, share in steps for name in _chosen(table, share, rng)][:n_most]
    for name in done:
        if name in ROWS:
            ROWS[name](file, rng)
    file.text = write_text(file.rows, file.delimiter)
    for name in done:
        if name in TEXTS:
            TEXTS[name](file, rng)
    file.content = write_bytes(file, rng)
    # A packed file is damaged before or after it was packed.
    packs_first = file.format == "csv.gz" and rng.random() < 0.5
    if packs_first:
        file.content = packed(file)
    for name in done:
        if name in CONTENTS:
            CONTENTS[name](file, rng)
    if not packs_first:
        file.content = packed(file)
    own = {"xlsx": WORKBOOKS, "parquet": PARQUETS}.get(file.format, {})
    if not set(done) & set(CONTENTS):
        for name in _chosen(own, 0.4, rng):
            if name not in _BOMBS or rng.random() < 0.4:
                own[name](file, rng)
                done.append(name)
    if file.format == "csv.gz" and rng.random() < 0.05:
        damage.gzip_bomb(file, rng)
        done.append("gzip bomb")
    case.mutations += done


def _chosen(table: dict[str, Damage], share: float, rng: random.Random) -> list[str]:
    return [rng.choice(tuple(table))] if table and rng.random() < share else []


def _settings(rng: random.Random) -> bytes:
    top = "".join(rng.sample(_SETTINGS, rng.choice((0, 1, 1, 2))))
    of_table = "".join(rng.sample(_TABLE_SETTINGS, rng.choice((0, 1, 1, 2))))
    table = rng.choice(("transactions", "transactions", "transactions", "customers", "nothing"))
    content = f"{top}[tables.{table}]\n{of_table}".encode()
    if rng.random() < 0.25:
        file = SourceFile("", "", [], "", content=content)
        rng.choice((damage.bytes_flipped, damage.truncated, damage.bytes_inserted, damage.noise))(file, rng)
        content = file.content
    return content


# --- folders ----------------


def _misnamed(case: Case, rng: random.Random) -> None:
    file = rng.choice(case.files)
    file.name = file.name.split(".")[0] + rng.choice(
        (".csv", ".xlsx", ".xls", ".parquet", ".csv.gz", ".txt", ".XLSM", ".doc", "")
    )


def _hostile_name(case: Case, rng: random.Random) -> None:
    file = case.files[0]
    names = (
        "a'b",
        'q"uote',
        "[2026]*?",
        "region=north",
        "客户 数据",
        "a\nb",
        "\x1b[31m",
        "x" * 200,
        "%s{path}$HOME",
        "-rf",
        "ＣＳＶ",
    )
    file.name = f"{rng.choice(names)}.{file.format}"


def _another_part(case: Case, rng: random.Random) -> None:
    text = rng.choice(("customer_id,date,amount\n1,2025-01-05,1\n", "customer_id,date\n1,2025-01-05\n", "", "\0"))
    case.files.append(SourceFile("transactions", "transactions-2099.csv", [], "csv", content=text.encode()))


def _made(act: Callable[[Path], None]) -> Callable[[Case, random.Random], None]:
    return lambda case, _: case.in_folder.append(act)


def _put_folder(folder: Path) -> None:
    (folder / "customers.csv").unlink(missing_ok=True)
    (folder / "customers.csv").mkdir()


def _put_links(folder: Path) -> None:
    for name, target in (
        ("surveys.csv", "surveys.csv"),
        ("products-x.csv", "nowhere"),
        ("transactions-again.csv", ".."),
    ):
        (folder / name).symlink_to(target)


def _put_companions(folder: Path) -> None:
    for name in (".~lock.transactions.csv#", "~$transactions.xlsx", ".DS_Store", "Thumbs.db", "._transactions.csv"):
        (folder / name).write_bytes(b"\0\1junk")


_FOLDERS: dict[str, Callable[[Case, random.Random], None]] = {
    "misnamed": _misnamed,
    "hostile name": _hostile_name,
    "another part": _another_part,
    "folder in a file's place": _made(_put_folder),
    "links to nowhere": _made(_put_links) if hasattr(os, "symlink") else _misnamed,
    "hidden companions": _made(_put_companions),
}
DAMAGES = (*ROWS, *TEXTS, *CONTENTS, *WORKBOOKS, *PARQUETS, "gzip bomb", "settings", *_FOLDERS)
#: Features of plausible cases, too.
MUTATIONS = (*DAMAGES, *FEATURES)
