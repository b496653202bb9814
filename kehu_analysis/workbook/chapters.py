"""The chapters of the report, a record each: whatever else names the chapters takes them from here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from kehu_analysis.errors import UsageError
from kehu_analysis.workbook.parameters import (
    LifetimeValueParameters,
    LoyaltyParameters,
    Parameters,
    SatisfactionParameters,
    SegmentationParameters,
)


class KeyFact(NamedTuple):
    """A fact that a manager sees first, and the fact of the same finding that tells its change on the quarter before.

    Its words stand under ``key_figure.<finding>.<fact>`` in ``labels.toml``.
    """

    finding: str
    fact: str
    change: str | None = None


@dataclass(frozen=True)
class ChapterRecord:
    """What is known of a chapter without running it.

    Attributes
    ----------
    number, name
        Its notebook is ``<number>_<name>.ipynb``; chapters are read in the order of their numbers.
    room
        The package of the analyses that it shows; kernels have it imported when they start.
    parameters
        What its notebook may be told.
    needs
        Tables and columns (``contacts``, ``transactions.cost``) without which some of its findings are not run.
    uses
        Tables and columns that it reads where there are any, and does without where not.
    after
        Chapters whose findings it takes by :meth:`kehu_analysis.workbook.Workbook.finding`.
    key_facts
        Its part of the figures at the head of the report.
    actions
        Functions that turn its findings into actions, by dotted path.
    weight
        How long it works, relative to the others: of those that could start the heaviest does.
    notebook
        Where its notebook is, once that was looked for (:func:`kehu_analysis.workbook.own_chapters.chapters_in`).
    """

    number: int
    name: str
    room: str
    parameters: type[Parameters] = Parameters
    needs: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    key_facts: tuple[KeyFact, ...] = ()
    actions: tuple[str, ...] = ()
    weight: int = 1
    notebook: Path | None = None

    def declares(self, source: str) -> bool:
        """Tell whether the chapter says that it reads a table, or a column of one.

        Examples
        --------
        >>> chapter("lifetime_value").declares("transactions.cost"), chapter("segmentation").declares("contacts")
        (True, False)
        """
        return any(source == said or said.startswith(f"{source}.") for said in (*self.needs, *self.uses))


#: Made last, from what the others found, and read first.
OVERVIEW = ChapterRecord(0, "overview", "workbook")

CHAPTERS = (
    ChapterRecord(
        10,
        "data_quality",
        "data_quality",
        uses=("calendar",),
        key_facts=(
            KeyFact("quarter_sales", "amount", "change_on_quarter"),
            KeyFact("quarter_sales", "n_active"),
            KeyFact("quarter_sales", "n_new"),
            KeyFact("data_quality", "n_customers"),
        ),
    ),
    ChapterRecord(
        30,
        "segmentation",
        "segmentation",
        parameters=SegmentationParameters,
        key_facts=(KeyFact("grade_customers", "share_of_sales_a"),),
    ),
    ChapterRecord(
        40,
        "loyalty",
        "loyalty",
        parameters=LoyaltyParameters,
        needs=("surveys",),
        uses=("calendar", "contacts", "customers", "transactions.cost"),
        key_facts=(KeyFact("cohort_retention", "retention_1"), KeyFact("overdue_customers", "n_overdue")),
    ),
    ChapterRecord(
        45,
        "satisfaction",
        "satisfaction",
        parameters=SatisfactionParameters,
        needs=("surveys", "contacts"),
        uses=("customers",),
        key_facts=(
            KeyFact("survey_scores", "satisfaction"),
            KeyFact("survey_scores", "nps"),
            KeyFact("complaints", "per_1000"),
        ),
        weight=2,
    ),
    ChapterRecord(
        50,
        "lifetime_value",
        "clv",
        parameters=LifetimeValueParameters,
        uses=("transactions.cost",),
        after=("segmentation",),
        key_facts=(KeyFact("purchase_forecast", "expected_amount"),),
        weight=10,
    ),
)


def chapter(name: str) -> ChapterRecord:
    """Return the record of a chapter of the project.

    Raises
    ------
    LookupError
        There is none of this name: a mistake in the program.

    Examples
    --------
    >>> chapter("loyalty").number
    40
    """
    found = next((record for record in (OVERVIEW, *CHAPTERS) if record.name == name), None)
    if found is None:
        raise LookupError(f"no chapter is called {name!r}")
    return found


def chosen(names: Sequence[str], chapters: Sequence[ChapterRecord] = CHAPTERS) -> tuple[ChapterRecord, ...]:
    """Return the chapters named, in reading order; all of them where none is named.

    Raises
    ------
    UsageError
        There is no chapter of a name.

    Examples
    --------
    >>> [record.name for record in chosen(["loyalty", "segmentation"])]
    ['segmentation', 'loyalty']
    """
    known = [record.name for record in chapters]
    if unknown := [name for name in names if name not in known]:
        raise UsageError("unknown_chapter", names=", ".join(unknown), known=", ".join(known))
    return tuple(record for record in chapters if not names or record.name in names)


def with_prerequisites(
    wanted: Iterable[ChapterRecord], chapters: Sequence[ChapterRecord] = CHAPTERS
) -> tuple[ChapterRecord, ...]:
    """Return chapters and those whose findings they take, in reading order.

    Examples
    --------
    >>> [record.name for record in with_prerequisites(chosen(["lifetime_value"]))]
    ['segmentation', 'lifetime_value']
    """
    needed = {record.name for record in wanted}
    # A chapter may stand before one that it takes findings from, and chapters may follow one another.
    while more := {name for record in chapters if record.name in needed for name in record.after} - needed:
        needed |= more
    return tuple(record for record in chapters if record.name in needed)


def refuse_circles(chapters: Iterable[ChapterRecord]) -> None:
    """Refuse chapters that wait for each other.

    Raises
    ------
    UsageError
        Two or more wait in a circle.

    Examples
    --------
    >>> refuse_circles(CHAPTERS)
    """
    try:
        TopologicalSorter({record.name: record.after for record in chapters}).prepare()
    except CycleError as error:
        raise UsageError("chapters_in_circle", names=" → ".join(error.args[1])) from None


def by_urgency(chapters: Sequence[ChapterRecord]) -> list[ChapterRecord]:
    """Return chapters in the order in which they start when they can: first the one with most work behind it.

    Work is a chapter's own and that of the chapters that wait for it: a light one goes first where a heavy one waits.

    Examples
    --------
    >>> [record.name for record in by_urgency(CHAPTERS)][:2]
    ['segmentation', 'lifetime_value']
    """

    def work(record: ChapterRecord) -> int:
        waiting = (work(other) for other in chapters if record.name in other.after)
        return record.weight + max(waiting, default=0)

    return sorted(chapters, key=lambda record: (-work(record), record.number, record.name))
