"""Report a training: a progress bar or lines, log.csv, validation.csv, TensorBoard."""

from __future__ import annotations

import csv
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import torch
from torch import Tensor

from srbench.errors import RunFailed
from srbench.support.home import write_atomic
from srbench.support.progress import PIPED_WIDTH, progress_bar, room
from srbench.support.screen import fitting
from srbench.train.trainer import COLUMNS

if TYPE_CHECKING:
    from rich.console import Console

    from srbench.train.processes import Processes
    from srbench.train.validation import ValidationScore

VALIDATION_LOG = "validation.csv"
# On a GPU, looking at a loss waits for it; a few at a time keep the device busy.
_LOOK_EVERY = 20
_SMOOTHING = 0.05


class Log:
    """Writes the log of a run; only the main process does.

    Args:
        folder: the run's directory.
        done: iterations the run begins after; rows beyond it, of a session that was killed, are cut off;
            where none is done all are, because the first validation is made again.
        total: iterations of the whole run.
        every: iterations between rows of log.csv.
        console: where progress is shown; None for nowhere.
    """

    def __init__(
        self,
        folder: Path,
        processes: Processes,
        *,
        done: int,
        total: int,
        every: int,
        console: Console | None = None,
    ) -> None:
        self._processes, self._every, self._total = processes, every, total
        self._waiting: list[tuple[int, float, Tensor]] = []
        self._files: list[TextIO] = []
        self._smooth: dict[str, float] = {}
        self._distance = ""
        self._began, self._first = time.perf_counter(), done
        self._console = console if processes.main else None
        self._bar: Any = None
        self._board: Any = None
        self._last = ExitStack()
        if not processes.main:
            return
        self._rows = self._open(folder / "log.csv", ("iteration", "lr", *COLUMNS), done)
        names = ("iteration", "distance", "clean", "degraded", "mean", "psnr")
        self._validations = self._open(folder / VALIDATION_LOG, names, done)
        from torch.utils.tensorboard import SummaryWriter

        self._last.enter_context(_reported_once())
        try:
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1)
        except OSError:
            self.close()
            raise
        if self._console is not None and self._console.is_terminal:
            self._bar = progress_bar(self._console, rate="{:.2f} it/s")
            self._task = self._bar.add_task("", total=total, completed=done)
            self._bar.start()

    def _open(self, path: Path, header: Sequence[str], done: int) -> Any:
        # What follows the last newline is a row that was torn; what comes before the first iteration will
        # come again.
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() and done else []
        earlier = [
            line for line in lines[1:] if line.split(",")[0].isdigit() and int(line.split(",")[0]) <= done
        ]
        write_atomic(path, "".join(f"{line}\n" for line in [",".join(header), *earlier]))
        file = path.open("a", encoding="utf-8", newline="")
        self._files.append(file)
        return csv.writer(file, lineterminator="\n")

    def add(self, iteration: int, lr: float, losses: Tensor) -> None:
        """Take the losses of an iteration, counted from 1: one value for each of the trainer's columns.

        Raises:
            RunFailed: the loss of this iteration, or on a GPU of one of the last few, is not finite.
        """
        self._waiting.append((iteration, lr, losses))
        if losses.device.type == "cpu" or len(self._waiting) >= _LOOK_EVERY:
            self.look()

    def look(self) -> None:
        """Look at the losses that wait, and write their rows; every process has to call it.

        Raises:
            RunFailed: a loss is not finite; the iteration is named.
        """
        if not self._waiting:
            return
        values = self._processes.average(torch.stack([losses for _, _, losses in self._waiting])).tolist()
        waiting, self._waiting = self._waiting, []
        for (iteration, lr, _), row in zip(waiting, values, strict=True):
            used = dict(zip(COLUMNS, row, strict=True))
            broken = [n for n, v in used.items() if math.isinf(v) or (math.isnan(v) and n == "loss_g")]
            if used["loss_d"] != used["loss_d"] and used["d_real"] == used["d_real"]:
                broken.append("loss_d")
            if broken:
                raise RunFailed(f"{broken[0]} of iteration {iteration} is not finite")
            if self._processes.main:
                self._row(iteration, lr, {n: v for n, v in used.items() if not math.isnan(v)})

    def _row(self, iteration: int, lr: float, used: dict[str, float]) -> None:
        for name, value in used.items():
            before = self._smooth.get(name, value)
            self._smooth[name] = before + _SMOOTHING * (value - before)
        if iteration % self._every == 0 or iteration == self._total:
            shown = [repr(used[name]) if name in used else "" for name in COLUMNS]
            self._rows.writerow([iteration, repr(lr), *shown])
            for name, value in used.items():
                self._board.add_scalar(f"loss/{name}", value, iteration)
            self._board.add_scalar("lr", lr, iteration)
        if self._bar is not None and self._console is not None:
            parts = [self._distance, *self._losses()] if self._distance else self._losses()
            said = fitting(parts, room(self._console, self._total), between=" ")
            self._bar.update(self._task, completed=iteration, description=said)

    def _losses(self) -> list[str]:
        shown = ("perceptual", "l1", "gan", "loss_d")
        return [f"{name} {self._smooth[name]:.4f}" for name in shown if name in self._smooth]

    def validated(self, iteration: int, distance: str, score: ValidationScore, samples: Tensor) -> None:
        """Log a validation and its pictures (3,H,W) in [0,1]."""
        if not self._processes.main:
            return
        numbers = {"clean": score.clean, "degraded": score.degraded, "mean": score.mean, "psnr": score.psnr}
        self._validations.writerow([iteration, distance, *map(repr, numbers.values())])
        for name, value in numbers.items():
            self._board.add_scalar(f"validation/{name}", value, iteration)
        self._board.add_image("LR, SR, degraded LR, SR, HR", samples, iteration)
        self._distance = f"{distance} {score.mean:.4f}"
        rate = (iteration - self._first) / max(time.perf_counter() - self._began, 1e-9)
        left = (self._total - iteration) / rate if rate > 0 else 0
        parts = [
            f"{iteration}/{self._total}",
            self._distance,
            *([f"{_duration(left)} left"] if left else []),
            f"clean {score.clean:.4f}",
            f"degraded {score.degraded:.4f}",
            f"PSNR {score.psnr:.2f}",
            *self._losses(),
            *([f"{rate:.2f} it/s"] if rate > 0 else []),
        ]
        if self._console is not None:
            wide = self._console.width if self._console.is_terminal else PIPED_WIDTH
            self.say(fitting(parts, wide))

    def say(self, line: str) -> None:
        """Show one line to the reader."""
        if self._console is not None:
            self._console.print(line, highlight=False, markup=False)

    def flush(self) -> None:
        """Put everything on disk: before a checkpoint, so that the log never lacks what the state has."""
        for file in self._files:
            file.flush()
        if self._board is not None:
            self._board.flush()

    def close(self) -> None:
        """End the display and close the files; what a full disk does not take is lost."""
        if self._bar is not None:
            self._bar.stop()
        for closing in (*self._files, self._board):
            try:
                if closing is not None:
                    closing.close()
            except OSError:
                continue
        self._last.close()


@contextmanager
def _reported_once() -> Iterator[None]:
    """Show no traceback for an error in TensorBoard's thread: it is raised again at the next write."""
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is None or getattr(args.thread, "exception", None) is not args.exc_value:
            before(args)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = before


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes}:{rest:02d} min"


def last_validation(run: Path) -> float:
    """Return the mean distance of a finished run's last validation, which is that of the model it made."""
    with (run / VALIDATION_LOG).open(newline="") as file:
        return float(list(csv.DictReader(file))[-1]["mean"])
