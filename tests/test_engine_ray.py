"""``--engine ray`` on real workers: the records of this process, whoever is killed; poisoned models."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from srbench import evaluation as job
from srbench.boards.evaluated import evaluated_tables
from srbench.boards.files import as_json
from srbench.errors import RunFailed
from srbench.run.outcome import Outcome
from srbench.run.placement import Placement, Resources
from srbench.run.plan import Cell
from srbench.run.settings import Settings
from srbench.run.workers.ray_pool import own_token
from srbench.store.folder import Store
from srbench.store.record import Record

own_token()  # before Ray is imported, which would write one into the user's home
ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'srbench[scale]'")
pytestmark = pytest.mark.slow
TESTS = Path(__file__).parent
PAIR = ("bicubic", "esrgan-psnr-mini")


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    """One cluster for the tests of this file; a run that finds its process connected uses it."""
    from srbench.run.workers.ray_pool import RayPool
    from srbench.run.workers.worker import Job

    settings = Settings(workers=1)
    (cell,) = job.prepare(
        job.EvaluationRequest(models=("bicubic",), datasets=("clean-mini",), metrics=("psnr",))
    ).plan
    with RayPool(Job("", cell.protocol, (), settings, {}), Resources(workers=2)):
        yield


def request(
    store: Path, models: tuple[str, ...], limit: int = 3, engine: str = "ray"
) -> job.EvaluationRequest:
    where = Placement(engine, resources=Resources(workers=2)) if engine == "ray" else Placement()  # type: ignore[arg-type]
    return job.EvaluationRequest(
        models=models,
        datasets=("clean-mini",),
        metrics=("psnr", "ssim"),
        limit=limit,
        store=store,
        placement=where,
    )


def evaluate(
    wanted: job.EvaluationRequest, on_image: Callable[[Cell, int], None] | None = None
) -> job.Evaluation:
    prepared = job.prepare(wanted)
    prepared.runner.on_image = on_image or prepared.runner.on_image
    return job.run(prepared)


def without_times(records: list[Record]) -> list[Record]:
    return [r.model_copy(update={"seconds": 0.0, "created": ""}) for r in records]


def workers(doing: str, pid: int | None = None) -> list[psutil.Process]:
    """Ray's workers below a process, or this one, by what they say they do."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if doing in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_two_workers_give_the_leaderboard_of_this_process(tmp_path: Path, cluster: None) -> None:
    there = evaluate(request(tmp_path / "there", PAIR))
    here = evaluate(request(tmp_path / "here", PAIR, engine="local"))
    assert (there.outcome, there.outcome.measured) == (here.outcome, 6)
    assert without_times(there.records) == without_times(here.records)
    assert as_json(evaluated_tables(there)) == as_json(evaluated_tables(here))
    assert len(Store(tmp_path / "there").cells()) == 2
    assert not list((tmp_path / "there").rglob("*.parts"))
    assert evaluate(request(tmp_path / "there", PAIR)).outcome == Outcome(kept=6)


def test_a_worker_killed_in_mid_cell_changes_nothing(tmp_path: Path, cluster: None) -> None:
    killed: list[int] = []

    def kill(cell: Cell, images: int) -> None:
        if images and not killed and (busy := workers("ray::Worker.measure")):
            killed.append(busy[0].pid)
            busy[0].send_signal(signal.SIGKILL)

    models = ("scale_models:Slow", "bicubic")
    there = evaluate(request(tmp_path / "there", models, limit=6), kill)
    here = evaluate(request(tmp_path / "here", models, limit=6, engine="local"))
    assert killed
    assert there.outcome == here.outcome
    assert without_times(there.records) == without_times(here.records)


@pytest.mark.thorough
def test_a_hanging_model_is_given_up_and_the_others_finished(tmp_path: Path, cluster: None) -> None:
    wanted = request(tmp_path, ("scale_models:Hanging", "bicubic"), limit=1)
    found = evaluate(replace(wanted, placement=replace(wanted.placement, tries=2, timeout=3)))
    assert [r.model for r in found.records] == ["bicubic"]
    (line,) = found.outcome.failures
    assert line.startswith("scale_models:Hanging on clean-mini, image")
    assert "the worker was given up (an image may take 3 s), tried 2 times" in line


def test_a_worker_ended_for_memory_asks_for_smaller_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    from srbench.run.workers.pools import Handle, Lost
    from srbench.run.workers.ray_pool import RayPool
    from srbench.run.workers.worker import Job

    (cell,) = job.prepare(
        job.EvaluationRequest(models=("bicubic",), datasets=("clean-mini",), metrics=("psnr",))
    ).plan
    pool = RayPool(Job("", cell.protocol, (), Settings(workers=1), {}), Resources(workers=2))
    for error, memory in (
        (ray.exceptions.OutOfMemoryError("the node ran low on memory"), True),
        (ray.exceptions.ActorDiedError(), False),
    ):

        def fail(reference: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(ray, "get", fail)
        with pytest.raises(Lost) as lost:
            pool.result(Handle(None))
        assert lost.value.out_of_memory is memory


@pytest.mark.thorough
def test_a_poisoned_model_is_reported_and_the_others_finished(tmp_path: Path, cluster: None) -> None:
    models = ("scale_models:Deadly", "scale_models:Failing", "bicubic")
    wanted = replace(request(tmp_path, models, limit=1), placement=Placement("ray", tries=2))
    found = evaluate(wanted)
    assert [r.model for r in found.records] == ["bicubic"]
    deadly, failing = found.outcome.failures
    assert deadly.startswith("scale_models:Deadly on clean-mini, image")
    assert "the worker was lost (ActorDiedError" in deadly
    assert failing.startswith("scale_models:Failing on clean-mini, image")
    assert "ValueError: a bug of its own" in failing
    assert all(line.endswith("tried 2 times") for line in found.outcome.failures)
    (table,) = evaluated_tables(found)
    assert [row.model for row in table.rows] == ["bicubic"]


def test_a_killed_command_resumes_and_leaves_no_worker(tmp_path: Path, cluster: None) -> None:
    command = [sys.executable, "-m", "srbench", "evaluate", "--models", "scale_models:Slow,bicubic"]
    command += ["--datasets", "clean-mini", "--metrics", "psnr,ssim", "--limit", "6", "--engine", "ray"]
    command += ["--ray-workers", "1", "--store", str(tmp_path / "there")]
    # A cluster of its own; the model's module is found by path.
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    driver = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while driver.poll() is None and not list((tmp_path / "there").rglob("*.part")):
        time.sleep(0.02)
    assert driver.poll() is None, driver.stderr.read() if driver.stderr else ""
    below = workers("ray::Worker", driver.pid)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    # Workers may end the image they are at, and store it, before they find out.
    _, alive = psutil.wait_procs(below, timeout=30)
    assert below
    assert not alive
    stored = without_times(list(Store(tmp_path / "there")))
    assert 0 < len(stored) < 12
    models = ("scale_models:Slow", "bicubic")
    here = evaluate(request(tmp_path / "here", models, limit=6, engine="local"))
    there = evaluate(request(tmp_path / "there", models, limit=6))
    assert there.outcome == Outcome(measured=12 - len(stored), kept=len(stored))
    assert without_times(there.records) == without_times(here.records)


def test_an_address_without_a_cluster_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def refuse(**options: object) -> None:
        raise ConnectionError("nobody\nthere")

    monkeypatch.setattr(ray, "init", refuse)
    wanted = replace(
        request(tmp_path, ("bicubic",)), placement=Placement("ray", resources=Resources("127.0.0.1:1"))
    )
    with pytest.raises(
        RunFailed, match=r"no Ray cluster answers at --ray-address 127.0.0.1:1 \(nobody there\)"
    ):
        evaluate(wanted)
