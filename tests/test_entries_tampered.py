"""What somebody changed in an entry is found, also where they mended means and digest."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from entry_cases import (
    FAST,
    SHA,
    cells,
    check,
    leaves,
    look,
    mini_records,
    put,
    raw,
    resealed,
    rows,
)
from helpers import record
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio

from srbench.attacks.spec import settings_hash
from srbench.entries import numbers, pairs
from srbench.entries.build import make_entry
from srbench.entries.statement import Statement, Trial
from srbench.entries.submission import from_records


@FAST
@given(data=st.data())
def test_any_change_of_any_field_breaks_the_digest(data: st.DataObject, tmp_path: Path) -> None:
    entry = raw()
    path = data.draw(st.sampled_from([p for p in leaves(entry) if p[0] not in ("format", "schema_version")]))
    old = look(entry, path)
    other = st.one_of(
        st.none(), st.integers(), st.text(max_size=9), st.floats(allow_nan=False, allow_infinity=False)
    )
    put(entry, path, data.draw(other.filter(lambda new: new != old)))
    assert any(line.startswith("digest: ") for line in check(entry, tmp_path).problems)


def everywhere(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(entry: dict[str, Any]) -> None:
        for cell in entry["cells"]:
            cell["shared"][key] = value
        if key in entry["model"]:
            entry["model"][key] = value

    return change


def in_settings(**changes: Any) -> Callable[[dict[str, Any]], None]:
    """Another setting of random noise, with the hash that belongs to it."""

    def change(entry: dict[str, Any]) -> None:
        for cell in cells(entry, "random"):
            made = cell["shared"]["attack_settings"] | changes
            hashed = {k: v for k, v in made.items() if k not in ("note", "tile")}
            cell["shared"] |= {"attack_settings": made, "attack_hash": settings_hash(hashed)}

    return change


def first(attack: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], None]:
    def on_first(entry: dict[str, Any]) -> None:
        change(rows(entry, attack)[0])

    return on_first


def in_cell(under: str, /, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(entry: dict[str, Any]) -> None:
        cells(entry, under)[0]["shared"].update(changes)

    return change


THOROUGH: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "noise beyond the ball": (first("rsr", lambda r: r["effect"].update(lr_max=14.01)), "leaves the ball"),
    "eps with its old hash": (
        lambda e: cells(e, "rsr")[0]["shared"]["attack_settings"].update(eps=20 / 255),
        "attack hash is not that of",
    ),
    "eps with a new hash": (in_settings(eps=20 / 255), "not the preset random"),
    "eps, hash and noise": (
        lambda e: (in_settings(eps=20 / 255)(e), rows(e, "random")[0]["effect"].update(lr_max=19.9)),  # type: ignore[func-returns-value, dict-item]
        "not the preset random",
    ),
    "no structure": (in_settings(options={"restarts": 1, "structure": 1.0}), "not the preset random"),
    "an attack hash": (in_cell("rsr", attack_hash=SHA), "attack hash is not that of"),
    "weights in one cell": (in_cell("none", weights_sha256=SHA), "weights_sha256"),
    "weights everywhere": (everywhere("weights_sha256", SHA), "weights_sha256: bicubic has no weights"),
    "data hash in one cell": (in_cell("random", dataset_hash=SHA), "differ in data hash"),
    "data hash everywhere": (everywhere("dataset_hash", SHA), "not that of the set here"),
    "protocol hash": (everywhere("protocol_hash", SHA), "not that of this srbench's protocol"),
    "protocol": (everywhere("protocol", "y"), "an entry has rsr"),
    "precision": (everywhere("precision", "bf16"), "measured in fp32 on whole images"),
    "tiles": (everywhere("tile", 64), "measured in fp32 on whole images"),
    "training domain": (everywhere("training_domain", "blind"), "training_domain"),
    "number of images": (everywhere("dataset_images", 2), "not those of the set here"),
    "title on the card": (lambda e: e["model"].update(title="Best"), "on the card 'Best'"),
    "licence on the card": (lambda e: e["model"].update(licence="mine"), "licence differ from the card"),
    "PSNR above equality": (first("none", lambda r: r["metrics"].update(psnr=81.0)), "outside 0 to 80"),
    "SSIM above 1": (first("none", lambda r: r["metrics"].update(ssim=1.01)), "outside -1 to 1"),
    "negative LPIPS": (first("rsr", lambda r: r["metrics"].update(lpips=-0.1)), "lpips is -0.1"),
    "negative saved LPIPS": (first("rsr", lambda r: r["saved"].update(lpips=-0.1)), "saved lpips is -0.1"),
    "a metric as null": (first("rsr", lambda r: r["metrics"].update(lpips=None)), "no note says why"),
    "an unknown metric": (first("none", lambda r: r["metrics"].update(best=1.0)), "best is no metric"),
    "PSNR that SR did not move to": (
        first("rsr", lambda r: r["metrics"].update(psnr=60.0)),
        "differ by more than SR moved",
    ),
    "LR PSNR of other noise": (first("rsr", lambda r: r["effect"].update(lr_psnr=20.0)), "cannot be that of"),
    "no effect": (first("rsr", lambda r: r.update(effect={})), "the effect of the attack is not there"),
    "SR of another size": (first("none", lambda r: r.update(sr_size=[256, 260])), "is not 4 times LR"),
    "both sizes": (first("none", lambda r: r.update(sr_size=[512, 512], lr_size=[128, 128])), "in the set"),
    "no size": (first("none", lambda r: r.update(sr_size=[0, 0], lr_size=[0, 0])), "is no image"),
    "an image of another set": (first("none", lambda r: r.update(image="mine")), "no image 'mine'"),
    "an image twice": (
        lambda e: cells(e, "none")[0]["images"].append(copy.deepcopy(cells(e, "none")[0]["images"][0])),
        "is there 2 times",
    ),
    "an image left out": (lambda e: cells(e, "none")[0]["images"].pop(), "which another attack has"),
    "settings of the clean input": (in_cell("none", attack_settings={"eps": 0.1}), "the clean input has"),
    "an attack of one's own": (in_cell("random", attack="mild"), "no attack of an entry"),
    "another data set": (in_cell("none", dataset="clean-mini"), "no data set of an entry"),
    "an unknown data set": (in_cell("none", dataset="nowhere"), "no data set of an entry"),
    "HTML in a note": (
        lambda e: cells(e, "rsr")[0]["shared"]["attack_settings"].update(note="<script>"),
        "not one line of plain text",
    ),
    "a negative time": (first("none", lambda r: r.update(seconds=-1.0)), "is no time"),
    "an odd date": (first("none", lambda r: r.update(created="yesterday")), "no ISO 8601 time"),
}


@pytest.mark.parametrize("what", THOROUGH)
def test_a_tamperer_who_mends_means_and_digest_is_caught(what: str, tmp_path: Path) -> None:
    change, reason = THOROUGH[what]
    entry = raw()
    change(entry)
    problems = check(resealed(entry), tmp_path).problems
    assert any(reason in line for line in problems), problems
    assert not any(line.startswith(("digest: ", "means.")) for line in problems)


@FAST
@given(
    attack=st.sampled_from(["none", "random", "rsr"]),
    place=st.integers(0, 3),
    name=st.sampled_from(["psnr", "ssim", "lpips", "niqe", "brisque", "piqe"]),
    factor=st.floats(0.5, 0.999),
)
def test_a_changed_metric_without_its_mean_is_named(
    attack: str, place: int, name: str, factor: float, tmp_path: Path
) -> None:
    entry = raw()
    rows(entry, attack)[place]["metrics"][name] *= factor
    problems = check(resealed(entry, aggregates=False), tmp_path).problems
    assert any(line.startswith("means.") and f".{attack}.{name}: " in line for line in problems)


def test_a_partial_entry_cannot_pass_as_complete(tmp_path: Path) -> None:
    entry = raw()
    entry["partial"] = []
    problems = check(resealed(entry, aggregates=False), tmp_path).problems
    assert "partial: it does not say: ntire-mini2: 2 of 20 images under none, random, rsr" in problems


def test_strong_cannot_be_milder_than_the_attack_it_contains(tmp_path: Path) -> None:
    trial = Trial(1, ("none", "rsr", "strong"))
    mine = trial.of(mini_records())
    entry = make_entry(from_records("rsr-mini", Statement(), mine), mine, "").model_dump(mode="json")
    assert check(entry, tmp_path).valid
    for row in rows(entry, "strong"):
        row["metrics"]["lpips"] = row["metrics"]["lpips"] / 3
    problems = check(resealed(entry), tmp_path).problems
    assert len(problems) == 2 and all("never falls behind" in line for line in problems)


def test_radius_zero_is_the_clean_input() -> None:
    clean = record()
    zero = {"eps": 0.0, "kind": "RandomNoise"}
    fields = {"attack": "random", "attack_settings": zero, "attack_hash": settings_hash(zero)}
    effect = {"lr_max": 0.0, "lr_psnr": 100.0, "sr_psnr": 100.0}
    same = record(**fields, effect=effect)
    assert [*numbers.check_record(same), *pairs.check_across_attacks([clean, same])] == []
    other = record(**fields, effect=effect, metrics={"psnr": 19.0, "lpips": 0.5})
    assert "eps is 0" in " ".join(pairs.check_across_attacks([clean, other]))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    side=st.integers(3, 12),
    noise=st.floats(0, 1),
    error=st.floats(0, 1),
    inner=st.booleans(),
)
def test_real_images_never_break_the_inequalities(
    seed: int, side: int, noise: float, error: float, inner: bool
) -> None:
    """PSNR by scikit-image of random LR, SR and HR images; all noise may be where PSNR looks."""
    rng = np.random.default_rng(seed)
    lr, hr = rng.random((side, side, 3)), rng.random((4 * side, 4 * side, 3))
    attacked = np.clip(lr + noise * rng.uniform(-1, 1, lr.shape), 0, 1)
    clean_sr = np.clip(hr + error * rng.normal(size=hr.shape), 0, 1)
    moved = noise * rng.normal(size=hr.shape)
    if inner:
        moved[:4] = moved[-4:] = moved[:, :4] = moved[:, -4:] = 0
    sr = np.clip(clean_sr + moved, 0, 1)

    def psnr(a: Any, b: Any) -> float:
        with np.errstate(divide="ignore"):
            return min(100.0, float(peak_signal_noise_ratio(a, b, data_range=1)))

    def recorded(image: Any) -> float:
        a, b = (np.round(view * 255)[4:-4, 4:-4] / 255 for view in (image, hr))
        return -10 * math.log10(float(((a - b) ** 2).mean()) + 1e-8)

    effect = {
        "lr_psnr": psnr(lr, attacked),
        "sr_psnr": psnr(clean_sr, sr),
        "lr_max": round(float(np.abs(lr - attacked).max()) * 255, 6),
    }
    made = {"eps": noise, "kind": "RandomNoise"}
    sizes = {"lr_size": (side, side), "sr_size": (4 * side, 4 * side)}
    before = record(metrics={"psnr": recorded(clean_sr)}, **sizes)
    after = record(
        attack="random",
        attack_settings=made,
        attack_hash=settings_hash(made),
        effect=effect,
        metrics={"psnr": recorded(sr)},
        **sizes,
    )
    assert [*numbers.check_record(after), *pairs.check_across_attacks([before, after])] == []
