"""Measure images of an entry again and compare every number."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from srbench import protocols
from srbench.entries.draw import Draw
from srbench.entries.numbers import place
from srbench.entries.tolerance import tolerance
from srbench.errors import Unavailable
from srbench.metrics import registry
from srbench.store.record import Record

if TYPE_CHECKING:
    from srbench.entries.local import LocalFindings
    from srbench.run.plan import Cell

RecordKey = tuple[str, str, str]


@dataclass
class RerunFindings:
    """Hold what measuring again has shown.

    Attributes:
        images: how many images; ``records`` how many records of theirs.
        largest: by attack and name of the number, the largest difference.
        problems: differences beyond the tolerance, a line each.
        notes: what could not be measured again, a line each.
    """

    images: int = 0
    records: int = 0
    largest: dict[str, dict[str, float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        differences = [
            f"under {attack}: " + ", ".join(f"{name} {value:.2g}" for name, value in values.items())
            for attack, values in self.largest.items()
        ]
        measured = f"measured {self.images} images again ({self.records} records)"
        return f"{measured}; largest differences {'; '.join(differences)}"


def rerun(
    records: Sequence[Record],
    local: LocalFindings,
    draw: Draw,
    device: str,
    started: Callable[[str], None] = lambda text: None,
) -> RerunFindings:
    """Measure the images drawn under every attack of the entry, and compare.

    Args:
        local: what of the entry is on this machine.
        device: "auto", "cpu" or "cuda".
        started: called with the name of each cell before it is run.
    """
    findings = RerunFindings()
    if local.model is None:
        findings.notes.append("nothing was measured again: the model is not here")
        return findings
    findings.notes += draw.lines()
    recorded = {_key(r): r for r in records if r.image in draw.chosen[r.dataset]}
    again = _measure(recorded, local, device, findings, started)
    for key, record in again.items():
        findings.problems += _differences(
            recorded[key], record, findings.largest.setdefault(record.attack, {})
        )
    findings.records = len(again)
    findings.images = len({(dataset, image) for dataset, _, image in again})
    return findings


def _key(record: Record) -> RecordKey:
    return record.dataset, record.attack, record.image


def _measure(
    recorded: Mapping[RecordKey, Record],
    local: LocalFindings,
    device: str,
    findings: RerunFindings,
    started: Callable[[str], None],
) -> dict[RecordKey, Record]:
    from srbench.run.engine import Engine
    from srbench.run.instruments import Instruments
    from srbench.run.options import pick_device
    from srbench.run.settings import Settings
    from srbench.store.folder import Store

    protocol = protocols.protocol(next(iter(recorded.values())).protocol)
    metrics = [n for n in registry() if any(n in record.metrics for record in recorded.values())]
    place_of_run = pick_device(device)
    instruments = Instruments(protocol, metrics, place_of_run)
    findings.notes += [f"{m.name} was not measured again: {m.reason}" for m in instruments.missing]
    again: dict[RecordKey, Record] = {}
    with tempfile.TemporaryDirectory(prefix="srbench-validate-") as folder:
        store = Store(Path(folder))
        engine = Engine(store, instruments, Settings(device=place_of_run))
        for cell in _plan(recorded, local, findings):
            started(str(cell))
            try:
                findings.problems += engine.run([cell]).failures
            except Unavailable as error:
                findings.notes.append(f"{cell} was not measured again: {error}")
            again |= {_key(record): record for record in store.read(cell.path)}
    return again


def _plan(recorded: Mapping[RecordKey, Record], local: LocalFindings, findings: RerunFindings) -> list[Cell]:
    """Return the cells of these images, as far as data set and attack are on this machine."""
    from srbench.attacks import NONE
    from srbench.run.plan import make_plan

    assert local.model is not None
    specs = {NONE.name: NONE, **local.recipes}
    cells = []
    for dataset, attack in sorted({(dataset, attack) for dataset, attack, _ in recorded}):
        if dataset not in local.sets or attack not in specs:
            findings.notes.append(f"{dataset} under {attack} was not measured again: it is not here")
            continue
        protocol = protocols.protocol(next(iter(recorded.values())).protocol)
        (cell,) = make_plan([local.model], [local.sets[dataset]], [specs[attack]], protocol)
        images = sorted(image for d, a, image in recorded if (d, a) == (dataset, attack))
        cells.append(replace(cell, images=tuple(images)))
    return cells


def _differences(recorded: Record, measured: Record, largest: dict[str, float]) -> Iterator[str]:
    """Yield numbers that differ by more than their tolerance; the largest differences go into ``largest``."""
    for kind in ("metrics", "saved", "effect"):
        before, after = getattr(recorded, kind), getattr(measured, kind)
        for name in (n for n in after if n in before):
            a, b = before[name], after[name]
            label = f"{name} as 8 bit" if kind == "saved" else name
            if (a is None) != (b is None):
                yield f"{place(recorded)}: {label} is {a} in the entry, {b} when measured again"
            if a is None or b is None:
                continue
            allowed = tolerance(name, recorded.attack)
            largest[name] = max(largest.get(name, 0.0), abs(a - b))
            if abs(a - b) > allowed:
                again = f"{b:.6g} when measured again (within {allowed:g} is rounding)"
                yield f"{place(recorded)}: {label} is {a:.6g} in the entry, {again}"
