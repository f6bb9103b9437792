"""Define what a metric is, and the views of an image pair that metrics are computed on."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from srbench.metrics.weights import Weight

# (SR view, HR view or None) -> score. Views are float32 (1,C,H,W) in [0,1].
Scorer = Callable[["Tensor", "Tensor | None"], float]


@dataclass(frozen=True)
class Metric:
    """Declare one metric.

    Attributes:
        name: key in records, tables and protocols.
        title: column heading.
        kind: "FR" compares SR with HR; "NR" looks at SR alone.
        higher_is_better: direction, for ranks and arrows.
        decimals: digits worth printing.
        order: place among the metrics of its kind in tables.
        make_scorer: (params, device) -> scorer; ``params`` come from the protocol. May raise
            :class:`srbench.errors.Unavailable` where weights can neither be found nor fetched.
        source: paper or repository of the definition.
        definition: what is computed, its range and its best value, in a sentence for the documentation.
        weights: files it needs; empty where it computes from the pixels alone.
        min_side: smallest height and width (pixels, after cropping) it is defined for.
        lowest, highest: what its values lie between, in its own units; an entry with another is refused.
        fits: a further condition on height and width, where the smallest side does not say it all.
        recommended: it needs weights that boards are made with: ``srbench install recommended`` gets them.
    """

    name: str
    title: str
    kind: Literal["FR", "NR"]
    higher_is_better: bool
    decimals: int
    order: int
    make_scorer: Callable[[Mapping[str, str], str], Scorer]
    source: str
    definition: str = ""
    weights: tuple[Weight, ...] = ()
    min_side: int = 0
    lowest: float = -math.inf
    highest: float = math.inf
    fits: Callable[[int, int], bool] = lambda height, width: True
    recommended: bool = False

    def defined_for(self, height: int, width: int) -> bool:
        """Return whether the metric is defined for an image of this size, in pixels."""
        return min(height, width) >= self.min_side and self.fits(height, width)

    @property
    def arrow(self) -> str:
        """Return the arrow that tables show: up where higher is better."""
        return "↑" if self.higher_is_better else "↓"


class Views:
    """Cut and convert an SR image and its HR as each metric's protocol settings ask; each view is made once.

    Args:
        sr: float (1,3,H,W), RGB, any range: it is clipped to [0,1].
        hr: float (1,3,H,W) in [0,1], or None where there is no ground truth.
    """

    def __init__(self, sr: Tensor, hr: Tensor | None) -> None:
        self._sr = sr.clamp(0, 1)
        self._hr = hr
        self._made: dict[tuple[bool, int, str], tuple[Tensor, Tensor | None]] = {}

    def get(self, *, rounded: bool, crop: int, space: str) -> tuple[Tensor, Tensor | None]:
        """Return the pair as float32 (1,C,H,W) in [0,1]; C is 3 for ``rgb`` and 1 for ``y`` and ``gray``.

        Args:
            rounded: round to the 256 levels of an 8-bit file first.
            crop: pixels removed at each border.
            space: ``rgb``; ``y``, the luma of MATLAB's rgb2ycbcr (16 to 235 of 255, not rounded, as
                BasicSR computes it); or ``gray``, MATLAB's rgb2gray (0 to 255).
        """
        key = (rounded, crop, space)
        if key not in self._made:
            sr = self._view(self._sr, *key)
            self._made[key] = (sr, None if self._hr is None else self._view(self._hr, *key))
        return self._made[key]

    @staticmethod
    def _view(image: Tensor, rounded: bool, crop: int, space: str) -> Tensor:
        if rounded:
            image = (image * 255).round() / 255
        if crop:
            image = image[..., crop:-crop, crop:-crop]
        if space == "rgb":
            return image.contiguous()
        red, green, blue = image.unbind(1)
        if space == "y":
            luma = (16 + 65.481 * red + 128.553 * green + 24.966 * blue) / 255
        else:
            luma = 0.2989 * red + 0.5870 * green + 0.1140 * blue
        return luma.unsqueeze(1)


def pyiqa_arch(arch: str) -> Any:
    """Import a module of ``pyiqa.archs``, beside whatever torchvision there is."""
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    return importlib.import_module(f"pyiqa.archs.{arch}")


def require(params: Mapping[str, str], metric: str, **allowed: tuple[str, ...]) -> None:
    """Refuse protocol parameters a metric does not know, so that none is silently ignored."""
    from srbench.errors import BadInput

    for key, value in params.items():
        if value not in allowed.get(key, ()):
            choices = ", ".join(f"{k} in {v}" for k, v in allowed.items()) or "no parameters"
            raise BadInput(f"protocol gives {metric} the parameter {key}={value!r}; it takes {choices}")
