"""``srbench attack``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.cli import app
from srbench.cli.console import err, following, report_failures, words
from srbench.run.memory_fit import HALO, parse_tile

if TYPE_CHECKING:
    from srbench.robustness.attack import Prepared
    from srbench.run.engine import Measured
    from srbench.run.plan import Cell


@app.command()
def attack(
    model: Annotated[str, typer.Argument(help="A model's name, checkpoint file or module.path:factory.")],
    eps: Annotated[
        str, typer.Option(help="Radii in levels of 255, separated by commas: 14 or 2,4,8,14.")
    ] = "14",
    preset: Annotated[
        str,
        typer.Option(help="rsr, rsr-paper, ifgsm-choi, strong; several by commas. random is always there."),
    ] = "rsr",
    norm: Annotated[
        str, typer.Option(help="linf, or l2: eps is then a root mean square over the values.")
    ] = "linf",
    steps: Annotated[int | None, typer.Option(min=1, help="Gradient steps.")] = None,
    alpha: Annotated[str | None, typer.Option(help="Step size in levels of 255.")] = None,
    structure: Annotated[
        float | None, typer.Option(help="Size of the starting noise's blocks, in pixels.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option(help="Objective, such as l1, mse, lpips-alex, 0.01*l1+vgg19.")
    ] = None,
    restarts: Annotated[int | None, typer.Option(min=1, help="Random restarts; the worst is kept.")] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Forwards averaged per step, for a model that is random itself.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="A data set's name, pairs:LR_DIR:HR_DIR or folder:DIR; ntire if not given."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="A directory of LR images without HR, in place of a data set.")
    ] = None,
    pairs: Annotated[str | None, typer.Option(help="LR_DIR:HR_DIR, in place of a data set.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N images.")] = None,
    transfer_to: Annotated[
        str | None,
        typer.Option(
            "--transfer-to",
            "--transfer",
            help="Measure the noise on these models too; all: noise of every model on every other.",
        ),
    ] = None,
    corruptions: Annotated[
        bool,
        typer.Option("--corruptions", help="Natural corruptions too: noise, JPEG, blur; five severities."),
    ] = False,
    tile: Annotated[
        str, typer.Option(help="auto: whole images where they fit in memory; whole; or the side of LR tiles.")
    ] = "auto",
    halo: Annotated[int, typer.Option(min=0, help="LR pixels around a tile that it is run with.")] = HALO,
    memory: Annotated[
        float | None, typer.Option(min=0.5, help="GiB the run may take; default: three quarters of all.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    workers: Annotated[int, typer.Option(min=0, help="Images in work at once; 0: one per core.")] = 0,
    store: Annotated[Path | None, typer.Option(help="Directory of records.")] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Write attacked images, noise, pictures and curves here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Find the LR noise that damages a model most, show it, measure it, and check that the attack is strong.

    Random noise of the same radius stands beside every attack: damage that noise does too is no attack.
    """
    from srbench.attacks.threat import parse_eps
    from srbench.cli.attack_report import report
    from srbench.errors import BadInput
    from srbench.robustness import attack as job
    from srbench.robustness import curves as robustness
    from srbench.robustness.strength import check_strength

    changes: dict[str, Any] = {
        "steps": steps,
        "structure": structure,
        "objective": loss,
        "restarts": restarts,
        "samples": samples,
    }
    if alpha is not None:
        changes["alpha"] = parse_eps(alpha)
    request = job.Request(
        model=model,
        dataset=_dataset(dataset, images, pairs),
        presets=words(preset),
        eps=words(eps),
        changes=tuple((key, value) for key, value in changes.items() if value is not None),
        norm=norm,
        transfer_to=words(transfer_to),
        corruptions=corruptions,
        tile=parse_tile(tile, least=32),
        halo=halo,
        memory=memory,
        limit=limit,
        device=device,
        workers=workers,
        store=store,
    )
    gallery = _Gallery(out_dir)
    console = err()
    with console.status("checking inputs and loading metrics"):
        prepared = gallery.prepared = job.prepare(request, gallery.show, gallery.lacks)
    for notice in prepared.notices:
        console.print(notice, style="yellow", highlight=False, markup=False)
    with following(prepared.engine, prepared.plan, "attack"):
        outcome = job.run(prepared)
    for notice in outcome.notices:
        console.print(notice, style="yellow", highlight=False, markup=False)
    report_failures(outcome)
    curve = robustness.curve(prepared)
    if not curve.points:
        raise BadInput("no radius has records of every image: run the command again")
    with console.status("checking the attack"):
        verdicts = check_strength(prepared)
    report(prepared, curve, verdicts, out_dir, as_json)


def _dataset(dataset: str | None, images: Path | None, pairs: str | None) -> str:
    from srbench.errors import BadInput

    given = [text for text in (dataset, images, pairs) if text is not None]
    if len(given) > 1:
        raise BadInput("--dataset, --images and --pairs each name what to attack: give one of them")
    if images is not None:
        return f"folder:{images}"
    return f"pairs:{pairs}" if pairs is not None else dataset or "ntire"


class _Gallery:
    """Pictures of the attacked model's images, each written as soon as it is measured."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._clean: dict[str, dict[str, float | None]] = {}
        self.prepared: Prepared | None = None

    def lacks(self, cell: Cell, image: str) -> bool:
        """Whether an image that has a record still has no picture."""
        place = self._place(cell.model.name, cell.attack.name)
        return place is not None and not (place / f"{image}.png").is_file()

    def show(self, measured: Measured) -> None:
        """Write what belongs to one image."""
        from srbench.figures.attack_pictures import save_image

        record = measured.record
        place = self._place(record.model, record.attack)
        if place is not None:
            save_image(place, measured, self._clean_metrics(record.image))

    def _place(self, model: str, attack: str) -> Path | None:
        if self._folder is None or self.prepared is None or model != self.prepared.model.name:
            return None
        own = {
            recipe.name
            for named in self.prepared.recipes.values()
            for recipe in named.values()
            if recipe.preset != "random"
        }
        return self._folder / attack.replace("/", "-") if attack in own else None

    def _clean_metrics(self, image: str) -> dict[str, float | None]:
        from srbench.robustness.attack import records

        if not self._clean and self.prepared is not None:
            # The clean cell is the first of the plan, so it is complete by now.
            found = records(self.prepared).get("", [])
            self._clean = {record.image: record.metrics for record in found}
        return self._clean.get(image, {})
