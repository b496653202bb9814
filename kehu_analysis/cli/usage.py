"""What click says of a command line, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable

import click

from kehu_analysis.errors import UsageError


def usage_error(error: click.UsageError, commands: Iterable[str]) -> UsageError:
    """Return what click says of a command line in the reader's language."""
    command = error.ctx.command_path if error.ctx else "kehu"
    if isinstance(error, click.exceptions.NoSuchCommand):
        return UsageError("no_such_command", name=error.command_name, known=", ".join(commands))
    if isinstance(error, click.NoSuchOption):
        return UsageError("no_such_option", name=error.option_name, command=command)
    if isinstance(error, click.BadOptionUsage):
        return UsageError("option_without_value", name=error.option_name)
    parameter = error.param if isinstance(error, click.BadParameter) else None
    if parameter is None:
        return UsageError("too_many_arguments", command=command)
    if isinstance(error, click.MissingParameter):
        return UsageError("missing_argument", name=parameter.human_readable_name, command=command)
    kind = parameter.type
    if isinstance(kind, click.Choice):
        return UsageError("option_choice", name=parameter.opts[0], known=", ".join(map(str, kind.choices)))
    if isinstance(kind, click.types.IntParamType):
        return UsageError("option_whole_number", name=parameter.opts[0])
    return UsageError("option_number", name=parameter.opts[0], fewest=getattr(kind, "min", None))
