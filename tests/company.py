"""A small company of four regular years, of which every analysis can be made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from kehu_analysis import open_dataset
from kehu_analysis.data import Dataset
from kehu_analysis.periods import Quarter


@dataclass(frozen=True)
class Company:
    """What the examples of a room are made from.

    Attributes
    ----------
    dataset
        60 customers, 2022-01-03 to spring 2025.
    as_of, earlier
        The last day counted, and the one a year before.
    shuffled
        Whether frames come with their rows in another order, which no finding may depend on.
    """

    dataset: Dataset
    as_of: date = date(2025, 3, 31)
    earlier: date = date(2024, 3, 31)
    shuffled: bool = False

    @property
    def quarter(self) -> Quarter:
        return Quarter.containing(self.as_of)

    def summary(self, summarise: Callable[..., pd.DataFrame], as_of: date | None = None) -> pd.DataFrame:
        """Return a summary of the company's log."""
        return self.rows(summarise(self.dataset, as_of or self.as_of))

    def rows(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return a frame in the company's order of rows."""
        return frame.sample(frac=1, random_state=3).reset_index(drop=True) if self.shuffled else frame


def small_company(folder: Path) -> Company:
    """Write the company's log into a folder and open it."""
    rng = np.random.default_rng(11)
    lines = []
    for customer in range(60):
        day = int(rng.integers(0, 500))
        while day < 1200:
            lines.append((f"{customer:03d}", date(2022, 1, 3).toordinal() + day, round(float(rng.gamma(2, 40)), 2)))
            day += int(rng.gamma(2, 20)) + 1 if rng.random() > 0.07 else 2000
    frame = pd.DataFrame(lines, columns=["customer_id", "date", "amount"])
    frame["date"] = frame["date"].map(date.fromordinal)
    frame.to_csv(folder / "transactions.csv", index=False)
    return Company(open_dataset(folder, cache=folder / "cache"))
