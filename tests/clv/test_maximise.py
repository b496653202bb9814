"""The search for a maximum: what it says of parameters that the data leave open."""

import numpy as np
import pytest

from kehu_analysis.clv.fitting.maximise import maximise


def top_of(objective, size):
    top = maximise(objective, np.zeros(size), max_iterations=100, tolerance=1e-6)
    assert top.converged
    return top


def test_what_follows_a_parameter_to_the_limit_is_at_the_boundary_too():
    # The first has no maximum, the second keeps its distance from it, the third stands by itself.
    def objective(x):
        value = -np.exp(-x[0]) - (x[0] - x[1] - 1) ** 2 - 2 * (x[2] - 0.5) ** 2
        by = [np.exp(-x[0]) - 2 * (x[0] - x[1] - 1), 2 * (x[0] - x[1] - 1), -4 * (x[2] - 0.5)]
        return float(value), np.array(by)

    top = top_of(objective, 3)
    assert top.at_boundary.tolist() == [True, True, False]
    assert top.location[0] - top.location[1] == pytest.approx(1, abs=1e-3)
    assert np.diag(top.covariance) == pytest.approx([0, 0.5, 0.25], rel=1e-3)


@pytest.mark.parametrize(("deviation", "at_boundary"), [(5.0, False), (500.0, True)])
def test_a_parameter_that_could_be_anywhere_is_at_the_boundary(deviation, at_boundary):
    def objective(x):
        return float(-((x[0] - 1) ** 2) / 2 - (x[1] / deviation) ** 2 / 2), np.array([1 - x[0], -x[1] / deviation**2])

    top = top_of(objective, 2)
    assert top.at_boundary.tolist() == [False, at_boundary]
    assert np.sqrt(np.diag(top.covariance)) == pytest.approx([1, deviation], rel=1e-3)


def test_the_covariance_is_that_of_the_maximum_and_few_evaluations_lead_there():
    # Far from quadratic: the curvature of the way there is not that at the top, exp(1) and 4.
    def objective(x):
        value = x[0] - np.exp(x[0] - 1) / np.exp(-1) - 2 * (x[1] - x[0]) ** 2
        by = [1 - np.exp(x[0] - 1) / np.exp(-1) + 4 * (x[1] - x[0]), -4 * (x[1] - x[0])]
        return float(value), np.array(by)

    top = maximise(objective, np.full(2, -3.0), max_iterations=100, tolerance=1e-6)
    assert top.converged
    assert top.location == pytest.approx([0, 0], abs=1e-12)
    assert np.linalg.inv(top.covariance) == pytest.approx(np.array([[5.0, -4.0], [-4.0, 4.0]]), rel=1e-6)
    # A Hessian is four evaluations: one at each place would make more than 40.
    assert top.evaluations < 40


def test_a_ridge_that_is_nearly_flat_is_walked_to_its_end():
    # As where nobody leaves: next to the steep direction the slope is 1e-8 and its curvature as small.
    def objective(x):
        value = -100 * (x[0] - 1) ** 2 - 3e-5 * np.exp(x[1])
        return float(value), np.array([-200 * (x[0] - 1), -3e-5 * np.exp(x[1])])

    top = top_of(objective, 2)
    assert top.location == pytest.approx([1, -9])
    assert top.at_boundary.tolist() == [False, True]
    assert top.evaluations < 200
