"""The summary by customer of a log that is already in memory: the SQL's definitions on arrays, without an engine."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
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


def history_of_frame(
    frame: pd.DataFrame, as_of: int | None, *, gaps_after: int | None = None
) -> tuple[dict[str, NDArray[Any]], pd.Series, int]:
    """Return the columns of ``btyd.sql`` for a frame, the customers' ids by ``customer_key``, and the last day counted.

    Parameters
    ----------
    frame
        customer_id, date, amount; one row a line.
    as_of
        Last day counted (days since 1970-01-01); by default the last of the frame.
    gaps_after
        Where the longest recent wait is wanted too, how many days before the end it may have ended.

    Returns
    -------
    dict
        Name of a column -> array; one value a customer with a purchase up to ``as_of``, in order of ``customer_key``.
    Series
        The ids of all customers of the frame as texts; that of a customer stands at the place of its key.
    int
        The last day counted (days since 1970-01-01).

    Raises
    ------
    DataError
        A column is missing, a value is missing, too large or no date or number, or all amounts together have more
        digits than can be summed exactly.
    """
    check_columns(frame, ("customer_id", "date", "amount"), analysis="btyd_summary")
    with ThreadPoolExecutor(1) as pool:
        # Arrow and numpy let each other work: telling ids apart takes as long as all the rest before the sort.
        coming = pool.submit(_days_and_money, frame)
        keys, ids = _keys(frame["customer_id"])
    days, money, usable = coming.result()
    usable &= keys >= 0
    if not usable.all():
        raise DataError("unusable_rows", n_rows=int((~usable).sum()), example=frame.index[~usable][0])
    last = int(days.max(initial=0))
    end = last if as_of is None else as_of
    if last > end:
        counted = days <= end
        keys, days, money = keys[counted], days[counted], money[counted]
    recent_from = None if gaps_after is None else end - gaps_after
    return _history(*_purchase_days(keys, days, money), recent_from), ids, end


def _days_and_money(frame: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return each line's day, its money in whole numbers, and whether both can be used."""
    days, amounts = _days(frame["date"]), pd.to_numeric(frame["amount"], errors="coerce").to_numpy("float64")
    sizes = np.abs(amounts)
    usable = sizes <= _LARGEST_AMOUNT
    usable &= ~np.isnat(days)
    if not usable.all():
        return days.view("int64"), np.zeros(len(days), dtype="int64"), usable
    if float(sizes.sum()) * _MONEY >= 2.0**_BITS:
        raise DataError("sum_too_large")
    return days.view("int64"), np.rint(np.multiply(amounts, _MONEY, out=sizes), out=sizes).astype("int64"), usable


def _days(given: pd.Series) -> NDArray[np.datetime64]:
    if pd.api.types.is_numeric_dtype(given):
        # 20260105 would be read as that many nanoseconds after 1970.
        return np.full(len(given), np.datetime64("NaT"), dtype="datetime64[D]")
    try:
        dates = given if given.dtype.kind == "M" else pd.to_datetime(given, errors="coerce")
    except ValueError:  # stamps of several offsets have no common clock
        return np.full(len(given), np.datetime64("NaT"), dtype="datetime64[D]")
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
        codes = (encoded.indices.fill_null(-1) if encoded.null_count else encoded.indices).to_numpy()
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
    """Return customer, day, net money and whether it is a purchase day, for each customer-day in order.

    The arrays given are written over: at millions of lines, memory asked for anew takes longer than sums.
    """
    if len(keys) == 0:
        return keys, days, money, np.zeros(0, dtype=bool)
    first, least = int(days.min()), int(money.min())
    days -= first
    day_bits, money_bits = int(days.max()).bit_length(), (int(money.max()) - least).bit_length()
    place = np.left_shift(keys, day_bits, out=keys)
    place |= days
    if int(place.max()).bit_length() + money_bits < _BITS:
        # Customer, day and money in one number: sorting whole numbers is many times as fast as sorting rows by them.
        money -= least
        place <<= money_bits
        place |= money
        place.sort()
        np.bitwise_and(place, (1 << money_bits) - 1, out=money)
        money += least
        place >>= money_bits
    else:
        order = np.lexsort((money, place))
        money, place = money[order], place[order]
    begins = _begins(place)
    place = place[begins]
    # The largest amount of a day stands last.
    is_purchase = money[_ends(begins, len(money))] >= 0
    sums = _sums(money, begins)
    days = place & ((1 << day_bits) - 1)
    days += first
    place >>= day_bits
    return place, days, sums, is_purchase


def _history(
    keys: NDArray[np.int64],
    days: NDArray[np.int64],
    money: NDArray[np.int64],
    is_purchase: NDArray[np.bool_],
    recent_from: int | None,
) -> dict[str, NDArray[Any]]:
    begins = _begins(keys)
    totals = _sums(money, begins)
    if is_purchase.all():
        starts, first_spend = begins, money[begins]
    else:
        # What comes before a customer's first purchase belongs to none; what follows nets against the latest.
        purchases = is_purchase.astype("int64")
        so_far = np.cumsum(purchases)
        lengths = np.diff(np.r_[begins, len(keys)])
        number = so_far - np.repeat(so_far[begins] - purchases[begins], lengths)
        totals -= _sums(np.where(number == 0, money, 0), begins)
        first_spend = _sums(np.where(number == 1, money, 0), begins)
        bought = _sums(purchases, begins) > 0
        totals, first_spend = totals[bought], first_spend[bought]
        keys, days = keys[is_purchase], days[is_purchase]
        starts = _begins(keys)
    ends = _ends(starts, len(keys))
    intervals = np.diff(days, prepend=0)
    intervals[starts] = 1  # whose log is 0
    logs = np.log(np.arange(1, int(intervals.max(initial=1)) + 1))
    intervals -= 1
    found = {
        "customer_key": keys[starts],
        "first_day": days[starts],
        "last_day": days[ends],
        "frequency": ends - starts,
        "total_amount": totals / _MONEY,
        "repeat_amount": (totals - first_spend) / _MONEY,
        "sum_log_interval": _sums(_whole(logs)[intervals], starts) / _LOG,
    }
    if recent_from is not None:
        intervals += 1
        intervals[starts] = 0
        intervals[days <= recent_from] = 0
        found["recent_gap"] = np.maximum.reduceat(intervals, starts) if len(starts) else starts
    return found


def _whole(logs: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(logs * _LOG).astype("int64")


def _begins(sorted_values: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return where each run of equal values begins."""
    is_first = np.ones(len(sorted_values), dtype=bool)
    np.not_equal(sorted_values[1:], sorted_values[:-1], out=is_first[1:])
    return np.flatnonzero(is_first)


def _ends(begins: NDArray[np.intp], n_values: int) -> NDArray[np.intp]:
    """Return where each run ends."""
    ends = np.empty_like(begins)
    np.subtract(begins[1:], 1, out=ends[:-1])
    ends[-1:] = n_values - 1
    return ends


def _sums(values: NDArray[np.int64], begins: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return the sum of each run: of whole numbers, differences of running sums are exact, and fast."""
    sums: NDArray[np.int64] = np.cumsum(values)[_ends(begins, len(values))]
    sums[1:] -= sums[:-1].copy()
    return sums
