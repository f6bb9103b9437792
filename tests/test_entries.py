"""Entries: honest ones pass, tampered ones do not, whatever was changed and however thoroughly."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import statistics
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from skimage.metrics import peak_signal_noise_ratio

from srbench import zoo
from srbench.attacks import preset, registry
from srbench.attacks.spec import settings_hash
from srbench.attacks.variants import is_former, variants
from srbench.boards.csv_records import read_csv
from srbench.entries import numbers, pairs
from srbench.entries.board import board, read_folder
from srbench.entries.build import as_text, facts, make_entry, means
from srbench.entries.schema import Entry, digest, unpack_records
from srbench.entries.standard import ATTACKS, lacking
from srbench.entries.statement import Statement, Trial
from srbench.entries.submission import from_records
from srbench.entries.validate import Validation, validate
from srbench.errors import BadInput
from srbench.store.record import Record

BOARDS = Path(__file__).parents[1] / "leaderboards"
FOLDER = BOARDS / "entries"
MINI = BOARDS / "mini" / "records.csv"
MODELS = sorted(file.stem for file in FOLDER.glob("*.json"))
# One test writes, reads and checks a file again and again; the fixtures are only per test.
FAST = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@cache
def mini_records() -> tuple[Record, ...]:
    return tuple(read_csv(MINI))


@cache
def small() -> Entry:
    """bicubic on two images of each mini set, clean and under two attacks."""
    trial = Trial(2, ("none", "random", "rsr"))
    mine = trial.of(mini_records())
    return make_entry(from_records("bicubic", Statement(), mine), mine, "srbench submit bicubic")


def raw() -> dict[str, Any]:
    return copy.deepcopy(small().model_dump(mode="json"))


def check(entry: dict[str, Any], folder: Path, **options: Any) -> Validation:
    file = folder / "entry.json"
    file.write_text(json.dumps(entry), encoding="utf-8")
    return validate(file, **({"again": 0} | options))


def resealed(entry: dict[str, Any], *, aggregates: bool = True) -> dict[str, Any]:
    """What a tamperer who knows the format does afterwards: new means, new list of gaps, new digest."""
    if aggregates:
        records = unpack_records(Entry.model_validate(entry))
        entry["means"], entry["partial"] = means(records), lacking(records)
    entry["digest"] = digest(entry)
    return entry


def rows(entry: dict[str, Any], attack: str) -> list[dict[str, Any]]:
    return [row for cell in cells(entry, attack) for row in cell["images"]]


def cells(entry: dict[str, Any], attack: str) -> list[dict[str, Any]]:
    return [cell for cell in entry["cells"] if cell["shared"]["attack"] == attack]


def leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in leaves(value, (*path, key))]
    if isinstance(node, list):
        return [leaf for place, value in enumerate(node) for leaf in leaves(value, (*path, place))]
    return [path]


def put(node: Any, path: tuple[Any, ...], value: Any) -> None:
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value


def look(node: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        node = node[key]
    return node


# Honest entries ------------------------------------------------------------------------------------


def test_there_is_an_entry_of_every_mini_model() -> None:
    packaged = {name for name in zoo.names() if zoo.card(name).packaged}
    assert set(MODELS) >= {"bicubic", *packaged}


@pytest.mark.parametrize("model", MODELS)
def test_a_committed_entry_is_valid_complete_and_small(model: str) -> None:
    file = FOLDER / f"{model}.json"
    report = validate(file, again=0)
    assert report.problems == []
    assert report.entry is not None and report.entry.partial == []
    assert report.entry.model.name == model
    assert file.stat().st_size < 1_000_000


@pytest.mark.parametrize("model", sorted({r.model for r in read_csv(MINI)}))
def test_entries_made_of_committed_records_are_not_stale(model: str) -> None:
    file = FOLDER / f"{model}.json"
    entry = validate(file, again=0).entry
    records = [r for r in mini_records() if r.model == model]
    assert entry is not None and records
    again = make_entry(from_records(model, Statement(), records), records, entry.command)
    assert as_text(again) == file.read_text(encoding="utf-8")


def test_the_page_of_the_entries_is_not_stale() -> None:
    assert board(read_folder(FOLDER)) == (FOLDER / "README.md").read_text(encoding="utf-8")


def test_an_entry_holds_every_record_as_it_was() -> None:
    mine = [r for r in mini_records() if r.model == "rsr-mini"]
    entry = make_entry(from_records("rsr-mini", Statement(), mine), mine, "")
    order = {(r.dataset, r.attack, r.image): r for r in mine}
    again = unpack_records(Entry.model_validate_json(as_text(entry)))
    assert len(again) == len(order) == 96
    assert all(order[r.dataset, r.attack, r.image] == r for r in again)


def test_means_and_digest_are_what_they_say() -> None:
    entry = raw()
    for attack in ("none", "random", "rsr"):
        for dataset in ("ntire-mini", "aim-mini"):
            (cell,) = [c for c in cells(entry, attack) if c["shared"]["dataset"] == dataset]
            for name, mean in entry["means"][dataset][attack].items():
                values = [row["metrics"][name] for row in cell["images"]]
                assert mean == pytest.approx(statistics.fmean(values), rel=1e-12)
    written = json.loads(as_text(small()))
    stated = written.pop("digest")
    text = json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert stated == hashlib.sha256(text.encode()).hexdigest()


def test_a_partial_entry_passes_and_says_so(tmp_path: Path) -> None:
    report = check(raw(), tmp_path)
    assert report.valid
    assert "partial: ntire-mini: 2 of 12 images under none, random, rsr" in report.notes
    assert "partial: aim-mini: 0 of 12 images under strong" in report.notes


def test_what_a_complete_entry_needs() -> None:
    mine = [r for r in mini_records() if r.model == "bicubic"]
    assert lacking(mine) == []
    assert lacking([r for r in mine if r.dataset != "aim-mini"]) == ["aim was not measured"]
    without = [
        r.model_copy(update={"metrics": {k: v for k, v in r.metrics.items() if k != "niqe"}}) for r in mine
    ]
    assert lacking(without) == ["NIQE was not measured everywhere"]
    for attack in ATTACKS:
        lines = lacking([r for r in mine if r.attack != attack])
        assert lines == [f"{name}: 0 of 12 images under {attack}" for name in ("aim-mini", "ntire-mini")]


@pytest.mark.parametrize("name", sorted(registry.presets()))
def test_variants_hold_what_a_preset_is_on_any_machine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from srbench.attacks import perceptual
    from srbench.errors import Unavailable

    known = {recipe.hash for recipe in variants(name)}
    published = ("vgg19", "lpips-alex", "lpips-squeeze")
    seen = set()
    for installed in ((), *((term,) for term in published), published[:2], published[1:], published):

        def locate(term: str, installed: tuple[str, ...] = installed) -> Path:
            if term not in installed:
                raise Unavailable("not here")
            return Path(term)

        monkeypatch.setattr(perceptual, "locate", locate)
        seen.add(preset(name).hash)
    assert seen <= known
    assert preset(name).hash == variants(name)[0].hash  # with everything installed: as published


def test_a_former_edition_of_a_preset_is_known_and_nothing_else_is() -> None:
    """An attack's edition is part of its settings from the second on: the first strong had none of APGD."""

    def known(settings: dict[str, Any], name: str = "strong") -> bool:
        return is_former(name, settings | {"note": "of no account"}, settings_hash(settings))

    settings = preset("strong").settings()
    parts: list[dict[str, Any]] = settings["parts"]
    assert {part["edition"] for part in parts if part["kind"] == "APGD"} == {2}
    first = settings | {"parts": [{k: v for k, v in part.items() if k != "edition"} for part in parts]}
    assert known(first) and not known(settings) and not known(first, "rsr")
    assert not is_former("strong", first, settings_hash(first | {"seed": 1}))
    later = [part | {"edition": 3} if part["kind"] == "APGD" else part for part in parts]
    assert not known(settings | {"parts": later}) and not known(first | {"edition": 2})
    longer = [
        p | {"options": p["options"] | {"steps": 21}} for p in first["parts"] if "steps" in p["options"]
    ]
    for change in ({"eps": 0.01}, {"seed": 1}, {"norm": "l2"}, {"parts": longer}):
        assert not known(first | change), change


# Tampering -----------------------------------------------------------------------------------------


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


SHA = "ab" * 32
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
    assert "partial: it does not say: ntire-mini: 2 of 12 images under none, random, rsr" in problems


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


# Files from anywhere -------------------------------------------------------------------------------

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(FAST, max_examples=60)
@given(data=st.data())
def test_a_mangled_entry_gives_lines_never_an_exception(data: st.DataObject, tmp_path: Path) -> None:
    entry = raw()
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(leaves(entry)))
        path = path[: data.draw(st.integers(1, len(path)))]
        put(entry, path, data.draw(ANYTHING))
        try:
            entry["digest"] = digest(entry)
        except ValueError:
            break  # not a finite number: no digest can be made
        if not leaves(entry):
            break
    try:
        lines = check(entry, tmp_path).problems
    except BadInput as error:
        assert "entry" in str(error)
    else:
        assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no JSON"),
        (b"\xff\xfe", "no JSON"),
        (b"[1]", 'lacks "format"'),
        (b'{"format": "srbench entry"}', "schema_version"),
        (b'{"format": "srbench entry", "schema_version": 2}', "schema_version 2"),
        (b'{"format": "srbench entry", "schema_version": 1, "schema_version": 1}', "twice"),
        (b'{"format": "srbench entry", "schema_version": 1, "means": NaN}', "no JSON"),
        (b'{"format": "srbench entry", "schema_version": 1, "means": 1e999}', "no JSON"),
        (b"[" * 100_000, "no JSON"),
    ],
)
def test_what_is_no_entry_is_said_in_one_line(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "entry.json"
    file.write_bytes(content)
    with pytest.raises(BadInput) as raised:
        validate(file)
    assert reason in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(BadInput, match="cannot be read"):
        validate(tmp_path / "none.json")


def test_a_wrong_type_is_named_by_its_place(tmp_path: Path) -> None:
    entry = raw()
    entry["cells"][1]["images"][0]["metrics"]["psnr"] = "25.7"
    assert check(entry | {"digest": digest(entry)}, tmp_path).problems == [
        "cells.1.images.0.metrics.psnr: input should be a valid number"
    ]
    entry = raw()
    entry["extra"] = 1
    assert check(entry | {"digest": digest(entry)}, tmp_path).problems == [
        "extra: extra inputs are not permitted"
    ]


def test_the_page_shows_a_strangers_words_as_words() -> None:
    mine = [r for r in mini_records() if r.model == "bicubic" and r.attack == "none"]
    stranger = [r.model_copy(update={"model": "theirs"}) for r in mine]
    card = facts(zoo.card("bicubic").model_copy(update={"name": "theirs", "title": "<b>|[x](y)"}), "")
    page = board({"theirs.json": make_entry(card, stranger, "")})
    assert r"\<b\>\|\[x\](y)" in page
    with pytest.raises(ValueError, match="name"):
        facts(zoo.card("bicubic").model_copy(update={"name": "a|b"}), "")


def test_other_data_and_attacks_are_other_tables() -> None:
    mine = [r for r in mini_records() if r.model == "bicubic" and r.attack == "none"]
    other = [r.model_copy(update={"model": "other", "dataset_hash": SHA}) for r in mine]
    one = make_entry(from_records("bicubic", Statement(), mine), mine, "")
    two = make_entry(from_records("other", Statement(), other), other, "")
    assert board({"a.json": one, "b.json": two}).count("· protocol rsr") == 2
