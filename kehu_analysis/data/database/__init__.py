"""Import tables from a database into a folder."""

from kehu_analysis.data.database.address import Address, read_address
from kehu_analysis.data.database.tables import ImportedTable, import_tables

__all__ = ["Address", "ImportedTable", "import_tables", "read_address"]
