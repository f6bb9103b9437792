"""Define what every entry measures, and what one that measures less has to say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from srbench import protocols
from srbench.datasets.manifests import manifest, names
from srbench.metrics import metric
from srbench.store.record import Record
from srbench.support.scales import SCALE

PROTOCOL = "rsr"
DATASETS = ("ntire", "aim")
ATTACKS = ("none", "random", "rsr", "strong")
PRECISION = "fp32"


def stands_for(dataset: str) -> str | None:
    """Return which of :data:`DATASETS` a set is, itself or as a mini of any edition; None for any other."""
    mini = dataset in names() and manifest(dataset).is_mini
    degradation = manifest(dataset).domain if mini else None
    return next((name for name in DATASETS if dataset == name or degradation == manifest(name).domain), None)


def newest(records: Sequence[Record]) -> list[Record]:
    """Return the records without those of a mini set of which there are some of a later edition."""
    latest: dict[str, int] = {}
    for record in records:
        if (edition := _edition(record)) is not None:
            degradation = manifest(record.dataset).domain
            latest[degradation] = max(edition, latest.get(degradation, 0))
    return [
        record
        for record in records
        if _edition(record) in (None, latest.get(manifest(record.dataset).domain))
    ]


def _edition(record: Record) -> int | None:
    return manifest(record.dataset).edition


def belongs(record: Record) -> bool:
    """Return whether a record is part of what an entry measures."""
    return (
        record.protocol == PROTOCOL
        and record.attack in ATTACKS
        and stands_for(record.dataset) is not None
        and (record.precision, record.tile, record.scale) == (PRECISION, None, SCALE)
    )


def attacks_of(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the attacks that records of an entry have to show: SR images made elsewhere can show none."""
    return ATTACKS[:1] if any(record.made_elsewhere for record in records) else ATTACKS


def lacking(records: Sequence[Record]) -> list[str]:
    """Return what keeps records from being a complete entry, a line each; none for a complete one."""
    images: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    expected: dict[str, int] = {}
    for record in records:
        images[record.dataset][record.attack].add(record.image)
        expected[record.dataset] = record.dataset_images
    measured = {stands_for(dataset) for dataset in expected}
    lines = [f"{name} was not measured" for name in DATASETS if name not in measured]
    for dataset in sorted(expected):
        by_count: dict[int, list[str]] = defaultdict(list)
        for attack in attacks_of(records):
            by_count[len(images[dataset][attack])].append(attack)
        for count, attacks in by_count.items():
            if count < expected[dataset]:
                lines.append(f"{dataset}: {count} of {expected[dataset]} images under {', '.join(attacks)}")
    metrics = protocols.protocol(PROTOCOL).default
    lines += [
        f"{metric(name).title} was not measured everywhere"
        for name in metrics
        if any(name not in record.metrics for record in records)
    ]
    return lines
