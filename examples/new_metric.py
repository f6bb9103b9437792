"""A new metric: what a file in srbench/metrics/ declares, tried on two pictures before it goes there."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from srbench import datasets, zoo
from srbench.metrics.base import Metric, Scorer, Views, require


def make_scorer(params: Mapping[str, str], device: str) -> Scorer:
    """Make the scorer of the metric below."""
    require(params, "edges")  # a protocol may give no parameters: this metric has none

    def score(sr: Tensor, hr: Tensor | None) -> float:
        assert hr is not None
        differences = [(sr.diff(dim=axis) - hr.diff(dim=axis)).abs().mean() for axis in (-2, -1)]
        return float(torch.stack(differences).mean())

    return score


METRIC = Metric(
    name="edges",
    title="Edges",
    kind="FR",
    higher_is_better=False,
    decimals=4,
    order=9,
    make_scorer=make_scorer,
    definition="Mean absolute difference of horizontal and vertical gradients; 0 for equal images.",
    source="l1 distance of image gradients",
)

(images,), _ = datasets.resolve(["clean-mini"])
image = images.load(images.ids[0])
lr, hr = (torch.tensor(pixels).permute(2, 0, 1)[None] / 255 for pixels in (image.lr, image.hr))
bicubic = zoo.resolve(["bicubic"])[0].load()
score = METRIC.make_scorer({}, "cpu")
for name, sr in (("nearest", nn.Upsample(scale_factor=4)(lr)), ("bicubic", bicubic(lr)), ("itself", hr)):
    view = Views(sr, hr).get(rounded=True, crop=4, space="y")  # what a protocol says for each metric
    print(f"{name:8}  {METRIC.title} {METRIC.arrow} {score(*view):.{METRIC.decimals}f}")
