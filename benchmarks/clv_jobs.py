"""Models of lifetime value, ours and those of lifetimes and pymc-marketing: fit, then score every customer.

All get one and the same summary, ages in weeks, a row a customer; what a package does to it first, such as counting
customers who are alike, is on its clock. Each result is the fitted parameters under our names, and the scores.
pymc-marketing is asked for the maximum of the likelihood, as the others are: its priors are flat here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from benchmarks.measure import Phases

FUTURE_WEEKS = 39
#: Parameters of each model, under our names.
PARAMETERS = {
    "BetaGeoModel": ("r", "alpha", "a", "b"),
    "ModifiedBetaGeoModel": ("r", "alpha", "a", "b"),
    "ParetoNBDModel": ("r", "alpha", "s", "beta"),
    "GammaGammaModel": ("p", "q", "v"),
}
SPEND = "GammaGammaModel"


def ours(phases: Phases, *, data: str, model: str, times: int = 1) -> dict[str, pd.DataFrame]:
    """Fit and score with :mod:`kehu_analysis.clv`."""
    estimator: Any = _our_model(model)
    summary = _summary(data, model)
    with phases("fit"):
        for _ in range(times):
            fitted = estimator.fit(summary)
    with phases("score"):
        for _ in range(times):
            scores = _our_scores(fitted, summary, model)
    phases.divide("fit", times)
    phases.divide("score", times)
    return {"parameters": fitted.params_.to_frame().T, "scores": pd.DataFrame(scores)}


def lifetimes(phases: Phases, *, data: str, model: str, times: int = 1) -> dict[str, pd.DataFrame]:
    """Fit and score with lifetimes."""
    import lifetimes as package

    names = {"ModifiedBetaGeoModel": "ModifiedBetaGeoFitter", "ParetoNBDModel": "ParetoNBDFitter"}
    fitter = getattr(package, names.get(model, model.replace("Model", "Fitter")))(penalizer_coef=0.0)
    summary = _summary(data, model)
    x, t_x, T, m = (summary[name] for name in ("frequency", "recency", "T", "monetary_value"))
    with phases("fit"):
        for _ in range(times):
            if model == SPEND:
                fitter.fit(x, m)
            else:
                fitter.fit(x, t_x, T)
    with phases("score"):
        for _ in range(times):
            scores = _scores_of_lifetimes(fitter, summary, model)
    phases.divide("fit", times)
    phases.divide("score", times)
    parameters = {name: [float(fitter.params_[name])] for name in PARAMETERS[model]}
    arrays = {name: np.asarray(values, dtype=float) for name, values in scores.items()}
    return {"parameters": pd.DataFrame(parameters), "scores": pd.DataFrame(arrays)}


def pymc_marketing(phases: Phases, *, data: str, model: str, times: int = 1) -> dict[str, pd.DataFrame]:
    """Fit and score with pymc-marketing, at the largest posterior under flat priors."""
    from pymc_extras.prior import Prior
    from pymc_marketing import clv

    if times != 1:
        raise ValueError("every fit of this package builds its model anew, and is done once")
    config = {name: Prior("HalfFlat") for name in PARAMETERS[model]}
    summary = _summary(data, model).assign(customer_id=lambda frame: np.arange(len(frame)))
    with phases("fit"):
        fitted = getattr(clv, model)(data=summary, model_config=config)
        fitted.fit(method="map", progressbar=False)
    with phases("score"):
        if model == SPEND:
            scores = {"expected_spend": fitted.expected_customer_spend(summary)}
        else:
            scores = {
                "expected_purchases": fitted.expected_purchases(summary, future_t=FUTURE_WEEKS),
                "probability_alive": fitted.expected_probability_alive(summary),
            }
        arrays = {name: values.to_numpy().astype(float).ravel() for name, values in scores.items()}
    posterior = fitted.idata.posterior
    parameters = {name: [float(posterior[name].to_numpy().ravel()[0])] for name in PARAMETERS[model]}
    return {"parameters": pd.DataFrame(parameters), "scores": pd.DataFrame(arrays)}


def compare(phases: Phases, *, data: str, model: str, stored: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    """Judge results on one footing: our log-likelihood, and our scores, at the parameters that each ended at.

    Returns
    -------
    ``judged``: a row a package: package, its parameters, log_likelihood, and n_scores_differ, the number of customers
    of whom some score is no number or off by more than a thousandth.
    """
    summary = _summary(data, model)
    rows = []
    for package, folder in stored.items():
        parameters, scores = (_stored(folder, name) for name in ("parameters", "scores"))
        same: Any = _our_model(model)
        same.params_ = parameters.iloc[0]
        differ = np.zeros(len(summary), dtype=bool)
        for name, values in _our_scores(same, summary, model).items():
            differ |= ~np.isclose(scores[name], values, rtol=1e-3, atol=1e-6)
        rows.append(
            {"package": package, **parameters.iloc[0], "log_likelihood": same.log_likelihood(summary)}
            | {"n_scores_differ": int(differ.sum()), "n_customers": len(summary)}
        )
    return {"judged": pd.DataFrame(rows)}


def _scores_of_lifetimes(fitter: Any, summary: pd.DataFrame, model: str) -> dict[str, Any]:
    x, t_x, T = (summary[name] for name in ("frequency", "recency", "T"))
    if model == SPEND:
        return {"expected_spend": fitter.conditional_expected_average_profit(x, summary["monetary_value"])}
    purchases = fitter.conditional_expected_number_of_purchases_up_to_time(FUTURE_WEEKS, x, t_x, T)
    return {"expected_purchases": purchases, "probability_alive": fitter.conditional_probability_alive(x, t_x, T)}


def _our_model(name: str) -> object:
    from kehu_analysis import clv
    from kehu_analysis.clv.models.pareto_nbd import ParetoNBDModel

    return ParetoNBDModel() if name == "ParetoNBDModel" else getattr(clv, name)()


def _our_scores(fitted: Any, summary: pd.DataFrame, model: str) -> dict[str, np.ndarray[Any, Any]]:
    if model == SPEND:
        return {"expected_spend": fitted.expected_customer_spend(summary).to_numpy()}
    return {
        "expected_purchases": fitted.expected_purchases(summary, FUTURE_WEEKS).to_numpy(),
        "probability_alive": fitted.expected_probability_alive(summary).to_numpy(),
    }


def _summary(data: str, model: str) -> pd.DataFrame:
    with np.load(data) as arrays:
        summary = pd.DataFrame({name: arrays[name] for name in ("frequency", "recency", "T", "monetary_value")})
    if model == SPEND:
        # Spend is known of repeat purchases that cost something.
        return summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)].reset_index(drop=True)
    return summary


def _stored(folder: str, name: str) -> pd.DataFrame:
    pickle = Path(folder) / f"{name}.pickle"
    return pd.read_pickle(pickle) if pickle.is_file() else pd.read_parquet(Path(folder) / f"{name}.parquet")
