"""Sets made of anybody's photographs: the same LR however they come, whole or not at all, named honestly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import srbench as run
from PIL import Image
from typer.testing import CliRunner

import srbench
from srbench import datasets
from srbench.cli.datasets import datasets_app
from srbench.datasets import build, degrade
from srbench.datasets.build import build_set
from srbench.datasets.degradations import DEGRADATIONS, degradation
from srbench.datasets.degraded import photographs
from srbench.datasets.mini import MiniSet
from srbench.datasets.registrations import read_registration
from srbench.errors import BadInput, RunFailed

TITLES = ["clean", "ntire-like", "aim-like", "blind", "blind-bsrgan"]


@pytest.fixture
def hr(tmp_path: Path) -> Path:
    """Three photographs of sizes that are no multiples of 4, one of them not PNG."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, (height, width) in {"b.png": (43, 50), "a.png": (64, 64), "c.bmp": (37, 41)}.items():
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / name)
    return folder


def pixels(data: Any) -> dict[str, tuple[bytes, bytes, str]]:
    images = {i: data.load(i) for i in data.ids}
    return {i: (x.lr.tobytes(), x.hr.tobytes(), x.photograph) for i, x in images.items()}


def opened(spec: str) -> Any:
    [data], _ = datasets.resolve([spec])
    return data


@pytest.mark.parametrize("title", TITLES)
def test_built_and_on_the_fly_are_the_same_images(hr: Path, title: str, private_home: Path) -> None:
    name, state = build_set(title, hr)
    assert name == f"{title}-photos" and state.available and state.images == 3
    built, fly = opened(name), opened(f"degrade:{title}:{hr}")
    assert pixels(built) == pixels(fly)
    assert built.domain == fly.domain == degradation(title).domain and built.kind == fly.kind == "paired"
    assert (
        [built.lr_size(i) for i in built.ids]
        == [fly.lr_size(i) for i in fly.ids]
        == [(16, 16), (10, 12), (9, 10)]
    )
    assert fly.load("b").hr.shape == (40, 48, 3) and fly.load("b").lr.shape == (10, 12, 3)
    assert np.array_equal(fly.load("b").hr, np.asarray(Image.open(hr / "b.png"))[:40, :48])
    assert fly.name.startswith(f"{title}-") and fly.name.endswith(f"@{fly.content_hash[:8]}")
    assert state.lr == (private_home / "files" / name / "LR").resolve()
    assert datasets.verify(name).available


def test_the_functions_are_those_of_the_mini_sets(hr: Path) -> None:
    """What differs is the seed: ``clean`` has none, and is the mini set's to the bit."""
    mini = MiniSet(datasets.manifest("clean-mini"))
    image = mini.load("coffee-72-40")
    assert image.hr is not None
    assert np.array_equal(degradation("clean").lr(image.hr, "any", 4), image.lr)
    for name in ("clean", "ntire", "aim"):
        own = DEGRADATIONS[name]
        made = own.make(image.hr, own.generator("x", 4), 4)
        assert np.array_equal(made, getattr(degrade, name)(image.hr, own.generator("x", 4)))


def test_an_image_is_seeded_by_its_id_alone(hr: Path) -> None:
    all_three = pixels(opened(f"degrade:ntire:{hr}"))
    (hr / "a.png").unlink()
    shutil.copy(hr / "c.bmp", hr / "d.bmp")
    others = pixels(opened(f"degrade:ntire:{hr}"))
    assert {i: all_three[i] for i in "bc"} == {i: others[i] for i in "bc"}
    assert others["c"][0] != others["d"][0] and others["c"][1:] == others["d"][1:]


def test_degradations_differ_in_lr_and_hash_and_share_their_photographs(hr: Path) -> None:
    sets = [opened(f"degrade:{name}:{hr}") for name in DEGRADATIONS]
    assert len({data.content_hash for data in sets}) == len(DEGRADATIONS)
    assert len({str([row[1:] for row in pixels(data).values()]) for data in sets}) == 1
    pairs = build_set("aim-like", hr)[1]
    theirs = opened(f"pairs:{pairs.lr}:{pairs.hr}")
    assert [row[2] for row in pixels(theirs).values()] == [row[2] for row in pixels(sets[0]).values()]


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", sorted(DEGRADATIONS))
def test_other_scales_show_the_same_photographs(hr: Path, name: str, scale: int) -> None:
    from srbench.datasets.degraded import DegradedSet

    data = DegradedSet(photographs(hr, scale), degradation(name), hr, scale=scale)
    at_four = DegradedSet(photographs(hr), degradation(name), hr)
    for i in data.ids:
        image = data.load(i)
        assert image.hr is not None and image.hr.shape[:2] == tuple(scale * n for n in image.lr.shape[:2])
        assert image.photograph == at_four.load(i).photograph
        assert data.lr_size(i) == image.lr.shape[:2]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_at_any_scale_is_the_ports_of_matlab(scale: int) -> None:
    """Up to the rounding between the two directions, which moves a value by one at most."""
    from srbench.support.torchvision import prepare_torchvision

    prepare_torchvision()
    import torch
    from pyiqa.matlab_utils import imresize

    hr = np.random.default_rng(1).integers(0, 256, (12 * scale, 20 * scale, 3), dtype=np.uint8)
    planes = torch.from_numpy(hr.astype(np.float32)).permute(2, 0, 1)[None]
    due = np.asarray(imresize(planes, scale=1 / scale)[0].permute(1, 2, 0)).clip(0, 255)
    assert np.abs(degrade.bicubic(hr, scale) - due).max() <= 1.3
    assert (
        degrade.bicubic(np.full((6 * scale, 6 * scale, 3), 77, np.uint8), scale).tolist()
        == [[[77] * 3] * 6] * 6
    )


def test_the_settings_are_written_down(hr: Path, private_home: Path) -> None:
    name, state = build_set("blind", hr, name="wild")
    assert state.lr is not None
    notes = json.loads((state.lr.parent / build.NOTES).read_text())
    assert notes["degradation"] == "blind" and notes["scale"] == 4 and notes["photographs"] == str(hr)
    assert notes["settings"]["second"]["sigma"] == [0.2, 1.5] and notes["settings"]["final_sinc"] == 0.8
    assert sorted(notes["images"]) == ["a", "b", "c"] and notes["images"]["c"]["file"] == "c.bmp"
    registration = read_registration(name)
    assert registration and registration.made and registration.made.settings == notes["settings"]
    assert datasets.manifest(name).degradation == "blind"
    assert build_set("ntire-like", hr)[1].available
    assert read_registration("ntire-like-photos").made.settings["std"] == 6.65  # type: ignore[union-attr]


@pytest.mark.parametrize("title", TITLES)
def test_records_of_degradations_are_paired_by_photograph(hr: Path, title: str, tmp_path: Path) -> None:
    spec = f"x=degrade:{title}:{hr}"
    table = srbench.evaluate(
        "bicubic", datasets=[spec, f"degrade:clean:{hr}"], metrics="psnr", store=tmp_path / "s"
    )
    shown = table.pivot(index="image", columns="dataset", values="source")
    assert shown.nunique(axis=1).tolist() == [1, 1, 1] and shown["x"].nunique() == 3
    assert set(table[table.dataset == "x"].dataset_domain) == {degradation(title).domain}


def test_an_interrupted_build_is_made_again(
    hr: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, private_home: Path
) -> None:
    def fails(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(build.Image.Image, "save", fails)
        with pytest.raises(RunFailed, match=r"cannot be written \(No space left"):
            build_set("ntire-like", hr, name="n", to=out)
    assert datasets.own_names() == [] and not out.exists()
    with monkeypatch.context() as patch:  # killed between the folder and the registration
        patch.setattr(build, "add", fails)
        with pytest.raises(OSError, match="No space"):
            build_set("ntire-like", hr, name="n", to=out)
    assert datasets.own_names() == [] and (out / build.NOTES).is_file()
    assert build_set("ntire-like", hr, name="n", to=out)[1].images == 3
    with pytest.raises(BadInput, match="n is registered already: choose another name, or"):
        build_set("ntire-like", hr, name="n", to=out)
    with pytest.raises(BadInput, match=f"{out} holds the data set n: choose another folder"):
        build_set("ntire-like", hr, name="m", to=out)
    datasets.remove("n")
    assert build_set("aim-like", hr, name="m", to=out)[1].images == 3


def test_what_cannot_be_built_is_said_in_one_line(hr: Path, tmp_path: Path, private_home: Path) -> None:
    empty, small, twins = tmp_path / "empty", tmp_path / "small", tmp_path / "twins"
    for folder in (empty, small, twins):
        folder.mkdir()
    Image.new("RGB", (31, 40)).save(small / "s.png")
    Image.new("RGB", (40, 40)).save(twins / "t.png")
    Image.new("RGB", (40, 40)).save(twins / "t.jpg")
    (tmp_path / "file").touch()
    cases = {
        f"blind --hr {tmp_path}/none": "none is not a directory",
        f"blind --hr {empty}": "empty holds no images",
        f"blind --hr {small}": "s.png is 31 x 40: a photograph to be degraded has 32 pixels a side or more",
        f"blind --hr {twins}": "both stand for 't': keep one",
        f"blind --hr {hr} --name set5": "set5 is a data set of its own: choose another name",
        f"blind --hr {hr} --name ntire-mini": "ntire-mini is a data set of its own",
        f"blind --hr {hr} --name Set5": "differs from set5 in case only",
        f"blind --hr {hr} --name a/b": "'a/b' cannot name a data set",
        f"blind --hr {hr} --out {hr}": "exists and holds something else",
        f"ntire --hr {hr}": "'ntire' is nothing srbench builds: choose one of clean, ntire-like, aim-like",
        "blind": "blind is made of photographs: give --hr DIR",
        f"blind --hr {hr} --seed 3": "--seed are for faces",
        "faces": "faces need --annotations",
        f"faces --hr {hr}": "--hr and --name are for photographs",
    }
    for line, said in cases.items():
        error = CliRunner().invoke(datasets_app, ["build", *line.split()]).exception
        assert isinstance(error, BadInput) and said in str(error), line
    error = CliRunner().invoke(
        datasets_app, ["build", "blind", "--hr", str(hr), "--out", f"{tmp_path}/file/out"]
    )
    assert isinstance(error.exception, RunFailed) and "cannot be written" in str(error.exception)
    assert datasets.own_names() == [] and not (private_home / "files").exists()


def test_listing_says_what_was_built(hr: Path, private_home: Path) -> None:
    done = run("datasets", "build", "aim-like", "--hr", str(hr))
    assert "aim-like-photos is registered: 3 images" in done.stdout
    assert "(degradation: aim-like): `srbench evaluate --datasets aim-like-photos`" in done.stdout
    [entry] = [
        row for row in json.loads(run("datasets", "--json").stdout) if row["name"] == "aim-like-photos"
    ]
    assert entry["made"]["degradation"] == "aim-like" and entry["made"]["settings"]["jpeg_quality"] == 30
    assert entry["title"] == f"{hr}, aim-like x4" and entry["domain"] == "aim"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            "degrade:ntier:{hr}",
            "unknown degradation 'ntier': choose one of clean, ntire-like, aim-like",
        ),
        ("degrade:ntire", "names no folder: write degrade:ntire:HR_DIR"),
        ("degrade:ntire:{hr}/none", "none is not a directory"),
        ("x=degrade:ntire:{hr},x=degrade:aim:{hr}", "another set are both called x: name one otherwise"),
        ("set5=degrade:ntire:{hr}", "'set5' is a data set of its own"),
    ],
)
def test_specs_that_name_nothing(hr: Path, spec: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        datasets.resolve(spec.format(hr=hr).split(","))


def test_one_folder_under_every_degradation_in_one_command(hr: Path) -> None:
    found, _ = datasets.resolve([f"degrade:{name}:{hr}" for name in DEGRADATIONS] + [f"folder:{hr}"])
    assert len({data.name for data in found}) == len(DEGRADATIONS) + 1
    assert all(data.name.startswith(title) for data, title in zip(found, TITLES, strict=False))
