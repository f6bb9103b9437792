"""``srbench attack``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from srbench.cli.app import MEASURE, app
from srbench.cli.console import err, following, report_failures, say
from srbench.cli.groups import Alias, expand_options
from srbench.cli.options import Json, Limit, Metrics, Protocol, RunFlags, Scale, Track, TrackOption
from srbench.cli.panels import HOW, OUTPUT, WHAT
from srbench.support.progress import progress_bar
from srbench.support.words import words

if TYPE_CHECKING:
    from srbench.run.image import Measured
    from srbench.run.plan import Cell

PRESETS = "the preset's"


@dataclass(frozen=True)
class AttackFlags:
    """Which attack, and what is changed about it."""

    eps: Annotated[
        str, HOW.value("--eps", "LEVELS", "Radii in levels of 255, by commas: 14 or 2,4,8,14.")
    ] = "14"
    attacks: Annotated[
        str,
        WHAT.value("--attacks", "NAMES", "Presets such as rsr or strong, by commas; random is always there."),
        Alias("--preset"),
    ] = "rsr"
    norm: Annotated[
        str, HOW.value("--norm", "NORM", "linf, or l2: eps is then a root mean square over the values.")
    ] = "linf"
    target: Annotated[
        str | None,
        WHAT.value("--target", "PATH", "Steer the output towards this image, or those of a folder by name."),
    ] = None
    steps: Annotated[
        int | None, HOW.value("--steps", "N", "Gradient steps.", min=1, show_default=PRESETS)
    ] = None
    alpha: Annotated[
        str | None, HOW.value("--alpha", "LEVELS", "Step size in levels of 255.", show_default=PRESETS)
    ] = None
    structure: Annotated[
        float | None,
        HOW.value("--structure", "PIXELS", "Size of the starting noise's blocks.", show_default=PRESETS),
    ] = None
    loss: Annotated[
        str | None,
        HOW.value("--loss", "LOSS", "Objective: l1, mse, lpips-alex, 0.01*l1+vgg19, …", show_default=PRESETS),
    ] = None
    restarts: Annotated[
        int | None,
        HOW.value("--restarts", "N", "Random restarts; the worst is kept.", min=1, show_default=PRESETS),
    ] = None
    samples: Annotated[
        int | None,
        HOW.value(
            "--samples",
            "N",
            "Forwards averaged per step, for a model that is random itself.",
            min=1,
            show_default=PRESETS,
        ),
    ] = None

    straight_through: Annotated[
        bool,
        HOW.flag("--straight-through", "Gradients pass rounding and clamping inside the model unchanged."),
    ] = False

    def changes(self) -> tuple[tuple[str, Any], ...]:
        """Return the settings that were given, by their names in a preset."""
        from srbench.attacks.threat import parse_eps

        settings = {
            "steps": self.steps,
            "structure": self.structure,
            "objective": self.loss,
            "restarts": self.restarts,
            "samples": self.samples,
            "straight_through": self.straight_through or None,
            "alpha": None if self.alpha is None else parse_eps(self.alpha),
        }
        return tuple((key, value) for key, value in settings.items() if value is not None)


@app.command(rich_help_panel=MEASURE)
@expand_options
def attack(
    model: Annotated[str, typer.Argument(help="A model's name, checkpoint file or module.path:factory.")],
    *,
    flags: AttackFlags,
    dataset: Annotated[
        str | None,
        WHAT.value(
            "--datasets",
            "NAME",
            "One data set: its name, pairs:LR_DIR:HR_DIR or folder:DIR.",
            show_default="ntire",
        ),
        Alias("--dataset"),
    ] = None,
    images: Annotated[
        Path | None,
        WHAT.value("--images", "DIR", "A directory of LR images without HR, in place of a data set."),
    ] = None,
    pairs: Annotated[
        str | None, WHAT.value("--pairs", "LR_DIR:HR_DIR", "Two directories, in place of a data set.")
    ] = None,
    transfer_to: Annotated[
        str | None,
        WHAT.value(
            "--transfer-to",
            "NAMES",
            "Measure the noise on these models too; all: noise of every model on every other.",
        ),
        Alias("--transfer"),
    ] = None,
    corruptions: Annotated[
        bool,
        WHAT.flag("--corruptions", "Natural corruptions too: noise, JPEG, blur; five severities."),
    ] = False,
    protocol: Protocol = "rsr",
    metrics: Metrics = None,
    track: TrackOption = Track.auto,
    limit: Limit = None,
    scale: Scale = "4",
    no_checks: Annotated[bool, HOW.flag("--no-checks", "Do not ask whether the attack was strong.")] = False,
    all_checks: Annotated[
        bool, HOW.flag("--all-checks", "Every check, also those that take more than the attack.")
    ] = False,
    out_dir: Annotated[
        Path | None, OUTPUT.value("--out", "DIR", "Write attacked images, noise, pictures and curves here.")
    ] = None,
    keep: Annotated[
        str,
        OUTPUT.value(
            "--keep",
            "NAME",
            "Keep the attacked images as a data set NAME, to measure any model on.",
            show_default="not kept",
        ),
    ] = "",
    as_json: Json = False,
    run: RunFlags,
) -> None:
    """Find the LR noise that damages a model most, show it, measure it, and check that the attack is strong.

    Random noise of the same radius stands beside every attack: damage that noise does too is no attack.
    """
    from srbench.cli.attack_report import report
    from srbench.errors import BadInput
    from srbench.figures.attack_gallery import Gallery
    from srbench.robustness import attack as job
    from srbench.robustness.attacked_set import AttackedSet
    from srbench.robustness.curves import curve
    from srbench.robustness.strength import Strength, check_strength
    from srbench.support.scales import checked_scale

    if no_checks and all_checks:
        raise BadInput("--no-checks and --all-checks contradict each other: leave one out")
    request = job.AttackRequest(
        model=model,
        dataset=_dataset(dataset, images, pairs),
        presets=words(flags.attacks),
        eps=words(flags.eps),
        changes=flags.changes(),
        norm=flags.norm,
        target=flags.target or "",
        transfer_to=words(transfer_to),
        scale=checked_scale(scale),
        corruptions=corruptions,
        protocol=protocol,
        metrics=words(metrics) or None,
        track=track.value,
        limit=limit,
        **run.options(),
    )
    gallery, kept = Gallery(out_dir), AttackedSet(keep)

    def show(measured: Measured) -> None:
        gallery.show(measured)
        kept.show(measured)

    def lacks(cell: Cell, image: str) -> bool:
        return gallery.lacks(cell, image) or kept.lacks(cell, image)

    with err(run.quiet).status("checking inputs and loading metrics"):
        prepared = gallery.attack = job.prepare(request, show, lacks)
        kept.begin(prepared)
    say(prepared.run.notices, run.quiet)
    with following(prepared.run.runner, prepared.run.plan, "attack", run.quiet):
        outcome = job.run(prepared)
    gallery.complete()
    damage = curve(prepared)
    if not damage.points:
        report_failures(outcome)
        raise BadInput("no image has records under every attack: run the command again")
    checked = Strength()
    if flags.target:
        say(["the checks ask what an attack damages: with --target there are none"], run.quiet)
    elif not no_checks:
        with progress_bar(err(run.quiet), rate="{:.1f} passes/s") as bar:
            shown = bar.add_task("checking the attack", total=None)

            def advance(done: float, total: float) -> None:
                bar.update(shown, completed=round(done), total=round(total))

            checked = check_strength(prepared, thorough=all_checks, progress=advance)
    report(prepared, damage, checked, out_dir, as_json)
    if found := kept.register(outcome):
        say([f"{keep} is registered: {found.images} images, `srbench evaluate --datasets {keep}`"], run.quiet)
    report_failures(outcome, quiet=run.quiet)


def _dataset(dataset: str | None, images: Path | None, pairs: str | None) -> str:
    from srbench.errors import BadInput

    named = [text for text in (dataset, images, pairs) if text is not None]
    if len(named) > 1:
        raise BadInput("--datasets, --images and --pairs each name what to attack: give one of them")
    if images is not None:
        return f"folder:{images}"
    return f"pairs:{pairs}" if pairs is not None else dataset or "ntire"
