"""Tables on a terminal: at every width no number is cut, no name is split, and what matters most stays."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers import record
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from typer.testing import CliRunner

from srbench import datasets
from srbench.boards import files, terminal, text
from srbench.boards.compute import tables
from srbench.boards.csv_records import read_csv
from srbench.boards.order import dataset_order, in_order
from srbench.boards.table import Table
from srbench.cli import app
from srbench.metrics import metric
from srbench.support import screen
from srbench.support.screen import Column

LEADERBOARDS = Path(__file__).parents[1] / "leaderboards"
MINI = LEADERBOARDS / "mini1" / "records.csv"
WIDTHS = (80, 100, 120, 200)


def console_of(width: int) -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=width, color_system=None), file


def lines_of(file: io.StringIO) -> list[str]:
    return [line.rstrip() for line in file.getvalue().splitlines()]


def printed(width: int, made: Sequence[Table], **options: object) -> list[str]:
    """The lines that a terminal of some width shows of leaderboards."""
    console, file = console_of(width)
    terminal.show_all(console, made, **options)  # type: ignore[arg-type]
    return lines_of(file)


def rows_of(lines: Sequence[str]) -> list[list[list[str]]]:
    """The cells of every row of every table, split where columns are apart."""
    found, inside = [], False
    for line in lines:
        if re.fullmatch("─+", line):
            found.append([])
            inside = True
        elif not line:
            inside = False
        elif inside:
            found[-1].append(re.split(" {2,}", line.strip()))
    return found


def written(table: Table) -> set[str]:
    """Every cell that the files have of a leaderboard, under all attacks."""
    grids = [text.grid(table, attack, bold=lambda shown: shown) for attack in table.attacks]
    return {cell for _, rows in grids for row in rows for cell in row}


@cache
def mini() -> Table:
    (table,) = tables(read_csv(MINI))
    return table


@cache
def clean_mini() -> Table:
    (table,) = tables(record for record in read_csv(MINI) if record.attack == "none")
    return table


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A records.csv of three models on clean input."""
    chosen = ("rsr-mini", "esrgan-mini", "bicubic")
    records = [r for r in read_csv(MINI) if r.attack == "none" and r.model in chosen]
    folder = tmp_path_factory.mktemp("few")
    files.write_all(folder, [], records, [])
    return folder / "records.csv"


@pytest.fixture(scope="module", params=["mini1", "published/bsd100", "ablation-mini", "real"])
def board(request: pytest.FixtureRequest) -> list[Table]:
    return tables(read_csv(LEADERBOARDS / request.param / "records.csv"))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_board_is_one_table_that_fits(board: list[Table], width: int) -> None:
    lines = printed(width, board)
    assert max(map(cell_len, lines)) <= width
    shown = rows_of(lines)
    assert len(shown) == len(board)
    for table, rows in zip(in_order(board), shown, strict=True):
        cells = written(table)
        assert len(rows) == len(table.rows)
        assert len({len(row) for row in rows}) == 1  # as many cells in every row: none is empty
        for row, found in zip(table.rows, rows, strict=True):
            assert set(found) <= cells, "a cell is cut, or is none of the leaderboard's"
            assert row.label in found
            mean = text.value(table.rank_by, row.average[table.rank_by, table.attacks[0]])
            assert mean in [re.sub(" [●○◆]$", "", cell) for cell in found]


@pytest.mark.parametrize("width", WIDTHS)
def test_full_leaves_nothing_out_at_any_width(width: int) -> None:
    table = mini()
    lines = printed(width, [table], full=True)
    assert max(map(cell_len, lines)) <= width
    found = {cell for rows in rows_of(lines) for row in rows for cell in row}
    assert found - {"–"} == written(table) - {"–"}
    assert " ".join(text.notes(in_order([table])[0])) in " ".join(" ".join(lines).split())


def test_wide_enough_every_column_of_the_ranking_is_there() -> None:
    table = mini()
    header = printed(200, [table])[1:3]
    shown = " ".join(" ".join(header).split())
    for heading in ("#", "Model", "Trained for", "ntire-mini", "aim-mini", "Avg", "95 %", "worst", "strong"):
        assert heading in shown
    assert not any("No room" in line for line in printed(200, [table]))


def test_columns_give_way_by_importance() -> None:
    table = clean_mini()
    gone = {
        width: [c.name for c in screen.fitted(terminal._ranking(table, "none"), width)[1]]
        for width in (200, 80, 76, 62, 50, 34, 10)
    }
    assert gone[200] == []
    spread = "the 95 % interval"
    assert gone[80] == [spread]  # there is no room for it, and for the narrower worst there is
    assert gone[76] == [spread, "worst"]
    assert gone[62] == ["ntire-mini", spread, "worst"]
    assert gone[50] == ["aim-mini", "ntire-mini", spread, "worst"]
    assert gone[34] == gone[10] == ["#", "Trained for", "aim-mini", "ntire-mini", spread, "worst"]


def test_what_gave_way_and_what_else_was_measured_is_said() -> None:
    table = clean_mini()
    last = " ".join(printed(80, [table])[-2:])
    assert (
        "No room for: the 95 % interval. Also measured: PSNR, SSIM, NIQE, BRISQUE, PIQE (--full prints all)."
        in last
    )
    named = printed(80, [table], metrics={"psnr"})
    assert len(rows_of(named)) == 2 and any("PSNR ↑" in line for line in named)
    assert "Also measured: SSIM, NIQE, BRISQUE, PIQE (--full" in " ".join(named)


def test_columns_of_dashes_are_not_printed() -> None:
    rows = [record(model=name, metrics={"psnr": 20.0, "lpips": None}, dataset_images=1) for name in "ab"]
    made = tables(rows, metrics=["psnr", "lpips", "fsim"])
    for full in (False, True):
        lines = printed(80, made, full=full)
        for row in (row for table in rows_of(lines) for row in table):
            assert set(row[1:]) != {"–"}
        assert "FSIM" not in " ".join(lines) and "95 %" not in lines[1]
    assert "| – |" in files.markdown(made)  # files are as they were


def test_a_name_as_long_as_the_terminal_is_whole() -> None:
    name = "a-name-that-has-ninety-letters-and-no-place-to-break-it-" + "x" * 34
    made = tables([record(model=name, image=i, metrics={"lpips": 0.25}) for i in "ab"])
    lines = printed(80, made)
    assert name in lines
    assert any(line.endswith("0.2500") for line in lines)


WORDS = st.text(st.sampled_from("abcxyz中-_[]/."), min_size=1, max_size=30)
SENTENCES = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
NUMBERS = st.floats(-999, 999).map(lambda number: f"{number:.4f}")


@st.composite
def grids(draw: st.DrawFn) -> list[Column]:
    rows = draw(st.integers(1, 4))

    def column(cells: st.SearchStrategy[str], *, right: bool, wraps: int) -> Column:
        drawn = [screen.plain(draw(cells)) for _ in range(rows)]
        ways = draw(st.integers(0, 3))
        return Column(draw(WORDS), drawn, right=right, gives_way=ways, wraps=wraps)

    kinds = [column(WORDS, right=False, wraps=0)]
    kinds += [column(NUMBERS, right=True, wraps=0) for _ in range(draw(st.integers(1, 6)))]
    kinds += [column(SENTENCES, right=False, wraps=8) for _ in range(draw(st.integers(0, 2)))]
    return kinds


@settings(max_examples=60)
@given(grids(), st.integers(20, 120))
def test_no_table_cuts_a_number_or_splits_a_name(columns: list[Column], width: int) -> None:
    console, file = console_of(width)
    gone = screen.show(console, columns)
    shown, _ = screen.fitted(columns, width)
    assert [column.name for column in columns if not any(column is other for other in shown)] == gone
    words = file.getvalue().split()
    for column in shown:
        for cell in column.cells:
            assert set(cell.plain.split()) <= {w for word in words for w in (word, word.rstrip(":"))}
    longest = max(cell_len(word) for word in words)
    assert max(cell_len(line.rstrip()) for line in file.getvalue().splitlines()) <= max(width, longest)


@settings(max_examples=60)
@given(grids(), st.integers(20, 120))
def test_what_gives_way_is_the_least_important(columns: list[Column], width: int) -> None:
    shown, gone = screen.fitted(columns, width)
    kept = [column.gives_way for column in shown]
    assert all(column.gives_way for column in gone)
    order = {id(column): (column.gives_way, place) for place, column in enumerate(columns)}
    for column in gone:
        rivals = [other for other in shown if not other.gives_way or order[id(other)] < order[id(column)]]
        assert screen.needed([*rivals, column]) > width, "something less important stands in its place"
    assert screen.needed(shown) <= width or not any(kept)


def test_one_order_of_data_sets(few: Path) -> None:
    known = datasets.names()
    assert known.index("clean") < known.index("ntire") < known.index("aim") < known.index("aim-mini")
    assert dataset_order(["[x]", "aim", "ntire"], ["[x]"]) == ["[x]", "ntire", "aim"]
    run = CliRunner()

    def places(*arguments: str) -> bool:
        shown = run.invoke(app, list(arguments)).output
        assert "aim-mini" in shown and "ntire-mini" in shown, shown
        return shown.index("ntire-mini, aim-mini") >= 0 if "ntire-mini, aim-mini" in shown else False

    board = ["leaderboard", "--records", str(few)]
    assert places(*board) and not places(*board, "--datasets", "aim*,ntire*")
    pair = ["compare", "rsr-mini", "bicubic", "--records", str(few)]
    first = {
        arguments: run.invoke(app, [*pair, *arguments]).output for arguments in ((), ("--datasets", "a*,n*"))
    }
    assert "averaged over ntire-mini and aim-mini" in " ".join(first[()].split())
    assert "averaged over aim-mini and ntire-mini" in " ".join(first["--datasets", "a*,n*"].split())


@pytest.mark.parametrize("shape", ["markdown", "csv", "json", "latex"])
def test_formats_for_files_keep_their_order(shape: str, few: Path) -> None:
    shown = CliRunner().invoke(app, ["leaderboard", "--records", str(few), "--format", shape]).output
    if shape == "markdown":
        assert shown == files.markdown(tables(read_csv(few)))
    assert shown.index("aim-mini") < shown.index("ntire-mini")


def test_piped_every_line_is_whole(few: Path) -> None:
    """A pipe has no width: the ranking stands in one piece, and a sentence is one line."""
    shown = CliRunner().invoke(app, ["leaderboard", "--records", str(few)]).output
    (rows,) = rows_of(shown.splitlines())
    (table,) = tables(read_csv(few))
    assert {len(row) for row in rows} == {8}
    assert any(
        line.startswith("Ranked by LPIPS") and line.endswith("images show.") for line in shown.splitlines()
    )
    assert metric(table.rank_by).title in shown.splitlines()[0]


@pytest.mark.parametrize("command", ["models", "datasets", "metrics"])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_listings_keep_names_whole(command: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from srbench import zoo
    from srbench.metrics import registry

    console, file = console_of(width)
    monkeypatch.setattr(f"srbench.cli.{command}.out", lambda: console)
    assert CliRunner().invoke(app, [command]).exit_code == 0
    names = {"models": zoo.names(), "datasets": datasets.names(), "metrics": list(registry())}[command]
    lines = lines_of(file)
    words = file.getvalue().split()
    assert set(names) <= set(words)
    assert all(cell_len(line) <= width or " " not in line.strip().split("  ")[-1] for line in lines)
    (rows,) = rows_of(lines)
    assert [row[0] for row in rows if row[0] in names] == list(names)


def test_evaluate_says_in_a_line_what_was_not_measured(tmp_path: Path) -> None:
    asked = ["evaluate", "--models", "bicubic", "--datasets", "clean-mini", "--limit", "1"]
    asked += ["--metrics", "psnr,lpips,niqe", "--store", str(tmp_path / "store")]
    done = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert "Not measured: LPIPS, NIQE (`srbench metrics install NAME`; --full says why)." in lines
    assert len(rows_of(lines)) == 1 and not any("LPIPS ↓" in line for line in lines)
    full = CliRunner().invoke(app, [*asked, "--full"]).stdout.splitlines()
    assert [line for line in full if line.startswith("LPIPS was not measured (")]
    written_out = (tmp_path / "out" / "leaderboard.md").read_text()
    assert "LPIPS ↓ clean-mini" in written_out and "- LPIPS was not measured (" in written_out


def test_models_that_are_not_installed_are_a_line() -> None:
    from srbench.cli.evaluate import _brief_remarks
    from srbench.evaluation import EvaluationRequest
    from srbench.zoo import missing

    def remarks(*models: str) -> list[str]:
        prepared: Any = SimpleNamespace(unmeasured=[])
        return _brief_remarks(EvaluationRequest(models=models), prepared)

    count = len(missing())
    line = f"Not installed: {count} models (`srbench models`, `srbench install recommended`)."
    assert remarks("all") == [line]
    assert remarks("bicubic") == []
