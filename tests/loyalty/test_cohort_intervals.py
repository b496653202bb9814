import numpy as np
import pytest
from scipy import stats

from kehu_analysis import open_dataset
from kehu_analysis.loyalty.cohort_intervals import mean_rate_intervals, next_cohort_interval, trend_interval
from kehu_analysis.loyalty.retention import cohort_retention
from kehu_analysis.simulate import simulate_company
from kehu_analysis.summaries import cohorts
from tests.demo import ROOT
from tests.scale import at_scale, scaled


@pytest.mark.parametrize("size", [20, 200])
def test_the_next_cohort_against_the_exact_beta_binomial(size):
    """A fine grid of the same prior, with scipy's beta-binomial in place of the beta of the same mean and variance."""
    n_active, n_customers = np.array([60.0, 66, 48, 70, 62, 55]), np.array([100.0, 90, 80, 110, 100, 90])
    rates, roots = (np.arange(400) + 0.5) / 400, (np.arange(80) + 0.5) / 80 * 0.7
    rate, root = (grid.ravel() for grid in np.meshgrid(rates, roots, indexing="ij"))
    a, b = rate * (1 / root**2 - 1), (1 - rate) * (1 / root**2 - 1)
    logs = -0.5 * np.log(rate * (1 - rate))
    for active, customers in zip(n_active, n_customers, strict=True):
        logs = logs + stats.betabinom.logpmf(active, customers, a, b)
    weights = np.exp(logs - logs.max())
    kept = weights > 1e-6
    share = stats.betabinom.pmf(np.arange(size + 1)[:, None], size, a[kept], b[kept]) @ weights[kept]
    cumulative = np.cumsum(share / share.sum())
    low, high = (np.searchsorted(cumulative, tail) / size for tail in (0.05, 0.95))
    found = next_cohort_interval(n_active, n_customers, size, interval=0.9)
    assert found == pytest.approx((low, high), abs=1.01 / size + 0.005)


def test_there_is_none_of_fewer_than_five_cohorts():
    four = np.full(4, 30.0), np.full(4, 50.0)
    assert np.isnan(next_cohort_interval(*four, 50, interval=0.9)).all()
    assert np.isnan(trend_interval(np.arange(4.0), *four, interval=0.9)).all()
    limits = mean_rate_intervals(four[0][:, None], four[1], interval=0.9, rng=np.random.default_rng(0))
    assert np.isnan(limits).all()


@pytest.mark.parametrize("active", [0.0, 50.0])
def test_all_or_none_bought(active):
    low, high = next_cohort_interval(np.full(6, active), np.full(6, 50.0), 50, interval=0.9)
    assert (low, high) == ((0.0, high) if active == 0 else (low, 1.0))
    assert high - low < 0.2


def test_large_cohorts_that_hardly_differ_are_told_finely():
    low, high = next_cohort_interval(np.full(8, 46_000.0), np.full(8, 200_000.0), 200_000, interval=0.9)
    assert low < 0.23 < high
    assert high - low < 0.01


@scaled
def test_the_next_cohort_holds_what_came(tmp_path):
    """Each cohort from those before it, at each age that five have reached; shipped company and 20 seeds."""
    inside = held(cohorts(open_dataset(ROOT / "data" / "demo")))
    for seed in range(at_scale(0, 20)):
        folder = tmp_path / str(seed)
        folder.mkdir()
        simulate_company(seed=500 + seed)["transactions"].to_parquet(folder / "transactions.parquet")
        inside += held(cohorts(open_dataset(folder, cache=folder / "cache")))
    assert len(inside) >= at_scale(10, 300)
    assert 0.8 <= np.mean(inside) <= 1


def held(frame):
    """Return whether each cohort's rate lay in the interval for it, made from the cohorts before it."""
    inside = []
    frame = frame[frame["cohort"] > frame["cohort"].min()]
    for _, cells in frame[frame["age"] > 0].groupby("age"):
        active, sizes = (
            cells.sort_values("cohort")[name].to_numpy(dtype=float) for name in ("n_active", "n_customers")
        )
        for place in range(5, len(active)):
            low, high = next_cohort_interval(active[:place], sizes[:place], int(sizes[place]), interval=0.9)
            inside.append(low <= active[place] / sizes[place] <= high)
    return inside


def test_one_cohort_has_no_next_one():
    finding = cohort_retention(
        cohorts(open_dataset(ROOT / "data" / "cdnow")), as_of=open_dataset(ROOT / "data" / "cdnow").last_date
    )
    assert "too_few_cohorts" in finding.notes
    assert finding.facts["next_1_low"].value is None
    assert "fewer than 5" in " ".join(finding.note_texts("en"))
