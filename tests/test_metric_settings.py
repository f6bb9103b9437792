"""A value is taken from the store only if it was measured with the settings the protocol has now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import srbench
from srbench import protocols
from srbench.boards.compute import tables
from srbench.errors import BadInput
from srbench.evaluation import EvaluationRequest, evaluate
from srbench.protocols.schema import MetricSettings, Protocol
from srbench.store.folder import Store
from srbench.store.record import Record


def records_of(store: Path, **options: object) -> list[Record]:
    request = EvaluationRequest(
        models=("bicubic",), datasets=("clean-mini",), metrics=("psnr", "lpips-lite"), limit=2, store=store
    )
    return evaluate(request).records


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Callable[[MetricSettings], None]:
    """Change what the protocol says of lpips-lite, whose settings its hash does not cover."""

    def change(settings: MetricSettings) -> None:
        published = protocols.protocol("rsr")
        later = published.later | {"lpips-lite": settings}
        other = Protocol.model_validate(published.model_dump() | {"later": later})
        assert other.hash == published.hash
        monkeypatch.setattr(protocols, "protocol", lambda name, scale=4: other)

    return change


def test_a_record_says_by_which_settings_each_metric_was_measured(tmp_path: Path) -> None:
    known = protocols.protocol("rsr").known
    for record in records_of(tmp_path):
        assert record.metric_settings == {name: known[name].hash for name in ("psnr", "lpips-lite")}
        assert record.threads == 1 and record.channels_last is False


def test_changed_settings_are_measured_anew(
    tmp_path: Path, changed: Callable[[MetricSettings], None]
) -> None:
    before = records_of(tmp_path)
    assert records_of(tmp_path) == before
    settings = protocols.protocol("rsr").known["lpips-lite"]
    changed(settings.model_copy(update={"crop": 32}))
    after = records_of(tmp_path)
    for old, new in zip(before, after, strict=True):
        assert new.metrics["lpips-lite"] != old.metrics["lpips-lite"]
        assert new.metrics["psnr"] == old.metrics["psnr"]
        assert new.metric_settings["lpips-lite"] != old.metric_settings["lpips-lite"]
    assert records_of(tmp_path) == after


def test_a_record_from_before_is_trusted_only_where_the_protocols_hash_covers_it(tmp_path: Path) -> None:
    made = records_of(tmp_path)
    store = Store(tmp_path)
    (cell,) = store.cells()
    store.replace(cell, [record.model_copy(update={"metric_settings": {}}) for record in made])
    only_psnr = EvaluationRequest(
        models=("bicubic",), datasets=("clean-mini",), metrics=("psnr",), limit=2, store=tmp_path
    )
    assert evaluate(only_psnr).outcome.measured == 0
    assert [record.metric_settings for record in records_of(tmp_path)] == [r.metric_settings for r in made]


def test_values_by_different_settings_share_no_table(tmp_path: Path) -> None:
    first, second = records_of(tmp_path)
    other = second.model_copy(update={"metric_settings": {"psnr": "0" * 12}})
    with pytest.raises(BadInput, match="records of psnr were made with different settings"):
        tables([first, other])
    assert tables([first, second.model_copy(update={"metric_settings": {}})])


def test_the_layout_in_memory_is_recorded() -> None:
    table = srbench.evaluate(
        "rsr-mini", datasets="ntire-mini", metrics="psnr", limit=1, threads=2, channels_last=True
    )
    assert table.threads.tolist() == [2] and table.channels_last.tolist() == [True]
