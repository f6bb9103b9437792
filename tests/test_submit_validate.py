"""``srbench submit`` and ``srbench validate`` as their users meet them, and what measuring again finds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import inside
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from srbench.cli import app
from srbench.entries.build import means
from srbench.entries.schema import Entry, digest, unpack_records
from srbench.entries.statement import Statement, Trial, public, submit_command
from srbench.entries.submission import attacks_of, prepare_submission
from srbench.entries.validate import validate
from srbench.errors import BadInput, Unavailable
from srbench.support.home import sha256_file
from srbench.train.generator import build_generator

MINI = Path(__file__).parents[1] / "leaderboards" / "attacked-mini2" / "records.csv"
TRIAL = ("--limit", "1", "--attacks", "none,random")


def run(*arguments: str | Path) -> Result:
    """A command in this process; its errors are raised."""
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False, standalone_mode=False)


def checkpoint(folder: Path, seed: int = 0) -> Path:
    """A small RRDBNet with random weights, as a user's file."""
    file = folder / f"net-{seed}.pth"
    torch.save(build_generator(num_feat=8, num_block=1, seed=seed).state_dict(), file)
    return file


def tampered(file: Path, attack: str, name: str, value: float, kind: str = "metrics") -> None:
    """Change one number of every image under an attack, and mend means and digest."""
    entry = json.loads(file.read_text())
    for cell in entry["cells"]:
        if cell["shared"]["attack"] == attack:
            for row in cell["images"]:
                row[kind][name] += value
    entry["means"] = means(unpack_records(Entry.model_validate(entry)))
    entry["digest"] = digest(entry)
    file.write_text(json.dumps(entry))


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """bicubic's entry for one image of each mini set, clean and under random noise, measured once."""
    folder = tmp_path_factory.mktemp("trial")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SRBENCH_HOME", str(folder / "home"))
        patch.setenv("SRBENCH_OFFLINE", "1")
        run("submit", "bicubic", *TRIAL, "--out", str(folder / "bicubic.json"))
    found: dict[str, Any] = json.loads((folder / "bicubic.json").read_text())
    return found


@pytest.fixture
def entry(trial: dict[str, Any], tmp_path: Path) -> Path:
    file = tmp_path / "bicubic.json"
    file.write_text(json.dumps(trial))
    return file


def test_submit_measures_the_fixed_protocol(trial: dict[str, Any]) -> None:
    cells = [(c["shared"]["dataset"], c["shared"]["attack"], len(c["images"])) for c in trial["cells"]]
    assert cells == [(d, a, 1) for d in ("ntire-mini2", "aim-mini2") for a in ("none", "random")]
    assert trial["command"] == "srbench submit bicubic --limit 1 --attacks none,random"
    assert trial["model"]["parameters"] == 0
    assert "ntire-mini2: 1 of 20 images under none, random" in trial["partial"]
    assert "ntire-mini2: 0 of 20 images under rsr, strong" in trial["partial"]


def test_an_honest_entry_passes_when_it_is_measured_again(entry: Path) -> None:
    report = validate(entry, again=2)
    assert report.problems == []
    shown = report.notes[-1]
    assert shown.startswith("measured 2 images again (4 records); largest differences under none: psnr ")
    assert any(line.startswith("partial: ") for line in report.notes)
    assert "all 1 images of aim-mini2 are measured again" in report.notes


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    attack=st.sampled_from(["none", "random"]),
    change=st.sampled_from([("psnr", 0.02), ("psnr", -0.5), ("ssim", 1e-3), ("ssim", -0.01), ("piqe", -2.0)]),
)
def test_a_metric_changed_with_its_mean_and_digest_is_found_by_measuring_again(
    attack: str, change: tuple[str, float], trial: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "bicubic.json"
    file.write_text(json.dumps(trial))
    name, value = change
    tampered(file, attack, name, value)
    assert validate(file, again=0).problems == []
    problems = validate(file, again=1).problems
    assert [f"/{attack}/" in line and f": {name} is " in line for line in problems] == [True, True], problems


@pytest.mark.parametrize(("kind", "name"), [("effect", "sr_psnr"), ("saved", "ssim")])
def test_what_the_attack_did_is_compared_as_well(entry: Path, kind: str, name: str) -> None:
    tampered(entry, "random", name, 0.01, kind)
    assert validate(entry, again=0).problems == []
    problems = validate(entry, again=1).problems
    assert [f": {name}" in line for line in problems] == [True, True], problems


@pytest.mark.slow
def test_gradient_attacks_are_run_again_with_the_objective_of_the_entry(
    shared_weights: Path, tmp_path: Path
) -> None:
    file = tmp_path / "entry.json"
    run(
        "submit",
        "esrgan-psnr-mini",
        "--records",
        MINI,
        "--limit",
        "1",
        "--attacks",
        "none,rsr",
        "--out",
        file,
    )
    report = validate(file, again=1)
    assert report.problems == []
    assert "measured 2 images again (4 records)" in report.notes[-1]
    tampered(file, "rsr", "lpips", 0.05)
    problems = validate(file, again=2).problems
    assert ["/rsr/" in line and "lpips is " in line for line in problems] == [True, True], problems


def test_like_another_entry_takes_its_attacks(shared_weights: Path, tmp_path: Path) -> None:
    """Whatever is installed: the objective is that of the entry, and its absence is said at once."""
    made = ["--records", MINI, "--limit", "1", "--attacks", "none,rsr"]
    run("submit", "bicubic", *made, "--out", tmp_path / "theirs.json")
    theirs = json.loads((tmp_path / "theirs.json").read_text())
    (recipe,) = attacks_of(tmp_path / "theirs.json").values()
    assert recipe.objective == "0.01*l1+lpips-alex"
    assert {c["shared"]["attack_hash"] for c in theirs["cells"]} == {"", recipe.hash}
    prepared = prepare_submission("bicubic", Statement(), Trial(1), like=tmp_path / "theirs.json").prepared
    assert recipe in [cell.attack for cell in prepared.plan]


def test_like_another_entry_without_its_weights(tmp_path: Path) -> None:
    made = ["--records", MINI, "--limit", "1", "--attacks", "none,rsr"]
    run("submit", "bicubic", *made, "--out", tmp_path / "theirs.json")
    with pytest.raises(Unavailable, match="alexnet"):
        attacks_of(tmp_path / "theirs.json")


def test_without_the_weights_of_its_objective_an_attack_is_not_run_again(tmp_path: Path) -> None:
    file = tmp_path / "entry.json"
    run("submit", "bicubic", "--records", MINI, "--limit", "1", "--attacks", "none,rsr", "--out", file)
    report = validate(file, again=1)
    assert report.problems == []
    assert any("under rsr was not measured again" in line and "alexnet" in line for line in report.notes)


def test_a_model_of_ones_own_from_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net, other = checkpoint(tmp_path), checkpoint(tmp_path, seed=1)
    told = ["--name", "mine", "--title", "Mine <b>", "--domain", "clean", "--licence", "MIT"]
    told += ["--paper", "https://example.org/paper", "--homepage", "https://example.org"]
    result = run("submit", net, *TRIAL, *told, "--url", "https://example.org/net.pth")
    assert "mine.json: mine, 4 records" in result.stdout
    made = json.loads(Path("mine.json").read_text())
    assert made["model"] == {
        "name": "mine",
        "title": "Mine <b>",
        "domain": "clean",
        "licence": "MIT",
        "parameters": sum(p.numel() for p in build_generator(8, 1).parameters()),
        "weights_sha256": sha256_file(net),
        "weights_source": "https://example.org/net.pth",
        "citation": "",
        "paper": "https://example.org/paper",
        "homepage": "https://example.org",
        "notes": "a checkpoint of the user's: net-0.pth",
    }
    assert str(tmp_path) not in Path("mine.json").read_text()
    alone = run("validate", "mine.json")
    assert alone.exit_code in (0, None) and "weights not checked" in alone.stdout
    again = run("validate", "mine.json", "--model", net)
    assert "measured 2 images again (4 records)" in again.stdout
    assert "mine.json: valid, but partial" in again.stdout
    wrong = validate(Path("mine.json"), model=str(other)).problems
    assert len(wrong) == 1 and "weights_sha256" in wrong[0]


def test_records_in_a_store_are_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["submit", "bicubic", "--limit", "1", "--attacks", "none"]
    run(*arguments, "--out", str(tmp_path / "a.json"))
    run(*arguments, "--out", str(tmp_path / "b.json"))
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (["bicubic", "--title", "Mine"], "has a card in the zoo"),
        (["bicubic", "--attacks", "none,rsr@8"], "an entry has none, random, rsr, strong"),
        (["bicubic", "--attacks", "random"], "starts from the clean input"),
        (["bicubic*,esrgan-psnr-mini"], "unknown model"),
        (["*-mini"], "an entry is about one"),
        (["nobody", "--records", MINI], "no records of nobody"),
        (["bicubic", "--records", "none.csv"], "cannot be read"),
    ],
)
def test_what_cannot_be_submitted_is_said(told: list[str], reason: str, tmp_path: Path) -> None:
    out = tmp_path / "entry.json"
    with pytest.raises(BadInput, match=reason):
        run("submit", *told, "--out", out)
    assert not out.exists()


def test_what_one_tells_of_a_model_has_to_make_sense(tmp_path: Path) -> None:
    net = checkpoint(tmp_path)
    spaced = net.rename(tmp_path / "my net.pth")
    for told, reason in (
        (Statement(name="rsr"), "no name of the zoo"),
        (Statement(name="a b"), "letters, digits"),
        (Statement(domain="snow"), "choose one of"),
        (Statement(), "'my net' cannot name an entry: give --name"),
    ):
        with pytest.raises(BadInput, match=reason):
            prepare_submission(str(spaced), told, Trial(1, ("none",)))


def test_a_command_names_no_folder_of_the_submitter(tmp_path: Path) -> None:
    assert public(str(tmp_path / "net.pth")) == public("../up/net.pth") == public("~/net.pth") == "net.pth"
    assert public("runs/net.pth") == "runs/net.pth" and public("module:make") == "module:make"
    assert submit_command("/a/my net.pth", {"name": "x y"}) == "srbench submit 'my net.pth' --name 'x y'"


def test_exit_codes_and_lines(entry: Path, tmp_path: Path) -> None:
    done = inside("validate", str(entry), "--rerun", "0")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, f"{entry}: valid, but partial")
    broken = tmp_path / "broken.json"
    broken.write_text(entry.read_text().replace('"lr_max": 13', '"lr_max": 15'))
    done = inside("validate", str(entry), str(broken), "--rerun", "0")
    assert done.returncode == 1
    assert f"{entry}: valid, but partial" in done.stdout.splitlines()
    assert done.stdout.count("leaves the ball") == 2 and "digest: " in done.stdout
    (tmp_path / "text.json").write_text("hello")
    done = inside("validate", str(tmp_path / "text.json"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("srbench: ") and "is not an entry" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_in_an_entry_are_neither_imported_nor_opened(entry: Path, tmp_path: Path) -> None:
    (tmp_path / "trap.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    made = json.loads(entry.read_text())
    made["model"]["name"] = "trap:make"
    for cell in made["cells"]:
        cell["shared"]["model"] = "trap:make"
    made["digest"] = digest(made)
    entry.write_text(json.dumps(made))
    before = Path.cwd()
    os.chdir(tmp_path)
    try:
        assert "weights not checked: trap:make is not of the zoo; give --model FILE" in validate(entry).notes
    finally:
        os.chdir(before)
    assert not (tmp_path / "sprung").exists()
