"""How many worlds, examples and cases a test takes: few in ``make test``, all of them in ``make test-long``.

A test whose number depends on it is marked :data:`scaled`, and ``make test-long`` runs it again in full.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

IN_FULL = bool(os.environ.get("KEHU_TESTS_IN_FULL"))
scaled = pytest.mark.scaled
_SHARE = 8


def at_scale(few: int, all_of_them: int) -> int:
    """Return how many of something a test takes."""
    return all_of_them if IN_FULL else few


def examples(all_of_them: int) -> settings:
    """Return hypothesis's settings for so many examples, or an eighth of them."""
    return settings(max_examples=at_scale(max(all_of_them // _SHARE, 5), all_of_them), deadline=None)
