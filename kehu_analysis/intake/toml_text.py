"""Values as TOML writes them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import Any


def toml_value(value: Any) -> str:
    r"""Return a value as TOML writes it; of a text, all that could end or steer it is escaped.

    Examples
    --------
    >>> print(toml_value('say "hi"' + chr(10)), toml_value([1, True]), toml_value({"a b": date(2026, 1, 5)}))
    "say \"hi\"\n" [1, true] { "a b" = 2026-01-05 }
    """
    if isinstance(value, str):
        return "".join(map(_escaped, json.dumps(value, ensure_ascii=False)))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml_key(key)} = {toml_value(one)}" for key, one in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    return value.isoformat() if isinstance(value, date) else repr(value)


def _escaped(letter: str) -> str:
    if not unicodedata.category(letter).startswith("C") and unicodedata.category(letter) not in ("Zl", "Zp"):
        return letter
    number = ord(letter)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def toml_key(name: str) -> str:
    """Return a name as the key of a value."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_value(name)
