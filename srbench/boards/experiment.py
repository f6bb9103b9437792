"""Make leaderboards/mini.md: methods trained side by side from several seeds, beside published networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from srbench.boards import text
from srbench.boards.estimates import count, difference, shown
from srbench.boards.markdown import escaped, markdown_table
from srbench.boards.methods import Methods, read_methods
from srbench.boards.paper_tables import CLAIM, Paper
from srbench.boards.table import Column
from srbench.boards.trainings import Estimate, Trainings
from srbench.metrics import metric

ROBUST = "rsr-mini"
"""The paper's claim is about this method."""
JUDGES = ("lpips", "lpips-vgg", "niqe")
"""The paper's judge, and two that are of other networks or none."""
COST = ("psnr", "block-mse", "overshoot")
BLIND, BOTH = "blind-mini", "blind-adversarial-mini"
"""Trained on broad random degradations; and with the attack of the robust method on top of them."""
OTHERS = (
    "attacked-mini2",
    *("published/bsd100", "published/mini2"),
    *("published/bsd100-attacked", "published/mini2-attacked", "published/mini2-strong"),
)
"""Boards on the same sets, from the folder of the reports: of the models it became, and of published ones."""
FORMER = "mini1"
"""The experiment before, whose networks some of those boards have too."""


class Family(NamedTuple):
    """Name sets of the same photographs: of unseen degradations, and of none."""

    title: str
    unseen: tuple[str, str]
    clean: str


FAMILIES = (
    Family("BSD100, 100 photographs", ("bsd100-ntire-like", "bsd100-aim-like"), "bsd100-clean"),
    Family("The mini track, 12 photographs", ("ntire-mini2", "aim-mini2"), "clean-mini2"),
)


def experiment(folder: Path, paper: Paper) -> str:
    """Return the tables, what becomes of the claim, the cost and the attacks, as Markdown.

    Raises:
        BadInput: records that cannot be read.
    """
    made = _Report(read_methods(folder, OTHERS, FORMER))
    parts = [made.quality(family) for family in FAMILIES]
    parts += [
        "## The claim",
        made.claim(),
        "## The gain, and what it costs on clean input",
        *map(made.cost, FAMILIES),
    ]
    parts += ["## Under attack", made.under_attack(), made.generalist(), made.notes()]
    return "\n\n".join(part for part in parts if part) + "\n"


def gain_and_cost(folder: Path) -> str:
    """Return the table that README shows: what each method gains on unseen degradations, and what it costs.

    It has the methods of which all of it was measured.

    Raises:
        BadInput: records that cannot be read.
    """
    return _Report(read_methods(folder, OTHERS, FORMER)).cost(FAMILIES[0], whole=True)


class _Report:
    """Make the parts of the page."""

    def __init__(self, methods: Methods) -> None:
        self._methods = methods

    def quality(self, family: Family) -> str:
        """Return a table for each judge of the robust method, the best one over the unseen sets first."""
        parts = [f"## {family.title}"]
        for judge in JUDGES:
            found = self._methods.on(judge, (*family.unseen, family.clean))
            unseen = [column for column in found.columns if column.dataset in family.unseen]
            if ROBUST not in found.methods or not unseen:
                continue
            head = ["Method", "Trained for", "Trainings"]
            head += [f"{text.heading(judge)} {column.dataset}" for column in found.columns]
            head += ["unseen", "95 %", "least to most"]
            over = {method: found.mean(method, unseen) for method in found.methods}
            rows = [
                [
                    escaped(method),
                    escaped(self._methods.trained_for[method]),
                    str(over[method].trainings[0]),
                    *(shown(judge, found.mean(method, [column]).value) for column in found.columns),
                    shown(judge, over[method].value),
                    _interval(judge, over[method]),
                    _range(judge, over[method]),
                ]
                for method in sorted(found.methods, key=_best_first(judge, over))
            ]
            parts.append(markdown_table(head, rows, (0, 1)))
        return "\n\n".join(parts) if len(parts) > 1 else ""

    def claim(self) -> str:
        """Say for each family and judge where the robust method is, and against which others it is sure."""
        parts = [CLAIM]
        for family in FAMILIES:
            columns: dict[str, dict[str, str]] = {}
            said = []
            for judge in JUDGES:
                found = self._methods.on(judge, family.unseen)
                if ROBUST not in found.methods:
                    continue
                others = [method for method in found.methods if method != ROBUST]
                apart = {method: found.difference(ROBUST, method) for method in others}
                columns[judge] = {method: difference(judge, each) for method, each in apart.items()}
                said.append(f"- {metric(judge).title}: {_verdict(judge, found, apart)}")
            if not columns:
                continue
            methods = sorted({method for each in columns.values() for method in each}, key=self._order)
            head = ["Method", *(f"{metric(judge).title}: {ROBUST} minus it" for judge in columns)]
            rows = [
                [escaped(method), *(of.get(method, text.DASH) for of in columns.values())]
                for method in methods
            ]
            parts += [f"{family.title}:", "\n".join(said), markdown_table(head, rows, (0,))]
        return "\n\n".join(parts)

    def cost(self, family: Family, *, whole: bool = False) -> str:
        """Return the judge on unseen sets beside PSNR, with its distance to bicubic's, and artefacts.

        Args:
            whole: only methods of which all of it was measured.
        """
        judge = JUDGES[0]
        unseen = self._methods.on(judge, family.unseen)
        gain = {method: shown(judge, unseen.mean(method).value) for method in unseen.methods}
        columns: dict[str, dict[str, str]] = {}
        for name in COST:
            found = self._methods.on(name, (family.clean,))
            for method in found.methods:
                cell = shown(name, found.mean(method).value)
                if name == "psnr" and "bicubic" in found.methods:
                    gap = found.mean(method).value - found.mean("bicubic").value
                    cell += f" ({gap:+.2f})"
                columns.setdefault(name, {})[method] = cell
        if not columns:
            return ""
        methods = sorted({method for each in columns.values() for method in each}, key=self._order)
        head = ["Method", f"{text.heading(judge)} unseen"]
        head += [f"{text.heading(name)} {family.clean}" for name in columns]
        if whole:
            methods = [m for m in methods if all(m in of for of in (gain, *columns.values()))]
        rows = [[escaped(m), *(of.get(m, text.DASH) for of in (gain, *columns.values()))] for m in methods]
        return markdown_table(head, rows, (0,))

    def under_attack(self) -> str:
        """Return a table for each data set and each choice of its images that some model was attacked on."""
        return "\n\n".join(self._attacked(dataset, images) for dataset, images in self._methods.attacked())

    def _attacked(self, dataset: str, images: frozenset[str]) -> str:
        """Return LPIPS and PSNR on these images, without and under each attack."""
        only, attacks = self._methods.whole(dataset, images)
        head, columns = ["Method"], list[dict[str, str]]()
        for name in ("lpips", "psnr"):
            for attack in ("none", *attacks):
                found = only.on(name, [dataset], attack)
                head.append(f"{text.heading(name)} {attack}")
                columns.append({m: shown(name, found.mean(m).value) for m in found.methods})
        head.insert(1, "Trainings")
        rows = [
            [escaped(m), f"{len(of)}", *(each.get(m, text.DASH) for each in columns)]
            for m, of in only.methods.items()
        ]
        return f"Averaged over {count(images)} of {dataset}:\n\n{markdown_table(head, rows, (0,))}"

    def generalist(self) -> str:
        """Return what the attack adds to blind training, and what either is beside the robust method."""
        pairs = ((BOTH, BLIND), (BLIND, ROBUST), (BOTH, ROBUST))
        if not {BLIND, BOTH} <= self._methods.methods.keys():
            return ""
        judge, rows = JUDGES[0], list[list[str]]()

        def add(title: str, found: Trainings, columns: Sequence[Column] | None = None) -> None:
            if {BLIND, BOTH, ROBUST} <= set(found.methods):
                means = [shown(judge, found.mean(m, columns).value) for m in (BLIND, BOTH, ROBUST)]
                apart = [difference(judge, found.difference(*pair, columns)) for pair in pairs]
                rows.append([title, *means, *apart])

        for family in FAMILIES:
            found = self._methods.on(judge, (*family.unseen, family.clean))
            unseen = [column for column in found.columns if column.dataset in family.unseen]
            add(" and ".join(family.unseen), found, unseen)
            for column in found.columns:
                add(column.dataset, found, [column])
        for dataset, images in self._methods.attacked():
            only, attacks = self._methods.whole(dataset, images)
            for attack in attacks:
                add(f"{attack}, {count(images)} of {dataset}", only.on(judge, [dataset], attack))
        head = [text.heading(judge), BLIND, BOTH, ROBUST, *(f"{a} minus {b}" for a, b in pairs)]
        return f"## What the attack adds to blind training\n\n{markdown_table(head, rows, (0,))}"

    def notes(self) -> str:
        """Return how to read the intervals."""
        return (
            "Intervals: 95 %, over photographs and trainings: Student's, with the degrees of freedom of "
            "Welch and Satterthwaite; the part of the photographs by a bootstrap that draws each with all "
            "its images. Of a network that was trained once nobody knows what another seed would give: its "
            "intervals are over photographs alone. Differences in bold leave out zero, over six "
            "photographs or more. Under attack a method is the mean of those of its trainings that were "
            "attacked."
        )

    def _order(self, method: str) -> int:
        return list(self._methods.methods).index(method)


def _sign(name: str) -> float:
    return -1.0 if metric(name).higher_is_better else 1.0


def _best_first(name: str, over: Mapping[str, Estimate]) -> Callable[[str], float]:
    return lambda method: _sign(name) * over[method].value


def _interval(name: str, found: Estimate) -> str:
    if not math.isfinite(found.low):
        return text.DASH
    return f"{shown(name, found.low)} to {shown(name, found.high)}"


def _range(name: str, found: Estimate) -> str:
    """Return the least and the most of the trainings."""
    if len(found.values) < 2:
        return text.DASH
    return f"{shown(name, min(found.values))} to {shown(name, max(found.values))}"


def _verdict(judge: str, found: Trainings, apart: Mapping[str, Estimate]) -> str:
    """Say on how many sets the robust method is best, and how many others it is certainly better than."""
    best = []
    for column in found.columns:
        means = {method: _sign(judge) * found.mean(method, [column]).value for method in found.methods}
        place = sum(value < means[ROBUST] for value in means.values()) + 1
        best.append(f"number {place} of {len(means)} on {column.dataset}")
    better = [m for m, each in apart.items() if each.certain and _sign(judge) * each.value < 0]
    worse = [m for m, each in apart.items() if each.certain and _sign(judge) * each.value > 0]
    said = f"{ROBUST} is {' and '.join(best)}; over both certainly better than {len(better)} of {len(apart)}"
    if worse:
        said += f", certainly worse than {', '.join(escaped(method) for method in worse)}"
    return f"{said}."
