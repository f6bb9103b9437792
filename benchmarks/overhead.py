"""What srbench adds to its networks' own time: one table, everything measured in one run, in turns.

    python benchmarks/overhead.py --network rrdb23 --pairs Set5/LR:Set5/HR
    python benchmarks/overhead.py --network compact --pairs BSD100:BSD100 --limit 20 --metrics psnr,ssim,lpips

- *overhead*: ``evaluate`` with records, metrics and decoding, over forward passes of the same images on
  the same workers and threads, as they are listed (and, second, as srbench begins them).
- *loop*: what one would write, see ``evaluate_speed.py``; it has all threads for each image.
- *attack step*: structured PGD on the L1 objective, the steps alone, over a forward pass of the same
  network in the same layout.
- *bf16, channels_last*: forward passes, over float32 ones as they are; the largest change of each metric.
- *peak*: of a process that only evaluates, and of one that only runs the forward passes.

Networks have random weights, which cost what trained ones cost; what they add to bicubic is scaled to a
twentieth of the range, so that metrics see an image. Run it on an idle machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from srbench.support.torchvision import prepare_torchvision

prepare_torchvision()

import torch  # noqa: E402
from evaluate_speed import naive, ours  # noqa: E402
from peak import peak_mib  # noqa: E402
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact  # noqa: E402
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from srbench import protocols, zoo  # noqa: E402
from srbench.attacks import StructuredPGD  # noqa: E402
from srbench.datasets.files import FileSet, check_pairs  # noqa: E402
from srbench.run.image import as_tensor  # noqa: E402
from srbench.run.instruments import Instruments  # noqa: E402
from srbench.run.schedule import Lookahead  # noqa: E402
from srbench.run.settings import Settings  # noqa: E402

STD = 0.05
Run = Callable[[], object]


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "compact":
        return SRVGGNetCompact(num_feat=64, num_conv=32, upscale=4, act_type="prelu").eval()
    return RRDBNet(num_filters=64, num_blocks=int(name.removeprefix("rrdb"))).eval()


def checkpoint(name: str, folder: Path) -> Path:
    """A network as a file, its last layer scaled."""
    made = network(name)
    with torch.no_grad():
        last = [module for module in made.modules() if isinstance(module, nn.Conv2d)][-1]
        sr = made(torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1)))
        last.weight *= STD / sr.std()
        last.bias *= 0
        last.bias += 0.5 if isinstance(made, RRDBNet) else 0
    file = folder / f"{name}.pth"
    torch.save(made.state_dict(), file)
    return file


class Images:
    """The pairs, and the ways to run a model on all of them."""

    def __init__(self, pairs: Sequence[str], limit: int | None) -> None:
        self.lr: list[Tensor] = []
        self.hr: list[Tensor] = []
        self.files: list[tuple[Path, Path]] = []
        for pair in pairs:
            checked = check_pairs(*map(Path, pair.split(":")))
            loaded = FileSet(checked, name="pairs", title="pairs", domain="unknown")
            for image in loaded.ids[:limit]:
                one, hr = loaded.load(image), checked[image].hr
                assert one.hr is not None
                assert hr is not None
                self.lr.append(as_tensor(one.lr))
                self.hr.append(as_tensor(one.hr))
                self.files.append((checked[image].lr.path, hr.path))

    def forward(self, model: zoo.SRModel, workers: int, as_begun: bool = False) -> list[Tensor]:
        """Forward passes on so many workers of one thread each."""
        names = [str(place) for place in range(len(self.lr))]
        if as_begun:
            queue = Lookahead(names, lambda name: tuple(self.lr[int(name)].shape[-2:]), workers)
            names = [name for due in list(names) for name in queue.ahead(due, 0)]

        def run(name: str) -> Tensor:
            with torch.inference_mode():
                sr: Tensor = model(self.lr[int(name)])
                return sr

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with ThreadPoolExecutor(workers) as pool:
                made = dict(zip(names, pool.map(run, names), strict=True))
        finally:
            torch.set_num_threads(before)
        return [made[str(place)] for place in range(len(self.lr))]


def race(runs: dict[str, Run], rounds: int) -> dict[str, list[float]]:
    """Seconds of each, taken in turns after one turn that warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(seconds: dict[str, list[float]], above: str, below: str) -> str:
    """Median of a ratio over the rounds, with its range."""
    found = [a / b for a, b in zip(seconds[above], seconds[below], strict=True)]
    return f"{statistics.median(found):.3f} ({min(found):.3f} to {max(found):.3f})"


def attack_step(name: str, side: int, steps: int, rounds: int) -> str:
    """Time of a PGD step over that of a forward pass."""
    model = network(name).requires_grad_(False)
    draw = torch.Generator().manual_seed(2)
    hr = torch.rand(1, 3, 4 * side, 4 * side, generator=draw)
    lr = nn.functional.avg_pool2d(hr, 4)
    few, many = (StructuredPGD(model, objective="l1", steps=count) for count in (1, 1 + steps))
    same_layout = lr.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def forwards() -> None:
        for _ in range(steps):
            model(same_layout)

    seconds = race({"few": lambda: few(lr, hr), "many": lambda: many(lr, hr), "forward": forwards}, rounds)
    alone = [m - f for m, f in zip(seconds["many"], seconds["few"], strict=True)]
    return ratio(seconds | {"steps": alone}, "steps", "forward")


def effect(images: Images, ref: zoo.ModelRef, names: Sequence[str], **changed: object) -> str:
    """The largest change of each metric over the images, of a model run another way."""
    instruments = Instruments(protocols.protocol("rsr"), list(names), "cpu")
    as_is, other = ref.load(), ref.load(precision=str(changed.get("precision", "fp32")))
    if changed.get("channels_last"):
        other.channels_last()
    largest = dict.fromkeys(instruments.names(paired=True), 0.0)
    with torch.inference_mode():
        for lr, hr in zip(images.lr, images.hr, strict=True):
            a, _ = instruments.measure(list(largest), as_is(lr), hr)
            b, _ = instruments.measure(list(largest), other(lr), hr)
            for name in largest:
                one, two = a[name], b[name]
                if one is not None and two is not None:
                    largest[name] = max(largest[name], abs(one - two))
    return ", ".join(f"{name} {value:.1e}" for name, value in largest.items())


def peak(arguments: Sequence[str], which: str) -> str:
    """Peak memory, MiB, of a process that does one thing."""
    given = [sys.executable, __file__, *arguments, "--only", which]
    return subprocess.run(given, capture_output=True, text=True, check=True).stdout.split()[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--network", default="rrdb23", help="compact, or rrdbN with N blocks")
    parser.add_argument("--pairs", action="append", required=True, metavar="LR_DIR:HR_DIR")
    parser.add_argument("--metrics", default="psnr,ssim,lpips")
    parser.add_argument("--limit", type=int, default=None, help="images per set")
    parser.add_argument("--side", type=int, default=64, help="LR side for the attack step")
    parser.add_argument("--steps", type=int, default=4, help="attack steps timed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--brief", action="store_true", help="evaluate over forward only")
    parser.add_argument("--only", choices=["evaluate", "forward"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    names, workers = args.metrics.split(","), Settings().worker_count
    with tempfile.TemporaryDirectory() as folder:
        file = checkpoint(args.network, Path(folder))
        (ref,) = zoo.resolve([str(file)])
        images, model = Images(args.pairs, args.limit), ref.load()
        evaluate = ours(file, args.pairs, names, args.limit)
        if args.only:
            if args.only == "evaluate":
                evaluate()
            else:
                images.forward(model, workers)
            print(f"{peak_mib():.0f}")
            return
        bf16, last = ref.load(precision="bf16"), ref.load().channels_last()
        runs: dict[str, Run] = {
            "forward": lambda: images.forward(model, workers),
            "as begun": lambda: images.forward(model, workers, as_begun=True),
            "evaluate": evaluate,
            "loop": naive(file, images.files, names),
            "bf16": lambda: images.forward(bf16, workers),
            "channels_last": lambda: images.forward(last, workers),
        }
        if args.brief:
            runs = {name: runs[name] for name in ("forward", "as begun", "evaluate")}
        seconds = race(runs, args.rounds)
        per_second = {name: len(images.lr) / statistics.median(took) for name, took in seconds.items()}
        print(
            f"{args.network}, {len(images.lr)} images, {args.metrics}; {workers} workers of a thread, "
            f"loop with {torch.get_num_threads()} threads; {args.rounds} rounds"
        )
        table = {
            "evaluate / forward": ratio(seconds, "evaluate", "forward"),
            "evaluate / forward, begun in the same order": ratio(seconds, "evaluate", "as begun"),
        }
        if not args.brief:
            table |= {
                "loop / evaluate": ratio(seconds, "loop", "evaluate"),
                "images a second, evaluate": f"{per_second['evaluate']:.2f}",
                "images a second, loop": f"{per_second['loop']:.2f}",
                "attack step / forward": attack_step(args.network, args.side, args.steps, args.rounds),
                "forward / bf16 forward": ratio(seconds, "forward", "bf16"),
                "bf16 moves": effect(images, ref, names, precision="bf16"),
                "forward / channels_last forward": ratio(seconds, "forward", "channels_last"),
                "channels_last moves": effect(images, ref, names, channels_last=True),
                "peak MiB, evaluate": peak(sys.argv[1:], "evaluate"),
                "peak MiB, forward": peak(sys.argv[1:], "forward"),
            }
        print("\n| measured | value |\n| --- | --- |")
        for name, value in table.items():
            print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()
