"""Compute the leaderboards of an evaluation that has just run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from srbench.boards.compute import tables

if TYPE_CHECKING:
    from srbench.boards.table import Table
    from srbench.evaluation import Evaluation


def evaluated_tables(done: Evaluation) -> list[Table]:
    """Compute the tables of an evaluation, columns in the order in which the user named the data sets."""
    return tables(done.records, dataset_order=done.dataset_order, metrics=done.metrics)
