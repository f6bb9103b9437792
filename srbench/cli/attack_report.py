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
from srbench.support import screen
from srbench.support.home import output_path
from srbench.support.screen import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from srbench.attacks.verdicts import Verdict
    from srbench.robustness.attack import AttackRun
    from srbench.robustness.curves import Curve, Transferred
    from srbench.robustness.strength import Strength

SHOWN = ("psnr", "ssim", "lpips", "lpips-lite", "fsim", "niqe")
JUDGED_BY = ("lpips", "lpips-lite", "fsim", "psnr", "niqe")


def report(attack: AttackRun, curve: Curve, checked: Strength, out_dir: Path | None, as_json: bool) -> None:
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
        "checks": [dataclasses.asdict(verdict) for verdict in checked.verdicts],
        "not_checked": checked.skipped,
        "notes": attack.run.notices,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    shown = tables(attack, curve, checked.verdicts, matrix, natural)
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
    console = out()
    for table in shown:
        if gone := screen.show(console, table.columns, table.title):
            screen.line(console, f"No room for: {', '.join(gone)} (--json prints all).", style="dim")
        console.print()
    if checked.skipped:
        left_out = f"Not checked, as it takes more than the attack: {', '.join(checked.skipped)}"
        screen.line(console, f"{left_out} (--all-checks).")


@dataclasses.dataclass(frozen=True)
class Shown:
    """A table, for the terminal and for attack.md."""

    title: str
    columns: list[Column]


def tables(
    attack: AttackRun,
    curve: Curve,
    verdicts: list[Verdict],
    matrix: list[Transferred],
    natural: dict[str, dict[int, dict[str, float]]],
) -> list[Shown]:
    """The tables of a run, those that apply; where no metric is defined for every image, what is left."""
    asked = [name for name in curve.clean if name in attack.run.metrics]
    judge = next((name for name in (*JUDGED_BY, *asked) if name in asked), "")
    shown = [_curve_table(attack, curve, judge)]
    if judge:
        shown += [_transfer_table(name, matrix, judge) for name in attack.names if matrix]
    if natural and judge:
        shown.append(_corruption_table(natural, curve.clean, judge))
    if aimed := _target_table(attack, curve):
        shown.append(aimed)
    return [*shown, *([_check_table(verdicts)] if verdicts else [])]


def _target_table(attack: AttackRun, curve: Curve) -> Shown | None:
    """How near the outputs came to their target; None where there was none."""
    rows = [
        [f"{point.eps:g}", name, f"{effect.target_psnr_clean:.2f}", f"{effect.target_psnr:.2f}"]
        for point in curve.points
        for name, effect in point.effects.items()
        if effect.target_psnr is not None
    ]
    if not rows:
        return None
    title = f"{attack.model.name} towards the target: PSNR of SR against it, in dB"
    headings = ["eps", "attack", "of the clean LR", "attacked"]
    return _shown(title, headings, rows, [0, 0, 0, 0], left=1)


def _curve_table(attack: AttackRun, curve: Curve, judge: str) -> Shown:
    # Records may have metrics that this run did not ask for, and some of them only.
    asked = [name for name in curve.clean if name in attack.run.metrics]
    names = ([name for name in SHOWN if name in asked] or asked)[:4]
    rows = [["0", "none", *(_value(name, curve.clean[name]) for name in names), *[""] * 5]]
    for point in curve.points:
        for name, effect in point.effects.items():
            saved = effect.saved.get(judge)
            beyond = effect.beyond_random.get(judge)
            rows.append(
                [
                    f"{point.eps:g}",
                    name,
                    *(_value(m, effect.metrics[m]) if m in effect.metrics else "–" for m in names),
                    "" if saved is None else _value(judge, saved),
                    f"{effect.lr_psnr:.2f}",
                    f"{effect.sr_psnr:.2f}",
                    f"{effect.gain:.2f}",
                    "" if name == "random" or beyond is None else f"{beyond:.0%}",
                ]
            )
    if len(curve.points) > 1:
        for name in curve.attacks:
            areas = [curve.area(name, m) for m in names]
            cells = ["–" if a is None else _value(m, a) for m, a in zip(names, areas, strict=True)]
            rows.append(["area", name, *cells, *[""] * 5])
    headings = [
        "eps",
        "attack",
        *map(_heading, names),
        f"{metric(judge).title} as PNG" if judge else "as PNG",
        "LR PSNR",
        "SR PSNR",
        "gain",
        "beyond noise",
    ]
    gives_way = [0, 0, *(0 if name == judge else 4 for name in names), 3, 6, 5, 2, 1]
    count = len(attack.images)
    title = f"{attack.model.name} on {attack.dataset.name} ({count} image{'s' * (count != 1)})"
    return _shown(title, headings, rows, gives_way, left=1)


def _transfer_table(attack: str, matrix: list[Transferred], judge: str) -> Shown:
    sources = list(dict.fromkeys(cell.source for cell in matrix))
    targets = list(dict.fromkeys(cell.target for cell in matrix))
    by_pair = {
        (cell.source, cell.target): cell.metrics for cell in matrix if cell.attack in (attack, "random")
    }
    rows = []
    for source in sources:
        cells = [by_pair.get((source, target), {}).get(judge) for target in targets]
        rows.append([source, *("–" if c is None else _value(judge, c) for c in cells)])
    title = f"{attack}: noise made on (rows), {_heading(judge)} of (columns)"
    return _shown(title, ["", *targets], rows, [0] + [1] * len(targets), left=0)


def _corruption_table(
    natural: dict[str, dict[int, dict[str, float]]], clean: dict[str, float], judge: str
) -> Shown:
    severities = sorted({severity for row in natural.values() for severity in row})
    rows = []
    for name, row in natural.items():
        cells = [row.get(severity, {}).get(judge) for severity in severities]
        rows.append([name, *("–" if c is None else _value(judge, c) for c in cells)])
    title = f"Natural corruptions: {_heading(judge)} by severity (clean {_value(judge, clean[judge])})"
    headings = ["corruption", *map(str, severities)]
    return _shown(title, headings, rows, [0] + [1] * len(severities), left=0)


def _check_table(verdicts: list[Verdict]) -> Shown:
    marks = ["ok" if verdict.ok else "flag" for verdict in verdicts]
    columns = [
        screen.words_column("check", [verdict.name for verdict in verdicts], wraps=24),
        screen.states_column("", marks, lambda mark: "green" if mark == "ok" else "red"),
        screen.words_column("finding", [verdict.detail for verdict in verdicts], wraps=24),
    ]
    return Shown("Is the attack strong?", columns)


def _shown(
    title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], gives_way: Sequence[int], left: int
) -> Shown:
    """A table of numbers whose column at the place ``left`` holds names."""
    columns = [
        Column(heading, [screen.plain(row[place]) for row in rows], right=place != left, gives_way=way)
        for place, (heading, way) in enumerate(zip(headings, gives_way, strict=True))
    ]
    return Shown(title, columns)


def markdown(shown: list[Shown], notes: list[str]) -> str:
    """The tables as Markdown."""
    import re

    from srbench.boards.markdown import escaped

    lines: list[str] = []
    for table in shown:
        headings = [escaped(column.heading) for column in table.columns]
        marks = ["---:" if column.right else "---" for column in table.columns]
        lines += [
            f"### {escaped(table.title)}",
            "",
            f"| {' | '.join(headings)} |",
            f"| {' | '.join(marks)} |",
        ]
        columns = [[escaped(cell.plain) for cell in column.cells] for column in table.columns]
        lines += [f"| {' | '.join(row)} |" for row in zip(*columns, strict=True)]
        lines.append("")
    lines += [escaped(note) for note in notes]
    return re.sub(r"\n+\Z", "\n", "\n".join(lines) + "\n")


def _heading(name: str) -> str:
    return f"{metric(name).title} {metric(name).arrow}"


def _value(name: str, value: float) -> str:
    return f"{value:.{metric(name).decimals}f}"
