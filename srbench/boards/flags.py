"""Find what a reader of a leaderboard has to be warned of, a line each."""

from __future__ import annotations

from collections.abc import Iterator, Set

import numpy as np

from srbench.boards.index import Index
from srbench.boards.table import Column, Row, RowKey, Table, row_key
from srbench.metrics import metric

BASELINE = "bicubic"
BEHIND = 1.0
"""A row that loses to bicubic by more dB of PSNR than this, on clean input, is flagged."""


def flags(table: Table, data: Index, noise: Set[Column]) -> list[str]:
    """Return what is to be said of a table whose rows have their numbers.

    That is models that may not be what they are called, SR images made elsewhere, remarks and failed checks
    of attacks, how defences were attacked, models that draw random numbers, attacks that random noise of the
    same radius beats, and rows that lose to bicubic.

    Args:
        noise: the columns of random noise.
    """
    lines = [
        f"{row.identity} of {row.model}: what it is and was trained for rests on its name alone"
        for row in table.rows
        if row.identity
    ]
    lines += [
        f"{row.label} is SR images made elsewhere: no network was run here, and nothing shows what they were "
        "made of and by"
        for row in table.rows
        if row_key(row) in data.made_elsewhere
    ]
    lines += [f"{attack}: {note}" for attack, note in sorted(data.remarks)]
    lines += [
        f"{data.rows[key].model}, {table.column_title(column)}, {column.attack}: {check} failed on "
        f"{len(findings)} images ({findings[0]})"
        for (key, column, check), findings in sorted(data.flagged.items(), key=str)
    ]
    lines += _defended(table, data)
    lines += _stochastic(table, data)
    return [*lines, *_weak_attacks(table, data, noise), *_below_bicubic(table, data)]


def _defended(table: Table, data: Index) -> Iterator[str]:
    """Yield how models behind defences were attacked: adapted to the defence, or as if there were none."""
    for row in table.rows:
        attacks = data.adapted.get(row_key(row), {})
        if plain := sorted(name for name, adapted in attacks.items() if not adapted):
            yield f"{row.label} is not attacked adaptively by {', '.join(plain)}: this shows no robustness"
        if adapted := sorted(name for name, settings in attacks.items() if settings):
            settings = attacks[adapted[0]]
            means = [f"{settings['samples']} outputs averaged for a gradient"] * (settings["samples"] > 1)
            means += ["surrogates for gradients it lacks"] * bool(settings["straight_through"])
            yield (
                f"{row.label} is attacked adaptively by {', '.join(adapted)}: "
                f"{' and '.join(means) or 'its own gradient is whole'}"
            )


def _stochastic(table: Table, data: Index) -> Iterator[str]:
    """Yield the rows of models that draw random numbers: how many outputs an image has, and their spread."""
    for row in table.rows:
        records = data.stochastic.get(row_key(row), [])
        if not records:
            continue
        samples = sorted({record.samples for record in records})
        counted = f"{samples[0]}" if len(samples) == 1 else f"{samples[0]} to {samples[-1]}"
        line = (
            f"stochastic: {row.label} draws random numbers; {counted} output{'s' * (samples != [1])} an image"
        )
        spreads = [value for r in records if (value := r.spread.get(table.rank_by)) is not None]
        if spreads:
            line += (
                f", whose {metric(table.rank_by).title} has a standard deviation of {np.mean(spreads):.2g}"
            )
        if any(record.stochastic == "unseeded" for record in records):
            line += "; they follow no seed, so that the same command gives other numbers"
        yield line


def _weak_attacks(table: Table, data: Index, noise: Set[Column]) -> Iterator[str]:
    """Yield attacks that do no more damage than random noise of the same radius, on the same images."""
    beside = {(c.dataset_hash, data.radius.get(c)): c for c in table.columns if c in noise}
    sign = -1.0 if metric(table.rank_by).higher_is_better else 1.0
    for row in table.rows:
        for column in table.columns:
            random = beside.get((column.dataset_hash, data.radius.get(column)))
            if not column.attack_hash or random is None or column in noise:
                continue
            attacked, noisy = (row.means.get((table.rank_by, c)) for c in (column, random))
            if not (attacked and noisy and attacked.whole and noisy.whole):
                continue
            if sign * attacked.value <= sign * noisy.value:
                where = f"{row.label}, {table.column_title(column)}"
                damage = f"{metric(table.rank_by).title} damage"
                yield (
                    f"weak attack: {column.attack} on {where} does no more {damage} than random noise "
                    "of the same radius"
                )


def _below_bicubic(table: Table, data: Index) -> Iterator[str]:
    """Yield the rows that lose to bicubic in PSNR on clean input, all in one line: which, where, by how much.

    Each is compared on the images that it and bicubic have. The PSNR is that of the records, also where the
    table does not show it.
    """
    reference = baseline(table)
    if reference is None or table.kind != "paired":
        return
    columns = [column for column in table.columns if not column.attack_hash]
    found = []
    for row in table.rows:
        sets = []
        for column in columns if row.model != BASELINE else ():
            behind = _behind(data, row_key(row), row_key(reference), column)
            if behind > BEHIND:
                sets.append(f"{table.column_title(column)} {behind:.1f} dB")
        if sets:
            found.append(f"{row.label} ({', '.join(sets)})")
    if found:
        yield f"below bicubic by more than {BEHIND:g} dB of PSNR on clean input: {'; '.join(found)}"


def baseline(table: Table) -> Row | None:
    """Return bicubic's row; of several the one in fp32 and without tiles, if it is there."""
    rows = [row for row in table.rows if row.model == BASELINE]
    return min(rows, key=lambda row: (row.label != BASELINE, row.label), default=None)


def _behind(data: Index, key: RowKey, baseline: RowKey, column: Column) -> float:
    """Return by how many dB a row's mean PSNR is below the baseline's; NaN where no image has both."""
    difference = data.values(baseline, column, "psnr") - data.values(key, column, "psnr")
    both = difference[np.isfinite(difference)]
    return float(both.mean()) if both.size else float("nan")
