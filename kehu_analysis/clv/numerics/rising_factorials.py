"""Rising factorials and what they turn into under logarithm and derivative, to the last digits at any size."""

from __future__ import annotations

import numpy as np
from scipy import special

from kehu_analysis.clv.arrays import FloatArray

#: From here on Stirling's series is exact to rounding; differences of log-Gamma would lose what they have in common.
_LARGE = 16.0
#: Factors up to which running sums are worth their memory; more purchases than that are an error in the data.
MOST_SUMMED = 1e6


def running_sum(terms: FloatArray) -> FloatArray:
    """Return the sums of the first 0, 1, 2, … terms.

    Examples
    --------
    >>> running_sum(np.array([1.0, 2.0])).tolist()
    [0.0, 1.0, 3.0]
    """
    return np.concatenate([[0.0], np.cumsum(terms)])


def log_rising(z: FloatArray, n: FloatArray) -> FloatArray:
    r"""Return :math:`\ln [z (z+1) \cdots (z+n-1)] = \ln \Gamma(z+n) - \ln \Gamma(z)`, z > 0.

    Examples
    --------
    >>> log_rising(np.array([1.0, 1e9]), np.array([3.0, 1.0])).round(6).tolist()
    [1.791759, 20.723266]
    """
    z, n = np.broadcast_arrays(z, n)
    end = z + n
    result = np.empty(end.shape)
    small = z < _LARGE
    large = ~small
    result[small] = special.gammaln(end[small]) - special.gammaln(z[small])
    z, n, end = z[large], n[large], end[large]
    result[large] = (z - 0.5) * np.log1p(n / z) + n * (np.log(end) - 1) + _stirling(end) - _stirling(z)
    return result


def log_rising_slope(z: FloatArray, n: FloatArray) -> FloatArray:
    r"""Return the derivative of :func:`log_rising` by z, :math:`1/z + \cdots + 1/(z+n-1)`.

    Examples
    --------
    >>> log_rising_slope(np.array([1.0, 20.0]), np.array([3.0, 2.0])).round(6).tolist()
    [1.833333, 0.097619]
    """
    z, n = np.broadcast_arrays(z, n)
    end = z + n
    result = np.empty(end.shape)
    small = z < _LARGE
    large = ~small
    result[small] = special.digamma(end[small]) - special.digamma(z[small])
    z, n, end = z[large], n[large], end[large]
    result[large] = np.log1p(n / z) + _stirling_slope(end) - _stirling_slope(z)
    return result


def rising(z: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return :func:`log_rising` and :func:`log_rising_slope` at whole numbers n, quickly where one z stands for all.

    Examples
    --------
    >>> log, slope = rising(np.array(2.0), np.array([0.0, 2.0]))
    >>> np.exp(log).round(9).tolist(), slope.round(6).tolist()
    ([1.0, 6.0], [0.0, 0.833333])
    """
    if np.ndim(z) or n.max() > MOST_SUMMED:
        return log_rising(z, n), log_rising_slope(z, n)
    # A product; its running sums keep every digit, however large z, and take a tenth of the time.
    place = n.astype(np.intp)
    each = z + np.arange(place.max())
    return running_sum(np.log(each))[place], running_sum(1 / each)[place]


def _stirling(z: FloatArray) -> FloatArray:
    w = 1 / z**2
    return np.asarray((1 / 12 - w * (1 / 360 - w * (1 / 1260 - w / 1680))) / z)


def _stirling_slope(z: FloatArray) -> FloatArray:
    w = 1 / z**2
    return np.asarray(-0.5 / z - w * (1 / 12 - w * (1 / 120 - w * (1 / 252 - w / 240))))
