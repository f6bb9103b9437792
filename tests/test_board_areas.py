"""Areas under robustness curves: by hand, what their intervals say, and where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from helpers import record

from srbench.boards import text
from srbench.boards.compute import tables
from srbench.boards.files import as_json, markdown
from srbench.boards.site.data import site
from srbench.store.record import Record

LEVELS = (2, 8, 14)
IMAGES = [f"photograph-{n}" for n in range(8)]


@pytest.fixture
def records() -> list[Record]:
    """Two models and bicubic, two sets, clean and under an attack and noise at three radii."""
    made = []
    rng = np.random.default_rng(0)
    for model, slope in (("bicubic", 0.01), ("brittle", 0.04), ("steady", 0.005)):
        for dataset in ("one", "two"):
            for place, image in enumerate(IMAGES):
                for attack in ("none", "rsr", "random"):
                    for level in LEVELS if attack != "none" else (0,):
                        fall = slope * level * (0.5 if attack == "random" else 1)
                        value = 0.2 + 0.01 * place + fall + 0.002 * rng.random()
                        made.append(one(model, dataset, image, attack, level, value))
    return made


def one(model: str, dataset: str, image: str, attack: str, level: int, value: float) -> Record:
    kind = {"rsr": "StructuredPGD", "random": "RandomNoise"}.get(attack)
    settings = {"kind": kind, "eps": level / 255, "parts": [], "note": str(level)}
    return record(
        model=model,
        model_title=model,
        weights_sha256=model,
        dataset=dataset,
        dataset_hash=dataset,
        dataset_images=len(IMAGES),
        image=image,
        source=image,
        attack=attack if attack == "none" or level == 14 else f"{attack}@{level}",
        attack_hash="" if attack == "none" else f"{attack} {level}",
        attack_settings=None if attack == "none" else settings,
        metrics={"lpips": value},
        metric_settings={},
        flags={},
    )


def by_hand(records: list[Record], model: str, attack: str, images: list[str] = IMAGES) -> float:
    """The mean of the trapezoids of each set."""
    areas = []
    for dataset in ("one", "two"):
        ys = [
            np.mean(
                [
                    r.metrics["lpips"]
                    for r in records
                    if (r.model, r.dataset) == (model, dataset)
                    and r.image in images
                    and r.attack.split("@")[0] == (attack if level else "none")
                    and (r.attack_settings or {"eps": 0})["eps"] == level / 255
                ]
            )
            for level in (0, *LEVELS)
        ]
        areas.append(
            sum((b - a) * (p + q) / 2 for a, b, p, q in zip((0, 2, 8), LEVELS, ys[:3], ys[1:], strict=True))
            / 14
        )
    return float(np.mean(areas))


def test_areas_are_trapezoids_and_ratios_of_them(records: list[Record]) -> None:
    (table,) = tables(records)
    found = {area.row[0]: area for area in table.areas}
    assert set(found) == {"bicubic", "brittle", "steady"} and len(table.areas) == 3
    for model, area in found.items():
        own, noise = by_hand(records, model, "rsr"), by_hand(records, model, "random")
        assert (area.attack, area.radii, area.datasets) == ("rsr", (2, 8, 14), ("one", "two"))
        assert area.value.value == pytest.approx(own)
        assert area.over_bicubic is not None and area.over_noise is not None
        assert area.over_bicubic.value == pytest.approx(own / by_hand(records, "bicubic", "rsr"))
        assert area.over_noise.value == pytest.approx(own / noise)
        assert area.value.low < own < area.value.high
    steady, brittle, bicubic = (found[m].over_bicubic for m in ("steady", "brittle", "bicubic"))
    assert steady is not None and brittle is not None and bicubic is not None
    assert steady.high < 1 < brittle.low
    assert (bicubic.low, bicubic.high) == pytest.approx((1, 1)), "a row against itself is certain"


def test_ratios_are_resampled_together(records: list[Record]) -> None:
    """Photographs differ far more than models do; the ratio's interval does not show it."""
    (table,) = tables(records)
    area = next(area for area in table.areas if area.row[0] == "steady")
    assert area.over_bicubic is not None
    apart = (area.value.high - area.value.low) / area.value.value
    assert (area.over_bicubic.high - area.over_bicubic.low) < 0.5 * apart


def test_where_the_curve_is_not_whole_there_is_none(records: list[Record]) -> None:
    lacking = [r for r in records if (r.model, r.attack, r.image) != ("steady", "rsr@8", IMAGES[0])]
    (table,) = tables(lacking)
    assert {area.row[0] for area in table.areas} == {"bicubic", "brittle"}
    (alone,) = tables([r for r in records if r.model == "steady" and not r.attack.startswith("random")])
    (area,) = alone.areas
    assert area.over_bicubic is None and area.over_noise is None
    (single,) = tables([r for r in records if r.attack in ("none", "rsr", "random")])
    assert single.areas == [] and text.areas(single) is None
    assert "areas" not in json.loads(as_json([single]))[0] and "radii" not in markdown([single])


def test_two_settings_of_one_attack_are_two_curves(records: list[Record]) -> None:
    other = [
        r.model_copy(
            update={
                "attack": f"{r.attack}(steps=9)",
                "attack_hash": f"{r.attack_hash} nine",
                "attack_settings": {**r.attack_settings, "options": {"steps": 9}},
            }
        )
        for r in records
        if r.attack.startswith("rsr") and r.attack_settings
    ]
    (table,) = tables([*records, *other])
    assert sorted({area.attack for area in table.areas}) == ["rsr", "rsr(steps=9)"]
    assert len(table.areas) == 6


def test_boards_and_the_page_show_them(records: list[Record], tmp_path: Path) -> None:
    (table,) = tables(records)
    written = markdown([table])
    assert "### Over the radii of an attack" in written
    line = next(row for row in written.splitlines() if row.startswith("| steady | rsr"))
    (shown,) = [area for area in table.areas if area.row[0] == "steady"]
    assert f"| 0 to 14 | {shown.value.value:.4f} |" in line
    (nested,) = json.loads(as_json([table]))
    assert {row["model"] for row in nested["areas"]} == {"bicubic", "brittle", "steady"}
    (board,) = site(records).page["boards"]
    row = next(a for a in board["areas"] if board["rows"][a["row"]]["model"] == "steady")
    assert (row["line"], row["last"], row["sets"]) == ("rsr", 14, 2)
    assert row["area"][0] == pytest.approx(shown.value.value, abs=1e-5)
