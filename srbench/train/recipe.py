"""Say what a training is: every setting of it, read from TOML and overridden by the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from srbench.errors import BadInput, unknown
from srbench.support.toml import read_toml
from srbench.zoo.schema import NAME, Domain


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GeneratorSettings(_Strict):
    """Sizes the RRDBNet x4: ``num_feat`` features, ``num_block`` residual-in-residual blocks.

    ``growth``, what each convolution of a dense block adds, is that of weights which load elsewhere.
    """

    num_feat: int = Field(default=64, ge=1)
    num_block: int = Field(default=23, ge=1)
    growth: Literal[32] = 32


class DataSettings(_Strict):
    """Says where HR crops come from.

    Attributes:
        sources: ``dead-leaves`` or directories, each with an optional ``*weight``; the full-size recipes
            leave them to whoever trains, as they are about photographs.
        shrink: photographs are first downscaled by this factor, which cleans them; several factors give
            every photograph at each of these sizes, as often (Impressionism and ESRGAN-FS: 0.5 and 1).
        patch: side of the HR crops in pixels, a multiple of 4.
        hold_out: every so manieth photograph of a directory is kept from training, and validation is done
            on those; 0 trains on all, and validates on other places of the same photographs.
        batch: crops of one iteration, all processes together.
        augment: flips and 90-degree rotations.
    """

    sources: tuple[str, ...] = ("dead-leaves",)
    shrink: float | tuple[float, ...] = 1.0
    hold_out: int = Field(default=0, ge=0)
    patch: int = Field(default=128, ge=32, multiple_of=4)
    batch: int = Field(default=16, ge=1)
    augment: bool = True

    @field_validator("shrink")
    @classmethod
    def _factors(cls, shrink: float | tuple[float, ...]) -> float | tuple[float, ...]:
        factors = shrink if isinstance(shrink, tuple) else (shrink,)
        if not factors or len(set(factors)) < len(factors) or not all(0 < factor <= 1 for factor in factors):
            raise ValueError("shrink takes factors above 0 and at most 1, each once")
        return shrink


class LossSettings(_Strict):
    """Weights the generator's losses; a weight of 0 leaves the loss out.

    Attributes:
        perceptual_net: ``auto``, ``vgg19``, ``lpips-alex``, ``lpips-lite``, ``features``, ``none``, …;
            also what ``percep`` means in the loss of an attack.
        l1_low_pass: L1 sees SR and HR averaged over squares of this side; 0 for the images themselves.
        gan_high_pass: the discriminator sees what such an average leaves over; 0 for the images themselves.
        detach_means: no gradient of the discriminator's loss goes through the mean logits it compares with
            (RSR, BasicSR); ESRGAN, Impressionism and ESRGAN-FS let it through.
    """

    l1: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    perceptual: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    perceptual_net: str = "auto"
    gan: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    l1_low_pass: int = Field(default=0, ge=0)
    gan_high_pass: int = Field(default=0, ge=0)
    detach_means: bool = True

    @model_validator(mode="after")
    def _something(self) -> LossSettings:
        if not (self.l1 or self.perceptual or self.gan):
            raise ValueError("every loss has weight 0: nothing would be learned")
        return self


class DiscriminatorSettings(_Strict):
    """Sizes the network that tells SR from HR; ``none`` where no GAN loss is used."""

    kind: Literal["vgg", "patchgan", "unet", "none"] = "none"
    num_feat: int = Field(default=64, ge=1)
    norm: Literal["batch", "none"] = "batch"


class OptimizerSettings(_Strict):
    """Sets Adam, for generator and discriminator alike but for ``lr_discriminator``, where it is above 0."""

    lr: float = Field(default=1e-4, gt=0, allow_inf_nan=False)
    lr_discriminator: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = Field(default=0.0, ge=0, allow_inf_nan=False)


class ScheduleSettings(_Strict):
    """Says how long to train, and how the learning rate falls.

    Attributes:
        iterations: optimizer steps of the generator.
        milestones: the learning rate is multiplied by ``gamma`` from these iterations on; numbers below 1
            are shares of ``iterations``.
        restarts: 0 for milestones; N for N equal cosine periods from ``lr`` down to ``lr_floor``.
    """

    iterations: int = Field(ge=1)
    milestones: tuple[float, ...] = ()
    gamma: float = Field(default=0.5, gt=0, le=1)
    restarts: int = Field(default=0, ge=0)
    lr_floor: float = Field(default=1e-7, ge=0)

    @model_validator(mode="after")
    def _one_kind(self) -> ScheduleSettings:
        if self.restarts and self.milestones:
            raise ValueError("milestones and restarts (cosine) exclude each other")
        if any(m <= 0 for m in self.milestones):
            raise ValueError("milestones have to be above 0")
        return self


class ValidationSettings(_Strict):
    """Says how often the generator is measured and kept.

    Attributes:
        every: iterations between validations; each writes a checkpoint.
        images: HR crops that training never sees, each under bicubic and under random structured noise.
        keep: checkpoints kept beside the best one.
    """

    every: int = Field(default=1000, ge=1)
    images: int = Field(default=16, ge=1)
    keep: int = Field(default=3, ge=1)


class TrainingRecipe(_Strict):
    """Describes a training completely: on one kind of machine, equal recipes and data give equal weights.

    Attributes:
        name: of the run, its directory and the model it makes.
        domain: the degradation the model is trained for, as in a zoo card.
        seed: of the initial weights, the crops, the noise.
        init: ``scratch``, a model of the zoo, a checkpoint file, or the directory of a run.
        degradation: a table with ``kind``; see :mod:`srbench.train.degradations`.
        ema: decay of the moving average of the weights that is exported; 0 exports the weights themselves.
        precision: ``bf16`` runs the networks under autocast, weights stay fp32.
        accumulate: each process works its share of the batch off in this many parts.
        log_every: iterations between rows of log.csv.
    """

    name: str
    title: str = ""
    domain: Domain = "unknown"
    seed: int = Field(default=0, ge=0)
    init: str = Field(default="scratch", min_length=1)
    ema: float = Field(default=0.0, ge=0, lt=1)
    precision: Literal["fp32", "bf16"] = "fp32"
    accumulate: int = Field(default=1, ge=1)
    log_every: int = Field(default=1, ge=1)
    generator: GeneratorSettings = GeneratorSettings()
    data: DataSettings = DataSettings()
    degradation: dict[str, Any] = Field(default_factory=lambda: {"kind": "clean"})
    losses: LossSettings = LossSettings()
    discriminator: DiscriminatorSettings = DiscriminatorSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings
    validation: ValidationSettings = ValidationSettings()

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not NAME.fullmatch(name) or name == "all":
            raise ValueError(f"'{name}' cannot name a model: use letters, digits and . _ + -")
        return name

    @model_validator(mode="after")
    def _fits(self) -> TrainingRecipe:
        if self.losses.gan and self.discriminator.kind == "none":
            raise ValueError("losses.gan is above 0 but discriminator.kind is none")
        if self.data.batch % self.accumulate:
            raise ValueError(f"data.batch {self.data.batch} is no multiple of accumulate {self.accumulate}")
        return self

    @property
    def hash(self) -> str:
        """Return the sha256 over every setting."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def names() -> list[str]:
    """Return the names of the recipes that come with srbench.

    >>> [name for name in names() if name.startswith("rsr")]
    ['rsr', 'rsr-mini']
    """
    files = resources.files("srbench.train.recipes").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def summaries() -> dict[str, str]:
    """Describe every shipped recipe in one line: title, kind of degradation, size, length."""
    lines = {}
    for name in names():
        table = read_toml(resources.files("srbench.train.recipes") / f"{name}.toml")
        network, schedule = table["generator"], table["schedule"]
        lines[name] = (
            f"{table['title']}: {table['degradation']['kind']} input, {network['num_feat']} features, "
            f"{network['num_block']} blocks, {schedule['iterations']:,} iterations from {table['init']}"
        )
    return lines


def load(spec: str, changes: Mapping[str, Any] | None = None) -> TrainingRecipe:
    """Load a shipped recipe by name, or one from a TOML file.

    Args:
        changes: values by dotted key (``optimizer.lr``) that replace the recipe's or give what it leaves
            open, such as the ``degradation.source`` of ``impressionism``.

    Raises:
        BadInput: no such recipe or file, or a setting that is missing, unknown or out of range.

    >>> from srbench.train import recipe as recipes
    >>> recipe = recipes.load("rsr-mini", {"schedule.iterations": 10})
    >>> recipe.schedule.iterations, recipe.degradation["eps"]
    (10, '14/255')
    """
    if spec in names():
        table = read_toml(resources.files("srbench.train.recipes") / f"{spec}.toml")
        return parse(_changed(table, changes or {}), f"recipe {spec}")
    path = Path(spec).expanduser()
    if path.suffix.lower() != ".toml":
        raise unknown("recipe", spec, names(), "srbench train")
    if not path.is_file():
        raise BadInput(f"{spec}: no such recipe file")
    return parse(_changed(read_toml(path), changes or {}), spec)


def parse(table: Mapping[str, Any], what: str = "recipe") -> TrainingRecipe:
    """Make a recipe of its table; the degradation's own settings are checked and completed too.

    Raises:
        BadInput: a setting that is unknown or out of range; the message names its key.
    """
    from srbench.train import degradations

    try:
        recipe = TrainingRecipe.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise BadInput(f"{what}: {key + ': ' if key else ''}{message}") from error
    complete = degradations.parse(recipe.degradation).model_dump(mode="json")
    degradation = {"kind": recipe.degradation["kind"], **complete}
    return recipe.model_copy(update={"degradation": degradation})


def override(recipe: TrainingRecipe, changes: Mapping[str, Any]) -> TrainingRecipe:
    """Return the recipe with other values, by dotted key (``optimizer.lr``).

    Raises:
        BadInput: no such setting in this recipe, or a value out of range.
    """
    return parse(_changed(recipe.model_dump(mode="json"), changes), f"recipe {recipe.name}")


def _changed(table: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in changes.items():
        *parents, leaf = key.split(".")
        place = table
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise BadInput(f"{key}: the recipe has a value where a table [{parent}] is due")
        place[leaf] = value
    return table


def differences(old: TrainingRecipe, new: TrainingRecipe) -> list[str]:
    """List every setting in which two recipes differ: ``key is old value in the run and new value now``."""
    before, after = flat(old.model_dump(mode="json")), flat(new.model_dump(mode="json"))
    keys = [*before, *(key for key in after if key not in before)]
    absent = "nothing"
    return [
        f"{key} is {before.get(key, absent)!r} in the run and {after.get(key, absent)!r} now"
        for key in keys
        if before.get(key, absent) != after.get(key, absent)
    ]


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested tables by dotted key.

    >>> flat({"seed": 1, "optimizer": {"lr": 0.1}})
    {'seed': 1, 'optimizer.lr': 0.1}
    """
    values: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            values |= flat(value, f"{prefix}{key}.")
        else:
            values[prefix + key] = value
    return values
