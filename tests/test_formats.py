"""``srbench leaderboard --format``: LaTeX that typesets what the table says, and the other formats."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from helpers import record
from hypothesis import example, given
from hypothesis import strategies as st
from typer.testing import CliRunner

from srbench.boards import files, text
from srbench.boards.compute import tables
from srbench.boards.csv_records import read_csv
from srbench.boards.latex import escape, latex
from srbench.cli import app
from srbench.errors import BadInput

pytestmark = pytest.mark.usefixtures("few_images_will_do")

BOARDS = Path(__file__).parents[1] / "leaderboards"
HOSTILE = r"<script>_&%"

# What TeX makes of the words used: https://ctan.org/pkg/comprehensive
TYPESET = {
    "textbackslash": "\\",
    "textasciicircum": "^",
    "textasciitilde": "~",
    "textless": "<",
    "textgreater": ">",
    "textbar": "|",
    "textasciigrave": "`",
    "uparrow": "↑",
    "downarrow": "↓",
    "bullet": "●",
    "circ": "○",
    "blacklozenge": "◆",
    "times": "×",
    "cdot": "·",
}
LIGATURES = {
    "---": "—",
    "--": "–",
    "``": "“",
    "''": "”",
    ",,": "„",
    "<<": "«",
    ">>": "»",
    "?`": "¿",
    "!`": "¡",
}
TOKEN = re.compile(r"\\([a-zA-Z]+) ?|\\(.)|(---|--|``|''|,,|<<|>>|\?`|!`)|(.)", re.DOTALL)


def typeset(source: str) -> str:
    """What a reader sees of LaTeX text, by a small TeX: groups, control words, math signs, ligatures."""
    depth, math, shown = 0, False, []
    for word, symbol, ligature, char in TOKEN.findall(source):
        if word == "textbf":
            continue
        if word:
            assert word in TYPESET, word
            shown.append(TYPESET[word])
        elif symbol:
            assert symbol in "{}$&#%_", symbol
            shown.append(symbol)
        elif ligature:
            shown.append(LIGATURES[ligature])
        elif char in "{}":
            depth += 1 if char == "{" else -1
            assert depth >= 0
        elif char == "$":
            math = not math
        else:
            assert char not in "&#%_^~\n", char
            shown.append(char)
    assert depth == 0
    assert not math
    return "".join(shown)


def cells(line: str) -> list[str]:
    """The cells of a table's line."""
    assert line.endswith(r" \\")
    return re.split(r" (?<!\\)& ", line.removesuffix(r" \\"))


@given(st.text(st.characters(exclude_categories=("Cc", "Cf", "Zl", "Zp", "Cs")), max_size=40))
@example(r"\input{/etc/passwd}$x_1^2$ & % # ~ {")
@example("a--b---c ''d'' ,,e,, ?`f ``g")
@example("● – ○ ↑")
def test_any_text_is_typeset_as_itself(words: str) -> None:
    assert typeset(escape(words)) == words


@given(st.text(max_size=40))
def test_no_control_character_is_left(words: str) -> None:
    found = escape(words)
    assert "\n" not in found
    assert all(ord(c) >= 32 for c in found)
    typeset(found)


def small() -> list[object]:
    """Two models on two sets of two images; the numbers can be averaged in the head."""
    values = {
        (HOSTILE, "ntire", "a"): (20.0, 0.30),
        (HOSTILE, "ntire", "b"): (22.0, 0.30),
        (HOSTILE, "aim", "a"): (24.0, 0.50),
        (HOSTILE, "aim", "b"): (24.0, 0.50),
        ("bicubic", "ntire", "a"): (23.0, 0.40),
        ("bicubic", "ntire", "b"): (23.0, 0.40),
        ("bicubic", "aim", "a"): (22.0, 0.60),
        ("bicubic", "aim", "b"): (22.0, 0.60),
    }
    return [
        record(
            model=model,
            training_domain="ntire" if model == HOSTILE else "none",
            dataset=f"{dataset}_mini",
            dataset_domain=dataset,
            dataset_hash=dataset * 10,
            image=image,
            metrics={"psnr": psnr, "lpips": lpips},
        )
        for (model, dataset, image), (psnr, lpips) in values.items()
    ]


def test_a_small_table_to_the_letter() -> None:
    found = latex(tables(small(), dataset_order=["ntire_mini", "aim_mini"]))
    head, notes = found.split("\n\\par", 1)
    assert head == "\n".join(
        [
            r"% \usepackage{booktabs,amssymb}",
            "",
            r"\begin{table*}",
            r"\centering",
            r"\caption{ntire\_mini, aim\_mini $\cdot$ protocol rsr (pppppppp)}",
            r"\begin{tabular}{rllrrrrrrrr}",
            r"\toprule",
            r" &  &  & \multicolumn{3}{c}{PSNR $\uparrow$} & \multicolumn{3}{c}{LPIPS $\downarrow$} & "
            r"\multicolumn{2}{c}{LPIPS} \\",
            r"\cmidrule(lr){4-6} \cmidrule(lr){7-9} \cmidrule(lr){10-11}",
            r"\# & Model & Trained for & ntire\_mini & aim\_mini & Avg & ntire\_mini & aim\_mini & Avg & "
            r"95 \% & worst \\",
            r"\midrule",
            r"1 & \textless{}script\textgreater{}\_\&\% & ntire & 21.00 & \textbf{24.00} & \textbf{22.50} & "
            r"\textbf{0.3000} $\bullet$ & \textbf{0.5000} $\circ$ & \textbf{0.4000} & 0.4000 to 0.4000 & "
            r"0.5000 \\",
            r"2 & bicubic & -- & \textbf{23.00} & 22.00 & \textbf{22.50} & 0.4000 & 0.6000 & 0.5000 & "
            r"0.5000 to 0.5000 & 0.6000 \\",
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )
    assert "Ranked by LPIPS" in notes
    assert r"$\bullet$ trained for this degradation" in notes


@pytest.mark.parametrize("folder", ["mini1", "real", "attacked-mini2", "classical"])
def test_committed_boards_say_the_same_in_latex(folder: str) -> None:
    """Every cell of the Markdown table is a cell of the LaTeX one, and every line has its columns."""
    found = tables(read_csv(BOARDS / folder / "records.csv"))
    source = latex(found)
    blocks = re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", source, re.DOTALL)
    expected = []
    for table in found:
        expected += [text.grid(table, attack, str)[1] for attack in table.attacks]
        expected += [summary[1]] if (summary := text.robustness(table)) else []
    assert len(blocks) == len(expected) == source.count(r"\caption{")
    for (columns, body), rows in zip(blocks, expected, strict=True):
        lines = body.splitlines()
        rule = lines.index(r"\midrule")
        shown = [[typeset(cell) for cell in cells(line)] for line in lines[rule + 1 : -1]]
        assert shown == rows
        assert len(cells(lines[rule - 1])) == len(columns)
        for line in lines[1 : rule - 2]:
            spans = [re.match(r"\\multicolumn\{(\d+)\}", cell) for cell in cells(line)]
            assert sum(int(span[1]) if span else 1 for span in spans) == len(columns)
        assert all(len(row) == len(columns) for row in shown)
    for kind in ("table", "table*", "tabular"):
        assert source.count(rf"\begin{{{kind}}}") == source.count(rf"\end{{{kind}}}")


def test_a_name_cannot_break_out_of_its_cell() -> None:
    name = "\x02\\end{tabular}\x03\r\n& x \\\\ %"
    source = latex(tables([record(model=name), record(model=name, image="b")]))
    (line,) = [line for line in source.splitlines() if "textbackslash" in line and line.startswith("1")]
    assert typeset(cells(line)[1]) == r" \end{tabular}   & x \\ %"
    assert source.count(r"\end{tabular}") == 1


def printed(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["leaderboard", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_prints_each_format() -> None:
    file = str(BOARDS / "classical" / "records.csv")
    found = tables(read_csv(Path(file)))
    assert printed("--records", file, "--format", "latex") == latex(found)
    assert printed("--records", file, "--format", "markdown") == files.markdown(found)
    nested = printed("--records", file, "--format", "json")
    assert json.loads(nested) == json.loads(files.as_json(found))
    assert nested == printed("--records", file, "--json")
    rows = list(csv.DictReader(io.StringIO(printed("--records", file, "--format", "csv"))))
    flat = files.means_frame(found)
    assert len(rows) == len(flat)
    assert [float(row["value"]) for row in rows] == pytest.approx(list(flat["value"]))


def test_metrics_can_be_left_out_but_not_the_one_that_ranks() -> None:
    file = str(BOARDS / "real" / "records.csv")
    shown = {
        table["kind"]: table
        for table in json.loads(printed("--records", file, "--json", "--metrics", "psnr"))
    }
    assert shown["paired"]["metrics"] == ["psnr", "lpips"]
    whole = {table["kind"]: table for table in json.loads(printed("--records", file, "--json"))}
    for kind, table in shown.items():
        assert table["rank_by"] in table["metrics"]
        assert [row["model"] for row in table["rows"]] == [row["model"] for row in whole[kind]["rows"]]
        assert table["notes"] == whole[kind]["notes"]


def test_two_formats_at_once_are_refused() -> None:
    with pytest.raises(BadInput, match="--json and --format csv"):
        printed("--json", "--format", "csv")
    with pytest.raises(BadInput, match="psnr"):
        printed("--metrics", "psmr")
