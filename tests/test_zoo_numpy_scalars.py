"""Scalars of numpy beside the weights are no obstacle, and nothing of numpy is called for any pickle."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path

import hostile_pickles as pickles
import numpy as np
import pytest
import torch
from safetensors import safe_open

from srbench.errors import BadInput
from srbench.zoo import unpack
from srbench.zoo.checkpoint import read_state_dict

NUMBERS = [
    *(np.float64(3), np.float32(0.5), np.float16(2), np.int64(-2), np.int32(7), np.uint8(255)),
    *(np.bool_(True), np.complex64(1j)),
]
WEIGHTS = {"conv.weight": torch.arange(9.0).reshape(1, 1, 3, 3)}


def renamed(path: Path, before: bytes, after: bytes) -> None:
    """Give the pickle of an archive the name that another numpy has for a module."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(before, after) if name.endswith("data.pkl") else content)


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_the_plain_weights_come_out(module: bytes, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    content = {"epoch": np.float64(3), "scores": {"all": NUMBERS}, "state_dict": WEIGHTS}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    own = np.float64(0).__reduce__()[0].__module__.encode()
    if zipped:
        renamed(path, own, module)
        with zipfile.ZipFile(path) as archive:
            assert any(module + b"\nscalar" in archive.read(name) for name in archive.namelist())
    else:
        path.write_bytes(path.read_bytes().replace(own, module))
    found = read_state_dict(path)
    assert list(found) == ["conv.weight"]
    assert torch.equal(found["conv.weight"], WEIGHTS["conv.weight"])


FOREIGN = {
    "array": np.zeros(2),
    "generator": np.random.default_rng(0),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_else_numpy_has_is_refused(kind: str, tmp_path: Path) -> None:
    torch.save({"state_dict": WEIGHTS, "value": FOREIGN[kind]}, tmp_path / "net.pth")
    with pytest.raises(BadInput, match=r"would run code \(numpy"):
        read_state_dict(tmp_path / "net.pth")


NUMBER = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8\x89\x88tR"
STATE = b"(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
BYTES = b"c_codecs\nencode\n(X\x08\x00\x00\x00" + b"\x00" * 8 + b"X\x06\x00\x00\x00latin1tR"
SCALAR = b"cnumpy.core.multiarray\nscalar\n"


@pytest.mark.parametrize(
    "value",
    [
        NUMBER.replace(b"f8", b"O8") + STATE,
        NUMBER + STATE.replace(b"<NNN", b"<N(t)"),
        NUMBER + STATE.replace(b"K\x03", b"K\x04"),
        NUMBER + b"}b",
        SCALAR + b"(" + NUMBER + STATE + b"]tR",
        SCALAR + b"(" + BYTES + BYTES + b"tR",
        SCALAR + b"(tR",
        SCALAR + b"(" + NUMBER + STATE + BYTES + b"tR",
    ],
    ids=["object", "fields", "version", "a dict", "no bytes", "no dtype", "nothing", "honest"],
)
def test_a_forged_scalar_is_never_made(value: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands for numpy takes anything and does nothing with it; here it is in this process."""
    path = tmp_path / "net.pth"
    pickles.archive(path, pickles.state(value))
    monkeypatch.setattr(unpack, "_limit", lambda size: None)
    monkeypatch.setattr(np, "dtype", None)
    unpack.unpack(str(path), str(tmp_path / "net.safetensors"), everything=True)
    with safe_open(tmp_path / "net.safetensors", "pt") as file:
        assert json.loads(file.metadata()["tree"]) == {"dict": [["conv.weight", None]]}
    with pytest.raises(BadInput, match="holds no network weights"):
        read_state_dict(path)


def test_the_bytes_of_the_forgeries_are_those_of_a_scalar() -> None:
    whole = SCALAR + b"(" + NUMBER + STATE + BYTES + b"tR"
    assert pickle.loads(b"\x80\x02" + whole + b".") == 0.0
