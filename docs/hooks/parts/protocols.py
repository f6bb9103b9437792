"""Protocols and metrics."""

from __future__ import annotations

from importlib import resources

from parts.text import code, facts, link, table
from srbench import protocols
from srbench.metrics import metric, registry
from srbench.protocols.schema import MetricSettings
from srbench.support.toml import read_toml

SPACES = {"rgb": "RGB", "y": "luma (BT.601, 16 to 235)", "gray": "gray (MATLAB's rgb2gray)"}


def settings() -> str:
    """Every protocol: what it ranks by, and how each metric sees an image under it."""
    parts = []
    for name in protocols.names():
        protocol = protocols.protocol(name)
        about = {
            "Source": protocol.source,
            "Scale": f"×{protocol.scale}",
            "Hash": code(protocol.hash),
            "Measured unless others are asked for": ", ".join(map(code, protocol.default)),
            "Ranked by, the first that every row has": ", ".join(map(code, protocol.rank)),
            "The same without ground truth": ", ".join(map(code, protocol.rank_no_reference)),
        }
        tables = read_toml(resources.files("srbench.protocols") / f"{name}.toml")
        written = tables["metrics"] | tables.get("later", {})
        known = [(key, MetricSettings.model_validate(written[key])) for key in registry() if key in written]
        parts.append(
            f"### {code(name)}: {protocol.title}\n\n"
            + facts(about)
            + "\n\n"
            + table(
                ("Metric", "Pixels", "Border cut", "Colour", "Parameters"),
                [_row(*item) for item in known],
            )
        )
    return "\n\n".join(parts)


def _row(name: str, settings: MetricSettings) -> tuple[str, ...]:
    return (
        code(name),
        "rounded to 8 bit" if settings.rounded else "float, clipped to [0, 1]",
        f"{settings.crop} px" if settings.crop else "none",
        SPACES[settings.space],
        ", ".join(f"{key} = {value}" for key, value in settings.params.items()) or "none",
    )


def metrics() -> str:
    """Every metric with its definition."""
    rows = []
    for name in registry():
        found = metric(name)
        weights = [
            f"{weight.name}" + (f" ({link(weight.files[0].url, 'published file')})" if weight.files else "")
            for weight in found.weights
        ]
        rows.append(
            (
                code(name),
                found.title,
                "SR and HR" if found.kind == "FR" else "SR alone",
                "higher" if found.higher_is_better else "lower",
                found.definition,
                found.source,
                f"{found.min_side} px" if found.min_side else "any",
                ", ".join(weights) or "none",
            )
        )
    header = ("Name", "Title", "Needs", "Better", "Computed as", "Source", "Smallest side", "Weights")
    return table(header, rows)
