"""The quarterly report: run the notebooks, make the page, the workbook and the tables."""
