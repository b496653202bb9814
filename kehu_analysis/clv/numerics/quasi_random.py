"""Standard normal numbers that fill space evenly, so that a mean over few of them is near that over all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import special
from scipy.stats import qmc

from kehu_analysis.clv.arrays import FloatArray

#: No number lies further out than 6.3.
_END = 2.0**-33


def normal_blocks(n: int, n_dimensions: int, rng: np.random.Generator) -> Iterator[FloatArray]:
    """Yield standard normal points, (at least n, n_dimensions), and as many again, twice as many, and so on.

    A scrambled Sobol sequence through the inverse of the normal distribution: the numbers themselves depend on the
    generator alone, so that what is computed from them moves with its parameters without a jump.

    Examples
    --------
    >>> block = next(normal_blocks(500, 3, np.random.default_rng(1)))
    >>> block.shape, bool(np.abs(block.mean(axis=0)).max() < 0.003)
    ((512, 3), True)
    """
    engine = qmc.Sobol(n_dimensions, scramble=True, rng=rng)
    exponent = max(int(np.ceil(np.log2(n))), 0)
    for power in (exponent, *range(exponent, 64)):
        uniform = np.clip(engine.random_base2(power), _END, 1 - _END)
        yield np.asarray(special.ndtri(uniform), dtype=np.float64)
