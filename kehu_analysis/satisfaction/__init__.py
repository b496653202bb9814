"""Are customers satisfied, what goes along with it, and what do contacts and complaints go along with."""

from kehu_analysis.satisfaction.change import survey_waves
from kehu_analysis.satisfaction.complaints import complaints
from kehu_analysis.satisfaction.contact_effect import contact_effect
from kehu_analysis.satisfaction.design import stated_share, survey_plan
from kehu_analysis.satisfaction.key_drivers import key_drivers
from kehu_analysis.satisfaction.links import feedback_links
from kehu_analysis.satisfaction.response import survey_response
from kehu_analysis.satisfaction.scores import survey_scores

__all__ = [
    "complaints",
    "contact_effect",
    "feedback_links",
    "key_drivers",
    "stated_share",
    "survey_plan",
    "survey_response",
    "survey_scores",
    "survey_waves",
]
