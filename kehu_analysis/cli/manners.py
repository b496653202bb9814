"""What all commands have in common: help in both languages, ``--lang``, what is said, and how a run is stopped."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from kehu_analysis import labels
from kehu_analysis.errors import KehuError
from kehu_analysis.intake.account import printable

INTERRUPTED = 128 + signal.SIGINT


def help_of(code: str) -> str:
    """Return the help of a command or an option, in both languages."""
    return f"{labels.label(f'help.{code}', 'zh')}\n\n{labels.label(f'help.{code}', 'en')}"


def lang_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--lang``."""
    choice = click.Choice(labels.LANGUAGES)
    return click.option("--lang", type=choice, default="zh", show_default=True, help=help_of("lang"))(command)


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Let a scheduler that ends the run be obeyed like Ctrl-C: kernels are ended and what was begun is taken away."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    # What is ignored, as under nohup, stays so.
    before = {one: signal.signal(one, _end) for one in signals if signal.getsignal(one) != signal.SIG_IGN}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _end(number: int, _: object) -> None:
    sys.exit(128 + number)


def tell(text: str) -> None:
    """Say a line on standard output."""
    # Names of files and columns and the reasons of filters are the reader's own, and may hold anything.
    click.echo(printable(text))


def say_error(error: KehuError, lang: str) -> None:
    """Say on standard error what is wrong."""
    click.echo(f"{labels.label('ui.error', lang)}{printable(error.message(lang))}", err=True)
