"""HR's features are computed once for all models, and no number moves by it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from srbench.metrics import lpips_lite_net, metric, remembered
from srbench.metrics.lpips_net import comparing
from srbench.metrics.remembered import remembering


def images(seed: int) -> Tensor:
    return torch.rand(1, 3, 48, 56, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("net", ["alex", "squeeze", "vgg"])
def test_lpips_in_two_halves_is_the_packages_own_forward(net: str) -> None:
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    import lpips

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    score = comparing(network)
    for sr, hr in ((images(1), images(2)), (images(3), images(2)), (images(2), images(2))):
        with torch.no_grad():
            assert score(sr, hr) == float(network(sr, hr, normalize=True))


def test_lpips_lite_is_the_networks_own_forward() -> None:
    network = lpips_lite_net.load()
    score = metric("lpips-lite").make_scorer({"version": "1"}, "cpu")
    for sr, hr in ((images(1), images(2)), (images(3), images(2))):
        with torch.no_grad():
            assert score(sr, hr) == float(network(sr, hr))


def test_features_of_hr_are_made_once_and_told_apart_by_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []

    def features(image: Tensor) -> Sequence[Tensor]:
        seen.append(float(image.sum()))
        return [image]

    def score(sr: Tensor, hr: Tensor) -> float:
        return remembering_score(sr, hr)

    remembering_score = remembering(features, lambda a, b: (a[0] - b[0]).abs().sum())
    first, other = images(1), images(2)
    assert score(first, other) == score(first, other.clone()) > 0
    assert len(seen) == 3, "SR twice, HR once"
    changed = other.clone()
    changed[0, 0, 0, 0] += 0.5
    assert score(other, changed) == pytest.approx(0.5)
    assert score(images(3)[..., :40], images(2)[..., :40]) > 0
    assert len(seen) == 7
    monkeypatch.setattr(remembered, "BYTES", 10)
    tight = remembering(features, lambda a, b: (a[0] - b[0]).abs().sum())
    assert tight(first, other) == tight(first, other) and len(seen) == 11
