"""``srbench attack --keep``: attacked images as a data set on which other models are measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import write_pairs
from PIL import Image

from srbench import datasets, zoo
from srbench.cli import main
from srbench.datasets.registry import open_set
from srbench.robustness import attack as job
from srbench.robustness.attacked_set import AttackedSet
from srbench.store.address import open_store


@pytest.fixture
def home(private_home: Path, tmp_path: Path) -> Path:
    write_pairs(tmp_path, 3)
    return private_home


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as left, pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["srbench", *arguments])
        main()
    return int(left.value.code or 0)


def command(folder: Path, *more: str) -> list[str]:
    pairs, store = f"{folder / 'lr'}:{folder / 'hr'}", str(folder / "store")
    fixed = ["--pairs", pairs, "--metrics", "psnr", "--no-checks", "--quiet", "--store", store]
    return ["attack", "bicubic", "--attacks", "ifgsm-choi", "--eps", "8", *fixed, *more]


def kept(name: str) -> dict[str, bytes]:
    set_ = open_set(datasets.manifest(name))
    return {image: set_.load(image).lr.tobytes() for image in set_.ids}


def test_another_model_sees_what_the_attack_made(home: Path, tmp_path: Path) -> None:
    assert run(*command(tmp_path, "--keep", "choi")) == 0
    attacked = [r for r in open_store(str(tmp_path / "store")) if r.attack == "ifgsm-choi"]
    assert len(attacked) == 3
    found = open_set(datasets.manifest("choi"))
    (bicubic,) = (ref.load("cpu") for ref in zoo.resolve(["bicubic"]))
    for record in attacked:
        image = found.load(record.image)
        clean = np.asarray(Image.open(tmp_path / "lr" / f"{record.image}x4.png"))
        assert 0 < np.abs(image.lr.astype(int) - clean).max() <= 8
        assert image.photograph == record.source  # so that it is no other photograph than before
        assert image.hr is not None
        with torch.no_grad():
            sr = bicubic(torch.from_numpy(image.lr / 255).permute(2, 0, 1)[None].float()).clamp(0, 1)
        error = ((sr[0].permute(1, 2, 0).numpy() * 255).round() - image.hr)[4:-4, 4:-4]
        assert 10 * np.log10(255**2 / (error**2).mean()) == pytest.approx(record.saved["psnr"], abs=0.01)


def test_an_interrupted_run_goes_on(home: Path, tmp_path: Path) -> None:
    assert run(*command(tmp_path, "--keep", "choi")) == 0
    whole = kept("choi")
    datasets.remove("choi")
    (home / "files" / "choi" / "LR" / "001.png").unlink()
    assert run(*command(tmp_path, "--keep", "choi")) == 0
    assert kept("choi") == whole


def test_what_cannot_be_kept_is_said_in_one_line(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home / "files" / "mine"
    (folder / "LR").mkdir(parents=True)
    (folder / "LR" / "a.png").touch()
    cases = {
        ("--keep", "set5"): "set5 is a data set of its own: choose another name",
        ("--keep", "a/b"): "'a/b' cannot name a data set",
        ("--keep", "x", "--eps", "4,8"): "--keep is for one attack and one radius",
        ("--keep", "x", "--attacks", "rsr,ifgsm-choi"): "--keep is for one attack and one radius",
        ("--keep", "mine"): "holds something else: choose another --keep, or remove it",
    }
    for more, said in cases.items():
        assert run(*command(tmp_path, *more)) == 2, more
        assert said in capsys.readouterr().err, more
    assert datasets.own_names() == []
    assert sorted(p.name for p in (home / "files").iterdir()) == ["mine"]


def test_a_set_that_lacks_an_image_is_not_registered(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for side, of in ((1, "lr"), (4, "hr")):
        Image.new("RGB", (side, side)).save(tmp_path / of / ("zx4.png" if of == "lr" else "z.png"))
    assert run(*command(tmp_path, "--attacks", "rsr", "--keep", "choi")) == 1
    assert "choi is not registered: 1 of its 4 images could not be attacked" in capsys.readouterr().err
    assert datasets.own_names() == []


def test_without_a_name_nothing_is_kept(home: Path, tmp_path: Path) -> None:
    keeper = AttackedSet("")
    attack = job.prepare(
        job.AttackRequest(model="bicubic", dataset=f"pairs:{tmp_path / 'lr'}:{tmp_path / 'hr'}"), keeper.show
    )
    keeper.begin(attack)
    outcome = job.run(attack)
    assert keeper.register(outcome) is None and not (home / "files").exists()
