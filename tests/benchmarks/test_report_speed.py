from __future__ import annotations

import pytest

from benchmarks.report_speed import LINES, limits


@pytest.mark.parametrize(("seconds", "chapter", "held"), [(149.0, 69.0, True), (151.0, 71.0, False)])
def test_limits_are_judged_at_ten_million_lines_alone(seconds: float, chapter: float, held: bool) -> None:
    assert [limit.is_held for limit in limits(LINES, seconds, chapter)] == [held, held]
    assert [limit.is_held for limit in limits(1000, seconds, chapter)] == [None, None]
