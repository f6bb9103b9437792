"""What ``srbench attack`` prints and writes at its end."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from srbench.cli.console import out
from srbench.metrics import metric
from srbench.robustness.curves import corruption_table, transfer_matrix
from srbench.support.home import output_path

if TYPE_CHECKING:
    from rich.table import Table

    from srbench.attacks.verdicts import Verdict
    from srbench.robustness.attack import AttackRun
    from srbench.robustness.curves import Curve, Transferred

SHOWN = ("psnr", "ssim", "lpips", "fsim", "niqe")
JUDGED_BY = ("lpips", "fsim", "psnr", "niqe")


def report(
    attack: AttackRun, curve: Curve, verdicts: list[Verdict], out_dir: Path | None, as_json: bool
) -> None:
    """Print tables, or JSON; with a directory, write attack.json, attack.md and the curves too."""
    matrix, natural = transfer_matrix(attack), corruption_table(attack)
    content: dict[str, Any] = {
        "model": attack.model.name,
        "dataset": attack.dataset.name,
        "images": len(attack.images),
        "attacks": {name: recipe.settings() for name, recipe in attack.strongest.items()},
        "clean": curve.clean,
        "curve": [dataclasses.asdict(point) for point in curve.points],
        "area_under_curve": {
            name: {m: curve.area(name, m) for m in curve.points[-1].effects[name].metrics}
            for name in curve.attacks
        },
        "transfer": [dataclasses.asdict(cell) for cell in matrix],
        "corruptions": natural,
        "checks": [dataclasses.asdict(verdict) for verdict in verdicts],
        "notes": attack.run.notices,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    shown = tables(attack, curve, verdicts, matrix, natural)
    if out_dir is not None:
        from srbench.figures.attack_pictures import save_corruptions, save_curves

        title = f"{attack.model.name} on {attack.dataset.name}"
        save_curves(out_dir / "curves.png", title, curve)
        if natural:
            save_corruptions(out_dir / "corruptions.png", title, curve.clean, natural)
        for name, written in (("attack.json", text), ("attack.md", markdown(shown, attack.run.notices))):
            with output_path(out_dir / name) as temporary:
                temporary.write_text(written, encoding="utf-8")
    if as_json:
        typer.echo(text, nl=False)
        return
    screen = out()
    for table in shown:
        screen.print(table)


def tables(
    attack: AttackRun,
    curve: Curve,
    verdicts: list[Verdict],
    matrix: list[Transferred],
    natural: dict[str, dict[int, dict[str, float]]],
) -> list[Table]:
    """The tables of a run, those that apply; where no metric is defined for every image, what is left."""
    judge = next((name for name in (*JUDGED_BY, *curve.clean) if name in curve.clean), "")
    shown = [_curve_table(attack, curve, judge)]
    if judge:
        shown += [_transfer_table(name, matrix, judge) for name in attack.names if matrix]
    if natural and judge:
        shown.append(_corruption_table(natural, curve.clean, judge))
    return [*shown, _check_table(verdicts)]


def _curve_table(attack: AttackRun, curve: Curve, judge: str) -> Table:
    names = ([name for name in SHOWN if name in curve.clean] or list(curve.clean))[:4]
    count = len(attack.images)
    table = _table(f"{attack.model.name} on {attack.dataset.name} ({count} images)")
    for heading in ("eps", "attack"):
        table.add_column(heading, justify="right" if heading == "eps" else "left", no_wrap=True)
    for name in names:
        table.add_column(_heading(name), justify="right", no_wrap=True)
    for heading in (
        f"{metric(judge).title} as PNG" if judge else "as PNG",
        "LR PSNR",
        "SR PSNR",
        "gain",
        "beyond noise",
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_row("0", "none", *(_value(name, curve.clean[name]) for name in names), *[""] * 5)
    for point in curve.points:
        for name, effect in point.effects.items():
            saved = effect.saved.get(judge)
            beyond = effect.beyond_random.get(judge)
            table.add_row(
                f"{point.eps:g}",
                name,
                *(_value(m, effect.metrics[m]) if m in effect.metrics else "–" for m in names),
                "" if saved is None else _value(judge, saved),
                f"{effect.lr_psnr:.2f}",
                f"{effect.sr_psnr:.2f}",
                f"{effect.gain:.2f}",
                "" if name == "random" or beyond is None else f"{beyond:.0%}",
            )
    if len(curve.points) > 1:
        for name in curve.attacks:
            areas = [curve.area(name, m) for m in names]
            cells = ["–" if a is None else _value(m, a) for m, a in zip(names, areas, strict=True)]
            table.add_row("area", name, *cells, *[""] * 5)
    return table


def _transfer_table(attack: str, matrix: list[Transferred], judge: str) -> Table:
    from rich.markup import escape

    sources = list(dict.fromkeys(cell.source for cell in matrix))
    targets = list(dict.fromkeys(cell.target for cell in matrix))
    by_pair = {
        (cell.source, cell.target): cell.metrics for cell in matrix if cell.attack in (attack, "random")
    }
    table = _table(f"{attack}: noise made on (rows), {_heading(judge)} of (columns)")
    table.add_column("")
    for target in targets:
        table.add_column(escape(target), justify="right", no_wrap=True)
    for source in sources:
        cells = [by_pair.get((source, target), {}).get(judge) for target in targets]
        table.add_row(escape(source), *("–" if c is None else _value(judge, c) for c in cells))
    return table


def _corruption_table(
    natural: dict[str, dict[int, dict[str, float]]], clean: dict[str, float], judge: str
) -> Table:
    table = _table(
        f"Natural corruptions: {_heading(judge)} by severity (clean {_value(judge, clean[judge])})"
    )
    table.add_column("corruption")
    severities = sorted({severity for row in natural.values() for severity in row})
    for severity in severities:
        table.add_column(str(severity), justify="right", no_wrap=True)
    for name, row in natural.items():
        cells = [row.get(severity, {}).get(judge) for severity in severities]
        table.add_row(name, *("–" if c is None else _value(judge, c) for c in cells))
    return table


def _check_table(verdicts: list[Verdict]) -> Table:
    from rich.markup import escape

    table = _table("Is the attack strong?")
    for heading in ("check", "", "finding"):
        table.add_column(heading, overflow="fold")
    for verdict in verdicts:
        mark = "[green]ok[/green]" if verdict.ok else "[red]flag[/red]"
        table.add_row(verdict.name, mark, escape(verdict.detail))
    return table


def markdown(shown: list[Table], notes: list[str]) -> str:
    """The tables as Markdown."""
    import re

    from rich.text import Text

    from srbench.boards.markdown import escaped

    def plain(cell: Any) -> str:
        return escaped(Text.from_markup(str(cell)).plain)

    lines: list[str] = []
    for table in shown:
        headings = [plain(column.header) for column in table.columns]
        marks = ["---:" if column.justify == "right" else "---" for column in table.columns]
        lines += [f"### {plain(table.title)}", "", f"| {' | '.join(headings)} |", f"| {' | '.join(marks)} |"]
        columns = [[plain(cell) for cell in column.cells] for column in table.columns]
        lines += [f"| {' | '.join(row)} |" for row in zip(*columns, strict=True)]
        lines.append("")
    lines += [escaped(note) for note in notes]
    return re.sub(r"\n+\Z", "\n", "\n".join(lines) + "\n")


def _table(title: str) -> Table:
    from rich.markup import escape
    from rich.table import Table

    return Table(title=escape(title), title_justify="left", title_style="bold")


def _heading(name: str) -> str:
    return f"{metric(name).title} {metric(name).arrow}"


def _value(name: str, value: float) -> str:
    return f"{value:.{metric(name).decimals}f}"
