"""What evaluating the mini models costs over their forward passes: CPU seconds of whole commands.

``srbench evaluate --models all --datasets ntire,aim`` on the models that come with srbench, with the default
metrics and with PSNR alone, over the forward passes of the same models on the same images; and
``srbench attack rsr-mini --eps 14 --limit 1`` over an evaluation of the same columns. With ``--before DIR``,
an older srbench installed there (``pip install --no-deps --target DIR``) takes turns with this one.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile

MODELS = (
    "bicubic,esrgan-psnr-mini,rsr-mini,random-structured-mini,esrgan-mini,impressionism-ntire-mini,"
    "impressionism-aim-mini,esrgan-fs-ntire-mini"
)
SETS = "ntire-mini,aim-mini"
FORWARD = f"""
import torch
from srbench import datasets, zoo
torch.set_num_threads(1)
found = [ref.load("cpu") for ref in zoo.resolve("{MODELS}".split(","))]
images = [s.load(i).lr for s in datasets.resolve("{SETS}".split(","))[0] for i in s.ids]
tensors = [torch.from_numpy(image / 255).permute(2, 0, 1)[None].float() for image in images]
import time
with torch.inference_mode():
    for model in found:
        model(tensors[0])
    started = time.process_time()
    for model in found:
        for lr in tensors:
            model(lr)
print(time.process_time() - started)
"""
RSR = ["attack", "rsr-mini", "--dataset", "ntire-mini", "--eps", "14", "--limit", "1"]
SAME = [
    "evaluate",
    "--models",
    "rsr-mini",
    "--datasets",
    "ntire-mini",
    "--attacks",
    "none,random,rsr",
    "--limit",
    "1",
]
WAYS = {
    "evaluate": ["evaluate", "--models", MODELS, "--datasets", SETS],
    "evaluate, psnr alone": ["evaluate", "--models", MODELS, "--datasets", SETS, "--metrics", "psnr"],
    "attack": RSR,
    "the same columns": SAME,
}
"""By name, commands; the first two are divided by the forward passes, the third by the fourth."""


def spent(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """CPU seconds of a process and its children, and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def measured(command: list[str], environment: dict[str, str]) -> float:
    """CPU seconds of a command into a store of its own."""
    with tempfile.TemporaryDirectory() as store:
        seconds = spent([sys.executable, "-m", "srbench", *command, "--store", store], environment)[0]
    print(f"{seconds:.1f} s: {' '.join(command)}", file=sys.stderr, flush=True)
    return seconds


def ratio(above: list[float], below: list[float]) -> str:
    """Median and range of the quotients of the rounds."""
    found = [a / b for a, b in zip(above, below, strict=True)]
    return f"{statistics.median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", help="a directory that holds an older srbench")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    versions = {"now": {}} | ({"before": {"PYTHONPATH": asked.before}} if asked.before else {})
    seconds: dict[tuple[str, str], list[float]] = {}
    for _ in range(asked.rounds):
        for version, environment in versions.items():
            one_thread = {"OMP_NUM_THREADS": "1"} | environment
            printed = spent([sys.executable, "-c", FORWARD], one_thread)[1]
            seconds.setdefault((version, "forward"), []).append(float(printed))
            for name, command in WAYS.items():
                seconds.setdefault((version, name), []).append(measured(command, one_thread))
    print(f"| CPU seconds, {asked.rounds} rounds | {' | '.join(versions)} |\n|---|{'---|' * len(versions)}")
    for name, below in (*((each, "forward") for each in list(WAYS)[:2]), ("attack", "the same columns")):
        cells = [ratio(seconds[version, name], seconds[version, below]) for version in versions]
        print(f"| {name} / {below} | {' | '.join(cells)} |")
    if asked.before:
        for name in WAYS:
            print(f"| {name}: before / now | {ratio(seconds['before', name], seconds['now', name])} | |")


if __name__ == "__main__":
    main()
