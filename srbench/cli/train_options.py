"""The options of ``srbench train`` and ``srbench train-robust``, each with the key of a recipe it sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from srbench.cli.groups import Alias
from srbench.cli.options import Device
from srbench.cli.panels import HOW, OUTPUT, WHAT, WHERE
from srbench.support.words import words


@dataclass(frozen=True)
class Key:
    """The dotted key of a recipe that an option sets."""

    name: str


@dataclass(frozen=True)
class TrainFlags:
    """What a training has in common, whichever command starts it."""

    data: Annotated[
        str | None,
        WHAT.value("--data", "NAMES", "Training images: dead-leaves, directories; by commas."),
        Key("data.sources"),
    ] = None
    init: Annotated[
        str | None,
        WHAT.value("--init", "MODEL", "scratch, a model, a checkpoint file or a run's directory."),
        Key("init"),
    ] = None
    source: Annotated[
        str | None,
        WHAT.value("--source", "DIR", "LR images of the source domain: a directory, mini:ntire or mini:aim."),
        Key("degradation.source"),
    ] = None
    domain: Annotated[
        str | None,
        WHAT.value("--domain", "DOMAIN", "What the model is trained for: clean, ntire, aim, dped, …"),
        Key("domain"),
    ] = None
    eps: Annotated[
        str | None,
        HOW.value("--eps", "LEVELS", "Radius of the attack in levels of 255."),
        Key("degradation.eps"),
    ] = None
    alpha: Annotated[
        str | None,
        HOW.value("--alpha", "LEVELS", "Step of the attack in levels of 255."),
        Key("degradation.alpha"),
    ] = None
    steps: Annotated[
        int | None,
        HOW.value("--steps", "N", "Steps of the attack; 0: noise alone.", min=0),
        Key("degradation.steps"),
    ] = None
    structure: Annotated[
        float | None,
        HOW.value("--structure", "PIXELS", "Size of the noise's blocks, in pixels."),
        Key("degradation.structure"),
    ] = None
    attack_loss: Annotated[
        str | None,
        HOW.value("--attack-loss", "LOSS", "What the attack makes large, such as l1 or l1+percep."),
        Key("degradation.loss"),
    ] = None
    paper_losses: Annotated[
        bool, HOW.flag("--paper-losses", "Unweighted sums, as in Eq. 3 and 4 of the paper.")
    ] = False
    perceptual: Annotated[
        str | None,
        HOW.value("--perceptual", "NET", "auto, vgg19, lpips-alex, lpips-lite, features, none, …"),
        Key("losses.perceptual_net"),
    ] = None
    gan_weight: Annotated[
        float | None,
        HOW.value("--gan-weight", "WEIGHT", "Weight of the GAN loss.", min=0),
        Key("losses.gan"),
    ] = None
    iterations: Annotated[
        int | None,
        HOW.value("--iterations", "N", "Optimizer steps.", min=1),
        Key("schedule.iterations"),
    ] = None
    batch: Annotated[
        int | None,
        HOW.value("--batch", "N", "Crops per step, all processes together.", min=1),
        Key("data.batch"),
    ] = None
    accumulate: Annotated[
        int | None,
        HOW.value("--accumulate", "N", "Parts a process works its share of a batch off in.", min=1),
        Key("accumulate"),
    ] = None
    patch: Annotated[
        int | None,
        HOW.value("--patch", "PIXELS", "Side of the HR crops in pixels.", min=32),
        Key("data.patch"),
    ] = None
    lr: Annotated[
        float | None,
        HOW.value("--learning-rate", "RATE", "At the start."),
        Alias("--lr"),
        Key("optimizer.lr"),
    ] = None
    seed: Annotated[
        int | None, HOW.value("--seed", "N", "Of weights, crops and noise.", min=0), Key("seed")
    ] = None
    precision: Annotated[
        str | None, HOW.value("--precision", "FORMAT", "fp32 or bf16."), Key("precision")
    ] = None
    validate_every: Annotated[
        int | None,
        OUTPUT.value("--validate-every", "N", "Steps between validations and checkpoints.", min=1),
        Key("validation.every"),
    ] = None
    device: Device = "auto"
    threads: Annotated[int, WHERE.value("--threads", "N", "Torch threads; 0: all cores.", min=0)] = 0
    name: Annotated[
        str | None, OUTPUT.value("--name", "NAME", "Name of the run and of the model it makes."), Key("name")
    ] = None
    out_dir: Annotated[Path, OUTPUT.value("--out", "DIR", "Directory of runs.")] = Path("runs")
    resume: Annotated[
        Path | None,
        OUTPUT.value("--resume", "DIR", "A run's directory: go on where its last checkpoint is."),
    ] = None

    def changes(self) -> dict[str, Any]:
        """Return what the options say of a recipe, by dotted key."""
        values: dict[str, Any] = {key: getattr(self, name) for name, key in keys().items()}
        values["domain"] = self.domain or self._source_domain()
        values["data.sources"] = list(words(self.data)) or None
        return {key: value for key, value in values.items() if value is not None}

    def _source_domain(self) -> str | None:
        builtin = self.source is not None and self.source.startswith("mini:")
        return self.source.removeprefix("mini:") if self.source and builtin else None


def keys() -> dict[str, str]:
    """Return the dotted key of a recipe by the name of the option that sets it."""
    return {
        name: mark.name
        for name, hint in get_type_hints(TrainFlags, include_extras=True).items()
        for mark in hint.__metadata__
        if isinstance(mark, Key)
    }
