"""Filter the LR image by a median before the model sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srbench.zoo.defences.base import Defence, Model, Option, Values

if TYPE_CHECKING:
    from torch import Tensor


def defend(model: Model, lr: Tensor, values: Values) -> Tensor:
    """Super-resolve the median of each window.

    It has its own gradient: on five of six runs an attack that followed the identity in its place did less.
    """
    return model(filtered(lr, int(values["side"])))


def filtered(images: Tensor, side: int) -> Tensor:
    """Return the median of each window of images (N,3,H,W), channel by channel, edges replicated."""
    from torch.nn.functional import pad

    reach = side // 2
    padded = pad(images, (reach,) * 4, mode="replicate")
    windows = padded.unfold(2, side, 1).unfold(3, side, 1)
    return windows.flatten(4).median(dim=4).values


DEFENCE = Defence(
    name="median",
    about="Each LR value becomes the median of a window of this side around it.",
    source="Xu et al. 2018 (feature squeezing)",
    options={"side": Option(3, 3, 9, odd=True)},
    defend=defend,
)
