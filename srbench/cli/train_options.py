"""The options of ``srbench train`` and ``srbench train-robust``, each with the key of a recipe it sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from srbench.cli.options import Device
from srbench.support.words import words


@dataclass(frozen=True)
class Key:
    """The dotted key of a recipe that an option sets."""

    name: str


@dataclass(frozen=True)
class TrainFlags:
    """What a training has in common, whichever command starts it."""

    data: Annotated[
        str | None, typer.Option("--data", help="Training images: dead-leaves, directories; by commas.")
    ] = None
    init: Annotated[
        str | None,
        typer.Option("--init", help="scratch, a model, a checkpoint file or a run's directory."),
        Key("init"),
    ] = None
    source: Annotated[
        str | None,
        typer.Option("--source", help="LR images of the source domain: a directory, mini:ntire or mini:aim."),
        Key("degradation.source"),
    ] = None
    domain: Annotated[
        str | None, typer.Option("--domain", help="What the model is trained for: clean, ntire, aim, dped, …")
    ] = None
    eps: Annotated[
        str | None,
        typer.Option("--eps", help="Radius of the attack in levels of 255."),
        Key("degradation.eps"),
    ] = None
    alpha: Annotated[
        str | None,
        typer.Option("--alpha", help="Step of the attack in levels of 255."),
        Key("degradation.alpha"),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=0, help="Steps of the attack; 0: noise alone."),
        Key("degradation.steps"),
    ] = None
    structure: Annotated[
        float | None,
        typer.Option("--structure", help="Size of the noise's blocks, in pixels."),
        Key("degradation.structure"),
    ] = None
    attack_loss: Annotated[
        str | None,
        typer.Option("--attack-loss", help="What the attack makes large, such as l1 or l1+percep."),
        Key("degradation.loss"),
    ] = None
    paper_losses: Annotated[
        bool, typer.Option("--paper-losses", help="Unweighted sums, as in Eq. 3 and 4 of the paper.")
    ] = False
    perceptual: Annotated[
        str | None,
        typer.Option("--perceptual", help="auto, vgg19, lpips-alex, lpips-lite, features, none, …"),
        Key("losses.perceptual_net"),
    ] = None
    gan_weight: Annotated[
        float | None,
        typer.Option("--gan-weight", min=0, help="Weight of the GAN loss."),
        Key("losses.gan"),
    ] = None
    iterations: Annotated[
        int | None,
        typer.Option("--iterations", min=1, help="Optimizer steps."),
        Key("schedule.iterations"),
    ] = None
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Crops per step, all processes together."),
        Key("data.batch"),
    ] = None
    accumulate: Annotated[
        int | None,
        typer.Option("--accumulate", min=1, help="Parts a process works its share of a batch off in."),
        Key("accumulate"),
    ] = None
    patch: Annotated[
        int | None,
        typer.Option("--patch", min=32, help="Side of the HR crops in pixels."),
        Key("data.patch"),
    ] = None
    lr: Annotated[
        float | None,
        typer.Option("--lr", help="Learning rate at the start."),
        Key("optimizer.lr"),
    ] = None
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of weights, crops and noise."), Key("seed")
    ] = None
    precision: Annotated[str | None, typer.Option("--precision", help="fp32 or bf16."), Key("precision")] = (
        None
    )
    validate_every: Annotated[
        int | None,
        typer.Option("--validate-every", min=1, help="Steps between validations and checkpoints."),
        Key("validation.every"),
    ] = None
    device: Device = "auto"
    threads: Annotated[int, typer.Option("--threads", min=0, help="Torch threads; 0: all cores.")] = 0
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the run and of the model it makes."), Key("name")
    ] = None
    out_dir: Annotated[Path, typer.Option("--out", help="Directory of runs.")] = Path("runs")
    resume: Annotated[
        Path | None,
        typer.Option("--resume", help="A run's directory: go on where its last checkpoint is."),
    ] = None

    def changes(self) -> dict[str, Any]:
        """Return what the options say of a recipe, by dotted key."""
        values: dict[str, Any] = {"domain": self.domain or self._source_domain()}
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            for mark in hint.__metadata__:
                if isinstance(mark, Key):
                    values[mark.name] = getattr(self, name)
        values["data.sources"] = list(words(self.data)) or None
        return {key: value for key, value in values.items() if value is not None}

    def _source_domain(self) -> str | None:
        builtin = self.source is not None and self.source.startswith("mini:")
        return self.source.removeprefix("mini:") if self.source and builtin else None
