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
    counted = _Counted(objective)
    middle = start if centre is None else centre
    low, high = middle - _FURTHEST, middle + _FURTHEST
    location = start
    value, gradient = counted(location)
    distance = np.inf if curvature is None else 0.0
    curvature = np.zeros((len(start), len(start))) if curvature is None else curvature
    polished, scaled, is_rough, was_flat = 0, np.inf, True, False
    for remaining in range(max(max_iterations, 0), -1, -1):
        at_boundary = ((location <= low + _ROUNDING) & (gradient < 0)) | (
            (location >= high - _ROUNDING) & (gradient > 0)
        )
        free = np.flatnonzero(~at_boundary)
        before, scaled = scaled, np.inf
        if np.isfinite(distance):
            scaled = _scaled_gradient(gradient[free], curvature[np.ix_(free, free)])
        is_slow = not np.isfinite(scaled) or scaled > max(_SHRINKING * before, tolerance)
        is_last = scaled < tolerance or not remaining
        if is_slow or (is_last and not roughly and (is_rough or distance > _NEAR)):
            for is_rough in (False,) if was_flat or (is_last and not roughly) else (True, False):
                curvature = _information(counted, location, gradient if is_rough else None)
                scaled = distance = _scaled_gradient(gradient[free], curvature[np.ix_(free, free)])
                was_flat = len(free) > 0 and _is_flat(curvature[np.ix_(free, free)])
                # On the way half the differences do; to judge a place, or a shape that is hardly concave, they do not.
                if scaled >= tolerance and not was_flat:
                    break
        information = curvature[np.ix_(free, free)]
        # Each step squares what is left, so that a few more reach the last bit.
        polished += scaled < tolerance
        if polished > (0 if roughly else _POLISHING_STEPS) or not remaining or not len(free):
            break
        better = _first_better(counted, location, _step(location, gradient, curvature, free, low, high), value)
        if better is None:
            break
        gain = better[1] - value
        location, value, gradient = better
        if roughly and gain < tolerance**2 / 2:  # on a ridge that hardly rises, steps lead on and on
            break
    converged = scaled < tolerance
    covariance = np.zeros((len(location), len(location)))
    if converged:
        covariance[np.ix_(free, free)] = np.linalg.inv(information)
        # How far each free one would move if those at the limit could.
        follows = covariance @ np.where(at_boundary, curvature, 0.0)
        unknown = np.sqrt(np.diag(covariance)) > _FURTHEST
        at_boundary = at_boundary | (np.abs(follows) > _TIED).any(axis=1) | unknown
    return Maximum(location, value, covariance, at_boundary, scaled, curvature, counted.calls, converged)


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
