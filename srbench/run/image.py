"""One image of a cell: decode it, attack it, super-resolve it, measure it, and write down what was done."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from srbench.errors import RunFailed
from srbench.run.certified import bounded, without_bounds
from srbench.run.chance import Chance, seeded
from srbench.run.perturb import attack_image
from srbench.run.samples import combined
from srbench.store import pictures, provenance
from srbench.store.record import Record
from srbench.support.cache import Cache
from srbench.support.scales import SCALE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from srbench.datasets.base import LoadedImage
    from srbench.run.certified import Certified
    from srbench.run.instruments import Instruments
    from srbench.run.perturb import Attacked, Made, Perturbation
    from srbench.run.plan import Cell
    from srbench.run.settings import Settings
    from srbench.zoo import SRModel

DECODED_BYTES = 512 << 20
NOISE_BYTES = 128 << 20
CLEAN_BYTES = 128 << 20


@dataclass(frozen=True)
class Measured:
    """One image as it was measured, for whoever wants more than the record.

    Attributes:
        attacked: the LR image and what the attack did.
        sr, hr: (1,3,sH,sW); SR unclipped, HR in [0,1] or None.
        certified: where the cell is a certificate.
    """

    record: Record
    attacked: Attacked
    sr: Tensor
    hr: Tensor | None
    certified: Certified | None = None


@dataclass(frozen=True)
class Loaded:
    """A cell's model ready to run, with what its network takes and the attack of the cell built for it.

    Attributes:
        model: the network; None where SR images were made elsewhere.
        super_resolve: gives SR for the id and the LR (1,3,H,W) of an image.
        chance: whether the model draws random numbers.
        certify: certifies an image from LR (1,3,H,W) and HR, where the cell is a certificate.
    """

    model: SRModel | None
    super_resolve: Callable[[str, Tensor], Tensor]
    cost: dict[str, float]
    attack: Perturbation | None
    chance: Chance = ""
    certify: Callable[[Tensor, Tensor | None], Certified] | None = None


class ImageMeter:
    """Measures single images; several threads may use one at a time.

    An image is decoded once for all models; noise made on one model is kept for those it is transferred to,
    and what a model makes of the clean image for its other attacks.

    Args:
        instruments: the metrics.
        settings: how the machine is used.
        folder: where SR and attacked LR are kept as PNG; None keeps none.
    """

    def __init__(self, instruments: Instruments, settings: Settings, folder: Path | None = None) -> None:
        self._instruments, self._settings, self._folder = instruments, settings, folder
        self._device = settings.device
        self._decoded: Cache[LoadedImage] = Cache(DECODED_BYTES, _pixel_bytes)
        self._noise: Cache[Made] = Cache(NOISE_BYTES, lambda made: made.nbytes)
        self._clean: Cache[Tensor] = Cache(CLEAN_BYTES, lambda sr: sr.nbytes)

    def measure(self, cell: Cell, loaded: Loaded, image: str, names: Sequence[str]) -> Measured:
        """Measure one image.

        Args:
            names: the metrics to compute, all ready.

        Raises:
            RunFailed: the model's output has the wrong shape, or values that are not finite.
            BadInput: the image cannot be read, or the attack refuses it.
        """
        import torch

        lr, hr, source = self._images(cell, image)
        run_as: tuple[str, ...] = (cell.dataset.content_hash, cell.precision)
        run_as += (str(cell.tile), str(cell.halo))
        run_as += () if cell.scale == SCALE else (f"x{cell.scale}",)
        key = (cell.model.name, cell.model.weights_sha256, *run_as, image)
        draw = seeded if loaded.chance else _as_it_is
        count = self._settings.samples if loaded.chance else 1

        bare = loaded.super_resolve

        def clean() -> Tensor:
            with draw(*key, "0"):
                return self._clean.get(key, lambda: bare(image, lr))

        certified: list[Certified] = []
        if certify := loaded.certify:

            def worst(image: str, lr: Tensor) -> Tensor:
                certified.append(certify(lr, hr))
                return certified[0].worst

            loaded, count = replace(loaded, super_resolve=worst), 1
        with draw(*key, cell.attack.hash):
            attacked = attack_image(loaded.attack, lr, hr, image, run_as, self._noise, clean)
        with torch.inference_mode():
            samples, of_files = [], []
            for sample in range(count):
                with draw(*key, str(sample)):
                    made, took = _timed(cell, loaded, image, attacked.lr)
                if sample == 0:
                    sr, seconds = made, took
                samples.append(self._instruments.measure(bounded(names) if certified else names, made, hr))
                if attacked.saved is not None:
                    with draw(*key, str(sample)):
                        of_file = loaded.super_resolve(image, attacked.saved)
                    of_files.append(self._instruments.measure(names, of_file, hr))
            if not cell.attack.hash:
                self._clean.get(key, lambda: sr)
            metrics, notes, spread = combined(samples)
            if certified:
                attacked = replace(attacked, clean_sr=clean(), settings=certified[0].settings)
                metrics, notes = without_bounds(names, metrics, notes)
            if self._folder is not None:
                seen = attacked.as_file if cell.attack.hash else None
                pictures.save(self._folder, cell.path, image, sr, seen)
            values = {
                "source": source,
                "metrics": metrics,
                "notes": notes,
                "metric_settings": {name: cell.protocol.known[name].hash for name in metrics},
                "stochastic": loaded.chance,
                "samples": count,
                "spread": spread,
                "saved": combined(of_files)[0] if of_files else {},
                "effect": attacked.effect(sr),
                "attack_settings": attacked.settings,
                "flags": attacked.flags,
                "lr_size": tuple(lr.shape[-2:]),
                "sr_size": tuple(sr.shape[-2:]),
                "seconds": round(seconds, 6),
                "cost": loaded.cost,
                "device": device_name(self._device),
                "threads": self._settings.threads,
                "channels_last": self._settings.channels_last,
            }
        return Measured(_record(cell, image, values), attacked, sr, hr, *certified)

    def _images(self, cell: Cell, image: str) -> tuple[Tensor, Tensor | None, str]:
        """LR (1,3,H,W) on the device and HR (1,3,sH,sW) or None, in [0,1]; what tells the photograph."""
        data = cell.dataset
        decoded = self._decoded.get((data.content_hash, data.scale, image), lambda: data.load(image))
        hr = None if decoded.hr is None else as_tensor(decoded.hr)
        return as_tensor(decoded.lr).to(self._device), hr, decoded.photograph


def _as_it_is(*parts: str) -> AbstractContextManager[None]:
    """Leave the random numbers alone: there is nobody to draw any."""
    return nullcontext()


def _timed(cell: Cell, loaded: Loaded, image: str, lr: Tensor) -> tuple[Tensor, float]:
    """SR of an image, checked, and the seconds it took; none where it was made elsewhere."""
    import torch

    started = time.perf_counter()
    sr = loaded.super_resolve(image, lr)
    if sr.device.type == "cuda":
        torch.cuda.synchronize(sr.device)
    seconds = 0.0 if loaded.model is None else time.perf_counter() - started
    expected = (1, 3, cell.scale * lr.shape[-2], cell.scale * lr.shape[-1])
    if tuple(sr.shape) != expected:
        raise RunFailed(f"the model made {tuple(sr.shape)} where {expected} was due")
    if not bool(torch.isfinite(sr).all()):
        raise RunFailed("the model's output has NaN or infinite values")
    return sr, seconds


def _record(cell: Cell, image: str, values: Mapping[str, Any]) -> Record:
    """The record of what was measured: the identity of the cell, the values, and the software."""
    return Record(
        model=cell.model.name,
        model_title=cell.model.card.title,
        training_domain=cell.model.card.domain,
        weights_sha256=cell.model.weights_sha256,
        made_elsewhere=cell.model.outputs is not None,
        dataset=cell.dataset.name,
        dataset_domain=cell.dataset.domain,
        dataset_kind=cell.dataset.kind,
        dataset_hash=cell.dataset.content_hash,
        dataset_images=len(cell.dataset.ids),
        scale=cell.scale,
        image=image,
        attack=cell.attack.name,
        attack_hash=cell.attack.hash,
        protocol=cell.protocol.name,
        protocol_hash=cell.protocol.hash,
        precision=cell.precision,
        tile=cell.tile,
        halo=cell.halo,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions=provenance.versions(),
        commit=provenance.commit(),
        **values,
    )


def as_tensor(pixels: object) -> Tensor:
    """Turn uint8 (H,W,3) into float32 (1,3,H,W) in [0,1]."""
    import numpy as np
    import torch

    # A copy: data sets hand out read-only arrays.
    return torch.from_numpy(np.array(pixels)).permute(2, 0, 1).unsqueeze(0).float() / 255


def device_name(device: str) -> str:
    """Return how a record names a device: "cpu", or "cuda" with the name of the GPU."""
    if device == "cpu":
        return "cpu"
    import torch

    return f"{device} ({torch.cuda.get_device_name(device)})"


def _pixel_bytes(image: LoadedImage) -> int:
    return int(image.lr.nbytes) + (0 if image.hr is None else int(image.hr.nbytes))
