"""Give lpips-lite what it learns: LPIPS's weighted features, in few dimensions that keep its distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class Teacher:
    """Turns LPIPS into embeddings of images.

    LPIPS is a sum over layers of ``w * (a - b)^2`` with unit features a and b, so that ``sqrt(w) * a`` are
    vectors whose squared distance it is. Of these, the directions in which pairs of images differ the most
    are taken (the leading eigenvectors of the differences' second moments), from the features' mean.

    Args:
        network: ``lpips.LPIPS``, frozen, in eval mode.
        dimensions: how many directions, for each layer.

    Attributes:
        shares: of the squared distance, what these directions have, for each layer.
    """

    def __init__(self, network: Any, dimensions: Sequence[int]) -> None:
        self.network = network
        self._dimensions = dimensions
        self._means: list[Tensor] = []
        self._directions: list[Tensor] = []
        self.shares: list[float] = []

    @torch.no_grad()
    def features(self, images: Tensor) -> list[Tensor]:
        """Return ``sqrt(w)`` times unit features, (N,C,h,w) for each layer, of images (N,3,H,W) in [0,1]."""
        from lpips import normalize_tensor

        layers = self.network.net(self.network.scaling_layer(2 * images - 1))
        weights = [head.model[-1].weight.clamp_min(0).sqrt() for head in self.network.lins]
        return [normalize_tensor(layer) * weight for layer, weight in zip(layers, weights, strict=True)]

    def fit(self, batches: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Compute means and directions from pairs of images, (N,3,H,W) twice a batch."""
        moments: list[Any] = [0.0] * len(self._dimensions)
        sums: list[Any] = [0.0] * len(self._dimensions)
        counts = [0] * len(self._dimensions)
        for first, second in batches:
            for index, pair in enumerate(zip(self.features(first), self.features(second), strict=True)):
                a, b = (layer.transpose(0, 1).flatten(1).double() for layer in pair)
                moments[index] = moments[index] + (a - b) @ (a - b).T
                sums[index] = sums[index] + (a + b).sum(1)
                counts[index] += 2 * a.shape[1]
        self._means, self._directions, self.shares = [], [], []
        for moment, total, count, keep in zip(moments, sums, counts, self._dimensions, strict=True):
            values, vectors = torch.linalg.eigh(moment)
            self._means.append((total / count).float()[None, :, None, None])
            self._directions.append(vectors[:, -keep:].T.float()[:, :, None, None].contiguous())
            self.shares.append(float(values[-keep:].sum() / values.sum()))

    def embeddings(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return :meth:`features` in the few dimensions, (N,K,h,w) for each layer."""
        return [
            F.conv2d(layer - mean, directions)
            for layer, mean, directions in zip(features, self._means, self._directions, strict=True)
        ]
