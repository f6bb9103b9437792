"""How much faster two Ray workers are than one, on this machine: one table, in turns.

    python benchmarks/ray_speed.py --network rrdb23 --pairs LR_DIR:HR_DIR --limit 15

Every worker has one thread. The cluster is started once; a run starts its workers anew: *whole run* includes
that, *each further image* is what a run of twice as many images takes more.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from overhead import checkpoint

from srbench import evaluation
from srbench.run.placement import Placement, Resources
from srbench.run.workers.ray_pool import own_token


def run(file: Path, pairs: list[str], limit: int, workers: int) -> float:
    """Seconds of a run."""
    with tempfile.TemporaryDirectory() as store:
        prepared = evaluation.prepare(
            evaluation.EvaluationRequest(
                models=(str(file),),
                datasets=tuple(f"pairs:{pair}" for pair in pairs),
                metrics=("psnr", "ssim"),
                limit=limit,
                device="cpu",
                store=Path(store),
                placement=Placement("ray", resources=Resources(workers=workers, device="cpu")),
            )
        )
        started = time.perf_counter()
        outcome = evaluation.run(prepared).outcome
        assert not outcome.failures, outcome.failures
        return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--network", default="rrdb23", help="compact, or rrdbN with N blocks")
    parser.add_argument("--pairs", action="append", required=True, metavar="LR_DIR:HR_DIR")
    parser.add_argument("--limit", type=int, default=15, help="images of the shorter run")
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    own_token()
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    whole, further = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = checkpoint(given.network, Path(folder))
        for _ in range(given.rounds):
            took = {
                (workers, images): run(file, given.pairs, images, workers)
                for images in (given.limit, 2 * given.limit)
                for workers in (1, 2)
            }
            whole.append(took[1, 2 * given.limit] / took[2, 2 * given.limit])
            one, two = (took[workers, 2 * given.limit] - took[workers, given.limit] for workers in (1, 2))
            further.append(one / two)
    print(f"{given.network}, {given.limit} and {2 * given.limit} images a set, {given.rounds} rounds\n")
    print("| one worker / two workers | ratio of times |\n| --- | --- |")
    for name, ratios in (("whole run", whole), ("each further image", further)):
        print(f"| {name} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |")


if __name__ == "__main__":
    main()
