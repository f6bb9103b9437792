"""srbench from Python: what comes back is what the command line measures, and no record is ever mistaken."""

from __future__ import annotations

import html.parser
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import blurry_upscaler, record, write_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor, nn

import srbench
from srbench import evaluation as job
from srbench.attacks import StructuredPGD
from srbench.boards.compute import tables
from srbench.boards.csv_records import from_frame
from srbench.boards.frame import frame
from srbench.boards.notebook import Leaderboard
from srbench.errors import BadInput, RunFailed
from srbench.store.record import Record

FAST = ["psnr", "ssim"]


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    lr, hr = write_pairs(tmp_path / "images", 2)
    return f"pairs:{lr}:{hr}"


class Brighter(nn.Module):
    """Nearest neighbour x4, and something added that the state dict does not hold."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def forward(self, lr: Tensor) -> Tensor:
        return nn.functional.interpolate(lr, scale_factor=4) + self.by


def test_importing_srbench_imports_nothing_heavy() -> None:
    code = (
        "import sys, srbench; assert {'evaluate', 'leaderboard', 'attack'} <= set(dir(srbench));"
        "print(sorted({'torch', 'numpy', 'pandas', 'pydantic', 'typer', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = srbench.no_such_thing


def test_the_frame_is_what_the_main_job_measures(pairs: str, tmp_path: Path) -> None:
    ours = srbench.evaluate("bicubic", datasets=pairs, metrics=FAST, attacks=["none", "random"])
    request = job.EvaluationRequest(
        models=("bicubic",),
        datasets=(pairs,),
        metrics=tuple(FAST),
        attacks=("none", "random"),
        store=tmp_path / "other",
    )
    theirs = frame(job.run(job.prepare(request)).records)
    times = ["seconds", "created"]
    pd.testing.assert_frame_equal(ours.drop(columns=times), theirs.drop(columns=times))
    assert len(ours) == 4
    # A model with a name shares the command line's store.
    again = srbench.evaluate("bicubic", datasets=pairs, metrics=FAST, attacks="none")
    assert list(again["seconds"]) == list(ours.loc[ours["attack"] == "none", "seconds"])
    alone = srbench.evaluate("bicubic", datasets=pairs, metrics="psnr")
    assert "ssim" not in alone.columns
    assert list(alone["seconds"]) == list(again["seconds"])


def test_a_module_is_measured_as_it_is(pairs: str, tmp_path: Path, private_home: Path) -> None:
    net = blurry_upscaler()
    measured = srbench.evaluate({"mine": net}, datasets=pairs, metrics="psnr")
    for _, row in measured.iterrows():
        lr, hr = (
            np.asarray(Image.open(tmp_path / "images" / kind / f"{row['image']}{suffix}.png"))
            for kind, suffix in (("lr", "x4"), ("hr", ""))
        )
        with torch.no_grad():
            sr = net(torch.tensor(lr).permute(2, 0, 1)[None].float() / 255)[0].clamp(0, 1)
        pixels = (sr * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)
        inner = (slice(4, -4), slice(4, -4))
        expected = peak_signal_noise_ratio(hr[inner], pixels[inner], data_range=255)
        assert row["psnr"] == pytest.approx(expected, abs=1e-3)
    assert list(measured["model"].unique()) == ["mine"]
    assert len(measured["weights_sha256"][0]) == 64
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert not (private_home / "records").exists()


@settings(max_examples=5, deadline=None)
@given(by=st.floats(0.05, 0.4), key=st.sampled_from(["weight", "bias"]))
def test_changed_weights_are_measured_again(
    tmp_path_factory: pytest.TempPathFactory, by: float, key: str
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    lr, hr = write_pairs(folder, 1)
    net = nn.Sequential(nn.Upsample(scale_factor=4), nn.Conv2d(3, 3, 1))
    for parameter in net.parameters():
        nn.init.constant_(parameter, 0.1)  # random ones may give nothing but black, changed or not

    def psnr() -> float:
        found = srbench.evaluate(
            {"net": net}, datasets=f"pairs:{lr}:{hr}", metrics="psnr", store=folder / "s"
        )
        return float(found["psnr"].iloc[0])

    before = psnr()
    assert psnr() == before
    with torch.no_grad():
        net.state_dict()[f"1.{key}"].add_(by)
    after = psnr()
    assert after != before
    fresh = srbench.evaluate({"net": net}, datasets=f"pairs:{lr}:{hr}", metrics="psnr")
    assert after == fresh["psnr"].iloc[0]


def test_changed_code_is_measured_again_without_a_store(pairs: str, tmp_path: Path) -> None:
    """Brighter has no state at all, so nothing but a new measurement tells two of them apart."""
    first, second = (
        srbench.evaluate(Brighter(by), datasets=pairs, metrics="psnr")["psnr"].mean() for by in (0.0, 0.2)
    )
    assert first - second > 10
    kept = {"metrics": "psnr", "datasets": pairs, "store": tmp_path / "store"}
    assert srbench.evaluate(Brighter(0.0), **kept)["psnr"].mean() == first
    assert srbench.evaluate(Brighter(0.2), rerun="always", **kept)["psnr"].mean() == second


def test_names_lists_and_dicts(pairs: str, tmp_path: Path) -> None:
    settings = {"datasets": pairs, "metrics": "psnr", "limit": 1}
    mixed = srbench.evaluate(
        {"first": blurry_upscaler(), "cubic": "bicubic", "last": blurry_upscaler}, **settings
    )
    assert list(mixed["model"]) == ["first", "cubic", "last"]
    assert mixed["psnr"][0] == mixed["psnr"][2]
    assert list(srbench.evaluate([Brighter(0), "bicubic"], **settings)["model"]) == ["Brighter", "bicubic"]
    net = Brighter(0)
    assert len(srbench.evaluate([net, net, "bicubic", "bicubic"], **settings)) == 2
    renamed = srbench.evaluate({"cubic": "bicubic"}, **settings)
    assert renamed["psnr"][0] == srbench.evaluate("bicubic", **settings)["psnr"][0]


@pytest.mark.parametrize(
    ("models", "words"),
    [
        ([Brighter(0), Brighter(1)], "two different models would be called 'Brighter'"),
        ({"bicubic": Brighter(0)}, "a model of the zoo already"),
        ({"a b": Brighter(0)}, "'a b' cannot name a model"),
        ({"b/c": "bicubic"}, "'b/c' cannot name a model"),
        ({"several": "*mini"}, "'several' would be"),
        (lambda: Brighter(0), "'<lambda>' cannot name a model"),
        ("bicubik", "did you mean bicubic"),
        ([], "no model"),
        (7, "int is no model"),
        ({"flat": nn.Identity()}, r"expected \(1, 3, 32, 32\)"),
        ({"broken": lambda: 1 / 0}, "broken failed"),
    ],
)
def test_what_is_no_model_is_refused(models: Any, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        srbench.evaluate(models, datasets="clean-mini", metrics="psnr")


def test_what_is_not_as_asked_for_is_said(pairs: str) -> None:
    with pytest.warns(UserWarning, match="using ntire-mini"):
        srbench.evaluate("bicubic", datasets="ntire", metrics="psnr", limit=1)
    with pytest.warns(UserWarning, match="srbench metrics install niqe"):
        srbench.evaluate("bicubic", datasets=pairs, metrics=["psnr", "niqe"])

    class Picky(Brighter):
        def forward(self, lr: Tensor) -> Tensor:
            if lr.shape[-1] > 16:
                raise RuntimeError("too large for me")
            return super().forward(lr)

    with pytest.warns(UserWarning, match="too large for me"):
        found = srbench.evaluate(["bicubic", Picky(0)], datasets=pairs, metrics="psnr")
    assert set(found["model"]) == {"bicubic"}
    with pytest.warns(UserWarning), pytest.raises(RunFailed, match="too large for me"):
        srbench.evaluate(Picky(0), datasets=pairs, metrics="psnr")


words = st.text(st.characters(codec="utf-8", exclude_characters=":;", exclude_categories=("C",)), min_size=1)
numbers = st.floats(-1e6, 1e6)
measured = st.sampled_from(["psnr", "ssim", "lpips", "niqe"])


@st.composite
def any_record(draw: st.DrawFn) -> Record:
    values = draw(st.dictionaries(measured, st.none() | numbers, min_size=1))
    attack = draw(st.sampled_from(["", "a" * 64]))
    saved = {name: draw(st.none() | numbers) for name in values} if attack else {}
    if all(value is None for value in saved.values()):
        saved = {}
    return record(
        model=draw(words),
        image=draw(st.sampled_from(["001", "1.0", "nan", "a,b", 'q"', "<i>"])),
        metrics=values,
        notes={name: draw(words) for name, value in values.items() if value is None},
        attack=draw(words),
        attack_hash=attack,
        attack_settings={"eps": draw(st.floats(0, 1)), "note": draw(words)} if attack else None,
        effect=draw(st.dictionaries(st.sampled_from(["lr_psnr", "sr_psnr", "lr_max"]), numbers)),
        saved=saved,
        flags=draw(st.dictionaries(words, words, max_size=2)),
        tile=draw(st.none() | st.integers(16, 512)),
        seconds=draw(numbers),
        versions=draw(st.dictionaries(st.sampled_from(["srbench", "torch"]), words)),
        commit=draw(st.none() | words),
    )


@settings(max_examples=60, deadline=None)
@given(records=st.lists(any_record(), min_size=1, max_size=4))
def test_records_survive_the_frame(records: list[Record]) -> None:
    table = frame(records)
    table["a column of mine"] = 1
    assert from_frame(table) == records
    assert from_frame(table.iloc[::-1].reset_index(drop=True)) == records[::-1]


def test_a_frame_that_is_none_is_refused() -> None:
    table = frame([record()])
    with pytest.raises(BadInput, match="no column 'notes'"):
        srbench.leaderboard(table.drop(columns="notes"))
    with pytest.raises(BadInput, match="row 0 is not a record"):
        srbench.leaderboard(table.assign(psnr="high"))
    with pytest.raises(BadInput, match="no record"):
        srbench.leaderboard(table.iloc[:0])


@pytest.fixture
def some() -> list[Record]:
    generator = np.random.default_rng(0)
    return [
        record(
            model=model,
            dataset=dataset,
            dataset_hash=dataset * 64,
            image=str(image),
            dataset_images=3,
            metrics={"psnr": float(generator.uniform(20, 30)), "lpips": float(generator.uniform())},
        )
        for model in ("plain", "<script>alert(1)</script>", "a & b")
        for dataset in ("z", "a")
        for image in range(3)
    ]


def test_a_leaderboard_is_that_of_its_records(some: list[Record]) -> None:
    board = srbench.leaderboard(frame(some))
    assert board.tables == tables(some, dataset_order=["z", "a"])
    assert [column.dataset for column in board.tables[0].columns] == ["z", "a"]
    (only,) = srbench.leaderboard(frame(some), metrics="psnr").tables
    assert only.metrics == ["psnr"]
    flat = board.to_frame().set_index(["model", "dataset", "metric"])["value"]
    means = frame(some).groupby(["model", "dataset"])["lpips"].mean()
    for (model, dataset), mean in means.items():
        assert flat[model, dataset, "lpips"] == pytest.approx(mean, rel=1e-12)


class Cells(html.parser.HTMLParser):
    """The tags of a page, and the text of each table cell."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_data(self, data: str) -> None:
        if self.cells:
            self.cells[-1] += data.strip()


def test_it_shows_itself_and_escapes_names(some: list[Record]) -> None:
    board = Leaderboard(some)
    page = Cells()
    page.feed(board._repr_html_())
    assert set(page.tags) == {"table", "caption", "thead", "tbody", "tr", "th", "td", "b", "div"}
    assert page.tags.count("tr") == 1 + 3
    assert "b" in page.tags
    shown = repr(board)
    (table,) = board.tables
    for row in table.rows:
        assert row.label in page.cells
        assert row.label in shown
        for (name, _), mean in row.means.items():
            text = f"{mean.value:.{2 if name == 'psnr' else 4}f}"
            assert text in page.cells
            assert text in shown
    assert "| plain |" in board.to_markdown()


def test_attack_is_the_library_s(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    lr, hr = torch.rand(2, 3, 12, 12, generator=generator), torch.rand(2, 3, 48, 48, generator=generator)
    net = blurry_upscaler()
    ours = srbench.attack(net, lr, hr, preset="rsr", eps=6 / 255, objective="l1", steps=3)
    theirs = StructuredPGD(net, eps=6 / 255, steps=3, objective="l1")(lr, hr)
    assert torch.equal(ours, theirs)
    assert (ours - lr).abs().max() <= 6 / 255 + 1e-6
    assert not torch.equal(srbench.attack("bicubic", lr, preset="random"), lr)
    with pytest.raises(BadInput, match="an attack needs one"):
        srbench.attack("*mini", lr)
    with pytest.raises(BadInput, match="unknown attack"):
        srbench.attack(net, lr, preset="rsrr")
