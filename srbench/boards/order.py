"""Put data sets in the order in which people are shown them: as asked for, else that of the manifests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from srbench import datasets
from srbench.boards.comparison import Pair
from srbench.boards.table import Table


def dataset_order(found: Iterable[str], asked: Sequence[str] = ()) -> list[str]:
    """Return data sets in the order of the names or wildcards asked for, then of the manifests, then by name.

    >>> dataset_order(["aim", "mine", "clean", "ntire"])
    ['clean', 'ntire', 'aim', 'mine']
    >>> dataset_order(["ntire", "ntire-mini", "aim"], asked=["aim", "ntire*"])
    ['aim', 'ntire', 'ntire-mini']
    """
    known = datasets.names()

    def place(name: str) -> tuple[int, int, str]:
        wanted = (n for n, each in enumerate(asked) if name == each or fnmatchcase(name, each))
        return next(wanted, len(asked)), known.index(name) if name in known else len(known), name

    return sorted(set(found), key=place)


def in_order(tables: Iterable[Table], asked: Sequence[str] = ()) -> list[Table]:
    """Return the tables with the data sets of each attack in that order; the numbers are the same."""
    ordered = []
    for table in tables:
        places = dataset_order((column.dataset for column in table.columns), asked)
        by_set = sorted(table.columns, key=lambda column: places.index(column.dataset))
        columns = sorted(by_set, key=lambda column: table.attacks.index(column.attack))
        ordered.append(replace(table, columns=columns))
    return ordered


def sets_in_order(pair: Pair, asked: Sequence[str] = ()) -> Pair:
    """Return a comparison with its data sets in that order; the numbers are the same."""
    found = pair.comparison.sets
    places = dataset_order((column.dataset for column in found), asked)
    sets = {column: found[column] for column in sorted(found, key=lambda c: places.index(c.dataset))}
    return replace(pair, comparison=replace(pair.comparison, sets=sets))
