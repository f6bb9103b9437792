"""Turn checkpoints of unknown origin into safetensors: the program of a process that does nothing else.

:mod:`srbench.zoo.contained` starts it. It loads torch once, takes a request a line, and for each makes a
process that reads one file under limits of memory, time, files and network, as far as the system has them.
What a file does there, crashing included, ends that process and no other.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import resource
import select
import signal
import stat
import sys
import warnings
from contextlib import suppress
from typing import Any

import safetensors.torch
import torch

_IDLE_SECONDS = 60.0  # it holds 150 MB, and starts again when it is needed
# A file is read, copied and serialised; beside that reading takes next to nothing.
_MEMORY, _COPIES = 256 << 20, 5
_SECONDS, _BYTES_A_SECOND = 3, 25_000_000
_SMALLEST = 1 << 20
_DEEPEST, _MOST_VALUES = 8, 200_000
_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # Linux: clone(2)
_DEATH_SIGNAL, _NO_NEW_PRIVILEGES = 1, 38  # prctl(2)

_RUNS_CODE = (
    "was refused because loading it would run code ({}): take a file that holds only tensors (safetensors or "
    "a bare state_dict)"
)
_TORCHSCRIPT = (
    "is a TorchScript archive, which is a program: save the network's state_dict instead, or name a function "
    "that returns torch.jit.load(…) as module.path:function"
)
_OTHER_PICKLE = (
    "was refused because loading it could run code: it is a pickle of another kind than torch.save writes; "
    "save the network's state_dict with torch.save"
)
EXHAUSTS = "was refused: it is no state_dict but a file made to use up memory or time"
_WANTED = re.compile(r"GLOBAL (\S{1,200}) w|unrecognized function <[^>]*?([\w.]+)(?: at 0x\w+)?>")


class RefusedError(Exception):
    """Says what is wrong with a file, as the rest of a sentence that begins with its path."""


class _Number:
    """Stands for what numpy would make of a scalar beside the weights: nothing of numpy is called."""

    def __init__(self, *parts: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        pass


_NUMPY = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype")


def unpack(source: str, target: str, *, everything: bool) -> None:
    """Write what a checkpoint holds: its tensors by number, and where each belongs as JSON in the metadata.

    Args:
        everything: keep lists and dicts by number too, as optimizers have them; else only dicts by name,
            which is where networks are.

    Raises:
        RefusedError: a tensor that is no plain array, or tensors far larger than the file.
        Exception: whatever torch raises.
    """
    with open(source, "rb") as file:  # noqa: PTH123 - what was opened is what is looked at
        size = os.fstat(file.fileno()).st_size
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise RefusedError("is no regular file")
        _limit(size)
        warnings.simplefilter("ignore")
        allowed: Any = [(_Number, name) for name in _NUMPY]
        with torch.serialization.safe_globals(allowed):
            loaded = torch.load(file, map_location="cpu", weights_only=True)
    content = _Content(everything, 4 * size + _SMALLEST)
    tree = json.dumps(content.described(loaded))
    safetensors.torch.save_file(content.tensors, target, {"tree": tree})


class _Content:
    """Takes what was loaded apart into tensors and JSON.

    Attributes:
        tensors: by number; those that share all of their memory, such as tied weights, once.
    """

    def __init__(self, everything: bool, most_bytes: int) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self._everything, self._left, self._most = everything, most_bytes, most_bytes
        self._numbers: dict[Any, str] = {}
        self._values = 0

    def described(self, value: Any, name: str = "", depth: int = 0) -> Any:
        """Return a value as JSON: plain ones as they are, containers and tensors marked, others as null."""
        self._values += 1
        if self._values > _MOST_VALUES:
            raise RefusedError(EXHAUSTS)
        if isinstance(value, torch.Tensor):
            number = self._number(value, name)
            # An optimizer is faster, and rounds as before, where its tensors lie in memory as they did.
            last = value.dim() == 4 and not value.is_contiguous()
            last = last and value.is_contiguous(memory_format=torch.channels_last)
            return {"channels_last" if last else "tensor": number}
        if value is None or type(value) in (bool, int, float, str):
            return value
        if depth == _DEEPEST:
            return None
        if isinstance(value, dict):
            # What is asked of a dict of its own kind is asked of dict: a pickle may have hidden its methods.
            return {
                "dict": [
                    [key, self.described(part, str(key), depth + 1)]
                    for key, part in dict.items(value)
                    if type(key) is str or (self._everything and type(key) is int)
                ]
            }
        if self._everything and type(value) in (list, tuple):
            return {type(value).__name__: [self.described(part, name, depth + 1) for part in value]}
        return None

    def _number(self, value: torch.Tensor, name: str) -> str:
        tensor = torch.Tensor.detach(value)  # without what a pickle may have put on it
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.is_complex() or type(value) not in (torch.Tensor, torch.nn.Parameter):
            kind = f"{tensor.layout}, {tensor.dtype}, {tensor.device.type}".replace("torch.", "")
            raise RefusedError(f"holds {_short(name)}, which is no plain real array ({kind}): convert it")
        place = tensor.untyped_storage().data_ptr(), tensor.storage_offset()
        same = (place, tuple(tensor.shape), tensor.stride(), tensor.dtype) if tensor.numel() else object()
        if same not in self._numbers:
            self._left -= tensor.numel() * tensor.element_size()
            if self._left < 0:
                claimed = self._most - self._left
                raise RefusedError(
                    f"was refused: its tensors claim {claimed:,} bytes, far more than it holds"
                )
            self._numbers[same] = str(len(self._numbers))
            self.tensors[self._numbers[same]] = tensor.clone(memory_format=torch.contiguous_format)
        return self._numbers[same]


def _limit(size: int) -> None:
    """Give up what reading a file of so many bytes does not need, as far as the system has such limits."""
    seconds = _SECONDS + size // _BYTES_A_SECOND
    limits = {
        "RLIMIT_CPU": seconds,
        "RLIMIT_FSIZE": 4 * size + (16 << 20),
        "RLIMIT_NOFILE": 32,
        "RLIMIT_NPROC": 0,
        "RLIMIT_CORE": 0,
    }
    with suppress(OSError), open("/proc/self/statm", "rb") as statm:  # noqa: PTH123
        taken = int(statm.read().split()[0]) * resource.getpagesize()
        limits["RLIMIT_AS"] = taken + _MEMORY + _COPIES * size
    for name, most in limits.items():
        with suppress(OSError, ValueError, AttributeError):
            kind = getattr(resource, name)
            _, hard = resource.getrlimit(kind)
            allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (allowed, allowed))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        # A network of its own has no way out. For root without a new user: that would lose the right to read.
        libc.unshare(_NEW_NETWORK if os.geteuid() == 0 else _NEW_USER | _NEW_NETWORK)


def _said(error: BaseException) -> dict[str, str]:
    """Return what to say of a file that could not be unpacked; nothing where it is just damaged."""
    if isinstance(error, RefusedError):
        return {"refused": str(error)}
    text = str(error)[:20_000]
    if isinstance(error, MemoryError) or re.search(r"(?i)alloc|memory", text):
        return {"refused": EXHAUSTS}
    if "TorchScript" in text:
        return {"refused": _TORCHSCRIPT}
    if wanted := _WANTED.search(text):
        return {"refused": _RUNS_CODE.format(wanted[1] or wanted[2])}
    # Those of newer pickles than torch's; text and images have no such bytes where an opcode is looked for.
    opcode = re.search(r"Unsupported operand (\d+)", text)
    if opcode and 0x82 <= int(opcode[1]) <= 0x97:
        return {"refused": _OTHER_PICKLE}
    return {"damaged": text[:500]}


def _short(name: str) -> str:
    return ascii(name)[1:-1][:80]


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """Unpack a file in a process of its own, and return how that ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            unpack(request["source"], request["target"], everything=request["everything"])
            said: dict[str, str] = {}
        except BaseException as error:
            said = _said(error)
        os.write(writing, json.dumps(said).encode())
        os._exit(0)
    os.close(writing)
    # Time passes faster than the CPU's where others use it.
    patience = 10 * (_SECONDS + os.stat(request["source"]).st_size // _BYTES_A_SECOND)  # noqa: PTH116
    answered = select.select([reading], [], [], patience)[0]
    content = os.read(reading, 1 << 16) if answered else b""
    os.close(reading)
    if not content:
        with suppress(OSError):
            os.kill(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    peak = {"peak": used.ru_maxrss}  # in kB on Linux
    if content:
        return {**json.loads(content), **peak}
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) and answered else signal.SIGKILL
    return {"signal": number, **peak}


def main() -> None:
    """Answer requests until there are no more, or none for a while."""
    while select.select([sys.stdin], [], [], _IDLE_SECONDS)[0]:
        line = sys.stdin.readline()
        if not line:
            break
        print(json.dumps(_answer(json.loads(line))), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
