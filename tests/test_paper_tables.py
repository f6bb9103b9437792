"""The paper's tables from records beside what it printed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers import record

from srbench.boards import reports
from srbench.boards.csv_records import read_csv
from srbench.boards.files import write_all
from srbench.boards.paper_tables import read_paper, table_1, table_2
from srbench.boards.published import opening
from srbench.store.record import Record
from srbench.train import suite

BOARDS = Path(__file__).parents[1] / "leaderboards"
PAPER = read_paper(BOARDS / "paper.json")


def measured(
    model: str, domain: str, ntire: Sequence[float], aim: Sequence[float], title: str = ""
) -> list[Record]:
    """Clean records of a model on both mini sets with these LPIPS values, one image each."""
    found = []
    for name, values in (("ntire", ntire), ("aim", aim)):
        for index, value in enumerate(values):
            found.append(
                record(
                    model=model,
                    model_title=title or model,
                    training_domain=domain,
                    dataset=f"{name}-mini",
                    dataset_domain=name,
                    dataset_hash=name * 8,
                    dataset_images=len(values),
                    image=f"{index:02}",
                    metrics={"psnr": 20.0, "ssim": 0.5, "lpips": float(value)},
                )
            )
    return found


def row_of(text: str, start: str) -> list[str]:
    (line,) = (line for line in text.splitlines() if line.startswith(start))
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.usefixtures("few_images_will_do")
def test_table_2_sets_what_was_measured_beside_what_was_printed() -> None:
    records = measured("rsr-mini", "adversarial", [0.2, 0.3], [0.4, 0.5], "RSR-mini")
    records += measured("esrgan-fs-aim-mini", "aim", [0.6, 0.6], [0.3, 0.3], "ESRGAN-FS-mini")
    records += measured("mine", "blind", [0.7, 0.7], [0.7, 0.7])
    text = table_2(records, PAPER, robust="rsr-mini")
    own = row_of(text, "| 1 | rsr-mini")
    assert own[9:] == ["0.2500 ◆", "0.4500 ◆", "0.3500", "0.23", "0.37", "0.30"]
    specialist = row_of(text, "| 2 | esrgan-fs-aim-mini")
    assert specialist[9:] == ["0.6000 ○", "0.3000 ●", "0.4500", "0.56", "0.39", "0.48"]
    assert row_of(text, "| 3 | mine")[-3:] == ["–"] * 3
    claim = (
        "rsr-mini is number 1 on ntire-mini and number 2 on aim-mini, and has rank 1 of 3 by average LPIPS"
    )
    assert claim in text
    assert row_of(text, "| esrgan-fs-aim-mini")[1] == "-0.1000"
    assert row_of(text, "| mine")[3:] == ["4 of 4", "yes"]


@pytest.mark.usefixtures("few_images_will_do")
def test_table_1_has_the_papers_rows_in_its_order() -> None:
    attacks = {t.recipe.name: t.recipe.degradation for t in suite.load("ablation-mini").trainings()}
    records = []
    for place, name in enumerate(attacks):
        records += measured(name, "adversarial", [0.1 + 0.01 * place] * 2, [0.3, 0.3])
    lines = table_1(records, PAPER, attacks).splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert [row[-2] for row in cells] == [str(place) for place in range(1, 13)]
    assert cells[0][:4] == ["14", "2", "1.5", "l1+percep"] and cells[0][-5:-2] == ["0.23", "0.37", "0.30"]
    assert cells[1][3] == "l1" and cells[7][1] == "4" and cells[11][2] == "2"
    assert cells[11][-3:] == ["0.47", "12", "12"] and cells[0][-1] == "1"


def test_a_report_is_made_of_what_is_committed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = measured("rsr-mini", "adversarial", [0.2], [0.4]) + measured("b", "clean", [0.3], [0.6])
    folder = tmp_path / "mini1"
    write_all(folder, [], records, [])
    (folder / "about.toml").write_text(
        'title = "Mini"\nmachine = "two cores"\ntext = "Why."\n[commands]\n"srbench evaluate" = 3.5\n'
    )
    (folder / "training.csv").write_text(
        "model,start,degradation,iterations,minutes,validation,perceptual,images\n"
        "rsr-mini,begin,adversarial,450,10.2,0.31,lpips-alex,leaves\n"
    )
    (tmp_path / "paper.json").write_text(json.dumps(PAPER))
    assert list(reports.write_reports(tmp_path)) == [tmp_path / "mini1.md"]
    page = (tmp_path / "mini1.md").read_text()
    assert page.startswith("# Mini\n\nWhy.\n") and "| `srbench evaluate` | 3.5 |" in page
    assert "| rsr-mini | begin | adversarial | 450 | 10.2 | 0.31 |" in page


@pytest.mark.parametrize("name", sorted(reports.REPORTS))
def test_the_committed_reports_are_not_stale(name: str) -> None:
    page = BOARDS / f"{name}.md"
    if not page.is_file():
        pytest.skip(f"leaderboards/{name}.md is not there yet")
    assert page.read_text(encoding="utf-8") == reports.report(BOARDS / name, PAPER)


def test_readme_opens_with_the_published_board() -> None:
    records = read_csv(BOARDS / "published" / "bsd100" / "records.csv")
    readme = (BOARDS.parent / "README.md").read_text(encoding="utf-8")
    table = opening(records, PAPER)
    assert table in readme and readme.index(table) < readme.index("## Use")
    assert "0.23 | 0.52 |" in next(line for line in table.splitlines() if "| impressionism-ntire |" in line)
