"""The work that faults are done to: three srbench commands on tiny data, and what they leave on disk."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from srbench.errors import BadInput
from srbench.train.state import Checkpoints, read_checkpoint

# What no two runs have in common, and the commit, which a checkout may move on to meanwhile.
OWN = ("seconds", "created", "minutes", "commit")
RUN = "tiny"
RECIPE = f"""
name = "{RUN}"
ema = 0.9
generator = {{ num_feat = 8, num_block = 1 }}
data = {{ patch = 32, batch = 1 }}
losses = {{ perceptual_net = "none", gan = 0.005 }}
discriminator = {{ kind = "vgg", num_feat = 8, norm = "none" }}
schedule = {{ iterations = 12 }}
validation = {{ every = 2, images = 1, keep = 2 }}
"""
LR_SIDE = 24
POLL = 0.005
LONGEST = 600.0
_NO_STORM = {"OMP_NUM_THREADS": "1", "SRBENCH_OFFLINE": "1"}


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, negative for a signal, and its stderr."""

    code: int
    errors: str


@dataclass
class Work:
    """One srbench command; everything it writes goes below the folder it is given.

    Attributes:
        name: ``evaluate``, ``attack`` or ``train``.
        data: where :func:`make_data` put the inputs.
        quiet: the folder of a run that nothing happened to.
        seconds, changes: how long that one took, and how often its folder was seen to change.
    """

    name: str
    data: Path
    quiet: Path
    seconds: float = 0.0
    changes: int = 1

    def command(self, folder: Path) -> list[str]:
        """The command that begins, or goes on with, the work in a folder."""
        pairs, store = f"{self.data / 'lr'}:{self.data / 'hr'}", ["--store", str(folder / "store")]
        if self.name == "evaluate":
            arguments = ["--models", "bicubic,esrgan-psnr-mini", "--datasets", f"pairs:{pairs}"]
            arguments += ["--attacks", "none,random", "--metrics", "psnr,ssim", "--keep-images"]
            arguments += ["--workers", "2", *store, "--out", str(folder / "board")]
        elif self.name == "attack":
            arguments = [
                "esrgan-psnr-mini",
                "--pairs",
                pairs,
                "--eps",
                "8,14",
                "--steps",
                "1",
                "--limit",
                "4",
            ]
            arguments += ["--workers", "2", *store, "--out", str(folder / "out")]
        elif Checkpoints(folder / RUN / "checkpoints", 1).paths():
            arguments = ["--resume", str(folder / RUN), "--threads", "1"]
        else:
            arguments = [str(self.data / "tiny.toml"), "--out", str(folder), "--threads", "1"]
        return [sys.executable, "-m", "srbench", self.name, *arguments, "--device", "cpu"]

    def start(self, folder: Path) -> subprocess.Popen[str]:
        """A process that works in a folder."""
        return subprocess.Popen(
            self.command(folder),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | _NO_STORM | {"SRBENCH_HOME": str(folder / "home")},
        )

    def run_quietly(self) -> None:
        """Make :attr:`quiet`.

        Raises:
            RuntimeError: even that does not work.
        """
        self.quiet.mkdir(parents=True)
        began, seen, changes = time.monotonic(), 0, 0
        running = self.start(self.quiet)
        while running.poll() is None:
            now = signature(self.quiet)
            seen, changes = now, changes + (now != seen)
            time.sleep(POLL)
        if (ended := finish(running)).code != 0:
            raise RuntimeError(f"srbench {self.name} fails without any fault: {ended.errors[-500:]}")
        self.seconds, self.changes = time.monotonic() - began, changes

    def differences(self, folder: Path) -> list[str]:
        """What a finished folder has other than the quiet one; nothing, if all faults were survived."""
        found, due = contents(folder), contents(self.quiet)
        lines = [f"{name} is missing" for name in sorted(due.keys() - found.keys())]
        lines += [f"{name} is too much" for name in sorted(found.keys() - due.keys())]
        return lines + [f"{name} differs" for name in sorted(due) if found.get(name, due[name]) != due[name]]

    def safe(self, folder: Path) -> set[str]:
        """What is on disk and may never be lost again: records, and iterations that checkpoints hold."""
        found = {name for name in _lines(folder) if "#" in name}
        try:
            last = Checkpoints(folder / RUN / "checkpoints", 1).latest()
        except BadInput:
            last = None
        return found | {f"iteration {i}" for i in range(1 + (last[1]["iteration"] if last else -1))}


def make_data(folder: Path) -> None:
    """Twelve tiny LR and HR pairs, and a recipe."""
    from PIL import Image

    from srbench import datasets

    (mini,), _ = datasets.resolve(["clean-mini"])
    for image in mini.ids:
        loaded = mini.load(image)
        for role, pixels, side in (("lr", loaded.lr, LR_SIDE), ("hr", loaded.hr, 4 * LR_SIDE)):
            (folder / role).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[:side, :side]).save(folder / role / f"{image}.png")
    (folder / "tiny.toml").write_text(RECIPE)


def finish(running: subprocess.Popen[str]) -> Ended:
    """Wait for a process.

    Raises:
        subprocess.TimeoutExpired: it hangs; it was killed.
    """
    try:
        _, errors = running.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        running.kill()
        raise
    return Ended(running.returncode, errors)


def signature(folder: Path) -> int:
    """Another number whenever anything below a folder has changed."""
    found = []
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                stat = os.stat(os.path.join(place, name))  # noqa: PTH116, PTH118 - polled all the time
            except FileNotFoundError:
                continue
            found.append((name, stat.st_size, stat.st_mtime_ns))
    return hash(tuple(found))


def contents(folder: Path) -> dict[str, str]:
    """Everything below a folder in a form that equals that of another run: records singly, files whole.

    Temporary files that nobody will ever finish are among it, under their own names, and so are repeated
    and torn records; locks and event files, of which every session has one, are not.
    """
    found = _lines(folder)
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        if not file.is_file() or file.suffix in (".lock", ".jsonl") or "tfevents" in name:
            continue
        found[name] = hashlib.sha256(_comparable(file)).hexdigest()
    return found


def _lines(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in folder.rglob("*.jsonl"):
        name = file.relative_to(folder).as_posix()
        *lines, torn = file.read_bytes().split(b"\n")
        for line in lines:
            fields = json.loads(line)
            key = f"{name}#{fields['image']}"
            found[f"{key} twice" if key in found else key] = json.dumps(_shared(fields))
        if torn:
            found[f"{name} torn"] = ""
    return found


def _comparable(file: Path) -> bytes:
    if file.name == "training.json":
        return json.dumps(_shared(json.loads(file.read_text()))).encode()
    if file.name == "records.csv":
        rows = [_shared(row) for row in csv.DictReader(io.StringIO(file.read_text()))]
        return json.dumps(rows).encode()
    return _values(file) if file.suffix == ".pt" else file.read_bytes()


def _values(checkpoint: Path) -> bytes:
    from torch import Tensor
    from torch.utils._pytree import tree_leaves

    leaves = tree_leaves(_shared(read_checkpoint(checkpoint) or {"unreadable": True}))
    return b"".join(v.numpy().tobytes() if isinstance(v, Tensor) else repr(v).encode() for v in leaves)


def _shared(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in OWN}
