"""srbench against the loop a user would write: same images, same metrics, one run, ratio printed.

    python benchmarks/evaluate_speed.py --checkpoint realesr-general-x4v3.pth \\
        --pairs Set5/LR:Set5/HR --pairs BSD100:BSD100 --limit 20

The straightforward loop opens each pair, runs the spandrel model, and calls lpips and pyiqa one metric at a
time, all with torch's default threads. srbench runs through its public evaluation, records included. The two
take turns (A B A B …) after a warm-up of each, so that a machine whose speed drifts treats both alike.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from srbench.support.torchvision import prepare_torchvision

prepare_torchvision()

import numpy as np  # noqa: E402
import pyiqa  # noqa: E402
import spandrel  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from srbench import evaluation  # noqa: E402
from srbench.datasets.files import check_pairs  # noqa: E402
from srbench.metrics.brisque import MODEL, RANGES  # noqa: E402
from srbench.metrics.lpips_net import BACKBONES, load_lpips  # noqa: E402
from srbench.metrics.niqe import PRISTINE, load_pristine  # noqa: E402

PYIQA = {"psnr": "psnr", "ssim": "ssimc", "piqe": "piqe"}


def naive(checkpoint: Path, files: list[tuple[Path, Path]], metrics: list[str]) -> Callable[[], None]:
    """The loop as one would write it; metric weights come from the same files srbench uses."""
    model = spandrel.ModelLoader().load_from_file(checkpoint).eval()
    scorers: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {}
    for name in metrics:
        if name == "lpips":
            network = load_lpips("alex", BACKBONES["alex"].locate())
            scorers[name] = lambda sr, hr, network=network: network(sr, hr, normalize=True)
        elif name == "niqe":
            from pyiqa.archs.niqe_arch import calculate_niqe

            mean, covariance = (torch.from_numpy(a) for a in load_pristine(PRISTINE.locate()))
            scorers[name] = lambda sr, hr, m=mean, c=covariance: calculate_niqe(
                sr, mu_pris_param=m, cov_pris_param=c
            )
        elif name == "brisque":
            from pyiqa.archs.brisque_arch import brisque

            from srbench.metrics.brisque import load_vectors

            RANGES.locate()
            vectors, alpha, rho = load_vectors(MODEL.locate())
            support, weights = torch.from_numpy(vectors).float(), torch.from_numpy(alpha).float()
            # pyiqa's own BRISQUE, for its cost: the same number of support vectors and features.
            scorers[name] = lambda sr, hr, s=support, w=weights, r=rho: brisque(sr, sv=s, sv_coef=w, rho=r)
        else:
            metric = pyiqa.create_metric(PYIQA.get(name, name), device="cpu")
            if metric.metric_mode == "FR":
                scorers[name] = lambda sr, hr, metric=metric: metric(sr, hr)
            else:
                scorers[name] = lambda sr, hr, metric=metric: metric(sr)

    def load(file: Path) -> torch.Tensor:
        pixels = np.asarray(Image.open(file).convert("RGB"))
        return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255

    def loop() -> None:
        for lr_file, hr_file in files:
            lr, hr = load(lr_file), load(hr_file)
            with torch.no_grad():
                sr = model(lr).clamp(0, 1)
                rows = {name: float(scorer(sr, hr)) for name, scorer in scorers.items()}
            assert rows

    return loop


def ours(checkpoint: Path, pairs: list[str], metrics: list[str], limit: int | None) -> Callable[[], None]:
    """srbench as a user runs it, without the start of Python and the import of libraries."""

    def run() -> None:
        with tempfile.TemporaryDirectory() as store:
            request = evaluation.EvaluationRequest(
                models=(str(checkpoint),),
                datasets=tuple(f"pairs:{pair}" for pair in pairs),
                metrics=tuple(metrics),
                limit=limit,
                store=Path(store),
            )
            result = evaluation.run(evaluation.prepare(request))
            assert not result.outcome.failures

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--pairs", action="append", required=True, metavar="LR_DIR:HR_DIR")
    parser.add_argument("--metrics", default="psnr,ssim,lpips,niqe,brisque,piqe")
    parser.add_argument("--limit", type=int, default=None, help="images per set")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    metrics = chosen.metrics.split(",")
    files: list[tuple[Path, Path]] = []
    for pair in chosen.pairs:
        checked = check_pairs(*map(Path, pair.split(":")))
        for image in sorted(checked)[: chosen.limit]:
            hr = checked[image].hr
            assert hr is not None
            files.append((checked[image].lr.path, hr.path))
    contenders = {
        "loop": naive(chosen.checkpoint, files, metrics),
        "srbench": ours(chosen.checkpoint, chosen.pairs, metrics, chosen.limit),
    }
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(chosen.rounds + 1):
        for name, contender in contenders.items():
            started = time.perf_counter()
            contender()
            if turn:  # the first turn warms up
                times[name].append(time.perf_counter() - started)
    ratios = [a / b for a, b in zip(times["loop"], times["srbench"], strict=True)]
    print(f"{len(files)} images, {', '.join(metrics)}, {torch.get_num_threads()} cores")
    for name, values in times.items():
        print(f"{name}: median {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})")
    print(f"loop / srbench: median {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
