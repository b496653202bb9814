"""The report as a whole, through the real command: what it makes, and how it fails."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections import namedtuple
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from kehu_analysis.actions import ACTION_COLUMNS
from kehu_analysis.cli import main
from kehu_analysis.data import default_cache
from kehu_analysis.errors import RunError, UsageError
from kehu_analysis.report.folder import is_report, staging
from kehu_analysis.workbook.kernels import CAN_FORK

HOSTILE = (
    "<script>alert(1)</script>",
    "=1+1",
    "'\"><img src=x onerror=alert(1)>",
    "@SUM(A1)",
    "[x](javascript:alert(1))",
)


Done = namedtuple("Done", ("returncode", "stdout", "stderr"))


def kehu(*arguments):
    """Run the command; in this process, so that forked kernels are preloaded once for all tests."""
    stdout, stderr = io.StringIO(), io.StringIO()
    trace = default_cache() / "last-error.txt"
    trace.unlink(missing_ok=True)
    with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert not trace.is_file(), trace.read_text()
    return Done(ended.value.code or 0, stdout.getvalue(), stderr.getvalue())


def write_log(folder: Path, rows, name="transactions.csv"):
    folder.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=["customer_id", "date", "amount"]).to_csv(folder / name, index=False)
    return folder


def company(folder: Path, n_customers=60, seed=1, ids=None):
    """Write two years of orders of customers with rates and spends of their own."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(n_customers):
        customer = ids[number % len(ids)] + str(number // len(ids) or "") if ids else f"c{number:03d}"
        day = int(rng.integers(0, 200))
        pace, spend = rng.gamma(2.0, 20.0) + 3, rng.gamma(3.0, 40.0)
        while day < 730:
            date = (pd.Timestamp("2024-01-01") + pd.Timedelta(days=day)).date()
            rows.append((customer, date, round(float(spend * rng.gamma(4.0, 0.25)) + 0.01, 2)))
            if rng.random() < 0.03:
                break
            day += 1 + int(rng.exponential(pace))
    rows.append(("c_last", pd.Timestamp("2025-12-31").date(), 1.0))
    return write_log(folder, rows)


#: Chapters that are made in seconds.
ONLY = ("--only", "data_quality,segmentation,loyalty")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A report of customers with hostile names."""
    folder = tmp_path_factory.mktemp("hostile")
    data = company(folder / "data", ids=HOSTILE)
    names = pd.read_csv(data / "transactions.csv")["customer_id"].drop_duplicates()
    pd.DataFrame({"customer_id": names, "name": names}).to_csv(data / "customers.csv", index=False)
    out = folder / "report"
    done = kehu("report", data, "--out", out, *ONLY)
    assert done.returncode == 0, done.stderr
    return out


def test_report_is_whole(demo_report):
    made = demo_report
    assert sorted(path.name for path in made.iterdir()) == [
        "actions.parquet", "index.html", "manifest.json", "metrics.json", "notebooks", "report.xlsx", "tables",
    ]  # fmt: skip
    metrics = json.loads((made / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["quarter"] == "2026Q3"
    assert set(metrics["facts"]) == {"data_quality", "segmentation", "loyalty", "satisfaction", "lifetime_value"}
    assert metrics["not_run"] == {}
    tables = {path.stem for path in (made / "tables").iterdir()}
    assert tables == {name for findings in metrics["facts"].values() for name in findings}
    manifest = json.loads((made / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["seconds"]["total"] > 0
    assert set(manifest["notebooks"]) == {*metrics["facts"], "overview"}
    assert manifest["previous"] is None


def test_the_list_of_actions_is_whole_and_told_in_words(made):
    actions = pd.read_parquet(made / "actions.parquet")
    assert tuple(actions.columns) == (*ACTION_COLUMNS, "listed_before")
    assert len(actions) > 10
    assert {"segmentation", "loyalty"} == set(actions["chapter"])
    assert not actions[actions["customer_id"] != ""].duplicated(["customer_id", "kind"]).any()
    page = (made / "index.html").read_text(encoding="utf-8")
    assert "下个季度共" in page
    assert ".ipynb" not in re.sub(r"<details.*?</details>", "", page, flags=re.DOTALL)
    with zipfile.ZipFile(made / "report.xlsx") as book:
        names = re.findall(r'<sheet name="(.*?)"', book.read("xl/workbook.xml").decode())
        sheet = book.read(f"xl/worksheets/sheet{names.index('行动名单') + 1}.xml").decode()
    # Below the heading stands a row an action, and what a customer is called stays text.
    assert sheet.count("业务员") == int((actions["owner"] == "salesperson").sum())
    assert "<is><t>=1+1" in sheet


@pytest.mark.parametrize("only", [ONLY, pytest.param((), marks=pytest.mark.long)], ids=["some", "all"])
def test_same_inputs_same_bytes(made, tmp_path, only):
    data, again = made.parent / "data", tmp_path / "report"
    if not only:
        made = tmp_path / "first"
        assert kehu("report", data, "--out", made).returncode == 0
    done = kehu("report", data, "--out", again, *only)
    assert done.returncode == 0, done.stderr
    tables = sorted((again / "tables").iterdir())
    assert len(tables) > 5
    for path in (again / "metrics.json", again / "report.xlsx", again / "actions.parquet", *tables):
        assert path.read_bytes() == (made / path.relative_to(again)).read_bytes(), path.name


def test_hostile_names_are_inert(made):
    page = (made / "index.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img src=x" not in page
    assert 'href="javascript' not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    with zipfile.ZipFile(made / "report.xlsx") as book:
        sheets = [book.read(name).decode() for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
    assert not any(re.search("<f[ >]", sheet) for sheet in sheets)
    assert any("<is><t>=1+1</t></is>" in sheet for sheet in sheets)


def test_page_and_notebooks_hold_no_path_of_this_machine(made):
    for path in [made / "index.html", made / "manifest.json", *(made / "notebooks").iterdir()]:
        text = path.read_text(encoding="utf-8")
        assert str(made.parent) not in text, path.name
        assert str(Path(__file__).parents[2]) not in text, path.name


@pytest.mark.long
@pytest.mark.parametrize(
    "rows",
    [
        [("only", "2025-10-05", 10.0), ("only", "2025-12-31", 5.0)],
        [(f"c{i:02d}", f"2025-{10 + i % 3}-{1 + i:02d}", 10.0 + i) for i in range(25)],
    ],
    ids=["one customer", "all bought once"],
)
def test_small_data_make_a_report_that_says_what_they_cannot_carry(tmp_path, rows):
    done = kehu("report", write_log(tmp_path / "data", rows), "--out", tmp_path / "out", "--lang", "en")
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert "purchase_forecast" in metrics["not_run"]
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.count("Not run:") >= len(metrics["not_run"])


LEAVES_FINDINGS = """import os, pathlib
folder = pathlib.Path(os.environ["KEHU_FINDINGS"]) / "{chapter}"
folder.mkdir()
(folder / "order.json").write_text("[]")"""


@pytest.fixture
def tiny(tmp_path):
    """Chapters of one cell each, of which tests break one; and a small log."""

    def notebooks(broken_cell=None, chapter="loyalty"):
        folder = tmp_path / "notebooks"
        folder.mkdir()
        names = ("overview", "data_quality", "segmentation", "loyalty", "satisfaction", "lifetime_value")
        for number, name in enumerate(names):
            cells = [
                nbformat.v4.new_code_cell('data = ""\nquarter = ""\nlang = "zh"', metadata={"tags": ["parameters"]}),
                nbformat.v4.new_code_cell(LEAVES_FINDINGS.format(chapter=name)),
                nbformat.v4.new_code_cell("x = 1"),
            ]
            if broken_cell is not None and name == chapter:
                cells[1].source = broken_cell
            spec = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
            nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=spec), folder / f"{number}0_{name}.ipynb")
        return folder

    notebooks.data = write_log(tmp_path / "data", [("a", "2025-10-01", 1.0), ("b", "2025-12-31", 2.0)])
    notebooks.out = tmp_path / "out"
    return notebooks


def run_tiny(tiny, folder, *arguments):
    return kehu("report", tiny.data, "--out", tiny.out, "--notebooks", folder, "--lang", "en", *arguments)


@pytest.mark.parametrize(
    ("cell", "arguments", "said"),
    [
        ("raise ValueError('the cell broke')", (), "ValueError: the cell broke"),
        ("import os; os.kill(os.getpid(), 9)", (), "died"),
        ("import sys; sys.exit(0)", (), "stopped at its cell 3"),
        ("x = 1", (), "left no findings"),
        pytest.param("import time; time.sleep(120)", ("--timeout", "8"), "not done in time", marks=pytest.mark.long),
    ],
    ids=["raises", "killed", "ends early", "finds nothing", "hangs"],
)
def test_broken_notebook_ends_the_run_and_is_kept(tiny, cell, arguments, said):
    done = run_tiny(tiny, tiny(cell), *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert "30_loyalty.ipynb" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not tiny.out.exists()
    kept = tiny.out.with_name("out.failed")
    assert (kept / "notebooks" / "30_loyalty.ipynb").is_file()
    assert not (kept / "index.html").exists()


def test_failed_run_leaves_the_earlier_report_as_it_was(tiny):
    good = tiny()
    assert run_tiny(tiny, good).returncode == 0
    before = {path.name: path.read_bytes() for path in tiny.out.iterdir() if path.is_file()}
    source = good / "30_loyalty.ipynb"
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[2].source = "import sys; sys.exit(0)"
    nbformat.write(notebook, source)
    assert run_tiny(tiny, good).returncode == 1
    assert {path.name: path.read_bytes() for path in tiny.out.iterdir() if path.is_file()} == before
    notebook.cells[2].source = "x = 2"
    nbformat.write(notebook, source)
    assert run_tiny(tiny, good).returncode == 0
    assert not tiny.out.with_name("out.failed").exists()


def test_progress_names_the_notebooks(tiny):
    done = run_tiny(tiny, tiny())
    names = ("00_overview", "10_data_quality", "20_segmentation", "30_loyalty", "40_satisfaction", "50_lifetime_value")
    for name in names:
        assert f"Running notebook: {name}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--quarter", "2031Q1"), 2, "2025Q4"),
        (("--quarter", "soon"), 2, "2026Q3"),
        (("-p", "no_such_thing=1"), 2, "no_such_thing"),
        (("-p", "grade_months=two"), 2, "grade_months"),
        (("-p", "grade_months=7"), 2, "grade_months"),
        (("-p", "grade_by=rank"), 2, "grade_standards"),
        (("-p", "grade_months"), 2, "name=value"),
        (("-p", "quarter=2030Q1"), 2, "--quarter"),
        (("--only", "nothing"), 2, "nothing"),
        (("--lang", "fr"), 2, "--lang"),
        (("--timeout", "soon"), 2, "--timeout"),
        (("one path", "too many"), 2, "quotation marks"),
        (("--no-such-option",), 2, "no-such-option"),
    ],
)
def test_wrong_use_is_refused_at_once(tiny, arguments, code, said):
    done = kehu("report", tiny.data, "--out", tiny.out, "--lang", "en", *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not tiny.out.exists()


def report_before(folder: Path, dataset="data", quarter="2025Q3"):
    """Write of an earlier report what a new one may take from it; its list has one action."""
    folder.mkdir(parents=True)
    metrics = {"dataset": dataset, "quarter": quarter, "as_of": "2025-09-30", "preview": False, "facts": {}}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    row = {"customer_id": "a", "kind": "call", "reason_1": "newly_overdue"}
    pd.DataFrame([row]).to_parquet(folder / "actions.parquet")
    return folder


#: A chapter whose finding asks for two calls, and keeps what it knows of the report before.
ASKING = """import numpy as np
import pandas as pd
from datetime import date
from kehu_analysis.loyalty import customer_states, overdue_customers
from kehu_analysis.workbook import open_workbook
book = open_workbook("loyalty", data, quarter, lang)
history = pd.DataFrame({"customer_id": ["a", "b"], "n_intervals": 3, "mean_amount": 50.0, "recent_gap_days": 8})
history = history.assign(first_purchase=date(2025, 11, 10), last_purchase=date(2025, 12, 5))
history["sum_log_interval_days"] = np.log([6, 7, 8]).sum()
states = customer_states(history, as_of=book.as_of)
book.run(overdue_customers, history, states, since=book.quarter.start)
before = book.previous()
print("before:", before and before.quarter)"""


def test_the_report_before_is_an_input(tiny, monkeypatch):
    monkeypatch.delenv("KEHU_PREVIOUS")
    before = report_before(tiny.out.parent / "2025Q3")  # beside the new one: found by itself
    folder = tiny(ASKING)
    made = {}
    for given in ((), ("--previous", before)):
        done = run_tiny(tiny, folder, *given)
        assert done.returncode == 0, done.stderr
        manifest = json.loads((tiny.out / "manifest.json").read_text())
        made[given] = manifest["previous"], (tiny.out / "actions.parquet").read_bytes()
    assert made[()] == made[("--previous", before)]
    assert made[()][0]["quarter"] == "2025Q3"
    assert len(made[()][0]["content_hash"]) == 64
    actions = pd.read_parquet(tiny.out / "actions.parquet").set_index("customer_id")
    assert actions["listed_before"].to_dict() == {"a": True, "b": False}
    notebook = (tiny.out / "notebooks" / "30_loyalty.ipynb").read_text()
    assert "before: 2025Q3" in notebook
    assert str(before) not in notebook + (tiny.out / "manifest.json").read_text()


@pytest.mark.parametrize(
    ("made", "code", "said"),
    [
        ({"quarter": "2025Q4"}, 2, "not before 2025Q4"),
        ({"quarter": "2026Q1"}, 2, "not before 2025Q4"),
        ({"dataset": "other"}, 2, "dataset other"),
        (None, 2, "is no report"),
        ("damaged", 1, "cannot be read"),
    ],
)
def test_a_report_that_cannot_be_the_one_before_is_refused(tiny, made, code, said):
    before = tiny.out.parent / "before"
    if made is not None:
        report_before(before, **(made if isinstance(made, dict) else {}))
    if made == "damaged":
        (before / "actions.parquet").write_text("no parquet")
    done = run_tiny(tiny, tiny(), "--previous", before)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not tiny.out.exists()


@pytest.mark.long
def test_another_report_that_lies_beside_is_passed_over(tiny):
    report_before(tiny.out.parent / "2025Q3", dataset="other")
    assert run_tiny(tiny, tiny()).returncode == 0
    assert json.loads((tiny.out / "manifest.json").read_text())["previous"] is None


def test_unfinished_quarter_needs_preview(tmp_path, tiny):
    data = write_log(tmp_path / "begun", [(f"c{d}", f"2026-01-{d:02d}", 1.0) for d in range(1, 31)])
    arguments = ("--notebooks", tiny(), "--lang", "en", "--quarter", "2026Q1")
    refused = kehu("report", data, "--out", tiny.out, *arguments)
    assert refused.returncode == 2
    assert "--preview" in refused.stderr
    assert kehu("report", data, "--out", tiny.out, "--preview", *arguments).returncode == 0
    assert json.loads((tiny.out / "metrics.json").read_text())["preview"] is True


def test_unfinished_quarter_alone_becomes_a_preview(tmp_path, tiny):
    data = write_log(tmp_path / "begun", [(f"c{d}", f"2026-01-{d:02d}", 1.0) for d in range(1, 31)])
    done = kehu("report", data, "--out", tiny.out, "--notebooks", tiny())
    assert done.returncode == 0
    assert json.loads((tiny.out / "metrics.json").read_text())["preview"] is True


def test_what_others_keep_in_a_report_folder_is_not_deleted(tiny):
    assert run_tiny(tiny, tiny()).returncode == 0
    made = json.loads((tiny.out / "manifest.json").read_text())
    assert set(made["files"]) == {
        path.relative_to(tiny.out).as_posix() for path in tiny.out.rglob("*") if path.is_file()
    } - {"manifest.json"}
    (tiny.out / "my notes.docx").write_text("keep me")
    assert run_tiny(tiny, tiny.out.parent / "notebooks").returncode == 0
    assert (tiny.out / "my notes.docx").read_text() == "keep me"
    (tiny.out / "notebooks" / "mine.ipynb").write_text("keep me")
    (tiny.out / "report.xlsx").write_bytes(b"with my remarks")
    for named, gone in (("mine.ipynb", tiny.out / "notebooks" / "mine.ipynb"), ("report.xlsx", None)):
        done = run_tiny(tiny, tiny.out.parent / "notebooks")
        assert done.returncode == 2
        assert named in done.stderr
        if gone is not None:
            gone.unlink()
    assert (tiny.out / "report.xlsx").read_bytes() == b"with my remarks"


@pytest.mark.parametrize("out", ["/", ".", ".."])
def test_the_folder_one_stands_in_does_not_become_the_report(tiny, out):
    done = kehu("report", tiny.data, "--out", out, "--notebooks", tiny(), "--lang", "en")
    assert done.returncode == 2
    assert "--out" in done.stderr


@pytest.mark.parametrize("place", ["foreign folder", "file", "nowhere to write"])
def test_place_that_cannot_take_a_report(tmp_path, tiny, place):
    folder = tiny()
    out = tmp_path / "taken"
    if place == "foreign folder":
        out.mkdir()
        (out / "holiday.txt").write_text("keep me")
    elif place == "file":
        out.write_text("keep me")
    else:
        out = Path("/proc/kehu/report")  # no user, not even root, can write there
    done = kehu("report", tiny.data, "--out", out, "--notebooks", folder, "--lang", "en")
    assert done.returncode in (1, 2)
    assert str(out) in done.stderr or str(out.parent) in done.stderr
    assert "Traceback" not in done.stderr
    if place == "foreign folder":
        assert [path.name for path in out.iterdir()] == ["holiday.txt"]


@pytest.mark.parametrize("content", [None, "", "customer_id,date,amount\n", "\x00\x01binary"])
def test_data_that_cannot_become_a_report(tmp_path, tiny, content):
    data = tmp_path / "bad"
    data.mkdir()
    if content is not None:
        (data / "transactions.csv").write_text(content)
    done = kehu("report", data, "--out", tiny.out, "--notebooks", tiny(), "--lang", "en")
    assert done.returncode == 1
    assert "Error: " in done.stderr
    assert "Traceback" not in done.stderr
    assert not tiny.out.exists()


def test_second_run_at_the_same_place_is_refused(tmp_path):
    lock = FileLock(tmp_path / ".out.lock")
    with lock, pytest.raises(RunError, match="Another run"), staging(tmp_path / "out"):
        pass


def test_staging_keeps_a_folder_that_is_no_report(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.json").write_text('{"made_by": "somebody else"}')
    assert not is_report(tmp_path / "out")
    with pytest.raises(UsageError), staging(tmp_path / "out"):
        pass


@pytest.mark.parametrize("orders", ["no json", '["no_such_finding"]'])
def test_findings_that_cannot_be_read(tiny, orders):
    cell = f"""import os, pathlib
folder = pathlib.Path(os.environ["KEHU_FINDINGS"]) / "loyalty"
folder.mkdir()
(folder / "order.json").write_text({orders!r})"""
    done = run_tiny(tiny, tiny(cell))
    assert done.returncode == 1
    assert "findings cannot be read" in done.stderr
    assert not tiny.out.exists()


@pytest.mark.skipif(not CAN_FORK, reason="kernels are forked on Linux only")
@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("SIGINT", 130),
        pytest.param("SIGTERM", 143, marks=pytest.mark.long),
        pytest.param("SIGKILL", -9, marks=pytest.mark.long),
    ],
)
def test_run_that_is_ended_leaves_no_kernel(tiny, tmp_path, number, code):
    noted = tmp_path / "pid"
    cell = f"""import os, pathlib, time
pathlib.Path({str(noted)!r}).write_text(str(os.getpid()))
time.sleep(100)"""
    # The chapter that starts first: what is waited for is one kernel.
    options = ["--out", tiny.out, "--notebooks", tiny(cell, chapter="segmentation")]
    command = [sys.executable, "-m", "kehu_analysis.cli", "report", tiny.data, *options]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hear_ctrl_c
    ) as run:
        assert wait_until(lambda: noted.is_file() and noted.read_text())
        if number == "SIGINT":  # Ctrl-C reaches every process of a terminal
            os.killpg(run.pid, signal.SIGINT)
        else:
            run.send_signal(signal.Signals[number])
        said = run.communicate(timeout=60)[1]
    assert run.returncode == code
    assert "Traceback" not in said
    assert wait_until(lambda: not is_alive(int(noted.read_text())))
    assert not tiny.out.exists()
    if number != "SIGKILL":
        assert not list(tmp_path.glob(".out.building-*"))


def hear_ctrl_c():
    # What runs these tests in the background may have had it ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_until(is_so, seconds=60):
    ends = time.monotonic() + seconds
    while not is_so() and time.monotonic() < ends:
        time.sleep(0.1)
    return is_so()


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0] != "Z"
    except OSError:
        return False


def test_only_some_chapters_at_a_relative_place(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny()
    arguments = ("--out", "out", "--notebooks", "notebooks", "--only", "loyalty")
    done = kehu("report", "data", *arguments)
    assert done.returncode == 0
    manifest = json.loads((tiny.out / "manifest.json").read_text())
    assert manifest["chapters"] == ["loyalty"]
    assert set(manifest["notebooks"]) == {"loyalty", "overview"}
