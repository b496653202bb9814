"""The data dictionary beside the data: what each column is and how it was made, with the numbers of the parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kehu_analysis import labels
from kehu_analysis.simulate.world import World, parameters

#: A parameter in the words of a label, perhaps to be written as per cent, or as a range.
FIELD = re.compile(r"\{([\w.]+)(?::(%|to))?\}")
_TRUTH = "truth_"
_OTHER_FILES = ("truth_parameters.toml", "dataset.toml", "README.md")


def dictionary_text(world: World, file_format: str) -> str:
    """Answer: what is in the folder, how was it made, and what should an analysis find in it?

    Parameters
    ----------
    world
        The company that was written.
    file_format
        Of its tables: ``parquet`` or ``csv``.

    Returns
    -------
    str
        A page in Markdown, in Chinese and English. Every number of the truth is read from ``parameters.toml`` and
        stands with its name.

    Examples
    --------
    >>> text = dictionary_text(World(customers=60, quarters=4), "csv")
    >>> "`transactions.csv`" in text, "`visits.effect`" in text
    (True, True)
    """
    command = f"kehu demo DIR --customers {world.customers} --quarters {world.quarters} --seed {world.seed}"
    made = {name: getattr(world, name) for name in ("customers", "quarters", "first_day", "last_day", "seed")}
    parts = [
        f"# {_both('dictionary.title')}",
        _paragraph("dictionary.intro"),
        f"## {_both('dictionary.made')}",
        "\n".join(labels.render("dictionary.made_text", lang, **made) for lang in labels.LANGUAGES),
        f"```\n{command} --nonresponse {world.nonresponse} --format {file_format}\n```",
        _paragraph("dictionary.made_numbers"),
        f"## {_both('dictionary.files')}",
        _table([_head("file", words=("meaning",)), *_file_rows(file_format)]),
        f"## {_both('dictionary.tables')}",
    ]
    for name in labels.entry("made"):
        parts += [f"### {name}", _both(f"dictionary.file.{name}"), _table(_column_rows(name))]
    parts += [f"## {_both('dictionary.truth')}", _paragraph("dictionary.truth_text")]
    for group in labels.entry("dictionary.parameters"):
        words = (_filled(f"dictionary.parameters.{group}", lang, named=False) for lang in labels.LANGUAGES)
        parts += [f"### {group}", *words, " · ".join(_named(group, parameters()[group]))]
    parts += [f"## {_both('dictionary.limits')}", "\n".join(_limits())]
    return "\n\n".join(parts) + "\n"


def meaning_code(table: str, column: str) -> str:
    """Return under which code the meaning of a column stands: in the contract, or in the truth.

    Examples
    --------
    >>> meaning_code("surveys", "date"), meaning_code("truth_surveys", "answered")
    ('contract.surveys.date', 'truth.truth_surveys.answered')
    """
    return f"truth.{table}.{column}" if table.startswith(_TRUTH) else f"contract.{table}.{column}"


def parameter_text(name: str, lang: str = "en", form: str = "") -> str:
    """Return a parameter's value as it is written in a sentence.

    Parameters
    ----------
    name
        ``group.key``.
    lang
        Language of the sentence.
    form
        ``%`` writes shares as per cent, ``to`` a pair as a range.

    Raises
    ------
    KeyError
        ``parameters.toml`` has none of this name: a mistake in the words.

    Examples
    --------
    >>> parameter_text("types.codes"), parameter_text("company.last_quarter")
    ('convenience / supermarket / restaurant / tobacco_liquor / wholesale', '2026Q3')
    """
    value: Any = parameters()
    for part in name.split("."):
        value = value[part]
    if isinstance(value, Mapping):
        raise KeyError(name)
    written = [_written(each, form) for each in (value if isinstance(value, list) else [value])]
    if form == "to":
        return labels.render("dictionary.range", lang, first=written[0], last=written[-1])
    return " / ".join(written)


def _written(value: Any, form: str) -> str:
    if isinstance(value, list):
        return " + ".join(_written(each, form) for each in value)
    if form == "%":
        return f"{100 * value:g}%"
    return f"{value:,g}" if isinstance(value, float) else str(value)


def _filled(code: str, lang: str, *, named: bool = True) -> str:
    """Return the words of a code with the parameters they mention, each with its name unless that follows."""

    def spoken(field: re.Match[str]) -> str:
        text = parameter_text(field[1], lang, field[2] or "")
        return labels.render("dictionary.named", lang, value=text, name=field[1]) if named else text

    return FIELD.sub(spoken, labels.label(code, lang))


def _named(group: str, values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        name = f"{group}.{key}"
        if isinstance(value, Mapping):
            yield from _named(name, value)
        else:
            yield f"`{name}` = {parameter_text(name)}"


def _both(code: str) -> str:
    return " · ".join(labels.label(code, lang) for lang in labels.LANGUAGES)


def _paragraph(code: str) -> str:
    return "\n\n".join(labels.label(code, lang) for lang in labels.LANGUAGES)


def _head(*single: str, words: tuple[str, ...]) -> list[str]:
    """Return headings: of columns that serve both languages, and of those that stand once in each."""

    def heading(name: str, lang: str) -> str:
        return labels.label(f"dictionary.heading.{name}", lang)

    both = [f"{heading(name, 'en')} {heading(name, 'zh')}" for name in single]
    return [*both, *(heading(name, lang) for name in words for lang in labels.LANGUAGES)]


def _table(rows: Iterable[list[str]]) -> str:
    head, *body = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * (head.count(" | ") + 1), *body])


def _file_rows(file_format: str) -> Iterator[list[str]]:
    files = [f"{name}.{file_format}" for name in labels.entry("made")]
    for file in (*files, *_OTHER_FILES):
        code = f"dictionary.file.{file.split('.')[0]}"
        yield [f"`{file}`", *(labels.label(code, lang) for lang in labels.LANGUAGES)]


def _column_rows(table: str) -> Iterator[list[str]]:
    yield _head("column", "unit", words=("meaning", "made"))
    for column, entry in labels.entry(f"made.{table}").items():
        unit = [labels.label(f"dictionary.unit.{entry['measured_in']}", lang) for lang in labels.LANGUAGES]  # type: ignore[index]
        yield [
            f"`{column}`",
            " ".join(dict.fromkeys(unit)),
            *(labels.label(meaning_code(table, column), lang) for lang in labels.LANGUAGES),
            *(_filled(f"made.{table}.{column}", lang) for lang in labels.LANGUAGES),
        ]


def _limits() -> Iterator[str]:
    for name in labels.entry("dictionary.limit"):
        yield f"- {labels.label(f'dictionary.limit.{name}', 'zh')}<br>{labels.label(f'dictionary.limit.{name}', 'en')}"
