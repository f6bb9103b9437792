"""Unpacking zip files somebody else made."""

from __future__ import annotations

import io
import stat
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srbench.errors import BadInput, RunFailed
from srbench.install import places
from srbench.install.archives import Limits, unpack

FILES = {"set/a.png": b"a" * 1000, "set/b.png": bytes(range(256)) * 40, "set/deep/é.txt": b"x", "empty": b""}


def zipped(target: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


def special(target: Path, name: str, mode: int, content: bytes = b"/etc/passwd") -> Path:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("set/a.png", b"a")
        archive.writestr(info, content)
    return target


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and not p.is_symlink()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "here"
    path.mkdir(parents=True)
    return path


def refused(archive: Path, folder: Path, said: str, limits: Limits | None = None) -> None:
    """Refused with one line, nothing written inside the folder or anywhere around it."""
    around = folder.parents[1]
    before = sorted(around.rglob("*"))
    with pytest.raises(BadInput) as error:
        unpack(archive, folder, limits=limits)
    assert said in str(error.value) and str(archive) in str(error.value) and "\n" not in str(error.value)
    assert sorted(around.rglob("*")) == before


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_files_come_out_as_they_went_in(tmp_path: Path, folder: Path, method: int) -> None:
    assert unpack(zipped(tmp_path / "a.zip", FILES, method), folder) == len(FILES)
    assert contents(folder) == FILES


def test_a_program_s_permissions_are_not_taken_over(tmp_path: Path, folder: Path) -> None:
    unpack(special(tmp_path / "a.zip", "run", stat.S_IFREG | 0o6777), folder)
    assert not (folder / "run").stat().st_mode & 0o6111


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "set/../../out",
        "/etc/out",
        "//out",
        "..",
        "a\\..\\out",
        "C:out",
        "a\nb",
        "x" * 256,
        "n|ame",
        "./",
        "/",
    ],
)
def test_names_that_lead_out(tmp_path: Path, folder: Path, name: str) -> None:
    refused(special(tmp_path / "a.zip", name, stat.S_IFREG | 0o644), folder, "cannot name a file")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices(tmp_path: Path, folder: Path, kind: int) -> None:
    refused(special(tmp_path / "a.zip", "set/link", kind | 0o777), folder, "is a link or a device")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "a"], "is in it twice"),
        (["A.png", "a.PNG"], "is in it twice"),
        (["e\u0301", "\u00e9"], "is in it twice"),
        (["./a", "a"], "is in it twice"),
        (["a", "a/b"], "needs a folder where a file is"),
        (["a/b", "a"], "needs a folder where a file is"),
        (["a", "A/"], "needs a folder where a file is"),
    ],
)
def test_names_that_collide(tmp_path: Path, folder: Path, names: list[str], said: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    refused(tmp_path / "a.zip", folder, said)


def test_encrypted(tmp_path: Path, folder: Path) -> None:
    data = bytearray(zipped(tmp_path / "a.zip", {"a": b"secret"}, zipfile.ZIP_STORED).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    refused(tmp_path / "a.zip", folder, "is encrypted")


def test_a_bomb_is_refused_before_a_byte_is_written(tmp_path: Path, folder: Path) -> None:
    bomb = zipped(tmp_path / "bomb.zip", {"zeros": bytes(80 << 20)})
    assert bomb.stat().st_size < 100_000
    refused(bomb, folder, "would become 83,886,080, more than 67,108,864")


def test_a_bomb_of_overlapping_files(tmp_path: Path, folder: Path) -> None:
    """Many entries of the list that share one packed file (Fifield 2019): their sizes count each time."""
    inner = bytes(1 << 20)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0000", inner)
        entry = archive.infolist()[0]
        for index in range(1, 200):
            twin = zipfile.ZipInfo(f"{index:04}")
            for key in ("CRC", "compress_size", "file_size", "compress_type", "header_offset"):
                setattr(twin, key, getattr(entry, key))
            archive.filelist.append(twin)
            archive.NameToInfo[twin.filename] = twin
    (tmp_path / "a.zip").write_bytes(buffer.getvalue())
    refused(tmp_path / "a.zip", folder, "would become 209,715,200")


def test_a_size_that_lies(tmp_path: Path, folder: Path) -> None:
    """The list promises 10 bytes for 20 MiB: what is written stops there, and the checksum tells."""
    archive = zipped(tmp_path / "a.zip", {"zeros": bytes(20 << 20)})
    data = bytearray(archive.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 10)
    archive.write_bytes(data)
    with pytest.raises(BadInput, match="damaged"):
        unpack(archive, folder)
    assert sum(map(len, contents(folder).values())) <= 10


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(files=3), "holds 4 files, more than 3"),
        (Limits(bytes=11_000), "more than 11,000"),
        (Limits(ratio=1, small=100), "would become 11,241"),
    ],
)
def test_limits(tmp_path: Path, folder: Path, limits: Limits, said: str) -> None:
    refused(zipped(tmp_path / "a.zip", FILES), folder, said, limits)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"<html>", b"PK\x05\x06" + bytes(18), b"\x1f\x8b" * 40]
)
def test_no_zip(tmp_path: Path, folder: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    if content.startswith(b"PK\x05"):  # an empty one
        assert unpack(tmp_path / "a.zip", folder) == 0
    else:
        refused(tmp_path / "a.zip", folder, "is damaged or no zip file")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
)
def test_a_damaged_zip_gives_the_files_or_one_line(
    tmp_path: Path, folder: Path, data: st.DataObject, method: int
) -> None:
    """Bytes are changed, cut off or put in: no other exception, no wrong file, none outside."""
    places.remove(folder)
    folder.mkdir()
    whole = bytearray(zipped(tmp_path / "a.zip", FILES, method).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        what = data.draw(st.sampled_from(["change", "cut", "insert"]))
        if what == "change":
            whole[at] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del whole[at:]
            break
        else:
            whole[at:at] = data.draw(st.binary(max_size=4))
    (tmp_path / "a.zip").write_bytes(whole)
    try:
        unpack(tmp_path / "a.zip", folder)
    except BadInput as error:
        assert "\n" not in str(error)
    else:
        assert set(contents(folder).values()) <= set(FILES.values())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zip", "in"]
    assert [p.name for p in folder.parent.iterdir()] == ["here"]


def test_no_room_is_said_before_anything_is_written(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = zipped(tmp_path / "a.zip", FILES)
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: type("", (), {"free": 100}))
    with pytest.raises(RunFailed, match="has 100 bytes free and 11,241 are needed"):
        unpack(archive, folder)
    assert contents(folder) == {}


def test_a_write_that_fails_leaves_the_folder_that_was_there(tmp_path: Path) -> None:
    """A process that may write files of 4 KiB at most unpacks one of 10 over an earlier folder."""
    zipped(tmp_path / "a.zip", FILES)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "old").write_text("old")
    code = (
        "import resource, sys; from pathlib import Path\n"
        "from srbench.install.archives import unpack; from srbench.install.places import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); root = Path(sys.argv[1])\n"
        "from srbench.errors import RunFailed\n"
        "try:\n"
        "    with locked(root / 'set'), cannot_write(root), whole_folder(root / 'set') as new:\n"
        "        unpack(root / 'a.zip', new)\n"
        "except RunFailed as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == f"{tmp_path} cannot be written (File too large)\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == [".set.lock", "a.zip", "set"]
    assert contents(tmp_path / "set") == {"old": b"old"}


def test_an_offset_before_the_beginning_is_damage(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("a.png", b"a")
    content = bytearray(file.read_bytes())
    (place,) = struct.unpack("<L", content[-6:-2])
    content[-6:-2] = struct.pack("<L", place + 10)  # zipfile takes all else for moved by -10
    file.write_bytes(content)
    with pytest.raises(BadInput, match="damaged or no zip file"):
        unpack(file, folder)
