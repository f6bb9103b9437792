"""Check what records of one image under several attacks say of each other."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from srbench import protocols
from srbench.attacks.spec import settings_hash
from srbench.entries.numbers import PSNR_OFFSET, SLACK, mse, place
from srbench.entries.tolerance import ROUNDING
from srbench.errors import BadInput
from srbench.store.record import Record


def check_across_attacks(records: Sequence[Record]) -> Iterator[str]:
    """Yield how records of one image, clean and attacked, contradict each other."""
    yield from _ensembles(records)
    clean = {(r.dataset, r.image): r for r in records if r.attack == "none"}
    for record in records:
        before = clean.get((record.dataset, record.image))
        if record.attack == "none" or before is None or record.attack_settings is None:
            continue
        if record.lr_size != before.lr_size:
            yield f"{place(record)}: LR of {record.lr_size}, of {before.lr_size} without the attack"
        elif record.attack_settings.get("eps") == 0:
            if record.metrics != before.metrics or record.effect.get("lr_max") != 0:
                yield f"{place(record)}: eps is 0 and the record is not that of the clean input"
        elif line := _triangle(record, before):
            yield f"{place(record)}: {line}"


def _ensembles(records: Sequence[Record]) -> Iterator[str]:
    """Yield ensembles that do less LPIPS damage than their first attack, where it has records of its own."""
    alone = {(r.dataset, r.image, r.attack_hash): r.metrics.get("lpips") for r in records}
    for record in records:
        settings = record.attack_settings or {}
        parts, measures = settings.get("parts"), settings.get("measures")
        if not (isinstance(parts, list) and parts and isinstance(parts[0], dict)):
            continue
        first = alone.get((record.dataset, record.image, settings_hash(parts[0])))
        own = record.metrics.get("lpips")
        # Only where it chose by the very LPIPS that is recorded.
        if first is None or own is None or not isinstance(measures, list) or "lpips-alex" not in measures:
            continue
        if own < first - ROUNDING["lpips"]:
            yield (
                f"{place(record)}: LPIPS {own:g} is less than the {first:g} of its own first attack, "
                f"which {record.attack} never falls behind"
            )


def _triangle(record: Record, clean: Record) -> str:
    """Return how PSNR against HR moved further than SR did, which the triangle inequality rules out, or "".

    PSNR is of 8-bit images without their border (see the protocol), the SR PSNR of whole float ones:
    rounding moves a value by half a level, and the border may be the part that did not move.
    """
    values = (record.metrics.get("psnr"), clean.metrics.get("psnr"), record.effect.get("sr_psnr"))
    attacked, before, moved = values
    try:
        view = protocols.protocol(record.protocol).metrics["psnr"]
    except (BadInput, KeyError):
        return ""
    height, width = record.sr_size
    inner = (height - 2 * view.crop) * (width - 2 * view.crop)
    if (
        attacked is None
        or before is None
        or moved is None
        or min(height, width) < 1
        or inner < 1
        or view.space != "rgb"
    ):
        return ""
    apart = abs(math.sqrt(_error(attacked)) - math.sqrt(_error(before)))
    bound = math.sqrt(height * width / inner * mse(moved)) + (1 / 255 if view.rounded else 0)
    if apart <= bound + SLACK:
        return ""
    return (
        f"PSNR {attacked:g} dB against {before:g} dB without the attack: the squared errors differ by more "
        f"than SR moved (SR PSNR {moved:g} dB)"
    )


def _error(psnr: float) -> float:
    """Return the mean squared error behind a recorded PSNR."""
    return max(mse(psnr) - PSNR_OFFSET, 0.0)
