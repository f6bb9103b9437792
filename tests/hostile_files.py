"""Weight files that hold no code and are all wrong; written when a test asks, never committed."""

from __future__ import annotations

import io
import json
import os
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from hostile_pickles import BOMB, archive, state, tensor, text
from safetensors.torch import save_file
from torch import Tensor

from srbench.support.torchvision import prepare_torchvision

prepare_torchvision()
from spandrel.architectures.Compact import Compact  # noqa: E402
from spandrel.architectures.ESRGAN import ESRGAN  # noqa: E402

Write = Callable[[Path], None]
_PLAIN = state(tensor((16,), (1,), 16))


def _safetensors(header: Any, body: bytes = bytes(64), length: int | None = None) -> Write:
    """A safetensors file with any header."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    start = struct.pack("<Q", len(raw) if length is None else length)
    return lambda path: path.write_bytes(start + raw + body) and None


def _entry(start: int = 0, end: int = 64, shape: Any = (16,), dtype: Any = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


BAD_HEADERS: dict[str, Write] = {
    "header of 2**63 bytes": _safetensors({"a": _entry()}, length=1 << 63),
    "header of 2**64 - 1 bytes": _safetensors({"a": _entry()}, length=(1 << 64) - 1),
    "header of 90 MB": _safetensors({"a": _entry()}, length=90_000_000),
    "header of 20 MB, whole": _safetensors({"__metadata__": {"a": "b" * 20_000_000}, "a": _entry()}),
    "header longer than the file": _safetensors({"a": _entry()}, length=400),
    "header of no bytes": _safetensors({}, length=0),
    "overlapping": _safetensors({"a": _entry(), "b": _entry(32, 64, (8,))}),
    "a hole": _safetensors({"a": _entry(0, 16, (4,)), "b": _entry(32, 64, (8,))}),
    "beyond the end": _safetensors({"a": _entry(0, 1 << 40, (1 << 38,))}),
    "negative offset": _safetensors({"a": _entry(-64, 0)}),
    "offsets reversed": _safetensors({"a": _entry(64, 0)}),
    "negative shape": _safetensors({"a": _entry(shape=(-16,))}),
    "shape that overflows": _safetensors({"a": _entry(shape=(1 << 32, 1 << 32))}),
    "shape and size differ": _safetensors({"a": _entry(shape=(15,))}),
    "a shape of a thousand": _safetensors({"a": _entry(shape=(1,) * 1000 + (16,))}),
    "unknown dtype": _safetensors({"a": _entry(dtype="F128")}),
    "dtype that is none": _safetensors({"a": _entry(dtype=7)}),
    "wrong dtype": _safetensors({"a": _entry(dtype="F64")}),
    "duplicate keys": _safetensors(b'{"a":%s,"a":%s}' % ((json.dumps(_entry()).encode(),) * 2)),
    "no JSON": _safetensors(b"{" * 64),
    "not UTF-8": _safetensors(b'{"\xff\xfe":1}'),
    "a list": _safetensors([_entry()]),
    "nested too deep": _safetensors(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "metadata that is none": _safetensors({"__metadata__": {"a": 1}, "a": _entry()}),
    "no tensors": _safetensors({}, b""),
    "too much at the end": _safetensors({"a": _entry()}, bytes(128)),
    "truncated": _safetensors({"a": _entry()}, bytes(60)),
}


def _zip_of_many(path: Path) -> None:
    archive(path, _PLAIN, **{str(n): b"" for n in range(1, 20_000)})


def _deflated(size: int) -> Write:
    def write(path: Path) -> None:
        archive(path, state(tensor((16,), (1,), 16)), method=zipfile.ZIP_DEFLATED)
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file, file.open("net/data/1", "w") as member:
            for _ in range(size >> 20):
                member.write(bytes(1 << 20))

    return write


def _claimed(path: Path) -> None:
    """A stored member that claims 10 GB in the central directory."""
    archive(path, state(tensor(((10 << 30) // 4,), (1,), (10 << 30) // 4)))
    content = bytearray(path.read_bytes())
    place = content.rfind(b"net/data/0") - 46
    content[place + 20 : place + 28] = struct.pack("<II", 0xA0000000, 0xA0000000)
    path.write_bytes(content)


def _two_indices(path: Path) -> None:
    archive(path, _PLAIN)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("net/DATA.pkl", b"cos\nsystem\n.")


def _zip_behind_a_pickle(path: Path) -> None:
    archive(path, _PLAIN)
    path.write_bytes(b"\x80\x02cos\nsystem\n" + text("true") + b"\x85R." + path.read_bytes())


def _half(path: Path) -> None:
    archive(path, _PLAIN)
    path.write_bytes(path.read_bytes()[:-120])


def _ends(path: Path) -> tuple[bytes, bytes, bytes]:
    """An archive's members, its central directory, and the end that says where that is."""
    content = path.read_bytes()
    end = content.rfind(b"PK\5\6")
    (start,) = struct.unpack("<I", content[end + 16 : end + 20])
    return content[:start], content[start:end], content[end:]


def _two_directories(first: bytes, last: bytes) -> Write:
    """Two archives in one file; the end of the last is the comment of the first's end."""

    def write(path: Path) -> None:
        archive(path, first)
        members, directory, end = _ends(path)
        archive(path, last)
        more, other, last_end = _ends(path)
        # Places are counted from the start of the file: the last archive's move behind the first's members.
        moved = bytearray(other)
        place = moved.find(b"PK\1\2")
        while place >= 0:
            (offset,) = struct.unpack("<I", moved[place + 42 : place + 46])
            moved[place + 42 : place + 46] = struct.pack("<I", offset + len(members))
            place = moved.find(b"PK\1\2", place + 4)
        at = len(members) + len(more)
        end = end[:16] + struct.pack("<IH", at, len(moved) + len(last_end))
        last_end = last_end[:16] + struct.pack("<I", at + len(directory) + len(end)) + last_end[20:]
        path.write_bytes(members + more + directory + end + bytes(moved) + last_end)

    return write


class _Unseekable(io.BytesIO):
    """What zipfile writes lengths behind a member's bytes for."""

    def seek(self, *place: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


def _descriptors(path: Path) -> None:
    stream = _Unseekable()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("net/data.pkl", BOMB)
        file.writestr("net/version", "3\n")
    path.write_bytes(stream.getvalue())


def _zip64(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in (("net/data.pkl", BOMB), ("net/version", b"3\n")):
            with file.open(name, "w", force_zip64=True) as member:
                member.write(content)
    members, directory, end = _ends(path)
    size, start = len(directory), len(members)
    whole = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 2, 2, size, start)
    where = struct.pack("<4sIQI", b"PK\6\7", 0, start + size, 1)
    path.write_bytes(members + directory + whole + where + end[:8] + b"\xff" * 12 + b"\0\0")


def _many_disks(path: Path) -> None:
    archive(path, BOMB)
    members, directory, end = _ends(path)
    path.write_bytes(members + directory + end[:4] + struct.pack("<HH", 1, 1) + end[8:])


def _prepended(path: Path) -> None:
    archive(path, BOMB)
    path.write_bytes(path.read_bytes()[:4] + bytes(1000) + path.read_bytes())


def _twice(path: Path) -> None:
    archive(path, _PLAIN)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as file:
        warnings.simplefilter("ignore")
        file.writestr("net/data.pkl", BOMB)


def _aliased(path: Path) -> None:
    """2,000 tensors of 240 kB that all lie in the same 260 kB."""
    views = b"".join(text(f"{n}.weight") + tensor((60_000,), (1,), 1 << 16, offset=n) for n in range(2_000))
    archive(path, b"\x80\x02}(" + views + b"u.", bytes(4 << 16))


ARCHIVES: dict[str, Write] = {
    "two directories, a bomb first": _two_directories(BOMB, _PLAIN),
    "two directories, a bomb last": _two_directories(_PLAIN, BOMB),
    "lengths behind the members": _descriptors,
    "zip64": _zip64,
    "many disks": _many_disks,
    "something before": _prepended,
    "an index twice": _twice,
    "one storage for 2,000 tensors": _aliased,
    "deflated": _deflated(0),
    "256 MB of zeros in 256 kB": _deflated(1 << 28),
    "20,000 members": _zip_of_many,
    "claims 10 GB": _claimed,
    "two indices": _two_indices,
    "a zip behind a pickle": _zip_behind_a_pickle,
    "half a zip": _half,
    "no index": lambda path: zipfile.ZipFile(path, "w").writestr("net/data/0", bytes(64)),
    "a storage too short": lambda path: archive(path, state(tensor((16,), (1,), 16)), bytes(4)),
}

FORMS: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "a page": lambda path: path.write_text(
        "<!DOCTYPE html><html><title>Google Drive - Virus scan</title></html>"
    ),
    "a text": lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\nsize 67040989\n"),
    "zeros": lambda path: path.write_bytes(bytes(1 << 20)),
    "a directory": Path.mkdir,
    "a FIFO": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
    "a file that cannot be read": lambda path: path.symlink_to("/proc/self/mem"),
}


def _compact(**changes: Any) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return Compact(num_feat=8, num_conv=2, upscale=4).state_dict() | changes


def good() -> dict[str, Tensor]:
    """A network that is measured: the hostile ones are compared with it."""
    return _compact()


def _esrgan(**changes: Any) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return ESRGAN(num_filters=8, num_blocks=1).state_dict() | changes


def _quantised(weight: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such tensors are deprecated; files with them are still about
        return torch.quantize_per_tensor(weight, 0.1, 0, torch.qint8)


class _OwnTensor(Tensor):
    pass


def _sparse_beyond(weight: Tensor) -> Tensor:
    places = torch.full((weight.dim(), 1), 1 << 40)
    return torch.sparse_coo_tensor(places, torch.ones(1), weight.shape, check_invariants=False)


def networks() -> dict[str, dict[Any, Any]]:
    """State dicts of the right names whose values make no network."""
    first, last = "body.0.weight", "body.6.weight"
    plain = _compact()
    spoilt = plain[first].clone()
    spoilt[0, 0, 0, 0] = float("nan")
    return {
        "NaN": plain | {first: spoilt},
        "infinite": plain | {"body.6.bias": torch.full_like(plain["body.6.bias"], float("inf"))},
        "whole numbers": {k: (v * 100).to(torch.int32) for k, v in plain.items()},
        "bytes": plain | {first: (plain[first] * 100).to(torch.uint8)},
        "true and false": plain | {first: plain[first] > 0},
        "complex": plain | {first: plain[first].to(torch.complex64)},
        "quantised": plain | {first: _quantised(plain[first])},
        "sparse": plain | {last: plain[last].to_sparse()},
        "sparse beyond its end": plain | {last: _sparse_beyond(plain[last])},
        "a tensor of a class of its own": plain | {last: plain[last].as_subclass(_OwnTensor)},
        "meta": plain | {last: plain[last].to("meta")},
        "words": plain | {first: "0.1"},
        "None": plain | {first: None},
        "numbers": plain | {first: 0.5},
        "lists": plain | {first: plain[first].tolist()},
        "no dimensions": plain | {first: torch.tensor(1.0)},
        "no elements": plain | {first: torch.zeros(0, 3, 3, 3)},
        "one dimension too many": plain | {first: plain[first][None]},
        "block 100,000": _esrgan(**{"model.1.sub.100000.RDB1.conv1.0.weight": torch.zeros(1)}),
        "block 9,000": _esrgan(**{"model.1.sub.9000.RDB1.conv1.0.weight": torch.zeros(1)}),
        "layer 10**30": _esrgan(**{f"model.{10**30}.weight": torch.zeros(1)}),
        "a layer of no number": _esrgan(**{"model.x.weight": torch.zeros(1)}),
        "200,000 features": _esrgan(**{"model.0.weight": torch.zeros(200_000, 3, 3, 3)}),
        "a name of a megabyte": plain | {"x" * (1 << 20) + ".weight": torch.zeros(1)},
        "a name of markup": plain | {"<script>[bold]\n.weight": torch.zeros(1)},
        "another scale": Compact(num_feat=8, num_conv=2, upscale=2).state_dict(),
    }


def save_network(values: dict[Any, Any], path: Path) -> None:
    """As safetensors where the name says so and the values allow it, else as torch does."""
    if path.suffix == ".safetensors":
        save_file({k: v.contiguous() for k, v in values.items()}, path)
    else:
        torch.save(values, path)
