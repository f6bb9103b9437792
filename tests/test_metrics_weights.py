"""Weights of metrics: found by name and content wherever they lie, put where srbench looks, or refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from srbench.errors import BadInput, Unavailable
from srbench.metrics.weights import Weight, WeightFile

CONTENT = b"numbers"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = hashlib.sha256(b"the same numbers in another container").hexdigest()


@pytest.fixture
def weight() -> Weight:
    """Two files carry it; of the second, only the first digits of the sha256 were published."""
    return Weight("a net", (WeightFile("net.npz", OTHER), WeightFile("net-of-old.pth", SHA256[:8])))


def test_a_file_is_found_by_name_and_content(
    weight: Weight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from srbench.support.home import forget_weight_files

    monkeypatch.setenv("SRBENCH_WEIGHTS", str(tmp_path / "mine"))
    folder = tmp_path / "mine/deeper"
    folder.mkdir(parents=True)

    def found() -> Path | None:
        forget_weight_files()
        return weight.find()

    assert found() is None
    (folder / "net.npz").write_bytes(CONTENT)
    assert found() is None, "the right content under the other file's name"
    (folder / "renamed.pth").write_bytes(CONTENT)
    assert found() is None
    (folder / "net-of-old.pth").write_bytes(CONTENT + b"!")
    assert found() is None
    (folder / "net-of-old.pth").write_bytes(CONTENT)
    assert found() == weight.locate() == folder / "net-of-old.pth"


def test_what_other_libraries_fetched_is_found(weight: Weight, private_home: Path) -> None:
    for place in ("checkpoints", "pyiqa"):
        file = private_home / "torch/hub" / place / "net-of-old.pth"
        file.parent.mkdir(parents=True)
        file.write_bytes(CONTENT)
        assert weight.find() == file
        file.unlink()
    assert weight.find() is None


def test_a_file_of_the_user_is_installed_under_its_usual_name(
    weight: Weight, tmp_path: Path, private_home: Path
) -> None:
    assert weight.find() is None
    downloaded = tmp_path / "net-of-old (1).pth"
    downloaded.write_bytes(CONTENT)
    installed = weight.install(downloaded)
    assert installed == private_home / "weights/metrics/net-of-old.pth"
    assert installed.read_bytes() == CONTENT and downloaded.exists()
    assert weight.find() == installed


def test_another_file_is_refused_and_leaves_nothing(
    weight: Weight, tmp_path: Path, private_home: Path
) -> None:
    wrong = tmp_path / "net-of-old.pth"
    wrong.write_bytes(b"others")
    said = f"{OTHER} \\(net.npz\\) or {SHA256[:8]} \\(net-of-old.pth\\)"
    with pytest.raises(BadInput, match=rf"has sha256 [0-9a-f]{{64}}, not that of a net: {said}"):
        weight.install(wrong)
    with pytest.raises(BadInput, match="is not a file: give the path of the downloaded a net"):
        weight.install(tmp_path)
    assert not (private_home / "weights").exists()


def test_what_cannot_be_had_says_which_file_it_needs() -> None:
    there = WeightFile("net.pth", SHA256, "https://example.org/net.pth")
    with pytest.raises(Unavailable, match=r"needs net\.pth, and .*SRBENCH_OFFLINE"):
        Weight("a net", (there,)).locate()
