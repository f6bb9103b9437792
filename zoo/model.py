"""Define the one interface behind which every network stands."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from srbench.errors import BadInput, RunFailed
from srbench.zoo.outputs import NoImageError, image_of
from srbench.zoo.own_dtype import OwnDtype, dtype_of
from srbench.zoo.schema import Card

if TYPE_CHECKING:
    from spandrel import SizeRequirements

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Smoothing:
    """Holds what a certificate needs of a model that gives a median.

    Attributes:
        sigma: standard deviation of the Gaussian noise on the LR, in units of the range.
        sample: outputs (n,N,3,sH,sW) for LR (N,3,H,W), of independent noise.
    """

    sigma: float
    sample: Callable[[Tensor], Tensor]


def check_batch(lr: Tensor) -> None:
    """Refuse what is no batch of RGB images.

    Raises:
        ValueError: ``lr`` is not (N, 3, H, W).
    """
    if lr.ndim != 4 or lr.shape[1] != 3 or 0 in lr.shape:
        raise ValueError(f"expected LR of shape (N, 3, H, W), got {tuple(lr.shape)}")


class SRModel(nn.Module):
    """Runs a frozen super-resolution network on images of any size.

    Shape: LR (N, 3, H, W), RGB in [0, 1] -> SR (N, 3, sH, sW), s its scale, float32, not clamped.

    Differentiable: gradients flow to the input, so attacks work on it; whoever wants none wraps the
    call in ``torch.inference_mode()``. The parameters are frozen and the network is in eval mode.

    Attributes:
        name: the model's name in records.
        scale: how many times larger SR is.
        card: what is known about it.
        weights_sha256: identity of the weights; empty where there is nothing to load.

    >>> import torch
    >>> from srbench import zoo
    >>> model = zoo.resolve(["bicubic"])[0].load()
    >>> model(torch.rand(1, 3, 12, 10)).shape
    torch.Size([1, 3, 48, 40])
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        name: str,
        card: Card,
        weights_sha256: str,
        size: SizeRequirements | None = None,
        precision: str = "fp32",
    ) -> None:
        """Take ``network`` over: it is frozen, put into eval mode and cast in place.

        Args:
            network: maps (N, 3, H, W) in [0, card.value_range] to (N, 3, sH, sW) in the same range, alone or
                beside other things, see :func:`srbench.zoo.outputs.image_of`.
            size: input sizes the network accepts (spandrel's), or None for any.
            precision: ``fp32`` runs the network in the dtype its weights come in, which is fp32 unless its
                own code made them fp16 or fp64; ``bf16`` runs it in bfloat16. A network without parameters
                has nothing to cast and stays in fp32.

        Raises:
            BadInput: an unknown precision.
        """
        super().__init__()
        if precision not in PRECISIONS:
            raise BadInput(f"'{precision}' is not a precision: choose {' or '.join(PRECISIONS)}")
        self.network = network.eval()
        for parameter in network.parameters():  # TorchScript modules lack requires_grad_
            parameter.requires_grad_(False)
        self.name = name
        self.card = card
        self.scale = card.scale
        self.weights_sha256 = weights_sha256
        self._size = size
        self._layout = torch.preserve_format
        self._dtype = dtype_of(network)
        if precision == "bf16" and any(True for _ in network.parameters()):
            self._dtype = torch.bfloat16
            self.network.to(torch.bfloat16)
        super().train(False)  # the flag of this wrapper too, which attacks go by

    @property
    def adaptive(self) -> dict[str, Any]:
        """Return the settings that an attack needs to be adapted to this model; none for a bare network."""
        return {}

    @property
    def smoothing(self) -> Smoothing | None:
        """Return the samples whose median this model gives; None for one that cannot be certified."""
        return None

    @property
    def forwards(self) -> int:
        """Return how many forwards of the network an image takes."""
        return 1

    def channels_last(self) -> SRModel:
        """Lay images out with a pixel's channels together: faster in many networks, other last digits."""
        self._layout = torch.channels_last
        network: Any = self.network
        network.to(memory_format=torch.channels_last)
        return self

    def train(self, mode: bool = True) -> SRModel:
        """Keep eval mode, whatever ``mode`` is: a model under test is never trained."""
        return super().train(False)

    def forward(self, lr: Tensor) -> Tensor:
        """Super-resolve a batch.

        Raises:
            ValueError: ``lr`` is not (N, 3, H, W).
            RunFailed: the network gave anything but one RGB image of ``scale`` times the size.
        """
        check_batch(lr)
        height, width = lr.shape[-2:]
        padded = self._pad(lr.float() * self.card.value_range)
        lr = padded.to(self._dtype, memory_format=self._layout)
        with nullcontext() if self._dtype == torch.float32 else OwnDtype(self._dtype):
            returned = self.network(lr)
        n, _, rows, columns = padded.shape
        try:
            sr = image_of(returned, (n, 3, rows * self.scale, columns * self.scale))
        except NoImageError as error:
            raise RunFailed(f"{self.name} turned an LR of {(n, 3, rows, columns)} into {error}") from error
        # Metrics and savers downstream view the result as rows of pixels, whatever layout was fast here.
        out: Tensor = sr[..., : height * self.scale, : width * self.scale].float().contiguous()
        return out / self.card.value_range if self.card.value_range != 1 else out

    def _pad(self, lr: Tensor) -> Tensor:
        """Grow the right and lower edge to a size the network accepts, mirroring as far as that goes."""
        if self._size is None:
            return lr
        height, width = lr.shape[-2:]
        more_w, more_h = self._size.get_padding(width, height)
        if not (more_w or more_h):
            return lr
        mirror_w, mirror_h = min(more_w, width - 1), min(more_h, height - 1)
        lr = F.pad(lr, (0, mirror_w, 0, mirror_h), mode="reflect")
        return F.pad(lr, (0, more_w - mirror_w, 0, more_h - mirror_h), mode="replicate")
