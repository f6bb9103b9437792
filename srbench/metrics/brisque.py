"""Compute BRISQUE with the OpenCV project's parameters, from pyiqa's building blocks.

A BRISQUE score is a support vector regression on 36 features, and it is only right with the very features
its vectors were trained on. Three sets of vectors are about: the MATLAB release's (pyiqa's ``brisque``,
published without a checksum), MATLAB's own ``brisque()``, and OpenCV's (Apache-2.0, fixed files), which is
the one used here, with OpenCV's features: zero padding, INTER_CUBIC halving (a = -0.75, no antialiasing),
an asymmetric fit for the first two features.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from srbench.metrics.base import Metric, Scorer, pyiqa_arch, require
from srbench.metrics.weights import Weight, WeightFile

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

_URL = "https://raw.githubusercontent.com/opencv/opencv_contrib/4.x/modules/quality/samples/"
MODEL = Weight(
    "BRISQUE support vectors (OpenCV, trained on LIVE)",
    (
        WeightFile(
            "brisque_model_live.yml",
            "4c44c7eec9e5139830c0bb0e4a044c9cd351ba5bbc9e3798beca3243e2782ff4",
            _URL + "brisque_model_live.yml",
        ),
    ),
)
RANGES = Weight(
    "BRISQUE feature ranges (OpenCV, trained on LIVE)",
    (
        WeightFile(
            "brisque_range_live.yml",
            "a18427f4f7ad087524bd0d63389649a3899b51ca6d44a4d5f8d8171f1f914a9c",
            _URL + "brisque_range_live.yml",
        ),
    ),
)
GAMMA = 0.05


def load_vectors(file: Path) -> tuple[np.ndarray, np.ndarray, float]:
    """Return support vectors (n,36), their coefficients (n,) and the bias, from OpenCV's YAML."""
    text = file.read_text(encoding="ascii")
    before, after = text.split("decision_functions:")
    vectors = _numbers(before.split("support_vectors:")[1]).reshape(-1, 36)
    rho = re.search(r"rho: (\S+)", after)
    alpha = re.search(r"alpha: \[(.*?)\]", after, re.DOTALL)
    assert rho and alpha
    return vectors, _numbers(alpha.group(1)), float(rho.group(1))


def load_ranges(file: Path) -> np.ndarray:
    """Return each feature's smallest and largest value in training, (2,36), from OpenCV's YAML."""
    data = re.search(r"data: \[(.*?)\]", file.read_text(encoding="ascii"), re.DOTALL)
    assert data
    return _numbers(data.group(1)).reshape(2, 36)


def _numbers(text: str) -> np.ndarray:
    import numpy as np

    return np.array([float(n) for n in re.findall(r"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?", text)])


def features(gray: Tensor) -> Tensor:
    """Return OpenCV's 36 BRISQUE features of a gray image (1,1,H,W) in [0,1], as (36,)."""
    import torch
    from torch.nn.functional import interpolate

    functions = pyiqa_arch("func_util")
    values = []
    for scale in range(2):
        if scale:
            gray = interpolate(gray, scale_factor=0.5, mode="bicubic", align_corners=False)
        normal = functions.normalize_img_with_gauss(gray * 255, padding="same")
        shape, left, right = functions.estimate_aggd_param(normal, return_sigma=True)
        values += [shape, (left**2 + right**2) / 2]
        for shift in ((0, 1), (1, 0), (1, 1), (-1, 1)):
            product = normal * torch.roll(normal, shift, dims=(-2, -1))
            shape, left, right = functions.estimate_aggd_param(product, return_sigma=True)
            log_gamma = [torch.lgamma(k / shape) for k in (1.0, 2.0, 3.0)]
            mean = (right - left) * torch.exp(log_gamma[1] - (log_gamma[0] + log_gamma[2]) / 2)
            values += [shape, mean, left**2, right**2]
    return torch.stack([value.reshape(()) for value in values])


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of BRISQUE, as ``METRIC`` defines it."""
    require(params, "brisque", parameters=("opencv",))
    import torch

    vectors, alpha, rho = load_vectors(MODEL.locate())
    low, high = torch.from_numpy(load_ranges(RANGES.locate())).to(device)
    support, coefficients = (torch.from_numpy(a).to(device) for a in (vectors, alpha))

    def score(sr: Tensor, hr: Tensor | None) -> float:
        # cvtColor to gray rounds to 8 bits before anything else.
        red, green, blue = sr.double().unbind(1)
        gray = ((0.299 * red + 0.587 * green + 0.114 * blue) * 255).round().unsqueeze(1) / 255
        # OpenCV computes the features in single precision too, and its convolutions are four times faster.
        scaled = -1 + 2 * (features(gray.float()).double() - low) / (high - low)
        kernel = torch.exp(-GAMMA * (support - scaled).square().sum(1))
        return float(kernel @ coefficients) - rho

    return score


METRIC = Metric(
    name="brisque",
    title="BRISQUE",
    kind="NR",
    higher_is_better=False,
    decimals=2,
    order=2,
    make_scorer=make_scorer,
    definition="Blind/referenceless image spatial quality evaluator; about 0 (best) to 100.",
    source="Mittal et al. 2012, as in OpenCV's quality module",
    weights=(MODEL, RANGES),
    min_side=16,
    recommended=True,
)
