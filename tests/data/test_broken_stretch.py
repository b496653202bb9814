"""Long stretches of broken lines: every line is counted, or the file is refused; never is the rest of it left out."""

import pytest

from kehu_analysis.data.reading import delimited
from kehu_analysis.errors import DataError

#: Told by make test-long.
pytestmark = pytest.mark.long

HEADER = "customer_id,date,amount\n"
SOUND = "1,2026-01-05,1\n"
BROKEN = f"1,{'x' * 200}\n"


def classes(dataset):
    return dataset.line_classes().groupby("line_class")["n_lines"].sum().to_dict()


@pytest.mark.parametrize("n_broken", [10, 3_000, pytest.param(30_000, marks=pytest.mark.long)])
def test_broken_lines_between_sound_ones_are_all_counted(check, n_broken):
    dataset = check(transactions=HEADER + SOUND * 500_000 + BROKEN * n_broken + SOUND * 100_000)
    assert classes(dataset) == {"accepted": 600_000, "rejected": n_broken}


def test_a_block_without_a_sound_line_is_not_the_end_of_the_file(check):
    text = HEADER + SOUND + BROKEN * 45_000 + SOUND
    assert classes(check(transactions=text)) == {"accepted": 2, "rejected": 45_000}


def test_what_no_block_helps_with_is_refused(check, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCKS", (8_000_000,))
    with pytest.raises(DataError) as error:
        check(transactions=HEADER + SOUND + BROKEN * 45_000 + SOUND)
    assert error.value.code == "broken_stretch"
    assert "transactions.csv" in error.value.message("zh")


def test_line_ends_within_values_do_not_count_as_lines(check):
    text = HEADER + '"1\n2",2026-01-05,1\n' * 450_000 + '"a\nb"\n' * 9 + SOUND
    assert classes(check(transactions=text)) == {"accepted": 450_001, "rejected": 9}


def test_more_broken_lines_than_can_be_kept(check, monkeypatch):
    monkeypatch.setattr(delimited, "_MOST_BROKEN", 20)
    with pytest.raises(DataError) as error:
        check(transactions=HEADER + SOUND + BROKEN * 21 + SOUND)
    assert error.value.code == "broken_stretch"


def test_what_a_field_without_end_held_is_looked_at_before_it_is_read(check, monkeypatch):
    # Each broken line takes kilobytes of memory while it is read: very many are found out by a simpler reader.
    monkeypatch.setattr(delimited, "_MOST_BROKEN", 1000)
    readings = []
    monkeypatch.setattr(delimited, "_refuse_too_many", lambda *_: readings.append(1))
    for text, n_readings in (("a,b\n" * 2000, 0), ('1,2026-01-05,"' + "a,b\n" * 600_000, 1)):
        readings.clear()
        with pytest.raises(DataError) as error:
            check(transactions=HEADER + SOUND + text)
        assert error.value.code == "broken_stretch"
        assert len(readings) == n_readings


def test_delimiters_and_line_ends_within_values_are_no_other_form(check, monkeypatch):
    monkeypatch.setattr(delimited, "_MOST_BROKEN", 100)
    text = HEADER + '"1,2\n3",2026-01-05,1\n' * 500
    assert classes(check(transactions=text)) == {"accepted": 500}
