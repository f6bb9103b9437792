"""Check what the numbers of a record have to satisfy, whoever measured them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from srbench.attacks.spec import settings_hash
from srbench.attacks.verdicts import TOLERANCE
from srbench.metrics import registry
from srbench.store.record import Record

SLACK = 1e-6
"""Recorded numbers are rounded by less than this."""
PSNR_OFFSET = 1e-8
"""pyiqa adds this to the MSE of images in [0, 1]."""
# Not part of what an attack's hash is taken over: where it ran, what a model made of it, and a remark.
_NOT_HASHED = ("note", "tile", "halo", "adapted", "certificate")


def place(record: Record) -> str:
    """Say where a record is, for a message."""
    return f"{record.dataset[:40]}/{record.attack[:40]}/{record.image[:60]}"


def check_record(record: Record) -> Iterator[str]:
    """Yield what is wrong with one record, a line each."""
    where = place(record)
    if min(record.lr_size) < 1:
        yield f"{where}: LR of {record.lr_size} is no image"
        return
    if record.sr_size != (record.scale * record.lr_size[0], record.scale * record.lr_size[1]):
        yield f"{where}: SR of {record.sr_size} is not {record.scale} times LR of {record.lr_size}"
    yield from (f"{where}: {line}" for line in _metrics(record))
    yield from (f"{where}: {line}" for line in _attack(record))
    if not (math.isfinite(record.seconds) and record.seconds >= 0):
        yield f"{where}: {record.seconds} seconds is no time"
    try:
        datetime.fromisoformat(record.created)
    except ValueError:
        yield f"{where}: created is no ISO 8601 time"


def _metrics(record: Record) -> Iterator[str]:
    known = registry()
    numbers = [*record.metrics.items(), *((f"saved {name}", value) for name, value in record.saved.items())]
    for label, value in numbers:
        name = label.removeprefix("saved ")
        if name not in known:
            yield f"{label} is no metric of srbench"
        elif value is None:
            # The engine keeps no notes of the saved file.
            if label == name and name not in record.notes:
                yield f"{label} is null and no note says why"
        else:
            low, high = known[name].lowest, known[name].highest
            if not (math.isfinite(value) and low - SLACK <= value <= high + SLACK):
                yield f"{label} is {value:g}, outside {low:g} to {high:g}"
    if record.saved and record.saved.keys() != record.metrics.keys():
        yield "the metrics of the saved 8-bit file are not those of the float image"


def _attack(record: Record) -> Iterator[str]:
    """Yield an attack on the clean input, and attacks that belie their hash or leave their ball."""
    settings, effect = record.attack_settings, record.effect
    if record.made_elsewhere and record.attack_hash:
        yield "SR images made elsewhere cannot be of an attacked LR"
    if record.attack == "none":
        if settings is not None or effect or record.saved or record.flags or record.attack_hash:
            yield "the clean input has attack settings, a hash or an effect"
        return
    if settings is None or not record.attack_hash:
        yield "an attack without settings or hash"
        return
    if set(effect) != {"lr_psnr", "sr_psnr", "lr_max"}:
        yield f"the effect of the attack is {', '.join(sorted(effect)) or 'not there'}"
        return
    if settings_hash({k: v for k, v in settings.items() if k not in _NOT_HASHED}) != record.attack_hash:
        yield "the attack hash is not that of the attack's settings"
    for text in (settings.get("note") or "", *record.flags, *record.flags.values()):
        # They stand in tables as they are.
        if not isinstance(text, str) or not text.isprintable() or set(text) & set("<>|`"):
            yield "a note or flag is not one line of plain text"
    if not all(math.isfinite(value) for value in effect.values()):
        yield "an effect of the attack is not finite"
        return
    yield from _ball(settings, effect, record.lr_size)


def _ball(settings: dict[str, Any], effect: dict[str, float], size: tuple[int, int]) -> Iterator[str]:
    """Yield noise that leaves the ball, and a mean square that does not fit the largest value."""
    largest, lr_psnr = effect["lr_max"], effect["lr_psnr"]
    if not (0 <= largest <= 255 + SLACK and 0 <= lr_psnr <= 100 and 0 <= effect["sr_psnr"] <= 100):
        yield f"lr_max {largest:g} of 255, LR PSNR {lr_psnr:g} or SR PSNR {effect['sr_psnr']:g} cannot be"
        return
    if "eps" in settings:  # a natural corruption has none
        eps = settings["eps"]
        if isinstance(eps, bool) or not isinstance(eps, int | float) or not 0 <= eps <= 1:
            yield f"eps {str(eps)[:20]} is not in 0 to 1"
            return
        if settings.get("norm", "linf") == "linf":
            if largest > (eps + TOLERANCE) * 255:
                yield f"the noise leaves the ball: lr_max {largest:g} of 255, eps is {eps * 255:g}"
        elif mse(lr_psnr) > (eps + TOLERANCE) ** 2:
            yield f"the noise leaves the ball: LR PSNR {lr_psnr:g} dB, eps is {eps * 255:g} of 255"
    # Neither is a mean square larger than the largest square, nor smaller than its share of the values.
    square = (largest / 255 + SLACK) ** 2
    least = max(largest / 255 - SLACK, 0.0) ** 2 / (3 * size[0] * size[1])
    if not least * (1 - SLACK) <= max(mse(lr_psnr), 1e-10) <= max(square, 1e-10) * (1 + SLACK):
        yield f"LR PSNR {lr_psnr:g} dB cannot be that of noise of at most {largest:g} of 255"


def mse(psnr: float) -> float:
    """Return the mean squared error, of images in [0, 1], that a PSNR in dB stands for."""
    return float(10 ** (-max(psnr, 0.0) / 10))
