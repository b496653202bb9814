"""What a fit climbs: the log-likelihood of one sample over the places of parameters and coefficients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.fitting.effects import spread, standardising
from kehu_analysis.clv.fitting.maximise import Maximum, maximise
from kehu_analysis.clv.fitting.sample import Sample


class Climbed(Protocol):
    """What an objective asks of the model that it is of."""

    parameter_names: tuple[str, ...]
    max_iterations: int
    tolerance: float

    def log_likelihoods(self, parameters: Sequence[FloatArray], sample: Sample) -> tuple[FloatArray, FloatArray]:
        """Return each row's log-likelihood, (n,), and its derivatives by the parameters, (k, n)."""

    def penalty_weight(self) -> float:
        """Return what half the squared coefficients cost."""


class Objective:
    """The log-likelihood of one sample as a function of log-parameters and coefficients, less what these cost."""

    def __init__(self, model: Climbed, sample: Sample) -> None:
        self.model = model
        self.sample = sample

    def parameters(self, location: FloatArray) -> FloatArray:
        """Return parameters and coefficients."""
        values = location.copy()
        n_positive = len(self.model.parameter_names)
        values[:n_positive] = np.exp(values[:n_positive])
        return values

    def __call__(self, location: FloatArray) -> tuple[float, FloatArray]:
        """Return it, less what coefficients cost, and its gradient."""
        values = self.parameters(location)
        n_positive = len(self.model.parameter_names)
        by_row = spread(values, self.sample.effects, n_positive, endless=True)
        each, derivatives = self.model.log_likelihoods(by_row, self.sample)
        # Plain sums, not the matrix product: its threads cost more than the work and may change the last bit.
        weight = self.sample.weight
        gradient = np.zeros(len(location))
        gradient[:n_positive] = [
            np.sum(slope * (weight * parameter)) for slope, parameter in zip(derivatives, by_row, strict=True)
        ]
        for effect in self.sample.effects:
            slope = effect.sign * derivatives[effect.parameter] * by_row[effect.parameter] * weight
            np.add.at(gradient, n_positive + effect.places, np.sum(effect.covariates * slope[:, None], axis=0))
        gradient[n_positive:] -= self.model.penalty_weight() * location[n_positive:]
        return float(np.sum(each * weight)) - self.penalty(location), gradient

    def climb(
        self, start: FloatArray, curvature: FloatArray | None = None, centre: FloatArray | None = None
    ) -> Maximum:
        """Return the maximum that a search from ``start`` finds, whatever the units and origins of covariates."""
        iterations, tolerance = self.model.max_iterations, self.model.tolerance
        if not self.sample.effects:
            return maximise(
                self, start, max_iterations=iterations, tolerance=tolerance, curvature=curvature, centre=centre
            )
        turn = standardising(self.sample.effects, self.sample.weight, len(self.model.parameter_names), len(start))

        def turned(place: FloatArray) -> tuple[float, FloatArray]:
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # a step too far is halved
                value, gradient = self(turn @ place)
            return value, turn.T @ gradient

        top = maximise(
            turned,
            np.asarray(np.linalg.solve(turn, start), dtype=np.float64),
            max_iterations=iterations,
            tolerance=tolerance,
        )
        return replace(top, location=turn @ top.location, covariance=turn @ top.covariance @ turn.T)

    def penalty(self, location: FloatArray) -> float:
        """Return what the coefficients cost."""
        coefficients = location[len(self.model.parameter_names) :]
        return self.model.penalty_weight() * float(np.sum(coefficients**2)) / 2
