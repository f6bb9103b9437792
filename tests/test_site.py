"""The page's data against the leaderboards it is made of."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from helpers import inside, record
from site_pages import attacks, synthetic

from srbench import evaluation, zoo
from srbench.boards.compute import tables
from srbench.boards.site import facts
from srbench.boards.site.build import read_store
from srbench.boards.site.data import site
from srbench.boards.site.reported import read_reported
from srbench.boards.site.reproduce import reproducing_command
from srbench.metrics import metric
from srbench.store.record import Record

ROOT = Path(__file__).resolve().parents[1]
SETS = [("one", "clean", "a" * 64), ("two", "ntire", "b" * 64)]
IMAGES = ["i0", "i1", "i2", "i3"]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return list(synthetic(SETS, IMAGES))


def test_every_mean_and_interval_is_the_leaderboards(records: list[Record]) -> None:
    (table,) = tables(records)
    (board,) = site(records).page["boards"]
    assert [row["label"] for row in board["rows"]] == [row.label for row in table.rows]
    assert len(board["columns"]) == 2 * len(attacks())
    compared = 0
    for name in table.metrics:
        for index, row in enumerate(table.rows):
            means = [row.means[name, column] for column in table.columns]
            averages = [row.average[name, attack] for attack in table.attacks]
            shown = board["means"][name][index] + board["average"][name][index]
            for mean, (value, low, high, n, of) in zip(means + averages, shown, strict=True):
                assert (value, low, high) == pytest.approx(
                    (mean.value, mean.low, mean.high), abs=10.0 ** -(metric(name).decimals + 1)
                )
                assert (n, of) == (mean.n, mean.of)
                compared += 1
    assert compared == 3 * 3 * (2 * len(attacks()) + len(attacks()))


@pytest.mark.parametrize(("attack", "dataset"), [("none", None), ("rsr", None), ("rsr@4", "two")])
def test_every_view_is_ranked_as_a_leaderboard_of_its_own(
    records: list[Record], attack: str, dataset: str | None
) -> None:
    members = [r for r in records if r.attack == attack and dataset in (None, r.dataset)]
    (board,) = site(records).page["boards"]
    view = str([a["name"] for a in board["attacks"]].index(attack))
    if dataset:
        view += f"/{[d['name'] for d in board['datasets']].index(dataset)}"
    for name in ("psnr", "lpips"):
        (alone,) = tables(members, metrics=[name])
        expected = {row.label: row.rank for row in alone.rows}
        shown = zip(board["rows"], board["ranks"][name][view], strict=True)
        assert {row["label"]: rank[0] for row, rank in shown} == expected
    low = board["ranks"]["lpips"][view][0]
    assert low[0] == 1
    if len(low) == 3:
        assert low[1] <= low[0] <= low[2]


def test_gap_is_out_of_domain_minus_in_domain(records: list[Record]) -> None:
    (table,) = tables(records)
    (board,) = site(records).page["boards"]
    place = {row.label: index for index, row in enumerate(table.rows)}
    row = table.rows[place["clean-net"]]
    one, two = (row.means["lpips", column].value for column in table.columns_of("none"))
    assert board["gap"]["lpips"][place["clean-net"]][0] == pytest.approx(two - one, abs=1e-5)
    assert board["gap"]["lpips"][place["blind-net"]][0] is None
    assert board["gap"]["lpips"][place["bicubic"]][0] is None


def test_single_images_are_whole_numbers_of_the_shown_digits(records: list[Record]) -> None:
    chosen = record(dataset_images=2, metrics={"psnr": 23.456, "lpips": 0.12345}, image="a")
    undefined = record(
        dataset_images=2, metrics={"psnr": None, "lpips": 0.5}, notes={"psnr": "none"}, image="b"
    )
    made = site([chosen, undefined])
    (chunk,) = made.chunks.values()
    assert chunk["images"] == ["a", "b"]
    assert chunk["rows"]["0"]["values"] == {"psnr": [2346, None], "lpips": [1234, 5000]}
    assert chunk["rows"]["0"]["notes"] == ["psnr: none"]
    assert made.page["boards"][0]["columns"][0]["chunk"] in made.chunks


def test_provenance_names_everything_that_could_move_a_number(records: list[Record]) -> None:
    made = site(records)
    (board,) = made.page["boards"]
    index = next(i for i, c in enumerate(board["columns"]) if board["attacks"][c["attack"]]["name"] == "rsr")
    chunk = made.chunks[board["columns"][index]["chunk"]]
    flagged = next(i for i, row in enumerate(board["rows"]) if row["label"] == "clean-net")
    cell = chunk["rows"][str(flagged)]
    assert cell["settings"]["eps"] == pytest.approx(14 / 255)
    assert cell["flags"] == {"inside the ball": [f"{image}: 1 value" for image in IMAGES]}
    assert [flagged, index, 4] in board["flagged"]
    assert chunk["software"] == [{"versions": {"srbench": "0"}, "commit": None, "device": "cpu"}]
    assert "--attacks rsr" in cell["command"]


def test_lines_of_the_curves(records: list[Record]) -> None:
    (board,) = site(records).page["boards"]
    found = {a["name"]: (a["group"], a["line"], a["at"]) for a in board["attacks"]}
    assert found["none"] == ("clean", "", 0)
    assert found["random@4"] == ("random", "random", 4)
    assert found["rsr"] == ("attack", "rsr", 14)
    assert found["jpeg:2"] == ("corruption", "jpeg", 2)
    transfer = record(
        attack="rsr@8(steps=4) from esrgan", attack_hash="x", attack_settings={"eps": 8 / 255, "source": {}}
    )
    assert facts.attack_facts(transfer)["line"] == "rsr(steps=4) from esrgan"
    assert facts.attack_facts(transfer)["group"] == "transfer"


def test_cost_is_the_records_or_else_the_cards() -> None:
    rows = [record(model="realesrgan-general", seconds=s, image=i) for s, i in ((0.1, "a"), (0.3, "b"))]
    counted = {"parameters": 7.0, "macs_per_lr_pixel": 5.5, "peak_mib": 1.25}
    (board,) = site([*rows, record(model="mine"), record(model="yours", cost=counted)]).page["boards"]
    costs = {row["model"]: row["cost"] for row in board["rows"]}
    card = zoo.card("realesrgan-general").architecture
    assert costs["realesrgan-general"] == {"seconds": pytest.approx(0.2)} | {
        name: card[name] for name in counted
    }
    assert costs["mine"] == {"seconds": 0.1}
    assert costs["yours"] == {"seconds": 0.1} | counted


EVALUATE, METRICS = "srbench evaluate --models", "--metrics psnr,lpips"
PAIRS = "--datasets pairs:LR_DIR:HR_DIR"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, f"{EVALUATE} bicubic --datasets set5 {METRICS} --limit 1"),
        (
            {"attack": "rsr@8"},
            f"{EVALUATE} bicubic --datasets set5 --attacks rsr@8 {METRICS} --limit 1",
        ),
        (
            {"attack": "rsr@8(steps=4,alpha=2/255)"},
            "srbench attack bicubic --preset rsr --eps 8 --steps 4 --alpha 2/255 --dataset set5 --limit 1",
        ),
        (
            {"attack": "strong from esrgan"},
            "srbench attack esrgan --preset strong --transfer-to bicubic --dataset set5 --limit 1",
        ),
        (
            {"attack": "jpeg:3", "precision": "bf16", "tile": 64},
            f"{EVALUATE} bicubic --datasets set5 --attacks jpeg:3 {METRICS} "
            "--precision bf16 --tile 64 --halo 16 --limit 1",
        ),
        ({"attack": "rsr(momentum=0.5)"}, ""),
        ({"model": "mine", "dataset": "HR@12345678"}, f"{EVALUATE} MODEL {PAIRS} {METRICS} --limit 1"),
    ],
)
def test_the_command_that_measures_it_again(changes: dict[str, object], expected: str) -> None:
    attack_hash = "x" if "attack" in changes else ""
    found = reproducing_command([record(**({"dataset": "set5", "attack_hash": attack_hash} | changes))])
    assert found.text == expected
    assert bool(found.remarks) == (not expected or "MODEL" in expected)


@pytest.mark.slow
def test_the_command_gives_the_same_numbers(tmp_path: Path) -> None:
    request = evaluation.EvaluationRequest(
        models=("bicubic",), datasets=("clean-mini",), attacks=("random@4",), metrics=("psnr",), limit=2
    )
    records = evaluation.run(evaluation.prepare(replace(request, store=tmp_path / "a"))).records
    again = reproducing_command(records).text
    assert again.startswith("srbench evaluate --models bicubic --datasets clean-mini --attacks random@4")
    second = inside(*shlex.split(again)[1:], "--store", str(tmp_path / "b"))
    assert second.returncode == 0, second.stderr
    repeated, _ = read_store(tmp_path / "b")
    assert [(r.image, r.metrics) for r in repeated] == [(r.image, r.metrics) for r in records]


def test_reported_stands_beside_measured_for_the_same_set_only() -> None:
    paper = read_reported(ROOT / "leaderboards" / "paper.json")
    found = [
        record(dataset="ntire", dataset_images=1, metrics={"psnr": 25.0, "lpips": 0.6}),
        record(dataset="ntire-mini", dataset_hash="e" * 64, dataset_domain="ntire", dataset_images=1),
        record(model="impressionism-aim", training_domain="aim", dataset="ntire", dataset_images=1),
    ]  # fmt: skip
    compared = facts.compare(tables(found), paper)
    rows = {(row["method"], row["metric"]): (row["reported"], row["measured"]) for row in compared["rows"]}
    assert rows["Bicubic", "psnr"] == (25.51, 25.0)
    assert rows["Impressionism", "lpips"] == (0.67, 0.5)
    assert len(compared["rows"]) == 4
    assert compared["published"] == 9 * 3 * 2
