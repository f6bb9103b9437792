"""Define a leaderboard: its columns, its rows, and which of them a record belongs to."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from srbench.boards.stats import Mean
from srbench.store.record import Record
from srbench.support.scales import SCALE
from srbench.zoo.identity import not_verified


@dataclass(frozen=True, order=True)
class Column:
    """Name one data set at a scale under one attack; ``dataset_hash`` keeps two contents of a name apart."""

    attack: str
    attack_hash: str
    dataset: str
    dataset_hash: str
    scale: int = SCALE

    def named(self) -> dict[str, str | int]:
        """Return the fields for a file; the scale where it is not the usual one."""
        fields = asdict(self)
        return fields if self.scale != SCALE else {k: v for k, v in fields.items() if k != "scale"}


@dataclass
class Row:
    """Hold one model (with its weights, precision and tiling) across the columns.

    Attributes:
        means: by metric and column.
        average: by metric and attack, the mean over that attack's columns; only where every one is there, and
            whole only where every one of them is.
        marks: by column: "in-domain", "out-of-domain", "generalist", or "" (no training domain known, or
            nothing vouches for the weights but their name).
        worst: by attack, the worst column mean of the ranking metric; only where all are there and whole.
        images: measured images by column.
        partial: why the row is not ranked; empty for a ranked row.
        rank: 1 + how many rows are certainly better (:mod:`srbench.boards.ranks`); None where not ranked.
        rank_interval: best and worst rank that the uncertainty allows.
    """

    model: str
    title: str
    training_domain: str
    weights_sha256: str
    precision: str
    tile: int | None
    halo: int | None = None
    means: dict[tuple[str, Column], Mean] = field(default_factory=dict)
    average: dict[tuple[str, str], Mean] = field(default_factory=dict)
    marks: dict[Column, str] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)
    images: dict[Column, int] = field(default_factory=dict)
    partial: str = ""
    rank: int | None = None
    rank_interval: tuple[int, int] | None = None

    @property
    def identity(self) -> str:
        """Return what has to be said of weights that only their name makes a model of the zoo's; else ""."""
        return not_verified(self.model, self.weights_sha256)

    @property
    def label(self) -> str:
        """Return the model's name, with what sets this row apart from another of the same name."""
        extras = [f"not verified {self.weights_sha256[:8]}"] if self.identity else []
        extras += [self.precision] if self.precision != "fp32" else []
        extras += [f"tile {self.tile}"] if self.tile else []
        extras += [f"halo {self.halo}"] if self.halo else []
        return self.model + (f" ({', '.join(extras)})" if extras else "")


RowKey = tuple[str, str, str, int | None, int | None]
"""Records that share these are one row: model, weights, precision, tile, halo."""


@dataclass(frozen=True)
class Area:
    """Hold what a model loses to one attack over its radii.

    Attributes:
        row: which row of the table.
        attack: its name without a radius.
        radii: in levels of 255, in order; 0, the clean input, is not among them.
        datasets: the content hashes of the sets it is the mean over.
        value: the metric's mean over the radii from 0 to the largest, by the trapezoidal rule.
        over_bicubic: that divided by bicubic's under the same attack: below 1 the model keeps an advantage
            over the range. None where bicubic was not measured, or where the metric is no distance.
        over_noise: that divided by the model's own under random noise of the same radii: what the gradient
            adds. None as above.
    """

    row: RowKey
    attack: str
    norm: str
    radii: tuple[float, ...]
    datasets: tuple[str, ...]
    value: Mean
    over_bicubic: Mean | None
    over_noise: Mean | None


@dataclass
class Table:
    """Hold a leaderboard over data sets of one kind, under one protocol and at one scale.

    Attributes:
        kind: "paired" or "no-reference".
        metrics: names of the metrics present, in table order.
        rank_by: the metric the rows are ordered by.
        rank_choice: what the protocol would have ranked by.
        images: by column, how many images the fullest row has; ``complete`` how many the set has.
        photographs: how many photographs the images of the first attack's columns show together.
        recorded: whether some record says so; else every image counts as one.
        flags: what the attack-strength checks found, and the rows that lose to bicubic, one line each.
        areas: what rows lose to attacks over their radii, where two or more were measured.
    """

    protocol: str
    protocol_hash: str
    kind: str
    columns: list[Column]
    metrics: list[str]
    rank_by: str
    rank_choice: str
    rows: list[Row]
    images: dict[Column, int]
    complete: dict[Column, int]
    photographs: int = 0
    recorded: bool = False
    flags: list[str] = field(default_factory=list)
    scale: int = SCALE
    areas: list[Area] = field(default_factory=list)

    @property
    def attacks(self) -> list[str]:
        """Return the names of the attacks, in the order of the columns."""
        return list(dict.fromkeys(column.attack for column in self.columns))

    @property
    def datasets(self) -> list[tuple[str, str]]:
        """Return the data sets in the order of the columns, each by name and content hash."""
        return list(dict.fromkeys((column.dataset, column.dataset_hash) for column in self.columns))

    def columns_of(self, attack: str) -> list[Column]:
        """Return the columns of one attack."""
        return [column for column in self.columns if column.attack == attack]

    def column_title(self, column: Column) -> str:
        """Return the data set's name, with eight digits of its hash where two contents share the name."""
        same = {c.dataset_hash for c in self.columns if c.dataset == column.dataset}
        return column.dataset + (f"@{column.dataset_hash[:8]}" if len(same) > 1 else "")


def row_key(thing: Row | Record) -> RowKey:
    """Return which row a record belongs to."""
    return thing.model, thing.weights_sha256, thing.precision, thing.tile, thing.halo


def column_of(record: Record) -> Column:
    """Return which column a record belongs to."""
    return Column(record.attack, record.attack_hash, record.dataset, record.dataset_hash, record.scale)
