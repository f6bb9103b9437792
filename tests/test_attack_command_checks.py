"""Checks of an attack's strength: what they say, and that they take no more than the attack."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from attack_cases import request
from helpers import blurry_upscaler, write_pairs

from srbench.robustness import attack as job
from srbench.robustness.strength import check_strength


def test_checks_speak_of_the_attack(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=24)
    prepared = job.prepare(request(lr, hr, presets=("ifgsm-choi",)))
    job.run(prepared)
    verdicts = {verdict.name: verdict for verdict in check_strength(prepared, thorough=True).verdicts}
    assert verdicts["ifgsm-choi: beats random (psnr)"].ok
    assert verdicts["ifgsm-choi: monotone in steps"].ok
    assert verdicts["ifgsm-choi: white box wins over 40 black-box queries"].ok
    assert verdicts["inside the ball"].ok
    assert verdicts["deterministic model"].ok
    assert verdicts["ifgsm-choi: eps 0 is clean"].ok
    # A linear model under squared error: fifty steps take nearly every value to the bound.
    assert verdicts["ifgsm-choi: share at bound"].ok


def test_a_weak_attack_is_flagged(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=24)
    weak = (("steps", 1), ("alpha", 0.01 / 255))
    prepared = job.prepare(request(lr, hr, presets=("rsr",), eps=("14",), changes=weak))
    job.run(prepared)
    verdicts = {verdict.name: verdict for verdict in check_strength(prepared, thorough=True).verdicts}
    assert not verdicts["rsr: share at bound"].ok
    assert not verdicts["rsr: white box wins over 40 black-box queries"].ok


PASSES = [0.0]


class Counted(torch.nn.Module):
    """An upscaler that counts what goes through it: pixels of LR, those with a gradient twice."""

    def __init__(self) -> None:
        super().__init__()
        self.net = blurry_upscaler()

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        PASSES[0] += lr.numel() * (2 if lr.requires_grad else 1)
        return self.net(lr)  # type: ignore[no-any-return]


LEFT_OUT = ["one step", "40 black-box queries", "twice the steps"]


@pytest.mark.parametrize(
    ("preset", "limit", "skipped"),
    [
        ("rsr", 1, LEFT_OUT[1:]),
        ("rsr", 9, []),
        ("ifgsm-choi", 1, LEFT_OUT[2:]),
        pytest.param("strong", 1, [], marks=pytest.mark.slow),
    ],
)
def test_checks_take_no_more_than_the_attack(
    preset: str, limit: int, skipped: list[str], tmp_path: Path
) -> None:
    lr, hr = write_pairs(tmp_path, limit, side=40)
    changes = () if preset == "strong" else (("objective", "l1"),)
    model = "test_attack_command_checks:Counted"
    prepared = job.prepare(
        request(lr, hr, model=model, presets=(preset,), changes=changes, eps=("14",), metrics=("psnr",))
    )
    recipe = prepared.strongest[preset]
    (attacked,) = [cell for cell in prepared.run.plan if cell.attack.hash == recipe.hash]
    PASSES[0] = 0
    prepared.run.local.run([attacked])
    attacking = PASSES[0]
    job.run(prepared)
    told: list[tuple[float, float]] = []
    PASSES[0] = 0
    checked = check_strength(prepared, progress=lambda done, total: told.append((done, total)))
    assert 0 < PASSES[0] <= 1.2 * attacking
    assert checked.skipped == [f"{preset}: {name}" for name in skipped]
    done, totals = zip(*told, strict=True)
    assert len(set(totals)) == 1 and list(done) == sorted(done) and done[-1] == totals[0]
    spared = totals[0] - PASSES[0] / (3 * 40 * 40)
    assert -0.01 < spared < 2.01, "what was said they take; one forward serves three of them"
    names = {verdict.name for verdict in checked.verdicts}
    assert {"deterministic model", f"{preset}: usable gradient", f"{preset}: eps 0 is clean"} <= names
    if skipped:
        assert not check_strength(prepared, thorough=True).skipped


def test_an_attack_of_this_run_is_not_made_again_to_be_checked(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=32)
    asked = request(lr, hr, eps=("14",), presets=("ifgsm-choi",), metrics=("psnr",))
    verdicts = []
    for _ in range(2):  # the second time from records alone
        prepared = job.prepare(asked)
        job.run(prepared)
        verdicts.append(check_strength(prepared, thorough=True).verdicts)
        kept = prepared.made.get(prepared.strongest["ifgsm-choi"].hash)
        assert (kept is not None) == (len(verdicts) == 1)
    assert verdicts[0] == verdicts[1]
