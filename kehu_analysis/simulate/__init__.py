"""A company whose truth is known: every table of the data contract, and what is behind them."""

from kehu_analysis.simulate.world import FORMATS, NONRESPONSES

__all__ = ["FORMATS", "NONRESPONSES", "simulate_company"]


def __getattr__(name: str) -> object:
    # What draws a company takes a while to import; the command line asks for its options only.
    if name == "simulate_company":
        from kehu_analysis.simulate.company import simulate_company

        return simulate_company
    raise AttributeError(name)
