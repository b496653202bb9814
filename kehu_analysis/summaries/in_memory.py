"""The summary by customer of a log that is already in memory: the SQL's definitions on arrays, without an engine."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from kehu_analysis.errors import DataError
from kehu_analysis.frames import check_columns

#: As in the data contract: beyond this an amount is a mistake.
_LARGEST_AMOUNT = 1e9
#: Money is exact to 1/10,000, logs to 12 digits, as in the engine: whole numbers leave no trace of the order of rows.
_MONEY, _LOG = 10**4, 10**12
_BITS = 63


def history_of_frame(frame: pd.DataFrame, as_of: int | None) -> tuple[dict[str, NDArray[Any]], pd.Series, int]:
    """Return the columns of ``btyd.sql`` for a frame, the customers' ids by ``customer_key``, and the last day counted.

    Parameters
    ----------
    frame
        customer_id, date, amount; one row a line.
    as_of
        Last day counted (days since 1970-01-01); by default the last of the frame.

    Raises
    ------
    DataError
        A column is missing, or a value is missing or no date or number.
    """
    check_columns(frame, ("customer_id", "date", "amount"), analysis="btyd_summary")
    days, amounts = _days(frame["date"]), pd.to_numeric(frame["amount"], errors="coerce").to_numpy("float64")
    keys, ids = _keys(frame["customer_id"])
    usable = ~np.isnat(days) & (np.abs(amounts) <= _LARGEST_AMOUNT) & (keys >= 0)
    if not usable.all():
        raise DataError("unusable_rows", n_rows=int((~usable).sum()), example=frame.index[~usable][0])
    numbers = days.astype("int64")
    end = int(numbers.max()) if as_of is None and len(numbers) else as_of or 0
    if float(np.abs(amounts).sum()) * _MONEY >= 2.0**_BITS:
        raise OverflowError("a sum has more than 18 digits")
    money = np.rint(amounts * _MONEY).astype("int64")
    if len(numbers) and numbers.max() > end:
        counted = numbers <= end
        keys, numbers, money = keys[counted], numbers[counted], money[counted]
    return _history(*_purchase_days(keys, numbers, money)), ids, end


def _days(given: pd.Series) -> NDArray[np.datetime64]:
    none = np.full(len(given), np.datetime64("NaT"), dtype="datetime64[D]")
    if pd.api.types.is_numeric_dtype(given):
        # 20260105 would be read as that many nanoseconds after 1970.
        return none
    try:
        dates = given if given.dtype.kind == "M" else pd.to_datetime(given, errors="coerce")
    except ValueError:  # stamps of several offsets have no common clock
        return none
    # A purchase day is a day on the clock that the frame shows.
    local = dates.dt.tz_localize(None) if isinstance(dates.dtype, pd.DatetimeTZDtype) else dates
    return local.to_numpy().astype("datetime64[D]")


def _keys(given: pd.Series) -> tuple[NDArray[np.int64], pd.Series]:
    """Return the place of each id among all in order, -1 for one that is missing or empty; and the ids in order."""
    if pd.api.types.is_integer_dtype(given.dtype):
        # Whole numbers are told apart, and the few different ones written as texts, faster than all are.
        codes, values = pd.factorize(given)
        encoded = pa.array(values).cast(pa.large_string()).dictionary_encode()
    else:
        texts = pa.array(given.astype("str"), from_pandas=True)
        encoded = (texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts).dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    place = np.full(len(order) + 1, -1)  # the last for a missing one, whose code is -1
    place[order] = np.arange(len(order))
    ids = encoded.dictionary.take(pa.array(order))
    if len(ids) and ids[0].as_py() == "":
        place[order[0]] = -1
    return place[codes], pd.Series(ids.to_pandas(), dtype="str")


def _purchase_days(
    keys: NDArray[np.int64], days: NDArray[np.int64], money: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return customer, day, net money and whether it is a purchase day, for each customer-day in order."""
    if len(keys) == 0:
        return keys, days, money, np.zeros(0, dtype=bool)
    first = int(days.min())
    day_bits, row_bits = (int(largest).bit_length() for largest in (days.max() - first, len(keys) - 1))
    place = (keys << day_bits) | (days - first)
    if int(place.max()).bit_length() + row_bits < _BITS:
        # Customer, day and row in one number: sorting whole numbers is many times as fast as sorting rows by them.
        packed = (place << row_bits) | np.arange(len(keys))
        packed.sort()
        order, place = packed & ((1 << row_bits) - 1), packed >> row_bits
    else:
        order = np.argsort(place, kind="stable")
        place = place[order]
    money = money[order]
    begins = _begins(place)
    place = place[begins]
    return (
        place >> day_bits,
        (place & ((1 << day_bits) - 1)) + first,
        _sums(money, begins),
        _sums((money >= 0).astype("int64"), begins) > 0,
    )


def _history(
    keys: NDArray[np.int64], days: NDArray[np.int64], money: NDArray[np.int64], is_purchase: NDArray[np.bool_]
) -> dict[str, NDArray[Any]]:
    # What comes before a customer's first purchase belongs to no purchase day; what follows nets against the latest.
    begins = _begins(keys)
    lengths = np.diff(np.r_[begins, len(keys)])
    purchases = is_purchase.astype("int64")
    so_far = np.cumsum(purchases)
    purchase_number = so_far - np.repeat(so_far[begins] - purchases[begins], lengths)
    totals = _sums(np.where(purchase_number > 0, money, 0), begins)
    repeats = _sums(np.where(purchase_number > 1, money, 0), begins)

    own_keys, own_days = keys[is_purchase], days[is_purchase]
    starts = _begins(own_keys)
    counts = np.diff(np.r_[starts, len(own_keys)])
    intervals = np.diff(own_days, prepend=0)
    intervals[starts] = 1  # whose log is 0
    logs = np.log(np.arange(1, int(intervals.max(initial=1)) + 1))
    of_interval, squared = (np.rint(kind * _LOG).astype("int64")[intervals - 1] for kind in (logs, logs * logs))
    bought = np.isin(keys[begins], own_keys[starts], assume_unique=True)
    return {
        "customer_key": own_keys[starts],
        "first_day": own_days[starts],
        "last_day": own_days[starts + counts - 1],
        "frequency": counts - 1,
        "total_amount": totals[bought] / _MONEY,
        "repeat_amount": repeats[bought] / _MONEY,
        "sum_log_interval": _sums(of_interval, starts) / _LOG,
        "sum_squared_log_interval": _sums(squared, starts) / _LOG,
    }


def _begins(sorted_values: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where each run of equal values begins."""
    return np.flatnonzero(np.r_[True, sorted_values[1:] != sorted_values[:-1]][: len(sorted_values)])


def _sums(values: NDArray[np.int64], begins: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the sum of each run: of whole numbers, differences of running sums are exact, and fast."""
    running = np.cumsum(values)
    return np.diff(running[np.r_[begins[1:], len(values)] - 1], prepend=0) if len(begins) else running
