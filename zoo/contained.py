"""Have checkpoints of unknown origin read by a process with limits; here only safetensors are opened."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from srbench.errors import BadInput, RunFailed
from srbench.support import home

if TYPE_CHECKING:
    from torch import Tensor

_FORM = 1
"""Of what is kept; another form is unpacked anew."""
_KEPT_DAYS = 30
# A hundred times the names of the largest networks: what reads a header needs many times its memory.
_LONGEST_HEADER = 8 << 20
_EXHAUSTED = (signal.SIGXCPU, signal.SIGKILL)
_CONTENT_ERRORS = (OSError, ValueError, TypeError, KeyError, RuntimeError, OverflowError, RecursionError)


def unpacked(path: Path, *, everything: bool = False) -> Any:
    """Return what ``torch.save`` wrote, as dicts of tensors and plain values; it is unpacked once and kept.

    Args:
        path: the file.
        everything: lists and dicts by number too, as a training needs them; that is not kept.

    Raises:
        BadInput: it is damaged, would run code, or takes far more than it should; the message says which.
        RunFailed: the home cannot be written, or no process started.
    """
    if not path.is_file():  # a pipe would be waited for
        raise BadInput(f"{path}: no such file")
    kept = _kept(path, ".all" if everything else "")
    if everything or not kept.is_file():
        with home.cannot_write(kept.parent), home.atomic_path(kept) as temporary:
            _unpack(path, temporary, everything)
        _forget_old(kept.parent)
    with suppress(OSError):
        os.utime(kept)
    try:
        tensors, about = read_safetensors(kept)
        return _rebuilt(json.loads(about["tree"]), tensors)
    except _CONTENT_ERRORS as error:
        kept.unlink(missing_ok=True)  # it may be this that is damaged: the next time it is made anew
        raise damaged(path) from error
    finally:
        if everything:
            kept.unlink(missing_ok=True)


def prepare(path: Path) -> None:
    """Start the process that will read a checkpoint, if one has to: it loads torch while srbench does."""
    if path.suffix.lower() != ".safetensors" and path.is_file() and not _kept(path).is_file():
        _process.start()


def _kept(path: Path, suffix: str = "") -> Path:
    try:
        digest = home.sha256_file(path)
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror or error})") from error
    return home.home() / "unpacked" / f"{digest}{suffix}.{_FORM}.safetensors"


def read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return tensors by name and the metadata of a safetensors file of any origin.

    Raises:
        BadInput: it is damaged, or its header is larger than any network's.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > _LONGEST_HEADER:
                raise BadInput(f"{path} is damaged or no checkpoint: its header claims {length:,} bytes")
            header = json.loads(file.read(length), object_pairs_hook=list)
        twice = [name for name, count in Counter(name for name, _ in header).items() if count > 1]
        with safe_open(path, framework="pt") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
            about = opened.metadata() or {}
    except BadInput:
        raise
    # A dtype or shape that torch does not take fails in torch's own ways.
    except (SafetensorError, *_CONTENT_ERRORS) as error:
        raise damaged(path) from error
    if twice:
        raise BadInput(f"{path} holds two tensors of one name ({ascii(twice[0])[1:-1][:80]}): save it again")
    return tensors, about


def damaged(path: Path) -> BadInput:
    """Make the error for a file that is no checkpoint, or no longer a whole one."""
    size = path.stat().st_size
    return BadInput(
        f"{path} is damaged or no checkpoint ({size:,} bytes): fetch it again and check its sha256"
    )


def _unpack(path: Path, target: Path, everything: bool) -> None:
    # Where that process began may be elsewhere than where this one is by now.
    places = {"source": str(path.absolute()), "target": str(target.absolute())}
    answer = _process.ask({**places, "everything": everything})
    if text := answer.get("refused"):
        raise BadInput(f"{path} {text}")
    if "damaged" in answer:
        raise damaged(path) from ValueError(answer["damaged"])
    if number := answer.get("signal"):
        if number in _EXHAUSTED:
            from srbench.zoo.unpack import EXHAUSTS

            raise BadInput(f"{path} {EXHAUSTS}")
        raise BadInput(f"{path} was refused: whatever reads it crashes ({signal.Signals(number).name})")


def _rebuilt(value: Any, tensors: dict[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "channels_last":
        import torch

        return tensors[content].contiguous(memory_format=torch.channels_last)
    if kind == "dict":
        return {key: _rebuilt(part, tensors) for key, part in content}
    return (tuple if kind == "tuple" else list)(_rebuilt(part, tensors) for part in content)


def _forget_old(folder: Path) -> None:
    for file in folder.glob("*.safetensors"):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > _KEPT_DAYS * 86_400:
                file.unlink()


class _Process:
    """Keeps the process that reads checkpoints, one for each of srbench's, while there is work for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: subprocess.Popen[str] | None = None
        self._owner = 0
        atexit.register(self.end)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request; RunFailed where no process can be had for it."""
        with self._lock:
            for _ in range(2):  # it may have just ended for want of work
                try:
                    if answer := self._asked(json.dumps(request)):
                        found: dict[str, Any] = json.loads(answer)
                        return found
                except OSError:
                    pass
                except BaseException:
                    self.end()
                    raise
                self.end()
        raise RunFailed(
            "the process that reads checkpoints ended at once: look at `python -c 'import torch'`"
        )

    def start(self) -> None:
        """Start the process ahead of the first request; where that fails, the request will say so."""
        with self._lock, suppress(OSError):
            self._ready()

    def _ready(self) -> subprocess.Popen[str]:
        # After a fork it is the parent's.
        if self._running is None or self._owner != os.getpid():
            self._running, self._owner = _started(), os.getpid()
        return self._running

    def _asked(self, request: str) -> str:
        process = self._ready()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(request + "\n")
        process.stdin.flush()
        return process.stdout.readline()

    def end(self) -> None:
        """End the process, and what it does."""
        process, self._running = self._running, None
        if process is None or self._owner != os.getpid():
            return
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                assert pipe is not None
                pipe.close()
        process.wait()


def _started() -> subprocess.Popen[str]:
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(
        # -P: beside the program lie files that are called like others' modules.
        [sys.executable, "-P", str(Path(__file__).with_name("unpack.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | one_thread | {"TORCH_DEVICE_BACKEND_AUTOLOAD": "0"},
        start_new_session=True,  # Ctrl-C is for srbench
    )


_process = _Process()
