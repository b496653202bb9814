"""The ``kehu`` command: thin, all work is done elsewhere. A command stands with those of its room."""

from __future__ import annotations

import io
import itertools
import logging
import os
import sys
import tempfile
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Never

import click

from kehu_analysis import labels
from kehu_analysis.cli.data import check, demo, import_, template
from kehu_analysis.cli.manners import INTERRUPTED, help_of, say_error
from kehu_analysis.cli.usage import usage_error
from kehu_analysis.cli.workbook import doctor, lab, new_chapter, report
from kehu_analysis.data import default_cache
from kehu_analysis.errors import KehuError


@click.group(
    help=help_of("kehu"),
    commands=[check, demo, doctor, import_, lab, new_chapter, report, template],
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(version("kehu_analysis"), prog_name="kehu")
def commands() -> None:
    """Customer analysis on the command line."""


def _language(arguments: list[str]) -> str:
    """Return the language asked for, also where the command line as a whole could not be read."""
    pairs = itertools.pairwise(arguments)
    return "en" if "--lang=en" in arguments or ("--lang", "en") in pairs else "zh"


def _write_trace() -> Path:
    for folder in (default_cache(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "last-error.txt").write_text(traceback.format_exc(), encoding="utf-8", errors="replace")
        except OSError:
            continue
        return folder / "last-error.txt"
    return Path(os.devnull)


def _complain(error: KehuError, lang: str) -> Never:
    say_error(error, lang)
    sys.exit(error.exit_code)


def main(arguments: list[str] | None = None) -> None:
    """Run the command; every fault becomes one clear message and an exit code (1 data or run, 2 usage)."""
    given = sys.argv[1:] if arguments is None else arguments
    lang = _language(given)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a character shows a stand-in; that is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Libraries tell of what goes wrong in a log of their own; the reader gets one message, which is ours.
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        sys.exit(commands.main(args=given, prog_name="kehu", standalone_mode=False))
    except click.Abort:
        click.echo(labels.label("ui.stopped", lang), err=True)
        sys.exit(INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
    except click.UsageError as error:
        _complain(usage_error(error, commands.commands), lang)
    except KehuError as error:
        _complain(error, lang)
    except Exception:
        # A fault of the program, not of the data: a reader gets one sentence, its author the whole trace in a file.
        trace = _write_trace()
        click.echo(f"{labels.label('ui.error', lang)}{labels.render('error.unexpected', lang, path=trace)}", err=True)
        sys.exit(1)
