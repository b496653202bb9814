"""What can go wrong, as one small tree; every message says what, where and what to do next.

::

    KehuError                    exit code 1
    ├── UsageError               exit code 2: the command or its parameters are wrong
    ├── DataError                the source data cannot be used
    │   └── InsufficientDataError   sound data that cannot carry one analysis: it is listed as not run
    ├── ModelError               a model could not be trusted
    │   └── ConvergenceError     the optimiser did not reach a maximum
    └── RunError                 a notebook, a kernel, the disk or another run stood in the way

The words stand in ``labels.toml`` under ``error.<code>``, in Chinese and English.
"""

from __future__ import annotations

import errno

from kehu_analysis import labels

__all__ = [
    "ConvergenceError",
    "DataError",
    "InsufficientDataError",
    "KehuError",
    "ModelError",
    "RunError",
    "UsageError",
    "reason_of",
]


class KehuError(Exception):
    """Base of every error that a user may see.

    Parameters
    ----------
    code
        The message's name under ``error.`` in ``labels.toml``.
    **details
        The values its template names: a path, a column, the candidates; what needs words of its own is a
        :class:`kehu_analysis.labels.Phrase`.

    Examples
    --------
    >>> print(KehuError("unknown_quarter", quarter="2026Q9", quarters="2026Q1, 2026Q2"))
    2026Q9 is not a quarter of this data. Choose one of: 2026Q1, 2026Q2.
    """

    exit_code = 1

    def __init__(self, code: str, **details: object) -> None:
        super().__init__(code, details)
        self.code = code
        self.details = details

    def message(self, lang: str = "en") -> str:
        """Return the message in ``lang`` (``"zh"`` or ``"en"``)."""
        return labels.render(f"error.{self.code}", lang, **self.details)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders (pytest-xdist, process pools); keyword details would be lost.
        return _rebuild, (type(self), self.code, self.details)

    def __str__(self) -> str:
        return self.message("en")


def _rebuild(kind: type[KehuError], code: str, details: dict[str, object]) -> KehuError:
    return kind(code, **details)


class UsageError(KehuError):
    """The command or one of its parameters is wrong."""

    exit_code = 2


class DataError(KehuError):
    """The source data cannot be used."""


class InsufficientDataError(DataError):
    """The data are sound but cannot carry this analysis."""


class ModelError(KehuError):
    """A model could not be trusted."""


class ConvergenceError(ModelError):
    """The optimiser did not reach a maximum; the message carries its report."""


class RunError(KehuError):
    """A notebook, a kernel, the disk or another run stood in the way."""


def reason_of(error: Exception) -> object:
    """Return why the system refused something, as a detail of a message: in words of ours for what is frequent.

    Examples
    --------
    >>> print(RunError("cannot_write", path="x", reason=reason_of(OSError(errno.ENOSPC, "?"))).message())
    x cannot be written (the disk is full). Check permissions and disk space, or choose another place with --out.
    """
    code = f"system.{errno.errorcode.get(getattr(error, 'errno', None) or 0)}"
    if labels.has(code):
        return labels.Phrase(code)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
