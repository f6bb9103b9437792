"""Which images of an entry are measured again: its maker cannot know, and what may be missed is said."""

from __future__ import annotations

import json
import random
from math import sqrt
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from srbench.cli import app
from srbench.entries.build import means
from srbench.entries.draw import draw_images, missed
from srbench.entries.schema import Entry, digest, unpack_records
from srbench.entries.validate import validate
from srbench.store.record import Record

ENTRY = Path(__file__).parents[1] / "leaderboards" / "entries" / "bicubic.json"
SEEDS = 3_000


def mended(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry with means and digest that fit its records."""
    entry["means"] = means(unpack_records(Entry.model_validate(entry | {"digest": "0" * 64})))
    entry["digest"] = digest(entry)
    return entry


@pytest.fixture
def psnr_alone() -> dict[str, Any]:
    """bicubic's entry, 40 images under no attack, with one metric: it is honest and quickly measured."""
    entry: dict[str, Any] = json.loads(ENTRY.read_text())
    entry["cells"] = [cell for cell in entry["cells"] if cell["shared"]["attack"] == "none"]
    for cell in entry["cells"]:
        for row in cell["images"]:
            row["metrics"] = {"psnr": row["metrics"]["psnr"]}
            row["notes"] = {}
    lacking = [f"{name}: 0 of 20 images under random, rsr, strong" for name in ("aim-mini2", "ntire-mini2")]
    unmeasured = [
        f"{name} was not measured everywhere" for name in ("SSIM", "LPIPS", "NIQE", "BRISQUE", "PIQE")
    ]
    return mended(entry | {"partial": lacking + unmeasured})


def of_many(records: list[Record], count: int) -> list[Record]:
    """As many images of one data set."""
    return [records[0].model_copy(update={"image": f"{number:04}"}) for number in range(count)]


def test_an_honest_entry_passes_and_one_ground_against_a_draw_from_its_digest_does_not(
    psnr_alone: dict[str, Any], tmp_path: Path
) -> None:
    """38 of 40 images are changed; the command is varied until the two others are what the digest draws."""
    file = tmp_path / "bicubic.json"
    file.write_text(json.dumps(psnr_alone))
    report = validate(file)
    assert report.problems == []
    assert "all 20 images of ntire-mini2 are measured again" in report.notes
    assert report.notes[-1].startswith("measured 40 images again (40 records)")
    for cell in psnr_alone["cells"]:
        for row in cell["images"][1:]:
            row["metrics"]["psnr"] += 3
    images = sorted(
        (c["shared"]["dataset"], row["image"]) for c in psnr_alone["cells"] for row in c["images"]
    )
    honest = {(c["shared"]["dataset"], c["images"][0]["image"]) for c in psnr_alone["cells"]}
    mended(psnr_alone)
    tries = 0
    while set(random.Random(psnr_alone["digest"]).sample(images, 2)) != honest:
        tries += 1
        psnr_alone["command"] = f"srbench submit bicubic --out {tries}.json"
        psnr_alone["digest"] = digest(psnr_alone)
    assert tries < 10_000  # 1 in 780 is expected
    file.write_text(json.dumps(psnr_alone))
    assert validate(file, again=0).problems == []
    assert len(validate(file).problems) == 38


def test_the_chance_of_missing_changed_images_is_what_is_said() -> None:
    """Of 30 images 11 are drawn; over the seeds, how often three changed ones are not among them."""
    records = of_many(unpack_records(Entry.model_validate_json(ENTRY.read_text())), 30)
    changed = {"0003", "0014", "0029"}
    chance = missed(30, 11, 3)
    name = records[0].dataset
    times = sum(not changed & draw_images(records, 11, seed).chosen[name] for seed in range(SEEDS))
    assert abs(times - SEEDS * chance) < 4.5 * sqrt(SEEDS * chance * (1 - chance))
    (line,) = draw_images(records, 11, 7).lines()
    assert f"11 of 30 images of {name} are measured again, drawn with --seed 7; " in line
    assert "1: 0.63, 2: 0.39, 5: 0.082, 10: 0.0031" in line


def test_a_draw_is_repeated_by_its_seed_and_by_nothing_else() -> None:
    entry = Entry.model_validate_json(ENTRY.read_text())
    records = unpack_records(entry)
    one = draw_images(records, 5)
    assert draw_images(records[::-1], 5, one.seed).chosen == one.chosen
    assert {len(chosen) for chosen in one.chosen.values()} == {5}
    assert len({draw_images(records, 5).seed for _ in range(9)}) == 9
    many = of_many(records, 40) + [r.model_copy(update={"dataset": "other"}) for r in of_many(records, 40)]
    first, second = draw_images(many, 20, 1).chosen.values()
    assert first != second, "one data set's draw says nothing of another's"


def test_the_seed_is_printed_and_repeats_a_run(psnr_alone: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "bicubic.json"
    file.write_text(json.dumps(psnr_alone))

    def checked(*options: str) -> Result:
        return CliRunner().invoke(
            app, ["validate", str(file), "--rerun", "1", *options], catch_exceptions=False
        )

    done = checked()
    assert done.exit_code == 0, done.stderr
    (seed,) = {
        line.split("--seed ")[1].split(";")[0] for line in done.stdout.splitlines() if "--seed" in line
    }
    assert len(seed) > 9
    assert checked("--seed", seed).stdout == done.stdout
