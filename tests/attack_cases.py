"""A small request of an attack."""

from __future__ import annotations

from pathlib import Path

from srbench.robustness import attack as job


def request(lr: Path, hr: Path, **changes: object) -> job.AttackRequest:
    fields: dict[str, object] = {"model": "bicubic", "dataset": f"pairs:{lr}:{hr}", "eps": ("4", "14")}
    return job.AttackRequest(**(fields | changes))  # type: ignore[arg-type]
