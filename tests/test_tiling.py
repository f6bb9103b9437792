"""Images larger than memory: what they need, when they are tiled, and that it shows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from helpers import blurry_upscaler, inside, record, write_pairs
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from srbench import evaluation as job
from srbench import zoo
from srbench.boards.compute import tables
from srbench.boards.csv_records import from_frame
from srbench.boards.evaluated import evaluated_tables
from srbench.boards.frame import frame
from srbench.boards.site.reproduce import reproducing_command
from srbench.errors import BadInput
from srbench.run import memory_fit as fitting
from srbench.run.memory_fit import GIB, IMAGE, METRICS, SIDES
from srbench.run.options import HALO, parse_tile
from srbench.run.outcome import is_out_of_memory
from srbench.zoo.memory import MARGIN, needed


class Hungry(nn.Module):
    """Nearest-neighbour x4 that fails as torch does once a side is above a limit."""

    limit = 10_000
    message = "[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, lr: Tensor) -> Tensor:
        if max(lr.shape[-2:]) > self.limit:
            raise RuntimeError(self.message)
        return nn.functional.interpolate(lr * self.weight, scale_factor=4)


@pytest.fixture
def models() -> Iterator[tuple[str, str]]:
    from srbench.zoo import catalog

    zoo.register("blurry", blurry_upscaler)
    zoo.register("hungry", Hungry)
    yield "blurry", "hungry"
    for name in ("blurry", "hungry"):
        catalog._registered.pop(name)


def request(lr: Path, hr: Path, **changes: object) -> job.EvaluationRequest:
    fields: dict[str, object] = {"datasets": (f"pairs:{lr}:{hr}",), "metrics": ("psnr",)}
    return job.EvaluationRequest(**(fields | changes))  # type: ignore[arg-type]


# what an image needs


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 24), min_size=1, max_size=4), st.integers(3, 20), st.integers(3, 20))
def test_a_chain_of_convolutions_needs_a_closed_form(widths: list[int], h: int, w: int) -> None:
    """LR throughout; while a convolution runs, what it reads and writes, twice."""
    channels = [3, *widths, 48]
    layers = [nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(channels)]
    beside = [3 + 2 * channels[1] + 3, *(2 * (a + b) + 3 for a, b in pairwise(channels[1:])), 3 + 48 + 48]
    expected = MARGIN * 4 * h * w * max(beside)
    assert needed(nn.Sequential(*layers, nn.PixelShuffle(4)), h, w) == pytest.approx(expected, abs=1)


def test_a_gradient_keeps_every_activation() -> None:
    def net(depth: int) -> nn.Module:
        middle = [m for _ in range(depth) for m in (nn.Conv2d(16, 16, 3, padding=1), nn.Tanh())]
        return nn.Sequential(nn.Conv2d(3, 16, 1), *middle, nn.Conv2d(16, 48, 1), nn.PixelShuffle(4))

    forward = [needed(net(depth).requires_grad_(False), 10, 12) for depth in (2, 8)]
    backward = [needed(net(depth).requires_grad_(False), 10, 12, gradient=True) for depth in (2, 8)]
    assert forward[0] == forward[1]
    # Each block's tanh keeps what it made: 16 channels of floats.
    assert backward[1] - backward[0] >= 6 * 16 * 10 * 12 * 4


def test_a_network_that_looks_at_values_is_scaled_from_a_small_image() -> None:
    class Looking(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = blurry_upscaler()

        def forward(self, lr: Tensor) -> Tensor:
            return self.inner(lr) if float(lr.mean()) < 2 else lr

    assert needed(Looking(), 50, 70) == pytest.approx(needed(blurry_upscaler(), 50, 70), rel=0.1)


@pytest.mark.slow
def test_what_is_counted_is_what_a_process_takes(tmp_path: Path) -> None:
    """Resident memory of a process of its own, around one forward pass.

    The image is large: below some 32 MiB a tensor lies in the allocator's heap, which breaks up differently
    on every machine (at 256 x 256 the same pass took 1.25 to 1.6 of what is counted, at 512 x 512 0.78).
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc")
    script = tmp_path / "measure.py"
    script.write_text(
        "import torch\n"
        "from torch import nn\n"
        "from srbench.zoo.memory import MARGIN, needed\n"
        "torch.set_num_threads(1)\n"
        "body = [nn.Conv2d(64, 64, 3, padding=1) for _ in range(3)]\n"
        "ends = nn.Conv2d(3, 64, 3, padding=1), nn.Conv2d(64, 48, 1)\n"
        "net = nn.Sequential(ends[0], *body, ends[1], nn.PixelShuffle(4))\n"
        "def peak():\n"
        "    lines = open('/proc/self/status').read().splitlines()\n"
        "    return next(int(l.split()[1]) for l in lines if l.startswith('VmHWM')) * 1024\n"
        "with torch.inference_mode():\n"
        "    net(torch.zeros(1, 3, 16, 16))\n"
        "    before = peak()\n"
        "    net(torch.zeros(1, 3, 512, 512))\n"
        "print((peak() - before) / needed(net, 512, 512) * MARGIN)\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True)
    assert 0.6 < float(done.stdout) < MARGIN


def test_memory_is_what_is_there_or_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0 < fitting.machine_memory() <= total
    assert fitting.budget("cpu", 8) == 8 * GIB - fitting.RESERVE
    assert fitting.budget("cpu", 1) == GIB // 2
    limited = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 31, 1 << 31))\n"
        "from srbench.run.memory_fit import machine_memory; print(machine_memory())"
    )
    done = subprocess.run([sys.executable, "-c", limited], capture_output=True, text=True, check=True)
    assert int(done.stdout) == min(1 << 31, fitting.machine_memory())


# when images are tiled


@pytest.mark.parametrize(("text", "tile"), [("auto", "auto"), ("whole", None), ("32", 32), ("256", 256)])
def test_tiles_as_written(text: str, tile: object) -> None:
    assert parse_tile(text) == tile


@pytest.mark.parametrize("text", ["15", "-64", "1.5", "all", "", "٣٢x"])
def test_no_tiles(text: str) -> None:
    with pytest.raises(BadInput, match="use auto, whole"):
        parse_tile(text)


def room(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(fitting, "budget", lambda device, memory=None: size)


def test_whole_where_it_fits_and_tiles_where_not(
    tmp_path: Path, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lr, hr = write_pairs(tmp_path, 2, side=220)
    (ref,) = zoo.resolve(["blurry"])
    network = ref.load()
    beside = IMAGE * 220 * 220
    whole = beside + needed(network, 220, 220)
    wanted = request(lr, hr, models=("blurry", "bicubic"), memory=None)
    for size, tile in ((whole, None), (whole - 1, 128), (beside + needed(network, 192, 192) - 1, 96)):
        room(monkeypatch, size)
        prepared = job.prepare(wanted)
        cells = {cell.model.name: cell for cell in prepared.plan}
        assert cells["blurry"].tile == tile
        assert cells["blurry"].halo == (None if tile is None else HALO)
        assert any("blurry needs" in notice for notice in prepared.notices) == (tile is not None)
    # Nothing fits: the smallest tiles are tried all the same.
    room(monkeypatch, 1000)
    assert {cell.tile for cell in job.prepare(wanted).plan} == {SIDES[-1]}
    assert {cell.tile for cell in job.prepare(request(lr, hr, models=("blurry",), tile=None)).plan} == {None}


def test_one_tile_for_all_sets_of_a_model(
    tmp_path: Path, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small image is run whole, to the same bits, and still has the row of the large one."""
    large, small = (write_pairs(tmp_path / str(side), 1, side=side) for side in (150, 40))
    sets = tuple(f"pairs:{lr}:{hr}" for lr, hr in (large, small))
    wanted = job.EvaluationRequest(
        models=("blurry",), datasets=sets, metrics=("psnr", "gmsd"), store=tmp_path / "s"
    )
    (ref,) = zoo.resolve(["blurry"])
    whole = job.run(job.prepare(wanted)).records
    room(monkeypatch, IMAGE * 150 * 150 + needed(ref.load(), 130, 130))
    result = job.run(job.prepare(wanted))
    tiled = result.records
    assert [(r.tile, r.halo) for r in whole] == [(None, None)] * 2
    assert [(r.tile, r.halo) for r in tiled] == [(64, HALO)] * 2
    assert tiled[1].metrics == whole[1].metrics
    # A three by three blur sees one pixel far, and the halo is wider.
    assert tiled[0].metrics == pytest.approx(whole[0].metrics, abs=1e-5)
    (table,) = evaluated_tables(result)
    assert [(row.label, row.partial) for row in table.rows] == [(f"blurry (tile 64, halo {HALO})", "")]
    (both,) = tables([*whole, *tiled])
    assert {row.label for row in both.rows} == {"blurry", f"blurry (tile 64, halo {HALO})"}


def test_an_attack_needs_more_than_a_forward_pass(
    tmp_path: Path, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=130)
    (ref,) = zoo.resolve(["blurry"])
    room(monkeypatch, IMAGE * 130**2 + needed(ref.load(), 130, 130))
    tile = {
        attack: {
            cell.tile for cell in job.prepare(request(lr, hr, models=("blurry",), attacks=(attack,))).plan
        }
        for attack in ("none", "random", "jpeg:3", "rsr")
    }
    assert tile["none"] == tile["random"] == tile["jpeg:3"] == {None}
    assert tile["rsr"] != {None}


@pytest.mark.parametrize("rerun", ["only-missing", "always"])
def test_out_of_memory_is_tried_again_in_tiles(
    tmp_path: Path, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch, rerun: str
) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=50)
    big_lr, big_hr = write_pairs(tmp_path / "big", 2, side=300)
    sets = (f"pairs:{lr}:{hr}", f"pairs:{big_lr}:{big_hr}")
    wanted = request(lr, hr, models=("hungry", "bicubic"), datasets=sets, rerun=rerun)
    monkeypatch.setattr(Hungry, "limit", 150)
    prepared = job.prepare(wanted)
    result = job.run(prepared)
    assert result.outcome.failures == []
    # With its halo a tile of 96 is still above 150.
    assert result.outcome.notices == ["hungry ran out of memory: all of its images were run in tiles of 64"]
    assert {(r.model, r.tile) for r in result.records} == {("bicubic", None), ("hungry", 64)}
    assert len(result.records) == 6
    # As asked for, it fails and says what to do.
    failed = job.run(job.prepare(request(lr, hr, models=("hungry",), datasets=sets, tile=None)))
    assert "out of memory: try --tile" in failed.outcome.failures[0]
    monkeypatch.setattr(Hungry, "limit", 20)
    another = request(lr, hr, models=("hungry",), datasets=sets[1:], store=tmp_path / "another")
    hopeless = job.run(job.prepare(another))
    assert len(hopeless.outcome.failures) == 1
    assert "out of memory" in hopeless.outcome.failures[0]
    assert hopeless.records == []


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError(Hungry.message),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("Unable to allocate 9.3 GiB for an array"),
    ],
)
def test_errors_that_mean_no_memory(error: Exception) -> None:
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_fewer_images_at_once_where_several_do_not_fit(
    tmp_path: Path, models: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lr, hr = write_pairs(tmp_path, 4, side=40)
    (cell,) = job.prepare(request(lr, hr, models=("blurry",))).plan
    model = cell.model.load()
    one = max(IMAGE * 40 * 40 + needed(model, 40, 40), METRICS * 40 * 40)
    for images in (1, 2, 3, 4, 9):
        room(monkeypatch, images * one)
        assert fitting.at_once(cell, model, "cpu", 4) == min(images, 4)
    room(monkeypatch, 10)
    assert fitting.at_once(cell, model, "cpu", 4) == 1


# that it shows


def test_the_halo_is_part_of_a_records_identity_and_comes_back_from_tables(
    tmp_path: Path, models: tuple[str, str]
) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=40)
    records = []
    for halo in (8, 16):
        records += job.run(job.prepare(request(lr, hr, models=("blurry",), tile=16, halo=halo))).records
    assert [(r.tile, r.halo) for r in records] == [(16, 8), (16, 16)]
    (table,) = tables(records)
    assert {row.label for row in table.rows} == {"blurry (tile 16, halo 8)", "blurry (tile 16, halo 16)"}
    assert from_frame(frame(records)) == records
    assert "--tile 16 --halo 8" in reproducing_command(records[:1]).text
    older = record(tile=16)
    assert older.halo is None
    assert "--tile 16 --halo 16" in reproducing_command([older]).text  # what tiles had before it was recorded


def test_the_path_of_whole_images_is_what_it_was(tmp_path: Path) -> None:
    """A store of earlier records has to be found again; the digest is that of an earlier version."""
    import hashlib
    import json

    lr, hr = write_pairs(tmp_path, 1)
    (cell,) = job.prepare(request(lr, hr, models=("bicubic",))).plan
    earlier = {
        "model": ["bicubic", ""],
        "dataset": [cell.dataset.name, cell.dataset.content_hash],
        "attack": ["none", ""],
        "protocol": [cell.protocol.name, cell.protocol.hash],
        "precision": "fp32",
        "tile": None,
    }
    digest = hashlib.sha256(json.dumps(earlier, sort_keys=True).encode()).hexdigest()[:12]
    assert cell.path.stem == f"bicubic-{digest}"


@pytest.mark.slow
def test_the_command_line_tiles(tmp_path: Path) -> None:
    lr, hr = write_pairs(tmp_path, 1, side=40)
    arguments = ("evaluate", "--models", "bicubic", "--datasets", f"pairs:{lr}:{hr}", "--metrics", "psnr")
    done = inside(*arguments, "--tile", "16", "--halo", "4")
    assert done.returncode == 0, done.stderr
    assert "bicubic (tile 16, halo 4)" in done.stdout
    refused = inside(*arguments, "--tile", "8")
    assert refused.returncode == 2
    assert "use auto, whole, or a side" in refused.stderr
