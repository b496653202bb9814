"""Rows that were mended stand in for those that were rejected."""

from __future__ import annotations

from collections.abc import Sequence

from kehu_analysis.data.checking.mapping import PLACE_HEADERS
from kehu_analysis.data.checking.texts import clean_text
from kehu_analysis.data.reading.sources import OpenedFile
from kehu_analysis.data.reading.text_files import FILE, ROW
from kehu_analysis.engine.duckdb import quoted


def with_mended(query: str, mending: Sequence[OpenedFile], others: Sequence[str]) -> str:
    """Let a rejected row for which a mended one was given count as filtered; a row that mends none is rejected.

    So is one that mends a row of a file that is not there: under a new name, the file would bring the row again.
    """
    names = ", ".join(map(quoted, others)) or "NULL"
    places = " UNION ALL ".join(
        f"SELECT {FILE}, {ROW}, {clean_text(PLACE_HEADERS[0])} AS mended_file, "
        f"TRY_CAST({clean_text(PLACE_HEADERS[1])} AS BIGINT) AS mended_row FROM {file.relation} "
        f"WHERE {clean_text(PLACE_HEADERS[0])} IS NOT NULL"
        for file in mending
    )
    return (
        f"WITH classified AS MATERIALIZED ({query}), places AS (SELECT *, row_number() OVER "
        f"(PARTITION BY mended_file, mended_row ORDER BY {FILE}, {ROW}) AS n FROM ({places})), "
        f"mended AS (SELECT DISTINCT c.{FILE}, c.{ROW} FROM classified c JOIN places p ON c.{FILE} = p.mended_file "
        f"AND c.{ROW} = p.mended_row WHERE c.line_class = 'rejected'), "
        # A second row for the same place would count a sale twice.
        f"idle AS (SELECT p.{FILE}, p.{ROW}, CASE WHEN p.mended_file IN ({names}) THEN 'mends_nothing' "
        f"ELSE 'mends_missing_file' END AS mark FROM places p ANTI JOIN mended m ON m.{FILE} = p.mended_file "
        f"AND m.{ROW} = p.mended_row AND p.n = 1) "
        "SELECT c.* REPLACE (CASE WHEN m.mark THEN 'filtered' WHEN i.mark IS NOT NULL THEN 'rejected' "
        "ELSE c.line_class END AS line_class, "
        "CASE WHEN m.mark THEN 'mended' ELSE coalesce(i.mark, c.class_reason) END AS class_reason) "
        f"FROM classified c LEFT JOIN (SELECT *, true AS mark FROM mended) m USING ({FILE}, {ROW}) "
        f"LEFT JOIN idle i USING ({FILE}, {ROW})"
    )
