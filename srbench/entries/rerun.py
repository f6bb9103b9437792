"""Measure images of an entry again and compare every number."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from srbench import protocols
from srbench.entries.numbers import place
from srbench.entries.tolerance import tolerance
from srbench.install.fetch import Unavailable
from srbench.metrics import registry
from srbench.store.record import Record

if TYPE_CHECKING:
    from srbench.entries.local import LocalFindings
    from srbench.entries.schema import Entry
    from srbench.run.plan import Cell

Key = tuple[str, str, str]


@dataclass
class Rerun:
    """What measuring again has shown.

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
        shown = [
            f"under {attack}: " + ", ".join(f"{name} {value:.2g}" for name, value in values.items())
            for attack, values in self.largest.items()
        ]
        measured = f"measured {self.images} images again ({self.records} records)"
        return f"{measured}; largest differences {'; '.join(shown)}"


def choose(entry: Entry, records: Sequence[Record], count: int) -> set[tuple[str, str]]:
    """Images by data set and id, drawn with the entry's digest as the seed."""
    images = sorted({(record.dataset, record.image) for record in records})
    return set(random.Random(entry.digest).sample(images, min(count, len(images))))


def rerun(
    entry: Entry,
    records: Sequence[Record],
    local: LocalFindings,
    count: int,
    device: str,
    started: Callable[[str], None] = lambda text: None,
) -> Rerun:
    """Measure ``count`` images under every attack of the entry, and compare.

    Args:
        local: what of the entry is on this machine.
        device: "auto", "cpu" or "cuda".
        started: called with the name of each cell before it is run.
    """
    found = Rerun()
    if local.model is None:
        found.notes.append("nothing was measured again: the model is not here")
        return found
    chosen = choose(entry, records, count)
    old = {_key(r): r for r in records if (r.dataset, r.image) in chosen}
    again = _measure(old, local, device, found, started)
    for key, record in again.items():
        found.problems += _differences(old[key], record, found.largest.setdefault(record.attack, {}))
    found.records = len(again)
    found.images = len({(dataset, image) for dataset, _, image in again})
    return found


def _key(record: Record) -> Key:
    return record.dataset, record.attack, record.image


def _measure(
    old: Mapping[Key, Record], local: LocalFindings, device: str, found: Rerun, started: Callable[[str], None]
) -> dict[Key, Record]:
    from srbench.evaluation import pick_device
    from srbench.run.engine import Engine, Settings
    from srbench.run.instruments import Instruments
    from srbench.store.folder import Store

    protocol = protocols.protocol(next(iter(old.values())).protocol)
    names = [n for n in registry() if any(n in record.metrics for record in old.values())]
    place_of_run = pick_device(device)
    instruments = Instruments(protocol, names, place_of_run)
    found.notes += [f"{m.name} was not measured again: {m.reason}" for m in instruments.missing]
    again: dict[Key, Record] = {}
    with tempfile.TemporaryDirectory(prefix="srbench-validate-") as folder:
        store = Store(Path(folder))
        engine = Engine(store, instruments, Settings(device=place_of_run))
        for cell in _plan(old, local, found):
            started(str(cell))
            try:
                found.problems += engine.run([cell]).failures
            except Unavailable as error:
                found.notes.append(f"{cell} was not measured again: {error}")
            again |= {_key(record): record for record in store.read(cell.path)}
    return again


def _plan(old: Mapping[Key, Record], local: LocalFindings, found: Rerun) -> list[Cell]:
    """The cells of these images, as far as data set and attack are here."""
    from srbench.attacks import NONE
    from srbench.run.plan import make_plan

    assert local.model is not None
    specs = {NONE.name: NONE, **local.recipes}
    cells = []
    for dataset, attack in sorted({(dataset, attack) for dataset, attack, _ in old}):
        if dataset not in local.sets or attack not in specs:
            found.notes.append(f"{dataset} under {attack} was not measured again: it is not here")
            continue
        protocol = protocols.protocol(next(iter(old.values())).protocol)
        (cell,) = make_plan([local.model], [local.sets[dataset]], [specs[attack]], protocol)
        images = sorted(image for d, a, image in old if (d, a) == (dataset, attack))
        cells.append(replace(cell, images=tuple(images)))
    return cells


def _differences(old: Record, new: Record, largest: dict[str, float]) -> Iterator[str]:
    """Numbers that differ by more than their tolerance; the largest differences are kept."""
    for kind in ("metrics", "saved", "effect"):
        before, after = getattr(old, kind), getattr(new, kind)
        for name in (n for n in after if n in before):
            a, b = before[name], after[name]
            shown = f"{name} as 8 bit" if kind == "saved" else name
            if (a is None) != (b is None):
                yield f"{place(old)}: {shown} is {a} in the entry, {b} when measured again"
            if a is None or b is None:
                continue
            allowed = tolerance(name, old.attack)
            largest[name] = max(largest.get(name, 0.0), abs(a - b))
            if abs(a - b) > allowed:
                again = f"{b:.6g} when measured again (within {allowed:g} is rounding)"
                yield f"{place(old)}: {shown} is {a:.6g} in the entry, {again}"
