import numpy as np
import pytest

from kehu_analysis.clv.valuation.totals import Moments, law_of_amounts, law_of_many_amounts, law_of_moments

N_DRAWS = 20_000


def lomax_moments(tail: float, n: int) -> Moments:
    """Return those of one of n amounts, what befalls one in a hundred times as many left out."""
    rarest = 1 / (100 * n)
    beyond = np.geomspace(rarest, 1, 20_001)
    middle, step = (beyond[1:] + beyond[:-1]) / 2, np.diff(beyond)
    amount = middle ** (-1 / tail) - 1
    return Moments.of_raw(*(np.full(n, np.sum(amount**order * step)) for order in (1, 2, 3)))


def scales(kind: str, n: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "alike":
        return np.ones(n)
    return np.append(2.0 * n, np.ones(n - 1)) if kind == "one large" else rng.lognormal(0, 2, n)


@pytest.mark.parametrize("kind", ["alike", "one large", "of every size"])
@pytest.mark.parametrize(("tail", "n"), [(1.2, 250), (1.5, 40), (2.5, 5), (4.0, 200)])
def test_sum_of_a_few_amounts_has_the_law_of_its_draws(tail, n, kind):
    # The rarest amount is thousands of times the sum of all: a lattice that held it would not tell the sum.
    rng = np.random.default_rng(3)
    scale, each = scales(kind, n, rng), lomax_moments(tail, n)
    law = law_of_amounts(
        [lambda amount: 1 - (1 + np.maximum(amount, 0.0)) ** -tail] * n,
        scale,
        np.full(n, 1e-7 ** (-1 / tail)),
        Moments(*(column * scale**order for order, column in enumerate(each, 1))),
    )
    drawn = np.zeros(N_DRAWS)
    for size in scale.tolist():
        drawn += size * (rng.random(N_DRAWS) ** (-1 / tail) - 1)
    shares = np.array([0.05, 0.5, 0.95])
    assert law(np.quantile(drawn, shares)) == pytest.approx(shares, abs=0.016)


def test_gains_and_losses_are_summed():
    rng = np.random.default_rng(4)
    scale = np.array([1.0, 1.0, -2.0])
    moments = Moments(np.ones(3) * scale, scale**2, 2 * scale**3)
    law = law_of_amounts([lambda amount: -np.expm1(-np.maximum(amount, 0.0))] * 3, scale, np.full(3, 20.0), moments)
    drawn = rng.exponential(size=(N_DRAWS, 3)) @ scale
    shares = np.array([0.05, 0.5, 0.95])
    assert law(np.quantile(drawn, shares)) == pytest.approx(shares, abs=0.016)


def test_chance_of_nothing_is_exact():
    moments = Moments(np.full(2, 0.1), np.full(2, 0.2), np.full(2, 0.6))
    rarely = [lambda amount: 0.9 + 0.1 * -np.expm1(-np.maximum(amount, 0.0))] * 2
    law = law_of_amounts(rarely, np.ones(2), np.full(2, 20.0), moments)
    assert law(np.array([-1e-9, 0.0])).tolist() == pytest.approx([0.0, 0.81])


def test_sum_of_many_skewed_amounts_has_the_law_of_its_draws():
    # Few of them buy, and some a hundred times what others do: three moments would put the lower bound at the middle.
    rng = np.random.default_rng(5)
    n, tail, buys = 600, 4.0, 0.05
    scale, each = rng.lognormal(0, 1.5, n), lomax_moments(tail, n)
    raw = [each.mean, each.variance + each.mean**2]
    raw.append(each.third + 3 * raw[1] * each.mean - 2 * each.mean**3)
    moments = Moments.of_raw(*(buys * column * scale**order for order, column in enumerate(raw, 1)))

    def law_of(number):
        return lambda amount: np.where(amount >= 0, 1 - buys * (1 + np.maximum(amount, 0.0)) ** -tail, 0.0)

    law = law_of_many_amounts(law_of, scale, np.full(n, 1e-7 ** (-1 / tail)), moments)
    drawn = np.zeros(N_DRAWS)
    for size in scale.tolist():
        drawn += (rng.random(N_DRAWS) < buys) * size * (rng.random(N_DRAWS) ** (-1 / tail) - 1)
    shares = np.array([0.05, 0.5, 0.95])
    assert law(np.quantile(drawn, shares)) == pytest.approx(shares, abs=0.016)
    assert law_of_moments(*(column.sum() for column in moments))(np.quantile(drawn, shares[:1])) < 0.01
