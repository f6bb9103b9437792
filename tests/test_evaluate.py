"""Evaluating: every record says everything, and nothing but its image decides what it says."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from evaluate_cases import FAST, evaluate, registered_wiggle, request, without_times
from helpers import write_pairs
from torch import nn

from srbench import evaluation as job
from srbench import zoo
from srbench.boards.evaluated import evaluated_tables
from srbench.entries.tolerance import ROUNDING
from srbench.run.options import default_store
from srbench.store.folder import Store
from srbench.store.record import Record


@pytest.fixture
def wiggle() -> Iterator[str]:
    with registered_wiggle() as name:
        yield name


def test_a_record_says_everything(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2)
    result = evaluate(request(lr, hr))
    assert result.outcome.measured == 2
    first = result.records[0]
    assert first.image == "000"
    assert first.lr_size == (24, 24)
    assert first.sr_size == (96, 96)
    assert set(first.metrics) == set(FAST)
    assert first.dataset_images == 2
    assert len(first.dataset_hash) == 64
    assert len(first.protocol_hash) == 64
    # A CUDA build from the package index adds +cu130 to its own version and not to its package's.
    assert first.versions["torch"] in (torch.__version__, torch.__version__.partition("+")[0])


def test_psnr_and_ssim_are_the_protocols(tmp_path: Path) -> None:
    """Against scikit-image on the bicubic output of Pillow-free arithmetic: uint8, RGB, 4 px crop."""
    import numpy as np
    from skimage.metrics import peak_signal_noise_ratio

    from srbench import datasets

    (mini,), _ = datasets.resolve(["ntire-mini"])
    image = mini.load(mini.ids[0])
    result = evaluate(
        job.EvaluationRequest(models=("bicubic",), datasets=("ntire-mini",), metrics=FAST, limit=1)
    )
    lr = torch.from_numpy(image.lr.copy()).permute(2, 0, 1)[None].float() / 255
    sr = zoo.resolve(["bicubic"])[0].load()(lr).clamp(0, 1)[0].permute(1, 2, 0).numpy()
    a, b = (np.round(sr * 255)[4:-4, 4:-4], image.hr.astype(np.float64)[4:-4, 4:-4])
    expected = peak_signal_noise_ratio(b, a, data_range=255)
    assert result.records[0].metrics["psnr"] == pytest.approx(expected, abs=1e-3)
    # SSIM written out from its definition with an explicit Gaussian window, valid positions only.
    offsets = np.arange(-5, 6)
    line = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(line, line) / np.outer(line, line).sum()
    blur = lambda x: np.einsum(  # noqa: E731
        "hwcij,ij->hwc", np.lib.stride_tricks.sliding_window_view(x, (11, 11), axis=(0, 1)), window
    )
    mu_a, mu_b = blur(a), blur(b)
    var_a, var_b, cov = blur(a * a) - mu_a**2, blur(b * b) - mu_b**2, blur(a * b) - mu_a * mu_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    ssim = ((2 * mu_a * mu_b + c1) * (2 * cov + c2)) / ((mu_a**2 + mu_b**2 + c1) * (var_a + var_b + c2))
    assert result.records[0].metrics["ssim"] == pytest.approx(ssim.mean(), abs=1e-6)


def test_the_same_command_measures_nothing_twice(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 3)
    first = evaluate(request(lr, hr, limit=2))
    second = evaluate(request(lr, hr))
    third = evaluate(request(lr, hr))
    assert (first.outcome.measured, second.outcome.measured, third.outcome.measured) == (2, 1, 0)
    assert third.outcome.kept == 3
    assert third.records[:2] == first.records
    again = evaluate(request(lr, hr, rerun="always"))
    assert again.outcome.measured == 3
    assert without_times(again.records) == without_times(third.records)
    assert evaluate(request(lr, hr, rerun="never")).records == again.records


def test_a_metric_asked_for_later_joins_the_record(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2)
    evaluate(request(lr, hr, metrics=("psnr",)))
    result = evaluate(request(lr, hr, metrics=("gmsd",)))
    assert result.outcome.measured == 2
    assert all(set(r.metrics) == {"psnr", "gmsd"} for r in result.records)
    (file,) = default_store().rglob("*.jsonl")
    assert file.read_bytes().count(b"\n") == 2


def test_changed_content_is_another_cell(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2)
    evaluate(request(lr, hr))
    write_pairs(tmp_path, 2, seed=1)
    result = evaluate(request(lr, hr))
    assert result.outcome.measured == 2
    assert len(list(default_store().rglob("*.jsonl"))) == 2


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_change_no_record(tmp_path: Path, wiggle: str, workers: int) -> None:
    lr, hr = write_pairs(tmp_path, 7, side=40)
    stores = [tmp_path / "one", tmp_path / "many"]
    one, many = (
        evaluate(request(lr, hr, models=("bicubic", wiggle), workers=count, store=store))
        for count, store in zip((1, workers), stores, strict=True)
    )
    assert without_times(many.records) == without_times(one.records)


def test_the_order_and_company_of_images_change_no_record(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 5, side=40)
    whole = {r.image: r for r in without_times(evaluate(request(lr, hr, store=tmp_path / "s")).records)}
    store = Store(tmp_path / "one by one")
    prepared = job.prepare(request(lr, hr, store=store.root))
    from dataclasses import replace

    order = list(prepared.plan[0].images)
    random.Random(3).shuffle(order)
    for image in order:
        prepared.runner.run([replace(prepared.plan[0], images=(image,))])
    assert {r.image: r for r in without_times(list(store))} == whole


def test_batch_size_moves_metrics_by_rounding_only(shared_weights: Path) -> None:
    """Same bounds as for threads: images through the network in one batch and one by one."""
    from srbench import datasets, protocols
    from srbench.run.instruments import Instruments

    (mini,), _ = datasets.resolve(["aim-mini"])
    loaded = [mini.load(image) for image in mini.ids[:3]]
    lr = torch.stack([torch.tensor(image.lr).permute(2, 0, 1) for image in loaded]).float() / 255
    hr = torch.stack([torch.tensor(image.hr).permute(2, 0, 1) for image in loaded]).float() / 255
    model = zoo.resolve(["realesrgan-general"])[0].load()
    instruments = Instruments(protocols.protocol("rsr"), None, "cpu")
    names = instruments.names(paired=True)
    with torch.inference_mode():
        together = model(lr)
        for k in range(3):
            a, _ = instruments.measure(names, together[k : k + 1], hr[k : k + 1])
            b, _ = instruments.measure(names, model(lr[k : k + 1]), hr[k : k + 1])
            for name in names:
                assert a[name] == pytest.approx(b[name], abs=ROUNDING[name]), name


@pytest.mark.slow
def test_thread_count_moves_metrics_by_rounding_only(tmp_path: Path, shared_weights: Path) -> None:
    """On a trained network; the bounds are stated in ROUNDING."""
    wanted = job.EvaluationRequest(models=("realesrgan-general",), datasets=("ntire-mini",), limit=1)
    results = [
        evaluate(
            job.EvaluationRequest(
                **(wanted.__dict__ | {"threads": threads, "store": tmp_path / str(threads)})
            )
        )
        for threads in (1, 2)
    ]
    a, b = (result.records[0].metrics for result in results)
    assert set(a) == {"psnr", "ssim", "lpips", "niqe", "brisque", "piqe"}
    for name in a:
        assert a[name] == pytest.approx(b[name], abs=ROUNDING[name]), name


def test_no_reference_sets_get_no_reference_metrics(tmp_path: Path) -> None:
    lr, _ = write_pairs(tmp_path, 2)
    result = evaluate(
        job.EvaluationRequest(models=("bicubic",), datasets=(f"folder:{lr}",), metrics=("psnr", "piqe"))
    )
    assert all(set(r.metrics) == {"piqe"} for r in result.records)
    assert [t.kind for t in evaluated_tables(result)] == ["no-reference"]


def test_an_undefined_metric_is_null_with_a_reason_and_not_measured_again(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=30)
    wanted = request(lr, hr, metrics=("psnr", "ms_ssim"))
    result = evaluate(wanted)
    assert result.records[0].metrics["ms_ssim"] is None
    assert "120 x 120" in result.records[0].notes["ms_ssim"]
    assert evaluate(wanted).outcome.measured == 0


def test_without_lpips_the_next_ranking_metric_is_measured(tmp_path: Path) -> None:
    result = evaluate(job.EvaluationRequest(models=("bicubic",), datasets=("clean-mini",), limit=1))
    assert "lpips" not in result.records[0].metrics
    assert result.records[0].metrics["lpips-lite"] is not None
    assert evaluated_tables(result)[0].rank_by == "lpips-lite"


class Broken(nn.Module):
    """Works on the probe and on small images, then fails."""

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        sr = lr.repeat_interleave(4, -1).repeat_interleave(4, -2)
        return sr / 0 if lr.shape[-1] == 32 else sr


def test_one_failing_model_does_not_take_the_others_down(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=24)
    write_pairs(tmp_path / "big", 1, side=32)
    (tmp_path / "big/lr/000x4.png").rename(lr / "009x4.png")
    (tmp_path / "big/hr/000.png").rename(hr / "009.png")
    zoo.register("broken", Broken)
    try:
        result = evaluate(request(lr, hr, models=("broken", "bicubic")))
    finally:
        from srbench.zoo import catalog

        catalog._registered.pop("broken")
    assert len(result.outcome.failures) == 1
    assert "broken" in result.outcome.failures[0]
    assert "009" in result.outcome.failures[0]
    assert "NaN" in result.outcome.failures[0]
    assert len([r for r in result.records if r.model == "broken"]) == 2
    assert len([r for r in result.records if r.model == "bicubic"]) == 3
    row = next(r for r in evaluated_tables(result)[0].rows if r.model == "broken")
    assert row.rank is None


def test_bfloat16_and_tiles_are_rows_of_their_own(tmp_path: Path, wiggle: str) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=40)
    evaluate(request(lr, hr, models=(wiggle,)))
    evaluate(request(lr, hr, models=(wiggle,), precision="bf16"))
    evaluate(request(lr, hr, models=(wiggle,), tile=16))
    from srbench.boards.compute import tables

    (table,) = tables(Store(default_store()))
    assert {row.label for row in table.rows} == {"wiggle", "wiggle (bf16)", "wiggle (tile 16, halo 32)"}


def test_attacked_columns(tmp_path: Path, wiggle: str) -> None:
    lr, hr = write_pairs(tmp_path, 3, side=24)
    wanted = request(lr, hr, models=(wiggle,), metrics=("psnr", "gmsd"), attacks=("none", "random", "rsr@8"))
    result = evaluate(wanted)
    by_attack = {name: [r for r in result.records if r.attack == name] for name in wanted.attacks}
    assert [len(records) for records in by_attack.values()] == [3, 3, 3]
    assert all(not r.effect and r.attack_settings is None for r in by_attack["none"])
    for r in by_attack["rsr@8"]:
        assert r.effect["lr_max"] <= 8 + 1e-3
        assert r.attack_settings is not None
        assert r.attack_settings["eps"] == pytest.approx(8 / 255)
        assert r.flags == {}
    (table,) = evaluated_tables(result)
    assert table.attacks == ["none", "random", "rsr@8"]
    assert {attack for _, attack in table.rows[0].average} == set(table.attacks)
    again = evaluate(request(lr, hr, **(wanted.__dict__ | {"workers": 1, "store": tmp_path / "again"})))
    assert without_times(again.records) == without_times(result.records)


def test_an_attack_no_stronger_than_noise_is_flagged() -> None:
    from helpers import record

    from srbench.boards.compute import tables

    def under(attack: str, lpips: float) -> Record:
        kind = "RandomNoise" if attack == "random" else "StructuredPGD"
        settings = {"kind": kind, "eps": 0.05} if attack != "none" else None
        hashed = {"attack": attack, "attack_hash": attack if settings else "", "attack_settings": settings}
        return record(metrics={"lpips": lpips}, dataset_images=1, **hashed)

    weak = [under("none", 0.1), under("random", 0.3), under("rsr", 0.3), under("strong", 0.4)]
    (table,) = tables(weak)
    assert len(table.flags) == 1
    assert "rsr" in table.flags[0]
    assert "random noise" in table.flags[0]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_agrees_with_cpu(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=40)
    cpu = evaluate(request(lr, hr, device="cpu", store=tmp_path / "cpu")).records
    gpu = evaluate(request(lr, hr, device="cuda", store=tmp_path / "gpu")).records
    for a, b in zip(cpu, gpu, strict=True):
        assert a.metrics["psnr"] == pytest.approx(b.metrics["psnr"], abs=1e-3)
        assert a.metrics["ssim"] == pytest.approx(b.metrics["ssim"], abs=1e-5)
