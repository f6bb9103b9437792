"""Compute DISTS, by pyiqa."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.metrics.backbones import VGG16_WHOLE
from srbench.metrics.base import Metric, Scorer, pyiqa_arch, require
from srbench.metrics.weights import Weight, WeightFile
from srbench.support.home import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

DISTS = Weight(
    "DISTS alpha and beta",
    (
        WeightFile(
            "DISTS_weights-f5e65c96.pth",
            "f5e65c96",
            "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/DISTS_weights-f5e65c96.pth",
        ),
    ),
)


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of DISTS, as ``METRIC`` defines it."""
    require(params, "dists")
    import torch

    dists = pyiqa_arch("dists_arch")
    _offer_to_torchvision(VGG16_WHOLE.locate())
    numbers = torch.load(DISTS.locate(), map_location="cpu", weights_only=True)
    # pyiqa would read the file with weights_only=False; its two tensors are put in by hand instead.
    with torch.random.fork_rng(devices=[]):
        network = dists.DISTS(pretrained=False)
    network.alpha.data.copy_(numbers["alpha"])
    network.beta.data.copy_(numbers["beta"])
    network = network.eval().requires_grad_(False).to(device)

    def score(sr: Tensor, hr: Tensor | None) -> float:
        return float(network(sr, hr))

    return score


def _offer_to_torchvision(file: Path) -> None:
    """Put a file found elsewhere where torchvision looks, so that it does not fetch it again."""
    import torch

    target = Path(torch.hub.get_dir()) / "checkpoints" / file.name
    if not target.exists():
        with atomic_path(target) as temporary:
            shutil.copyfile(file, temporary)


METRIC = Metric(
    name="dists",
    title="DISTS",
    kind="FR",
    higher_is_better=False,
    decimals=4,
    order=7,
    make_scorer=make_scorer,
    definition="Deep image structure and texture similarity; 0 for equal images.",
    source="Ding et al. 2020",
    weights=(VGG16_WHOLE, DISTS),
    min_side=32,
    lowest=0.0,
)
