"""Figures: what is in them is what the records and images say, and their bytes depend on nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import record, write_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from site_pages import synthetic
from typer.testing import CliRunner

from srbench import evaluation, protocols, zoo
from srbench.boards.csv_records import read_csv
from srbench.boards.frame import frame
from srbench.cli import app
from srbench.errors import BadInput, RunFailed
from srbench.figures import ablation, curves, gather, matrix, qualitative, style
from srbench.figures.strips import Panel, Strip, strips
from srbench.metrics import metric
from srbench.store import pictures as kept
from srbench.store.record import Record

BOARDS = Path(__file__).parents[1] / "leaderboards"
SETS = [("ntire-mini", "ntire", "a" * 64), ("aim-mini", "aim", "b" * 64)]
NETS = ("bicubic", "helpers:blurry_upscaler")


def made(**changes: object) -> list[Record]:
    return list(synthetic(SETS, ["i0", "i1", "i2"], **changes))  # type: ignore[arg-type]


def test_curves_are_the_means_of_the_records() -> None:
    records = made()
    found = {(c.model, c.attack): c for c in curves.plotted_curves(records, "lpips")}
    assert {attack for _, attack in found} == {curves.RANDOM_LABEL, "rsr", "jpeg"}
    table = frame(records)
    for (model, attack), curve in found.items():
        prefix = {curves.RANDOM_LABEL: "random", "rsr": "rsr"}.get(attack)
        names = {4.0: f"{prefix}@4", 14.0: prefix} if prefix else {1.0: "jpeg:1", 2.0: "jpeg:2"}
        assert [x for x, _ in curve.points] == [0.0, *names]
        assert curve.axis == ("linf" if prefix else "severity")
        for (_, mean), name in zip(curve.points, ["none", *names.values()], strict=True):
            rows = table[(table.model == model) & (table.attack == name)]
            assert mean.value == pytest.approx(rows.groupby("dataset").lpips.mean().mean())
            assert mean.low < mean.value < mean.high
    first = [c for c in found.values() if c.model == "bicubic" and c.axis == "linf"]
    assert first[0].attack == curves.RANDOM_LABEL


def test_a_point_on_other_images_is_left_out() -> None:
    records = made()
    lacking = [
        r
        for r in records
        if (r.model, r.attack, r.image, r.dataset) != ("bicubic", "rsr@4", "i1", "aim-mini")
    ]
    found = {(c.model, c.attack): [x for x, _ in c.points] for c in curves.plotted_curves(lacking, "psnr")}
    assert found["bicubic", "rsr"] == [0.0, 14.0]
    assert found["clean-net", "rsr"] == [0.0, 4.0, 14.0]
    assert found["bicubic", "random noise"] == [0.0, 4.0, 14.0]


def test_an_attack_on_one_set_is_compared_with_the_clean_input_of_that_set() -> None:
    records = [r for r in made() if r.attack == "none" or r.dataset == "aim-mini"]
    table = frame(records)
    clean = table[(table.attack == "none") & (table.dataset == "aim-mini")].groupby("model").psnr.mean()
    for curve in curves.plotted_curves(records, "psnr"):
        assert curve.points[0][1].value == pytest.approx(clean[curve.model])


def test_two_settings_of_one_attack_at_one_radius_are_no_curve() -> None:
    twin = [
        r.model_copy(update={"attack": "rsr@14.0", "attack_hash": "another"})
        for r in made()
        if r.attack == "rsr"
    ]
    found = {
        (c.model, c.attack): [x for x, _ in c.points] for c in curves.plotted_curves(made() + twin, "psnr")
    }
    assert found["bicubic", "rsr"] == [0.0, 4.0]


@settings(max_examples=3, deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_order_of_records_shows(random: object) -> None:
    records = made()
    shuffled = list(records)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert curves.plotted_curves(shuffled, "lpips") == curves.plotted_curves(records, "lpips")
    one, two = (matrix.matrix(r, "psnr") for r in (records, shuffled))
    assert (one.rows, one.columns, one.marks) == (two.rows, two.columns, two.marks)
    assert np.array_equal(one.values, two.values)


def test_the_matrix_is_the_pivot_of_the_committed_records() -> None:
    records = read_csv(BOARDS / "mini" / "records.csv")
    found = matrix.matrix(records, "lpips")
    assert found.columns == ["ntire", "aim"]
    assert found.rows == [
        "nothing learned",
        "clean (2 models)",
        "ntire (2 models)",
        "aim (2 models)",
        "adversarial",
        "blind",
    ]
    table = frame(r for r in records if not r.attack_hash)
    pivot = (
        table.groupby(["training_domain", "dataset_domain", "model"])
        .lpips.mean()
        .groupby(["training_domain", "dataset_domain"])
        .mean()
        .unstack()
    )
    rows = ["none", "clean", "ntire", "aim", "adversarial", "blind"]
    assert found.values == pytest.approx(pivot.loc[rows, found.columns].to_numpy())
    assert found.marks[2:5] == [
        ["in-domain", "out-of-domain"],
        ["out-of-domain", "in-domain"],
        ["generalist", "generalist"],
    ]
    attacked = matrix.matrix(records, "psnr", attack="strong", by="model")
    means = (
        frame(r for r in records if r.attack == "strong").groupby(["model", "dataset"]).psnr.mean().unstack()
    )
    assert attacked.values == pytest.approx(means.loc[attacked.rows, attacked.columns].to_numpy())


@pytest.mark.parametrize("name", ["lpips", "psnr"])
def test_arrows_of_turned_labels_point_where_they_should(name: str) -> None:
    """A label is turned by 90 degrees against the clock, and its arrow with it."""
    from matplotlib.text import Text

    ablated = read_csv(BOARDS / "ablation-mini" / "records.csv")
    turned = {"←": "↓", "→": "↑", "↓": "→", "↑": "←"}
    for figure in (
        curves.draw(made(models=2), name),
        matrix.draw(made(models=2), name),
        ablation.draw(ablated, ablation.suite_settings("ablation-mini"), name),
    ):
        labels = [label for label in figure.findobj(Text) if metric(name).title in label.get_text()]
        assert labels
        for label in labels:
            (arrow,) = (turned[sign] for sign in label.get_text() if sign in turned)
            assert (label.get_rotation(), arrow) == (90, metric(name).arrow)


def test_a_cell_that_was_not_measured_is_empty() -> None:
    records = [r for r in made(clean=True) if (r.model, r.dataset) != ("blind-net", "aim-mini")]
    found = matrix.matrix(records, "lpips")
    empty = [(found.rows[y], found.columns[x]) for y, x in np.argwhere(np.isnan(found.values)).tolist()]
    assert empty == [("blind", "aim")]
    matrix.draw(records)


def test_the_ablation_has_the_runs_that_differ_in_one_setting() -> None:
    records = read_csv(BOARDS / "ablation-mini" / "records.csv")
    found = ablation.factors(records, "lpips", ablation.suite_settings("ablation-mini"))
    # Table 1 of the paper: its first row, and what the others change of it.
    assert {f.name: f.values for f in found} == {
        "eps": (10, 12, 14, 16, 18),
        "steps": (2, 4, 6, 8),
        "structure": (1, 1.5, 2),
        "loss": ("l1", "l1+percep", "percep"),
    }
    assert {f.name: f.values[f.base] for f in found} == {
        "eps": 14,
        "steps": 2,
        "structure": 1.5,
        "loss": "l1+percep",
    }
    means = frame(records).groupby(["model", "dataset"]).lpips.mean()
    eps = found[0]
    for place, value in enumerate(eps.values):
        model = f"eps{value:g}-steps2-structure1.5-l1-percep"
        for dataset in ("ntire-mini", "aim-mini"):
            assert eps.lines[dataset][place].value == pytest.approx(means[model, dataset])
        assert eps.lines[ablation.AVERAGE][place].value == pytest.approx(means[model].mean())
    assert len({f.lines[ablation.AVERAGE][f.base] for f in found}) == 1
    assert ablation.factors(records[::-1], "lpips", ablation.suite_settings("ablation-mini")) == found


def strip(**changes: object) -> Strip:
    generator = np.random.default_rng(0)

    def pixels(side: int) -> np.ndarray:
        return generator.integers(100, 156, (side, side, 3), dtype=np.uint8)

    panels = [
        Panel("bicubic", pixels(32), "", {"psnr": 25.0, "lpips": 0.5}),
        Panel("of ntire", pixels(32), "in-domain", {"psnr": 26.004, "lpips": 0.2}),
        Panel("of aim", pixels(32), "out-of-domain", {"psnr": 26.0, "lpips": None}),
        Panel("<script> $x_1$ \\alpha", pixels(32), "generalist", {"psnr": 24.0, "lpips": 0.1}),
    ]
    fields = {
        "dataset": "ntire-mini",
        "image": "a",
        "attack": "none",
        "whole": pixels(96),
        "box": (8, 16, 32, 32),
        "lr": pixels(32),
        "lr_name": "LR",
        "own_noise": False,
        "panels": panels,
        "hr": pixels(32),
    }
    return Strip(**(fields | changes))  # type: ignore[arg-type]


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


def drawn(folder: Path, records: list[Record]) -> None:
    """One figure of each kind that has a layout of its own."""
    style.write(curves.draw(records), folder / "curves", dpi=80)
    style.write(matrix.draw(records), folder / "matrix.png", dpi=80)
    style.write(qualitative.draw([strip()]), folder / "qualitative.pdf", dpi=80)


ELSEWHERE = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import matplotlib
kept = [key for key in matplotlib.rcParams if key != "backend"]  # asking for it imports pyplot
before = [matplotlib.rcParams[key] for key in kept]
from site_pages import synthetic
from srbench.figures import curves, matrix, qualitative, style
with style.style():
    style.write(style.figure(1, 1), Path(sys.argv[1]) / "empty")
assert "matplotlib.pyplot" not in sys.modules
assert [matplotlib.rcParams[key] for key in kept] == before
from test_figures import drawn, made
drawn(Path(sys.argv[1]), made(models=2)[::-1])
"""


def test_equal_records_give_equal_bytes_in_any_process(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    drawn(here, made(models=2))
    command = [sys.executable, "-c", ELSEWHERE, str(there), str(Path(__file__).parent)]
    # A date or an order of a set that shows in a file would differ.
    subprocess.run(command, check=True, env=os.environ | {"PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1"})
    files = sorted(file.name for file in here.iterdir())
    assert files == sorted(
        f"{n}.{kind}" for n in ("curves", "matrix", "qualitative") for kind in ("pdf", "png")
    )
    for name in files:
        content = (here / name).read_bytes()
        assert content == (there / name).read_bytes(), name
        if name.endswith(".pdf"):
            assert b"/FontFile2" in content
            assert b"/Type3" not in content
            assert not re.search(rb"/(CreationDate|ModDate|Creator|Producer)", content)
        else:
            assert Image.open(here / name).info.keys() <= {"dpi"}


def test_no_two_of_seventy_lines_look_alike() -> None:
    assert len({tuple(style.line(n).values()) for n in range(70)}) == 70


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
    assert len(names) == 9


def run(*arguments: str) -> list[str]:
    done = CliRunner().invoke(app, ["figure", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_the_command_makes_the_figure_on_a_fresh_machine(tmp_path: Path) -> None:
    file = tmp_path / "new" / "fig.1.png"
    printed = run(
        "qualitative",
        "--models",
        "bicubic,rsr-mini",
        "--crop",
        "96,64,64,64",
        "--dpi",
        "100",
        "--out",
        str(file),
    )
    assert [Path(line).name for line in printed] == ["fig.1.png", "fig.1.pdf"]
    width, height = Image.open(file).size
    assert (width, height > 200) == (pytest.approx(style.PAGE * 100, abs=1), True)
    assert file.with_suffix(".pdf").read_bytes().startswith(b"%PDF")
    assert [p.name for p in file.parent.iterdir()] in (["fig.1.png", "fig.1.pdf"], ["fig.1.pdf", "fig.1.png"])


def test_figures_of_records_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "records.csv"
    frame(made()).to_csv(file, index=False)
    for arguments in (
        ["curves", "--attacks", "rsr*", "--models", "clean-*,bicubic"],
        ["matrix", "--metric", "psnr", "--attack", "rsr", "--by", "model"],
        ["ablation", "--records", str(BOARDS / "ablation-mini" / "records.csv")],
    ):
        where = [] if "--records" in arguments else ["--records", str(file)]
        printed = run(*arguments, *where, "--out", str(tmp_path / arguments[0]))
        assert [Path(line).suffix for line in printed] == [".png", ".pdf"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qualitative", "--crop", "1,2,3"], "such as 64,64,96,96"),
        (["qualitative", "--crop", "200,200,96,96"], "256 x 256 HR pixels"),
        (["qualitative", "--crop", "-4,0,96,96"], "no part of"),
        (["qualitative", "--image", "astronaut"], "no such image; ntire-mini has astronaut-0-0"),
        (["qualitative", "--models", "bicubik"], "bicubic"),
        (["qualitative", "--dataset", "ntir"], "ntire"),
        (["qualitative", "--attack", "rsx"], "rsx"),
        (["qualitative", "--out", "a.svg"], "PNG and PDF"),
        (["curves", "--records", str(BOARDS / "classical" / "records.csv")], "no record is of an attack"),
        (["curves", "--records", "none.csv"], "none.csv"),
        (["curves", "--store", "nowhere"], "srbench evaluate"),
        (["matrix", "--records", str(BOARDS / "classical" / "records.csv"), "--metric", "lpips"], "lpips"),
        (
            ["matrix", "--records", str(BOARDS / "mini" / "records.csv"), "--attack", "rsrr"],
            "did you mean rsr",
        ),
        (["ablation", "--records", str(BOARDS / "mini" / "records.csv")], "make ablation"),
        (["ablation", "--suite", "x", "--records", str(BOARDS / "mini" / "records.csv")], "ablation-mini"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_line(arguments: list[str], words: str) -> None:
    with pytest.raises(BadInput, match=re.escape(words)) as caught:
        run(*arguments)
    assert "\n" not in str(caught.value)


def test_records_of_two_protocols_are_not_mixed() -> None:
    records = [*made(clean=True), record(protocol="y", protocol_hash="y" * 64)]
    with pytest.raises(BadInput, match=r"rsr \(pppppppp\), y \(yyyyyyyy\): choose one with --protocol"):
        matrix.draw(records)
    assert matrix.draw(records, "ssim"), "only one of the protocols has it"


def test_a_figure_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RunFailed, match="name another --out"):
        style.write(style.figure(1, 1), tmp_path / "file" / "a")
