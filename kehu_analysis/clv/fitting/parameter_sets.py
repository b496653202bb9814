"""Sets of parameters that the data allow, of several models at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.fitting.sample import Sample
from kehu_analysis.clv.numerics.quasi_random import normal_blocks

#: So many times as many points as sets are tried where most are unlikely.
_BLOCKS = 6


class Uncertain(Protocol):
    """What is asked of a fitted model: its parameters at so many standard normal numbers from the fit."""

    def n_uncertain(self) -> int:
        """Return how many numbers it takes."""

    def parameters_at(self, scores: FloatArray) -> FloatArray:
        """Return parameters, (n, k), at ``scores``, (n, n_uncertain)."""

    def are_likely(self, parameters: FloatArray, sample: Sample | None) -> np.ndarray:
        """Tell which sets, (n, k), the data allow."""


def draw_parameter_sets(
    models: Sequence[Uncertain], draws: int, rng: np.random.Generator, samples: Sequence[Sample | None]
) -> list[FloatArray]:
    """Draw from the normal approximations of several models, evenly in all their parameters together.

    Parameters
    ----------
    models
        Fitted, independent of one another.
    draws
        Number of sets.
    rng
        Generator.
    samples
        What each was fitted to, where sets are to be held against it.

    Returns
    -------
    Of each model an array of shape (draws, k). Where too few of the points tried are likely, the fits stand in.
    """
    sizes = [model.n_uncertain() for model in models]
    kept: list[list[FloatArray]] = [[] for _ in models]
    n_kept, blocks = 0, normal_blocks(draws, max(sum(sizes), 1), rng)
    for _ in range(_BLOCKS):
        scores = np.split(next(blocks)[:, : sum(sizes)], np.cumsum(sizes)[:-1], axis=1)
        sets = [model.parameters_at(own) for model, own in zip(models, scores, strict=True)]
        likely = [model.are_likely(own, sample) for model, own, sample in zip(models, sets, samples, strict=True)]
        rows = np.flatnonzero(np.logical_and.reduce(likely))
        for own, found in zip(kept, sets, strict=True):
            own.append(found[rows])
        n_kept += len(rows)
        if n_kept >= draws:
            break
    for own, model, size in zip(kept, models, sizes, strict=True):
        own.append(model.parameters_at(np.zeros((max(draws - n_kept, 0), size))))
    return [np.concatenate(own)[:draws] for own in kept]
