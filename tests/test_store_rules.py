"""Which record counts when parts come late, and where exactly a record stops being one."""

from __future__ import annotations

import pickle
import uuid
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import pytest
from helpers import record
from pydantic import ValidationError

from srbench.errors import BadInput
from srbench.evaluation import EvaluationRequest, evaluate
from srbench.store.folder import Store
from srbench.store.parts import PartStore

CELL = PurePosixPath("rsr/set/none/bicubic-0.jsonl")


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> PartStore:
    return PartStore(f"memory://{uuid.uuid4().hex}" if request.param == "memory" else str(tmp_path))


def put(store: PartStore, made: int, **images: float) -> str:
    """Store a part as if at some time: images with their seconds."""
    return store.write(CELL, [record(image=name, seconds=value) for name, value in images.items()], made)


def seconds(store: PartStore) -> dict[str, float]:
    return {r.image: r.seconds for r in store.read(CELL)}


def test_parts_put_together_are_as_old_as_their_youngest(store: PartStore) -> None:
    """A part that shows up late, made between two that were put together, does not replace the later one."""
    put(store, 10, a=1.0, b=1.0)
    put(store, 30, a=3.0)
    store.settle(CELL)
    (kept,) = store.names(CELL)
    put(store, 20, a=2.0, c=2.0)
    assert seconds(store) == {"a": 3.0, "b": 1.0, "c": 2.0}
    put(store, 40, b=4.0)
    assert seconds(store) == {"a": 3.0, "b": 4.0, "c": 2.0}
    assert int(kept.partition("-")[0]) == 30


def test_what_is_stored_while_parts_are_put_together_goes_before_them(store: PartStore) -> None:
    put(store, 10, a=1.0)
    put(store, 20, b=2.0)
    seen = store.contents(CELL)
    put(store, 21, a=9.0)
    kept = store.merge(CELL, seen)
    store.remove(CELL, [name for name in seen if name != kept])
    assert seconds(store) == {"a": 9.0, "b": 2.0}


def test_parts_are_read_in_the_order_they_were_made_however_many_digits_a_time_has(store: PartStore) -> None:
    put(store, 9, a=1.0)
    put(store, 10, a=2.0)
    put(store, 10**18, a=3.0)
    assert seconds(store) == {"a": 3.0}
    assert [int(name.partition("-")[0]) for name in store.names(CELL)] == [9, 10, 10**18]


def test_a_store_that_lacks_its_package_on_another_machine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker gets the address alone and opens it itself; a lack is not taken for a failing storage."""
    elsewhere = pickle.loads(pickle.dumps(PartStore("memory://elsewhere")))

    def missing(address: str) -> None:
        raise ImportError("Install s3fs.")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    for doing in (lambda: elsewhere.write(CELL, [record()]), elsewhere.check_writable, elsewhere.cells):
        with pytest.raises(BadInput, match=r"memory://elsewhere cannot be opened \(Install s3fs\)"):
            doing()


def test_a_writer_stores_every_twenty_seconds_whatever_the_clock_says(
    store: PartStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("srbench.store.parts.time.monotonic", lambda: now[0])
    stored: list[int] = []
    with store.writer(CELL) as writer:
        for image, at in enumerate((0, 19.9, 20, 25, 39.9, 40.1, 61)):
            now[0] = 1000.0 + at
            writer.append(record(image=str(image)))
            stored.append(len(store.read(CELL)))
    assert stored == [0, 0, 3, 3, 3, 6, 7]
    assert len(store.names(CELL)) == 3, "and nothing where nothing is held"


def attacked(**settings: Any) -> dict[str, Any]:
    return {"attack": "x", "attack_hash": "h", "attack_settings": settings}


def corrupted(severity: object) -> dict[str, Any]:
    return attacked(kind="Corruption", corruption="blur", severity=severity)


@pytest.mark.parametrize(
    "changes",
    [
        {"metrics": {"psnr": 1e6, "niqe": -1e6, "ssim": None}},
        {"effect": {"lr_psnr": 1e6}},
        attacked(kind="PGD", eps=0),
        attacked(kind="PGD", eps=1),
        attacked(eps=0.5, note=None),
        corrupted(0),
        corrupted(0.5),
        corrupted(1e6),
    ],
)
def test_a_record_may_go_to_its_limits(changes: dict[str, Any]) -> None:
    assert record(**changes).model_dump(include=set(changes)) == changes


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": {"psnr": 1.000001e6}}, "psnr is 1e+06"),
        ({"saved": {"psnr": -1.1e6}}, "psnr is -1.1e+06"),
        ({"effect": {"lr_max": float("nan")}}, "lr_max is nan"),
        ({"seconds": float("inf")}, "inf is no time"),
        ({"cost": {"macs": float("inf")}}, "macs is inf"),
        ({"dataset_kind": "pairs"}, "'pairs' is neither paired nor no-reference"),
        ({"schema_version": 0}, "0 is not one that this srbench reads"),
        (attacked(eps=-1e-9), "eps -1e-09 is no number from 0 to 1"),
        (attacked(eps=1.1), "eps 1.1 is no number from 0 to 1"),
        (attacked(eps=True), "eps True is no number from 0 to 1"),
        (attacked(norm=2), "norm is no text"),
        (attacked(note=["x"]), "note is no text"),
        (corrupted(-0.5), "severity -0.5 is no number"),
        (corrupted(None), "severity null is no number"),
        (corrupted(10**7), "severity a huge number is no number"),
        (corrupted([1]), "severity list is no number"),
        (attacked(kind="Corruption", severity=1), "corruption is missing"),
    ],
)
def test_beyond_them_it_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        record(**changes)
    assert said in str(caught.value)


def test_records_come_in_the_order_of_the_images_whatever_was_measured_first(tmp_path: Path) -> None:
    """An image that failed at first, and was made good by the next run, is the last in the store."""
    request = EvaluationRequest(
        models=("bicubic",), datasets=("clean-mini",), metrics=("psnr",), limit=4, store=tmp_path
    )
    due = evaluate(request).records
    store = Store(tmp_path)
    (cell,) = store.cells()
    store.replace(cell, [*due[:1], *due[2:], due[1]])
    again = evaluate(request)
    assert again.outcome.measured == 0 and again.records == due


def test_a_record_is_never_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        record().model = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="forbidden"):
        record(more=1)


def test_the_next_run_tidies_what_a_killed_one_left(tmp_path: Path) -> None:
    """A line that replaces another and a torn one: one line an image is left, in order of first writing."""
    store = Store(tmp_path)
    with store.writer(CELL) as writer:
        writer.append(record(image="b"))
        writer.append(record(image="a"))
    whole = (tmp_path / CELL).read_bytes()
    again = record(image="b", seconds=2.0).model_dump_json().encode()
    (tmp_path / CELL).write_bytes(whole + again + b"\n" + again[:40])
    assert [(r.image, r.seconds) for r in store.read(CELL)] == [("b", 2.0), ("a", 0.1)]
    store.settle(CELL)
    assert (tmp_path / CELL).read_bytes().count(b"\n") == 2
    assert [(r.image, r.seconds) for r in store.read(CELL)] == [("b", 2.0), ("a", 0.1)]
