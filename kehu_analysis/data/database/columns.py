"""Rows of any database as a Parquet file whose column types are found while the rows arrive."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, oracle, postgresql

#: Rows of a row group, and bytes from which on one is written with fewer.
ROW_GROUP = 100_000
_ROW_GROUP_BYTES = 32 * 2**20
#: A decimal has 38 digits in every program that reads Parquet; what is longer is kept as text.
_MOST_DIGITS = 38
#: Digits before the point of a decimal whose declaration says nothing, so that a larger amount seldom widens it.
_USUAL_DIGITS = 18
_SIMPLE: dict[type, pa.DataType] = {
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    str: pa.string(),
    date: pa.date32(),
}


def readable(column: sa.ColumnElement[Any], dialect: str) -> sa.ColumnElement[Any]:
    """Return what to select of a column, so that its driver gives the value whole.

    Drivers give most values as they are. Oracle's and SQL Server's lose the offset of a stamp, PostgreSQL writes its
    money in the manner of the server's country, and MySQL gives bits as bytes.
    """
    kind = column.type
    shown: sa.ColumnElement[Any] = sa.type_coerce(column, sa.types.NullType())
    if dialect == "oracle" and isinstance(kind, oracle.TIMESTAMP) and (kind.timezone or kind.local_timezone):
        shown = sa.func.to_char(column, sa.literal_column("'YYYY-MM-DD HH24:MI:SS.FF6TZH:TZM'"))
    elif dialect == "mssql" and isinstance(kind, mssql.DATETIMEOFFSET):
        shown = sa.func.convert(sa.literal_column("varchar(34)"), column, sa.literal_column("121"))
    elif dialect == "postgresql" and isinstance(kind, postgresql.MONEY):
        shown = sa.cast(column, sa.Numeric())
    elif dialect in ("mysql", "mariadb") and isinstance(kind, mysql.BIT):
        shown = sa.cast(column, sa.BigInteger())
    return shown.label(column.name)


def declared_type(kind: object) -> pa.DataType | None:
    """Return the decimal type that a column is declared as; None where it is declared as anything else.

    Examples
    --------
    >>> declared_type(sa.Numeric(12, 2)), declared_type(sa.Text())
    (Decimal128Type(decimal128(12, 2)), None)
    """
    if not isinstance(kind, sa.Numeric):
        return None
    precision, scale = kind.precision, kind.scale
    if precision is None or not 0 <= (scale or 0) <= precision <= _MOST_DIGITS:
        return pa.decimal128(_USUAL_DIGITS, 0)
    return pa.decimal128(precision, scale or 0)


def column_array(values: Sequence[object], declared: pa.DataType | None = None) -> pa.Array:
    r"""Return a column's values as an Arrow array that loses nothing of them.

    Parameters
    ----------
    values
        What a driver gave.
    declared
        The decimal type of a column that is declared as one: its numbers become decimals of at least this size,
        whatever the driver made of them. ``decimal128(18, 0)`` where the declaration names no size.

    Returns
    -------
    pa.Array
        Whole numbers as int64, decimals as decimal128, days as date32, stamps as timestamps in microseconds (with
        an offset: in UTC), truth values as bool. Everything else is text: what is of several kinds, infinite or
        larger than its type, times of day and durations, JSON and arrays (as JSON), bytes (as hexadecimal digits).

    Examples
    --------
    >>> column_array([Decimal("12.50"), None], pa.decimal128(12, 2)).type
    Decimal128Type(decimal128(12, 2))
    >>> column_array([Decimal("NaN"), Decimal(1)]).to_pylist(), column_array([b"\x0f", {"a": "甲"}]).to_pylist()
    (['NaN', '1'], ['0f', '{"a": "甲"}'])
    """
    kinds = set(map(type, values)) - {NoneType}
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {Decimal, int} or (declared is not None and kinds != {Decimal} and kinds <= {int, float, Decimal}):
        values = [_decimal(value) for value in values]
        kinds = {Decimal}
    try:
        if kinds == {Decimal}:
            return _decimals(values, declared)
        if kinds == {datetime}:
            return _stamps(values)
        if len(kinds) == 1 and (simple := _SIMPLE.get(*kinds)) is not None:
            return pa.array(values, simple)
    except (OverflowError, pa.ArrowInvalid, TypeError):
        pass  # too large for its type, not a number, or (TypeError) an infinite decimal
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _decimal(value: object) -> Decimal | None:
    # A binary fraction by the digits that it shows: SQLite has no other decimals.
    return None if value is None else Decimal(repr(value)) if isinstance(value, float) else Decimal(value)  # type: ignore[arg-type]


def _decimals(values: Sequence[object], declared: pa.DataType | None) -> pa.Array:
    array = pa.array(values)
    scale = array.type.scale
    whole = array.type.precision - scale
    sized = declared if declared is not None else pa.decimal128(_USUAL_DIGITS, 0)
    scale = max(scale, sized.scale)
    whole = max(whole, min(sized.precision - sized.scale, _MOST_DIGITS - scale))
    if whole + scale > _MOST_DIGITS:
        raise OverflowError
    return array.cast(pa.decimal128(whole + scale, scale))


def _stamps(values: Sequence[object]) -> pa.Array:
    with_offset = {value.tzinfo is not None for value in values if isinstance(value, datetime)}
    if len(with_offset) > 1:
        raise OverflowError  # two kinds in one column
    return pa.array(values, pa.timestamp("us", tz="UTC") if with_offset == {True} else pa.timestamp("us"))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def common_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type that holds the values of both without loss; in doubt text.

    Examples
    --------
    >>> common_type(pa.decimal128(12, 2), pa.decimal128(10, 4)), common_type(pa.int64(), pa.date32())
    (Decimal128Type(decimal128(14, 4)), DataType(string))
    """
    if one == other or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if all(pa.types.is_decimal(kind) or pa.types.is_int64(kind) for kind in (one, other)):
        (whole, scale), (whole_too, scale_too) = _size(one), _size(other)
        whole, scale = max(whole, whole_too), max(scale, scale_too)
        if whole + scale <= _MOST_DIGITS:
            return pa.decimal128(whole + scale, scale)
    return pa.string()


def _size(number: pa.DataType) -> tuple[int, int]:
    # Digits before and after the point.
    return (19, 0) if pa.types.is_int64(number) else (number.precision - number.scale, number.scale)


class GrowingTable:
    """A Parquet file that is written as its rows arrive, a row group at a time.

    A column's type is only known when all of it was seen: thousands of rows may lack a value before the first one
    has it, an amount may have more decimals than those before. Where a later row group needs another type, a further
    part is begun; in the end parts are copied into one file, row group by row group.

    Parameters
    ----------
    path
        The file to write.
    names
        Names of the columns.
    declared
        For each column the decimal type that it is declared as, else None.
    """

    def __init__(self, path: Path, names: Sequence[str], declared: Sequence[pa.DataType | None]) -> None:
        self.n_rows = 0
        self._path = path
        self._names = list(names)
        self._declared = list(declared)
        self._types = [pa.null()] * len(self._names)
        self._waiting: list[list[pa.Array]] = []
        self._parts: list[Path] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, rows: Sequence[Sequence[object]]) -> None:
        """Take rows; every so often a row group is written."""
        columns = list(zip(*rows, strict=True)) or [()] * len(self._names)
        arrays = [column_array(values, kind) for values, kind in zip(columns, self._declared, strict=True)]
        self._types = [common_type(kind, array.type) for kind, array in zip(self._types, arrays, strict=True)]
        self._waiting.append(arrays)
        self.n_rows += len(rows)
        n_waiting = sum(len(arrays[0]) for arrays in self._waiting)
        n_bytes = sum(array.nbytes for arrays in self._waiting for array in arrays)
        if n_waiting >= ROW_GROUP or n_bytes >= _ROW_GROUP_BYTES:
            self._write()

    def finish(self) -> None:
        """Write what is left, and make the parts one file."""
        self._write()
        self.close()
        if len(self._parts) == 1:
            self._parts[0].replace(self._path)
            return
        schema = self._schema()
        with pq.ParquetWriter(self._path, schema, compression="zstd") as writer:
            for part in self._parts:
                with pq.ParquetFile(part) as source:
                    for batch in source.iter_batches(batch_size=ROW_GROUP):
                        writer.write_table(_as_table([batch.columns], schema))
                part.unlink()

    def close(self) -> None:
        """Let go of the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _write(self) -> None:
        if self._parts and not self._waiting:
            return
        schema = self._schema()
        if self._writer is None or self._writer.schema != schema:
            self.close()
            self._parts.append(self._path.with_name(f"{self._path.stem}.{len(self._parts)}.part"))
            self._writer = pq.ParquetWriter(self._parts[-1], schema, compression="zstd")
        self._writer.write_table(_as_table(self._waiting, schema), row_group_size=ROW_GROUP)
        self._waiting = []

    def _schema(self) -> pa.Schema:
        # A column without any value is text so far.
        kinds = (pa.string() if pa.types.is_null(kind) else kind for kind in self._types)
        return pa.schema(list(zip(self._names, kinds, strict=True)))


def _as_table(groups: Sequence[Sequence[pa.Array]], schema: pa.Schema) -> pa.Table:
    columns = [
        pa.chunked_array([_cast(group[place], field.type) for group in groups], field.type)
        for place, field in enumerate(schema)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    # A column that was text for want of any value may have become something else since.
    return pa.nulls(len(array), kind) if array.null_count == len(array) else pc.cast(array, kind)
