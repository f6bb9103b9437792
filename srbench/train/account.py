"""Tell what trainings took and gave, as a table: ``srbench maintain account RUN… > training.csv``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from srbench.errors import BadInput
from srbench.train.export import FACTS
from srbench.train.logs import last_validation

COLUMNS = (
    "model",
    "method",
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
    """Return one row a finished run; no directory of the machine it ran on.

    Runs whose recipes differ in name and seed alone are one ``method``, called as the first without its seed.
    ``validation`` is the mean LPIPS of the finished model on clean and degraded held-out crops,
    ``weights_sha256`` that of the fp32 weights.

    Raises:
        BadInput: a run is not finished.
    """
    finished, validations = [], []
    for run in runs:
        if not (run / FACTS).is_file():
            raise BadInput(f"{run} holds no finished training: it has no {FACTS}")
        finished.append(json.loads((run / FACTS).read_text(encoding="utf-8")))
        validations.append(last_validation(run))
    methods: dict[str, str] = {}
    for facts in finished:
        short = facts["name"].removesuffix(f"-seed{facts['recipe']['seed']}")
        methods.setdefault(_method(facts), facts["name"] if short in methods.values() else short)
    rows = []
    for facts, validation in zip(finished, validations, strict=True):
        values = (
            facts["name"],
            methods[_method(facts)],
            facts["init"]["name"],
            _degradation(facts["degradation"]),
            facts["recipe"]["schedule"]["iterations"],
            facts["recipe"]["seed"],
            facts["perceptual"],
            facts["data"]["sources"],
            facts["minutes"],
            f"{validation:.4f}",
            facts["recipe_hash"],
            facts["data"]["hash"],
            facts["weights_sha256"],
        )
        rows.append(dict(zip(COLUMNS, values, strict=True)))
    return rows


def _method(facts: dict[str, Any]) -> str:
    """Return the recipe without what sets two runs of one method apart."""
    return json.dumps({k: v for k, v in facts["recipe"].items() if k not in ("name", "seed")}, sort_keys=True)


def _degradation(settings: dict[str, Any]) -> str:
    steps = f", {settings['steps']} steps" if "steps" in settings else ""
    return f"{settings['kind']}{steps}"
