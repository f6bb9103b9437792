"""Attack within one band of spatial frequencies of the LR image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor

from srbench.attacks.checked import one_of
from srbench.attacks.pgd_l2 import PGDL2

BANDS = {"low": (0.0, 1 / 3), "mid": (1 / 3, 2 / 3), "high": (2 / 3, 2.0)}
"""Each band goes from one distance from zero frequency up to another, in units of one cycle in two pixels."""

PRESETS = {
    "band-low": {
        "kind": "BandPGD",
        "about": "Ten steps in l2 within the lowest third of the LR image's frequencies: slow waves.",
        "eps": 8,
        "perceptual": ["lpips-alex", "lpips-squeeze", "lpips-lite"],
        "objective": "10*mse+{perceptual}",
        "options": {"band": "low", "alpha": None, "steps": 10, "restarts": 1},
    },
    "band-mid": {
        "kind": "BandPGD",
        "about": "Ten steps in l2 within the middle third of the LR image's frequencies.",
        "eps": 8,
        "perceptual": ["lpips-alex", "lpips-squeeze", "lpips-lite"],
        "objective": "10*mse+{perceptual}",
        "options": {"band": "mid", "alpha": None, "steps": 10, "restarts": 1},
    },
    "band-high": {
        "kind": "BandPGD",
        "about": "Ten steps in l2 within the highest third of the LR image's frequencies, corners with it.",
        "eps": 8,
        "perceptual": ["lpips-alex", "lpips-squeeze", "lpips-lite"],
        "objective": "10*mse+{perceptual}",
        "options": {"band": "high", "alpha": None, "steps": 10, "restarts": 1},
    },
}


class BandPGD(PGDL2):
    """Ascends the gradient in l2 with every step filtered to a band, so that models show where they are weak.

    Which frequencies of its input a network amplifies differs from network to network; bounded in l2, where
    filter and ball go together, the same radius is the same energy in each band. Only where the image ends at
    black or white, and is clipped, something gets outside the band. The source of the rest is PGD in l2
    (:class:`~srbench.attacks.pgd_l2.PGDL2`), from a random start; the filter is srbench's own.

    Args:
        model: see :class:`~srbench.attacks.base.SRAttack`.
        band: ``low``, ``mid`` or ``high``; see :data:`BANDS`.
        alpha, steps, restarts: see :class:`~srbench.attacks.pgd_l2.PGDL2`.
        **settings: eps, rounded, objective, seed, precision of :class:`~srbench.attacks.base.SRAttack`.

    >>> import torch
    >>> from srbench.attacks import BandPGD
    >>> lr, hr = torch.full((1, 3, 8, 8), 0.5), torch.zeros(1, 3, 32, 32)
    >>> attack = BandPGD(torch.nn.Upsample(scale_factor=4), band="low", eps=0.1, objective="mse")
    >>> attack.threat.size(lr, attack(lr, hr))
    tensor([0.1000], dtype=torch.float64)
    """

    options: ClassVar[tuple[str, ...]] = ("band", "alpha", "steps", "restarts")

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        *,
        band: str = "low",
        alpha: float | None = None,
        steps: int = 10,
        restarts: int = 1,
        **settings: Any,
    ) -> None:
        super().__init__(model, alpha=alpha, steps=steps, restarts=restarts, **settings)
        one_of("band", band, tuple(BANDS))
        self.band = band

    def allowed(self, image: Tensor) -> Tensor:
        return within(image, *BANDS[self.band])


def within(image: Tensor, low: float, high: float) -> Tensor:
    """Return what of images (N,C,H,W) lies in a band of frequencies, from ``low`` on and below ``high``.

    A frequency is its distance from zero, in units of one cycle in two pixels: 1 at the ends of both axes and
    the square root of 2 in the corners.

    >>> import torch
    >>> from srbench.attacks.band_pgd import within
    >>> image = torch.rand(1, 3, 9, 8)
    >>> parts = within(image, 0, 1 / 3) + within(image, 1 / 3, 2 / 3) + within(image, 2 / 3, 2)
    >>> torch.allclose(parts, image, atol=1e-6)
    True
    """
    height, width = image.shape[-2:]
    rows = torch.fft.fftfreq(height, d=0.5, device=image.device)
    columns = torch.fft.rfftfreq(width, d=0.5, device=image.device)
    radius = torch.hypot(rows[:, None], columns[None, :])
    mask = (radius >= low) & (radius < high)
    # There are no transforms of half precision on CPUs.
    spectrum = torch.fft.rfft2(image if image.dtype == torch.float64 else image.float())
    filtered: Tensor = torch.fft.irfft2(spectrum * mask, s=(height, width))
    return filtered.to(image)
