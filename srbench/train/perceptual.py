"""Choose the perceptual loss of a training: VGG or LPIPS where installed, else lpips-lite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from srbench.attacks.objectives import Objective, Score
from srbench.attacks.perceptual import LPIPS, VGG16, VGG19, LPIPSLite
from srbench.errors import BadInput, Unavailable
from srbench.metrics.backbones import PERCEPTUAL
from srbench.train.discriminators import Discriminator
from srbench.train.frequency import high_pass

AUTO = ("vgg19", "vgg16-conv5_3", "lpips-alex", "lpips-squeeze", "lpips-lite")
"""``auto`` tries these in this order; the last is always there."""
_ONLY_IF_HERE = "vgg16-conv5_3"
"""``auto`` takes it, and speaks of it, where it is installed; the others are fetched if that can be done.

So trainings that took LPIPS before it could be had take LPIPS still, unless somebody installed it.
"""
_FLOOR = 1e-6


@dataclass(frozen=True)
class Perceptual:
    """Holds the perceptual loss that was chosen.

    Attributes:
        objective: what computes it; None for none.
        note: one line that says what ``auto`` passed over and why; empty where nothing was.
    """

    objective: Objective | None
    note: str = ""

    @property
    def text(self) -> str:
        """Return its name: one of :data:`AUTO`, ``features`` or ``none``."""
        return self.objective.text if self.objective else "none"

    def bind(self, hr: Tensor) -> Score | None:
        """Return a function of SR (N,3,P,P) for HR (N,3,P,P), RGB in [0,1]: one float per image, (N,).

        The features of HR are computed here, once; the function is differentiable. None where there is no
        perceptual loss.

        Raises:
            BadInput: crops too small for the network, or for ``features`` not of the discriminator's size.
        """
        return self.objective.bind(hr) if self.objective else None


class DiscriminatorFeatures(Objective):
    """Measures what SR and HR differ by in the discriminator's features, relative to those of HR.

    ``1/L * sum over the L layers of mean|D_l(sr) - D_l(hr)| / mean|D_l(hr)|``, the means over one image's
    values: 0 for equal images, about 1 where the differences are as large as the features. Without the
    denominators the first layers would decide alone, or the last, as initial weights and BatchNorm have it.
    The numerators are the feature matching loss of Salimans et al. 2016 and pix2pixHD (Wang et al. 2018).

    The pass leaves the discriminator alone: no gradient reaches its parameters; it runs in eval mode, which
    makes an image's value independent of its batch and leaves BatchNorm's running statistics untouched; and
    its modes are as before afterwards. It changes as it is trained: a bound score holds until then.

    Args:
        discriminator: the network in training, not wrapped for parallel training.
        width: compare the images' :func:`~srbench.train.frequency.high_pass` of this width, for a
            discriminator that is shown nothing else (ESRGAN-FS: 9); 0 for the images themselves.
    """

    text = "features"

    def __init__(self, discriminator: Discriminator, width: int = 0) -> None:
        self._discriminator = discriminator
        self._width = width

    def bind(self, target: Tensor) -> Score:
        with torch.no_grad():
            targets = self._features(target)
            sizes = [layer.abs().flatten(1).mean(1).clamp_min(_FLOOR) for layer in targets]

        def score(sr: Tensor) -> Tensor:
            terms = [
                (layer - wanted).abs().flatten(1).mean(1) / size
                for layer, wanted, size in zip(self._features(sr), targets, sizes, strict=True)
            ]
            return torch.stack(terms).mean(0)

        return score

    def _features(self, images: Tensor) -> list[Tensor]:
        seen = high_pass(images, self._width) if self._width else images
        with _left_alone(self._discriminator):
            # Sums over a layer's values need more digits than autocast's convolutions give.
            return [layer.to(images.dtype) for layer in self._discriminator.features(seen)]


def choose_perceptual(
    text: str, *, discriminator: nn.Module | None = None, high_pass_width: int = 0
) -> Perceptual:
    """Return the perceptual loss a recipe names.

    Args:
        text: one of :data:`AUTO`, ``features`` (the discriminator's), ``none``, or ``auto``: the first of
            :data:`AUTO` whose weights are here or can be fetched (of ``vgg16-conv5_3``: are here).
        discriminator: from :func:`~srbench.train.discriminators.build_discriminator`, not wrapped for
            parallel training; for ``features``.
        high_pass_width: the width of the high-pass the discriminator is shown; 0 for none.

    Raises:
        BadInput: an unknown text; ``features`` without a discriminator.
        Unavailable: the weights of the named network are not installed; the message says how to get them.
    """
    if text == "none":
        return Perceptual(None)
    if text != "auto":
        return Perceptual(_objective(text, discriminator, high_pass_width))
    missing: dict[str, str] = {}
    for name in AUTO:
        if name == _ONLY_IF_HERE and PERCEPTUAL[name].find() is None:
            continue
        try:
            objective = _objective(name, discriminator, high_pass_width)
        except Unavailable as error:
            missing[name] = str(error)
            continue
        note = f"perceptual loss {name}: {_listed(missing)} ({missing[AUTO[0]]})" if missing else ""
        return Perceptual(objective, note)
    raise AssertionError(f"{AUTO[-1]} comes with srbench")


def _objective(text: str, discriminator: nn.Module | None, width: int) -> Objective:
    if text == "vgg19":
        return VGG19()
    if text == "vgg16-conv5_3":
        return VGG16()
    if text == "lpips-lite":
        return LPIPSLite()
    if text in AUTO:
        return LPIPS(text.removeprefix("lpips-"))
    if text != "features":
        raise BadInput(
            f"perceptual loss '{text}' is not known: choose auto, {', '.join(AUTO)}, features or none"
        )
    if discriminator is None:
        raise BadInput(
            "perceptual loss features compares what the discriminator sees, and this recipe has none: "
            "set discriminator.kind, or choose another perceptual loss"
        )
    if not isinstance(discriminator, Discriminator):
        raise TypeError(f"{type(discriminator).__name__} is no discriminator: it may be wrapped, unwrap it")
    return DiscriminatorFeatures(discriminator, width)


def _listed(names: dict[str, str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last} are not installed" if others else f"{last} is not installed"


@contextmanager
def _left_alone(network: nn.Module) -> Iterator[None]:
    """Run a network in eval mode and frozen; every module and parameter is as it was afterwards."""
    training = [module for module in network.modules() if module.training]
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    try:
        network.eval().requires_grad_(False)
        yield
    finally:
        for module in training:
            module.training = True
        for parameter in learning:
            parameter.requires_grad_(True)
