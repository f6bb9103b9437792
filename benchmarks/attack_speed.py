"""srbench's PGD against the loop torchattacks' examples lead to: same loss, steps, start and images, one run.

    python benchmarks/attack_speed.py --objective vgg
    python benchmarks/attack_speed.py --objective lpips --network rrdb --side 48

The straightforward attack is torchattacks' PGD with the loss swapped: parameters not frozen, and the features
of SR and of HR both computed at every step. Networks and perceptual networks have random weights, which cost
what trained ones cost. The two take turns after a warm-up of each; peak memory is that of a process of its
own for each. Also printed: the time of a step over that of a forward, without a perceptual objective, where a
forward and a backward to the input are due, and what bfloat16 does to speed and to the final loss.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from srbench.support.torchvision import prepare_torchvision

prepare_torchvision()

import lpips  # noqa: E402
import torch  # noqa: E402
from spandrel.architectures.Compact.__arch.SRVGG import SRVGGNetCompact  # noqa: E402
from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torchattacks.attack import Attack  # noqa: E402

from srbench.attacks import LPIPS, VGG19, Objective, StructuredPGD, parse_objective  # noqa: E402
from srbench.attacks.noise import structured_uniform  # noqa: E402
from srbench.attacks.perceptual import vgg19_features  # noqa: E402

EPS, ALPHA = 14 / 255, 1 / 255
MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    if name == "compact":
        return SRVGGNetCompact(num_feat=64, num_conv=32, upscale=4, act_type="prelu").eval()
    return RRDBNet(num_filters=64, num_blocks=6).eval()


def perceptual(name: str) -> nn.Module:
    torch.manual_seed(1)
    if name == "lpips":
        made: nn.Module = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
        return made
    features = vgg19_features()
    for layer in features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
    return features.eval()


def images(side: int, count: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(2)
    hr = torch.rand(count, 3, 4 * side, 4 * side, generator=draw)
    return nn.functional.avg_pool2d(hr, 4), hr


class PlainPGD(Attack):  # type: ignore[misc]
    """torchattacks' PGD, its loss replaced by 0.01 * L1 + a perceptual distance to HR."""

    def __init__(self, model: nn.Module, steps: int, distance: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__("PlainPGD", model)
        self.steps = steps
        self.distance = distance

    def forward(self, lr: Tensor, hr: Tensor) -> Tensor:
        adversarial = lr + EPS * structured_uniform(lr, ["0"], structure=1.5, seed=0, stream="0")
        adversarial = adversarial.clamp(0, 1).detach()
        for _ in range(self.steps):
            adversarial.requires_grad = True
            sr = self.get_logits(adversarial)
            cost = 0.01 * nn.functional.l1_loss(sr, hr) + self.distance(sr, hr)
            (gradient,) = torch.autograd.grad(cost, adversarial)
            adversarial = adversarial.detach() + ALPHA * gradient.sign()
            delta = torch.clamp(adversarial - lr, min=-EPS, max=EPS)
            adversarial = torch.clamp(lr + delta, min=0, max=1).detach()
        return adversarial


def plain(args: argparse.Namespace) -> Callable[[], Tensor]:
    loss, lr_hr = perceptual(args.objective), images(args.side, 1)

    def distance(sr: Tensor, hr: Tensor) -> Tensor:
        if args.objective == "lpips":
            found: Tensor = loss(sr, hr, normalize=True).mean()
            return found
        return nn.functional.l1_loss(loss((sr - MEAN) / STD), loss((hr - MEAN) / STD))

    attack = PlainPGD(network(args.network), args.steps, distance)
    return lambda: attack(*lr_hr)


def objective(name: str) -> Objective:
    term = LPIPS("alex", perceptual("lpips")) if name == "lpips" else VGG19(perceptual("vgg"))
    return 0.01 * parse_objective("l1") + term


def ours(args: argparse.Namespace, precision: str = "fp32") -> Callable[[], Tensor]:
    attack = StructuredPGD(
        network(args.network),
        eps=EPS,
        alpha=ALPHA,
        steps=args.steps,
        structure=1.5,
        objective=objective(args.objective),
        precision=precision,
    )
    lr, hr = images(args.side, 1)
    return lambda: attack(lr, hr)


def race(args: argparse.Namespace, runs: dict[str, Callable[[], Tensor]]) -> dict[str, list[float]]:
    """Seconds of each run, taken in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(args.repeats):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def peak(argv: list[str], which: str) -> float:
    """Peak resident memory, MB, of a process that runs one attack."""
    command = [sys.executable, __file__, *argv, "--only", which]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def step_over_forward(args: argparse.Namespace) -> float:
    """Time of an attack step on the L1 objective over that of a forward, frozen and in the same layout."""
    model, (lr, hr) = network(args.network).requires_grad_(False), images(args.side, 1)
    attack = StructuredPGD(model, eps=EPS, steps=args.steps, objective="l1")
    lr = lr.contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def forwards() -> Tensor:
        for _ in range(args.steps):
            sr: Tensor = model(lr)
        return sr

    seconds = race(args, {"steps": lambda: attack(lr, hr), "forwards": forwards})
    return statistics.median(a / b for a, b in zip(seconds["steps"], seconds["forwards"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--objective", choices=["vgg", "lpips"], default="vgg")
    parser.add_argument("--network", choices=["compact", "rrdb"], default="compact")
    parser.add_argument("--side", type=int, default=64, help="LR side in pixels")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", choices=["plain", "srbench"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.only:
        (plain if args.only == "plain" else ours)(args)()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return

    # First of all: a process inherits its parent's peak, which is still small here.
    peaks = {which: peak(sys.argv[1:], which) for which in ("plain", "srbench")}
    runs = {"plain": plain(args), "srbench": ours(args), "srbench bf16": ours(args, "bf16")}
    seconds = race(args, runs)
    judge = StructuredPGD(network(args.network), objective=objective(args.objective))
    lr, hr = images(args.side, 1)
    clean = judge.loss(lr, lr, hr).item()
    print(f"{args.network}, LR {args.side} x {args.side}, {args.steps} steps, 0.01*l1+{args.objective}")
    for name, run in runs.items():
        ratio = statistics.median(p / s for p, s in zip(seconds["plain"], seconds[name], strict=True))
        gain = judge.loss(lr, run(), hr).item() - clean
        print(f"{name:13} {min(seconds[name]):7.3f} s   {ratio:5.2f} x   objective gained {gain:.6f}")
    for which, megabytes in peaks.items():
        print(f"{which:13} {megabytes:7.0f} MB peak")
    print(f"step / forward {step_over_forward(args):.2f} (l1 objective)")


if __name__ == "__main__":
    main()
