"""What the person at the terminal sees."""

import io
import sys

import nbformat
import pytest

from kehu_analysis.report.progress import Progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def notebooks(tmp_path):
    cells = [nbformat.v4.new_code_cell("1"), nbformat.v4.new_markdown_cell("words"), nbformat.v4.new_code_cell("2")]
    paths = [tmp_path / "one.ipynb", tmp_path / "two.ipynb"]
    for path in paths:
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return paths


def test_the_bar_is_full_when_the_last_cell_is_done(monkeypatch, notebooks):
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = Progress("en")
    progress.begin(notebooks)
    for _ in range(2 * 3):  # two cells of each, and the one of parameters that papermill adds
        progress.step()
    progress.writing()  # draws the bar anew
    shown = sys.stderr.getvalue()
    progress.close()
    assert "100%" in shown.rsplit("\r", 1)[-1]


def test_a_terminal_has_a_bar_for_the_reading(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = Progress("zh")
    for step, share in [("hash", 0.0), ("transactions", 0.0), ("transactions", 0.5), ("transactions", 1.0)]:
        progress.reading(step, share)
    progress.close()
    shown = sys.stderr.getvalue().split("\r")
    assert any("正在核对数据文件是否有变化" in text for text in shown)
    assert any("读取数据：transactions" in text and "0%" in text for text in shown)


def test_a_log_has_a_line_for_each_step(capsys):
    progress = Progress("zh")
    for step, share in [("hash", 0.0), ("transactions", 0.0), ("transactions", 0.5), ("customers", 0.0)]:
        progress.reading(step, share)
    assert capsys.readouterr().err == "正在核对数据文件是否有变化\n读取数据：transactions\n读取数据：customers\n"
