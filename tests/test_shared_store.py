"""Runs on one store share its plan: a cell is one run's; others take the next and wait for it at the end."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from helpers import write_pairs
from scale_cases import METRICS, ShamPool, prepare, without_times

from srbench import evaluation as job
from srbench.run.plan import Cell
from srbench.run.workers.dispatch import Dispatcher
from srbench.store.claims import Busy, Claim
from srbench.store.folder import Store
from srbench.store.parts import PartStore

TESTS = Path(__file__).parent


class Other:
    """Another run: it has claimed cells, and ends in some way once somebody waits for it."""

    def __init__(self, store: Path, cells: list[Cell]) -> None:
        self.store, self.cells, self.said = store, cells, list[str]()
        self.there: list[int] = []
        self.claims: list[Claim] = [Store(store).claim(cell.path) for cell in cells]

    def dies(self, line: str) -> None:
        """Without a record."""
        self.said.append(line)
        self.there.append(len(list(Store(self.store))))
        for claim in self.claims:
            claim.release()

    def finishes(self, line: str) -> None:
        """With records that are like those of a quiet run."""
        for cell in self.cells:
            PartStore(str(self.store)).write(cell.path, self.records[cell.path])
        self.dies(line)

    records: dict[PurePosixPath, Any]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> str:
    lr, hr = write_pairs(tmp_path_factory.mktemp("pairs"), 7, side=16)
    return f"pairs:{lr}:{hr}"


@pytest.mark.parametrize("workers", [False, True], ids=["engine", "workers"])
@pytest.mark.parametrize("claimed", [1, 2])
@pytest.mark.parametrize("ending", ["dies", "finishes"])
def test_a_busy_cell_is_waited_for_at_the_end(
    workers: bool, claimed: int, ending: str, tmp_path: Path, pairs: str
) -> None:
    quiet, _, engine = prepare(tmp_path / "quiet", pairs)
    engine.run(quiet.plan)
    store = tmp_path / "store"
    prepared, told, engine = prepare(store, pairs)
    other = Other(store, prepared.plan[:claimed])
    other.records = {cell.path: Store(tmp_path / "quiet").read(cell.path) for cell in prepared.plan}
    pool = ShamPool(told, 2, iter(()), random.Random(0))
    runner: Any = Dispatcher(engine, Store(store), lambda: pool, device="sham") if workers else engine
    runner.on_wait = getattr(other, ending)
    seen: list[int] = []
    runner.on_image = lambda cell, images: seen.append(images)
    outcome = runner.run(prepared.plan)
    (line,) = other.said
    assert line.startswith("waiting for another run on this store, which measures bicubic on ")
    assert line.count("bicubic on") == claimed
    assert other.there == [14 - 7 * claimed + (7 * claimed if ending == "finishes" else 0)]
    taken = 7 * claimed if ending == "dies" else 0
    assert (outcome.measured, outcome.kept) == (14 - 7 * claimed + taken, 7 * claimed - taken)
    assert sum(seen) == 14 and outcome.failures == []
    assert without_times(prepared.records()) == without_times(quiet.records())
    assert not list(store.rglob("*.parts"))
    for cell in prepared.plan:
        Store(store).claim(cell.path).release()  # nothing is held any more


def test_records_that_came_before_the_lock_was_had_are_not_measured_again(
    tmp_path: Path, pairs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared, _, engine = prepare(tmp_path / "store", pairs)
    _, _, other = prepare(tmp_path / "store", pairs)
    claim = Store.claim

    def late(self: Store, cell: PurePosixPath) -> Any:
        monkeypatch.setattr(Store, "claim", claim)
        assert other.run(prepared.plan).measured == 14
        return claim(self, cell)

    monkeypatch.setattr(Store, "claim", late)
    assert (engine.run(prepared.plan).measured, len(prepared.records())) == (0, 14)


def test_a_claim_is_one_process_s_and_ends_with_it(tmp_path: Path) -> None:
    cell = PurePosixPath("rsr/set/none/bicubic-0.jsonl")
    held = Store(tmp_path).claim(cell)
    with pytest.raises(Busy, match="another run"):
        Store(tmp_path).claim(cell)
    held.release()
    with Store(tmp_path).writer(cell):
        pass
    assert Store(tmp_path).cells() == []  # of an empty cell nothing is left
    PartStore(str(tmp_path)).claim(cell).release()


def evaluates(store: Path, models: str, *sets: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "srbench", "evaluate", "--models", models, "--json"]
    command += ["--datasets", ",".join(sets), "--metrics", ",".join(METRICS), "--store", str(store)]
    environment = os.environ | {"PYTHONPATH": str(TESTS)}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def measured(errors: str) -> int:
    (count,) = re.findall(r"^(\d+) images measured", errors, re.MULTILINE)
    return int(count)


def test_who_dies_leaves_its_cell_to_the_one_that_waits(tmp_path: Path) -> None:
    sets = []
    for number in range(2):
        lr, hr = write_pairs(tmp_path / str(number), 3, side=16, seed=number)
        sets.append(f"pairs:{lr}:{hr}")
    store = tmp_path / "store"
    wanted = job.EvaluationRequest(models=("bicubic",), datasets=tuple(sets), metrics=METRICS, store=store)
    first, second = (cell.path for cell in job.prepare(wanted).plan)
    code = (
        "import sys, time; from pathlib import Path, PurePosixPath; from srbench.store.folder import Store; "
        "claim = Store(Path(sys.argv[1])).claim(PurePosixPath(sys.argv[2])); print('held', flush=True); "
        "time.sleep(60)"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(store), str(first)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert owner.stdout is not None and owner.stdout.readline() == "held\n"
        running = evaluates(store, "bicubic", *sets)
        assert running.stderr is not None
        line = running.stderr.readline()
        assert line.startswith("waiting for another run on this store, which measures bicubic on ")
        assert [len(Store(store).read(cell)) for cell in (first, second)] == [0, 3]
        time.sleep(1)
        assert running.poll() is None
    finally:
        owner.kill()
        owner.communicate()
    _, errors = running.communicate(timeout=60)
    assert (running.returncode, measured(errors)) == (0, 6)
    assert [len(Store(store).read(cell)) for cell in (first, second)] == [3, 3]


@pytest.mark.slow
def test_two_runs_share_the_work_and_end_with_one_table(tmp_path: Path) -> None:
    sets = []
    for number in range(3):
        lr, hr = write_pairs(tmp_path / str(number), 4, side=48, seed=number)
        sets.append(f"pairs:{lr}:{hr}")
    store = tmp_path / "store"
    runs = [evaluates(store, "scale_models:Slow,bicubic", *sets) for _ in range(2)]
    said = [run.communicate(timeout=200) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    counts = [measured(errors) for _, errors in said]
    assert sum(counts) == 24 and min(counts) >= 4, counts  # none twice, and no run does it all
    assert said[0][0] == said[1][0] != ""
    assert any("waiting for another run on this store" in errors for _, errors in said)
    for file in store.rglob("*.jsonl"):
        assert file.read_bytes().count(b"\n") == 4
    assert len(list(Store(store))) == 24
