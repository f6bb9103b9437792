"""``srbench attack``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from srbench.cli.app import app
from srbench.cli.console import err, following, report_failures, say
from srbench.cli.groups import expand_options
from srbench.cli.options import Limit, Metrics, Protocol, RunFlags, Scale, Track, TrackOption
from srbench.support.progress import progress_bar
from srbench.support.words import words


@dataclass(frozen=True)
class AttackFlags:
    """Which attack, and what is changed about it."""

    eps: Annotated[
        str, typer.Option("--eps", help="Radii in levels of 255, separated by commas: 14 or 2,4,8,14.")
    ] = "14"
    preset: Annotated[
        str,
        typer.Option("--preset", help="Presets such as rsr or strong, by commas; random is always there."),
    ] = "rsr"
    norm: Annotated[
        str, typer.Option("--norm", help="linf, or l2: eps is then a root mean square over the values.")
    ] = "linf"
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            help="Steer the output towards this image, or towards those of this folder, by their names.",
        ),
    ] = None
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Gradient steps.")] = None
    alpha: Annotated[str | None, typer.Option("--alpha", help="Step size in levels of 255.")] = None
    structure: Annotated[
        float | None, typer.Option("--structure", help="Size of the starting noise's blocks, in pixels.")
    ] = None
    loss: Annotated[
        str | None, typer.Option("--loss", help="Objective, such as l1, mse, lpips-alex, 0.01*l1+vgg19.")
    ] = None
    restarts: Annotated[
        int | None, typer.Option("--restarts", min=1, help="Random restarts; the worst is kept.")
    ] = None
    samples: Annotated[
        int | None,
        typer.Option(
            "--samples", min=1, help="Forwards averaged per step, for a model that is random itself."
        ),
    ] = None

    straight_through: Annotated[
        bool,
        typer.Option(
            "--straight-through",
            help="Gradients pass rounding and clamping inside the model unchanged.",
        ),
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


@app.command()
@expand_options
def attack(
    model: Annotated[str, typer.Argument(help="A model's name, checkpoint file or module.path:factory.")],
    dataset: Annotated[
        str | None,
        typer.Option(help="A data set's name, pairs:LR_DIR:HR_DIR or folder:DIR; ntire if not given."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="A directory of LR images without HR, in place of a data set.")
    ] = None,
    pairs: Annotated[str | None, typer.Option(help="LR_DIR:HR_DIR, in place of a data set.")] = None,
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
    protocol: Protocol = "rsr",
    metrics: Metrics = None,
    track: TrackOption = Track.auto,
    limit: Limit = None,
    scale: Scale = "4",
    no_checks: Annotated[
        bool, typer.Option("--no-checks", help="Do not ask whether the attack was strong.")
    ] = False,
    all_checks: Annotated[
        bool, typer.Option("--all-checks", help="Every check, also those that take more than the attack.")
    ] = False,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Write attacked images, noise, pictures and curves here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    *,
    flags: AttackFlags,
    run: RunFlags,
) -> None:
    """Find the LR noise that damages a model most, show it, measure it, and check that the attack is strong.

    Random noise of the same radius stands beside every attack: damage that noise does too is no attack.
    """
    from srbench.cli.attack_report import report
    from srbench.errors import BadInput
    from srbench.figures.attack_gallery import Gallery
    from srbench.robustness import attack as job
    from srbench.robustness.curves import curve
    from srbench.robustness.strength import Strength, check_strength
    from srbench.support.scales import checked_scale

    if no_checks and all_checks:
        raise BadInput("--no-checks and --all-checks contradict each other: leave one out")
    request = job.AttackRequest(
        model=model,
        dataset=_dataset(dataset, images, pairs),
        presets=words(flags.preset),
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
    gallery = Gallery(out_dir)
    with err().status("checking inputs and loading metrics"):
        prepared = gallery.attack = job.prepare(request, gallery.show, gallery.lacks)
    say(prepared.run.notices)
    with following(prepared.run.runner, prepared.run.plan, "attack"):
        outcome = job.run(prepared)
    gallery.complete()
    damage = curve(prepared)
    if not damage.points:
        report_failures(outcome)
        raise BadInput("no image has records under every attack: run the command again")
    checked = Strength()
    if flags.target:
        say(["the checks ask what an attack damages: with --target there are none"])
    elif not no_checks:
        with progress_bar(err(), rate="{:.1f} passes/s") as bar:
            shown = bar.add_task("checking the attack", total=None)

            def advance(done: float, total: float) -> None:
                bar.update(shown, completed=round(done), total=round(total))

            checked = check_strength(prepared, thorough=all_checks, progress=advance)
    report(prepared, damage, checked, out_dir, as_json)
    report_failures(outcome)


def _dataset(dataset: str | None, images: Path | None, pairs: str | None) -> str:
    from srbench.errors import BadInput

    named = [text for text in (dataset, images, pairs) if text is not None]
    if len(named) > 1:
        raise BadInput("--dataset, --images and --pairs each name what to attack: give one of them")
    if images is not None:
        return f"folder:{images}"
    return f"pairs:{pairs}" if pairs is not None else dataset or "ntire"
