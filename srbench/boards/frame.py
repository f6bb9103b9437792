"""Make a table of records: one row per image."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pandas as pd

from srbench.metrics import registry
from srbench.store.record import Record

LEADING = ("model", "dataset", "image", "attack", "protocol")
LATER = (
    *("source", "metric_settings", "stochastic", "samples", "spread", "threads", "channels_last"),
    "made_elsewhere",
    "scale",
)


def frame(records: Iterable[Record]) -> pd.DataFrame:
    """Return a row per record: what was measured, every metric computed, then the provenance.

    Columns: model, dataset, image, attack, protocol; one per metric (NaN where undefined or not
    computed); what an attack did, with ``METRIC_as_8bit`` for the attacked LR read back from a file; then
    every other field of :class:`srbench.store.record.Record`, library versions as ``version_NAME``, what the
    network takes as ``cost_NAME``, the spread over several samples as ``spread_METRIC`` and reasons for
    undefined metrics as ``notes``. Some fields came later: where no record has one, there is no column.

    >>> from srbench.evaluation import EvaluationRequest, evaluate
    >>> request = EvaluationRequest(models=("bicubic",), datasets=("clean-mini",), metrics=("psnr",), limit=2)
    >>> frame(evaluate(request).records)[["model", "dataset", "image"]].values.tolist()
    [['bicubic', 'clean-mini', 'astronaut-0-0'], ['bicubic', 'clean-mini', 'astronaut-0-256']]
    """
    rows = []
    for record in records:
        row = record.model_dump(mode="json")
        metrics = row.pop("metrics")
        versions = row.pop("versions")
        lr_height, lr_width = row.pop("lr_size")
        sr_height, sr_width = row.pop("sr_size")
        notes = "; ".join(f"{name}: {why}" for name, why in row.pop("notes").items())
        effect = row.pop("effect") | {f"{name}_as_8bit": value for name, value in row.pop("saved").items()}
        flags = "; ".join(f"{name}: {why}" for name, why in row.pop("flags").items())
        settings = row.pop("attack_settings")
        cost = {f"cost_{name}": value for name, value in row.pop("cost").items()}
        for name in LATER:
            if row[name] == Record.model_fields[name].default:
                del row[name]
        if measured_by := row.pop("metric_settings", {}):
            row["metric_settings"] = json.dumps(measured_by, sort_keys=True)
        spread = {f"spread_{name}": value for name, value in row.pop("spread", {}).items()}
        row["attack_settings"] = json.dumps(settings, sort_keys=True) if settings else ""
        leading = {key: row.pop(key) for key in LEADING}
        sizes = {"lr_height": lr_height, "lr_width": lr_width, "sr_height": sr_height, "sr_width": sr_width}
        software = {f"version_{name}": version for name, version in versions.items()}
        remarks = {"notes": notes, "flags": flags}
        rows.append(leading | metrics | effect | row | spread | sizes | remarks | cost | software)
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    order = [name for name in registry() if name in table.columns]
    rest = [column for column in table.columns if column not in LEADING and column not in order]
    return table[[*LEADING, *order, *rest]]
