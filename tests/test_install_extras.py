"""Google Drive and Hugging Face, by the real gdown and huggingface_hub, against a local server."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from misbehaving import Bad, misbehaving

from srbench.errors import RunFailed, Unavailable
from srbench.install import extras
from srbench.install.obtain import obtain
from srbench.install.source import Source

CONTENT = np.random.default_rng(0).bytes(150_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
DRIVE = "1b3_bWZTjNO3iL2js1yWkJfjZykcQgvzT"


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bad]:
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(extras, "READ_TIMEOUT_S", 0.5)
    monkeypatch.setattr(extras, "ATTEMPTS", 1)
    with misbehaving() as server:
        server.files["file.bin"] = CONTENT
        yield server


def from_drive(
    bad: Bad, mode: str, folder: Path, monkeypatch: pytest.MonkeyPatch, sha256: str | None = SHA256
) -> Path:
    monkeypatch.setattr(extras, "DRIVE", f"{bad.url}/{mode}/file.bin?id={{}}")
    source = Source(drive=DRIVE, filename="file.bin", sha256=sha256)
    return obtain(source, folder / "file.bin", progress=False).path


def here(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name != ".file.bin.lock")


@pytest.mark.parametrize("sha256", [SHA256, None], ids=["published", "unpublished"])
def test_drive(bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sha256: str | None) -> None:
    assert from_drive(bad, "good", tmp_path, monkeypatch, sha256).read_bytes() == CONTENT
    assert here(tmp_path) == ["file.bin"]


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("404", "gdrive:1b3_bWZTjNO3iL2js1yWkJfjZykcQgvzT was not given by Google Drive (404"),
        ("500", "was not given by Google Drive (500"),
        ("page", "gave a web page, not file.bin: open it in a browser"),
        ("wrong", "gave a file whose sha256 is"),
        ("silent", "was not given by Google Drive"),
        ("stall", "was not given by Google Drive"),
        ("cut", "was not given by Google Drive"),
        ("loop", "was not given by Google Drive"),
    ],
)
def test_drive_does_not_give_the_file(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, said: str
) -> None:
    with pytest.raises(Unavailable) as error:
        from_drive(bad, mode, tmp_path, monkeypatch)
    assert said in str(error.value) and "\n" not in str(error.value)
    assert "file.bin" not in here(tmp_path)
    assert from_drive(bad, "good", tmp_path, monkeypatch).read_bytes() == CONTENT
    assert here(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("sha256", [SHA256, None], ids=["published", "unpublished"])
def test_drive_goes_on_only_where_a_mixture_would_be_noticed(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sha256: str | None
) -> None:
    with pytest.raises(Unavailable):
        from_drive(bad, "cut", tmp_path, monkeypatch, sha256)
    sent = bad.sent
    assert from_drive(bad, "good", tmp_path, monkeypatch, sha256).read_bytes() == CONTENT
    resumed = any(r == "bytes=75000-" for _, _, r in bad.asked)
    # A cut within the first piece that gdown reads leaves nothing to go on from.
    assert not resumed or sha256 is not None
    # gdown asks once for the whole file before it asks for the rest; the kernel may have taken that in.
    assert bad.sent - sent >= (75_000 if resumed else 150_000)


def from_hub(bad: Bad, mode: str, folder: Path, monkeypatch: pytest.MonkeyPatch, revision: str = "") -> Path:
    monkeypatch.setenv("HF_ENDPOINT", f"{bad.url}/{mode}")
    source = Source(url=f"hf://owner/repository/file.bin{revision}", filename="file.bin", sha256=SHA256)
    return obtain(source, folder / "file.bin", progress=False).path


@pytest.mark.parametrize("revision", ["", "@v1.0"])
def test_hub(bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, revision: str) -> None:
    assert from_hub(bad, "hub", tmp_path, monkeypatch, revision).read_bytes() == CONTENT
    assert here(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("mode", ["404", "401", "page"])
def test_hub_does_not_give_the_file(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    with pytest.raises(Unavailable) as error:
        from_hub(bad, mode, tmp_path, monkeypatch)
    line = str(error.value)
    assert "hf://owner/repository/file.bin was not given by Hugging Face (" in line and "\n" not in line
    assert f"look at {bad.url}/{mode}/owner/repository" in line
    assert "file.bin" not in here(tmp_path)
    assert from_hub(bad, "hub", tmp_path, monkeypatch).read_bytes() == CONTENT


def test_hosts_that_cannot_be_reached(tmp_path: Path, bad: Bad, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "DRIVE", "http://127.0.0.1:9/{}")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    for source in (Source(drive=DRIVE, filename="f"), Source(url="hf://owner/repository/f", filename="f")):
        with pytest.raises(Unavailable, match=r"^127\.0\.0\.1 cannot be reached$"):
            obtain(source, tmp_path / "f")


@pytest.mark.parametrize(
    ("library", "source"),
    [
        ("gdown", Source(drive=DRIVE, filename="file.bin")),
        ("huggingface_hub", Source(url="hf://owner/repository/file.bin", filename="file.bin")),
    ],
)
def test_without_the_library(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, source: Source
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(Unavailable, match=f"needs {library}: pip install 'srbench\\[download\\]'"):
        obtain(source, tmp_path / "file.bin")
    assert here(tmp_path) == []


def test_a_full_disk_is_no_fault_of_drive_s(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gdown

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gdown, "download", full)
    with pytest.raises(RunFailed, match=r"cannot be written \(No space left on device\)"):
        from_drive(bad, "good", tmp_path, monkeypatch)
