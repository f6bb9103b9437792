"""A model that is named and not installed: its mini takes its place, under its own name, and says so."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from helpers import inside

from srbench import zoo
from srbench.errors import BadInput
from srbench.evaluation import EvaluationRequest, prepare
from srbench.support import home

WITH_MINI = [name for name in zoo.names() if zoo.card(name).mini]


def test_the_models_of_the_papers_second_table_have_minis_that_come_with_srbench() -> None:
    # But for esrgan-fs-aim: the suite mini-zoo says why.
    assert sorted(WITH_MINI) == [
        "esrgan",
        "esrgan-fs-ntire",
        "impressionism-aim",
        "impressionism-ntire",
        "rsr",
    ]
    for name in WITH_MINI:
        mini = zoo.card(str(zoo.card(name).mini))
        assert mini.packaged and mini.domain == zoo.card(name).domain


@pytest.mark.parametrize("name", WITH_MINI)
def test_the_mini_stands_in_and_says_how_to_get_the_real_one(name: str) -> None:
    (ref,) = zoo.resolve([name], stand_in=True)
    assert ref.name == f"{name}-mini" and ref.weights_sha256 == zoo.card(ref.name).packaged
    assert f"{name} is not installed: using {name}-mini; " in ref.note
    assert f"srbench models install {name}" in ref.note
    with pytest.raises(BadInput, match=f"{name} is not installed"):
        zoo.resolve([name])


def test_named_twice_it_is_one_model() -> None:
    assert [ref.name for ref in zoo.resolve(["rsr", "rsr-mini"], stand_in=True)] == ["rsr-mini"]


@pytest.mark.parametrize("spec", ["mine=rsr", "esrgan-fs-dped"])
def test_nothing_stands_in_under_a_name_of_ones_own_or_without_a_mini(spec: str) -> None:
    with pytest.raises(BadInput, match="is not installed"):
        zoo.resolve([spec], stand_in=True)


def test_nothing_stands_in_for_a_file_that_is_there_and_cannot_be_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = next(source.filename for source in zoo.card("esrgan").sources if source.sha256)
    (tmp_path / file).write_bytes(b"something else")
    monkeypatch.setenv("SRBENCH_WEIGHTS", str(tmp_path))
    home.forget_weight_files()
    with pytest.raises(BadInput, match="was ignored: its sha256 is"):
        zoo.resolve(["esrgan"], stand_in=True)


def test_track_full_insists_on_the_model() -> None:
    with pytest.raises(BadInput, match="rsr is not installed"):
        prepare(EvaluationRequest(models=("rsr",), track="full"))


def test_records_and_tables_name_the_mini(tmp_path: Path) -> None:
    out = tmp_path / "out"
    models = ["--models", "rsr,esrgan,impressionism-ntire", "--datasets", "ntire", "--limit", "1"]
    done = inside("evaluate", *models, "--metrics", "psnr", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "rsr is not installed: using rsr-mini" in done.stderr
    rows = {record["model"] for record in csv.DictReader((out / "records.csv").open(newline=""))}
    assert rows == {"rsr-mini", "esrgan-mini", "impressionism-ntire-mini"}
    assert "| rsr-mini |" in (out / "leaderboard.md").read_text()


def test_an_attack_and_an_entry(tmp_path: Path) -> None:
    short = ["--preset", "random", "--limit", "1", "--metrics", "psnr", "--out", str(tmp_path / "out")]
    done = inside("attack", "rsr", "--eps", "14", *short)
    assert done.returncode == 0, done.stderr
    assert "rsr is not installed: using rsr-mini" in done.stderr
    assert "rsr-mini on ntire-mini" in (tmp_path / "out" / "attack.md").read_text()
    refused = inside("submit", "rsr", "--limit", "1", "--out", str(tmp_path / "rsr.json"))
    assert refused.returncode == 2 and "rsr is not installed" in refused.stderr
    assert not (tmp_path / "rsr.json").exists()
