"""The benchmark of memory writes workbooks that are read, and finds what does not hold."""

from dataclasses import replace

from benchmarks.workbook_memory import CASES, Checked, column_name, faults, packed, sales, wide, write_workbook
from kehu_analysis.data import check_dataset


def test_its_workbooks_are_read(tmp_path):
    for number, rows in enumerate((sales(30, 2), wide(30, 50), packed(3))):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_workbook(folder / "transactions.xlsx", rows)
        dataset = check_dataset(folder, cache=tmp_path / "cache")
        assert dataset.line_classes()["n_lines"].tolist() == [3 if number == 2 else 30]
    assert [column_name(number) for number in (1, 26, 27, 16_384)] == ["A", "Z", "AA", "XFD"]


def test_what_does_not_hold_is_a_fault():
    case = CASES[0]
    sound = Checked(file_bytes=1, peak_bytes=int(case.most_bytes), seconds=1.0, is_read=case.is_read, in_words=True)
    assert faults(case, sound) == []
    assert faults(case, replace(sound, peak_bytes=sound.peak_bytes + 10**8)) == ["took 2.10 GB"]
    assert faults(case, replace(sound, is_read=False, in_words=False)) == ["was not read", "ended without words"]
