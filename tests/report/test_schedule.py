import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from kehu_analysis.errors import UsageError
from kehu_analysis.report.schedule import run_all, run_in_order
from kehu_analysis.workbook.chapters import CHAPTERS, OVERVIEW, ChapterRecord, by_urgency, refuse_circles

LIGHT, HEAVY, BEFORE, LAST = (
    ChapterRecord(10, "light", "x", weight=2),
    ChapterRecord(20, "heavy", "x", weight=9, after=("before",)),
    ChapterRecord(30, "before", "x"),
    ChapterRecord(40, "last", "x", after=("light", "heavy")),
)


def test_what_a_heavy_chapter_waits_for_goes_first():
    assert [record.name for record in by_urgency([LIGHT, HEAVY, BEFORE, LAST])] == ["before", "heavy", "light", "last"]


@pytest.mark.parametrize("at_a_time", [1, 2, 4])
def test_a_chapter_starts_when_those_before_it_are_done(at_a_time):
    chapters = [LIGHT, HEAVY, BEFORE, LAST]
    done, lock, most = [], threading.Lock(), []
    running = 0

    def execute(name):
        nonlocal running
        (record,) = (record for record in chapters if record.name == name)
        with lock:
            running += 1
            most.append(running)
            assert set(record.after) <= set(done)
        with lock:
            running -= 1
            done.append(name)

    with ThreadPoolExecutor(4) as pool:
        run_in_order(pool, chapters, execute, at_a_time=at_a_time)
    assert sorted(done) == ["before", "heavy", "last", "light"]
    assert max(most) <= at_a_time


def test_a_chapter_that_fails_ends_the_run():
    started = []

    def execute(name):
        started.append(name)
        raise ValueError(name)

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="before"):
        run_in_order(pool, [LIGHT, HEAVY, BEFORE, LAST], execute, at_a_time=1)
    assert started == ["before"]
    with ThreadPoolExecutor(2) as pool, pytest.raises(ZeroDivisionError):
        run_all(pool, [lambda: 1 // 0, lambda: None])


def test_chapters_come_after_chapters_that_there_are_and_not_after_themselves():
    names = {record.name for record in CHAPTERS}
    assert {name for record in CHAPTERS for name in record.after} <= names
    assert [record.number for record in CHAPTERS] == sorted({record.number for record in CHAPTERS})
    refuse_circles((OVERVIEW, *CHAPTERS))
    with pytest.raises(UsageError, match="heavy"):
        refuse_circles([HEAVY, replace(BEFORE, after=("heavy",))])
