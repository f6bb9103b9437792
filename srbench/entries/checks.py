"""Check whether an entry agrees with itself: one line per violation; nothing beyond the entry is read."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain

from srbench.entries import numbers, pairs, standard
from srbench.entries.build import means
from srbench.entries.schema import Entry
from srbench.store.record import Record
from srbench.support.scales import SCALE

# Means are recomputed from the same numbers: only the order of a sum can differ.
_SUMMED = 1e-9


def check_entry(entry: Entry, records: Sequence[Record]) -> list[str]:
    """Return every violation, a line each."""
    lines = chain(
        _identity(entry, records),
        _sets(records),
        chain.from_iterable(numbers.check_record(record) for record in records),
        pairs.check_across_attacks(records),
        _means(entry, records),
        _partial(entry, records),
    )
    return list(dict.fromkeys(lines))


def _identity(entry: Entry, records: Sequence[Record]) -> Iterator[str]:
    """Yield records that are not of the model on the card, or not under the fixed protocol."""
    model = entry.model
    for record in records:
        where = numbers.place(record)
        recorded = {
            "model": (record.model, model.name),
            "model_title": (record.model_title, model.title),
            "training_domain": (record.training_domain, model.domain),
            "weights_sha256": (record.weights_sha256, model.weights_sha256),
        }
        for name, (value, card) in recorded.items():
            if value != card:
                yield f"{where}: {name} is {_brief(value)}, on the card {_brief(card)}"
        if record.protocol != standard.PROTOCOL:
            yield f"{where}: protocol {_brief(record.protocol)}, an entry has {standard.PROTOCOL}"
        if record.attack not in standard.ATTACKS:
            yield f"{where}: no attack of an entry: it has {', '.join(standard.ATTACKS)}"
        if standard.stands_for(record.dataset) is None:
            yield f"{where}: no data set of an entry: it has {' and '.join(standard.DATASETS)}, full or mini"
        if (record.precision, record.tile) != (standard.PRECISION, None):
            yield f"{where}: an entry is measured in {standard.PRECISION} on whole images"
        if record.scale != SCALE:
            yield f"{where}: x{record.scale}, an entry is measured at x{SCALE}"


def _sets(records: Sequence[Record]) -> Iterator[str]:
    """Yield names with more than one content, set of images or attack behind them, and images met twice."""
    images: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    contents: dict[str, set[tuple[str, int, str, str]]] = defaultdict(set)
    attacks: dict[str, set[str]] = defaultdict(set)
    for record in records:
        images[record.dataset][record.attack].add(record.image)
        about = record.dataset_hash, record.dataset_images, record.dataset_domain, record.dataset_kind
        contents[record.dataset].add(about)
        attacks[record.attack].add(record.attack_hash)
    counts = Counter((record.dataset, record.attack, record.image) for record in records)
    for (dataset, attack, image), count in counts.items():
        if count > 1:
            yield f"{dataset}/{attack}: image {_brief(image)} is there {count} times"
    for dataset, facts in contents.items():
        if len(facts) > 1:
            yield f"{dataset}: its records differ in data hash, number of images, domain or kind"
    for attack, hashes in attacks.items():
        if len(hashes) > 1:
            yield f"{attack}: its records have {len(hashes)} different attack hashes"
    for dataset, by_attack in images.items():
        union = set().union(*by_attack.values())
        for attack, ids in by_attack.items():
            if missing := sorted(union - ids):
                yield f"{dataset}/{attack}: lacks image {_brief(missing[0])}, which another attack has"
        most = max(record.dataset_images for record in records if record.dataset == dataset)
        if len(union) > most:
            yield f"{dataset}: {len(union)} images of a set of {most}"


def _means(entry: Entry, records: Sequence[Record]) -> Iterator[str]:
    """Yield aggregates that are not those of the entry's records."""
    recomputed = _flat(means(records))
    stated = _flat(entry.means)
    for key in sorted(recomputed.keys() | stated.keys()):
        a, b = stated.get(key), recomputed.get(key)
        if key not in recomputed or key not in stated:
            yield f"means.{key}: {'the records give none' if key not in recomputed else 'it is missing'}"
        elif a != b and (a is None or b is None or not math.isclose(a, b, rel_tol=_SUMMED, abs_tol=_SUMMED)):
            yield f"means.{key}: {a} is not the mean of the records, {b}"


def _flat(nested: dict[str, dict[str, dict[str, float | None]]]) -> dict[str, float | None]:
    return {
        f"{dataset}.{attack}.{name}": value
        for dataset, by_attack in nested.items()
        for attack, values in by_attack.items()
        for name, value in values.items()
    }


def _partial(entry: Entry, records: Sequence[Record]) -> Iterator[str]:
    """Yield what is lacking and not said, and what is said and not so."""
    lacking, stated = set(standard.lacking(records)), set(entry.partial)
    yield from (f"partial: it does not say: {line}" for line in sorted(lacking - stated))
    yield from (f"partial: it says what is not so: {_brief(line)}" for line in sorted(stated - lacking))


def _brief(text: str) -> str:
    """Shorten a value from outside to one line, for a message."""
    brief = text if len(text) <= 40 else f"{text[:12]}…"
    return repr(brief)
