import pytest

from kehu_analysis.errors import UsageError
from kehu_analysis.workbook.chapters import CHAPTERS
from kehu_analysis.workbook.parameters import LoyaltyParameters, read_assignments, share_out

SCHEMAS = {chapter.name: chapter.parameters for chapter in CHAPTERS}


@pytest.mark.parametrize(
    "parameters",
    [
        {"grade_months": 2},
        {"grade_months": 3.5},
        {"grade_months": "3"},
        {"grade_standards": [0.95, 0.80]},
        {"grade_standards": [0.8, 0.8]},
        {"grade_standards": [0.8, 1.2]},
        {"grade_standards": []},
        {"grade_by": "amount", "grade_standards": [100.0, 300.0]},
        {"grade_by": "rank", "grade_standards": [1.5]},
        {"grade_by": "size"},
        {"interval": 1.5},
        {"horizon_quarters": 0},
        {"lang": "fr"},
        {"quarter": "2026"},
    ],
)
def test_values_that_do_not_fit(parameters):
    with pytest.raises(UsageError):
        share_out(parameters, SCHEMAS)


def test_values_that_fit():
    told = share_out({"grade_by": "amount", "grade_standards": [300.0, 100.0], "seed": 5}, SCHEMAS)
    assert told["segmentation"] == {"grade_by": "amount", "grade_standards": [300.0, 100.0]}
    assert told["lifetime_value"] == {"seed": 5}


def test_unknown_parameter_lists_the_known():
    with pytest.raises(UsageError, match="grade_months"):
        share_out({"grade_month": 3}, SCHEMAS)


def test_parameter_of_a_chapter_that_is_left_out_is_unknown():
    with pytest.raises(UsageError):
        share_out({"grade_months": 3}, {"loyalty": LoyaltyParameters})


def test_assignments():
    assert read_assignments(["a=1", "b = 0.5", 'c="x"', "d=x y", "e=[1, 2]", "f=true"]) == {
        "a": 1, "b": 0.5, "c": "x", "d": "x y", "e": [1, 2], "f": True,
    }  # fmt: skip
    with pytest.raises(UsageError):
        read_assignments(["=1"])
