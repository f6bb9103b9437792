"""Compute NIQE, by pyiqa, with the parameters of the original release."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.errors import BadInput
from srbench.metrics.base import Metric, Scorer, pyiqa_arch, require
from srbench.metrics.weights import PackageFile, Weight, WeightFile

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

BLOCK = 96

# Two containers of the same numbers. MATLAB's own niqe() uses others, and scores differ by half.
PRISTINE = Weight(
    "NIQE pristine model (original release)",
    (
        WeightFile(
            "niqe_pris_params.npz",
            "2a7c182a68c9e7f1b2e2e5ec723279d6f65d912b6fcaf37eb2bf03d7367c4296",
            "https://raw.githubusercontent.com/XPixelGroup/BasicSR/master/basicsr/metrics/niqe_pris_params.npz",
            PackageFile(
                "basicsr==1.4.2",
                "basicsr-1.4.2.tar.gz",
                "b89b595a87ef964cda9913b4d99380ddb6554c965577c0c10cb7b78e31301e87",
                "basicsr-1.4.2/basicsr/metrics/niqe_pris_params.npz",
            ),
        ),
        WeightFile(
            "niqe_modelparameters.mat",
            "fa2aa4d12dd9595c3fb6bf8b4e1a15c79d5d1469238d0901c88dead195be578d",
        ),
    ),
)
# sha256 over the mean (36) and the covariance (36 x 36), little-endian float64.
PRISTINE_SHA256 = "f6284a2b53fd40bbc960472b76ec55b67a299a0270294b804c847e99b8cc1e30"


def load_pristine(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (1,36) and covariance (36,36) of the pristine model, from a .npz or a .mat file.

    Raises:
        BadInput: the file holds other numbers than the original release.
    """
    import numpy as np
    import scipy.io

    if file.suffix == ".mat":
        content = scipy.io.loadmat(file)
        mean, covariance = content["mu_prisparam"], content["cov_prisparam"]
    else:
        with np.load(file) as content:
            mean, covariance = content["mu_pris_param"], content["cov_pris_param"]
    digest = hashlib.sha256(np.ascontiguousarray(mean, "<f8").tobytes())
    digest.update(np.ascontiguousarray(covariance, "<f8").tobytes())
    if digest.hexdigest() != PRISTINE_SHA256:
        raise BadInput(f"{file} does not hold the parameters of the original NIQE release")
    return mean, covariance


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of NIQE, as ``METRIC`` defines it."""
    require(params, "niqe", parameters=("original",))
    import torch

    calculate_niqe = pyiqa_arch("niqe_arch").calculate_niqe

    mean, covariance = (torch.from_numpy(a).to(device) for a in load_pristine(PRISTINE.locate()))

    def score(sr: Tensor, hr: Tensor | None) -> float:
        return float(calculate_niqe(sr, mu_pris_param=mean, cov_pris_param=covariance))

    return score


METRIC = Metric(
    name="niqe",
    title="NIQE",
    kind="NR",
    higher_is_better=False,
    decimals=2,
    order=1,
    make_scorer=make_scorer,
    definition="Natural image quality evaluator on 96 x 96 blocks of the gray image; lower is more natural.",
    source="Mittal et al. 2012, niqe_release",
    weights=(PRISTINE,),
    recommended=True,
    # A single block has no covariance.
    fits=lambda height, width: (height // BLOCK) * (width // BLOCK) >= 2,
    lowest=0.0,
)
