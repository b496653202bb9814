"""Say in the reader's language what is wrong in ``dataset.toml``."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from kehu_analysis.labels import Phrase


def describe_fault(found: ErrorDetails) -> Phrase:
    """Say one of pydantic's faults in the reader's language."""
    code = next((f"fault.{name}" for start, name in _FAULTS.items() if found["type"].startswith(start)), "fault.other")
    values = {"value": found["input"], "message": found["msg"], **found.get("ctx", {})}
    setting = ".".join(str(part) for part in found["loc"])
    return Phrase("ui.setting_fault", {"setting": setting, "fault": Phrase(code, values)})


#: How the beginning of a fault's name in pydantic is called in the labels.
_FAULTS = {
    "extra_forbidden": "unknown",
    "missing": "missing",
    "literal_error": "choice",
    "string_pattern_mismatch": "form",
    "string_too": "length",
    "string_type": "text",
    "greater_than": "range",
    "less_than": "range",
    "finite": "number",
    "int": "number",
    "float": "number",
    "bool": "yes_or_no",
    "date": "date",
    "list_type": "kind",
    "dict_type": "kind",
    "model_type": "kind",
    "no_such_zone": "no_such_zone",
    "not_come_yet": "not_come_yet",
    "no_such_table": "no_such_table",
    "no_such_column": "no_such_column",
    "amount_twice": "amount_twice",
    "filter_value": "filter_value",
    "no_date_format": "no_date_format",
    "no_width": "no_width",
    "no_such_encoding": "no_such_encoding",
    "no_such_unit": "no_such_unit",
    "amount_parts": "amount_parts",
    "standards_order": "standards_order",
    "standards_share": "standards_share",
    "standards_rank": "standards_rank",
}
