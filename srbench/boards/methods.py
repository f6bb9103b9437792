"""Hold the records of methods that were trained several times, beside those of published networks."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from srbench.boards import text
from srbench.boards.csv_records import read_csv
from srbench.boards.order import dataset_order
from srbench.boards.table import column_of
from srbench.boards.trainings import Trainings
from srbench.store.record import Record

TRAINING = "training.csv"


class Methods:
    """Hold records, and the methods they are of.

    Attributes:
        methods: by name, the models that are its trainings.
        trained_for: by method, as tables say it.
    """

    def __init__(self, records: Sequence[Record], methods: Mapping[str, Sequence[str]]) -> None:
        self._records, self.methods = records, methods
        domains = {record.model: record.training_domain for record in records}
        self.trained_for = {
            name: text.domain(domain)
            for name, models in methods.items()
            for domain in {domains.get(model, "unknown") for model in models}
        }

    def on(self, name: str, sets: Sequence[str], attack: str = "none") -> Trainings:
        """Return a metric on data sets, in their order, under one attack."""
        found = {column_of(record) for record in self._records if record.attack == attack}
        columns = sorted(
            (c for c in found if c.dataset in sets), key=lambda column: sets.index(column.dataset)
        )
        return Trainings(self._records, self.methods, name, columns)

    def attacked(self) -> list[tuple[str, frozenset[str]]]:
        """Return data sets, each with images of it that some model was attacked on; the most first."""
        found: dict[str, dict[tuple[str, str], set[str]]] = {}
        for record in self._records:
            if record.attack != "none":
                each = found.setdefault(record.dataset, {})
                each.setdefault((record.model, record.attack), set()).add(record.image)
        return [
            (dataset, images)
            for dataset in dataset_order(found)
            for images in sorted(
                {frozenset(each) for each in found[dataset].values()},
                key=lambda images: (-len(images), sorted(images)),
            )
        ]

    def whole(self, dataset: str, images: frozenset[str]) -> tuple[Methods, list[str]]:
        """Return what is known of these images, of the trainings attacked on all of them; and the attacks."""
        cells: dict[tuple[str, str], list[Record]] = {}
        for record in self._records:
            if record.dataset == dataset and record.image in images:
                cells.setdefault((record.attack, record.model), []).append(record)
        whole = {k: each for k, each in cells.items() if {record.image for record in each} == images}
        attacks = list(dict.fromkeys(attack for attack, _ in whole if attack != "none"))
        models = {model for attack, model in whole if attack != "none"}
        only = [record for (_, model), each in whole.items() if model in models for record in each]
        attacked = {method: [m for m in each if m in models] for method, each in self.methods.items()}
        return Methods(only, {method: each for method, each in attacked.items() if each}), attacks


def read_methods(folder: Path, others: Sequence[str], former: str) -> Methods:
    """Read records.csv and training.csv of a folder, and the records of published networks.

    Args:
        others: boards beside the folder. What they have of a training's weights is of that training, however
            it is called there; what else they have of a method's name came with srbench before.
        former: an earlier experiment beside the folder, whose networks in those boards came with srbench too.

    Raises:
        BadInput: records that cannot be read.
    """
    methods: dict[str, list[str]] = {}
    for row in _trainings(folder / TRAINING):
        methods.setdefault(row["method"], []).append(row["model"])
    records = read_csv(folder / "records.csv")
    ours = {model for models in methods.values() for model in models} | methods.keys()
    earlier = folder.parent / former / TRAINING
    ours |= {row["model"] for row in _trainings(earlier)} if earlier.is_file() else set()
    runs = {record.weights_sha256: record.model for record in records if record.weights_sha256}
    known = {_cell(record) for record in records}
    for other in others:
        file = folder.parent / other / "records.csv"
        for record in read_csv(file) if file.is_file() else []:
            if run := runs.get(record.weights_sha256):
                again = record.model_copy(update={"model": run})
                records += [again] if _cell(again) not in known else []
            elif record.model not in ours:
                records.append(record)
    methods |= {record.model: [record.model] for record in records if record.model not in ours}
    return Methods(records, methods)


def _cell(record: Record) -> tuple[str, ...]:
    return record.model, record.dataset, record.image, record.attack, record.protocol


def _trainings(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))
