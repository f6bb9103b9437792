"""One record per image: what was measured, and everything that could have moved it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1


class Record(BaseModel):
    """The measurement of one image by one model.

    Attributes:
        model, model_title, training_domain: who, and which degradation it was trained for.
        weights_sha256: sha256 of the weight file; empty for a model without weights.
        dataset, dataset_domain, dataset_kind, dataset_hash, dataset_images: the set, which degradation
            it shows, "paired" or "no-reference", the hash of its content and its number of images.
        image: id of the image within the set.
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
        lr_size, sr_size: height and width in pixels.
        precision, tile: "fp32" or "bf16"; LR tile side in pixels or null for the whole image at once.
        halo: LR pixels around a tile that it was run with; null for whole images, and in records made
            before it was recorded, when it was 16.
        device: where the model ran.
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
    lr_size: tuple[int, int]
    sr_size: tuple[int, int]
    precision: str
    tile: int | None
    halo: int | None = None
    device: str
    seconds: float
    cost: dict[str, float] = {}
    created: str
    versions: dict[str, str]
    commit: str | None
