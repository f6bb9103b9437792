"""Checkpoints that would run code or exhaust the machine; written when a test asks, never committed."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import runpy
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.utils.collect_env

from srbench.train import export


class Call:
    """Unpickling this calls a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call

    def __call__(self) -> None:
        """What is called has to look as if it could be; the result of a call is, for ``pickle``."""


class Stated(Call):
    """Unpickling this makes a harmless object, whose state and items are made by a call."""

    def __reduce__(self) -> Any:
        return list, (), None, iter([Call(*self.call[:1], *self.call[1])])


def payloads(mark: Path) -> dict[str, Any]:
    """Objects whose unpickling touches ``mark``, by what they use for it."""
    touch = f"touch '{mark}'"
    code = f"open({str(mark)!r}, 'w').close()"
    script, pickled = mark.with_suffix(".py"), mark.with_suffix(".npy")
    script.write_text(code)
    pickled.write_bytes(pickle.dumps(Call(os.system, touch)))
    return {
        "os.system": Call(os.system, touch),
        "os.popen": Call(os.popen, touch),
        "os.mkdir": Call(os.mkdir, str(mark)),
        "exec": Call(builtins.exec, code),
        "eval": Call(builtins.eval, f"__import__('os').system({touch!r})"),
        "compile": Call(builtins.exec, Call(builtins.compile, code, "x", "exec")),
        "open": Call(builtins.open, str(mark), "w"),
        "getattr": Call(Call(getattr, Call(__import__, "os"), "system"), touch),
        "subprocess.Popen": Call(subprocess.Popen, ["touch", str(mark)]),
        "subprocess.check_output": Call(subprocess.check_output, ["touch", str(mark)]),
        "runpy.run_path": Call(runpy.run_path, str(script)),
        "pickle.loads": Call(pickle.loads, pickle.dumps(Call(os.system, touch))),
        "numpy.load": Call(np.load, str(pickled), None, True),
        "map": Call(list, Call(map, os.system, [touch])),
        "torch.save": Call(torch.save, 1, str(mark)),
        "torch.utils.collect_env.run": Call(torch.utils.collect_env.run, touch),
        "srbench's own functions": Call(export.write_atomic, mark, "x"),
        "items of a list": Stated(os.system, touch),
        "a key": {Call(bytes, Call(os.system, touch)): 1},
    }


def _zip(value: Any, path: Path) -> None:
    torch.save(value, path)


def _legacy(value: Any, path: Path) -> None:
    torch.save(value, path, _use_new_zipfile_serialization=False)


def _raw(protocol: int) -> Callable[[Any, Path], None]:
    return lambda value, path: path.write_bytes(pickle.dumps(value, protocol=protocol))


def _tar(value: Any, path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps(value, protocol=2)
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


LAYOUTS = {"zip": _zip, "legacy": _legacy, "raw0": _raw(0), "raw2": _raw(2), "raw4": _raw(4), "tar": _tar}
PLACES: dict[str, Callable[[Any], Any]] = {
    "alone": lambda payload: payload,
    "in a state dict": lambda payload: {"params": {"conv.weight": torch.zeros(2), "conv.bias": payload}},
    "deep in a training": lambda payload: {
        "state_dict": {"a": torch.zeros(1)},
        "optimizer": [{"args": [(payload,)]}],
    },
}


LEGACY_START = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}))
"""What comes before the object in the layout older than zip."""


def text(value: str) -> bytes:
    """Opcodes for a string."""
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    """Opcodes for a whole number of any size."""
    digits = pickle.encode_long(value)
    return b"\x8a" + bytes([len(digits)]) + digits


def numbers(*values: int) -> bytes:
    """Opcodes for a tuple of whole numbers."""
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(
    size: tuple[int, ...], stride: tuple[int, ...], held: int, offset: int = 0, key: str = "0"
) -> bytes:
    """Opcodes for a tensor as ``torch.save`` writes it, in a storage that claims ``held`` numbers."""
    storage = (
        b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + number(held) + b"tQ"
    )
    rest = number(offset) + numbers(*size) + numbers(*stride) + b"\x89ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + rest + b"tR"


def state(body: bytes, name: str = "conv.weight") -> bytes:
    """A whole pickle of a dict with one item."""
    return b"\x80\x02}" + text(name) + body + b"s."


def _shadowed(name: str) -> bytes:
    """Opcodes for a parameter, one of whose methods is hidden by a number."""
    hidden = b"\x89ccollections\nOrderedDict\n)R}" + text(name) + b"K\x01s"
    return b"ctorch._utils\n_rebuild_parameter_with_state\n(" + tensor((16,), (1,), 16) + hidden + b"tR"


def archive(
    path: Path, index: bytes, storage: bytes = bytes(64), method: int = zipfile.ZIP_STORED, **more: bytes
) -> None:
    """The zip layout around a pickle."""
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("net/data.pkl", index)
        file.writestr("net/version", "3\n")
        file.writestr("net/byteorder", "little")
        for name, content in {"0": storage, **more}.items():
            file.writestr(f"net/data/{name}", content)


BOMB = state(b"cbuiltins\nbytearray\n" + number(7 << 30) + b"\x85R")
"""A few bytes that ask for 7 GB."""


def opcodes(mark: Path) -> dict[str, bytes]:
    """Pickles that ``pickle.dumps`` does not write: other ways to call, and bombs."""
    touch = text(f"touch '{mark}'")
    system = b"cos\nsystem\n"
    twice = b"".join(b"q%ch%c\x86" % (i, i) for i in range(60))
    nested_lists = b"]q\x00" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(60))
    return {
        "INST": b"(" + touch + b"ios\nsystem\n.",
        "OBJ": b"(" + system + touch + b"o.",
        "STACK_GLOBAL": b"\x80\x04" + text("os") + text("system") + b"\x93" + touch + b"\x85R.",
        "STACK_GLOBAL of memos": b"\x80\x04"
        + text("os")
        + b"q\x00"
        + text("system")
        + b"q\x0100h\x00h\x01\x93"
        + touch
        + b"\x85R.",
        "NEWOBJ": b"\x80\x02csubprocess\nPopen\n" + touch + b"\x85\x81.",
        "BUILD": b"\x80\x02ccollections\nOrderedDict\n)R}" + text("__class__") + system + b"sb.",
        "EXT1": b"\x80\x02\x82\x01.",
        "posix": b"cposix\nsystem\n" + touch + b"\x85R.",
        "python 2 names": b"c__builtin__\neval\n" + text(f"open({str(mark)!r},'w')") + b"\x85R.",
        "a method of what torch allows": b"\x80\x04"
        + text("torch")
        + text("FloatStorage.from_file")
        + b"\x93"
        + text(str(mark))
        + b"\x88K\x08\x87R.",
        "payload before a truncation": b"\x80\x02}"
        + text("a")
        + system
        + touch
        + b"\x85Rs"
        + text("b")
        + b"X\xff",
        "payload after the end": b"\x80\x02}." + system + touch + b"\x85R.",
        "bytearray": state(b"cbuiltins\nbytearray\n" + number(1 << 35) + b"\x85R"),
        "many bytearrays": b"\x80\x02" + (b"cbuiltins\nbytearray\n" + number(1 << 31) + b"\x85R") * 20 + b".",
        "tensor class": state(b"ctorch\nFloatTensor\n" + number(1 << 38) + b"\x85R"),
        "storage class": state(b"ctorch.storage\nUntypedStorage\n" + number(1 << 38) + b"\x85R"),
        "a codec": state(b"c_codecs\nencode\n" + text("a" * 100) + text("punycode") + b"\x86R"),
        "a key that takes for ever to hash": b"\x80\x02}K\x00" + twice + b"K\x01s.",
        "a set that takes for ever to hash": b"\x80\x02cbuiltins\nset\n]K\x00" + twice + b"a\x85R.",
        "a message that takes for ever to write": b"\x80\x02" + nested_lists + b")R.",
        "a million nested tuples": b"\x80\x02}K\x00" + b"\x85" * 1_500_000 + b"K\x01s.",
        "three hundred nested tuples": b"\x80\x02}K\x00" + b"\x85" * 300 + b"K\x01s.",
        "millions of objects": b"\x80\x02](" + b"]" * 3_000_000 + b"e.",
        "a dict in itself": b"\x80\x02}q\x00" + text("state_dict") + b"h\x00s.",
        "no names": b"\x80\x02}K\x01K\x02sK\x03K\x04s.",
        "60,000 keys of one hash": b"\x80\x02}("
        + b"".join(number(k * ((1 << 61) - 1)) + b"N" for k in range(60_000))
        + b"u.",
        "32 MiB of marks": b"\x80\x02" + b"(" * (32 << 20),
        "padding before a bomb": b"\x80\x02}" + text("x" * (33 << 20)) + b"K\x01s" + BOMB[3:],
        "padding before 3 million nested tuples": b"\x80\x02}"
        + text("x" * (33 << 20))
        + b"K\x01sK\x00"
        + b"\x85" * 3_000_000
        + b"K\x01s.",
        "hidden items": b"\x80\x02ccollections\nOrderedDict\n)R}" + text("items") + b"K\x01sb.",
        **{f"hidden {name}": state(_shadowed(name)) for name in ("numel", "element_size", "is_complex")},
        "2**60 numbers": state(tensor((1 << 60,), (1,), 16)),
        "a storage of 2**60": state(tensor((1 << 60,), (1,), 1 << 60)),
        "a storage of 2**33": state(tensor((1 << 33,), (1,), 1 << 33)),
        "stride 0": state(tensor((1 << 40,), (0,), 16)),
        "negative stride": state(tensor((4,), (-1,), 16)),
        "negative size": state(tensor((-4,), (1,), 16)),
        "far offset": state(tensor((4,), (1,), 16, offset=1 << 40)),
        "negative offset": state(tensor((4,), (1,), 16, offset=-4)),
        "no such storage": state(tensor((4,), (1,), 16, key="7")),
        "a storage outside": state(tensor((4,), (1,), 16, key="../../../../etc/passwd")),
    }
