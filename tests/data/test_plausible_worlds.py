"""Files as offices write them, from seeds: the truth is read, or what is wrong is told and can be mended as it says."""

from collections import Counter

import pytest

from benchmarks.malformed_outcome import examine
from benchmarks.plausible_cases import FEATURES, plausible_case
from tests.scale import at_scale, scaled

#: The odd seeds are plausible; those of ``make test-long`` end where the benchmark's begin.
SEEDS = range(1, at_scale(500, 2_000), 2)


@scaled
@pytest.mark.parametrize("part", range(5))
def test_no_wrong_total_is_accepted_in_silence(part):
    outcomes = [examine(seed) for seed in SEEDS[part::5]]
    assert {one.seed: (one.mutations, one.faults) for one in outcomes if one.faults} == {}
    # Both are met: what is read rightly at once, and what is read rightly after what the check says is done.
    at_once = Counter(one.n_answers == 0 for one in outcomes)
    assert min(at_once[True], at_once[False]) > len(outcomes) / 5


def test_every_feature_is_drawn():
    drawn = {name for seed in range(1, 1000, 2) for name in plausible_case(seed).mutations}
    assert set(FEATURES) - drawn == set()


def test_a_seed_gives_the_same_files_and_the_same_truth():
    first, second = (plausible_case(7) for _ in range(2))
    assert [file.content for file in first.files] == [file.content for file in second.files]
    assert first.truth == second.truth


def test_what_is_read_wrongly_is_a_fault(monkeypatch):
    cases = (plausible_case(seed) for seed in range(1, 4000, 2))
    only_units = (case for case in cases if case.mutations == ["unit in header"])
    seed = next(case.seed for case in only_units if max(amount for *_, amount in case.truth.lines) > 10_000)
    assert examine(seed).faults == []
    monkeypatch.setattr("kehu_analysis.data.checking.money_units.unit_of_header", lambda _: None)
    (fault,) = examine(seed).faults
    assert fault.startswith("in silence")
