"""Customer lifetime value: how many purchases are still to come, from whom, and what they are worth."""

from kehu_analysis.clv.alive import alive_history, alive_map
from kehu_analysis.clv.beta_geo import (
    BetaGeoCNBDModel,
    BetaGeoModel,
    ModifiedBetaGeoCNBDModel,
    ModifiedBetaGeoModel,
)
from kehu_analysis.clv.beta_geo_beta_binom import BetaGeoBetaBinomModel
from kehu_analysis.clv.bootstrap import bootstrap_parameters
from kehu_analysis.clv.candidates import candidate_models, chosen_model
from kehu_analysis.clv.comparison import compare_models
from kehu_analysis.clv.customer_columns import with_margins, with_segments
from kehu_analysis.clv.equity import customer_lifetime_value, equity_by_segment
from kehu_analysis.clv.gamma_gamma import GammaGammaModel
from kehu_analysis.clv.held_out import weekly_tracking
from kehu_analysis.clv.inference import likelihood_ratio_test, parameter_table
from kehu_analysis.clv.interpurchase_times import regularity
from kehu_analysis.clv.nbd import NBDModel
from kehu_analysis.clv.pareto_nbd import ParetoNBDModel
from kehu_analysis.clv.probability_check import probability_check
from kehu_analysis.clv.reservations import model_reservations
from kehu_analysis.clv.shifted_beta_geo import ShiftedBetaGeoModel
from kehu_analysis.clv.validation import holdout_check
from kehu_analysis.clv.value import lifetime_value

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
    "holdout_check",
    "lifetime_value",
    "likelihood_ratio_test",
    "model_reservations",
    "parameter_table",
    "probability_check",
    "regularity",
    "weekly_tracking",
    "with_margins",
    "with_segments",
]
