"""What can be wrong with a file: changes to its rows, its text, its bytes, and how it is stored, each from a seed."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
from collections.abc import Callable
from functools import cache

from benchmarks.malformed_files import Rows, SourceFile

Damage = Callable[[SourceFile, random.Random], None]

HOSTILE = (
    "<script>alert(1)</script>", "=2+5+cmd|' /C calc'!A0", "'; DROP TABLE transactions; --",
    "\x1b[31mred", "\u202eevil", "../../etc/passwd", "${HOME}", "{amount}", "%s%n", "𝔘𝔫𝔦",
    "e\u0301\u0302" * 50, "NULL", "nan", "None", "\\N", '"', '""', "'", "\ue000", "\ufeff",
    "\u200b", "a\nb", "a\r\nb", "\t", "", " ", "\u3000", "字" * 5_000, "_source_row", "#REF!",
    "\uffff", "\x0b\x0c\x85\u2028",
)  # fmt: skip
DATES = (
    "2099-01-01", "9999-12-31", "0001-01-01", "10000-01-01", "2026-02-29", "2026-13-01",
    "31/12/2025", "12/31/2025", "01/02/2025", "2025年1月5日", "2025年13月5日", "1月5日", "46027", "46027.5",
    "-1", "epoch", "infinity", "now", "today", "2025-W01", "2025-001", "2025-01-05T24:00:00",
    "2025-01-05T23:59:60Z", "2025-01-05 10:00 America/Nowhere", "2025-01-05 10:00+99:99",
    "20250105", "99999999", "5 Jan 2025", "Jan 5, 2025", "２０２５－０１－０５", "0000-00-00", "1900-02-29",
    "-4713-01-01 (BC)", "2025-01-05\x00", "上午9:00", "2025/1/5 下午3:05", "30-Feb-2025", "1e5",
)  # fmt: skip
AMOUNTS = (
    "1,234.50", "￥1,234.50", "１２３４．５", "(1,234.50)", "1,234.50-", "-¥12", "12元", "1.234,50",
    "1.234", "1,234", "1e400", "-1e400", "1e-400", "inf", "nan", "-0", "0x10", "1_000", "١٢٣",
    "99999999999999.9999", "999999999999999999999999", "0.00005", "1.2.3", "1,2,3", "--1", "(1",
    "1)", "12%", "N/A", "-", "十二", "1/2", "1 234,50", "9" * 400, "." * 50, "1" + "0" * 38, "1e18",
    "-1000000000.0001", "true", "",
)  # fmt: skip
LONG = (100, 5_000, 70_000, 300_000)
VERY_LONG = 3_000_000


def _body(rows: Rows, rng: random.Random, share: float = 0.3) -> list[int]:
    places = range(1, len(rows))
    return [place for place in places if rng.random() < share] or list(places[:1])


# --- rows ----------------


def cut_rows(file: SourceFile, rng: random.Random) -> None:
    for place in _body(file.rows, rng):
        file.rows[place] = file.rows[place][: rng.randrange(len(file.rows[place]) + 1)]


def long_rows(file: SourceFile, rng: random.Random) -> None:
    for place in _body(file.rows, rng):
        file.rows[place] = file.rows[place] + ["x"] * rng.choice((1, 2, 500))


def no_rows(file: SourceFile, rng: random.Random) -> None:
    del file.rows[rng.randint(0, 1) :]


def blank_rows(file: SourceFile, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 5)):
        file.rows.insert(rng.randint(0, len(file.rows)), rng.choice(([], [""] * len(file.rows[0]), [" "])))


def repeated_rows(file: SourceFile, rng: random.Random) -> None:
    file.rows += [file.rows[place] for place in _body(file.rows, rng)]


def header_again(file: SourceFile, rng: random.Random) -> None:
    file.rows.insert(rng.randint(1, len(file.rows)), list(file.rows[0]))


def no_header(file: SourceFile, rng: random.Random) -> None:
    del file.rows[0]
    file.rows = file.rows or [[]]


def title_above(file: SourceFile, rng: random.Random) -> None:
    title = rng.choice(
        (["2025年销售明细"], ["Report", "of", "sales", "for", "all", "branches"], [""], ["制表人：", "张三"])
    )
    file.rows[:0] = [list(title) for _ in range(rng.choice((1, 2, 19, 25)))]


def totals_below(file: SourceFile, rng: random.Random) -> None:
    row = [""] * len(file.rows[0])
    row[0], row[-1] = rng.choice(("合计", "Total", "")), "99999.99"
    file.rows.append(row)


def columns_swapped(file: SourceFile, rng: random.Random) -> None:
    one, other = rng.randrange(len(file.rows[0])), rng.randrange(len(file.rows[0]))
    for place in range(rng.randint(0, len(file.rows) - 1), len(file.rows)):
        row = file.rows[place]
        if max(one, other) < len(row):
            row = list(row)
            row[one], row[other] = row[other], row[one]
            file.rows[place] = row


def column_dropped(file: SourceFile, rng: random.Random) -> None:
    place = rng.randrange(len(file.rows[0]))
    file.rows = [row[:place] + row[place + 1 :] for row in file.rows]


def column_doubled(file: SourceFile, rng: random.Random) -> None:
    place = rng.randrange(len(file.rows[0]))
    file.rows = [[*row, *row[place : place + 1]] for row in file.rows]


def many_columns(file: SourceFile, rng: random.Random) -> None:
    extra = rng.choice((50, 400))
    file.rows = [[*row, *(f"c{n}" if not place else "" for n in range(extra))] for place, row in enumerate(file.rows)]


def hostile_headers(file: SourceFile, rng: random.Random) -> None:
    for place in range(len(file.rows[0])):
        if rng.random() < 0.3:
            file.rows[0][place] = rng.choice(HOSTILE)
    if rng.random() < 0.5:
        file.rows = [
            [*row, rng.choice((*HOSTILE, "_file", "_row", "_column", "_reason", "_line"))] for row in file.rows
        ]


def cells(values: tuple[str, ...], column: int | None) -> Damage:
    def replace(file: SourceFile, rng: random.Random) -> None:
        for place in _body(file.rows, rng, rng.choice((0.04, 0.3, 1.0))):
            row = list(file.rows[place])
            where = rng.randrange(len(row)) if column is None and row else column
            if where is not None and where < len(row):
                row[where] = rng.choice(values)
            file.rows[place] = row

    return replace


def one_form_of_value(file: SourceFile, rng: random.Random) -> None:
    column, values = rng.choice(((1, DATES), (2, AMOUNTS)))
    cells((rng.choice(values),), column)(file, rng)


def huge_field(file: SourceFile, rng: random.Random) -> None:
    place = rng.randrange(len(file.rows))
    row = list(file.rows[place]) or [""]
    size = VERY_LONG if rng.random() < 0.1 else rng.choice(LONG)
    row[rng.randrange(len(row))] = (piece := rng.choice(("x", "9", "字", "a,b\n", '"', "\\"))) * (size // len(piece))
    file.rows[place] = row


# --- texts ----------------


def inserted(marks: tuple[str, ...]) -> Damage:
    def insert(file: SourceFile, rng: random.Random) -> None:
        for _ in range(rng.choice((1, 1, 2, 7))):
            place = rng.randint(0, len(file.text))
            file.text = file.text[:place] + rng.choice(marks) + file.text[place:]

    return insert


def line_ends_mixed(file: SourceFile, rng: random.Random) -> None:
    ends = rng.choice((("\r\n",), ("\r",), ("\n", "\r\n"), ("\n", "\r", "\r\n"), ("\r\r\n",), ("\n\n",), ("\u2028",)))
    file.text = "".join(line + rng.choice(ends) for line in file.text.split("\n")[:-1])


def delimiters_mixed(file: SourceFile, rng: random.Random) -> None:
    lines = file.text.split("\n")
    lines = [line.replace(file.delimiter, rng.choice(",;\t|")) if rng.random() < 0.3 else line for line in lines]
    file.text = "\n".join(lines)


def no_last_line_end(file: SourceFile, rng: random.Random) -> None:
    file.text = file.text.rstrip("\n")


# --- bytes ----------------


def bytes_flipped(file: SourceFile, rng: random.Random) -> None:
    content = bytearray(file.content)
    for _ in range(rng.choice((1, 1, 3, 20))):
        if content:
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    file.content = bytes(content)


def truncated(file: SourceFile, rng: random.Random) -> None:
    file.content = file.content[: rng.randrange(len(file.content) + 1)]


def beginning_lost(file: SourceFile, rng: random.Random) -> None:
    file.content = file.content[rng.randrange(len(file.content) + 1) :]


def bytes_inserted(file: SourceFile, rng: random.Random) -> None:
    place = rng.randint(0, len(file.content))
    piece = rng.choice(
        (b"\0", b"\0" * 100, b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1a", rng.randbytes(50), b"\r", b"\x81\x30")
    )
    file.content = file.content[:place] + piece + file.content[place:]


def encodings_mixed(file: SourceFile, rng: random.Random) -> None:
    line = f"\n客户{file.delimiter}2025-01-05{file.delimiter}12.50"
    piece = line.encode(rng.choice(("utf-8", "gb18030", "big5", "shift_jis", "utf-16-le", "utf-32")), errors="replace")
    place = rng.choice((len(file.content), rng.randint(0, len(file.content))))
    file.content = file.content[:place] + piece + file.content[place:]


def empty(file: SourceFile, _: random.Random) -> None:
    file.content = b""


def zeros(file: SourceFile, _: random.Random) -> None:
    file.content = bytes(len(file.content))


def noise(file: SourceFile, rng: random.Random) -> None:
    file.content = rng.randbytes(rng.choice((1, 10, 4096)))


def parquet_size_absurd(file: SourceFile, rng: random.Random) -> None:
    sizes = (0, 1, 2**31 - 1, 2**32 - 1, len(file.content))
    file.content = file.content[:-8] + struct.pack("<I", rng.choice(sizes)) + b"PAR1"


def parquet_footer_flipped(file: SourceFile, rng: random.Random) -> None:
    content = bytearray(file.content)
    size = struct.unpack("<I", content[-8:-4])[0] if len(content) > 8 else 0
    for _ in range(rng.choice((1, 3, 10))):
        if 0 < size < len(content) - 8:
            content[len(content) - 8 - 1 - rng.randrange(size)] = rng.randrange(256)
    file.content = bytes(content)


def workbook_part_damaged(file: SourceFile, rng: random.Random) -> None:
    """Damage the XML of one part and pack it soundly again: what a sum of bytes would not find."""
    buffer = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(file.content)) as source:
            chosen = rng.choice(source.namelist())
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
                for part in source.namelist():
                    data = source.read(part)
                    if part == chosen:
                        one = SourceFile("", "", [], "", content=data)
                        rng.choice((bytes_flipped, truncated, beginning_lost, bytes_inserted, empty, zeros))(one, rng)
                        data = one.content
                    if part != chosen or rng.random() < 0.8:
                        target.writestr(zipfile.ZipInfo(part, (2026, 1, 1, 0, 0, 0)), data)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return  # damaged before
    file.content = buffer.getvalue()


# --- bombs ----------------


@cache
def _packed(piece: bytes, n_bytes: int) -> bytes:
    """Return so many bytes of a piece again and again, packed: members of an archive may follow one another."""
    n_times = (1 << 24) // len(piece)
    return gzip.compress(piece * n_times, mtime=0) * (n_bytes // (n_times * len(piece)))


def gzip_bomb(file: SourceFile, rng: random.Random) -> None:
    header = gzip.compress(b"customer_id,date,amount\n", mtime=0)
    pieces = (b"\0", b"1,2026-01-05,1\n", b",", b"x", b'"\n', b"\n")
    file.content = header + _packed(rng.choice(pieces), rng.choice((1 << 24, 600 << 20)))


def far_cell(file: SourceFile, rng: random.Random) -> None:
    """Leave a cell in the last corner of a sheet, as a slip of the mouse does."""
    place = rng.choice(
        ("XFD1048576", "A1048576", "XFD2", "ZZ99999", "XFD99999999", "A0", "AAAAAAA1", "A18446744073709551616")
    )
    cell = f'<row r="1048576"><c r="{place}"><v>1</v></c></row></sheetData>'.encode()
    file.content = _with_part(file.content, "xl/worksheets/sheet1.xml", lambda xml: xml.replace(b"</sheetData>", cell))


def sheet_bomb(file: SourceFile, rng: random.Random) -> None:
    row = b'<row><c t="inlineStr"><is><t>1</t></is></c></row>' * 1000
    rows = row * rng.choice((1, 20)) + b"</sheetData>"
    extent = rng.choice((b'<dimension ref="A1:XFD1048576"/>', b'<dimension ref="A1:A1"/>', b""))

    def grow(xml: bytes) -> bytes:
        return xml.replace(b"</sheetData>", rows).replace(b'<dimension ref="A1"/>', extent)

    file.content = _with_part(file.content, "xl/worksheets/sheet1.xml", grow)


def texts_bomb(file: SourceFile, rng: random.Random) -> None:
    entities = "".join(f'<!ENTITY e{n + 1} "{f"&e{n};" * 10}">' for n in range(9))
    laughs = f'<?xml version="1.0"?><!DOCTYPE s [<!ENTITY e0 "ha">{entities}]><sst><si><t>&e9;</t></si></sst>'.encode()
    long = b"<sst><si><t>" + b"x" * (1 << 24) + b"</t></si></sst>"
    counted = b'<sst count="4294967295" uniqueCount="4294967295"><si><t>x</t></si></sst>'
    text = rng.choice((laughs, long, counted))
    file.content = _with_part(file.content, "xl/sharedStrings.xml", lambda _: text)


def _with_part(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.namelist():
            data = source.read(part)
            target.writestr(
                zipfile.ZipInfo(part, (2026, 1, 1, 0, 0, 0)),
                change(data) if part == name else data,
                zipfile.ZIP_DEFLATED,
            )
    return buffer.getvalue()
