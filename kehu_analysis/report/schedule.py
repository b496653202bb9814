"""Run chapters in parallel, each once those that it takes findings from are done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, FIRST_EXCEPTION, Executor, Future, wait

from kehu_analysis.workbook.chapters import ChapterRecord, by_urgency
from kehu_analysis.workbook.kernels import end_kernels

_LOOK_AGAIN_SECONDS = 0.2


def run_in_order(
    pool: Executor, chapters: Sequence[ChapterRecord], execute: Callable[[str], None], *, at_a_time: int
) -> None:
    """Run chapters; when something fails, or somebody stops the run, stop the rest at once.

    Parameters
    ----------
    pool
        What runs them.
    chapters
        Among them those that others come ``after``; none waits for itself.
    execute
        Runs the chapter of a name.
    at_a_time
        How many run side by side.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from kehu_analysis.workbook.chapters import CHAPTERS
    >>> started = []
    >>> with ThreadPoolExecutor(1) as pool:
    ...     run_in_order(pool, CHAPTERS, started.append, at_a_time=1)
    >>> started
    ['segmentation', 'lifetime_value', 'satisfaction', 'data_quality', 'loyalty']
    """
    waiting = by_urgency(chapters)
    running: dict[Future[None], str] = {}
    try:
        while waiting or running:
            under_way = {record.name for record in waiting} | set(running.values())
            ready = [record for record in waiting if under_way.isdisjoint(record.after)]
            for record in ready[: at_a_time - len(running)]:
                waiting.remove(record)
                running[pool.submit(execute, record.name)] = record.name
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                del running[done]
                done.result()
    except BaseException:
        _stop(list(running))
        raise


def run_all(pool: Executor, tasks: Sequence[Callable[[], None]]) -> None:
    """Run tasks side by side; when one fails, or somebody stops the run, stop the rest at once."""
    futures = [pool.submit(task) for task in tasks]
    try:
        for future in wait(futures, return_when=FIRST_EXCEPTION).done:
            future.result()
    except BaseException:
        _stop(futures)
        raise


def _stop(futures: Sequence[Future[None]]) -> None:
    for future in futures:
        future.cancel()
    while wait(futures, timeout=_LOOK_AGAIN_SECONDS).not_done:
        end_kernels()
