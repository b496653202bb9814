"""What was sold, quarter by quarter, and to how many."""

from kehu_analysis.sales.quarters import quarter_sales

__all__ = ["quarter_sales"]
