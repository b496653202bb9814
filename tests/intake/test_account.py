"""What a check says on the terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kehu_analysis.data import Dataset
from kehu_analysis.intake.account import MAX_FAILURES, account_lines, next_steps, printable, shown, tables_to_mend


def test_failures_stand_in_one_list_most_serious_first(dirty: Dataset) -> None:
    lines = account_lines(dirty, "en")
    found = lines[lines.index("What was found (most serious first)") + 1 :]
    assert "  Error: transactions.csv, date: not a date, 9 lines; first in row 151; e.g. “never”" in found
    assert "  Error: customers.csv, customer_id: a repeated key, 1 line; first in row 3; e.g. “00001”" in found
    [many] = [line for line in found if "many" in line]
    assert many.startswith("  Warning: transactions.csv, quantity: not a number, 1 line")
    severities = [line.split(":")[0].strip() for line in found]
    assert severities == sorted(severities)
    assert len(found) == len(dirty.failures()) <= MAX_FAILURES


def test_transactions_come_first_and_every_class_is_told(dirty: Dataset) -> None:
    lines = account_lines(dirty, "zh")
    assert lines[0] == "表 transactions（transactions.csv）"
    assert "  按规则排除 (<i>邮费</i>)：1 行, 5.50 CNY" in lines
    assert any(line.startswith("  未归户：1 行") for line in lines)
    assert "  未使用的列：<b onclick=x>&, =1+1" in lines
    assert tables_to_mend(dirty) == ["transactions", "customers"]


def test_what_to_do_next(dirty: Dataset) -> None:
    steps = next_steps(dirty, "en", workbook="there/rejected.xlsx")
    assert "there/rejected.xlsx" in steps[0]
    assert "transactions-mended.xlsx, customers-mended.xlsx" in steps[0]
    assert len(steps) == 3


def test_nothing_to_do(check) -> None:
    dataset = check(transactions__csv="customer_id,date,amount\n1,2026-01-05,1\n2,2026-01-06,2\n3,2026-01-07,1\n")
    assert next_steps(dataset, "zh", workbook="") == []
    assert len(account_lines(dataset, "zh")) == 2


@pytest.mark.parametrize(("text", "seen"), [("a\nb", "a⏎b"), ("\x1b[2J", "\ufffd[2J"), ("\u202exe", "\ufffdxe")])
def test_values_steer_nothing(text: str, seen: str) -> None:
    assert shown(text) == seen


@given(st.text())
def test_every_text_can_be_shown(text: str) -> None:
    assert len(shown(text, 10)) <= 11
    assert printable(printable(text)) == printable(text)
    printable(text).encode()
