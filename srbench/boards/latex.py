"""Write leaderboards as LaTeX: booktabs tables that can be pasted into a paper."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from srbench.boards import text
from srbench.boards.table import Table
from srbench.metrics import metric

PREAMBLE = "% \\usepackage{booktabs,amssymb}"
WIDE = 7
"""A table with more columns takes both columns of the page."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "`": r"\textasciigrave{}",  # ?` would become a Spanish question mark
}
# What srbench itself writes; a name that holds one of these is shown the same way.
_SIGNS = {
    "–": "--",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "●": r"$\bullet$",
    "○": r"$\circ$",
    "◆": r"$\blacklozenge$",
}
_WRITTEN = _SPECIAL | _SIGNS | {"\0": "{}"}


def escape(words: str) -> str:
    """Return any text as LaTeX that typesets it; control characters become spaces.

    Letters beyond ASCII are left as they are: pdflatex knows the Latin ones, lualatex and xelatex all that
    the font has.
    """
    plain = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") else c for c in words)
    apart = re.sub(r"([-',])(?=\1)", "\\1\0", plain)  # two of these in a row would become a dash or a quote
    return "".join(_WRITTEN.get(c, c) for c in apart)


def latex(tables: Sequence[Table]) -> str:
    """Return one ``table`` for each leaderboard and attack, with the best values bold and notes below."""
    parts = [PREAMBLE]
    for table in tables:
        for attack in table.attacks:
            header, rows = text.grid(table, attack)
            groups = _groups(table, attack, len(header))
            body = _tabular(groups, [[_cell(*cell) for cell in enumerate(row)] for row in rows])
            notes = text.notes(table) if attack == table.attacks[-1] else []
            parts.append(_float(text.title(table, attack), body, notes, wide=len(header) > WIDE))
        if summary := text.robustness(table):
            body = _tabular([("", [h]) for h in summary[0]], [[escape(c) for c in row] for row in summary[1]])
            wide = len(summary[0]) > WIDE
            parts.append(_float("Under attack, averaged over the data sets", body, [], wide=wide))
    return "\n\n".join(parts) + "\n"


def _cell(place: int, shown: str) -> str:
    """Return a cell of a leaderboard; only numbers can be bold, a name is a name whatever it holds."""
    if place in text.WORDS:
        return escape(shown)
    bold = re.fullmatch(f"{text.OPEN}(.*){text.CLOSE}(.*)", shown)
    return rf"\textbf{{{escape(bold[1])}}}{escape(bold[2])}" if bold else escape(shown)


Groups = Sequence[tuple[str, Sequence[str]]]
"""Columns stand side by side: what is above several of them, and the heading of each."""


def _groups(table: Table, attack: str, columns: int) -> Groups:
    """Return the header of :func:`srbench.boards.text.grid` in two lines: metrics above data sets."""
    sets = [table.column_title(column) for column in table.columns_of(attack)]
    several = len(sets) > 1
    groups: list[tuple[str, Sequence[str]]] = [("", ["#"]), ("", ["Model"]), ("", ["Trained for"])]
    groups += [(text.heading(name), [*sets, "Avg"] if several else sets) for name in table.metrics]
    groups += [(metric(table.rank_by).title, ["95 %", "worst"] if several else ["95 %"])]
    assert sum(len(under) for _, under in groups) == columns
    return groups


def _tabular(groups: Groups, rows: Sequence[Sequence[str]]) -> str:
    """Return the ``tabular``; the cells of ``rows`` are LaTeX already."""
    headings = [heading for _, under in groups for heading in under]
    align = "".join("l" if place in text.WORDS else "r" for place in range(len(headings)))
    lines = [rf"\begin{{tabular}}{{{align}}}", r"\toprule"]
    if any(above for above, _ in groups):
        above, rules, start = [], [], 1
        for title, under in groups:
            end = start + len(under) - 1
            one = title if not title else rf"\multicolumn{{{len(under)}}}{{c}}{{{escape(title)}}}"
            above.append(one)
            rules += [rf"\cmidrule(lr){{{start}-{end}}}"] if title else []
            start = end + 1
        lines += [_line(above), " ".join(rules)]
    lines += [_line([escape(heading) for heading in headings]), r"\midrule"]
    lines += [_line(row) for row in rows]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _float(caption: str, body: str, notes: Sequence[str], *, wide: bool) -> str:
    kind = "table*" if wide else "table"
    lines = [rf"\begin{{{kind}}}", r"\centering", rf"\caption{{{escape(caption)}}}", body]
    lines += [rf"\par\smallskip\footnotesize {' '.join(escape(note) for note in notes)}"] if notes else []
    return "\n".join([*lines, rf"\end{{{kind}}}"])
