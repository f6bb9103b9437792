"""Getting one file from a server that misbehaves: one clear line each, and nothing wrong kept."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from misbehaving import Bad, misbehaving

from srbench.errors import BadInput, RunFailed, Unavailable
from srbench.install import extras, first_use, hosts, http, obtain, places
from srbench.install.source import Source
from srbench.support.home import sha256_file

CONTENT = np.random.default_rng(0).bytes(150_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def bad(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bad]:
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(http, "READ_TIMEOUT_S", 0.5)
    monkeypatch.setattr(http, "PAUSE_S", 0.0)
    hosts.reachable.cache_clear()
    with misbehaving() as server:
        server.files["file.bin"] = CONTENT
        yield server


def get(bad: Bad, mode: str, folder: Path, sha256: str | None = SHA256, size: int | None = None) -> Path:
    source = Source(url=f"{bad.url}/{mode}/file.bin", filename="file.bin", sha256=sha256, bytes=size)
    return obtain.obtain(source, folder / "file.bin", progress=False).path


def here(folder: Path) -> list[str]:
    """What lies in a folder, but for the empty lock."""
    return sorted(p.name for p in folder.iterdir() if p.name != ".file.bin.lock")


def one_line(error: pytest.ExceptionInfo[Exception]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("mode", ["good", "redirect", "chunked", "gzip"])
@pytest.mark.parametrize("sha256", [SHA256, SHA256[:8], None], ids=["whole", "digits", "unpublished"])
def test_servers_that_differ_and_are_all_right(
    bad: Bad, tmp_path: Path, mode: str, sha256: str | None
) -> None:
    assert get(bad, mode, tmp_path, sha256).read_bytes() == CONTENT
    assert here(tmp_path) == ["file.bin"]
    asked = len(bad.asked)
    get(bad, mode, tmp_path, sha256)
    # What cannot be checked is not taken for the published file.
    assert len(bad.asked) - asked == (0 if sha256 else asked)


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("404", "answered 404"),
        ("403", "answered 403"),
        ("500", "answered 500"),
        ("503", "answered 503"),
        ("page", "gave a web page"),
        ("disguised", "gave a web page, not file.bin"),
        ("wrong", "gave a file whose sha256 is "),
        ("loop", "redirects"),
        ("nonsense", "malformed answer"),
        ("silent", "stalled after 0 bytes"),
        ("endless", "sent more than"),
        ("noversion", "was cut off after 75,000 of 150,000 bytes: "),
        ("norange", "was cut off after 75,000 of 150,000 bytes: "),
    ],
)
def test_what_a_server_does_wrong_is_one_line_and_nothing_is_kept(
    bad: Bad, tmp_path: Path, mode: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MAX_BYTES", 10 * len(CONTENT))
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    (tmp_path / "file.bin").write_bytes(b"an older file")
    with pytest.raises(Unavailable) as error:
        get(bad, mode, tmp_path, SHA256)
    line = one_line(error)
    assert said in line and (bad.url in line)
    assert (tmp_path / "file.bin").read_bytes() == b"an older file"
    # The server gives the right file again: what is left does no harm.
    assert get(bad, "good", tmp_path).read_bytes() == CONTENT
    assert here(tmp_path) == ["file.bin"]


def test_nothing_listens(tmp_path: Path, bad: Bad) -> None:
    source = Source(url="http://127.0.0.1:9/file.bin", filename="file.bin", sha256=SHA256)
    with pytest.raises(Unavailable, match=r"^127\.0\.0\.1 cannot be reached$"):
        obtain.obtain(source, tmp_path / "file.bin", progress=False)


@pytest.mark.parametrize("mode", ["cut", "dated", "once"])
@pytest.mark.parametrize("sha256", [SHA256, None], ids=["published", "unpublished"])
def test_a_cut_connection_is_gone_on_from(bad: Bad, tmp_path: Path, mode: str, sha256: str | None) -> None:
    """Half of what is asked for comes each time: five attempts bring 31/32, the next calls the rest."""
    if mode == "once":
        assert get(bad, mode, tmp_path, sha256).read_bytes() == CONTENT
        assert [r for _, _, r in bad.asked] == ["", "bytes=75000-"]
        return
    with pytest.raises(Unavailable, match="bytes are kept, and the same command goes on from there") as error:
        get(bad, mode, tmp_path, sha256)
    assert "was cut off after 145,312 of 150,000 bytes" in one_line(error)
    assert here(tmp_path) == [".file.bin.part", ".file.bin.part.json"]
    assert (tmp_path / ".file.bin.part").read_bytes() == CONTENT[:145312]
    sent = bad.sent
    while True:
        try:
            assert get(bad, mode, tmp_path, sha256).read_bytes() == CONTENT
            break
        except Unavailable:
            continue
    assert bad.sent - sent == len(CONTENT) - 145312
    assert here(tmp_path) == ["file.bin"]


def test_a_stalled_server_is_left_and_gone_on_from(bad: Bad, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as error:
        get(bad, "stall", tmp_path)
    assert "stalled after " in one_line(error) and "(nothing came for 0.5 s)" in str(error.value)
    have = (tmp_path / ".file.bin.part").stat().st_size
    assert 0 < have < len(CONTENT)
    bad.asked.clear()
    # From another address: only the sha256 makes that safe.
    assert get(bad, "good", tmp_path).read_bytes() == CONTENT
    assert [r for _, _, r in bad.asked] == [f"bytes={have}-"]


def test_a_part_is_not_gone_on_from_where_a_mixture_would_not_be_noticed(bad: Bad, tmp_path: Path) -> None:
    for mode in ("noversion", "norange", "chunkcut"):
        with pytest.raises(Unavailable, match=r"cut off .*: try again$"):
            get(bad, mode, tmp_path, None)
        assert all(r == "" for _, _, r in bad.asked) and here(tmp_path) == []


@pytest.mark.parametrize("mode", ["cut", "careless"])
def test_a_file_that_changes_half_way_is_never_mixed(
    bad: Bad, tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The careless server answers a Range whatever If-Range says, which only its ETag gives away."""
    with pytest.raises(Unavailable):
        get(bad, mode, tmp_path, None)
    new = np.random.default_rng(1).bytes(140_000)
    bad.files["file.bin"] = new
    for _ in range(20):
        try:
            assert get(bad, mode, tmp_path, None).read_bytes() == new
            break
        except Unavailable:
            part = (tmp_path / ".file.bin.part").read_bytes()
            assert new.startswith(part)
    else:
        pytest.fail("never finished")


def test_a_part_that_is_complete_already_is_not_asked_for_again(bad: Bad, tmp_path: Path) -> None:
    """Killed between the last byte and the renaming: the server answers 416."""
    with pytest.raises(Unavailable):
        get(bad, "cut", tmp_path, None)
    (tmp_path / ".file.bin.part").write_bytes(CONTENT)
    sent = bad.sent
    assert get(bad, "cut", tmp_path, None).read_bytes() == CONTENT
    assert bad.sent == sent


def test_a_part_longer_than_the_file_is_thrown_away(bad: Bad, tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        get(bad, "cut", tmp_path, None)
    (tmp_path / ".file.bin.part").write_bytes(CONTENT + b"more")
    for _ in range(9):
        try:
            assert get(bad, "cut", tmp_path, None).read_bytes() == CONTENT
            return
        except Unavailable:
            continue
    pytest.fail("never finished")


def test_another_part_than_was_asked_for(bad: Bad, tmp_path: Path) -> None:
    (tmp_path / ".file.bin.part").write_bytes(CONTENT[:1000])
    with pytest.raises(Unavailable, match="another part of the file"):
        get(bad, "shifted", tmp_path)
    assert here(tmp_path) == [".file.bin.part"]


@pytest.mark.parametrize("size", [149_999, 150_001, 1 << 40])
def test_a_size_that_is_not_the_published_one(bad: Bad, tmp_path: Path, size: int) -> None:
    with pytest.raises(Unavailable, match=r"has 150,000 bytes, published are"):
        get(bad, "good", tmp_path, None, size)
    with pytest.raises(Unavailable, match="sent more than 149,999"):
        get(bad, "chunked", tmp_path, None, 149_999)
    assert "file.bin" not in here(tmp_path)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    garbage=st.one_of(st.binary(max_size=400), st.integers(0, 150_000)),
    notes=st.sampled_from(["", "{", "[]"]),
)
def test_whatever_an_earlier_run_left_the_file_is_right(
    bad: Bad, tmp_path: Path, garbage: bytes | int, notes: str
) -> None:
    for old in tmp_path.iterdir():
        places.remove(old)
    left = garbage if isinstance(garbage, bytes) else CONTENT[:garbage]
    (tmp_path / ".file.bin.part").write_bytes(left)
    (tmp_path / ".file.bin.part.json").write_text(notes)
    for _ in range(2):
        try:
            path = get(bad, "good", tmp_path)
            break
        except Unavailable as error:  # garbage was gone on from; the sha256 gave it away
            assert "sha256" in str(error) or "web page" in str(error)
    assert path.read_bytes() == CONTENT and here(tmp_path) == ["file.bin"]


def test_first_use_is_recorded_and_a_change_refused(bad: Bad, tmp_path: Path) -> None:
    source = Source(url=f"{bad.url}/good/file.bin", filename="file.bin")
    file = obtain.obtain(source, tmp_path / "file.bin", progress=False)
    assert first_use.recorded(source) is None
    assert first_use.record(source, file.sha256, file.bytes, file.origin) is True
    assert first_use.record(source, file.sha256, file.bytes, file.origin) is False
    known = first_use.recorded(source)
    assert known is not None and (known.sha256, known.bytes) == (SHA256, len(CONTENT))
    assert known.origin == source.url
    asked = len(bad.asked)
    obtain.obtain(source, tmp_path / "file.bin", progress=False)
    assert len(bad.asked) == asked
    bad.files["file.bin"] = CONTENT[::-1]
    with pytest.raises(
        BadInput, match=r"had .* when it was first used on 2\d{3}-.*: it is not used.* remove "
    ) as error:
        obtain.obtain(source, tmp_path / "other.bin", progress=False)
    assert not [name for name in here(tmp_path) if "other" in name and "lock" not in name]
    with pytest.raises(BadInput, match="first used"):
        (tmp_path / "hand.bin").write_bytes(CONTENT[::-1])
        obtain.user_file(source, tmp_path / "hand.bin")
    # What the message says to do does it.
    Path(one_line(error).rsplit("remove ", 1)[1]).unlink()
    assert obtain.obtain(source, tmp_path / "other.bin", progress=False).path.read_bytes() == CONTENT[::-1]


def test_offline_touches_no_network(bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("connected"))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("looked a name up"))
    sources = [
        Source(url=f"{bad.url}/good/file.bin", filename="file.bin"),
        Source(drive="1b3_bWZTjNO3iL2js1yWkJfjZykcQgvzT", filename="file.bin"),
        Source(url="hf://owner/repository/file.bin", filename="file.bin"),
    ]
    for source in sources:
        with pytest.raises(Unavailable, match="SRBENCH_OFFLINE=1 forbids"):
            obtain.obtain(source, tmp_path / "file.bin")
    assert bad.asked == [] and list(tmp_path.iterdir()) == []


def test_the_next_address_is_tried_and_every_reason_given(
    bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extras, "DRIVE", f"{bad.url}/good/file.bin?id={{}}")
    source = Source(
        url=f"{bad.url}/404/file.bin", drive="1b3_bWZTjNO3iL2js1yWkJfjZykcQgvzT", filename="file.bin"
    )
    assert obtain.obtain(source, tmp_path / "file.bin", progress=False).sha256 == SHA256
    monkeypatch.setattr(extras, "DRIVE", f"{bad.url}/page/file.bin?id={{}}")
    with pytest.raises(Unavailable, match=r"answered 404.*; gdrive:1b3_.* gave a web page"):
        obtain.obtain(source, tmp_path / "file.bin", progress=False)


def test_a_disk_that_is_full(bad: Bad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places.shutil, "disk_usage", lambda _: SimpleNamespace(free=149_999))
    with pytest.raises(RunFailed, match=r"has 149,999 bytes free and 150,000 are needed"):
        get(bad, "good", tmp_path)


@pytest.mark.parametrize("mode", ["good", "chunked"])
def test_a_file_system_that_fills_up_and_is_emptied(bad: Bad, tmp_path: Path, mode: str) -> None:
    """100 KiB for a file of 147: announced, the size is refused at once; unannounced, on the way."""
    code = (
        "import sys; from pathlib import Path; from test_install_http import *\n"
        f"bad = Bad(url={bad.url!r}); folder = Path(sys.argv[1])\n"
        "try: get(bad, sys.argv[2], folder, sys.argv[3])\n"
        "except RunFailed as error: print(type(error).__name__, error)\n"
        "print(sorted(p.name for p in folder.iterdir()))\n"
    )
    mount = 'mount -t tmpfs -o size=100k none "$1" && shift && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", mount, "sh", str(tmp_path)]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no small file system can be mounted here (unshare, tmpfs)")
    done = subprocess.run(
        [*command, sys.executable, "-c", code, str(tmp_path), mode, SHA256],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parent, timeout=60,
    )  # fmt: skip
    said, left = done.stdout.splitlines()
    assert ("are needed" if mode == "good" else "cannot be written (No space left on device)") in said
    assert said.startswith("RunFailed ") and "'file.bin'" not in left


def test_a_folder_that_cannot_be_made(bad: Bad, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunFailed, match="cannot be written"):
        get(bad, "good", tmp_path / "file" / "below")


def test_sha256_file_is_the_reference(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(CONTENT)
    assert sha256_file(tmp_path / "x") == SHA256
