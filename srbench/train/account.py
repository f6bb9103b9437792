"""What trainings took and gave, as a table: ``python -m srbench.train.account RUN… > training.csv``."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from srbench.errors import BadInput
from srbench.train.export import FACTS

COLUMNS = (
    "model",
    "start",
    "degradation",
    "iterations",
    "seed",
    "perceptual",
    "images",
    "minutes",
    "validation",
    "recipe_hash",
    "data_hash",
    "weights_sha256",
)


def account(runs: Iterable[Path]) -> list[dict[str, Any]]:
    """One row a finished run; no directory of the machine it ran on.

    ``validation`` is the best mean LPIPS on clean and noisy held-out crops, ``weights_sha256`` that of the
    fp32 weights.

    Raises:
        BadInput: a run is not finished.
    """
    rows = []
    for run in runs:
        if not (run / FACTS).is_file():
            raise BadInput(f"{run} holds no finished training: it has no {FACTS}")
        told = json.loads((run / FACTS).read_text(encoding="utf-8"))
        values = (
            told["name"],
            told["init"]["name"],
            _degradation(told["degradation"]),
            told["recipe"]["schedule"]["iterations"],
            told["recipe"]["seed"],
            told["perceptual"],
            told["data"]["sources"],
            told["minutes"],
            f"{told['best']['score']:.4f}",
            told["recipe_hash"],
            told["data"]["hash"],
            told["weights_sha256"],
        )
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _degradation(settings: dict[str, Any]) -> str:
    steps = f", {settings['steps']} steps" if "steps" in settings else ""
    return f"{settings['kind']}{steps}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m srbench.train.account", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="directories of finished runs")
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(account(parser.parse_args(arguments).runs))


if __name__ == "__main__":
    main()
