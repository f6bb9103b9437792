"""Degrade every LR by a DSGAN that learned the textures of a source domain: ESRGAN-FS."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock
from pydantic import Field, field_validator
from torch import Tensor

from srbench.errors import BadInput
from srbench.support.home import atomic_path
from srbench.support.scales import SCALE
from srbench.train.degradations.base import Batch, Context, Degradation, DegradationKind, Table
from srbench.train.degradations.clean import bicubic_lr
from srbench.train.degradations.dsgan import DSGAN, Norm, draw_noise
from srbench.train.degradations.dsgan_gate import FIRST_CHOICE, check, compare, facts, misses
from srbench.train.degradations.dsgan_training import FIRST_INPUT, DSGANPlan, DSGANTraining
from srbench.train.degradations.source_domain import DEFAULT_IMAGES, SourceDomain, open_domain

_VERSION = 2
"""This is to be raised when the same settings give another DSGAN."""
_FILE = "dsgan.safetensors"


class FrequencySeparationSettings(Table):
    """Holds the settings of ``frequency-separation``; defaults are the published code's where it has one.

    The published training takes 300 epochs of batches of 16 crops of 128 px. What it degrades are crops of
    512 px of the noisy source images, shrunk by 4; what its discriminator sees beside them are crops of 128
    px of the same images at full size.

    Attributes:
        source: LR images of the source domain: a folder, or ``mini:ntire``, ``mini:aim``. The mini images are
            ``crop`` px a side, and four times that where ``pairs`` is ``source``.
        source_images: how many images the mini sources make; a folder is taken whole.
        iterations: steps of the DSGAN; 15,000 are 300 epochs of 800 images in batches of 16.
        batch: crops of one step.
        crop: side of a crop in LR pixels.
        pairs: what is degraded in training: ``source``, crops of four times ``crop`` of the source images,
            shrunk by 4; or ``training``, clean LR of the training crops, whose content is then unlike the
            source's but which is what the DSGAN is used on.
        lr: learning rate of Adam; falls straight to 0 over the last half.
        discriminator_lr: the discriminator's own, 0 for ``lr``. Where it wins, as over JPEG, a lower one lets
            the generator follow.
        beta1: of Adam.
        low_pass: width of the average that splits low from high frequencies.
        high_pass_scale: factor on the high-pass before the discriminator, about 0.5. Noise of 6 levels is
            0.01 of the high-pass, which a short training does not teach a discriminator to see; 1 in the
            published code.
        colour: weight of the L1 of the low-pass.
        texture: weight of the GAN on the high-pass.
        perceptual: weight of LPIPS against the clean LR; 0 leaves it out.
        perceptual_net: ``lpips-alex``, ``lpips-squeeze``, ``lpips-lite``, ``none``, or ``auto``, the first
            that is here.
        features, blocks: of the DSGAN's generator.
        skip: the generator starts from the identity; see :class:`~srbench.train.degradations.dsgan.DSGAN`.
        noise_channels: channels of noise that the generator gets; 0 in the published code.
        discriminator_features: of the DSGAN's discriminator.
        discriminator_norm: ``batch``, as in the published code, or ``none``. It sees what is real and what is
            made in batches of their own, and norming each of them hides how strong the noise is.
        average: the weights kept are a running mean of those trained, this share of it old at each step; 0,
            as in the published code, keeps the last.
        checks: how many times over the last half of the training the DSGAN is compared with its source, on
            other crops than the gate's; the best is kept. A GAN swings about what it has learned, and where
            it ends is chance. 0, as in the published code, keeps the last.
        precision: ``bf16`` trains under autocast, the loss and the generator's last layer excepted.
        gate: by how much, as a share, what the DSGAN makes may differ from its source (std and octaves; see
            :mod:`~srbench.train.degradations.dsgan_gate`); 0 measures, and lets everything pass.
        quantize: round the LR to 8 bit, as LR files are.
    """

    kind: Literal["frequency-separation"] = "frequency-separation"
    source: str = Field(min_length=1)
    source_images: int = Field(default=DEFAULT_IMAGES, ge=1)
    iterations: int = Field(default=15_000, ge=1)
    batch: int = Field(default=16, ge=1)
    crop: int = Field(default=32, ge=8)
    lr: float = Field(default=2e-4, gt=0, allow_inf_nan=False)
    discriminator_lr: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    beta1: float = Field(default=0.5, ge=0, lt=1)
    pairs: Literal["source", "training"] = "source"
    low_pass: int = Field(default=5, ge=3)
    high_pass_scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    colour: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    texture: float = Field(default=0.005, ge=0, allow_inf_nan=False)
    perceptual: float = Field(default=0.01, ge=0, allow_inf_nan=False)
    perceptual_net: Literal["auto", "lpips-alex", "lpips-squeeze", "lpips-lite", "none"] = "auto"
    features: int = Field(default=64, ge=1)
    blocks: int = Field(default=8, ge=0)
    skip: bool = False
    noise_channels: int = Field(default=0, ge=0)
    discriminator_features: int = Field(default=64, ge=1)
    discriminator_norm: Norm = "batch"
    average: float = Field(default=0.0, ge=0, lt=1)
    checks: int = Field(default=0, ge=0)
    precision: Literal["fp32", "bf16"] = "fp32"
    gate: float = Field(default=0.15, ge=0, allow_inf_nan=False)
    quantize: bool = True

    @field_validator("low_pass")
    @classmethod
    def _odd(cls, width: int) -> int:
        if width % 2 == 0:
            raise ValueError(f"{width} is even: a window needs a middle pixel")
        return width


class FrequencySeparation(Degradation):
    """Puts clean LR through the DSGAN, which ``prepare`` trains, or loads where it was trained before."""

    def __init__(self, settings: FrequencySeparationSettings, context: Context) -> None:
        self._settings, self._context = settings, context
        self._dsgan: DSGAN | None = None
        self._facts: dict[str, Any] = {}

    def prepare(self) -> None:
        """Train the DSGAN, or load it. Of several processes on one folder, one trains and the others wait.

        Raises:
            BadInput: no source images, or images or training crops too small for ``crop``.
            Unavailable: ``perceptual_net`` names a network that is not installed.
            RunFailed: the loss became NaN or infinite, or what the DSGAN makes misses its source by more than
                ``gate``. The DSGAN is kept: with another gate it is not trained again.
        """
        if self._dsgan is not None:
            return
        settings, context = self._settings, self._context
        net, note = _net(settings)
        if note:
            context.report(f"DSGAN: {note}")
        # Not as large as the SR stage's own crops, which may be smaller than the DSGAN's.
        side = settings.crop * (SCALE if settings.pairs == "source" else 1)
        domain = open_domain(settings.source, context, count=settings.source_images, side=side)
        self._facts = {
            "source_hash": domain.content_hash,
            "perceptual_used": net or "none",
            "perceptual_note": note,
        }
        dsgan = self._trained(_plan(settings, net), domain).to(context.device)
        self._facts["dsgan_hash"] = _hash_weights(dsgan)
        self._facts["noise"] = self._compared(dsgan, domain)
        self._dsgan = dsgan

    def __call__(self, batch: Batch) -> Tensor:
        self.prepare()
        assert self._dsgan is not None
        return self._degrade(self._dsgan, bicubic_lr(batch.hr, quantize=True), batch.ids)

    def _degrade(self, dsgan: DSGAN, clean: Tensor, ids: Sequence[str]) -> Tensor:
        noise = draw_noise(clean, dsgan.noise_channels, ids, self._context.seed, "dsgan-noise")
        with torch.no_grad(), torch.autocast(clean.device.type, enabled=False):
            lr: Tensor = dsgan(clean, noise).clamp(0, 1)
            return (lr * 255).round() / 255 if self._settings.quantize else lr

    def _compared(self, dsgan: DSGAN, domain: SourceDomain) -> dict[str, Any]:
        """Compare with the source, say what came of it, and fail where that is too little."""
        try:
            matches = compare(domain, partial(self._degrade, dsgan), self._context)
        except BadInput as error:
            if self._settings.gate:
                raise
            return {"not_measured": str(error)}
        for match in matches:
            self._context.report(f"DSGAN's {match}: {match.verdict}")
        check(matches, self._settings.gate)
        return facts(matches)

    def describe(self) -> dict[str, Any]:
        return self._settings.model_dump(mode="json") | self._facts

    def _trained(self, plan: DSGANPlan, domain: SourceDomain) -> DSGAN:
        folder = self._context.folder
        if folder is None:
            return self._train(plan, domain)
        key = self._key(plan, domain)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{_FILE}.lock"):
            earlier = _load(folder / _FILE, plan, key)
            if earlier is not None:
                self._context.report(f"DSGAN for {domain.spec}: already trained")
                return earlier
            self._context.report(f"DSGAN for {domain.spec}: {plan.iterations} iterations")
            network = self._train(plan, domain)
            _save(network, folder / _FILE, key)
            return network

    def _train(self, plan: DSGANPlan, domain: SourceDomain) -> DSGAN:
        kept = cache(self._context.crops)
        context = replace(self._context, crops=lambda numbers: kept(tuple(numbers)))

        def missed(dsgan: DSGAN) -> float:
            return misses(compare(domain, partial(self._degrade, dsgan), context, FIRST_CHOICE))

        return DSGANTraining(plan, self._context, domain).run(missed)

    def _key(self, plan: DSGANPlan, domain: SourceDomain) -> str:
        """Hash everything the trained weights follow from."""
        inputs = self._context.crops([FIRST_INPUT])
        causes = {
            "version": _VERSION,
            "plan": vars(plan),
            "seed": self._context.seed,
            "source": domain.content_hash,
            # The training images are known here by their crops alone; the first stands for all.
            "crops": hashlib.sha256(inputs.cpu().numpy().tobytes()).hexdigest(),
        }
        return hashlib.sha256(json.dumps(causes, sort_keys=True).encode()).hexdigest()


KIND = DegradationKind(FrequencySeparationSettings, FrequencySeparation)


def _net(settings: FrequencySeparationSettings) -> tuple[str, str]:
    """Return the perceptual term's objective (empty for none), and a note where it is not the one wanted."""
    if settings.perceptual_net == "none" or not settings.perceptual:
        return "", ""
    if settings.perceptual_net != "auto":
        return settings.perceptual_net, ""
    from srbench.attacks.presets import first_available

    return first_available(["lpips-alex", "lpips-squeeze", "lpips-lite"])


def _plan(settings: FrequencySeparationSettings, net: str) -> DSGANPlan:
    shared = {name: getattr(settings, name) for name in DSGANPlan.__dataclass_fields__ if name != "net"}
    return DSGANPlan(**shared, net=net)


def _save(network: DSGAN, file: Path, key: str) -> None:
    from safetensors.torch import save_file

    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_path(file) as temporary:
        save_file(state, temporary, metadata={"key": key})


def _load(file: Path, plan: DSGANPlan, key: str) -> DSGAN | None:
    """Load the network trained before with this very key; None where there is none."""
    from safetensors import SafetensorError, safe_open

    if not file.is_file():
        return None
    try:
        with safe_open(file, "pt") as opened:
            if (opened.metadata() or {}).get("key") != key:
                return None
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError:
        return None  # damaged: trained anew
    with torch.device("meta"):
        network = DSGAN(plan.features, plan.blocks, plan.skip, plan.noise_channels)
    network.load_state_dict(state, strict=True, assign=True)
    return network.eval().requires_grad_(False)


def _hash_weights(network: DSGAN) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
