"""The report of the second experiment: who is compared with whom, in whose words, and what is said of it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from helpers import record

from srbench.boards.experiment import FAMILIES, FORMER, OTHERS, experiment, gain_and_cost
from srbench.boards.frame import frame
from srbench.store.record import Record

SETS = [name for family in FAMILIES for name in (*family.unseen, family.clean)]
BOARDS = Path(__file__).parents[1] / "leaderboards"
SHIFT = {"rsr-mini": 0.0, "esrgan-mini": 0.1, "impressionism-ntire-mini": 0.002, "net": -0.1, "bicubic": 0.3}


SEEDS = [(f"{method}-seed{seed}", method) for method in ("rsr-mini", "esrgan-mini") for seed in range(3)]


def made(model: str, shift: float, *, attack: str = "none", seed: int = 0, **metrics: float) -> list[Record]:
    """Records of a model on twelve photographs of every set, its LPIPS shifted by so much."""
    noise = np.random.default_rng(seed)
    return [
        record(
            model=model,
            training_domain="adversarial" if model.startswith("rsr") else "clean",
            dataset=dataset,
            dataset_hash=f"{SETS.index(dataset)}" * 64,
            image=f"{image:02}",
            attack=attack,
            attack_hash="" if attack == "none" else "a" * 64,
            metrics={
                "lpips": 0.3 + shift + 0.01 * image + 0.005 * noise.standard_normal(),
                "psnr": 25 - 10 * shift,
                **metrics,
            },
        ).model_copy(update={"source": f"photograph {image}"})
        for dataset in SETS
        for image in range(12)
    ]


def write(folder: Path, records: Mapping[str, list[Record]], trainings: list[tuple[str, str]]) -> Path:
    for name, rows in records.items():
        (folder / name).mkdir(parents=True)
        frame(rows).to_csv(folder / name / "records.csv", index=False)
    with (folder / "mini" / "training.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([("model", "method"), *trainings])
    return folder / "mini"


@pytest.fixture
def page(tmp_path: Path) -> str:
    trainings = [
        (f"{method}-seed{seed}", method) for method in ("rsr-mini", "esrgan-mini") for seed in range(3)
    ]
    trainings.append(("impressionism-ntire-mini", "impressionism-ntire-mini"))
    own = [
        each
        for number, (model, method) in enumerate(trainings)
        for each in made(model, SHIFT[method] + 0.002 * (number % 3), seed=number)
    ]
    # Seven photographs are attacked, and of the trainings of esrgan-mini a single one.
    attacked = [f"rsr-mini-seed{seed}" for seed in range(3)] + ["esrgan-mini-seed0"]
    own += [r for model in attacked for r in made(model, 0.2, attack="rsr") if r.image < "07"]
    own += made("bicubic", SHIFT["bicubic"])
    # Of what came with srbench before, by the name of a method or by one of its own, nothing is taken.
    other = made("net", SHIFT["net"], seed=9) + made("rsr-mini", -0.3) + made("dropped-mini", -0.3)
    (tmp_path / FORMER).mkdir()
    (tmp_path / FORMER / "training.csv").write_text("model,minutes\nrsr-mini,9\ndropped-mini,9\n")
    return experiment(write(tmp_path, {"mini": own, OTHERS[0]: other}, trainings), {})


def cells(page: str, method: str, table: int) -> list[str]:
    found = [line for line in page.splitlines() if line.startswith(f"| {method} |")]
    return [cell.strip() for cell in found[table].strip("|").split("|")]


def test_methods_are_one_row_over_their_trainings(page: str) -> None:
    robust = cells(page, "rsr-mini", 0)
    assert robust[1:3] == ["adversarial", "3"]
    assert float(robust[3]) == pytest.approx(0.3 + 0.002 + 0.055, abs=0.003)
    assert "dropped-mini" not in page
    least, most = robust[-1].split(" to ")
    assert float(most) - float(least) == pytest.approx(0.004, abs=0.002)
    assert cells(page, "net", 0)[2] == "1" and cells(page, "net", 0)[-1] == "–"
    order = [line.split(" |")[0].removeprefix("| ") for line in page.splitlines() if " | 0." in line][:5]
    assert order == ["net", "rsr-mini", "impressionism-ntire-mini", "esrgan-mini", "bicubic"]


def test_the_claim_is_judged_by_sure_differences(page: str) -> None:
    said = next(line for line in page.splitlines() if line.startswith("- LPIPS: "))
    assert "rsr-mini is number 2 of 5 on bsd100-ntire-like and number 2 of 5 on bsd100-aim-like" in said
    assert "certainly better than 2 of 4, certainly worse than net" in said
    claims = page.split("## The claim")[1]
    assert cells(claims, "esrgan-mini", 0)[1].startswith("**-0.09")
    assert not cells(claims, "impressionism-ntire-mini", 0)[1].startswith("**")
    assert "LPIPS-VGG" not in page  # no record has it


def test_the_cost_stands_beside_bicubic_and_attacks_beside_none(page: str) -> None:
    cost = page.split("## The gain, and what it costs")[1]
    assert cells(cost, "bicubic", 0)[2] == "22.00 (+0.00)"
    assert cells(cost, "esrgan-mini", 0)[2] == "23.98 (+1.98)"
    # The gain is that of the first table.
    assert cells(cost, "esrgan-mini", 0)[1] == cells(page, "esrgan-mini", 0)[6]
    attacked = page.split("## Under attack")[1]
    assert attacked.count("Averaged over 7 images of ") == len(SETS)
    # Without attack too on the attacked images alone: 0.3 + 0.002 + the mean of 0.01 times 0 to 6.
    assert cells(attacked, "rsr-mini", 0)[1] == "3"
    none, rsr = (float(cell) for cell in cells(attacked, "rsr-mini", 0)[2:4])
    assert none == pytest.approx(0.332, abs=0.003) and rsr == pytest.approx(0.53, abs=0.003)
    # Of the one training that was attacked, without attack too: its number among the trainings is 3.
    assert cells(attacked, "esrgan-mini", 0)[1] == "1" and "| net |" not in attacked
    none = float(cells(attacked, "esrgan-mini", 0)[2])
    assert none == pytest.approx(0.3 + SHIFT["esrgan-mini"] + 0.03, abs=0.003)


def test_attacks_stand_beside_what_was_made_on_the_same_images(tmp_path: Path) -> None:
    """Of four images under a strong attack the weak one is shown too; who has fewer of them is left out."""
    trainings = [("rsr-mini", "rsr-mini"), ("esrgan-mini", "esrgan-mini")]
    own = [each for model, _ in trainings for each in made(model, SHIFT[model])]
    for attack, shift, most in (("rsr", 0.2, "06"), ("strong", 0.4, "04")):
        attacked = [r for model, _ in trainings for r in made(model, shift, attack=attack) if r.image < most]
        own += [record for record in attacked if record.dataset == "clean-mini2"]
    own = [r for r in own if (r.model, r.attack, r.image) != ("esrgan-mini", "rsr", "05")]
    page = experiment(write(tmp_path, {"mini": own}, trainings), {})
    six, five, four = page.split("## Under attack")[1].split("Averaged over ")[1:]
    assert six.startswith("6 images of clean-mini2:") and "strong" not in six and "esrgan" not in six
    assert five.startswith("5 images of clean-mini2:") and "strong" not in five and "| esrgan-mini |" in five
    assert four.startswith("4 images of clean-mini2:")
    assert "| Method | Trainings | LPIPS ↓ none | LPIPS ↓ rsr | LPIPS ↓ strong | PSNR ↑ none |" in four
    robust = [float(cell) for cell in cells(four, "rsr-mini", 0)[2:5]]
    assert robust == pytest.approx([0.315, 0.515, 0.715], abs=0.006)


def test_what_the_attack_adds_to_blind_training_is_a_difference_with_an_interval(tmp_path: Path) -> None:
    shifts = {"blind-mini": 0.02, "blind-adversarial-mini": -0.05, "rsr-mini": 0.0}
    trainings = [(f"{method}-seed{seed}", method) for method in shifts for seed in range(3)]
    own = [
        each
        for number, (model, method) in enumerate(trainings)
        for attack, more in (("none", 0.0), ("strong", 0.4))
        for each in made(model, shifts[method] + more, attack=attack, seed=number)
    ]
    folder = write(tmp_path, {"mini": own}, trainings)
    said = experiment(folder, {}).split("## What the attack adds to blind training")[1]
    over = cells(said, "bsd100-ntire-like and bsd100-aim-like", 0)
    assert [float(cell) for cell in over[1:4]] == pytest.approx([0.375, 0.305, 0.355], abs=0.005)
    assert over[4].startswith("**-0.07") and over[5].startswith("**+0.02") and over[6].startswith("**-0.05")
    assert cells(said, "strong, 12 images of clean-mini2", 0)[4].startswith("**-0.0")
    assert "## What the attack adds" not in experiment(
        write(tmp_path / "other", {"mini": own}, [each for each in trainings if "blind" not in each[1]]), {}
    )


def test_seeds_that_disagree_are_not_certain(tmp_path: Path) -> None:
    trainings = [
        (f"{method}-seed{seed}", method) for method in ("rsr-mini", "esrgan-mini") for seed in range(3)
    ]
    shifts = [0.0, 0.05, 0.1, 0.02, 0.08, 0.13]
    own = [
        each
        for number, ((model, _), shift) in enumerate(zip(trainings, shifts, strict=True))
        for each in made(model, shift, seed=number)
    ]
    folder = write(tmp_path, {"mini": own}, trainings)
    page = experiment(folder, {})
    assert "certainly better than 0 of 1." in page
    assert gain_and_cost(folder) in page


def test_readmes_table_has_who_was_measured_whole(tmp_path: Path) -> None:
    own = made("rsr-mini", 0.0) + made("esrgan-mini", 0.1, **{"block-mse": 20.0})
    folder = write(tmp_path, {"mini": own}, [("rsr-mini", "rsr-mini"), ("esrgan-mini", "esrgan-mini")])
    table = gain_and_cost(folder)
    assert "| esrgan-mini |" in table and "rsr-mini" not in table
    assert "| rsr-mini |" in experiment(folder, {}).split("## The gain, and what it costs")[1]


def test_readme_has_the_cost_beside_the_gain() -> None:
    readme = (BOARDS.parent / "README.md").read_text(encoding="utf-8")
    assert gain_and_cost(BOARDS / "mini") in readme


def test_what_is_known_elsewhere_of_a_trainings_weights_is_of_that_training(tmp_path: Path) -> None:
    """A shipped model's attacks count for the run it came of; its clean input is counted once."""

    def of(weights: str, each: list[Record]) -> list[Record]:
        return [r.model_copy(update={"weights_sha256": weights * 64}) for r in each]

    trainings = [("rsr-mini-seed0", "rsr-mini"), ("rsr-mini-seed1", "rsr-mini")]
    own = of("a", made("rsr-mini-seed0", 0.0)) + of("b", made("rsr-mini-seed1", 0.1))
    shipped = of("b", made("rsr-mini", 0.1) + made("rsr-mini", 0.4, attack="strong"))
    former = of("c", made("rsr-mini", -0.3) + made("rsr-mini", -0.3, attack="strong"))
    page = experiment(write(tmp_path, {"mini": own, OTHERS[0]: shipped + former}, trainings), {})
    assert float(cells(page, "rsr-mini", 0)[3]) == pytest.approx(0.405, abs=0.003)
    row = cells(page.split("## Under attack")[1], "rsr-mini", 0)
    assert row[1] == "1"
    assert [float(cell) for cell in row[2:4]] == pytest.approx([0.455, 0.755], abs=0.003)
