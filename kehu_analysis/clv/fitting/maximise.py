"""Finding the maximum of a log-likelihood, and being sure that it is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kehu_analysis.clv.arrays import FloatArray

Objective = Callable[[FloatArray], tuple[float, FloatArray]]

#: A log-parameter stays this close to its start (a factor of 8,000). One that ends there is on its way to zero
#: or infinity, and going on would change neither the log-likelihood nor any prediction by much.
_FURTHEST = 9.0
_DIFFERENCE = 1e-4
_HALVINGS = 40
#: A curvature below this share of the largest might have the other sign.
_FLAT = 1e-3
#: This near to the boundary is on it.
_ROUNDING = 1e-9
_POLISHING_STEPS = 2
#: While a step leaves no more than this share of the gradient, the curvature that it was taken with is good enough.
_SHRINKING = 0.1
#: Standard errors between two places whose curvatures count as one and the same.
_NEAR = 1e-3
#: A parameter that moves by more than this share of the way of one beyond the boundary moves with it.
_TIED = 0.5


@dataclass(frozen=True)
class Maximum:
    """Where the search ended.

    Attributes
    ----------
    location
        Log-parameters, shape (k,).
    value
        Log-likelihood there.
    covariance
        Inverse of minus the Hessian in log-parameters, shape (k, k); 0 for those at the limit of the search, given
        which the others' are.
    at_boundary
        Which log-parameters ended at the limit of the search, or would go on with one that did (where only a ratio
        is known, both of its terms), or could be anywhere within the limits as far as their standard deviation
        tells; shape (k,).
    scaled_gradient
        Length of the gradient measured in standard errors, the root of g' I^-1 g, leaving out what points
        beyond the boundary; infinite where the surface is not concave.
    curvature
        Minus the Hessian, shape (k, k), as it was last taken.
    evaluations
        Of the log-likelihood and its gradient.
    converged
        The scaled gradient is below the tolerance.
    """

    location: FloatArray
    value: float
    covariance: FloatArray
    at_boundary: npt.NDArray[np.bool_]
    scaled_gradient: float
    curvature: FloatArray
    evaluations: int
    converged: bool


class _Counted:
    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.calls = 0

    def __call__(self, location: FloatArray) -> tuple[float, FloatArray]:
        self.calls += 1
        return self.objective(location)


def maximise(
    objective: Objective,
    start: FloatArray,
    *,
    max_iterations: int,
    tolerance: float,
    curvature: FloatArray | None = None,
    roughly: bool = False,
    centre: FloatArray | None = None,
) -> Maximum:
    """Climb to the maximum by Newton steps, halved where they overshoot, and judge the place reached.

    The Hessian is taken from differences of the analytic gradient, and kept as long as steps with it shrink the
    gradient tenfold. With a handful of parameters this needs fewer seconds than a quasi-Newton search, whose
    bookkeeping outweighs the log-likelihood.

    Parameters
    ----------
    objective
        Log-parameters, shape (k,), to the log-likelihood and its gradient, shape (k,).
    start
        First log-parameters, shape (k,).
    max_iterations
        Largest number of steps.
    tolerance
        Largest scaled gradient of a maximum. The log-likelihood is then within tolerance² / 2 of it.
    curvature
        Minus the Hessian near the start, where it is known, shape (k, k): the first steps are made with it.
    roughly
        Whether the first place within the tolerance will do, judged by the differences at hand.
    centre
        Of the region that is searched, shape (k,); by default the start.

    Returns
    -------
    Maximum
        Within e^9 of the centre in every parameter: the place itself, or the point of that boundary where the
        log-likelihood is largest.

    Examples
    --------
    >>> def parabola(x):
    ...     return -float((x - 2) @ (x - 2)), -2 * (x - 2)
    >>> top = maximise(parabola, np.zeros(2), max_iterations=50, tolerance=1e-8)
    >>> top.converged, top.location.round(6).tolist()
    (True, [2.0, 2.0])
    """
    climb = _Climb(objective, start, tolerance, curvature, roughly=roughly, centre=centre)
    for remaining in range(max(max_iterations, 0), -1, -1):
        climb.look(is_last=not remaining)
        if climb.is_at_top() or not remaining or not climb.step():
            break
    return climb.maximum()


class _Climb:
    # Where a climb is, the curvature that its steps are made with, and how far from there that was taken.

    def __init__(
        self,
        objective: Objective,
        start: FloatArray,
        tolerance: float,
        curvature: FloatArray | None,
        *,
        roughly: bool,
        centre: FloatArray | None,
    ) -> None:
        self._counted = _Counted(objective)
        middle = start if centre is None else centre
        self._low, self._high = middle - _FURTHEST, middle + _FURTHEST
        self._tolerance, self._roughly = tolerance, roughly
        self._location = start
        self._value, self._gradient = self._counted(start)
        self._distance = np.inf if curvature is None else 0.0
        self._curvature = np.zeros((len(start), len(start))) if curvature is None else curvature
        self._polished, self._scaled, self._is_rough, self._was_flat = 0, np.inf, True, False

    def look(self, *, is_last: bool) -> None:
        """Measure the gradient in standard errors, by another curvature where the one at hand no longer serves."""
        self._at_boundary = ((self._location <= self._low + _ROUNDING) & (self._gradient < 0)) | (
            (self._location >= self._high - _ROUNDING) & (self._gradient > 0)
        )
        self._free = np.flatnonzero(~self._at_boundary)
        before, self._scaled = self._scaled, np.inf
        if np.isfinite(self._distance):
            self._scaled = self._measured()
        is_slow = not np.isfinite(self._scaled) or self._scaled > max(_SHRINKING * before, self._tolerance)
        is_judged = (self._scaled < self._tolerance or is_last) and not self._roughly
        if is_slow or (is_judged and (self._is_rough or self._distance > _NEAR)):
            self._take_curvature(precisely=self._was_flat or is_judged)
        # Each step squares what is left, so that a few more reach the last bit.
        self._polished += self._scaled < self._tolerance

    def is_at_top(self) -> bool:
        """Tell whether there is nothing left to climb."""
        return self._polished > (0 if self._roughly else _POLISHING_STEPS) or not len(self._free)

    def step(self) -> bool:
        """Go on uphill; tell whether that was possible."""
        way = _step(self._location, self._gradient, self._curvature, self._free, self._low, self._high)
        better = _first_better(self._counted, self._location, way, self._value)
        if better is None:
            return False
        # On a ridge that hardly rises, steps lead on and on.
        is_slack = self._roughly and better[1] - self._value < self._tolerance**2 / 2
        self._location, self._value, self._gradient = better
        return not is_slack

    def maximum(self) -> Maximum:
        """Judge the place reached."""
        size, free, at_boundary = len(self._location), self._free, self._at_boundary
        converged = self._scaled < self._tolerance
        covariance = np.zeros((size, size))
        if converged:
            covariance[np.ix_(free, free)] = np.linalg.inv(self._of_free())
            # How far each free one would move if those at the limit could.
            follows = covariance @ np.where(at_boundary, self._curvature, 0.0)
            unknown = np.sqrt(np.diag(covariance)) > _FURTHEST
            at_boundary = at_boundary | (np.abs(follows) > _TIED).any(axis=1) | unknown
        return Maximum(
            self._location,
            self._value,
            covariance,
            at_boundary,
            self._scaled,
            self._curvature,
            self._counted.calls,
            converged,
        )

    def _take_curvature(self, *, precisely: bool) -> None:
        for self._is_rough in (False,) if precisely else (True, False):
            self._curvature = _information(self._counted, self._location, self._gradient if self._is_rough else None)
            self._scaled = self._distance = self._measured()
            self._was_flat = len(self._free) > 0 and _is_flat(self._of_free())
            # On the way half the differences do; to judge a place, or a shape that is hardly concave, they do not.
            if self._scaled >= self._tolerance and not self._was_flat:
                break

    def _of_free(self) -> FloatArray:
        return self._curvature[np.ix_(self._free, self._free)]

    def _measured(self) -> float:
        return _scaled_gradient(self._gradient[self._free], self._of_free())


def _information(objective: Objective, location: FloatArray, gradient: FloatArray | None) -> FloatArray:
    # From differences to one side of a known gradient, else to both sides.
    size = len(location)
    rows = np.empty((size, size))
    for i in range(size):
        step = np.zeros(size)
        step[i] = _DIFFERENCE
        if gradient is not None:
            rows[i] = (gradient - objective(location + step)[1]) / _DIFFERENCE
        else:
            rows[i] = (objective(location - step)[1] - objective(location + step)[1]) / (2 * _DIFFERENCE)
    return np.asarray((rows + rows.T) / 2)


def _is_flat(information: FloatArray) -> bool:
    curvature = np.linalg.eigvalsh(information)
    return bool(np.abs(curvature).min() < _FLAT * np.abs(curvature).max())


def _scaled_gradient(gradient: FloatArray, information: FloatArray) -> float:
    if not len(gradient):
        return 0.0
    curvature, axes = np.linalg.eigh(information)
    if curvature[0] <= 0:
        return float("inf")
    return float(np.sqrt(np.sum((axes.T @ gradient) ** 2 / curvature)))


def _step(
    location: FloatArray,
    gradient: FloatArray,
    curvature: FloatArray,
    free: npt.NDArray[np.intp],
    low: FloatArray,
    high: FloatArray,
) -> FloatArray:
    # Uphill as far as the boundary, and along it where the way leads out.
    step = np.zeros(len(location))
    while len(free):
        step[:] = 0
        step[free] = _uphill(gradient[free], curvature[np.ix_(free, free)])
        out = ((location <= low + _ROUNDING) & (step < 0)) | ((location >= high - _ROUNDING) & (step > 0))
        if not out.any():
            break
        free = np.setdiff1d(free, np.flatnonzero(out))
        step[out] = 0
    room = np.where(step < 0, low - location, high - location)
    reach = np.divide(room, step, out=np.ones(len(step)), where=step != 0)
    return step * min(1.0, float(reach.min()))


def _uphill(gradient: FloatArray, information: FloatArray) -> FloatArray:
    # Where the surface is not concave, turning every curvature positive still leads uphill.
    curvature, axes = np.linalg.eigh(information)
    firm = np.maximum(np.abs(curvature), 1e-10 * np.abs(curvature).max() + 1e-300)
    step = np.asarray(axes @ ((axes.T @ gradient) / firm), dtype=float)
    return step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))


def _first_better(
    objective: Objective, location: FloatArray, step: FloatArray, value: float
) -> tuple[FloatArray, float, FloatArray] | None:
    # Near the top the gain is below the last bit of the sum, so a loss of that size is no loss.
    rounding = 1e-13 * abs(value)
    for halving in range(_HALVINGS):
        candidate = location + step / 2**halving
        new_value, new_gradient = objective(candidate)
        if np.isfinite(new_value) and new_value >= value - rounding:
            return candidate, new_value, new_gradient
    return None
