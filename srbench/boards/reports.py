"""Write leaderboards/published.md, mini.md and the other reports: ``srbench maintain reports``.

A report NAME is made of what is committed: NAME/records.csv (or several of them), NAME/training.csv where
trainings are reported (:mod:`srbench.train.account`), NAME/about.toml with the commands and what they took,
and paper.json.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from srbench.boards.certified import certified
from srbench.boards.csv_records import read_csv
from srbench.boards.defences import defences
from srbench.boards.experiment import experiment
from srbench.boards.markdown import markdown_table
from srbench.boards.paper_tables import Paper, read_paper, table_1, table_2
from srbench.boards.published import published
from srbench.support.home import write_atomic
from srbench.support.toml import read_toml

ABOUT, RECORDS = "about.toml", "records.csv"


class About(BaseModel):
    """Say what the records cannot say.

    Attributes:
        title: of the page.
        machine: where the minutes were measured.
        commands: in their order, each with its minutes.
        text: paragraphs before the table.
        limits: paragraphs after it: what the numbers do not show.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    machine: str
    commands: dict[str, float]
    text: str
    limits: str = ""


def report(folder: Path, paper: Paper) -> str:
    """Return the page of one experiment, as Markdown.

    Raises:
        BadInput: records that cannot be read.
    """
    about = About.model_validate(read_toml(folder / ABOUT))
    table = REPORTS[folder.name](folder, paper)
    steps = [[f"`{command}`", f"{minutes:g}"] for command, minutes in about.commands.items()]
    parts = [
        f"# {about.title}",
        about.text.strip(),
        table.strip(),
        "## How it was made",
        markdown_table(["command", "minutes"], steps, left=(0,)),
        about.machine.strip(),
    ]
    if (folder / "training.csv").is_file():
        parts.append(_training(folder / "training.csv"))
    parts += ["## Limits", about.limits.strip()] if about.limits else []
    return "\n\n".join(parts) + "\n"


def _first_mini(folder: Path, paper: Paper) -> str:
    return table_2(read_csv(folder / RECORDS), paper, robust="rsr-mini")


def _ablation(folder: Path, paper: Paper) -> str:
    from srbench.train import suite

    attacks = {t.recipe.name: t.recipe.degradation for t in suite.load("ablation-mini").trainings()}
    return table_1(read_csv(folder / RECORDS), paper, attacks)


def _lite(folder: Path, paper: Paper) -> str:
    from srbench.boards.agreement import agreement
    from srbench.train.lite.distill import NETWORKS

    return agreement(read_csv(folder / RECORDS), NETWORKS)


REPORTS: dict[str, Callable[[Path, Paper], str]] = {
    "published": published,
    "mini": experiment,
    "mini1": _first_mini,
    "ablation-mini": _ablation,
    "lpips-lite": _lite,
    "defences": defences,
    "certified": certified,
}


def _training(file: Path) -> str:
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = ("model", "start", "degradation", "iterations", "minutes", "validation")
    lines = [[row[column] for column in columns] for row in rows]
    head = ["model", "from", "degradation", "iterations", "minutes", "validation LPIPS"]
    table = markdown_table(head, lines, left=(0, 1, 2))
    nets = " and ".join(sorted({row["perceptual"] for row in rows}))
    images = "; ".join(sorted({row["images"] for row in rows}))
    return f"{table}\n\nPerceptual loss: {nets}. Training images: {images}."


def write_reports(folder: Path) -> Iterator[Path]:
    """Write the pages whose records are in the folder, and yield the path of each.

    Raises:
        BadInput: records that cannot be read.
    """
    paper = read_paper(folder / "paper.json")
    for name in REPORTS:
        if (folder / name / ABOUT).is_file():
            page = folder / f"{name}.md"
            write_atomic(page, report(folder / name, paper))
            yield page
