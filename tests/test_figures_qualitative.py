"""Pictures of models side by side: frames, bold values, the crop where they differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from figure_cases import NETS, strip
from helpers import write_pairs
from PIL import Image

from srbench import evaluation, protocols, zoo
from srbench.figures import gather, qualitative, style
from srbench.figures.strips import Panel, Strip, strips
from srbench.store import pictures as kept


def rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def test_frames_have_the_colour_of_the_training_domain(tmp_path: Path) -> None:
    png, _ = style.write(qualitative.draw([strip()]), tmp_path / "q")
    image = np.asarray(Image.open(png).convert("RGB"))
    assert image.shape[1] == pytest.approx(style.PAGE * style.DPI, abs=1)
    figure = qualitative.draw([strip()])
    up = figure.get_figheight() * style.DPI
    for axis in figure.axes:
        title = axis.get_title()
        mark = {"●": "in-domain", "○": "out-of-domain", "◆": "generalist"}.get(title[:1], "")
        if title == "HR, whole":
            continue
        box = axis.get_position()
        x = round((box.x0 + box.x1) / 2 * image.shape[1])
        y = round(up - box.y1 * up)
        edge = {tuple(int(v) for v in image[row, x]) for row in range(y - 1, y + 2)}
        assert rgb(style.MARK_COLOURS[mark]) in edge, title
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == [
        "HR, whole",
        "LR",
        "bicubic",
        "● of ntire",
        "○ of aim",
        "◆ <script> $x_1$ \\alpha",
        "HR",
    ]


def test_the_best_value_as_printed_is_bold() -> None:
    figure = qualitative.draw([strip()])
    shown = {
        axis.get_title().lstrip("●○◆ "): [(t.get_text(), t.get_weight()) for t in axis.texts]
        for axis in figure.axes
    }
    assert shown["bicubic"] == [("25.00", "normal"), ("0.5000", "normal")]
    assert shown["of ntire"] == [("26.00", "bold"), ("0.2000", "normal")]
    assert shown["of aim"] == [("26.00", "bold"), ("–", "normal")]
    assert shown["<script> $x_1$ \\alpha"] == [("24.00", "normal"), ("0.1000", "bold")]


def test_a_set_without_ground_truth_has_no_hr() -> None:
    one = strip(hr=None, panels=[Panel("net", np.zeros((32, 32, 3), np.uint8), "", {"niqe": 4.0})])
    figure = qualitative.draw([one, strip()])
    assert [axis.get_title() for axis in figure.axes][:3] == ["LR, whole, bicubic", "LR", "net"]
    said = [t.get_text() for t in figure.texts if t.get_text().startswith("Below")]
    assert said == ["Below each: PSNR ↑ and LPIPS ↓, or NIQE ↓, of the whole image; best in bold"]


@pytest.fixture
def two_nets(tmp_path: Path) -> gather.FigureRequest:
    lr, hr = write_pairs(tmp_path, 2, side=24)
    return gather.FigureRequest(models=NETS, datasets=(f"pairs:{lr}:{hr}",), store=tmp_path / "store")


def gathered(wanted: gather.FigureRequest) -> tuple[gather.FigureRun, list[Strip]]:
    prepared = gather.prepare_figure(wanted)
    assert not prepared.runner.run(prepared.todo).failures
    return prepared, strips(prepared)


def outputs(wanted: gather.FigureRequest, lr: np.ndarray) -> list[np.ndarray]:
    """What the models make of an LR image, rounded to 8 bit."""
    tensor = torch.from_numpy(lr.copy()).permute(2, 0, 1).unsqueeze(0).float() / 255
    with torch.inference_mode():
        made = [ref.load()(tensor).clamp(0, 1) for ref in zoo.resolve(wanted.models)]
    return [(sr[0] * 255).round().byte().permute(1, 2, 0).numpy() for sr in made]


def test_the_crop_is_where_the_models_differ_the_most(two_nets: gather.FigureRequest, tmp_path: Path) -> None:
    prepared, (found,) = gathered(two_nets)
    lr = np.asarray(Image.open(tmp_path / "lr" / "000x4.png"))
    made = outputs(two_nets, lr)
    x, y, width, height = found.box
    assert (width, height) == (36, 36)
    difference = np.square(made[0].astype(float) - made[1].astype(float)).sum(axis=2)
    sums = {
        (left, top): difference[top : top + 36, left : left + 36].sum()
        for top in range(0, 96 - 36 + 1, 4)
        for left in range(0, 96 - 36 + 1, 4)
    }
    assert sums[x, y] == pytest.approx(max(sums.values()))
    for panel, sr in zip(found.panels, made, strict=True):
        assert np.array_equal(panel.pixels, sr[y : y + 36, x : x + 36])
    hr = np.asarray(Image.open(tmp_path / "hr" / "000.png"))
    assert np.array_equal(found.hr, hr[y : y + 36, x : x + 36])
    # Every LR pixel is a square of 4 x 4, as in the HR images of this set.
    assert np.array_equal(found.lr, found.hr)
    assert (found.lr_name, found.image) == ("LR", "000")
    # The numbers are an evaluation's; LPIPS has no weights here, so the next metric that ranks is shown.
    ranks = protocols.protocol("rsr").rank
    metrics = ("psnr", next(name for name in ranks if name in found.panels[0].values))
    assert metrics[1] != "lpips"
    request = evaluation.EvaluationRequest(
        models=NETS, datasets=two_nets.datasets, metrics=metrics, store=tmp_path / "other"
    )
    records = [r for r in evaluation.run(evaluation.prepare(request)).records if r.image == "000"]
    assert [panel.values for panel in found.panels] == [r.metrics for r in records]
    assert not (tmp_path / "store").exists(), "the store of the leaderboards has got single images"
    again = gather.prepare_figure(two_nets)
    assert again.todo == []
    assert prepared.todo != []


def test_kept_images_are_taken_from_the_store(two_nets: gather.FigureRequest, tmp_path: Path) -> None:
    request = evaluation.EvaluationRequest(
        models=NETS,
        datasets=two_nets.datasets,
        attacks=("none", "random"),
        metrics=("psnr", *protocols.protocol("rsr").rank[1:]),
        keep_images=True,
        store=two_nets.store,
    )
    prepared = evaluation.prepare(request)
    evaluation.run(prepared)
    wanted = replace(
        two_nets, images=("001", "000"), crops=((0, 0, 8, 8), (40, 60, 20, 12)), attacks=("none", "random")
    )
    cell = next(c for c in prepared.plan if c.model.name == "bicubic" and not c.attack.hash)
    flat = np.full((96, 96, 3), 7, np.uint8)
    Image.fromarray(flat).save(kept.sr_file(tmp_path / "store", cell.path, "001"))
    found = gather.prepare_figure(wanted)
    assert found.todo == []
    rows = strips(found)
    assert [(r.attack, r.image, r.box) for r in rows] == [
        (attack, image, box)
        for attack in ("none", "random")
        for image in ("001", "000")
        for box in wanted.crops
    ]
    assert np.array_equal(rows[1].panels[0].pixels, flat[60:72, 40:60])
    # Random noise is the same for every model, so that it can be shown.
    attacked = rows[5]
    assert attacked.lr_name == "LR, random"
    assert not attacked.own_noise
    noisy = np.asarray(
        Image.open(
            kept.lr_file(tmp_path / "store", next(c for c in prepared.plan if c.attack.hash).path, "001")
        )
    )
    assert np.array_equal(attacked.lr, noisy.repeat(4, 0).repeat(4, 1)[60:72, 40:60])


def test_a_white_box_attack_shows_the_clean_lr(two_nets: gather.FigureRequest) -> None:
    _, (found,) = gathered(replace(two_nets, attacks=("ifgsm-choi@8",)))
    assert (found.lr_name, found.attack, found.own_noise) == ("LR, clean", "ifgsm-choi", True)
    assert np.array_equal(found.lr, found.hr)


def test_every_mini_model_is_in_the_figure_that_nobody_described() -> None:
    names = {ref.name for ref in zoo.resolve(gather.FigureRequest().models)}
    assert names == {"bicubic", *(name for name in zoo.names() if zoo.card(name).packaged)}
    assert len(names) == 8
