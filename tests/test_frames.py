import numpy as np
import pandas as pd
import pytest

from kehu_analysis.errors import DataError, InsufficientDataError
from kehu_analysis.frames import check_columns, check_numbers, check_unique


def test_missing_columns_are_named_with_what_there_is():
    with pytest.raises(DataError, match=r"lacks amount, month\. It has: customer_id"):
        check_columns(pd.DataFrame({"customer_id": ["a"]}), ("customer_id", "amount", "month"), analysis="demo")


def test_an_empty_frame_is_insufficient_not_wrong():
    with pytest.raises(InsufficientDataError):
        check_columns(pd.DataFrame({"amount": []}), ("amount",), analysis="demo")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, "many", None])
def test_a_bad_number_names_its_customer(bad):
    frame = pd.DataFrame({"customer_id": ["007", "008"], "T": [1.0, bad]})
    with pytest.raises(DataError, match="column T holds no sound number in 1 row \\(customers 008"):
        check_numbers(frame, ("T",), analysis="demo", at_least=0)


def test_repeated_and_missing_ids_are_refused():
    frame = pd.DataFrame({"customer_id": ["a", "a", None]})
    with pytest.raises(DataError, match="3 rows"):
        check_unique(frame, "customer_id", analysis="demo")
