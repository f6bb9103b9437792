"""The reports of defences and certificates: each row beside what it is to be compared with."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import record

from srbench.boards.certified import certified
from srbench.boards.csv_records import read_csv
from srbench.boards.defences import defences
from srbench.boards.frame import frame
from srbench.store.record import Record
from srbench.zoo.defended import around

ROOT = Path(__file__).parents[1]
SIDE = 8  # of the LR of helpers.record


def write(folder: Path, records: list[Record]) -> Path:
    frame(records).to_csv(folder / "records.csv", index=False)
    return folder


def row(page: str, name: str, table: int = 0) -> dict[str, str]:
    """The cells of a model's row by the heading above them."""
    part = page.split(":\n\n| Model")[table + 1]
    head, _, *lines = ("| Model" + part).splitlines()
    line = next(line for line in lines if line.startswith(f"| {name} |"))
    titles, cells = ([cell.strip() for cell in each.strip("|").split("|")] for each in (head, line))
    return dict(zip(titles, cells, strict=True))


def made(model: str, attack: str, lpips: float, images: int = 12, **more: Any) -> list[Record]:
    noise = np.random.default_rng(len(model))
    return [
        record(
            model=model,
            dataset="clean-mini2",
            image=f"{image:02}",
            source=f"photograph {image}",
            attack=attack,
            attack_hash="" if attack == "none" else "a" * 64,
            metrics={"lpips": lpips + 0.01 * image + 0.001 * noise.standard_normal(), "psnr": 30 - lpips},
            **more,
        )
        for image in range(images)
    ]


@pytest.mark.parametrize(
    ("model", "inside"),
    [
        ("bicubic", "bicubic"),
        ("net(1).pth", "net(1).pth"),
        ("selfensemble(rsr-mini)", "rsr-mini"),
        ("jpeg(bits(rsr-mini,levels=5),quality=75)", "bits(rsr-mini,levels=5)"),
    ],
)
def test_a_defence_stands_around_one_model(model: str, inside: str) -> None:
    assert around(model) == inside


def test_a_defence_stands_below_its_model_with_what_it_changes(tmp_path: Path) -> None:
    smoothed = "mrs(net,sigma=0.05,n=16)"
    adapted = {"adapted": {"samples": 4, "straight_through": False}}
    records = [
        *made(smoothed, "none", 0.3, cost={"forwards": 16.0}),
        *made(smoothed, "rsr", 0.4, attack_settings=adapted),
        *made(smoothed, "strong", 0.5, attack_settings=adapted),
        *made(smoothed, "strong(adaptive=false)", 0.45),
        *made("other", "none", 0.1),
        *made("other", "rsr", 0.2),
        *made("net", "none", 0.2),
        *made("net", "rsr", 0.45),
        *made("net", "strong", 0.9),
    ]
    page = defences(write(tmp_path, records), {})
    order = [line.split(" |")[0] for line in page.splitlines() if line.startswith("| ")][2:]
    assert order == ["| net", f"| {smoothed}", "| other"]
    cells = row(page, smoothed)
    assert cells["Forwards"] == "16" and row(page, "net")["Forwards"] == "1"
    assert float(cells["LPIPS ↓ none"]) == pytest.approx(0.355, abs=0.002)
    change = cells["LPIPS ↓ strong, minus without the defence"]
    assert change.startswith("**") and change.endswith(")**")
    assert float(change.strip("*").split()[0]) == pytest.approx(-0.4, abs=0.002)
    clean = cells["LPIPS ↓ none, minus without the defence"].strip("*").split()[0]
    assert float(clean) == pytest.approx(0.1, abs=0.002)
    assert cells["PSNR ↑ strong"] == "29.50"
    assert float(cells["LPIPS ↓ strong(adaptive=false)"]) == pytest.approx(0.505, abs=0.002)
    bare = row(page, "net")
    assert bare["LPIPS ↓ strong, minus without the defence"] == "–"
    assert row(page, "other")["LPIPS ↓ strong"] == "–"
    assert "averaged over 4 outputs" in page


def test_what_was_attacked_on_fewer_images_has_a_table_of_its_own(tmp_path: Path) -> None:
    twice = "jpeg(bits(net,levels=5),quality=75)"
    records = [
        *(each for attack in ("none", "rsr") for each in made("net", attack, 0.2)),
        *(each for attack in ("none", "rsr") for each in made(twice, attack, 0.3)),
        *made("dear", "none", 0.1),
        *made("dear", "rsr", 0.4, images=2),
    ]
    page = defences(write(tmp_path, records), {})
    whole, few = page.split("Averaged over 2 images of clean-mini2")
    assert "Averaged over 12 images of clean-mini2" in whole and "dear" not in whole
    assert row(page, twice)["LPIPS ↓ rsr"] != "–", "a defence around a defence stands below the model"
    assert "| net" not in few and row(page, "dear", table=1)["PSNR ↑ none"] == "29.90"


def test_few_photographs_make_no_change_certain(tmp_path: Path) -> None:
    records = [
        each
        for model, shift in (("net", 0.0), ("selfensemble(net)", 0.3))
        for attack in ("none", "rsr")
        for each in made(model, attack, 0.2 + shift, images=4)
    ]
    page = defences(write(tmp_path, records), {})
    assert row(page, "selfensemble(net)")["LPIPS ↓ rsr, minus without the defence"].startswith("+0.3")


def test_a_certificate_stands_beside_the_attack_in_its_own_ball(tmp_path: Path) -> None:
    radii = (0.01, 0.03)

    def of(image: str, attack: str, psnr: float, settings: dict[str, Any] | None = None) -> Record:
        name = "mrs(net,sigma=0.1,n=60)"
        of_it = {"model": name, "image": image, "attack": attack, "metrics": {"psnr": psnr}}
        return record(**of_it, attack_settings=settings)

    records = []
    for place, image in enumerate("abc"):
        records.append(of(image, "none", 30.0 + place))
        for radius in radii:
            bound = {"kind": "Certificate", "radius": radius, "certificate": {"width": 100 * radius + place}}
            search = {"kind": "PGDL2", "norm": "l2", "eps": radius / math.sqrt(3 * SIDE * SIDE)}
            records.append(of(image, f"certified@{radius:g}", 20.0 - 100 * radius + place, bound))
            if image != "c":  # c's attack is not there yet: what has not all of it does not count
                records.append(of(image, f"search {radius:g}", 25.0 - 100 * radius + place, search))
    page = certified(write(tmp_path, records), {})
    lines = [line for line in page.splitlines() if line.startswith("| mrs")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [line[1:] for line in cells] == [
        ["0.01", "2", "1.5", "30.50", "24.50", "19.50", "–"],
        ["0.03", "2", "3.5", "30.50", "22.50", "17.50", "–"],
    ]


def test_guarantees_are_compared_with_the_weakest_on_the_images_that_both_have(tmp_path: Path) -> None:
    """The least is that of the models with the most images: a single hard image makes nothing weakest."""
    guaranteed = {"weak": (range(12), 16.0), "strong": (range(8), 18.5), "dear": (range(1), 10.0)}
    noise = np.random.default_rng(0)
    records = []
    for model, (images, level) in guaranteed.items():
        for image in images:
            of_it = {"model": f"mrs({model})", "image": f"{image:02}", "source": f"photograph {image}"}
            bound = {"kind": "Certificate", "radius": 0.01, "certificate": {"width": 30.0}}
            low = level + image + 0.1 * noise.standard_normal()
            records.append(record(**of_it, attack="none", metrics={"psnr": 30.0}))
            records.append(
                record(**of_it, attack="certified@0.01", metrics={"psnr": low}, attack_settings=bound)
            )
    page = certified(write(tmp_path, records), {})
    assert "guaranteed, minus that of mrs(weak) |" in page
    last = {line.split(" |")[0]: line.split("|")[-2].strip() for line in page.splitlines() if "| mrs" in line}
    assert last["| mrs(weak)"] == "–"
    strong, dear = last["| mrs(strong)"], last["| mrs(dear)"]
    assert strong.startswith("**+2.") and float(strong.strip("*").split()[0]) == pytest.approx(2.5, abs=0.15)
    assert dear.startswith("-6") and "(" not in dear, "one photograph has no interval"


def test_the_documentation_gives_the_figures_of_the_records() -> None:
    means: dict[str, list[float]] = {}
    for each in read_csv(ROOT / "leaderboards" / "defences" / "records.csv"):
        if each.dataset == "clean-mini2" and each.attack == "strong":
            means.setdefault(each.model, []).append(each.metrics["lpips"] or np.nan)
    lines = (ROOT / "docs" / "defences.md").read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| under `strong` |"))
    compared = 0
    for line in itertools.takewhile(lambda line: line.startswith("| "), lines[start + 2 :]):
        model, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if model != "forwards":
            around_it = [
                model,
                f"jpeg({model},quality=75)",
                f"mrs({model},sigma=0.05,n=8)",
                f"selfensemble({model})",
            ]
            assert cells == [f"{np.mean(means[name]):.3f}" for name in around_it]
            compared += len(cells)
    assert compared >= 12
