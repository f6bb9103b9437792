"""One record per image: what was measured, and everything that could have moved it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from srbench.support.scales import SCALE, Scale

SCHEMA_VERSION = 1
LARGEST = 1e6
"""No metric and no effect of an attack is larger: what is would be noise in every mean it is part of."""
KINDS = ("paired", "no-reference")


class Record(BaseModel):
    """The measurement of one image by one model. What cannot have been measured is refused.

    Attributes:
        model, model_title, training_domain: who, and which degradation it was trained for.
        weights_sha256: sha256 of the weight file; empty for a model without weights.
        made_elsewhere: SR images were given in the place of a network, which nobody ran here; their names and
            bytes are what the sha256 is over, and no time was taken.
        dataset, dataset_domain, dataset_kind, dataset_hash, dataset_images: the set, which degradation
            it shows, "paired" or "no-reference", the hash of its content and its number of images.
        scale: how many times larger SR is than LR; 4 in records made before it was recorded.
        image: id of the image within the set.
        source: what tells which photograph the image shows: a name, where the set knows it, or the hash of
            the HR pixels (of the LR ones without HR). Crops of one photograph, and one photograph under two
            degradations, are no independent images. Empty in records made before it was recorded.
        attack, attack_hash: what was done to the LR image; "none" and empty for the clean input.
        attack_settings: every setting of the attack, None for the clean input.
        effect: what the attack did, apart from the metrics: ``lr_psnr`` (dB, clean against attacked LR),
            ``sr_psnr`` (dB, SR of clean against SR of attacked; Choi et al. 2019's pair) and
            ``lr_max`` (largest change of a value, of 255).
        saved: the metrics once more, of SR of the attacked LR after saving it as an 8-bit file and reading
            it back; empty where the attack's own result is 8 bit, and for the clean input.
        flags: attack-strength checks that failed, each with the finding.
        protocol, protocol_hash: how the metrics were computed.
        metrics: value by metric; null where the metric is undefined for this image, and then ``notes``
            says why. A metric that was not computed is absent.
        metric_settings: by metric, the hash of what the protocol sets of it; a value measured with other
            settings is measured anew. Empty in records made before it was recorded.
        stochastic: "seeded" for a model that draws random numbers, which model, attack and image seed;
            "unseeded" for one whose numbers cannot be seeded; else empty.
        samples: how often a stochastic model ran on the image: metrics are means over so many outputs.
        spread: by metric, the standard deviation over the samples; empty for one.
        lr_size, sr_size: height and width in pixels.
        precision, tile: "fp32" or "bf16"; LR tile side in pixels or null for the whole image at once.
        halo: LR pixels around a tile that it was run with; null for whole images, and in records made
            before it was recorded, when it was 16.
        device: where the model ran.
        threads, channels_last: torch threads, and the layout of images in memory, which may move a number
            in its last digits; null in records made before they were recorded.
        seconds: wall time of the model's forward pass.
        cost: what the network takes, as :func:`srbench.zoo.cost.cost` counts it; empty in records made
            before it was counted.
        created: when, UTC, ISO 8601.
        versions, commit: library versions, and srbench's git commit where it runs from a checkout.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    model: str
    model_title: str
    training_domain: str
    weights_sha256: str
    dataset: str
    dataset_domain: str
    dataset_kind: str
    dataset_hash: str
    dataset_images: int
    image: str
    source: str = ""
    attack: str
    attack_hash: str
    attack_settings: dict[str, Any] | None = None
    effect: dict[str, float] = {}
    saved: dict[str, float | None] = {}
    flags: dict[str, str] = {}
    protocol: str
    protocol_hash: str
    metrics: dict[str, float | None]
    notes: dict[str, str]
    metric_settings: dict[str, str] = {}
    stochastic: str = ""
    samples: int = Field(default=1, ge=1)
    spread: dict[str, float] = {}
    lr_size: tuple[int, int]
    sr_size: tuple[int, int]
    precision: str
    tile: int | None
    halo: int | None = None
    device: str
    threads: int | None = None
    channels_last: bool | None = None
    seconds: float
    cost: dict[str, float] = {}
    created: str
    versions: dict[str, str]
    commit: str | None
    made_elsewhere: bool = False
    scale: Scale = SCALE

    @field_validator("schema_version")
    @classmethod
    def _known_version(cls, version: int) -> int:
        if version != SCHEMA_VERSION:
            raise ValueError(f"{version} is not one that this srbench reads: it reads {SCHEMA_VERSION}")
        return version

    @field_validator("dataset_kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in KINDS:
            raise ValueError(f"{kind[:20]!r} is neither {KINDS[0]} nor {KINDS[1]}")
        return kind

    @field_validator("metrics", "saved", "effect", "spread")
    @classmethod
    def _measurable(cls, values: Mapping[str, float | None]) -> Mapping[str, float | None]:
        for name, value in values.items():
            # NaN is not within, either.
            if value is not None and not -LARGEST <= value <= LARGEST:
                raise ValueError(f"{name[:40]} is {value:g}: it has to be finite and within {LARGEST:g}")
        return values

    @field_validator("cost")
    @classmethod
    def _finite_cost(cls, values: dict[str, float]) -> dict[str, float]:
        for name, value in values.items():
            if not math.isfinite(value):
                raise ValueError(f"{name[:40]} is {value:g}")
        return values

    @field_validator("seconds")
    @classmethod
    def _finite_time(cls, seconds: float) -> float:
        if not math.isfinite(seconds):
            raise ValueError(f"{seconds:g} is no time")
        return seconds

    @field_validator("attack_settings")
    @classmethod
    def _readable_settings(cls, settings: dict[str, Any] | None) -> dict[str, Any] | None:
        """Check what leaderboards and figures read of an attack; the rest is the attack's own affair."""
        for name in ("kind", "norm", "corruption"):
            if not isinstance((settings or {}).get(name, ""), str):
                raise ValueError(f"{name} is no text")
        if settings is None:
            return None
        if not isinstance(settings.get("note") or "", str):
            raise ValueError("note is no text")
        if "eps" in settings and not _within(settings["eps"], 0, 1):
            raise ValueError(f"eps {_brief(settings['eps'])} is no number from 0 to 1")
        if settings.get("kind") == "Corruption":
            if "corruption" not in settings:
                raise ValueError("corruption is missing")
            if not _within(settings.get("severity"), 0, LARGEST):
                raise ValueError(f"severity {_brief(settings.get('severity'))} is no number")
        return settings


def _within(value: Any, low: float, high: float) -> bool:
    """Return whether a value of any kind is a number, and in the range."""
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _brief(value: Any) -> str:
    """Return a value of any kind in a few letters; lists and tables by their type alone."""
    if value is None or isinstance(value, list | dict):
        return "null" if value is None else type(value).__name__
    # Python refuses to write out a whole number of ten thousand digits.
    return "a huge number" if isinstance(value, int) and abs(value) > LARGEST else f"{value!r:.20}"


def refusal(error: ValidationError) -> str:
    """Say in a few words why something is not a record: the first thing that is wrong with it."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    words = " ".join(first["msg"].removeprefix("Value error, ").split())[:120]
    said = f"{where[:80]}: {words}" if where else words
    # A file of a stranger names its metrics as it likes: nothing of it may move a terminal's cursor.
    return "".join(letter if letter.isprintable() else "�" for letter in said)
