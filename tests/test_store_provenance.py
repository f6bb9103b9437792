"""Which commit a record names: that of the checkout srbench runs from, as git itself tells it, or none."""

from __future__ import annotations

import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from srbench.store import provenance
from srbench.store.address import is_address, open_store
from srbench.store.folder import Store
from srbench.store.parts import PartStore
from srbench.version import __version__


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", "-C", str(root), *who, *arguments], capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, from which srbench seems to run."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    (tmp_path / "srbench/store").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "srbench/store/provenance.py"))
    return tmp_path


def commit() -> str | None:
    return provenance.commit.__wrapped__()


def test_the_commit_is_gits_head_and_says_whether_tracked_files_changed(checkout: Path) -> None:
    head = git(checkout, "rev-parse", "HEAD")
    assert commit() == head and len(head) == 40
    (checkout / "notes.txt").write_text("untracked")
    assert commit() == head
    (checkout / "pyproject.toml").write_text("changed")
    assert commit() == f"{head}-dirty"


def test_outside_a_checkout_there_is_none(checkout: Path) -> None:
    """A site-packages that lies in somebody's repository, and a source archive, are no checkouts."""
    (checkout / "pyproject.toml").unlink()
    assert commit() is None
    (checkout / "pyproject.toml").write_text("")
    assert commit() is not None
    shutil.rmtree(checkout / ".git")
    assert commit() is None


def test_a_git_that_fails_is_no_error(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(checkout / ".git")
    (checkout / ".git").write_text("gitdir: nowhere\n")
    assert commit() is None
    monkeypatch.setenv("PATH", "")
    assert commit() is None


def test_versions_are_those_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = provenance.versions.__wrapped__()
    assert found["torch"] == metadata.version("torch") and found["scikit-image"]
    assert found["srbench"] == __version__
    monkeypatch.setattr(provenance, "LIBRARIES", ("torch", "no-such-library"))
    assert provenance.versions.__wrapped__()["no-such-library"] == "missing"


def test_a_place_is_a_directory_unless_it_is_an_address(tmp_path: Path) -> None:
    for place in (tmp_path, str(tmp_path), f"file://{tmp_path}"):
        assert not is_address(place)
        store = open_store(place)
        assert isinstance(store, Store) and store.folder == tmp_path
    # A directory may have such a name.
    assert not is_address("out/file:") and not is_address("s3:/bucket")
    for address in ("memory://records", "s3://bucket/file://"):
        assert is_address(address)
    store = open_store("memory://records/")
    assert isinstance(store, PartStore) and store.address == "memory://records" and store.folder is None
