"""客户分析: segmentation, loyalty and lifetime value from a company's own transaction log."""

from kehu_analysis.data import open_dataset

__all__ = ["open_dataset"]
__version__ = "0.1.0"
