"""The models of purchases that are tried on a log, by the codes that findings call them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from sklearn.base import clone

from kehu_analysis.clv.models.beta_geo import (
    BetaGeoCNBDModel,
    BetaGeoModel,
    ModifiedBetaGeoCNBDModel,
    ModifiedBetaGeoModel,
)
from kehu_analysis.clv.models.nbd import NBDModel
from kehu_analysis.clv.models.pareto_nbd import ParetoNBDModel
from kehu_analysis.clv.models.predictions import PurchasePredictions
from kehu_analysis.clv.models.purchases import PurchaseModel
from kehu_analysis.errors import ConvergenceError, InsufficientDataError, UsageError
from kehu_analysis.finding import Finding

_KINDS: dict[str, type[PurchaseModel]] = {
    "bg_nbd": BetaGeoModel,
    "mbg_nbd": ModifiedBetaGeoModel,
    "pareto_nbd": ParetoNBDModel,
    "bg_cnbd_k": BetaGeoCNBDModel,
    "mbg_cnbd_k": ModifiedBetaGeoCNBDModel,
    "nbd": NBDModel,
}
#: A yardstick, which nobody would want to be told by who is still a customer.
_NO_CANDIDATES = ("nbd",)


def candidate_models() -> dict[str, PurchaseModel]:
    """Return an unfitted model of each kind by its code under ``value.``; the regular ones choose k themselves.

    Examples
    --------
    >>> list(candidate_models())
    ['bg_nbd', 'mbg_nbd', 'pareto_nbd', 'bg_cnbd_k', 'mbg_cnbd_k']
    """
    return {code: kind() for code, kind in _KINDS.items() if code not in _NO_CANDIDATES}


def model_code(model: PurchasePredictions) -> str:
    """Return the code under ``value.`` of a model's kind; the name of its class where it is none of these.

    Examples
    --------
    >>> model_code(ParetoNBDModel())
    'pareto_nbd'
    """
    return next((code for code, kind in _KINDS.items() if type(model) is kind), type(model).__name__)


def chosen_model(comparison: Finding, models: Mapping[str, PurchaseModel] | None = None) -> PurchaseModel:
    """Return the model that a comparison chose, unfitted, with its number of stages to a purchase as it was then.

    Parameters
    ----------
    comparison
        A ``compare_models`` finding of :func:`candidate_models`. Where it was not run there is nothing to choose by,
        and the model is BG/NBD.
    models
        Those that were compared: the chosen one is then returned as it is, fitted to what it saw.

    Raises
    ------
    UsageError
        Another finding, or the chosen model is none of the candidates.

    Examples
    --------
    >>> chosen_model(Finding("compare_models", pd.DataFrame(), {}, not_run=("no_rows", {})))
    BetaGeoModel()
    """
    if comparison.name != "compare_models":
        raise UsageError("wrong_finding", wanted="compare_models", found=comparison.name)
    if comparison.not_run is not None:
        return BetaGeoModel()
    code, stages = (comparison.facts[name].value for name in ("chosen_model", "chosen_stages"))
    if code not in _KINDS:
        raise UsageError("no_candidate", model=code, known=", ".join(_KINDS))
    if models is not None:
        return models[str(code)]
    model = _KINDS[str(code)]()
    return model.set_params(k=stages) if "k" in model.get_params() else model


def fit_if_possible(model: PurchaseModel, summary: pd.DataFrame) -> PurchaseModel:
    """Return a copy of a model fitted to customers; the model as it is where they cannot carry it.

    Analyses that are given it do not fit it again; those that are given an unfitted one say what was in the way.

    Examples
    --------
    >>> fit_if_possible(ParetoNBDModel(), pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [9.0]}))
    ParetoNBDModel()
    """
    copy: PurchaseModel = clone(model)
    try:
        return copy.fit(summary)
    except (ConvergenceError, InsufficientDataError):
        return model


def refitted(model: PurchaseModel, summary: pd.DataFrame) -> PurchaseModel:
    """Return a model as it is where it was fitted to these customers, else a copy of it that is."""
    copy: PurchaseModel = clone(model)
    return model if hasattr(model, "totals_") and model.was_fitted_to(summary) else copy.fit(summary)


def fitted_to(model: PurchaseModel, summary: pd.DataFrame) -> PurchaseModel:
    """Return a model as it is where it is fitted, else a copy of it that is fitted to a summary."""
    return model if hasattr(model, "params_") else clone(model).fit(summary)
