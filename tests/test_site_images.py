"""Pictures: kept by an evaluation, found and cut for the explorer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import torch
from PIL import Image
from site_pages import store_with_pictures

from srbench import evaluation, zoo
from srbench.boards.site.build import build_page, read_store
from srbench.boards.table import column_of, row_key
from srbench.errors import RunFailed
from srbench.store import pictures as kept


def test_the_explorer_shows_the_worst_images_at_their_worst_place(tmp_path: Path) -> None:
    store, spec = store_with_pictures(tmp_path)
    records, pictures = read_store(store)
    # One model is wrong in one corner of one image: that is where everyone should look.
    target = next(r for r in records if r.model == "clean-net" and r.dataset != "other" and not r.attack_hash)
    cell = pictures.cells[row_key(target), column_of(target)]
    lr = np.asarray(Image.open(tmp_path / "lr" / "002x4.png"))
    hr = lr.repeat(4, 0).repeat(4, 1)
    for key, column in pictures.cells:
        if column.attack == "none" and (file := pictures.sr(key, column, "002")):
            Image.fromarray(hr).save(file)
    broken = hr.copy()
    broken[64:, :256] = 255 - broken[64:, :256]
    Image.fromarray(broken).save(kept.sr_file(store, cell, "002"))
    build_page(tmp_path / "page", records, pictures=pictures, data=[spec], images=3)
    text = (tmp_path / "page" / "data" / "site.js").read_text(encoding="utf-8")
    page = json.loads(text.removeprefix("window.srbenchData=").removesuffix(";\n"))
    entries = page["explorer"]
    board = page["boards"][0]
    assert len(entries) == 3
    lpips = {image: [] for image in ("000", "001", "002")}
    for r in records:
        if r.dataset == target.dataset:
            lpips[r.image].append(r.metrics["lpips"])
    assert [e["image"] for e in entries] == sorted(lpips, key=lambda i: -np.mean(lpips[i]))
    entry = next(e for e in entries if e["image"] == "002")
    assert entry["box"] == [0, 64, 256, 256]
    folder = tmp_path / "page" / "images"
    assert np.array_equal(np.asarray(Image.open(folder / entry["hr"])), hr[64:320, :256])
    assert np.array_equal(np.asarray(Image.open(folder / entry["lr"])), lr[16:80, :64])
    wrong = next(str(i) for i, row in enumerate(board["rows"]) if row["label"] == "clean-net")
    crop = np.asarray(Image.open(folder / entry["inputs"]["0"]["sr"][wrong]))
    assert np.array_equal(crop, broken[64:320, :256])
    attacked = str([a["name"] for a in board["attacks"]].index("rsr"))
    assert set(entry["inputs"]) == {"0", attacked}
    assert len(entry["inputs"][attacked]["lr"]) == 3
    assert entry["inputs"]["0"]["lr"] == {}


def test_evaluate_keeps_images_and_makes_a_missing_one_again(tmp_path: Path) -> None:
    plain = evaluation.EvaluationRequest(
        models=("bicubic",),
        datasets=("clean-mini",),
        attacks=("none", "random"),
        metrics=("psnr",),
        limit=2,
        store=tmp_path,
    )

    def measured(request: evaluation.EvaluationRequest) -> tuple[int, int]:
        outcome = evaluation.run(evaluation.prepare(request)).outcome
        return outcome.measured, outcome.kept

    keeping = replace(plain, keep_images=True)
    assert measured(plain) == (4, 0)
    assert not list(tmp_path.rglob("*.png"))
    assert measured(keeping) == (4, 0)
    records, pictures = read_store(tmp_path)
    assert len(records) == 4
    clean, noisy = sorted(pictures.cells, key=lambda key: key[1].attack)
    image = records[0].image
    assert pictures.lr(*clean, image) is None
    lr, sr = pictures.lr(*noisy, image), pictures.sr(*noisy, image)
    assert lr is not None
    assert sr is not None
    # The files hold what was measured: bicubic of the kept LR, but for the rounding of both to 8 bit.
    (model,) = zoo.resolve(["bicubic"])
    pixels = torch.from_numpy(np.array(Image.open(lr))).permute(2, 0, 1).unsqueeze(0).float() / 255
    made = model.load()(pixels).clamp(0, 1)[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(made - np.array(Image.open(sr), dtype=np.float64)).max() < 2
    assert measured(keeping) == (0, 4)
    lr.unlink()
    assert measured(keeping) == (1, 3)
    assert lr.is_file()
    assert [r.metrics for r in read_store(tmp_path)[0]] == [r.metrics for r in records]


def test_a_picture_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    cell = PurePosixPath("rsr/set/none/model-1.jsonl")
    (tmp_path / "rsr").touch()
    with pytest.raises(RunFailed, match="--keep-images"):
        kept.save(tmp_path, cell, "a", torch.zeros(1, 3, 8, 8), None)


@pytest.mark.parametrize("image", ["a", "a/b", "x y", "..", "ü" * 200])
def test_picture_names_stay_in_their_folder(tmp_path: Path, image: str) -> None:
    cell = PurePosixPath("rsr/set/none/model.v2-123.jsonl")
    file = kept.sr_file(tmp_path, cell, image)
    assert file.parent == tmp_path / "rsr/set/none/model.v2-123.images/sr"
    assert len(file.name) < 120
    assert file != kept.sr_file(tmp_path, cell, image + "?")
