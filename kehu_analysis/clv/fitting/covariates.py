"""Static covariates: from a list of columns or a formula to numbers a customer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Never

import numpy as np
import numpy.typing as npt
import pandas as pd
from formulaic import Formula, ModelSpec, StructuredFormula, model_matrix
from formulaic.errors import DataMismatchWarning, FormulaicError

from kehu_analysis.clv.arrays import FloatArray
from kehu_analysis.clv.fitting.effects import Effect
from kehu_analysis.errors import DataError, UsageError
from kehu_analysis.frames import check_columns

_EXAMPLES = 3
#: Smallest eigenvalue of correlations below which one covariate follows from the others.
_REDUNDANT = 1e-9
_INTERCEPT = "Intercept"
#: Effects that may have one coefficient.
_SHARING = ("purchase", "dropout")

#: By effect of covariates the positions of the parameters that it moves, and the signs.
Targets = Mapping[str, tuple[tuple[int, float], ...]]


class Covariates:
    """The covariates of one process, as they were given and as they were read in the fit.

    Parameters
    ----------
    given
        Names of columns that hold numbers, or a formula such as ``"C(channel) + np.log(distance_km)"``.
    summary
        The customers of the fit: levels of categories are those seen here.

    Attributes
    ----------
    names
        Of the numbers a customer, in order.

    Raises
    ------
    DataError
        A column is missing, or a value is missing, no number or not finite, a covariate is the same for all, or
        follows from the others.
    UsageError
        The formula cannot be read.

    Examples
    --------
    >>> customers = pd.DataFrame({"channel": ["shop", "web", "web"], "km": [1.0, 2.0, 5.0]})
    >>> read = Covariates("C(channel) + km", customers)
    >>> read.names
    ('C(channel)[T.web]', 'km')
    >>> read.of(customers.tail(1)).tolist()
    [[1.0, 5.0]]
    """

    def __init__(self, given: str | Sequence[str], summary: pd.DataFrame) -> None:
        self._columns = None if isinstance(given, str) else list(given)
        self._spec: ModelSpec | None = None
        if isinstance(given, str):
            self._spec = self._read(given, summary).model_spec
        values = self._frame(summary)
        constant = [name for name in values.columns if len(values) and np.ptp(values[name].to_numpy()) == 0]
        if constant:
            raise DataError("covariate_constant", columns=", ".join(constant))
        if len(values.columns) > 1 and len(values):
            redundant = np.linalg.eigvalsh(np.corrcoef(values.to_numpy(dtype=float), rowvar=False))[0] < _REDUNDANT
            if redundant:
                raise DataError("covariates_redundant", columns=", ".join(str(name) for name in values.columns))
        self.names = tuple(str(name) for name in values.columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that are read."""
        return tuple(self._columns or ()) if self._spec is None else _variables(self._spec)

    def of(self, summary: pd.DataFrame) -> FloatArray:
        """Return the numbers of these customers, shape (n, m)."""
        return self._frame(summary).to_numpy(dtype=float)

    def _frame(self, summary: pd.DataFrame) -> pd.DataFrame:
        values: pd.DataFrame
        if self._spec is not None:
            values = self._read(self._spec, summary)
            values = pd.DataFrame(values[[name for name in values.columns if name != _INTERCEPT]])
        else:
            assert self._columns is not None
            check_columns(summary, tuple(self._columns), analysis="clv")
            values = summary[self._columns].apply(pd.to_numeric, errors="coerce").astype(float)
        wrong = ~np.isfinite(values.to_numpy(dtype=float))
        if wrong.any():
            _refuse(summary, [str(name) for name in values.columns[wrong.any(axis=0)]], wrong.any(axis=1))
        return values

    def _read(self, formula: str | ModelSpec, summary: pd.DataFrame) -> Any:
        try:
            parsed = Formula(formula) if isinstance(formula, str) else formula
            if isinstance(parsed, StructuredFormula):
                raise UsageError("covariate_formula", formula=formula, reason="~, |")
            columns = list(_variables(parsed))
            check_columns(summary, tuple(columns), analysis="clv")
            # A missing category would be taken for the first one.
            missing = summary[columns].isna()
            if broken := [name for name in columns if missing[name].any()]:
                _refuse(summary, broken, missing.any(axis=1).to_numpy(dtype=bool))
            with warnings.catch_warnings():
                warnings.simplefilter("error", DataMismatchWarning)  # so would one that the fit never saw
                return model_matrix(formula, summary, na_action="ignore")
        except DataMismatchWarning as error:
            raise DataError("covariate_unseen", reason=str(error).partition(": ")[2]) from error
        except FormulaicError as error:
            # What went wrong is the formula's, or a column's, own affair.
            text = formula if isinstance(formula, str) else str(formula.formula)
            raise UsageError("covariate_formula", formula=text, reason=str(error).splitlines()[0]) from error


def _variables(formula: Any) -> tuple[str, ...]:
    return tuple(sorted(str(name) for name in formula.required_variables))


def _refuse(summary: pd.DataFrame, columns: list[str], wrong: npt.NDArray[np.bool_]) -> Never:
    named = summary["customer_id"] if "customer_id" in summary.columns else summary.index.to_series()
    examples = ", ".join(str(name) for name in named[wrong][:_EXAMPLES])
    raise DataError("covariate_broken", columns=", ".join(columns), n=int(wrong.sum()), examples=examples)


class CovariateEffects:
    """All effects of covariates in a model.

    Parameters
    ----------
    targets
        By name of each effect the parameters that it moves, each with the sign with which.
    given
        By name of each effect its covariates; None where it has none.
    equal
        Names of covariates of both purchases and dropout whose effects have one coefficient.
    summary
        The customers of the fit.

    Attributes
    ----------
    names
        Of the coefficients, such as ``purchase_km``; ``equal_km`` where effects share one.
    """

    def __init__(
        self,
        targets: Targets,
        given: Mapping[str, str | Sequence[str] | None],
        equal: Sequence[str],
        summary: pd.DataFrame,
    ) -> None:
        self._targets = targets
        self._read = {effect: Covariates(of, summary) if (of := given[effect]) else None for effect in targets}
        both = [one for effect in _SHARING if (one := self._read.get(effect)) is not None]
        known = set.intersection(*(set(one.names) for one in both)) if len(both) == len(_SHARING) else set()
        if foreign := set(equal) - known:
            raise UsageError("equal_effects", names=", ".join(sorted(foreign)), known=", ".join(sorted(known)) or "–")
        self._places: dict[str, npt.NDArray[np.intp]] = {}
        names: list[str] = []
        for effect, covariates in self._read.items():
            shared = equal if effect in _SHARING else ()
            own = [
                f"{'equal' if name in shared else effect}_{name}" for name in (covariates.names if covariates else ())
            ]
            names += [name for name in own if name not in names]
            self._places[effect] = np.array([names.index(name) for name in own], dtype=np.intp)
        self.names = tuple(names)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the summary that any of them reads."""
        return tuple(dict.fromkeys(name for one in self._read.values() if one is not None for name in one.columns))

    def moved(self) -> dict[str, frozenset[tuple[str, str]]]:
        """Return by coefficient the effects and covariates that are its, as ``("purchase", "km")``."""
        found: dict[str, set[tuple[str, str]]] = {name: set() for name in self.names}
        for effect, covariates in self._read.items():
            for name, place in zip(covariates.names if covariates else (), self._places[effect], strict=True):
                found[self.names[place]].add((effect, name))
        return {name: frozenset(pairs) for name, pairs in found.items()}

    def table(self, summary: pd.DataFrame) -> pd.DataFrame:
        """Return the covariates of these customers, all effects side by side."""
        columns: dict[str, FloatArray] = {}
        for effect, covariates in self._read.items():
            if covariates is not None:
                values = covariates.of(summary)
                columns |= {f"{effect} {place}": values[:, place] for place in range(values.shape[1])}
        return pd.DataFrame(columns, index=summary.index)

    def effects(self, table: pd.DataFrame) -> tuple[Effect, ...]:
        """Return the effects on the rows of such a table."""
        found = []
        for effect, moved in self._targets.items():
            places = self._places[effect]
            if len(places):
                values = table[[f"{effect} {place}" for place in range(len(places))]].to_numpy(dtype=float)
                found += [Effect(parameter, sign, values, places) for parameter, sign in moved]
        return tuple(found)
