"""From a company's files to validated canonical tables."""

from kehu_analysis.data.dataset import Dataset, check_dataset, open_dataset
from kehu_analysis.data.folders import default_cache
from kehu_analysis.data.schema import Column, Table, contract

__all__ = ["Column", "Dataset", "Table", "check_dataset", "contract", "default_cache", "open_dataset"]
