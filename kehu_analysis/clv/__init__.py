"""Customer lifetime value: how many purchases are still to come, from whom, and what they are worth."""

from kehu_analysis.clv.evaluation.comparison import compare_models
from kehu_analysis.clv.evaluation.held_out import weekly_tracking
from kehu_analysis.clv.evaluation.inference import likelihood_ratio_test, parameter_table
from kehu_analysis.clv.evaluation.interpurchase_times import regularity
from kehu_analysis.clv.evaluation.probability_check import probability_check
from kehu_analysis.clv.evaluation.reservations import model_reservations
from kehu_analysis.clv.evaluation.validation import holdout_check
from kehu_analysis.clv.fitting.bootstrap import bootstrap_parameters
from kehu_analysis.clv.models.beta_geo import (
    BetaGeoCNBDModel,
    BetaGeoModel,
    ModifiedBetaGeoCNBDModel,
    ModifiedBetaGeoModel,
)
from kehu_analysis.clv.models.beta_geo_beta_binom import BetaGeoBetaBinomModel
from kehu_analysis.clv.models.candidates import candidate_models, chosen_model, fit_if_possible
from kehu_analysis.clv.models.gamma_gamma import GammaGammaModel
from kehu_analysis.clv.models.nbd import NBDModel
from kehu_analysis.clv.models.pareto_nbd import ParetoNBDModel
from kehu_analysis.clv.models.shifted_beta_geo import ShiftedBetaGeoModel
from kehu_analysis.clv.valuation.alive import alive_history, alive_map
from kehu_analysis.clv.valuation.customer_columns import with_margins, with_segments
from kehu_analysis.clv.valuation.equity_by_segment import equity_by_segment
from kehu_analysis.clv.valuation.lifetime_value import customer_lifetime_value
from kehu_analysis.clv.valuation.purchase_forecast import purchase_forecast

__all__ = [
    "BetaGeoBetaBinomModel",
    "BetaGeoCNBDModel",
    "BetaGeoModel",
    "GammaGammaModel",
    "ModifiedBetaGeoCNBDModel",
    "ModifiedBetaGeoModel",
    "NBDModel",
    "ParetoNBDModel",
    "ShiftedBetaGeoModel",
    "alive_history",
    "alive_map",
    "bootstrap_parameters",
    "candidate_models",
    "chosen_model",
    "compare_models",
    "customer_lifetime_value",
    "equity_by_segment",
    "fit_if_possible",
    "holdout_check",
    "likelihood_ratio_test",
    "model_reservations",
    "parameter_table",
    "probability_check",
    "purchase_forecast",
    "regularity",
    "weekly_tracking",
    "with_margins",
    "with_segments",
]
