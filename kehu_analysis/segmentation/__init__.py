"""Which customers are like each other, and which matter how much: grades, their moves, RFM segments."""

from kehu_analysis.segmentation.grades import grade_customers
from kehu_analysis.segmentation.migration import fallen_customers, grade_moves
from kehu_analysis.segmentation.rfm import rfm_profile, rfm_segments

__all__ = ["fallen_customers", "grade_customers", "grade_moves", "rfm_profile", "rfm_segments"]
